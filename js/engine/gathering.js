// SPDX-License-Identifier: MIT
//
// Memory for a body whose length isn't known, or is too large to be believed: it comes as the bytes come, and is given to
// the reader. Fresh memory costs more time than a socket does, so that none of it is used twice:
//
//   up to LARGE   blocks, each as large as all before it, which are joined at the end
//   above         a WebAssembly.Memory of its own, the only memory in Node 20 that grows in place: what was filled stays
//                 where it is, and is the result. Its ArrayBuffer has a fixed length, but can't be transferred: so a byte of
//                 it is left over, by which bytes() and arrayBuffer() see that they have to copy
//   no more room  further blocks, joined at the end: no address space is left, or 4 GiB are full

import { Buffer } from 'node:buffer';
import { Filling } from './operations.js';

/** Bytes of the first block. */
export const BLOCK_MIN = 64 * 1024;
const LARGE = 8 * 1024 * 1024;
const PAGE = 64 * 1024;
const PAGES_MAX = 65536;
/** It grows by this part of what it has … */
const GROWTH = 8;
/** … and that is more than one read gives. */
const GROWTH_MIN = 1024 * 1024;

/** Has no address space been left for a memory? To be told that takes V8 a collection, or several. */
let scarce = false;

/** An operation, once it has a step. */
export class Gathering {
  resolve = null;
  reject = null;
  /** @type {() => unknown} */
  step;
  #channel;
  #most;
  #blocks = []; // that are full
  #before = 0; // bytes in them
  #memory = null;
  #fixed = false; // can't it grow?
  /** What is being filled. @type {Filling} */
  #under;

  /**
   * @param {import('./channel.js').Channel} channel
   * @param {number} most so many bytes are wanted; Infinity for all that come
   */
  constructor(channel, most) {
    this.#channel = channel;
    this.#most = most;
    this.#under = this.#block();
  }

  /** Bytes that were gathered. */
  get filled() {
    return this.#before + this.#under.filled;
  }

  get isFull() {
    return this.filled === this.#most;
  }

  /** All of them, once no more are to come. @returns {Buffer} */
  get bytes() {
    if (this.#memory === null || this.#blocks.length > 0) return this.taken();
    const { buffer, byteOffset, length } = this.#under.bytes;
    return Buffer.from(buffer, byteOffset, length);
  }

  absorb() {
    let taken = 0;
    for (;;) {
      taken += this.#under.absorb();
      if (this.#under.left > 0 || this.isFull) return taken;
      this.#more();
    }
  }

  room() {
    return this.#under.room();
  }

  wanted() {
    return this.#under.left;
  }

  passed(bytes) {
    return this.#under.passed(bytes);
  }

  /** @returns {Buffer} a copy */
  taken() {
    return Buffer.concat([...this.#blocks, this.#under.bytes]);
  }

  /** What is being filled is full. */
  #more() {
    const { filled } = this;
    const memory = filled < LARGE ? null : this.#grown(filled);
    if (memory !== null) {
      this.#under = new Filling(this.#channel, memory, true, Math.min(memory.length - 1, this.#most), filled);
      return;
    }
    this.#blocks.push(this.#under.bytes);
    this.#before = filled;
    this.#under = this.#block();
  }

  #block() {
    const size = Math.min(Math.max(this.#before, BLOCK_MIN), LARGE, this.#most - this.#before);
    return new Filling(this.#channel, Buffer.allocUnsafeSlow(size), true, size);
  }

  /** Memory that has all of it, and more room; null where there is none. */
  #grown(filled) {
    const pages = Math.ceil(Math.max(filled / GROWTH, GROWTH_MIN) / PAGE);
    if (this.#memory === null) return scarce ? null : this.#begun(filled, pages);
    return this.#fixed ? null : this.#extended(pages);
  }

  #begun(filled, pages) {
    try {
      this.#memory = new WebAssembly.Memory({ initial: filled / PAGE + pages, maximum: PAGES_MAX });
    } catch {
      scarce = true;
      return null;
    }
    const memory = new Uint8Array(this.#memory.buffer);
    let at = 0;
    for (const block of [...this.#blocks.splice(0), this.#under.bytes]) {
      memory.set(block, at);
      at += block.length;
    }
    this.#before = 0;
    return memory;
  }

  #extended(pages) {
    const free = PAGES_MAX - this.#memory.buffer.byteLength / PAGE;
    try {
      this.#memory.grow(Math.min(pages, Math.max(free, 1)));
    } catch {
      this.#fixed = true;
      return null;
    }
    return new Uint8Array(this.#memory.buffer);
  }
}
