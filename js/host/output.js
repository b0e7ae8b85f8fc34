// SPDX-License-Identifier: MIT
//
// What guests write to the standard streams, which are the process's: a guest waits while they take nothing, and nobody else.

import { BROKEN, OUTPUT_WORDS, PENDING, PIECE_COST } from '../../bindings/blocking/system.js';

/** How much is being written to a stream. That its reader has gone is the guest's to know, and ends no process meanwhile. */
const writing = new Map();
const ignore = () => {};

function begin(stream) {
  const count = writing.get(stream) ?? 0;
  if (count === 0) stream.on('error', ignore);
  writing.set(stream, count + 1);
}

function end(stream) {
  const count = writing.get(stream) - 1;
  writing.set(stream, count);
  if (count === 0) stream.off('error', ignore);
}

export class Output {
  #words;

  constructor() {
    /** What the guest's side is made with. */
    this.shared = new SharedArrayBuffer(4 * OUTPUT_WORDS);
    this.#words = new Int32Array(this.shared);
  }

  /** @param {number} fd 1 or 2 @param {Uint8Array} bytes */
  write(fd, bytes) {
    const stream = fd === 1 ? process.stdout : process.stderr;
    begin(stream);
    stream.write(bytes, (error) => {
      setImmediate(() => end(stream)); // the stream tells of an error behind this
      if (error) Atomics.store(this.#words, BROKEN + fd - 1, 1);
      Atomics.sub(this.#words, PENDING, bytes.length + PIECE_COST);
      Atomics.notify(this.#words, PENDING);
    });
  }
}
