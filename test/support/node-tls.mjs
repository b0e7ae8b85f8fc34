// SPDX-License-Identifier: MIT
//
// Servers that speak TLS by node:tls, in the process of the test: for what is to be seen from their side.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { reply } from './raw-server.mjs';

/**
 * Runs with a server over TLS that answers each request with the name that it was told (SNI) and the Host header.
 *
 * @param {object} options of tls.createServer; `pair` is the certificate, as paths, `listen` where to listen
 * @param {(server: { port: number, names: Array<string | false>, sockets: Set<tls.TLSSocket> }) => Promise<void>} use
 */
export async function withNamingServer({ pair, listen = { port: 0, host: '127.0.0.1' }, ...options }, use) {
  const sockets = new Set();
  const names = [];
  const files = pair ? { cert: readFileSync(pair.cert), key: readFileSync(pair.key) } : {};
  const server = tls.createServer({ ...files, ...options }, (socket) => {
    names.push(socket.servername);
    socket.on('error', () => {});
    let head = '';
    socket.on('data', (data) => {
      head += data.latin1Slice();
      if (!head.includes('\r\n\r\n')) return;
      const host = /^Host: (.*)\r$/im.exec(head)?.[1];
      head = '';
      socket.write(reply(`${socket.servername || '-'} ${host}`));
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  server.listen(listen);
  await once(server, 'listening');
  try {
    await use({ port: server.address()?.port, names, sockets });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
