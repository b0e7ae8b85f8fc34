// SPDX-License-Identifier: MIT
//
// Builds dist/wasi/porthole-client.wasm: the core module by clang and lld, the component of it by npm's tools.
//
//   node bindings/component/build.mjs

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, runQuietly, say } from '../setup.mjs';
import { componentOf, installTools, shrink } from './tools.mjs';

const folder = join(root, 'build', 'component');
const core = join(folder, 'bindings', 'component', 'porthole-client.core.wasm');
const component = join(root, 'dist', 'wasi', 'porthole-client.wasm');

installTools();
runQuietly('cmake', ['--preset', 'wasi', '-B', folder]);
runQuietly('cmake', ['--build', folder, '--target', 'porthole_client']);
const world = readFileSync(join(root, 'bindings', 'component', 'world.wit'), 'utf8');
const bytes = await componentOf(shrink(core), world, 'client');
if (!existsSync(component) || !readFileSync(component).equals(bytes)) {
  mkdirSync(dirname(component), { recursive: true });
  writeFileSync(component, bytes);
}
say(`${bytes.length} bytes of dist/wasi/porthole-client.wasm are up to date`);
