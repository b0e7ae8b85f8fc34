// SPDX-License-Identifier: MIT
//
// What can be seen of a connection: timings, raw headers, limits, diagnostics; and Unix sockets.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { chunkedReply, reply, withServer } from '../support/raw-server.mjs';
import { until } from '../support/upload-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });

test('timings tell when things happened, and null what did not', () => {
  let takeHead;
  const headTaken = new Promise((resolve) => {
    takeHead = resolve;
  });
  return withServer(
    (_head, socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'), 60);
      headTaken.then(() => setTimeout(() => socket.write('ok'), 60));
    },
    async ({ port }) => {
      const connection = new HTTPConnection('localhost', port, {
        timeout: 30,
        lookup: (_host, _options, done) => setTimeout(done, 30, null, '127.0.0.1', 4),
      });
      const started = performance.now();
      await connection.request('GET', '/');
      const response = await connection.getresponse();
      assert.equal(response.timings.end, null);
      takeHead();
      await response.read();
      const { lookup, connect: connected, tls, sent, first_byte, end } = response.timings;
      assert.equal(tls, null);
      const order = [25, lookup, connected, sent, sent + 55, first_byte, first_byte + 55, end];
      assert.deepEqual(order, [...order].sort((a, b) => a - b), String(order));
      assert.ok(end <= performance.now() - started);
      const again = performance.now();
      await connection.request('GET', '/');
      const second = await connection.getresponse();
      await second.read();
      assert.equal(second.timings.lookup, null);
      assert.equal(second.timings.connect, null);
      assert.ok(second.timings.end <= performance.now() - again); // from its own start
      assert.equal(second.reused, true);
      connection.close();
    },
  );
});

test('the first byte of a response that waits behind another body is its own', () =>
  withServer(
    (head, socket) => {
      if (head.includes('/first')) return 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello';
      setTimeout(() => socket.write('world'), 40);
      setTimeout(() => socket.write(reply('second')), 120);
      return undefined;
    },
    async ({ port }) => {
      const connection = connect(port);
      await connection.request('GET', '/first');
      const first = await connection.getresponse();
      await connection.request('GET', '/second');
      assert.equal(await first.text(), 'helloworld');
      const second = await connection.getresponse();
      assert.equal(await second.text(), 'second');
      assert.ok(second.timings.first_byte > 100, String(second.timings.first_byte));
      connection.close();
    },
  ));

test('raw_headers are the fields as they were received', () =>
  withServer(
    () => 'HTTP/1.1 200 OK\r\nX-A: \xe9\xff\r\nset-COOKIE: a=1\r\nContent-Length: 0\r\nSet-Cookie:  b=2 \r\n\r\n',
    async ({ port }) => {
      const connection = connect(port);
      await connection.request('GET', '/');
      const response = await connection.getresponse();
      const raw = ['X-A', '\xe9\xff', 'set-COOKIE', 'a=1', 'Content-Length', '0', 'Set-Cookie', 'b=2'];
      assert.deepEqual(response.raw_headers, raw);
      await response.read();
      assert.deepEqual(response.raw_headers, raw);
      connection.close();
    },
  ));

const head = (lines) => `HTTP/1.1 200 OK\r\n${lines}\r\n`;
for (const [name, value, answer, message] of [
  ['line', 40, head(`X: ${'y'.repeat(50)}\r\n`), 'got more than 40 bytes when reading header line'],
  ['headers', 2, head('A: 1\r\nB: 2\r\nC: 3\r\n'), 'got more than 2 headers'],
  ['head', 100, head('X: 1234567890\r\n'.repeat(10)), 'got more than 100 bytes of head'],
  ['interim', 1, `HTTP/1.1 103 A\r\n\r\n`.repeat(2) + reply('x'), 'got more than 1 interim responses'],
  ['trailers', 1, chunkedReply(['x'], ['A: 1', 'B: 2']), 'got more than 1 headers'],
  ['chunk_extension', 5, `${head('Transfer-Encoding: chunked\r\n')}1;abcdefgh\r\nx\r\n0\r\n\r\n`, 'got more than 5 bytes of chunk extensions'],
  ['body', 3, reply('four'), 'the body is larger than the limit of 3 bytes'],
  ['body', 3, chunkedReply(['ab', 'cd']), 'the body is larger than the limit of 3 bytes'],
  ['body', 3, `${head('')}until the end`, 'the body is larger than the limit of 3 bytes'],
]) {
  test(`the limit ${name} of ${value} is kept, and named: ${message}`, () =>
    withServer(
      () => answer,
      async ({ port }) => {
        const connection = connect(port, { limits: { [name]: value } });
        await connection.request('GET', '/');
        await assert.rejects(
          connection.getresponse().then((response) => response.read()),
          { message, limit: value, limit_name: name, phase: 'receive', retry_safe: /no|unknown/ },
        );
        assert.equal(connection.sock, null);
      },
    ));
}

test('a limit can be raised beyond its default: a head of 1 MiB with 20,000 fields', () =>
  withServer(
    () => `${head(`${`X: ${'y'.repeat(48)}\r\n`.repeat(20_000)}Content-Length: 2\r\n`)}ok`,
    async ({ port }) => {
      const connection = connect(port, { limits: { head: 2 ** 21, headers: 30_000 } });
      await connection.request('GET', '/');
      const response = await connection.getresponse();
      assert.equal(response.headers.length, 20_001);
      assert.equal(await response.text(), 'ok');
      connection.close();
    },
  ));

test('limits that can not be are refused by name', () => {
  for (const [limits, code] of [
    [{ lines: 1 }, 'ERR_INVALID_ARG_VALUE'],
    [{ line: -1 }, 'ERR_INVALID_ARG_VALUE'],
    [{ line: Infinity }, 'ERR_INVALID_ARG_VALUE'],
    [{ body: 1.5 }, 'ERR_INVALID_ARG_VALUE'],
    [{ body: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [7, 'ERR_INVALID_ARG_TYPE'],
  ]) {
    assert.throws(() => new HTTPConnection('h', { limits }), { name: 'TypeError', code });
  }
  const defaults = { line: 65536, headers: 100, head: 262144, interim: 100, trailers: 100, chunk_extension: 16384, body: Infinity };
  assert.deepEqual({ ...new HTTPConnection('h').limits }, defaults);
  assert.deepEqual({ ...new HTTPConnection('h', { limits: { line: 10 } }).limits }, { ...defaults, line: 10 });
  const connection = new HTTPConnection('h', { max_response_headers: 7 });
  assert.equal(connection.limits.headers, 7);
  connection.max_response_headers = 8;
  assert.equal(connection.limits.headers, 8);
});

test('socket_path connects to a Unix socket, with the host for Host', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'porthole-socket-'));
  const socket_path = join(folder, 'app.sock');
  const server = net.createServer((socket) => {
    socket.once('data', (data) => socket.end(reply(/Host: (.*)\r\n/.exec(String(data))[1], { headers: ['Connection: close'] })));
  });
  server.listen(socket_path);
  await once(server, 'listening');
  try {
    const connection = new HTTPConnection('app.example', { socket_path, timeout: 30 });
    await connection.request('GET', '/');
    assert.equal(await (await connection.getresponse()).text(), 'app.example');
    const absent = new HTTPConnection('app.example', { socket_path: join(folder, 'none'), timeout: 30 });
    await assert.rejects(absent.request('GET', '/'), { code: 'ENOENT', phase: 'connect', retry_safe: 'yes' });
    assert.throws(() => new HTTPConnection('h', { socket_path: 5 }), { code: 'ERR_INVALID_ARG_TYPE' });
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

const CHANNELS = [
  'connection:open',
  'connection:close',
  'request:start',
  'request:sent',
  'response:informational',
  'response:headers',
  'response:end',
  'error',
];

test('diagnostics channels tell what happens, in order', () =>
  withServer(
    (request) => (request.includes('/bad') ? 'nonsense\r\n' : `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${reply('body')}`),
    async ({ port }) => {
      const messages = [];
      const connection = connect(port);
      const note = (name) => (message) => message.connection === connection && messages.push([name, message]);
      const listeners = CHANNELS.map((name) => [`porthole:${name}`, note(name)]);
      for (const [name, listener] of listeners) diagnostics.subscribe(name, listener);
      try {
        await connection.request('PUT', '/good', 'sent');
        await (await connection.getresponse()).read();
        await connection.request('GET', '/bad');
        await assert.rejects(connection.getresponse());
        await until(() => messages.at(-1)[0] === 'connection:close');
        assert.deepEqual(
          messages.map(([name]) => name),
          [
            'request:start',
            'connection:open',
            'request:sent',
            'response:informational',
            'response:headers',
            'response:end',
            'request:start',
            'request:sent',
            'error',
            'connection:close',
          ],
        );
        const [start, open, sent, interim, headers, end, , , error] = messages.map(([, message]) => message);
        assert.deepEqual([start.request.method, start.request.url], ['PUT', '/good']);
        assert.ok(open.socket instanceof net.Socket && open.tls === null);
        assert.equal(sent.request, start.request);
        assert.ok(sent.bytes_sent > 4);
        assert.deepEqual([interim.status, interim.headers.get('link')], [103, 'x']);
        assert.deepEqual([headers.status, headers.response.getheader('content-length')], [200, '4']);
        assert.ok(end.timings.end >= end.timings.first_byte);
        assert.equal(error.error.name, 'BadStatusLine');
      } finally {
        for (const [name, listener] of listeners) diagnostics.unsubscribe(name, listener);
      }
    },
  ));

test('NODE_DEBUG=porthole prints them', () =>
  withServer(
    () => reply('body'),
    async ({ port }) => {
      const program = `
        import { HTTPConnection } from ${JSON.stringify(new URL('../../js/index.js', import.meta.url).href)};
        const connection = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
        await connection.request('GET', '/page');
        await (await connection.getresponse()).read();
        connection.close();`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        env: { ...process.env, NODE_DEBUG: 'porthole' },
        stdio: ['ignore', 'inherit', 'pipe'],
      });
      let text = '';
      child.stderr.on('data', (data) => {
        text += data;
      });
      await once(child, 'close');
      for (const line of ['request:start', 'connection:open', 'request:sent', 'response:headers', 'response:end', 'connection:close']) {
        assert.match(text, new RegExp(`PORTHOLE \\d+: ${line} 127\\.0\\.0\\.1:${port}`), text);
      }
      assert.match(text, /response:headers .* GET \/page 200 OK/);
    },
  ));
