// SPDX-License-Identifier: MIT
//
// Bodies whose length isn't known, or too large to be believed, are read into memory that grows with them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { HTTPConnection, HTTPSConnection, IncompleteRead } from '../../js/index.js';
import { certificates } from '../support/certificates.mjs';
import { withServer, withTlsServer } from '../support/raw-server.mjs';

const LIMIT = { timeout: 120_000 };
const MIB = 1024 * 1024;
const LARGE = 8 * MIB; // from here on in one memory
const WORDS = Buffer.from(Uint32Array.from({ length: (40 * MIB) / 4 }, (_, index) => index * 2654435761).buffer);
const HEAD = 'HTTP/1.1 200 OK\r\n';

/** The body as it is sent: to the close, or in chunks of a size. */
const WIRE = {
  'to the close': (body) => [Buffer.from(`${HEAD}Connection: close\r\n\r\n`), body],
  'in chunks of 16 KiB': (body) => chunked(body, 16 * 1024),
  'in chunks of 1 MiB': (body) => chunked(body, MIB),
  'in one chunk': (body) => chunked(body, body.length),
};

function chunked(body, size) {
  const parts = [Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`)];
  for (let at = 0; at < body.length; at += size) {
    const data = body.subarray(at, at + size);
    parts.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n'));
  }
  return [...parts, Buffer.from('0\r\n\r\n')];
}

const TLS = certificates();

/** Runs with a connection to a server that sends these, and then closes where the head says so. */
function withBody(parts, use, secure = false) {
  const answer = (_head, socket) => {
    socket.cork();
    for (const part of parts) socket.write(part);
    socket.uncork();
    if (parts[0].includes('Connection: close')) socket.end();
  };
  const run = async ({ port }) => {
    const options = { timeout: 30 };
    const context = { ca: readFileSync(TLS.ca) };
    const conn = secure ? new HTTPSConnection('localhost', port, { ...options, context }) : new HTTPConnection('127.0.0.1', port, options);
    await conn.request('GET', '/');
    await use(await conn.getresponse(), port);
    conn.close();
  };
  return secure ? withTlsServer(TLS.good, answer, run) : withServer(answer, run);
}

/** Runs where no memory of WebAssembly can be had, or none can be grown. */
async function withoutMemory(what, use) {
  const { Memory } = WebAssembly;
  class Exhausted extends Memory {
    constructor(descriptor) {
      if (what === 'made') throw new RangeError('WebAssembly.Memory(): could not allocate memory');
      super(descriptor);
    }

    grow() {
      throw new RangeError('WebAssembly.Memory.grow(): Unable to grow instance memory');
    }
  }
  WebAssembly.Memory = Exhausted;
  try {
    await use();
  } finally {
    WebAssembly.Memory = Memory;
  }
}

const same = (bytes, expected) => {
  assert.equal(bytes.length, expected.length);
  assert.ok(bytes.equals(expected), 'other bytes');
};

describe('read() gives the whole body', () => {
  const sizes = [1, 65_535, 65_536, 65_537, LARGE - 1, LARGE, LARGE + 1, LARGE + MIB - 1, LARGE + MIB, LARGE + MIB + 1, 40 * MIB];
  for (const [way, wire] of Object.entries(WIRE)) {
    for (const size of sizes) {
      test(`of ${size} bytes, sent ${way}`, LIMIT, async () => {
        const body = WORDS.subarray(0, size);
        await withBody(wire(body), async (response) => {
          const bytes = await response.read();
          same(bytes, body);
          assert.ok(Buffer.isBuffer(bytes));
          assert.equal(response.closed, true);
          // What is not filled of its memory is a small part of it.
          if (size >= LARGE) assert.ok(bytes.buffer.byteLength < 1.13 * size + MIB, `${bytes.buffer.byteLength}`);
          else if (size > 4096) assert.equal(bytes.buffer.byteLength, size);
        });
      });
    }
  }
});

describe('over TLS read() gives the whole body', () => {
  for (const [way, wire] of Object.entries(WIRE)) {
    test(`of 20 MiB, sent ${way}`, LIMIT, () =>
      withBody(wire(WORDS.subarray(0, 20 * MIB)), async (response) => same(await response.read(), WORDS.subarray(0, 20 * MIB)), true));
  }
});

describe('a large body', () => {
  const body = WORDS.subarray(0, 12 * MIB);

  test('is taken by Response, decoded, and can be written to', LIMIT, () =>
    withBody(chunked(body, 60_000), async (response) => {
      const bytes = await response.read();
      assert.equal((await new Response(bytes).arrayBuffer()).byteLength, body.length);
      assert.equal(new TextDecoder('latin1').decode(bytes).length, body.length);
      same(Buffer.from(structuredClone(bytes)), body);
      bytes.fill(0);
    }));

  for (const size of [LARGE + MIB - 1, 12 * MIB]) {
    for (const way of ['bytes', 'arrayBuffer']) {
      test(`of ${size} bytes is in memory that can be transferred, by ${way}()`, LIMIT, () =>
        withBody(chunked(body.subarray(0, size), 60_000), async (response) => {
          const given = await response[way]();
          const buffer = given.buffer ?? given;
          assert.equal(buffer.byteLength, size);
          same(Buffer.from(structuredClone(buffer, { transfer: [buffer] })), body.subarray(0, size));
          assert.equal(buffer.byteLength, 0);
        }));
    }
  }

  test('is read by amounts that lie across the end of a memory', LIMIT, () =>
    withBody(chunked(body, 16 * 1024), async (response) => {
      const amounts = [LARGE + 10, MIB, 70_000, 12 * MIB];
      const parts = [];
      for (const amount of amounts) parts.push(await response.read(amount));
      assert.deepEqual(parts.map(({ length }) => length), [...amounts.slice(0, 3), body.length - LARGE - 10 - MIB - 70_000]);
      same(Buffer.concat(parts), body);
      assert.equal((await response.read()).length, 0);
    }));

  test('of which the rest is read is read whole', LIMIT, () =>
    withBody(WIRE['to the close'](body), async (response) => {
      const first = await response.read(5);
      const rest = await response.read();
      same(Buffer.concat([first, rest]), body);
    }));

  test('that is cut is in the error', LIMIT, () => {
    const head = `${HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`;
    return withBody([Buffer.from(head), body], async (response) => {
      await assert.rejects(response.read(), (error) => {
        assert.ok(error instanceof IncompleteRead);
        same(error.partial, body);
        return true;
      });
    });
  });

  for (const what of ['grown', 'made']) { // in this order: once none can be made, none is asked for
    test(`is read whole where no memory can be ${what}`, LIMIT, () =>
      withoutMemory(what, () =>
        withBody(chunked(WORDS, 100_000), async (response) => {
          same(await response.read(), WORDS);
        }),
      ));
  }
});

const IN_PROC = { ...LIMIT, skip: process.platform !== 'linux' && 'reads /proc' };
test('a body of 96 MiB takes no more than a quarter more memory than it has', IN_PROC, async () => {
  const part = WORDS.subarray(0, 32 * MIB);
  const parts = chunked(Buffer.concat([part, part, part]), 16 * 1024);
  await withBody(parts, async (response, port) => {
    response.close();
    const program = `
      import { readFileSync } from 'node:fs';
      // Of resourceUsage it would be what the process had that has started this one.
      const peak = () => 1024 * /VmHWM:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
      const { HTTPConnection } = await import(${JSON.stringify(import.meta.resolve('../../js/index.js'))});
      const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
      const get = async () => (await conn.request('GET', '/'), conn.getresponse());
      const view = new Uint8Array(65536);
      for (const response = await get(); (await response.readinto(view)) > 0; ); // what is needed without keeping it
      const before = peak();
      const { length } = await (await get()).read();
      console.log(length, peak() - before);
      conn.close();
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    const [length, memory] = stdout.split(' ').map(Number);
    assert.equal(length, 96 * MIB);
    assert.ok(memory > 0 && memory < 1.25 * length, `${memory} bytes`);
  });
});
