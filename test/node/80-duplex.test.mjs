// SPDX-License-Identifier: MIT
//
// Servers that answer while they read, and clients that read the answer before, after and while they send.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection } from '../../js/index.js';
import { pattern, settles, until, withHttp, withUploads } from '../support/upload-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const LIMIT = { timeout: 60_000 };

function* split(bytes, size) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const KINDS = {
  'bytes': (bytes) => bytes,
  'an array of pieces': (bytes) => [...split(bytes, 300_000)],
  'a generator': (bytes) => split(bytes, 9973),
  'an async generator': async function* (bytes) {
    for (const piece of split(bytes, 200_000)) {
      await new Promise(setImmediate);
      yield piece;
    }
  },
  'a Readable': (bytes) => Readable.from(split(bytes, 100_000)),
  'a ReadableStream': (bytes) => ReadableStream.from(split(bytes, 100_000)),
  'a Blob': (bytes) => new Blob([bytes]),
  'an object with read': (bytes) => {
    let at = 0;
    return { read: (n) => bytes.subarray(at, (at += n)) };
  },
};

const echo = (request, response) => request.pipe(response);

function transform(request, response) {
  request.on('data', (data) => {
    if (!response.write(Buffer.from(data).map((byte) => byte ^ 255))) {
      request.pause();
      response.once('drain', () => request.resume());
    }
  });
  request.on('end', () => response.end());
}

function progress(request, response) {
  let total = 0;
  response.flushHeaders();
  request.on('data', ({ length }) => {
    total += length;
    response.write('.');
  });
  request.on('end', () => response.end(String(total)));
}

describe('full duplex', { concurrency: false }, () => {
  for (const [kind, make] of Object.entries(KINDS)) {
    for (const size of [1, 70_000, 5_000_000]) {
      test(`an echo of ${size} bytes of ${kind} comes back whole, and the connection goes on`, LIMIT, () =>
        withHttp(echo, async (port) => {
          const conn = connect(port);
          const bytes = pattern(size);
          for (let round = 0; round < 2; round++) {
            await settles(conn.request('POST', '/', make(bytes)), 20_000);
            const response = await settles(conn.getresponse(), 20_000);
            assert.equal(response.status, 200);
            assert.equal(response.reused, round > 0);
            assert.ok((await settles(response.read(), 20_000)).equals(bytes));
          }
          conn.close();
        }));
    }
    test(`a server that changes what it reads sends 5 MB of ${kind} back changed`, LIMIT, () =>
      withHttp(transform, async (port) => {
        const conn = connect(port);
        const bytes = pattern(5_000_000);
        await settles(conn.request('POST', '/', make(bytes)), 20_000);
        const back = await settles((await conn.getresponse()).read(), 20_000);
        assert.ok(back.map((byte) => byte ^ 255).equals(bytes));
        conn.close();
      }));

    test(`a server that tells how far it is tells of 5 MB of ${kind}`, LIMIT, () =>
      withHttp(progress, async (port) => {
        const conn = connect(port);
        await settles(conn.request('POST', '/', make(pattern(5_000_000))), 20_000);
        const text = await settles((await conn.getresponse()).text(), 20_000);
        assert.match(text, /^\.+5000000$/);
        conn.close();
      }));
  }

  for (const kind of ['bytes', 'a generator', 'a Readable']) {
    test(`an echo of 64 MB of ${kind} comes back whole`, { timeout: 120_000 }, () =>
      withHttp(echo, async (port) => {
        const conn = connect(port);
        const bytes = pattern(64 * 1024 * 1024);
        await settles(conn.request('POST', '/', KINDS[kind](bytes)), 60_000);
        const response = await settles(conn.getresponse(), 60_000);
        let at = 0;
        const target = Buffer.alloc(1_000_003);
        for (;;) {
          const count = await settles(response.readinto(target), 60_000);
          if (count === 0) break;
          assert.ok(target.subarray(0, count).equals(bytes.subarray(at, at + count)), `at ${at}`);
          at += count;
        }
        assert.equal(at, bytes.length);
        await conn.request('POST', '/', 'x');
        assert.equal(await (await conn.getresponse()).text(), 'x');
        conn.close();
      }));
  }

  for (const [way, read] of Object.entries({
    'body': async (response) => {
      const parts = [];
      for await (const part of response.body) parts.push(part);
      return Buffer.concat(parts);
    },
    'read1': async (response) => {
      const parts = [];
      for (let part = await response.read1(); part.length > 0; part = await response.read1()) parts.push(part);
      return Buffer.concat(parts);
    },
    'readlines': async (response) => Buffer.concat(await response.readlines()),
    'reads begun at once': async (response) => {
      const reads = Array.from({ length: 60 }, () => response.read(100_000));
      return Buffer.concat(await Promise.all(reads));
    },
  })) {
    test(`an echo of 5 MB is read by ${way}`, LIMIT, () =>
      withHttp(echo, async (port) => {
        const conn = connect(port);
        const bytes = pattern(5_000_000);
        await conn.request('POST', '/', bytes);
        assert.ok((await settles(read(await conn.getresponse()), 20_000)).equals(bytes));
        conn.close();
      }));
  }

  test('what is echoed piece by piece comes back before the next piece is made', LIMIT, () =>
    withHttp(echo, async (port) => {
      const conn = connect(port);
      let go;
      async function* source() {
        for (const piece of ['one', 'two', 'three', 'four']) {
          const gone = new Promise((resolve) => {
            go = resolve;
          });
          yield piece;
          await gone; // until the echo is read
        }
      }
      await settles(conn.request('POST', '/', source()));
      const response = await settles(conn.getresponse());
      for (const piece of ['one', 'two', 'three', 'four']) {
        assert.equal(String(await settles(response.read(piece.length))), piece);
        go();
      }
      assert.equal((await settles(response.read())).length, 0);
      conn.close();
    }));
});

describe('the answer and the upload', () => {
  const BIG = 12_000_000;

  test('a 2xx that is read to its end at the head leaves the upload going on to its end, and the next request waits', LIMIT, () =>
    withUploads(
      async (request) => {
        request.socket.write(OK);
        if (request.url !== '/big') return;
        request.socket.pause();
        await sleep(150);
        request.socket.resume();
      },
      async ({ port, requests, connections }) => {
        const conn = connect(port);
        const bytes = pattern(BIG);
        await settles(conn.request('PUT', '/big', bytes));
        const response = await settles(conn.getresponse());
        assert.equal(await settles(response.text()), 'ok');
        assert.ok(!requests[0].whole);
        await settles(conn.request('GET', '/next'));
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        assert.ok(requests[0].body.equals(bytes));
        assert.equal(connections(), 1);
        conn.close();
      },
    ));

  test('a 2xx that nobody asks for lets the upload go on, and can be had afterwards', LIMIT, () =>
    withUploads(
      (request) => void request.socket.write(OK),
      async ({ port, requests }) => {
        const conn = connect(port);
        await settles(conn.request('PUT', '/', pattern(BIG)));
        await settles(requests[0].has());
        assert.equal(requests[0].length, BIG);
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        conn.close();
      },
    ));

  for (const [what, head, tail] of [
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', ''],
    ['of HTTP/1.0 without a length', 'HTTP/1.0 200 OK\r\n\r\no', 'k'],
    ['of HTTP/1.1 that runs to the close', 'HTTP/1.1 200 OK\r\n\r\no', 'k'],
    ['of 302', 'HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nok', ''],
    ['of 201 with Connection: keep-alive', 'HTTP/1.1 201 Created\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok', ''],
    ['of 200 with Connection: closed', 'HTTP/1.1 200 OK\r\nConnection: closed, x-close\r\nContent-Length: 2\r\n\r\nok', ''],
  ]) {
    for (const [kind, make] of Object.entries({ 'bytes': KINDS.bytes, 'a generator': KINDS['a generator'] })) {
      test(`an answer ${what} at the head cuts nothing of ${kind} off`, LIMIT, () =>
        withUploads(
          async (request) => {
            if (request.url === '/next') return request.socket.write(OK);
            request.socket.write(head);
            await request.has();
            if (tail !== '') request.socket.end(tail);
            return undefined;
          },
          async ({ port, requests }) => {
            const conn = connect(port);
            const bytes = pattern(5_000_000);
            await settles(conn.request('PUT', '/', make(bytes)));
            const response = await settles(conn.getresponse());
            assert.equal(await settles(response.text()), 'ok');
            await settles(requests[0].has(), 20_000, 'the upload was cut off');
            assert.ok(requests[0].body.equals(bytes));
            await settles(conn.request('GET', '/next'));
            assert.equal(await settles((await settles(conn.getresponse())).text()), 'ok');
            conn.close();
          },
        ));
    }
  }

  for (const status of ['413 Too Large', '500 Oops']) {
    for (const [kind, make] of Object.entries({ 'bytes': KINDS.bytes, 'a generator': KINDS['a generator'] })) {
      test(`${status} without close stops an upload of ${kind} once it is read, and the connection is closed`, LIMIT, () =>
        withUploads(
          (request) => {
            if (request.url === '/next') return request.socket.write(OK);
            request.socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 3\r\n\r\nbig`);
            request.socket.pause();
            return undefined;
          },
          async ({ port, requests, connections }) => {
            const conn = connect(port);
            await settles(conn.request('PUT', '/', make(pattern(64_000_000))));
            const response = await settles(conn.getresponse());
            assert.equal(await settles(response.text()), 'big');
            await settles(conn.request('GET', '/next'));
            assert.equal(await (await conn.getresponse()).text(), 'ok');
            assert.equal(connections(), 2);
            assert.ok(!requests[0].whole);
            conn.close();
          },
        ));

      test(`a server that gives the rest of ${status} only after the upload gets all of ${kind}`, LIMIT, () =>
        withUploads(
          async (request) => {
            request.socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 3\r\n\r\nb`);
            await request.has();
            request.socket.write('ig');
          },
          async ({ port, requests, connections }) => {
            const conn = connect(port);
            const bytes = pattern(5_000_000);
            for (let round = 0; round < 2; round++) {
              await settles(conn.request('PUT', '/', make(bytes)));
              const response = await settles(conn.getresponse());
              assert.equal(await settles(response.text()), 'big');
              assert.ok(requests[round].body.equals(bytes));
            }
            assert.equal(connections(), 1); // the upload was whole: nothing speaks against using it again
            conn.close();
          },
        ));
    }

    test(`${status} that is not read leaves the upload going on`, LIMIT, () =>
      withUploads(
        (request) => void request.socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 3\r\n\r\nbig`),
        async ({ port, requests }) => {
          const conn = connect(port);
          await settles(conn.request('PUT', '/', pattern(BIG)));
          const response = await settles(conn.getresponse());
          await settles(requests[0].has(), 20_000, 'the upload was cut off');
          assert.equal(requests[0].length, BIG);
          assert.equal(await response.text(), 'big');
          conn.close();
        },
      ));
  }

  for (const status of ['200 OK', '302 Found', '413 Too Large', '500 Oops']) {
    for (const [kind, make] of Object.entries(KINDS)) {
      test(`${status} with the token close stops an upload of ${kind} at once, and a reset behind it is no error`, LIMIT, () =>
        withUploads(
          async (request) => {
            if (request.url === '/next') return request.socket.write(OK);
            await request.has(1000);
            request.socket.pause();
            request.socket.write(`HTTP/1.1 ${status}\r\nConnection: Keep-Alive, Close\r\nContent-Length: 5\r\n\r\nlarge`);
            setTimeout(() => request.socket.resetAndDestroy(), 60);
            return undefined;
          },
          async ({ port, requests }) => {
            const conn = connect(port);
            const body = make(pattern(40_000_000));
            await settles(conn.request('PUT', '/', body));
            const response = await settles(conn.getresponse());
            assert.equal(`${response.status} ${response.reason}`, status);
            assert.equal(await settles(response.text()), 'large');
            assert.ok(!requests[0].whole);
            await settles(conn.request('GET', '/next'));
            assert.equal(await (await conn.getresponse()).text(), 'ok');
            conn.close();
          },
        ));
    }
  }

  test('the source of an upload that is stopped is told, once, and asked for nothing more', LIMIT, () =>
    withUploads(
      async (request) => {
        await request.has(50_000);
        request.socket.write('HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      },
      async ({ port }) => {
        const conn = connect(port);
        let ended = 0;
        let made = 0;
        async function* source() {
          try {
            for (;;) {
              made += 1;
              yield Buffer.alloc(10_000);
              await sleep(2);
            }
          } finally {
            ended += 1;
          }
        }
        await settles(conn.request('PUT', '/', source()));
        const response = await conn.getresponse();
        await response.read();
        await until(() => ended === 1);
        const before = made;
        await sleep(30);
        assert.deepEqual([made, ended], [before, 1]);
        conn.close();
      },
    ));

  for (const [what, head, closes] of [
    ['413', 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno', false],
    ['200', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno', false],
    ['417 with close', 'HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno', true],
    ['302', 'HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nno', false],
  ]) {
    for (const [kind, make] of Object.entries(KINDS)) {
      test(`after Expect: 100-continue ${what} leaves ${kind} unsent, and the next request is no part of the body`, LIMIT, () =>
        withUploads(
          (request) => request.socket.write(request.url === '/next' ? OK : head),
          async ({ port, requests }) => {
            const conn = connect(port);
            await settles(conn.request('PUT', '/', make(pattern(300_000)), {}, { expect_continue: 30 }));
            const response = await settles(conn.getresponse());
            assert.equal(response.will_close, closes);
            assert.equal(await settles(response.text()), 'no');
            await settles(conn.request('GET', '/next'));
            assert.equal(await settles((await conn.getresponse()).text()), 'ok');
            assert.equal(requests[0].length, 0);
            conn.close();
          },
        ));
    }
  }

  test('response.close() stops the upload, closes the connection, and the next request has another one', LIMIT, () =>
    withUploads(
      (request) => void request.socket.write(request.url === '/next' ? OK : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok'),
      async ({ port, requests, connections, sockets }) => {
        const conn = connect(port);
        let ended = false;
        async function* source() {
          try {
            for (;;) {
              yield Buffer.alloc(10_000);
              await sleep(5);
            }
          } finally {
            ended = true;
          }
        }
        await settles(conn.request('PUT', '/', source()));
        const response = await settles(conn.getresponse());
        assert.equal(String(await response.read(2)), 'ok');
        response.close();
        await until(() => sockets.size === 0 && ended);
        await settles(conn.request('GET', '/next'));
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        assert.equal(connections(), 2);
        assert.ok(!requests[0].whole);
        conn.close();
      },
    ));
});
