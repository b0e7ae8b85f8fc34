// SPDX-License-Identifier: MIT
//
// HTTPS with nginx, Apache, HAProxy and lighttpd: bodies both ways, versions and ciphers, client certificates, sessions.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { CHUNKS, startApp } from '../servers/app.mjs';
import { makeSite, noise, PAGE } from '../servers/site.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { loggedTest } from '../support/logged-test.mjs';
import { missing, startApache, startNginx } from '../support/servers.mjs';
import { assertRefused, connect, exchange, HANDSHAKE_FAILURE, trusting } from '../support/tls-client.mjs';
import { startHaproxy, startLighttpd } from '../support/tls-servers.mjs';

const LARGE = noise(1_500_000);
const REQUESTS = 25;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function prepare(site) {
  makeSite(site);
  writeFileSync(join(site, 'large.bin'), LARGE);
}

const nginxPasses = (app) => `
    client_max_body_size 16m;
    location /app/ { proxy_pass http://127.0.0.1:${app.port}; proxy_http_version 1.1; proxy_buffering off; }`;

/** How each is started, in front of an application or of a server in clear that has the same pages. */
const SERVERS = {
  nginx: (tls, { app }) => startNginx({ prepare, tls, server: nginxPasses(app) }),
  Apache: (tls, { app }) =>
    startApache({
      prepare,
      tls,
      modules: ['proxy', 'proxy_http'],
      configuration: `ProxyPass /app/ http://127.0.0.1:${app.port}/app/ flushpackets=on`,
    }),
  HAProxy: (tls, { origin }) => startHaproxy({ tls, origin: origin.port }),
  lighttpd: (tls, { app }) =>
    startLighttpd({
      prepare,
      tls,
      configuration: `
$HTTP["url"] =~ "^/app/" { proxy.server = ("" => (("host" => "127.0.0.1", "port" => ${app.port}))) }
server.stream-response-body = 2`,
    }),
};

/** How a client without the certificate that is asked for is refused: by nginx with a response, else in the handshake. */
const NO_CERTIFICATE = {
  'TLSv1.2': { code: HANDSHAKE_FAILURE, phase: 'tls' },
  'TLSv1.3': { code: /^ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED$/, phase: 'receive' }, // the handshake is over for the client
};

/** A trusting context with these properties. */
const limited = (properties) => Object.assign(trusting(), properties);
/** … that speaks one version. */
const only = (version) => limited({ minimum_version: version, maximum_version: version });

for (const [name, start] of Object.entries(SERVERS)) {
  describe(`${name} with TLS`, { skip: noOpenssl || missing(name, 'nginx') }, () => {
    let behind;
    let server;
    const more = [];
    const test = loggedTest(() => [server, ...more]);

    before(async () => {
      const app = await startApp();
      behind = { app, origin: await startNginx({ prepare, server: nginxPasses(app) }) };
      server = await start(certificates().good, behind);
    });
    after(async () => {
      for (const one of [server, ...more, behind?.origin, behind?.app]) await one?.stop();
    });

    /** Starts another one of the kind, with its own way of TLS. */
    async function another(tls) {
      const one = await start({ ...certificates().good, ...tls }, behind);
      more.push(one);
      return one;
    }

    async function checkPage(conn) {
      const response = await exchange(conn, 'GET', '/index.html');
      assert.equal(response.status, 200);
      assert.deepEqual(await response.read(), PAGE);
    }

    test('requests share one connection', async () => {
      const conn = connect(server.port);
      const ports = new Set();
      for (let count = 0; count < REQUESTS; count += 1) {
        await checkPage(conn);
        ports.add(conn.sock.localPort);
      }
      assert.equal(ports.size, 1);
      const { protocol, cipher, alpn, reused } = conn.tls_info();
      assert.deepEqual([protocol, reused], ['TLSv1.3', false]);
      assert.match(cipher, /^TLS_/);
      assert.ok(alpn === 'http/1.1' || alpn === null, alpn);
      conn.close();
    });

    test('connections at once get their own answers', async () => {
      await Promise.all(
        Array.from({ length: 10 }, async (_, mark) => {
          const conn = connect(server.port);
          for (let count = 0; count < 5; count += 1) {
            const response = await exchange(conn, 'GET', `/app/echo?${mark}.${count}`);
            assert.equal((await response.json()).url, `/app/echo?${mark}.${count}`);
          }
          conn.close();
        }),
      );
    });

    test('a body of 1.5 MB comes whole, at once and in pieces', async () => {
      const conn = connect(server.port);
      const response = await exchange(conn, 'GET', '/large.bin');
      assert.equal(response.length, LARGE.length);
      assert.equal(sha256(await response.read()), sha256(LARGE));
      for (const size of [1000, 16_384, 300_000]) {
        const again = await exchange(conn, 'GET', '/large.bin');
        const whole = Buffer.alloc(LARGE.length);
        for (let at = 0; at < whole.length; at += size) {
          const view = whole.subarray(at, at + size);
          assert.equal(await again.readinto(view), view.length);
        }
        assert.equal(await again.readinto(Buffer.alloc(1)), 0);
        assert.equal(sha256(whole), sha256(LARGE), `in pieces of ${size}`);
      }
      await checkPage(conn);
      conn.close();
    });

    test('a chunked body comes whole, and the connection goes on', async () => {
      const conn = connect(server.port);
      for (const amount of [undefined, 7, 4096]) {
        const response = await exchange(conn, 'GET', '/app/chunks');
        // lighttpd sends a length when it happens to have all of the answer in time.
        if (name !== 'lighttpd') assert.deepEqual([response.chunked, response.length], [true, null]);
        const pieces = [];
        while (!response.closed) pieces.push(await response.read(amount));
        assert.equal(Buffer.concat(pieces).toString(), CHUNKS.join(''));
      }
      await checkPage(conn);
      conn.close();
    });

    test('uploads arrive whole, with a length and in chunks', async () => {
      const conn = connect(server.port);
      const pieces = Array.from({ length: 15 }, (_, n) => LARGE.subarray(n * 100_000, (n + 1) * 100_000));
      for (const [method, body] of [
        ['POST', LARGE],
        ['PUT', LARGE],
        ['POST', pieces],
        ['POST', 'a string'],
        ['POST', null],
      ]) {
        const response = await exchange(conn, method, '/app/echo', body);
        assert.equal(response.status, 200);
        const sent = Buffer.concat([body ?? ''].flat().map((piece) => Buffer.from(piece)));
        const echo = await response.json();
        assert.deepEqual([echo.method, echo.body], [method, { length: sent.length, sha256: sha256(sent) }]);
      }
      conn.close();
    });

    for (const [protocol, other] of [
      ['TLSv1.2', 'TLSv1.3'],
      ['TLSv1.3', 'TLSv1.2'],
    ]) {
      const id = protocol === 'TLSv1.2' ? '[tls-1.2] ' : '';
      test(`${id}${protocol} is spoken with a server that speaks nothing else`, async () => {
        const { port } = await another({ protocols: [protocol] });
        const conn = connect(port);
        await checkPage(conn);
        assert.equal(conn.tls_info().protocol, protocol);
        assert.equal(conn.sock.getProtocol(), protocol);
        const response = await exchange(conn, 'GET', '/large.bin');
        assert.equal(sha256(await response.read()), sha256(LARGE));
        conn.close();
        const context = limited(protocol === 'TLSv1.2' ? { minimum_version: other } : { maximum_version: other });
        await assertRefused(connect(port, { context }), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
      });
    }

    test('the versions that the context allows are spoken', async () => {
      for (const [context, expected] of [
        [limited({ maximum_version: 'TLSv1.2' }), 'TLSv1.2'],
        [limited({ minimum_version: 'TLSv1.3' }), 'TLSv1.3'],
      ]) {
        const conn = connect(server.port, { context });
        await checkPage(conn);
        assert.equal(conn.tls_info().protocol, expected);
        conn.close();
      }
    });

    test('a cipher of the context is used, and one that the server lacks is refused', async () => {
      const context = limited({ maximum_version: 'TLSv1.2' });
      context.set_ciphers('ECDHE-ECDSA-AES128-GCM-SHA256');
      const conn = connect(server.port, { context });
      await checkPage(conn);
      assert.equal(conn.tls_info().cipher, 'ECDHE-ECDSA-AES128-GCM-SHA256');
      conn.close();
      context.set_ciphers('ECDHE-RSA-AES128-GCM-SHA256'); // its key is no RSA key
      await assertRefused(connect(server.port, { context }), HANDSHAKE_FAILURE);
      assert.throws(() => context.set_ciphers('NO-SUCH-CIPHER'), { code: 'ERR_SSL_NO_CIPHER_MATCH' });
    });

    test('sessions are resumed when the connection is made again', async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const conn = connect(server.port, { context: only(version) });
        const reused = [];
        for (let count = 0; count < 3; count += 1) {
          await checkPage(conn);
          const info = conn.tls_info();
          reused.push(info.reused);
          assert.match(info.peer_certificate.subjectaltname, /DNS:/);
          conn.close();
        }
        assert.deepEqual(reused, [false, true, true], version);
      }
    });

    test('a client certificate is sent to a server that requires one', async () => {
      const { ca, client, unknownCa } = certificates();
      const { port } = await another({ clientCa: ca });
      const context = trusting();
      context.load_cert_chain(client.cert, client.key);
      const conn = connect(port, { context });
      for (let count = 0; count < 2; count += 1) {
        await checkPage(conn);
        conn.close();
      }
      const wrong = trusting();
      wrong.load_cert_chain(unknownCa.cert, unknownCa.key);
      for (const [context, expected] of [
        ...Object.entries(NO_CERTIFICATE).map(([version, error]) => [only(version), error]),
        [wrong, { code: /^ERR_SSL_TLSV1_ALERT_UNKNOWN_CA$/ }],
      ]) {
        const refused = connect(port, { context });
        if (name === 'nginx') {
          const response = await exchange(refused, 'GET', '/index.html');
          assert.equal(response.status, 400);
          assert.match(await response.text(), /certificate/);
        } else {
          await assert.rejects(exchange(refused, 'GET', '/index.html'), (error) => {
            assert.equal(typeof error.hint, 'string', error.stack);
            assert.match(error.code, expected.code);
            assert.ok(expected.phase === undefined || error.phase === expected.phase, error.phase);
            return true;
          });
          assert.equal(refused.sock, null);
        }
        refused.close();
      }
    });
  });
}
