// SPDX-License-Identifier: MIT
//
// What a guest's requests cost beside the same ones by HTTPConnection: CPU of this process, interleaved, the median of the
// ratios, and their quartiles. `npm run bench:plugin` exits with 1 when a median passes its bound.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { fileURLToPath } from 'node:url';
import { createHost } from '../../js/host.js';
import { create_default_context, HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { certificates } from '../support/certificates.mjs';
import { Raw } from './guests.mjs';

const ROUNDS = 15;
const LARGE = 64 * 1024 * 1024;
/** What is asked for, how often in a round, and how many times the CPU it may cost. */
const LOADS = [
  { name: 'a small GET on a kept connection', url: '/small', times: 1000, most: 2 },
  { name: '64 MiB by read, beside readinto', url: '/large', times: 1, most: 2 },
  { name: 'a small GET over TLS', url: '/small', times: 1000, most: 1.8, tls: true },
  { name: '64 MiB by read over TLS', url: '/large', times: 1, most: 1.5, tls: true },
];

/** The servers, in a process of their own. @param {string} cert @param {string} key paths */
async function serve(cert, key) {
  const large = Buffer.alloc(LARGE);
  const answer = (request, response) => {
    const body = request.url === '/large' ? large : 'hello';
    response.setHeader('Content-Length', body.length);
    response.end(body);
  };
  const clear = http.createServer(answer).listen(0, '127.0.0.1');
  const secure = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, answer).listen(0, '127.0.0.1');
  await Promise.all([once(clear, 'listening'), once(secure, 'listening')]);
  console.log(JSON.stringify([clear.address().port, secure.address().port]));
}

async function cpuOf(run) {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

async function compare({ name, url, times, most, tls = false }, port, ca) {
  const host = createHost({ allow: ['127.0.0.1:*'], limits: { bytes_in: Number.POSITIVE_INFINITY }, tls: { cafile: ca } });
  const raw = await Raw.start(host);
  await raw.connect('127.0.0.1', port, tls);
  const conn = tls
    ? new HTTPSConnection('127.0.0.1', port, { context: create_default_context({ cafile: ca }) })
    : new HTTPConnection('127.0.0.1', port);
  const view = Buffer.allocUnsafeSlow(256 * 1024);
  const byHand = async () => {
    await conn.request('GET', url);
    const response = await conn.getresponse();
    if (url === '/small') await response.read();
    else while ((await response.readinto(view)) > 0);
  };
  const guest = () => cpuOf(() => raw.get(url, { times }));
  const own = () =>
    cpuOf(async () => {
      for (let index = 0; index < times; index++) await byHand();
    });
  await guest();
  await own();
  const ratios = [];
  for (let round = 0; round < ROUNDS; round++) ratios.push((await guest()) / (await own()));
  ratios.sort((one, other) => one - other);
  const [low, median, high] = [ROUNDS >> 2, ROUNDS >> 1, ROUNDS - 1 - (ROUNDS >> 2)].map((index) => ratios[index]);
  console.log(`${name}: ${median.toFixed(2)} times the CPU (${low.toFixed(2)} to ${high.toFixed(2)}; at most ${most})`);
  if (median > most) process.exitCode = 1;
  conn.close();
  await host.close();
}

async function measure() {
  const { ca, good } = certificates();
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve', good.cert, good.key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port, securePort] = JSON.parse((await once(child.stdout, 'data'))[0]);
  for (const load of LOADS) await compare(load, load.tls ? securePort : port, ca);
  child.kill();
}

if (process.argv[2] === 'serve') await serve(process.argv[3], process.argv[4]);
else await measure();
