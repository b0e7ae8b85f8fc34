// SPDX-License-Identifier: MIT
//
// The options of connections and requests, checked.

import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import types from 'node:util/types';
import { splitHost } from '../../bindings/wasm/fields.js';
import { argumentError, InvalidURL, kindOf, memoryHint, quoted, withoutUserinfo } from '../errors.js';
import { refused } from '../refusal.js';
import { ELSEWHERE } from './elsewhere.js';

const ascii = /^[\0-\x7f]*$/;
const HOST_MAX = 255; // characters on the wire, as the core has it: a name has fewer
const TEXT_MAX = 65536; // … of what is looked at at all

// ---- the names of options ----

const ofConnection = [
  'timeout',
  'source_address',
  'blocksize',
  'max_response_headers',
  'signal',
  'create_connection',
  'lookup',
  'on_informational',
  'timeouts',
  'deadline',
  'limits',
  'socket_path',
  'proxy_context',
  'retry_stale',
];

/** Names to look up. @param {string[]} names @returns {Readonly<Record<string, true>>} */
function tableOf(names) {
  const table = { __proto__: null };
  for (const name of names) table[name] = true;
  return Object.freeze(table);
}

/** The options there are, by what takes them. @type {Readonly<Record<string, Readonly<Record<string, true>>>>} */
export const OPTIONS = Object.freeze({
  __proto__: null,
  HTTPConnection: tableOf(ofConnection),
  HTTPSConnection: tableOf([...ofConnection, 'context', 'key_file', 'cert_file', 'check_hostname']),
  request: tableOf(['encode_chunked', 'expect_continue', 'trailers', 'signal', 'deadline']),
  putrequest: tableOf(['skip_host', 'skip_accept_encoding']),
  endheaders: tableOf(['encode_chunked']),
  load_verify_locations: tableOf(['cafile', 'capath', 'cadata', 'crlfile']),
  create_default_context: tableOf(['system', 'cafile', 'capath', 'cadata', 'crlfile']),
});

const TIMEOUTS = tableOf(['lookup', 'connect', 'tls', 'send', 'continue', 'headers', 'idle']);

/** A name as it is compared: spelling of words and case don't count. */
const plain = (name) => name.replace(/[_-]/g, '').toLowerCase();

/** In how many letters two names differ: added, left out, changed, or two that changed places. */
function distance(one, other) {
  let before = [];
  let last = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        row[j] = Math.min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[other.length];
}

/** The name that was meant. @param {string} name @param {string[]} names @param {number} most letters that may differ */
function nearest(name, names, most) {
  const text = plain(name);
  if (text.length > 64) return undefined;
  let found;
  let least = most + 1;
  for (const candidate of names) {
    const far = distance(text, plain(candidate));
    if (far < least) [found, least] = [candidate, far];
  }
  return found;
}

/** What to do in place of an option that there isn't. */
function advice(what, name, allowed) {
  const names = Object.keys(allowed);
  const text = plain(name);
  const near = nearest(name, names, text.length < 4 ? 1 : Math.min(3, Math.floor(text.length / 3)));
  if (what in OPTIONS && (near === undefined || plain(near) !== text)) {
    if (ELSEWHERE[text] !== undefined) return ELSEWHERE[text];
    const others = Object.keys(OPTIONS).filter((other) => OPTIONS[other][name]);
    if (others.length > 0) return `it is an option of ${others.join(' and ')}`;
  }
  const all = `it must be one of ${names.join(', ')}`;
  if (near === undefined) return all;
  return what in OPTIONS ? `did you mean "${near}"?` : `did you mean "${near}"? (${all})`;
}

/** Refuses what isn't an object of members: none would be found in it, or other ones. @param {string} name @param {unknown} value */
export function checkMembers(name, value) {
  const isObject = typeof value === 'object' && value !== null;
  if (isObject && typeof value[Symbol.iterator] !== 'function' && !ArrayBuffer.isView(value) && !types.isPromise(value) && !isSignal(value)) return;
  throw argumentError(`${name} must be an object, not ${kindOf(value)}${hintForMembers(name, value)}`, 'ERR_INVALID_ARG_TYPE');
}

function hintForMembers(name, value) {
  if (isSignal(value)) return ': give { signal }';
  if (types.isPromise(value)) return ': await it first';
  if (typeof value === 'function') return ': there are no callbacks, await what the call gives';
  return typeof value === 'number' && name.includes('Connection') ? `: give { timeout: ${value} }, in seconds` : '';
}

/**
 * Refuses members that there are no options for, as Python refuses keyword arguments. A member that is undefined doesn't
 * count.
 *
 * @param {string} kind what they are called: `option`, `limit`, `timeout`
 * @param {object} options @param {Readonly<Record<string, unknown>>} allowed
 * @param {string} what takes them: a name in `OPTIONS`, or of the option that they are members of
 * @throws {TypeError}
 */
export function checkNames(kind, options, allowed, what) {
  for (const name in options) {
    if (allowed[name] !== undefined || options[name] === undefined) continue;
    if (name in Object.prototype && !Object.hasOwn(options, name)) continue; // somebody has extended all objects
    const owner = what in OPTIONS ? ` of ${what}` : '';
    throw argumentError(`there is no ${kind} ${quoted(name)}${owner}: ${advice(what, name, allowed)}`);
  }
}

/** Is a member an object's own, or that of a class of its own? */
function isMember(object, name) {
  for (let one = object; one !== null && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    if (Object.hasOwn(one, name)) return true;
  }
  return false;
}

/**
 * Options less what was written to Object.prototype: nobody meant that for them, and it could turn verification off.
 *
 * @param {object} options @param {Readonly<Record<string, unknown>>} allowed
 * @returns {any}
 */
export function meant(options, allowed) {
  const names = Object.keys(allowed);
  if (!names.some((name) => name in Object.prototype)) return options;
  const members = names.filter((name) => isMember(options, name)).map((name) => [name, options[name]]);
  return Object.assign(Object.create(null), Object.fromEntries(members));
}

/** Stands for no options, where an object is wanted: costs no check. */
export const NO_OPTIONS = Object.freeze({ __proto__: null });

/**
 * The options of a constructor or a method, checked.
 *
 * @param {string} what takes them: a name in `OPTIONS`
 * @param {unknown} options
 * @param {Readonly<Record<string, unknown>>} [allowed] others than that name has
 * @returns {any} the options, or `NO_OPTIONS`
 * @throws {TypeError} for what is no object, or has a member that is no option
 */
export function checkOptions(what, options, allowed = undefined) {
  if (options === NO_OPTIONS || options === null || options === undefined) return NO_OPTIONS;
  const known = allowed ?? OPTIONS[what];
  checkMembers(`the options of ${what}`, options);
  checkNames('option', options, known, what);
  return meant(options, known);
}

/** Says of a class which options its constructor takes: a name in `OPTIONS`. @private */
export const TAKES = Symbol('porthole.options');

/** The options of a constructor, which may take the place of the port. */
export function optionsOf(port, options) {
  return options ?? (port !== null && typeof port === 'object' ? port : NO_OPTIONS);
}

// ---- where to connect to ----

/** A host as it goes on the wire: IDNA (UTS 46). */
export function asciiHost(host) {
  if (ascii.test(host)) return host;
  const encoded = domainToASCII(host);
  if (encoded === '') throw new InvalidURL(`the host is no name that IDNA can encode: ${quoted(withoutUserinfo(host))}`);
  return encoded;
}

/** @param {string} host @returns {never} */
function refuseLong(host) {
  throw new InvalidURL(`a host has ${HOST_MAX} characters at most, and this one ${host.length}`);
}

/** Splits what the core takes for a host. @returns {{host: string, port: number | null}} @throws {InvalidURL} */
function split(text, hasPort) {
  if (text.length > TEXT_MAX) refuseLong(text);
  const { error, host, port } = roomFor(() => splitHost(text, hasPort));
  if (error !== 0) throw refused(error, { host: text });
  const encoded = asciiHost(host);
  if (encoded.length > HOST_MAX) refuseLong(encoded);
  if (encoded === host) return { host, port };
  const again = splitHost(encoded, true).error; // what IDNA made of it is looked at as well
  if (again !== 0) throw refused(again, { host: text });
  return { host, port };
}

/** What may need a memory of WebAssembly: there is a hint for where it can't be had. @template T @param {() => T} run @returns {T} */
function roomFor(run) {
  try {
    return run();
  } catch (error) {
    throw memoryHint(error);
  }
}

function checkHostText(host) {
  if (typeof host !== 'string') {
    const hint = host instanceof URL ? 'give url.host' : 'it comes first, by itself, and the port after it';
    throw argumentError(`the host must be a string, not ${kindOf(host)}: ${hint}`, 'ERR_INVALID_ARG_TYPE');
  }
  const wrong = notHost(host);
  if (wrong !== '') throw new InvalidURL(`${wrong}: ${quoted(withoutUserinfo(host))}`);
}

/** What is wrong about a host that is more than one, '' for none: said before the core says which character it is. */
function notHost(host) {
  const isUrl = /^(?:[a-z][a-z0-9+.-]*:)?\/\//i.test(host);
  if (isUrl) return 'the host is a name or an address, and no URL: give its host here, and its path to request()';
  if (host.includes('@')) return "user information doesn't belong in a host: send it as an Authorization header";
  if (/[/?#]/.test(host)) return 'the host ends where the path begins: give the path to request()';
  return '';
}

/** Does a text name a port behind its host? */
const namesPort = (text) => /^(\[.*\]|[^:[\]]+):\d*$/.test(text);

/** Splits what was given as a host, and checks it and its port. @returns {{host: string, port: number}} */
export function hostAndPort(host, port, defaultPort) {
  checkHostText(host);
  const given = port !== null && port !== undefined;
  if (given && namesPort(host)) {
    throw new InvalidURL(`the host names a port beside the port ${portText(port)}: ${quoted(withoutUserinfo(host))}`);
  }
  const { host: name, port: number } = split(host, given);
  return { host: name, port: given ? checkPort(port) : (number ?? defaultPort) };
}

/** @param {unknown} host a name or an address, with no port @returns {string} without brackets @throws {Error} */
export function checkHost(host) {
  checkHostText(host);
  if (namesPort(host)) {
    throw new InvalidURL(`the host names a port, which is a property of its own: ${quoted(withoutUserinfo(host))}`);
  }
  return split(host, true).host;
}

/** @param {unknown} port @returns {number} 0 to 65535 @throws {InvalidURL} */
export function checkPort(port) {
  if (typeof port === 'number' && port >= 0 && port <= 65535 && Number.isInteger(port)) return port;
  const number = typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : Number.NaN;
  if (number <= 65535) return number;
  throw new InvalidURL(`a port is a number from 0 to 65535: ${portText(port)}`);
}

/** What was given as a port, for a message. */
function portText(port) {
  if (typeof port !== 'string') return kindOf(port).replace(/^number /, '');
  return quoted(withoutUserinfo(port));
}

// ---- what to ask for ----

/** Where arguments got into the wrong places. */
export const ORDER = 'the arguments are request(method, url, body, headers, options)';

const isTarget = (method) => method.includes('/') && (method[0] === '/' || method.includes('://'));

/** @param {unknown} method @param {unknown} url of a request @throws {TypeError} for what is none, in the wrong place first of all */
export function checkTarget(method, url) {
  if (typeof method === 'string' && typeof url === 'string' && !isTarget(method)) return;
  if (typeof method !== 'string') {
    throw argumentError(`the method must be a string, not ${kindOf(method)}: ${ORDER}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (isTarget(method)) throw argumentError(`the method comes first, and this is a URL: ${ORDER}`);
  const hint = url instanceof URL ? 'give url.pathname + url.search' : ORDER;
  throw argumentError(`the URL must be a string, not ${kindOf(url)}: ${hint}`, 'ERR_INVALID_ARG_TYPE');
}

// ---- values of options ----

/** @returns {number | null} seconds, null for no limit */
export function checkSeconds(name, value) {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'number') {
    const hint = name === 'timeout' && typeof value === 'object' ? ': what may take how long is said by timeouts, { connect, headers, idle, … }' : '';
    throw argumentError(`${name} must be a number of seconds or null, not ${kindOf(value)}${hint}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (!(value > 0)) throw argumentError(`${name} must be above 0 seconds, not ${value}: null means no limit`);
  if (value % 1000 === 0 && value % HOUR !== 0) noteMilliseconds(name, value);
  return value === Infinity ? null : value;
}

const HOUR = 3600;
let noted = false;

/** Whole thousands that are no whole hours: few mean so many seconds, and many other clients count milliseconds. Said once. */
function noteMilliseconds(name, value) {
  if (noted) return;
  noted = true;
  const [count, unit] = value < HOUR ? [Math.round(value / 60), 'minute'] : [Math.round(value / HOUR), 'hour'];
  const time = `${count} ${unit}${count === 1 ? '' : 's'}`;
  const message = `${name} is in seconds, and ${value} of them are ${time}: was ${name}: ${value / 1000} meant?`;
  process.emitWarning(message, { code: 'PORTHOLE_SECONDS' });
}

/** @returns {Record<string, number | null>} a copy of the timeouts of phases */
export function checkTimeouts(value) {
  if (value === null || value === undefined) return NO_OPTIONS;
  checkMembers('timeouts', value);
  checkNames('timeout', value, TIMEOUTS, 'timeouts');
  const given = meant(value, TIMEOUTS);
  const checked = { __proto__: null };
  for (const name of Object.keys(TIMEOUTS)) {
    if (given[name] !== undefined) checked[name] = checkSeconds(`timeouts.${name}`, given[name]);
  }
  return Object.freeze(checked);
}

/** @returns {Function | null} @throws {TypeError} for anything that can't be called */
export function checkFunction(name, value) {
  if (value === null || value === undefined || typeof value === 'function') return value ?? null;
  throw argumentError(`${name} must be a function, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}

/** @returns {number} a whole number that is not below `minimum` @throws {TypeError} */
export function checkCount(name, value, minimum) {
  if (typeof value !== 'number') {
    throw argumentError(`${name} must be a number, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw argumentError(`${name} must be a whole number from ${minimum}, not ${value}`);
  }
  return value;
}

/** @returns {[host: string, port: number] | null} @throws {TypeError} */
export function checkSourceAddress(value) {
  if (value === null || value === undefined) return null;
  if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== 'string' || typeof value[1] !== 'number') {
    throw argumentError('source_address must be [host, port], with port 0 for any', 'ERR_INVALID_ARG_TYPE');
  }
  const [host, port] = value;
  if (host !== '' && isIP(host) === 0) throw argumentError("source_address must have an IP address of this machine, or '' for any, and no name");
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw argumentError(`source_address must have a port from 0 to 65535, with 0 for any, not ${port}`);
  }
  return value;
}

function isSignal(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    'aborted' in value &&
    typeof value.addEventListener === 'function' &&
    typeof value.removeEventListener === 'function'
  );
}

/**
 * A signal is what has `aborted` and takes listeners: those of polyfills and of other realms are signals too.
 *
 * @returns {AbortSignal | null} @throws {TypeError}
 */
export function checkSignal(value) {
  if (value === null || value === undefined) return null;
  if (isSignal(value)) return value;
  const hint = value.signal !== undefined && isSignal(value.signal) ? ': give its signal' : '';
  throw argumentError(`signal must be an AbortSignal, not ${kindOf(value)}${hint}`, 'ERR_INVALID_ARG_TYPE');
}

/** How many bytes a path may have: what fits into `sun_path`, with the NUL that ends it. Windows has names of pipes. */
const PATH_MAX = process.platform === 'linux' ? 107 : process.platform === 'win32' ? 32767 : 103;

/**
 * @returns {string | null} the path of a Unix socket, or a NUL and the name of an abstract one
 * @throws {TypeError} for what would reach another socket than the one that is meant, too
 */
export function checkPath(value) {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') {
    throw argumentError(`socket_path must be a path, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  const abstract = value[0] === '\0';
  if (value === '' || value === '\0') throw argumentError('socket_path is empty');
  if (abstract && process.platform !== 'linux') {
    throw argumentError('socket_path begins with NUL: only Linux has abstract sockets');
  }
  const nul = value.indexOf('\0', 1);
  if (nul !== -1) throw argumentError(`socket_path can't contain a NUL, other than in front (index ${nul})`);
  if (!value.isWellFormed()) throw argumentError('socket_path has half of a surrogate pair, which has no UTF-8');
  const most = PATH_MAX + (abstract ? 1 : 0); // nothing ends an abstract name
  const size = Buffer.byteLength(value);
  if (size > most) throw argumentError(`socket_path has ${size} bytes: the system takes ${most} at most`);
  return value;
}

/** How long to wait for a 100, in seconds; null when it isn't asked for. */
export function checkExpect(value) {
  if (value === null || value === undefined || value === false) return null;
  return value === true ? 1 : checkSeconds('expect_continue', value);
}

/** Trailers: an object as for headers, or a function that gives one once the body is sent. */
export function checkTrailers(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' || typeof value === 'function') return value;
  throw argumentError(`trailers must be an object or a function, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}
