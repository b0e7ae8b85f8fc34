// SPDX-License-Identifier: MIT
//
// Headers as callers give them: what is taken, what is refused, and that no message tells a value.

import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import vm from 'node:vm';
import { test } from 'node:test';
import { HTTPConnection, HTTPMessage } from '../../js/index.js';
import { kindOf } from '../../js/errors.js';
import { flatHeaders, headerText } from '../../js/request/headers.js';

const SECRET = 'hunter2';

/** The TypeError that headers are refused with: none holds the secret. */
function refused(headers, code = 'ERR_INVALID_ARG_TYPE') {
  try {
    flatHeaders(headers);
  } catch (error) {
    assert.ok(error instanceof TypeError);
    assert.equal(error.code, code);
    assert.ok(!`${error.stack} ${error.cause ?? ''}`.includes(SECRET), error.message);
    return error.message;
  }
  return assert.fail('the headers were taken');
}

test('an HTTPMessage is taken as headers, with its repeats', () => {
  const message = new HTTPMessage(['Set-Cookie', 'a=1', 'X-B', '2', 'Set-Cookie', 'b=3']);
  assert.deepEqual(flatHeaders(message), ['Set-Cookie', 'a=1', 'X-B', '2', 'Set-Cookie', 'b=3']);
});

test('headers of another realm are taken, whatever they are', () => {
  for (const code of ['({ a: "1", b: [2, 3] })', '[["a", "1"], ["b", [2, 3]]]', 'new Map([["a", "1"], ["b", [2, 3]]])']) {
    assert.deepEqual(flatHeaders(vm.runInNewContext(code)), ['a', '1', 'b', '2', 'b', '3']);
  }
});

test('Headers that can only be asked for their entries are taken', () => {
  assert.deepEqual(flatHeaders({ entries: () => [['a', '1']] }), ['a', '1']);
});

test('bytes of another realm are a value', () => {
  assert.equal(headerText(vm.runInNewContext('new Uint8Array([65, 233]).buffer'), 'X'), 'A\xe9');
});

for (const [what, value, text] of [
  ['a line feed', `${SECRET}\n`, '"X-Key" (U+000A at index 7)'],
  ['a NUL', `\0${SECRET}`, '"X-Key" (U+0000 at index 0)'],
  ['DEL', `${SECRET}\x7f`, '"X-Key" (U+007F at index 7)'],
  ['a character above U+00FF', `${SECRET}€`, '"X-Key" (U+20AC at index 7)'],
  ['a character outside of the BMP', `${SECRET}\u{1f600}`, '"X-Key" (U+1F600 at index 7)'],
  ['half a character', `${SECRET}\ud83d`, '"X-Key" (U+D83D at index 7)'],
  ['a line feed in bytes', Buffer.from(`${SECRET}\n`), '"X-Key" (U+000A at index 7)'],
]) {
  test(`${what} in a value is told by its number and its index, and the value is not`, () => {
    assert.ok(refused({ 'X-Key': value }, 'ERR_INVALID_CHAR').endsWith(text));
    assert.ok(refused([['X-Key', ['fine', value]]], 'ERR_INVALID_CHAR').endsWith(text));
  });
}

test('HTAB and all of ISO-8859-1 above the control characters may stand in a value', () => {
  assert.equal(headerText('a\tb \x80\xff', 'X'), 'a\tb \x80\xff');
});

for (const [what, value, hint] of [
  ['undefined', undefined, /not undefined: leave the header out$/],
  ['null', null, /not null: leave the header out$/],
  ['a symbol', Symbol(SECRET), /not a symbol$/],
  ['a boolean', true, /not a boolean: make it a string$/],
  ['a function', () => SECRET, /not a function$/],
  ['an object', { toString: () => SECRET }, /not an object of Object: make it a string$/],
  ['a Date', new Date(0), /not an object of Date: give its toUTCString\(\)$/],
  ['a promise', Promise.resolve(SECRET), /not an object of Promise: await it first$/],
]) {
  test(`${what} as a value is refused with a hint`, () => assert.match(refused({ 'X-Key': value }), hint));
}

test('options of fetch in place of headers are recognised', () => {
  assert.match(refused({ headers: { Authorization: SECRET } }), /"headers" .* headers are the fourth argument themselves/);
});

test('a flat list is refused with the pairs that it should be', () => {
  assert.match(refused(['Authorization', SECRET]), /element 0 is a string: a flat list .* \[\[name, value\], …\]$/);
});

for (const [what, headers, text] of [
  ['a pair too short', [['A', '1'], ['B']], /element 1 is an array of 1$/],
  ['a pair too long', [['A', SECRET, '2']], /element 0 is an array of 3$/],
  ['no pair', [['A', '1'], SECRET], /element 1 is a string$/],
  ['a string', `Authorization: ${SECRET}`, /not a string: give \{ name: value \}$/],
  ['bytes', Buffer.from(SECRET), /not an object of Buffer$/],
  ['a promise', Promise.resolve({ A: SECRET }), /await it first$/],
  ['a number', 5, /not a number$/],
  ['a name that is a symbol', [[Symbol(SECRET), '1']], /a header name must be a string, not a symbol$/],
]) {
  test(`${what} in headers is refused, and said where`, () => assert.match(refused(headers), text));
}

test('kindOf shows nothing of strings, objects and code', () => {
  assert.equal(kindOf('x'.repeat(100)), 'a string');
  assert.equal(kindOf(5n), 'bigint 5');
  assert.equal(kindOf(Symbol('s')), 'symbol Symbol(s)');
  assert.equal(kindOf(function named() {}), 'a function');
  assert.equal(kindOf({ toString: () => SECRET }), 'an object of Object');
  assert.equal(kindOf({ __proto__: null }), 'an object of no class');
  assert.equal(kindOf({ constructor: { name: 5 } }), 'an object of no class');
});

test('more headers than can be given at once are refused with their number, the limit and what to do, and leave the connection as it was', async () => {
  const many = (count) => Array.from({ length: count }, (_, i) => [`x-${i}`, SECRET]);
  const wanted = (count) => (error) => {
    assert.ok(error instanceof TypeError);
    assert.equal(error.code, 'ERR_INVALID_ARG_VALUE');
    assert.equal(error.message, `${count} headers are more than can be given at once (4096): send fewer, or add them one by one with putheader()`);
    return true;
  };
  const sent = [];
  const connection = new HTTPConnection('www.example.org', {
    create_connection: () =>
      new Duplex({
        read() {},
        write(chunk, _encoding, callback) {
          sent.push(chunk);
          callback();
        },
      }),
  });
  await assert.rejects(connection.request('GET', '/', null, many(4097)), wanted(4097));
  await assert.rejects(connection.request('PUT', '/', ['x'], {}, { trailers: many(5000) }), wanted(5000));
  assert.throws(() => connection.set_tunnel('www.example.org', 443, many(4097)), wanted(4097));
  assert.equal(sent.length, 0);
  connection.putrequest('GET', '/');
  assert.throws(() => connection.putheader('x', ...new Array(4097).fill(SECRET)), /^TypeError: 4097 values of one header are more than can be given at once \(4096\): make one of some of them$/);
  for (const [name, value] of many(4097)) connection.putheader(name, value);
  await connection.endheaders();
  assert.equal(String(Buffer.concat(sent)).match(/x-\d+: /g).length, 4097);
  connection.close();
  await connection.request('GET', '/', null, many(4096));
  connection.close();
  assert.equal(new HTTPMessage(many(5000)).length, 5000);
});
