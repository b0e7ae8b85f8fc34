// SPDX-License-Identifier: MIT
//
// Steps of a subclass that never settle: close() and signals end the request all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';

class Stuck extends HTTPConnection {
  send() {
    return new Promise((_resolve) => {});
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

for (const [how, { end, name }] of Object.entries(ENDS)) {
  test(`a request whose overridden send() never settles is ended by ${how}`, () =>
    withServer(
      () => reply('body'),
      async ({ port }) => {
        const controller = new AbortController();
        const conn = new Stuck('127.0.0.1', port);
        const requesting = conn.request('GET', '/', null, {}, { signal: controller.signal });
        await new Promise((resolve) => setImmediate(resolve));
        end(conn, controller);
        assert.equal((await outcome(requesting)).name, name);
        conn.close();
      },
    ));
}
