// SPDX-License-Identifier: MIT
//
// Leaving HTTP: detach() after a 101 or a CONNECT, and a WebSocket with a real server at the other end.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { HTTPConnection, ImproperConnectionState } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n';

/** Reads a stream until there are so many bytes. */
async function read(socket, count) {
  const parts = [];
  let total = 0;
  while (total < count) {
    const [part] = await once(socket, 'data');
    parts.push(part);
    total += part.length;
  }
  return Buffer.concat(parts);
}

/** Answers 101, then sends back what it gets. */
const echo = (after) => (_head, socket) => {
  socket.removeAllListeners('data');
  socket.on('data', (data) => socket.write(data));
  return SWITCH + after;
};

for (const [how, options] of [
  ['a socket of its own', () => ({})],
  ['a Duplex that was brought along', (net) => ({ create_connection: ({ host, port }) => net.connect(port, host) })],
]) {
  test(`after a 101 ${how} is a stream, with the bytes that had come already`, async () => {
    const net = await import('node:net');
    await withServer(echo('early'), async ({ port, sockets }) => {
      const connection = connect(port, options(net));
      await connection.request('GET', '/', null, { Connection: 'Upgrade', Upgrade: 'echo' });
      const response = await connection.getresponse();
      assert.equal(response.status, 101);
      assert.equal(response.getheader('upgrade'), 'echo');
      const { socket, head } = connection.detach();
      assert.equal(connection.sock, null);
      assert.equal((await response.read()).length, 0);
      const early = head.length < 5 ? Buffer.concat([head, await read(socket, 5 - head.length)]) : head;
      assert.equal(String(early), 'early');
      for (const size of [1, 1000, 300_000]) {
        const bytes = randomBytes(size);
        socket.write(bytes);
        assert.ok((await read(socket, size)).equals(bytes));
      }
      socket.pause();
      socket.write('paused');
      await new Promise((resolve) => setTimeout(resolve, 30));
      socket.resume();
      assert.equal(String(await read(socket, 6)), 'paused');
      for (const peer of sockets) peer.end();
      await once(socket, 'end');
      socket.destroy();
      await assert.rejects(connection.getresponse(), { name: 'ResponseNotReady' });
    });
  });
}

test('the connection can be used again, and its memory is not written into', () =>
  withServer(
    (head, socket) => (head.includes('/switch') ? echo('')(head, socket) : reply(head.split(' ')[1])),
    async ({ port }) => {
      const connection = connect(port);
      const sockets = [];
      for (let i = 0; i < 10; i++) {
        await connection.request('GET', '/switch');
        await connection.getresponse();
        sockets.push(connection.detach().socket);
        for (const socket of sockets) socket.write('noise');
        await connection.request('GET', `/plain/${i}`);
        assert.equal(await (await connection.getresponse()).text(), `/plain/${i}`);
        connection.close();
      }
      for (const socket of sockets) {
        assert.ok(String(await read(socket, 5)).startsWith('noise'));
        socket.destroy();
      }
    },
  ));

test('a tunnel can be detached: after CONNECT by request, or by set_tunnel and connect', () =>
  withServer(
    (_head, socket) => {
      socket.removeAllListeners('data');
      socket.on('data', (data) => socket.write(data));
      return 'HTTP/1.1 200 OK\r\n\r\n';
    },
    async ({ port }) => {
      const asked = connect(port);
      await asked.request('CONNECT', 'origin.example:22');
      assert.equal((await asked.getresponse()).status, 200);
      const set = connect(port);
      set.set_tunnel('origin.example', 22);
      await set.connect();
      for (const connection of [asked, set]) {
        const { socket, head } = connection.detach();
        assert.equal(head.length, 0);
        socket.write('SSH-2.0-x\r\n');
        assert.equal(String(await read(socket, 11)), 'SSH-2.0-x\r\n');
        socket.destroy();
      }
    },
  ));

test('there is nothing to detach at any other point', () =>
  withServer(
    () => reply('body'),
    async ({ port }) => {
      const connection = connect(port);
      const refused = () => assert.throws(() => connection.detach(), ImproperConnectionState);
      refused();
      await connection.connect();
      refused();
      await connection.request('GET', '/');
      refused();
      const response = await connection.getresponse();
      refused();
      await response.read();
      refused();
      connection.close();
      refused();
    },
  ));

/** A masked frame of text (RFC 6455 section 5.2). */
function frame(text, opcode = 1) {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const size = payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...size]), mask, payload.map((byte, i) => byte ^ mask[i % 4])]);
}

test('a WebSocket server of npm ws takes the handshake, and frames go both ways', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    socket.send('welcome');
    socket.on('message', (data) => socket.send(`you said ${data}`));
  });
  const key = randomBytes(16).toString('base64');
  const connection = connect(server.address().port);
  await connection.request('GET', '/chat', null, {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': key,
  });
  const response = await connection.getresponse();
  assert.equal(response.status, 101);
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  assert.equal(response.getheader('sec-websocket-accept'), accept);
  const { socket, head } = connection.detach();
  let received = head;
  const expect = async (text) => {
    const size = text.length < 126 ? 2 + text.length : 4 + text.length;
    if (received.length < size) received = Buffer.concat([received, await read(socket, size - received.length)]);
    assert.equal(received.subarray(0, size).toString().slice(-text.length), text);
    received = received.subarray(size);
  };
  await expect('welcome');
  for (const text of ['hello', 'x'.repeat(60_000)]) {
    socket.write(frame(text));
    await expect(`you said ${text}`);
  }
  socket.write(frame('', 8));
  await once(socket, 'end');
  socket.destroy();
  server.close();
});
