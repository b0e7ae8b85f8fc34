// SPDX-License-Identifier: MIT
//
// The options of createHost, checked: what all guests of a host have in common.

import { dns } from '../../bindings/node/builtins.js';
import { checkContext, create_default_context, settingsOf, verifies } from '../api/context.js';
import { proxy_from_environment } from '../api/proxy.js';
import { argumentError, kindOf } from '../errors.js';
import { checkFunction, checkNames, checkOptions } from '../request/options.js';
import { Policy } from './policy.js';
import { ruleOf } from './rules.js';

const MIB = 1024 * 1024;
const OPTIONS = Object.freeze({
  __proto__: null,
  allow: true,
  deny: true,
  limits: true,
  secrets: true,
  tls: true,
  lookup: true,
  proxy: true,
  audit: true,
  ring: true,
});

/** What a guest may use, unless it is said otherwise: none of it is infinite. Times are in seconds. */
export const GUEST_LIMITS = Object.freeze({
  connections: 16,
  total_connections: 1000,
  lookups: 1000,
  bytes_in: 1024 * MIB,
  bytes_out: 1024 * MIB,
  time: 3600,
  timeout: 60,
});

/** Secrets have a bit each in a word that threads share. */
const SECRETS_MOST = 31;
const secretName = /^[A-Za-z_][A-Za-z0-9_]*$/;
const secretValue = /^[\t\x20-\x7e\x80-\xff]+$/;

/**
 * @typedef {object} Secret
 * @property {string} name
 * @property {string} value
 * @property {import('./rules.js').Rule[]} rules whom it may be sent to
 */

function checkLimits(limits) {
  if (limits === undefined || limits === null) return GUEST_LIMITS;
  checkNames('limit', limits, GUEST_LIMITS, 'limits');
  const checked = { ...GUEST_LIMITS };
  for (const [name, value] of Object.entries(limits)) {
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value >= 0)) {
      throw argumentError(`the limit ${name} must be a number from 0, or Infinity, not ${kindOf(value)}`);
    }
    checked[name] = value;
  }
  return Object.freeze(checked);
}

/** @returns {Secret[]} */
function checkSecrets(secrets, verified) {
  if (secrets === undefined || secrets === null) return [];
  if (typeof secrets !== 'object' || Array.isArray(secrets)) {
    throw argumentError(`secrets must be an object, not ${kindOf(secrets)}`, 'ERR_INVALID_ARG_TYPE');
  }
  const entries = Object.entries(secrets);
  if (entries.length > SECRETS_MOST) throw argumentError(`a host has at most ${SECRETS_MOST} secrets, not ${entries.length}`);
  if (entries.length > 0 && !verified) {
    throw argumentError('secrets are sent over TLS that is verified, and tls says that nothing is');
  }
  return entries.map(([name, entry]) => {
    // No message shows a value.
    if (!secretName.test(name)) throw argumentError(`a secret's name has letters, digits and "_", not ${JSON.stringify(name)}`);
    if (typeof entry !== 'object' || entry === null) {
      throw argumentError(`the secret ${name} must be { value, hosts }, not ${kindOf(entry)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (typeof entry.value !== 'string' || !secretValue.test(entry.value)) {
      throw argumentError(`the value of the secret ${name} must be a string that can stand in a header`);
    }
    if (!Array.isArray(entry.hosts)) throw argumentError(`the secret ${name} needs hosts: an array of rules`);
    const rules = entry.hosts.map((text) => ruleOf(text, `the hosts of the secret ${name}`));
    if (rules.some(({ scheme }) => scheme !== 'https')) {
      throw argumentError(`the hosts of the secret ${name} must begin with https://`);
    }
    return { name, value: entry.value, rules };
  });
}

const ofContext = ['system', 'cafile', 'capath', 'cadata', 'crlfile'];

/** A context, options of tls.connect, or those of create_default_context. */
function contextOf(tls) {
  const names = typeof tls === 'object' && tls !== null ? Object.keys(tls) : [];
  if (names.length > 0 && names.every((name) => ofContext.includes(name))) return create_default_context(tls);
  return checkContext(tls, 'tls');
}

function checkProxy(proxy) {
  if (proxy === undefined || proxy === null) return null;
  if (typeof proxy === 'string' || proxy instanceof URL) {
    const found = proxy_from_environment('http://proxied.example', { http_proxy: String(proxy) });
    if (found === null) throw argumentError('proxy is an empty string');
    return found;
  }
  const { scheme, host, port, headers } = proxy;
  if (typeof host !== 'string' || typeof port !== 'number' || (scheme !== 'http' && scheme !== 'https')) {
    throw argumentError('proxy must be a URL, or what proxy_from_environment gives', 'ERR_INVALID_ARG_TYPE');
  }
  return { scheme, host, port, headers: headers ?? {} };
}

/** @returns {((line: object) => void) | null} */
function checkAudit(audit) {
  if (audit === undefined || audit === null) return null;
  if (typeof audit === 'function') return audit;
  if (typeof audit.write === 'function') return (line) => audit.write(`${JSON.stringify(line)}\n`);
  throw argumentError(`audit must be a function or a writable stream, not ${kindOf(audit)}`, 'ERR_INVALID_ARG_TYPE');
}

function checkRing(ring) {
  if (ring === undefined || ring === null) return MIB;
  if (Number.isSafeInteger(ring) && ring >= 4096 && ring <= 256 * MIB) return ring;
  throw argumentError(`ring must be a whole number of bytes from 4096 to ${256 * MIB}, not ${kindOf(ring)}`);
}

/**
 * @param {unknown} options of createHost
 * @returns {Settings}
 *
 * @typedef {object} Settings
 * @property {Policy} policy
 * @property {Readonly<typeof GUEST_LIMITS>} limits
 * @property {Secret[]} secrets
 * @property {object} tls settings of node:tls
 * @property {Function} lookup
 * @property {{scheme: string, host: string, port: number, headers: Record<string, string>} | null} proxy
 * @property {((line: object) => void) | null} audit
 * @property {number} ring
 */
export function checkSettings(options) {
  const given = checkOptions('createHost', options, OPTIONS);
  const context = contextOf(given.tls);
  const verified = context === null || (verifies(context) && settingsOf(context).checkServerIdentity === undefined);
  let tls; // made when it is first asked for: reading what Node trusts takes its time
  return {
    policy: new Policy(given.allow, given.deny),
    limits: checkLimits(given.limits),
    secrets: checkSecrets(given.secrets, verified),
    get tls() {
      tls ??= settingsOf(context ?? create_default_context());
      return tls;
    },
    lookup: checkFunction('lookup', given.lookup) ?? dns().lookup,
    proxy: checkProxy(given.proxy),
    audit: checkAudit(given.audit),
    ring: checkRing(given.ring),
  };
}
