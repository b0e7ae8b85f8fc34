// SPDX-License-Identifier: MIT
//
// A short run of the random operations, with seeds that stay the same. Each seed has a process of its own, as it watches all
// of it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('run.mjs', import.meta.url));

/** Runs a program to its end. @returns {Promise<{code: number | null, output: string}>} */
function run(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

for (const seed of [1, 2]) {
  test(`whatever is done at random with seed ${seed} ends as the contract says`, async () => {
    const { code, output } = await run('--seed', String(seed), '--operations', '1000', '--failures', '3', '--no-shrink');
    assert.equal(code, 0, output);
  });
}

test('a sequence is the same when it is made again', async () => {
  const { generate } = await import('./generate.mjs');
  assert.deepEqual(generate(7, 3), generate(7, 3));
  assert.notDeepEqual(generate(7, 3), generate(7, 4));
});
