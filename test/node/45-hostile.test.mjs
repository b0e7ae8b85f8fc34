// SPDX-License-Identifier: MIT
//
// test/data/hostile.json: bad and odd input with the outcome that porthole must give. Responses come as they are given,
// whole, byte by byte and at random splits, over a peer without a network; and as they are given over TCP.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import * as porthole from '../../js/index.js';
import { MemoryPeer, random, randomSplit } from '../support/memory-peer.mjs';

const { HTTPConnection } = porthole;
const entries = JSON.parse(readFileSync(new URL('../data/hostile.json', import.meta.url), 'utf8'));
const argumentErrors = ['ValueError', 'TypeError', 'UnicodeEncodeError'];
const BYTE_BY_BYTE_MAX = 4096;
const SEED = 20261125;

const bytes = (text) => Buffer.from(text, 'latin1');
const FRESH = bytes('HTTP/1.1 299 Fresh\r\nContent-Length: 2\r\n\r\nok');
const SAME = bytes('HTTP/1.1 288 Same\r\nContent-Length: 2\r\n\r\nok');

/**
 * Peers without a network: the first one plays the pieces, each further one says FRESH.
 * @typedef {{ open: () => HTTPConnection, answerAgain: () => void, end: () => void }} Peers
 * @returns {Peers}
 */
function memoryPeers(pieces, close) {
  const peers = [];
  const create_connection = () => {
    peers.push(peers.length === 0 ? new MemoryPeer(pieces, close) : new MemoryPeer([FRESH]));
    return peers.at(-1);
  };
  return {
    open: () => new HTTPConnection('example.com', 80, { timeout: 10, create_connection }),
    answerAgain: () => peers[0].push(SAME),
    end() {},
  };
}

/** The same over TCP. @returns {Promise<Peers>} */
async function tcpPeers(pieces, close) {
  const sockets = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const first = sockets.push(socket) === 1;
    socket.on('error', () => {});
    socket.once('data', async () => {
      for (const piece of first ? pieces : [FRESH]) {
        socket.write(piece);
        await new Promise(setImmediate);
      }
      if (first && close) socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    open: () => new HTTPConnection('127.0.0.1', server.address().port, { timeout: 30 }),
    answerAgain: () => sockets[0].write(SAME),
    end() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

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

async function playResponse(entry, pieces, { close = entry.close === true, makePeers = memoryPeers } = {}) {
  const peers = await makePeers(pieces, close);
  try {
    await play(entry, peers, close);
  } finally {
    peers.end();
  }
}

async function play(entry, peers, close) {
  const { expect, request } = entry;
  const connection = peers.open();
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
  const { sock } = connection;
  await connection.request('GET', '/next');
  const reused = sock !== null && connection.sock === sock;
  if (reused) peers.answerAgain();
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
          await entryTest.test('left open', () => playResponse(entry, given, { close: false }));
        }
        await entryTest.test('over TCP', () => playResponse(entry, given, { makePeers: tcpPeers }));
      });
    }
  });
}
