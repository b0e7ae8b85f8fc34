// SPDX-License-Identifier: MIT
//
// One guest of a host: what it may reach and use, what it has used, and what is told of it. It is the keeper of the guest's
// desk (bindings/blocking).

import net from 'node:net';
import { OPEN_IPV4, OPEN_IPV6, OPEN_TLS } from '../../bindings/generated/abi.js';
import { DEFAULT_LIMITS } from '../../bindings/generated/limits.js';
import { MAY_CLEAR } from '../../bindings/blocking/line.js';
import { after, cancel, now } from '../../bindings/node/timers.js';
import { HeadChecker } from '../../bindings/wasm/heads.js';
import { lookUp, open } from '../engine/dial.js';
import { Opening } from '../engine/opening.js';
import { thrownBy } from '../errors.js';
import { addressOf } from './addresses.js';
import { Denied } from './denied.js';
import { allowsName, holdsAddress, speaksOf } from './rules.js';
import { callOut, Teller } from './teller.js';

const FAMILIES = { 0: 0, [OPEN_IPV4]: 4, [OPEN_IPV6]: 6, [OPEN_IPV4 | OPEN_IPV6]: 0 };
/** How a session of TLS is kept: not at all, as a guest could tell by it whom another one has asked. */
const onsession = () => {};

/** The error for a name without an address of a family. */
function noAddress(host, family) {
  const error = new Error(`${host} has no address of IPv${family}`);
  return Object.assign(error, { code: 'ENOTFOUND', syscall: 'lookup', hostname: host });
}

/**
 * @typedef {import('../../bindings/blocking/desk.js').Opened & {port: number, address: string, scheme: 'http' | 'https' | null,
 *   mayTls: import('./policy.js').Verdict, audited: object}} Opened
 */

export class Account {
  #settings;
  #guest;
  #teller;
  #live = new Set(); // of Opened, and of what is being opened
  #total = 0;
  #lookups = 0;
  #received = 0;
  #time = 0; // milliseconds of all connections, up to #since
  #since = 0;
  #timer = null;
  #checker = null;
  /** Ends all connections. @type {(error: Error) => void} */
  onexpired = () => {};

  /**
   * @param {import('./settings.js').Settings} settings
   * @param {number} guest its number
   * @param {(line: string) => void} log told of refusals
   */
  constructor(settings, guest, log) {
    this.#settings = settings;
    this.#guest = guest;
    this.#teller = new Teller((line) => {
      const times = line.repeated === undefined ? '' : ` (${line.repeated} times more)`;
      const outcome = line.event === 'lookup' ? 'failed' : 'denied';
      if (!line.allowed) callOut(log, `${line.event} ${outcome}: ${line.reason}${times}`);
      if (settings.audit !== null) callOut(settings.audit, line);
    });
  }

  /** Tells of a decision. */
  #tell(event, { host, port, address }, { allowed, rule = null, reason }) {
    const time = new Date().toISOString();
    this.#teller.tell({ time, guest: this.#guest, event, host, port, address: address ?? null, allowed, rule, reason });
  }

  /** A call has ended, or the guest: what is to be told of it is told. */
  settle() {
    this.#teller.settle();
  }

  /** Refuses by a quota, unless it is kept. */
  #check(kept, request, reason) {
    if (kept) return;
    this.#tell('quota', request, { allowed: false, reason });
    throw new Denied(reason);
  }

  // ---- time ----

  /** Brings the time that was used up to date: before connections come or go. */
  #spend() {
    const time = now();
    this.#time += this.#live.size * (time - this.#since);
    this.#since = time;
    cancel(this.#timer);
    this.#timer = null;
  }

  /** … and says when it will be used up. */
  #allot() {
    const left = this.#settings.limits.time * 1000 - this.#time;
    if (this.#live.size === 0 || left === Number.POSITIVE_INFINITY) return;
    this.#timer = after(Math.max(0, left / this.#live.size), () => this.#expire());
  }

  #expire() {
    this.#spend();
    const { time } = this.#settings.limits;
    if (this.#time < time * 1000 - 1) {
      this.#allot(); // longer than a timer can be
      return;
    }
    const reason = `time: no more than ${time} seconds of connections may be used`;
    this.#tell('quota', { host: null, port: null }, { allowed: false, reason });
    this.onexpired(new Denied(reason));
  }

  #come(connection) {
    this.#spend();
    this.#live.add(connection);
    this.#allot();
  }

  #go(connection) {
    this.#spend();
    this.#live.delete(connection);
    this.#allot();
  }

  // ---- opening ----

  /** What the rules say, by each scheme that can be spoken. */
  #judge({ host, port, flags }) {
    const schemes = flags & OPEN_TLS ? ['https'] : ['http', 'https'];
    return schemes.map((scheme) => ({ scheme, verdict: this.#settings.policy.judge(scheme, host, port) }));
  }

  /** @param {{host: string, port: number, flags: number}} request */
  async open(request, cancellable) {
    const { limits } = this.#settings;
    this.#check(this.#live.size < limits.connections, request, `connections: no more than ${limits.connections} at a time`);
    this.#check(this.#total < limits.total_connections, request, `total_connections: no more than ${limits.total_connections}`);
    this.#spend();
    this.#allot();
    this.#check(this.#time < limits.time * 1000, request, `time: no more than ${limits.time} seconds of connections may be used`);
    const place = { looking: null };
    this.#total++;
    this.#come(place);
    try {
      const opened = await this.#openAllowed(request, cancellable, place);
      this.#live.add(opened);
      this.#go(place);
      return opened;
    } catch (error) {
      // A look-up can't be ended: it keeps its place, whoever has given up on it.
      if (place.looking === null) this.#go(place);
      else place.looking.finally(() => this.#go(place));
      throw error;
    }
  }

  async #openAllowed(request, cancellable, place) {
    const { host, port, flags } = request;
    let ways = this.#judge(request);
    const named = ways.find(({ verdict }) => verdict.allowed && verdict.address === null);
    let addresses = [host];
    if (named !== undefined) {
      addresses = await this.#resolve(request, named.verdict.rule, cancellable, place);
      ways = ways.map(({ scheme, verdict }) => ({
        scheme,
        verdict: verdict.allowed ? this.#settings.policy.judgeAddresses(scheme, verdict, host, port, addresses) : verdict,
      }));
    }
    const way = ways.find(({ verdict }) => verdict.allowed) ?? ways[0];
    if (!way.verdict.allowed) {
      this.#tell('open', { host, port, address: way.verdict.address }, way.verdict);
      throw new Denied(way.verdict.reason, way.verdict.rule);
    }
    const family = FAMILIES[flags & (OPEN_IPV4 | OPEN_IPV6)];
    const possible = family === 0 ? addresses : addresses.filter((address) => net.isIP(address) === family);
    if (possible.length === 0) {
      const error = noAddress(host, family);
      if (named !== undefined) this.#tellLost(request, way.verdict.rule, error.message);
      throw error;
    }
    this.#tell('open', { host, port, address: possible[0] }, way.verdict);
    const secured = flags & OPEN_TLS ? { name: host, settings: this.#settings.tls, onsession } : undefined;
    const transport = await this.#connect(possible, request, secured, cancellable);
    transport.secured = secured ?? { settings: this.#settings.tls, onsession };
    const [first, second] = ways;
    return {
      transport,
      name: host,
      port,
      address: (this.#settings.proxy === null && transport.socket.remoteAddress) || possible[0],
      rights: first.scheme === 'http' && first.verdict.allowed ? MAY_CLEAR : 0,
      secrets: this.#secretsFor(host, port),
      mayTls: (second ?? first).verdict,
    };
  }

  /** Tells of a name that was asked for at resolvers, and led to no decision on an address. */
  #tellLost(request, rule, reason) {
    this.#tell('lookup', request, { allowed: false, rule, reason });
  }

  async #resolve(request, rule, cancellable, place) {
    const { limits, lookup } = this.#settings;
    this.#check(this.#lookups < limits.lookups, request, `lookups: no more than ${limits.lookups}`);
    this.#lookups++;
    const done = () => {
      place.looking = null;
    };
    const looking = lookUp(request.host, lookup);
    place.looking = looking.then(done, done);
    const found = await new Promise((resolve, reject) => {
      cancellable(reject); // nothing is connected to for somebody who has gone
      looking.then(resolve, reject);
    }).catch((thrown) => {
      const error = thrownBy('lookup', thrown);
      const gone = place.looking !== null;
      this.#tellLost(request, rule, `${request.host} was not found${gone ? ' while somebody waited for it' : `: ${error.message ?? error}`}`);
      throw error;
    });
    return found.map(({ address }) => address);
  }

  /** To one of the addresses, which were judged, and by the proxy, where there is one. */
  #connect(addresses, { host, port }, secured, cancellable) {
    const { limits, proxy } = this.#settings;
    cancellable(() => {}); // whoever was told of the decision may have ended the guest
    const connect = Number.isFinite(limits.timeout) ? limits.timeout : null;
    const dial = {
      host,
      port,
      timeout: null,
      limits: { lookup: undefined, connect },
      source_address: null,
      signal: null,
      socket_path: null,
      create_connection: null,
      lookup: (_host, _options, done) => done(null, addresses.map((address) => ({ address, family: net.isIP(address) }))),
      secured,
    };
    const progress = { phase: 'connect', lookup: null, connect: null, tls: null };
    if (proxy === null) return open(dial, cancellable, progress);
    const opening = new Opening(
      {
        dial: { ...dial, host: proxy.host, port: proxy.port, lookup: null },
        seconds: () => connect,
        signals: [],
        proxy: proxy.scheme === 'https' ? { name: proxy.host, settings: this.#settings.tls, onsession } : undefined,
        tunnel: { host: addresses[0], port, headers: Object.entries(proxy.headers).flat() },
        peer: undefined,
        limits: DEFAULT_LIMITS,
        debuglevel: 0,
        onanswer: () => {},
      },
      progress,
    );
    cancellable((error) => opening.cancel(error));
    return opening.transport;
  }

  // ---- TLS and heads ----

  /** @param {Opened} opened */
  startTls(opened) {
    this.#tell('tls', this.#subject(opened), opened.mayTls);
    return opened.mayTls.allowed ? null : new Denied(opened.mayTls.reason, opened.mayTls.rule);
  }

  /** Bits of the secrets that may be sent to a host. */
  #secretsFor(host, port) {
    const address = addressOf(host);
    const fits = (rule) =>
      speaksOf(rule, 'https', port) && (address === null ? allowsName(rule, host.toLowerCase()) : holdsAddress(rule, address));
    return this.#settings.secrets.reduce((bits, { rules }, index) => (rules.some(fits) ? bits | (1 << index) : bits), 0);
  }

  /** @param {Opened} opened @param {Buffer} head @returns {Buffer} with secrets in the place of what stands for them */
  fill(opened, head) {
    this.#checker ??= new HeadChecker();
    const secure = opened.transport.security !== null;
    const { result, fields } = this.#checker.check(head, opened.name, opened.port, secure);
    if (result < 0 || !secure) throw new Denied('a secret is sent over TLS only, in the header of a sound head');
    const text = head.latin1Slice();
    let filled = '';
    let done = 0;
    for (let at = 0; at < fields.length; at += 4) {
      const value = fields[at + 2];
      const end = value + fields[at + 3];
      filled += text.substring(done, value) + this.#replace(opened, text.substring(value, end));
      done = end;
    }
    return Buffer.from(filled + text.substring(done), 'latin1');
  }

  /** In one pass: what stands for a secret in the value of another one is no placeholder. */
  #replace(opened, value) {
    const { secrets } = this.#settings;
    return value.replace(/\{\{(\w+)\}\}/g, (placeholder, name) => {
      const index = secrets.findIndex((secret) => secret.name === name);
      if (index === -1) return placeholder;
      if (!(opened.secrets & (1 << index))) throw new Denied(`the secret ${name} is not for ${opened.name}`);
      return secrets[index].value;
    });
  }

  // ---- what is counted, and told ----

  /** @param {Opened} _opened @param {number} length */
  received(_opened, length) {
    const allowed = Math.min(length, this.#settings.limits.bytes_in - this.#received);
    this.#received += allowed;
    return allowed;
  }

  /** @param {Opened} opened */
  overdraft(opened) {
    const reason = `bytes_in: no more than ${this.#settings.limits.bytes_in} bytes may be received`;
    this.#tell('quota', this.#subject(opened), { allowed: false, reason });
    return new Denied(reason);
  }

  #subject(opened) {
    return { host: opened.name, port: opened.port, address: opened.address };
  }

  /** @param {Opened | null} opened @param {{event: string, allowed: boolean, reason: string}} told by the guest's side */
  told(opened, { event, allowed, reason }) {
    if (opened !== null) this.#tell(event, this.#subject(opened), { allowed, reason });
  }

  /** @param {Opened} opened */
  closed(opened) {
    this.#go(opened);
  }
}
