// SPDX-License-Identifier: MIT
//
// Many GETs on one connection of WASI: how many calls each needs, and that nothing is left over.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { lacking, makeGuest, RUNTIMES, withServer, workshop } from './guests.mjs';

const skip = await lacking();
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const MANY = 1000;

describe('GETs on WASI', { skip }, () => {
  let shop;
  let runtimes;
  let served;

  before(async () => {
    shop = workshop();
    runtimes = await makeGuest(shop.folder, 'probe');
  });
  after(() => shop?.remove());

  const answering = (socket) => {
    served++;
    socket.on('data', () => socket.write(hello));
  };
  const closing = (socket) => {
    served++;
    socket.on('data', () => socket.end(hello.replace('\r\n', '\r\nConnection: close\r\n')));
  };

  /** Makes GETs. @returns the lines of the guest, and how often each function of WASI was called under jco */
  async function gets(runtime, serve, steps, limits = '30000 -1') {
    let lines;
    let calls;
    served = 0;
    await withServer(serve, async (port) => {
      const { code, stdout, stderr } = await runtimes[runtime]([`client 127.0.0.1:${port} ${limits} 0`, ...steps], runtime === 'jco' ? ['--count'] : []);
      assert.equal(code, 0, stderr);
      lines = stdout.trimEnd().split('\n').map((line) => line.split(' '));
      calls = runtime === 'jco' && JSON.parse(stderr);
    });
    return { lines, calls };
  }

  for (const runtime of RUNTIMES) {
    test(`under ${runtime} ${MANY} GETs take one connection and no memory`, async () => {
      const { lines } = await gets(runtime, answering, ['gets 10', 'memory', `gets ${MANY}`, 'memory']);
      assert.deepEqual(lines.map(([, result]) => result).filter((_, i) => i === 1 || i === 3), ['5', '5']);
      assert.equal(lines[2][1], lines[4][1]);
      assert.equal(served, 1);
    });

    test(`under ${runtime} 200 connections, one after the other, take no memory`, async () => {
      const { lines } = await gets(runtime, closing, ['gets 10', 'memory', 'gets 200', 'memory']);
      assert.equal(lines[3][1], '5');
      assert.equal(lines[2][1], lines[4][1]);
      assert.equal(served, 210);
    });
  }

  if (!RUNTIMES.includes('jco')) return; // elsewhere nobody counts

  /** What further GETs cost. */
  async function costs(serve, count, limits = '30000 -1') {
    const { calls: few } = await gets('jco', serve, ['gets 10'], limits);
    const { calls: many } = await gets('jco', serve, [`gets ${10 + count}`], limits);
    return Object.fromEntries(Object.keys(many).map((name) => [name, many[name] - (few[name] ?? 0)]));
  }

  const sum = (calls, pattern) => Object.keys(calls).filter((name) => pattern.test(name)).reduce((all, name) => all + calls[name], 0);

  test('a GET on a kept connection is 6 calls into the runtime', async () => {
    const calls = await costs(answering, MANY);
    assert.ok(sum(calls, /./) <= 6.2 * MANY, JSON.stringify(calls)); // a new clock now and then
    assert.equal(sum(calls, /check-write$|output-stream.write$/), 2 * MANY, JSON.stringify(calls));
  });

  test('a GET on a kept connection is 3 calls into the runtime where there is no time limit', async () => {
    const calls = await costs(answering, MANY, '-1 -1');
    assert.equal(sum(calls, /./), 3 * MANY, JSON.stringify(calls));
    assert.equal(sum(calls, /blocking-write-and-flush$|blocking-read$/), 2 * MANY, JSON.stringify(calls));
  });

  test('a GET on a kept connection is 8 calls into the runtime where there is a deadline, 3 of them looks at the clock', async () => {
    const calls = await costs(answering, MANY, '30000 30000');
    assert.ok(sum(calls, /./) <= 8.2 * MANY, JSON.stringify(calls)); // a new clock now and then
    assert.ok(sum(calls, / now$/) <= 3.1 * MANY, JSON.stringify(calls));
  });

  for (const [what, serve] of [['on one connection', answering], ['on connections of their own', closing]]) {
    test(`GETs ${what} give back all that the runtime gave them`, async () => {
      const calls = await costs(serve, 200);
      assert.equal(sum(calls, /subscribe/), sum(calls, /resource-drop\]pollable/), JSON.stringify(calls));
      assert.equal(sum(calls, /create-tcp-socket/), sum(calls, /resource-drop\]tcp-socket/), JSON.stringify(calls));
      assert.equal(sum(calls, /finish-connect/), sum(calls, /resource-drop\]input-stream/), JSON.stringify(calls));
      assert.equal(sum(calls, /finish-connect/), sum(calls, /resource-drop\]output-stream/), JSON.stringify(calls));
      assert.equal(sum(calls, / instance-network$/), sum(calls, /resource-drop\]network/), JSON.stringify(calls));
      assert.equal(sum(calls, /create-tcp-socket/), serve === closing ? 200 : 0, JSON.stringify(calls));
    });
  }
});
