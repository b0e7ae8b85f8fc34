// SPDX-License-Identifier: MIT
//
// Certificates of the client, with an nginx that requires one: how they are loaded, and that they are sent.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { HTTPSConnection, SSLContext } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { loggedTest } from '../support/logged-test.mjs';
import { missing, startNginx } from '../support/servers.mjs';
import { connect, exchange, trusting } from '../support/tls-client.mjs';

describe('nginx that requires a client certificate', { skip: noOpenssl || missing('nginx') }, () => {
  let server;
  let client;
  const test = loggedTest(() => [server]);

  before(async () => {
    const { good, ca } = certificates();
    client = certificates().client;
    server = await startNginx({
      tls: { ...good, clientCa: ca },
      server: 'location / { add_header X-Client $ssl_client_s_dn; return 200 "known"; }',
    });
  });
  after(() => server?.stop());

  async function assertKnown(conn) {
    const response = await exchange(conn, 'GET', '/');
    assert.deepEqual([response.status, response.getheader('X-Client')], [200, 'CN=client']);
    assert.equal(await response.text(), 'known');
    conn.close();
  }

  const loading = (...chain) => {
    const context = trusting();
    context.load_cert_chain(...chain);
    return { context };
  };

  test('without one the answer is 400', async () => {
    const conn = connect(server.port);
    const response = await exchange(conn, 'GET', '/');
    assert.equal(response.status, 400);
    assert.match(await response.text(), /No required SSL certificate was sent/);
    conn.close();
  });

  test('with one from two files it is known', () => assertKnown(connect(server.port, loading(client.cert, client.key))));

  test('with one from a single file it is known', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'porthole-both-'));
    try {
      writeFileSync(join(folder, 'both.pem'), readFileSync(client.key, 'latin1') + readFileSync(client.cert, 'latin1'));
      await assertKnown(connect(server.port, loading(join(folder, 'both.pem'))));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('an encrypted key takes its password, as a string, as bytes or from a function', async () => {
    const { cert, encryptedKey, password } = client;
    for (const secret of [password, Buffer.from(password), () => password]) {
      await assertKnown(connect(server.port, loading(cert, encryptedKey, secret)));
    }
  });

  test('an encrypted key without its password, or with another one, is refused when it is loaded', () => {
    const context = new SSLContext();
    for (const secret of [null, 'wrong', () => '']) {
      assert.throws(() => context.load_cert_chain(client.cert, client.encryptedKey, secret), Error);
    }
    assert.equal(context.options().cert, undefined);
  });

  test('a key of another certificate, and a file that is missing, are refused when they are loaded', () => {
    const context = new SSLContext();
    assert.throws(() => context.load_cert_chain(client.cert, certificates().good.key), { code: /^ERR_(SSL|OSSL)_.*MISMATCH$/ });
    assert.throws(() => context.load_cert_chain(`${client.cert}.missing`, client.key), { code: 'ENOENT' });
    assert.equal(context.options().cert, undefined);
  });

  test('key_file and cert_file do the same, with a warning that they are deprecated', async () => {
    const warned = once(process, 'warning');
    const conn = connect(server.port, { key_file: client.key, cert_file: client.cert });
    await assertKnown(conn);
    const [warning] = await warned;
    assert.equal(warning.name, 'DeprecationWarning');
    assert.match(warning.message, /key_file, cert_file/);
  });

  test('key_file and cert_file give a context of its own to a connection that has none', async () => {
    const conn = new HTTPSConnection('localhost', server.port, { timeout: 30, key_file: client.key, cert_file: client.cert });
    conn.context.load_verify_locations({ cafile: certificates().ca });
    await assertKnown(conn);
    const other = new HTTPSConnection('localhost', server.port, { timeout: 30 });
    await assert.rejects(other.connect(), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    assert.throws(() => new HTTPSConnection('localhost', { key_file: client.key }), { name: 'TypeError' });
  });

  test('one context serves many connections', async () => {
    const options = loading(client.cert, client.key);
    await Promise.all(Array.from({ length: 8 }, () => assertKnown(connect(server.port, options))));
  });
});
