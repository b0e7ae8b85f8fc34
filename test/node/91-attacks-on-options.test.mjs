// SPDX-License-Identifier: MIT
//
// What somebody has written to Object.prototype is no option of a connection: it could send it elsewhere, or turn verification
// off.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { reply, withServer, withTlsServer } from '../support/raw-server.mjs';

const ANSWER = reply('body'); // made by nobody that is misled as well

/** Runs something while all objects have a member. */
async function polluted(name, value, run) {
  Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: true, writable: true });
  try {
    await run();
  } finally {
    delete Object.prototype[name];
  }
}

const OF_CONNECTIONS = {
  timeout: 1e-9,
  deadline: 1e-9,
  timeouts: { connect: 1e-9 },
  limits: { body: 0 },
  body: 0,
  headers: 0,
  max_response_headers: 0,
  socket_path: '/no/such/socket',
  path: '/no/such/socket',
  source_address: ['192.0.2.1', 0],
  localAddress: '192.0.2.1',
  create_connection: () => Promise.reject(new Error('not meant')),
  lookup: () => {
    throw new Error('not meant');
  },
  encode_chunked: true,
  expect_continue: 60,
  trailers: { A: 'b' },
};

describe('what all objects have', () => {
  for (const [name, value] of Object.entries(OF_CONNECTIONS)) {
    test(`is no option "${name}" of connections and requests`, () =>
      withServer(
        () => ANSWER,
        async ({ port, requests }) => {
          for (const options of [undefined, { retry_stale: 0, limits: { line: 1000 }, timeouts: { idle: 60 } }]) {
            await polluted(name, value, async () => {
              const conn = new HTTPConnection('127.0.0.1', port, options);
              await conn.request('POST', '/', 'hello', { 'X-A': 'b' }, { signal: undefined });
              assert.equal(await (await conn.getresponse()).text(), 'body');
              conn.close();
            });
          }
          assert.equal(requests[1], requests[0]);
          assert.match(requests[0], /^POST \/ HTTP\/1\.1\r\nHost: \S+\r\nAccept-Encoding: identity\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello$/);
        },
      ));
  }

  const UNVERIFIED = { rejectUnauthorized: false };
  for (const [name, value] of [['context', UNVERIFIED], ['rejectUnauthorized', false], ['checkServerIdentity', () => undefined]]) {
    test(`turns no verification off as "${name}"`, { skip: noOpenssl }, () => {
      const { wrongName, selfSigned, ca } = certificates();
      const pair = name === 'checkServerIdentity' ? wrongName : selfSigned;
      return withTlsServer(
        pair,
        () => ANSWER,
        async ({ port }) => {
          const given = name === 'checkServerIdentity' ? [{ context: { ca: readFileSync(ca) } }] : [undefined, {}, { context: {} }];
          for (const options of given) {
            await polluted(name, value, async () => {
              const conn = new HTTPSConnection('127.0.0.1', port, options);
              await assert.rejects(conn.request('GET', '/'), { phase: 'tls' });
              conn.close();
            });
          }
        },
      );
    });
  }
});
