// SPDX-License-Identifier: MIT
//
// Connections that are given up, or given away, while something of theirs is under way: nobody else feels it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection, HTTPResponse, NotConnected, TimeoutError } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { withServer } from '../support/raw-server.mjs';
import { until } from '../support/upload-server.mjs';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

async function get(connection, url = '/') {
  await connection.request('GET', url);
  return connection.getresponse();
}

test('what arrives for a socket that was given away reaches no other connection', () => {
  const given = [];
  return withServer(
    (request, socket) => {
      if (!request.startsWith('GET /a')) return `HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n${'b'.repeat(400)}`;
      given.push(socket);
      return 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc';
    },
    async ({ port }) => {
      const one = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      const response = await get(one, '/a');
      const { sock } = one;
      await sleep(20);
      one.sock = null;
      response.close();
      const other = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      const answer = await get(other, '/b');
      await sleep(20);
      given[0].write('EVIL'.repeat(60));
      await sleep(30);
      assert.equal(await answer.text(), 'b'.repeat(400));
      other.close();
      sock.destroy();
    },
  );
});

test('a read that waits when the socket is given away is told so', () =>
  withServer(
    () => 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc',
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port);
      const response = await get(connection);
      const read = response.read();
      const { sock } = connection;
      connection.sock = null;
      await assert.rejects(read, NotConnected);
      sock.destroy();
    },
  ));

test('a request that waits for a 100 when its connection is closed sends nothing of another one', async () => {
  const one = new HTTPConnection('a');
  one.sock = new MemoryPeer();
  const request = one.request('POST', '/a', 'body', {}, { expect_continue: 30 });
  await sleep(10);
  one.close();
  const other = new HTTPConnection('b');
  const sock = new MemoryPeer();
  other.sock = sock;
  other.putrequest('GET', '/b');
  await assert.rejects(request, NotConnected);
  await sleep(10);
  assert.equal(sock.received, '');
  await other.endheaders();
  assert.match(sock.received, /^GET \/b HTTP\/1\.1\r\n/);
  other.close();
});

test('a signal that is aborted in the turn in which a piece came ends this read and the next', async () => {
  const sock = new MemoryPeer();
  const controller = new AbortController();
  const connection = new HTTPConnection('h', { signal: controller.signal });
  connection.sock = sock;
  await connection.request('GET', '/');
  sock.push('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n');
  const response = await connection.getresponse();
  const line = response.readline();
  await sleep(10);
  sock.push('partial');
  controller.abort();
  await assert.rejects(line, { name: 'AbortError' });
  await assert.rejects(response.read(), { name: 'AbortError' });
});

test('a request that went out twice is not called safe to repeat', () => {
  let requests = 0;
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      requests += 1;
      if (requests === 1) {
        socket.write(OK);
      } else {
        server.close();
        socket.destroy();
      }
    });
  });
  return (async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const connection = new HTTPConnection('127.0.0.1', server.address().port, { timeout: 30, retry_stale: 1 });
    await (await get(connection)).read();
    await assert.rejects(
      async () => {
        await connection.request('POST', '/pay', 'x');
        await connection.getresponse();
      },
      { code: 'ECONNREFUSED', retry_safe: 'unknown' },
    );
    assert.equal(requests, 2);
    connection.close();
  })();
});

test('close() right behind request() opens nothing', () =>
  withServer(
    () => OK,
    async ({ port, connections }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      for (let count = 0; count < 3; count += 1) {
        await connection.request('POST', '/', 'x');
        await (await connection.getresponse()).read();
      }
      const request = connection.request('POST', '/', 'x');
      connection.close();
      await assert.rejects(request, NotConnected);
      await sleep(20);
      assert.equal(connection.sock, null);
      assert.equal(connections(), 1);
    },
  ));

test('a read that begins inside of getresponse has its time too', () =>
  withServer(
    (_, socket) => void setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'), 20),
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeouts: { idle: 0.2 } });
      let early;
      connection.response_class = class extends HTTPResponse {
        constructor(source) {
          super(source);
          early = this.read();
          early.catch(() => {});
        }
      };
      await get(connection);
      const late = sleep(20_000, 'too late', { ref: false });
      await assert.rejects(Promise.race([early, late]), TimeoutError);
      connection.close();
    },
  ));

test('a socket that is assigned while another one is being connected is the one that counts', () =>
  withServer(
    () => OK,
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      const mine = net.connect(port, '127.0.0.1');
      await once(mine, 'connect');
      const connecting = connection.connect();
      connection.sock = mine;
      await connecting;
      assert.equal(connection.sock, mine);
      assert.equal((await get(connection)).status, 200);
      connection.close();
      assert.equal(mine.destroyed, true);
    },
  ));

test('send() of a connection that is closed meanwhile says so', () =>
  withServer(
    () => OK,
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      const connecting = connection.connect().then(() => connection.close());
      await assert.rejects(connection.send('x'), NotConnected);
      await connecting;
    },
  ));

test('send() during a request that is being sent waits for it, and both settle', async () => {
  const received = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.pause();
    setTimeout(() => socket.resume(), 200);
    socket.on('data', (data) => received.push(data));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const connection = new HTTPConnection('127.0.0.1', server.address().port, { timeout: 30 });
  const request = connection.request('POST', '/', Buffer.alloc(12_000_000, 'a'));
  await sleep(20);
  await Promise.all([request, connection.send(Buffer.alloc(100_000, 'b'))]);
  const length = () => received.reduce((sum, part) => sum + part.length, -received[0].indexOf('\r\n\r\n') - 4);
  await until(() => received.length > 0 && length() >= 12_100_000);
  const bytes = Buffer.concat(received).latin1Slice();
  assert.match(bytes.slice(-200_001), /^a{100001}b{100000}$/);
  connection.close();
  server.close();
});
