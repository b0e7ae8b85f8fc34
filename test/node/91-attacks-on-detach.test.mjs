// SPDX-License-Identifier: MIT
//
// A socket that was given away loses nothing, whoever made it and whenever it is read.

import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A Duplex of the caller's that gives these pieces in the middle of the first write. */
function answering(pieces) {
  let answered = false;
  return new Duplex({
    read() {},
    write(_chunk, _encoding, callback) {
      if (!answered) for (const piece of pieces) this.push(piece);
      answered = true;
      callback();
    },
  });
}

async function upgraded(duplex) {
  const conn = new HTTPConnection('www.example.org', { create_connection: () => duplex });
  await conn.request('GET', '/', null, { Connection: 'Upgrade', Upgrade: 'x' });
  return conn.getresponse();
}

const WAYS = {
  'a listener for data': (socket, take) => {
    socket.on('data', take);
  },
  'a listener for readable': (socket, take) => {
    socket.on('readable', () => {
      for (let piece = socket.read(); piece !== null; piece = socket.read()) take(piece);
    });
  },
  'iteration': async (socket, take) => {
    try {
      for await (const piece of socket) take(piece);
    } catch {} // the test ends it
  },
};

describe("what a caller's own Duplex gives after it was detached", () => {
  for (const [name, listen] of Object.entries(WAYS)) {
    test(`waits for ${name} that comes later`, async () => {
      const response = await upgraded(answering([SWITCH]));
      const { socket, head } = response.detach();
      socket.push('said meanwhile');
      await turn();
      let text = String(head);
      listen(socket, (piece) => {
        text += piece;
      });
      socket.push(', and later');
      await turn();
      assert.equal(text, 'said meanwhile, and later');
      socket.destroy();
    });

    test(`comes in order to ${name} when more was there than is received in advance`, async () => {
      const pieces = Array.from({ length: 30 }, (_, i) => Buffer.alloc(200_000, 65 + i));
      const response = await upgraded(answering([SWITCH, ...pieces]));
      const { socket, head } = response.detach();
      const parts = [head];
      listen(socket, (piece) => parts.push(piece));
      for (let turns = 0; turns < 20; turns++) await turn();
      assert.ok(Buffer.concat(parts).equals(Buffer.concat(pieces)));
      socket.destroy();
    });
  }
});

for (const whose of ['connection', 'response']) {
  test(`the response of a 101 has an empty body, also after detach() of the ${whose}`, async () => {
    const conn = new HTTPConnection('www.example.org', { create_connection: () => answering([SWITCH]) });
    await conn.request('GET', '/', null, { Connection: 'Upgrade', Upgrade: 'x' });
    const response = await conn.getresponse();
    const { socket } = whose === 'connection' ? conn.detach() : response.detach();
    assert.equal(await response.text(), '');
    assert.equal(response.closed, true);
    socket.destroy();
  });
}
