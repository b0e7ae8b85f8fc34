// SPDX-License-Identifier: MIT
//
// Errors that say what to do: calls out of order, bodies that were read already, responses made by hand, no room for
// WebAssembly.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CannotSendRequest, HTTPConnection, HTTPResponse } from '../../js/index.js';
import { jsonError, kindOf, memoryHint, stateError } from '../../js/errors.js';
import { MemoryPeer } from '../support/memory-peer.mjs';

const answer = (body) => Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

/** A connection to a peer that answers with this body. */
const connect = (body) => new HTTPConnection('h', { create_connection: () => new MemoryPeer([answer(body)]), timeout: 5 });

test('errors of state begin with the word of CPython and say what to do', async () => {
  const conn = connect('body');
  const rejects = (promise, name, message) => assert.rejects(promise, { name, message });
  const throws = (call, name, message) => assert.throws(call, { name, message });
  await rejects(conn.getresponse(), 'ResponseNotReady', /^Idle: send a request/);
  throws(() => conn.putheader('a', 'b'), 'CannotSendHeader', /^Idle: call putrequest\(\) first/);
  await rejects(conn.endheaders(), 'CannotSendHeader', /^Idle: call putrequest\(\) first/);
  conn.putrequest('GET', '/');
  throws(() => conn.putrequest('GET', '/'), 'CannotSendRequest', /^Request-started: call endheaders\(\)/);
  await rejects(conn.request('GET', '/'), 'CannotSendRequest', /^Request-started: call endheaders\(\)/);
  await rejects(conn.getresponse(), 'ResponseNotReady', /^Request-started: call endheaders\(\)/);
  await conn.endheaders();
  throws(() => conn.putheader('a', 'b'), 'CannotSendHeader', /^Request-sent: .*putrequest\(\)/);
  await rejects(conn.request('GET', '/'), 'CannotSendRequest', /^Request-sent: call getresponse\(\) and read the response/);
  await conn.getresponse();
  conn.close();
});

test('stateError takes a remedy of its own, and gives the word alone where there is none', () => {
  assert.equal(stateError(CannotSendRequest, 'Idle', 'wait').message, 'Idle: wait');
  assert.equal(stateError(CannotSendRequest, 'Elsewhere').message, 'Elsewhere');
  assert.equal(stateError(CannotSendRequest, 'Idle').code, 'ERR_HTTP_CANNOT_SEND_REQUEST');
});

test('json() of a body that was read, and of none, says so', async () => {
  const read = async (body, before) => {
    const conn = connect(body);
    await conn.request('GET', '/');
    const response = await conn.getresponse();
    await before(response);
    await response.json().finally(() => conn.close());
  };
  const hint = (pattern) => (error) => error instanceof SyntaxError && pattern.test(error.hint) && error.message.includes(error.hint);
  await assert.rejects(read('{"a":1}', (response) => response.json()), hint(/^the body was read before/));
  await assert.rejects(read('{"a":1}', (response) => response.read()), hint(/^the body was read before/));
  await assert.rejects(read('', () => {}), hint(/no body/));
  await assert.rejects(read('{nonsense', () => {}), (error) => error instanceof SyntaxError && error.hint === undefined);
});

test('jsonError tells of a beginning that was read', () => {
  assert.match(jsonError(new SyntaxError('x'), '":1}', true).message, /^x \(the beginning of the body was read before/);
});

test('a response that is made by hand says what to do instead', () => {
  for (const socket of [undefined, null, {}, new MemoryPeer(), 'HTTP/1.1 200 OK\r\n\r\n', Buffer.from('x')]) {
    assert.throws(() => new HTTPResponse(socket), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /create_connection/ });
  }
});

test('a host that is no string says what to give', () => {
  for (const [host, message] of [
    [new URL('http://h:8080/'), /^the host must be a string, not an object of URL: give url\.host$/],
    [{ host: 'h', port: 80 }, /^the host must be a string, not an object of Object: it comes first, by itself, and the port after it$/],
    [undefined, /^the host must be a string, not undefined: it comes first/],
  ]) {
    assert.throws(() => new HTTPConnection(host), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message });
  }
});

test('a body that contradicts its Content-Length says what to leave out', async () => {
  const conn = new HTTPConnection('h', { create_connection: () => new MemoryPeer([]) });
  await assert.rejects(conn.request('POST', '/', 'abc', { 'Content-Length': 5 }), { code: 'ERR_INVALID_ARG_VALUE', message: /: leave the header out/ });
  conn.close();
});

test('kindOf shows neither strings nor functions', () => {
  assert.deepEqual(
    [null, undefined, '', 'secret', () => 'secret', 5, true, 7n, {}, [], Object.create(null)].map(kindOf),
    ['null', 'undefined', 'an empty string', 'a string', 'a function', 'number 5', 'boolean true', 'bigint 7', 'an object of Object', 'an object of Array', 'an object of no class'],
  );
});

test('errors for want of memory have a hint, and others have none', () => {
  for (const message of ['WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance', 'WebAssembly.Memory(): could not allocate memory']) {
    assert.match(memoryHint(new RangeError(message)).message, /--disable-wasm-trap-handler/);
  }
  for (const error of [new RangeError('Invalid array length'), new TypeError('out of memory'), null, 'x']) {
    assert.equal(memoryHint(error), error);
    assert.equal(error?.hint, undefined);
  }
});

test('under ulimit -v a request works, or fails with what to do', { skip: process.platform !== 'linux' && 'no ulimit -v there' }, () => {
  const program = `
    import { HTTPConnection } from ${JSON.stringify(new URL('../../js/index.js', import.meta.url).href)};
    import { MemoryPeer } from ${JSON.stringify(new URL('../support/memory-peer.mjs', import.meta.url).href)};
    try {
      const conn = new HTTPConnection('h', { create_connection: () => new MemoryPeer([Buffer.from('HTTP/1.1 204 N\\r\\n\\r\\n')]) });
      await conn.request('GET', '/');
      console.log((await conn.getresponse()).status);
    } catch (error) {
      console.log(error.message);
    }`;
  const run = (...args) =>
    spawnSync('bash', ['-c', 'ulimit -v 4194304; exec "$@"', 'bash', process.execPath, ...args, '--input-type=module', '-e', program], { encoding: 'utf8' }).stdout;
  assert.match(run(), /^204$|--disable-wasm-trap-handler/m);
  assert.match(run('--disable-wasm-trap-handler'), /^204$/m);
});

test('the errors can be had without Node', () => {
  // Only what is generated is imported, which imports nothing.
  const source = readFileSync(new URL('../../js/errors.js', import.meta.url), 'utf8');
  assert.deepEqual([...source.matchAll(/from '([^']+)'/g)].map(([, path]) => path), ['../bindings/generated/errors.js']);
});
