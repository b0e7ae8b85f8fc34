// SPDX-License-Identifier: MIT
//
// Bodies out of memory and iterables, and what can't be a body.

import assert from 'node:assert/strict';
import vm from 'node:vm';
import { test } from 'node:test';
import { FormData as OtherFormData, Headers as OtherHeaders } from 'undici';
import { HTTPConnection, HTTPMessage } from '../../js/index.js';
import { BODY_KNOWN, BODY_NONE, BODY_UNKNOWN } from '../../bindings/generated/abi.js';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { describeBody, piecesOf, unhandledOf, whole } from '../support/bodies.mjs';

test('no body is none, and has no pieces', async () => {
  for (const nothing of [null, undefined]) assert.deepEqual(await whole(nothing), { kind: BODY_NONE, size: 0, content: '' });
});

for (const code of ['new Uint8Array([65, 66])', 'new Uint8Array([65, 66]).buffer', 'new DataView(new Uint8Array([65, 66]).buffer)']) {
  test(`bytes of another realm are a body: ${code}`, async () => {
    const body = vm.runInNewContext(code);
    assert.deepEqual(await whole(body), { kind: BODY_KNOWN, size: 2, content: 'AB' });
    assert.deepEqual(await piecesOf(describeBody([body], 10)), ['AB']);
  });
}

test('memory that is shared, of another realm too, is a body', async () => {
  for (const make of ['new SharedArrayBuffer(3)', 'new Uint8Array(new SharedArrayBuffer(3))']) {
    assert.equal((await whole(vm.runInNewContext(make, { SharedArrayBuffer }))).size, 3);
  }
});

/** A Blob of another library: only what it says of itself. */
const foreign = (members) => ({ size: 3, type: '', [Symbol.toStringTag]: 'File', ...members });

for (const [what, blob] of [
  ['of Node', new Blob(['abc'])],
  ['with a web stream', foreign({ stream: () => new Blob(['abc']).stream() })],
  ['with an async iterable', foreign({ stream: async function* () { yield 'abc'; } })],
  ['with its bytes only', foreign({ arrayBuffer: async () => new Uint8Array([97, 98, 99]).buffer })],
]) {
  test(`a Blob ${what} has its size, and can be had twice`, async () => {
    const body = describeBody(blob, 10);
    assert.deepEqual([body.kind, body.size, body.repeatable], [BODY_KNOWN, 3, true]);
    assert.deepEqual([await piecesOf(body), await piecesOf(body)], [['abc'], ['abc']]);
  });
}

test('a sync iterable answers at once, and an array can be had twice', () => {
  const body = describeBody(['a', '', Buffer.from('b')], 10);
  for (let time = 0; time < 2; time++) {
    const source = body.open();
    assert.deepEqual([source.next(), source.next(), source.next(), source.next()].map((piece) => piece && String(piece)), ['a', 'b', null, null]);
  }
  assert.equal(body.repeatable, true);
});

for (const [what, source] of [
  ['a generator', function* () { for (let i = 0; i < 2500; i++) yield ''; yield 'x'; }],
  ['an async generator', async function* () { for (let i = 0; i < 2500; i++) yield ''; yield 'x'; }],
]) {
  test(`a long run of empty pieces of ${what} is interrupted after every 1,000`, async () => {
    const pieces = describeBody(source(), 10).open();
    const lengths = [];
    for (let piece = await pieces.next(); piece !== null; piece = await pieces.next()) lengths.push(piece.length);
    assert.deepEqual(lengths, [0, 0, 1]);
  });
}

/** An iterable that counts how often `return` is called. */
function counted(next, onreturn, symbol = Symbol.iterator) {
  const counts = { next: 0, return: 0 };
  const iterator = {
    next: () => next(counts.next++),
    return: () => {
      counts.return++;
      return onreturn?.() ?? { done: true };
    },
  };
  return { counts, body: describeBody({ [symbol]: () => iterator }, 10) };
}

for (const symbol of [Symbol.iterator, Symbol.asyncIterator]) {
  test(`return of an iterator is called once when its pieces are not needed any more: ${String(symbol)}`, async () => {
    const { counts, body } = counted(() => ({ done: false, value: 'a' }), undefined, symbol);
    assert.equal(String(await body.open().next()), 'a');
    for (let time = 0; time < 3; time++) body.discard(new Error('the request failed'));
    assert.deepEqual(counts, { next: 1, return: 1 });
  });

  test(`what return throws or rejects with is nobody's: ${String(symbol)}`, async () => {
    const throws = () => {
      throw new Error('from return');
    };
    for (const onreturn of [throws, () => Promise.reject(new Error('from return'))]) {
      const { counts, body } = counted(() => ({ done: false, value: 'a' }), onreturn, symbol);
      assert.deepEqual(await unhandledOf(async () => {
        await body.open().next();
        body.discard();
      }), []);
      assert.equal(counts.return, 1);
    }
  });

  test(`return is not called after the end, after an error of next, or before the first piece: ${String(symbol)}`, async () => {
    const ended = counted(() => ({ done: true }), undefined, symbol);
    assert.equal(await ended.body.open().next(), null);
    const reason = new Error('from next');
    const broken = counted(() => { throw reason; }, undefined, symbol);
    const source = broken.body.open();
    await assert.rejects(async () => source.next(), (error) => error === reason);
    const unopened = counted(() => ({ done: true }), undefined, symbol);
    for (const { counts, body } of [ended, broken, unopened]) {
      body.discard();
      assert.equal(counts.return, 0);
    }
  });

  test(`an element that is no piece is a TypeError with a hint, and ends the iterator: ${String(symbol)}`, async () => {
    for (const [value, hint] of [[5, /Uint8Array/], [{}, /JSON\.stringify/], [Promise.resolve(), /await it first/], [true, /boolean true$/]]) {
      const { counts, body } = counted(() => ({ done: false, value }), undefined, symbol);
      const source = body.open();
      await assert.rejects(async () => source.next(), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: hint });
      assert.equal(counts.return, 1);
    }
  });
}

test('a generator that is stopped by what it does itself runs its finally', () => {
  let cleaned = false;
  const body = describeBody(
    (function* () {
      try {
        body.discard();
        yield 'a';
      } finally {
        cleaned = true;
      }
    })(),
    10,
  );
  body.open().next();
  assert.ok(cleaned);
});

test('an async iterator that rejects after it was stopped is no unhandled rejection', async () => {
  let fail;
  const { body } = counted(() => new Promise((_resolve, reject) => { fail = reject; }), undefined, Symbol.asyncIterator);
  assert.deepEqual(await unhandledOf(() => {
    body.open().next();
    body.discard();
    fail(new Error('too late'));
  }), []);
});

test('a generator that was a body before is refused', async () => {
  function* pieces() {
    yield 'a';
  }
  const generator = pieces();
  await whole(generator);
  assert.throws(() => describeBody(generator, 10), { name: 'TypeError', message: /call its function again/ });
});

test('an array is looked through before anything is sent', () => {
  assert.throws(() => describeBody(['a', 1], 10), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
});

test('text above U+00FF is refused with the way to encode it', () => {
  for (const body of ['€', ['a', '€']]) assert.throws(() => describeBody(body, 10), { code: 'ERR_INVALID_CHAR', message: /Buffer\.from\(text\)/ });
  assert.throws(() => describeBody(['a€'].values(), 10).open().next(), { code: 'ERR_INVALID_CHAR' });
});

const ARGUMENTS = /request\(method, url, body, headers, options\)/;
class FormData_ extends FormData {}
for (const [what, value, hint] of [
  ['a number', 5, /number 5: make it a string/],
  ['a boolean', true, /boolean true: make it a string/],
  ['a symbol', Symbol('s'), /symbol/],
  ['a function', function* make() {}, /a function: call it/],
  ['a promise', Promise.resolve('x'), /await it first/],
  ['a URL', new URL('http://h/'), ARGUMENTS],
  ['options of fetch', { headers: { a: 'b' } }, ARGUMENTS],
  ['options of a request', { encode_chunked: true }, ARGUMENTS],
  ['Headers', new Headers({ a: 'b' }), ARGUMENTS],
  ['Headers of another library', new OtherHeaders({ a: 'b' }), ARGUMENTS],
  ['an HTTPMessage', new HTTPMessage(['a', 'b']), ARGUMENTS],
  ['a Map', new Map([['a', 'b']]), ARGUMENTS],
  ['a plain object', { a: 1 }, /JSON\.stringify/],
  ['an object without a class', { __proto__: null }, /JSON\.stringify/],
  ['a form', new FormData_(), /new Response\(form\)/],
  ['a form of another library', new OtherFormData(), /new Response\(form\)/],
  ['parameters', new URLSearchParams('a=1'), /String\(params\)/],
  ['parameters of another realm', { [Symbol.toStringTag]: 'URLSearchParams', *[Symbol.iterator]() {} }, /String\(params\)/],
  ['a Response', new Response('x'), /give its body/],
  ['a TransformStream', new TransformStream(), /readable side/],
]) {
  test(`${what} is no body, and the TypeError says what to do`, async () => {
    assert.throws(() => describeBody(value, 10), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: hint });
    const peer = new MemoryPeer();
    const connection = new HTTPConnection('h', { create_connection: () => peer });
    await assert.rejects(connection.request('POST', '/', value), { message: hint });
    assert.equal(peer.received, '');
    connection.close();
  });
}

test('an object with read(n) is read until it gives nothing, and says how for debug output', async () => {
  for (const [mode, readable] of [['r', 'text'], ['rb', 'bytes'], [undefined, 'bytes']]) {
    const asked = [];
    const pieces = ['ab', Buffer.from('c'), ''];
    const read = (n) => {
      asked.push(n);
      return pieces.shift();
    };
    const body = describeBody({ mode, read }, 7);
    assert.deepEqual([body.kind, body.readable], [BODY_UNKNOWN, readable]);
    assert.deepEqual(await piecesOf(body), ['ab', 'c']);
    assert.deepEqual(asked, [7, 7, 7]);
  }
});

test('read(n) may be async, and what it rejects with is the error of the source', async () => {
  const reason = new Error('no more');
  let reads = 0;
  const body = describeBody({ read: async () => { if (reads++ > 0) throw reason; return 'a'; } }, 7);
  const source = body.open();
  assert.equal(String(await source.next()), 'a');
  await assert.rejects(source.next(), (error) => error === reason);
});
