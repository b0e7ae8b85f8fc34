// SPDX-License-Identifier: MIT
//
// How long a GET on a kept connection takes under each runtime, by the guest's clock: 1,000 of them, against the server of
// test/bench.
//
//   node test/wasi/measure.mjs [TIMES]
//
// With PORTHOLE_WASMTIME set to wasmtime's command, under that, on WASI 0.2 and 0.3. Over TLS, too: under jco, and with
// PORTHOLE_EMBEDDER set to the embedder of demo/hosts/wasmtime under that.

import { buildServer, startServer } from '../bench/server.mjs';
import { lacking, makeGuest, workshop } from './guests.mjs';
import { embedderOf, jcoOf, makeTlsComponent, transpileWithTls } from './tls.mjs';

const MANY = 1000;
const wanted = (runtime) => (runtime.startsWith('jco') ? 0.7 : 0.15); // ms
const times = Number(process.argv[2] ?? 5);

const missing = await lacking();
if (missing) throw new Error(missing);
const certificate = buildServer();
const server = await startServer({ certificate });
const shop = workshop();
try {
  const runtimes = await makeGuest(shop.folder, 'probe');
  if (certificate) {
    const secure = await makeTlsComponent(shop.folder, 'probe-tls', ['probe.c', 'command02.c']);
    const { PORTHOLE_EMBEDDER: embedder } = process.env;
    const run = embedder === undefined ? jcoOf(await transpileWithTls(secure)) : embedderOf(embedder, secure);
    runtimes[embedder === undefined ? 'jco, TLS' : 'embedder, TLS'] = (steps) => run(steps, { ca: certificate.ca });
  }
  for (const [runtime, start] of Object.entries(runtimes)) {
    const taken = [];
    const tls = runtime.endsWith('TLS');
    const client = [`client localhost:${tls ? server.tlsPort : server.port} 30000 -1 0`, ...(tls ? ['secure'] : [])];
    for (let i = 0; i < times; i++) {
      const { stdout } = await start([...client, 'gets 500 /small', `gets ${MANY} /small`]);
      const [, result, ms] = stdout.trimEnd().split('\n').at(-1).split(' ');
      if (result !== '128') throw new Error(`a GET ended with ${result}`);
      taken.push(Number(ms) / MANY);
    }
    taken.sort((a, b) => a - b);
    const median = taken[Math.floor(times / 2)];
    const verdict = median <= wanted(runtime) ? 'as wanted' : 'too much';
    console.log(`${runtime}: ${median.toFixed(3)} ms a GET (${taken[0].toFixed(3)} to ${taken.at(-1).toFixed(3)}), wanted ${wanted(runtime)}: ${verdict}`);
  }
} finally {
  shop.remove();
  await server.stop();
}
