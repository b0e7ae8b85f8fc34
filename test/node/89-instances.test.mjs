// SPDX-License-Identifier: MIT
//
// Instances of the module are shared and given back: what many connections took is free again when they are closed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCode } from '../support/process.mjs';
import { withServer } from '../support/raw-server.mjs';

const library = new URL('../../js/index.js', import.meta.url).href;
const LIMIT = { timeout: 120_000 };
const MB = 1024 * 1024;

/** Runs a program of its own, as garbage of others counts as well, and gives what it measured. */
async function measure(code) {
  const source = `import { readFileSync } from 'node:fs';
    import { HTTPConnection } from ${JSON.stringify(library)};
    const measured = [];
    async function measure() {
      for (let i = 0; i < 6; i++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const { external, arrayBuffers, rss } = process.memoryUsage();
      const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'latin1') : '';
      const size = Number(/VmSize:\\s+(\\d+)/.exec(status)?.[1] ?? 0) * 1024;
      measured.push({ external, arrayBuffers, rss, size });
    }
    ${code}
    console.log(JSON.stringify(measured));`;
  const { status, stdout, stderr } = await runCode(source, ['--expose-gc'], LIMIT);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const answered = (use) => withServer(() => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', use);

/**
 * Asserts that the last measurement is no more than the first, but for one instance that somebody can still hold: 64 MB that
 * nobody touches, and 10 GB of addresses that the engine reserves around each memory.
 */
function assertGivenBack(measured, { external = 80 * MB, size = 12 * 1024 * MB } = {}) {
  const [first] = measured;
  const last = measured.at(-1);
  assert.ok(last.external - first.external < external, `external: ${JSON.stringify(measured)}`);
  assert.ok(last.size - first.size < size, `addresses: ${JSON.stringify(measured)}`);
}

test('1,000 connections that are open at once and closed give their memory and addresses back', LIMIT, () =>
  answered(async ({ port }) => {
    const measured = await measure(`
      const one = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
      await one.request('GET', '/');
      await (await one.getresponse()).read();
      await measure();
      let all = [];
      for (let i = 0; i < 1000; i++) {
        const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
        all.push(conn);
        await conn.request('GET', '/');
        await (await conn.getresponse()).read();
      }
      await measure();
      for (const conn of all) conn.close();
      all = null;
      await measure();
      one.close();`);
    assertGivenBack(measured);
    assert.ok(measured[1].rss - measured[0].rss < 400 * MB, JSON.stringify(measured));
  }));

test('a connection that has read a long body in small chunks, however slowly, needs no more memory than for some of them', LIMIT, () => {
  const chunk = `40\r\n${'x'.repeat(64)}\r\n`;
  const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(4800)}0\r\n\r\n`;
  return withServer(() => answer, async ({ port }) => {
    const measured = await measure(`
      const view = new Uint8Array(65536);
      const use = async () => {
        const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 20 });
        await conn.request('GET', '/');
        const response = await conn.getresponse();
        while ((await response.readinto(view)) > 0);
        return conn;
      };
      const all = [];
      for (let i = 0; i < 20; i++) all.push(await use());
      await measure();
      for (let i = 0; i < 10; i++) all.push(...await Promise.all(Array.from({ length: 30 }, use)));
      await measure();
      for (const conn of all) conn.close();`);
    const each = (measured[1].rss - measured[0].rss) / 300;
    assert.ok(each < 100 * 1024, `${each} bytes for each`);
  });
});

test('the memory of bodies that waited for a slow reader is shared by the connections that rest', LIMIT, () => {
  const answer = (size) => `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
  return withServer(() => answer(400_000), async ({ port }) => {
    const measured = await measure(`
      const use = async (conn) => {
        await conn.request('GET', '/');
        const response = await conn.getresponse();
        while ((await response.peek(1)).length > 0 && conn.sock.bytesRead < 390_000 * conn.request_count) {
          await new Promise(setImmediate);
        }
        if ((await response.read()).length !== 400_000) throw new Error('cut');
      };
      const all = [];
      const open = async (count) => {
        for (let i = 0; i < count; i++) {
          all.push(new HTTPConnection('127.0.0.1', ${port}, { timeout: 20 }));
          await use(all.at(-1));
        }
      };
      await open(30);
      await measure();
      await open(200);
      await measure();
      for (let i = 0; i < all.length; i += 7) await use(all[i]);
      for (const conn of all) conn.close();`);
    const each = (measured[1].rss - measured[0].rss) / 200;
    assert.ok(each < 100 * 1024, `${each} bytes for each`);
  });
});

test('limits of 50 sizes, one after the other and side by side, leave nothing behind', LIMIT, () =>
  answered(async ({ port }) => {
    const measured = await measure(`
      const use = async (head) => {
        const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30, limits: { head } });
        await conn.request('GET', '/');
        await (await conn.getresponse()).read();
        return conn;
      };
      (await use(262144)).close();
      await measure();
      for (let i = 0; i < 50; i++) (await use(10_000 + i * 40_000)).close();
      await measure();
      let all = [];
      for (let i = 0; i < 50; i++) all.push(await use(10_000 + i * 40_000));
      await measure();
      for (const conn of all) conn.close();
      all = null;
      await measure();`);
    assertGivenBack(measured.slice(0, 2));
    assertGivenBack(measured);
    assert.ok(measured[2].size - measured[0].size < 64 * 1024 * MB, `sizes are shared: ${JSON.stringify(measured)}`);
  }));

test('closed connections, and their responses, that somebody keeps hold no memory of an instance', LIMIT, () =>
  answered(async ({ port }) => {
    const measured = await measure(`
      const kept = [];
      const use = async (head) => {
        const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30, limits: { head } });
        await conn.request('GET', '/');
        const response = await conn.getresponse();
        await response.read();
        conn.close();
        kept.push(conn, response);
      };
      await use(262144);
      await measure();
      for (let i = 0; i < 20; i++) await use(4_000_000);
      await measure();
      if (kept.at(-1).status !== 200) throw new Error('not kept');`);
    assertGivenBack(measured);
  }));

test('connections that fail, are closed while they open, or are dropped unread leave nothing behind', LIMIT, () =>
  answered(async ({ port }) => {
    const measured = await measure(`
      const make = (to = ${port}) => new HTTPConnection('127.0.0.1', to, { timeout: 30 });
      const first = make();
      await first.request('GET', '/');
      await (await first.getresponse()).read();
      first.close();
      await measure();
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 150; i++) {
          await make(1).request('GET', '/').catch(() => {});
          const conn = make();
          const asked = conn.request('GET', '/').catch(() => {});
          conn.close();
          await asked;
          const unread = make();
          await unread.request('GET', '/');
          await unread.getresponse();
        }
        await measure();
      }`);
    assertGivenBack(measured);
  }));
