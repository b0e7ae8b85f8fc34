// SPDX-License-Identifier: MIT
//
// The body of one response, and the order of what reads it: the one writer of memory that bytes are read into. A read that
// begins while another one waits is done after it, whatever happens in between.
//
//   open       bytes can come
//   ended      read to its end
//   failed     the connection failed, or was closed: `error` is what every further read gets
//   closed     by the reader

import { Buffer, constants } from 'node:buffer';
import types from 'node:util/types';
import { BLOCK_MIN, Gathering } from './gathering.js';
import { IncompleteRead, NotConnected } from '../errors.js';
import { IDLE, PHASE_LENGTH, PHASE_TUNNEL } from '../../bindings/generated/abi.js';
import { Begun, bodyTooLong, Filling, memoryGone, NO_MEMORY, nothing } from './operations.js';
import { abortedOf, reasonOf } from './signals.js';

const NEWLINE = 10;
const WHOLE_MAX = 64 * 1024 * 1024; // bodies up to this size get their memory at once, larger ones as they come

export class Inflow {
  /** What every further read raises. @type {any} */
  error = null;
  /** The field lines of the trailer section, once the body was read. */
  trailer = '';

  #channel;
  #exchange;
  #hasLength;
  #willClose;
  #bodiless; // is what follows its head no longer HTTP?
  #told;
  #open = true;
  #queue = []; // the operations that wait, the one that is under way first
  #advancing = false;
  #waiter = null;

  /**
   * @param {import('./channel.js').Channel} channel whose core has handed the response out
   * @param {import('../request/exchange.js').Exchange} exchange
   * @param {{ended: () => void, described: (error: any) => any}} told once, when the body was read, closed or lost; and of
   *   an error, to which it adds what is known
   */
  constructor(channel, exchange, told) {
    this.#channel = channel;
    this.#exchange = exchange;
    this.#hasLength = channel.core.hasLength;
    this.#willClose = channel.core.willClose;
    this.#bodiless = channel.phase === PHASE_TUNNEL;
    this.#told = told;
  }

  get open() {
    return this.#open;
  }

  /** Is what follows its head no longer HTTP, or a body that runs to the close, which can have come already? */
  get isRaw() {
    return this.#bodiless || !(this.#hasLength || this.#channel.core.chunked);
  }

  /** Bytes of the body that have not been read, or null where that is not known. */
  get length() {
    if (!this.#hasLength) return null;
    return this.#open && this.error === null ? this.#left : 0;
  }

  get #left() {
    const channel = this.#channel;
    return channel.closed ? 0 : channel.core.left + channel.core.available;
  }

  /** Has everything arrived? */
  get #complete() {
    return !this.#channel.closed && this.#channel.core.complete;
  }

  // ---- the order of reads ----

  /**
   * Begins an operation, after those that wait.
   *
   * @param {import('./operations.js').Operation | (() => unknown)} operation or its step alone
   * @returns {Promise<any>}
   */
  perform(operation) {
    const one = typeof operation === 'function' ? { ...NO_MEMORY, step: operation } : operation;
    if (this.#queue.length === 0) {
      let value;
      try {
        this.#heed();
        value = one.step();
      } catch (error) {
        return Promise.reject(error);
      }
      if (value !== undefined) return Promise.resolve(value);
    }
    return new Promise((resolve, reject) => {
      one.resolve = resolve;
      one.reject = reject;
      this.#queue.push(one);
      if (this.#queue.length === 1) this.#wait();
    });
  }

  /** Can what is at hand be taken with nobody before? */
  get free() {
    return this.#open && this.#queue.length === 0 && this.error === null && this.#exchange.signals.length === 0;
  }

  #wait() {
    const channel = this.#channel;
    channel.reader = this;
    this.#waiter = {
      phase: 'receive',
      seconds: this.#exchange.seconds('idle'),
      signals: this.#exchange.signals,
      step: () => this.#advance(),
      resolve: () => {},
      reject: (error) => this.#rejectAll(error),
      started: 0,
      mark: null,
      marked: 0,
      done: false,
      running: false,
      offs: null,
    };
    channel.waiting.add(this.#waiter);
  }

  /** Does what can be done. @returns {true | undefined} true when nobody waits any more */
  #advance() {
    this.#advancing = true;
    while (this.#queue.length > 0) {
      const one = this.#queue[0];
      try {
        const value = one.step();
        if (value === undefined) break;
        one.resolve(value);
      } catch (error) {
        one.reject(error);
      }
      this.#queue.shift();
      if (this.#queue.length > 0 && !this.#channel.closed) this.#channel.waiting.restart(this.#waiter);
    }
    this.#advancing = false;
    if (this.#queue.length > 0) return undefined;
    if (this.#channel.reader === this) this.#channel.reader = null;
    return true;
  }

  /** The channel is closed, and these have no result. */
  #rejectAll(error) {
    if (this.#advancing) return; // each is told by its own step
    for (const one of this.#queue.splice(0)) one.reject(error);
    if (this.#channel.reader === this) this.#channel.reader = null;
  }

  /** Takes what is at hand into the memory of the operation under way. @returns {number} how much that was */
  absorb() {
    return this.#open ? (this.#queue[0]?.absorb?.() ?? 0) : 0; // what comes behind its end is another response's
  }

  /** @returns {Uint8Array | null} memory of ours for what comes next */
  room() {
    return this.#open ? (this.#queue[0]?.room?.() ?? null) : null;
  }

  /** For how many bytes more the operation under way has memory. */
  get wanted() {
    return this.#open ? (this.#queue[0]?.wanted?.() ?? 0) : 0;
  }

  /** What the operation under way has taken and not given. @returns {Buffer} */
  taken() {
    return this.#queue[0]?.taken?.() ?? nothing();
  }

  /** These bytes of the body came, into `room` or elsewhere. @param {Uint8Array} bytes @returns {number} how many were taken */
  passed(bytes) {
    return this.#open ? (this.#queue[0]?.passed?.(bytes) ?? 0) : 0;
  }

  // ---- ending ----

  /** Ends the response when a signal was aborted since the last operation. */
  #heed() {
    const aborted = this.#open ? abortedOf(this.#exchange.signals) : undefined;
    if (aborted === undefined) return;
    this.error = reasonOf(aborted);
    this.#channel.abort(this.error);
    this.#end();
    this.#channel.close();
  }

  /** Is there nothing to read any more? @throws what ended the body, each time anew */
  #ended(partial = nothing) {
    if (this.error !== null) throw this.error;
    if (this.#open && (this.#channel.closed || this.#channel.abandoned)) throw this.#failure(partial);
    return !this.#open;
  }

  /** Ends the response once there is nothing more to read. */
  #endIfRead() {
    if (this.#open && this.#complete && this.#channel.available === 0) this.#end();
  }

  /**
   * The reader wants no more. The connection is closed too, unless the body was read to its end; so it is when the body of
   * the request is still being sent, which stops.
   */
  close() {
    this.#end();
    const channel = this.#channel;
    const { outflow, byHand } = this.#exchange;
    const sending = (outflow !== null && !outflow.over) || byHand;
    if (!sending || channel.closed || channel.core.state !== IDLE || !channel.core.uploading) return;
    channel.core.stop();
    channel.waiting.wake();
    if (!channel.closed && channel.outflow === null) channel.close();
  }

  #end() {
    if (!this.#open) return;
    const channel = this.#channel;
    this.#open = false;
    const whole = this.#complete;
    if (whole && channel.core.hasTrailer) this.trailer = channel.core.trailer;
    this.#exchange.finish();
    if (!channel.closed) {
      if (channel.core.phase !== PHASE_TUNNEL) channel.finish();
      if (this.#willClose && !channel.closed && channel.core.atRest) channel.close(); // or once the upload is over
    }
    this.#told.ended();
  }

  /** The socket is somebody else's now: who reads is at the end of a body that there was none of, or has an error. */
  givenAway() {
    this.forsake(this.#bodiless ? null : new NotConnected('the socket was given away'));
  }

  /** The connection was closed, and forgets the response. @param {any} error what who reads gets */
  forsake(error) {
    if (!this.#open) return;
    this.error = error;
    this.#open = false;
    this.#exchange.finish();
    this.#told.ended();
  }

  /** What ended the body before its end, if anything did: kept for every further read. */
  #failure(partial) {
    if (this.error !== null) return this.error;
    const channel = this.#channel;
    const expected = channel.phase === PHASE_LENGTH ? channel.core.left : null;
    const error = channel.failure({ partial: partial(), expected });
    const ofUpload = channel.uploadFailure.toldReader(error);
    if (!ofUpload && error.partial === undefined && Object.isExtensible(error) && error.code !== undefined) {
      const bytes = partial();
      if (bytes.length > 0) error.partial = bytes;
    }
    const described = this.#told.described(error);
    this.error = ofUpload ? new NotConnected('the connection was closed', { cause: error }) : described;
    this.#end();
    channel.close();
    return described;
  }

  // ---- reading: each gives an operation ----

  /** All of it is there, and nobody waits: the usual case for small bodies. @returns {Buffer | null} null when it is not so */
  takeWhole() {
    if (!this.free || !this.#complete || this.#channel.abandoned) return null;
    const bytes = Buffer.allocUnsafe(this.#channel.available);
    this.#channel.core.copyRest(bytes);
    this.#end();
    return bytes;
  }

  /** Memory of the reader's is filled at once, if so much is at hand. @returns {boolean} */
  fillNow(target) {
    const size = target.length;
    if (size === 0 || !this.free || this.#channel.abandoned || this.#channel.available < size) return false;
    if (target.buffer.byteLength < size) return false; // see `into`
    if (this.#channel.read(target, 0, size) < size) return false;
    this.#endIfRead();
    return true;
  }

  /** The rest of the body. */
  rest() {
    return new Begun(() => {
      if (this.#ended()) return nothing();
      const known = this.#hasLength || this.#complete;
      const size = known ? this.#left : Number.POSITIVE_INFINITY;
      if (size > WHOLE_MAX) return this.#collect(size, true);
      const bytes = Buffer.allocUnsafe(size);
      return this.#fill(bytes, true, () => bytes, true);
    });
  }

  /** So many bytes, unless the body ends before. @param {number} wanted */
  some(wanted) {
    return new Begun(() => {
      if (this.#ended()) return nothing();
      const known = this.#hasLength || this.#complete ? this.#left : Number.POSITIVE_INFINITY;
      const size = Math.min(wanted, known);
      if (size > BLOCK_MIN && (size > WHOLE_MAX || known === Number.POSITIVE_INFINITY) && this.#channel.available < size) {
        return this.#collect(size, false);
      }
      const bytes = Buffer.allocUnsafe(size);
      return this.#fill(bytes, true, (count) => (count === size ? bytes : Buffer.from(bytes.subarray(0, count))));
    });
  }

  /**
   * Fills memory of the caller's, unless the body ends before. But for shared memory it is written to in steps of ours only,
   * as it is found then: it can be transferred or shrunk meanwhile. The length of an array doesn't always tell that: V8 11.3
   * was seen to give the one of before, in code that it has optimized. So its buffer is asked too.
   *
   * @param {Uint8Array} target
   */
  into(target) {
    const shared = types.isSharedArrayBuffer(target.buffer); // of any realm; it can't go away
    const size = target.length; // now: it can be another one when it is this one's turn
    return new Begun(() => (this.#ended() ? 0 : this.#fill(target, shared, (count) => count, false, size)));
  }

  /** What is at hand, at most so many bytes; waits only when nothing is. @param {number} wanted below 0 for all */
  one(wanted) {
    return () => {
      if (this.#ended() || wanted === 0) return nothing();
      return this.#whenAvailable(nothing, () => {
        const { available } = this.#channel;
        const bytes = Buffer.allocUnsafe(wanted < 0 ? available : Math.min(wanted, available));
        this.#channel.read(bytes, 0, bytes.length);
        return bytes;
      });
    };
  }

  /** The same, and leaves it there; a body that was cut has an end here. @param {number} wanted */
  peek(wanted) {
    return () => {
      if (this.error instanceof IncompleteRead || wanted === 0 || (!this.#open && this.error === null)) return nothing();
      if (this.error !== null) throw this.error;
      if (this.#channel.closed || this.#channel.abandoned) throw this.#failure(nothing);
      return this.#whenAvailable(
        nothing,
        () => {
          const run = this.#channel.core.peek();
          return Buffer.from(wanted < 0 ? run : run.subarray(0, wanted));
        },
        () => {
          if (this.#channel.failure() instanceof IncompleteRead) return nothing();
          throw this.#failure(nothing);
        },
      );
    };
  }

  /** The rest as lines, until so many bytes were read. @param {number} most below 1 for all */
  lines(most) {
    const lines = [];
    let total = 0;
    let line = this.line(-1);
    const taken = () => Buffer.concat([...lines, line.taken()]);
    const step = () => {
      for (;;) {
        const next = line.step(taken);
        if (next === undefined) return undefined;
        if (next.length > 0) lines.push(next);
        total += next.length;
        if (next.length === 0 || (most > 0 && total >= most)) return lines;
        line = this.line(-1);
      }
    };
    return { ...NO_MEMORY, step, taken };
  }

  /** A line with its end, at most so many bytes. @param {number} limit below 0 for none */
  line(limit) {
    const parts = [];
    let total = 0;
    const line = () => Buffer.concat(parts);
    const take = () => {
      const run = this.#channel.core.peek();
      const newline = run.indexOf(NEWLINE);
      let count = newline < 0 ? run.length : newline + 1;
      if (limit >= 0) count = Math.min(count, limit - total);
      const part = Buffer.allocUnsafe(count);
      this.#channel.read(part, 0, count);
      parts.push(part);
      total += count;
      return newline >= 0 && count === newline + 1;
    };
    const step = (partial = line) => {
      for (;;) {
        if (limit >= 0 && total === limit) return line();
        if (total === 0 ? this.#ended(partial) : !this.#open) return line();
        const done = this.#whenAvailable(() => true, take, total > 0 ? () => true : null, partial);
        if (done === undefined) return undefined;
        if (done) return line();
      }
    };
    return { ...NO_MEMORY, step, taken: line };
  }

  /**
   * Fills the first `size` bytes of memory, and gives `result` of how much there is: less only at the end of the body, or
   * before a failure that the next read raises. With `whole` a failure is raised at once.
   */
  #fill(target, ours, result, whole = false, size = target.length) {
    const channel = this.#channel;
    const memory = new Filling(channel, target, ours, size);
    memory.step = () => {
      if (!memory.isThere) throw memoryGone(memory.filled);
      if (!channel.abandoned) memory.absorb();
      if (memory.left === 0 || (this.#complete && !channel.abandoned)) {
        this.#endIfRead();
        return result(memory.filled);
      }
      if (!channel.failed) return undefined;
      if (whole || memory.filled === 0 || channel.abandoned) throw this.#failure(() => memory.taken());
      return result(memory.filled);
    };
    return memory;
  }

  /** Reads up to `wanted` bytes, of which it isn't known, or not believed, how many there are. */
  #collect(wanted, whole) {
    const channel = this.#channel;
    const most = Math.min(wanted, constants.MAX_LENGTH);
    const gathering = new Gathering(channel, most);
    gathering.step = () => {
      if (!channel.abandoned) gathering.absorb();
      const complete = this.#complete && !channel.abandoned;
      if (gathering.isFull && most < wanted && channel.available > 0) throw bodyTooLong(gathering.bytes);
      if ((gathering.isFull && most === wanted) || complete) {
        this.#endIfRead();
        return gathering.bytes;
      }
      if (!channel.failed) return undefined;
      if (whole || gathering.filled === 0 || channel.abandoned) throw this.#failure(() => gathering.bytes);
      return gathering.bytes;
    };
    return gathering;
  }

  /** Gives `take()` once body bytes are at hand, `end()` at the end of the body; undefined as long as neither. */
  #whenAvailable(end, take, failed = null, partial = nothing) {
    const channel = this.#channel;
    if (channel.available > 0 && !channel.abandoned) {
      const result = take();
      this.#endIfRead();
      return result;
    }
    if (this.#complete && !channel.abandoned) {
      this.#endIfRead();
      return end();
    }
    if (!channel.failed) return undefined;
    if (failed !== null && !channel.abandoned) return failed();
    throw this.#failure(partial);
  }
}
