// SPDX-License-Identifier: MIT
//
// An exchange: one request and its response, with what is known of both: when things happened, how long they may take,
// what can abort them, and what is needed to send the request again.

import { performance } from 'node:perf_hooks';
import { after } from '../../bindings/node/timers.js';

/** @param {AbortSignal[]} signals @returns {AbortSignal | undefined} the one that is aborted */
export function abortedOf(signals) {
  return signals.length === 0 ? undefined : signals.find(({ aborted }) => aborted);
}

/**
 * How long the operations of an exchange may wait, and what can end them.
 *
 * @typedef {object} Waits
 * @property {number | null | undefined} lookup seconds, null for no limit; undefined where a look-up counts as connecting
 * @property {import('../engine/channel.js').Limits} connect
 * @property {import('../engine/channel.js').Limits} tls
 * @property {import('../engine/channel.js').Limits} send
 * @property {import('../engine/channel.js').Limits} continue
 * @property {import('../engine/channel.js').Limits} headers
 * @property {import('../engine/channel.js').Limits} idle
 */

export class Exchange {
  /** Headers of `request`: name, value, …; null when the request is made step by step. @type {string[] | null} */
  fields = null;
  /** What the core has to know of the body, see `Body`, and of the options. */
  kind = 0;
  size = 0;
  flags = 0;
  /** The steps of a request that is made step by step. @type {Array<(core: import('../../bindings/wasm/core.js').Core) => void> | null} */
  steps = null;
  /** The body, when it can be sent once more. @type {import('./body.js').Body | null} */
  replay = null;
  /** Was it sent once more already? */
  repeated = false;
  /** Had the connection carried a request before? */
  reused = false;
  /** Was its response handed out? */
  accepted = false;
  /** How many seconds to wait for a 100 before the body is sent; null for not at all. */
  expect = null;
  /** Trailers: name, value, …, or a function that gives some. */
  trailers = null;
  /** Seconds for all of it, or null. */
  deadline = null;
  /** What connecting is at: the phase of its errors. */
  phase = 'connect';
  /** Did the transport or the peer fail while connecting? */
  failed = false;
  /** The channel that it was sent on. @type {import('../engine/channel.js').Channel | null} */
  channel = null;

  // When things happened, in milliseconds of performance.now(); null for what did not.
  started = performance.now();
  lookup = null;
  connect = null;
  tls = null;
  sent = null;
  firstByte = null;
  end = null;

  #timer = null;

  /** @param {string} method @param {string} url @param {Waits} waits */
  constructor(method, url, waits) {
    this.method = method;
    this.url = url;
    this.waits = waits;
  }

  /** Stages all of it that is known so far. @param {import('../../bindings/wasm/core.js').Core} core */
  stage(core) {
    const { steps } = this;
    if (steps === null) core.request(this.method, this.url, this.fields, this.kind, this.size, this.flags);
    else for (const step of steps) step(core);
  }

  /** Milliseconds from the start of the request. */
  get timings() {
    const since = (time) => (time === null ? null : time - this.started);
    return {
      lookup: since(this.lookup),
      connect: since(this.connect),
      tls: since(this.tls),
      sent: since(this.sent),
      first_byte: since(this.firstByte),
      end: since(this.end),
    };
  }

  /**
   * Sets the time for all of it.
   *
   * @param {number} seconds
   * @param {(seconds: number, elapsed: number) => void} expire called when it has run out before `finish`
   */
  limit(seconds, expire) {
    const run = () => {
      const elapsed = performance.now() - this.started;
      if (elapsed < seconds * 1000 - 1) {
        this.#arm(run, seconds * 1000 - elapsed);
      } else {
        this.#timer = null;
        expire(seconds, elapsed / 1000);
      }
    };
    this.#arm(run, seconds * 1000);
  }

  #arm(run, milliseconds) {
    this.#timer = after(milliseconds, run);
  }

  /** It is over, whole or not. */
  finish() {
    this.end ??= performance.now();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
