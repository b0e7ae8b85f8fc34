// SPDX-License-Identifier: MIT
//
// What is asked for again and again: the head goes out as it went before, byte for byte, and only where it is the same; what is
// planted behind small answers over TLS is no answer; and the process is kept no longer than there is something to do.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { Random } from '../random/random.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { reply, withServer, withTlsServer } from '../support/raw-server.mjs';
import { trusting } from '../support/tls-client.mjs';

const answer = (head) => (head.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' : reply('hello'));

/** Makes a request, and reads its response. */
async function ask(conn, ...request) {
  await conn.request(...request);
  const response = await conn.getresponse();
  return (await response.read()).latin1Slice();
}

/** Runs with a way to a port, on which all that comes within some milliseconds arrives at once. */
async function withCollector(port, use) {
  const sockets = [];
  const server = net.createServer((socket) => {
    const peer = net.connect(port, '127.0.0.1');
    sockets.push(socket, peer);
    for (const one of [socket, peer]) one.on('error', () => {});
    socket.pipe(peer);
    let collected = [];
    const pass = () => {
      socket.write(Buffer.concat(collected));
      collected = [];
    };
    peer.on('data', (bytes) => {
      if (collected.push(bytes) === 1) setTimeout(pass, 5);
    });
    peer.on('end', () => setTimeout(() => socket.end(), 10));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use(server.address().port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }
}

class Sending extends HTTPConnection {
  async send(data) {
    return super.send(data);
  }
}

describe('heads', () => {
  const REQUESTS = [
    ['GET', '/a'],
    ['GET', '/b'],
    ['HEAD', '/a'],
    ['POST', '/a'],
    ['get', '/a'],
    ['GET', ''],
    ['GET', '/a', null, { 'X-One': '1' }],
    ['GET', '/a', null, { 'X-One': '2' }],
    ['GET', '/a', null, [['X-One', '1'], ['X-One', '2']]],
    ['GET', '/a', null, { Host: 'elsewhere.example', 'X-One': '1' }],
    ['GET', '/a', null, { Expect: '100-continue' }],
    ['GET', '/a', null, { 'X-Long': 'x'.repeat(2000) }],
    ['POST', '/a', 'body'],
    ['POST', '/a', ''],
  ];

  /** What each of them is on the wire, on a connection of its own. */
  async function alone(port, request, host) {
    const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
    if (host !== null) conn.host = host;
    await ask(conn, ...request);
    conn.close();
  }

  for (const [name, Kind] of Object.entries({ 'a connection': HTTPConnection, 'a subclass with a send() of its own': Sending })) {
    test(`each request of ${name} is what it is on one of its own`, { timeout: 60_000 }, async () => {
      await withServer(answer, async (server) => {
        const { port } = server;
        const expected = [];
        for (const request of REQUESTS) {
          await alone(port, request, null);
          expected.push(server.requests.at(-1));
        }
        const random = new Random(1);
        const conn = new Kind('127.0.0.1', port, { timeout: 30 });
        let which = 0;
        let seen = 0;
        const place = server.requests.length;
        for (let i = 0; i < 400; i++) {
          if (random.once(3)) which = random.int(0, REQUESTS.length - 1); // else the same again
          await ask(conn, ...REQUESTS[which]);
          assert.equal(server.requests[place].slice(seen), expected[which], `request ${i}: ${REQUESTS[which].slice(0, 2)}`);
          seen = server.requests[place].length;
        }
        assert.equal(server.requests.length, place + 1);
        conn.close();
      });
    });
  }

  test('another host, a request that was refused, one in steps and one by another way in between', { timeout: 30_000 }, async () => {
    await withServer(answer, async (server) => {
      const conn = new HTTPConnection('127.0.0.1', server.port, { timeout: 30 });
      const host = (name) => `GET /a HTTP/1.1\r\nHost: ${name}:${server.port}\r\nAccept-Encoding: identity\r\n\r\n`;
      const last = () => server.requests[0].slice(server.requests[0].lastIndexOf('GET /a'));
      const check = async (expected) => {
        await ask(conn, 'GET', '/a');
        assert.equal(last(), expected);
      };
      await check(host('127.0.0.1'));
      await check(host('127.0.0.1'));
      conn.host = 'other.example';
      await check(host('other.example'));
      await check(host('other.example'));
      conn.host = '127.0.0.1';
      await check(host('127.0.0.1'));
      await assert.rejects(conn.request('GET', '/a', null, { 'X-Bad': 'a\nb' }));
      await check(host('127.0.0.1'));
      await assert.rejects(conn.request('G T', '/a'));
      await check(host('127.0.0.1'));
      conn.putrequest('GET', '/steps');
      conn.putheader('X-Step', '1');
      await conn.endheaders();
      await (await conn.getresponse()).read();
      await check(host('127.0.0.1'));
      assert.equal(server.requests.length, 1);
      conn.close();
      await ask(conn, 'GET', '/a');
      assert.equal(server.requests[1], host('127.0.0.1'));
      conn.close();
    });
  });

  test('a request in steps, of a head that is as long as the one that went out again, is itself', { timeout: 30_000 }, async () => {
    await withServer(answer, async (server) => {
      for (const own of [false, true]) {
        const conn = new HTTPConnection('127.0.0.1', server.port, { timeout: 30 });
        await ask(conn, 'GET', '/a');
        await ask(conn, 'GET', '/a');
        if (own) {
          conn.putheader = function (...field) {
            return HTTPConnection.prototype.putheader.call(this, ...field);
          };
          await ask(conn, 'GET', '/b');
        } else {
          conn.putrequest('GET', '/b');
          await conn.endheaders();
          await (await conn.getresponse()).read();
        }
        assert.deepEqual(server.requests.at(-1).match(/^GET \S+/gm), ['GET /a', 'GET /a', 'GET /b']);
        await ask(conn, 'GET', '/a');
        assert.equal(server.requests.at(-1).match(/^GET \S+/gm).at(-1), 'GET /a');
        conn.close();
      }
    });
  });

  test('what a subscriber makes of the fields that it is shown is not the next request’s', { timeout: 30_000 }, async () => {
    const change = ({ request }) => (request.fields[1] = 'changed');
    diagnostics.subscribe('porthole:request:sent', change);
    try {
      await withServer(answer, async (server) => {
        const conn = new HTTPConnection('127.0.0.1', server.port, { timeout: 30 });
        await ask(conn, 'GET', '/', null, { 'X-Id': '1' });
        await ask(conn, 'GET', '/', null, { 'X-Id': 'changed' });
        await ask(conn, 'GET', '/', null, { 'X-Id': '1' });
        assert.deepEqual(server.requests[0].match(/X-Id: .*\b/g), ['X-Id: 1', 'X-Id: changed', 'X-Id: 1']);
        conn.close();
      });
    } finally {
      diagnostics.unsubscribe('porthole:request:sent', change);
    }
  });
});

describe('TLS', { skip: noOpenssl }, () => {
  const PLANTED = reply('planted');
  const SUITES = {
    'TLS 1.3': {},
    'TLS 1.3, ChaCha20': { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' },
    'TLS 1.2, GCM': { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256' },
    'TLS 1.2, ChaCha20': { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305' },
    'TLS 1.2, CBC': { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256:AES128-SHA' },
  };

  for (const [name, options] of Object.entries(SUITES)) {
    test(`${name}: what is planted behind a small answer, after others, in a record of its own or in the same, is no answer`, { timeout: 60_000 }, async () => {
      for (const size of [0, 1, 200, 900, 1200]) {
        for (const together of [false, true]) {
          const plant = (head, socket) => {
            if (!head.includes('/plant')) return reply('honest');
            const bytes = reply('x'.repeat(size));
            if (together) return bytes + PLANTED;
            socket.write(bytes);
            socket.write(PLANTED);
            return undefined;
          };
          await withTlsServer({ ...certificates().good, noDelay: true, ...options }, plant, ({ port, connections }) =>
            withCollector(port, async (entrance) => {
              const conn = new HTTPSConnection('localhost', entrance, { timeout: 30, context: trusting() });
              for (let i = 0; i < 4; i++) assert.equal(await ask(conn, 'GET', '/'), 'honest');
              assert.equal(await ask(conn, 'GET', '/plant'), 'x'.repeat(size));
              assert.equal(await ask(conn, 'GET', '/'), 'honest', `${size} bytes, ${together ? 'together' : 'apart'}`);
              assert.equal(connections(), 2);
              conn.close();
            }),
          );
        }
      }
    });
  }
});

describe('the process', () => {
  const index = fileURLToPath(new URL('../../js/index.js', import.meta.url));

  /** Runs a script against a server that keeps its connections. @returns {Promise<number>} how long it took from its last words, in ms */
  async function ends(script) {
    let took;
    await withServer(answer, async ({ port }) => {
      const source = `import { HTTPConnection } from ${JSON.stringify(index)};
        const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
        const ask = async () => { await conn.request('GET', '/a'); return (await conn.getresponse()).read(); };
        ${script}
        process.stdout.write('over');`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'close');
      await once(child.stdout, 'data');
      const start = performance.now();
      const [code] = await ended;
      took = performance.now() - start;
      assert.equal(code, 0);
    });
    return took;
  }

  test('a connection that was used often and rests keeps it for a moment, and one in use as long as that', { timeout: 60_000 }, async () => {
    for (const count of [1, 15, 16, 17, 18, 100]) {
      const took = await ends(`for (let i = 0; i < ${count}; i++) await ask();`);
      assert.ok(took < 5000, `${count} requests: ${took} ms`);
    }
    // Responses that come a while later are waited for, however often the socket was let go before.
    await ends(`
      for (let i = 0; i < 40; i++) await ask();
      const timer = setInterval(() => {}, 1000);
      await new Promise((resolve) => setTimeout(resolve, 250));
      if (conn.sock._handle.hasRef()) throw new Error('it was not let go of');
      clearInterval(timer);
      for (let i = 0; i < 3; i++) await ask();
      if (conn.sock._handle.hasRef()) throw new Error('it is kept, although it was lent');`);
  });

  test('whoever has the socket says whether it keeps the process, and a request keeps it', { timeout: 60_000 }, async () => {
    const asked = 'for (let i = 0; i < 40; i++) await ask();';
    await ends(`${asked}
      conn.sock.ref();
      await new Promise((resolve) => setTimeout(resolve, 250));
      if (!conn.sock._handle.hasRef()) throw new Error('it was let go of');
      conn.close();`);
    await ends(`${asked}
      conn.sock.unref();
      const asking = ask();
      if (!conn.sock._handle.hasRef()) throw new Error('a request does not keep it');
      await asking;`);
  });
});
