// SPDX-License-Identifier: MIT
//
// Where the CPU time of a load goes, by V8's sampling profiler.

import { Session } from 'node:inspector/promises';

/** Microseconds between two samples. */
const INTERVAL = 100;

/** What a sample is counted as. */
function partOf({ functionName, url }) {
  if (functionName === '(garbage collector)') {
    return 'collection';
  }
  if (url.startsWith('wasm:')) {
    return 'core';
  }
  if (url.startsWith('node:')) {
    return 'node';
  }
  // What has no address is a function of V8 or a native one of Node, such as the one that writes to a socket.
  return url === '' ? 'system' : 'client';
}

/**
 * Starts the profiler. It has to be when the process begins: later, V8 11.3 was seen to wait for itself for ever, when a
 * collection fell into the moment.
 *
 * @returns {Promise<(run: () => Promise<{ requests: number, user: number, system: number }>) => Promise<Record<string, number>>>}
 *   samples what `run` does, which answers with what it took, in µs; once. It gives µs of CPU for a request: `client` of
 *   JavaScript that isn't Node's, `core` of WebAssembly, `node` of Node's JavaScript, `collection` of garbage, and `system`:
 *   all the rest, which is the kernel, libuv and natives of Node
 */
export async function startProfiler() {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL });
  await session.post('Profiler.start');
  return async (run) => {
    const start = Number(process.hrtime.bigint() / 1000n); // the profiler's clock is the same
    const { requests, user, system } = await run();
    const end = Number(process.hrtime.bigint() / 1000n);
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    const nodes = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
    const parts = { client: 0, core: 0, node: 0, collection: 0 };
    let time = profile.startTime;
    profile.samples.forEach((id, i) => {
      time += profile.timeDeltas[i];
      const part = partOf(nodes.get(id));
      if (part !== 'system' && time > start && time <= end) parts[part] += profile.timeDeltas[i] / requests;
    });
    const rest = (user + system) / requests - Object.values(parts).reduce((sum, part) => sum + part);
    return { ...parts, system: Math.max(0, rest) };
  };
}
