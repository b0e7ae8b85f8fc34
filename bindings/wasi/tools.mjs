// SPDX-License-Identifier: MIT
//
// What npm has for components: the tools of test/wasi/package.json, and the WIT of WASI, which is in the package of jco.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alone } from '../alone.mjs';
import { aptInstall, has, isInstalled, root, runQuietly, say } from '../setup.mjs';

/** Where the tools are described and installed: outside of bindings/, which is source of the package. */
export const toolsFolder = join(root, 'test', 'wasi');
const JCO = '1.35.0';
const witFolder = join(root, 'build', 'wit');

/** What our packages refer to, and what that refers to. */
const PACKAGES = ['io', 'clocks', 'sockets', 'random', 'filesystem', 'cli']; // 0.3 has no io

/** What modules are made by: commands, and Debian's packages of them. */
export const COMPILERS = { clang: 'clang', 'wasm-ld': 'lld', 'llvm-ar': 'llvm', cmake: 'cmake', ninja: 'ninja-build' };

/** Installs those, as far as that is possible. @throws {Error} that names what is missing */
export function installCompilers() {
  const missing = Object.keys(COMPILERS).filter((command) => !has(command)).map((command) => COMPILERS[command]);
  if (!aptInstall(missing)) throw new Error(`it needs apt-get install ${missing.join(' ')}`);
}

/** Installs the tools, when they are not there or others are wanted. */
export function installTools() {
  return alone('tools', () => {
    if (isInstalled(toolsFolder)) return;
    say('installing the tools for components of test/wasi/package-lock.json');
    runQuietly('npm', ['ci', '--prefix', toolsFolder, '--no-audit', '--no-fund', '--loglevel=error']);
  });
}

/** @param {string} name a module of the tools @returns {Promise<any>} */
export function tool(name) {
  return import(pathToFileURL(createRequire(join(toolsFolder, 'package.json')).resolve(name)).href);
}

/** What installWit gets: a folder for each version, and in it one for each package. */
export const wasiWit = join(witFolder, 'package', 'lib', 'wit', 'builtin');
/** The draft of wasi:tls, which is written for 0.2.12: its files. */
export const tlsWit = ['world.wit', 'types.wit'].map((name) => join(wasiWit, 'wasi-tls-0.2.0-draft', name));

/** A package's files as a part of another's. @param {string[]} files @returns {string} */
export function nested(files) {
  const text = files.map((file) => readFileSync(file, 'utf8')).join('');
  // jco's text of the draft of wasi:tls has a question more than the draft, which wasmtime doesn't answer.
  return `${text.replace(/^ *is-available: func\(\) -> bool;\n/m, '').replace(/^package ([^;]+);/m, 'package $1 {')}\n}\n`;
}

/** Gets the WIT of all versions of WASI. */
export async function installWit() {
  await alone('wit', () => {
    if (existsSync(wasiWit)) return;
    mkdirSync(witFolder, { recursive: true });
    const packed = join(witFolder, `bytecodealliance-jco-${JCO}.tgz`);
    runQuietly('npm', ['pack', `@bytecodealliance/jco@${JCO}`, '--silent', '--pack-destination', witFolder]);
    runQuietly('tar', ['-xzf', packed, '-C', witFolder, 'package/lib/wit/builtin']);
  });
}

/**
 * The text of a package of ours with all that it refers to.
 *
 * @param {string} file    our package
 * @param {string} version of WASI
 * @returns {Promise<string>}
 */
export async function witSource(file, version) {
  await installWit();
  const packages = PACKAGES.map((name) => [join(wasiWit, version, `wasi-${name}`, 'package.wit')]);
  if (version === '0.2.12') packages.push(tlsWit);
  return readFileSync(file, 'utf8') + packages.filter(([first]) => existsSync(first)).map(nested).join('');
}

/* ---- modules and components ---- */

/** Optimizes a core module for size. @param {string} file @param {string[]} [flags] @returns {Buffer} */
export function shrink(file, flags = []) {
  const wasmOpt = join(toolsFolder, 'node_modules', 'binaryen', 'bin', 'wasm-opt');
  const smaller = `${file}.opt`;
  runQuietly(process.execPath, [wasmOpt, '-Oz', '--enable-bulk-memory', ...flags, file, '-o', smaller]);
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
 * @param {string} witSource the text of a package with all that it refers to
 * @param {string} world     one of its worlds
 * @returns {Promise<Buffer>}
 */
export async function componentOf(binary, witSource, world) {
  const { componentEmbed, componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
  return withoutNames(Buffer.from(await componentNew(await componentEmbed({ binary, world, witSource }), [])));
}
