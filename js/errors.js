// SPDX-License-Identifier: MIT
//
// The error classes of http.client, and the way from a code of the core to an error.

import { ERRORS } from '../bindings/generated/errors.js';

/** Marks every porthole error, so that `instanceof` holds across copies of the package. */
const brand = Symbol.for('porthole.error');

/** `instanceof` of the classes of errors: by the prototype, or by the brand of another copy's class of that name. */
function isInstance(value) {
  if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
  if (value === null || typeof value !== 'object') return false;
  const path = this.prototype[brand];
  return Object.hasOwn(this.prototype, brand) && `${value[brand] ?? ''}/`.startsWith(`${path}/`);
}

const hasInstance = { value: isInstance, configurable: true };

function define(prototype, name, code) {
  Object.defineProperty(prototype, 'name', { value: name, configurable: true, writable: true });
  Object.defineProperty(prototype, brand, { value: `${prototype[brand] ?? ''}/${name}` });
  if (code !== undefined) {
    Object.defineProperty(prototype, 'code', { value: code, configurable: true, writable: true, enumerable: true });
  }
}

const TEXT_MAX = 200; // characters that a message shows of a text that is not ours

/** What would act on a terminal or hide in a text: controls, and what has no width or turns the direction of writing. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const escaped = (character) => {
  const code = character.codePointAt(0).toString(16);
  return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`;
};

/**
 * What a message shows of a text that the peer sent: on one line, with what can't be seen escaped, and a long end left out.
 *
 * @param {string} text
 * @returns {string}
 */
export function printable(text) {
  const line = text.trimEnd();
  return (line.length <= TEXT_MAX ? line : `${line.slice(0, TEXT_MAX)}…`).replace(UNSEEN, escaped);
}

/** The base of all errors that the protocol raises; directly: more headers than allowed, and other broken heads. */
export class HTTPException extends Error {
  /**
   * @param {string} [message]
   * @param {{cause?: unknown, code?: string}} [options]
   */
  constructor(message = '', options = undefined) {
    super(message, options);
    if (options?.code !== undefined) this.code = options.code;
  }
}
Object.defineProperty(HTTPException, Symbol.hasInstance, hasInstance);
define(HTTPException.prototype, 'HTTPException', 'ERR_HTTP_EXCEPTION');

/** Sending while the connection is closed and `auto_open` is 0, or waiting when it is closed. */
export class NotConnected extends HTTPException {}
define(NotConnected.prototype, 'NotConnected', 'ERR_HTTP_NOT_CONNECTED');

/** A host, port or URL that can't be used. */
export class InvalidURL extends HTTPException {}
define(InvalidURL.prototype, 'InvalidURL', 'ERR_HTTP_INVALID_URL');

/** The server speaks a version of HTTP other than 1.x. */
export class UnknownProtocol extends HTTPException {
  /**
   * @param {string} version what the status line says, such as `HTTP/2`
   * @param {{cause?: unknown}} [options]
   */
  constructor(version, options = undefined) {
    super(printable(version), options);
    this.version = version;
  }
}
define(UnknownProtocol.prototype, 'UnknownProtocol', 'ERR_HTTP_UNKNOWN_PROTOCOL');

/** A `Transfer-Encoding` other than exactly `chunked`. */
export class UnknownTransferEncoding extends HTTPException {}
define(UnknownTransferEncoding.prototype, 'UnknownTransferEncoding', 'ERR_HTTP_UNKNOWN_TRANSFER_ENCODING');

/** Kept for compatibility: never raised. */
export class UnimplementedFileMode extends HTTPException {}
define(UnimplementedFileMode.prototype, 'UnimplementedFileMode', 'ERR_HTTP_UNIMPLEMENTED_FILE_MODE');

/** The head or the body ended early, or the chunk framing broke. */
export class IncompleteRead extends HTTPException {
  /**
   * @param {Buffer} partial all body bytes received and not yet returned
   * @param {number | null} [expected] bytes that are still missing, where that is known
   * @param {{cause?: unknown}} [options]
   */
  constructor(partial, expected = null, options = undefined) {
    super(`${partial.length} bytes read${expected === null ? '' : `, ${expected} more expected`}`, options);
    this.partial = partial;
    this.expected = expected;
  }
}
define(IncompleteRead.prototype, 'IncompleteRead', 'ERR_HTTP_INCOMPLETE_READ');

/** The base of the next three: calls out of order. */
export class ImproperConnectionState extends HTTPException {}
define(ImproperConnectionState.prototype, 'ImproperConnectionState', 'ERR_HTTP_IMPROPER_CONNECTION_STATE');

/** A new request while the one before is not finished. */
export class CannotSendRequest extends ImproperConnectionState {}
define(CannotSendRequest.prototype, 'CannotSendRequest', 'ERR_HTTP_CANNOT_SEND_REQUEST');

/** A header with no request started. */
export class CannotSendHeader extends ImproperConnectionState {}
define(CannotSendHeader.prototype, 'CannotSendHeader', 'ERR_HTTP_CANNOT_SEND_HEADER');

/** No request has been sent, or the response before was not read to its end. */
export class ResponseNotReady extends ImproperConnectionState {}
define(ResponseNotReady.prototype, 'ResponseNotReady', 'ERR_HTTP_RESPONSE_NOT_READY');

/** The status line was not understood. */
export class BadStatusLine extends HTTPException {
  /**
   * @param {string} line the line as it was received
   * @param {{cause?: unknown, message?: string}} [options]
   */
  constructor(line, options = undefined) {
    super(options?.message ?? (printable(line) || "''"), options);
    this.line = line;
  }
}
define(BadStatusLine.prototype, 'BadStatusLine', 'ERR_HTTP_BAD_STATUS_LINE');

/** A line longer than the limit of 65 536 bytes. */
export class LineTooLong extends HTTPException {}
define(LineTooLong.prototype, 'LineTooLong', 'ERR_HTTP_LINE_TOO_LONG');

/** The peer closed the connection before any byte of a response. */
export class RemoteDisconnected extends BadStatusLine {
  /**
   * @param {string} [message]
   * @param {{cause?: unknown}} [options]
   */
  constructor(message = 'Remote end closed connection without response', options = undefined) {
    super('', { ...options, message });
  }
}
define(RemoteDisconnected.prototype, 'RemoteDisconnected', 'ECONNRESET');

/** Nothing moved for as long as a timeout allows. */
export class TimeoutError extends Error {
  /**
   * @param {'lookup' | 'connect' | 'tls' | 'send' | 'continue' | 'receive'} phase what was waited for
   * @param {number} limit seconds allowed
   * @param {number} elapsed seconds waited
   * @param {string} [what] what had the limit
   */
  constructor(phase, limit, elapsed, what = 'timeout') {
    super(`timed out: ${phase} took longer than the ${what} of ${limit} s`);
    this.phase = phase;
    this.limit = limit;
    this.elapsed = elapsed;
  }
}
Object.defineProperty(TimeoutError, Symbol.hasInstance, hasInstance);
define(TimeoutError.prototype, 'TimeoutError', 'ETIMEDOUT');

/** The proxy answered CONNECT with anything but 2xx. */
export class TunnelError extends Error {
  /**
   * @param {number} status
   * @param {string} reason
   */
  constructor(status, reason) {
    super(`Tunnel connection failed: ${status} ${printable(reason)}`.trimEnd());
    this.status = status;
    this.reason = reason;
  }
}
Object.defineProperty(TunnelError, Symbol.hasInstance, hasInstance);
define(TunnelError.prototype, 'TunnelError', 'ERR_TUNNEL');

/** http.client's older name for HTTPException. */
export const error = HTTPException;

const classes = {
  __proto__: null,
  HTTPException,
  NotConnected,
  InvalidURL,
  UnknownProtocol,
  UnknownTransferEncoding,
  IncompleteRead,
  CannotSendRequest,
  CannotSendHeader,
  ResponseNotReady,
  BadStatusLine,
  LineTooLong,
  RemoteDisconnected,
  TypeError,
  Error,
};

/** Which limit was passed, as the option `limits` names it. */
const limits = {
  __proto__: null,
  STATUS_LINE_TOO_LONG: 'line',
  HEADER_LINE_TOO_LONG: 'line',
  CHUNK_LINE_TOO_LONG: 'line',
  TRAILER_LINE_TOO_LONG: 'line',
  TOO_MANY_HEADERS: 'headers',
  TOO_MANY_TRAILERS: 'trailers',
  HEAD_TOO_LARGE: 'head',
  TOO_MANY_INTERIM: 'interim',
  EXTENSIONS_TOO_LARGE: 'chunk_extension',
  BODY_TOO_LARGE: 'body',
};

/**
 * A TypeError for an argument, with Node's `code`.
 *
 * @param {string} message
 * @param {string} [code]
 * @returns {TypeError & {code: string}}
 */
export function argumentError(message, code = 'ERR_INVALID_ARG_VALUE') {
  return Object.assign(new TypeError(message), { code });
}

/**
 * What a caller's own code has thrown, or rejected with: null and undefined say nothing, and would look like no failure.
 *
 * @param {string} what of the caller's has failed
 * @param {unknown} value
 * @returns {any} an error, unless something else was thrown
 */
export function thrownBy(what, value) {
  return value ?? new Error(`${what} failed, and gave no error`);
}

function className(value) {
  const name = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? name : 'no class';
}

/**
 * @param {unknown} value that was refused
 * @returns {string} what a person calls it. Strings and functions are not shown: they may hold a secret.
 */
export function kindOf(value) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return `an object of ${className(value)}`;
  if (typeof value === 'string') return value === '' ? 'an empty string' : 'a string';
  return typeof value === 'function' ? 'a function' : `${typeof value} ${String(value)}`;
}

/** @param {string} text @returns {string} in quotes, with a long end left out */
export function quoted(text) {
  return JSON.stringify(text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`);
}

/**
 * Hides the user information of a host or a URL: all before the last `@`, unless it is a path of the server that is asked.
 *
 * @param {string} text
 * @returns {string}
 */
export function withoutUserinfo(text) {
  const at = text.lastIndexOf('@');
  if (at === -1 || (text[0] === '/' && text[1] !== '/')) return text;
  return `${/^(?:[a-z][a-z0-9+.-]*:)?\/\//i.exec(text)?.[0] ?? ''}***${text.slice(at)}`;
}

/** What to do about a call out of order: by the class of the error, and Python's word for the state. */
const REMEDIES = {
  __proto__: null,
  CannotSendRequest: {
    __proto__: null,
    Idle: 'connect() is under way: await it before the next request',
    'Request-started': 'call endheaders() before the next request, or close() to give this one up',
    'Request-sent': 'call getresponse() and read the response before the next request',
  },
  CannotSendHeader: {
    __proto__: null,
    Idle: 'call putrequest() first',
    'Request-started': 'call putrequest() first',
    'Request-sent': 'its headers are sent: call putrequest() for the next request first',
  },
  ResponseNotReady: {
    __proto__: null,
    Idle: 'send a request, and await that, before getresponse(); what close() or an error has ended is to be sent again',
    'Request-started': 'call endheaders(), and await that, before getresponse()',
    'Request-sent': 'read the response before to its end, or close() it, before the next getresponse()',
  },
};

/**
 * The error for a call out of order: Python's word for the state, and what to do.
 *
 * @template {ImproperConnectionState} T
 * @param {new (message: string) => T} Class
 * @param {'Idle' | 'Request-started' | 'Request-sent'} word
 * @param {string} [remedy] where the usual one doesn't fit
 * @returns {T}
 */
export function stateError(Class, word, remedy = REMEDIES[Class.prototype.name]?.[word]) {
  return new Class(remedy === undefined ? word : `${word}: ${remedy}`);
}

/**
 * Adds to the error of JSON.parse why there is nothing to parse, where that is known.
 *
 * @template {Error & {hint?: string}} T
 * @param {T} error a SyntaxError
 * @param {string} text that was parsed
 * @param {boolean} wasRead was some of the body read before, by another call?
 * @param {string | null} [answer] what is known of the answer
 * @returns {T} the same error
 */
export function jsonError(error, text, wasRead, answer = null) {
  const { message, stack } = error;
  error.message = message.replace(UNSEEN, escaped); // it quotes the body
  error.stack = stack?.replace(message, () => error.message);
  if (answer !== null) return hinted(error, answer);
  if (!wasRead && text !== '') return error;
  const hint = wasRead
    ? `${text === '' ? 'the body' : 'the beginning of the body'} was read before: keep what the first read gave, and parse that`
    : 'the response has no body';
  return hinted(error, hint);
}

/**
 * Adds to an error of WebAssembly, when there was no room for a memory, what to do about it.
 *
 * @param {any} error what `new WebAssembly.Instance`, `new WebAssembly.Memory` or `grow` threw
 * @returns {any} the same error
 */
export function memoryHint(error) {
  if (!(error instanceof RangeError) || !/allocate|out of memory/i.test(error.message)) return error;
  return hinted(
    error,
    'each memory of WebAssembly reserves some 10 GB of addresses, which ulimit -v and the like forbid: raise that limit, or ' +
      'run node with --disable-wasm-trap-handler',
  );
}

/**
 * @template {Error & {hint?: string}} T
 * @param {T} error its `code` stays, the message gets longer
 * @param {string} hint what to do about it
 * @returns {T} the same error
 */
export function hinted(error, hint) {
  error.hint = hint;
  error.message = `${error.message.trimEnd()} (${hint})`; // OpenSSL ends its words with a line end
  return error;
}

/** @returns {TypeError} for who calls the constructor of HTTPResponse, as CPython's takes a socket */
export function responseByHand() {
  return argumentError(
    'responses are made by getresponse(), and not by hand: to parse bytes that you have, give HTTPConnection a ' +
      'create_connection that returns a Duplex with them, or a connected socket as its sock',
  );
}

/**
 * The error that stands for a code of the core.
 *
 * @param {number} number a code of errors.def
 * @param {object} [details]
 * @param {number} [details.limit] the limit that was passed
 * @param {string} [details.line] the line that was not understood (BadStatusLine, UnknownProtocol)
 * @param {Buffer} [details.partial] body bytes received and not returned (IncompleteRead)
 * @param {number | null} [details.expected] body bytes still missing (IncompleteRead)
 * @param {string} [details.subject] what was refused, for the message
 * @returns {Error & {code: string}}
 */
export function coreError(number, details = {}) {
  const entry = ERRORS[number];
  if (entry === undefined) return Object.assign(new Error(`unknown error ${number}`), { code: 'ERR_HTTP_HOST_FAULT' });
  const text = entry.text.replace('%u', String(details.limit ?? ''));
  const message = details.subject === undefined ? text : `${text}: ${details.subject}`;
  switch (entry.class) {
    case 'IncompleteRead':
      return new IncompleteRead(details.partial ?? Buffer.alloc(0), details.expected ?? null, {
        cause: new Error(message),
      });
    case 'BadStatusLine':
      return new BadStatusLine(details.line ?? '');
    case 'UnknownProtocol':
      return new UnknownProtocol(/^[^ \r\n]*/.exec(details.line ?? '')[0]);
    case 'RemoteDisconnected':
      return new RemoteDisconnected(message);
    default: {
      const error = new classes[entry.class](message);
      error.code = entry.code;
      const limit = limits[entry.name];
      if (limit !== undefined) Object.assign(error, { limit_name: limit, limit: details.limit });
      return error;
    }
  }
}
