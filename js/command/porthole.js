#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// The command `porthole`: the program of bindings/cli in a thread of its own, and its connections in this one.

import { MessageChannel, Worker } from 'node:worker_threads';
import { makeBell } from '../../bindings/blocking/line.js';

const RING = 1024 * 1024;
const HEADER = 12; // in front of the words of an answer: is it there, the code, how many bytes
const WORDS_MOST = 1024;

const { port1, port2 } = new MessageChannel();
const bell = makeBell();
const tls = new SharedArrayBuffer(HEADER + WORDS_MOST);
const unlimited = Number.POSITIVE_INFINITY;
const caller = { port: port2, bell, ring: RING, longest: unlimited, bytesOut: unlimited, secrets: [], vetting: false, telling: false };
const worker = new Worker(new URL('./guest.js', import.meta.url), {
  workerData: {
    args: process.argv.slice(2),
    caller,
    tls,
    wasm: new URL('../../dist/command/porthole.wasm', import.meta.url).href,
  },
  transferList: [port2],
  // It writes by itself. Streams of Node's would make pipes ones that don't wait, for everybody who has them.
  stdout: true,
  stderr: true,
  name: 'porthole',
});
worker.once('exit', (code) => process.exit(code));

// While that thread starts.
const [{ Desk }, { Keeper }] = await Promise.all([import('../../bindings/blocking/desk.js'), import('./keeper.js')]);
const keeper = new Keeper();
new Desk(port1, bell, keeper);
worker.on('message', async (settings) => {
  const { code, words } = await keeper.useTls(settings);
  const answer = new Int32Array(tls, 0, HEADER / 4);
  const { written } = new TextEncoder().encodeInto(words, new Uint8Array(WORDS_MOST));
  answer[1] = code;
  answer[2] = Buffer.from(tls, HEADER).utf8Write(words, 0, written);
  Atomics.store(answer, 0, 1);
  Atomics.notify(answer, 0);
});
