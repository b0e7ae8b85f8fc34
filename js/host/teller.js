// SPDX-License-Identifier: MIT
//
// Tells of decisions, and of refusals no more than somebody wants to read: a guest that asks in a loop for what it can't have
// would fill the disk of its host. What is told no more is counted, and told as a number.

import { after, cancel } from '../../bindings/node/timers.js';

/** Lines for refusals that are alike, before they are counted. */
const MOST = 10;
/** Kinds of refusals that are told apart. */
const KINDS = 100;
/** Milliseconds until what was counted is told, at the latest. */
const WHILE = 60_000;

/**
 * Calls what is the user's of a host. What it throws is uncaught, as everywhere; what goes on here is done nevertheless, and no
 * guest is told of it.
 *
 * @param {(given: any) => void} callback
 * @param {unknown} given
 */
export function callOut(callback, given) {
  try {
    callback(given);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/**
 * @typedef {object} Decision
 * @property {string} event
 * @property {boolean} allowed
 * @property {string} reason
 * @property {number} [repeated] for how many refusals this one stands
 */

export class Teller {
  #write;
  /** @type {Map<string, {count: number, last: Decision | null}>} */
  #kinds = new Map();
  #timer = null;

  /** @param {(decision: any) => void} write told of what is to be told */
  constructor(write) {
    this.#write = write;
  }

  /** @param {Decision} decision */
  tell(decision) {
    if (decision.allowed) {
      this.#write(decision);
      return;
    }
    const { event, reason } = decision;
    const own = `${event} ${reason}`;
    const key = this.#kinds.has(own) || this.#kinds.size < KINDS ? own : event;
    const kind = this.#kinds.get(key) ?? { count: 0, last: null };
    this.#kinds.set(key, kind);
    kind.count++;
    if (kind.count <= MOST) this.#write(decision);
    else kind.last = key === own ? decision : { ...decision, reason: `${reason}; and others` };
    this.#timer ??= after(WHILE, () => this.settle());
  }

  /** Tells what was counted, and begins anew: when a call has ended, or the guest. */
  settle() {
    cancel(this.#timer);
    this.#timer = null;
    const kinds = [...this.#kinds.values()];
    this.#kinds.clear();
    for (const { count, last } of kinds) {
      if (last !== null) this.#write({ ...last, repeated: count - MOST });
    }
  }
}
