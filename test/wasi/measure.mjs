// SPDX-License-Identifier: MIT
//
// How long a GET on a kept connection takes under each runtime, by the guest's clock: 1,000 of them, against the server of
// test/bench.
//
//   node test/wasi/measure.mjs [TIMES]
//
// With PORTHOLE_WASMTIME set to wasmtime's command, under that, on WASI 0.2 and 0.3.

import { buildServer, startServer } from '../bench/server.mjs';
import { lacking, makeGuest, workshop } from './guests.mjs';

const MANY = 1000;
const GOALS = { jco: 0.7, wasmtime: 0.15, 'wasmtime CLI': 0.15, 'wasmtime CLI, WASI 0.3': 0.15 }; // ms
const times = Number(process.argv[2] ?? 5);

const missing = await lacking();
if (missing) throw new Error(missing);
buildServer();
const server = await startServer();
const shop = workshop();
try {
  const runtimes = await makeGuest(shop.folder, 'probe');
  for (const [runtime, run] of Object.entries(runtimes)) {
    const taken = [];
    for (let i = 0; i < times; i++) {
      const { stdout } = await run([`client 127.0.0.1:${server.port} 30000 -1 0`, 'gets 500 /small', `gets ${MANY} /small`]);
      const [, result, ms] = stdout.trimEnd().split('\n')[2].split(' ');
      if (result !== '128') throw new Error(`a GET ended with ${result}`);
      taken.push(Number(ms) / MANY);
    }
    taken.sort((a, b) => a - b);
    const median = taken[Math.floor(times / 2)];
    const verdict = median <= GOALS[runtime] ? 'as wanted' : 'too much';
    console.log(`${runtime}: ${median.toFixed(3)} ms a GET (${taken[0].toFixed(3)} to ${taken.at(-1).toFixed(3)}), wanted ${GOALS[runtime]}: ${verdict}`);
  }
} finally {
  shop.remove();
  await server.stop();
}
