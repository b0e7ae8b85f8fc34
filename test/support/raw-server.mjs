// SPDX-License-Identifier: MIT
//
// A TCP server that answers each request head with what a function says, byte for byte, and can misbehave.

import { once } from 'node:events';
import net from 'node:net';

/**
 * @typedef {object} RawServer
 * @property {number} port
 * @property {string[]} requests what was received, a text for each connection
 * @property {Set<net.Socket>} sockets the connections that are open
 * @property {() => number} connections how many there were
 */

/**
 * Runs `use` with a server on a free port of loopback, and ends both.
 *
 * @param {(request: string, socket: net.Socket, server: RawServer) => string | Buffer | void} answer called for each head
 *   that is complete; what it returns is written
 * @param {(server: RawServer) => Promise<void>} use
 * @param {string} [host]
 */
export async function withServer(answer, use, host = '127.0.0.1') {
  const sockets = new Set();
  const requests = [];
  let count = 0;
  const state = { port: 0, requests, sockets, connections: () => count };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const index = count++;
    requests[index] = '';
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('end', () => socket.end());
    let pending = '';
    socket.on('data', (data) => {
      requests[index] += data.latin1Slice();
      pending += data.latin1Slice();
      for (;;) {
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0 || !/^[A-Za-z]+ /.test(pending)) return;
        const head = pending.slice(0, end + 4);
        pending = pending.slice(end + 4);
        const reply = answer(head, socket, state);
        if (reply !== undefined) socket.write(typeof reply === 'string' ? Buffer.from(reply, 'latin1') : reply);
      }
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  state.port = server.address().port;
  try {
    await use(state);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }
}

/** A whole response with a Content-Length. */
export function reply(body = '', { status = '200 OK', headers = [] } = {}) {
  return [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body, 'latin1')}`, ...headers, '', body].join('\r\n');
}

/** A whole chunked response. */
export function chunkedReply(chunks, trailers = []) {
  const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
  return ['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', `${body}0`, ...trailers, '', ''].join('\r\n');
}
