// SPDX-License-Identifier: MIT
//
// Bodies out of streams: those of Node (also of other copies of readable-stream), of the web, and old ones that only emit
// data. Their errors are listened to from the beginning, so that none is an unhandled event.

import { Readable } from 'node:stream';
import { argumentError, thrownBy } from '../errors.js';
import { BaseBody, EMPTY, EMPTY_MAX, ignore } from './base-body.js';
import { toBytes } from './bytes.js';
import { AsyncSource } from './memory-bodies.js';
import { WebSource } from './web-source.js';

/** @param {object} value @returns {boolean} is it a stream that can be read, of any kind? */
export function isStream(value) {
  return typeof value.getReader === 'function' || (typeof value.pipe === 'function' && typeof value.on === 'function');
}

/** Has it Node's way of reading: `read()`, and `readable` when there is something? */
const isNodeStream = (value) => typeof value.read === 'function' && typeof value._readableState === 'object';

/** @param {object} body @returns {import('./body.js').Body} @throws {TypeError} for one that has nothing to give any more */
export function streamBody(body) {
  if (typeof body.getReader === 'function') return new WebStreamBody(body);
  checkLive(body);
  if (isNodeStream(body)) {
    if (Readable.isDisturbed(body)) refuseUsed('was read from before');
    return new NodeStreamBody(body);
  }
  return typeof body[Symbol.asyncIterator] === 'function' ? new IteratedStreamBody(body) : new OldStreamBody(body);
}

/** @returns {never} */
export function refuseUsed(what, cause = undefined) {
  const error = argumentError(`the stream given as a body ${what}: a stream can be sent once, make a new one`);
  if (cause) error.cause = cause;
  throw error;
}

/** Refuses a stream of Node or an old one that can't give anything any more. */
export function checkLive(body) {
  if (body.errored) {
    body.on('error', nothing); // it may not have told it yet
    refuseUsed('has failed before', body.errored);
  }
  if (body.destroyed) {
    body.on('error', nothing);
    refuseUsed('was destroyed before');
  }
  if (body.readableEnded) refuseUsed('was read to its end before');
  const writes = typeof body.write === 'function' && typeof body.resume !== 'function';
  if (body.readable === false || (writes && body.readable !== true)) {
    throw argumentError("the stream given as a body can't be read: give the one that the bytes come out of", 'ERR_INVALID_ARG_TYPE');
  }
}

/** Listens to the errors of what isn't needed any more. */
const nothing = () => {};

/** What streams with events have in common: it keeps their error, and wakes who waits for something to happen. */
class Watched extends BaseBody {
  stream;
  ended = false;
  #failed = false;
  #failure;
  #closed = false;
  #wake = null;
  #released = false;

  /** @param {import('node:stream').Readable} stream */
  constructor(stream) {
    super(() => this);
    this.stream = stream;
    stream.on('error', this.#onerror);
    stream.on('end', this.#onend);
    stream.on('close', this.#onclose);
  }

  get failure() {
    return this.#failure;
  }

  #onerror = (error) => {
    if (!this.#failed) {
      this.#failed = true;
      this.#failure = thrownBy('the stream of the body', error);
    }
    this.wake();
  };

  #onend = () => {
    this.ended = true;
    this.wake();
  };

  #onclose = () => {
    this.#closed = true;
    this.wake();
  };

  wake = () => {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };

  /** Resolves when something has happened. */
  wait() {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Throws what ended the stream before its end. */
  throwIfOver() {
    if (this.#failed) throw this.#failure;
    const { stream } = this;
    if (stream.errored) throw stream.errored;
    if (this.#closed || stream.destroyed) {
      throw Object.assign(new Error('the stream of the body was closed before its end'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    }
  }

  /** What is there, null for the end, undefined for nothing yet. */
  take() {
    return undefined;
  }

  next() {
    for (let empty = 0; empty < EMPTY_MAX; empty++) {
      if (this.#released) return null;
      const piece = this.take();
      if (piece === undefined) return this.#later();
      if (piece === null) this.release();
      if (piece === null || piece.length > 0) return piece;
    }
    return EMPTY;
  }

  async #later() {
    await this.wait();
    return this.next();
  }

  /** Lets the stream go. Its errors stay heard. */
  release() {
    const { stream } = this;
    if (this.#released) return;
    this.#released = true;
    stream.on('error', nothing);
    stream.removeListener('error', this.#onerror);
    stream.removeListener('end', this.#onend);
    stream.removeListener('close', this.#onclose);
    this.onrelease?.();
  }

  stop() {}

  discard(error) {
    const { stream } = this;
    if (this.#released) return;
    super.discard(error);
    this.release();
    this.wake();
    if (this.ended || stream.destroyed || stream.readableEnded) return;
    try {
      stream.destroy?.(error);
    } catch {
      // It isn't needed any more.
    }
  }
}

/** A Readable of Node, or of another copy of its streams. */
export class NodeStreamBody extends Watched {
  #opened = false;

  /** @param {import('node:stream').Readable} stream */
  constructor(stream) {
    super(stream);
    // One with a listener for data, that counts what goes by, would begin to flow before anybody takes it.
    if (stream.readableFlowing) stream.pause();
  }

  open() {
    if (!this.#opened) {
      this.#opened = true;
      this.stream.on('readable', this.wake);
    }
    return super.open();
  }

  take() {
    const { stream } = this;
    if (this.ended || stream.readableEnded) {
      this.ended = true;
      return null;
    }
    this.throwIfOver();
    const piece = stream.read();
    return piece === null ? undefined : toBytes(piece, stream.readableEncoding ?? 'latin1');
  }

  onrelease() {
    this.stream.removeListener('readable', this.wake);
  }
}

/** A stream that can be iterated, and has nothing else of Node's. */
class IteratedStreamBody extends Watched {
  #iteration = null;

  next() {
    if (this.failure !== undefined) throw this.failure;
    this.#iteration ??= new AsyncSource(this.stream[Symbol.asyncIterator]());
    return this.#iteration.next();
  }

  onrelease() {
    this.ended ||= this.#iteration?.ended ?? false;
    this.#iteration?.stop();
  }
}

/** A stream that only emits data: it is held back by `pause` and `resume` where it has them. Its strings are UTF-8, as by `pipe`. */
class OldStreamBody extends Watched {
  #pieces = [];
  #at = 0;
  #paused = false;

  constructor(stream) {
    super(stream);
    stream.on('data', this.#ondata); // from the beginning: nobody knows when it begins
    this.#pause();
  }

  #ondata = (piece) => {
    this.#pieces.push(piece);
    this.#pause();
    this.wake();
  };

  #pause() {
    if (this.#paused || typeof this.stream.pause !== 'function') return;
    this.#paused = true;
    this.stream.pause();
  }

  take() {
    if (this.#at === this.#pieces.length && !this.ended) {
      this.throwIfOver();
      this.#pieces.length = 0;
      this.#at = 0;
      if (this.#paused) {
        this.#paused = false;
        this.stream.resume?.(); // may emit at once
      }
    }
    if (this.#at < this.#pieces.length) {
      const piece = this.#pieces[this.#at];
      this.#pieces[this.#at++] = undefined;
      return toBytes(piece, this.stream.readableEncoding ?? this.stream.encoding ?? 'utf8');
    }
    return this.ended ? null : undefined;
  }

  onrelease() {
    this.stream.removeListener('data', this.#ondata);
  }
}

/** A web stream. It is locked when its pieces are asked for. */
class WebStreamBody extends BaseBody {
  #stream;
  #source = null;
  #discarded = false;

  /** @param {ReadableStream} stream */
  constructor(stream) {
    if (stream.locked) refuseUsed('is locked: something else reads it');
    if (Readable.isDisturbed(stream)) refuseUsed('was read from before');
    super(() => {
      this.#source = new WebSource(stream);
      return this.#source;
    });
    this.#stream = stream;
  }

  get failure() {
    return this.#source?.failure;
  }

  discard(error) {
    super.discard(error);
    if (this.#discarded || this.#source !== null) return;
    this.#discarded = true;
    try {
      ignore(this.#stream.cancel(error));
    } catch {
      // A foreign stream may throw: it isn't needed any more.
    }
  }
}
