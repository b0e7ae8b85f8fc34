// SPDX-License-Identifier: MIT
//
// Rules: `[scheme://]host[:port]`, read once and asked for each connection.

import { domainToASCII } from 'node:url';
import { argumentError, kindOf } from '../errors.js';
import { blockOf, holds, oddlySpelt } from './addresses.js';

/** The ports of a rule that has none. */
const PORTS = { __proto__: null, http: 80, https: 443 };

const form = /^(?:([a-z][a-z\d+.-]*):\/\/)?(\[[^\]]*\]|[^:[\]@?#]*)(?::(\d{1,5}|\*))?$/i;
const label = /^[a-z\d_](?:[a-z\d_-]*[a-z\d_])?$/;

/** Is it a name of DNS, in lower case, with or without the dot at its end? @param {string} name */
export function isName(name) {
  const labels = name.replace(/\.$/, '').split('.');
  return name.length <= 254 && labels.every((part) => part.length <= 63 && label.test(part));
}

/** Is a name only this machine's (RFC 6761 section 6.3)? @param {string} name in lower case */
export function isLocalhost(name) {
  return /(?:^|\.)localhost\.?$/.test(name);
}

/**
 * @typedef {object} Rule
 * @property {string} text as it was given
 * @property {'http' | 'https' | null} scheme null for both
 * @property {number | null} port null for any; undefined for that of the scheme
 * @property {'any' | 'below' | 'name' | 'block'} kind
 * @property {string} name of `below` with its dot in front, and of `name`
 * @property {import('./addresses.js').Block | null} block
 */

function targetOf(host) {
  if (host === '*') return { kind: 'any' };
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  const block = blockOf(bracketed ?? host);
  if (block !== null) return (block.family === 6) === (bracketed !== undefined) ? { kind: 'block', block } : null;
  if (/[/\\%\s]/.test(host)) return null; // what domainToASCII would cut off, or mend
  const below = host.startsWith('*.');
  const name = domainToASCII(below ? host.slice(2) : host).toLowerCase();
  if (name === '' || !isName(name) || oddlySpelt(name) !== null) return null;
  return below ? { kind: 'below', name: `.${name}` } : { kind: 'name', name };
}

/**
 * Reads a rule.
 *
 * @param {unknown} text
 * @param {string} what it is a rule of
 * @returns {Rule}
 */
export function ruleOf(text, what) {
  if (typeof text !== 'string') throw argumentError(`a rule of ${what} must be a string, not ${kindOf(text)}`, 'ERR_INVALID_ARG_TYPE');
  const [, scheme, host, port] = form.exec(text) ?? [];
  const kind = scheme?.toLowerCase() ?? null;
  const target = host === undefined || (kind !== null && PORTS[kind] === undefined) ? null : targetOf(host);
  if (target === null || Number(port) > 65535) {
    const block = blockOf(host?.replace(/\/.*/, '').replace(/^\[|\]$/g, '') ?? '') !== null;
    const bare = /^[\da-f]*:[\da-f]*:[\da-f:.]*(?:\/\d+)?$/i.test(text);
    const hint = bare ? ', as IPv6 stands in brackets' : !host?.includes('/') ? '' : block ? ', as a block has no bits behind its prefix' : ', as connections are not judged by paths';
    throw argumentError(
      `${JSON.stringify(text)} is no rule of ${what}${hint}: a rule is [scheme://]host[:port], such as 'https://api.example.com:443', ` +
        "'*.example.com:443', '*:*', '10.1.0.0/16:8080' or '[fd00::/8]:8080'",
    );
  }
  const number = port === undefined ? undefined : port === '*' ? null : Number(port);
  return { text, scheme: /** @type {Rule['scheme']} */ (kind), port: number, name: '', block: null, ...target };
}

/** Does a rule speak of a scheme and a port? @param {Rule} rule @param {string} scheme @param {number} port */
export function speaksOf(rule, scheme, port) {
  if (rule.scheme !== null && rule.scheme !== scheme) return false;
  return rule.port === undefined ? port === PORTS[scheme] : rule.port === null || rule.port === port;
}

/**
 * Does a rule allow a name? One for any host, or those below a domain, does not mean the names that are only this
 * machine's, nor those with a dot at the end, which are other names to servers and certificates.
 *
 * @param {Rule} rule
 * @param {string} name in lower case
 */
export function allowsName(rule, name) {
  if (rule.kind === 'name') return rule.name === name;
  if (isLocalhost(name) || name.endsWith('.')) return false;
  return rule.kind === 'any' || (rule.kind === 'below' && name.endsWith(rule.name) && name.length > rule.name.length);
}

/** Does a rule deny a name? However it is spelt. @param {Rule} rule @param {string} name in lower case */
export function deniesName(rule, name) {
  const bare = name.replace(/\.$/, '');
  if (rule.kind === 'name') return rule.name.replace(/\.$/, '') === bare;
  return rule.kind === 'any' || (rule.kind === 'below' && `${bare}.`.endsWith(`${rule.name}.`.replace(/\.\.$/, '.')));
}

/** Does a rule name a block that holds an address? @param {Rule} rule @param {import('./addresses.js').Address} address */
export function holdsAddress(rule, address) {
  return rule.block !== null && holds(rule.block, address);
}
