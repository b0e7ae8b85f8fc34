// SPDX-License-Identifier: MIT
//
// Tunnels in clear text: what CONNECT says, what never gets inside, and answers of proxies at the edge.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';

const SECRET = 'Basic c2VjcmV0';
const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });

async function fetchText(connection, url = '/') {
  await connection.request('GET', url);
  return String(await (await connection.getresponse()).read());
}

const proxy = (answer) => (head) => (head.startsWith('CONNECT') ? answer : reply('inside'));

for (const [args, target] of [
  [['origin.example', 8080], 'origin.example:8080'],
  [['origin.example:81'], 'origin.example:81'],
  [['origin.example'], 'origin.example:80'],
  [['::1', 8080], '[::1]:8080'],
  [['[::1]:8081'], '[::1]:8081'],
]) {
  test(`set_tunnel(${args.map((arg) => JSON.stringify(arg)).join(', ')}) asks for ${target}`, () =>
    withServer(proxy('HTTP/1.1 200 OK\r\n\r\n'), async ({ port, requests }) => {
      const connection = connect(port);
      connection.set_tunnel(...args);
      assert.equal(await fetchText(connection), 'inside');
      const [head] = requests[0].split('\r\n\r\n');
      assert.equal(head, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}`);
      connection.close();
    }));
}

test('a Host among the headers of a tunnel is the one that is sent', () =>
  withServer(proxy('HTTP/1.1 200 OK\r\n\r\n'), async ({ port, requests }) => {
    const connection = connect(port);
    connection.set_tunnel('origin.example', 443, { hOST: 'other.example' });
    assert.equal(await fetchText(connection), 'inside');
    assert.equal(requests[0].split('\r\n\r\n')[0], 'CONNECT origin.example:443 HTTP/1.1\r\nhOST: other.example');
    connection.close();
  }));

for (const [name, answer] of Object.entries({
  '204': 'HTTP/1.1 204 No Content\r\n\r\n',
  '299 of HTTP/1.0': 'HTTP/1.0 299 Fine\r\n\r\n',
  'Content-Length: 0': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'Connection: close': 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n',
  'a framing that does not count': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n',
})) {
  test(`an answer to CONNECT with ${name} opens the tunnel, for more than one request`, () =>
    withServer(proxy(answer), async ({ port, connections }) => {
      const connection = connect(port);
      connection.set_tunnel('origin.example', 80);
      for (let i = 0; i < 3; i++) assert.equal(await fetchText(connection), 'inside');
      assert.equal(connections(), 1);
      connection.close();
    }));
}

test('a head that the proxy cuts off is IncompleteRead, and nothing is sent inside', () =>
  withServer(
    (_head, socket) => void socket.end('HTTP/1.1 200 OK\r\nVia: a\r\n'),
    async ({ port, requests }) => {
      const connection = connect(port);
      connection.set_tunnel('origin.example', 80);
      await assert.rejects(connection.request('GET', '/inner'), { name: 'IncompleteRead' });
      assert.equal(connection.sock, null);
      assert.ok(!requests[0].includes('/inner'));
    },
  ));

test('a reset instead of an answer to CONNECT is ECONNRESET', () =>
  withServer(
    (_head, socket) => void socket.resetAndDestroy(),
    async ({ port }) => {
      const connection = connect(port);
      connection.set_tunnel('origin.example', 80);
      await assert.rejects(connection.request('GET', '/'), { code: 'ECONNRESET' });
      assert.equal(connection.sock, null);
    },
  ));

test('what a proxy injects before the first request inside is never its answer', () =>
  withServer(
    (head, socket) => {
      if (!head.startsWith('CONNECT')) return reply('inside');
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      setTimeout(() => socket.write(reply('evil')), 20);
    },
    async ({ port }) => {
      const connection = connect(port);
      connection.set_tunnel('origin.example', 80);
      await connection.connect();
      await sleep(80);
      let body;
      try {
        body = await fetchText(connection);
      } catch (error) {
        assert.equal(typeof error.code, 'string', error.stack);
      }
      assert.notEqual(body, 'evil');
      connection.close();
    },
  ));

test('credentials for the proxy are sent in CONNECT only, and again when the tunnel is opened again', () =>
  withServer(proxy('HTTP/1.1 200 OK\r\n\r\n'), async ({ port, requests, connections }) => {
    const connection = connect(port);
    connection.set_tunnel('origin.example', 80, { 'Proxy-Authorization': SECRET });
    await fetchText(connection, '/1');
    connection.close();
    await fetchText(connection, '/2');
    assert.equal(connections(), 2);
    for (const text of requests) {
      const [head, inner] = text.split('\r\n\r\n');
      assert.match(head, /^CONNECT origin\.example:80 HTTP\/1\.1\r\n/);
      assert.ok(head.includes(SECRET));
      assert.ok(inner.startsWith('GET /') && !inner.includes(SECRET));
    }
    connection.close();
  }));

test('the headers of a proxy that refuses are there after the error, and the connection is idle', () =>
  withServer(
    proxy('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-AUTHENTICATE: Basic\r\nContent-Length: 2\r\n\r\nno'),
    async ({ port, connections }) => {
      const connection = connect(port);
      connection.set_tunnel('origin.example', 80);
      for (let i = 1; i <= 2; i++) {
        await assert.rejects(connection.request('GET', '/'), { name: 'TunnelError', status: 407, reason: 'Proxy Authentication Required' });
        assert.deepEqual({ ...connection.get_proxy_response_headers() }, { 'proxy-AUTHENTICATE': ['Basic'], 'Content-Length': ['2'] });
        assert.equal(connection.sock, null);
        assert.equal(connections(), i);
      }
    },
  ));
