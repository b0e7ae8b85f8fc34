// SPDX-License-Identifier: MIT
//
// A caller's own code that fails and gives no error: null and undefined must not look like no failure.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { settles } from '../support/upload-server.mjs';

const BODY = '0123456789';
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';

/** A connection to a peer that answers with this, and not at all without it: an answer can be there before a body fails. */
const connect = (text = '') => new HTTPConnection('h', { create_connection: () => new MemoryPeer(text === '' ? [] : [Buffer.from(text)]), timeout: 5 });

/** What fails by the answer. */
const ANSWERED = ['on_informational', 'a promise of on_informational', 'response_class'];

const fails = (value) => ({
  'a generator': (conn) => conn.request('PUT', '/', (function* () {
    yield 'a';
    throw value;
  })()),
  'an async generator': (conn) => conn.request('PUT', '/', (async function* () {
    yield 'a';
    throw value;
  })()),
  'an object with read()': (conn) => conn.request('PUT', '/', { read: () => Promise.reject(value) }),
  'a web stream': (conn) => conn.request('PUT', '/', new ReadableStream({ pull: (controller) => controller.error(value) })),
  'a stream that emits it': (conn) => {
    const stream = new Readable({ read() {} });
    const request = conn.request('PUT', '/', stream);
    stream.emit('error', value);
    return request;
  },
  'a function of trailers': (conn) => conn.request('PUT', '/', ['a'], {}, { encode_chunked: true, trailers: () => Promise.reject(value) }),
  create_connection: (conn) => {
    conn.create_connection = () => Promise.reject(value);
    return conn.connect();
  },
  on_informational: async (conn) => {
    conn.on_informational = () => {
      throw value;
    };
    await conn.request('GET', '/');
    return conn.getresponse();
  },
  'a promise of on_informational': async (conn) => {
    conn.on_informational = () => Promise.reject(value);
    await conn.request('GET', '/');
    return conn.getresponse();
  },
  response_class: async (conn) => {
    conn.response_class = class {
      constructor() {
        throw value;
      }
    };
    await conn.request('GET', '/');
    return conn.getresponse();
  },
  'an overridden send()': (conn) => {
    conn.send = () => Promise.reject(value);
    return conn.request('GET', '/');
  },
});

for (const value of [null, undefined]) {
  for (const [what, act] of Object.entries(fails(value))) {
    test(`${what} that fails with ${value} is an Error, and the connection is idle`, async () => {
      const conn = connect(ANSWERED.includes(what) ? `HTTP/1.1 103 Early\r\n\r\n${HEAD}${BODY}` : '');
      await assert.rejects(settles(act(conn)), (error) => error instanceof Error && /failed, and gave no error$/.test(error.message));
      assert.equal(conn.sock, null);
      conn.close();
    });
  }
}

test('a signal that is aborted with null ends what waits, and what comes after, by an AbortError', async () => {
  const conn = connect(`${HEAD}01`);
  const controller = new AbortController();
  await conn.request('GET', '/', null, {}, { signal: controller.signal });
  const response = await conn.getresponse();
  assert.equal(String(await response.read1()), '01');
  const waiting = response.read();
  controller.abort(null);
  await assert.rejects(settles(waiting), { name: 'AbortError' });
  await assert.rejects(settles(response.read()), { name: 'AbortError' });
  await assert.rejects(conn.request('GET', '/', null, {}, { signal: controller.signal }), { name: 'AbortError' });
});

test('a body of which nobody waits for more, when its signal is aborted with null, is not taken for read', async () => {
  const conn = connect(`${HEAD}01`);
  const controller = new AbortController();
  await conn.request('GET', '/', null, {}, { signal: controller.signal });
  const response = await conn.getresponse();
  controller.abort(null);
  await assert.rejects(settles(response.read()), { name: 'AbortError' });
});

for (const [what, act] of Object.entries({
  'connecting': (conn, signal) => {
    conn.create_connection = () => new Promise(() => {});
    return conn.request('GET', '/', null, {}, { signal });
  },
  'sending a body': (conn, signal) =>
    conn.request(
      'PUT',
      '/',
      (async function* () {
        yield 'a';
        await new Promise(() => {});
      })(),
      {},
      { signal },
    ),
  'waiting for a response': async (conn, signal) => {
    await conn.request('GET', '/', null, {}, { signal });
    return conn.getresponse();
  },
})) {
  test(`a signal that is aborted with null while ${what} is an AbortError`, async () => {
    const conn = connect('');
    const controller = new AbortController();
    const acting = act(conn, controller.signal);
    acting.catch(() => {});
    await new Promise(setImmediate);
    controller.abort(null);
    await assert.rejects(settles(acting), (error) => {
      assert.equal(error.name, 'AbortError');
      assert.equal(controller.signal.reason, null);
      return true;
    });
    assert.equal(conn.sock, null);
    conn.close();
  });
}
