// SPDX-License-Identifier: MIT
//
// Makes the command a component of WASI 0.2:  node bindings/cli/component.mjs PORTHOLE-CLI.wasm

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, runQuietly } from '../setup.mjs';
import { alone, installTools, tool, toolsFolder, witSource } from '../wasi/tools.mjs';

const WASI = '0.2.12';
const FEATURES = ['--enable-bulk-memory', '--enable-mutable-globals', '--enable-sign-ext'];

/** A number as LEB128 has it, and where it ends. */
function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, at };
  }
}

/** Leaves out the sections that only name what is in a component, for debuggers. @param {Uint8Array} bytes */
function withoutNames(bytes) {
  const kept = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    const { value: length, at: start } = number(bytes, at + 1);
    const end = start + length;
    const name = bytes[at] === 0 ? number(bytes, start) : undefined;
    const isNames = name !== undefined && Buffer.from(bytes.subarray(name.at, name.at + name.value)).equals(Buffer.from('component-name'));
    if (!isNames) kept.push(bytes.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

/** Makes a module smaller by what binaryen knows. @returns {string} its path */
function optimized(path) {
  const made = path.replace(/\.core\.wasm$/, '.small.wasm');
  const wasmOpt = join(toolsFolder, 'node_modules', 'binaryen', 'bin', 'wasm-opt');
  const { status, stderr } = spawnSync(process.execPath, [wasmOpt, '-Oz', ...FEATURES, path, '-o', made], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`wasm-opt failed:\n${stderr}`);
  return made;
}

/** Builds it. @param {string} path where it goes */
export async function makeCommand(path) {
  await installTools();
  const program = await alone('wasi-command', () => {
    runQuietly('cmake', ['--preset', 'wasi-command']);
    runQuietly('cmake', ['--build', '--preset', 'wasi-command']);
    return readFileSync(optimized(join(root, 'build', 'wasi-command', 'bindings', 'cli', 'porthole-cli.core.wasm')));
  });
  const { componentEmbed, componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
  const source = await witSource(fileURLToPath(new URL('../wasi/wit/world.wit', import.meta.url)), WASI);
  const embedded = await componentEmbed({ binary: program, world: 'cli', witSource: source });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, withoutNames(await componentNew(embedded, [])));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeCommand(process.argv[2]);
