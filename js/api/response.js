// SPDX-License-Identifier: MIT
//
// HTTPResponse: the head, and the ways to read the body.

import { listFields } from '../../bindings/wasm/fields.js';
import { Buffer } from 'node:buffer';
import { Inflow } from '../engine/inflow.js';
import {
  argumentError,
  ImproperConnectionState,
  jsonError,
  kindOf,
  responseByHand,
} from '../errors.js';
import { isBytes } from '../request/bytes.js';
import * as diagnostics from '../watch/diagnostics.js';
import { secureHint, wantsTls } from '../watch/hints.js';
import { SHOWN, shown } from '../watch/shown.js';
import { HTTPMessage } from './message.js';

const STREAM_BLOCK = 64 * 1024;
const COOKIE = /^set-cookie2?$/i;

/** Checks an amount: how many bytes, or -1 for the rest. */
function amount(value) {
  if (value === null || value === undefined) return -1;
  if (typeof value !== 'number') {
    throw argumentError(`an amount of bytes must be a number, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (!Number.isInteger(value) && Math.abs(value) !== Number.POSITIVE_INFINITY) {
    throw argumentError(`an amount of bytes must be a whole number, not ${value}`);
  }
  return value < 0 ? -1 : value;
}

/** What a connection makes a response of, and whom the response tells. @private */
export class Source {
  /**
   * @param {import('./requests.js').Requests} requests of the connection
   * @param {import('./connection.js').HTTPConnection} owner
   * @param {import('../engine/channel.js').Channel} channel whose core has handed the response out
   * @param {import('../request/exchange.js').Exchange} exchange
   */
  constructor(requests, owner, channel, exchange) {
    this.requests = requests;
    this.owner = owner;
    this.channel = channel;
    this.exchange = exchange;
    /** @type {HTTPResponse | null} */
    this.response = null;
  }

  /** Adds what is known of the connection to an error of reading, and tells of it. */
  described(error) {
    return this.requests.toldOf(error, this.channel, this.exchange);
  }

  /** The body was read, closed or lost. */
  ended() {
    if (!diagnostics.responseEnd.hasSubscribers) return;
    const { owner: connection, exchange: request, response } = this;
    diagnostics.tell(diagnostics.responseEnd, { connection, request, response, timings: request.timings });
  }
}

/**
 * Ends a response whose connection was closed: who reads it gets the error.
 *
 * @type {(response: HTTPResponse, error: any) => void}
 * @private
 */
export let forsake;

/** Ends a response whose socket was given away. @type {(response: HTTPResponse) => void} @private */
export let givenAway;

/** Is it a response of ours, whatever its class? @type {(value: unknown) => boolean} @private */
export let isResponse;

/**
 * The response to a request. Made by `HTTPConnection.getresponse`.
 *
 * Reads are done in the order in which they began.
 */
export class HTTPResponse {
  #channel;
  #inflow;
  #exchange;
  #source; // keeps the connection from being collected while its response is read
  #head;
  #fieldsAt;
  #reasonAt;
  #reasonLength;
  #message = null;
  #trailers = null;
  #stream = null;
  #wasRead = false; // was any of the body?

  static {
    forsake = (response, error) => response.#inflow.forsake(error);
    givenAway = (response) => response.#inflow.givenAway();
    isResponse = (value) => typeof value === 'object' && value !== null && #inflow in value;
  }

  /**
   * @param {object} source what the connection knows; not for use outside of porthole
   */
  constructor(source) {
    if (!(source instanceof Source)) throw responseByHand();
    const { channel, exchange, owner } = source;
    const { core } = channel;
    source.response = this;
    this.#channel = channel;
    this.#inflow = new Inflow(channel, exchange, source);
    this.#exchange = exchange;
    this.#source = source;
    this.#head = core.head;
    this.#fieldsAt = core.fieldsAt;
    this.#reasonAt = core.reasonAt;
    this.#reasonLength = core.reasonLength;
    /** The URL of the request. */
    this.url = exchange.url;
    /** Above 0 what is read is printed. */
    this.debuglevel = owner.debuglevel;
    /** Status code. */
    this.status = core.status;
    /** HTTP version: 10 or 11. */
    this.version = core.version;
    /** Does the connection end with this response? */
    this.will_close = core.willClose;
    /** Is the body chunked? */
    this.chunked = core.chunked;
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
    this.#message ??= new HTTPMessage(() => this.raw_headers);
    return this.#message;
  }

  /** The headers. @returns {HTTPMessage} */
  get msg() {
    return this.headers;
  }

  /** The headers as they were received: name, value, name, value, … @returns {string[]} */
  get raw_headers() {
    return listFields(this.#head.substring(this.#fieldsAt));
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
    const text = this.#inflow.trailer;
    if (this.#trailers?.text !== text) this.#trailers = { text, message: new HTTPMessage(() => listFields(text)) };
    return this.#trailers.message;
  }

  /** Bytes of the body that have not been read, or null where that is not known. */
  get length() {
    return this.#inflow.length;
  }

  /** Has the body been read to its end, or the response been closed? */
  get closed() {
    return !this.#inflow.open;
  }

  // ---- reading ----

  /**
   * Reads the rest of the body, or as many bytes as asked, unless it ends before.
   *
   * @param {number | null} [amt] bytes; none, null or below 0: the rest
   * @returns {Promise<Buffer>} empty after the end
   */
  read(amt = null) {
    if (amt === null) {
      const bytes = this.#inflow.takeWhole();
      if (bytes !== null) {
        this.#wasRead = true;
        return Promise.resolve(bytes);
      }
    }
    return this.#perform(() => {
      const wanted = amount(amt);
      return wanted < 0 || wanted === Number.POSITIVE_INFINITY ? this.#inflow.rest() : this.#inflow.some(wanted);
    });
  }

  /**
   * Reads into memory until it is full, unless the body ends before.
   *
   * @param {ArrayBufferView | ArrayBuffer | SharedArrayBuffer} view
   * @returns {Promise<number>} bytes read; 0 after the end
   */
  readinto(view) {
    if (isUint8(view) && this.#inflow.fillNow(view)) {
      this.#wasRead = true;
      return Promise.resolve(view.length);
    }
    return this.#perform(() => this.#inflow.into(asTarget(view)));
  }

  /**
   * Reads what is at hand, and waits only when nothing is.
   *
   * @param {number} [n] at most so many bytes
   * @returns {Promise<Buffer>} empty at the end
   */
  read1(n = -1) {
    return this.#perform(() => this.#inflow.one(amount(n)));
  }

  /**
   * Looks at what is at hand without reading it, and waits only when nothing is.
   *
   * @param {number} [n] at most so many bytes
   * @returns {Promise<Buffer>} empty at the end, also at that of a body that was cut off
   */
  peek(n = -1) {
    return this.#perform(() => this.#inflow.peek(amount(n)), this.#wasRead);
  }

  /**
   * Reads a line, its `\n` included.
   *
   * @param {number} [limit] at most so many bytes
   * @returns {Promise<Buffer>} empty at the end
   */
  readline(limit = -1) {
    return this.#perform(() => this.#inflow.line(amount(limit)));
  }

  /**
   * Reads the rest of the body as lines.
   *
   * @param {number} [hint] stop after so many bytes
   * @returns {Promise<Buffer[]>}
   */
  readlines(hint = -1) {
    return this.#perform(() => this.#inflow.lines(amount(hint)));
  }

  /** The lines of the body; each is read when it is asked for. @returns {AsyncIterableIterator<Buffer>} */
  [Symbol.asyncIterator]() {
    let over = false;
    return {
      next: async () => {
        const value = over ? null : await this.readline();
        over ||= value.length === 0;
        return over ? { done: true, value: undefined } : { done: false, value };
      },
      return: async (value) => {
        over = true;
        return { done: true, value };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** The body as a stream of bytes. Cancelling it closes the response. @returns {ReadableStream<Uint8Array>} */
  get body() {
    this.#stream ??= new ReadableStream({
      type: 'bytes',
      pull: async (controller) => {
        const bytes = await this.read1(STREAM_BLOCK);
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
    const wasRead = this.#wasRead;
    const wasClosed = this.closed && !wasRead;
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      let answer = wantsTls(this.status, `${this.reason}\n${text.slice(0, 1000)}`) ? secureHint(true) : null;
      if (wasClosed) answer = 'the response was closed before its body was read';
      throw jsonError(error, text, wasRead, answer);
    }
  }

  /** The rest of the body, in memory of its own. @returns {Promise<Uint8Array>} */
  async bytes() {
    return new Uint8Array(await this.arrayBuffer());
  }

  /** The rest of the body. @returns {Promise<ArrayBuffer>} */
  async arrayBuffer() {
    const { buffer, byteOffset, length } = await this.read();
    return length === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + length);
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
    const fd = this.#inflow.open ? this.#channel.transport?.socket?._handle?.fd : undefined;
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
    return !this.#inflow.open;
  }

  /** Closes the response. The connection is closed too, unless the body was read to its end. */
  close() {
    this.#inflow.close();
  }

  /**
   * Gives the socket away, of a response behind whose head no more HTTP comes: 101, a 2xx to CONNECT, and one whose body
   * runs to the end of the connection.
   *
   * @returns {{socket: import('node:stream').Duplex, head: Buffer}} a stream, and what was received and no read was given
   * @throws {ImproperConnectionState} for a body with framing, while one is being sent, or when there is no socket
   */
  detach() {
    const channel = this.#channel;
    if (!this.#inflow.open || channel.transport === null || channel.failed || !this.#inflow.isRaw || channel.core.uploading) {
      throw new ImproperConnectionState(
        'there is nothing to detach: it takes an open response of 101, or one whose body runs to the end of the connection, ' +
          'and no body that is being sent',
      );
    }
    const given = this.#source.requests.detachResponse(channel);
    this.#inflow.givenAway();
    return given;
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }

  /** What console.log shows. The values of cookies are for who asks for them. */
  [SHOWN](depth, options, inspect) {
    const state = () => {
      const { status, reason, version, url, closed } = this;
      const headers = Object.fromEntries(this.headers.keys().map((name) => [name, COOKIE.test(name) ? '…' : this.getheader(name)]));
      return { status, reason, version, url, closed, headers };
    };
    return shown(this, state, depth, options, inspect);
  }

  // ---- inside ----

  /** Begins a read, once its arguments are checked. */
  #perform(prepare, wasRead = true) {
    let operation;
    try {
      operation = prepare();
    } catch (error) {
      return Promise.reject(error);
    }
    const result = this.#inflow.perform(operation);
    this.#wasRead = wasRead;
    return result;
  }
}

/** A proxy is an instance, too. */
const isUint8 = (view) => view instanceof Uint8Array && ArrayBuffer.isView(view);

function asTarget(view) {
  if (!ArrayBuffer.isView(view) && !isBytes(view)) {
    throw argumentError(`readinto needs an ArrayBufferView or an ArrayBuffer, not ${kindOf(view)}`, 'ERR_INVALID_ARG_TYPE');
  }
  try {
    const target = isUint8(view) ? view : ArrayBuffer.isView(view) ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(view);
    if (target.length === 0) target.at(0); // throws where it has no memory: 0 would be the end of the body
    return target;
  } catch {
    throw argumentError('the memory given to readinto was transferred or shrunk before');
  }
}

function decoderFor(charset) {
  try {
    return new TextDecoder(charset?.replaceAll('_', '-').replace(/^latin-(?=\d)/, 'latin') ?? 'utf-8');
  } catch {
    return new TextDecoder();
  }
}
