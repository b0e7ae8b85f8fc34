// SPDX-License-Identifier: MIT
//
// Builds and starts the benchmark's server. Run by itself it prints the port and serves until it is interrupted, for
// use with a single client: `node test/bench/server.mjs`, then `node test/bench/clients/porthole.mjs --port P`.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('server.c', import.meta.url));
const folder = fileURLToPath(new URL('../../build/bench/', import.meta.url));
const binary = `${folder}server`;

/** Compiles the server into `build/bench`, with `CC` or `cc`. */
export function buildServer() {
  mkdirSync(folder, { recursive: true });
  execFileSync(process.env.CC ?? 'cc', ['-std=c11', '-O2', '-o', binary, source], { stdio: 'inherit' });
}

/**
 * Starts the compiled server on a free port.
 * @param {string[]} [wrapper] a command to start it under, such as `['taskset', '-c', '1']`
 * @returns {Promise<{ port: number, cpuTime: () => number, stop: () => Promise<void> }>}
 *   `cpuTime` in microseconds since the start
 */
export async function startServer(wrapper = []) {
  const [command, ...args] = [...wrapper, binary];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
  ]);
  return {
    port: Number(line),
    cpuTime: () => Number(readFileSync(`/proc/${child.pid}/schedstat`, 'latin1').split(' ')[0]) / 1000,
    async stop() {
      child.stdin.end();
      if (child.exitCode === null) {
        await once(child, 'exit');
      }
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  buildServer();
  const { port } = await startServer();
  console.log(port);
}
