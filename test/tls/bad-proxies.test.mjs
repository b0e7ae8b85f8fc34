// SPDX-License-Identifier: MIT
//
// HTTPS by way of proxies that answer CONNECT oddly, badly or not at all, spoken to in clear and over TLS.

import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, test } from 'node:test';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { reply, withServer, withTlsServer } from '../support/raw-server.mjs';
import { assertRefused, assertTimesOut, connect, fetchText, trusting } from '../support/tls-client.mjs';

const OK = 'HTTP/1.1 200 OK\r\n\r\n';
const EVIL = reply('evil');

/** How the proxy is reached: what runs it, and what the connection needs for it. */
const WAYS = {
  'in clear': { run: withServer, options: () => ({}) },
  'over TLS': {
    run: (answer, use) => withTlsServer(certificates().good, answer, use),
    options: () => ({ proxy_context: trusting() }),
  },
};

/** Joins what comes from a client with a port of this machine. */
function join(socket, port) {
  const inner = net.connect(port, '127.0.0.1');
  inner.on('error', () => socket.destroy());
  socket.on('close', () => inner.destroy());
  socket.pipe(inner).pipe(socket);
}

/** What the proxy writes, whether it ends the connection then, and the error that is to be expected. */
const BAD = {
  '[proxy-302] a redirection': {
    text: 'HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
    error: { name: 'TunnelError', status: 302, message: 'Tunnel connection failed: 302 Found' },
  },
  '[proxy-407] a refusal with a body': {
    text: reply('who are you?', { status: '407 Proxy Authentication Required', headers: ['Proxy-Authenticate: Basic'] }),
    error: { name: 'TunnelError', code: 'ERR_TUNNEL', status: 407 },
    body: 'who are you?',
  },
  '[proxy-502] a refusal with a body in chunks': {
    text: 'HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n',
    error: { name: 'TunnelError', status: 502 },
    body: 'bad',
  },
  '[proxy-502] a refusal with a body that ends with the connection': {
    text: 'HTTP/1.0 502 Bad Gateway\r\n\r\nbad luck',
    ends: true,
    error: { name: 'TunnelError', status: 502 },
    body: 'bad luck',
  },
  '[proxy-502] a refusal whose body is cut off': {
    text: 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10\r\n\r\nbad',
    ends: true,
    error: { name: 'TunnelError', status: 502 },
    body: 'bad',
  },
  '[proxy-502] a refusal whose body never ends': {
    text: 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10\r\n\r\nbad',
    error: { name: 'TunnelError', status: 502 },
    body: 'bad',
  },
  '[proxy-502] a refusal with a body of 100,000 bytes': {
    text: reply('x'.repeat(100_000), { status: '502 Bad Gateway' }),
    error: { name: 'TunnelError', status: 502 },
    body: 'x'.repeat(65_536),
  },
  '[proxy-garbage] garbage': { text: '\0\x01\x02 nope\r\n\r\n', error: { name: 'BadStatusLine' } },
  '[proxy-close] an end instead of an answer': {
    text: '',
    ends: true,
    error: { name: 'RemoteDisconnected', code: 'ECONNRESET' },
  },
  '[proxy-trunc-head] a head that is cut off': {
    text: 'HTTP/1.1 200 OK\r\nVia: a\r\n',
    ends: true,
    error: { name: 'IncompleteRead' },
  },
  '[proxy-endless-headers] headers without end': {
    text: `HTTP/1.1 200 OK\r\n${'X-Header: value\r\n'.repeat(5000)}`,
    error: { name: 'HTTPException', message: 'got more than 100 headers' },
  },
  '[proxy-endless-headers] a header without end': {
    text: `HTTP/1.1 200 OK\r\nX-Header: ${'v'.repeat(300_000)}`,
    error: { name: 'LineTooLong' },
  },
  '[proxy-200-cl-body] a fake response after the head': { text: OK + EVIL },
  '[proxy-200-cl-body] a fake response as the body': {
    text: `HTTP/1.1 200 OK\r\nContent-Length: ${EVIL.length}\r\n\r\n${EVIL}`,
  },
  'a single byte after the head': { text: `${OK}\x16` },
};

for (const [way, { run, options }] of Object.entries(WAYS)) {
  describe(`a proxy that is spoken to ${way}`, { skip: noOpenssl }, () => {
    function tunnelled(port, more) {
      const conn = connect(port, { ...options(), ...more });
      conn.set_tunnel('localhost', 4433);
      return conn;
    }

    /** Nothing but CONNECT came to the proxy, which saw `count` connections. */
    function assertInnocent({ requests, connections }, count) {
      assert.equal(connections(), count);
      for (const text of requests) {
        assert.match(text, /^CONNECT localhost:4433 HTTP\/1\.1\r\n/);
        assert.ok(!text.includes('/secret') && !text.includes('GET '));
      }
    }

    for (const [title, { text, ends = false, error, body }] of Object.entries(BAD)) {
      test(`${title} is an error, and nothing is sent inside`, () =>
        run(
          (_head, socket) => void (ends ? socket.end(text, 'latin1') : socket.write(text, 'latin1')),
          async (proxy) => {
            const conn = tunnelled(proxy.port);
            for (let count = 1; count <= 2; count += 1) {
              await assert.rejects(conn.request('GET', '/secret'), (actual) => {
                for (const [key, value] of Object.entries(error ?? {})) assert.equal(actual[key], value, actual.stack);
                assert.equal(typeof actual.code, 'string', actual.stack);
                assert.equal(actual.retry_safe, 'yes', actual.stack);
                assert.deepEqual([actual.host, actual.port], [conn.host, conn.port]);
                return true;
              });
              assert.deepEqual([conn.sock, conn.tls_info()], [null, null]);
              if (body !== undefined) assert.equal(conn.tunnel_response.body.toString(), body);
              assertInnocent(proxy, count);
            }
          },
        ));
    }

    for (const [title, text] of Object.entries({
      '[proxy-204] 204': 'HTTP/1.1 204 No Content\r\n\r\n',
      '[proxy-100-200] 100, then 200': `HTTP/1.1 100 Continue\r\n\r\n${OK}`,
      '[proxy-200-cl-body] a length that means nothing': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n',
      '200 of HTTP/1.0 with Connection: close': 'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n',
    })) {
      test(`${title} opens a tunnel, in which TLS is spoken with the host of the tunnel`, () =>
        withTlsServer(certificates().good, () => reply('inside'), (origin) =>
          run(
            (_head, socket) => {
              socket.write(text);
              join(socket, origin.port);
            },
            async ({ port, connections }) => {
              const conn = connect(port, options());
              conn.set_tunnel('a.example', origin.port);
              for (let count = 0; count < 3; count += 1) assert.equal(await fetchText(conn), 'inside');
              assert.equal(connections(), 1);
              assert.equal(origin.connections(), 1);
              assert.equal(conn.tls_info().peer_certificate.subject.CN, 'good');
              assert.equal([...origin.sockets][0].servername, 'a.example');
              conn.close();
            },
          ),
        ));
    }

    test('[proxy-hang] silence is a timeout of phase receive, and one after the answer a timeout of phase tls', async () => {
      for (const [text, phase] of [
        ['', 'receive'],
        ['HTTP/1.1 200 OK\r\nVia: a\r\n', 'receive'],
        [OK, 'tls'],
      ]) {
        await run(
          () => text,
          async (proxy) => {
            const conn = tunnelled(proxy.port, { timeouts: phase === 'tls' ? { tls: 1.5 } : { headers: 1.5 } });
            await assertTimesOut(conn.request('GET', '/secret'), { limit: 1.5, phase, retry_safe: 'yes' });
            assert.equal(conn.sock, null);
            assertInnocent(proxy, 1);
          },
        );
      }
    });

    test('[proxy-200-late-bytes] what the proxy says some time after its answer fails the handshake', () =>
      run(
        (_head, socket) => {
          socket.write(OK);
          setTimeout(() => socket.write(EVIL), 20);
        },
        async (proxy) => {
          await assertRefused(tunnelled(proxy.port), /^ERR_SSL_/);
          assertInnocent(proxy, 1);
        },
      ));

    test('an end after the answer, and in the handshake, is an error', async () => {
      for (const end of [
        (socket) => socket.end(OK),
        (socket) => {
          socket.write(OK);
          socket.once('data', () => socket.destroy());
        },
      ]) {
        await run(
          (_head, socket) => void end(socket),
          async (proxy) => {
            await assertRefused(tunnelled(proxy.port), /^(ECONNRESET|EPIPE)$/);
            assertInnocent(proxy, 1);
          },
        );
      }
    });

    test('[proxy-creds] credentials are sent in CONNECT only, for each tunnel', () =>
      withTlsServer(certificates().good, () => reply('inside'), (origin) =>
        run(
          (_head, socket) => {
            socket.write(OK);
            join(socket, origin.port);
          },
          async ({ port, requests }) => {
            const conn = connect(port, options());
            conn.set_tunnel('localhost', origin.port, { 'Proxy-Authorization': 'Basic c2VjcmV0' });
            for (let count = 1; count <= 2; count += 1) {
              assert.equal(await fetchText(conn), 'inside');
              conn.close();
              assert.equal(requests.length, count);
              assert.ok(requests.at(-1).split('\r\n\r\n')[0].includes('c2VjcmV0'));
            }
            assert.equal(origin.requests.length, 2);
            assert.ok(!origin.requests.join('').includes('Proxy-Authorization'));
          },
        ),
      ));

    test('[proxy-empty-tunnel-host] an empty host of a tunnel is InvalidURL, and nothing is sent', () =>
      run(
        () => OK,
        async ({ port, connections }) => {
          const conn = connect(port, options());
          for (const args of [[''], ['', 443], [':443'], ['[]', 443]]) {
            assert.throws(() => conn.set_tunnel(...args), { name: 'InvalidURL' }, JSON.stringify(args));
          }
          assert.equal(connections(), 0);
        },
      ));
  });
}
