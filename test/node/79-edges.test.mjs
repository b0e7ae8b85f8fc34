// SPDX-License-Identifier: MIT
//
// Arguments at the edge of what they may be, in wrong places or brought from other clients.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { ELSEWHERE } from '../../js/request/elsewhere.js';
import { MemoryPeer } from '../support/memory-peer.mjs';

const BODY = '0123456789';
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
const WRONG_TYPE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
const WRONG_VALUE = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' };

/** A connection to a peer that sends this. */
const connect = (text, options) => new HTTPConnection('h', { create_connection: () => new MemoryPeer([Buffer.from(text)]), timeout: 5, ...options });

async function respond(text = HEAD + BODY) {
  const conn = connect(text);
  await conn.request('GET', '/');
  return conn.getresponse();
}

test('amounts that are no whole numbers are refused, and the body stays whole', async () => {
  const response = await respond();
  for (const way of ['read', 'read1', 'peek', 'readline', 'readlines']) {
    for (const amount of [5.5, -0.5, Number.NaN]) await assert.rejects(response[way](amount), WRONG_VALUE);
    for (const amount of ['5', 5n, true, {}, [5]]) await assert.rejects(response[way](amount), WRONG_TYPE);
  }
  assert.equal(String(await response.read(Number.POSITIVE_INFINITY)), BODY);
});

test('readinto refuses what is no memory, and memory that is gone, and the body stays whole', async () => {
  const response = await respond();
  for (const target of [null, undefined, 5, 'x', [], {}, new Map(), new Blob(['x']), { length: 3 }, new Proxy(new Uint8Array(3), {})]) {
    await assert.rejects(response.readinto(target), WRONG_TYPE);
  }
  const transferred = new Uint8Array(4);
  structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
  const shrunk = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 8 }), 4, 4);
  shrunk.buffer.resize(2);
  for (const target of [transferred, transferred.buffer, shrunk]) await assert.rejects(response.readinto(target), WRONG_VALUE);
  assert.equal(await response.readinto(new Uint8Array(0)), 0);
  assert.equal(String(await response.read()), BODY);
});

test('what is no object of members is refused as options, limits and timeouts', async () => {
  const never = Promise.resolve({});
  for (const value of [[], new Map([['line', 5]]), new Set(), never, AbortSignal.timeout(9000), Buffer.alloc(1), new DataView(new ArrayBuffer(1)), 'x', 5]) {
    assert.throws(() => new HTTPConnection('h', { limits: value }), WRONG_TYPE);
    assert.throws(() => new HTTPConnection('h', { timeouts: value }), WRONG_TYPE);
    if (value !== 5) assert.throws(() => new HTTPConnection('h', 80, value), WRONG_TYPE);
    await assert.rejects(new HTTPConnection('h').request('GET', '/', null, {}, value), WRONG_TYPE);
  }
  assert.equal(new HTTPSConnection('h', { context: {}, limits: {}, timeouts: {} }).limits.line, 65536);
});

test('a time-out in the place where Python has it, and a callback, have a hint', async () => {
  assert.throws(() => new HTTPConnection('h', 80, 10), { ...WRONG_TYPE, message: /not number 10: give \{ timeout: 10 \}, in seconds$/ });
  await assert.rejects(new HTTPConnection('h').request('GET', '/', null, {}, () => {}), { ...WRONG_TYPE, message: /there are no callbacks/ });
});

test('a signal in place of options, and a controller in place of a signal, have a hint', async () => {
  const { signal } = new AbortController();
  await assert.rejects(new HTTPConnection('h').request('GET', '/', null, {}, signal), /: give \{ signal \}$/);
  assert.throws(() => new HTTPConnection('h', { signal: new AbortController() }), /: give its signal$/);
});

test('a source_address that can be none is refused when it is given', () => {
  for (const value of [['127.0.0.1', 70_000], ['127.0.0.1', -1], ['::1', 1.5], ['localhost', 0]]) {
    assert.throws(() => new HTTPConnection('h', { source_address: value }), WRONG_VALUE);
  }
  for (const value of [['127.0.0.1', '0'], ['127.0.0.1'], '127.0.0.1', {}]) {
    assert.throws(() => new HTTPConnection('h', { source_address: value }), WRONG_TYPE);
  }
  assert.deepEqual(new HTTPConnection('h', { source_address: ['', 0] }).source_address, ['', 0]);
});

test('a String object is a body as a string is, and no iterable of characters', async () => {
  const peer = new MemoryPeer([Buffer.from(HEAD + BODY)]);
  const conn = new HTTPConnection('h', { create_connection: () => peer, timeout: 5 });
  await conn.request('POST', '/', new String('a\xe9'));
  assert.match(peer.received, /Content-Length: 2\r\n\r\na\xe9$/);
  conn.close();
});

// ---- the order of arguments ----

const ORDER = /the arguments are request\(method, url, body, headers, options\)/;

for (const args of [['/path'], ['/path', 'GET'], ['http://h/path'], ['GET'], ['GET', { path: '/' }], [{ method: 'GET' }], [undefined, '/']]) {
  test(`request(${args.map((arg) => JSON.stringify(arg) ?? 'undefined')}) is refused by the order of the arguments`, async () => {
    await assert.rejects(new HTTPConnection('h').request(...args), { name: 'TypeError', message: ORDER });
    assert.throws(() => new HTTPConnection('h').putrequest(...args), { name: 'TypeError', message: ORDER });
  });
}

test('headers in the place of the body are refused with the order of the arguments', async () => {
  await assert.rejects(new HTTPConnection('h').request('GET', '/', { Accept: 'text/html' }), { ...WRONG_TYPE, message: ORDER });
});

for (const headers of [{ signal: AbortSignal.abort() }, { expect_continue: true }, { trailers: {} }, { encode_chunked: true }]) {
  test(`${Object.keys(headers)} among the headers is told to be an option`, async () => {
    const message = /it is an option, and those follow the headers: request\(method, url, body, headers, options\)$/;
    await assert.rejects(new HTTPConnection('h').request('GET', '/', null, headers), { ...WRONG_TYPE, message });
  });
}

// ---- options of other clients ----

/** [names, what is said of each] */
const BROUGHT = [
  ['insecure verify verify_ssl', /_create_unverified_context\(\)/],
  ['rejectUnauthorized', /\{ context: \{ rejectUnauthorized: false \} \}/],
  ['strict', /always parsed strictly/],
  ['follow follow_redirects followRedirect redirect allow_redirects maxRedirects', /send the next request to what Location says/],
  ['cookies jar cookieJar', /send a Cookie header/],
  ['retry retries', /retry_safe/],
  ['decompress gzip', /node:zlib/],
  ['baseURL base_url prefixUrl', /the constructor takes the host/],
  ['responseType', /text\(\), json\(\)/],
  ['json', /JSON\.stringify/],
  ['data body', /the third argument/],
  ['headers', /the fourth argument/],
  ['method', /the first argument/],
  ['params searchParams', /the query is a part of the URL/],
  ['auth', /Authorization header/],
  ['agent httpAgent httpsAgent dispatcher keepalive keepAlive', /keep the HTTPConnection/],
  ['timeout_ms timeoutMs', /in seconds: 30, not 30000/],
];

for (const [names, message] of BROUGHT) {
  test(`${names.replaceAll(' ', ', ')} as options have a hint`, async () => {
    for (const name of names.split(' ')) {
      assert.throws(() => new HTTPSConnection('h', { [name]: 1 }), { ...WRONG_VALUE, message });
      await assert.rejects(new HTTPConnection('h').request('GET', '/', null, {}, { [name]: 1 }), { ...WRONG_VALUE, message });
    }
  });
}

test('timeout as an option of request, and of other shapes, has a hint', async () => {
  await assert.rejects(new HTTPConnection('h').request('GET', '/', null, {}, { timeout: 5 }), { ...WRONG_VALUE, message: /conn\.timeout.*deadline/ });
  assert.throws(() => new HTTPConnection('h', { timeout: { request: 5 } }), { ...WRONG_TYPE, message: /timeouts, \{ connect, headers, idle/ });
});

test('every hint can be found', () => {
  for (const name of Object.keys(ELSEWHERE)) assert.match(name, /^[a-z0-9]+$/);
});

test('a number of seconds that looks like milliseconds is noted, once, and counts', async () => {
  const warnings = [];
  const listener = (warning) => warnings.push(warning);
  process.on('warning', listener);
  try {
    for (const seconds of [0.5, 30, 90, 1800, 3600, 36_000, 86_400]) assert.equal(new HTTPConnection('h', { timeout: seconds }).timeout, seconds);
    await new Promise(setImmediate);
    assert.deepEqual(warnings, []);
    assert.equal(new HTTPConnection('h', { timeout: 5000 }).timeout, 5000);
    assert.equal(new HTTPConnection('h', { timeouts: { connect: 30_000 } }).timeouts.connect, 30_000);
    await new Promise(setImmediate);
    assert.deepEqual(warnings.map(({ code, message }) => [code, message]), [
      ['PORTHOLE_SECONDS', 'timeout is in seconds, and 5000 of them are 1 hour: was timeout: 5 meant?'],
    ]);
  } finally {
    process.removeListener('warning', listener);
  }
});
