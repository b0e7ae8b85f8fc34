// SPDX-License-Identifier: MIT
//
// What ends, or begins, while something else is under way: what everyone who waits is told, and what is left behind.

import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection, IncompleteRead, NotConnected, RemoteDisconnected, TimeoutError } from '../../js/index.js';
import { withServer } from '../support/raw-server.mjs';
import { until } from '../support/upload-server.mjs';

const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** Runs with a connection to a server, and closes it. */
function withConnection(answer, use, options = {}) {
  return withServer(answer, async (server) => {
    const connection = new HTTPConnection('127.0.0.1', server.port, { timeout: 30, ...options });
    try {
      await use(connection, server);
    } finally {
      connection.close();
    }
  });
}

async function responseOf(connection) {
  await connection.request('GET', '/');
  return connection.getresponse();
}

const patiently = (promise) => Promise.race([promise, sleep(20_000, 'nothing happened', { ref: false })]);

async function* pieces(count, wait) {
  for (let i = 0; i < count; i += 1) {
    yield Buffer.alloc(1000);
    await sleep(wait);
  }
}

const wordless = {
  'a ReadableStream that errors': () =>
    new ReadableStream({ start: (controller) => controller.enqueue('abc'), pull: (controller) => controller.error() }),
  'an async iterable that throws': () => ({
    async *[Symbol.asyncIterator]() {
      yield 'abc';
      throw undefined;
    },
  }),
};

for (const [what, source] of Object.entries(wordless)) {
  test(`${what} with no reason does not end its body as if it were whole`, () =>
    withConnection(
      () => undefined,
      async (connection, { requests }) => {
        const settled = await connection.request('POST', '/', source()).then(() => 'sent', () => 'rejected');
        await sleep(20);
        assert.doesNotMatch(requests[0], /\r\n0\r\n\r\n$/);
        assert.equal(settled, 'rejected');
        assert.equal(connection.sock, null);
      },
    ));
}

test('close() while a body is sent does not say that nothing was', () =>
  withConnection(
    () => undefined,
    async (connection, { requests }) => {
      const sending = connection.request('POST', '/', pieces(10_000, 20));
      sending.catch(() => {});
      await until(() => requests[0]?.length > 2000);
      connection.close();
      await assert.rejects(sending, (error) => {
        assert.ok(error instanceof NotConnected);
        assert.ok(error.bytes_sent > 0);
        assert.deepEqual([error.phase, error.retry_safe], ['send', 'unknown']);
        return true;
      });
    },
  ));

test('the end of a connection is the same to who sends and who waits for the response', () =>
  withConnection(
    (_, socket) => void setTimeout(() => socket.end(), 50),
    async (connection) => {
      const both = await Promise.allSettled([connection.request('POST', '/', pieces(10_000, 10)), connection.getresponse()]);
      for (const { reason } of both) {
        assert.ok(reason instanceof RemoteDisconnected, String(reason));
        assert.equal(reason.retry_safe, 'unknown');
      }
    },
  ));

test('two connect() at a time leave one connection, and close() ends it', () =>
  withConnection(
    () => OK,
    async (connection, { sockets }) => {
      await Promise.all([connection.connect(), connection.connect()]);
      await responseOf(connection);
      connection.close();
      await until(() => sockets.size === 0);
    },
  ));

test('close() ends both of two connect() at a time', () =>
  withConnection(
    () => OK,
    async (connection, { sockets }) => {
      const both = Promise.allSettled([connection.connect(), connection.connect()]);
      connection.close();
      for (const { reason } of await both) assert.ok(reason instanceof NotConnected, String(reason));
      assert.equal(connection.sock, null);
      await until(() => sockets.size === 0);
    },
  ));

test('send() at a time of another is sent after it', () =>
  withConnection(
    (_, socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 100);
    },
    async (connection, { requests }) => {
      connection.putrequest('POST', '/');
      connection.putheader('Content-Length', 12_000_000);
      await connection.endheaders();
      const sent = [connection.send(Buffer.alloc(6_000_000, 'a')), connection.send(Buffer.alloc(6_000_000, 'b'))];
      assert.notEqual(await patiently(Promise.all(sent)), 'nothing happened');
      await until(() => requests[0].length > 12_000_000);
      assert.ok(requests[0].endsWith('a'.repeat(6_000_000) + 'b'.repeat(6_000_000)));
    },
  ));

test('two first send() at a time share a connection', () =>
  withConnection(
    () => undefined,
    async (connection, { requests, connections }) => {
      await Promise.all([connection.send('GET / HTTP/1.1\r\n'), connection.send('\r\n')]);
      await until(() => requests[0]?.endsWith('\r\n\r\n'));
      assert.equal(connections(), 1);
    },
  ));

for (const [method, read] of Object.entries({
  read: (response) => response.read(5),
  readinto: (response) => response.readinto(new Uint8Array(5)),
  readline: (response) => response.readline(),
  readlines: (response) => response.readlines(),
})) {
  test(`${method}() of a body that stalls is a TimeoutError, as by a deadline`, () =>
    withConnection(
      () => HALF,
      async (connection) => {
        const response = await responseOf(connection);
        await assert.rejects(read(response), (error) => error instanceof TimeoutError && String(error.partial) === '01');
      },
      { timeouts: { idle: 0.1 } },
    ));
}

test('peek() of a body that stalls is a TimeoutError, and no end', () =>
  withConnection(
    () => HALF,
    async (connection) => {
      const response = await responseOf(connection);
      await response.read1();
      await assert.rejects(response.peek(), TimeoutError);
      await assert.rejects(response.peek(), TimeoutError);
    },
    { timeouts: { idle: 0.1 } },
  ));

test('readlines() of a body that is cut short has all of it in partial', () =>
  withConnection(
    (_, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\none\ntwo'),
    async (connection) => {
      const response = await responseOf(connection);
      await assert.rejects(response.readlines(), (error) => {
        assert.ok(error instanceof IncompleteRead);
        assert.deepEqual([String(error.partial), error.expected], ['one\ntwo', 3]);
        assert.equal(error.message, '7 bytes read, 3 more expected');
        return true;
      });
    },
  ));

test('a tunnel can be detached after a response that was read to its end', () =>
  withConnection(
    (request) => (request.startsWith('CONNECT') ? 'HTTP/1.1 200 OK\r\n\r\n' : OK),
    async (connection) => {
      connection.set_tunnel('a.example');
      await (await responseOf(connection)).read();
      connection.detach().socket.destroy();
    },
  ));

test('with auto_open 0 a connection that the server has closed is not opened again', () =>
  withConnection(
    (_, socket) => void socket.end(OK),
    async (connection, { connections }) => {
      await connection.connect();
      connection.auto_open = 0;
      await (await responseOf(connection)).read();
      await until(() => connection.sock === null);
      await assert.rejects(connection.request('GET', '/'), NotConnected);
      assert.equal(connections(), 1);
    },
  ));

test('with auto_open 0 putrequest and putheader only buffer', async () => {
  const connection = new HTTPConnection('127.0.0.1', 9);
  connection.auto_open = 0;
  connection.putrequest('GET', '/');
  connection.putheader('X', 'y');
  await assert.rejects(connection.endheaders(), NotConnected);
  connection.close();
});

test('a socket that was destroyed at rest is replaced', () =>
  withConnection(
    () => OK,
    async (connection, { connections }) => {
      await (await responseOf(connection)).read();
      connection.sock.destroy();
      await (await responseOf(connection)).read();
      assert.equal(connections(), 2);
    },
  ));

test('what on_informational throws is given as it is', () => {
  const thrown = Object.assign(new Error('mine'), { code: 'MINE', syscall: 'mine' });
  const on_informational = () => {
    throw thrown;
  };
  return withConnection(
    () => 'HTTP/1.1 103 Early Hints\r\n\r\n',
    async (connection) => {
      await assert.rejects(responseOf(connection), (error) => error === thrown);
      assert.deepEqual(Object.keys(thrown), ['code', 'syscall']);
    },
    { on_informational },
  );
});

test('porthole:error tells of no request when a connect() by itself fails after one', () =>
  withConnection(
    () => OK,
    async (connection) => {
      await (await responseOf(connection)).read();
      connection.close();
      connection.port = 1;
      const told = [];
      const listen = ({ request }) => told.push(request);
      diagnostics.subscribe('porthole:error', listen);
      await assert.rejects(connection.connect(), { code: 'ECONNREFUSED' });
      diagnostics.unsubscribe('porthole:error', listen);
      assert.deepEqual(told, [null]);
    },
  ));

test('what a server says between putrequest and endheaders is no answer: the request goes out on a new connection', () => {
  const sockets = [];
  return withConnection(
    (_, socket) => {
      sockets.push(socket);
      return OK;
    },
    async (connection, { connections }) => {
      await (await responseOf(connection)).read();
      connection.putrequest('GET', '/2');
      sockets[0].write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n');
      await sleep(50);
      connection.putheader('A', 'b');
      await connection.endheaders();
      assert.equal((await connection.getresponse()).status, 200);
      assert.equal(connections(), 2);
    },
  );
});
