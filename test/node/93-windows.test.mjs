// SPDX-License-Identifier: MIT
//
// What comes between two steps of the code itself: a close(), or an abort, in any microtask after something has happened and
// before who waits for it goes on. Nothing is begun after it, and no socket is left open.

import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { settles, until } from '../support/upload-server.mjs';

/** More than there are between any event and the end of the operation that waits for it. */
const MICROTASKS = 24;
const LIMIT = { timeout: 120_000 };
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Some microtasks later. */
async function later(count, act) {
  for (let i = 0; i < count; i++) await null;
  act();
}

/** Runs with a server that answers each piece of what it gets, and knows which connections are open. */
async function withAnswers(use, answer = (socket) => socket.write(OK)) {
  const open = new Set();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    socket.on('data', () => answer(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await use(server.address().port, open);
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
  }
}

/** The connection is closed, as its server sees it: another one, made behind it, is the last that is open. */
async function nothingOpen(port, open) {
  const marker = net.connect(port, '127.0.0.1');
  await once(marker, 'connect');
  await until(() => [...open].some((socket) => socket.remotePort === marker.localPort) && open.size === 1);
  marker.destroy();
  await until(() => open.size === 0);
}

const ENDS = {
  'close()': (conn) => conn.close(),
  'close() and connect()': (conn) => {
    conn.close();
    conn.connect().catch(() => {});
  },
  'an abort': (_conn, controller) => controller.abort(),
};

/**
 * Has a connection ended in each of the microtasks that follow, a connection for each, and nothing of it is open then.
 *
 * @param {string} what of ENDS
 * @param {(conn: HTTPConnection, end: () => Promise<void>) => Promise<void>} use calls `end` where the microtasks begin
 * @param {{answer?: (socket: net.Socket) => void}} [options] of the server, and of the connection
 */
function inAnyMicrotask(what, use, { answer, ...options } = {}) {
  return withAnswers(async (port, open) => {
    for (let count = 0; count < MICROTASKS; count++) {
      const controller = new AbortController();
      const conn = new HTTPConnection('127.0.0.1', port, { signal: controller.signal, ...options });
      await use(conn, () => later(count, () => ENDS[what](conn, controller)));
      if (what !== 'close()') conn.close();
      await nothingOpen(port, open);
    }
  }, answer);
}

describe('when the socket has just been connected', () => {
  for (const [how, ask] of Object.entries({
    'connect()': (conn) => conn.connect(),
    'request()': (conn) => conn.request('GET', '/'),
    'send()': (conn) => conn.send('x'),
  })) {
    for (const what of Object.keys(ENDS)) {
      test(`${what} in any microtask of ${how} leaves no socket open`, LIMIT, () =>
        inAnyMicrotask(what, async (conn, end) => {
          const ended = new Promise((resolve) => {
            const made = ({ socket }) => {
              diagnostics.unsubscribe('net.client.socket', made);
              socket.once('connect', () => resolve(end()));
            };
            diagnostics.subscribe('net.client.socket', made);
          });
          const asked = ask(conn).catch((error) => error);
          await settles(ended);
          await settles(asked);
        }));
    }
  }
});

describe('when the upload before a request has just ended', () => {
  for (const what of Object.keys(ENDS)) {
    test(`${what} in any microtask leaves that request unsent, or ends it`, LIMIT, () =>
      inAnyMicrotask(what, async (conn, end) => {
        async function* upload() {
          yield 'a';
          await new Promise(() => {});
        }
        await settles(conn.request('PUT', '/up', upload()));
        const response = await settles(conn.getresponse());
        const asked = conn.request('GET', '/next').catch((error) => error);
        const answered = conn.getresponse().catch((error) => error);
        response.close();
        await end();
        await settles(asked);
        await settles(answered);
      }));
  }
});

describe('when a kept-alive connection has just been found stale', () => {
  for (const what of Object.keys(ENDS)) {
    test(`${what} in any microtask ends the request, which does not go out once more`, LIMIT, () => {
      let requests = 0;
      const answer = (socket) => (++requests % 2 === 1 ? socket.write(OK) : socket.destroy());
      return inAnyMicrotask(what, async (conn, end) => {
        requests = 0;
        await conn.request('GET', '/');
        await (await settles(conn.getresponse())).read();
        const { sock } = conn;
        const ended = new Promise((resolve) => {
          const act = () => resolve(end());
          sock.once('end', act).once('error', act);
        });
        await settles(conn.request('GET', '/').catch((error) => error));
        const answered = conn.getresponse().then((response) => response.read(), (error) => error);
        await settles(ended);
        await settles(answered.catch((error) => error));
      }, { answer, retry_stale: 1 });
    });
  }
});
