// SPDX-License-Identifier: MIT
//
// Builds dist/wasi/porthole-client.wasm, and porthole-client-tls.wasm: the core modules by clang and lld, the components of them by
// npm's tools.
//
//   node bindings/component/build.mjs

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { alone } from '../alone.mjs';
import { root, runQuietly, say } from '../setup.mjs';
import { componentOf, installCompilers, installTools, installWit, shrink } from '../wasi/tools.mjs';
import { withPackages } from './tools.mjs';

const here = join(root, 'bindings', 'component');
const folder = join(root, 'build', 'component');
const dist = join(root, 'dist', 'wasi');
const wit = join(root, 'bindings', 'wasi', 'wit');
const sources = [
  join(here, 'world.wit'),
  join(wit, 'world.wit'),
  join(wit, 'tls', 'world.wit'),
  join(wit, 'http', 'client.wit'),
  join(here, 'build.mjs'),
  join(here, 'tools.mjs'),
];

/** What the linker promises of memory. */
const FLAGS = ['--low-memory-unused', '--zero-filled-memory'];

const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** @param {'client' | 'client-tls'} world */
async function build(world) {
  const core = join(folder, 'bindings', 'component', `porthole-${world}.core.wasm`);
  const component = join(dist, `porthole-${world}.wasm`);
  if (changed(component) <= Math.max(...[core, ...sources].map(changed))) {
    const source = withPackages(readFileSync(join(here, 'world.wit'), 'utf8'));
    const made = await componentOf(shrink(core, FLAGS), source, world);
    mkdirSync(dist, { recursive: true });
    writeFileSync(`${component}.new`, made);
    renameSync(`${component}.new`, component); // at once, for those that read it now
  }
  say(`${statSync(component).size} bytes of dist/wasi/porthole-${world}.wasm are up to date`);
}

try {
  installCompilers();
  await installTools();
  await installWit();
  await alone('client', async () => {
    runQuietly('cmake', ['--preset', 'wasi-plain', '-B', folder]);
    runQuietly('cmake', ['--build', folder, '--target', 'porthole_client', 'porthole_client_tls']);
    await build('client');
    await build('client-tls');
  });
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
