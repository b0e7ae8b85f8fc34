// SPDX-License-Identifier: MIT
//
// Streams as bodies: of Node, of the web, and old ones; what was read before, what fails, and what is not needed any more.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { OutgoingMessage } from 'node:http';
import { Duplex, PassThrough, Readable, Stream, Writable } from 'node:stream';
import { test } from 'node:test';
import MultipartForm from 'form-data';
import { HTTPConnection } from '../../js/index.js';
import { BODY_UNKNOWN } from '../../bindings/generated/abi.js';
import { describeBody, piecesOf, unhandledOf, whole } from '../support/bodies.mjs';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

const web = (...pieces) => Readable.toWeb(Readable.from(pieces));
const turn = () => new Promise(setImmediate);

/** The TypeError that a used stream is refused with. */
const refused = (body, message) => assert.throws(() => describeBody(body, 10), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message });

test('the pieces of a stream are had one by one, and what is there at once', async () => {
  const stream = new PassThrough();
  const body = describeBody(stream, 10);
  stream.write('ab');
  const source = body.open();
  assert.equal(String(source.next()), 'ab');
  const later = source.next();
  stream.end('c');
  assert.equal(String(await later), 'c');
  assert.equal(await source.next(), null);
  assert.equal(await source.next(), null);
  assert.deepEqual([body.kind, body.size, body.readable, body.repeatable], [BODY_UNKNOWN, 0, '', false]);
});

test('empty pieces of a stream of objects are skipped', async () => {
  assert.deepEqual(await piecesOf(describeBody(Readable.from(['', 'a', Buffer.alloc(0), 'b']), 10)), ['a', 'b']);
});

for (const [encoding, wire] of [['utf8', 'é€'], ['utf16le', 'é€'], ['latin1', 'é'], ['hex', 'é€'], ['base64', 'é€']]) {
  test(`a stream that decodes ${encoding} gives the bytes that went into it`, async () => {
    const bytes = Buffer.from(wire, encoding === 'hex' || encoding === 'base64' ? 'utf8' : encoding);
    const stream = new PassThrough();
    stream.setEncoding(encoding);
    for (const byte of bytes) stream.write(Buffer.of(byte));
    stream.end();
    assert.equal((await whole(stream)).content, bytes.toString('latin1'));
  });
}

test('strings of a stream of objects are ISO-8859-1, and others are refused', async () => {
  assert.equal((await whole(Readable.from(['caf\xe9']))).content, 'caf\xe9');
  await assert.rejects(whole(Readable.from(['€'])), { name: 'TypeError', code: 'ERR_INVALID_CHAR' });
});

test('a stream that fails before it is asked for a piece is heard, and is the error of the first piece', async () => {
  const reason = new Error('gone');
  const stream = new PassThrough();
  const body = describeBody(stream, 10);
  assert.equal(body.failure, undefined);
  assert.deepEqual(await unhandledOf(() => stream.destroy(reason)), []);
  assert.equal(body.failure, reason);
  await assert.rejects(async () => body.open().next(), (error) => error === reason);
});

test('a stream that fails while it is waited for rejects with its error', async () => {
  const reason = new Error('gone');
  for (const make of [() => new PassThrough(), () => Object.assign(new Stream(), { readable: true })]) {
    const stream = make();
    const waiting = describeBody(stream, 10).open().next();
    stream.emit('error', reason);
    await assert.rejects(waiting, (error) => error === reason);
  }
});

test('a stream that is closed before its end is an error', async () => {
  const stream = new PassThrough();
  const waiting = describeBody(stream, 10).open().next();
  stream.destroy();
  await assert.rejects(waiting, { code: 'ERR_STREAM_PREMATURE_CLOSE' });
});

test('errors of a stream are nobody else\'s after the request either', async () => {
  const stream = new PassThrough();
  const body = describeBody(stream, 10);
  body.discard();
  assert.deepEqual(await unhandledOf(() => stream.emit('error', new Error('late'))), []);
});

test('a stream that was read from, ended, failed or destroyed is refused', async () => {
  const read = new PassThrough();
  read.end('abc');
  await once(read, 'readable');
  read.read(1);
  refused(read, /was read from before.* make a new one/);

  const ended = new Readable({ read() { this.push(null); }, autoDestroy: false });
  await ended.resume().toArray();
  refused(ended, /read to its end|destroyed/);

  const destroyed = new PassThrough().destroy();
  refused(destroyed, /was destroyed before/);

  const reason = new Error('gone');
  const failed = new PassThrough();
  assert.deepEqual(await unhandledOf(() => {
    failed.destroy(reason);
    assert.throws(() => describeBody(failed, 10), ({ cause, message }) => cause === reason && /has failed before/.test(message));
  }), []);
});

test('what can only be written to is refused', () => {
  for (const stream of [new Writable(), new OutgoingMessage()]) {
    assert.throws(() => describeBody(stream, 10), { name: 'TypeError', message: /can't be read/ });
  }
});

test('the same stream for two requests is refused the second time', async () => {
  for (const make of [() => Readable.from(['a']), () => web('a'), () => { const s = new PassThrough(); s.end('a'); return s; }]) {
    await withServer(
      () => reply('ok'),
      async ({ port, requests }) => {
        const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
        const stream = make();
        await connection.request('POST', '/', stream);
        await (await connection.getresponse()).read();
        await assert.rejects(connection.request('POST', '/', stream), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
        assert.equal(requests.length, 1);
        connection.close();
      },
    );
  }
});

test('a listener for data, that counts what goes by, takes nothing away', async () => {
  const stream = Readable.from([Buffer.from('ab'), Buffer.from('c')]);
  let count = 0;
  stream.on('data', (piece) => {
    count += piece.length;
  });
  const body = describeBody(stream, 10);
  await turn();
  assert.deepEqual(await piecesOf(body), ['ab', 'c']);
  assert.equal(count, 3);
});

test('a stream is destroyed with the error of the request, begun or not, and once', async () => {
  const reason = new Error('refused');
  for (const begun of [false, true]) {
    const stream = new PassThrough();
    const errors = [];
    stream.on('error', (error) => errors.push(error));
    const body = describeBody(stream, 10);
    const waiting = begun ? body.open().next() : null;
    body.discard(reason);
    body.discard(reason);
    assert.equal(await waiting, null);
    await turn();
    assert.ok(stream.destroyed);
    assert.deepEqual(errors, [reason]);
    assert.equal(stream.listenerCount('readable'), 0);
  }
});

test('a Duplex whose bytes are all read stays open to be written to', async () => {
  const duplex = new Duplex({ read() { this.push(null); }, write(_chunk, _encoding, done) { done(); } });
  const body = describeBody(duplex, 10);
  assert.deepEqual(await piecesOf(body), []);
  body.discard();
  assert.equal(duplex.writableEnded || duplex.destroyed, false);
});

test('a stream whose destroy throws is let go all the same', () => {
  const stream = new PassThrough();
  stream.destroy = () => {
    throw new Error('no');
  };
  describeBody(stream, 10).discard();
});

test('a stream is destroyed when the connection is refused', async () => {
  const refusing = () => {
    throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  };
  for (const stream of [new PassThrough(), Readable.from(['a'])]) {
    const connection = new HTTPConnection('h', { create_connection: refusing });
    await assert.rejects(connection.request('POST', '/', stream), { code: 'ECONNREFUSED' });
    assert.ok(stream.destroyed);
  }
});

// ---- streams of the web ----

test('a web stream gives its pieces, of text too', async () => {
  assert.deepEqual(await whole(web('a', Buffer.from('b'), '', 'c')), { kind: BODY_UNKNOWN, size: 0, content: 'abc' });
});

test('a web stream that is locked or was read from is refused', async () => {
  const locked = web('a', 'b');
  const reader = locked.getReader();
  refused(locked, /is locked/);
  await reader.read();
  reader.releaseLock();
  refused(locked, /was read from before/);
});

test('a web stream of another library is told by its getReader', async () => {
  const pieces = ['a', 'b'];
  const read = async () => (pieces.length > 0 ? { done: false, value: pieces.shift() } : { done: true });
  const stream = { locked: false, getReader: () => ({ read, closed: new Promise(() => {}), cancel: async () => {} }) };
  assert.equal((await whole(stream)).content, 'ab');
  refused({ ...stream, locked: true }, /is locked/);
});

test('a web stream that fails rejects with its error, which is kept', async () => {
  const reason = new Error('gone');
  const body = describeBody(new ReadableStream({ pull(controller) { controller.error(reason); } }), 10);
  assert.deepEqual(await unhandledOf(async () => {
    await assert.rejects(body.open().next(), (error) => error === reason);
    body.discard(reason);
  }), []);
  assert.equal(body.failure, reason);
});

for (const begun of [false, true]) {
  test(`a web stream is cancelled when it isn't needed any more, ${begun ? 'while a piece is waited for' : 'before it is begun'}`, async () => {
    const cancelled = [];
    const stream = new ReadableStream({
      pull: () => new Promise(() => {}),
      cancel: (reason) => {
        cancelled.push(reason);
        throw new Error('from cancel');
      },
    });
    const reason = new Error('the request failed');
    assert.deepEqual(await unhandledOf(() => {
      const body = describeBody(stream, 10);
      if (begun) body.open().next();
      body.discard(reason);
      body.discard(reason);
    }), []);
    assert.deepEqual(cancelled, [reason]);
  });
}

// ---- old streams ----

/** A stream as they were: it emits what it has whenever it isn't paused. */
class OldStream extends EventEmitter {
  readable = true;
  paused = false;
  emitted = 0;
  destroyed = false;
  #pieces;

  constructor(pieces) {
    super();
    this.#pieces = pieces;
  }

  pipe() {}

  pause() {
    this.paused = true;
  }

  resume() {
    this.paused = false;
    while (!this.paused && this.#pieces.length > 0) {
      this.emitted++;
      this.emit('data', this.#pieces.shift());
    }
    if (!this.paused) this.emit('end');
  }

  destroy() {
    this.destroyed = true;
    this.emit('close');
  }
}

test('an old stream is held back by pause and resume: one piece at a time', async () => {
  const stream = new OldStream(['a', Buffer.from('b'), 'é']);
  const body = describeBody(stream, 10);
  assert.ok(stream.paused);
  const source = body.open();
  for (const [index, piece] of ['a', 'b', 'é'].entries()) {
    assert.equal(String(await source.next()), piece);
    assert.equal(stream.emitted, index + 1);
  }
  assert.equal(await source.next(), null);
  body.discard();
  assert.equal(stream.destroyed, false);
});

test('an old stream that can not be held back loses nothing of what it emits before it is begun', async () => {
  const stream = Object.assign(new Stream(), { readable: true });
  const body = describeBody(stream, 10);
  stream.emit('data', 'early');
  stream.emit('data', '');
  stream.emit('data', Buffer.from('late'));
  stream.emit('end');
  stream.emit('close');
  assert.deepEqual(await piecesOf(body), ['early', 'late']);
});

test('an old stream that closes before its end is an error, and one that is not needed is destroyed', async () => {
  const stream = Object.assign(new Stream(), { readable: true });
  const waiting = describeBody(stream, 10).open().next();
  stream.emit('close');
  await assert.rejects(waiting, { code: 'ERR_STREAM_PREMATURE_CLOSE' });
  const other = new OldStream(['a']);
  describeBody(other, 10).discard();
  assert.ok(other.destroyed);
});

test('a stream that can be iterated but has nothing else of Node is iterated', async () => {
  class Iterated extends OldStream {
    async *[Symbol.asyncIterator]() {
      yield 'a';
      yield 'b';
    }
  }
  assert.equal((await whole(new Iterated([]))).content, 'ab');
  const stream = new Iterated([]);
  const reason = new Error('gone');
  const body = describeBody(stream, 10);
  assert.deepEqual(await unhandledOf(() => stream.emit('error', reason)), []);
  await assert.rejects(async () => body.open().next(), (error) => error === reason);
  body.discard(reason);
  assert.ok(stream.destroyed);
});

test('a form of form-data goes out as it is, with its fields in UTF-8', async () => {
  const make = () => {
    const form = new MultipartForm();
    form.append('name', 'na\u00efve');
    form.append('file', Readable.from([Buffer.from('con'), Buffer.from('tent')]), { filename: 'f.txt', contentType: 'text/plain' });
    return form;
  };
  const form = make();
  const { content } = await whole(form);
  const text = Buffer.from(content, 'latin1').toString();
  assert.match(text, /name="name"\r\n\r\nnaïve\r\n/);
  assert.match(text, /filename="f\.txt"\r\nContent-Type: text\/plain\r\n\r\ncontent\r\n/);
  assert.ok(text.endsWith(`--${form.getBoundary()}--\r\n`));
  const peer = new MemoryPeer();
  const connection = new HTTPConnection('h', { create_connection: () => peer });
  const sent = make();
  await connection.request('POST', '/', sent, sent.getHeaders());
  assert.match(peer.received, /Transfer-Encoding: chunked\r\n/);
  assert.ok(peer.received.endsWith('0\r\n\r\n'));
  connection.close();
});
