// SPDX-License-Identifier: MIT
//
// The engine that blocks: a guest in a thread, and its connections in this one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createHost } from '../../js/host.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { noClang, Raw } from './guests.mjs';

const HEAD = (port) => `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
const [WANT_READ, WANT_WRITE, RESET, TIMED_OUT, BAD_HANDLE, OTHER] = [-1, -2, -401, -403, -411, -412];

/** A server of bytes: `serve` is called with each socket. */
async function listen(serve) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: server.address().port, sockets, close };
}

describe('a guest with connections', { skip: noClang }, () => {
  let host;
  const closing = [];

  before(() => {
    host = createHost({ allow: ['127.0.0.1:*', '[::1]:*', 'localhost:*', '127.0.0.0/8:*'] });
  });

  after(async () => {
    await host.close();
    for (const close of closing) close();
  });

  const serve = async (serving) => {
    const server = await listen(serving);
    closing.push(server.close);
    return server;
  };

  test('asks and is answered, on a connection that is kept', async () => {
    const server = http.createServer((request, response) => response.end(request.url));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.closeAllConnections(), () => server.close());
    let connections = 0;
    server.on('connection', () => connections++);
    const raw = await Raw.start(host);
    await raw.connect('127.0.0.1', server.address().port);
    assert.equal(await raw.get('/page', { times: 100 }), 5);
    assert.equal(raw.bytes(5), '/page');
    assert.equal(connections, 1);
    await raw.guest.close();
  });

  for (const ring of [4096, 5000, 65_536, 1 << 20]) {
    test(`carries bodies both ways that are larger than its ring of ${ring} bytes`, async () => {
      const small = createHost({ allow: ['127.0.0.1:*'], ring });
      const size = 3_000_001;
      let sum = 0;
      const server = http.createServer((request, response) => {
        request.on('data', (chunk) => {
          sum += chunk.length;
        });
        request.on('end', () => response.end(Buffer.alloc(size, 'abcdefg')));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      closing.push(() => server.closeAllConnections(), () => server.close());
      const raw = await Raw.start(small);
      await raw.connect('127.0.0.1', server.address().port);
      assert.equal(await raw.get('/', { size, times: 2 }), size);
      assert.equal(sum, 2 * size);
      await small.close();
    });
  }

  test('takes what came, and the end, in order', async () => {
    const { port } = await serve((socket) => socket.end('one two three'));
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    assert.ok(handle > 0);
    assert.equal(await raw.recv(handle, 4), 4);
    assert.equal(raw.bytes(4), 'one ');
    assert.equal(await raw.all(handle), 'two three');
    assert.equal(await raw.recv(handle), 0);
    await raw.guest.close();
  });

  test('is told what can be done now, with a time of 0', async () => {
    const { port, sockets } = await serve(() => {});
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    assert.equal(await raw.recv(handle, 10, 0), WANT_READ);
    assert.deepEqual(await raw.wait([[handle, 3]], 0), { count: 1, ready: [2] });
    assert.deepEqual(await raw.wait([[handle, 1]], 0), { count: 0, ready: [0] });
    await raw.sendHead(handle, HEAD(port));
    const asked = [...sockets][0];
    asked.write('x');
    assert.deepEqual(await raw.wait([[handle, 1]]), { count: 1, ready: [1] });
    assert.equal(await raw.recv(handle, 10, 0), 1);
    await raw.guest.close();
  });

  test('waits for a time, and no longer', async () => {
    const { port } = await serve(() => {});
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    const began = performance.now();
    assert.deepEqual(await raw.wait([[handle, 1]], 50), { count: 0, ready: [0] });
    assert.equal(await raw.guest.call('host_wait', 0, 0, 50), 0);
    assert.equal(await raw.recv(handle, 10, 50), TIMED_OUT);
    assert.ok(performance.now() - began >= 149);
    assert.equal(await raw.recv(handle, 10, 50), TIMED_OUT, 'which is the end of it');
    assert.equal(await raw.words(handle), 'timed out');
    await raw.guest.close();
  });

  test('never waits longer than its host lets it', async () => {
    const { port } = await serve(() => {});
    const short = createHost({ allow: ['127.0.0.1:*'], limits: { timeout: 1 } });
    const raw = await Raw.start(short);
    const handle = await raw.open('127.0.0.1', port, 0, -1);
    assert.equal(await raw.guest.call('host_wait', 0, 0, -1), 0);
    assert.equal(await raw.recv(handle, 10, 0x7fffffff), TIMED_OUT);
    await short.close();
  });

  test('waits for several connections at once', async () => {
    const { port, sockets } = await serve(() => {});
    const raw = await Raw.start(host);
    const handles = [await raw.open('127.0.0.1', port), await raw.open('127.0.0.1', port), await raw.open('127.0.0.1', port)];
    for (const handle of handles) await raw.sendHead(handle, HEAD(port));
    const waiting = raw.wait(handles.map((handle) => [handle, 1]));
    [...sockets][1].write('x');
    assert.deepEqual(await waiting, { count: 1, ready: [0, 1, 0] });
    await raw.guest.close();
  });

  test('is woken by the peer that resets', async () => {
    const { port, sockets } = await serve(() => {});
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    await raw.sendHead(handle, HEAD(port));
    const receiving = raw.recv(handle);
    [...sockets][0].resetAndDestroy();
    assert.equal(await receiving, RESET);
    assert.match(await raw.words(handle), /ECONNRESET/);
    assert.deepEqual(await raw.wait([[handle, 3]], 0), { count: 1, ready: [3] });
    await raw.guest.close();
  });

  test('meets a peer that takes nothing', async () => {
    const { port, sockets } = await serve((socket) => socket.pause());
    const raw = await Raw.start(createHost({ allow: ['127.0.0.1:*'], ring: 4096 }));
    const handle = await raw.open('127.0.0.1', port);
    await raw.sendHead(handle, HEAD(port));
    const piece = 'x'.repeat(60_000);
    let sent = 0;
    for (let count = 1; count > 0; ) {
      count = await raw.send(handle, piece, 200);
      if (count > 0) sent += count;
      else assert.equal(count, TIMED_OUT);
    }
    assert.ok(sent > 100_000);
    const other = await raw.open('127.0.0.1', port);
    await raw.sendHead(other, HEAD(port));
    let wanted = 1;
    for (; wanted > 0; wanted = await raw.send(other, piece, 0)) if (sockets.size === 0) break;
    assert.equal(wanted, WANT_WRITE);
    await raw.guest.close();
  });

  test('has no handle after it closed it, and never the same again', async () => {
    const { port } = await serve(() => {});
    const raw = await Raw.start(host);
    const handles = new Set();
    for (let index = 0; index < 40; index++) {
      const handle = await raw.open('127.0.0.1', port);
      assert.ok(handle > 0 && !handles.has(handle));
      handles.add(handle);
      await raw.closeHandle(handle);
      await raw.closeHandle(handle);
      assert.equal(await raw.recv(handle, 10, 0), BAD_HANDLE);
      assert.equal(await raw.send(handle, 'x', 0), BAD_HANDLE);
      assert.equal(await raw.sendHead(handle, 'x', 0), BAD_HANDLE);
      assert.equal((await raw.wait([[handle, 1]], 0)).count, BAD_HANDLE);
    }
    await raw.guest.close();
  });

  test('sends what it was told was taken, also when it closes at once', async () => {
    const received = Promise.withResolvers?.() ?? deferred();
    const { port } = await serve((socket) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk));
      socket.on('close', () => received.resolve(text));
    });
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    await raw.sendHead(handle, HEAD(port));
    await raw.send(handle, 'goodbye');
    await raw.closeHandle(handle);
    assert.equal(await received.promise, `${HEAD(port)}goodbye`);
    await raw.guest.close();
  });

  test('is told of addresses', async () => {
    const { port } = await serve(() => {});
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    assert.equal(await raw.info(handle, 1), `127.0.0.1:${port}`);
    assert.match(await raw.info(handle, 2), /^127\.0\.0\.1:\d+$/);
    for (const what of [3, 4, 5, -1, 1 << 30]) assert.equal(await raw.info(handle, what), '');
    assert.equal(await raw.info(handle, 1, 9), '127.0.0.1');
    await raw.guest.close();
  });

  test('leaves nothing open when it is ended while it waits', async () => {
    const { port, sockets } = await serve((socket) => socket.resume());
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    await raw.sendHead(handle, HEAD(port));
    const rejected = assert.rejects(raw.recv(handle, 10, -1), { name: 'GuestError', code: 'ERR_HTTP_GUEST_CLOSED' });
    const gone = once([...sockets][0], 'close');
    await raw.guest.close();
    await rejected;
    await gone;
    assert.equal(sockets.size, 0);
  });

  test('speaks TLS, begun with the connection or later', { skip: noOpenssl }, async () => {
    const { good, ca } = certificates();
    const server = https.createServer({ cert: readFileSync(good.cert), key: readFileSync(good.key) }, (request, response) =>
      response.end(request.url === '/large' ? 'x'.repeat(2_000_000) : 'inside'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.closeAllConnections(), () => server.close());
    const { port } = server.address();
    const safe = createHost({ allow: ['https://localhost:*', '127.0.0.0/8:*'], tls: { cafile: ca } });
    const raw = await Raw.start(safe);
    const request = `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`;
    for (const flags of [1, 0]) {
      const handle = await raw.open('localhost', port, flags | 2);
      assert.ok(handle > 0, await raw.words(0));
      assert.equal(await raw.startTls(handle, 'localhost'), 0);
      assert.equal(await raw.info(handle, 3), 'TLSv1.3');
      assert.equal(await raw.info(handle, 4), 'http/1.1');
      assert.equal(await raw.sendHead(handle, request), request.length);
      assert.match(await raw.all(handle), /\r\n\r\ninside$/);
    }
    await raw.connect('localhost', port, true);
    assert.equal(await raw.get('/large'), 2_000_000);
    const unknown = createHost({ allow: ['https://localhost:*', '127.0.0.0/8:*'] });
    const distrusting = await Raw.start(unknown);
    await assert.rejects(distrusting.connect('localhost', port, true), { result: -406, message: /certificate/ });
    await safe.close();
    await unknown.close();
  });

  test('is answered with a number whatever numbers it gives', async () => {
    const { port } = await serve(() => {});
    const raw = await Raw.start(host);
    const handle = await raw.open('127.0.0.1', port);
    const bad = [
      ['host_open', -1, 10, port, 0, 100],
      ['host_open', 0, 0, port, 0, 100],
      ['host_open', 0, 256, port, 0, 100],
      ['host_open', 0, 4, 65_536, 0, 100],
      ['host_open', 0x7fffffff, 0x7fffffff, port, 0, 100],
      ['host_send', handle, -4, 4, 0],
      ['host_send', handle, 0, 0, 0],
      ['host_send', handle, 4, -1, 0],
      ['host_send_head', handle, -4, 4, 0],
      ['host_recv', handle, -4, 8, 0],
      ['host_recv', handle, 0, 0, 0],
      ['host_wait', -8, 1, 0],
      ['host_info', handle, 0, -1, 2],
      ['host_start_tls', handle, -1, 2, 0, 0],
    ];
    for (const [name, ...numbers] of bad) assert.equal(await raw.guest.call(name, ...numbers), OTHER, `${name} ${numbers}`);
    assert.equal(await raw.guest.call('host_wait', 0, 0x20000000, 0), -413);
    assert.equal(await raw.guest.call('host_open', 0, 4, port, 8, 100), -413);
    for (const number of [0, -1, 7777, 0x7fffffff]) {
      assert.equal(await raw.guest.call('host_recv', number, raw.body, 10, 0), BAD_HANDLE);
      await raw.closeHandle(number);
      assert.equal(await raw.info(number, 0), '');
    }
    assert.ok(Number.isInteger(await raw.guest.call('host_now')));
    await raw.guest.close();
  });
});

function deferred() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
