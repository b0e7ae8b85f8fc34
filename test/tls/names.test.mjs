// SPDX-License-Identifier: MIT
//
// The name that the server is told (SNI): which host of nginx answers, with which certificate.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { makeSite, PAGE } from '../servers/site.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { loggedTest } from '../support/logged-test.mjs';
import { HAS_IPV6, missing, startNginx } from '../support/servers.mjs';
import { assertRefused, connect, exchange, trusting } from '../support/tls-client.mjs';

describe('hosts of nginx with certificates of their own', { skip: noOpenssl || missing('nginx') }, () => {
  let server;
  const test = loggedTest(() => [server]);

  before(async () => {
    const { good, wrongName, wildcard, intermediate } = certificates();
    server = await startNginx({
      prepare: makeSite,
      tls: good,
      hosts: {
        'other.example': wrongName,
        '*.wild.example': wildcard,
        'a.example': intermediate,
        'b.example': { cert: intermediate.chain, key: intermediate.key },
      },
      server: 'add_header X-Name "[$ssl_server_name]"; add_header X-Host $server_name;',
    });
  });
  after(() => server?.stop());

  async function checkHost(conn, name, host) {
    const response = await exchange(conn, 'GET', '/index.html');
    assert.deepEqual([response.getheader('X-Name'), response.getheader('X-Host')], [`[${name}]`, host]);
    assert.deepEqual(await response.read(), PAGE);
    conn.close();
  }

  test('the host of the connection is told, and picks the certificate', async () => {
    await checkHost(connect(server.port), 'localhost', 'localhost');
    await checkHost(connect(server.port, { host: 'other.example' }), 'other.example', 'other.example');
    await checkHost(connect(server.port, { host: 'one.wild.example' }), 'one.wild.example', '*.wild.example');
    await checkHost(connect(server.port, { host: 'b.example' }), 'b.example', 'b.example');
  });

  test('an address is not told, and is looked for in the certificate', async () => {
    await checkHost(connect(server.port, { host: '127.0.0.1' }), '', 'localhost');
    if (HAS_IPV6) await checkHost(connect(server.port, { host: '[::1]' }), '', 'localhost');
  });

  test('a Host header changes neither the name that is told nor the one that is verified', async () => {
    const conn = connect(server.port);
    const response = await exchange(conn, 'GET', '/index.html', null, { Host: 'other.example' });
    // Some versions of nginx answer 421 to that.
    if (response.status === 200) assert.equal(response.getheader('X-Name'), '[localhost]');
    assert.equal(conn.tls_info().peer_certificate.subject.CN, 'good');
    await response.read();
    conn.close();
  });

  test('[tls-sni-mismatch] the certificate of another host is refused', async () => {
    await assertRefused(connect(server.port, { host: 'unknown.example' }), 'ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('a chain without its intermediate certificate is refused, on that host only', async () => {
    await assertRefused(connect(server.port, { host: 'a.example' }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    await checkHost(connect(server.port), 'localhost', 'localhost');
  });

  test('a session of one host is not resumed with another one', async () => {
    const context = trusting();
    const conn = connect(server.port, { context });
    await checkHost(conn, 'localhost', 'localhost');
    conn.host = 'other.example';
    await exchange(conn, 'GET', '/index.html');
    assert.equal(conn.tls_info().reused, false);
    assert.equal(conn.tls_info().peer_certificate.subject.CN, 'wrongName');
    conn.close();
  });
});

describe('nginx that rejects names that it does not know', { skip: noOpenssl || missing('nginx') }, () => {
  let server;
  const test = loggedTest(() => [server]);
  before(async () => {
    const { good } = certificates();
    server = await startNginx({ prepare: makeSite, tls: good, hosts: { 'a.example': good }, server: 'ssl_reject_handshake on;' });
  });
  after(() => server?.stop());

  test('[tls-sni-mismatch] an unrecognized name is refused in the handshake', () =>
    assertRefused(connect(server.port, { host: 'b.example' }), /^ERR_SSL_TLSV1_(ALERT_)?UNRECOGNIZED_NAME$/));
});
