// SPDX-License-Identifier: MIT
//
// What tests of guests share: the library, programs on it as components, and the runtimes.

import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { alone } from '../../bindings/alone.mjs';
import { COMPILERS, installTools, tool } from '../../bindings/wasi/tools.mjs';
import { transpile } from '../support/transpile.mjs';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const execute = promisify(execFile);
const here = join(root, 'test', 'wasi');
const venv = join(root, '.cache', 'venv-wasi');
const python = join(venv, 'bin', 'python');

/** wasmtime's command, where it is to be used instead of the runtimes that are installed in seconds: `npm run test:wasmtime`. */
const wasmtime = process.env.PORTHOLE_WASMTIME;
/** What guests are run by. */
export const RUNTIMES = wasmtime ? ['wasmtime CLI', 'wasmtime CLI, WASI 0.3'] : ['wasmtime', 'jco'];
/** The version of WASI that a guest is made for. */
const versionFor = (runtime) => (runtime.endsWith('0.3') ? '0.3' : '0.2');

/** Does a command end well? */
const succeeds = (command, ...args) => spawnSync(command, args, { timeout: 240000 }).status === 0;

/** Installs what isn't Debian's. @returns {Promise<string | false>} what can't be had */
export async function lacking() {
  const missing = Object.keys(COMPILERS).filter((command) => !succeeds(command, '--version')).map((command) => COMPILERS[command]);
  if (!succeeds('python3', '-c', 'import ensurepip')) missing.push('python3-venv');
  if (missing.length > 0) return `apt-get install ${missing.join(' ')}`;
  try {
    await installTools();
  } catch {
    return "the packages of test/wasi/package-lock.json can't be installed";
  }
  return alone('venv-wasi', () => {
    if (!existsSync(python) && !succeeds('python3', '-m', 'venv', venv)) return 'no Python environment can be made';
    const pip = ['-m', 'pip', 'install', '-q', '-r', join(here, 'requirements.txt')];
    return !succeeds(python, '-c', 'import wasmtime') && !succeeds(python, ...pip) && "wasmtime for Python can't be installed";
  });
}

/**
 * Builds the libraries.
 *
 * @param {'0.2' | '0.3'} [version] of WASI
 * @returns {Promise<{ include: string[], libraries: string[] }>} for a compiler
 */
export async function buildLibrary(version = '0.2') {
  await alone('wasi', async () => {
    await execute('cmake', ['--preset', 'wasi'], { cwd: root });
    await execute('cmake', ['--build', '--preset', 'wasi'], { cwd: root });
  });
  const built = join(root, 'build', 'wasi');
  return {
    include: [
      `-I${join(root, 'src', 'include')}`,
      `-I${join(root, 'bindings', 'wasi', 'include')}`,
      ...(version === '0.3' ? ['-DPORTHOLE_WASI_03'] : []),
    ],
    libraries: [
      join(built, 'src', 'libporthole.a'),
      join(built, 'bindings', 'wasi', version === '0.3' ? 'libporthole-wasi03.a' : 'libporthole-wasi.a'),
    ],
  };
}

export const COMPILE = ['--target=wasm32', '-std=c11', '-ffreestanding', '-Os', '-mbulk-memory'];
/** What the sources of the conformance kit are compiled with, where they are a command. */
const forKit = [`-I${here}`, `-I${join(root, 'demo', 'guests')}`, '-DGUEST_LINKED'];
export const LINK = ['--no-entry', '--gc-sections', '--strip-all', '-z', 'stack-size=65536'];

/** A folder for what is made, which is removed by `remove`. */
export function workshop() {
  const folder = mkdtempSync(join(tmpdir(), 'porthole-wasi-'));
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}

/**
 * Makes a component of sources in this folder, without a WIT.
 *
 * @param {string} folder
 * @param {string} name
 * @param {string[]} sources
 * @param {(objects: string[], libraries: string[]) => string[]} [order] what the linker is given
 * @param {'0.2' | '0.3'} [version] of WASI
 * @returns {Promise<string>} its path
 */
export async function makeComponent(folder, name, sources, order = (...all) => all.flat(), version = '0.2') {
  const { include, libraries } = await buildLibrary(version);
  const objects = [];
  for (const source of sources) {
    const object = join(folder, `${name}-${source.replace(/\W/g, '_')}.o`);
    await execute('clang', [...COMPILE, ...include, ...forKit, '-c', join(here, source), '-o', object]);
    objects.push(object);
  }
  const program = join(folder, `${name}.core.wasm`);
  await execute('wasm-ld', [...LINK, ...order(objects, libraries), '-o', program]);
  const { componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
  const component = join(folder, `${name}.wasm`);
  writeFileSync(component, await componentNew(readFileSync(program), []));
  return component;
}

/** Makes modules of JavaScript of a component. @returns {Promise<string>} their folder */
export async function transpileComponent(component) {
  const folder = `${component}.jco`;
  mkdirSync(folder);
  await transpile(component, 'command', folder);
  return folder;
}

const settle = (started) => started.then((ended) => ({ code: 0, ...ended }), (error) => error);
const limits = { timeout: 240000, maxBuffer: 1 << 26 };

/** What wasmtime's command is allowed, but for what the options of run_wasmtime.py take away. */
export function allowed([without]) {
  if (without === '--no-network') return [];
  return ['-S', without === '--no-names' ? 'inherit-network' : 'inherit-network,allow-ip-name-lookup'];
}

/** How each runtime starts a component. @returns {Promise<(args: string[], options?: string[]) => Promise<object>>} */
const starters = {
  async wasmtime(component) {
    const script = join(here, 'run_wasmtime.py');
    return (args, options = []) => settle(execute(python, [script, ...options, component, ...args], limits));
  },
  async jco(component) {
    const folder = await transpileComponent(component);
    const script = join(here, 'run_jco.mjs');
    return (args, options = []) => settle(execute(process.execPath, [script, ...options, folder, ...args], limits));
  },
  async 'wasmtime CLI'(component) {
    return (args, options = []) => settle(execute(wasmtime, ['run', ...allowed(options), component, ...args], limits));
  },
};

/**
 * @typedef {Record<string, (args: string[], options?: string[]) => Promise<{ code: number, stdout: string, stderr: string }>>} Ways
 *   ways to run a guest: each takes its arguments and options of the runner
 */

/**
 * @param {string} component
 * @param {'0.2' | '0.3'} [version] of WASI, that it is made for
 * @returns {Promise<Ways>}
 */
export async function runtimesOf(component, version = '0.2') {
  const used = RUNTIMES.filter((runtime) => versionFor(runtime) === version);
  const start = (runtime) => starters[runtime.replace(/,.*/, '')](component);
  return Object.fromEntries(await Promise.all(used.map(async (runtime) => [runtime, await start(runtime)])));
}

/**
 * Makes components of a program in this folder, for all runtimes.
 *
 * @param {string} folder
 * @param {string} name of the program, without ".c"
 * @param {string[]} [sources] of it, from this folder
 * @returns {Promise<Ways>}
 */
export async function makeGuest(folder, name, sources = [`${name}.c`]) {
  const ways = {};
  for (const version of new Set(RUNTIMES.map(versionFor))) {
    const all = [...sources, `command${version.replace('.', '')}.c`];
    const component = await makeComponent(folder, `${name}-${version}`, all, undefined, version);
    Object.assign(ways, await runtimesOf(component, version));
  }
  return ways;
}

/**
 * A server that does something with each socket, and is gone when `use` is done.
 *
 * @param {(socket: net.Socket, index: number) => void} serve
 * @template T
 * @param {(port: number) => Promise<T>} use
 * @param {string} [host]
 * @returns {Promise<T>} what `use` answers
 */
export async function withServer(serve, use, host = '127.0.0.1') {
  const sockets = [];
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
    serve(socket, sockets.length - 1);
  });
  await new Promise((resolve) => server.listen(0, host, resolve));
  try {
    return await use(server.address().port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}
