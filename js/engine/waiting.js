// SPDX-License-Identifier: MIT
//
// How operations wait: each is a step, a plain function that gives its result, or undefined as long as there is none, or
// throws. Whenever something happened to the channel all steps are run again. Nothing else in the engine knows of promises
// that settle later; a caller that blocks would replace this file alone.

import { afterTurn, now, unwatch, watch } from '../../bindings/node/timers.js';
import { TimeoutError } from '../errors.js';
import { abortedOf, onAbort, reasonOf } from './signals.js';

/**
 * A peer that takes little by little what is sent is seen by looking twice. The first look comes after this part of the
 * limit, as most waits are over by then and a look is not cheap; the last one when the rest of it has gone by.
 */
const FIRST_LOOK = 1 / 8;

/**
 * Somebody who waits.
 *
 * @typedef {object} Waiter
 * @property {string} phase what for: the `phase` of a TimeoutError
 * @property {number | null} seconds how long with nothing moving, or null
 * @property {AbortSignal[]} signals that end it
 * @property {() => unknown} step
 * @property {(value: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {number} started when it began, in milliseconds
 * @property {string | null} mark what was known of the peer's progress …
 * @property {number} marked … at this time, which counts while nothing has moved since
 * @property {boolean} done
 * @property {boolean} running is its step being run?
 */

/** What settles the promise that is being made … */
const taken = { resolve: null, reject: null };
/** … of which its constructor tells this: one function for all promises. */
const take = (resolve, reject) => {
  taken.resolve = resolve;
  taken.reject = reject;
};

/** All who wait on one channel. */
export class Waiting {
  // As one that is watched by timers.js.
  due = Number.POSITIVE_INFINITY;
  nextWatched = null;
  previousWatched = null;

  #end; // ends the channel
  #progress; // tells how much the peer has taken
  #rest; // told when nobody waits any more
  #waiters = [];
  #moved = 0; // when something moved last, in milliseconds
  #closed = null; // makes the error of who waits, once the channel is
  #looking = false; // has the time of somebody come, and the event loop not turned since?

  /**
   * @param {(error: unknown) => void} end ends the channel with an error, as a wait was aborted or took too long
   * @param {() => string | null} progress what changes as long as the peer takes what was sent
   * @param {() => void} rest told when nobody waits any more
   */
  constructor(end, progress, rest) {
    this.#end = end;
    this.#progress = progress;
    this.#rest = rest;
  }

  /** Does nobody wait? */
  get idle() {
    return this.#waiters.length === 0;
  }

  /** What is waited for, as the phase of an error. */
  get phase() {
    return this.#waiters[0]?.phase ?? 'receive';
  }

  /** Bytes came or went. */
  moved(time) {
    this.#moved = time;
  }

  /**
   * Waits until a step gives its result, which it has not done yet.
   *
   * @template T
   * @param {string} phase
   * @param {number | null} seconds
   * @param {AbortSignal[]} signals
   * @param {() => T | undefined} step
   * @returns {Promise<T>}
   */
  until(phase, seconds, signals, step) {
    const promise = new Promise(take);
    const { resolve, reject } = taken;
    taken.resolve = null;
    taken.reject = null;
    try {
      this.add({ phase, seconds, signals, step, resolve, reject, started: 0, mark: null, marked: 0, done: false, running: false, offs: null });
    } catch (error) {
      reject(error); // of a signal that throws
    }
    return promise;
  }

  /** @param {Waiter} waiter */
  add(waiter) {
    this.#waiters.push(waiter);
    if (waiter.seconds !== null) this.restart(waiter);
    if (waiter.signals.length === 0) return;
    const aborted = abortedOf(waiter.signals);
    if (aborted !== undefined) this.#end(reasonOf(aborted));
    else waiter.offs = waiter.signals.map((signal) => onAbort(signal, () => this.#end(reasonOf(signal))));
  }

  /** The time of a waiter begins anew. @param {Waiter} waiter */
  restart(waiter) {
    waiter.started = now();
    if (waiter.seconds === null) return;
    const look = this.#nextLook(waiter);
    if (look < this.due) watch(this, look, waiter.started);
  }

  /** Something happened: runs all steps. Never throws. */
  wake() {
    const waiters = this.#waiters;
    if (waiters.length === 1) this.#run(waiters[0]);
    else if (waiters.length > 1) for (const waiter of [...waiters]) this.#run(waiter);
  }

  /**
   * The channel is closed: all steps are run once more, and who has no result then gets an error.
   *
   * @param {() => unknown} reason makes it
   */
  close(reason) {
    this.#closed = reason;
    this.wake();
  }

  #run(waiter) {
    if (waiter.done || waiter.running) return;
    let value;
    waiter.running = true; // a step can make things happen that run it again
    try {
      value = waiter.step();
    } catch (error) {
      this.#remove(waiter);
      waiter.reject(error);
      return;
    } finally {
      waiter.running = false;
    }
    if (waiter.done || (value === undefined && this.#closed === null)) return;
    this.#remove(waiter);
    if (value === undefined) waiter.reject(this.#closed());
    else waiter.resolve(value);
  }

  #remove(waiter) {
    if (waiter.done) return;
    waiter.done = true;
    const waiters = this.#waiters;
    if (waiters.length === 1) waiters.pop(); // not by its length, which costs a call of the runtime
    else waiters.splice(waiters.indexOf(waiter), 1);
    if (waiter.offs !== null) for (const off of waiter.offs) off();
    if (waiters.length > 0) return;
    unwatch(this);
    this.#rest();
  }

  // ---- time ----

  #since(waiter) {
    return Math.max(waiter.started, this.#moved);
  }

  /** Is it not known yet what a peer had taken, to see later whether it takes more? */
  #isUnmarked(waiter) {
    return waiter.phase === 'send' && waiter.marked < this.#since(waiter);
  }

  /** When to look at a waiter: when its time is over, and with sending once before. A busy process can be late for that. */
  #nextLook(waiter) {
    const since = this.#since(waiter);
    const limit = waiter.seconds * 1000;
    if (this.#isUnmarked(waiter)) return since + limit * FIRST_LOOK;
    if (waiter.phase !== 'send') return since + limit;
    return Math.max(since + limit, waiter.marked + limit * (1 - FIRST_LOOK));
  }

  /** The time of somebody has come. What is there already has to be taken first: it may have come in time. */
  expire(time) {
    const over = this.#waiters.some((waiter) => waiter.seconds !== null && this.#isOver(waiter, time));
    if (!over) {
      this.#look(time);
    } else if (!this.#looking) {
      this.#looking = true;
      afterTurn(() => {
        this.#looking = false;
        this.#look(now(), time);
      });
    }
  }

  #isOver(waiter, time) {
    return !this.#isUnmarked(waiter) && this.#nextLook(waiter) - time < 1;
  }

  /** @param {number} time it is @param {number} judged … and was, before the event loop has taken what was there */
  #look(time, judged = time) {
    let next = Number.POSITIVE_INFINITY;
    for (const waiter of [...this.#waiters]) {
      if (waiter.done || waiter.seconds === null) continue;
      if (this.#isOver(waiter, judged) && !this.#hasMoved(waiter, time)) {
        this.#end(new TimeoutError(waiter.phase, waiter.seconds, (time - waiter.started) / 1000));
        return;
      }
      if (this.#isUnmarked(waiter) && this.#nextLook(waiter) - time < 1) this.#mark(waiter, this.#progress(), time);
      next = Math.min(next, this.#nextLook(waiter));
    }
    if (next < this.due) watch(this, next, time);
  }

  /** Has a peer that is slow taken something of what is being sent? */
  #hasMoved(waiter, time) {
    if (waiter.phase !== 'send' || waiter.mark === null) return false;
    const progress = this.#progress();
    if (progress === null || progress === waiter.mark) return false;
    waiter.started = time;
    this.#mark(waiter, progress, time);
    return true;
  }

  #mark(waiter, progress, time) {
    waiter.mark = progress;
    waiter.marked = time;
  }
}
