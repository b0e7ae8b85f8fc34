// SPDX-License-Identifier: MIT
//
// Builds dist/wasi/porthole-client.wasm: the core module by clang and lld, the component of it by npm's tools.
//
//   node bindings/component/build.mjs

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, runQuietly, say } from '../setup.mjs';
import { componentOf, installTools, shrink } from './tools.mjs';

const here = join(root, 'bindings', 'component');
const folder = join(root, 'build', 'component');
const core = join(folder, 'bindings', 'component', 'porthole-client.core.wasm');
const component = join(root, 'dist', 'wasi', 'porthole-client.wasm');
const wit = join(root, 'bindings', 'wasi', 'wit');
const sources = [core, join(here, 'world.wit'), join(wit, 'world.wit'), join(wit, 'http', 'client.wit'), join(here, 'build.mjs'), join(here, 'tools.mjs')];

const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

installTools();
runQuietly('cmake', ['--preset', 'wasi', '-B', folder]);
runQuietly('cmake', ['--build', folder, '--target', 'porthole_client']);
if (changed(component) <= Math.max(...sources.map(changed))) {
  const world = readFileSync(join(here, 'world.wit'), 'utf8');
  mkdirSync(dirname(component), { recursive: true });
  writeFileSync(`${component}.new`, await componentOf(shrink(core), world, 'client'));
  renameSync(`${component}.new`, component); // at once, for those that read it now
}
say(`${statSync(component).size} bytes of dist/wasi/porthole-client.wasm are up to date`);
