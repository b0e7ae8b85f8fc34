// SPDX-License-Identifier: MIT
//
// test/data/hostile.json on WASI: the responses come as they are given, and each has the outcome that it has under Node.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { lacking, makeGuest, root, RUNTIMES, withServer, workshop } from './guests.mjs';

const skip = await lacking();
const cases = JSON.parse(readFileSync(`${root}test/data/hostile.json`, 'utf8')).filter(({ kind }) => kind === 'response');
const FRESH = 'HTTP/1.1 299 Fresh\r\nContent-Length: 2\r\n\r\nok';
const SAME = 'HTTP/1.1 288 Same\r\nContent-Length: 2\r\n\r\nok';
const AT_ONCE = 20;

/** The class of Python's for each name of an error. */
const classes = new Map(
  [...readFileSync(`${root}src/include/porthole/errors.def`, 'utf8').matchAll(/^X\((\w+), -\d+, "(\w*)"/gm)].map(
    ([, name, of]) => [name, of],
  ),
);
/** What each class is as well: a subclass of the named one is right too. */
const ABOVE = { BadStatusLine: 'HTTPException', IncompleteRead: 'HTTPException', LineTooLong: 'HTTPException', UnknownProtocol: 'HTTPException', UnknownTransferEncoding: 'HTTPException', RemoteDisconnected: 'BadStatusLine' };

function isA(name, wanted) {
  for (let at = classes.get(name); at !== undefined; at = ABOVE[at]) if (at === wanted) return true;
  return false;
}

/** What a line of the guest says. */
function parse(line) {
  const [, result, , ended, version, closes, ...hex] = line.split(' ');
  const [body, reason, ...fields] = hex.map((text) => Buffer.from(text, 'hex').toString('latin1'));
  const headers = [];
  for (let i = 0; i < fields.length; i += 2) headers.push([fields[i], fields[i + 1]]);
  return { result, ended, version: Number(version), will_close: closes === '1', body, reason, headers };
}

/** Serves one case: its pieces to the first connection, and to all that comes later what tells the connections apart. */
function serverOf({ bytes, close }) {
  return (socket, index) => {
    let asked = 0;
    socket.on('data', async () => {
      if (asked++ > 0 || index > 0) {
        socket.write(index > 0 ? FRESH : SAME);
        return;
      }
      for (const piece of [bytes].flat()) {
        socket.write(piece, 'latin1');
        await new Promise(setImmediate);
      }
      if (close) socket.end();
    });
  };
}

function check({ close, expect }, first, next) {
  const wanted = [expect.error, expect.alt_errors ?? []].flat().filter(Boolean);
  const failed = Number.isNaN(Number(first.result)) ? first.result : Number.isNaN(Number(first.ended)) ? first.ended : undefined;
  if (failed !== undefined) {
    assert.ok(wanted.some((name) => isA(failed, name)), `wanted ${wanted.join(' or ') || 'a response'}, got ${failed}`);
    if (expect.alt_errors === undefined) assert.equal(failed === first.result ? 'head' : 'body', expect.at);
    if (expect.partial !== undefined) assert.equal(first.body, expect.partial);
    return;
  }
  assert.equal(expect.error, null, `wanted ${expect.error}, got a response`);
  const { status, reason, version, headers, will_close, body } = expect;
  assert.deepEqual({ ...first, result: Number(first.result), ended: undefined }, { result: status, ended: undefined, version, will_close, body, reason, headers });
  // That the peer has closed may be seen too late: no answer is right as well.
  const fresh = close ? ['288', '299', 'REMOTE_DISCONNECTED', 'HOST_RESET'] : ['288', '299'];
  assert.ok(fresh.includes(next.result), `answered by bytes that were left over: ${next.result}`);
}

describe('hostile input on WASI', { skip }, () => {
  let shop;
  let runtimes;

  before(async () => {
    shop = workshop();
    runtimes = await makeGuest(shop.folder, 'probe');
  });
  after(() => shop?.remove());

  /** Plays some cases, each against a server of its own, in one guest. @returns what the guest saw, by id */
  async function play(runtime, some, steps = [], seen = {}) {
    const [entry, ...others] = some;
    if (entry === undefined) {
      const { code, stdout, stderr } = await runtimes[runtime](steps);
      assert.deepEqual([code, stderr], [0, '']);
      const lines = stdout.trimEnd().split('\n');
      Object.keys(seen).forEach((id, i) => {
        seen[id] = [parse(lines[4 * i + 1]), parse(lines[4 * i + 3])];
      });
      return seen;
    }
    await withServer(serverOf(entry), (port) => {
      const { method, url } = entry.request;
      seen[entry.id] = undefined;
      const exchanges = [`client 127.0.0.1:${port} 10000 -1 0`, `exchange ${method} ${url}`, `wait ${2 + (entry.gap_ms ?? 0)}`, 'exchange GET /next'];
      return play(runtime, others, [...steps, ...exchanges], seen);
    });
    return seen;
  }

  for (const runtime of RUNTIMES) {
    test(`under ${runtime} each response has the outcome that it has everywhere`, async (t) => {
      for (let i = 0; i < cases.length; i += AT_ONCE) {
        const some = cases.slice(i, i + AT_ONCE);
        const seen = await play(runtime, some);
        for (const entry of some) await t.test(entry.id, () => check(entry, ...seen[entry.id]));
      }
    });
  }
});
