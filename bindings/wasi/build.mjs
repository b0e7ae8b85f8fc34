// SPDX-License-Identifier: MIT
//
// `npm run build:wasi`: dist/wasi/, which the package has for programs on WASI, and dist/command/, the module of the command
// `npx porthole`. They are made by clang, lld and CMake, which are
// installed when that is possible. What is there already is overwritten; `--clean` begins with nothing.

import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { alone } from '../alone.mjs';
import { makeCommand } from '../cli/component.mjs';
import { makeModule } from '../cli/module.mjs';
import { root, runQuietly, say } from '../setup.mjs';
import { installCompilers } from './tools.mjs';

const dist = join(root, 'dist', 'wasi');

/** The libraries for C with their headers, what finds them, and the WIT. */
function library() {
  runQuietly('cmake', ['--preset', 'wasi', '-DCMAKE_INSTALL_LIBDIR=lib']);
  runQuietly('cmake', ['--build', '--preset', 'wasi']);
  runQuietly('cmake', ['--install', join(root, 'build', 'wasi'), '--prefix', dist]);
}

/** porthole-client.wasm and porthole-client-tls.wasm, the client as a component. */
function clientComponents() {
  runQuietly(process.execPath, [join(root, 'bindings', 'component', 'build.mjs')]);
}

/** What dist/wasi/ and dist/command/ are made of: each puts its files there. */
const ARTEFACTS = [library, makeModule, () => makeCommand('porthole-cli', dist), () => makeCommand('porthole-cli-tls', dist), clientComponents];

/** All files below a folder, with their sizes. */
function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesOf(path) : [statSync(path).size];
  });
}

try {
  installCompilers();
  await alone('wasi', async () => {
    if (process.argv.includes('--clean')) rmSync(dist, { recursive: true, force: true });
    for (const make of ARTEFACTS) await make();
  });
  const sizes = filesOf(dist);
  say(`${sizes.length} files with ${sizes.reduce((all, size) => all + size, 0)} bytes in dist/wasi/`);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
