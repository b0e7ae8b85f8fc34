// SPDX-License-Identifier: MIT
//
// Kept-alive connections: for how long they are used, what a stale one means, and what a response says of it.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });

async function fetch(connection, url = '/', method = 'GET', body = null) {
  await connection.request(method, url, body);
  const response = await connection.getresponse();
  await response.read();
  return response;
}

for (const [header, rest, connections] of [
  ['Keep-Alive: timeout=1', 600, 2],
  ['Keep-Alive: timeout=10', 100, 1],
  ['Keep-Alive: timeout=0', 0, 2],
  ['Keep-Alive: max=5, timeout=1', 600, 2],
  ['Keep-Alive: timeout=30', 100, 1],
  ['X: y', 100, 1],
]) {
  test(`after "${header}" and ${rest} ms of rest a request goes out on connection ${connections}`, () =>
    withServer(
      () => reply('', { headers: [header] }),
      async (server) => {
        const connection = connect(server.port);
        assert.equal((await fetch(connection)).reused, false);
        await sleep(rest);
        assert.equal((await fetch(connection)).reused, connections === 1);
        assert.equal(server.connections(), connections);
        assert.equal(connection.request_count, 2);
        connection.close();
      },
    ));
}

/** Answers the first request of each connection, and treats the second one as told. */
function staleAfterFirst(treat) {
  const seen = new Map();
  return (head, socket) => {
    const count = (seen.get(socket) ?? 0) + 1;
    seen.set(socket, count);
    return count === 1 ? reply(head.split(' ')[1]) : treat(socket);
  };
}
const hangUp = (socket) => void socket.destroy();
const reset = (socket) => void socket.resetAndDestroy();
const half = (socket) => void socket.end('HTTP/1.1 20');

for (const [how, treat] of Object.entries({ closes: hangUp, resets: reset })) {
  test(`with retry_stale a request that a kept connection ${how} on goes out once more`, () =>
    withServer(staleAfterFirst(treat), async (server) => {
      const connection = connect(server.port, { retry_stale: 1 });
      for (const [method, body] of [['GET', null], ['POST', 'a body'], ['PUT', Buffer.from('bytes')], ['PUT', ['a', 'b']]]) {
        await fetch(connection, '/first');
        const before = server.connections();
        await connection.request(method, '/again', body);
        const response = await connection.getresponse();
        assert.equal(await response.text(), '/again');
        assert.equal(response.reused, false);
        assert.equal(server.connections(), before + 1);
        connection.close();
      }
      const texts = server.requests.filter((text) => text.includes('POST /again'));
      assert.equal(texts.length, 2);
      assert.ok(texts.every((text) => text.endsWith('\r\n\r\na body')));
    }));

  test(`without it that request fails, and says that nobody knows whether it counted`, () =>
    withServer(staleAfterFirst(treat), async (server) => {
      const connection = connect(server.port);
      await fetch(connection, '/first');
      await connection.request('POST', '/again', 'body');
      await assert.rejects(connection.getresponse(), (error) => {
        assert.equal(error.code, 'ECONNRESET');
        assert.equal(error.retry_safe, 'unknown');
        assert.equal(error.phase, 'receive');
        assert.ok(error.bytes_sent > 4 && error.bytes_received === 0);
        return true;
      });
      assert.equal((await fetch(connection, '/third')).status, 200);
      connection.close();
    }));
}

test('it goes out once more only once, and not on a new connection', () =>
  withServer(
    (head, socket) => (head.includes('/first') ? reply('') : hangUp(socket)),
    async (server) => {
      const connection = connect(server.port, { retry_stale: 1 });
      await assert.rejects(fetch(connection, '/new'), { name: 'RemoteDisconnected' });
      assert.equal(server.connections(), 1);
      await fetch(connection, '/first');
      await assert.rejects(fetch(connection, '/old'), { name: 'RemoteDisconnected' });
      assert.equal(server.connections(), 3);
      assert.equal(connection.sock, null);
    },
  ));

test('it does not go out once more when a byte came back, or the body is gone', () =>
  withServer(staleAfterFirst(half), async (server) => {
    const connection = connect(server.port, { retry_stale: 1 });
    await fetch(connection);
    await assert.rejects(fetch(connection, '/again'), { name: 'BadStatusLine', retry_safe: 'unknown' });
    assert.equal(server.connections(), 1);
  }).then(() =>
    withServer(staleAfterFirst(hangUp), async (server) => {
      const connection = connect(server.port, { retry_stale: 1 });
      await fetch(connection);
      const once = (function* () {
        yield 'gone';
      })();
      await assert.rejects(fetch(connection, '/again', 'PUT', once), { code: /ECONNRESET|EPIPE/ });
      assert.equal(server.connections(), 1);
    }),
  ));

test('nothing was sent where no connection could be made: that is safe to try again', async () => {
  const connection = connect(1);
  await assert.rejects(connection.request('POST', '/', 'x'), { code: 'ECONNREFUSED', retry_safe: 'yes', bytes_sent: 0, phase: 'connect' });
});

test('an error in the body of an answer says that the request counted', () =>
  withServer(
    (_head, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'),
    async ({ port }) => {
      const connection = connect(port);
      await connection.request('POST', '/', 'x');
      const response = await connection.getresponse();
      await assert.rejects(response.read(), { name: 'IncompleteRead', retry_safe: 'no', host: '127.0.0.1', port, phase: 'receive' });
    },
  ));

for (const [what, begin] of [['begun', (conn) => conn.putrequest('GET', '/2')], ['sent', (conn) => conn.request('GET', '/2')]]) {
  test(`… also when another request was ${what} meanwhile`, () =>
    withServer(
      (head, socket) => (head.includes('POST') ? void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello') : void socket.destroy()),
      async ({ port, sockets }) => {
        const connection = connect(port);
        await connection.request('POST', '/', 'x');
        const response = await connection.getresponse();
        await begin(connection);
        const reading = response.read();
        for (const socket of sockets) socket.end();
        await assert.rejects(reading, { retry_safe: 'no' });
        connection.close();
      },
    ));
}
