// SPDX-License-Identifier: MIT
//
// Builds guests: as WebAssembly by clang and lld, or natively with a host to link.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../../bindings/setup.mjs';

const at = (...path) => join(root, ...path);
const guests = at('demo', 'guests');
const includes = [`-I${at('src', 'include')}`, `-I${guests}`];

/** Makes a file in build/kit by a command, at once: others may be running what was there. @returns {string} its path */
function make(name, command, args) {
  const output = at('build', 'kit', name);
  const draft = `${output}.${process.pid}`;
  mkdirSync(dirname(output), { recursive: true });
  run(command, [...args, '-o', draft]);
  renameSync(draft, output);
  return output;
}

function run(command, args) {
  const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error || status !== 0) throw error ?? new Error(`${command} ${args.join(' ')}\n${stderr}`);
}

const inKit = (...names) => names.map((name) => at('test', 'kit', `${name}.c`));

/** The sources of the kit, and of the hostile guest. */
export const KIT = inKit('kit', 'given', 'open', 'bytes', 'memory', 'wait', 'tls', 'policy');
export const STORM = inKit('storm', 'given');

/** The core, for guests that use it. */
export const CORE = readdirSync(at('src')).filter((name) => name.endsWith('.c')).map((name) => at('src', name));

/** Is there what it takes? @returns {string | false} what is missing, else false */
export const noClang = ['clang', 'wasm-ld'].some((command) => spawnSync(command, ['--version']).status !== 0) && 'apt-get install clang lld';

/**
 * Builds a guest that imports porthole_host_v1 and nothing else.
 *
 * @param {string} name its file in build/kit
 * @param {string[]} sources
 * @returns {string} the path of the module
 */
export function buildGuest(name, sources) {
  return make(name, 'clang', [
    ...['--target=wasm32', '-std=c11', '-ffreestanding', '-nostdlib', '-Oz', '-mbulk-memory', ...includes, ...sources],
    ...[join(guests, 'guest.c'), '-Wl,--no-entry', '-Wl,--strip-debug', '-Wl,-z,stack-size=65536'],
  ]);
}

/**
 * Builds a guest with bindings/posix/host.c, under the sanitizers.
 *
 * @param {string} name its file in build/kit
 * @param {string[]} sources
 * @returns {string} the path of the program
 */
export function buildNative(name, sources) {
  return make(name, 'cc', [
    ...['-std=c11', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all', ...includes, ...sources],
    ...[join(guests, 'guest.c'), at('test', 'kit', 'native.c'), at('bindings', 'posix', 'host.c')],
  ]);
}
