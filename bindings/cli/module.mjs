// SPDX-License-Identifier: MIT
//
// Makes dist/command/porthole.wasm, the command as a module for Node: js/command has what it imports.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile, root, runQuietly } from '../setup.mjs';

/** Builds it. */
export function makeModule() {
  runQuietly('cmake', ['--preset', 'wasi', '-DCMAKE_INSTALL_LIBDIR=lib']);
  runQuietly('cmake', ['--build', '--preset', 'wasi', '--target', 'porthole_command']);
  const made = readFileSync(join(root, 'build', 'wasi', 'bindings', 'cli', 'porthole.wasm'));
  replaceFile(join(root, 'dist', 'command', 'porthole.wasm'), made);
}
