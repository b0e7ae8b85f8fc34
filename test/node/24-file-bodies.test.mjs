// SPDX-License-Identifier: MIT
//
// Files as bodies: what is left of them from where they stand, and those whose size can't be believed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { BODY_KNOWN, BODY_STREAM, BODY_UNKNOWN } from '../../bindings/generated/abi.js';
import { describeBody, piecesOf, unhandledOf, whole } from '../support/bodies.mjs';
import { MemoryPeer } from '../support/memory-peer.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'porthole-'));
after(() => fs.rmSync(folder, { recursive: true }));
const file = path.join(folder, 'file');
fs.writeFileSync(file, '0123456789');
const accented = path.join(folder, 'accented');
fs.writeFileSync(accented, 'naïve é');

const onLinux = process.platform === 'linux' ? test : () => {};
const rest = (content) => ({ kind: BODY_STREAM, size: content.length, content });

/** Gives the descriptor of a file to `run`, and closes it. */
async function withDescriptor(name, run) {
  const fd = fs.openSync(name);
  try {
    await run(fd);
  } finally {
    fs.closeSync(fd);
  }
}

async function withHandle(name, run) {
  const handle = await open(name);
  try {
    await run(handle);
  } finally {
    await handle.close();
  }
}

async function wireOf(body) {
  const peer = new MemoryPeer();
  const connection = new HTTPConnection('h', { create_connection: () => peer });
  await connection.request('PUT', '/', body);
  connection.close();
  return peer.received.slice(peer.received.indexOf('identity\r\n') + 10);
}

test('a FileHandle is sent in pieces of blocksize, and stays open', () =>
  withHandle(file, async (handle) => {
    const body = describeBody(handle, 4);
    assert.deepEqual(await piecesOf(body), ['0123', '4567', '89']);
    body.discard(new Error('over'));
    assert.equal((await handle.stat()).size, 10);
  }));

onLinux('a FileHandle, and a descriptor, that were read from are sent from where they stand', async () => {
  await withHandle(file, async (handle) => {
    await handle.read(Buffer.alloc(4), 0, 4, null);
    assert.deepEqual(await whole(handle), rest('456789'));
  });
  await withDescriptor(file, async (fd) => {
    fs.readSync(fd, Buffer.alloc(4));
    assert.deepEqual(await whole({ fileno: () => fd }), rest('456789'));
    assert.deepEqual(await whole({ fileno: () => fd }), rest(''));
  });
});

test('a FileHandle that is closed is refused', async () => {
  const handle = await open(file);
  await handle.close();
  assert.throws(() => describeBody(handle, 10), { name: 'TypeError', message: /open it again/ });
});

test('fileno() has to give a descriptor', () => {
  for (const fd of [-1, 1.5, '3', null]) assert.throws(() => describeBody({ fileno: () => fd }, 10), { name: 'TypeError', message: /fileno\(\)/ });
});

test('what grows while it is sent is given on, so that who sends it can tell', async () => {
  const grown = path.join(folder, 'grown');
  fs.writeFileSync(grown, 'abc');
  await withDescriptor(grown, async (fd) => {
    const body = describeBody({ fileno: () => fd }, 10);
    fs.appendFileSync(grown, 'def');
    assert.deepEqual([body.size, (await piecesOf(body)).join('')], [3, 'abcdef']);
  });
});

for (const [what, tell] of [['a number', () => 4], ['a bigint', () => 4n], ['a promise', async () => 4]]) {
  test(`an object with read() and tell() stands where it tells: ${what}`, () =>
    withDescriptor(file, async (fd) => {
      const pieces = ['4567', '89'];
      assert.deepEqual(await whole({ fileno: () => fd, tell, read: () => pieces.shift() }), rest('456789'));
    }));
}

test('an object with a descriptor and a mode for text is chunked text', () =>
  withDescriptor(file, async (fd) => {
    const pieces = ['caf\xe9'];
    const body = describeBody({ fileno: () => fd, mode: 'r', read: () => pieces.shift() }, 10);
    assert.deepEqual([body.kind, body.readable, await piecesOf(body)], [BODY_UNKNOWN, 'text', ['caf\xe9']]);
  }));

test('an object whose fileno() throws, or gives none, is read', async () => {
  const fileno = () => {
    throw new Error('there is none');
  };
  for (const none of [fileno, () => -1]) {
    const pieces = ['a'];
    assert.equal((await whole({ fileno: none, read: () => pieces.shift() })).content, 'a');
  }
  assert.throws(() => describeBody({ fileno }, 10), { message: 'there is none' });
});

onLinux('files of /proc, whose size is 0, are sent chunked', async () => {
  const version = fs.readFileSync('/proc/version', 'latin1');
  const chunked = `Transfer-Encoding: chunked\r\n\r\n${version.length.toString(16).toUpperCase()}\r\n${version}\r\n0\r\n\r\n`;
  await withHandle('/proc/version', async (handle) => assert.equal(await wireOf(handle), chunked));
  await withDescriptor('/proc/version', async (fd) => assert.equal(await wireOf({ fileno: () => fd }), chunked));
  assert.equal(await wireOf(fs.createReadStream('/proc/version')), chunked);
  await withHandle('/proc/version', async (handle) => {
    const { kind, content } = await whole(handle, 10);
    assert.deepEqual([kind, content], [BODY_UNKNOWN, version]);
  });
});

onLinux('files that are empty after all have a Content-Length of 0', async () => {
  const empty = path.join(folder, 'empty');
  fs.writeFileSync(empty, '');
  for (const name of [empty, '/dev/null']) {
    const nothing = { kind: BODY_KNOWN, size: 0, content: '' };
    await withHandle(name, async (handle) => assert.deepEqual(await whole(handle), nothing));
    await withDescriptor(name, async (fd) => assert.deepEqual(await whole({ fileno: () => fd }), nothing));
    assert.deepEqual(await whole(fs.createReadStream(name)), nothing);
    assert.equal(await wireOf(fs.createReadStream(name)), 'Content-Length: 0\r\n\r\n');
  }
});

test('a folder is the error of the system before anything is sent', () =>
  withHandle(folder, (handle) => assert.rejects(describeBody(handle, 10).prepare(), { code: 'EISDIR' })));

onLinux('a FIFO that has nothing yet keeps neither the process nor its threads for files busy', async () => {
  const fifo = path.join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fds = Array.from({ length: 8 }, () => fs.openSync(fifo, fs.constants.O_RDWR));
  const bodies = fds.map((fd) => describeBody({ fileno: () => fd }, 10));
  const waiting = bodies.map((body) => body.open().next());
  assert.equal(bodies[0].prepare, null);
  assert.equal(await fs.promises.readFile(file, 'latin1'), '0123456789'); // more wait than there are threads
  fs.writeSync(fds[0], 'hello');
  assert.equal(String(await Promise.race(waiting)), 'hello');
  for (const body of bodies) body.discard();
  await Promise.all(waiting);
  for (const fd of fds) fs.closeSync(fd); // each is still open
});

onLinux('a FIFO ends when nobody writes to it any more', async () => {
  const fifo = path.join(folder, 'ended');
  execFileSync('mkfifo', [fifo]);
  const both = fs.openSync(fifo, fs.constants.O_RDWR);
  const handle = await open(fifo, fs.constants.O_RDONLY);
  fs.writeSync(both, 'abc');
  fs.closeSync(both);
  assert.deepEqual(await whole(handle), { kind: BODY_UNKNOWN, size: 0, content: 'abc' });
  await handle.close();
});

// ---- fs.ReadStream ----

test('a file stream that is fresh has the size of its range', async () => {
  assert.deepEqual(await whole(fs.createReadStream(file)), rest('0123456789'));
  assert.deepEqual(await whole(fs.createReadStream(file, { start: 3, end: 6 })), rest('3456'));
  assert.deepEqual(await whole(fs.createReadStream(file, { end: 6 })), rest('0123456'));
  assert.deepEqual(await whole(fs.createReadStream(file, { start: 3, end: 600 })), rest('3456789'));
  assert.deepEqual(await whole(fs.createReadStream(file, { start: 30 })), rest(''));
});

for (const [what, options, left] of [
  ['of a whole file', {}, '23456789'],
  ['of a range', { start: 3, end: 8 }, '5678'],
  ['that holds a part of what is left', { highWaterMark: 3 }, '23456789'],
]) {
  test(`a file stream ${what} that was read from is sent from where it stands`, async () => {
    const stream = fs.createReadStream(file, options);
    await once(stream, 'readable');
    assert.equal(stream.read(2).length, 2);
    assert.deepEqual(await whole(stream), rest(left));
  });
}

onLinux('a file stream over a descriptor or a FileHandle begins where that stands', async () => {
  const fd = fs.openSync(file);
  fs.readSync(fd, Buffer.alloc(4));
  assert.deepEqual(await whole(fs.createReadStream('', { fd })), rest('456789'));
  const other = fs.openSync(file);
  fs.readSync(other, Buffer.alloc(4));
  assert.deepEqual(await whole(fs.createReadStream('', { fd: other, end: 2 })), rest('456'));
  const handle = await open(file);
  await handle.read(Buffer.alloc(4), 0, 4, null);
  assert.deepEqual(await whole(handle.createReadStream()), rest('456789'));
  const again = await open(file);
  assert.deepEqual(await whole(fs.createReadStream('', { fd: again, start: 8 })), rest('89'));
});

test('a file stream that decodes is sent as the bytes of its file', async () => {
  const bytes = fs.readFileSync(accented, 'latin1');
  for (const encoding of ['utf8', 'latin1', 'hex', 'base64']) {
    assert.deepEqual(await whole(fs.createReadStream(accented, encoding)), rest(bytes));
    assert.deepEqual(await whole(fs.createReadStream(accented, { encoding, highWaterMark: 2 })), rest(bytes));
  }
});

test('a file stream that decodes and was read from is chunked, as it holds characters', async () => {
  const stream = fs.createReadStream(accented, 'utf8');
  await once(stream, 'readable');
  assert.equal(stream.read(3), 'naï');
  const { kind, content } = await whole(stream);
  assert.deepEqual([kind, Buffer.from(content, 'latin1').toString()], [BODY_UNKNOWN, 've é']);
});

test('a file stream that is over, or was destroyed, is refused', async () => {
  const over = fs.createReadStream(file, { autoDestroy: false });
  for await (const piece of over.iterator({ destroyOnReturn: false })) assert.equal(piece.length, 10);
  assert.throws(() => describeBody(over, 10), { name: 'TypeError', message: /make a new one/ });
  const destroyed = fs.createReadStream(file);
  destroyed.destroy();
  assert.throws(() => describeBody(destroyed, 10), { name: 'TypeError', message: /was destroyed before/ });
});

test('a file that is not there is the error of the request, and of nobody else', async () => {
  const missing = path.join(folder, 'missing');
  const peer = new MemoryPeer();
  const connection = new HTTPConnection('h', { create_connection: () => peer });
  assert.deepEqual(await unhandledOf(() => assert.rejects(connection.request('PUT', '/', fs.createReadStream(missing)), { code: 'ENOENT' })), []);
  assert.equal(peer.received, '');
  const lost = describeBody(fs.createReadStream(missing), 10);
  assert.deepEqual(await unhandledOf(() => lost.discard()), []);
});

test('a file stream is closed when the request ends without it', async () => {
  const stream = fs.createReadStream(file);
  await once(stream, 'open');
  const closed = once(stream, 'close');
  describeBody(stream, 10).discard();
  await closed;
  assert.equal(stream.fd, null);
});
