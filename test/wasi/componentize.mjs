// SPDX-License-Identifier: MIT
//
// Makes a component of a linked program, without an adapter.
//
//   node test/wasi/componentize.mjs PROGRAM.wasm COMPONENT.wasm
//   node test/wasi/componentize.mjs PROGRAM.wasm WORLD COMPONENT.wasm FOLDER
//
// The first takes what the program says of itself, as `wasm-tools component new` does. The second adds a WORLD of
// bindings/wasi/wit/world.wit; FOLDER has the WIT of WASI 0.2.12, a folder with a package.wit for each package.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';

const PACKAGES = ['io', 'clocks', 'sockets', 'random', 'filesystem', 'cli'];

async function embedded(binary, world, folder) {
  const nested = PACKAGES.map((name) => {
    const text = readFileSync(join(folder, `wasi-${name}`, 'package.wit'), 'utf8');
    return `${text.replace(/^package ([^;]+);/m, 'package $1 {')}\n}\n`;
  });
  const source = readFileSync(new URL('../../bindings/wasi/wit/world.wit', import.meta.url), 'utf8') + nested.join('');
  return componentEmbed({ binary, world, witSource: source });
}

const [program, ...rest] = process.argv.slice(2);
const bytes = readFileSync(program);
const [component] = rest.length > 1 ? rest.slice(1) : rest;
writeFileSync(component, await componentNew(rest.length > 1 ? await embedded(bytes, rest[0], rest[2]) : bytes, []));
