// SPDX-License-Identifier: MIT
//
// What the kinds of bodies have in common.

import { BODY_KNOWN, BODY_UNKNOWN } from '../../bindings/generated/abi.js';

export const EMPTY = Buffer.alloc(0);

/** So many empty pieces in a row are skipped before the sender may look at the clock. */
export const EMPTY_MAX = 1000;

/** Nobody waits for this promise any more. */
export const ignore = (promise) => Promise.resolve(promise).catch(() => {});

/** What bodies have in common: one source at a time, begun by `open` and stopped by `discard`. */
export class BaseBody {
  kind = BODY_UNKNOWN;
  size = 0;
  bytes = null;
  readable = '';
  repeatable = false;
  prepare = null;
  #begin;
  #source = null;
  #first = null; // the piece that was read before the head

  /** @param {() => import('./body.js').Source & {stop(error: unknown): void}} begin */
  constructor(begin) {
    this.#begin = begin;
  }

  get failure() {
    return undefined;
  }

  open() {
    const first = this.#first;
    if (first !== null) {
      const rest = this.#source;
      this.#first = null;
      let given = false;
      const next = () => {
        if (given) return rest.next();
        given = true;
        return first;
      };
      return { next };
    }
    this.#source = this.#begin();
    return this.#source;
  }

  /** Reads one piece, where the size can't be believed. */
  async peek() {
    this.prepare = null;
    const source = this.open();
    let piece = await source.next();
    while (piece !== null && piece.length === 0) piece = await source.next();
    this.#first = piece ?? EMPTY;
    if (piece === null) {
      this.kind = BODY_KNOWN;
      this.bytes = EMPTY;
    }
  }

  discard(error) {
    const source = this.#source;
    this.#source = null;
    this.#first = null;
    source?.stop(error);
  }
}
