// SPDX-License-Identifier: MIT
//
// Notices, from another thread, that the event loop is held: a loop without end lets no time-out come, and nobody else tell.

import { Worker } from 'node:worker_threads';

const BEAT_MS = 500;
const HELD_MS = 30_000;
const SLOTS = 64; // sequences that can play at a time

/** What ends the process by force, and says which sequences played. */
const CODE = `
  const { workerData: { state, held, text } } = require('node:worker_threads');
  for (let seen = -1; ; ) {
    if (Atomics.wait(state, 0, seen, held) !== 'timed-out') {
      seen = Atomics.load(state, 0);
      continue;
    }
    const numbers = [...state.subarray(1)].filter((number) => number >= 0);
    require('node:fs').writeSync(2, text + numbers.join(', ') + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }`;

export class Heart {
  #state = new Int32Array(new SharedArrayBuffer(4 * (1 + SLOTS))).fill(-1);
  #thread = null;
  #timer;

  /** @param {number} seed for what is said */
  start(seed) {
    const text = `seed ${seed}: the event loop was held for ${HELD_MS / 1000} s by one of the sequences `;
    this.#thread = new Worker(CODE, { eval: true, workerData: { state: this.#state, held: HELD_MS, text } });
    this.#thread.unref();
    this.#timer = setInterval(() => {
      Atomics.add(this.#state, 0, 1);
      Atomics.notify(this.#state, 0);
    }, BEAT_MS).unref();
  }

  /** A sequence plays. @param {number} number @returns {() => void} to be called when it is done */
  playing(number) {
    const slot = this.#state.indexOf(-1, 1);
    this.#state[slot] = number;
    return () => (this.#state[slot] = -1);
  }

  async stop() {
    clearInterval(this.#timer);
    await this.#thread?.terminate();
  }
}
