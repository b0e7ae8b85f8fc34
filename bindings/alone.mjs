// SPDX-License-Identifier: MIT
//
// What only one process at a time may do in a checkout: to install, to build. Builds and tests run side by side.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './setup.mjs';

const PAUSE_MS = 50;

/** Makes a file that names this process, unless it is there. @returns {boolean} was it made? */
function make(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

/** Has the process died that a file names? One that is gone, or not written yet, is nobody's who died. */
function isLeft(file) {
  try {
    const owner = Number(readFileSync(file, 'utf8'));
    if (owner > 0) process.kill(owner, 0);
    return false;
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH' && error.code !== 'EPERM') throw error;
    return error.code === 'ESRCH';
  }
}

/** @returns {boolean} is the lock ours now? */
function take(lock) {
  if (make(lock)) return true;
  // Only one at a time looks again and removes it: else the second would remove the lock of who came in between.
  const broom = `${lock}.left`;
  if (!isLeft(lock)) return false;
  if (make(broom)) {
    if (isLeft(lock)) rmSync(lock);
    rmSync(broom, { force: true });
  } else if (isLeft(broom)) {
    rmSync(broom, { force: true }); // who had it died over this
  }
  return false;
}

/**
 * Does something while no other process of this checkout does anything of the same name. The lock of one that died is taken over.
 *
 * @template T
 * @param {string} name of what is done, which is a file's in build/
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function alone(name, work) {
  const lock = join(root, 'build', `${name}.lock`);
  mkdirSync(join(root, 'build'), { recursive: true });
  while (!take(lock)) await sleep(PAUSE_MS);
  try {
    return await work();
  } finally {
    rmSync(lock);
  }
}
