// SPDX-License-Identifier: MIT
//
// One contender under one load, in a process of its own. The driver gives the task as JSON in the first argument, then
// a command for each line of standard input; each is answered by one line of JSON. `python.py` speaks the same.
//
//   ready           (said by itself) connected, and what it received was compared byte by byte
//   warm LIMIT      warms up: the load's number of requests, fewer when LIMIT ms are over and it gets no faster
//   round N GC      measures N requests; GC is 1 for a collection right before
//   profile N       where the CPU time of N requests goes, see profile.mjs; once, if the task said `profiled`
//   peak N          N requests, then the peak of this process's memory
//   open            the load's connections, each with one answer read, then closed: what memory they take
//   end

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, differs, repeated } from './pattern.mjs';

/**
 * What a contender does, each over one connection.
 * @typedef {object} Client
 * @property {(path: string) => Promise<{ length: number }>} read fetches a body into one buffer
 * @property {(path: string, view: Uint8Array, visit?: (piece: Uint8Array) => void) => Promise<number>} stream
 *   reads a body through `view`, or as the contender's streams have it; gives its size
 * @property {(path: string, body: Uint8Array) => Promise<{ length: number }>} upload posts `body`; gives the answer's
 * @property {(path: string) => Promise<Uint8Array>} [whole] the body as `read` doesn't give it: for the floor
 */

const [task] = process.argv.slice(2).map((argument) => JSON.parse(argument));
const { load } = task;
const pattern = readFileSync(task.body);

const OPERATIONS = {
  read: (client) => async () => (await client.read(load.path)).length,
  stream: (client, view = new Uint8Array(load.view)) => {
    return () => client.stream(load.path, view);
  },
  upload: (client) => {
    const body = repeated(pattern, load.upload);
    return async () => (await client.upload(load.path, body)).length;
  },
};
OPERATIONS.peak = OPERATIONS.stream;
OPERATIONS.open = OPERATIONS.stream;

/** Compares what a client receives (or what the server received) with what it should be. */
async function verify(client) {
  let seen = 0;
  const visit = (piece) => {
    const at = differs(pattern, seen, piece);
    if (at !== -1) {
      throw new Error(`${load.path}: ${describe(pattern, seen, at, piece)}`);
    }
    seen += piece.length;
  };
  if (load.kind === 'upload') {
    visit(await (client.whole ?? client.read)('/small'));
    const { length } = await client.upload(load.check, repeated(pattern, load.upload));
    if (length !== load.bytes) {
      throw new Error(`${load.check}: ${length} bytes instead of ${load.bytes}`);
    }
    return;
  }
  if (client.whole || load.kind === 'read') {
    visit(await (client.whole ?? client.read)(load.path));
  } else {
    await client.stream(load.path, new Uint8Array(load.view), visit);
  }
  if (seen !== load.bytes) {
    throw new Error(`${load.path}: ${seen} bytes instead of ${load.bytes}`);
  }
}

async function repeat(operation, count) {
  for (let i = 0; i < count; i++) {
    const got = await operation();
    if (got !== load.bytes) {
      throw new Error(`${got} bytes instead of ${load.bytes}`);
    }
  }
}

function status(field) {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))[1]);
}

/** In KiB: what the system gave this process, and what of that is still in use by JavaScript. */
function memory() {
  const { heapUsed, external } = process.memoryUsage();
  return { resident: status('VmRSS'), held: (heapUsed + external) / 1024 };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function collect() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await turn();
  }
}

async function start() {
  const sampled = task.profiled && (await (await import('./profile.mjs')).startProfiler());
  const { open } = await import(`./clients/${task.client}.mjs`);
  const { port, root } = task;
  const where = { host: '127.0.0.1', port, root, ca: task.ca && readFileSync(task.ca), timeout: 30 };
  const opening = (count) => open({ ...where, count, separate: load.kind === 'open' });
  const first = await opening(load.kind === 'open' ? 1 : load.connections);
  // What comes before the peak must not add to it.
  if (load.kind !== 'peak') {
    await verify(first.clients[0]);
  }
  const operations = first.clients.map((client) => OPERATIONS[load.kind](client));
  const run = (count) =>
    Promise.all(operations.map((operation) => repeat(operation, Math.ceil(count / operations.length))));

  async function measure(count) {
    const cpuStart = process.cpuUsage();
    const wallStart = performance.now();
    await run(count);
    const wall = (performance.now() - wallStart) * 1000;
    const { user, system } = process.cpuUsage(cpuStart);
    const requests = Math.ceil(count / operations.length) * operations.length;
    return { requests, wall, user, system };
  }

  async function warm(limit) {
    const batch = Math.max(operations.length, Math.ceil(load.warmup / 20));
    const end = performance.now() + limit;
    const pace = [];
    let requests = 0;
    const falling = () => pace.length < 6 || Math.min(...pace.slice(-3)) < 0.97 * Math.min(...pace.slice(0, -3));
    while (requests < load.warmup ? falling() || performance.now() < end : falling() && requests < 2 * load.warmup) {
      const sample = await measure(batch);
      requests += sample.requests;
      pace.push(sample.wall / sample.requests);
      if (performance.now() > end + limit) {
        break; // so slow that its end can't be waited for
      }
    }
    return { requests, first: pace[0], pace: Math.min(...pace.slice(-3)), settled: !falling() };
  }

  async function openAll() {
    await repeat(operations[0], 50);
    await first.close();
    await gone();
    await collect();
    const before = memory();
    const opened = await opening(load.connections);
    const view = new Uint8Array(load.view);
    for (let i = 0; i < opened.clients.length; i += 50) {
      await Promise.all(opened.clients.slice(i, i + 50).map((client) => repeat(OPERATIONS.open(client, view), 1)));
    }
    await collect();
    const open = memory();
    await opened.close();
    opened.clients.length = 0;
    await gone();
    await collect();
    const closed = memory();
    const each = (now, what) => (now[what] - before[what]) / load.connections;
    return {
      open: each(open, 'resident'),
      closed: each(closed, 'resident'),
      heldOpen: each(open, 'held'),
      heldClosed: each(closed, 'held'),
    };
  }

  /** Waits until no socket is left. */
  async function gone() {
    const end = performance.now() + 60_000;
    while (process.getActiveResourcesInfo().includes('TCPSocketWrap')) {
      if (performance.now() > end) {
        throw new Error('closed connections are still there after a minute');
      }
      await turn();
    }
  }

  async function peak(count) {
    await run(count);
    const memory = (status('VmHWM') * 1024) / 1e6;
    await verify(first.clients[0]);
    return { peak: memory };
  }

  async function round(count, gc) {
    if (gc) {
      globalThis.gc();
    }
    return measure(count);
  }

  return {
    warm,
    round,
    profile: (count) => sampled(() => measure(count)),
    peak,
    open: openAll,
    end: async () => ({ rss: (status('VmHWM') * 1024) / 1e6 }),
  };
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const commands = await start();
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...args] = line.split(' ');
  say(await commands[command](...args.map(Number)));
  if (command === 'end') {
    process.exit();
  }
}
