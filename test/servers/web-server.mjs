// SPDX-License-Identifier: MIT
//
// What porthole gets from any web server: the tests that nginx and Apache share.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { HTTPConnection, HTTPException } from '../../js/index.js';
import { HAS_IPV6 } from '../support/servers.mjs';
import { until } from '../support/upload-server.mjs';
import { CHUNKS } from './app.mjs';
import { ASSEMBLED, BYTES, LINES, MODIFIED, noise, PAGE } from './site.mjs';

/** After how many requests a server closes a connection to `limited.test/limited/`. */
export const REQUESTS_ALLOWED = 10;
/** After how many milliseconds it closes one to `hasty.test/hasty/` that rests. */
export const REST_ALLOWED = 300;
/** How many header lines `/heads/many.txt` adds, and how many, of which length, `/heads/long.txt`. */
export const MANY_LINES = 150;
export const LONG_LINES = 80;
export const LONG_LINE = 'w'.repeat(1000);
/** The longest body that `/store/small/` takes, in bytes. */
export const SMALL_BODY = 1000;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Sends a request and returns its response, unread. */
async function exchange(conn, ...request) {
  await conn.request(...request);
  return conn.getresponse();
}

/** Gets a page whole and checks that it is what it should be: the connection is in order. */
async function checkPage(conn) {
  const response = await exchange(conn, 'GET', '/index.html');
  assert.equal(response.status, 200);
  assert.deepEqual(await response.read(), PAGE);
}

/** The parts of a multipart body: `[head, content]` of each. */
function splitMultipart(body, boundary) {
  const parts = body.toString('latin1').split(`\r\n--${boundary}`);
  assert.match(parts.at(-1), /^--\r\n/);
  return parts.slice(1, -1).map((part) => {
    const end = part.indexOf('\r\n\r\n');
    return [part.slice(0, end), Buffer.from(part.slice(end + 4), 'latin1')];
  });
}

/**
 * Declares the tests.
 * @param {(name: string, run: Function, options?: object) => void} test
 * @param {() => import('../support/servers.mjs').Server} server the one that runs
 */
export function testWebServer(test, server) {
  /** Runs with a connection that is closed afterwards. */
  async function connected(use, { host = server().host, ...options } = {}) {
    const conn = new HTTPConnection(host, server().port, { timeout: 30, ...options });
    try {
      return await use(conn);
    } finally {
      conn.close();
    }
  }

  test('a file comes with its status, its headers and all of its bytes', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/index.html');
      assert.deepEqual([response.status, response.reason, response.version], [200, 'OK', 11]);
      assert.match(response.getheader('server'), new RegExp(server().name, 'i'));
      assert.equal(response.getheader('Content-Type'), 'text/html');
      assert.equal(response.getheader('last-modified'), MODIFIED);
      assert.deepEqual([response.length, response.chunked, response.will_close], [PAGE.length, false, false]);
      assert.deepEqual(await response.read(), PAGE);
      assert.deepEqual([response.closed, response.length], [true, 0]);
      assert.equal((await response.read()).length, 0);
    }));

  test('an empty file is an empty body', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/empty.txt');
      assert.deepEqual([response.status, response.length], [200, 0]);
      assert.equal((await response.read()).length, 0);
      await checkPage(conn);
    }));

  test('every way of reading gives the same file', () =>
    connected(async (conn) => {
      const ways = {
        async read(response) {
          const pieces = [];
          while (!response.closed) pieces.push(await response.read(777));
          return pieces;
        },
        async read1(response) {
          const pieces = [];
          for (let piece = await response.read1(); piece.length > 0; piece = await response.read1()) pieces.push(piece);
          return pieces;
        },
        async readinto(response) {
          const view = new Uint8Array(LINES.length + 1);
          return [view.subarray(0, await response.readinto(view))];
        },
        async peek(response) {
          const seen = await response.peek();
          const all = await response.read();
          assert.deepEqual(all.subarray(0, seen.length), seen);
          return [all];
        },
        readlines: (response) => response.readlines(),
        async lines(response) {
          const pieces = [];
          for await (const line of response) pieces.push(line);
          assert.equal(pieces[1].toString(), 'line 2\n');
          return pieces;
        },
        async body(response) {
          const pieces = [];
          for await (const piece of response.body) pieces.push(piece);
          return pieces;
        },
        text: async (response) => [Buffer.from(await response.text())],
      };
      for (const [way, readAll] of Object.entries(ways)) {
        const response = await exchange(conn, 'GET', '/lines.txt');
        assert.deepEqual(Buffer.concat(await readAll(response)), LINES, way);
      }
    }));

  test('HEAD gives the headers of the file and no body', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'HEAD', '/bytes.bin');
      assert.deepEqual([response.status, response.length], [200, 0]);
      assert.equal(response.getheader('Content-Length'), String(BYTES.length));
      assert.equal((await response.read()).length, 0);
      await checkPage(conn);
    }));

  test('an unknown page is 404 with a page about it, and the connection goes on', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/parrot.spam');
      const { localPort } = conn.sock;
      assert.deepEqual([response.status, response.reason], [404, 'Not Found']);
      assert.match(await response.text(), /404 Not Found/);
      await checkPage(conn);
      assert.equal(conn.sock.localPort, localPort);
    }));

  test('a range is 206 with these bytes only', () =>
    connected(async (conn) => {
      for (const [range, start, end] of [
        ['bytes=0-0', 0, 1],
        ['bytes=1000-1999', 1000, 2000],
        ['bytes=99990-', 99_990, 100_000],
        ['bytes=-7', 99_993, 100_000],
      ]) {
        const response = await exchange(conn, 'GET', '/bytes.bin', null, { Range: range });
        assert.deepEqual([response.status, response.reason], [206, 'Partial Content'], range);
        assert.equal(response.getheader('Content-Range'), `bytes ${start}-${end - 1}/100000`);
        assert.equal(response.length, end - start);
        assert.deepEqual(await response.read(), BYTES.subarray(start, end));
      }
    }));

  test('several ranges come as multipart/byteranges', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/bytes.bin', null, { Range: 'bytes=0-9,500-1499,-10' });
      assert.equal(response.status, 206);
      assert.equal(response.msg.get_content_type(), 'multipart/byteranges');
      const parts = splitMultipart(await response.read(), response.msg.get_param('boundary'));
      assert.deepEqual(
        parts.map(([head]) => /content-range: (.*)/i.exec(head)[1].trim()),
        ['bytes 0-9/100000', 'bytes 500-1499/100000', 'bytes 99990-99999/100000'],
      );
      assert.deepEqual(
        parts.map(([, content]) => content),
        [BYTES.subarray(0, 10), BYTES.subarray(500, 1500), BYTES.subarray(99_990)],
      );
    }));

  test('a range beyond the end is 416, and the connection goes on', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/bytes.bin', null, { Range: 'bytes=200000-' });
      assert.deepEqual([response.status, response.reason], [416, 'Requested Range Not Satisfiable']);
      await response.read();
      await checkPage(conn);
    }));

  test('a file that has not changed is 304 without a body', () =>
    connected(async (conn) => {
      const first = await exchange(conn, 'GET', '/lines.txt');
      await first.read();
      const { localPort } = conn.sock;
      const tag = first.getheader('ETag');
      assert.match(tag, /^"/);
      for (const condition of [{ 'If-None-Match': tag }, { 'If-Modified-Since': MODIFIED }]) {
        const response = await exchange(conn, 'GET', '/lines.txt', null, condition);
        assert.deepEqual([response.status, response.reason], [304, 'Not Modified']);
        assert.equal(response.getheader('ETag'), tag);
        assert.equal((await response.read()).length, 0);
        assert.equal(response.closed, true);
      }
      const changed = await exchange(conn, 'GET', '/lines.txt', null, { 'If-None-Match': '"another"' });
      assert.equal(changed.status, 200);
      assert.deepEqual(await changed.read(), LINES);
      assert.equal(conn.sock.localPort, localPort);
    }));

  test('900 requests share one connection', () =>
    connected(async (conn) => {
      for (let count = 0; count < 900; count += 1) {
        const response = await exchange(conn, 'GET', `/lines.txt?one-connection=${count}`);
        assert.deepEqual(await response.read(), LINES);
      }
      const accesses = await server().accesses('one-connection', 900);
      assert.equal(accesses.length, 900);
      assert.equal(new Set(accesses.map(({ connection }) => connection)).size, 1);
      assert.equal(accesses[0].connection, String(conn.sock.localPort));
    }));

  test('30 connections at once get 30 answers each', async () => {
    const marks = Array.from({ length: 30 }, (_, n) => n);
    await Promise.all(
      marks.map((mark) =>
        connected(async (conn) => {
          for (let count = 0; count < 30; count += 1) {
            const start = mark * 1000 + count;
            const range = { Range: `bytes=${start}-${start + 4999}` };
            const response = await exchange(conn, 'GET', '/bytes.bin?at-once', null, range);
            assert.deepEqual(await response.read(), BYTES.subarray(start, start + 5000));
          }
        }),
      ),
    );
    const accesses = await server().accesses('at-once', 900);
    assert.equal(new Set(accesses.map(({ connection }) => connection)).size, 30);
  });

  test('a connection that the server ends after some requests is opened again by itself', () =>
    connected(async (conn) => {
      const total = 2 * REQUESTS_ALLOWED + 5;
      let closed = 0;
      for (let count = 0; count < total; count += 1) {
        const path = `/limited/page.txt?limited=${count}`;
        const response = await exchange(conn, 'GET', path, null, { Host: 'limited.test' });
        assert.equal(conn.sock === null, response.will_close);
        closed += Number(response.will_close);
        assert.equal(await response.text(), 'A page of a connection that ends soon.\n');
      }
      const accesses = await server().accesses('limited=', total);
      assert.equal(new Set(accesses.map(({ connection }) => connection)).size, 3);
      assert.equal(closed, 2);
    }));

  test('a connection that rested for too long is opened again by itself', () =>
    connected(async (conn) => {
      const ports = new Set();
      for (let count = 0; count < 2; count += 1) {
        const response = await exchange(conn, 'GET', '/hasty/page.txt', null, { Host: 'hasty.test' });
        ports.add(conn.sock.localPort);
        assert.equal(await response.text(), 'A page of a connection that may not rest.\n');
        await until(() => conn.sock === null);
      }
      assert.equal(ports.size, 2);
      await checkPage(conn);
    }));

  test('a request for the end of the connection ends it after the answer', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/lines.txt', null, { Connection: 'close' });
      assert.deepEqual([response.will_close, conn.sock], [true, null]);
      assert.deepEqual(await response.read(), LINES);
      await checkPage(conn);
    }));

  test('a response that is left half read holds back the next one until it is closed', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/bytes.bin');
      assert.deepEqual(await response.read(10), BYTES.subarray(0, 10));
      await conn.request('GET', '/index.html');
      await assert.rejects(conn.getresponse(), { name: 'ResponseNotReady' });
      response.close();
      conn.close();
      await checkPage(conn);
    }));

  test('a response that is closed half read costs its connection only', () =>
    connected(async (conn) => {
      for (let count = 0; count < 3; count += 1) {
        const response = await exchange(conn, 'GET', '/bytes.bin');
        assert.deepEqual(await response.read(10), BYTES.subarray(0, 10));
        response.close();
      }
      await checkPage(conn);
    }));

  test('a page that the server puts together comes in chunks', () =>
    connected(async (conn) => {
      for (const amount of [undefined, 1, 4096, ASSEMBLED.length]) {
        const response = await exchange(conn, 'GET', '/assembled.shtml');
        assert.deepEqual([response.status, response.chunked, response.length], [200, true, null]);
        const pieces = [];
        while (!response.closed) pieces.push(await response.read(amount));
        assert.deepEqual(Buffer.concat(pieces), ASSEMBLED);
      }
      await checkPage(conn);
    }));

  test('what an application writes in pieces comes through its proxy', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/app/chunks');
      assert.equal(response.chunked, true);
      assert.equal(await response.text(), CHUNKS.join(''));
      await checkPage(conn);
    }));

  test('a compressed body is handed over as it is', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/zipped/lines.txt', null, { 'Accept-Encoding': 'gzip' });
      assert.equal(response.getheader('Content-Encoding'), 'gzip');
      const body = await response.read();
      assert.ok(body.length < LINES.length / 2);
      assert.deepEqual(gunzipSync(body), LINES);
      const plain = await exchange(conn, 'GET', '/zipped/lines.txt');
      assert.equal(plain.getheader('Content-Encoding'), null);
      assert.deepEqual(await plain.read(), LINES);
    }));

  test('what is PUT can be got, whatever kind of body it was', () =>
    connected(async (conn) => {
      const content = noise(3_000_000, server().name);
      const folder = mkdtempSync(join(tmpdir(), 'porthole-upload-'));
      writeFileSync(join(folder, 'upload.bin'), content);
      const file = await open(join(folder, 'upload.bin'));
      try {
        const pieces = Array.from({ length: 30 }, (_, n) => content.subarray(n * 100_000, (n + 1) * 100_000));
        const bodies = {
          string: [content.toString('latin1')],
          bytes: [content],
          blob: [new Blob([content])],
          file: [file],
          iterable: [pieces],
          stream: [new Blob([content]).stream()],
          'chunks by hand': [pieces, { 'Transfer-Encoding': 'chunked' }, { encode_chunked: true }],
        };
        for (const [kind, [body, headers, options]] of Object.entries(bodies)) {
          const path = `/store/${kind.replaceAll(' ', '-')}.bin`;
          const created = await exchange(conn, 'PUT', path, body, headers, options);
          assert.deepEqual([created.status, created.reason], [201, 'Created'], kind);
          await created.read();
          const response = await exchange(conn, 'GET', path);
          assert.equal(response.length, content.length, kind);
          assert.equal(sha256(await response.read()), sha256(content), kind);
          const deleted = await exchange(conn, 'DELETE', path);
          assert.equal(deleted.status, 204, kind);
          assert.equal((await deleted.read()).length, 0);
          const gone = await exchange(conn, 'HEAD', path);
          assert.equal(gone.status, 404, kind);
          await gone.read();
        }
      } finally {
        await file.close();
        rmSync(folder, { recursive: true });
      }
    }));

  test('PUT of a file that is there is 204, and replaces it', () =>
    connected(async (conn) => {
      const statuses = [];
      for (const content of ['***filecontents***', 'shorter', '']) {
        const response = await exchange(conn, 'PUT', '/store/again.txt', content);
        statuses.push(response.status);
        await response.read();
        const check = await exchange(conn, 'GET', '/store/again.txt');
        assert.equal(await check.text(), content);
      }
      assert.deepEqual(statuses, [201, 204, 204]);
    }));

  test('an upload that the server refuses by its head ends with the refusal', () =>
    connected(async (conn) => {
      for (const body of [Buffer.alloc(8_000_000), Array.from({ length: 80 }, () => Buffer.alloc(100_000))]) {
        const headers = Array.isArray(body) ? { 'Content-Length': '8000000' } : {};
        const response = await exchange(conn, 'PUT', '/store/small/large.bin', body, headers);
        assert.equal(response.status, 413);
        await response.read();
        await checkPage(conn);
      }
      const small = await exchange(conn, 'PUT', '/store/small/small.bin', noise(SMALL_BODY));
      assert.equal(small.status, 201);
      await small.read();
    }));

  test('method, URL, headers and body arrive as they were given', () =>
    connected(async (conn) => {
      const body = noise(70_000);
      const headers = { 'Content-Type': 'application/octet-stream', 'X-Word': 'wörd', 'X-Number': 42 };
      for (const [sent, received] of [
        [body, body],
        ['a string', Buffer.from('a string')],
        [['in ', Buffer.from('chunks')], Buffer.from('in chunks')],
        [null, Buffer.alloc(0)],
      ]) {
        const response = await exchange(conn, 'POST', '/app/echo?a=1&b=%20', sent, headers);
        assert.equal(response.status, 200);
        const echo = await response.json();
        assert.deepEqual([echo.method, echo.url], ['POST', '/app/echo?a=1&b=%20']);
        assert.deepEqual(echo.body, { length: received.length, sha256: sha256(received) });
        assert.deepEqual([echo.headers['x-word'], echo.headers['x-number']], ['wörd', '42']);
        assert.equal(echo.headers['accept-encoding'], 'identity');
      }
    }));

  test('100 Continue is passed over, and told to who wants to know', async () => {
    const interim = [];
    await connected(
      async (conn) => {
        const response = await exchange(conn, 'PUT', '/store/expected.txt', 'expected', { Expect: '100-continue' });
        assert.equal(response.status, 201);
        await response.read();
        await checkPage(conn);
      },
      { on_informational: ({ status, reason }) => interim.push([status, reason]) },
    );
    assert.deepEqual(interim, [[100, 'Continue']]);
  });

  test('a folder without its slash is 301 to the one with it, and is not followed', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/folder');
      assert.deepEqual([response.status, response.reason], [301, 'Moved Permanently']);
      const location = new URL(response.getheader('Location'));
      assert.equal(location.pathname, '/folder/');
      assert.match(await response.text(), /301 Moved Permanently/);
      const page = await exchange(conn, 'GET', location.pathname);
      assert.equal(await page.text(), 'A page in a folder.\n');
    }));

  test('a head of 80 KB is taken whole', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/heads/long.txt');
      const values = response.msg.get_all('X-Long');
      assert.equal(values.length, LONG_LINES);
      values.forEach((value, n) => assert.equal(value, `${n} ${LONG_LINE}`));
      assert.equal(await response.text(), 'A page with a long head.\n');
    }));

  test('more than 100 header lines are refused, and taken when allowed', async () => {
    await connected(async (conn) => {
      await conn.request('GET', '/heads/many.txt');
      await assert.rejects(conn.getresponse(), (error) => {
        assert.ok(error instanceof HTTPException);
        assert.equal(error.message, 'got more than 100 headers');
        return true;
      });
      await checkPage(conn);
    });
    await connected(
      async (conn) => {
        const response = await exchange(conn, 'GET', '/heads/many.txt');
        const names = response.getheaders().map(([name]) => name.toLowerCase());
        assert.equal(names.filter((name) => name.startsWith('x-line-')).length, MANY_LINES);
        assert.equal(await response.text(), 'A page with many header lines.\n');
      },
      { max_response_headers: 200 },
    );
  });

  test('a header line that is too long for the server is its error, and a shorter one arrives', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/app/echo', null, { 'X-Long': 'l'.repeat(7000) });
      assert.equal((await response.json()).headers['x-long'].length, 7000);
      const refusal = await exchange(conn, 'GET', '/app/echo', null, { 'X-Long': 'l'.repeat(20_000) });
      assert.equal(refusal.status, 400);
      assert.equal(refusal.will_close, true);
      await refusal.read();
      await checkPage(conn);
    }));

  test('a response header line of 60,000 bytes is taken, one of 66,000 is not', () =>
    connected(async (conn) => {
      const response = await exchange(conn, 'GET', '/app/header?length=60000');
      assert.equal(response.getheader('X-Long'), 'v'.repeat(60_000));
      await response.read();
      await conn.request('GET', '/app/header?length=66000');
      await assert.rejects(conn.getresponse(), {
        name: 'LineTooLong',
        message: 'got more than 65536 bytes when reading header line',
      });
      await checkPage(conn);
    }));

  test(
    'an IPv6 address works, in brackets and without',
    async () => {
      for (const [host, port] of [
        ['::1', server().port],
        ['[::1]', server().port],
        [`[::1]:${server().port}`, null],
      ]) {
        const conn = new HTTPConnection(host, port, { timeout: 30 });
        try {
          const response = await exchange(conn, 'GET', '/app/echo');
          assert.equal(conn.sock.remoteAddress, '::1');
          assert.equal((await response.json()).headers['x-host'], `[::1]:${server().port}`);
        } finally {
          conn.close();
        }
      }
    },
    { skip: HAS_IPV6 ? false : 'no IPv6 loopback address on this machine' },
  );

  test('a name is looked up', () =>
    connected(
      async (conn) => {
        const response = await exchange(conn, 'GET', '/app/echo');
        assert.equal((await response.json()).headers['x-host'], `localhost:${server().port}`);
      },
      { host: 'localhost' },
    ));
}
