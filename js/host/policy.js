// SPDX-License-Identifier: MIT
//
// Who may be reached: rules, and what is refused unless a rule names it. A policy judges a name or an address that was
// asked for, then each address that the name has; it resolves nothing and connects to nothing.

import { domainToASCII } from 'node:url';
import { argumentError, kindOf, quoted } from '../errors.js';
import { addressOf, carried, oddlySpelt, specialPurpose } from './addresses.js';
import { allowsName, deniesName, holdsAddress, isName, ruleOf, speaksOf } from './rules.js';

const DEFAULT_PORTS = { __proto__: null, http: 80, https: 443 };

/**
 * @typedef {object} Verdict
 * @property {boolean} allowed
 * @property {string} reason for a person
 * @property {string | null} rule the one that allowed or denied it; the one that is missing; null where none would help
 * @property {string | null} address that is, or would be, connected to
 */

/** @returns {Verdict} */
const refusal = (reason, rule = null, address = null) => ({ allowed: false, reason, rule, address });

/** A host as a URL has it. */
const bracketed = (host) => (host.includes(':') ? `[${host}]` : host);

/** The rules of an option. */
function rulesOf(list, what) {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw argumentError(`${what} must be an array of rules, not ${kindOf(list)}`, 'ERR_INVALID_ARG_TYPE');
  return list.map((text) => ruleOf(text, what));
}

export class Policy {
  #allow;
  #deny;

  /** @param {unknown} allow rules @param {unknown} [deny] rules that win */
  constructor(allow, deny) {
    this.#allow = rulesOf(allow, 'allow');
    this.#deny = rulesOf(deny, 'deny');
  }

  /**
   * Judges what is asked for, before any look-up.
   *
   * @param {'http' | 'https'} scheme
   * @param {string} host ASCII name or address, without brackets
   * @param {number} port
   * @returns {Verdict} for an address it is the last word, as `address` says
   */
  judge(scheme, host, port) {
    const address = addressOf(host);
    if (address !== null) return this.#judgeLiteral(scheme, address, port);
    const name = host.toLowerCase();
    const odd = oddlySpelt(name);
    if (odd !== null) {
      const meant = odd === name ? 'it ends in a number' : `an odd spelling of ${odd}`;
      return refusal(`${quoted(host)} is no name: ${meant}`);
    }
    if (!isName(name)) return refusal(`${quoted(host)} is no name of DNS, and no address`);
    const denied = this.#deny.find((rule) => speaksOf(rule, scheme, port) && deniesName(rule, name));
    if (denied !== undefined) return refusal(`${host}:${port} is denied by the rule ${denied.text}`, denied.text);
    const rule = this.#allow.find((one) => speaksOf(one, scheme, port) && allowsName(one, name));
    if (rule !== undefined) return { allowed: true, reason: `the rule ${rule.text}`, rule: rule.text, address: null };
    const missing = `${scheme}://${name}:${port}`;
    return refusal(`no rule allows ${missing}`, missing);
  }

  /**
   * Judges the addresses of a name that was allowed: one that is refused refuses the name.
   *
   * @param {'http' | 'https'} scheme
   * @param {Verdict} verdict on the name
   * @param {string} name
   * @param {number} port
   * @param {string[]} addresses all of the name
   * @returns {Verdict}
   */
  judgeAddresses(scheme, verdict, name, port, addresses) {
    if (addresses.length === 0) return refusal(`${name} has no address`, verdict.rule);
    for (const text of addresses) {
      const address = addressOf(text);
      if (address === null) return refusal(`${name} has ${quoted(text)} for an address, which is none`);
      const refused = this.#refuseAddress(scheme, address, port, `${name} has the address ${address.text}`);
      if (refused !== null) return refused;
    }
    return { ...verdict, address: addressOf(addresses[0]).text };
  }

  #judgeLiteral(scheme, address, port) {
    const refused = this.#refuseAddress(scheme, address, port, `${address.text} is an address`);
    if (refused !== null) return refused;
    const speaking = this.#allow.filter((rule) => speaksOf(rule, scheme, port));
    const rule = speaking.find((one) => holdsAddress(one, address)) ?? speaking.find((one) => one.kind === 'any');
    if (rule !== undefined) return { allowed: true, reason: `the rule ${rule.text}`, rule: rule.text, address: address.text };
    const missing = `${scheme}://${bracketed(address.text)}:${port}`;
    return refusal(`no rule allows ${missing}`, missing, address.text);
  }

  /** What refuses an address, if anything: a rule that denies it or what it carries, or that it is not for everybody. */
  #refuseAddress(scheme, address, port, subject) {
    const all = [address, carried(address)].filter((one) => one !== null);
    for (const one of all) {
      const denied = this.#deny.find(
        (rule) => speaksOf(rule, scheme, port) && (holdsAddress(rule, one) || rule.kind === 'any'),
      );
      if (denied !== undefined) {
        return refusal(`${bracketed(address.text)}:${port} is denied by the rule ${denied.text}`, denied.text, address.text);
      }
    }
    for (const one of all) {
      const special = specialPurpose(one);
      if (special === null || this.#allow.some((rule) => speaksOf(rule, scheme, port) && holdsAddress(rule, one))) continue;
      const missing = `${bracketed(one.text)}:${port}`;
      const what = one === address ? '' : `, which carries ${one.text},`;
      return refusal(`${subject}${what} of ${special.block} (${special.name}): only the rule ${missing} would allow it`, missing, address.text);
    }
    return null;
  }
}

/**
 * Reads a URL as far as a policy asks. Not by `URL`, which mends what a guest's connection would not.
 *
 * @param {unknown} url
 * @returns {{scheme: 'http' | 'https', host: string, port: number} | Verdict} a verdict on what can't be asked for
 */
export function destinationOf(url) {
  const text = String(url);
  const [, scheme, authority] = /^([a-z][a-z\d+.-]*):\/\/([^/?#\\]*)/i.exec(text) ?? [];
  const kind = scheme?.toLowerCase();
  if (kind === undefined || DEFAULT_PORTS[kind] === undefined) return refusal('a URL here begins with http:// or https://');
  if (authority.includes('@')) return refusal('a URL here holds no user information');
  const [, bare, inside, digits] = /^(?:([^:[\]]*)|\[([^\]]*)\])(?::(\d*))?$/.exec(authority) ?? [];
  const given = bare ?? inside;
  const port = digits ? Number(digits) : DEFAULT_PORTS[kind];
  if (!given || port > 65535) return refusal('the URL names no host, or a port that is none');
  if (inside !== undefined && addressOf(inside)?.family !== 6) return refusal(`[${inside}] is no address`);
  const odd = oddlySpelt(given);
  const host = inside === undefined && odd === null ? domainToASCII(given) || given : given;
  return { scheme: /** @type {'http' | 'https'} */ (kind), host, port };
}
