// SPDX-License-Identifier: MIT
//
// What two threads share of a connection: a line, which is a table of words, some texts, and a ring of bytes for each
// direction. One thread calls and blocks (caller.js), the other one has the sockets and never blocks (desk.js).
//
// Every word has one writer; the README of bindings/ has the table. Positions in a ring count all bytes that ever went by, and
// wrap at 2^32: so a ring's size is a power of two.

import { copyBytes } from '../node/copy.js';

const WORDS = 32;
const TEXT_MOST = 200;
const TEXTS = 5;
const TEXTS_AT = 4 * WORDS;
const RINGS_AT = 2048;

/** The words of a line. */
export const IN_PUT = 0; // I/O: bytes that came
export const IN_TAKEN = 1; // caller: … and were received
export const OUT_PUT = 2; // caller: bytes that were sent
export const OUT_TAKEN = 3; // I/O: … and are the socket's
export const PHASE = 4; // I/O
export const FAILURE = 5; // I/O: a PORTHOLE_HOST_* code, once
export const ENDED = 6; // I/O: 1 when the peer says no more
export const STALLED = 7; // I/O: 1 while it reads no more because the ring is full
export const RIGHTS = 8; // I/O, before PHASE says open
export const SECRETS = 9; // I/O, before PHASE says open: a bit for each secret that may be sent
export const HEAD_AT = 10; // caller: where a head with placeholders begins …
export const HEAD_LENGTH = 11; // … and its length; I/O: 0 when it was sent
export const RELEASED = 12; // I/O: 1 when it will not touch the line again
const TEXT_LENGTHS = 16; // I/O, before the state that a text is about

/** Phases. */
export const OPENING = 0;
export const OPEN = 1;
export const HANDSHAKE = 2;
export const SECURED = 3;

/** Rights: may bytes go in clear? */
export const MAY_CLEAR = 1;

/** The words of a bell, one for each caller. */
export const BELL = 0; // I/O: counts what happened
export const WANTS = 1; // caller: what it sleeps for
export const POSTED = 2; // caller: 1 when it has posted a message that wakes; I/O: 0 when that was taken
const BELL_WORDS = 4;

/** @returns {SharedArrayBuffer} what a caller is woken by */
export function makeBell() {
  return new SharedArrayBuffer(4 * BELL_WORDS);
}

/** What a caller sleeps for. */
export const NEWS = 1; // bytes, an end, a failure, a phase
export const ROOM = 2; // room to send

/** The size of a ring: the next power of two. @param {number} size bytes */
export function ringSize(size) {
  return 2 ** Math.ceil(Math.log2(Math.min(Math.max(size, 4096), 2 ** 28)));
}

export class Line {
  /** @param {SharedArrayBuffer} shared */
  constructor(shared) {
    this.shared = shared;
    this.size = (shared.byteLength - RINGS_AT) / 2;
    this.words = new Int32Array(shared, 0, WORDS);
    this.texts = Buffer.from(shared, TEXTS_AT, TEXTS * TEXT_MOST);
    this.in = Buffer.from(shared, RINGS_AT, this.size);
    this.out = Buffer.from(shared, RINGS_AT + this.size, this.size);
  }

  /** @param {number} size of each ring, a power of two @param {number} [start] where the positions begin */
  static make(size, start = 0) {
    const line = new Line(new SharedArrayBuffer(RINGS_AT + 2 * size));
    line.reset(start);
    return line;
  }

  /** Before it is another connection's: nobody else has it. @param {number} [start] where the positions begin */
  reset(start = 0) {
    this.words.fill(0);
    for (const word of [IN_PUT, IN_TAKEN, OUT_PUT, OUT_TAKEN]) this.words[word] = start;
  }

  /** @param {number} word @returns {number} */
  get(word) {
    return Atomics.load(this.words, word);
  }

  /** @param {number} word @param {number} value */
  set(word, value) {
    Atomics.store(this.words, word, value);
  }

  /** Bytes in a ring. @param {number} put @param {number} taken the words of its positions */
  count(put, taken) {
    return (Atomics.load(this.words, put) - Atomics.load(this.words, taken)) >>> 0;
  }

  /** A text about the connection. @param {number} what INFO_* */
  text(what) {
    const length = this.get(TEXT_LENGTHS + what);
    return this.texts.utf8Slice(what * TEXT_MOST, what * TEXT_MOST + length);
  }

  /** Sets a text, once: one line, cut between characters. @param {number} what INFO_* @param {string} text */
  setText(what, text) {
    const at = what * TEXT_MOST;
    const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
    const { written } = new TextEncoder().encodeInto(line, new Uint8Array(TEXT_MOST));
    this.texts.utf8Write(line, at, written);
    this.set(TEXT_LENGTHS + what, written);
  }

  /**
   * Copies bytes out of memory into a ring that has room for them.
   *
   * @param {Buffer} bytes @param {number} from @param {number} length
   */
  putOut(bytes, from, length) {
    const put = this.words[OUT_PUT];
    const at = put & (this.size - 1);
    const first = Math.min(length, this.size - at);
    copyBytes(bytes.subarray(from, from + first), this.out, at);
    if (first < length) copyBytes(bytes.subarray(from + first, from + length), this.out, 0);
    this.set(OUT_PUT, put + length);
  }

  /**
   * Copies bytes that came into memory.
   *
   * @param {Buffer} bytes @param {number} to @param {number} length
   */
  takeIn(bytes, to, length) {
    const taken = this.words[IN_TAKEN];
    const at = taken & (this.size - 1);
    const first = Math.min(length, this.size - at);
    copyBytes(this.in.subarray(at, at + first), bytes, to);
    if (first < length) copyBytes(this.in.subarray(0, length - first), bytes, to + first);
    this.set(IN_TAKEN, taken + length);
  }

  /** Where bytes that come can be put in one piece. @param {number} most @returns {Buffer | null} null when there is no room */
  roomIn(most) {
    const at = this.words[IN_PUT] & (this.size - 1);
    const room = Math.min(this.size - this.count(IN_PUT, IN_TAKEN), this.size - at, most);
    return room === 0 ? null : this.in.subarray(at, at + room);
  }
}
