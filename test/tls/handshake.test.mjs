// SPDX-License-Identifier: MIT
//
// What goes wrong in a handshake: other protocols, silence, ends, and what comes too early. Certificates are elsewhere.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { reply, withTlsServer } from '../support/raw-server.mjs';
import { missing, startNginx } from '../support/servers.mjs';
import { assertRefused, assertTimesOut, connect, exchange, fetchText, HANDSHAKE_FAILURE, trusting, withPeer } from '../support/tls-client.mjs';
import { startOpenssl } from '../support/tls-servers.mjs';
import { until } from '../support/upload-server.mjs';

/** A TLS record: 22 is a handshake, 21 an alert, 23 data. */
const record = (type, content, length = content.length) =>
  Buffer.concat([Buffer.from([type, 3, 3, length >> 8, length & 255]), Buffer.from(content)]);
/** The head of a ServerHello of 80 bytes, which isn't there. */
const HALF_HELLO = record(22, [2, 0, 0, 76, 3, 3], 80);

/** Runs with `openssl s_server`, and stops it. */
async function withOpenssl(args, use) {
  const server = await startOpenssl({ tls: certificates().good, args });
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

describe('handshakes', { skip: noOpenssl }, () => {
  for (const [id, version, flag] of [
    ['tls-1.0', 'TLSv1', '-tls1'],
    ['tls-1.1', 'TLSv1.1', '-tls1_1'],
  ]) {
    test(`[${id}] a server that speaks ${version} only is refused, and taken when the context allows it`, () =>
      withOpenssl([flag, '-cipher', 'DEFAULT:@SECLEVEL=0', '-www'], async ({ port }) => {
        await assertRefused(connect(port), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
        const context = Object.assign(trusting(), { minimum_version: version });
        context.set_ciphers('DEFAULT:@SECLEVEL=0');
        const conn = connect(port, { context });
        await conn.connect();
        assert.equal(conn.tls_info().protocol, version);
        assert.match(await fetchText(conn), new RegExp(`Protocol +: ${version}\\s`));
      }));
  }

  test('versions of which there are none fail as soon as the socket is connected, and say what to look at', () =>
    withTlsServer(certificates().good, () => reply('never'), async ({ port }) => {
      const context = Object.assign(trusting(), { minimum_version: 'TLSv1.3', maximum_version: 'TLSv1.2' });
      await assert.rejects(connect(port, { context }).connect(), {
        code: 'ERR_SSL_NO_PROTOCOLS_AVAILABLE',
        phase: 'tls',
        port,
        retry_safe: 'yes',
        message: /minimum_version and maximum_version of the context/,
      });
    }));

  test('[tls-alpn-h2] a server that insists on h2 is refused by its alert, and nothing is sent', () =>
    withOpenssl(['-alpn', 'h2', '-www'], async ({ port, log }) => {
      await assertRefused(connect(port), 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
      assert.ok(!log().includes('GET'));
    }));

  test('[tls-alpn-h2] h2 is never spoken, even when it was offered and the server picks it', () =>
    withTlsServer({ ...certificates().good, ALPNProtocols: ['h2'] }, () => reply('h2?'), async ({ port, requests }) => {
      const context = trusting();
      context.set_alpn_protocols(['h2', 'http/1.1']);
      await assertRefused(connect(port, { context }), 'ERR_HTTP_UNKNOWN_PROTOCOL');
      assert.equal(requests.join(''), '');
    }));

  test('http/1.1 is offered, and nothing else, and a server without ALPN is fine', async () => {
    const offered = [];
    const ALPNCallback = ({ protocols }) => {
      offered.push(...protocols);
      return protocols[0];
    };
    for (const [options, alpn] of [
      [{ ALPNCallback }, 'http/1.1'],
      [{ ALPNProtocols: ['h2', 'http/1.1'] }, 'http/1.1'],
      [{}, null],
    ]) {
      await withTlsServer({ ...certificates().good, ...options }, () => reply('hello'), async ({ port }) => {
        const conn = connect(port);
        assert.equal(await fetchText(conn), 'hello');
        assert.equal(conn.tls_info().alpn, alpn);
        conn.close();
      });
    }
    assert.deepEqual(offered, ['http/1.1']);
  });

  test('[tls-plain-server] plain HTTP on the port is an error that says so', { skip: missing('nginx') }, async () => {
    const server = await startNginx();
    try {
      await assertRefused(connect(server.port), /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/);
      assert.ok(!server.log().includes('secret'));
    } finally {
      await server.stop();
    }
  });

  for (const [title, bytes, code] of [
    ['[tls-early-data] a response before the handshake', reply('evil'), /^ERR_SSL_/],
    ['the greeting of another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /^ERR_SSL_/],
    ['application data before the handshake', record(23, reply('evil')), /^ERR_SSL_/],
    ['a record that is too long', record(22, [], 65535), /^ERR_SSL_/],
    ['an alert', record(21, [2, 40]), HANDSHAKE_FAILURE],
  ]) {
    test(`${title} is an error, and nothing is sent`, () =>
      withPeer(
        (socket) => socket.write(Buffer.from(bytes)),
        async ({ port, received }) => {
          await assertRefused(connect(port), code);
          assert.ok(!received().includes('/secret'));
        },
      ));
  }

  test('[tls-early-data] a response before the first request is never its answer', () =>
    withTlsServer(certificates().good, () => reply('asked for'), async ({ port, sockets }) => {
      const conn = connect(port);
      await conn.connect();
      await until(() => sockets.size === 1);
      for (const socket of sockets) socket.write(reply('evil'));
      await sleep(50);
      let body;
      try {
        body = await fetchText(conn);
      } catch (error) {
        assert.equal(typeof error.code, 'string', error.stack);
      }
      assert.notEqual(body, 'evil');
      conn.close();
    }));

  for (const [title, greet] of Object.entries({
    'says nothing': () => {},
    'stops in its first message': (socket) => socket.once('data', () => socket.write(HALF_HELLO)),
  })) {
    test(`[tls-handshake-hang] a server that ${title} is a timeout of phase tls`, () =>
      withPeer(greet, async ({ port, sockets }) => {
        for (const options of [{ timeout: 0.3 }, { timeout: null, timeouts: { tls: 0.3 } }, { timeouts: { tls: 0.3, connect: 30 } }]) {
          const conn = connect(port, options);
          await assertTimesOut(conn.request('GET', '/'), { limit: 0.3, phase: 'tls', retry_safe: 'yes' });
          assert.equal(conn.sock, null);
        }
        await until(() => sockets.size === 0);
      }));
  }

  test('[tls-handshake-hang] a deadline and a signal end a handshake, and so does close()', () =>
    withPeer(
      () => {},
      async ({ port, sockets }) => {
        await assertTimesOut(connect(port, { deadline: 0.2 }).request('GET', '/'), { limit: 0.2 });
        const reason = new Error('enough');
        const controller = new AbortController();
        setTimeout(() => controller.abort(reason), 50);
        await assert.rejects(connect(port).request('GET', '/', null, {}, { signal: controller.signal }), reason);
        const conn = connect(port);
        setTimeout(() => conn.close(), 50);
        await assert.rejects(conn.request('GET', '/'), { name: 'NotConnected' });
        await until(() => sockets.size === 0);
      },
    ));

  for (const [title, end] of Object.entries({
    'ends at once': (socket) => socket.end(),
    'ends after the first message': (socket) => socket.once('data', () => socket.end()),
    'ends in the middle of its first message': (socket) => socket.once('data', () => socket.end(HALF_HELLO)),
    'resets after the first message': (socket) => socket.once('data', () => socket.resetAndDestroy()),
  })) {
    test(`[tls-handshake-close] a server that ${title} is an error, and the next request tries again`, () =>
      withPeer(end, async ({ port, connections }) => {
        const conn = connect(port);
        for (let count = 1; count <= 2; count += 1) {
          await assertRefused(conn, /^(ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF_WHILE_READING)$/);
          assert.equal(connections(), count);
        }
      }));
  }

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const options = () => ({ ...certificates().good, minVersion: version, maxVersion: version });
    /** A server that sends these bytes and ends the TCP connection, without an alert of TLS before. */
    const truncating = (bytes, use) =>
      withTlsServer(
        options(),
        (_head, socket, { raw }) => void socket.write(bytes, () => raw(socket).end()),
        ({ port, connections }) => use(connect(port), connections),
      );

    test(`[tls-trunc-cl] a body that ends without close_notify before its length is IncompleteRead (${version})`, () =>
      truncating('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhal', async (conn) => {
        const response = await exchange(conn, 'GET', '/');
        await assert.rejects(response.read(), (error) => {
          assert.deepEqual([error.name, String(error.partial), error.expected], ['IncompleteRead', 'hal', 47]);
          return true;
        });
        assert.equal(conn.sock, null);
      }));

    test(`[tls-trunc-head] a head that ends without close_notify is an error (${version})`, () =>
      truncating('HTTP/1.1 200 OK\r\nContent-Ty', (conn) => assert.rejects(fetchText(conn), { name: 'IncompleteRead' })));

    test(`[tls-trunc-close-mode] a body that runs to the end is as long as what came, which is all that Node tells (${version})`, () =>
      truncating('HTTP/1.1 200 OK\r\n\r\nhal', async (conn) => {
        const response = await exchange(conn, 'GET', '/');
        assert.deepEqual([response.will_close, response.length], [true, null]);
        assert.equal(await response.text(), 'hal');
        assert.equal(conn.sock, null);
      }));

    test(`[tls-complete-no-notify] a complete body before such an end is complete, and the connection is made anew (${version})`, () =>
      truncating(reply('hello'), async (conn, connections) => {
        for (let count = 1; count <= 3; count += 1) {
          assert.equal(await fetchText(conn), 'hello');
          assert.equal(connections(), count);
          await until(() => conn.sock === null);
        }
        conn.close();
      }));

    test(`a close_notify after a complete body, and instead of an answer, is an end like any other (${version})`, () =>
      withTlsServer(
        options(),
        (head, socket) => void (head.startsWith('GET /nothing') ? socket.end() : socket.end(reply('hello'))),
        async ({ port }) => {
          const conn = connect(port);
          for (let count = 0; count < 3; count += 1) {
            assert.equal(await fetchText(conn), 'hello');
            await until(() => conn.sock === null);
          }
          await assert.rejects(fetchText(conn, '/nothing'), { name: 'RemoteDisconnected' });
          conn.close();
        },
      ));
  }
});

describe('handshakes of an open connection', { skip: noOpenssl }, () => {
  const KEPT = ['-no_dhe', '-no_ticket', '-msg']; // less to be logged, and each message

  /**
   * Has the server change keys (`k`), ask for a change by both (`K`) or negotiate again (`r`), until that is enough. It
   * takes what it finds in one read for one order: the next one is given when it has logged a message.
   */
  async function order({ write, log }, letter, enough) {
    for (let count = 0; !enough(count); count += 1) {
      const before = log();
      write(`${letter}\n`);
      await until(() => enough(count) || log() !== before);
    }
  }

  for (const [title, flag, letter] of [
    ['renegotiation', '-tls1_2', 'r'],
    ["a change of the server's keys", '-tls1_3', 'k'],
    ['a change of all keys', '-tls1_3', 'K'],
  ]) {
    test(`[tls-renegotiate] ${title} does no harm`, () =>
      withOpenssl([flag, ...KEPT], async (server) => {
        const conn = connect(server.port);
        for (let count = 1; count <= 3; count += 1) {
          await conn.request('GET', `/${count}`);
          const answer = conn.getresponse();
          await until(() => server.log().includes(`GET /${count} `));
          await order(server, letter, (count) => count === 4);
          server.write(reply(`answer ${count}`));
          assert.equal(await (await answer).text(), `answer ${count}`);
        }
        conn.close();
      }));
  }

  test('[tls-renegotiate] changes of keys without end do not put off the timeout', () =>
    withOpenssl(['-tls1_3', ...KEPT], async (server) => {
      const conn = connect(server.port, { timeouts: { headers: 0.4 } });
      await conn.request('GET', '/');
      let ended = false;
      const answer = assertTimesOut(conn.getresponse(), { limit: 0.4, phase: 'receive' }).finally(() => (ended = true));
      await order(server, 'k', () => ended);
      await answer;
      assert.equal(conn.sock, null);
    }));
});
