// SPDX-License-Identifier: MIT
//
// Errors of the protocol: their messages and properties, and limits on both sides of their edge.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTPConnection, HTTPException, TunnelError } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const LIMIT = 65536;

/** Fetches from a peer that sends `text` and ends. */
async function fetchFrom(text, options = {}) {
  const peer = new MemoryPeer([Buffer.from(text, 'latin1')], true);
  const connection = new HTTPConnection('h', 80, { timeout: 5, create_connection: () => peer, ...options });
  try {
    await connection.request('GET', '/');
    const response = await connection.getresponse();
    const body = String(await response.read());
    return { response, body };
  } finally {
    connection.close();
  }
}

const errors = {
  'a status line of another kind': ['ICY 200 OK\r\n\r\n', { name: 'BadStatusLine', line: 'ICY 200 OK\r\n' }],
  'a version that is not known': ['HTTP/3.0 200 OK\r\n\r\n', { name: 'UnknownProtocol', version: 'HTTP/3.0' }],
  'an end after an interim response': ['HTTP/1.1 103 Hints\r\n\r\n', { name: 'RemoteDisconnected', line: '', code: 'ECONNRESET' }],
  'a transfer coding that is not chunked': [
    `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    { name: 'UnknownTransferEncoding' },
  ],
  'a long status line': [
    `HTTP/1.1 200 ${'a'.repeat(LIMIT)}\r\n\r\n`,
    { name: 'LineTooLong', message: 'got more than 65536 bytes when reading status line' },
  ],
  'a long field': [
    `${OK}X: ${'a'.repeat(LIMIT)}\r\n\r\n`,
    { name: 'LineTooLong', message: 'got more than 65536 bytes when reading header line' },
  ],
  'a long trailer': [
    `${CHUNKED}0\r\nX: ${'a'.repeat(LIMIT)}\r\n\r\n`,
    { name: 'LineTooLong', message: 'got more than 65536 bytes when reading trailer line' },
  ],
  'a long chunk size': [
    `${CHUNKED}1${' '.repeat(LIMIT)}\r\na\r\n0\r\n\r\n`,
    { name: 'LineTooLong', message: 'got more than 65536 bytes when reading chunk size' },
  ],
  'a body that ends early': [
    `${OK}Content-Length: 10\r\n\r\nabcdefg`,
    { name: 'IncompleteRead', message: '7 bytes read, 3 more expected', expected: 3 },
  ],
  'a chunk size that is none': [
    `${CHUNKED}3\r\nabc\r\nxyz\r\n`,
    { name: 'IncompleteRead', message: '3 bytes read', expected: null },
  ],
  'a chunk size of 17 digits': [
    `${CHUNKED}${'0'.repeat(16)}1\r\na\r\n0\r\n\r\n`,
    { name: 'IncompleteRead', expected: null },
  ],
  'an end before the line that closes the chunks': [
    `${CHUNKED}3\r\nabc\r\n0\r\n`,
    { name: 'IncompleteRead', message: '3 bytes read', expected: null },
  ],
  '101 fields': [`${OK}${'X: y\r\n'.repeat(101)}\r\n`, { name: 'HTTPException', message: 'got more than 100 headers' }],
  '101 trailers': [`${CHUNKED}0\r\n${'X: y\r\n'.repeat(101)}\r\n`, { name: 'HTTPException' }],
  '101 interim responses': [
    `${'HTTP/1.1 102 Wait\r\n\r\n'.repeat(101)}${OK}Content-Length: 0\r\n\r\n`,
    { name: 'HTTPException' },
  ],
};

for (const [name, [text, wanted]] of Object.entries(errors)) {
  test(`${name} is ${wanted.name}${wanted.message ? ` with its message` : ''}`, () =>
    assert.rejects(fetchFrom(text), (error) => {
      assert.ok(error instanceof HTTPException, error.stack);
      for (const key of Object.keys(wanted)) assert.equal(error[key], wanted[key], `${key} of ${error.stack}`);
      assert.equal(typeof error.code, 'string');
      return true;
    }));
}

test('as many fields, trailers and interim responses as the limit says are fine', async () => {
  const fields = await fetchFrom(`${OK}${'X: y\r\n'.repeat(99)}Content-Length: 2\r\n\r\nok`);
  assert.equal(fields.response.headers.length, 100);
  assert.equal(fields.body, 'ok');
  const trailers = await fetchFrom(`${CHUNKED}0\r\n${'X: y\r\n'.repeat(100)}\r\n`);
  assert.equal(trailers.response.trailers.length, 100);
  const interim = await fetchFrom(`${'HTTP/1.1 102 Wait\r\n\r\n'.repeat(100)}${OK}Content-Length: 2\r\n\r\nok`);
  assert.equal(interim.body, 'ok');
});

test('max_response_headers moves the limit of fields both ways', async () => {
  const text = (count) => `${OK}${'X: y\r\n'.repeat(count - 1)}Content-Length: 0\r\n\r\n`;
  assert.equal((await fetchFrom(text(300), { max_response_headers: 300 })).response.headers.length, 300);
  await assert.rejects(fetchFrom(text(301), { max_response_headers: 300 }), { message: 'got more than 300 headers' });
  assert.equal((await fetchFrom(text(3), { max_response_headers: 3 })).response.headers.length, 3);
  await assert.rejects(fetchFrom(text(4), { max_response_headers: 3 }), { message: 'got more than 3 headers' });
});

test('101 is final, and no response to skip', async () => {
  const peer = new MemoryPeer([Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n')]);
  const connection = new HTTPConnection('h', 80, { timeout: 5, create_connection: () => peer });
  await connection.request('GET', '/', null, { Connection: 'upgrade', Upgrade: 'x' });
  const response = await connection.getresponse();
  assert.equal(response.status, 101);
  assert.equal(response.getheader('upgrade'), 'x');
  connection.close();
});

/** What acts on a terminal, or can't be seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

for (const [what, answer, name, message] of [
  ['a line of another protocol', '\x1b[2J\x07SSH-2.0\r\n', 'BadStatusLine', /^\\x1b\[2J\\x07SSH-2\.0$/],
  ['a long line', `${'x'.repeat(3000)}\r\n`, 'BadStatusLine', /^x{200}…$/],
  ['a status line with a control character', 'HTTP/1.1 2\x000 OK\r\n\r\n', 'BadStatusLine', /^HTTP\/1\.1 2\\x000 OK$/],
  ['C1 controls', '\x9b31mäß\r\n', 'BadStatusLine', /^\\x9b31mäß$/],
  ['a version', `HTTP/9\x1b[m${'9'.repeat(500)}\r\n\r\n`, 'UnknownProtocol', /^HTTP\/9\\x1b\[m9+…$/],
]) {
  test(`the message shows ${what} escaped, on one line and cut, and the error has it as it came`, async () => {
    const conn = new HTTPConnection('h', { create_connection: () => new MemoryPeer([Buffer.from(answer, 'latin1')], true), timeout: 5 });
    await conn.request('GET', '/');
    await assert.rejects(conn.getresponse(), (error) => {
      assert.equal(error.name, name);
      assert.match(error.message, message);
      assert.ok(!UNSEEN.test(error.message));
      if (error.line !== undefined) assert.ok(answer.startsWith(error.line));
      return true;
    });
  });
}

test('a refusal of a tunnel and a body that is no JSON are shown escaped as well', async () => {
  assert.equal(new TunnelError(502, 'Bad\x9b31m').message, 'Tunnel connection failed: 502 Bad\\x9b31m');
  const body = '\x1b[2J\u202e';
  const answer = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const conn = new HTTPConnection('h', { create_connection: () => new MemoryPeer([answer]), timeout: 5 });
  await conn.request('GET', '/');
  await assert.rejects((await conn.getresponse()).json(), (error) => {
    assert.match(error.message, /\\x1b\[2J\\u\{202e\}/);
    return !UNSEEN.test(error.message) && error.stack.startsWith(`SyntaxError: ${error.message}\n`);
  });
  conn.close();
});
