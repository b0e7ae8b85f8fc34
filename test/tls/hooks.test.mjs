// SPDX-License-Identifier: MIT
//
// What a peer is called and verified by, whatever the environment says, and hooks of Node's options that fail.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs, { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import tls from 'node:tls';
import { create_default_context, HTTPConnection, HTTPSConnection, InvalidURL, SSLContext } from '../../js/index.js';
import { peerName } from '../../js/api/context.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { withNamingServer } from '../support/node-tls.mjs';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { runCode } from '../support/process.mjs';
import { withServer } from '../support/raw-server.mjs';
import { HAS_IPV6 } from '../support/servers.mjs';
import { connect, fetchText, trusting, withPeer } from '../support/tls-client.mjs';

const library = new URL('../../js/index.js', import.meta.url).href;
const ca = () => readFileSync(certificates().ca);
const never = () => assert.fail('there was a connection');

describe('names', { skip: noOpenssl }, () => {
  test('the dot at the end of a name is in Host, and neither told nor verified', () =>
    withNamingServer({ pair: certificates().good }, async ({ port, names }) => {
      for (const host of ['localhost.', 'a.example.', 'localhost']) {
        const conn = connect(port, { host });
        assert.equal(await fetchText(conn), `${host.replace(/\.$/, '')} ${host}:${port}`);
        conn.close();
      }
      assert.deepEqual(names, ['localhost', 'a.example', 'localhost']);
    }));

  test('a name with an empty label is refused before anything is sent', async () => {
    for (const host of ['localhost..', '.localhost', 'a..example', '.', '..']) {
      const conn = new HTTPSConnection(host, 1, { create_connection: never });
      await assert.rejects(conn.request('GET', '/'), InvalidURL, host);
    }
  });

  test('an address is not told in any spelling, and is what is verified', () =>
    withNamingServer({ pair: certificates().good }, async ({ port, names }) => {
      for (const host of ['127.0.0.1', '127.0.0.1.']) {
        const conn = connect(port, { host, create_connection: () => net.connect(port, '127.0.0.1') });
        await fetchText(conn);
        conn.close();
      }
      for (const host of ['127.1', '2130706433', '0x7f000001', '::2', 'fe80::1%eth0']) {
        const conn = connect(port, { host, create_connection: () => net.connect(port, '127.0.0.1') });
        await assert.rejects(conn.request('GET', '/'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
      }
      assert.deepEqual(new Set(names), new Set([false]));
    }));

  test('the zone of an address is not verified', () =>
    withNamingServer({ pair: certificates().good }, async ({ port }) => {
      const conn = connect(port, { host: '[::1%lo]', create_connection: () => net.connect(port, '127.0.0.1') });
      assert.match(await fetchText(conn), /^- /);
      conn.close();
    }));

  test('an address in brackets is none that is told', { skip: !HAS_IPV6 && 'no IPv6 here' }, () =>
    withNamingServer({ pair: certificates().good, listen: { port: 0, host: '::1' } }, async ({ port, names }) => {
      const conn = new HTTPSConnection('[::1]', port, { context: trusting(), timeout: 30 });
      await fetchText(conn);
      conn.close();
      assert.deepEqual(names, [false]);
    }));

  test('an address is verified at a Unix socket too, and not the name localhost', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'porthole-'));
    const path = join(folder, 's');
    try {
      await withNamingServer({ pair: certificates().good, listen: { path } }, async () => {
        const conn = new HTTPSConnection('127.0.0.1', { socket_path: path, context: trusting(), timeout: 30 });
        assert.match(await fetchText(conn), /^- 127\.0\.0\.1/);
        conn.close();
        const other = new HTTPSConnection('127.0.0.2', { socket_path: path, context: trusting(), timeout: 30 });
        await assert.rejects(other.request('GET', '/'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a servername of Node is told and verified in place of the host, unless it is an address', () =>
    withNamingServer({ pair: certificates().good }, async ({ port, names }) => {
      for (const servername of ['a.example', '127.0.0.1']) {
        const conn = connect(port, { host: 'unknown.example', context: { ca: ca(), servername } });
        await fetchText(conn);
        conn.close();
      }
      assert.deepEqual(names, ['a.example', false]);
    }));

  test('what peerName makes of hosts', () => {
    for (const [host, name] of [['h', 'h'], ['h.', 'h'], ['127.0.0.1.', '127.0.0.1'], ['fe80::1%eth0', 'fe80::1'], ['a%b', 'a%b']]) {
      assert.equal(peerName(host), name);
    }
  });
});

describe('what the environment says', { skip: noOpenssl }, () => {
  /** Runs a program with NODE_TLS_REJECT_UNAUTHORIZED=0, and gives what it prints. */
  async function run(program) {
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const { status, stdout, stderr } = await runCode(program, ['--no-warnings'], { env });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  }

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 counts for nothing: only false turns verification off', () =>
    withNamingServer({ pair: certificates().selfSigned }, async ({ port }) => {
      const seen = await run(`
        import { HTTPConnection, HTTPSConnection, SSLContext } from ${JSON.stringify(library)};
        const context = new SSLContext();
        const given = {
          none: undefined, own: context, empty: {}, options: { minVersion: 'TLSv1.2' }, made: context.options(),
          undefined: { rejectUnauthorized: undefined }, null: { rejectUnauthorized: null }, zero: { rejectUnauthorized: 0 },
          text: { rejectUnauthorized: '' }, true: { rejectUnauthorized: true }, false: { rejectUnauthorized: false },
        };
        const seen = {};
        for (const [name, context] of Object.entries(given)) {
          const conn = new HTTPSConnection('localhost', ${port}, { context, timeout: 30 });
          seen[name] = await conn.request('GET', '/').then(() => 'sent', (error) => error.code);
          conn.close();
          if (name === 'none') continue;
          const proxied = new HTTPConnection('localhost', ${port}, { proxy_context: context, timeout: 30 });
          proxied.set_tunnel('e.example');
          seen['proxy ' + name] = await proxied.connect().then(() => 'sent', (error) => error.code);
          proxied.close();
        }
        console.log(JSON.stringify(seen));`);
      for (const [name, outcome] of Object.entries(seen)) {
        // The server's answer to CONNECT has a body, which comes too early: TLS is through by then.
        if (name === 'proxy false') assert.equal(outcome, 'ERR_HTTP_UNSOLICITED');
        else if (name === 'false') assert.equal(outcome, 'sent');
        else assert.equal(outcome, 'DEPTH_ZERO_SELF_SIGNED_CERT', name);
      }
      assert.equal(Object.keys(seen).length, 21);
    }));
});

describe('hooks of options of Node', { skip: noOpenssl }, () => {
  const pin = new Error('pin');
  /** [what it does, the hook, what the request fails with] */
  const failing = [
    ['throws', () => { throw pin; }, (error) => error === pin],
    ['throws a text', () => { throw 'pin'; }, (error) => error.cause === 'pin'],
    ['throws nothing', () => { throw undefined; }, (error) => error.message === 'a hook of TLS has thrown what is no error'],
    ['gives an error', () => pin, (error) => error === pin],
    ['gives a text', () => 'pin', (error) => error instanceof TypeError && /not a string/.test(error.message)],
    ['gives true', () => true, (error) => error instanceof TypeError && /not a boolean/.test(error.message)],
    ['gives a promise', async () => {}, (error) => error instanceof TypeError && /not a promise/.test(error.message)],
    ['gives a promise that fails', () => Promise.reject(pin), (error) => error instanceof TypeError && /not a promise/.test(error.message)],
  ];

  for (const [what, checkServerIdentity, expected] of failing) {
    for (const over of ['a socket', 'a Duplex']) {
      test(`a checkServerIdentity that ${what}, over ${over}, is what the request fails with, and the socket is closed`, () =>
        withNamingServer({ pair: certificates().good }, async ({ port, sockets }) => {
          const options = over === 'a socket' ? {} : { create_connection: () => net.connect(port, '127.0.0.1') };
          const conn = connect(port, { context: { ca: ca(), checkServerIdentity }, ...options });
          await assert.rejects(conn.request('GET', '/secret'), (error) => expected(error) && error.phase === 'tls');
          assert.equal(conn.sock, null);
          if (sockets.size > 0) await Promise.all([...sockets].map((socket) => once(socket, 'close')));
          conn.close();
        }));
    }
  }

  test('one that throws is not passed over where nothing is verified', () =>
    withNamingServer({ pair: certificates().good }, async ({ port }) => {
      const context = { ca: ca(), rejectUnauthorized: false, checkServerIdentity() { throw pin; } };
      await assert.rejects(connect(port, { context }).request('GET', '/secret'), (error) => error === pin);
    }));

  test('one that is content is told the name and the certificate, and null stands for the usual one', () =>
    withNamingServer({ pair: certificates().good }, async ({ port }) => {
      const asked = [];
      const checkServerIdentity = (name, certificate) => void asked.push(name, certificate.subject.CN);
      const conn = connect(port, { host: 'unknown.example', context: { ca: ca(), checkServerIdentity } });
      await fetchText(conn);
      conn.close();
      assert.deepEqual(asked, ['unknown.example', 'good']);
      const usual = connect(port, { host: 'unknown.example', context: { ca: ca(), checkServerIdentity: null } });
      await assert.rejects(usual.request('GET', '/'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    }));

  test('a hook that is no function is refused when it is given', () => {
    for (const name of ['checkServerIdentity', 'pskCallback']) {
      assert.throws(() => new HTTPSConnection('h', { context: { [name]: true } }), { code: 'ERR_INVALID_ARG_TYPE' });
    }
  });

  const psk = { key: Buffer.from('0123456789abcdef'), identity: 'me' };
  const pskServer = { ciphers: 'PSK', maxVersion: 'TLSv1.2', pskCallback: () => psk.key };
  for (const over of ['a socket', 'a Duplex']) {
    test(`a pskCallback that throws, over ${over}, is what the request fails with`, () =>
      withNamingServer(pskServer, async ({ port }) => {
        const options = over === 'a socket' ? {} : { create_connection: () => net.connect(port, '127.0.0.1') };
        const context = { ciphers: 'PSK', maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined };
        const good = connect(port, { context: { ...context, pskCallback: () => ({ psk: psk.key, identity: psk.identity }) }, ...options });
        await fetchText(good);
        good.close();
        const bad = connect(port, { context: { ...context, pskCallback() { throw pin; } }, ...options });
        await assert.rejects(bad.request('GET', '/'), (error) => error === pin);
      }));
  }
});

describe('a missing client certificate', { skip: noOpenssl }, () => {
  const bodies = {
    'no body': () => null,
    'a large body': () => Buffer.alloc(8e6),
    'many pieces': function* () {
      for (let i = 0; i < 1500; i++) yield Buffer.alloc(4000);
    },
  };
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    for (const [what, body] of Object.entries(bodies)) {
      test(`is told by the alert of ${version}, with ${what}`, () =>
        withNamingServer({ pair: certificates().good, ca: ca(), requestCert: true, maxVersion: version }, async ({ port }) => {
          const conn = connect(port);
          const failed = async () => {
            await conn.request('POST', '/', body());
            await conn.getresponse();
          };
          await assert.rejects(failed(), (error) => {
            assert.match(error.code, /^ERR_SSL_(TLSV13_ALERT_CERTIFICATE_REQUIRED|(SSLV3|SSL\/TLS)_ALERT_HANDSHAKE_FAILURE)$/, error.stack);
            assert.match(error.hint, /client certificate/);
            return true;
          });
          conn.close();
        }));
    }
  }
});

describe('contexts of other copies', { skip: noOpenssl }, () => {
  /** Another copy of the library: the same modules once more. */
  const other = (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'porthole-copy-'));
    fs.cpSync(new URL('../../js', import.meta.url), join(folder, 'js'), { recursive: true });
    fs.cpSync(new URL('../../bindings', import.meta.url), join(folder, 'bindings'), { recursive: true });
    fs.writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    process.on('exit', () => fs.rmSync(folder, { recursive: true }));
    return import(new URL(`file://${folder}/js/index.js`).href);
  })();

  test('a context that pins is taken, and pins', () =>
    withNamingServer({ pair: certificates().good }, async ({ port }) => {
      const theirs = await other;
      assert.notEqual(theirs.SSLContext, SSLContext);
      const good = connect(port, { context: theirs.create_default_context({ cafile: certificates().ca }) });
      await fetchText(good);
      good.close();
      const pinned = theirs.create_default_context({ cafile: certificates().selfSigned.cert });
      await assert.rejects(connect(port, { context: pinned }).request('GET', '/'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
      const proxied = new HTTPConnection('localhost', port, { proxy_context: pinned, timeout: 30 });
      proxied.set_tunnel('e.example');
      await assert.rejects(proxied.connect(), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
      const unverified = connect(port, { host: 'unknown.example', context: theirs._create_unverified_context() });
      await fetchText(unverified);
      unverified.close();
      assert.throws(() => connect(port, { context: theirs._create_unverified_context(), check_hostname: true }), { name: 'TypeError' });
    }));

  test('a context that does not tell its options is refused, and never passed over', () => {
    const brand = Symbol.for('porthole.SSLContext');
    for (const context of [
      { [brand]: true },
      { [brand]: true, options: () => ({}) },
      { [brand]: true, options: () => null },
      { [brand]: true, options: () => ({ rejectUnauthorized: 1, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' }) },
      { verify_mode: 2, check_hostname: true },
      { load_verify_locations() {} },
    ]) {
      assert.throws(() => new HTTPSConnection('h', { context }), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /another copy/ });
      assert.throws(() => new HTTPConnection('h', { proxy_context: context }), { code: 'ERR_INVALID_ARG_VALUE' });
    }
  });

  test('options that tls.connect would pass over are refused', () => {
    const wrong = [{ cafile: 'x' }, { certfile: 'x' }, { system: true }, { minimum_version: 'TLSv1.3' }, tls.createSecureContext()];
    for (const context of wrong) {
      assert.throws(() => new HTTPSConnection('h', { context }), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    }
    for (const context of [Buffer.from('PEM'), 'PEM', [], new Map(), () => {}, 5]) {
      assert.throws(() => new HTTPSConnection('h', { context }), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    }
    assert.throws(() => create_default_context({ caFile: 'x' }), { message: /did you mean "cafile"/ });
    assert.throws(() => new SSLContext().load_verify_locations({ cafil: 'x' }), { message: /did you mean "cafile"/ });
    new HTTPSConnection('h', { context: { secureContext: tls.createSecureContext() } });
  });

  test('errors of other copies are instances of the classes of this one', async () => {
    const theirs = await other;
    const ours = await import('../../js/index.js');
    for (const [error, name] of [
      [new theirs.TimeoutError('connect', 1, 1), 'TimeoutError'],
      [new theirs.TunnelError(407, 'x'), 'TunnelError'],
      [new theirs.RemoteDisconnected(), 'BadStatusLine'],
    ]) {
      assert.ok(error instanceof ours[name], name);
    }
    assert.ok(!(new theirs.TunnelError(407, 'x') instanceof ours.TimeoutError));
    assert.ok(!(new Error('x') instanceof ours.TimeoutError));
  });
});

describe('the wrong kind of port', () => {
  const ask = (conn) => conn.request('GET', '/').then(() => conn.getresponse());

  test('an alert of TLS in answer to HTTP has a hint', () =>
    withPeer(
      (socket) => socket.once('data', () => socket.end(Buffer.from('15030100020246', 'hex'))),
      async ({ port }) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
        await assert.rejects(ask(conn), (error) => error.name === 'BadStatusLine' && /use HTTPSConnection/.test(error.hint) && error.message.includes(error.hint));
        conn.close();
      },
    ));

  test('HTTP to a server of TLS that just closes has a hint at port 443 only', async () => {
    const closing = () => new MemoryPeer([], true);
    const secure = new HTTPConnection('h', 443, { create_connection: closing, timeout: 30 });
    await assert.rejects(ask(secure), (error) => error.name === 'RemoteDisconnected' && /HTTPSConnection/.test(error.hint));
    const clear = new HTTPConnection('h', 80, { create_connection: closing, timeout: 30 });
    await assert.rejects(ask(clear), (error) => error.name === 'RemoteDisconnected' && error.hint === undefined);
  });

  test('TLS to a server that speaks HTTP has a hint', () =>
    withPeer(
      (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')),
      async ({ port }) => {
        const conn = connect(port, { context: {} });
        await assert.rejects(ask(conn), (error) => error.phase === 'tls' && /port of plain HTTP/.test(error.hint));
        conn.close();
      },
    ));

  test('a proxy that is to be spoken to by TLS says so, and the error has a hint', () =>
    withServer(
      () => {
        const body = '<title>400 The plain HTTP request was sent to HTTPS port</title>';
        return `HTTP/1.1 400 Bad Request\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      },
      async ({ port }) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
        conn.set_tunnel('e.example');
        await assert.rejects(conn.connect(), (error) => error.name === 'TunnelError' && /proxy_context/.test(error.hint));
      },
    ));
});
