// SPDX-License-Identifier: MIT
//
// `npm run test:wasmtime`: tests of this folder, of the command and of the component with TLS, under wasmtime, its command and the
// embedder of demo/hosts/wasmtime.
// Both are built of crates.io's where they are missing, in a quarter of an hour, below build/cargo, and kept there.
//
//   npm run test:wasmtime                               everything
//   npm run test:wasmtime -- test/wasi/tls.test.mjs     these files only

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { has, root, run, say } from '../../bindings/setup.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(root, 'build', 'cargo');

try {
  if (!has('cargo')) throw new Error('wasmtime is built by cargo: https://rustup.rs');
  say('building wasmtime, which takes a quarter of an hour for the first time');
  const manifest = join(root, 'demo', 'hosts', 'wasmtime', 'Cargo.toml');
  run('cargo', ['build', '--locked', '--quiet', '--manifest-path', manifest, '--target-dir', target]);
  const built = (name) => join(target, 'debug', name);
  const env = { ...process.env, PORTHOLE_WASMTIME: built('wasmtime'), PORTHOLE_EMBEDDER: built('porthole-wasmtime') };
  const all = readdirSync(here).filter((file) => file.endsWith('.test.mjs'));
  const others = ['cli/cli.test.mjs', 'cli/wasi.test.mjs', 'component/tls.test.mjs'].map((file) => join(root, 'test', file));
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : [...all.map((file) => join(here, file)), ...others];
  run(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', '--test-timeout=900000', ...chosen], { env });
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
