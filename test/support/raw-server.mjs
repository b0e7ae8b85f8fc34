// SPDX-License-Identifier: MIT
//
// A server, over TCP or TLS, that answers each request head with what a function says, byte for byte, and can misbehave.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

/**
 * @typedef {object} RawServer
 * @property {number} port
 * @property {string[]} requests what was received, a text for each connection
 * @property {Set<net.Socket>} sockets the connections that are open
 * @property {() => number} connections how many there were
 * @property {(socket: net.Socket) => net.Socket} raw what is below a connection over TLS
 *
 * Called for each head that is complete; what it returns is written.
 * @typedef {(request: string, socket: net.Socket, server: RawServer) => string | Buffer | void} Answer
 */

/**
 * Runs `use` with a server on a free port of loopback, and ends both.
 *
 * @param {Answer} answer
 * @param {(server: RawServer) => Promise<void>} use
 * @param {string} [host]
 */
export function withServer(answer, use, host = '127.0.0.1') {
  return serve(net.createServer({ allowHalfOpen: true }), 'connection', answer, use, host);
}

/**
 * The same over TLS: connections count from the end of the handshake on, and requests are what was inside.
 *
 * @param {import('./certificates.mjs').Pair & import('node:tls').TlsOptions} options `cert` and `key` are paths
 * @param {Answer} answer
 * @param {(server: RawServer) => Promise<void>} use
 */
export function withTlsServer({ cert, key, ...options }, answer, use) {
  const server = tls.createServer({ allowHalfOpen: true, cert: readFileSync(cert), key: readFileSync(key), ...options });
  return serve(server, 'secureConnection', answer, use, '127.0.0.1');
}

async function serve(server, event, answer, use, host) {
  const sockets = new Set();
  const requests = [];
  const raws = new Map();
  let count = 0;
  const raw = (socket) => raws.get(socket.remotePort);
  const state = { port: 0, requests, sockets, raw, connections: () => count };
  server.on('connection', (socket) => {
    const { remotePort } = socket;
    raws.set(remotePort, socket);
    socket.on('error', () => {});
    socket.on('close', () => raws.delete(remotePort));
  });
  server.on(event, (socket) => {
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
      if (!data.includes('\n')) return; // no head ends here, and what is pending can be megabytes of a body
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
    for (const socket of [...sockets, ...raws.values()]) socket.destroy();
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
