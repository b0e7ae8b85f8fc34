// SPDX-License-Identifier: MIT
//
// An exchange: one request and its response, with what is known of both: when things happened, how long they may take,
// what can abort them, and what is needed to send the request again.

import { AsyncResource } from 'node:async_hooks';
import { after, afterTurn, cancel, now } from '../../bindings/node/timers.js';
import { refused } from '../refusal.js';
import { SHOWN, shown } from '../watch/shown.js';

const NO_SIGNALS = Object.freeze([]);

export class Exchange {
  /** Headers of `request`: name, value, …; null when the request is made step by step. @type {string[] | null} */
  fields = null;
  /** What the core has to know of the body, see `Body`, and of the options. */
  kind = 0;
  size = 0;
  flags = 0;
  /** The steps of a request that is made step by step. @type {Array<(core: import('../../bindings/wasm/connection.js').Connection) => void> | null} */
  steps = null;
  /** The body, when it can be sent once more. @type {import('./body.js').Body | null} */
  replay = null;
  /** Is its body left to send()? */
  byHand = false;
  /** By how much more was sent, by an overridden send(), than that was handed. */
  excess = 0;
  /** Of which of the connection's changes it was staged after. */
  changes = 0;
  /** On which channel it went out last. @type {import('../engine/channel.js').Channel | null} */
  sentOn = null;
  /** Its sending once more, if that was begun. @type {Promise<void> | null} */
  again = null;
  /** Had the connection carried a request before? */
  reused = false;
  /** Was its response asked for? */
  receiving = false;
  /** How many promises of a callback for 1xx are to be waited for. */
  informing = 0;
  /** How many seconds to wait for a 100 before the body is sent; null for not at all. */
  expect = null;
  /** Trailers: name, value, …, or a function that gives some. */
  trailers = null;
  /** Seconds for all of it, or null. */
  deadline = null;
  /** What connecting is at: the phase of its errors. */
  phase = 'connect';
  /** The channel that it is staged on. @type {import('../engine/channel.js').Channel | null} */
  channel = null;
  /** The sending of its body. @type {import('../engine/outflow.js').Outflow | null} */
  outflow = null;

  // When things happened, in milliseconds; null for what did not.
  started = now();
  lookup = null;
  connect = null;
  tls = null;
  sent = null;
  firstByte = null;
  end = null;

  #terms;
  #timer = null;
  #context = null;

  /**
   * @param {string} method
   * @param {string} url
   * @param {import('./terms.js').Terms} terms of the connection
   * @param {AbortSignal | null} signal of the request
   */
  constructor(method, url, terms, signal) {
    this.method = method;
    this.url = url;
    this.#terms = terms;
    const own = terms.signal;
    this.signals = own === null && signal === null ? NO_SIGNALS : [own, signal].filter((one) => one !== null);
  }

  /** @param {string} name what is waited for @returns {number | null} how long, in seconds; null for no limit */
  seconds(name) {
    return this.#terms.seconds(name);
  }

  /**
   * Stages all of it that is known so far.
   *
   * @param {import('../../bindings/wasm/connection.js').Connection} core
   * @throws what the core refuses
   */
  stage(core) {
    const { steps } = this;
    if (steps === null) {
      const error = core.request(this.method, this.url, this.fields, this.kind, this.size, this.flags);
      if (error !== 0) throw this.refusal(error, core, this.fields);
    } else {
      for (const step of steps) step(core);
    }
  }

  /** Was it sent once more? */
  get repeated() {
    return this.again !== null;
  }

  /** What the core refused, as an error. @param {number} error @param {string[]} headers the ones that were given */
  refusal(error, core, headers) {
    return refused(error, { method: this.method, url: this.url, headers, index: core.refused, limit: core.limit });
  }

  /** Notes in which async context it was made: callbacks are called there. */
  keepContext() {
    this.#context ??= new AsyncResource('porthole.request', { requireManualDestroy: false });
  }

  /** Calls a function in that context. @template T @param {() => T} run @returns {T} */
  within(run) {
    return this.#context === null ? run() : this.#context.runInAsyncScope(run);
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
   * @param {(seconds: number, elapsed: number) => void} expire called when it has run out before `finish`
   */
  limit(expire) {
    const seconds = this.deadline;
    const look = () => {
      if (this.end !== null) return;
      const elapsed = now() - this.started;
      if (elapsed < seconds * 1000 - 1) this.#timer = after(seconds * 1000 - elapsed, wait);
      else expire(seconds, elapsed / 1000);
    };
    // What is there already is taken first: it may have come in time.
    const wait = () => {
      this.#timer = null;
      afterTurn(look);
    };
    this.#timer = after(seconds * 1000, wait);
  }

  /** What console.log and JSON show who is told of it by the diagnostics: no headers, and no body. */
  toJSON() {
    return { method: this.method, url: this.url };
  }

  [SHOWN](depth, options, inspect) {
    return shown(this, () => this.toJSON(), depth, options, inspect);
  }

  /** It is over, whole or not. */
  finish() {
    this.end ??= now();
    cancel(this.#timer);
    this.#timer = null;
  }
}
