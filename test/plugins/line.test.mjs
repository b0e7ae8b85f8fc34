// SPDX-License-Identifier: MIT
//
// Lines: the rings between two threads, at their edges.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IN_PUT, IN_TAKEN, Line, OUT_PUT, OUT_TAKEN, ringSize } from '../../bindings/blocking/line.js';

const SIZE = 4096;
const STARTS = { 'at 0': 0, 'across 2^31': 0x7fffffff - 1000, 'across 2^32': -1000 };

/** What the I/O side does when bytes come. */
function arrive(line, bytes) {
  for (let at = 0; at < bytes.length; ) {
    const room = line.roomIn(SIZE);
    if (room === null) return at;
    const count = Math.min(room.length, bytes.length - at);
    room.set(bytes.subarray(at, at + count));
    line.set(IN_PUT, line.words[IN_PUT] + count);
    at += count;
  }
  return bytes.length;
}

test('a ring has the next power of two', () => {
  assert.deepEqual([1, 4096, 4097, 100_000, 1 << 20, 2 ** 40].map(ringSize), [4096, 4096, 8192, 131_072, 1 << 20, 2 ** 28]);
});

for (const [name, start] of Object.entries(STARTS)) {
  test(`bytes of any pieces come out as they went in, positions begin ${name}`, () => {
    const line = Line.make(SIZE, start);
    const guest = Buffer.alloc(SIZE);
    let sent = 0;
    let received = 0;
    for (let step = 0; step < 1000; step++) {
      const piece = Buffer.from(Array.from({ length: (step * 37) % 2999 }, (_, index) => (sent + index) % 251));
      sent += arrive(line, piece);
      const count = Math.min(line.count(IN_PUT, IN_TAKEN), (step * 53) % 3001);
      line.takeIn(guest, 0, count);
      for (let index = 0; index < count; index++) {
        if (guest[index] !== (received + index) % 251) assert.fail(`byte ${received + index} in step ${step}`);
      }
      received += count;
      assert.equal(line.count(IN_PUT, IN_TAKEN), sent - received);
    }
    assert.ok(received > 100 * SIZE);
  });

  test(`a full ring has no room, an empty one all of it, positions begin ${name}`, () => {
    const line = Line.make(SIZE, start);
    assert.equal(arrive(line, Buffer.alloc(SIZE + 1)), SIZE);
    assert.equal(line.roomIn(SIZE), null);
    line.takeIn(Buffer.alloc(SIZE), 0, SIZE);
    assert.equal(line.count(IN_PUT, IN_TAKEN), 0);
    assert.ok(line.roomIn(SIZE).length > 0);
  });

  test(`what is sent lies in the other ring, also around its end, positions begin ${name}`, () => {
    const line = Line.make(SIZE, start);
    const bytes = Buffer.from(Array.from({ length: SIZE }, (_, index) => index % 251));
    line.putOut(bytes, 0, 3000);
    line.set(OUT_TAKEN, line.words[OUT_PUT]);
    line.putOut(bytes, 0, SIZE);
    const at = line.words[OUT_TAKEN] & (SIZE - 1);
    assert.deepEqual(Buffer.concat([line.out.subarray(at), line.out.subarray(0, at)]), bytes);
    assert.equal(line.count(IN_PUT, IN_TAKEN), 0);
  });
}

test('a text is one line, cut between characters', () => {
  const line = Line.make(SIZE);
  line.setText(0, `a\r\nb\u2028c${'é'.repeat(150)}`);
  line.setText(1, 'next');
  assert.equal(line.text(0), `a b c${'é'.repeat(97)}`);
  assert.equal(line.text(1), 'next');
  assert.equal(line.text(2), '');
});
