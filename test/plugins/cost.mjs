// SPDX-License-Identifier: MIT
//
// What a guest's requests cost beside the same ones by HTTPConnection: CPU of this process, interleaved, the median of the
// ratios. `npm run bench:plugin` exits with 1 when a bound is passed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { createHost } from '../../js/host.js';
import { HTTPConnection } from '../../js/index.js';
import { Raw } from './guests.mjs';

const ROUNDS = 15;
const LARGE = 64 * 1024 * 1024;
/** What is asked for, how often in a round, and how many times the CPU it may cost. */
const LOADS = [
  { name: 'a small GET on a kept connection', url: '/small', times: 1000, most: 2 },
  { name: '64 MiB by read, beside readinto', url: '/large', times: 1, most: 3 },
];

/** The server, in a process of its own. */
function serve() {
  const large = Buffer.alloc(LARGE);
  const server = http.createServer((request, response) => {
    const body = request.url === '/large' ? large : 'hello';
    response.setHeader('Content-Length', body.length);
    response.end(body);
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

async function cpuOf(run) {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

async function measure() {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = Number((await once(child.stdout, 'data'))[0]);
  const host = createHost({ allow: ['127.0.0.1:*'], limits: { bytes_in: Number.POSITIVE_INFINITY } });
  const raw = await Raw.start(host);
  await raw.connect('127.0.0.1', port);
  const conn = new HTTPConnection('127.0.0.1', port);
  const view = Buffer.allocUnsafeSlow(256 * 1024);
  const byHand = async (url) => {
    await conn.request('GET', url);
    const response = await conn.getresponse();
    if (url === '/small') await response.read();
    else while ((await response.readinto(view)) > 0);
  };
  for (const { name, url, times, most } of LOADS) {
    const guest = () => cpuOf(() => raw.get(url, { times }));
    const own = () =>
      cpuOf(async () => {
        for (let index = 0; index < times; index++) await byHand(url);
      });
    await guest();
    await own();
    const ratios = [];
    for (let round = 0; round < ROUNDS; round++) ratios.push((await guest()) / (await own()));
    const median = ratios.sort((one, other) => one - other)[ROUNDS >> 1];
    console.log(`${name}: ${median.toFixed(2)} times the CPU (at most ${most})`);
    if (median > most) process.exitCode = 1;
  }
  conn.close();
  await host.close();
  child.kill();
}

if (process.argv[2] === 'serve') serve();
else await measure();
