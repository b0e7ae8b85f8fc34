// SPDX-License-Identifier: MIT
//
// Making the transport of a connection, within its time: the name is looked up, and its addresses are tried as "Happy
// Eyeballs" says (RFC 8305): one after the other at short intervals, families in turn, none given up before another one
// is connected.

import net from 'node:net';
import { dns } from '../../bindings/node/builtins.js';
import { Transport } from '../../bindings/node/transport.js';
import { after, afterTurn, cancel, now } from '../../bindings/node/timers.js';
import { argumentError, kindOf, TimeoutError } from '../errors.js';

/** Milliseconds until the next address is tried beside those before (RFC 8305 section 5). */
const ATTEMPT_DELAY = 250;

/** @param {unknown} value @returns {boolean} */
export function isDuplex(value) {
  return typeof value?.write === 'function' && typeof value.on === 'function';
}

/**
 * @typedef {object} Dial
 * @property {string} host ASCII
 * @property {number} port
 * @property {number | null} timeout seconds, as `create_connection` is told
 * @property {{lookup: number | null | undefined, connect: number | null}} limits seconds, null for none; a look-up whose
 *   limit is undefined counts as connecting
 * @property {[string, number] | null} source_address
 * @property {AbortSignal | null} signal
 * @property {string | null} socket_path
 * @property {Function | null} lookup as in net.connect
 * @property {Function | null} create_connection
 * @property {object | undefined} secured see Transport.connect
 */

/** One attempt to get a transport: what it waits for, and what can end it. */
class Attempt {
  /** Errors of the addresses that were tried. */
  errors = [];
  /** Sockets that are connecting, by address. */
  pending = new Map();
  over = false;

  #started = now();
  #timer = null;
  #next = null; // until the next address is tried
  #end;

  /** @param {object} progress see `open` @param {(error: unknown) => void} end told when the attempt is ended from outside */
  constructor(progress, end) {
    this.progress = progress;
    this.#end = end;
  }

  cancel = (error) => {
    this.finish();
    this.#end(error);
  };

  /** Tries the next address a while later. @param {(() => void) | null} start null for none */
  later(start) {
    cancel(this.#next);
    this.#next = start === null ? null : after(ATTEMPT_DELAY, start);
  }

  /** Starts the time of what comes next. @param {number | null} seconds */
  limit(seconds) {
    cancel(this.#timer);
    this.#timer = null;
    if (seconds === null) return;
    const since = now();
    const timer = after(seconds * 1000, () => {
      // What is there already is taken first: it may have come in time.
      afterTurn(() => {
        if (this.#timer === timer && !this.over) this.#expire(seconds, since);
      });
    });
    this.#timer = timer;
  }

  #expire(seconds, since) {
    const time = now();
    const error = new TimeoutError(this.progress.phase, seconds, (time - since) / 1000);
    const waiting = [...this.pending.keys()].map((address) => this.#unanswered(address, seconds, time));
    if (this.errors.length + waiting.length > 1) error.errors = [...this.errors, ...waiting];
    this.cancel(error);
  }

  #unanswered(address, seconds, time) {
    const error = new TimeoutError('connect', seconds, (time - this.#started) / 1000);
    return Object.assign(error, { address });
  }

  finish() {
    this.over = true;
    cancel(this.#timer);
    this.#timer = null;
    this.later(null);
    for (const transport of this.pending.values()) transport.destroy();
    this.pending.clear();
  }
}

/** All addresses of a name. @param {string} host @param {Function} lookup as in net.connect @returns {Promise<Array<{address: string, family: number}>>} */
export function lookUp(host, lookup) {
  return new Promise((resolve, reject) => {
    const done = (error, found, family) => {
      if (error) {
        reject(error);
        return;
      }
      const list = Array.isArray(found) ? found : [{ address: found, family }];
      const addresses = list.map((entry) => ({ address: entry?.address, family: net.isIP(entry?.address) }));
      const wrong = addresses.find((entry) => entry.family === 0);
      if (addresses.length > 0 && wrong === undefined) {
        resolve(addresses);
      } else {
        const what = wrong === undefined ? 'no address' : `${JSON.stringify(wrong.address)}, which is no IP address`;
        reject(Object.assign(new Error(`lookup of ${host} gave ${what}`), { code: 'ENOTFOUND', syscall: 'lookup', hostname: host }));
      }
    };
    const returned = lookup(host, { all: true, family: 0, hints: 0 }, done);
    if (typeof returned?.then !== 'function') return;
    // An async function can call back too; one that doesn't would be waited for in vain.
    returned.then((found) => {
      if (found !== undefined) reject(argumentError('lookup must call back, as for net.connect, and not return a promise'));
    }, reject);
  });
}

/** The order in which addresses are tried: the families in turn (RFC 8305 section 4), of the source's family if any are. */
function inTurn(addresses, source) {
  const wanted = source === null ? 0 : net.isIP(source[0]);
  const possible = addresses.filter(({ family }) => family === wanted);
  const rest = possible.length > 0 ? possible : [...addresses];
  const ordered = [];
  while (rest.length > 0) {
    const last = ordered.at(-1)?.family;
    const other = rest.findIndex(({ family }) => family !== last);
    ordered.push(...rest.splice(Math.max(other, 0), 1));
  }
  return [...new Set(ordered.map(({ address }) => address))];
}

/** The error when no address could be reached. */
function unreachable(errors) {
  if (errors.length === 1) return errors[0];
  const texts = errors.map((error) => error.message).join('; ');
  const { code, errno, syscall, address, port } = errors[0];
  return Object.assign(new AggregateError(errors, texts), { code, errno, syscall, address, port });
}

/** Connects to the first of some addresses that answers. @returns {Promise<Transport>} */
function race(addresses, options, secured, attempt) {
  return new Promise((resolve, reject) => {
    let next = 0;
    const start = () => {
      attempt.later(null);
      if (attempt.over || next === addresses.length) return;
      const address = addresses[next++];
      const transport = Transport.connect({ ...options, host: address }, secured);
      attempt.pending.set(address, transport);
      transport.connected().then(
        () => {
          if (attempt.pending.get(address) !== transport) return; // another one was first, or nobody waits any more
          attempt.later(null);
          attempt.pending.delete(address);
          for (const slower of attempt.pending.values()) slower.destroy();
          attempt.pending.clear();
          attempt.pending.set(address, transport); // it is the attempt's, which can be ended still, until it is taken
          resolve(transport);
        },
        (error) => {
          if (!attempt.pending.delete(address)) return;
          attempt.errors.push(error);
          if (next === addresses.length && attempt.pending.size === 0) reject(unreachable(attempt.errors));
          else start();
        },
      );
      if (next < addresses.length) attempt.later(start);
    };
    start();
  });
}

async function created(dial) {
  const { host, port, timeout, source_address, signal, create_connection } = dial;
  const socket = await create_connection({ host, port, timeout, source_address, signal });
  if (isDuplex(socket)) return new Transport(socket, false);
  throw argumentError(`create_connection must give a Duplex, not ${kindOf(socket)}`, 'ERR_INVALID_ARG_TYPE');
}

async function make(dial, attempt) {
  const { progress } = attempt;
  const { host, port, limits, source_address, socket_path, secured } = dial;
  attempt.limit(limits.connect);
  if (dial.create_connection !== null) {
    const transport = await created(dial);
    if (attempt.over) {
      transport.destroy();
    } else {
      attempt.pending.set('', transport);
      await transport.connected();
    }
    return transport;
  }
  if (socket_path !== null) return race([undefined], { path: socket_path }, secured, attempt);
  const options = { port };
  if (source_address !== null) [options.localAddress, options.localPort] = source_address;
  if (net.isIP(host) !== 0) return race([host], options, secured, attempt);
  progress.phase = 'lookup';
  if (limits.lookup !== undefined) attempt.limit(limits.lookup);
  const addresses = await lookUp(host, dial.lookup ?? dns().lookup);
  progress.lookup = now();
  progress.phase = 'connect';
  if (limits.lookup !== undefined) attempt.limit(limits.connect);
  return race(inTurn(addresses, source_address), options, secured, attempt);
}

/**
 * Connects.
 *
 * @param {Dial} dial
 * @param {(cancel: (error: unknown) => void) => void} cancellable told how to end the attempt
 * @param {{phase: string, lookup: number | null, connect: number | null}} progress receives what is under way, and when
 *   each was done
 * @returns {Promise<Transport>} connected
 */
export function open(dial, cancellable, progress) {
  return new Promise((resolve, reject) => {
    const attempt = new Attempt(progress, reject);
    progress.phase = 'connect';
    cancellable(attempt.cancel);
    make(dial, attempt).then(
      (transport) => {
        if (attempt.over) {
          transport.destroy(); // it was ended when this was under way already
          return;
        }
        attempt.pending.clear();
        attempt.finish();
        progress.connect = now();
        resolve(transport);
      },
      (error) => {
        attempt.finish();
        reject(error);
      },
    );
  });
}
