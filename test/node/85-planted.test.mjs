// SPDX-License-Identifier: MIT
//
// What a server sends unasked behind a response, however large and however it is read, never answers the next request.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { withServer, withTlsServer } from '../support/raw-server.mjs';
import { trusting } from '../support/tls-client.mjs';
import { settles } from '../support/upload-server.mjs';

const PLANTED = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted';
const SIZES = [0, 1, 5000, 65_535, 65_536, 65_537, 81_920, 131_072, 262_143, 262_144, 262_145, 300_000, 524_288, 600_000, 1_000_000, 1_048_576, 5_000_000];

const READS = {
  'read()': (response) => response.read(),
  'read(amt)': async (response) => {
    const parts = [];
    for (let part = await response.read(100_000); part.length > 0; part = await response.read(100_000)) parts.push(part);
    return Buffer.concat(parts);
  },
  'read of exactly all': async (response, size) => {
    const bytes = await response.read(size);
    if (size === 0) await response.read();
    return bytes;
  },
  'readinto': async (response, size) => {
    const target = Buffer.alloc(size + 10);
    return target.subarray(0, await response.readinto(target));
  },
  'readinto of exactly all': async (response, size) => {
    const target = Buffer.alloc(size);
    if (size === 0) await response.read();
    else await response.readinto(target);
    return target;
  },
  'body': async (response) => {
    const parts = [];
    for await (const part of response.body) parts.push(part);
    return Buffer.concat(parts);
  },
  'reads begun at once': async (response, size) => {
    const reads = Array.from({ length: 5 }, () => response.read(Math.ceil(size / 4)));
    return Buffer.concat(await Promise.all([...reads, response.read()]));
  },
};

const FRAMED = {
  length: (body) => Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]),
  chunked: (body) =>
    Buffer.concat([
      Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length > 0 ? `${body.length.toString(16)}\r\n` : ''}`),
      body,
      Buffer.from(`${body.length > 0 ? '\r\n' : ''}0\r\n\r\n`),
    ]),
};

/** Asks twice, with nothing in between, and asserts that each has its own answer. */
async function check(conn, read, body) {
  await conn.request('GET', '/first');
  const first = await settles(conn.getresponse());
  assert.ok((await settles(read(first, body.length))).equals(body), 'the first body');
  await settles(conn.request('GET', '/second'));
  assert.equal(await settles((await settles(conn.getresponse())).text()), 'the second');
  conn.close();
}

for (const [framing, frame] of Object.entries(FRAMED)) {
  const answer = (body, writes) => (head, socket) => {
    if (head.includes('/second')) return 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nthe second';
    writes(socket, frame(body), PLANTED);
    return undefined;
  };

  describe(`behind a body by ${framing}`, () => {
    for (const [way, read] of Object.entries(READS)) {
      test(`in the same write a response is no answer, with ${way} of any size`, { timeout: 60_000 }, async () => {
        for (const size of SIZES) {
          const body = Buffer.alloc(size, 'abcdefg');
          const together = (socket, bytes, planted) => socket.write(Buffer.concat([bytes, Buffer.from(planted)]));
          await withServer(answer(body, together), async ({ port, connections }) => {
            await check(new HTTPConnection('127.0.0.1', port, { timeout: 30 }), read, body);
            assert.equal(connections(), 2, `${size} bytes`);
          });
        }
      });

      test(`in a record of its own a response is no answer over TLS, with ${way}`, { timeout: 60_000, skip: noOpenssl }, async () => {
        for (const size of [0, 5000, 16_384, 65_536, 81_920, 262_144, 600_000]) {
          const body = Buffer.alloc(size, 'abcdefg');
          const records = (socket, bytes, planted) => {
            socket.cork();
            socket.write(bytes);
            socket.write(planted);
            socket.uncork();
          };
          await withTlsServer(certificates().good, answer(body, records), async ({ port, connections }) => {
            await check(new HTTPSConnection('localhost', port, { timeout: 30, context: trusting() }), read, body);
            assert.equal(connections(), 2, `${size} bytes`);
          });
        }
      });
    }

    test('every size around what is read ahead', { timeout: 120_000 }, async () => {
      for (let size = 65_536 - 300; size < 65_536 + 300; size += 23) {
        const body = Buffer.alloc(size, 'abcdefg');
        const together = (socket, bytes, planted) => socket.write(Buffer.concat([bytes, Buffer.from(planted)]));
        await withServer(answer(body, together), async ({ port, connections }) => {
          await check(new HTTPConnection('127.0.0.1', port, { timeout: 30 }), READS['readinto of exactly all'], body);
          assert.equal(connections(), 2, `${size} bytes`);
        });
      }
    });
  });
}
