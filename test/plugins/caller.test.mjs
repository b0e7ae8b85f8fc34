// SPDX-License-Identifier: MIT
//
// The side that blocks, while the other one is busy; and heads, which are sent as they were read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { Caller } from '../../bindings/blocking/caller.js';
import { Line, makeBell, MAY_CLEAR, OPEN, PHASE, RIGHTS } from '../../bindings/blocking/line.js';
import { HeadChecker } from '../../bindings/wasm/heads.js';

const TIMED_OUT = -403;
const MOST = 100;

test('a caller that opens and gives up makes no more lines while nobody is done with those before', () => {
  const { port1, port2 } = new MessageChannel();
  const memory = new WebAssembly.Memory({ initial: 1 });
  Buffer.from(memory.buffer).write('a.example');
  const data = { port: port1, bell: makeBell(), ring: 4096, longest: 1000, bytesOut: 1, secrets: [], vetting: true, telling: false };
  const { imports } = new Caller(data, () => memory);
  for (let index = 0; index < MOST; index++) assert.equal(imports.porthole_host_open(0, 9, 80, 0, 1), TIMED_OUT);
  const lines = new Set();
  let message = receiveMessageOnPort(port2);
  for (; message !== undefined; message = receiveMessageOnPort(port2)) {
    if (message.message.shared !== undefined) lines.add(message.message.shared);
  }
  assert.equal(lines.size, 32);
  port1.close();
});

test('a head is given back as it was read, whatever becomes of the memory that it was read from', () => {
  const text = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
  const head = Buffer.from(new SharedArrayBuffer(text.length));
  head.write(text);
  const { result, copy } = new HeadChecker().check(head, 'a.example', 80, false);
  head.write('X', text.indexOf('a.example'));
  assert.equal(result, 1);
  assert.equal(copy.latin1Slice(), text);
});

test('a check of a head in which the guest’s stack has overflowed is the last one of its instance', () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const head = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
  Buffer.from(memory.buffer).write(`a.example${head}`);
  const port = {
    postMessage({ shared }) {
      if (shared === undefined) return;
      const line = new Line(shared);
      line.set(RIGHTS, MAY_CLEAR);
      line.set(PHASE, OPEN);
    },
  };
  let made = 0;
  const makeChecker = () => {
    const checker = new HeadChecker();
    if (made++ > 0) return checker;
    return {
      check(...args) {
        checker.check(...args);
        throw new RangeError('Maximum call stack size exceeded');
      },
    };
  };
  const data = { port, bell: makeBell(), ring: 4096, longest: 1000, bytesOut: 1000, secrets: [], vetting: true, telling: false };
  const { imports } = new Caller(data, () => memory, makeChecker);
  const handle = imports.porthole_host_open(0, 9, 80, 0, 1000);
  const send = () => imports.porthole_host_send_head(handle, 9, head.length, 1000);
  assert.throws(send, RangeError);
  assert.deepEqual([send(), send()], [head.length, head.length]);
  assert.equal(made, 2);
});
