// SPDX-License-Identifier: MIT

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** Seconds without movement after which every contender that can gives up. */
export const TIMEOUT = 30;

/**
 * What a contender does, each over one connection.
 * @typedef {object} Client
 * @property {(path: string) => Promise<number>} read fetches a body into one buffer; gives its size
 * @property {(path: string, view: Uint8Array) => Promise<number>} stream
 *   reads a body through `view`, or as the contender's streams have it; gives its size
 * @property {(path: string, body: Uint8Array) => Promise<number>} upload posts `body`; gives the size of the answer
 */

const OPERATIONS = {
  read: (client, load) => () => client.read(load.path),
  stream: (client, load) => {
    const view = new Uint8Array(load.view);
    return () => client.stream(load.path, view);
  },
  upload: (client, load) => {
    const body = Buffer.alloc(load.upload, 'x');
    return () => client.upload(load.path, body);
  },
};

/**
 * The peak of this process's resident memory in KiB. `maxRSS` would count what the parent had at the fork as well, so
 * Linux is asked for the peak of this program alone.
 */
function peakMemory() {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]);
  } catch {
    return process.resourceUsage().maxRSS;
  }
}

async function repeat(operation, count, bytes) {
  for (let i = 0; i < count; i++) {
    const got = await operation();
    if (got !== bytes) {
      throw new Error(`${got} bytes instead of ${bytes}`);
    }
  }
}

/**
 * Runs one load with one contender as the command line says and prints what it took as a line of JSON.
 * @param {(where: { host: string, port: number }, count: number) => { clients: Client[], close: () => unknown }} open
 *   makes `count` clients with a connection each
 */
export async function main(open) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      load: { type: 'string', default: 'small' },
      requests: { type: 'string' },
      warmup: { type: 'string' },
    },
  });
  const loads = JSON.parse(readFileSync(new URL('../loads.json', import.meta.url), 'utf8'));
  const load = loads.find(({ name }) => name === values.load);
  if (!load || !values.port) {
    throw new Error(`usage: --port P --load ${loads.map(({ name }) => name).join('|')} [--requests N] [--warmup N]`);
  }
  const requests = Number(values.requests ?? load.requests);
  const warmup = Number(values.warmup ?? load.warmup);

  const { clients, close } = open({ host: '127.0.0.1', port: Number(values.port) }, load.connections);
  const operations = clients.map((client) => OPERATIONS[load.kind](client, load));
  const run = (count) =>
    Promise.all(operations.map((operation) => repeat(operation, count / operations.length, load.bytes)));

  await run(warmup);
  const cpuStart = process.cpuUsage();
  const start = performance.now();
  await run(requests);
  const wall = (performance.now() - start) * 1000;
  const cpu = process.cpuUsage(cpuStart);
  await close();
  console.log(JSON.stringify({ requests, wall, user: cpu.user, system: cpu.system, rss: peakMemory() }));
}
