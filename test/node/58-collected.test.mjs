// SPDX-License-Identifier: MIT
//
// Connections and responses that nobody holds any more are closed, with the garbage collector's help; and what is
// garbage is let go of.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { create_default_context, HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { gc } from '../support/gc.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

/** Collects garbage until a condition holds. */
async function collectUntil(holds, what) {
  for (let i = 0; i < 500 && !holds(); i++) {
    await sleep(20); // what a WeakRef gave lives until here
    gc();
  }
  assert.ok(holds(), what);
}

const options = { timeout: 30, deadline: 60, on_informational: () => {} };

for (const [name, use] of Object.entries({
  'a connection at rest': async (port) => {
    const connection = new HTTPConnection('127.0.0.1', port, options);
    await connection.request('GET', '/');
    await (await connection.getresponse()).read();
  },
  'a connection whose response is not read': async (port) => {
    const connection = new HTTPConnection('127.0.0.1', port, options);
    await connection.request('GET', '/');
    await connection.getresponse();
  },
  'a response that owns its socket': async (port) => {
    const connection = new HTTPConnection('127.0.0.1', port, options);
    await connection.request('GET', '/closing');
    await connection.getresponse();
  },
})) {
  test(`${name} is closed once nobody holds it`, () =>
    withServer(
      (head) => {
        const text = reply('x'.repeat(100_000), { headers: head.includes('/closing') ? ['Connection: close'] : [] });
        return `HTTP/1.1 103 Early Hints\r\n\r\n${text}`;
      },
      async ({ port, sockets }) => {
        for (let i = 0; i < 5; i++) await use(port);
        assert.ok(sockets.size > 0);
        await collectUntil(() => sockets.size === 0, `${sockets.size} sockets are open`);
      },
    ));
}

test('a connection that was closed is collected, with what a caller gave it', () =>
  withServer(
    () => reply('fine'),
    async ({ port }) => {
      const used = async () => {
        const { signal } = new AbortController();
        const on_informational = () => {};
        const connection = new HTTPConnection('127.0.0.1', port, { ...options, signal, on_informational });
        await connection.request('GET', '/');
        const response = await connection.getresponse();
        await response.read();
        const closed = once(connection.sock, 'close');
        connection.close();
        await closed;
        return Object.entries({ signal, on_informational, connection, response }).map(([name, given]) => [name, new WeakRef(given)]);
      };
      const held = (all) => all.filter(([, given]) => given.deref() !== undefined).map(([name]) => name);
      const left = await used();
      await collectUntil(() => held(left).length === 0, 'something of it is held');
    },
  ));

test('what a caller has hung on the socket of a connection is collected once that was closed', () =>
  withServer(
    () => reply('fine'),
    async ({ port }) => {
      const used = async () => {
        const connection = new HTTPConnection('127.0.0.1', port, options);
        await connection.request('GET', '/');
        await (await connection.getresponse()).read();
        const large = Buffer.alloc(1_000_000);
        connection.sock.on('timeout', () => large);
        const closed = once(connection.sock, 'close');
        connection.close();
        await closed;
        return new WeakRef(large);
      };
      const left = await used();
      await collectUntil(() => left.deref() === undefined, 'it is held');
    },
  ));

test('an HTTPS connection is closed once nobody holds it', { skip: noOpenssl }, async () => {
  const { ca, good } = certificates();
  const server = https.createServer({ cert: readFileSync(good.cert), key: readFileSync(good.key) }, (_, response) => response.end('hello'));
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await (async () => {
    const context = create_default_context({ cafile: ca });
    const connection = new HTTPSConnection('localhost', server.address().port, { ...options, context });
    await connection.request('GET', '/');
    await (await connection.getresponse()).read();
  })();
  assert.equal(sockets.size, 1);
  await collectUntil(() => sockets.size === 0, 'the socket is open');
  server.close();
});

test('5,000 requests, failed ones among them, leave no memory behind', () =>
  withServer(
    (head, socket) => (head.includes('/bad') ? void socket.end('HTTP/1.1 200 OK\r\nX') : reply('hello')),
    async ({ port, requests }) => {
      const connection = new HTTPConnection('127.0.0.1', port, options);
      const used = async () => {
        requests.fill('');
        for (let i = 0; i < 3; i++) {
          gc();
          await sleep(10);
        }
        return process.memoryUsage().heapUsed;
      };
      const run = async (count) => {
        for (let i = 0; i < count; i++) {
          await connection.request('GET', i % 10 === 0 ? '/bad' : '/good');
          await connection.getresponse().then((response) => response.read(), () => {});
        }
      };
      await run(1500);
      const before = await used();
      await run(5000);
      let growth = Number.POSITIVE_INFINITY; // what is on its way to being closed is not left behind
      for (let looks = 0; looks < 20 && growth >= 1024 * 1024; looks++) growth = (await used()) - before;
      assert.ok(growth < 1024 * 1024, `${growth} bytes`);
      connection.close();
    },
  ));
