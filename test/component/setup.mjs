// SPDX-License-Identifier: MIT
//
// What the tests of components share: the tools, installed where they are missing, and components under two runtimes.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { alone } from '../../bindings/alone.mjs';
import { root } from '../../bindings/setup.mjs';
import { transpile } from '../support/transpile.mjs';

const here = join(root, 'test', 'component');

/** The components that are tested. */
export const component = join(root, 'dist', 'wasi', 'porthole-client.wasm');
export const tlsComponent = join(root, 'dist', 'wasi', 'porthole-client-tls.wasm');

/** Python with the packages of requirements.txt. */
export const python = join(root, '.cache', 'venv-component', 'bin', 'python');

/**
 * Installs what isn't Debian's, and builds porthole-client.wasm: one process at a time, as each file of tests does so.
 *
 * @returns {Promise<string | false>} what can't be had
 */
export const lacking = () => alone('component', install);

function install() {
  const { status, stderr } = spawnSync(process.execPath, [join(here, 'install.mjs')], { encoding: 'utf8', timeout: 800_000 });
  return status !== 0 && (stderr.trim() || 'the set-up took too long');
}

/** Runs a program to its end. @returns {Promise<{code: number, stdout: string, stderr: string}>} */
export async function run(file, args, input = '') {
  const running = promisify(execFile)(file, args, { cwd: root, timeout: 480_000, maxBuffer: 1 << 25 });
  running.child.stdin.on('error', () => {}).end(input);
  return running.then((ended) => ({ code: 0, ...ended }), (error) => error);
}

/** Makes a folder that is gone when the process is. @returns {string} */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'porthole-component-'));
  process.on('exit', () => rmSync(folder, { recursive: true }));
  return folder;
}

/** Transpiles a component by jco. @returns {Promise<string>} the folder with NAME.js */
export async function transpiled(component, name) {
  const folder = scratch();
  await transpile(component, name, folder);
  return folder;
}

const DRIVERS = {
  wasmtime: () => [python, [join(here, 'drive.py'), component]],
  jco: (folder) => [process.execPath, [join(here, 'drive.mjs'), folder]],
};

/** What porthole-client.wasm runs under. */
export const RUNTIMES = Object.keys(DRIVERS);

/**
 * Makes calls on porthole-client.wasm.
 *
 * @param {string} runtime
 * @param {string} folder where it is transpiled
 * @param {object[]} steps
 * @param {object} [options]
 * @returns {Promise<unknown[]>} what each call answers
 */
export async function performUnder(runtime, folder, steps, options = {}) {
  const { code, stdout, stderr } = await run(...DRIVERS[runtime](folder), JSON.stringify({ steps, ...options }));
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/**
 * Starts a server for a test.
 *
 * @param {import('node:test').TestContext} t
 * @param {(socket: net.Socket, text: string, closings: Promise<void>[]) => unknown} answer is given what came since it was called
 *   last, or returned other than false, and when each connection is closed
 * @returns {Promise<{port: number, sockets: net.Socket[], texts: string[]}>} the connections, and what came on each
 */
export async function serve(t, answer) {
  const sockets = [];
  const texts = [];
  const closings = [];
  const server = net.createServer((socket) => {
    let text = '';
    sockets.push(socket.on('error', () => {}));
    closings.push(new Promise((resolve) => socket.on('close', resolve)));
    const index = texts.push('') - 1;
    socket.on('data', (data) => {
      text += data.toString('latin1');
      texts[index] += data.toString('latin1');
      if (text.includes('\r\n\r\n') && answer(socket, text, closings) !== false) text = '';
    });
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, sockets, texts };
}
