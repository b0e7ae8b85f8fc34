// SPDX-License-Identifier: MIT
//
// Makes the command a component of WASI 0.2, porthole-cli.wasm or, with TLS by wasi:tls, porthole-cli-tls.wasm.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alone } from '../alone.mjs';
import { replaceFile, root, runQuietly } from '../setup.mjs';
import { componentOf, installTools, shrink, witSource } from '../wasi/tools.mjs';

const WASI = '0.2.12';
const FLAGS = ['--enable-mutable-globals', '--enable-sign-ext'];

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
    return shrink(join(root, 'build', 'wasi-command', 'bindings', 'cli', `${name}.core.wasm`), FLAGS);
  });
  const source = await witSource(fileURLToPath(new URL('../wasi/wit/world.wit', import.meta.url)), WASI);
  replaceFile(join(folder, `${name}.wasm`), await componentOf(program, source, 'cli'));
}
