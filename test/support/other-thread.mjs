// SPDX-License-Identifier: MIT
//
// A server that goes on while the thread of the client is busy.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Keeps this thread busy: nothing else happens in it meanwhile. */
export function block(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/**
 * Runs with a server in a thread of its own.
 *
 * @param {string} code what it does with each `socket`; it calls `answered()` when something is written
 * @param {(port: number, blockUntil: (count: number, milliseconds: number) => void) => Promise<void>} use `blockUntil` keeps this
 *   thread busy for so long, and until `answered()` was called so often: what was written is in the kernel then
 */
export async function withOther(code, use) {
  const answers = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
    const answered = () => { Atomics.add(workerData, 0, 1); Atomics.notify(workerData, 0); };
    require('node:net').createServer((socket) => {
      socket.on('error', () => {});
      ${code}
    }).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port); });`,
    { eval: true, workerData: answers },
  );
  const blockUntil = (count, milliseconds) => {
    block(milliseconds);
    for (let seen = 0; (seen = Atomics.load(answers, 0)) < count; ) assert.notEqual(Atomics.wait(answers, 0, seen, 20_000), 'timed-out');
  };
  try {
    const [port] = await once(thread, 'message');
    await use(port, blockUntil);
  } finally {
    await thread.terminate();
  }
}
