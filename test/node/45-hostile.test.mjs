// SPDX-License-Identifier: MIT
//
// test/data/hostile.json: bad and odd input with the outcome that porthole must give. Responses come as they are given,
// whole, byte by byte and at random splits, over a peer without a network.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as porthole from '../../js/index.js';
import { MemoryPeer, random, randomSplit } from '../support/memory-peer.mjs';

const { HTTPConnection } = porthole;
const entries = JSON.parse(readFileSync(new URL('../data/hostile.json', import.meta.url), 'utf8'));
const argumentErrors = ['ValueError', 'TypeError', 'UnicodeEncodeError'];
const BYTE_BY_BYTE_MAX = 4096;
const SEED = 20261125;

const bytes = (text) => Buffer.from(text, 'latin1');
const fresh = () => new MemoryPeer([bytes('HTTP/1.1 299 Fresh\r\nContent-Length: 2\r\n\r\nok')]);

/** Is this the error that Python's name stands for? */
function isError(error, name) {
  if (argumentErrors.includes(name)) return error instanceof TypeError && typeof error.code === 'string';
  return error instanceof porthole[name];
}

function assertError(error, { error: wanted, alt_errors: others = [] }) {
  const names = [wanted, ...others].filter(Boolean);
  assert.ok(
    names.some((name) => isError(error, name)),
    `wanted ${names.join(' or ')}, got ${error?.stack ?? 'no error'}`,
  );
}

async function playResponse(entry, pieces, close = entry.close === true) {
  const { expect, request } = entry;
  const peers = [];
  const connection = new HTTPConnection('example.com', 80, {
    timeout: 10,
    create_connection() {
      peers.push(peers.length === 0 ? new MemoryPeer(pieces, close) : fresh());
      return peers.at(-1);
    },
  });
  let at = 'head';
  let response;
  let body;
  try {
    await connection.request(request.method, request.url, null, request.headers ?? {});
    response = await connection.getresponse();
    at = 'body';
    body = await response.read();
  } catch (error) {
    assertError(error, expect);
    if (expect.error !== null && expect.alt_errors === undefined) assert.equal(at, expect.at);
    if (expect.partial !== undefined) assert.equal(error.partial.toString('latin1'), expect.partial);
    connection.close();
    return;
  }
  assert.equal(expect.error, null, `wanted ${expect.error}, got a response`);
  const { status, reason, version, will_close } = response;
  assert.deepEqual(
    { status, reason, version, headers: response.getheaders(), will_close, body: body.toString('latin1') },
    {
      status: expect.status,
      reason: expect.reason,
      version: expect.version,
      headers: expect.headers,
      will_close: expect.will_close,
      body: expect.body,
    },
  );

  // The next request: never answered by what was left over.
  await new Promise((resolve) => setTimeout(resolve, 2 + (entry.gap_ms ?? 0)));
  await connection.request('GET', '/next');
  const reused = peers.length === 1;
  if (reused) peers[0].push(bytes('HTTP/1.1 288 Same\r\nContent-Length: 2\r\n\r\nok'));
  const next = await connection.getresponse();
  assert.equal(next.status, reused ? 288 : 299, 'answered by bytes that were left over');
  if (!close && expect.alt_reusable === undefined) assert.equal(reused, expect.reusable, 'reused');
  connection.close();
}

/** Values that JSON can't hold. */
function argument(value) {
  if (value?.$iter) return value.$iter.values();
  if (value?.$array) return value.$array;
  if (value?.$coerce_seq) {
    let calls = 0;
    return { toString: () => value.$coerce_seq[Math.min(calls++, value.$coerce_seq.length - 1)] };
  }
  return value;
}

async function playRequest({ call, args, conn, expect }) {
  const peer = new MemoryPeer(call === 'set_tunnel' ? [bytes('HTTP/1.1 200 OK\r\n\r\n')] : []);
  const values = args.map(argument);
  const [host, port = null] = call === 'constructor' ? values : (conn ?? ['example.com', 80]);
  let connection;
  try {
    connection = new HTTPConnection(host, port, { timeout: 10, create_connection: () => peer });
    if (call === 'putheader') {
      connection.putrequest('GET', '/');
      connection.putheader(...values);
      await connection.endheaders();
    } else {
      if (call === 'set_tunnel') connection.set_tunnel(...values);
      await connection.request(...(call === 'request' ? values : ['GET', '/']));
    }
  } catch (error) {
    assertError(error, expect);
    assert.equal(peer.received, '', 'a refused call puts no byte on the wire');
    return;
  } finally {
    connection?.close();
  }
  const wires = [expect.wire, ...[expect.alt_wire ?? []].flat()];
  assert.ok(wires.includes(peer.received), `on the wire: ${JSON.stringify(peer.received)}, wanted ${JSON.stringify(expect)}`);
}

for (const group of new Set(entries.map((entry) => entry.group))) {
  test(`hostile input: ${group}`, async (t) => {
    const next = random(SEED);
    for (const entry of entries.filter((candidate) => candidate.group === group)) {
      if (entry.kind === 'request') {
        await t.test(entry.id, () => playRequest(entry));
        continue;
      }
      const given = [entry.bytes].flat().map(bytes);
      const whole = Buffer.concat(given);
      const ways = { 'as given': given, whole: [whole], 'at random splits': randomSplit(whole, next) };
      if (whole.length <= BYTE_BY_BYTE_MAX) ways['byte by byte'] = [...whole].map((byte) => Buffer.of(byte));
      await t.test(entry.id, async (entryTest) => {
        for (const [way, pieces] of Object.entries(ways)) {
          await entryTest.test(way, () => playResponse(entry, pieces));
        }
        // An end hides whether the connection would be used again.
        if (entry.close === true && entry.expect.will_close === false) {
          await entryTest.test('left open', () => playResponse(entry, given, false));
        }
      });
    }
  });
}
