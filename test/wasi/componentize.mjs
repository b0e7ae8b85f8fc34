// SPDX-License-Identifier: MIT
//
// Makes a component of a linked program, without an adapter.
//
//   node test/wasi/componentize.mjs PROGRAM.wasm WORLD COMPONENT.wasm FOLDER
//
// WORLD is one of bindings/wasi/wit/world.wit; FOLDER has the WIT of WASI 0.2.12, a folder with a package.wit for each package.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';

const PACKAGES = ['io', 'clocks', 'sockets', 'random', 'filesystem', 'cli'];

const [program, world, component, folder] = process.argv.slice(2);
const nested = PACKAGES.map((name) => {
  const text = readFileSync(join(folder, `wasi-${name}`, 'package.wit'), 'utf8');
  return `${text.replace(/^package ([^;]+);/m, 'package $1 {')}\n}\n`;
});
const witSource = readFileSync(new URL('../../bindings/wasi/wit/world.wit', import.meta.url), 'utf8') + nested.join('');
const embedded = await componentEmbed({ binary: readFileSync(program), world, witSource });
writeFileSync(component, await componentNew(embedded, []));
