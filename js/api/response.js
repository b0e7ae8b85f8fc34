// SPDX-License-Identifier: MIT
//
// HTTPResponse: the head, and the ways to read the body.

import { Buffer } from 'node:buffer';
import { listFields } from '../../bindings/wasm/core.js';
import * as diagnostics from '../watch/diagnostics.js';
import { argumentError, IncompleteRead } from '../errors.js';
import { abortedOf } from '../request/exchange.js';
import {
  CHUNKED,
  HAS_LENGTH,
  PHASE_END,
  PHASE_LENGTH,
  PHASE_TUNNEL,
  VIEW_FIELDS,
  VIEW_FLAGS,
  VIEW_LEFT_HIGH,
  VIEW_LEFT_LOW,
  VIEW_REASON,
  VIEW_REASON_LENGTH,
  VIEW_STATUS,
  VIEW_TRAILER,
  VIEW_TRAILER_LENGTH,
  VIEW_VERSION,
  WILL_CLOSE,
} from '../../bindings/generated/abi.js';
import { kindOf } from '../request/headers.js';
import { HTTPMessage } from './message.js';

const NEWLINE = 10;
const WHOLE_MAX = 64 * 1024 * 1024; // bodies up to this size get their memory at once, larger ones as they come
const BLOCK_MIN = 64 * 1024;
const BLOCK_MAX = 8 * 1024 * 1024;

const nothing = () => Buffer.alloc(0);

/** Checks an amount: how many bytes, or -1 for the rest. */
function amount(value) {
  if (value === null || value === undefined) return -1;
  if (typeof value !== 'number') {
    throw argumentError(`an amount of bytes must be a number, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (Number.isNaN(value)) throw argumentError('an amount of bytes must be a number, not NaN');
  return value < 0 ? -1 : Math.floor(value);
}

/**
 * The response to a request. Made by `HTTPConnection.getresponse`.
 *
 * One operation at a time: a read that begins while another waits is done after it.
 */
export class HTTPResponse {
  #channel;
  #view;
  #flags;
  #head;
  #fields;
  #reasonAt;
  #reasonLength;
  #message = null;
  #trailers = null;
  #trailerText = '';
  #open = true;
  #error = null; // what every further read raises
  #exchange;
  #describe; // adds what is known of the connection to an error
  #waiting = null; // the read that waits, as a promise
  #stream = null;

  /**
   * @param {object} source what the connection knows; not for use outside of porthole
   */
  constructor({ channel, exchange, debuglevel, owner = null, describe = (error) => error }) {
    const { view } = channel.core;
    this.#channel = channel;
    this.#view = view;
    this.#exchange = exchange;
    this.#describe = describe;
    this.#flags = view[VIEW_FLAGS];
    this.#head = channel.takeHead();
    this.#fields = view[VIEW_FIELDS];
    this.#reasonAt = view[VIEW_REASON];
    this.#reasonLength = view[VIEW_REASON_LENGTH];
    /** Keeps the connection from being collected while its response is read. @private */
    this._owner = owner;
    /** @private */
    this._method = exchange.method;
    /** The URL of the request. */
    this.url = exchange.url;
    /** Above 0 what is read is printed. */
    this.debuglevel = debuglevel;
    /** Status code. */
    this.status = view[VIEW_STATUS];
    /** HTTP version: 10 or 11. */
    this.version = view[VIEW_VERSION];
    /** Does the connection end with this response? */
    this.will_close = (this.#flags & WILL_CLOSE) !== 0;
    /** Is the body chunked? */
    this.chunked = (this.#flags & CHUNKED) !== 0;
  }

  /** Reason phrase. */
  get reason() {
    return this.#head.substring(this.#reasonAt, this.#reasonAt + this.#reasonLength);
  }

  /** Status code, under the name that urllib uses. */
  get code() {
    return this.status;
  }

  /** The headers. @returns {HTTPMessage} */
  get headers() {
    this.#message ??= new HTTPMessage(() => listFields(this.#head.substring(this.#fields)));
    return this.#message;
  }

  /** The headers. @returns {HTTPMessage} */
  get msg() {
    return this.headers;
  }

  /** The headers as they were received: name, value, name, value, … @returns {string[]} */
  get raw_headers() {
    return listFields(this.#head.substring(this.#fields));
  }

  /** Did the connection carry a request before this one? */
  get reused() {
    return this.#exchange.reused;
  }

  /**
   * When things happened, in milliseconds since the request began; null for what did not, or not yet.
   *
   * @returns {{lookup: number | null, connect: number | null, tls: number | null, sent: number | null,
   *   first_byte: number | null, end: number | null}}
   */
  get timings() {
    return this.#exchange.timings;
  }

  /** The trailer section of a chunked body, once it has been read to its end. @returns {HTTPMessage} */
  get trailers() {
    if (this.#trailers === null || this.#trailers.source !== this.#trailerText) {
      const text = this.#trailerText;
      const message = new HTTPMessage(() => (text === '' ? [] : listFields(text)));
      this.#trailers = { source: text, message };
    }
    return this.#trailers.message;
  }

  /** Bytes of the body that have not been read, or null where that is not known. */
  get length() {
    if ((this.#flags & HAS_LENGTH) === 0) return null;
    return this.#open && this.#error === null ? this.#left() + this.#channel.available : 0;
  }

  /** Has the body been read to its end, or the response been closed? */
  get closed() {
    return !this.#open;
  }

  // ---- reading ----

  /**
   * Reads the rest of the body, or as many bytes as asked, unless it ends before.
   *
   * @param {number | null} [amt] bytes; none, null or below 0: the rest
   * @returns {Promise<Buffer>} empty after the end
   */
  read(amt = null) {
    if (amt === null && this.#free && this.#complete) {
      // All of it is there: the usual case for small bodies.
      const bytes = this.#channel.takeRest();
      this.#finish();
      return Promise.resolve(bytes);
    }
    return this.#begin(() => {
      const wanted = amount(amt);
      if (this.#ended()) return nothing();
      return wanted < 0 || wanted === Infinity ? this.#readRest() : this.#readSome(wanted);
    });
  }

  /**
   * Reads into memory until it is full, unless the body ends before.
   *
   * @param {ArrayBufferView | ArrayBuffer | SharedArrayBuffer} view
   * @returns {Promise<number>} bytes read; 0 after the end
   */
  readinto(view) {
    if (view instanceof Uint8Array && this.#free) {
      const channel = this.#channel;
      const size = view.length;
      if (size > 0 && channel.available >= size) {
        channel.read(view, 0, size);
        this.#closeAtEnd();
        return Promise.resolve(size);
      }
    }
    return this.#begin(() => {
      const target = asTarget(view);
      if (this.#ended()) return 0;
      return this.#fill(target, target.length, (count) => count);
    });
  }

  /**
   * Reads what is at hand, and waits only when nothing is.
   *
   * @param {number} [n] at most so many bytes
   * @returns {Promise<Buffer>} empty at the end
   */
  read1(n = -1) {
    return this.#begin(() => {
      const wanted = amount(n);
      return this.#whenAvailable(wanted, nothing, () => {
        const { available } = this.#channel;
        const count = wanted < 0 ? available : Math.min(wanted, available);
        const bytes = Buffer.allocUnsafe(count);
        this.#channel.read(bytes, 0, count);
        return bytes;
      });
    });
  }

  /**
   * Looks at what is at hand without reading it, and waits only when nothing is.
   *
   * @param {number} [n] at most so many bytes
   * @returns {Promise<Buffer>} empty at the end, also at that of a body that was cut off
   */
  peek(n = -1) {
    return this.#begin(() => {
      const wanted = amount(n);
      if (this.#error instanceof IncompleteRead) return nothing();
      if (this.#error !== null) throw this.#error;
      return this.#whenAvailable(
        wanted,
        nothing,
        () => {
          const run = this.#channel.peek();
          return Buffer.from(wanted < 0 ? run : run.subarray(0, wanted));
        },
        () => {
          if (this.#channel.failure() instanceof IncompleteRead) return nothing();
          throw this.#failure(nothing);
        },
      );
    });
  }

  /**
   * Reads a line, its `\n` included.
   *
   * @param {number} [limit] at most so many bytes
   * @returns {Promise<Buffer>} empty at the end
   */
  readline(limit = -1) {
    return this.#begin(() => this.#readLine(amount(limit)));
  }

  /**
   * Reads the rest of the body as lines.
   *
   * @param {number} [hint] stop after so many bytes
   * @returns {Promise<Buffer[]>}
   */
  async readlines(hint = -1) {
    const most = amount(hint);
    const lines = [];
    let total = 0;
    try {
      for await (const line of this) {
        lines.push(line);
        total += line.length;
        if (most > 0 && total >= most) break;
      }
    } catch (error) {
      throw withLines(error, lines);
    }
    return lines;
  }

  /** The lines of the body. @returns {AsyncGenerator<Buffer>} */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      const line = await this.readline();
      if (line.length === 0) return;
      yield line;
    }
  }

  /** The body as a stream of bytes. Cancelling it closes the response. @returns {ReadableStream<Uint8Array>} */
  get body() {
    this.#stream ??= new ReadableStream({
      type: 'bytes',
      pull: async (controller) => {
        const bytes = await this.read1(BLOCK_MIN);
        if (bytes.length > 0) {
          controller.enqueue(new Uint8Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)));
        } else {
          controller.close();
          controller.byobRequest?.respond(0);
        }
      },
      cancel: () => this.close(),
    });
    return this.#stream;
  }

  /** The rest of the body as text: in the charset of Content-Type, else UTF-8. @returns {Promise<string>} */
  async text() {
    const bytes = await this.read();
    return decoderFor(this.headers.get_content_charset()).decode(bytes);
  }

  /** The rest of the body, parsed as JSON. @returns {Promise<any>} */
  async json() {
    return JSON.parse(await this.text());
  }

  /** The rest of the body. @returns {Promise<Uint8Array>} */
  bytes() {
    return this.read();
  }

  /** The rest of the body. @returns {Promise<ArrayBuffer>} */
  async arrayBuffer() {
    const bytes = await this.read();
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  }

  // ---- the head ----

  /**
   * @param {string} name in any case
   * @param {any} [failobj] what to give when there is no such header; an iterable that isn't a string is joined
   * @returns {any} the value, several joined by `, `
   */
  getheader(name, failobj = null) {
    const values = this.headers.get_all(name);
    if (values !== null) return values.join(', ');
    const joins = failobj !== null && typeof failobj === 'object' && typeof failobj[Symbol.iterator] === 'function';
    return joins ? [...failobj].join(', ') : failobj;
  }

  /** @returns {Array<[name: string, value: string]>} in the order and spelling received */
  getheaders() {
    return this.headers.items();
  }

  /** @returns {HTTPMessage} */
  info() {
    return this.headers;
  }

  /** @returns {string} the URL of the request */
  geturl() {
    return this.url;
  }

  /** @returns {number} the status code */
  getcode() {
    return this.status;
  }

  /** @returns {number} the socket's descriptor @throws {Error} when there is none */
  fileno() {
    const fd = this.#open ? this.#channel.transport?.socket?._handle?.fd : undefined;
    if (typeof fd === 'number' && fd >= 0) return fd;
    throw Object.assign(new Error('the response has no descriptor: its connection is closed, or is no socket'), {
      code: 'EBADF',
    });
  }

  /** Always true. */
  readable() {
    return true;
  }

  /** @returns {boolean} see `closed` */
  isclosed() {
    return !this.#open;
  }

  /** Closes the response. The connection is closed too, unless the body was read to its end. */
  close() {
    if (this.#open) this.#finish();
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }

  // ---- inside ----

  /** Is nothing in the way of taking bytes that are at hand? */
  get #free() {
    return this.#open && this.#waiting === null && this.#error === null && this.#exchange.waits.idle.signals.length === 0;
  }

  /** Ends the response when a signal was aborted since the last operation. */
  #heed() {
    const aborted = this.#open ? abortedOf(this.#exchange.waits.idle.signals) : undefined;
    if (aborted === undefined) return;
    this.#error = aborted.reason;
    this.#channel.abort(aborted.reason);
    this.#finish();
    this.#channel.close();
  }

  /** Begins an operation, after the one that waits. */
  #begin(operation) {
    if (this.#waiting !== null) {
      const next = () => this.#begin(operation);
      return this.#waiting.then(next, next);
    }
    try {
      this.#heed();
      const result = operation();
      return result instanceof Promise ? result : Promise.resolve(result);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Waits until `step` gives a result. */
  #wait(step) {
    const promise = this.#channel.receiving(this.#exchange.waits.idle, () => {
      try {
        const result = step();
        if (result !== undefined) this.#waiting = null;
        return result;
      } catch (error) {
        this.#waiting = null;
        throw error;
      }
    });
    if (this.#channel.isReceiving) this.#waiting = promise; // or a signal that was aborted has ended it already
    return promise;
  }

  #left() {
    return this.#channel.closed ? 0 : this.#view[VIEW_LEFT_HIGH] * 2 ** 32 + this.#view[VIEW_LEFT_LOW];
  }

  /** Is there nothing to read any more? Raises what ended the body, each time anew. */
  #ended() {
    if (this.#error !== null) throw this.#error;
    if (this.#open && this.#channel.closed) throw this.#failure(nothing); // closed by a request after this one
    return !this.#open;
  }

  /** Has everything arrived? */
  get #complete() {
    const { phase } = this.#channel;
    return phase === PHASE_END || phase === PHASE_TUNNEL;
  }

  /** Closes the response once there is nothing more to read. */
  #closeAtEnd() {
    if (this.#open && this.#complete && this.#channel.available === 0) this.#finish();
  }

  #finish() {
    const channel = this.#channel;
    this.#open = false;
    this.#exchange.finish();
    if (diagnostics.responseEnd.hasSubscribers) {
      const request = this.#exchange;
      diagnostics.responseEnd.publish({ connection: this._owner, request, response: this, timings: request.timings });
    }
    if (channel.closed) return;
    const length = this.#view[VIEW_TRAILER_LENGTH];
    if (length > 0 && this.#complete) {
      const from = this.#view[VIEW_TRAILER];
      this.#trailerText = channel.core.rx.latin1Slice(from, from + length);
    }
    if (channel.phase !== PHASE_TUNNEL) channel.finish();
    if (this.will_close) channel.close();
  }

  /** What ended the body before its end, if anything did: kept for every further read. */
  #failure(partial) {
    if (this.#error !== null) return this.#error;
    const channel = this.#channel;
    const expected = channel.phase === PHASE_LENGTH ? this.#left() : null;
    const error = channel.failure({ partial: partial(), expected });
    if (error === null) return null;
    if (error.partial === undefined && Object.isExtensible(error) && error.code !== undefined) {
      const bytes = partial();
      if (bytes.length > 0) error.partial = bytes;
    }
    this.#error = this.#describe(error, channel);
    this.#finish();
    channel.close();
    return this.#error;
  }

  /**
   * Fills memory, and gives `result` of how much there is: less only at the end of the body, or before a failure that the
   * next read raises. With `whole` a failure is raised at once.
   */
  #fill(target, wanted, result, whole = false) {
    const channel = this.#channel;
    const sink = { target, offset: 0, end: wanted };
    const step = () => {
      sink.offset += channel.read(target, sink.offset, wanted - sink.offset);
      if (sink.offset < wanted && !this.#complete) {
        if (!channel.failed) return undefined;
        channel.sink = null;
        if (whole || sink.offset === 0 || channel.abandoned) {
          throw this.#failure(() => Buffer.from(target.subarray(0, sink.offset)));
        }
        return result(sink.offset);
      }
      channel.sink = null;
      this.#closeAtEnd();
      return result(sink.offset);
    };
    const now = step();
    if (now !== undefined) return now;
    channel.sink = sink;
    return this.#wait(step);
  }

  #readSome(wanted) {
    const channel = this.#channel;
    const known = this.#flags & HAS_LENGTH || this.#complete ? this.#left() + channel.available : Infinity;
    const size = Math.min(wanted, known);
    if (size <= WHOLE_MAX && (size <= BLOCK_MIN || channel.available >= size || known !== Infinity)) {
      const bytes = Buffer.allocUnsafe(size);
      return this.#fill(bytes, size, (count) => (count === size ? bytes : Buffer.from(bytes.subarray(0, count))));
    }
    return this.#collect(wanted, false);
  }

  #readRest() {
    const channel = this.#channel;
    const known = this.#flags & HAS_LENGTH || this.#complete;
    const size = known ? this.#left() + channel.available : Infinity;
    if (size > WHOLE_MAX) return this.#collect(Infinity, true);
    const bytes = Buffer.allocUnsafe(size);
    return this.#fill(bytes, size, () => bytes, true);
  }

  /** Reads up to `wanted` bytes in blocks: their number is not known, or too large to make room for it at once. */
  #collect(wanted, whole) {
    const channel = this.#channel;
    const blocks = [];
    let total = 0;
    let sink = null;
    const nextBlock = () => {
      const size = Math.min(wanted - total, Math.min(Math.max(total, BLOCK_MIN), BLOCK_MAX));
      sink = { target: Buffer.allocUnsafeSlow(size), offset: 0, end: size };
      channel.sink = sink;
    };
    const gathered = () => {
      channel.sink = null;
      return Buffer.concat([...blocks, sink.target.subarray(0, sink.offset)]);
    };
    const step = () => {
      for (;;) {
        sink.offset += channel.read(sink.target, sink.offset, sink.end - sink.offset);
        if (sink.offset < sink.end) break;
        if (total + sink.offset === wanted) return gathered();
        if (channel.available === 0 && this.#complete) break;
        blocks.push(sink.target);
        total += sink.offset;
        nextBlock();
      }
      if (this.#complete && channel.available === 0) {
        const bytes = gathered();
        this.#closeAtEnd();
        return bytes;
      }
      if (!channel.failed) return undefined;
      if (whole || total + sink.offset === 0 || channel.abandoned) throw this.#failure(gathered);
      return gathered();
    };
    nextBlock();
    const now = step();
    return now === undefined ? this.#wait(step) : now;
  }

  /** Waits until body bytes are at hand and gives `take()`; `end()` at the end of the body. */
  #whenAvailable(wanted, end, take, failed = null) {
    if ((failed === null && this.#ended()) || !this.#open || wanted === 0) return end();
    const channel = this.#channel;
    channel.readAhead();
    const step = () => {
      if (channel.available > 0) {
        const result = take();
        this.#closeAtEnd();
        return result;
      }
      if (this.#complete) {
        this.#closeAtEnd();
        return end();
      }
      if (!channel.failed) return undefined;
      if (failed !== null && !channel.abandoned) return failed();
      throw this.#failure(end);
    };
    const now = step();
    return now === undefined ? this.#wait(step) : now;
  }

  #readLine(limit) {
    const parts = [];
    let total = 0;
    const line = () => Buffer.concat(parts);
    const step = () => {
      for (;;) {
        if (limit >= 0 && total === limit) return line();
        const result = this.#whenAvailable(-1, line, () => {
          const run = this.#channel.peek();
          const newline = run.indexOf(NEWLINE);
          let count = newline < 0 ? run.length : newline + 1;
          if (limit >= 0) count = Math.min(count, limit - total);
          const part = Buffer.allocUnsafe(count);
          this.#channel.read(part, 0, count);
          parts.push(part);
          total += count;
          return newline >= 0 && count === newline + 1;
        }, total > 0 ? line : null);
        if (result instanceof Promise) return result.then((done) => (done === true ? line() : done === false ? step() : done));
        if (result === true) return line();
        if (result !== false) return result;
        if (!this.#open) return line();
      }
    };
    return step();
  }
}

/** An error that lines were read before, which nobody was given. */
function withLines(error, lines) {
  const partial = Buffer.concat([...lines, error?.partial ?? nothing()]);
  if (partial.length === 0 || !Object.isExtensible(error) || error.retry_safe === undefined) return error;
  if (!(error instanceof IncompleteRead)) return Object.assign(error, { partial });
  const { expected, cause } = error;
  return Object.assign(new IncompleteRead(partial, expected, { cause }), { ...error, partial });
}

function asTarget(view) {
  if (view instanceof Uint8Array) return view;
  if (ArrayBuffer.isView(view)) return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  if (view instanceof ArrayBuffer || (typeof SharedArrayBuffer === 'function' && view instanceof SharedArrayBuffer)) {
    return new Uint8Array(view);
  }
  throw argumentError(`readinto needs an ArrayBufferView or an ArrayBuffer, not ${kindOf(view)}`, 'ERR_INVALID_ARG_TYPE');
}

function decoderFor(charset) {
  try {
    return new TextDecoder(charset?.replaceAll('_', '-').replace(/^latin-(?=\d)/, 'latin') ?? 'utf-8');
  } catch {
    return new TextDecoder();
  }
}
