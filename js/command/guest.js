// SPDX-License-Identifier: MIT
//
// The thread of the command's program, which blocks while it waits.

import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Caller } from '../../bindings/blocking/caller.js';
import { System } from './system.js';

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

let memory;
const memoryOf = () => memory;
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(new URL(wasm))), {
  porthole_host_v1: new Caller(caller, memoryOf).imports,
  porthole_cli_v1: new System(args, askTls, memoryOf).imports,
});
memory = exports.memory;
process.exit(exports.run());
