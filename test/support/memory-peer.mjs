// SPDX-License-Identifier: MIT
//
// A peer without a network: a Duplex that plays a script when it is written to, and keeps what it was sent.

import { Duplex } from 'node:stream';

export class MemoryPeer extends Duplex {
  #sent = [];
  #pieces;
  #close;
  #started = false;

  /**
   * @param {Buffer[]} [pieces] what it sends after the first write, each in a turn of its own of the event loop
   * @param {boolean} [close] does it end the stream after that?
   * @param {boolean} [held] does it wait for `answer`, and not for the first write?
   */
  constructor(pieces = [], close = false, held = false) {
    super({ allowHalfOpen: true });
    this.#pieces = pieces;
    this.#close = close;
    this.#started = held;
  }

  /** Plays the script when it was held: now, or once something was written. */
  answer() {
    if (this.#sent.length > 0) this.#play();
    else this.#started = false;
  }

  /** What was sent to it so far, as ISO-8859-1. */
  get received() {
    return Buffer.concat(this.#sent).toString('latin1');
  }

  _read() {}

  _write(chunk, _encoding, done) {
    this.#sent.push(Buffer.from(chunk));
    done();
    if (!this.#started) {
      this.#started = true;
      this.#play();
    }
  }

  async #play() {
    for (const piece of this.#pieces) {
      await new Promise(setImmediate);
      if (this.destroyed) return;
      this.push(piece);
    }
    if (this.#close) this.push(null);
  }
}

/** A small generator of numbers in [0, 1) that can be repeated (mulberry32). @param {number} seed */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @param {Buffer} bytes
 * @param {() => number} next see `random`
 * @returns {Buffer[]} the same bytes in pieces of random size
 */
export function randomSplit(bytes, next) {
  const pieces = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(next() * Math.max(40, bytes.length / 40));
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}
