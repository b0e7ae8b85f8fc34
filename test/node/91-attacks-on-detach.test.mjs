// SPDX-License-Identifier: MIT
//
// A socket that was given away loses nothing, whoever made it and whenever it is read.

import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { HTTPConnection, ImproperConnectionState } from '../../js/index.js';
import { settles } from '../support/upload-server.mjs';

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

/** The response to a GET, once its server has ended the connection and that was seen. */
async function ended(answer) {
  const server = net.createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const conn = new HTTPConnection('127.0.0.1', server.address().port);
  const seen = new Promise((resolve) => {
    const made = ({ socket }) => {
      diagnostics.unsubscribe('net.client.socket', made);
      socket.once('end', resolve);
    };
    diagnostics.subscribe('net.client.socket', made);
  });
  await conn.request('GET', '/');
  const response = await settles(conn.getresponse());
  await settles(seen);
  server.close();
  return { conn, response };
}

for (const [what, head] of Object.entries({ 'HTTP/1.0': 'HTTP/1.0 200 OK\r\n\r\n', 'no framing': 'HTTP/1.1 200 OK\r\n\r\n' })) {
  for (const body of ['all of it', '']) {
    test(`a body with ${what} that its end has come behind is given away as well: ${body.length} bytes`, async () => {
      const { conn, response } = await ended(`${head}${body}`);
      const given = response.detach();
      assert.equal(String(given.head), body);
      given.socket.resume();
      if (!given.socket.closed) await settles(once(given.socket, 'close'));
      assert.ok(response.isclosed());
      conn.close();
    });
  }

  test(`a body with ${what} of which a part was read gives the rest away, its end included`, async () => {
    const { conn, response } = await ended(`${head}all of it`);
    assert.equal(String(await response.read(4)), 'all ');
    const { socket, head: rest } = response.detach();
    assert.equal(String(rest), 'of it');
    socket.destroy();
    conn.close();
  });

  test(`a body with ${what} that was read to its end is not given away`, async () => {
    const { conn, response } = await ended(`${head}all of it`);
    assert.equal(await response.text(), 'all of it');
    assert.throws(() => response.detach(), ImproperConnectionState);
    conn.close();
  });
}

for (const answer of [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.0 204 No Content\r\n\r\n',
]) {
  test(`a response that has an end of its own is not given away, also when the connection has ended: ${JSON.stringify(answer.slice(9, 60))}`, async () => {
    const { conn, response } = await ended(answer);
    assert.throws(() => response.detach(), ImproperConnectionState);
    conn.close();
  });
}
