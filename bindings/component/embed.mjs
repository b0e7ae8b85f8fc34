// SPDX-License-Identifier: MIT
//
// Makes a component of a guest that was linked by wasm-ld, without an adapter.
//
//   node bindings/component/embed.mjs GUEST.core.wasm GUEST.wit WORLD GUEST.wasm
//
// The WIT can name porthole:http and WASI 0.2.

import { readFileSync, writeFileSync } from 'node:fs';
import { say } from '../setup.mjs';
import { componentOf, installTools, installWit } from '../wasi/tools.mjs';
import { withPackages } from './tools.mjs';

const [core, wit, world, component] = process.argv.slice(2);
try {
  if (component === undefined) throw new Error('node bindings/component/embed.mjs GUEST.core.wasm GUEST.wit WORLD GUEST.wasm');
  await installTools();
  await installWit();
  writeFileSync(component, await componentOf(readFileSync(core), withPackages(readFileSync(wit, 'utf8')), world));
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
