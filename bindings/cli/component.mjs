// SPDX-License-Identifier: MIT
//
// Makes the command a component of WASI 0.2, porthole-cli.wasm or, with TLS by wasi:tls, porthole-cli-tls.wasm.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/**
 * Builds one of them.
 *
 * @param {'porthole-cli' | 'porthole-cli-tls'} name
 * @param {string} folder where it goes
 */
export async function makeCommand(name, folder) {
  await installTools();
  const program = await alone('wasi-command', () => {
    runQuietly('cmake', ['--preset', 'wasi-command']);
    runQuietly('cmake', ['--build', '--preset', 'wasi-command']);
    return readFileSync(optimized(join(root, 'build', 'wasi-command', 'bindings', 'cli', `${name}.core.wasm`)));
  });
  const { componentEmbed, componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
  const source = await witSource(fileURLToPath(new URL('../wasi/wit/world.wit', import.meta.url)), WASI);
  const embedded = await componentEmbed({ binary: program, world: 'cli', witSource: source });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.wasm`), withoutNames(await componentNew(embedded, [])));
}
