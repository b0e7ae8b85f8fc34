// SPDX-License-Identifier: MIT
//
// The options of connections and requests, checked.

import { domainToASCII } from 'node:url';
import { splitHost } from '../../bindings/wasm/core.js';
import { argumentError, coreError, InvalidURL } from '../errors.js';
import { BAD_PORT } from '../../bindings/generated/errors.js';
import { kindOf } from './headers.js';

const ascii = /^[\0-\x7f]*$/;
const TIMEOUTS = ['lookup', 'connect', 'tls', 'send', 'continue', 'headers', 'idle'];

/** A host as it goes on the wire: IDNA (UTS 46). */
export function asciiHost(host) {
  if (ascii.test(host)) return host;
  const encoded = domainToASCII(host);
  if (encoded === '') throw new InvalidURL(`the host is no name that IDNA can encode: ${JSON.stringify(host)}`);
  return encoded;
}

/** Splits what was given as a host, and checks it and its port. @returns {{host: string, port: number}} */
export function hostAndPort(host, port, defaultPort) {
  if (typeof host !== 'string') {
    throw argumentError(`the host must be a string, not ${kindOf(host)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(host)) {
    throw new InvalidURL(`the host is a name or an address, and no URL: ${JSON.stringify(host)}`);
  }
  const given = port !== null && port !== undefined;
  if (given && /^(\[.*\]|[^:[\]]+):\d*$/.test(host)) {
    throw new InvalidURL(`the host names a port beside the port ${portText(port)}: ${JSON.stringify(host)}`);
  }
  const split = splitHost(host, given);
  const encoded = asciiHost(split.host);
  if (encoded !== split.host) splitHost(encoded, true);
  if (!given) return { host: split.host, port: split.port ?? defaultPort };
  const number = typeof port === 'number' || (typeof port === 'string' && /^\d+$/.test(port)) ? Number(port) : Number.NaN;
  if (!Number.isInteger(number) || number < 0 || number > 65535) {
    throw coreError(BAD_PORT, { subject: portText(port) });
  }
  return { host: split.host, port: number };
}

/** What was given as a port, for a message. */
function portText(port) {
  if (typeof port === 'object') return kindOf(port);
  return typeof port === 'string' ? JSON.stringify(port) : String(port);
}

/** @returns {object} the options @throws {TypeError} */
export function checkObject(name, value) {
  if (value === null || value === undefined) return {};
  if (typeof value === 'object') return value;
  throw argumentError(`${name} must be an object, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}

/** @returns {number | null} seconds, null for no limit */
export function checkSeconds(name, value) {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'number') {
    throw argumentError(`${name} must be a number of seconds or null, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (!(value > 0)) throw argumentError(`${name} must be above 0 seconds, not ${value}: null means no limit`);
  return value === Infinity ? null : value;
}

/** @returns {Record<string, number | null>} a copy of the timeouts of phases */
export function checkTimeouts(value) {
  const checked = {};
  for (const [name, seconds] of Object.entries(checkObject('timeouts', value))) {
    if (!TIMEOUTS.includes(name)) {
      throw argumentError(`there is no timeout "${name}": it must be one of ${TIMEOUTS.join(', ')}`);
    }
    if (seconds !== undefined) checked[name] = checkSeconds(`timeouts.${name}`, seconds);
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
  if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== 'string' || !Number.isInteger(value[1])) {
    throw argumentError('source_address must be [host, port], with port 0 for any', 'ERR_INVALID_ARG_TYPE');
  }
  return value;
}

/** @returns {AbortSignal | null} @throws {TypeError} */
export function checkSignal(value) {
  if (value === null || value === undefined || typeof value.addEventListener === 'function') return value ?? null;
  throw argumentError(`signal must be an AbortSignal, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}

/** @returns {string | null} the path of a Unix socket @throws {TypeError} */
export function checkPath(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw argumentError(`socket_path must be a path, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
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
