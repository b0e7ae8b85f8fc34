// SPDX-License-Identifier: MIT
//
// One porthole_conn in an instance of porthole.wasm: what callers know of the ABI is here, in instance.js and in fields.js,
// and nowhere else. Numbers go out (codes, offsets, counts), strings of ISO-8859-1 go in and out; errors are codes of
// errors.def, which the callers make errors of. The names are those of porthole.h, which says what each does.

import {
  ANSWERED,
  BODY_NONE,
  CHUNKED,
  ENDED,
  HAS_LENGTH,
  IDLE,
  OPEN,
  PHASE_END,
  PHASE_TUNNEL,
  UNUSABLE,
  UPLOAD_OPEN,
  UPLOAD_STOPPED,
  VIEW_AVAILABLE,
  VIEW_BODY,
  VIEW_BODY_LENGTH,
  VIEW_ERROR,
  VIEW_FIELDS,
  VIEW_FLAGS,
  VIEW_HEAD,
  VIEW_HEAD_LENGTH,
  VIEW_KEEP_ALIVE,
  VIEW_LEFT_HIGH,
  VIEW_LEFT_LOW,
  VIEW_LIMIT,
  VIEW_PHASE,
  VIEW_RAW,
  VIEW_RAW_LENGTH,
  VIEW_REASON,
  VIEW_REASON_LENGTH,
  VIEW_REFUSED,
  VIEW_STATE,
  VIEW_STATUS,
  VIEW_TRAILER,
  VIEW_TRAILER_LENGTH,
  VIEW_TX_LENGTH,
  VIEW_TX_SENT,
  VIEW_UPLOAD,
  VIEW_VERSION,
  VIEW_WORDS,
  WILL_CLOSE,
} from '../generated/abi.js';
import { REQUEST_TOO_LARGE, WIDE_HEADER_VALUE } from '../generated/errors.js';
import { DEFAULT_LIMITS, LIMITS } from '../generated/limits.js';
import { instanceFor, TABLE_SIZE } from './instance.js';
import { Last } from './last.js';
import { isWide, readLatin1 } from './text.js';

/** Bodies up to so many bytes are copied faster by a loop than by a call and the view that it wants. */
const SHORT = 64;
/** Of a connection that has no receive buffer. */
const NO_BUFFER = new Uint8Array();
/** … and of one that was freed. */
const NO_VIEW = new Uint32Array(VIEW_WORDS);

/** Copies a few bytes. */
function copyShort(from, at, count, target, offset) {
  for (let i = 0; i < count; i++) target[offset + i] = from[at + i];
}

export class Connection {
  #instance;
  #exports;
  #address;
  #view; // porthole_view
  #rx = NO_BUFFER; // the receive buffer …
  #rxAddress = 0; // … and its address
  #memory; // of the instance
  #freed = false;
  #bodyLimit; // the view has its lower half only
  #last = new Last();
  #repeated = false; // is the head that is staged, byte for byte, that of the request before?

  /** @param {Record<string, number> | null} limits by name; null for the defaults */
  constructor(limits) {
    const instance = instanceFor(limits?.head ?? DEFAULT_LIMITS.head);
    const address = instance.take();
    const tx = address + instance.connSize;
    this.#instance = instance;
    this.#exports = instance.exports;
    this.#address = address;
    instance.exports.porthole_conn_init(address, tx, instance.txSize, 0, instance.rxSize);
    instance.exports.porthole_conn_set_timeout(address, 0); // the core neither waits nor listens: the transport tells
    this.#memory = instance.words.buffer;
    this.#view = new Uint32Array(this.#memory, address, VIEW_WORDS);
    this.#bodyLimit = limits?.body;
    for (const name in limits) {
      if (limits[name] === DEFAULT_LIMITS[name]) continue;
      instance.exports.porthole_flat_set_limit(address, LIMITS[name], limits[name] >>> 0, Math.floor(limits[name] / 2 ** 32));
    }
  }

  /**
   * Gives the slot back: nothing of this may be used after it. Idempotent. Whoever still holds this, as a caller does who keeps
   * a response, holds no memory of the instance with it.
   */
  free() {
    if (this.#freed) return;
    this.#freed = true;
    const instance = this.#instance;
    this.#exports.porthole_conn_close(this.#address);
    if (this.#rxAddress !== 0) instance.buffers.push(this.#rxAddress);
    this.#instance = null;
    this.#exports = null;
    this.#last.forget();
    this.#view = NO_VIEW;
    this.#rx = NO_BUFFER;
    this.#memory = null;
    instance.giveBack(this.#address);
  }

  /** Takes a receive buffer. There are as many as connections. */
  #takeBuffer() {
    const instance = this.#instance;
    this.#rxAddress = instance.buffers.pop();
    this.#rx = instance.bytes.subarray(this.#rxAddress, this.#rxAddress + instance.rxSize);
    this.#exports.porthole_conn_set_buffer(this.#address, this.#rxAddress);
  }

  /** Gives the receive buffer to others, if there is nothing in it and nothing due, until something is to be received. */
  giveBuffer() {
    if (this.#rxAddress === 0 || this.#exports.porthole_conn_set_buffer(this.#address, 0) !== 0) return;
    this.#instance.buffers.push(this.#rxAddress);
    this.#rxAddress = 0;
    this.#rx = NO_BUFFER;
  }

  /** The host that the instance runs on. */
  get host() {
    return this.#instance.host;
  }

  // ---- what is known ----

  /** IDLE, REQUEST_STARTED or REQUEST_SENT. */
  get state() {
    return this.#view[VIEW_STATE];
  }

  /** What the receiving side is doing: PHASE_HEAD and so on. */
  get phase() {
    return this.#view[VIEW_PHASE];
  }

  /** The first error of peer, limit or host, or 0. */
  get error() {
    return this.#view[VIEW_ERROR] | 0;
  }

  /** The limit that was passed. */
  get limit() {
    return this.#view[VIEW_LIMIT];
  }

  get bodyLimit() {
    return this.#bodyLimit;
  }

  /** The index of the header that was refused. */
  get refused() {
    return this.#view[VIEW_REFUSED];
  }

  get status() {
    return this.#view[VIEW_STATUS];
  }

  get version() {
    return this.#view[VIEW_VERSION];
  }

  /** Can no further request go out on this connection? */
  get unusable() {
    return (this.#view[VIEW_FLAGS] & UNUSABLE) !== 0;
  }

  /** Has the peer closed its side? */
  get ended() {
    return (this.#view[VIEW_FLAGS] & ENDED) !== 0;
  }

  /** Was the response handed out, and not finished? */
  get open() {
    return (this.#view[VIEW_FLAGS] & OPEN) !== 0;
  }

  get willClose() {
    return (this.#view[VIEW_FLAGS] & WILL_CLOSE) !== 0;
  }

  get chunked() {
    return (this.#view[VIEW_FLAGS] & CHUNKED) !== 0;
  }

  get hasLength() {
    return (this.#view[VIEW_FLAGS] & HAS_LENGTH) !== 0;
  }

  /** Has the message arrived whole: can nothing more come of its body? */
  get complete() {
    const phase = this.#view[VIEW_PHASE];
    return phase === PHASE_END || phase === PHASE_TUNNEL;
  }

  /** Is the final head of the request that was made last in? */
  get answered() {
    return (this.#view[VIEW_FLAGS] & ANSWERED) !== 0;
  }

  /** Is nothing under way: no request, no response that was handed out, no body that is being sent? */
  get atRest() {
    return (
      this.#view[VIEW_STATE] === IDLE && (this.#view[VIEW_FLAGS] & OPEN) === 0 && this.#view[VIEW_UPLOAD] !== UPLOAD_OPEN
    );
  }

  /** Is a body being sent, and wanted? */
  get uploading() {
    return this.#view[VIEW_UPLOAD] === UPLOAD_OPEN;
  }

  /** Was a body cut off, as the peer has answered? */
  get uploadStopped() {
    return this.#view[VIEW_UPLOAD] === UPLOAD_STOPPED;
  }

  /** Bytes that have not arrived yet, of the body or of the chunk. */
  get left() {
    return this.#view[VIEW_LEFT_HIGH] * 2 ** 32 + this.#view[VIEW_LEFT_LOW];
  }

  /** Body bytes that can be read now. */
  get available() {
    return this.#view[VIEW_AVAILABLE];
  }

  /** Bytes received and not interpreted. */
  get rawLength() {
    return this.#view[VIEW_RAW_LENGTH];
  }

  /** Seconds that the server keeps a resting connection, or Infinity. */
  get keepAlive() {
    const seconds = this.#view[VIEW_KEEP_ALIVE];
    return seconds === 0xffffffff ? Number.POSITIVE_INFINITY : seconds;
  }

  /** The head that was received last. @returns {string} */
  get head() {
    const at = this.#view[VIEW_HEAD];
    return readLatin1(this.#rx, at, at + this.#view[VIEW_HEAD_LENGTH]);
  }

  /** Where the reason phrase is in the head … */
  get reasonAt() {
    return this.#view[VIEW_REASON];
  }

  /** … its length … */
  get reasonLength() {
    return this.#view[VIEW_REASON_LENGTH];
  }

  /** … and where the field lines begin. */
  get fieldsAt() {
    return this.#view[VIEW_FIELDS];
  }

  get hasTrailer() {
    return this.#view[VIEW_TRAILER_LENGTH] > 0;
  }

  /** The field lines of the trailer section. @returns {string} */
  get trailer() {
    const at = this.#view[VIEW_TRAILER];
    return readLatin1(this.#rx, at, at + this.#view[VIEW_TRAILER_LENGTH]);
  }

  /** Bytes received and not interpreted: a view of the core's memory. @returns {Uint8Array} */
  get raw() {
    const at = this.#view[VIEW_RAW];
    return this.#rx.subarray(at, at + this.#view[VIEW_RAW_LENGTH]);
  }

  /** What is staged and not sent: a view of the core's memory. @returns {Uint8Array} */
  get staged() {
    const tx = this.#address + this.#instance.connSize;
    return this.#instance.bytes.subarray(tx + this.#view[VIEW_TX_SENT], tx + this.#view[VIEW_TX_LENGTH]);
  }

  // ---- requests: each answers 0 or an error of the core ----

  /** @param {string} host ASCII @param {number} port @param {number} defaultPort */
  setAuthority(host, port, defaultPort) {
    const { text } = this.#instance;
    if (this.#instance.write(host, text) === 0) return REQUEST_TOO_LARGE;
    return this.#exports.porthole_flat_set_authority(this.#address, text, host.length, port, defaultPort);
  }

  /**
   * A head that is made of the same as the last one goes out again, where it has no body.
   *
   * @param {string[]} fields name, value, …
   */
  request(method, url, fields, body, size, flags) {
    if (body === BODY_NONE && this.#last.is(method, url, fields, flags)) {
      const result = this.#exports.porthole_conn_repeat(this.#address);
      this.#repeated = result === 0;
      if (result <= 0) return result;
    }
    this.#repeated = false;
    const { table, text } = this.#instance;
    let error = this.#writeFields(method, url, fields);
    if (error !== 0) return error;
    error = this.#exports.porthole_flat_request(
      this.#address, text, method.length, text + method.length, url.length, table, fields.length >> 1, body, size >>> 0, Math.floor(size / 2 ** 32), flags,
    );
    if (error !== 0) return error;
    this.#last.note(method, url, fields, flags);
    return 0;
  }

  putrequest(method, url, flags) {
    const { text } = this.#instance;
    const error = this.#write(method, url, []);
    if (error !== 0) return error;
    return this.#exports.porthole_flat_putrequest(this.#address, text, method.length, text + method.length, url.length, flags);
  }

  /** @param {string} name @param {string[]} values */
  putheader(name, values) {
    const { table, text } = this.#instance;
    if (values.some(isWide)) return this.#wide(0);
    const error = this.#write(name, '', values);
    if (error !== 0) return error;
    return this.#exports.porthole_flat_putheader(this.#address, text, name.length, table, values.length);
  }

  endheaders(body, size, flags) {
    return this.#exports.porthole_flat_endheaders(this.#address, body, size >>> 0, Math.floor(size / 2 ** 32), flags);
  }

  /** CONNECT. @param {string[]} fields name, value, … */
  tunnel(host, port, fields) {
    const { table, text } = this.#instance;
    const error = this.#writeFields(host, '', fields);
    if (error !== 0) return error;
    return this.#exports.porthole_flat_tunnel(this.#address, text, host.length, port, table, fields.length >> 1);
  }

  tunnelled() {
    return this.#exports.porthole_conn_tunnelled(this.#address);
  }

  /** @param {string[]} fields name, value, … */
  checkTrailers(fields) {
    const error = this.#writeFields('', '', fields);
    if (error !== 0) return error;
    return this.#exports.porthole_conn_check_trailers(this.#address, this.#instance.table, fields.length >> 1);
  }

  /**
   * Begins a piece of the body.
   *
   * @param {number} length
   * @returns {number} 2 when its framing is the caller's own (`sentChunks` is told of it, else `piecePassed`); below zero for
   *   an error
   */
  bodyPiece(length) {
    return this.#exports.porthole_conn_body_piece(this.#address, length);
  }

  /** Accounts for bytes of the piece that were handed over. @param {number} length */
  piecePassed(length) {
    return this.#exports.porthole_conn_piece_passed(this.#address, length);
  }

  /** Gives up what is being sent: nothing more of it will be. */
  stop() {
    this.#exports.porthole_conn_stop(this.#address);
  }

  /** @param {string[]} fields of the trailer section: name, value, … */
  bodyEnd(fields) {
    const error = this.#writeFields('', '', fields);
    if (error !== 0) return error;
    return this.#exports.porthole_conn_body_end(this.#address, this.#instance.table, fields.length >> 1);
  }

  /** Accounts for bytes that the caller sends as they are, before they are sent: those that are refused may not be. */
  sentRaw(bytes) {
    const result = this.#exports.porthole_conn_sent_raw(this.#address, bytes.length);
    return result === 1 ? this.sentChunks(bytes) : result;
  }

  /** Shows the core chunks that the caller has framed: it follows them, to know where the body ends. */
  sentChunks(bytes) {
    const { text, textSize } = this.#instance;
    for (let at = 0; at < bytes.length; at += textSize) {
      const part = bytes.subarray(at, at + textSize);
      this.#instance.bytes.set(part, text);
      const error = this.#exports.porthole_flat_sent_chunks(this.#address, text, part.length);
      if (error < 0) return error;
    }
    return 0;
  }

  /** Takes all that is staged off the send buffer. @returns {Uint8Array} a copy */
  takeStaged() {
    const bytes = Uint8Array.prototype.slice.call(this.staged); // a Buffer's own slice would be a view
    this.#exports.porthole_conn_taken(this.#address, bytes.length);
    this.#last.forget(); // the host hasn't seen it
    this.#repeated = false;
    return bytes;
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
    let at = parts.length * 8 > TABLE_SIZE ? 0 : instance.write(first, instance.text);
    if (at > 0) at = instance.write(second, at);
    let word = instance.table >> 2;
    for (let i = 0; i < parts.length && at > 0; i++) {
      words[word++] = at;
      words[word++] = parts[i].length;
      at = instance.write(parts[i], at);
    }
    if (at > 0) return 0;
    this.#view[VIEW_LIMIT] = instance.txSize;
    return REQUEST_TOO_LARGE;
  }

  #writeFields(first, second, fields) {
    for (let i = 1; i < fields.length; i += 2) {
      if (isWide(fields[i])) return this.#wide(i >> 1);
    }
    return this.#write(first, second, fields);
  }

  #wide(index) {
    this.#view[VIEW_REFUSED] = index;
    return WIDE_HEADER_VALUE;
  }

  // ---- the transport ----

  /** @param {number} handle of the host */
  attach(handle) {
    this.#exports.porthole_conn_attach(this.#address, handle);
  }

  /** @returns {number} 0, WANT_READ or an error */
  startTls(name, flags) {
    const { text } = this.#instance;
    if (this.#instance.write(name, text) === 0) return REQUEST_TOO_LARGE;
    return this.#exports.porthole_flat_start_tls(this.#address, text, name.length, flags);
  }

  /** @returns {boolean} is the head that `flush` sends next, byte for byte, that of the request before? Said once */
  takeRepeated() {
    const repeated = this.#repeated;
    this.#repeated = false;
    return repeated;
  }

  /** @returns {number} 0, WANT_WRITE or an error */
  flush() {
    return this.#exports.porthole_conn_flush(this.#address);
  }

  /** @returns {number} EVENT_* bits, WANT_READ, WANT_SPACE or an error */
  receive() {
    if (this.#rxAddress === 0) this.#takeBuffer();
    return this.#exports.porthole_flat_receive(this.#address);
  }

  /**
   * Where the next bytes can go, if they come otherwise than by `receive`: it is kept for them until `filled` tells of them.
   *
   * @returns {Uint8Array | null} a view of the core's memory; null where there is no room
   */
  region() {
    const { table, words } = this.#instance;
    if (this.#exports.porthole_flat_region(this.#address, table) !== 0) return null;
    const at = words[table >> 2];
    return this.#part(at, words[(table >> 2) + 1]);
  }

  /** @param {number} length bytes that came there @returns {number} EVENT_* bits or an error */
  filled(length) {
    return this.#exports.porthole_conn_filled(this.#address, length);
  }

  /** @param {number} error HOST_* */
  failed(error) {
    this.#exports.porthole_conn_failed(this.#address, error);
  }

  // ---- responses ----

  /** @returns {number} EVENT_* bits or an error */
  resume() {
    return this.#exports.porthole_conn_resume(this.#address);
  }

  /** @returns {number} 0, WANT_READ or an error */
  accept() {
    return this.#exports.porthole_conn_accept(this.#address);
  }

  /** Lets go of the head and the trailer section, which were copied. */
  release() {
    this.#exports.porthole_conn_release(this.#address);
  }

  /** @returns {number} EVENT_* bits or an error */
  finish() {
    return this.#exports.porthole_conn_finish(this.#address);
  }

  /** How many of the next bytes are body bytes for sure. */
  direct() {
    return this.#exports.porthole_conn_direct(this.#address);
  }

  /** Accounts for body bytes that were received elsewhere. @returns {number} EVENT_* bits or an error */
  passed(length) {
    return this.#exports.porthole_conn_passed(this.#address, length);
  }

  /** The first run of body bytes, in the core's memory: to look at, not to keep. @returns {Uint8Array} */
  peek() {
    const at = this.#view[VIEW_BODY];
    return this.#rx.subarray(at, at + this.#view[VIEW_BODY_LENGTH]);
  }

  /** Copies all body bytes at hand and leaves them: `finish` has to follow. @param {Uint8Array} target of `available` bytes */
  copyRest(target) {
    const { length } = target;
    if (this.#view[VIEW_BODY_LENGTH] !== length) {
      this.read(target, 0, length);
      return;
    }
    const at = this.#view[VIEW_BODY];
    if (length <= SHORT) copyShort(this.#rx, at, length, target, 0);
    else target.set(this.#part(at, length));
  }

  /** A view of the receive buffer, for less than `subarray` takes. */
  #part(at, length) {
    return new Uint8Array(this.#memory, this.#rxAddress + at, length);
  }

  /** @returns {boolean} was the memory of the target there? Its length alone does not tell: see `Inflow.into` */
  #copy(at, count, target, offset) {
    try {
      target.set(this.#part(at, count), offset);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Copies body bytes.
   *
   * @param {Uint8Array} target
   * @param {number} offset
   * @param {number} length at most so many
   * @returns {number} how many: fewer when no more are at hand, or the memory of the target has gone
   */
  read(target, offset, length) {
    const view = this.#view;
    let done = 0;
    while (done < length && view[VIEW_AVAILABLE] > 0) {
      const at = view[VIEW_BODY];
      const count = Math.min(view[VIEW_BODY_LENGTH], length - done);
      if (count <= SHORT) copyShort(this.#rx, at, count, target, offset + done);
      else if (!this.#copy(at, count, target, offset + done)) return done;
      this.#exports.porthole_conn_consume(this.#address, count);
      done += count;
    }
    return done;
  }
}
