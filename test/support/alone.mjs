// SPDX-License-Identifier: MIT
//
// What only one of the files of tests that run at a time may do: to install, to build.

import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../bindings/setup.mjs';

const LONGEST_MS = 900_000;
const PAUSE_MS = 50;

/**
 * Does something while no other process does it. One that died over it holds up the others for a quarter of an hour.
 *
 * @template T
 * @param {string} name of what is done
 * @param {() => T} work
 * @returns {T}
 */
export function alone(name, work) {
  const lock = join(root, '.cache', `${name}.lock`);
  mkdirSync(join(root, '.cache'), { recursive: true });
  while (!take(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  try {
    return work();
  } finally {
    rmdirSync(lock);
  }
}

function take(lock) {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - since > LONGEST_MS) rmdirSync(lock);
    return false;
  }
}
