// SPDX-License-Identifier: MIT
//
// Certificates, right and wrong: which are refused and how, and where what is trusted comes from.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { _create_unverified_context, CERT_NONE, create_default_context, HTTPSConnection, SSLContext } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { reply, withTlsServer } from '../support/raw-server.mjs';
import { assertRefused, connect, fetchText, trusting } from '../support/tls-client.mjs';

const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';
/** Node has no code of its own for these. */
const TOO_WEAK = /^(UNSPECIFIED|EE_KEY_TOO_SMALL)$/;
/** For what no server may use by itself. */
const ANY_KEY = { ciphers: 'DEFAULT:@SECLEVEL=0', maxVersion: 'TLSv1.2' };

/** Runs with a server that has this certificate; a `null` was never made. */
function serving(name, use, options = {}) {
  const pair = certificates()[name];
  return pair === null ? undefined : withTlsServer({ ...pair, ...options }, () => reply('hello'), use);
}

async function assertTaken(port, options) {
  const conn = connect(port, options);
  assert.equal(await fetchText(conn), 'hello');
  conn.close();
}

const withRevocations = () => {
  const context = trusting();
  context.load_verify_locations({ crlfile: certificates().crl });
  return context;
};

describe('certificates', { skip: noOpenssl }, () => {
  for (const [title, { name, code, host, context, options }] of Object.entries({
    '[tls-expired] an expired certificate': { name: 'expired', code: 'CERT_HAS_EXPIRED' },
    'a certificate of the future': { name: 'notYetValid', code: 'CERT_NOT_YET_VALID' },
    '[tls-wrong-host] a certificate for another name': { name: 'wrongName', code: WRONG_NAME },
    'a certificate for names only, under an address': { name: 'wrongName', code: WRONG_NAME, host: '127.0.0.1' },
    'a certificate for an address only, under a name': { name: 'ipOnly', code: WRONG_NAME },
    'a wildcard, for a name two levels down': { name: 'wildcard', code: WRONG_NAME, host: 'a.b.wild.example' },
    'a wildcard, for the name below which it is': { name: 'wildcard', code: WRONG_NAME, host: 'wild.example' },
    '[tls-cn-only] a certificate whose common name only is right': { name: 'cnOnly', code: WRONG_NAME },
    '[tls-self-signed] a self-signed certificate': { name: 'selfSigned', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    '[tls-unknown-ca] a certificate of an unknown CA': { name: 'unknownCa', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    'a chain without its intermediate certificate': { name: 'intermediate', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    'an RSA key of 1024 bits': { name: 'weak1024', code: TOO_WEAK, options: ANY_KEY },
    'an RSA key of 512 bits': { name: 'weak512', code: TOO_WEAK, options: ANY_KEY },
    '[tls-revoked] a revoked certificate, with the list': { name: 'revoked', code: 'CERT_REVOKED', context: withRevocations },
  })) {
    test(`${title} is refused before anything is sent`, () =>
      serving(
        name,
        async ({ port, requests }) => {
          const conn = connect(port, { host, context: context?.() });
          for (let count = 0; count < 2; count += 1) await assertRefused(conn, code);
          await assertTaken(port, { host, context: _create_unverified_context() });
          assert.equal(requests.join(''), requests.at(-1));
          assert.ok(!requests.at(-1).includes('/secret'));
        },
        options,
      ));
  }

  test('an error about the name shows what the certificate is for', () =>
    serving('wrongName', ({ port }) =>
      assert.rejects(connect(port).connect(), (error) => {
        assert.match(error.message, /localhost.*DNS:other\.example/);
        assert.ok(error.message.includes(error.hint));
        return true;
      }),
    ));

  test('[tls-revoked] a revoked certificate is taken where there is no list', () =>
    serving('revoked', ({ port }) => assertTaken(port)));

  test('with a list of what was revoked, what is not on it is taken', () =>
    serving('good', ({ port }) => assertTaken(port, { context: withRevocations() })));

  test('with a list of one authority, a certificate of another one is refused', () =>
    serving(
      'intermediate',
      ({ port }) => assertRefused(connect(port, { context: withRevocations() }), 'UNABLE_TO_GET_CRL'),
      { cert: certificates().intermediate.chain },
    ));

  test('names, addresses and wildcards are taken where the certificate has them', async () => {
    for (const [name, hosts] of Object.entries({
      good: ['localhost', 'LOCALHOST', 'localhost.', '127.0.0.1', 'a.example', 'b.example'],
      wildcard: ['a.wild.example', 'b.wild.example'],
      ipOnly: ['127.0.0.1'],
    })) {
      await serving(name, async ({ port }) => {
        for (const host of hosts) await assertTaken(port, { host });
      });
    }
  });

  test('a complete chain is taken, and so is a leaf whose CA is trusted itself', async () => {
    const { intermediate } = certificates();
    await serving('intermediate', ({ port }) => assertTaken(port), { cert: intermediate.chain });
    await serving('selfSigned', ({ port }) =>
      assertTaken(port, { context: create_default_context({ cafile: certificates().selfSigned.cert }) }),
    );
  });

  test('cafile, capath and cadata are trusted, as a file, as a folder, as text and as bytes', () =>
    serving('good', async ({ port }) => {
      const { ca, capath } = certificates();
      const text = readFileSync(ca, 'latin1');
      const { raw } = new X509Certificate(text);
      for (const location of [{ cafile: ca }, { capath }, { cadata: text }, { cadata: Buffer.from(text) }, { cadata: raw }]) {
        const loaded = new SSLContext();
        await assertRefused(connect(port, { context: loaded }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
        loaded.load_verify_locations(location);
        await assertTaken(port, { context: loaded });
        await assertTaken(port, { context: create_default_context(location) });
      }
    }));

  test('nothing but what is known to Node is trusted without a context', () =>
    serving('good', async ({ port, requests }) => {
      const conn = connect(port, { context: null });
      await assertRefused(conn, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      conn.context.load_verify_locations({ cafile: certificates().ca });
      assert.equal(await fetchText(conn), 'hello');
      conn.close();
      assert.equal(requests.filter(Boolean).length, 1);
    }));

  test('what is no certificate is refused when it is loaded', () => {
    const context = new SSLContext();
    const { ca, crl, good } = certificates();
    assert.throws(() => context.load_verify_locations({ cafile: `${ca}.missing` }), { code: 'ENOENT' });
    assert.throws(() => context.load_verify_locations({ cafile: good.key }), { name: 'TypeError' });
    assert.throws(() => context.load_verify_locations({ cafile: crl }), { name: 'TypeError' });
    assert.throws(() => context.load_verify_locations({ crlfile: ca }), { name: 'TypeError' });
    assert.throws(() => context.load_verify_locations({ cadata: 'nonsense' }), { name: 'TypeError' });
    assert.throws(() => context.load_verify_locations({}), { name: 'TypeError' });
  });

  test('without check_hostname another name is taken, and the chain is still verified', async () => {
    const lenient = () => Object.assign(trusting(), { check_hostname: false });
    await serving('wrongName', async ({ port }) => {
      await assertTaken(port, { context: lenient() });
      await assertTaken(port, { check_hostname: false });
      await assertRefused(connect(port, { context: lenient(), check_hostname: true }), WRONG_NAME);
    });
    await serving('unknownCa', ({ port }) =>
      assertRefused(connect(port, { context: lenient() }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
    );
  });

  test('check_hostname without verification is a TypeError', () => {
    const context = new SSLContext();
    context.verify_mode = CERT_NONE;
    assert.throws(() => new HTTPSConnection('localhost', { context }), { name: 'TypeError' });
    context.check_hostname = false;
    new HTTPSConnection('localhost', { context }).close();
    assert.throws(() => new HTTPSConnection('localhost', { context, check_hostname: true }), { name: 'TypeError' });
  });

  test('options of tls.connect are a context as well', () =>
    serving('good', async ({ port }) => {
      const ca = readFileSync(certificates().ca);
      await assertTaken(port, { context: { ca } });
      await assertRefused(connect(port, { context: {} }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      await assertTaken(port, { context: { rejectUnauthorized: false } });
      await assertRefused(connect(port, { host: 'elsewhere.example', context: { ca } }), WRONG_NAME);
    }));

  test('tls_info() shows the certificate of the peer, also of one that is not verified', async () => {
    for (const [name, context] of Object.entries({ good: trusting(), selfSigned: _create_unverified_context() })) {
      await serving(name, async ({ port }) => {
        const conn = connect(port, { context });
        assert.equal(conn.tls_info(), null);
        await conn.connect();
        const { raw } = new X509Certificate(readFileSync(certificates()[name].cert));
        assert.deepEqual(Buffer.from(conn.tls_info().peer_certificate.raw), raw);
        conn.close();
        assert.equal(conn.tls_info(), null);
      });
    }
  });
});
