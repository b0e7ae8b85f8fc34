// SPDX-License-Identifier: MIT
//
// Makes dist/command/porthole.wasm, the command as a module for Node: js/command has what it imports.

import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, runQuietly } from '../setup.mjs';

/** Builds it. */
export function makeModule() {
  runQuietly('cmake', ['--preset', 'wasi', '-DCMAKE_INSTALL_LIBDIR=lib']);
  runQuietly('cmake', ['--build', '--preset', 'wasi', '--target', 'porthole_command']);
  const folder = join(root, 'dist', 'command');
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(root, 'build', 'wasi', 'bindings', 'cli', 'porthole.wasm'), join(folder, 'porthole.wasm'));
}
