// SPDX-License-Identifier: MIT
//
// Responses: the head, every way to read a body, and what happens at its end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTPConnection, HTTPMessage, HTTPResponse, IncompleteRead, ResponseNotReady, CannotSendRequest } from '../../js/index.js';
import { chunkedReply, reply, withServer } from '../support/raw-server.mjs';

const BODY = 'first line\nsecond line\nlast';
const CHUNKS = ['first', ' line\nsec', 'ond line\n', 'last'];

/** Gets one response from a server that sends `text`, and closes after it when it asks to. */
async function withResponse(text, use, { method = 'GET', end = false } = {}) {
  await withServer(
    (_head, socket) => {
      if (!end) return text;
      socket.end(Buffer.from(text, 'latin1'));
    },
    async (server) => {
      const connection = new HTTPConnection('127.0.0.1', server.port, { timeout: 30 });
      await connection.request(method, '/path');
      await use(await connection.getresponse(), connection, server);
      connection.close();
    },
  );
}

const kinds = {
  'Content-Length': [reply(BODY), false],
  chunked: [chunkedReply(CHUNKS), false],
  'until close': [`HTTP/1.1 200 OK\r\n\r\n${BODY}`, true],
};

for (const [kind, [text, end]] of Object.entries(kinds)) {
  const ways = {
    'read() gives all': async (r) => [String(await r.read())],
    'read(amt) gives exactly so many': async (r) => {
      const parts = [];
      for (let part; (part = await r.read(4)).length > 0; ) parts.push(String(part));
      assert.ok(parts.slice(0, -1).every((part) => part.length === 4));
      return parts;
    },
    'read(amt) until closed': async (r) => {
      const parts = [];
      while (!r.closed) parts.push(String(await r.read(5)));
      return parts;
    },
    'readinto fills the view': async (r) => {
      const view = new Uint8Array(10);
      const parts = [];
      for (let count; (count = await r.readinto(view)) > 0; ) parts.push(Buffer.from(view.subarray(0, count)).toString());
      return parts;
    },
    'read1 gives what is there': async (r) => {
      const parts = [];
      for (let part; (part = await r.read1()).length > 0; ) parts.push(String(part));
      return parts;
    },
    'peek does not read': async (r) => {
      assert.equal(String(await r.peek(3)), 'fir');
      assert.ok((await r.peek()).length >= 1);
      return [String(await r.read())];
    },
    'readline and readlines give lines': async (r) => {
      assert.equal(String(await r.readline(5)), 'first');
      assert.equal(String(await r.readline()), ' line\n');
      const lines = (await r.readlines()).map(String);
      assert.deepEqual(lines, ['second line\n', 'last']);
      return ['first line\n', ...lines];
    },
    'iteration gives lines': async (r) => {
      const lines = [];
      for await (const line of r) lines.push(String(line));
      assert.equal(lines.length, 3);
      return lines;
    },
    'body is a stream': async (r) => {
      const parts = [];
      for await (const part of r.body) parts.push(Buffer.from(part).toString());
      return parts;
    },
    'text() decodes': async (r) => [await r.text()],
    'arrayBuffer() gives memory of its own': async (r) => {
      const buffer = await r.arrayBuffer();
      assert.equal(buffer.byteLength, BODY.length);
      return [Buffer.from(buffer).toString()];
    },
    'reads at the same time are done one after the other': async (r) => {
      const parts = await Promise.all([r.read(3), r.readline(), r.read(1), r.read()]);
      return parts.map(String);
    },
  };
  for (const [way, use] of Object.entries(ways)) {
    test(`${kind}: ${way}`, () =>
      withResponse(
        text,
        async (response) => {
          assert.equal((await use(response)).join(''), BODY);
          assert.equal((await response.read()).length, 0);
          assert.equal((await response.read(5)).length, 0);
          assert.equal(await response.readinto(new Uint8Array(5)), 0);
          assert.equal((await response.readline()).length, 0);
          assert.equal(response.closed, true);
          assert.equal(response.isclosed(), true);
        },
        { end },
      ));
  }
}

test('the head is there as in http.client', () =>
  withResponse(
    reply('{"a": [1]}', { headers: ['X-A: one', 'x-a:  two \t', 'Content-Type: application/json; charset="utf-8"'] }),
    async (response) => {
      assert.ok(response instanceof HTTPResponse && response.msg instanceof HTTPMessage);
      assert.equal(response.msg, response.headers);
      assert.equal(response.info(), response.headers);
      const { status, reason, version, chunked, will_close, length, url, code } = response;
      assert.deepEqual(
        { status, reason, version, chunked, will_close, length, url, code },
        { status: 200, reason: 'OK', version: 11, chunked: false, will_close: false, length: 10, url: '/path', code: 200 },
      );
      assert.equal(response.geturl(), '/path');
      assert.equal(response.getcode(), 200);
      assert.equal(response.readable(), true);
      assert.ok(response.fileno() > 2);
      assert.equal(response.getheader('X-a'), 'one, two');
      assert.equal(response.getheader('nope'), null);
      assert.equal(response.getheader('nope', 'default'), 'default');
      assert.equal(response.getheader('nope', ['a', 'b']), 'a, b');
      assert.deepEqual(response.getheaders().slice(1, 3), [['X-A', 'one'], ['x-a', 'two']]);
      assert.equal(response.headers.get_content_type(), 'application/json');
      assert.equal(response.headers.get_content_charset(), 'utf-8');
      assert.deepEqual(response.headers.get_all('x-A'), ['one', 'two']);
      assert.deepEqual(await response.json(), { a: [1] });
      assert.throws(() => response.fileno(), { code: 'EBADF' });
    },
  ));

for (const charset of ['iso-8859-1', 'latin-1', 'ISO_8859_1']) {
  test(`text() honours the charset of Content-Type: ${charset}`, () =>
    withResponse(reply('caf\xe9', { headers: [`Content-Type: text/plain; charset=${charset}`] }), async (response) => {
      assert.equal(await response.text(), 'café');
    }));
}

test('peek(0) gives nothing, and does not wait', () =>
  withResponse('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n', async (response) => {
    assert.equal((await response.peek(0)).length, 0);
    response.close();
  }));

test('what is returned is the caller\'s own memory', () =>
  withResponse(reply(BODY), async (response, connection) => {
    const first = await response.read(10);
    const copy = Buffer.from(first);
    await response.read();
    await connection.request('GET', '/');
    await (await connection.getresponse()).read();
    assert.deepEqual(first, copy);
  }));

test('HEAD, 204 and 304 have no body, whatever the fields say', async () => {
  await withResponse(
    'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
    async (response, connection, server) => {
      assert.equal(response.length, 0);
      assert.equal(response.closed, false);
      assert.equal((await response.read()).length, 0);
      assert.equal(response.closed, true);
      await connection.request('HEAD', '/again');
      assert.equal((await connection.getresponse()).getheader('content-length'), '500');
      assert.equal(server.connections(), 1);
    },
    { method: 'HEAD' },
  );
  for (const status of ['204 No Content', '304 Not Modified']) {
    await withResponse(`HTTP/1.1 ${status}\r\nContent-Length: 5\r\n\r\n`, async (response) => {
      assert.equal((await response.read()).length, 0);
    });
  }
});

test('trailers are there once the body is read, and never among the headers', () =>
  withResponse(chunkedReply(['hello'], ['X-Sum: 5', 'Content-Length: 99']), async (response) => {
    await response.read(2);
    assert.equal(response.trailers.length, 0);
    await response.read();
    assert.equal(response.trailers.get('x-sum'), '5');
    assert.equal(response.headers.get('x-sum'), null);
    assert.equal(response.getheader('content-length'), null);
  }));

test('a body cut short gives what came, then IncompleteRead from every way to read', async () => {
  const cut = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello';
  await withResponse(
    cut,
    async (response) => {
      await assert.rejects(response.read(), (error) => {
        assert.ok(error instanceof IncompleteRead);
        assert.equal(error.message, '5 bytes read, 5 more expected');
        assert.equal(String(error.partial), 'hello');
        assert.equal(error.expected, 5);
        return true;
      });
      await assert.rejects(response.read(), IncompleteRead);
    },
    { end: true },
  );
  const ways = [
    [(r) => r.read(20), String],
    [(r) => r.read1(), String],
    [(r) => r.readline(), String],
    [(r) => r.readinto(new Uint8Array(20)), (count) => (count === 5 ? 'hello' : '')],
  ];
  for (const [way, asText] of ways) {
    await withResponse(
      cut,
      async (response) => {
        assert.equal(asText(await way(response)), 'hello');
        assert.equal((await response.peek()).length, 0);
        await assert.rejects(way(response), { name: 'IncompleteRead', expected: 5 });
      },
      { end: true },
    );
  }
});

test('a broken chunk keeps the bytes before it in partial', () =>
  withResponse('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n wor', async (response) => {
    await assert.rejects(response.read(), (error) => {
      assert.ok(error instanceof IncompleteRead);
      assert.equal(String(error.partial), 'hello wor');
      assert.equal(error.expected, null);
      return true;
    });
  }, { end: true }));

test('a new request can be sent before the body is read, its response only after', () =>
  withServer(
    (head) => reply(head.includes('/2') ? 'two' : 'one'),
    async ({ port }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      await connection.request('GET', '/1');
      const first = await connection.getresponse();
      await connection.request('GET', '/2');
      await assert.rejects(connection.request('GET', '/3'), CannotSendRequest);
      await assert.rejects(connection.getresponse(), ResponseNotReady);
      assert.equal(String(await first.read()), 'one');
      assert.equal(String(await (await connection.getresponse()).read()), 'two');
      connection.close();
    },
  ));

test('a response that will close owns the socket, and the connection opens another', () =>
  withServer(
    (_head, socket) => {
      socket.end(reply('bye', { headers: ['Connection: close'] }));
    },
    async ({ port, connections }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      await connection.request('GET', '/1');
      const first = await connection.getresponse();
      assert.equal(first.will_close, true);
      assert.equal(connection.sock, null);
      await connection.request('GET', '/2');
      const second = await connection.getresponse();
      assert.equal(String(await first.read()), 'bye');
      assert.equal(String(await second.read()), 'bye');
      assert.equal(connections(), 2);
    },
  ));

test('closing a response before it is all there closes its connection, and the next request opens another', () =>
  withServer(
    () => reply(BODY).slice(0, -1),
    async ({ port, connections }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      for (let i = 0; i < 3; i++) {
        await connection.request('GET', '/');
        const response = await connection.getresponse();
        await response.read(3);
        await response[Symbol.asyncDispose]();
        assert.equal((await response.read()).length, 0);
      }
      assert.equal(connections(), 3);
      await connection[Symbol.asyncDispose]();
    },
  ));

test('bad amounts and views are TypeErrors, and the body stays readable', () =>
  withResponse(reply(BODY), async (response) => {
    await assert.rejects(response.read('5'), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    await assert.rejects(response.read(Number.NaN), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    await assert.rejects(response.readinto('x'), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    assert.equal(String(await response.read(-1)), BODY);
  }));

test('large bodies arrive whole in every framing', async () => {
  const size = 3 * 1024 * 1024 + 17;
  const big = Buffer.alloc(size);
  for (let i = 0; i < size; i++) big[i] = (i * 31) ^ (i >> 8);
  const text = big.latin1Slice();
  const pieces = [];
  for (let at = 0; at < size; at += 10007) pieces.push(text.slice(at, at + 10007));
  for (const [whole, end] of [
    [reply(text), false],
    [chunkedReply(pieces), false],
    [`HTTP/1.0 200 OK\r\n\r\n${text}`, true],
  ]) {
    await withResponse(whole, async (r) => assert.ok((await r.read()).equals(big)), { end });
    await withResponse(
      whole,
      async (response) => {
        const view = Buffer.alloc(300000);
        let at = 0;
        for (let count; (count = await response.readinto(view)) > 0; at += count) {
          assert.ok(view.subarray(0, count).equals(big.subarray(at, at + count)));
        }
        assert.equal(at, size);
      },
      { end },
    );
    await withResponse(
      whole,
      async (response) => {
        const parts = [];
        while (!response.closed) parts.push(await response.read(70001));
        assert.ok(Buffer.concat(parts).equals(big));
      },
      { end },
    );
  }
});
