// SPDX-License-Identifier: MIT
//
// What a program, or its test framework, can put around the package: other realms, fake timers, signals that many share; and
// what keeps a process alive.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import vm from 'node:vm';
import { HTTPConnection } from '../../js/index.js';
import { runCode } from '../support/process.mjs';
import { withServer } from '../support/raw-server.mjs';
import { settles, until, withUploads } from '../support/upload-server.mjs';

const library = new URL('../../js/index.js', import.meta.url).href;
const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const LIMIT = { timeout: 60_000 };
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function get(conn, ...more) {
  await conn.request('GET', '/', ...more);
  return conn.getresponse();
}

/** Runs a program that has the classes, and tells what it printed and how it ended. */
const program = (code) => runCode(`import { HTTPConnection, HTTPSConnection } from ${JSON.stringify(library)};\n${code}`);

describe('another realm', () => {
  for (const code of [
    'new Uint8Array([1, 2, 3, 4])',
    'new Uint8Array([1, 2, 3, 4]).buffer',
    'new DataView(new Uint8Array([1, 2, 3, 4]).buffer)',
    'new Uint16Array([0x0201, 0x0403])',
    'new Uint8Array(new SharedArrayBuffer(4)).fill(7)',
    '[new Uint8Array([1, 2]), new Uint8Array([3, 4]).buffer]',
    '(function* () { yield new Uint8Array([1, 2]); yield new Uint8Array([3, 4]); })()',
    '(async function* () { yield new Uint8Array([1, 2, 3, 4]); })()',
  ]) {
    test(`gives a body that is sent: ${code}`, LIMIT, () =>
      withUploads(
        async (request) => {
          await request.has();
          request.socket.write(OK);
        },
        async ({ port, requests }) => {
          const conn = connect(port);
          await conn.request('PUT', '/', vm.runInNewContext(code));
          await (await settles(conn.getresponse())).read();
          assert.equal(requests[0].body.toString('hex'), code.includes('fill(7)') ? '07070707' : '01020304');
          conn.close();
        },
      ));
  }

  test('gives views and buffers that readinto fills', LIMIT, () =>
    withServer(
      () => OK,
      async ({ port }) => {
        const conn = connect(port);
        for (const code of ['new Uint8Array(2)', 'new ArrayBuffer(2)', 'new DataView(new ArrayBuffer(2))', 'new SharedArrayBuffer(2)', 'new Uint16Array(1)']) {
          const target = vm.runInNewContext(code);
          assert.equal(await (await get(conn)).readinto(target), 2);
          assert.equal(Buffer.from(target.buffer ?? target).toString(), 'ok', code);
        }
        conn.close();
      },
    ));
});

describe('fake timers', () => {
  test('of node:test that are put in place later stop neither requests nor time limits', LIMIT, (t) =>
    withServer(
      (head) => (head.includes('/stuck') ? undefined : OK),
      async ({ port }) => {
        const real = { setTimeout, setImmediate };
        t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] });
        try {
          const late = new Promise((_resolve, reject) => {
            real.setTimeout(() => reject(new Error('it hangs')), 40_000).unref();
          });
          const work = async () => {
            const conn = connect(port, { timeouts: { headers: 1.5 } });
            for (const body of [null, 'x', Buffer.alloc(300_000), Array.from({ length: 20 }, () => Buffer.alloc(10_000))]) {
              await conn.request('PUT', '/', body);
              assert.equal(await (await conn.getresponse()).text(), 'ok');
              conn.close();
            }
            await conn.request('GET', '/stuck');
            await assert.rejects(conn.getresponse(), { name: 'TimeoutError', phase: 'receive' });
            await conn.request('GET', '/stuck', null, {}, { deadline: 1.4 });
            await assert.rejects(conn.getresponse(), { name: 'TimeoutError', limit: 1.4 });
            await conn.request('PUT', '/', 'x', {}, { expect_continue: 0.05 });
            await conn.getresponse();
            conn.close();
          };
          await Promise.race([late, work()]);
        } finally {
          t.mock.timers.reset();
        }
      },
    ));

  test('made by hand after the import, of everything that tells time, stop nothing either', LIMIT, () =>
    withServer(
      (head) => (head.includes('/stuck') ? undefined : OK),
      async ({ port }) => {
        const { status, output } = await program(`import timers from 'node:timers';
          const never = () => 0;
          for (const name of ['setTimeout', 'setImmediate', 'setInterval', 'clearTimeout', 'clearImmediate', 'queueMicrotask']) {
            globalThis[name] = never;
            if (name in timers) timers[name] = never;
          }
          performance.now = () => 42;
          Date.now = () => 42;
          const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 0.3 });
          for (const body of [null, Buffer.alloc(300000), ['a', 'b']]) {
            await conn.request('PUT', '/', body);
            console.log(await (await conn.getresponse()).text());
            conn.close();
          }
          await conn.request('GET', '/stuck');
          await conn.getresponse().catch((error) => console.log(error.name));
          await conn.request('GET', '/stuck', null, {}, { deadline: 0.1 });
          await conn.getresponse().catch((error) => console.log(error.name));`);
        assert.deepEqual([status, output], [0, 'ok\nok\nok\nTimeoutError\nTimeoutError\n']);
      },
    ));
});

describe('a signal', () => {
  test('that 30 connections share is listened to once, without a warning, and by nobody afterwards', LIMIT, async () => {
    const warnings = [];
    const note = (warning) => warnings.push(warning);
    process.on('warning', note);
    try {
      await withServer(
        (head) => (head.includes('/stuck') ? undefined : OK),
        async ({ port }) => {
          const stop = new AbortController();
          const all = Array.from({ length: 30 }, () => connect(port, { signal: stop.signal }));
          for (const conn of all) await (await get(conn)).read();
          assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
          const waits = all.map(async (conn) => {
            await conn.request('GET', '/stuck');
            return conn.getresponse();
          });
          await sleep(50);
          assert.equal(getEventListeners(stop.signal, 'abort').length, 1);
          stop.abort(new Error('enough'));
          for (const { reason } of await settles(Promise.allSettled(waits))) assert.equal(reason, stop.signal.reason);
          assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
        },
      );
      await new Promise(setImmediate);
      assert.deepEqual(warnings, []);
    } finally {
      process.off('warning', note);
    }
  });

  for (const [what, end] of Object.entries({
    'an answer': async (conn) => void (await (await conn.getresponse()).read()),
    'close()': async (conn) => {
      const waiting = conn.getresponse().catch(() => {});
      conn.close();
      await waiting;
    },
    'a timeout': async (conn) => {
      conn.timeout = 0.05;
      await conn.getresponse().catch(() => {});
    },
    'sock = null': async (conn) => {
      const waiting = conn.getresponse().catch(() => {});
      const { sock } = conn;
      conn.sock = null;
      await waiting;
      sock.destroy();
    },
  })) {
    test(`of a request has no listener after ${what}`, LIMIT, () =>
      withServer(
        () => (what === 'an answer' ? OK : undefined),
        async ({ port }) => {
          const { signal } = new AbortController();
          const conn = connect(port);
          await conn.request('POST', '/', ['a', 'b'], {}, { signal });
          await end(conn);
          await until(() => getEventListeners(signal, 'abort').length === 0);
          conn.close();
        },
      ));
  }

  test('of a request has no listener after an upload that the response has outrun', LIMIT, () =>
    withUploads(
      (request) => request.socket.write(OK),
      async ({ port }) => {
        const { signal } = new AbortController();
        const conn = connect(port);
        async function* slow() {
          for (let i = 0; i < 5; i++) {
            yield 'x';
            await sleep(10);
          }
        }
        await conn.request('POST', '/', slow(), {}, { signal });
        await (await conn.getresponse()).read();
        await until(() => getEventListeners(signal, 'abort').length === 0);
        conn.close();
      },
    ));
});

describe('a process', () => {
  test('ends with connections at rest that it holds: unused, and after bodies of every kind', LIMIT, () =>
    withUploads(
      async (request) => {
        await request.has();
        request.socket.write(OK);
      },
      async ({ port }) => {
        const { status, output } = await program(`globalThis.held = [];
          for (const body of [null, 'x', ['a', 'b'], Buffer.alloc(300000)]) {
            const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 60, deadline: 60 });
            held.push(conn);
            for (let i = 0; i < 2; i++) {
              await conn.request('PUT', '/', body);
              await (await conn.getresponse()).read();
            }
          }
          const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 60 });
          held.push(conn);
          await conn.connect();
          console.log('done');`);
        assert.deepEqual([status, output], [0, 'done\n']);
      },
    ));

  for (const [way, read] of Object.entries({
    read: 'await response.read()',
    'read in pieces': 'while ((await response.read(3)).length > 0);',
    readinto: 'await response.readinto(new Uint8Array(20))',
    readline: 'await response.readline()',
    readlines: 'await response.readlines()',
    body: 'for await (const piece of response.body);',
    'two reads at once': 'await Promise.all([response.read(6), response.read()])',
  })) {
    test(`ends after a body that came late and was read by ${way}`, LIMIT, () =>
      withServer(
        (_head, socket) => {
          setTimeout(() => socket.write('56789'), 100);
          return 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234';
        },
        async ({ port }) => {
          const { status, output } = await program(`globalThis.conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 60 });
            await conn.request('GET', '/');
            const response = await conn.getresponse();
            ${read};
            console.log('done');`);
          assert.deepEqual([status, output], [0, 'done\n']);
        },
      ));
  }

  for (const [what, code] of Object.entries({
    'an answer': `await conn.request('GET', '/slow');
      conn.getresponse().then((response) => response.read()).then(() => console.log('answered'));`,
    'an answer that nobody asked for yet': `await conn.request('GET', '/slow');
      await (await conn.getresponse()).read();
      console.log('answered');`,
    'the rest of a body': `await conn.request('GET', '/half');
      const response = await conn.getresponse();
      response.read().then((bytes) => console.log(bytes.length === 10 ? 'answered' : 'cut'));`,
    'an answer after a rest': `await conn.request('GET', '/');
      await (await conn.getresponse()).read();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await conn.request('GET', '/slow');
      conn.getresponse().then((response) => response.read()).then(() => console.log('answered'));`,
    'a connection': `conn.request('GET', '/').then(() => conn.getresponse()).then((response) => response.read()).then(() => console.log('answered'));`,
  })) {
    test(`does not end while it waits for ${what}`, LIMIT, () =>
      withServer(
        (head, socket) => {
          if (head.includes('/slow')) return void setTimeout(() => socket.write(OK), 400);
          if (head.includes('/half')) {
            setTimeout(() => socket.write('56789'), 400);
            return 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234';
          }
          return OK;
        },
        async ({ port }) => {
          const { status, output } = await program(`const conn = new HTTPConnection('127.0.0.1', ${port});\n${code}`);
          assert.equal(status, 0, output);
          assert.match(output, /^answered\n/);
        },
      ));
  }

  test('does not end while an upload goes on behind its answer', LIMIT, () =>
    withUploads(
      async (request) => {
        request.socket.write(OK);
        request.socket.pause();
        setTimeout(() => request.socket.resume(), 500);
      },
      async ({ port, requests }) => {
        const { status, output } = await program(`const conn = new HTTPConnection('127.0.0.1', ${port});
          await conn.request('PUT', '/', Buffer.alloc(20_000_000));
          console.log(await (await conn.getresponse()).text());`);
        assert.deepEqual([status, output], [0, 'ok\n']);
        await settles(requests[0].has());
        assert.equal(requests[0].length, 20_000_000);
      },
    ));

  test('does not end while a socket that was detached is open, and ends by itself when the peer ends', LIMIT, () =>
    withServer(
      (_head, socket) => {
        setTimeout(() => socket.end(), 500);
        return 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
      },
      async ({ port }) => {
        const { status, output } = await program(`const conn = new HTTPConnection('127.0.0.1', ${port});
          await conn.request('GET', '/');
          await conn.getresponse();
          const { socket } = conn.detach();
          socket.on('close', () => console.log('closed')).resume();`);
        assert.deepEqual([status, output], [0, 'closed\n']);
      },
    ));

  test('ends without its timers: a deadline and a timeout that are far keep nothing', LIMIT, () =>
    withServer(
      () => OK,
      async ({ port }) => {
        const { status } = await program(`const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 600, deadline: 600 });
          await conn.request('GET', '/');
          await (await conn.getresponse()).read();
          conn.close();`);
        assert.equal(status, 0);
      },
    ));

  test('that imports another copy is told of a foreign context, and never passed over', LIMIT, async () => {
    const { status, output } = await program(`const other = await import(${JSON.stringify(`${library}?copy`)});
      const pinned = new other.SSLContext();
      pinned.verify_mode;
      try {
        new HTTPSConnection('localhost', 1, { context: pinned });
        console.log('taken');
      } catch (error) {
        console.log(error.name);
      }`);
    assert.equal(status, 0, output);
    assert.match(output, /^(taken|TypeError)\n$/);
  });
});
