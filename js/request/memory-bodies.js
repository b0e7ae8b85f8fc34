// SPDX-License-Identifier: MIT
//
// Bodies out of memory and out of iterables.

import types from 'node:util/types';
import { BODY_KNOWN } from '../../bindings/generated/abi.js';
import { argumentError } from '../errors.js';
import { BaseBody, EMPTY, EMPTY_MAX, ignore } from './base-body.js';
import { checkPiece, toBytes } from './bytes.js';
import { WebSource } from './web-source.js';

/** A string or bytes. */
export class MemoryBody {
  kind = BODY_KNOWN;
  readable = '';
  repeatable = true;
  failure = undefined;
  prepare = null;

  /** @param {Buffer} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.size = bytes.length;
  }

  open() {
    let rest = this.bytes.length === 0 ? null : this.bytes;
    const next = () => {
      const piece = rest;
      rest = null;
      return piece;
    };
    return { next };
  }

  discard() {}
}

/** A Blob or a File, of whatever library: one that has no web stream is taken whole. */
export class BlobBody extends BaseBody {
  constructor(blob) {
    super(() => {
      const stream = typeof blob.stream === 'function' ? blob.stream() : [blob.arrayBuffer()];
      if (typeof stream.getReader === 'function') return new WebSource(stream);
      return new AsyncSource(stream[Symbol.asyncIterator]?.() ?? awaited(stream));
    });
    this.kind = BODY_KNOWN;
    this.size = blob.size;
    this.repeatable = true;
  }
}

async function* awaited(iterable) {
  yield* iterable;
}

/** Generators that were a body: they give nothing any more. */
const spent = new WeakSet();

/** Any other iterable, of strings or bytes. */
export class IterableBody extends BaseBody {
  constructor(iterable) {
    const isSync = typeof iterable[Symbol.iterator] === 'function';
    if (spent.has(iterable)) {
      throw argumentError('this generator was a body before, and gives nothing any more: call its function again', 'ERR_INVALID_ARG_VALUE');
    }
    super(() => {
      if (types.isGeneratorObject(iterable)) spent.add(iterable);
      return isSync ? new SyncSource(iterable[Symbol.iterator]()) : new AsyncSource(iterable[Symbol.asyncIterator]());
    });
    // An array can be gone through again, a generator can't.
    this.repeatable = Array.isArray(iterable);
    if (this.repeatable) for (const piece of iterable) checkPiece(piece);
  }
}

function checkResult(result) {
  if (result !== null && typeof result === 'object') return;
  throw argumentError('the iterator of the body gives something that is no result of an iterator', 'ERR_INVALID_ARG_TYPE');
}

/** The pieces of an iterator, and its end: `return` is called once, and only if it has not ended by itself. */
class IteratorSource {
  #iterator;
  #running = false;
  #stopped = false;
  ended = false;

  constructor(iterator) {
    this.#iterator = iterator;
  }

  /** Calls `next` of the iterator. */
  advance() {
    this.#running = true;
    try {
      return this.#iterator.next();
    } catch (error) {
      this.ended = true;
      throw error;
    } finally {
      this.#running = false;
      if (this.#stopped) this.#return(); // it was stopped by what it did itself
    }
  }

  /** The bytes of a result, or null at the end. */
  pieceOf(result) {
    try {
      checkResult(result);
      if (!result.done) return toBytes(result.value);
    } catch (error) {
      this.stop();
      throw error;
    }
    this.ended = true;
    return null;
  }

  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    if (!this.#running) this.#return();
  }

  #return() {
    if (this.ended) return;
    this.ended = true;
    try {
      ignore(this.#iterator.return?.());
    } catch {
      // It isn't needed any more, and what it says to that neither.
    }
  }
}

class SyncSource extends IteratorSource {
  next() {
    for (let empty = 0; empty < EMPTY_MAX; empty++) {
      if (this.ended) return null;
      const piece = this.pieceOf(this.advance());
      if (piece === null || piece.length > 0) return piece;
    }
    return EMPTY;
  }
}

export class AsyncSource extends IteratorSource {
  #pending = null;

  next() {
    this.#pending = this.#next();
    return this.#pending;
  }

  async #next() {
    for (let empty = 0; empty < EMPTY_MAX; empty++) {
      if (this.ended) return null;
      let result;
      try {
        result = await this.advance();
      } catch (error) {
        this.ended = true;
        throw error;
      }
      const piece = this.pieceOf(result);
      if (piece === null || piece.length > 0) return piece;
    }
    return EMPTY;
  }

  stop() {
    ignore(this.#pending);
    super.stop();
  }
}
