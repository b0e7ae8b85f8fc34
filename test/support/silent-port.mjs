// SPDX-License-Identifier: MIT
//
// A port that takes no connection: its server sleeps, and the queue of those that wait is full, so that the kernel lets
// every further SYN fall.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs `use` with such a port, and gives it back.
 *
 * @template T
 * @param {(silent: { port: number, wake: () => void }) => Promise<T>} use `wake` makes the server take connections
 * @param {string} [host] what it listens on
 * @returns {Promise<T>} what `use` answers
 */
export async function withSilentPort(use, host = '127.0.0.1') {
  const script = `const s = require('net').createServer((c) => c.on('error', () => {})).listen(
    { port: 0, host: ${JSON.stringify(host)}, backlog: 1 }, () => process.stdout.write(String(s.address().port)));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fillers = [];
  try {
    const port = Number((await once(child.stdout, 'data'))[0]);
    child.kill('SIGSTOP');
    for (let i = 0; i < 8; i++) {
      const filler = net.connect(port, '127.0.0.1');
      filler.on('error', () => {});
      fillers.push(filler);
    }
    while (!fillers.some((filler) => !filler.connecting)) await sleep(10);
    await sleep(50);
    return await use({ port, wake: () => child.kill('SIGCONT') });
  } finally {
    for (const filler of fillers) filler.destroy();
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
