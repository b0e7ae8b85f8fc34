// SPDX-License-Identifier: MIT
//
// The pieces of a web stream.

import { EMPTY, EMPTY_MAX, ignore } from './base-body.js';
import { toBytes } from './bytes.js';

export class WebSource {
  #reader;
  #pending = null;
  #ended = false;
  #failure;

  /** @param {ReadableStream} stream of any realm or library */
  constructor(stream) {
    this.#reader = stream.getReader();
    ignore(this.#reader.closed);
  }

  /** Its error so far. */
  get failure() {
    return this.#failure;
  }

  next() {
    this.#pending = this.#next();
    return this.#pending;
  }

  async #next() {
    for (let empty = 0; empty < EMPTY_MAX; empty++) {
      if (this.#ended) return null;
      let result;
      try {
        result = await this.#reader.read();
      } catch (error) {
        this.#ended = true;
        this.#failure = error;
        throw error;
      }
      if (result.done) {
        this.#ended = true;
        return null;
      }
      const bytes = toBytes(result.value);
      if (bytes.length > 0) return bytes;
    }
    return EMPTY;
  }

  stop(error) {
    ignore(this.#pending);
    if (this.#ended) return;
    this.#ended = true;
    try {
      ignore(this.#reader.cancel(error));
    } catch {
      // A foreign stream may throw: it isn't needed any more.
    }
  }
}
