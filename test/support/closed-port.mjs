// SPDX-License-Identifier: MIT
//
// A port where nobody listens, now and later.

import { once } from 'node:events';
import net from 'node:net';

/**
 * A TCP port of 127.0.0.1 that refuses connections for as long as this process lives. The near end of a connection has it, so that
 * no other process can be given it, as it can one that was listened at and closed.
 *
 * @returns {Promise<number>}
 */
export async function closedPort() {
  const server = net.createServer((socket) => socket.on('error', () => {}).unref()).listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const holder = net.connect(server.address().port, '127.0.0.1').on('error', () => {}).unref();
  await once(holder, 'connect');
  return holder.localPort;
}
