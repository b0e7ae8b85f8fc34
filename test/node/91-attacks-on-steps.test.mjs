// SPDX-License-Identifier: MIT
//
// Steps of a subclass that never settle: close() and signals end the request all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';

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
