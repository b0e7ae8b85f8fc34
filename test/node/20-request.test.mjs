// SPDX-License-Identifier: MIT
//
// Requests: what goes on the wire for each kind of header and body, and what is refused.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { HTTPConnection, HTTPException, InvalidURL, NotConnected } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

const HEAD = 'Host: example.com\r\nAccept-Encoding: identity\r\n';

/** A connection to a peer in memory. */
function connect(host = 'example.com', port = null, options = {}) {
  const peer = new MemoryPeer();
  return { peer, connection: new HTTPConnection(host, port, { create_connection: () => peer, ...options }) };
}

async function wireOf(...args) {
  const { peer, connection } = connect();
  await connection.request(...args);
  connection.close();
  return peer.received;
}

test('the first lines are those of http.client', async () => {
  assert.equal(await wireOf('GET', '/index.html'), `GET /index.html HTTP/1.1\r\n${HEAD}\r\n`);
  assert.equal(await wireOf('GET', ''), `GET / HTTP/1.1\r\n${HEAD}\r\n`);
  assert.equal(await wireOf('OPTIONS', '*'), `OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`);
  assert.equal(
    await wireOf('GET', 'http://other.example:81/x'),
    'GET http://other.example:81/x HTTP/1.1\r\nHost: other.example:81\r\nAccept-Encoding: identity\r\n\r\n',
  );
});

test('Host leaves the default port out, brackets IPv6 and encodes other names', async () => {
  for (const [host, port, value] of [
    ['example.com', 80, 'example.com'],
    ['example.com', 8080, 'example.com:8080'],
    ['example.com:8080', null, 'example.com:8080'],
    ['example.com:', null, 'example.com'],
    ['[::1]:8080', null, '[::1]:8080'],
    ['::1', 80, '[::1]'],
    ['bücher.example', null, 'xn--bcher-kva.example'],
  ]) {
    const { peer, connection } = connect(host, port);
    await connection.request('GET', '/');
    assert.match(peer.received, new RegExp(`\r\nHost: ${value.replace(/[[\]]/g, '\\$&')}\r\n`), host);
    connection.close();
  }
});

test('headers are taken from objects, maps, Headers and pairs, in their order and spelling', async () => {
  const lines = 'X-B: 1\r\nx-a: two\r\n\r\n';
  assert.ok((await wireOf('GET', '/', null, { 'X-B': 1, 'x-a': 'two' })).endsWith(lines));
  assert.ok((await wireOf('GET', '/', null, new Map([['X-B', 1], ['x-a', Buffer.from('two')]]))).endsWith(lines));
  assert.ok((await wireOf('GET', '/', null, [['X-B', '1'], ['x-a', 'two']])).endsWith(lines));
  assert.ok((await wireOf('GET', '/', null, new Headers({ a: '1' }))).endsWith('a: 1\r\n\r\n'));
  assert.ok((await wireOf('GET', '/', null, { C: ['1', 2] })).endsWith('C: 1\r\nC: 2\r\n\r\n'));
  assert.ok((await wireOf('GET', '/', null, { 'accept-encoding': 'gzip', HOST: 'h' })).endsWith('accept-encoding: gzip\r\nHOST: h\r\n\r\n'));
  assert.ok((await wireOf('GET', '/', null, { 'X-L': 'caf\xe9' })).includes('X-L: caf\xe9\r\n'));
});

test('a body in memory has a Content-Length, whatever kind of bytes it is', async () => {
  const buffer = new Uint8Array([104, 105]).buffer;
  const shared = new SharedArrayBuffer(2);
  new Uint8Array(shared).set([104, 105]);
  const view = new DataView(buffer);
  for (const body of ['hi', Buffer.from('hi'), new Uint8Array(buffer), buffer, shared, view, new Blob(['hi'])]) {
    assert.equal(await wireOf('POST', '/', body), `POST / HTTP/1.1\r\n${HEAD}Content-Length: 2\r\n\r\nhi`);
  }
  assert.ok((await wireOf('POST', '/', 'caf\xe9')).endsWith('Content-Length: 4\r\n\r\ncaf\xe9'));
});

test('no body means Content-Length 0 for PUT, POST and PATCH in any case, and nothing for others', async () => {
  for (const method of ['PUT', 'POST', 'PATCH', 'post']) {
    assert.equal(await wireOf(method, '/'), `${method} / HTTP/1.1\r\n${HEAD}Content-Length: 0\r\n\r\n`);
  }
  for (const method of ['GET', 'DELETE', 'HEAD', 'OPTIONS']) {
    assert.equal(await wireOf(method, '/', undefined), `${method} / HTTP/1.1\r\n${HEAD}\r\n`);
  }
});

test('iterables and streams are chunked, a chunk for each piece, empty ones left out', async () => {
  const chunked = `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1A\r\n${'x'.repeat(26)}\r\n0\r\n\r\n`;
  const pieces = () => ['ab', '', Buffer.from('x'.repeat(26))];
  async function* later() {
    for (const piece of pieces()) {
      await new Promise(setImmediate);
      yield piece;
    }
  }
  const reads = pieces().filter((piece) => piece.length > 0);
  let next = 0;
  const readable = { mode: 'rb', read: async () => reads[next++] ?? null };
  let at = 0;
  const text = { mode: 'r', read: () => (at < reads.length ? String(reads[at++]) : '') };
  for (const body of [pieces(), pieces().values(), later(), Readable.from(reads.map(Buffer.from)), readable, text]) {
    assert.equal(await wireOf('POST', '/', body), chunked);
  }
  const stream = new ReadableStream({
    start(controller) {
      for (const piece of reads) controller.enqueue(Buffer.from(piece));
      controller.close();
    },
  });
  assert.equal(await wireOf('POST', '/', stream), chunked);
  assert.ok((await wireOf('POST', '/', [])).endsWith('\r\n\r\n0\r\n\r\n'));
});

test('files have the length that fstat tells, and go out in pieces of blocksize', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'porthole-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'file');
  const content = 'line of a file\n'.repeat(5000);
  fs.writeFileSync(file, content);
  const wanted = (body) => `PUT / HTTP/1.1\r\n${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`;
  const handle = await open(file);
  assert.equal(await wireOf('PUT', '/', handle), wanted(content));
  await handle.close();
  assert.equal(await wireOf('PUT', '/', fs.createReadStream(file)), wanted(content));
  assert.equal(await wireOf('PUT', '/', fs.createReadStream(file, { start: 5, end: 99 })), wanted(content.slice(5, 100)));
  const fd = fs.openSync(file);
  assert.equal(await wireOf('PUT', '/', { fileno: () => fd }), wanted(content));
  fs.closeSync(fd);
});

test('an explicit Content-Length or Transfer-Encoding is kept, and nothing added', async () => {
  assert.equal(await wireOf('POST', '/', ['a', 'b'], { 'Content-Length': 2 }), `POST / HTTP/1.1\r\n${HEAD}Content-Length: 2\r\n\r\nab`);
  const raw = '1\r\na\r\n0\r\n\r\n';
  const encoding = { 'Transfer-Encoding': 'chunked' };
  assert.ok((await wireOf('POST', '/', raw, encoding)).endsWith(`Transfer-Encoding: chunked\r\n\r\n${raw}`));
  assert.ok((await wireOf('POST', '/', 'a', encoding, { encode_chunked: true })).endsWith(`chunked\r\n\r\n${raw}`));
});

test('the three steps send head and body in one write', async () => {
  const { peer, connection } = connect();
  connection.putrequest('PUT', '/x', { skip_host: true, skip_accept_encoding: true });
  connection.putheader('X-A', 'a', 'b', 3);
  connection.putheader('Content-Length', 5);
  assert.equal(peer.received, '');
  await connection.endheaders('hello');
  assert.equal(peer.received, 'PUT /x HTTP/1.1\r\nX-A: a\r\n\tb\r\n\t3\r\nContent-Length: 5\r\n\r\nhello');
  connection.close();
});

test('send takes what a body can be', async () => {
  const { peer, connection } = connect();
  connection.putrequest('POST', '/');
  connection.putheader('Content-Length', 10);
  await connection.endheaders();
  await connection.send('ab');
  await connection.send(Buffer.from('cd'));
  await connection.send(['e', Buffer.from('f')]);
  await connection.send(Readable.from([Buffer.from('ghij')]));
  assert.ok(peer.received.endsWith('Content-Length: 10\r\n\r\nabcdefghij'));
  connection.close();
});

test('a body that contradicts its Content-Length is refused, or ends the connection', async () => {
  const { peer, connection } = connect();
  for (const body of ['hello!', '', null]) {
    await assert.rejects(connection.request('PUT', '/', body, { 'Content-Length': 5 }), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
    });
  }
  assert.equal(peer.received, '');
  for (const pieces of [['abc', 'def'], ['ab']]) {
    const other = connect();
    await assert.rejects(other.connection.request('PUT', '/', pieces, { 'Content-Length': 5 }), HTTPException);
    assert.ok(peer.received.length <= other.peer.received.length && !other.peer.received.includes('def'));
    assert.equal(other.connection.sock, null);
  }
});

test('a source that throws gives that very error, and the connection can be used again', async () => {
  await withServer(
    () => reply('fine'),
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      const reason = new Error('the disk is gone');
      async function* broken() {
        yield 'a';
        throw reason;
      }
      await assert.rejects(connection.request('POST', '/', broken()), (error) => error === reason);
      assert.equal(connection.sock, null);
      await connection.request('GET', '/');
      assert.equal(String(await (await connection.getresponse()).read()), 'fine');
      connection.close();
    },
  );
});

test('refused arguments are TypeErrors with a code, and put nothing on the wire', async () => {
  const { peer, connection } = connect();
  const refused = [
    ['ERR_INVALID_CHAR', 'G T', '/'],
    ['ERR_INVALID_ARG_VALUE', '', '/'],
    ['ERR_INVALID_ARG_TYPE', 5, '/'],
    ['ERR_INVALID_ARG_TYPE', 'GET', 5],
    ['ERR_INVALID_CHAR', 'GET', '/é'],
    ['ERR_INVALID_CHAR', 'GET', '/€'],
    ['ERR_INVALID_CHAR', 'GET', '/', null, { 'X Y': '1' }],
    ['ERR_INVALID_CHAR', 'GET', '/', null, { X: 'a\r\nb' }],
    ['ERR_INVALID_CHAR', 'GET', '/', null, { X: '€' }],
    ['ERR_INVALID_ARG_TYPE', 'GET', '/', null, { X: {} }],
    ['ERR_INVALID_ARG_TYPE', 'GET', '/', null, 'X: 1'],
    ['ERR_INVALID_ARG_TYPE', 'GET', '/', null, [['X']]],
    ['ERR_INVALID_CHAR', 'POST', '/', '€'],
    ['ERR_INVALID_ARG_TYPE', 'POST', '/', 5],
    ['ERR_INVALID_ARG_TYPE', 'POST', '/', {}],
    ['ERR_INVALID_ARG_TYPE', 'POST', '/', new URLSearchParams({ a: '1' })],
    ['ERR_INVALID_ARG_TYPE', 'POST', '/', new FormData()],
    ['ERR_INVALID_ARG_VALUE', 'POST', '/', 'x', { 'Transfer-Encoding': 'gzip' }],
  ];
  for (const [code, ...args] of refused) {
    await assert.rejects(connection.request(...args), { name: 'TypeError', code }, JSON.stringify(args));
  }
  await assert.rejects(connection.request('GET', '/ x'), InvalidURL);
  await assert.rejects(connection.request('GET', 'http://user:secret@h/'), InvalidURL);
  await assert.rejects(connection.request('GET', '/', null, { X: 'a'.repeat(300_000) }), ({ message }) => message.length < 400);
  assert.equal(peer.received, '');
  await connection.request('GET', '/');
  assert.equal(peer.received, `GET / HTTP/1.1\r\n${HEAD}\r\n`);
  connection.close();
});

test('a refused call on a connection in use does not bring back what was sent before', async () => {
  await withServer(
    () => reply('ok'),
    async ({ port, requests }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      await connection.request('GET', '/1');
      await (await connection.getresponse()).read();
      await assert.rejects(connection.request('GET', '/2', null, { X: '\n' }), TypeError);
      await connection.request('GET', '/3');
      await (await connection.getresponse()).read();
      assert.deepEqual(requests[0].match(/GET \S+/g), ['GET /1', 'GET /3']);
      connection.close();
    },
  );
});

test('an answer before the body is sent stops the upload, also when a reset follows', async () => {
  await withServer(
    (_head, socket) => {
      socket.pause();
      socket.end('HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig');
      setTimeout(() => socket.resetAndDestroy(), 100).unref();
    },
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      let stopped = false;
      async function* endless() {
        try {
          for (;;) {
            yield Buffer.alloc(65536);
            await new Promise(setImmediate);
          }
        } finally {
          stopped = true;
        }
      }
      await connection.request('POST', '/', endless());
      const response = await connection.getresponse();
      assert.equal(response.status, 413);
      assert.equal(String(await response.read()), 'big');
      for (let turns = 0; !stopped && turns < 100; turns++) await new Promise(setImmediate);
      assert.ok(stopped, 'the source is told that it is not needed any more');
      connection.close();
    },
  );
});

test('nothing is sent while closed with auto_open 0', async () => {
  const { connection } = connect();
  connection.auto_open = 0;
  await assert.rejects(connection.request('GET', '/'), NotConnected);
  await assert.rejects(connection.send('x'), NotConnected);
  await connection.connect();
  await connection.request('GET', '/');
  connection.close();
});
