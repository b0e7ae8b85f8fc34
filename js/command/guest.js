// SPDX-License-Identifier: MIT
//
// The thread of the command's program, which blocks while it waits.

import { parentPort, workerData } from 'node:worker_threads';
import { Caller } from '../../bindings/blocking/caller.js';
import { run } from './program.js';

const { args, caller, tls, wasm } = workerData;
const DONE = 0; // the words in front of an answer of the other thread
const CODE = 1;
const LENGTH = 2;
const HEADER = 12;

/** Asks the thread that speaks TLS. */
function askTls(settings) {
  const words = new Int32Array(tls, 0, HEADER / 4);
  parentPort.postMessage(settings);
  Atomics.wait(words, DONE, 0);
  return { code: words[CODE], words: Buffer.from(tls, HEADER, words[LENGTH]).toString() };
}

process.exit(run({ args, wasm, host: (memoryOf) => new Caller(caller, memoryOf).imports, askTls }));
