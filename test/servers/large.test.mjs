// SPDX-License-Identifier: MIT
//
// Files of 1 GiB and more from nginx and Apache, and an upload of 2 GiB: all bytes, in memory that doesn't grow.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test as plainTest } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { loggedTest } from '../support/logged-test.mjs';
import { missing, startApache, startNginx } from '../support/servers.mjs';
import { noise } from './site.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const LIMIT = { timeout: 120_000 };
/** What reading may add to the memory of the process once it is under way, in its own view … */
const GROWTH = 16 * MIB;
/** … and where there are objects for each piece, which are garbage soon: the collector lets some of them gather. */
const GROWTH_WITH_GARBAGE = 64 * MIB;

/** Parts with content, the rest of the file is zeros that take no room on the disk. */
const PARTS = [
  { start: 0, content: noise(MIB, 'first') },
  { start: GIB / 2 - 12_345, content: noise(MIB, 'middle') },
  { start: GIB - MIB, content: noise(MIB, 'last') },
];
/** Where a file of 5 GiB has something to read: across the 32-bit limit. */
const BEYOND = { start: 4 * GIB - 100, content: noise(200, 'beyond') };

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function writeSparse(path, size, parts) {
  const file = openSync(path, 'w');
  ftruncateSync(file, size);
  for (const { start, content } of parts) writeSync(file, content, 0, content.length, start);
  closeSync(file);
}

function prepare(site) {
  writeSparse(join(site, 'gibibyte.bin'), GIB, PARTS);
  writeSparse(join(site, 'five.bin'), 5 * GIB, [BEYOND]);
}

/** Follows a stream of bytes, and hashes the parts of it that have content. */
class PartHashes {
  #position = 0;
  #hashes = PARTS.map(() => createHash('sha256'));

  add(bytes) {
    PARTS.forEach(({ start, content }, n) => {
      const from = Math.max(start - this.#position, 0);
      const to = Math.min(start + content.length - this.#position, bytes.length);
      if (from < to) this.#hashes[n].update(bytes.subarray(from, to));
    });
    this.#position += bytes.length;
  }

  check(size) {
    assert.equal(this.#position, size);
    assert.deepEqual(
      this.#hashes.map((hash) => hash.digest('hex')),
      PARTS.map(({ content }) => sha256(content)),
    );
  }
}

/** Watches the memory of this process from the first 64 MiB on. */
class MemoryWatch {
  #start = null;
  #most = 0;
  #next = 64 * MIB;

  at(position) {
    if (position < this.#next) return;
    this.#next += 16 * MIB;
    const rss = process.memoryUsage.rss();
    this.#start ??= rss;
    this.#most = Math.max(this.#most, rss);
  }

  check(limit) {
    const growth = this.#most - this.#start;
    assert.ok(growth <= limit, `memory grew by ${(growth / MIB).toFixed(1)} MiB`);
  }
}

for (const [name, start] of [
  ['nginx', startNginx],
  ['Apache', startApache],
]) {
  describe(`large files from ${name}`, { skip: missing(name) }, () => {
    let server;
    const test = loggedTest(() => [server]);
    before(async () => {
      server = await start({ prepare });
    });
    after(() => server?.stop());

    const connect = () => new HTTPConnection(server.host, server.port, { timeout: 30 });

    test(
      '1 GiB read into a view of 256 KiB is complete, and memory stays flat',
      async () => {
        const conn = connect();
        await conn.request('GET', '/gibibyte.bin');
        const response = await conn.getresponse();
        assert.equal(response.length, GIB);
        const view = new Uint8Array(256 * KIB);
        const hashes = new PartHashes();
        const memory = new MemoryWatch();
        let total = 0;
        for (let count = await response.readinto(view); count > 0; count = await response.readinto(view)) {
          hashes.add(view.subarray(0, count));
          total += count;
          memory.at(total);
        }
        hashes.check(GIB);
        memory.check(GROWTH);
        assert.deepEqual([response.closed, response.length], [true, 0]);
        const again = await conn.request('HEAD', '/gibibyte.bin').then(() => conn.getresponse());
        assert.equal(again.getheader('Content-Length'), String(GIB));
        conn.close();
      },
      LIMIT,
    );

    test(
      '1 GiB taken from the body stream by a slow reader is complete, and memory stays flat',
      async () => {
        const conn = connect();
        await conn.request('GET', '/gibibyte.bin');
        const { body } = await conn.getresponse();
        const hashes = new PartHashes();
        const memory = new MemoryWatch();
        let total = 0;
        let pauseAt = 0;
        for await (const chunk of body) {
          hashes.add(chunk);
          total += chunk.length;
          memory.at(total);
          if (total >= pauseAt) {
            pauseAt += 64 * MIB;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
        hashes.check(GIB);
        memory.check(GROWTH_WITH_GARBAGE);
        conn.close();
      },
      LIMIT,
    );

    test('a length over 32 bits is a number like any other', async () => {
      const conn = connect();
      await conn.request('GET', '/five.bin');
      const response = await conn.getresponse();
      assert.equal(response.length, 5 * GIB);
      assert.deepEqual(await response.read(1000), Buffer.alloc(1000));
      assert.equal(response.length, 5 * GIB - 1000);
      response.close();

      const range = { Range: `bytes=${BEYOND.start}-${BEYOND.start + 199}` };
      await conn.request('GET', '/five.bin', null, range);
      const part = await conn.getresponse();
      assert.equal(part.status, 206);
      assert.deepEqual(await part.read(), BEYOND.content);
      conn.close();
    });
  });
}

/** A server in a process of its own that reads slowly, and says how much it got. */
const SLOW_READER = `
  const server = require('net').createServer((socket) => {
    let left = -1, total = 0, next = 64 << 20;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      if (left < 0) {
        const end = data.indexOf('\\r\\n\\r\\n') + 4;
        left = Number(/Content-Length: (\\d+)/.exec(data.subarray(0, end))[1]);
        data = data.subarray(end);
      }
      total += data.length;
      if (total > next) {
        next += 64 << 20;
        socket.pause();
        setTimeout(() => socket.resume(), 30);
      }
      if (total === left) socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: ' + String(total).length + '\\r\\n\\r\\n' + total);
    });
  }).listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port)));`;

plainTest('2 GiB sent to a slow reader arrive whole, and memory stays flat', LIMIT, async () => {
  const child = spawn(process.execPath, ['-e', SLOW_READER], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const port = Number((await once(child.stdout, 'data'))[0]);
    const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
    const piece = Buffer.alloc(256 * KIB, 'x');
    const memory = new MemoryWatch();
    async function* pieces() {
      for (let sent = 0; sent < 2 * GIB; sent += piece.length) {
        memory.at(sent);
        yield piece;
      }
    }
    await conn.request('PUT', '/', pieces(), { 'Content-Length': 2 * GIB });
    assert.equal(await (await conn.getresponse()).text(), String(2 * GIB));
    memory.check(GROWTH_WITH_GARBAGE);
    conn.close();
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});
