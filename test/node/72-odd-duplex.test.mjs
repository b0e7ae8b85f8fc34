// SPDX-License-Identifier: MIT
//
// A Duplex as `sock` that does not behave as a socket does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { withServer } from '../support/raw-server.mjs';

const HEAD = 'HTTP/1.1 200 OK\r\n\r\n';

async function requestOver(sock, options) {
  const connection = new HTTPConnection('h', 80, { timeout: 30, ...options });
  connection.sock = sock;
  await connection.request('GET', '/');
  return connection;
}

test('characters of a Duplex that decodes are not narrowed to line ends', async () => {
  const sock = new MemoryPeer();
  sock.setEncoding('utf8');
  const connection = await requestOver(sock);
  sock.push(Buffer.from('HTTP/1.1 200 OK\r\nX: a\u010aSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok'));
  const response = await connection.getresponse();
  assert.deepEqual(response.getheaders().map(([name]) => name), ['X', 'Content-Length']);
  assert.equal(await response.text(), 'ok');
  connection.close();
});

const { buffer } = Uint8Array.from(Buffer.from('hello!'));
for (const chunk of [buffer, new DataView(buffer), new Uint16Array(buffer)]) {
  test(`a Duplex may emit bytes as ${chunk.constructor.name}`, async () => {
    const sock = new MemoryPeer();
    const connection = await requestOver(sock);
    sock.emit('data', Buffer.from(HEAD));
    sock.emit('data', chunk);
    sock.emit('end');
    assert.equal(await (await connection.getresponse()).text(), 'hello!');
    connection.close();
  });
}

for (const chunk of [5, {}, undefined, null]) {
  test(`a Duplex that emits ${typeof chunk === 'object' ? JSON.stringify(chunk) : chunk} as data fails the body`, async () => {
    const sock = new MemoryPeer();
    const connection = await requestOver(sock);
    sock.emit('data', Buffer.from(HEAD));
    sock.emit('data', Buffer.from('hello'));
    sock.emit('data', chunk);
    const response = await connection.getresponse();
    await assert.rejects(response.read(), /no bytes/);
    connection.close();
  });
}

test('a Duplex whose bytes are transferred before they are read fails the body', async () => {
  const sock = new MemoryPeer();
  const connection = await requestOver(sock);
  sock.emit('data', Buffer.from(HEAD));
  const response = await connection.getresponse();
  const chunks = Array.from({ length: 3 }, () => new Uint8Array(1_000_000)); // more than is taken before somebody reads
  for (const chunk of chunks) sock.emit('data', chunk);
  for (const { buffer } of chunks) structuredClone(buffer, { transfer: [buffer] });
  await assert.rejects(response.read(), { name: 'TypeError', message: /transferred before/, phase: 'receive' });
  assert.ok(sock.destroyed);
  connection.close();
});

test('a Duplex whose destroy throws is given up all the same', async () => {
  const sock = new MemoryPeer();
  sock.destroy = () => {
    throw new Error('no');
  };
  const connection = await requestOver(sock);
  connection.close();
  assert.equal(connection.sock, null);
});

for (const [what, end] of Object.entries({
  ends: (sock) => sock.push(null),
  'is closed without an error': (sock) => sock.destroy(),
})) {
  test(`a Duplex that ${what} before it is connected fails the request`, async () => {
    const create_connection = () => {
      const sock = new MemoryPeer();
      sock.connecting = true;
      setImmediate(() => end(sock));
      return sock;
    };
    const connection = new HTTPConnection('h', 80, { create_connection });
    await assert.rejects(connection.request('GET', '/'), { code: 'ECONNRESET', phase: 'connect', retry_safe: 'yes' });
    connection.close();
  });
}

test('a Duplex that has ended already is replaced, as a connection that the server closed', () =>
  withServer(
    () => 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere',
    async ({ port }) => {
      const sock = new MemoryPeer();
      sock.push(null);
      sock.resume();
      await sleep(10);
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      connection.sock = sock;
      await connection.request('GET', '/');
      assert.equal(await (await connection.getresponse()).text(), 'here');
      connection.close();
    },
  ));

test('a connection can be closed from inside of its Duplex and of its callbacks, and another takes its place', async () => {
  const begun = [];
  const takeOver = (connection) => {
    connection.close();
    for (let count = 0; count < 3; count += 1) begun.push(requestOver(new MemoryPeer()));
  };
  const resumed = new MemoryPeer();
  const first = await requestOver(resumed);
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n';
  resumed.emit('data', Buffer.concat([Buffer.from(head), Buffer.alloc(2_000_000)])); // more than the core takes: paused
  const response = await first.getresponse();
  resumed.resume = () => takeOver(first);
  await assert.rejects(response.read(), { name: 'NotConnected' });

  const told = new MemoryPeer();
  const second = await requestOver(told, { on_informational: () => takeOver(second) });
  told.emit('data', Buffer.from(`HTTP/1.1 103 Early Hints\r\n\r\n${HEAD}`));
  await assert.rejects(second.getresponse(), { name: 'ResponseNotReady' });

  for (const each of await Promise.all(begun)) {
    each.sock.emit('data', Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine'));
    assert.equal(await (await each.getresponse()).text(), 'mine');
    each.close();
  }
});

const all = async (next) => {
  const pieces = [];
  for (let piece; (piece = await next(pieces.length)).length > 0; ) pieces.push(piece);
  return Buffer.concat(pieces);
};
const filled = async (response, size) => {
  const view = Buffer.alloc(size);
  return view.subarray(0, await response.readinto(view));
};
const readers = {
  'read()': (response) => response.read(),
  'read(amt)': (response) => all(() => response.read(200_000)),
  'readinto()': (response) => all(() => filled(response, 590_000)),
  'readlines()': async (response) => Buffer.concat(await response.readlines()),
  'ways in turn': (response) =>
    all((count) => [() => response.read1(100_000), () => filled(response, 540_000), () => response.readline()][count % 3]()),
};
const framings = {
  'to the close': (body) => ['\r\n', body],
  'with a length': (body) => [`Content-Length: ${body.length}\r\n\r\n`, body],
  'chunked': (body) => [`Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n'],
};

// The receive buffer takes 512 KiB: what is more waits outside of it until the reader makes room.
for (const [framing, frame] of Object.entries(framings)) {
  for (const [how, read] of Object.entries(readers)) {
    test(`a body ${framing} that is larger than the receive buffer and waits in pieces of any size: ${how}`, async () => {
      for (const size of [530_000, 600_000, 2_000_000]) {
        const body = Buffer.alloc(size, 'the quick brown fox\njumps over the lazy dog, ');
        const parts = ['HTTP/1.1 200 OK\r\n', ...frame(body)].map((part) => Buffer.from(part));
        const bytes = Buffer.concat(parts);
        for (const piece of [65_536, 300_000, bytes.length]) {
          const sock = new MemoryPeer();
          const connection = await requestOver(sock);
          for (let at = 0; at < bytes.length; at += piece) sock.emit('data', bytes.subarray(at, at + piece));
          sock.emit('end');
          const got = await read(await connection.getresponse());
          assert.ok(got.equals(body), `${size} bytes in pieces of ${piece}`);
          connection.close();
        }
      }
    });
  }
}
