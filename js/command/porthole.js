#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// The command `porthole`: the program of bindings/cli in a thread of its own, and its connections in this one.

import { MessageChannel, Worker } from 'node:worker_threads';
import { makeBell } from '../../bindings/blocking/line.js';

const RING = 1024 * 1024;
const HEADER = 12; // in front of the words of an answer: is it there, the code, how many bytes
const WORDS_MOST = 1024;
/** What is answered without a connection: a thread would take longer to start than all the rest. */
const ALONE = new Set(['-h', '--help', '-V', '--version']);

const args = process.argv.slice(2);
const wasm = new URL('../../dist/command/porthole.wasm', import.meta.url).href;

/** Runs the program in this thread, without connections. */
async function runHere() {
  const { run } = await import('./program.js');
  const none = () => {
    throw new Error('no connection can be had here');
  };
  process.exit(run({ args, wasm, host: () => new Proxy({}, { get: () => none }), askTls: none }));
}

/** Runs the program in a thread of its own, which may block. */
function runBeside() {
  const { port1, port2 } = new MessageChannel();
  const bell = makeBell();
  const tls = new SharedArrayBuffer(HEADER + WORDS_MOST);
  const unlimited = Number.POSITIVE_INFINITY;
  const caller = { port: port2, bell, ring: RING, longest: unlimited, bytesOut: unlimited, secrets: [], vetting: false, telling: false };
  const worker = new Worker(new URL('./guest.js', import.meta.url), {
    workerData: { args, caller, tls, wasm },
    transferList: [port2],
    // It writes by itself. Streams of Node's would make pipes ones that don't wait, for everybody who has them.
    stdout: true,
    stderr: true,
    name: 'porthole',
  });
  worker.once('exit', (code) => process.exit(code));

  // What has the connections is loaded while that thread starts.
  const serving = import('./service.js').then(({ serve }) => serve(port1, bell));
  worker.on('message', async (settings) => {
    const { code, words } = await (await serving).useTls(settings);
    const answer = new Int32Array(tls, 0, HEADER / 4);
    answer[1] = code;
    answer[2] = new TextEncoder().encodeInto(words, Buffer.from(tls, HEADER)).written;
    Atomics.store(answer, 0, 1);
    Atomics.notify(answer, 0);
  });
}

if (args.length === 1 && ALONE.has(args[0])) runHere();
else runBeside();
