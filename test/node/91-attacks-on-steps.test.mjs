// SPDX-License-Identifier: MIT
//
// Steps: those of a subclass that never settle, which close() and signals end all the same; and those that nobody awaits.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';
import { until } from '../support/upload-server.mjs';

const NEVER = new Promise(() => {});

class StuckSend extends HTTPConnection {
  send() {
    return NEVER;
  }
}

class StuckEnd extends HTTPConnection {
  endheaders() {
    return NEVER;
  }
}

/** What becomes of a promise, or 'nothing' when the event loop has turned a hundred times. */
async function outcome(promise) {
  const turns = async () => {
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
    return 'nothing';
  };
  return Promise.race([promise.then(() => 'done', (error) => error), turns()]);
}

const ENDS = {
  'close()': { end: (conn) => conn.close(), name: 'NotConnected' },
  'a signal of the request': { end: (_conn, controller) => controller.abort(), name: 'AbortError' },
};

for (const Stuck of [StuckSend, StuckEnd]) {
  for (const [how, { end, name }] of Object.entries(ENDS)) {
    test(`a request whose steps never settle, a ${Stuck.name}, is ended by ${how}`, () =>
      withServer(
        () => reply('body'),
        async ({ port }) => {
          const controller = new AbortController();
          const conn = new Stuck('127.0.0.1', port);
          const requesting = conn.request('GET', '/', null, {}, { signal: controller.signal });
          await new Promise((resolve) => setImmediate(resolve));
          end(conn, controller);
          assert.equal((await outcome(requesting)).name, name);
          await assert.rejects(conn.getresponse(), { name: 'ResponseNotReady' });
          conn.putrequest('GET', '/');
          conn.close();
        },
      ));
  }

  test(`a request whose steps never settle, a ${Stuck.name}, is ended by its deadline`, () =>
    withServer(
      () => reply('body'),
      async ({ port }) => {
        const conn = new Stuck('127.0.0.1', port);
        await assert.rejects(conn.request('GET', '/', null, {}, { deadline: 0.05 }), { name: 'TimeoutError', message: /deadline of 0\.05 s/ });
        conn.close();
      },
    ));
}

test('what is sent by hand goes out behind its head, also on a connection that has to be looked at before', () =>
  withServer(
    (head) => (head.startsWith('GET') ? reply('body') : undefined),
    async ({ port, requests }) => {
      const conn = new HTTPConnection('127.0.0.1', port, { create_connection: () => connect(port, '127.0.0.1') });
      await conn.request('GET', '/');
      await (await conn.getresponse()).read();
      const before = requests[0].length;
      conn.putrequest('PUT', '/by-hand');
      conn.putheader('Content-Length', '10');
      await Promise.all([conn.endheaders(), conn.send('01234'), conn.send('56789')]);
      await until(() => requests[0].endsWith('0123456789'));
      assert.match(requests[0].slice(before), /^PUT \/by-hand HTTP\/1\.1\r\n.*\r\n\r\n0123456789$/s);
      conn.close();
    },
  ));

test('close() rejects an upload behind a response that is not read', () =>
  withServer(
    (head, socket) => {
      if (head.startsWith('POST')) socket.pause();
      return head.startsWith('GET') ? 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc' : undefined;
    },
    async ({ port }) => {
      const conn = new HTTPConnection('127.0.0.1', port);
      await conn.request('GET', '/');
      const reading = (await conn.getresponse()).read();
      const uploading = conn.request('POST', '/', Buffer.alloc(30_000_000));
      await new Promise((resolve) => setTimeout(resolve, 50));
      conn.close();
      await assert.rejects(uploading, { name: 'NotConnected' });
      await assert.rejects(reading, { name: 'NotConnected' });
    },
  ));
