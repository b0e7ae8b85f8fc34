// SPDX-License-Identifier: MIT
//
// The conversation while a body is sent: Expect, early answers, back-pressure, trailers.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** What was received after the head of the first request. */
const bodyOf = ({ requests }) => requests[0].slice(requests[0].indexOf('\r\n\r\n') + 4);

for (const [kind, body, wire] of [
  ['a string', 'hello', 'hello'],
  ['an iterable', ['hel', 'lo'], '3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'],
]) {
  test(`with expect_continue ${kind} is sent after the 100, and not before`, () =>
    withServer(
      (head, socket, server) => {
        assert.match(head, /\r\nExpect: 100-continue\r\n/);
        setTimeout(() => {
          assert.equal(bodyOf(server), '');
          socket.write(CONTINUE);
          socket.on('data', () => bodyOf(server).length === wire.length && socket.write(reply('taken')));
        }, 50);
      },
      async (server) => {
        const seen = [];
        const connection = connect(server.port, { on_informational: ({ status }) => seen.push(status) });
        await connection.request('PUT', '/', body, {}, { expect_continue: 30 });
        const response = await connection.getresponse();
        assert.equal(await response.text(), 'taken');
        assert.equal(bodyOf(server), wire);
        assert.deepEqual(seen, [100]);
        assert.ok(connection.sock !== null);
        connection.close();
      },
    ));
}

test('without a 100 the body is sent after the wait: a second, or as many as were asked for', () =>
  withServer(
    (_head, socket, server) => {
      socket.on('data', () => bodyOf(server) === 'body' && socket.write(reply('taken')));
    },
    async ({ port }) => {
      for (const [expect_continue, wait] of [[2, 2000], [true, 1000]]) {
        const connection = connect(port);
        const started = performance.now();
        await connection.request('PUT', '/', 'body', {}, { expect_continue });
        const elapsed = performance.now() - started;
        assert.ok(elapsed > wait * 0.95, `${elapsed} ms`);
        connection.close();
      }
    },
  ));

test('another 1xx is no leave to send', () =>
  withServer(
    (_head, socket, server) => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n');
      setTimeout(() => {
        assert.equal(bodyOf(server), '');
        socket.write(CONTINUE + reply('fine'));
      }, 60);
    },
    async ({ port }) => {
      const connection = connect(port);
      await connection.request('PUT', '/', 'body', {}, { expect_continue: 30 });
      assert.equal(await (await connection.getresponse()).text(), 'fine');
      connection.close();
    },
  ));

test('a final answer instead of a 100 leaves the body unsent, and its source is destroyed unread', () =>
  withServer(
    () => reply('no', { status: '417 Expectation Failed' }),
    async (server) => {
      const connection = connect(server.port);
      const source = Readable.from(['never', 'sent']);
      await connection.request('PUT', '/', source, {}, { expect_continue: 30 });
      const response = await connection.getresponse();
      assert.deepEqual([response.status, await response.text()], [417, 'no']);
      assert.equal(bodyOf(server), '');
      assert.equal(source.destroyed, true);
      assert.equal(source.readableDidRead, false);
      await connection.request('PUT', '/again', 'x', {}, { expect_continue: 30 });
      assert.equal((await connection.getresponse()).status, 417);
      assert.equal(server.connections(), 2); // what was announced did not come: the first one can't go on
      connection.close();
    },
  ));

test('nothing is expected without a body', () =>
  withServer(
    (head) => reply(String(head.includes('Expect'))),
    async ({ port }) => {
      const connection = connect(port);
      for (const body of [null, '', Buffer.alloc(0)]) {
        await connection.request('PUT', '/', body, {}, { expect_continue: true });
        assert.equal(await (await connection.getresponse()).text(), 'false');
      }
      connection.close();
    },
  ));

test('a body is sent whole while the response before is still unread, and with back-pressure', () =>
  withServer(
    (head, socket, server) => {
      if (head.includes('/first')) return reply('x'.repeat(2_000_000));
      socket.on('data', () => server.requests[0].endsWith('END\r\n0\r\n\r\n') && socket.write(reply(String(server.requests[0].length))));
      return undefined;
    },
    async (server) => {
      const connection = connect(server.port);
      await connection.request('GET', '/first');
      const first = await connection.getresponse();
      const [head] = [server.requests[0].length];
      const sending = connection.request('PUT', '/second', [Buffer.alloc(3_000_000), 'END']);
      assert.equal((await first.read()).length, 2_000_000);
      await sending;
      const second = await connection.getresponse();
      assert.ok(Number(await second.text()) > head + 3_000_000);
      assert.equal(second.reused, true);
      connection.close();
    },
  ));

test('trailers follow a chunked body: given, or made once the body is sent', () =>
  withServer(
    (_head, socket, server) => {
      const answer = () => server.requests.at(-1).endsWith('3\r\n\r\n') && socket.write(reply(''));
      if (!answer()) socket.on('data', answer);
    },
    async ({ port, requests }) => {
      let sum = 0;
      const counted = function* () {
        for (const piece of ['a', 'bc']) {
          sum += piece.length;
          yield piece;
        }
      };
      for (const [index, trailers] of [{ 'X-Sum': 3 }, () => ({ 'X-Sum': sum }), async () => [['X-Sum', String(sum)]]].entries()) {
        sum = 0;
        const connection = connect(port);
        await connection.request('POST', '/', counted(), {}, { trailers });
        await (await connection.getresponse()).read();
        assert.ok(requests[index].endsWith('\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nX-Sum: 3\r\n\r\n'), requests[index]);
        connection.close();
      }
    },
  ));

test('trailers that can not be sent are refused before anything is', () =>
  withServer(
    () => reply('fine'),
    async ({ port, requests }) => {
      const connection = connect(port);
      for (const [body, trailers, code] of [
        ['known', { 'X-Sum': '1' }, 'ERR_INVALID_ARG_VALUE'],
        [null, { 'X-Sum': '1' }, 'ERR_INVALID_ARG_VALUE'],
        ['known', () => ({}), 'ERR_INVALID_ARG_VALUE'],
        [['a'], { 'Content-Length': '1' }, 'ERR_INVALID_ARG_VALUE'],
        [['a'], { 'X-Sum': '1\r\nX: y' }, 'ERR_INVALID_CHAR'],
        [['a'], { 'bad name': '1' }, 'ERR_INVALID_CHAR'],
        [['a'], 'X-Sum: 1', 'ERR_INVALID_ARG_TYPE'],
      ]) {
        await assert.rejects(connection.request('POST', '/', body, {}, { trailers }), { name: 'TypeError', code });
      }
      await connection.request('GET', '/');
      assert.equal(await (await connection.getresponse()).text(), 'fine');
      assert.equal(requests.length, 1);
      connection.close();
    },
  ));

test('a function of trailers that throws rejects with that error, and closes the connection', () =>
  withServer(
    () => undefined,
    async ({ port }) => {
      const connection = connect(port);
      const error = new Error('no sum');
      const trailers = () => {
        throw error;
      };
      await assert.rejects(connection.request('POST', '/', ['a'], {}, { trailers }), (thrown) => thrown === error);
      assert.equal(connection.sock, null);
    },
  ));

test('a slow reader holds the source back: no more is taken than the socket has room for', async () => {
  let taken = 0;
  const server = net.createServer((socket) => socket.pause()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  async function* source() {
    for (;;) {
      taken += 65536;
      yield Buffer.alloc(65536);
    }
  }
  const connection = connect(server.address().port, { timeout: 0.5 });
  await assert.rejects(connection.request('PUT', '/', source()), { name: 'TimeoutError', phase: 'send' });
  assert.ok(taken < 32 * 1024 * 1024, `${taken} bytes`); // the kernel's buffers of both sides
  const before = taken;
  await sleep(50);
  assert.equal(taken, before);
  server.close();
});
