// SPDX-License-Identifier: MIT
//
// The proxy that the environment names for a URL, read as curl reads it.

import net from 'node:net';
import { argumentError, InvalidURL, quoted, withoutUserinfo } from '../errors.js';
import { hostAndPort } from '../request/options.js';

const PORTS = { __proto__: null, http: 1080, https: 443 };

/**
 * A variable, in lower case first, an empty one as if it were not there. curl reads HTTP_PROXY in lower case only, as CGI
 * makes such a variable of a request's header.
 */
function variable(env, name) {
  return env[name] || (name === 'http_proxy' ? undefined : env[name.toUpperCase()]) || '';
}

/** Is an address inside of a network such as 10.0.0.0/8? */
function inNetwork(address, network) {
  const [base, length] = network.split('/');
  const family = net.isIP(address);
  if (net.isIP(base) !== family || !/^\d+$/.test(length) || Number(length) > (family === 6 ? 128 : 32)) return false;
  const list = new net.BlockList();
  list.addSubnet(base, Number(length), family === 6 ? 'ipv6' : 'ipv4');
  return list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Does an entry of NO_PROXY mean this host? */
function matches(entry, host) {
  const name = entry.replace(/\.$/, '');
  if (net.isIP(host) !== 0) return name.includes('/') ? inNetwork(host, name) : name === host;
  const suffix = name.replace(/^\./, '').toLowerCase();
  return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`));
}

function excluded(env, host) {
  const list = variable(env, 'no_proxy');
  if (list.trim() === '*') return true;
  return list.split(/[\s,]+/).some((entry) => entry !== '' && matches(entry, host));
}

const percents = /(?:%[0-9a-f]{2})+/gi;

/** What percent-encoding stands for, as bytes; a percent sign that begins none stands for itself, as curl has it. */
function decoded(text) {
  return Buffer.from(text.replace(percents, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').latin1Slice()), 'latin1');
}

/** User and password as Basic writes them (RFC 7617), without a colon an empty password; null for control characters. */
function basic(userinfo) {
  const colon = userinfo.indexOf(':');
  const [user, password] = colon === -1 ? [userinfo, ''] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
  // What isn't ASCII goes as UTF-8, also between bytes that were encoded.
  const bytes = (text) => decoded(Buffer.from(text).latin1Slice());
  const credentials = Buffer.concat([bytes(user), Buffer.from(':'), bytes(password)]);
  return credentials.some((byte) => byte < 0x20 || byte === 0x7f) ? null : credentials.toString('base64');
}

/**
 * Reads `[scheme://][user:password@]host[:port]`. As curl does, the user information is all before the last `@`: a password
 * may hold any character but / ? #. No error shows it.
 */
function readProxy(text, name) {
  const [, scheme = 'http', rest] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text);
  const kind = scheme.toLowerCase();
  if (PORTS[kind] === undefined) {
    throw argumentError(`${name} names a proxy of the kind ${kind}://, which is not supported: it must be http:// or https://`);
  }
  const authority = /^[^/?#]*/.exec(rest)[0];
  const at = authority.lastIndexOf('@');
  const place = authority.slice(at + 1);
  const shown = quoted(withoutUserinfo(text));
  // What is before a "#" in a password would be taken for a host, and be spoken to.
  if (rest.includes('@', authority.length)) throw new InvalidURL(`${name} has one of / ? # before an @: percent-encode it in a password: ${shown}`);
  const [, bracketed, bare, digits = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(place) ?? [];
  const host = bracketed === undefined ? bare : zoned(bracketed);
  if (host === undefined || host === '' || (bracketed !== undefined && net.isIPv6(host) === false)) {
    throw new InvalidURL(`${name} is not the URL of a proxy: ${shown}`);
  }
  const port = digits === '' ? PORTS[kind] : Number(digits);
  if (port > 65535) throw new InvalidURL(`${name} names a proxy whose port is not from 0 to 65535: ${shown}`);
  try {
    hostAndPort(host, port, port);
  } catch {
    throw new InvalidURL(`${name} names a proxy whose host can't be one: ${shown}`);
  }
  const headers = {};
  if (at !== -1) {
    const userinfo = basic(authority.slice(0, at));
    if (userinfo === null) throw new InvalidURL(`${name} has a control character in its user information: ${shown}`);
    headers['Proxy-Authorization'] = `Basic ${userinfo}`;
  }
  return { scheme: kind, host: bracketed === undefined ? host.toLowerCase() : host, port, headers };
}

/** The zone of an IPv6 address is percent-encoded in a URL (RFC 6874). */
const zoned = (address) => address.replace(/%25/, '%');

/**
 * The proxy for a URL, by the variables that curl reads: `http_proxy` or `HTTPS_PROXY` by the URL's scheme, then
 * `ALL_PROXY`, unless `NO_PROXY` names the host; lower case goes before upper case, and `http_proxy` is only read in
 * lower case. Nothing is ever read from the environment unless this is called.
 *
 * @param {string | URL} url of the request
 * @param {Record<string, string | undefined>} [env]
 * @returns {{scheme: 'http' | 'https', host: string, port: number, headers: Record<string, string>} | null} null for no
 *   proxy; `headers` has the Proxy-Authorization when the variable has credentials
 * @throws {TypeError} for a kind of proxy that is not supported @throws {InvalidURL}
 */
export function proxy_from_environment(url, env = process.env) {
  let target;
  try {
    target = new URL(url);
  } catch {
    throw new InvalidURL(`not a URL: ${quoted(withoutUserinfo(String(url)))}`); // Node's error shows all of it
  }
  const scheme = target.protocol.slice(0, -1);
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '').toLowerCase();
  if (host === '' || excluded(env, host)) return null;
  for (const name of [`${scheme}_proxy`, 'all_proxy']) {
    const text = variable(env, name).trim();
    if (text !== '') return readProxy(text, name);
  }
  return null;
}
