// SPDX-License-Identifier: MIT
//
// A response that is still unread when a second request goes out, and what becomes of both.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection, IncompleteRead, NotConnected, UnknownProtocol } from '../../js/index.js';
import { withServer } from '../support/raw-server.mjs';

const HELLO = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

/** Asks for /1 and does not read it, asks for /2, lets the answers come, and hands over connection and first response. */
function withTwo(answers, use, options = {}) {
  return withServer(
    (request, socket) => {
      const { text, end } = answers[request.startsWith('GET /1') ? 0 : 1];
      socket.write(text);
      if (end) socket.end();
    },
    async (server) => {
      const connection = new HTTPConnection('127.0.0.1', server.port, { timeout: 30, ...options });
      try {
        await connection.request('GET', '/1');
        const first = await connection.getresponse();
        await connection.request('GET', '/2');
        await sleep(50);
        await use(connection, first);
      } finally {
        connection.close();
      }
    },
  );
}

const seconds = {
  'with Connection: close': { text: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nworld' },
  'with the end behind it': { text: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld', end: true },
  'that runs to the end': { text: 'HTTP/1.1 200 OK\r\n\r\nworld', end: true },
};

for (const [what, second] of Object.entries(seconds)) {
  test(`a second response ${what} is not lost with the reading of the first`, () =>
    withTwo([{ text: HELLO }, second], async (connection, first) => {
      assert.equal(await first.text(), 'hello');
      assert.equal(await (await connection.getresponse()).text(), 'world');
    }));
}

test('a second response that is cut off is an IncompleteRead', () =>
  withTwo(
    [{ text: HELLO }, { text: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nworld', end: true }],
    async (connection, first) => {
      await first.read();
      const second = await connection.getresponse();
      await assert.rejects(second.read(), (error) => error instanceof IncompleteRead && error.partial.length === 5);
    },
  ));

test('a second response that is none is told of when it is asked for, and no interim response', () => {
  const interim = [];
  return withTwo(
    [{ text: HELLO }, { text: 'HTTP/2.0 200 OK\r\n\r\n' }],
    async (connection, first) => {
      await first.read();
      await assert.rejects(connection.getresponse(), UnknownProtocol);
      assert.deepEqual(interim, []);
    },
    { on_informational: ({ status }) => interim.push(status) },
  );
});

test('an early answer behind an unread response ends an upload once that is read', () =>
  withServer(
    (request, socket) => {
      if (request.startsWith('GET')) return HELLO;
      socket.pause();
      return 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n';
    },
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      await connection.request('GET', '/1');
      const first = await connection.getresponse();
      const upload = connection.request('POST', '/2', Buffer.alloc(64 * 1024 * 1024));
      await sleep(200);
      await first.read();
      await upload;
      assert.equal((await connection.getresponse()).status, 413);
      connection.close();
    },
  ));

const halves = {
  'Content-Length': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello',
  'chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
};

for (const [framing, text] of Object.entries(halves)) {
  test(`a body with ${framing} is not taken for whole when a later request fails`, () =>
    withServer(
      (request) => (request.startsWith('GET') ? text : undefined),
      async ({ port }) => {
        const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
        await connection.request('GET', '/1');
        const first = await connection.getresponse();
        const mine = new Error('mine');
        const source = (function* () {
          yield 'a';
          throw mine;
        })();
        await assert.rejects(connection.request('POST', '/2', source), (error) => error === mine);
        const another = new HTTPConnection('127.0.0.1', port, { timeout: 30 }); // in the place of the first one
        await another.request('GET', '/1');
        await another.getresponse();
        for (const read of [() => first.read(), () => first.readinto(new Uint8Array(3)), () => first.read1()]) {
          await assert.rejects(read(), (error) => error instanceof NotConnected || error === mine);
        }
        another.close();
      },
    ));
}

test('trailers that come with the head are kept until the response is read', () =>
  withServer(
    (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: good\r\n\r\n');
      setTimeout(() => socket.write('\0evil: e\r\n'.repeat(20)), 20);
    },
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      await connection.request('GET', '/');
      const response = await connection.getresponse();
      await sleep(60);
      await response.read();
      assert.deepEqual(response.trailers.items(), [['X-Sum', 'good']]);
      connection.close();
    },
  ));
