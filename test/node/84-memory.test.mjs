// SPDX-License-Identifier: MIT
//
// Memory of callers: written to only while it is there and wanted, and read from only until a request has it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection } from '../../js/index.js';
import { gc } from '../support/gc.mjs';
import { reply, withServer } from '../support/raw-server.mjs';
import { pattern, settles, until, withUploads } from '../support/upload-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const LIMIT = { timeout: 60_000 };
const SIZE = 1_000_000;

async function get(conn, url = '/') {
  await conn.request('GET', url);
  return conn.getresponse();
}

/** Runs with a response of which nothing of the body has come, and what makes some of it come. */
function withStalled(use) {
  const body = Buffer.alloc(SIZE, 'EVIL');
  let peer;
  return withServer(
    (head, socket) => {
      if (!head.includes('/stalled')) return 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
      peer = socket;
      return `HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`;
    },
    async ({ port }) => {
      const conn = connect(port);
      const response = await get(conn, '/stalled');
      const more = async (from, to) => {
        if (!peer.destroyed) peer.write(body.subarray(from, to));
        await sleep(30);
      };
      await use({ conn, response, more });
      conn.close();
      assert.equal(await settles((await settles(get(conn))).text()), 'ok');
      conn.close();
    },
  );
}

/** Arrays that are made where memory was given back: nobody may write into them. */
function guards() {
  gc();
  const arrays = Array.from({ length: 40 }, () => new Uint8Array(SIZE));
  return () => {
    for (const array of arrays) assert.ok(array.every((byte) => byte === 0), 'a guard was written to');
  };
}

describe('memory of a readinto that waits behind another read', () => {
  test('makes it reject when it goes away, and not tell that the body is at its end', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const first = response.read(4);
      const { buffer } = new Uint8Array(1000);
      const second = response.readinto(new Uint8Array(buffer));
      structuredClone(buffer, { transfer: [buffer] });
      const refused = assert.rejects(second, { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
      await more(0, 8);
      assert.equal((await settles(first)).toString(), 'EVIL');
      await settles(refused);
      assert.equal((await settles(response.read(4))).toString(), 'EVIL');
    }),
  );

  test('is filled as far as it went when it was given', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const first = response.read(4);
      const buffer = new ArrayBuffer(4, { maxByteLength: 100 });
      const second = response.readinto(new Uint8Array(buffer));
      buffer.resize(100);
      await more(0, 8);
      await settles(first);
      assert.equal(await settles(second), 4);
    }),
  );
});

describe('memory that goes away while readinto waits', () => {
  for (const [what, go] of Object.entries({
    'transferred to another thread': (buffer) => structuredClone(buffer, { transfer: [buffer] }),
    'transferred and dropped': (buffer) => void structuredClone(buffer, { transfer: [buffer] }),
    ...(ArrayBuffer.prototype.transfer ? { 'transferred by transfer()': (buffer) => buffer.transfer() } : {}),
  })) {
    for (const come of [0, 300_000]) {
      test(`${what} after ${come} bytes is written to no more, and readinto never resolves with what isn't there`, LIMIT, () =>
        withStalled(async ({ response, more }) => {
          const buffer = new ArrayBuffer(SIZE);
          const reading = response.readinto(new Uint8Array(buffer));
          reading.catch(() => {});
          await more(0, come);
          const kept = go(buffer);
          assert.equal(buffer.byteLength, 0);
          const check = guards();
          await more(come, SIZE);
          await assert.rejects(settles(reading), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
          check();
          if (kept) assert.ok(new Uint8Array(kept).subarray(come).every((byte) => byte === 0), 'written after the transfer');
        }));
    }
  }

  test('nothing is lost with it: the next read begins where it went away', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const buffer = new ArrayBuffer(SIZE);
      const reading = response.readinto(new Uint8Array(buffer));
      reading.catch(() => {});
      await more(0, 300_001); // the block on its way to the buffer is in the kernel's hands by now
      structuredClone(buffer, { transfer: [buffer] });
      const rest = response.read();
      await more(300_001, SIZE);
      await assert.rejects(settles(reading), { message: /300001 bytes had been written/ });
      const bytes = await settles(rest);
      assert.equal(bytes.length, SIZE - 300_001);
      assert.equal(bytes.latin1Slice(0, 7), 'VILEVIL');
    }));

  test('shrunk is written to no more than is there, and readinto rejects', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const buffer = new ArrayBuffer(SIZE, { maxByteLength: SIZE });
      const reading = response.readinto(new Uint8Array(buffer));
      reading.catch(() => {});
      await more(0, 300_000);
      buffer.resize(1000);
      await more(300_000, SIZE);
      await assert.rejects(settles(reading), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
      buffer.resize(SIZE);
      assert.ok(new Uint8Array(buffer).subarray(1000).every((byte) => byte === 0));
    }));

  test('shrunk under a view with a place of its own is out of bounds: readinto rejects, and the rest can be read', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const buffer = new ArrayBuffer(SIZE, { maxByteLength: SIZE });
      const reading = response.readinto(new Uint8Array(buffer, 5000, 100_000));
      reading.catch(() => {});
      buffer.resize(50_000);
      await more(0, SIZE);
      await assert.rejects(settles(reading), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
      assert.equal((await settles(response.read())).length, SIZE);
    }));

  test('grown is filled as far as it reached when it was given', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const buffer = new ArrayBuffer(1000, { maxByteLength: SIZE });
      const reading = response.readinto(new Uint8Array(buffer));
      buffer.resize(2000);
      await more(0, SIZE);
      const count = await settles(reading);
      assert.equal(count, 1000);
      assert.ok(new Uint8Array(buffer).subarray(1000).every((byte) => byte === 0));
    }));

  test('shared and grown is filled as far as it reached when it was given', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const buffer = new SharedArrayBuffer(200_000, { maxByteLength: SIZE });
      const reading = response.readinto(new Uint8Array(buffer));
      await more(0, 100_000);
      buffer.grow(SIZE);
      await more(100_000, SIZE);
      assert.equal(await settles(reading), 200_000);
      const view = new Uint8Array(buffer);
      assert.ok(Buffer.from(view.subarray(0, 200_000)).equals(Buffer.alloc(200_000, 'EVIL')));
      assert.ok(view.subarray(200_000).every((byte) => byte === 0));
    }));

  test('detached before it is given is refused or filled with nothing, and the body stays', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const view = new Uint8Array(100);
      structuredClone(view.buffer, { transfer: [view.buffer] });
      await settles(response.readinto(view)).then((count) => assert.equal(count, 0), (error) => assert.equal(error.name, 'TypeError'));
      await more(0, SIZE);
      assert.equal((await settles(response.read())).length, SIZE);
    }));

  test('that nobody but readinto holds is kept, and filled', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      const reading = response.readinto(new Uint8Array(SIZE));
      gc();
      const check = guards();
      await more(0, SIZE);
      assert.equal(await settles(reading), SIZE);
      check();
    }));
});

describe('memory is no longer wanted', () => {
  for (const [what, end] of Object.entries({
    'after close()': ({ conn }) => conn.close(),
    'after response.close()': ({ response }) => response.close(),
    'after sock = null': ({ conn }) => {
      conn.sock.on('error', () => {});
      conn.sock = null;
    },
    'after response.detach() is refused, and close()': ({ conn, response }) => {
      assert.throws(() => response.detach(), { name: 'ImproperConnectionState' });
      conn.close();
    },
  })) {
    test(`${what} nothing is written`, LIMIT, () =>
      withStalled(async (all) => {
        const target = new Uint8Array(SIZE);
        const reading = all.response.readinto(target);
        reading.catch(() => {});
        await all.more(0, 300_000);
        end(all);
        const before = Buffer.from(target);
        await settles(reading).then(
          (count) => assert.ok(before.subarray(0, count).every((byte) => byte !== 0)),
          () => {},
        );
        await all.more(300_000, SIZE);
        assert.ok(Buffer.from(target).equals(before));
      }));
  }

  test('after an abort nothing is written', LIMIT, () =>
    withServer(
      (_head, socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
        const timer = setInterval(() => socket.write(Buffer.alloc(50_000, 'x')), 5);
        socket.on('close', () => clearInterval(timer));
      },
      async ({ port }) => {
        const stop = new AbortController();
        const conn = connect(port);
        await conn.request('GET', '/', null, {}, { signal: stop.signal });
        const response = await conn.getresponse();
        const target = new Uint8Array(SIZE);
        const reading = response.readinto(target);
        reading.catch(() => {});
        await until(() => target[0] !== 0);
        stop.abort();
        const before = Buffer.from(target);
        await assert.rejects(settles(reading), { name: 'AbortError' });
        await sleep(60);
        assert.ok(Buffer.from(target).equals(before));
      },
    ));

  test('after a timeout nothing is written', LIMIT, () =>
    withStalled(async ({ conn, response, more }) => {
      conn.timeout = 0.1;
      const target = new Uint8Array(SIZE);
      await assert.rejects(settles(response.readinto(target)), { name: 'TimeoutError' });
      await more(0, SIZE);
      assert.ok(target.every((byte) => byte === 0));
      conn.timeout = 30;
    }));
});

describe('what is given', () => {
  test('is never changed by what comes later', LIMIT, () =>
    withStalled(async ({ response, more }) => {
      await more(0, SIZE);
      const first = await settles(response.read(1000));
      const peeked = await settles(response.peek(1000));
      const one = await settles(response.read1(1000));
      const copies = [first, peeked, one].map((bytes) => Buffer.from(bytes));
      await settles(response.read());
      [first, peeked, one].forEach((bytes, index) => assert.ok(bytes.equals(copies[index])));
      first.fill(0); // and can be written to
    }));

  test('by bytes() and arrayBuffer() is memory of its own', LIMIT, () =>
    withServer(
      () => 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody',
      async ({ port }) => {
        const conn = connect(port);
        assert.equal((await (await get(conn)).bytes()).buffer.byteLength, 4);
        assert.equal((await (await get(conn)).arrayBuffer()).byteLength, 4);
        conn.close();
      },
    ));
});

describe('bodies of requests', () => {
  for (const size of [10, 20_000, 70_000, 3_000_000]) {
    test(`of ${size} bytes can be changed once request() has resolved`, LIMIT, () =>
      withUploads(
        async (request) => {
          request.socket.pause();
          setTimeout(() => request.socket.resume(), 50);
          await request.has();
          request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        },
        async ({ port, requests }) => {
          const conn = connect(port);
          const bytes = pattern(size);
          const before = Buffer.from(bytes);
          await settles(conn.request('PUT', '/', bytes));
          bytes.fill('!');
          await (await settles(conn.getresponse())).read();
          assert.ok(requests[0].body.equals(before));
          conn.close();
        },
      ));
  }

  for (const size of [1, 100, 20_000, 100_000, 600_000]) {
    for (const [what, make] of Object.entries({
      'a generator': function* (buffer, count) {
        for (let i = 0; i < count; i++) yield buffer.fill(i + 1);
      },
      'an async generator': async function* (buffer, count) {
        for (let i = 0; i < count; i++) {
          if (i % 3 === 0) await new Promise(setImmediate);
          yield buffer.fill(i + 1);
        }
      },
      'read()': (buffer, count) => {
        let i = 0;
        return { read: () => (i < count ? buffer.fill(++i) : null) };
      },
    })) {
      test(`${what} can give the same ${size} bytes again and again with other content`, LIMIT, () =>
        withUploads(
          async (request) => {
            const timer = setInterval(() => (request.socket.isPaused() ? request.socket.resume() : request.socket.pause()), 3);
            await request.has();
            clearInterval(timer);
            request.socket.resume();
            request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
          },
          async ({ port, requests }) => {
            const conn = connect(port);
            const count = size > 50_000 ? 12 : 100;
            await settles(conn.request('PUT', '/', make(Buffer.alloc(size), count)), 40_000);
            await (await settles(conn.getresponse())).read();
            const { body } = requests[0];
            assert.equal(body.length, size * count);
            for (let i = 0; i < count; i++) {
              assert.ok(body.subarray(i * size, (i + 1) * size).every((byte) => byte === i + 1), `piece ${i}`);
            }
            conn.close();
          },
        ));
    }
  }

  test('of a source whose bytes go away behind it are what they were', LIMIT, () =>
    withUploads(
      async (request) => {
        await request.has();
        request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      },
      async ({ port, requests }) => {
        const conn = connect(port);
        function* source() {
          for (let i = 0; i < 20; i++) {
            const bytes = new Uint8Array(90_000).fill(i + 1);
            yield bytes;
            structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
          }
        }
        await settles(conn.request('PUT', '/', source()));
        await (await settles(conn.getresponse())).read();
        const { body } = requests[0];
        assert.equal(body.length, 1_800_000);
        for (let i = 0; i < 20; i++) assert.ok(body.subarray(i * 90_000, (i + 1) * 90_000).every((byte) => byte === i + 1), `piece ${i}`);
        conn.close();
      },
    ));
});

describe('memory of a body that goes away while it is sent', () => {
  const LARGE = 16_000_000;
  const GONE = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /^the memory of the body was transferred or shrunk while it was sent: \d+ of \d+ bytes had gone out$/ };
  const slowly = (_head, socket) => {
    socket.pause();
    setTimeout(() => socket.resume(), 100);
  };
  const kept = []; // the kernel may be at it
  const goes = {
    transferred: (buffer) => kept.push(structuredClone(buffer, { transfer: [buffer] })),
    shrunk: (buffer) => buffer.resize(buffer.byteLength - 1),
  };
  const ways = {
    'request()': (conn, bytes) => conn.request('POST', '/', bytes),
    'request() in chunks': (conn, bytes) => conn.request('POST', '/', [bytes]),
    'send()': async (conn, bytes) => {
      conn.putrequest('POST', '/');
      conn.putheader('Content-Length', String(bytes.length));
      await conn.endheaders();
      await conn.send(bytes);
    },
  };

  for (const [how, go] of Object.entries(goes)) {
    for (const [way, upload] of Object.entries(ways)) {
      test(`${how}, by ${way}: the error says so, and the connection is not used again`, LIMIT, () =>
        withServer(
          (head, socket) => (head.startsWith('GET') ? reply('well') : slowly(head, socket)),
          async ({ port, connections }) => {
            const conn = new HTTPConnection('127.0.0.1', port, { timeout: 20 });
            const buffer = new ArrayBuffer(LARGE, { maxByteLength: LARGE });
            const sent = settles(upload(conn, new Uint8Array(buffer)));
            sent.catch(() => {});
            await sleep(50);
            go(buffer);
            await assert.rejects(sent, GONE);
            assert.equal(conn.sock, null);
            await conn.request('GET', '/');
            assert.equal(await (await conn.getresponse()).text(), 'well');
            assert.equal(connections(), 2);
            conn.close();
          },
        ));
    }

    test(`${how} before send() has begun`, LIMIT, () =>
      withServer(slowly, async ({ port }) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 20 });
        conn.putrequest('POST', '/');
        conn.putheader('Content-Length', '1000');
        await conn.endheaders();
        const buffer = new ArrayBuffer(1000, { maxByteLength: 1000 });
        const sent = conn.send(new Uint8Array(buffer));
        go(buffer);
        await assert.rejects(settles(sent), GONE);
        conn.close();
      }));
  }

  test('grown: it is what it was', LIMIT, () =>
    withServer(
      (head, socket) => (head.startsWith('GET') ? reply('well') : slowly(head, socket)),
      async ({ port, requests }) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 20 });
        const buffer = new ArrayBuffer(LARGE, { maxByteLength: 2 * LARGE });
        const sent = settles(conn.request('POST', '/', new Uint8Array(buffer).fill(120)));
        await sleep(50);
        buffer.resize(2 * LARGE);
        await sent;
        await until(() => requests[0].length - requests[0].indexOf('\r\n\r\n') - 4 === LARGE);
        conn.close();
      },
    ));
});
