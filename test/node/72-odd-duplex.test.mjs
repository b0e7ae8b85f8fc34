// SPDX-License-Identifier: MIT
//
// A Duplex as `sock` that does not behave as a socket does.

import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection } from '../../js/index.js';
import { withServer } from '../support/raw-server.mjs';

const HEAD = 'HTTP/1.1 200 OK\r\n\r\n';

function duplex() {
  const made = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  made.on('error', () => {});
  return made;
}

async function requestOver(sock) {
  const connection = new HTTPConnection('h', 80, { timeout: 2 });
  connection.sock = sock;
  await connection.request('GET', '/');
  return connection;
}

test('characters of a Duplex that decodes are not narrowed to line ends', async () => {
  const sock = duplex();
  sock.setEncoding('utf8');
  const connection = await requestOver(sock);
  sock.push(Buffer.from('HTTP/1.1 200 OK\r\nX: a\u010aSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok'));
  const response = await connection.getresponse();
  assert.deepEqual(response.getheaders().map(([name]) => name), ['X', 'Content-Length']);
  assert.equal(await response.text(), 'ok');
  connection.close();
});

const { buffer } = Uint8Array.from(Buffer.from('hello!'));
for (const chunk of [buffer, new DataView(buffer), new Uint16Array(buffer)]) {
  test(`a Duplex may emit bytes as ${chunk.constructor.name}`, async () => {
    const sock = duplex();
    const connection = await requestOver(sock);
    sock.emit('data', Buffer.from(HEAD));
    sock.emit('data', chunk);
    sock.emit('end');
    assert.equal(await (await connection.getresponse()).text(), 'hello!');
    connection.close();
  });
}

for (const chunk of [5, {}, undefined, null]) {
  test(`a Duplex that emits ${typeof chunk === 'object' ? JSON.stringify(chunk) : chunk} as data fails the body`, async () => {
    const sock = duplex();
    const connection = await requestOver(sock);
    sock.emit('data', Buffer.from(HEAD));
    sock.emit('data', Buffer.from('hello'));
    sock.emit('data', chunk);
    const response = await connection.getresponse();
    await assert.rejects(response.read(), /no bytes/);
    connection.close();
  });
}

test('a Duplex whose destroy throws is given up all the same', async () => {
  const sock = duplex();
  sock.destroy = () => {
    throw new Error('no');
  };
  const connection = await requestOver(sock);
  connection.close();
  assert.equal(connection.sock, null);
});

test('a Duplex that has ended already is replaced, as a connection that the server closed', () =>
  withServer(
    () => 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere',
    async ({ port }) => {
      const sock = duplex();
      sock.push(null);
      sock.resume();
      await sleep(10);
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 2 });
      connection.sock = sock;
      await connection.request('GET', '/');
      assert.equal(await (await connection.getresponse()).text(), 'here');
      connection.close();
    },
  ));
