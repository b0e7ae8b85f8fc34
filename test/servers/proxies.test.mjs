// SPDX-License-Identifier: MIT
//
// Squid and tinyproxy in front of nginx: CONNECT tunnels, and requests in absolute form.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { HTTPConnection, TunnelError } from '../../js/index.js';
import { closedPort } from '../support/closed-port.mjs';
import { loggedTest } from '../support/logged-test.mjs';
import { HAS_IPV6, missing, startNginx, startSquid, startTinyproxy } from '../support/servers.mjs';
import { BYTES, LINES, makeSite, noise, PAGE } from './site.mjs';

const REQUESTS_ALLOWED = 10;
const ORIGIN = `
    keepalive_timeout 30s;
    client_max_body_size 16m;
    dav_methods PUT DELETE;
    location /limited/ { keepalive_requests ${REQUESTS_ALLOWED}; }
`;

const squidRules = (ports) => `
acl allowed port ${ports.join(' ')}
http_access deny CONNECT !allowed
http_access allow localhost
http_access deny all
`;

const PROXIES = {
  Squid: {
    start: (ports) => startSquid({ rules: squidRules(ports) }),
    unreachable: [503, 'Service Unavailable'],
    refused: [403, 'Forbidden'],
    persistent: true,
    tunnels: async (proxy, count) => (await proxy.accesses('CONNECT', count)).length,
  },
  tinyproxy: {
    start: (ports) => startTinyproxy({ settings: ports.map((port) => `ConnectPort ${port}`).join('\n') }),
    unreachable: [500, 'Unable to connect'],
    refused: [403, 'Access violation'],
    persistent: false, // it ends each connection after its answer, unannounced
    tunnels: (proxy) => proxy.log().match(/: CONNECT /g)?.length ?? 0,
  },
};

/** Headers by name in lower case, as lists. */
const lowerCased = (headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values]));

for (const [name, { start, unreachable, refused, persistent, tunnels }] of Object.entries(PROXIES)) {
  describe(name, { skip: missing(name, 'nginx') }, () => {
    let origin;
    let proxy;
    let deadPort;
    const test = loggedTest(() => [origin, proxy]);

    before(async () => {
      origin = await startNginx({ prepare: makeSite, server: ORIGIN });
      deadPort = await closedPort();
      proxy = await start([origin.port, deadPort]);
    });
    after(async () => {
      await proxy?.stop();
      await origin?.stop();
    });

    /** A connection through a tunnel to a port of this machine. */
    function tunnelled(port, { host = '127.0.0.1', headers = null } = {}) {
      const conn = new HTTPConnection(proxy.host, proxy.port, { timeout: 30 });
      conn.set_tunnel(host, port, headers);
      return conn;
    }

    /** A connection to the proxy as such. */
    const direct = () => new HTTPConnection(proxy.host, proxy.port, { timeout: 30 });

    test('25 requests go through one tunnel', async () => {
      const earlier = await tunnels(proxy, 0);
      const conn = tunnelled(origin.port);
      for (let count = 0; count < 25; count += 1) {
        await conn.request('GET', `/lines.txt?tunnelled=${count}`);
        const response = await conn.getresponse();
        assert.equal(response.status, 200);
        assert.equal(response.getheader('Via'), null);
        assert.deepEqual(await response.read(), LINES);
      }
      conn.close();
      const accesses = await origin.accesses('tunnelled', 25);
      assert.equal(new Set(accesses.map(({ connection }) => connection)).size, 1);
      assert.equal((await tunnels(proxy, earlier + 1)) - earlier, 1);
    });

    test('the headers of the answer to CONNECT are there, and null without a tunnel', async () => {
      const conn = tunnelled(origin.port);
      assert.equal(conn.get_proxy_response_headers(), null);
      await conn.connect();
      const headers = conn.get_proxy_response_headers();
      assert.ok(Object.values(headers).every((values) => Array.isArray(values)));
      if (name === 'tinyproxy') assert.match(lowerCased(headers)['proxy-agent'][0], /^tinyproxy\//);
      await conn.request('HEAD', '/index.html');
      const response = await conn.getresponse();
      assert.equal(response.getheader('Content-Length'), String(PAGE.length));
      conn.close();
      const plain = direct();
      await plain.connect();
      assert.equal(plain.get_proxy_response_headers(), null);
      plain.close();
    });

    test('uploads, ranges and errors of the origin come through the tunnel', async () => {
      const conn = tunnelled(origin.port);
      const content = noise(1_000_000, name);
      await conn.request('PUT', `/store/${name}.bin`, content);
      const created = await conn.getresponse();
      assert.equal(created.status, 201);
      await created.read();
      await conn.request('GET', `/store/${name}.bin`);
      assert.deepEqual(await (await conn.getresponse()).read(), content);
      await conn.request('GET', '/bytes.bin', null, { Range: 'bytes=5-104' });
      assert.deepEqual(await (await conn.getresponse()).read(), BYTES.subarray(5, 105));
      await conn.request('GET', '/parrot.spam');
      assert.equal((await conn.getresponse()).status, 404);
      conn.close();
    });

    test('a tunnel that its origin ends is made again by itself', async () => {
      const conn = tunnelled(origin.port);
      const wanted = 2 * REQUESTS_ALLOWED + 1;
      for (let count = 0; count < wanted; count += 1) {
        await conn.request('GET', '/limited/page.txt');
        const response = await conn.getresponse();
        assert.equal(await response.text(), 'A page of a connection that ends soon.\n');
      }
      conn.close();
      const accesses = await origin.accesses('/limited/page.txt', wanted);
      assert.equal(new Set(accesses.map(({ connection }) => connection)).size, 3);
    });

    test('a name and an IPv6 address can be tunnelled to', async () => {
      for (const host of HAS_IPV6 ? ['localhost', '::1', '[::1]'] : ['localhost']) {
        const conn = tunnelled(origin.port, { host });
        await conn.request('GET', '/index.html');
        assert.deepEqual(await (await conn.getresponse()).read(), PAGE, host);
        conn.close();
      }
    });

    test('a port that the proxy does not allow is a TunnelError with its answer', async () => {
      const conn = tunnelled(await closedPort());
      for (let count = 0; count < 2; count += 1) {
        await assert.rejects(conn.request('GET', '/index.html'), (error) => {
          assert.ok(error instanceof TunnelError);
          assert.equal(error.code, 'ERR_TUNNEL');
          assert.deepEqual([error.status, error.reason], refused);
          assert.equal(error.message, `Tunnel connection failed: ${refused.join(' ')}`);
          return true;
        });
        assert.equal(conn.sock, null);
        assert.match(lowerCased(conn.get_proxy_response_headers())['content-type'][0], /^text\/html/);
      }
    });

    test('an origin that refuses connections is a TunnelError with its answer', async () => {
      const conn = tunnelled(deadPort);
      await assert.rejects(conn.request('GET', '/index.html'), {
        name: 'TunnelError',
        status: unreachable[0],
        reason: unreachable[1],
      });
      assert.ok(lowerCased(conn.get_proxy_response_headers()).server[0].toLowerCase().startsWith(name.toLowerCase()));
    });

    test('a request in absolute form is answered by way of the proxy', async () => {
      const conn = direct();
      const ports = new Set();
      const finish = () => {
        ports.add(conn.sock.localPort);
        if (!persistent) conn.close();
      };
      const base = `http://127.0.0.1:${origin.port}`;
      for (const [method, path, expected] of [
        ['GET', '/index.html', PAGE],
        ['GET', '/lines.txt', LINES],
        ['HEAD', '/index.html', Buffer.alloc(0)],
        ['GET', '/bytes.bin', BYTES],
      ]) {
        await conn.request(method, base + path);
        const response = await conn.getresponse();
        assert.equal(response.status, 200);
        assert.match(response.getheader('Via'), new RegExp(name, 'i'));
        assert.deepEqual(await response.read(), expected);
        finish();
      }
      await conn.request('PUT', `${base}/store/plain-${name}.txt`, 'by way of the proxy');
      const created = await conn.getresponse();
      assert.equal(created.status, 201);
      await created.read();
      finish();
      await conn.request('GET', `${base}/store/plain-${name}.txt`);
      assert.equal(await (await conn.getresponse()).text(), 'by way of the proxy');
      finish();
      assert.equal(ports.size, persistent ? 1 : 6);
      conn.close();
    });

    test('what the proxy says about an origin that refuses connections is a response', async () => {
      const conn = direct();
      await conn.request('GET', `http://127.0.0.1:${deadPort}/`);
      const response = await conn.getresponse();
      assert.equal(response.status, unreachable[0]);
      assert.match(await response.text(), /<html/i);
      conn.close();
    });
  });
}

describe('tinyproxy with a password', { skip: missing('tinyproxy', 'nginx') }, () => {
  let origin;
  let proxy;
  const test = loggedTest(() => [origin, proxy]);
  before(async () => {
    origin = await startNginx({ prepare: makeSite });
    proxy = await startTinyproxy({ settings: 'BasicAuth user secret' });
  });
  after(async () => {
    await proxy?.stop();
    await origin?.stop();
  });

  test('a tunnel without the password is 407, and with it is there', async () => {
    const conn = new HTTPConnection(proxy.host, proxy.port, { timeout: 30 });
    conn.set_tunnel('127.0.0.1', origin.port);
    await assert.rejects(conn.connect(), {
      name: 'TunnelError',
      message: 'Tunnel connection failed: 407 Proxy Authentication Required',
    });
    assert.match(lowerCased(conn.get_proxy_response_headers())['proxy-authenticate'][0], /^Basic/);
    const password = Buffer.from('user:secret').toString('base64');
    conn.set_tunnel('127.0.0.1', origin.port, { 'Proxy-Authorization': `Basic ${password}` });
    await conn.request('GET', '/index.html');
    assert.deepEqual(await (await conn.getresponse()).read(), PAGE);
    conn.close();
  });
});
