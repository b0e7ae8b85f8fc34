// SPDX-License-Identifier: MIT
//
// The thread of a guest: it makes the instance and calls what it exports, as the thread that started it asks.

import { parentPort, workerData } from 'node:worker_threads';
import { HeadChecker } from '../wasm/heads.js';
import { copyBytes } from '../node/copy.js';
import { Caller } from './caller.js';

/** The words of what a look at the guest's memory is answered by: done?, and how many bytes. */
const DONE = 0;
const LENGTH = 1;
const HEADER = 8;
const OUTSIDE = -1;

const { module, caller, output } = workerData;
const nothing = new WebAssembly.Memory({ initial: 0 });
let exports = {};
let memory = nothing;

/** The guest's memory; it has none before it is made, nor where it exports none. */
const memoryOf = () => memory;

const plain = (error) => ({ name: String(error?.name ?? 'Error'), message: String(error?.message ?? error) });

async function start() {
  const imports = { porthole_host_v1: new Caller(caller, memoryOf, () => new HeadChecker()).imports };
  if (output !== null) {
    const { makeSystem } = await import('./system.js');
    Object.assign(imports, makeSystem(memoryOf, { shared: output, send: (message) => parentPort.postMessage(message) }));
  }
  const instance = new WebAssembly.Instance(module, imports);
  exports = instance.exports;
  memory = Object.values(exports).find((entry) => entry instanceof WebAssembly.Memory) ?? nothing;
  exports._initialize?.();
}

function call({ name, numbers }) {
  const entry = Object.hasOwn(exports, name) ? exports[name] : undefined;
  if (typeof entry !== 'function') return { missing: true };
  try {
    return { value: entry(...numbers) };
  } catch (error) {
    // Where nothing of the guest has run it is what it was to be given.
    if (error instanceof TypeError && !String(error.stack).includes('wasm://')) return { misfit: error.message };
    // A program ends by this, as well as by returning.
    return name === '_start' && error?.name === 'Exit' ? { value: error.code } : { trap: plain(error) };
  }
}

/** Copies between the guest's memory and what the other thread waits with. */
function look({ look: shared, pointer, length, write }) {
  const words = new Int32Array(shared, 0, 2);
  const theirs = Buffer.from(shared, HEADER);
  const bytes = Buffer.from(memory.buffer);
  const inside = pointer + length <= bytes.length;
  if (inside && write) copyBytes(theirs.subarray(0, length), bytes, pointer);
  else if (inside) copyBytes(bytes.subarray(pointer, pointer + length), theirs, 0);
  words[LENGTH] = inside ? length : OUTSIDE;
  Atomics.store(words, DONE, 1);
  Atomics.notify(words, DONE);
}

parentPort.on('message', (message) => {
  if (message.look !== undefined) look(message);
  else parentPort.postMessage(call(message));
});

start().then(
  () => parentPort.postMessage({ value: undefined }),
  (error) => parentPort.postMessage({ trap: plain(error) }),
);
