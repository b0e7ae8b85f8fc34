// SPDX-License-Identifier: MIT
//
// The proxy that the environment names for a URL, read as curl reads it.

import net from 'node:net';
import { argumentError, InvalidURL } from '../errors.js';

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

/** Reads `[scheme://][user:password@]host[:port]`. */
function readProxy(text, name) {
  const [, scheme = 'http', rest] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text);
  const kind = scheme.toLowerCase();
  if (PORTS[kind] === undefined) {
    throw argumentError(`${name} names a proxy of the kind ${kind}://, which is not supported: it must be http:// or https://`);
  }
  let url;
  try {
    url = new URL(`http://${rest}`);
  } catch (cause) {
    throw new InvalidURL(`${name} is not the URL of a proxy: ${JSON.stringify(text.replace(/[^/@]*@/, '***@'))}`, { cause });
  }
  const port = /:\d+$/.test(rest.replace(/\/.*$/s, '')) ? Number(url.port || 80) : PORTS[kind];
  const headers = {};
  if (url.username !== '' || url.password !== '') {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['Proxy-Authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  return { scheme: kind, host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port, headers };
}

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
  } catch (cause) {
    throw new InvalidURL(`not a URL: ${JSON.stringify(String(url))}`, { cause });
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
