// SPDX-License-Identifier: MIT
//
// Chunks that come fast are read into memory that the core has lent to the system: it stays lent, whatever becomes of the
// connection, the response and the socket, and what comes into it is the body, the next answer, or refused, as from anywhere.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection } from '../../js/index.js';
import { gather } from '../support/gather.mjs';
import { runCode } from '../support/process.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

const library = new URL('../../js/index.js', import.meta.url).href;
const LIMIT = { timeout: 120_000 };
const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const LAST = '0\r\n\r\n';
const BODY = Buffer.from(Uint32Array.from({ length: 1 << 20 }, (_, index) => index * 2654435761).buffer); // 4 MiB
/** So many bytes make a body a long one; a read after them that is as full as one can be makes the core lend memory for the next. */
const LONG = 600_000;
const FULL = 32 * 1024;
const OTHER = Buffer.alloc(400_000, 'another one');

/** A body in chunks of these sizes, in turn. */
function chunks(body, sizes) {
  const parts = [];
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const data = body.subarray(at, at + sizes[turn % sizes.length]);
    parts.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n'));
    at += data.length;
  }
  return Buffer.concat(parts);
}

const connect = (port) => new HTTPConnection('127.0.0.1', port, { timeout: 30 });

async function get(conn, path) {
  await conn.request('GET', path);
  return conn.getresponse();
}

/** Sends so much of a body that the core has lent memory for the next read, which doesn't come: in chunks of 1,000 bytes. */
async function sendUntilLent(socket) {
  const wire = Buffer.concat([Buffer.from(HEAD), chunks(BODY, [1000])]);
  socket.write(wire.subarray(0, LONG));
  await sleep(30);
  socket.write(wire.subarray(LONG, LONG + FULL));
  return wire.subarray(LONG + FULL, LONG + FULL + 300_000);
}

test('what a socket is read into that the caller takes amid a body is nobody else\'s', LIMIT, async () => {
  let sent;
  const answer = (head, socket) => {
    if (head.startsWith('GET /other')) return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${OTHER.length}\r\n\r\n`), OTHER]);
    sent = sendUntilLent(socket).then((rest) => ({ rest, goOn: () => socket.write(rest) }));
    return undefined;
  };
  await withServer(answer, async ({ port }) => {
    for (let time = 0; time < 20; time++) {
      const taken = connect(port);
      const response = await get(taken, '/');
      await response.read(620_000);
      await sleep(20);
      const socket = taken.sock;
      taken.sock = null;
      const conn = connect(port); // has the buffer that the other one had, and leaves a body in it
      const other = await get(conn, '/other');
      await sleep(20);
      const { rest, goOn } = await sent;
      goOn();
      const received = [];
      while (Buffer.concat(received).length < rest.length) received.push(...(await once(socket, 'data')));
      assert.ok(Buffer.concat(received).equals(rest));
      assert.ok((await other.read()).equals(OTHER), `the body of another connection, time ${time}`);
      socket.destroy();
      conn.close();
    }
  });
});

describe('a body in chunks that come fast is read to the byte', () => {
  for (const [name, sizes] of Object.entries({
    'chunks of 1 byte': [1],
    'chunks of 64 bytes': [64],
    'chunks of all sizes': [1, 5000, 17, 65536, 300, 3, 1024, 1025, 262144, 40],
    'chunks of 60,000 bytes': [60_000],
  })) {
    const body = name === 'chunks of 1 byte' ? BODY.subarray(0, 600_000) : BODY;
    const wire = Buffer.concat([Buffer.from(HEAD), chunks(body, sizes), Buffer.from('0\r\nX-Sum: 1\r\n\r\n')]);
    const ways = {
      'read()': async (response) => response.read(),
      'readinto of 64 KiB': (response) => readAll(response, 65536),
      'readinto of 100,000 bytes and pauses': (response) => readAll(response, 100_000, () => sleep(1)),
      'read1()': (response) => gather(() => response.read1()),
      'read(200000)': (response) => gather(() => response.read(200_000)),
      'all ways in turn': (response) => {
        let turn = 0;
        return gather(() => [() => response.read(70_000), () => response.read1(), () => response.readline(), () => response.read(7)][turn++ % 4]());
      },
    };
    for (const [how, read] of Object.entries(ways)) {
      test(`${name}, by ${how}`, LIMIT, () =>
        withServer(
          () => wire,
          async ({ port, connections }) => {
            const conn = connect(port);
            for (let time = 0; time < 2; time++) {
              const response = await get(conn, '/');
              assert.ok((await read(response)).equals(body));
              assert.equal(response.trailers.get('X-Sum'), '1');
            }
            assert.equal(connections(), 1);
            conn.close();
          },
        ));
    }
  }
});

async function readAll(response, size, pause = () => {}) {
  const view = Buffer.alloc(size);
  return gather(async () => {
    await pause();
    return Buffer.from(view.subarray(0, await response.readinto(view)));
  });
}

test('what comes unasked behind such a body is not the next answer', LIMIT, () => {
  const planted = Buffer.concat([Buffer.from(HEAD), chunks(BODY.subarray(0, 1_000_000), [64]), Buffer.from(LAST), Buffer.from(reply('planted'))]);
  return withServer(
    (head) => (head.startsWith('GET /next') ? reply('asked') : planted),
    async ({ port }) => {
      for (let time = 0; time < 10; time++) {
        const conn = connect(port);
        assert.equal((await (await get(conn, '/')).read()).length, 1_000_000);
        assert.equal(await (await get(conn, '/next')).text(), 'asked');
        conn.close();
      }
    },
  );
});

test('a body that is cut, or a connection that is closed meanwhile, ends who reads, and leaves nothing behind', LIMIT, () =>
  withServer(
    (head, socket) => {
      socket.write(HEAD);
      socket.write(chunks(BODY, [1000]));
      if (head.startsWith('GET /cut')) socket.end();
      else if (head.startsWith('GET /reset')) setTimeout(() => socket.resetAndDestroy(), 20);
    },
    async ({ port }) => {
      for (let time = 0; time < 100; time++) {
        const conn = connect(port);
        const response = await get(conn, ['/cut', '/reset', '/wait'][time % 3]);
        const view = Buffer.alloc(300_000);
        await response.readinto(view);
        const [reading] = await Promise.allSettled([response.read(), time % 3 === 2 && sleep(10).then(() => (time % 2 ? conn.close() : response.close()))]);
        assert.equal(reading.status, 'rejected', `${time}`);
        conn.close();
      }
      const conn = connect(port);
      const response = await get(conn, '/cut');
      await assert.rejects(response.read(), { name: 'IncompleteRead' });
      conn.close();
    },
  ));

test('responses that are kept hold no memory of connections that were closed amid a body', LIMIT, () =>
  withServer(
    (_head, socket) => void sendUntilLent(socket),
    async ({ port }) => {
      const { status, stdout, stderr } = await runCode(
        `import { setTimeout as sleep } from 'node:timers/promises';
        import { HTTPConnection } from ${JSON.stringify(library)};
        const memories = [];
        const { Instance } = WebAssembly;
        WebAssembly.Instance = function (...args) {
          const instance = new Instance(...args);
          memories.push(new WeakRef(instance.exports.memory));
          return instance;
        };
        const kept = [];
        for (let round = 0; round < 6; round++) {
          const open = await Promise.all(Array.from({ length: 70 }, async () => {
            const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
            await conn.request('GET', '/');
            const response = await conn.getresponse();
            await response.read(620_000);
            kept.push(response, conn);
            return conn;
          }));
          await sleep(30);
          for (const conn of open) conn.close();
          await sleep(50); // until the sockets are closed
        }
        for (let i = 0; i < 6; i++) {
          gc();
          await sleep(20);
        }
        console.log(memories.length, memories.filter((memory) => memory.deref() !== undefined).length, kept.length);
        process.exit();`,
        ['--expose-gc'],
        LIMIT,
      );
      assert.equal(status, 0, stderr);
      const [made, there] = stdout.split(' ').map(Number);
      assert.ok(made > 2, `${made} were made`);
      assert.ok(there <= 1, `${there} of ${made} are there still`);
    },
  ));
