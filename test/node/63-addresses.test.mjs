// SPDX-License-Identifier: MIT
//
// Names with several addresses: they race, slow ones are not given up, and an error tells of each.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { HAS_IPV6 } from '../support/servers.mjs';
import { withSilentPort } from '../support/silent-port.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

/** A `lookup` that knows one name, and how often it was asked. */
function lookupOf(...addresses) {
  const lookup = (_name, _options, done) => {
    lookup.asked++;
    setImmediate(done, null, addresses.map((address) => ({ address, family: net.isIP(address) })));
  };
  lookup.asked = 0;
  return lookup;
}

const connect = (port, lookup, options) => new HTTPConnection('many.example', port, { timeout: 30, lookup, ...options });

/** How many sockets of this process are open, connecting ones included. */
const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

async function fetchText(connection) {
  await connection.request('GET', '/');
  return (await connection.getresponse()).text();
}

test('an address that refuses is followed by the next one at once', () =>
  withServer(
    () => reply('here'),
    async ({ port }) => {
      // With the quarter of a second that an address is given which does not answer, so many would take 10 seconds.
      const refusing = Array.from({ length: 40 }, (_, index) => `127.0.0.${index + 2}`);
      const connection = connect(port, lookupOf(...refusing, '127.0.0.1'));
      const started = performance.now();
      assert.equal(await fetchText(connection), 'here');
      assert.ok(performance.now() - started < 8000);
      assert.equal(connection.sock.remoteAddress, '127.0.0.1');
      connection.close();
    },
  ));

test('a slow address is left to go on while the next one is tried', () =>
  withSilentPort(async ({ port, wake }) => {
    // All are addresses of one server that takes no connection until it wakes: none may be given up.
    const connection = connect(port, lookupOf('127.0.0.1', '127.0.0.2', '127.0.0.3'), { timeout: 60 });
    const connecting = connection.connect();
    setTimeout(wake, 900);
    await connecting;
    assert.equal(connection.sock.remotePort, port);
    connection.close();
  }, '0.0.0.0'));

test('an address that does not answer is passed by after a quarter of a second', () =>
  withSilentPort(async ({ port }) => {
    const server = net.createServer((socket) => socket.end()).listen(port, '127.0.0.9');
    await once(server, 'listening');
    try {
      const connection = connect(port, lookupOf('127.0.0.1', '127.0.0.9'));
      const started = performance.now();
      await connection.connect();
      const elapsed = performance.now() - started;
      assert.ok(elapsed > 200, `${elapsed} ms`);
      assert.equal(connection.sock.remoteAddress, '127.0.0.9');
      connection.close();
    } finally {
      server.close();
    }
  }));

test('when all refuse, the error has the code of the first one and tells of each', () =>
  withServer(
    () => undefined,
    async ({ port }) => {
      const connection = connect(port, lookupOf('127.0.0.2', '127.0.0.3', ...(HAS_IPV6 ? ['::1'] : [])));
      await assert.rejects(connection.connect(), (error) => {
        assert.equal(error.code, 'ECONNREFUSED');
        assert.equal(error.phase, 'connect');
        assert.equal(error.retry_safe, 'yes');
        const addresses = error.errors.map(({ address, code }) => `${address} ${code}`);
        const expected = ['127.0.0.2', ...(HAS_IPV6 ? ['::1'] : []), '127.0.0.3']; // families take turns
        assert.deepEqual(addresses, expected.map((address) => `${address} ECONNREFUSED`));
        for (const address of expected) assert.ok(error.message.includes(address), error.message);
        return true;
      });
      assert.equal(connection.sock, null);
    },
  ));

test('a timeout tells of each address too', () =>
  withSilentPort(async ({ port }) => {
    const connection = connect(port, lookupOf('127.0.0.2', '127.0.0.1'), { timeout: 1.5 });
    await assert.rejects(connection.connect(), (error) => {
      assert.equal(error.name, 'TimeoutError');
      assert.deepEqual([error.phase, error.limit], ['connect', 1.5]);
      assert.deepEqual(error.errors.map(({ address, code }) => [address, code]), [
        ['127.0.0.2', 'ECONNREFUSED'],
        ['127.0.0.1', 'ETIMEDOUT'],
      ]);
      return true;
    });
  }));

test('a single address has its own error, and an address needs no look-up', () =>
  withServer(
    () => reply('here'),
    async ({ port }) => {
      const lookup = lookupOf('127.0.0.2');
      const connection = connect(port, lookup);
      await assert.rejects(connection.connect(), { code: 'ECONNREFUSED', address: '127.0.0.2' });
      assert.equal(lookup.asked, 1);
      const direct = new HTTPConnection('127.0.0.1', port, { timeout: 30, lookup });
      assert.equal(await fetchText(direct), 'here');
      assert.equal(lookup.asked, 1);
      direct.close();
    },
  ));

test('a look-up that gives one address, as Node lets it, or none, or nonsense', () =>
  withServer(
    () => reply('here'),
    async ({ port }) => {
      const one = connect(port, (_name, _options, done) => done(null, '127.0.0.1', 4));
      assert.equal(await fetchText(one), 'here');
      one.close();
      for (const found of [[], [{ address: 'nonsense', family: 4 }], undefined]) {
        const connection = connect(port, (_name, _options, done) => done(null, found));
        await assert.rejects(connection.connect(), { code: 'ENOTFOUND', phase: 'lookup', retry_safe: 'yes' });
      }
      const error = Object.assign(new Error('no such name'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' });
      const failing = connect(port, (_name, _options, done) => done(error));
      await assert.rejects(failing.connect(), (thrown) => thrown === error && thrown.phase === 'lookup');
    },
  ));

test('a look-up that returns a promise in place of calling back is refused, and an async one that calls back is fine', () =>
  withServer(
    () => reply('here'),
    async ({ port }) => {
      const promising = connect(port, async () => '127.0.0.1');
      await assert.rejects(promising.connect(), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /^lookup must call back/ });
      const error = new Error('no such name');
      const rejecting = connect(port, () => Promise.reject(error));
      await assert.rejects(rejecting.connect(), (thrown) => thrown === error);
      const calling = connect(port, async (_name, _options, done) => void done(null, '127.0.0.1', 4));
      assert.equal(await fetchText(calling), 'here');
      calling.close();
    },
  ));

test('of a source address only addresses of its family are tried', { skip: !HAS_IPV6 && 'no IPv6 here' }, () =>
  withServer(
    () => reply('here'),
    async ({ port }) => {
      const connection = connect(port, lookupOf('::1', '127.0.0.1'), { source_address: ['127.0.0.1', 0] });
      assert.equal(await fetchText(connection), 'here');
      connection.close();
    },
  ));

test('close() and a signal end a race, and leave no socket behind', () =>
  withSilentPort(async ({ port }) => {
    const controller = new AbortController();
    const one = connect(port, lookupOf('127.0.0.1'));
    const two = connect(port, lookupOf('127.0.0.1'), { signal: controller.signal });
    const before = openSockets();
    const results = Promise.allSettled([one.connect(), two.connect()]);
    setTimeout(() => {
      assert.equal(openSockets(), before + 2);
      one.close();
      controller.abort();
    }, 50);
    const [closed, aborted] = await results;
    await new Promise((resolve) => setImmediate(setImmediate, resolve)); // handles are closed at the end of a turn
    assert.equal(openSockets(), before);
    assert.equal(closed.reason.name, 'NotConnected');
    assert.equal(aborted.reason.name, 'AbortError');
  }));

test('a lookup that gives no address fails as one that finds none, whatever it gives', async () => {
  for (const given of [null, undefined, [], [null], [{}], 'x', 5, [{ address: 'name' }]]) {
    const connection = new HTTPConnection('odd.example', { timeout: 5, lookup: (_name, _options, done) => done(null, given) });
    await assert.rejects(connection.connect(), { code: 'ENOTFOUND', phase: 'lookup', retry_safe: 'yes', message: /^lookup of odd\.example gave / });
  }
});
