// SPDX-License-Identifier: MIT
//
// Runs the conformance kit under a host:
//
//   node test/kit/run.mjs [--no-tls] [--no-policy] COMMAND…
//
// COMMAND runs a guest as demo/guests/guest.h says. Words in it are replaced: {guest} by the module, {ca} by the authority that
// the host has to trust, {rules} by a file with the rules that the kit needs. The kit's arguments follow. It prints TAP, and exits
// with 0 when every test has passed.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../../bindings/setup.mjs';
import { certificates } from '../support/certificates.mjs';
import { buildGuest, KIT, STORM } from './build.mjs';
import { startServers } from './server.mjs';

/** What the kit's guest may reach: this machine by the one address, in clear and by TLS, on any port. */
export const RULES = { allow: ['127.0.0.1/32:*'], limits: { connections: 16, total_connections: 1000 } };

const KIT_MS = 240_000;

/**
 * Runs a command in the checkout.
 *
 * @param {string[]} command
 * @param {{ timeout?: number, onStart?: (child: import('node:child_process').ChildProcess) => void }} [options]
 * @returns {Promise<{ stdout: string, stderr: string, status: number | string }>}
 */
export function start([program, ...args], { timeout = KIT_MS, onStart = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout });
    const said = { stdout: '', stderr: '' };
    for (const name of Object.keys(said)) child[name].setEncoding('utf8').on('data', (text) => (said[name] += text));
    child.on('error', reject).on('close', (code, signal) => resolve({ ...said, status: code ?? signal }));
    onStart(child);
  });
}

let files = 0;

/**
 * Runs a guest under a host.
 *
 * @param {string[]} command with {guest}, {ca} and {rules} where the host wants them
 * @param {{ guest: string, rules?: object, ca?: string, args?: string[], onStart?: (child: import('node:child_process').ChildProcess) => void }} what
 */
export async function runGuest(command, { guest, rules = RULES, ca = certificates().ca, args = [], onStart }) {
  const path = join(root, 'build', 'kit', `rules-${process.pid}-${++files}.json`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(rules));
  const words = { '{guest}': guest, '{ca}': ca, '{rules}': path };
  try {
    return await start([...command.map((word) => words[word] ?? word), ...args], { onStart });
  } finally {
    rmSync(path);
  }
}

/**
 * Runs the kit.
 *
 * @param {string[]} command with {guest}, {ca} and {rules} where the host wants them
 * @param {{ guest?: string, tls?: boolean, policy?: boolean }} [options] the module, else it is built; what the host has
 * @returns {Promise<{ stdout: string, stderr: string, status: number | string, denied: number }>} its TAP; how many connections
 *   came to where none may
 */
export async function runKit(command, { guest, tls = true, policy = true } = {}) {
  const { good, selfSigned } = certificates();
  const servers = await startServers(tls ? { good, bad: selfSigned } : {});
  const endpoints = Object.entries(servers.endpoints).filter(([name]) => policy || name !== 'denied');
  const args = endpoints.map(([name, at]) => `${name}=${at}`);
  try {
    const ended = await runGuest(command, { guest: guest ?? buildGuest('kit.wasm', KIT), args });
    return { ...ended, denied: servers.denied() };
  } finally {
    servers.close();
  }
}

/**
 * Lets the hostile guest loose on a host.
 *
 * @param {string[]} command as for runKit
 * @param {number} attempts
 * @returns {Promise<{ stdout: string, stderr: string, status: number | string, marks: { descriptors: number, kilobytes: number }[] }>}
 *   what the host has open, and its memory, after each tenth of the attempts
 */
export async function runStorm(command, attempts, { guest } = {}) {
  const marks = [];
  let pid;
  const measure = () => {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    marks.push({ descriptors: readdirSync(`/proc/${pid}/fd`).length, kilobytes: Number(kilobytes) });
  };
  const servers = await startServers({ onMark: measure });
  const rules = { ...RULES, limits: { total_connections: attempts, lookups: attempts } };
  const args = [`plain=${servers.endpoints.plain}`, `attempts=${attempts}`];
  const onStart = (child) => (pid = child.pid);
  try {
    const ended = await runGuest(command, { guest: guest ?? buildGuest('storm.wasm', STORM), rules, args, onStart });
    return { ...ended, marks };
  } finally {
    servers.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const options = { tls: true, policy: true };
  while (args[0]?.startsWith('--no-')) options[args.shift().slice('--no-'.length)] = false;
  if (args.length === 0) {
    console.error('usage: node test/kit/run.mjs [--no-tls] [--no-policy] COMMAND… {guest}');
    process.exit(2);
  }
  const ended = await runKit(args, options).catch((error) => {
    if (error.syscall === undefined) throw error;
    console.error(`the host can't be started: ${error.message}`);
    process.exit(2);
  });
  const { stdout, stderr, status, denied } = ended;
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  if (denied > 0) console.log(`# ${denied} connections came to where none may`);
  process.exitCode = status === 0 && denied === 0 ? 0 : 1;
}
