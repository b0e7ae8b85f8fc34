// SPDX-License-Identifier: MIT
//
// The side that has the sockets, with a transport and a caller that do what a test wants at the moment it wants.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { Desk } from '../../bindings/blocking/desk.js';
import { IN_PUT, IN_TAKEN, Line, makeBell, OPEN, PHASE, STALLED } from '../../bindings/blocking/line.js';

const RING = 4096;
const turn = () => new Promise(setImmediate);

/** A transport without a socket. */
function scripted() {
  return {
    socket: { closed: true, destroyed: false, writableLength: 0, unref() {} },
    queued: 0,
    paused: false,
    writable: true,
    full: false,
    byRecord: true,
    offer: () => null,
    onpassed: () => false,
    onreadable() {},
    get readable() {
      return this.queued > 0;
    },
    receive(_buffer, _at, most) {
      const count = Math.min(most, this.queued);
      this.queued -= count;
      return count;
    },
    rest() {},
    expectAnswer() {},
    pause() {
      this.paused = true;
    },
    resume() {
      this.paused = false;
    },
    destroy() {},
  };
}

test('a caller that makes room while a record of TLS finds none is read for again', async (t) => {
  const transport = scripted();
  const keeper = {
    open: async () => ({ transport, name: 'a.example', rights: 1, secrets: 0 }),
    received: (_opened, length) => length,
    closed() {},
  };
  const { port1, port2 } = new MessageChannel();
  const desk = new Desk(port1, makeBell(), keeper);
  t.after(() => {
    desk.close();
    port2.close();
  });
  port1.ref();
  const line = Line.make(RING);
  port2.postMessage({ open: 1, shared: line.shared, host: 'a.example', port: 80, flags: 0 });
  while (line.get(PHASE) !== OPEN) await turn();
  const memory = transport.offer();
  transport.onpassed(memory, memory.length);
  assert.deepEqual([line.count(IN_PUT, IN_TAKEN), line.get(STALLED), transport.paused], [RING, 1, true]);

  // As the caller does: it takes what is there, and wakes the other side, which has found no room just now.
  const { roomIn } = Line.prototype;
  t.mock.method(Line.prototype, 'roomIn', function (most) {
    const room = roomIn.call(this, most);
    if (room === null) {
      line.set(IN_TAKEN, line.get(IN_PUT));
      if (line.get(STALLED) === 1) port2.postMessage(0);
    }
    return room;
  });
  transport.queued = 100;
  transport.onreadable();
  for (let turns = 0; turns < 1000 && (transport.paused || transport.queued > 0); turns++) await turn();
  assert.equal(transport.paused, false);
  assert.equal(line.count(IN_PUT, IN_TAKEN), 100);
});
