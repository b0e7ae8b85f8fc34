// SPDX-License-Identifier: MIT
//
// How long the command of npm takes for a small GET, beside `node -e 0`: whole processes, in turn, medians.
//
//   node test/cli/start.mjs [ROUNDS]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { buildCommands } from './commands.mjs';

const MOST = 60; // milliseconds more than node -e 0
const rounds = Number(process.argv[2] ?? 31);
const { commands } = await buildCommands();
await commands.npm.build();

const server = http.createServer((_, response) => response.end('hello'));
server.listen(0, '127.0.0.1');
await once(server, 'listening');

const [program, args] = commands.npm.start('', ['-sS', `http://127.0.0.1:${server.address().port}/`], false);
const calls = { 'node -e 0': [process.execPath, ['-e', '0']], 'porthole --version': [program, [args[0], '--version']], 'porthole URL': [program, args] };

/** How many milliseconds a process lives. */
async function time([command, rest]) {
  const began = performance.now();
  const [code] = await once(spawn(command, rest, { stdio: 'ignore' }), 'close');
  if (code !== 0) throw new Error(`${command} ${rest.join(' ')} ended with ${code}`);
  return performance.now() - began;
}

const times = Object.fromEntries(Object.keys(calls).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const name in calls) times[name].push(await time(calls[name]));
}
server.close();

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const floor = median(times['node -e 0']);
for (const name in times) {
  const own = median(times[name]);
  console.log(`${name.padEnd(20)} ${own.toFixed(0).padStart(5)} ms ${(own - floor).toFixed(0).padStart(5)} more, least ${times[name][0].toFixed(0)}`);
}
if (median(times['porthole URL']) - floor > MOST) {
  console.log(`more than the ${MOST} ms that it may take`);
  process.exitCode = 1;
}
