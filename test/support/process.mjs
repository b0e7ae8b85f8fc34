// SPDX-License-Identifier: MIT
//
// Programs that a test starts: found, started, waited for, and stopped by their pid.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, constants } from 'node:fs';
import net from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Servers live where the PATH of an ordinary user doesn't look. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
const PATIENCE = 20_000;

/**
 * The path of an installed program, or null.
 * @param {string} name
 * @returns {string | null}
 */
export function findProgram(name) {
  for (const folder of FOLDERS) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {}
  }
  return null;
}

/**
 * A TCP port that was free a moment ago: whoever takes it has to be ready to lose it to another process.
 * @param {string} [host]
 * @returns {Promise<number>}
 */
export async function freePort(host = '127.0.0.1') {
  const server = net.createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** True when something accepts connections there. */
function accepts(port, host) {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    const settle = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

/**
 * Waits until a program accepts connections, and `ready` agrees.
 * @param {import('node:child_process').ChildProcess} child
 * @param {{ port: number, host?: string, ready?: () => boolean, limit?: number }} options limit in milliseconds
 */
export async function waitUntilAccepting(child, { port, host = '127.0.0.1', ready = () => true, limit = 60_000 }) {
  const end = Date.now() + limit;
  while (Date.now() < end) {
    if (hasEnded(child)) throw new Error(`it ended by itself (${child.signalCode ?? child.exitCode})`);
    if (ready() && (await accepts(port, host))) return;
    await sleep(15);
  }
  throw new Error(`it didn't accept connections on port ${port} within ${limit / 1000} seconds`);
}

function hasEnded(child) {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

/**
 * Starts a program that doesn't outlive this process, however this process ends: Linux tells it (`setpriv` asks for
 * that). With root rights it runs as nobody, so that it behaves as it does for any user.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export function startProgram(command, args, options = {}) {
  const setpriv = findProgram('setpriv');
  const [name, ...rest] = setpriv ? [setpriv, '--pdeathsig', 'TERM', '--', command, ...args] : [command, ...args];
  return spawn(name, rest, { stdio: ['ignore', 'pipe', 'pipe'], ...unprivileged(), ...options });
}

/**
 * Runs a program to its end, which comes by force after 40 seconds, or a `timeout` of the options.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{status: number | string, stdout: string, stderr: string, output: string}>} a number, or the signal that has
 *   ended it; and what it printed, to either stream in `output`
 */
export async function runToEnd(command, args, options = {}) {
  const child = spawn(command, args, { timeout: 40_000, killSignal: 'SIGKILL', ...options });
  const printed = { stdout: '', stderr: '', output: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      printed[name] += text;
      printed.output += text;
    });
  }
  const [status, signal] = await once(child, 'close');
  return { status: signal ?? status, ...printed };
}

/** Runs a program of these lines under Node. @param {string} code @param {string[]} [flags] @returns as `runToEnd` */
export const runCode = (code, flags = [], options = {}) =>
  runToEnd(process.execPath, [...flags, '--input-type=module', '-e', code], options);

const NOBODY = 65534;

function unprivileged() {
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
}

/**
 * Gives files and folders to the user that started programs run as.
 * @param {...string} paths
 */
export function chownToServer(...paths) {
  const { uid, gid } = unprivileged();
  if (uid === undefined) return;
  for (const path of paths) chownSync(path, uid, gid);
}

/**
 * Stops a program: politely, and by force after some seconds.
 * @param {import('node:child_process').ChildProcess} child
 */
export async function stopProgram(child) {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  await ended;
  clearTimeout(timer);
}
