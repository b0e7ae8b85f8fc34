// SPDX-License-Identifier: MIT
//
// The bodies of the benchmark: 1 MiB of letters and digits that repeat, so that a piece that is missing, doubled or in
// the wrong place is noticed.

import { createHash } from 'node:crypto';

export const PATTERN_SIZE = 1024 * 1024;

/** @returns {Buffer} the pattern: the same on every machine */
export function makePattern() {
  const bytes = createHash('shake256', { outputLength: (PATTERN_SIZE / 4) * 3 }).update('porthole').digest();
  return Buffer.from(bytes.toString('base64'), 'latin1');
}

/** @returns {Buffer} so many bytes of the repeated pattern */
export function repeated(pattern, length) {
  return Buffer.alloc(length, pattern);
}

/**
 * Compares a piece with the repeated pattern.
 * @param {Buffer} pattern
 * @param {number} position where in the body the piece begins
 * @param {Uint8Array} piece
 * @returns {number} the place in the piece of the first difference, or -1
 */
export function differs(pattern, position, piece) {
  for (let done = 0; done < piece.length; ) {
    const from = (position + done) % pattern.length;
    const length = Math.min(pattern.length - from, piece.length - done);
    if (pattern.compare(piece, done, done + length, from, from + length) !== 0) {
      for (let i = 0; i < length; i++) {
        if (piece[done + i] !== pattern[from + i]) {
          return done + i;
        }
      }
    }
    done += length;
  }
  return -1;
}

/** Says what `differs` found. */
export function describe(pattern, position, at, piece) {
  const place = position + at;
  return `byte ${place} of the body is ${piece[at]} instead of ${pattern[place % pattern.length]}`;
}
