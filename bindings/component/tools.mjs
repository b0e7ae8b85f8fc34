// SPDX-License-Identifier: MIT
//
// What makes components: the tools and the WIT of WASI out of npm's @bytecodealliance/jco, which test/component/package.json names.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isInstalled, root, run, runQuietly, say } from '../setup.mjs';

/** Where the tools are: not in bindings/, all of which is ours. */
const folder = join(root, 'test', 'component');
const require = createRequire(join(folder, 'package.json'));

/** Installs the tools, when they are not there or others are wanted. */
export function installTools() {
  if (isInstalled(folder)) return;
  say('installing the tools for components of test/component/package-lock.json');
  run('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error']);
}

/** A module of the installed tools. @param {string} name */
export const tool = (name) => import(pathToFileURL(require.resolve(name)));

/** The WIT of WASI: a folder with a package.wit for each package. */
const wasi = join(folder, 'node_modules', '@bytecodealliance', 'jco', 'lib', 'wit', 'builtin', '0.2.12');

/** A package's text as a part of another's. */
const nested = (text) => `${text.replace(/^package ([^;]+);/m, 'package $1 {')}\n}\n`;

/** The names of the interfaces of WASI. @returns {string[]} such as wasi:io/streams@0.2.12 */
export function wasiInterfaces() {
  return readdirSync(wasi, { withFileTypes: true }).filter((entry) => entry.isDirectory()).flatMap(({ name }) => {
    const text = readFileSync(join(wasi, name, 'package.wit'), 'utf8');
    const [, of, version] = /^package ([^@]+)@([^;]+);/m.exec(text);
    return [...text.matchAll(/^interface ([\w-]+) \{/gm)].map(([, interfaceName]) => `${of}/${interfaceName}@${version}`);
  });
}

/**
 * The text of a package with all that it can name: WASI, porthole:wasi and porthole:http.
 *
 * @param {string} text the package
 * @returns {string}
 */
export function withPackages(text) {
  const folders = readdirSync(wasi, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const files = [
    ...folders.map((name) => join(wasi, name, 'package.wit')),
    join(root, 'bindings', 'wasi', 'wit', 'world.wit'),
    join(root, 'bindings', 'wasi', 'wit', 'http', 'client.wit'),
  ];
  return text + files.map((file) => nested(readFileSync(file, 'utf8'))).join('');
}

/** Optimizes a core module for size. @param {string} file @returns {Buffer} */
export function shrink(file) {
  const wasmOpt = join(dirname(require.resolve('binaryen')), 'bin', 'wasm-opt');
  const smaller = `${file}.opt`;
  runQuietly(process.execPath, [wasmOpt, '-Oz', '--low-memory-unused', '--zero-filled-memory', '--enable-simd', '--enable-bulk-memory', file, '-o', smaller]);
  return readFileSync(smaller);
}

/** A number of a module, in LEB128. @returns {[number, number]} the number, and where it ends */
export function numberAt(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
  }
}

/** The sections of a module or component: their numbers, and where they, their contents and the next one begin. */
export function sections(bytes) {
  const found = [];
  for (let at = 8; at < bytes.length; ) {
    const [length, start] = numberAt(bytes, at + 1);
    found.push({ id: bytes[at], at, start, end: start + length });
    at = start + length;
  }
  return found;
}

/** Leaves out what debuggers call the parts of a component. */
function withoutNames(component) {
  const named = ({ id, start }) => id === 0 && component.toString('latin1', start + 1, start + 1 + component[start]) === 'component-name';
  return Buffer.concat([component.subarray(0, 8), ...sections(component).filter((section) => !named(section)).map(({ at, end }) => component.subarray(at, end))]);
}

/**
 * Makes a component of a core module.
 *
 * @param {Uint8Array} binary
 * @param {string} wit   the text of a package
 * @param {string} world one of its worlds
 * @returns {Promise<Uint8Array>}
 */
export async function componentOf(binary, wit, world) {
  const { componentEmbed, componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
  const component = await componentNew(await componentEmbed({ binary, world, witSource: withPackages(wit) }), []);
  return withoutNames(Buffer.from(component));
}
