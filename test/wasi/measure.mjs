// SPDX-License-Identifier: MIT
//
// How long a GET on a kept connection takes under each runtime, by the guest's clock: 1,000 of them, against the server of
// test/bench. Beside it, by turns, runs bare.c, a guest without porthole that makes only those calls into the runtime that
// can't be left out: machines differ, and what porthole adds to that differs less.
//
//   node test/wasi/measure.mjs [TIMES]
//
// With PORTHOLE_WASMTIME set to wasmtime's command, under that, on WASI 0.2 and 0.3, which has no guest to compare with. Over TLS,
// too: under jco, and with PORTHOLE_EMBEDDER set to the embedder of demo/hosts/wasmtime under that.

import { once } from 'node:events';
import { connect } from 'node:net';
import { buildServer, startServer } from '../bench/server.mjs';
import { lacking, makeComponent, makeGuest, runtimesOf, workshop } from './guests.mjs';
import { embedderOf, jcoOf, makeTlsComponent, transpileWithTls } from './tls.mjs';

const MANY = 1000;
const wanted = (runtime) => (runtime.startsWith('jco') ? 0.7 : 0.15); // ms
/** How guests wait: what porthole is told, its time limit and its deadline, and bare.c. */
const WAYS = {
  'no time limit': ['-1 -1', 'blocking'],
  'a time limit': ['30000 -1', 'polling'],
  'a deadline': ['30000 600000', 'polling'],
};
const times = Number(process.argv[2] ?? 5);

const missing = await lacking();
if (missing) throw new Error(missing);
const certificate = buildServer();
const server = await startServer({ certificate });
const shop = workshop();

/** How long the server's answer is. */
async function lengthOfAnswer() {
  const socket = connect(server.port, '127.0.0.1');
  socket.write('GET /small HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\r\n');
  const [bytes] = await once(socket, 'data');
  socket.destroy();
  return bytes.length;
}

/** The guests by their runtimes: porthole's, and the bare one where there is one. */
async function makeGuests() {
  const guests = await makeGuest(shop.folder, 'probe');
  const bare = await runtimesOf(await makeComponent(shop.folder, 'bare', ['bare.c', 'command02.c']));
  if (certificate) {
    const { PORTHOLE_EMBEDDER: embedder } = process.env;
    const name = embedder === undefined ? 'jco, TLS' : 'embedder, TLS';
    for (const [all, source] of [[guests, 'probe.c'], [bare, 'bare_tls.c']]) {
      const component = await makeTlsComponent(shop.folder, `${source}-tls`, [source, 'command02.c']);
      const run = embedder === undefined ? jcoOf(await transpileWithTls(component)) : embedderOf(embedder, component);
      all[name] = (steps, options = []) => run(steps, { ca: certificate.ca, ...(options.length > 0 && { count: true }) });
    }
  }
  return { guests, bare };
}

/** What a guest prints, when all went well. */
async function output(started) {
  const { code, stdout, stderr } = await started;
  if (code !== 0) throw new Error(stderr);
  return { words: stdout.trimEnd().split('\n').at(-1).split(' '), stderr };
}

const middle = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** The calls of a GET by their kinds, in words: those of many less those of a few. */
async function callsOf(start, steps) {
  const counted = [];
  for (const all of [10, 10 + MANY]) {
    const { stderr } = await output(start([...steps, `gets ${all} /small`], ['--count']));
    counted.push(JSON.parse(stderr.split('\n')[0]));
  }
  const [few, many] = counted;
  const each = Object.keys(many).map((name) => [name.replace(/.*[ .\]]/, ''), (many[name] - (few[name] ?? 0)) / MANY]);
  const words = each.filter(([, count]) => count > 0.1).map(([name, count]) => (count === 1 ? name : `${count} ${name}`));
  return `${each.reduce((sum, [, count]) => sum + count, 0).toFixed(1)} calls: ${words.join(', ')}`;
}

try {
  const { guests, bare } = await makeGuests();
  const length = await lengthOfAnswer();
  for (const [runtime, start] of Object.entries(guests)) {
    const port = runtime.endsWith('TLS') ? server.tlsPort : server.port;
    for (const [way, [limits, how]] of Object.entries(WAYS)) {
      const steps = [`client localhost:${port} ${limits} 0`, ...(runtime.endsWith('TLS') ? ['secure'] : [])];
      const taken = [];
      const floor = [];
      for (let i = 0; i < times; i++) {
        const { words } = await output(start([...steps, 'gets 500 /small', `gets ${MANY} /small`]));
        if (words[1] !== '128') throw new Error(`a GET ended with ${words[1]}`);
        taken.push(Number(words[2]) / MANY);
        if (!bare[runtime]) continue;
        const { words: [ns] } = await output(bare[runtime]([port, length, MANY, how].map(String)));
        floor.push(Number(ns) / MANY / 1e6);
      }
      const median = middle(taken);
      const verdict = median <= wanted(runtime) ? 'as wanted' : 'too much';
      console.log(`${runtime}, ${way}: ${median.toFixed(3)} ms a GET (${Math.min(...taken)} to ${Math.max(...taken)}), wanted ${wanted(runtime)}: ${verdict}`);
      if (floor.length > 0) {
        const ratio = middle(taken.map((ms, i) => ms / floor[i]));
        console.log(`  the bare guest ${middle(floor).toFixed(3)} ms: ${ratio.toFixed(2)} times that`);
      }
      if (runtime.startsWith('jco')) console.log(`  ${await callsOf(start, steps)}`);
    }
  }
} finally {
  shop.remove();
  await server.stop();
}
