// SPDX-License-Identifier: MIT

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
