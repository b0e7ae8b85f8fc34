// SPDX-License-Identifier: MIT
//
// What reads a body: operations, which an Inflow has under way one after the other, and the memory that they fill.

import { Buffer, constants } from 'node:buffer';

/** Bytes of an ArrayBuffer: 0 once it was transferred. */
const byteLengthOf = Function.prototype.call.bind(Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'byteLength').get);

/** An operation without memory of its own, but for its step. */
export const NO_MEMORY = { absorb: null, room: null, wanted: null, passed: null, taken: null, resolve: null, reject: null };

/** @returns {Buffer} */
export const nothing = () => Buffer.alloc(0);

/**
 * A read.
 *
 * @typedef {object} Operation
 * @property {() => unknown} step gives its result, or undefined as long as there is none, or throws
 * @property {(() => number) | null} absorb takes what is at hand; answers how much that was
 * @property {(() => Uint8Array | null) | null} room memory of ours for what comes next
 * @property {(() => number) | null} wanted how many bytes more it has memory for
 * @property {((bytes: Uint8Array) => number) | null} passed takes body bytes, which may have come into `room`; answers how many
 * @property {(() => Buffer) | null} taken what it has taken so far
 * @property {((value: any) => void) | null} resolve of who waits for it, once somebody does
 * @property {((error: unknown) => void) | null} reject
 */

/** An operation whose first step makes it: what it is depends on what is at hand by then. */
export class Begun {
  resolve = null;
  reject = null;
  #make;
  /** @type {Operation | undefined} */
  #made;

  /** @param {() => unknown} make gives an operation, or its result at once */
  constructor(make) {
    this.#make = make;
  }

  step() {
    if (this.#made === undefined) {
      const made = this.#make();
      if (typeof made !== 'object' || typeof made.step !== 'function') return made;
      this.#made = made;
    }
    return this.#made.step();
  }

  absorb() {
    return this.#made?.absorb() ?? 0;
  }

  room() {
    return this.#made?.room() ?? null;
  }

  wanted() {
    return this.#made?.wanted() ?? 0;
  }

  passed(bytes) {
    return this.#made?.passed(bytes) ?? 0;
  }

  taken() {
    return this.#made?.taken() ?? nothing();
  }
}

/** Memory that is being filled, from its beginning: an operation, once it has a step. */
export class Filling {
  resolve = null;
  reject = null;
  /** @type {() => unknown} */
  step;
  /** So many bytes of it are. */
  filled;
  #channel;
  #memory;
  #ours;
  #end;

  /**
   * @param {import('./channel.js').Channel} channel
   * @param {Uint8Array} memory
   * @param {boolean} ours can't it go away?
   * @param {number} size how many bytes of it are to be filled …
   * @param {number} [filled] … and how many are
   */
  constructor(channel, memory, ours, size, filled = 0) {
    this.#channel = channel;
    this.#memory = memory;
    this.#ours = ours;
    this.#end = size;
    this.filled = filled;
  }

  get isThere() {
    const memory = this.#memory;
    return this.#ours || (memory.length >= this.#end && byteLengthOf(memory.buffer) >= this.#end);
  }

  get left() {
    return this.#end - this.filled;
  }

  /** What was filled: the memory itself. */
  get bytes() {
    return this.#memory.subarray(0, this.filled);
  }

  absorb() {
    if (!this.isThere) return 0;
    const count = this.#channel.read(this.#memory, this.filled, this.left);
    this.filled += count;
    return count;
  }

  room() {
    return this.#ours ? this.#memory.subarray(this.filled, this.#end) : null;
  }

  wanted() {
    return this.isThere ? this.left : 0;
  }

  passed(bytes) {
    if (!this.isThere) return 0;
    const count = Math.min(bytes.length, this.left);
    const target = this.#memory;
    if (bytes.buffer !== target.buffer || bytes.byteOffset !== target.byteOffset + this.filled) {
      target.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.filled);
    }
    this.filled += count;
    return count;
  }

  taken() {
    return this.isThere ? Buffer.from(this.bytes) : nothing(); // it went away with what was in it
  }
}

/** The memory of a reader went away while bytes were waited for. */
export function memoryGone(count) {
  const error = new TypeError(
    `the memory given to readinto was transferred or shrunk while it was waited for: ${count} bytes had been written to it`,
  );
  return Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
}

/** No Buffer can hold the rest of a body. @param {Buffer} partial as much of it as one can */
export function bodyTooLong(partial) {
  const error = new RangeError(
    `the rest of the body is longer than a Buffer can be, ${constants.MAX_LENGTH} bytes: read it in parts, by read(amt) or readinto`,
  );
  return Object.assign(error, { code: 'ERR_OUT_OF_RANGE', partial });
}
