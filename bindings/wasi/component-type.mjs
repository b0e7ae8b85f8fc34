// SPDX-License-Identifier: MIT
//
// Writes what the section "component-type" of a module says of a world, without its name and length: what the linker copies
// into a program that is linked with an object that has it, and wasm-tools and jco then read.
//
//   node bindings/wasi/component-type.mjs WORLD VERSION OUT
//
// WORLD is one of wit/world.wit, or of wit/world03.wit for the version 0.3.0 of WASI, or that of wit/tls.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { installTools, tool, witSource } from './tools.mjs';

const [world, version, out] = process.argv.slice(2);
const plain = version.startsWith('0.2.') ? 'wit/world.wit' : 'wit/world03.wit';
const file = world === 'tls' ? 'wit/tls/world.wit' : plain;
await installTools();
const { componentEmbed } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
const source = await witSource(fileURLToPath(new URL(file, import.meta.url)), version);
const module = await WebAssembly.compile(await componentEmbed({ dummy: true, world, witSource: source }));
const [section] = WebAssembly.Module.customSections(module, 'component-type');
writeFileSync(out, new Uint8Array(section));
