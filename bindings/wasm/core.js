// SPDX-License-Identifier: MIT
//
// The C core as JavaScript sees it: the module, its memory, and one object for each porthole_conn.
//
// The memory of an instance is laid out once and never grows after that: a scratch area for the arguments of a call, and
// slots of one connection each with its buffers. Pages that nobody touched take no room. When all slots are taken, another
// instance is made.

import { Buffer } from 'node:buffer';
import { Host } from '../node/host.js';
import { argumentError, coreError } from '../../js/errors.js';
import {
  DEFAULT_CHUNK_EXTENSION,
  DEFAULT_HEAD,
  DEFAULT_HEADERS,
  DEFAULT_INTERIM,
  DEFAULT_LINE,
  DEFAULT_TRAILERS,
  LIMIT_BODY,
  LIMIT_CHUNK_EXTENSION,
  LIMIT_HEAD,
  LIMIT_HEADERS,
  LIMIT_INTERIM,
  LIMIT_LINE,
  LIMIT_TRAILERS,
  VIEW_LIMIT,
  VIEW_REFUSED,
  VIEW_TX_LENGTH,
  VIEW_TX_SENT,
  VIEW_WORDS,
} from '../generated/abi.js';
import { wasmBytes } from '../generated/core-wasm.js';
import * as codes from '../generated/errors.js';

const PAGE = 65536;
const SLOTS_MAX = 64;
const SLOTS_SIZE = 64 * 1024 * 1024; // of all slots of an instance
const TX_SIZE = 256 * 1024;
const RX_SIZE = 512 * 1024;
const TABLE_SIZE = 64 * 1024; // of the scratch area: tables of 16 bytes an entry
const LIMIT_MAX = 16 * 1024 * 1024; // of all but the body's: what fits into memory

/** The names of limits, and their numbers. */
const LIMITS = {
  __proto__: null,
  line: LIMIT_LINE,
  headers: LIMIT_HEADERS,
  head: LIMIT_HEAD,
  interim: LIMIT_INTERIM,
  trailers: LIMIT_TRAILERS,
  chunk_extension: LIMIT_CHUNK_EXTENSION,
  body: LIMIT_BODY,
};

const DEFAULTS = Object.freeze({
  line: DEFAULT_LINE,
  headers: DEFAULT_HEADERS,
  head: DEFAULT_HEAD,
  interim: DEFAULT_INTERIM,
  trailers: DEFAULT_TRAILERS,
  chunk_extension: DEFAULT_CHUNK_EXTENSION,
  body: Infinity,
});

/** Strings up to this length are written faster by a loop than by a call. */
const SHORT = 64;

/** A string with a character that ISO-8859-1 lacks. */
const wide = /[^\0-\xff]/;
const allWide = /[^\0-\xff]/g;

let module;
const instances = [];

/** @param {string} text @returns {boolean} does it hold characters above U+00FF? */
export function isWide(text) {
  return wide.test(text);
}

/** One instance of the module with its slots. */
class Instance {
  constructor(rxSize) {
    module ??= new WebAssembly.Module(wasmBytes());
    this.rxSize = rxSize;
    this.host = new Host();
    const instance = new WebAssembly.Instance(module, { porthole_host_v1: this.host.imports });
    const exports = instance.exports;
    exports._initialize?.();
    this.exports = exports;

    const align = (number) => (number + 15) & ~15;
    this.table = align(exports.porthole_heap());
    this.text = this.table + TABLE_SIZE;
    this.textSize = Math.max(TX_SIZE, rxSize) + PAGE;
    const connSize = align(exports.porthole_conn_size());
    const slotSize = connSize + TX_SIZE + rxSize;
    const first = align(this.text + this.textSize);
    const slots = Math.max(1, Math.min(SLOTS_MAX, Math.floor(SLOTS_SIZE / slotSize)));
    const end = first + slots * slotSize;
    const memory = exports.memory;
    memory.grow(Math.ceil((end - memory.buffer.byteLength) / PAGE));
    this.bytes = Buffer.from(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.host.bytes = this.bytes;
    this.free = [];
    for (let slot = slots - 1; slot >= 0; slot--) this.free.push(first + slot * slotSize);
    this.connSize = connSize;
  }

  /** Writes strings of ISO-8859-1 behind each other into the scratch area. @returns its address */
  writeText(text) {
    if (text.length > this.textSize) throw coreError(codes.REQUEST_TOO_LARGE, { limit: TX_SIZE });
    this.bytes.latin1Write(text, this.text);
    return this.text;
  }

  /**
   * Writes a string into the scratch area. Characters that ISO-8859-1 lacks become U+00FF: the core refuses that where only
   * ASCII may stand; values were looked at before.
   *
   * @returns {number} where it ends
   */
  writePart(text, at) {
    const { length } = text;
    const end = at + length;
    if (end > this.text + this.textSize) throw coreError(codes.REQUEST_TOO_LARGE, { limit: TX_SIZE });
    if (length > SHORT) {
      this.bytes.latin1Write(wide.test(text) ? text.replace(allWide, '\xff') : text, at);
      return end;
    }
    const { bytes } = this;
    for (let i = 0; i < length; i++) {
      bytes[at + i] = Math.min(text.charCodeAt(i), 0xff);
    }
    return end;
  }
}

function instanceFor(rxSize) {
  for (const instance of instances) {
    if (instance.rxSize === rxSize && instance.free.length > 0) return instance;
  }
  const instance = new Instance(rxSize);
  instances.push(instance);
  return instance;
}

/** The instance for calls that need no connection. */
function anyInstance() {
  return instances[0] ?? instanceFor(RX_SIZE);
}

/**
 * Splits "host:port" and checks the host's characters.
 *
 * @param {string} text what the caller gave as the host
 * @param {boolean} hasPort does the caller give a port of its own?
 * @returns {{host: string, port: number | null}} the host as given, without brackets and port
 * @throws {InvalidURL}
 */
export function splitHost(text, hasPort) {
  const { exports, bytes, words, table, text: at, textSize } = anyInstance();
  if (text.length * 3 > textSize) throw coreError(codes.BAD_HOST, { subject: 'the host is too long' });
  const length = bytes.utf8Write(text, at);
  const error = exports.porthole_split_host(at, length, hasPort ? 1 : 0, table);
  if (error !== 0) throw coreError(error, { subject: JSON.stringify(text) });
  const [offset, size, port] = words.subarray(table >> 2);
  return { host: bytes.utf8Slice(at + offset, at + offset + size), port: port === 0xffffffff ? null : port };
}

/**
 * Calls a lister of the core on a text.
 *
 * @returns {Uint32Array} four words for each entry
 */
function list(name, text) {
  const instance = instances.find(({ textSize }) => textSize >= 2 * text.length) ?? instanceFor(2 * text.length + PAGE);
  const { exports, words, table } = instance;
  const at = instance.writeText(text);
  let count = exports[name](at, text.length, table, TABLE_SIZE / 16);
  let entries = table;
  if (count > TABLE_SIZE / 16) {
    // Rare, since the limit was raised for it: the table goes behind the text, as far as it fits.
    entries = (at + text.length + 15) & ~15;
    const capacity = Math.floor((at + instance.textSize - entries) / 16);
    count = Math.min(exports[name](at, text.length, entries, capacity), capacity);
  }
  return words.subarray(entries >> 2, (entries >> 2) + 4 * count);
}

/**
 * Lists the fields of a head or of a trailer section that the core has accepted.
 *
 * @param {string} text field lines
 * @returns {string[]} name, value, name, value, …
 */
export function listFields(text) {
  const entries = list('porthole_fields_list', text);
  const fields = [];
  for (let i = 0; i < entries.length; i += 4) {
    fields.push(
      text.substring(entries[i], entries[i] + entries[i + 1]),
      text.substring(entries[i + 2], entries[i + 2] + entries[i + 3]),
    );
  }
  return fields;
}

/**
 * Splits a value with parameters at its semicolons and equals signs (RFC 9110 section 5.6.6).
 *
 * @param {string} value such as `text/html; charset="utf-8"`
 * @returns {Array<[name: string, value: string | null]>} the parts in order, the first included, quotes kept
 */
export function splitParams(value) {
  const entries = list('porthole_params_list', value);
  const parts = [];
  for (let i = 0; i < entries.length; i += 4) {
    const name = value.substring(entries[i], entries[i] + entries[i + 1]);
    const missing = entries[i + 3] === 0xffffffff;
    parts.push([name, missing ? null : value.substring(entries[i + 2], entries[i + 2] + entries[i + 3])]);
  }
  return parts;
}

/**
 * @param {unknown} limits see `limits` in the manual
 * @returns {Record<string, number>} all of them: the defaults where they don't say otherwise
 * @throws {TypeError} for a limit that there isn't, or a value that it can't have
 */
export function checkLimits(limits) {
  if (limits === null || limits === undefined) return DEFAULTS;
  if (typeof limits !== 'object') throw argumentError('limits must be an object', 'ERR_INVALID_ARG_TYPE');
  const checked = { ...DEFAULTS };
  for (const [name, value] of Object.entries(limits)) {
    if (LIMITS[name] === undefined) {
      throw argumentError(`there is no limit "${name}": it must be one of ${Object.keys(LIMITS).join(', ')}`);
    }
    if (value === undefined || value === null) continue;
    const body = name === 'body';
    if (typeof value !== 'number') {
      throw argumentError(`the limit "${name}" must be a number, not ${typeof value}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (!(body && value === Infinity) && (!Number.isSafeInteger(value) || value < 0 || (!body && value > LIMIT_MAX))) {
      throw argumentError(
        `the limit "${name}" must be a whole number from 0${body ? '' : ` to ${LIMIT_MAX}`}, not ${value}`,
      );
    }
    checked[name] = value;
  }
  return Object.freeze(checked);
}

/** One porthole_conn. */
export class Core {
  #instance;
  #freed = false;
  #bodyLimit; // the view has its lower half only

  /** @param {Record<string, number> | null} limits see `limits` in the manual; null for the defaults */
  constructor(limits) {
    const head = limits?.head ?? DEFAULT_HEAD;
    const instance = instanceFor(head >= RX_SIZE / 2 + 1 ? Math.ceil((2 * head + 1) / PAGE) * PAGE : RX_SIZE);
    this.#instance = instance;
    this.exports = instance.exports;
    this.host = instance.host;
    this.address = instance.free.pop();
    const tx = this.address + instance.connSize;
    const rx = tx + TX_SIZE;
    this.exports.porthole_conn_init(this.address, tx, TX_SIZE, rx, instance.rxSize);
    /** The members of porthole_view. */
    this.view = new Uint32Array(instance.words.buffer, this.address, VIEW_WORDS);
    /** The receive buffer. */
    this.rx = instance.bytes.subarray(rx, rx + instance.rxSize);
    this.#bodyLimit = limits?.body;
    for (const name in limits) {
      if (limits[name] !== DEFAULTS[name]) this.#setLimit(LIMITS[name], limits[name]);
    }
  }

  #setLimit(limit, value) {
    this.exports.porthole_conn_set_limit(this.address, limit, value >>> 0, Math.floor(value / 2 ** 32));
  }

  /** Gives the slot back. */
  free() {
    if (this.#freed) return;
    this.#freed = true;
    this.exports.porthole_conn_close(this.address);
    this.#instance.free.push(this.address);
  }

  /** The error for a code that a call answered with. */
  error(number, details = {}) {
    const limit = number === codes.BODY_TOO_LARGE ? this.#bodyLimit : this.view[VIEW_LIMIT];
    return coreError(number, { limit, ...details });
  }

  /** @param {string} host ASCII @param {number} port @param {number} defaultPort */
  setAuthority(host, port, defaultPort) {
    const at = this.#instance.writeText(host);
    const error = this.exports.porthole_conn_set_authority(this.address, at, host.length, port, defaultPort);
    if (error !== 0) throw coreError(error, { subject: JSON.stringify(`${host}:${port}`) });
  }

  /**
   * Writes strings into the scratch area, and the addresses and lengths of `parts` into its table: as porthole_field when
   * they are names and values in turn, as porthole_span when they are values only.
   *
   * @param {string} first text that goes before them
   * @param {string} second … and behind the first
   * @param {string[]} parts
   */
  #write(first, second, parts) {
    const instance = this.#instance;
    const { words } = instance;
    if (parts.length * 8 > TABLE_SIZE) throw coreError(codes.REQUEST_TOO_LARGE, { limit: TX_SIZE });
    let at = instance.writePart(first, instance.text);
    at = instance.writePart(second, at);
    let word = instance.table >> 2;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      words[word++] = at;
      words[word++] = part.length;
      at = instance.writePart(part, at);
    }
  }

  /** Writes headers: name, value, name, value, … */
  #writeFields(first, second, headers) {
    for (let i = 1; i < headers.length; i += 2) {
      if (wide.test(headers[i])) {
        throw coreError(codes.WIDE_HEADER_VALUE, { subject: JSON.stringify(`${headers[i - 1]}: ${headers[i]}`) });
      }
    }
    this.#write(first, second, headers);
  }

  #refused(error, method, url, headers) {
    return this.error(error, { subject: subjectOf(error, method, url, headers, this.view[VIEW_REFUSED]) });
  }

  /** porthole_conn_request. @param {string[]} headers name, value, … */
  request(method, url, headers, body, size, flags) {
    const { table, text } = this.#instance;
    this.#writeFields(method, url, headers);
    const error = this.exports.porthole_conn_request(
      this.address,
      text,
      method.length,
      text + method.length,
      url.length,
      table,
      headers.length >> 1,
      body,
      size >>> 0,
      Math.floor(size / 2 ** 32),
      flags,
    );
    if (error !== 0) throw this.#refused(error, method, url, headers);
  }

  /** porthole_conn_putrequest */
  putrequest(method, url, flags) {
    const { text } = this.#instance;
    this.#write(method, url, []);
    const error = this.exports.porthole_conn_putrequest(
      this.address,
      text,
      method.length,
      text + method.length,
      url.length,
      flags,
    );
    if (error !== 0) throw this.#refused(error, method, url, []);
  }

  /** porthole_conn_putheader */
  putheader(name, values) {
    const { table } = this.#instance;
    if (values.some(isWide)) {
      throw coreError(codes.WIDE_HEADER_VALUE, { subject: JSON.stringify(`${name}: ${values.join(', ')}`) });
    }
    this.#write(name, '', values);
    const error = this.exports.porthole_conn_putheader(
      this.address,
      this.#instance.text,
      name.length,
      table,
      values.length,
    );
    if (error !== 0) throw this.#refused(error, '', '', [name, values.join(', ')]);
  }

  /** porthole_conn_endheaders */
  endheaders(body, size, flags) {
    const error = this.exports.porthole_conn_endheaders(
      this.address,
      body,
      size >>> 0,
      Math.floor(size / 2 ** 32),
      flags,
    );
    if (error !== 0) throw this.error(error);
  }

  /** porthole_conn_start_tls @returns {number} 0, WANT_READ or an error */
  startTls(name, flags) {
    const at = this.#instance.writeText(name);
    return this.exports.porthole_conn_start_tls(this.address, at, name.length, flags);
  }

  /** porthole_conn_check_trailers @throws for one that can't be sent */
  checkTrailers(trailers) {
    this.#writeFields('', '', trailers);
    const error = this.exports.porthole_conn_check_trailers(this.address, this.#instance.table, trailers.length >> 1);
    if (error !== 0) throw this.#refused(error, '', '', trailers);
  }

  /** porthole_conn_tunnel */
  tunnel(host, port, headers) {
    const { table, text } = this.#instance;
    this.#writeFields(host, '', headers);
    const error = this.exports.porthole_conn_tunnel(this.address, text, host.length, port, table, headers.length >> 1);
    if (error !== 0) throw this.#refused(error, '', `${host}:${port}`, headers);
  }

  /** What is staged and not sent. @returns {Buffer} a copy */
  staged() {
    const tx = this.address + this.#instance.connSize;
    return Buffer.from(this.#instance.bytes.subarray(tx + this.view[VIEW_TX_SENT], tx + this.view[VIEW_TX_LENGTH]));
  }

  /** porthole_conn_body_end */
  bodyEnd(trailers) {
    this.#writeFields('', '', trailers);
    const error = this.exports.porthole_conn_body_end(this.address, this.#instance.table, trailers.length >> 1);
    if (error !== 0) throw this.#refused(error, '', '', trailers);
  }
}

/** What to show of the argument that the core refused. */
function subjectOf(error, method, url, headers, index) {
  if (error === codes.EMPTY_METHOD || error === codes.BAD_METHOD) return JSON.stringify(method);
  if (error <= codes.BAD_URL && error >= codes.URL_HOST) return JSON.stringify(url);
  if (error <= codes.EMPTY_HOST && error >= codes.HOST_NEEDS_BRACKETS) return JSON.stringify(url);
  const aboutHeader = error <= codes.EMPTY_HEADER_NAME && error >= codes.TRAILER_FORBIDDEN;
  if (!aboutHeader || error === codes.LENGTH_MISMATCH || 2 * index >= headers.length) return undefined;
  const name = headers[2 * index];
  return JSON.stringify(error === codes.BAD_HEADER_NAME ? name : `${name}: ${headers[2 * index + 1]}`);
}
