// SPDX-License-Identifier: MIT
//
// HTTPS by way of Squid and tinyproxy: tunnels, passwords, and TLS to the proxy itself.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { HTTPConnection, proxy_from_environment } from '../../js/index.js';
import { makeSite, noise, PAGE } from '../servers/site.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { closedPort } from '../support/closed-port.mjs';
import { loggedTest } from '../support/logged-test.mjs';
import { missing, startNginx, startSquid, startTinyproxy } from '../support/servers.mjs';
import { assertRefused, connect, exchange, trusting } from '../support/tls-client.mjs';

const ALL = 'http_access allow localhost';
const KNOWN = 'acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all';
const USERS = { user: 'secret' };
const ORIGIN = `
    client_max_body_size 16m;
    dav_methods PUT;
    add_header X-Name "[$ssl_server_name]";
    add_header X-Authorization "[$http_proxy_authorization]";`;

const credentials = (user, password) => ({
  'Proxy-Authorization': `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

/** Proxies by kind, and whether TLS is spoken to them. */
const PROXIES = {
  Squid: { start: () => startSquid({ rules: ALL }) },
  tinyproxy: { start: () => startTinyproxy({ settings: '' }) },
  'Squid with TLS': { start: () => startSquid({ rules: ALL, tls: certificates().good }), secured: true },
};

async function checkPage(conn, name) {
  const response = await exchange(conn, 'GET', '/index.html');
  assert.equal(response.status, 200);
  assert.deepEqual(await response.read(), PAGE);
  if (name !== undefined) assert.equal(response.getheader('X-Name'), `[${name}]`);
  assert.equal(response.getheader('X-Authorization') ?? '[]', '[]');
  assert.equal(response.getheader('Via'), null);
}

for (const [title, { start, secured = false }] of Object.entries(PROXIES)) {
  const skip = noOpenssl || missing(title.split(' ')[0], 'nginx');
  describe(`${title}, in front of nginx`, { skip }, () => {
    let origin;
    let plain;
    let proxy;
    const test = loggedTest(() => [origin, plain, proxy]);

    before(async () => {
      const { good, wrongName } = certificates();
      origin = await startNginx({ prepare: makeSite, tls: good, hosts: { 'other.example': wrongName }, server: ORIGIN });
      plain = await startNginx({ prepare: makeSite, server: ORIGIN });
      proxy = await start();
    });
    after(async () => {
      for (const server of [proxy, plain, origin]) await server?.stop();
    });

    const options = (more) => (secured ? { proxy_context: trusting(), ...more } : more);

    /** A connection over TLS through a tunnel. */
    function tunnelled(port, { host = 'localhost', headers = null, ...more } = {}) {
      const conn = connect(proxy.port, options(more));
      conn.set_tunnel(host, port, headers);
      return conn;
    }

    test('requests share a tunnel, with TLS from end to end', async () => {
      const conn = tunnelled(origin.port);
      for (let count = 0; count < 10; count += 1) {
        await checkPage(conn, 'localhost');
        assert.equal(conn.request_count, count + 1);
      }
      const { protocol, peer_certificate } = conn.tls_info();
      assert.deepEqual([protocol, peer_certificate.subject.CN], ['TLSv1.3', 'good']);
      assert.equal(conn.tunnel_response.status, 200);
      conn.close();
      const accesses = await origin.accesses('index.html', 10);
      assert.equal(new Set(accesses.map(({ connection }) => connection)).size, 1);
    });

    test('large bodies go both ways', async () => {
      const conn = tunnelled(origin.port);
      const content = noise(1_500_000, title);
      const created = await exchange(conn, 'PUT', '/store/large.bin', content);
      assert.equal(created.status, 201);
      await created.read();
      const response = await exchange(conn, 'GET', '/store/large.bin');
      assert.deepEqual(await response.read(), content);
      conn.close();
    });

    test("the tunnel's host is told and verified, and not the proxy's", async () => {
      const conn = connect(proxy.port, options({ host: 'a.example' }));
      conn.set_tunnel('localhost', origin.port);
      await checkPage(conn, 'localhost');
      conn.close();
      const address = tunnelled(origin.port, { host: '127.0.0.1' });
      await checkPage(address, '');
      address.close();
    });

    test('a certificate that is not trusted is refused inside of the tunnel', async () => {
      const conn = tunnelled(origin.port, { context: null });
      await assertRefused(conn, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      assert.equal(conn.tunnel_response.status, 200);
    });

    test('[tls-plain-server] an origin in clear is an error of the handshake', async () => {
      await assertRefused(tunnelled(plain.port), /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/);
    });

    test('a session is resumed when the tunnel is opened again', async () => {
      const conn = tunnelled(origin.port);
      const reused = [];
      for (let count = 0; count < 2; count += 1) {
        await checkPage(conn);
        reused.push(conn.tls_info().reused);
        conn.close();
      }
      assert.deepEqual(reused, [false, true]);
    });

    test('[proxy-502] an origin that refuses connections is a TunnelError with the answer of the proxy', async () => {
      const conn = tunnelled(await closedPort());
      await assert.rejects(conn.connect(), (error) => {
        assert.deepEqual([error.name, error.code], ['TunnelError', 'ERR_TUNNEL']);
        assert.ok(error.status >= 500, error.message);
        assert.equal(error.retry_safe, 'yes');
        const { status, reason, headers, body } = conn.tunnel_response;
        assert.deepEqual([status, reason], [error.status, error.reason]);
        assert.match(headers.get('content-type'), /^text\/html/);
        assert.match(body.toString(), /<html/i);
        return true;
      });
      assert.equal(conn.sock, null);
    });

    test('a tunnel to an origin in clear is there as well', async () => {
      const conn = new HTTPConnection('localhost', proxy.port, { timeout: 30, ...options() });
      conn.set_tunnel('localhost', plain.port);
      await checkPage(conn, '');
      await checkPage(conn, '');
      assert.equal(conn.tunnel_response.status, 200);
      conn.close();
    });

    if (!secured) return;

    test('TLS to the proxy is verified with a context of its own', async () => {
      const older = Object.assign(trusting(), { minimum_version: 'TLSv1.2', maximum_version: 'TLSv1.2' });
      const conn = tunnelled(origin.port, { proxy_context: older });
      await checkPage(conn, 'localhost');
      assert.equal(conn.tls_info().protocol, 'TLSv1.3');
      conn.close();
      await assertRefused(tunnelled(origin.port, { proxy_context: {} }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });

    test('a request in absolute form is answered by way of the proxy', async () => {
      const conn = connect(proxy.port);
      for (let count = 0; count < 2; count += 1) {
        const response = await exchange(conn, 'GET', `http://localhost:${plain.port}/index.html`);
        assert.match(response.getheader('Via'), /squid/);
        assert.deepEqual(await response.read(), PAGE);
      }
      conn.close();
    });

    test("a proxy whose certificate has another name is refused, and isn't asked for anything", async () => {
      const conn = connect(proxy.port, options({ host: 'unknown.example' }));
      conn.set_tunnel('localhost', origin.port);
      await assertRefused(conn, 'ERR_TLS_CERT_ALTNAME_INVALID');
      assert.equal(conn.tunnel_response, null);
    });
  });
}

describe('Squid with passwords', { skip: noOpenssl || missing('Squid', 'nginx') }, () => {
  let origin;
  let proxy;
  const test = loggedTest(() => [origin, proxy]);
  before(async () => {
    origin = await startNginx({ prepare: makeSite, tls: certificates().good, server: ORIGIN });
    proxy = await startSquid({ rules: KNOWN, users: USERS });
  });
  after(async () => {
    await proxy?.stop();
    await origin?.stop();
  });

  test('[proxy-407] a tunnel without a password is 407, with the page of the proxy, and then is there with it', async () => {
    const conn = connect(proxy.port);
    conn.set_tunnel('localhost', origin.port);
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(conn.request('GET', '/secret'), {
        name: 'TunnelError',
        code: 'ERR_TUNNEL',
        status: 407,
        message: 'Tunnel connection failed: 407 Proxy Authentication Required',
      });
      const { status, reason, headers, body } = conn.tunnel_response;
      assert.deepEqual([status, reason], [407, 'Proxy Authentication Required']);
      assert.equal(headers.get('Proxy-Authenticate'), 'Basic realm="porthole"');
      assert.equal(body.length, Number(headers.get('Content-Length')));
      assert.match(body.toString(), /Cache Access Denied/);
      assert.deepEqual(conn.get_proxy_response_headers()['Proxy-Authenticate'], ['Basic realm="porthole"']);
      assert.equal(conn.sock, null);
    }
    conn.set_tunnel('localhost', origin.port, credentials('user', 'secret'));
    assert.equal(conn.tunnel_response, null);
    await checkPage(conn, 'localhost');
    assert.equal(conn.tunnel_response.status, 200);
    conn.close();
    assert.equal((await origin.accesses('secret', 0)).length, 0);
  });

  test('[proxy-407] a wrong password is 407 as well', async () => {
    const conn = connect(proxy.port);
    conn.set_tunnel('localhost', origin.port, credentials('user', 'wrong'));
    await assert.rejects(conn.connect(), { status: 407 });
  });

  test('a proxy and a password that the environment names are used', async () => {
    const env = { https_proxy: `http://user:secret@localhost:${proxy.port}` };
    const { host, port, headers } = proxy_from_environment(`https://localhost:${origin.port}/`, env);
    const conn = connect(port, { host });
    conn.set_tunnel('localhost', origin.port, headers);
    await checkPage(conn, 'localhost');
    conn.close();
  });

  test('[proxy-creds] the password is sent for each tunnel, and never inside', async () => {
    const conn = connect(proxy.port);
    conn.set_tunnel('localhost', origin.port, credentials('user', 'secret'));
    for (let count = 0; count < 3; count += 1) {
      await checkPage(conn);
      await checkPage(conn);
      conn.close();
    }
  });
});
