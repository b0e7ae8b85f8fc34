// SPDX-License-Identifier: MIT

import { performance } from 'node:perf_hooks';

/** The longest time that a timer of JavaScript can wait, in milliseconds. */
const TIMER_MAX = 0x7fffffff;

/**
 * Calls a function once, later. The timer keeps no process alive; clearTimeout ends it.
 *
 * @param {number} milliseconds at most 24.8 days count
 * @param {() => void} run
 * @returns {NodeJS.Timeout}
 */
export function after(milliseconds, run) {
  return setTimeout(run, Math.min(milliseconds, TIMER_MAX)).unref();
}

/**
 * Something that waits, and wants to be called when its time has come. Those that wait are a list, and one timer stands for
 * all of them: thousands of operations a second begin to wait, and nearly none waits for long.
 *
 * @typedef {object} Watched
 * @property {number} due when, in milliseconds of performance.now(); Infinity while it is not watched
 * @property {Watched | null} nextWatched
 * @property {Watched | null} previousWatched
 * @property {(now: number) => void} expire called when it is due: by then it is not watched any more
 */

/** @type {Watched | null} */
let first = null;
let timer = null; // stands while somebody is watched, and is never later than the first that is due
let timerDue = Number.POSITIVE_INFINITY;

/**
 * Calls `watched.expire` at a time, unless `unwatch` comes before.
 *
 * @param {Watched} watched
 * @param {number} due in milliseconds of performance.now()
 * @param {number} now
 */
export function watch(watched, due, now) {
  if (watched.due === Number.POSITIVE_INFINITY) {
    watched.previousWatched = null;
    watched.nextWatched = first;
    if (first !== null) first.previousWatched = watched;
    first = watched;
  }
  watched.due = due;
  if (due < timerDue) arm(due, now);
}

/** @param {Watched} watched */
export function unwatch(watched) {
  if (watched.due === Number.POSITIVE_INFINITY) return;
  watched.due = Number.POSITIVE_INFINITY;
  const { previousWatched, nextWatched } = watched;
  if (previousWatched === null) first = nextWatched;
  else previousWatched.nextWatched = nextWatched;
  if (nextWatched !== null) nextWatched.previousWatched = previousWatched;
  watched.nextWatched = null;
  watched.previousWatched = null;
  if (first === null) disarm();
}

function arm(due, now) {
  if (timer !== null) clearTimeout(timer);
  timerDue = due;
  timer = after(due - now, look);
}

function disarm() {
  clearTimeout(timer);
  timer = null;
  timerDue = Number.POSITIVE_INFINITY;
}

/** Calls those that are due, and waits for the others. */
function look() {
  const now = performance.now();
  const due = [];
  timer = null;
  timerDue = Number.POSITIVE_INFINITY;
  for (let one = first; one !== null; one = one.nextWatched) if (one.due - now < 1) due.push(one);
  for (const one of due) {
    if (one.due === Number.POSITIVE_INFINITY) continue; // what was called before has ended it
    unwatch(one);
    one.expire(now);
  }
  let next = Number.POSITIVE_INFINITY;
  for (let one = first; one !== null; one = one.nextWatched) next = Math.min(next, one.due);
  if (next < timerDue) arm(next, now);
}
