// SPDX-License-Identifier: MIT
//
// TLS over what isn't a socket of porthole's own making, and what becomes of it: Duplexes, Unix sockets, detached sockets.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { HTTPSConnection } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { chunkedReply, reply, withTlsServer } from '../support/raw-server.mjs';
import { connect, exchange, fetchText } from '../support/tls-client.mjs';

const BIG = 'x'.repeat(3_000_000);

/** A Duplex that is no socket, around one. */
function disguised(socket) {
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (data) => duplex.push(data) || socket.pause());
  socket.on('end', () => duplex.push(null));
  socket.on('error', (error) => duplex.destroy(error));
  return duplex;
}

const answers = (head, socket, server) => {
  if (head.startsWith('PUT')) {
    const done = () => server.requests[0].endsWith('END') && socket.write(reply('stored'));
    socket.on('data', done);
    return undefined;
  }
  if (head.includes('/big')) return reply(BIG);
  if (head.includes('/chunked')) return chunkedReply(Array.from({ length: 300 }, (_, i) => String(i)));
  return reply('hello');
};

describe('transports', { skip: noOpenssl }, () => {
  const { good } = noOpenssl ? {} : certificates();

  for (const [name, make] of Object.entries({
    'a socket that is connected': async (port) => {
      const socket = net.connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
    'a socket that is connecting': (port) => net.connect(port, '127.0.0.1'),
    'a Duplex that is no socket': (port) => disguised(net.connect(port, '127.0.0.1')),
  })) {
    test(`TLS is spoken over ${name}, for any answer and a large upload`, () =>
      withTlsServer(good, answers, async ({ port, requests, connections }) => {
        const conn = connect(port, { create_connection: () => make(port) });
        for (let i = 0; i < 3; i++) {
          assert.equal(await fetchText(conn, '/small'), 'hello');
          assert.equal(await fetchText(conn, '/big'), BIG);
          assert.equal((await fetchText(conn, '/chunked')).length, 790);
        }
        const response = await exchange(conn, 'PUT', '/small', `${'y'.repeat(2_000_000)}END`);
        assert.equal(await response.text(), 'stored');
        assert.equal(connections(), 1);
        assert.ok(requests[0].length > 2_000_003);
        assert.ok(conn.tls_info().protocol.startsWith('TLSv1'));
        conn.close();
      }));

    test(`a certificate that is wrong ends ${name}`, () =>
      withTlsServer(certificates().wrongName, answers, async ({ port, requests }) => {
        let duplex;
        const conn = connect(port, {
          create_connection: async () => {
            duplex = await make(port);
            return duplex;
          },
        });
        await assert.rejects(conn.request('GET', '/'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID', phase: 'tls', retry_safe: 'yes' });
        await new Promise(setImmediate);
        assert.equal(duplex.destroyed, true);
        assert.equal(requests.join(''), '');
      }));
  }

  test('TLS is spoken over a Unix socket, for the name of the host', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'porthole-tls-socket-'));
    const socket_path = join(folder, 'app.sock');
    const server = tls.createServer({ cert: readFileSync(good.cert), key: readFileSync(good.key) }, (socket) => {
      socket.once('data', () => socket.end(reply(socket.servername, { headers: ['Connection: close'] })));
    });
    server.listen(socket_path);
    await once(server, 'listening');
    try {
      const conn = connect(443, { host: 'a.example', socket_path });
      assert.equal(await fetchText(conn), 'a.example');
      const wrong = connect(443, { host: 'c.example', socket_path });
      await assert.rejects(wrong.request('GET', '/'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  });

  test('a body that is larger than the receive buffer is whole when it is read late', async () => {
    for (const size of [530_000, 600_000, 1_000_000]) {
      const body = 'the quick brown fox jumps over the lazy dog\n'.repeat(size / 44);
      const replies = [reply(body), chunkedReply([body]), `HTTP/1.1 200 OK\r\n\r\n${body}`];
      for (const [index, text] of replies.entries()) {
        const answer = (_, socket) => void (index === 2 ? socket.end(text) : socket.write(text));
        await withTlsServer(good, answer, async ({ port }) => {
          const conn = connect(port);
          const response = await exchange(conn, 'GET', '/');
          await sleep(50); // more was decrypted than there was room for
          assert.ok((await response.read()).equals(Buffer.from(body)), `${size} bytes, reply ${index}`);
          conn.close();
        });
      }
    }
  });

  test('a TLS socket that is assigned to sock is used as it is', () =>
    withTlsServer(good, answers, async ({ port }) => {
      const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const conn = new HTTPSConnection('localhost', port, { timeout: 30 });
      conn.sock = socket;
      assert.equal(await fetchText(conn, '/big'), BIG);
      conn.close();
      assert.equal(socket.destroyed, true);
    }));

  test('after a 101 the TLS socket can be detached, and is a stream', () =>
    withTlsServer(
      good,
      (_head, socket) => {
        socket.removeAllListeners('data');
        socket.on('data', (data) => socket.write(data));
        return 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nearly';
      },
      async ({ port }) => {
        const conn = connect(port);
        await conn.request('GET', '/', null, { Connection: 'Upgrade', Upgrade: 'echo' });
        assert.equal((await conn.getresponse()).status, 101);
        const { socket, head } = conn.detach();
        let received = head;
        socket.on('data', (data) => {
          received = Buffer.concat([received, data]);
        });
        socket.write(Buffer.alloc(200_000, 'z'));
        while (received.length < 200_005) await once(socket, 'data');
        assert.equal(String(received), `early${'z'.repeat(200_000)}`);
        socket.destroy();
        assert.equal(conn.tls_info(), null);
      },
    ));

  test('readinto and large reads work over TLS, record by record', () =>
    withTlsServer(good, answers, async ({ port }) => {
      const conn = connect(port);
      for (const size of [1000, 65_536, 300_000, 5_000_000]) {
        const response = await exchange(conn, 'GET', '/big');
        const view = Buffer.alloc(size);
        let total = 0;
        for (let count; (count = await response.readinto(view)) > 0; ) {
          assert.ok(view.subarray(0, count).every((byte) => byte === 120));
          total += count;
        }
        assert.equal(total, BIG.length);
      }
      conn.close();
    }));
});
