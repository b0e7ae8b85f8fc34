// SPDX-License-Identifier: MIT
//
// Timeouts of each phase, deadlines, and the signals of requests: what is raised, and that nothing stays behind.
//
// Runs by itself: a deadline has to find an operation in the phase that it is stuck in.

import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { getEventListeners, once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { _create_unverified_context, HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';
import { until } from '../support/upload-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, options);
const silent = () => {};
const never = () => new Promise(() => {});

/** A body whose second piece never comes. */
async function* stuck() {
  yield 'begun';
  await never();
}

/** What to do, by the phase that it is stuck in: an operation that ends only by its limit. */
const stuckIn = {
  lookup: { run: () => new HTTPConnection('slow.example', 80, { lookup: silent }) },
  connect: { run: () => new HTTPConnection('h', 80, { create_connection: never }) },
  tls: {
    run: (port) => new HTTPSConnection('127.0.0.1', port, { context: _create_unverified_context() }),
    answer: silent,
  },
  send: {
    answer: (_head, socket) => void socket.pause(),
    request: (connection) => connection.request('PUT', '/', Buffer.alloc(64 * 1024 * 1024)),
  },
  continue: {
    answer: silent,
    request: (connection) => connection.request('PUT', '/', 'body', {}, { expect_continue: 60 }),
  },
  headers: { answer: () => 'HTTP/1.1 200 OK\r\nX: ', phase: 'receive' },
  idle: {
    answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello',
    phase: 'receive',
    request: async (connection) => {
      await connection.request('GET', '/');
      const response = await connection.getresponse();
      await response.read();
    },
  },
};

async function exchange(connection) {
  await connection.request('GET', '/');
  return (await connection.getresponse()).read();
}

/** Asserts that an operation ends by its limit, and not by another, which is longer by far: by what it rejects with, and when. */
async function assertRejects(operation, limit, expected) {
  const alive = setInterval(() => {}, 1000); // the timers of a connection keep no process alive
  const started = performance.now();
  try {
    await assert.rejects(operation, expected);
  } finally {
    clearInterval(alive);
  }
  const elapsed = (performance.now() - started) / 1000;
  assert.ok(elapsed > limit * 0.9 && elapsed < limit + 20, `${elapsed} s`);
}

/** Waits until the server has seen the end of all connections, those as well that it comes to pause only now. */
async function allClosed(sockets) {
  await until(() => {
    for (const socket of sockets) socket.resume();
    return sockets.size === 0;
  });
}

for (const [name, { run = connect, answer = silent, request = exchange, phase = name }] of Object.entries(stuckIn)) {
  test(`timeouts.${name} goes before timeout, and says so in phase ${phase}`, () =>
    withServer(answer, async ({ port, sockets }) => {
      const connection = run(port);
      connection.timeout = 60;
      connection.timeouts = { [name]: 0.15 };
      await assertRejects(request(connection), 0.15, { name: 'TimeoutError', code: 'ETIMEDOUT', phase, limit: 0.15 });
      assert.equal(connection.sock, null);
      await allClosed(sockets);
    }));

  test(`a deadline ends what is stuck in ${name}, and says so in phase ${phase}`, () =>
    withServer(answer, async ({ port, sockets }) => {
      const connection = run(port);
      connection.deadline = 1; // which is to find it stuck there already, on any machine
      const error = { name: 'TimeoutError', phase, limit: 1, message: `timed out: ${phase} took longer than the deadline of 1 s` };
      await assertRejects(request(connection), 1, error);
      assert.equal(connection.sock, null);
      await allClosed(sockets);
    }));

  test(`a signal of the connection ends what is stuck in ${name}, with its reason`, () =>
    withServer(answer, async ({ port, sockets }) => {
      const controller = new AbortController();
      const connection = run(port);
      connection.signal = controller.signal;
      const reason = { why: 'no longer wanted' };
      setTimeout(() => controller.abort(reason), 100);
      await assertRejects(request(connection), 0.05, (error) => error === reason);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
      assert.equal(connection.sock, null);
      await allClosed(sockets);
      await assert.rejects(connection.request('GET', '/'), (error) => error === reason);
    }));
}

test('a source of a body that never goes on is ended by the deadline only', () =>
  withServer(silent, async ({ port }) => {
    const connection = connect(port, { timeouts: { send: 0.1 } });
    await assertRejects(connection.request('PUT', '/', stuck(), {}, { deadline: 1.5 }), 1.5, { phase: 'send', limit: 1.5 });
  }));

test('the signal of a request ends that request, and the next one can be made', () =>
  withServer(
    (head) => (head.includes('/stuck') ? undefined : reply('fine')),
    async ({ port }) => {
      const connection = connect(port);
      const controller = new AbortController();
      await connection.request('GET', '/stuck', null, {}, { signal: controller.signal });
      const waiting = connection.getresponse();
      controller.abort();
      await assert.rejects(waiting, { name: 'AbortError' });
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
      assert.equal(String(await exchange(connection)), 'fine');
      await assert.rejects(connection.request('GET', '/', null, {}, { signal: controller.signal }), { name: 'AbortError' });
      assert.equal(String(await exchange(connection)), 'fine');
      connection.close();
    },
  ));

test('a signal that is aborted between two reads is noticed by the next one', () =>
  withServer(
    () => 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello',
    async ({ port }) => {
      const controller = new AbortController();
      const connection = connect(port);
      await connection.request('GET', '/', null, {}, { signal: controller.signal });
      const response = await connection.getresponse();
      assert.equal(String(await response.read(2)), 'he');
      controller.abort(new Error('enough'));
      await assert.rejects(response.read(1), { message: 'enough' });
      assert.equal(connection.sock, null);
    },
  ));

test('a deadline counts from the start of the request, and what comes before it is enough', () =>
  withServer(
    (head, socket) => {
      if (head.includes('/quick')) return reply('fine');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n');
      const timer = setInterval(() => socket.write('x'), 50);
      socket.on('close', () => clearInterval(timer));
      return undefined;
    },
    async ({ port }) => {
      const connection = connect(port, { timeout: 60, deadline: 1.5 });
      await connection.request('GET', '/drip');
      const response = await connection.getresponse();
      await assertRejects(response.read(), 0, (error) => {
        assert.equal(error.name, 'TimeoutError');
        assert.ok(error.elapsed >= 1.49);
        assert.ok(error.partial.length > 0 && error.partial.length < 100);
        return true;
      });
      await connection.request('GET', '/quick');
      const quick = await connection.getresponse();
      await sleep(1700); // all of it came in time
      assert.equal(String(await quick.read()), 'fine');
      assert.equal(String(await exchangeOf(connection, '/quick')), 'fine');
      connection.close();
    },
  ));

async function exchangeOf(connection, url) {
  await connection.request('GET', url);
  return (await connection.getresponse()).read();
}

test('one timer stands for all operations, and none once the last connection is closed', async () => {
  const timers = new Map();
  let made = 0;
  const hook = createHook({
    init(id, type) {
      if (type !== 'Timeout') return;
      const { stack } = new Error();
      if (!stack.includes('/js/')) return; // of the test, or of Node
      made++;
      timers.set(id, stack);
    },
    destroy: (id) => void timers.delete(id),
  });
  await withServer(
    (head) => (head.includes('/continue') ? `HTTP/1.1 100 Continue\r\n\r\n${reply('fine')}` : reply('fine')),
    async ({ port }) => {
      hook.enable();
      try {
        const connection = connect(port, { timeout: 30, deadline: 60, timeouts: { lookup: 10, idle: 20 } });
        connection.host = 'localhost';
        for (let i = 0; i < 3; i++) {
          await connection.request('GET', '/');
          const response = await connection.getresponse();
          await response.read();
        }
        await connection.request('PUT', '/continue', 'body', {}, { expect_continue: 20 });
        await (await connection.getresponse()).read();
        // Node tells of the end of a timer some turns later; one that outlives its operation stays for seconds.
        const ended = async (left) => {
          for (let turns = 0; timers.size > left && turns < 100; turns++) await new Promise(setImmediate);
          assert.ok(timers.size <= left, [...timers.values()].join('\n'));
        };
        await ended(1);
        assert.ok(made > 4, `${made} timers`);
        assert.equal(process.getActiveResourcesInfo().includes('Timeout'), false, 'it keeps no process alive');
        connection.close();
        await ended(0);
      } finally {
        hook.disable();
      }
    },
  );
});

test('timeouts that can not be are refused by name', () => {
  for (const timeouts of [{ conect: 1 }, { idle: 0 }, { tls: '1' }, { send: -1 }, 5]) {
    assert.throws(() => new HTTPConnection('h', { timeouts }), { name: 'TypeError', code: /^ERR_INVALID_ARG_/ });
  }
  assert.throws(() => new HTTPConnection('h', { timeouts: { conect: 1 } }), /did you mean "connect"/);
  assert.throws(() => new HTTPConnection('h', { deadline: 0 }), { code: 'ERR_INVALID_ARG_VALUE' });
  const connection = new HTTPConnection('h');
  assert.throws(() => {
    connection.timeout = 0;
  }, { code: 'ERR_INVALID_ARG_VALUE' });
});

test('a name that is looked up within the time for connecting has its own time only where that is given', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const lookup = (_name, _options, done) => void setTimeout(done, 1500, null, [{ address: '127.0.0.1', family: 4 }]);
  const slow = new HTTPConnection('a.example', port, { lookup, timeouts: { connect: 0.1 } });
  await assertRejects(slow.connect(), 0.1, { name: 'TimeoutError', phase: 'lookup', limit: 0.1 });
  for (const time of [30, null]) {
    const own = new HTTPConnection('a.example', port, { lookup, timeouts: { connect: 1.2, lookup: time } });
    await own.connect();
    own.close();
  }
  server.close();
});
