// SPDX-License-Identifier: MIT
//
// `npm run demo:plugin`: a plugin of at most 24 KiB that reaches one host.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('../../demo/plugin/run.mjs', import.meta.url));
const has = (command) => spawnSync(command, ['--version']).status === 0;
const skip = !(has('clang') && has('wasm-ld')) && 'apt-get install clang lld';

test('the demo of plugins shows a stream, refusals with their rules, and what the host was told', { skip }, async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { timeout: 200_000 });
  assert.equal(stderr, '');
  const [, size] = /^A plugin of (\d+) bytes/.exec(stdout);
  assert.ok(Number(size) <= 24 * 1024, `${size} bytes`);
  assert.equal(stdout.match(/^ {4}piece: /gm).length, 3);
  assert.equal(stdout.match(/^ {4}error -404: /gm).length, 3);
  assert.match(stdout, /error -404: no rule allows http:\/\/localhost:8080\n/);
  const lines = [...stdout.matchAll(/^ {4}audit: (.*)$/gm)].map(([, line]) => JSON.parse(line));
  assert.deepEqual(lines.map(({ event, allowed }) => `${event} ${allowed}`), ['open true', 'head true', 'open false', 'open false', 'open false']);
});
