// SPDX-License-Identifier: MIT
//
// What only one process at a time may do: counted by many that want to at once.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { alone } from '../../bindings/alone.mjs';
import { root } from '../../bindings/setup.mjs';

const PROCESSES = 4;
const TIMES = 100;

let folder;
let name;
const lock = () => join(root, 'build', `${name}.lock`);

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'porthole-alone-'));
  name = basename(folder);
  mkdirSync(join(root, 'build'), { recursive: true });
});
after(() => {
  rmSync(folder, { recursive: true });
  for (const file of [lock(), `${lock()}.left`]) rmSync(file, { force: true });
});

/** The number of a process that has ended. */
const dead = () => spawnSync(process.execPath, ['-e', '']).pid;

test('processes that want the same do it one after another, and each of them does it', { timeout: 60_000 }, async () => {
  const counter = join(folder, 'counter');
  writeFileSync(counter, '0');
  writeFileSync(lock(), String(dead())); // nobody holds it
  const script = `
    const { alone } = await import(${JSON.stringify(new URL('../../bindings/alone.mjs', import.meta.url).href)});
    const fs = await import('node:fs');
    const [name, counter] = process.argv.slice(1);
    for (let i = 0; i < ${TIMES}; i++) {
      await alone(name, async () => {
        const count = Number(fs.readFileSync(counter, 'utf8'));
        await new Promise(setImmediate);
        fs.writeFileSync(counter, String(count + 1));
      });
    }`;
  const all = Array.from({ length: PROCESSES }, () =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, name, counter]));
  await Promise.all(all);
  assert.equal(readFileSync(counter, 'utf8'), String(PROCESSES * TIMES));
  assert.ok(!existsSync(lock()));
});

test('a lock is given back when what is done under it fails', async () => {
  await assert.rejects(alone(name, () => Promise.reject(new Error('no compiler'))), { message: 'no compiler' });
  assert.equal(await alone(name, () => 'done'), 'done');
});

test('the lock of a process that runs is waited for', async () => {
  writeFileSync(lock(), String(process.ppid));
  let done = false;
  const waiting = alone(name, () => {
    done = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(done, false);
  rmSync(lock());
  await waiting;
  assert.equal(done, true);
});
