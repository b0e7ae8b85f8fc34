// SPDX-License-Identifier: MIT
//
// What a server sends behind an answer: it is no part of it, no answer to the next request, and keeps nobody busy.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { block, withOther } from '../support/other-thread.mjs';
import { runCode } from '../support/process.mjs';
import { chunkedReply, reply, withServer, withTlsServer } from '../support/raw-server.mjs';

const LIMIT = { timeout: 60_000 };
const library = new URL('../../js/index.js', import.meta.url).href;
/** More than the receive buffer holds. */
const LONG = 2_000_000;

describe('readinto() with more room than there is body, when the receive buffer is full', () => {
  // In a process of its own, which is ended by force: a loop would keep this one.
  const read = async (port, { second, secure = false }) => {
    const { status, output } = await runCode(`
      import { setTimeout as sleep } from 'node:timers/promises';
      import { HTTPConnection, HTTPSConnection, create_default_context } from '${library}';
      const conn = ${secure ? `new HTTPSConnection('localhost', ${port}, { timeout: 10, context: create_default_context({ cafile: '${certificates().ca}' }) })` : `new HTTPConnection('127.0.0.1', ${port}, { timeout: 10 })`};
      await conn.request('GET', '/1');
      const response = await conn.getresponse();
      ${second ? "await conn.request('GET', '/2');" : ''}
      await sleep(300);
      const view = new Uint8Array(100);
      const counts = [await response.readinto(view), await response.readinto(view)];
      console.log(String(counts), Buffer.from(view.subarray(0, 5)).toString());
      ${second ? 'console.log((await (await conn.getresponse()).read()).length);' : ''}
      conn.close();`);
    assert.deepEqual([status, output], [0, `5,0 hello\n${second ? `${LONG}\n` : ''}`]);
  };

  for (const [framing, first] of [['a known length', reply('hello')], ['chunks', chunkedReply(['hello'])]]) {
    test(`${framing}, and bytes that nobody asked for`, LIMIT, () =>
      withServer(() => first + 'A'.repeat(LONG), ({ port }) => read(port, { second: false })));
    test(`${framing}, and the answer to the next request`, LIMIT, () =>
      withServer((head) => (head.includes(' /1 ') ? first : reply('A'.repeat(LONG))), ({ port }) => read(port, { second: true })));
  }
  test('over TLS', { ...LIMIT, skip: noOpenssl }, () =>
    withTlsServer(certificates().good, () => reply('hello') + 'A'.repeat(LONG), ({ port }) => read(port, { second: false, secure: true })));
});

describe('an answer that was there before the request, while the event loop was held', () => {
  const OK = (body) => `'HTTP/1.1 200 OK\\r\\nContent-Length: ${body.length}\\r\\n\\r\\n${body}'`;
  const PLANTS = `
    let requests = 0;
    socket.setNoDelay(true);
    socket.on('data', () => {
      if (requests++ > 0) return socket.write(${OK('real')});
      socket.write(${OK('first')});
      const until = performance.now() + 1;
      while (performance.now() < until);
      socket.write(${OK('planted')}, answered);
    });`;

  for (const [method, body] of [['GET', null], ['POST', null], ['POST', 'x'], ['PUT', ['a', 'b']]]) {
    test(`is not the answer to ${method} with ${body === null ? 'no body' : JSON.stringify(body)}`, LIMIT, () =>
      withOther(PLANTS, async (port, blockUntil) => {
        for (let i = 1; i <= 10; i++) {
          const conn = new HTTPConnection('127.0.0.1', port, { timeout: 20 });
          await conn.request('GET', '/');
          assert.equal((await (await conn.getresponse()).read()).toString(), 'first');
          blockUntil(2 * i - 1, 0);
          block(1);
          await conn.request(method, '/', body);
          const response = await conn.getresponse();
          assert.deepEqual([(await response.read()).toString(), response.reused], ['first', false]); // of a new connection
          blockUntil(2 * i, 0);
          conn.close();
        }
      }));
  }
});

test('Host follows default_port, on a connection that is used again too', () =>
  withServer(
    () => reply('hello'),
    async ({ port, requests }) => {
      class Ours extends HTTPConnection {
        static default_port = 80;
      }
      const conn = new Ours('127.0.0.1', port, { timeout: 20 });
      const hosts = [];
      const ask = async () => {
        await conn.request('GET', '/');
        await (await conn.getresponse()).read();
        hosts.push(/.*^Host: ([^\r]*)/ms.exec(requests[0])[1]);
      };
      await ask();
      Ours.default_port = port;
      await ask();
      conn.default_port = 80;
      await ask();
      conn.default_port = port;
      await ask();
      assert.deepEqual(hosts, [`127.0.0.1:${port}`, '127.0.0.1', `127.0.0.1:${port}`, '127.0.0.1']);
      conn.close();
    },
  ));
