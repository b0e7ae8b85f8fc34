// SPDX-License-Identifier: MIT
//
// Plays many sequences, some at a time, and finds out whose it is when something went wrong for the whole process.

import { generate } from './generate.mjs';
import { Heart } from './heart.mjs';
import { Play } from './play.mjs';
import { removeFiles } from './sources.mjs';
import { Watch } from './watch.mjs';

const LENGTH = 20; // operations of a sequence
const AT_ONCE = 12;
const BATCH = 60; // sequences, after which everything has to be at rest

/**
 * @typedef {{sequence: number, findings: Array<{kind: string, text: string}>, log: string[], plan: object}} Failure
 */

export class Runner {
  operations = 0;
  sequences = 0;
  /** @type {Failure[]} */
  failures = [];
  #seed;
  #watch = new Watch();
  #heart = new Heart();
  #known = new Set();

  /** @param {number} seed @param {Set<string>} ignored kinds of findings */
  constructor(seed, ignored = new Set()) {
    this.#seed = seed;
    this.#known = ignored;
  }

  /** Plays one plan by itself. @returns {Promise<Failure>} with or without findings */
  async alone(number, plan = generate(this.#seed, number, LENGTH)) {
    this.#watch.stray = [];
    const played = await this.#play(number, plan);
    await this.#rest();
    for (const { kind, text } of this.#watch.stray) played.report(kind, text);
    this.#watch.stray = [];
    return { sequence: number, findings: this.#wanted(played), log: played.log, plan };
  }

  /** Plays sequences until there were so many operations. */
  async many(operations, failuresMax, onfailure) {
    for (let first = 0; this.operations < operations && this.failures.length < failuresMax; first += BATCH) {
      const numbers = Array.from({ length: BATCH }, (_, i) => first + i);
      const left = [...numbers];
      const found = [];
      const worker = async () => {
        while (left.length > 0 && this.operations < operations && this.failures.length + found.length < failuresMax) {
          const number = left.shift();
          const plan = generate(this.#seed, number, LENGTH);
          this.operations += plan.operations.length;
          this.sequences++;
          const played = await this.#play(number, plan);
          const findings = this.#wanted(played);
          if (findings.length > 0) found.push({ sequence: number, findings, log: played.log, plan });
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      await this.#rest();
      for (const failure of [...found, ...(await this.#attribute(numbers, found))]) {
        this.failures.push(failure);
        await onfailure?.(failure);
      }
    }
  }

  start() {
    this.#watch.start();
    this.#heart.start(this.#seed);
  }

  async stop() {
    await this.#heart.stop();
    this.#watch.stop();
    removeFiles();
  }

  #wanted(played) {
    return played.findings.filter(({ kind }) => !this.#known.has(kind));
  }

  async #play(number, plan) {
    const done = this.#heart.playing(number);
    const play = new Play(plan, [this.#seed, number]);
    const playing = play.run();
    await play.listening;
    this.#watch.playing.set(play.port, play);
    await playing;
    // What nobody handled is told after the turn in which it happened.
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.#watch.playing.delete(play.port);
    done();
    return play;
  }

  /** Everything has had its time to end: nothing may be left. */
  async #rest() {
    await new Promise((resolve) => setTimeout(resolve, 30));
    this.#watch.atRest();
  }

  /** Whose is what happened to the whole process? Those that played then are played again, each by itself. */
  async #attribute(numbers, found) {
    const stray = this.#watch.stray.filter(({ kind }) => !this.#known.has(kind));
    this.#watch.stray = [];
    if (stray.length === 0) return [];
    const suspects = new Set(stray.flatMap(({ plays }) => (plays.length > 0 ? plays.map((play) => play.sequence[1]) : numbers)));
    for (const { sequence } of found) suspects.delete(sequence);
    const kinds = new Set(stray.map(({ kind }) => kind));
    const failures = [];
    for (const number of suspects) {
      const failure = await this.alone(number);
      if (failure.findings.some(({ kind }) => kinds.has(kind))) failures.push(failure);
    }
    if (failures.length > 0 || found.length > 0) return failures;
    const texts = stray.map(({ kind, text }) => ({ kind, text: `${text} (by one of the sequences ${[...suspects].join(', ')})` }));
    return [{ sequence: -1, findings: texts, log: [], plan: null }];
  }
}
