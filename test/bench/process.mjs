// SPDX-License-Identifier: MIT
//
// The processes of the contenders: started, asked, stopped; and which CPU they are on.

import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { has } from '../../bindings/setup.mjs';

/** A command that takes longer than this, in ms, has failed. */
const PATIENCE = 120_000;
const FLAGS = ['--expose-gc', '--no-warnings'];

const script = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The CPUs that this process may use. */
function allowedCpus() {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1];
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/**
 * Commands to start server and clients under, so that each has a CPU of its own: the last two.
 * @returns {{ server: string[], client: string[] }} empty where that can't be
 */
export function placement() {
  const cpus = allowedCpus();
  if (cpus.length < 2 || !has('taskset')) {
    return { server: [], client: [] };
  }
  const [client, server] = cpus.slice(-2).map((cpu) => ['taskset', '-c', String(cpu)]);
  return { server, client };
}

/**
 * @typedef {object} Contender
 * @property {string} name as printed
 * @property {string} client which file of `clients/`
 * @property {string} root the folder of the porthole that it uses
 */

function command({ client }, task, fresh) {
  const argument = JSON.stringify(task);
  if (client === 'python') {
    return ['python3', script('clients/python.py'), argument];
  }
  return [process.execPath, ...FLAGS, script(fresh ? 'start.mjs' : 'contender.mjs'), argument];
}

/**
 * Starts a process that measures itself once and ends.
 * @returns {Promise<object>} what it printed, and its time from start to end
 */
export async function runFresh(contender, task, wrapper) {
  const [file, ...args] = [...wrapper, ...command(contender, task, true)];
  const start = performance.now();
  const { stdout } = await promisify(execFile)(file, args, { timeout: PATIENCE });
  return { ...JSON.parse(stdout), wall: performance.now() - start };
}

/**
 * Starts a contender and waits until it has verified what it receives.
 * @param {Contender} contender
 * @param {object} task
 * @param {string[]} wrapper
 */
export async function startContender(contender, task, wrapper) {
  const [file, ...args] = [...wrapper, ...command(contender, task, false)];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaint = '';
  child.stderr.on('data', (data) => (complaint = (complaint + data).slice(-4000)));
  child.stdin.on('error', () => {}); // its end is told by the end of its output

  async function answer() {
    const timer = setTimeout(() => {
      complaint = `took over ${PATIENCE / 1000} s`;
      child.kill();
    }, PATIENCE);
    try {
      const { done, value } = await lines.next();
      if (done) {
        await ended;
        throw new Error(complaint.trim() || `ended with ${child.signalCode ?? child.exitCode}`);
      }
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }

  await answer();
  return {
    ask(...words) {
      child.stdin.write(`${words.join(' ')}\n`);
      return answer();
    },
    /** @returns {Promise<void>} */
    async stop() {
      child.stdin.end();
      child.kill();
      await ended;
    },
  };
}
