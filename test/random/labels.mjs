// SPDX-License-Identifier: MIT
//
// Bytes that tell whose they are: those of every body follow from its sequence, its request and the offset, so that bytes
// in the wrong place say where they came from.

import { Buffer } from 'node:buffer';
import { Random } from './random.mjs';

const LETTERS = Buffer.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/');
const BLOCK = 4093; // a prime: no buffer's size is a multiple of it
const NEWLINE = 10;

export class Label {
  #bytes = null;

  /**
   * @param {string} name what a finding calls it
   * @param {number[]} key what the bytes follow from
   * @param {number} size
   * @param {'lines' | 'json'} form lines of letters and digits, or a string in JSON
   */
  constructor(name, key, size, form = 'lines') {
    this.name = name;
    this.key = key;
    this.size = size;
    this.form = form;
  }

  /** All of it. @returns {Buffer} */
  get bytes() {
    this.#bytes ??= this.#make();
    return this.#bytes;
  }

  #make() {
    const random = new Random(...this.key);
    const block = Buffer.allocUnsafe(BLOCK);
    for (let i = 0; i < BLOCK; i++) {
      const number = random.next();
      block[i] = this.form === 'lines' && (number >>> 8) % 50 === 0 ? NEWLINE : LETTERS[number & 63];
    }
    const bytes = Buffer.alloc(this.size, block);
    for (let at = 0, index = 0; at + 4 <= this.size; at += BLOCK, index++) {
      for (let i = 0; i < 4; i++) bytes[at + i] = LETTERS[(index >> (6 * i)) & 63];
    }
    if (this.form === 'json' && this.size >= 2) bytes[0] = bytes[this.size - 1] = 0x22;
    return bytes;
  }

  /** Are these the bytes from an offset on? */
  matches(bytes, offset) {
    return offset + bytes.length <= this.size && this.bytes.compare(bytes, 0, bytes.length, offset, offset + bytes.length) === 0;
  }
}

/** Says where bytes stand among labels. @param {Iterable<Label>} labels */
export function identify(bytes, labels) {
  const sample = bytes.subarray(0, 24);
  if (sample.length >= 4) {
    for (const label of labels) {
      const at = label.bytes.indexOf(sample);
      if (at >= 0) return `bytes of ${label.name} from ${at} on`;
    }
  }
  return `bytes of nobody: ${JSON.stringify(sample.toString('latin1'))}`;
}

/** Says what is wrong with bytes that should be those of a label from an offset on; null when nothing is. */
export function difference(bytes, label, offset, others) {
  if (label.matches(bytes, offset)) return null;
  let at = 0;
  while (at < bytes.length && offset + at < label.size && bytes[at] === label.bytes[offset + at]) at++;
  const found = identify(bytes.subarray(at), others);
  return `expected ${label.name} from ${offset} on (of ${label.size}), and after ${at} of ${bytes.length} bytes there are ${found}`;
}
