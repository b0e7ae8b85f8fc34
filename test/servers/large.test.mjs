// SPDX-License-Identifier: MIT
//
// Files of 1 GiB and more from nginx and Apache: all bytes, in memory that doesn't grow.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
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
/** … and in chunks that are garbage as soon as they were looked at: the collector lets some of them gather. */
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
