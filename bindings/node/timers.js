// SPDX-License-Identifier: MIT
//
// Time, as it was when this was imported: fake timers that a test puts in their place later don't stop the network.

import timers from 'node:timers';

const { performance, setTimeout, clearTimeout, setImmediate } = globalThis;
const read = performance.now.bind(performance);

/** The longest time that a timer of JavaScript can wait, in milliseconds. */
const TIMER_MAX = 0x7fffffff;

/** Are they Node's own, and no fake ones of a test that was there before, which may never come? */
export const timersAreReal = setTimeout === timers.setTimeout;

/** @returns {number} milliseconds, of a clock that never goes back */
export function now() {
  return read();
}

/**
 * Calls a function once, later. The timer keeps no process alive; `cancel` ends it.
 *
 * @param {number} milliseconds at most 24.8 days count
 * @param {() => void} run
 * @returns {unknown}
 */
export function after(milliseconds, run) {
  const timer = setTimeout(run, Math.min(milliseconds, TIMER_MAX));
  timer.unref?.(); // timers of jsdom are numbers
  return timer;
}

/** @param {any} timer what `after` gave, or null */
export function cancel(timer) {
  if (timer !== null) clearTimeout(timer);
}

/** Calls a function when the event loop has taken what is there. @param {() => void} run */
export function afterTurn(run) {
  setImmediate(run);
}

/** @returns {Promise<void>} resolves when the event loop has taken what is there */
export function turn() {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * Something that waits, and wants to be called when its time has come. Those that wait are a list, and one timer stands for
 * all of them: thousands of operations a second begin to wait, and nearly none waits for long.
 *
 * @typedef {object} Watched
 * @property {number} due when, in milliseconds of `now`; Infinity while it is not watched
 * @property {Watched | null} nextWatched
 * @property {Watched | null} previousWatched
 * @property {(time: number) => void} expire called when it is due: by then it is not watched any more
 */

/** @type {Watched | null} */
let first = null;
/**
 * Never later than the first that is due. It stands on when nobody is watched any more, as the next one comes soon, for whom
 * it is early enough: setting and clearing one for each operation would be work for nothing.
 */
let timer = null;
let timerDue = Number.POSITIVE_INFINITY;

/**
 * Calls `watched.expire` at a time, unless `unwatch` comes before.
 *
 * @param {Watched} watched
 * @param {number} due in milliseconds of `now`
 * @param {number} time it is
 */
export function watch(watched, due, time) {
  if (watched.due === Number.POSITIVE_INFINITY) {
    watched.previousWatched = null;
    watched.nextWatched = first;
    if (first !== null) first.previousWatched = watched;
    first = watched;
  }
  watched.due = due;
  if (due < timerDue) arm(due, time);
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
}

/** Nobody is going to be watched for a while: there is no connection any more. */
export function restTimer() {
  if (first === null) disarm();
}

function arm(due, time) {
  cancel(timer);
  timerDue = due;
  timer = after(due - time, look);
}

function disarm() {
  cancel(timer);
  timer = null;
  timerDue = Number.POSITIVE_INFINITY;
}

/** Calls those that are due, and waits for the others. */
function look() {
  const time = now();
  const due = [];
  timer = null;
  timerDue = Number.POSITIVE_INFINITY;
  for (let one = first; one !== null; one = one.nextWatched) if (one.due - time < 1) due.push(one);
  for (const one of due) {
    if (one.due === Number.POSITIVE_INFINITY) continue; // what was called before has ended it
    unwatch(one);
    one.expire(time);
  }
  let next = Number.POSITIVE_INFINITY;
  for (let one = first; one !== null; one = one.nextWatched) next = Math.min(next, one.due);
  if (next < timerDue) arm(next, time);
}
