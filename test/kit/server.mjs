// SPDX-License-Identifier: MIT
//
// The server of the conformance kit: it reads the head of a request, and does what the path says.
//
//   node test/kit/server.mjs [CERTIFICATE.pem KEY.pem]
//
// prints the arguments for the kit that it serves, and goes on until its standard input ends.

import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { closedPort } from '../support/closed-port.mjs';

const LATER_MS = 100;
/** What is to be denied is asked for here: an address of this machine that no rule names. */
const DENIED = '127.0.0.2';

/** Bytes whose place can be told by their value: pattern() in kit.c. */
export function pattern(length) {
  return Uint8Array.from({ length }, (_, at) => 97 + (at % 23));
}

/** What a path does to the connection that asked for it, given what came behind the head. */
const ACTS = {
  echo: (socket, _, rest) => {
    socket.write(rest);
    socket.pipe(socket);
  },
  say: (socket, length) => socket.write(pattern(length)),
  end: (socket, length) => socket.end(pattern(length)),
  later: (socket) => setTimeout(() => socket.destroyed || socket.write(pattern(1)), LATER_MS),
  reset: (socket) => (socket.resetAndDestroy ?? socket.destroy).call(socket),
  deaf: (socket) => socket.pause(),
  silent: () => {},
  kept: (socket, _, rest) => {
    socket.write(pattern(4));
    readHead(socket, rest, ACTS);
  },
};

/** Reads a head, then acts. What is none is answered in words, so that nobody waits. */
function readHead(socket, before, acts) {
  let all = before;
  const read = (data) => {
    all = Buffer.concat([all, data]);
    const end = all.indexOf('\r\n\r\n');
    if (end < 0 && all[0] >= 0x20) return;
    socket.off('data', read);
    const [, name, argument] = /^\w+ \/(\w+)(?:\/(\d+))? /.exec(all.toString('latin1')) ?? [];
    if (Object.hasOwn(acts, name ?? '')) acts[name](socket, Number(argument ?? 0), all.subarray(end + 4));
    else socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
  };
  socket.on('data', read);
}

/**
 * Starts the servers of the kit on free ports of this machine.
 *
 * @param {{ good?: { cert: string, key: string }, bad?: { cert: string, key: string }, onMark?: () => void }} [options]
 *   PEM files of a certificate that the host trusts, for 127.0.0.1, and of one that it doesn't trust; told when the hostile guest
 *   has come so far
 * @returns {Promise<{ endpoints: Record<string, string>, denied: () => number, close: () => void }>} the arguments of the kit by
 *   name; how many connections came to where none may
 */
export async function startServers({ good, bad, onMark = () => {} } = {}) {
  const acts = {
    ...ACTS,
    mark: (socket) => {
      onMark();
      socket.write(pattern(1));
    },
  };
  const open = new Set();
  const endpoints = {};
  const servers = [];
  let denied = 0;

  function serve(socket) {
    if (socket.localAddress === DENIED) denied++;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    readHead(socket, Buffer.alloc(0), acts);
  }

  async function listen(name, server, host = '127.0.0.1') {
    server.on('connection', (socket) => open.add(socket.on('error', () => {}).on('close', () => open.delete(socket))));
    await new Promise((resolve) => server.listen(0, host, resolve));
    servers.push(server);
    endpoints[name] = `127.0.0.1:${server.address().port}`;
  }

  const secure = ({ cert, key }) => ({
    ...{ cert: readFileSync(cert), key: readFileSync(key) },
    ...{ minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] },
  });
  await listen('plain', net.createServer({ allowHalfOpen: true }, serve));
  await listen('silent', net.createServer());
  if (good !== undefined) await listen('tls', tls.createServer(secure(good), serve));
  if (bad !== undefined) await listen('untrusted', tls.createServer(secure(bad), serve).on('tlsClientError', () => {}));
  await listen('denied', net.createServer(serve), DENIED);
  endpoints.denied = endpoints.denied.replace('127.0.0.1', DENIED);
  endpoints.nobody = `127.0.0.1:${await closedPort()}`;

  return {
    endpoints,
    denied: () => denied,
    close() {
      for (const socket of open) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [cert, key] = process.argv.slice(2);
  const { endpoints, close } = await startServers(cert === undefined ? {} : { good: { cert, key } });
  console.log(Object.entries(endpoints).map(([name, at]) => `${name}=${at}`).join(' '));
  process.stdin.resume().on('end', close);
}
