// SPDX-License-Identifier: MIT
//
// Peers that stall, reset, close one side or answer early, and programs that give up while something is pending.
//
// Runs by itself: peers that are slow in time have limits of a second and a half.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { HTTPConnection, NotConnected } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';
import { withSilentPort } from '../support/silent-port.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });

async function fetchText(connection, url = '/') {
  await connection.request('GET', url);
  return String(await (await connection.getresponse()).read());
}

/** Asserts that an operation ends by a timeout of `limit` seconds, in this phase, by nothing else. */
async function assertTimesOut(operation, limit, phase) {
  const started = performance.now();
  const alive = setInterval(() => {}, 1000); // the timers of a connection keep no process alive
  await assert.rejects(operation(), (error) => {
    assert.equal(error.name, 'TimeoutError', error.stack);
    assert.equal(error.code, 'ETIMEDOUT');
    assert.equal(error.phase, phase);
    assert.equal(error.limit, limit);
    assert.ok(error.elapsed >= limit * 0.95 && error.elapsed < limit + 20, `elapsed ${error.elapsed}`);
    return true;
  }).finally(() => clearInterval(alive));
  const elapsed = (performance.now() - started) / 1000;
  assert.ok(elapsed > limit * 0.95 && elapsed < limit + 20, `${elapsed} s`);
}

test('a look-up that never ends is a timeout in phase lookup', async () => {
  const connection = new HTTPConnection('slow.example', 80, { timeout: 0.2, lookup: () => {} });
  await assertTimesOut(() => connection.request('GET', '/'), 0.2, 'lookup');
  assert.equal(connection.sock, null);
});

test('a create_connection that never ends is a timeout in phase connect', async () => {
  const connection = new HTTPConnection('h', 80, { timeout: 0.2, create_connection: () => new Promise(() => {}) });
  await assertTimesOut(() => connection.request('GET', '/'), 0.2, 'connect');
  assert.equal(connection.sock, null);
});

test('[connect-timeout] a peer that does not take the connection is a timeout in phase connect', () =>
  withSilentPort(async ({ port }) => {
    const connection = connect(port, { timeout: 0.3 });
    await assertTimesOut(() => connection.request('GET', '/'), 0.3, 'connect');
    assert.equal(connection.sock, null);
  }));

test('a peer that does not read is a timeout in phase send, and the connection can be used again', () =>
  withServer(
    (head, socket) => {
      if (head.startsWith('GET')) return reply('again');
      socket.pause();
    },
    async ({ port }) => {
      const connection = connect(port, { timeout: 0.4 });
      await assertTimesOut(() => connection.request('PUT', '/', Buffer.alloc(32 * 1024 * 1024)), 0.4, 'send');
      assert.equal(connection.sock, null);
      connection.timeout = 30;
      assert.equal(await fetchText(connection), 'again');
      connection.close();
    },
  ));

test('time between calls does not count', () =>
  withServer(
    () => reply('patient'),
    async ({ port, connections }) => {
      const connection = connect(port, { timeout: 1.5 });
      await connection.request('GET', '/');
      await sleep(1700);
      const response = await connection.getresponse();
      await sleep(1700);
      assert.equal(String(await response.read()), 'patient');
      await sleep(1700);
      assert.equal(await fetchText(connection), 'patient');
      assert.equal(connections(), 1);
      connection.close();
    },
  ));

test('a head that trickles is no timeout', () =>
  withServer(
    (_head, socket) => {
      const text = reply('ok');
      let at = 0;
      const timer = setInterval(() => {
        socket.write(text.slice(at, at + 2));
        at += 2;
        if (at >= text.length) clearInterval(timer);
      }, 120);
    },
    async ({ port }) => {
      const connection = connect(port, { timeout: 1.5 }); // all of it takes longer
      assert.equal(await fetchText(connection), 'ok');
      connection.close();
    },
  ));

test('a peer that closes its side after a response gives the response, and the next request opens again', () =>
  withServer(
    (_head, socket) => {
      socket.end(reply('hello'));
    },
    async ({ port, connections, requests }) => {
      const connection = connect(port);
      for (let i = 1; i <= 5; i++) {
        assert.equal(await fetchText(connection), 'hello');
        assert.equal(connections(), i);
        await sleep(10);
      }
      assert.deepEqual(requests.map((text) => text.match(/GET/g).length), [1, 1, 1, 1, 1]);
      connection.close();
    },
  ));

for (const [ending, act] of Object.entries({
  'and closes its side': (socket, text) => socket.end(text),
  'and resets later': (socket, text) => socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 100)),
})) {
  test(`an upload from memory that the peer answers early ${ending} gives that answer`, () =>
    withServer(
      (head, socket) => {
        if (head.startsWith('GET')) return reply('again');
        socket.pause();
        act(socket, reply('big', { status: '413 Content Too Large', headers: ['Connection: close'] }));
      },
      async ({ port }) => {
        const connection = connect(port);
        await connection.request('POST', '/', Buffer.alloc(32 * 1024 * 1024));
        const response = await connection.getresponse();
        assert.equal(response.status, 413);
        assert.equal(String(await response.read()), 'big');
        assert.equal(await fetchText(connection), 'again');
        connection.close();
      },
    ));
}

test('a reset keeps what was read before it, and is never the end of a body', () =>
  withServer(
    (_head, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nhello');
      setTimeout(() => socket.resetAndDestroy(), 60);
    },
    async ({ port }) => {
      const connection = connect(port);
      await connection.request('GET', '/');
      const response = await connection.getresponse();
      assert.equal(String(await response.read(5)), 'hello');
      await assert.rejects(response.read(5), { code: 'ECONNRESET' });
      assert.equal(connection.sock, null);
    },
  ));

const reads = {
  'read()': (r) => r.read(),
  'read(20)': (r) => r.read(20),
  'readinto()': (r) => r.readinto(new Uint8Array(20)),
  'readline()': (r) => r.readline(),
  'readlines()': (r) => r.readlines(),
  'text()': (r) => r.text(),
  'a loop over lines': async (r) => {
    for await (const line of r) assert.ok(line.length > 0);
  },
  'a loop over body': async (r) => {
    for await (const chunk of r.body) assert.ok(chunk.length > 0);
  },
  'a read that waits for another': (r) => {
    r.read().catch(() => {});
    return r.read();
  },
};

for (const [name, read] of Object.entries(reads)) {
  test(`close() ends ${name} of a body that is not all there with NotConnected, and the connection can be used again`, () =>
    withServer(
      (head, socket) => {
        if (head.includes('/again')) return reply('again');
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello');
      },
      async ({ port }) => {
        const connection = connect(port);
        await connection.request('GET', '/');
        const response = await connection.getresponse();
        const pending = assert.rejects(read(response), NotConnected);
        await sleep(20);
        connection.close();
        await pending;
        assert.equal(await fetchText(connection, '/again'), 'again');
        connection.close();
      },
    ));
}

test('a signal ends a body that is being read, and one that was aborted before lets nothing begin', () =>
  withServer(
    (_head, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello'),
    async ({ port, connections }) => {
      const controller = new AbortController();
      const connection = connect(port, { signal: controller.signal });
      await connection.request('GET', '/');
      const response = await connection.getresponse();
      const pending = response.read();
      const reason = new Error('enough');
      setTimeout(() => controller.abort(reason), 20);
      await assert.rejects(pending, (error) => error === reason);
      const late = connect(port, { signal: AbortSignal.abort(reason) });
      await assert.rejects(late.request('GET', '/'), (error) => error === reason);
      assert.equal(connections(), 1);
    },
  ));

test('a host with a label of 64 characters is an error with a code, not one of a codec', async () => {
  const host = `${'a'.repeat(64)}.example`;
  await assert.rejects(
    async () => new HTTPConnection(host, 80, { timeout: 5 }).request('GET', '/'),
    (error) => error.name === 'InvalidURL' || /^(ENOTFOUND|EAI_|EBADNAME|EINVAL)/.test(error.code),
  );
});
