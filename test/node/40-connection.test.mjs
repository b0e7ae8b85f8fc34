// SPDX-License-Identifier: MIT
//
// Connections: how they are made, timed, aborted, reused and closed, with the faults that peers have.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { inspect } from 'node:util';
import {
  CannotSendHeader,
  HTTPConnection,
  HTTPResponse,
  ImproperConnectionState,
  InvalidURL,
  NotConnected,
  RemoteDisconnected,
  ResponseNotReady,
} from '../../js/index.js';
import { gc } from '../support/gc.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });

async function fetchText(connection, url = '/') {
  await connection.request('GET', url);
  return (await (await connection.getresponse()).read()).toString();
}

test('a connection has the properties that http.client documents', () => {
  const connection = new HTTPConnection('www.python.org:81', { timeout: 2.5 });
  const { host, port, timeout, source_address, blocksize, debuglevel, auto_open, default_port, sock } = connection;
  assert.deepEqual(
    { host, port, timeout, source_address, blocksize, debuglevel, auto_open, default_port, sock },
    {
      host: 'www.python.org',
      port: 81,
      timeout: 2.5,
      source_address: null,
      blocksize: 16384,
      debuglevel: 0,
      auto_open: 1,
      default_port: 80,
      sock: null,
    },
  );
  assert.equal(connection.response_class, HTTPResponse);
  connection.close();
  connection.close();
});

test('bad hosts, ports and options are refused at once', () => {
  for (const args of [
    [''],
    ['a b'],
    ['a/b'],
    ['a@b'],
    ['https://a.example/'],
    [':443', 443],
    ['abc:80', 80],
    ['fe80::1%#x', 80],
    ['::1'],
    ['h:x'],
    ['h:65536'],
    ['h', 65536],
    ['h', -1],
    ['h', 1.5],
    ['h', 'x'],
    ['h', Number.NaN],
    ['h', 80n],
    ['h', Symbol('80')],
  ]) {
    assert.throws(() => new HTTPConnection(...args), InvalidURL, inspect(args));
  }
  for (const host of ['h:80', 'h:', '[::1]:80']) {
    assert.throws(() => new HTTPConnection(host, 81), { name: 'InvalidURL', message: /^the host names a port beside the port 81: / });
  }
  for (const options of [
    { timeout: '5' },
    { timeout: -1 },
    { timeout: Number.NaN },
    { source_address: '127.0.0.1' },
    { blocksize: 0 },
    { lookup: 5 },
    { signal: {} },
    { create_connection: {} },
    { max_response_headers: -1 },
  ]) {
    assert.throws(() => new HTTPConnection('h', 80, options), (error) => error instanceof TypeError && /^ERR_INVALID_ARG/.test(error.code));
  }
  assert.throws(() => new HTTPConnection(5), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('calls out of order are refused', async () => {
  const connection = new HTTPConnection('h');
  await assert.rejects(connection.getresponse(), ResponseNotReady);
  assert.throws(() => connection.putheader('A', 'b'), CannotSendHeader);
  await assert.rejects(connection.endheaders(), CannotSendHeader);
});

test('one socket serves one request after the other', () =>
  withServer(
    () => reply('hello'),
    async ({ port, connections }) => {
      const connection = connect(port);
      for (let i = 0; i < 20; i++) assert.equal(await fetchText(connection), 'hello');
      assert.equal(connections(), 1);
      assert.ok(connection.sock instanceof net.Socket);
      connection.close();
      assert.equal(connection.sock, null);
      assert.equal(await fetchText(connection), 'hello');
      assert.equal(connections(), 2);
      connection.close();
    },
  ));

test('IPv6, lookup, source_address and create_connection are honoured', async (t) => {
  await withServer(
    (_head, socket) => reply(`${socket.remoteAddress} ${socket.remotePort}`),
    async ({ port }) => {
      let looked = '';
      const lookup = (name, options, callback) => {
        looked = name;
        if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      };
      const named = new HTTPConnection('some.example', port, { timeout: 5, lookup });
      assert.match(await fetchText(named), /127\.0\.0\.1/);
      assert.equal(looked, 'some.example');
      named.close();
      const bound = connect(port, { source_address: ['127.0.0.2', 0] });
      assert.match(await fetchText(bound), /^(::ffff:)?127\.0\.0\.2 /);
      bound.close();
      let asked;
      const made = new HTTPConnection('other.example', 8080, {
        timeout: 5,
        create_connection: (options) => {
          asked = options;
          return net.connect(port, '127.0.0.1');
        },
      });
      await fetchText(made);
      assert.deepEqual([asked.host, asked.port, asked.timeout], ['other.example', 8080, 5]);
      made.close();
      const wrong = new HTTPConnection('h', 80, { create_connection: () => 5 });
      await assert.rejects(wrong.request('GET', '/'), { code: 'ERR_INVALID_ARG_TYPE' });
      const broken = new HTTPConnection('h', 80, { create_connection: () => Promise.reject(new Error('no way')) });
      await assert.rejects(broken.request('GET', '/'), /no way/);
    },
  );
  try {
    await withServer(
      () => reply('six'),
      async ({ port }) => {
        const connection = new HTTPConnection('::1', port, { timeout: 5 });
        assert.equal(await fetchText(connection), 'six');
        connection.close();
      },
      '::1',
    );
  } catch (error) {
    if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') throw error;
    t.diagnostic('this machine has no IPv6');
  }
});

test('sock can be assigned, and connect() overridden', () =>
  withServer(
    () => reply('mine'),
    async ({ port, connections }) => {
      const assigned = new HTTPConnection('h');
      const socket = net.connect(port, '127.0.0.1');
      await once(socket, 'connect');
      assigned.sock = socket;
      assert.equal(assigned.sock, socket);
      assert.equal(await fetchText(assigned), 'mine');
      assigned.close();
      class Mine extends HTTPConnection {
        async connect() {
          this.sock = net.connect(port, '127.0.0.1');
        }
      }
      const mine = new Mine('h');
      assert.equal(await fetchText(mine), 'mine');
      assert.equal(await fetchText(mine), 'mine');
      assert.equal(connections(), 2);
      mine.close();
      class Response extends HTTPResponse {
        shout() {
          return this.reason.toUpperCase();
        }
      }
      const classy = connect(port);
      classy.response_class = Response;
      await classy.request('GET', '/');
      const response = await classy.getresponse();
      assert.equal(response.shout(), 'OK');
      await response.read();
      classy.close();
    },
  ));

test('a socket that is let go of is read as any stream, and the connection opens another', () =>
  withServer(
    (head) => (head.includes('raw') ? 'raw bytes' : reply('framed')),
    async ({ port, connections }) => {
      const connection = connect(port);
      assert.equal(await fetchText(connection), 'framed');
      const socket = connection.sock;
      connection.sock = null;
      assert.equal(connection.sock, null);
      assert.equal(await fetchText(connection), 'framed');
      socket.write('GET /raw HTTP/1.1\r\n\r\n');
      const [bytes] = await once(socket, 'data');
      assert.equal(String(bytes), 'raw bytes');
      assert.equal(await fetchText(connection), 'framed');
      assert.equal(connections(), 2);
      socket.destroy();
      connection.close();
    },
  ));

test('tunnels made side by side do not touch each other\'s memory', () =>
  withServer(
    (head) => (head.startsWith('CONNECT') ? 'HTTP/1.1 200 OK\r\n\r\n' : reply(head.split(' ')[1].repeat(2000))),
    async ({ port }) => {
      await Promise.all(
        Array.from({ length: 40 }, async (_, index) => {
          for (let round = 0; round < 5; round++) {
            const connection = connect(port);
            connection.set_tunnel('origin.example', 80);
            const url = `/${index}.${round}`;
            assert.equal(await fetchText(connection, url), url.repeat(2000));
            assert.equal(await fetchText(connection, url), url.repeat(2000));
            connection.close();
          }
        }),
      );
    },
  ));

test('every 1xx is told to on_informational and skipped', () =>
  withServer(
    () => `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${reply('final')}`,
    async ({ port }) => {
      const seen = [];
      const connection = connect(port, {
        on_informational: ({ status, reason, headers }) => seen.push([status, reason, headers.get('link')]),
      });
      assert.equal(await fetchText(connection), 'final');
      assert.deepEqual(seen, [
        [100, 'Continue', null],
        [103, 'Early Hints', '</a>'],
      ]);
      connection.close();
      const reason = new Error('not this one');
      const throwing = connect(port, {
        on_informational: () => {
          throw reason;
        },
      });
      await throwing.request('GET', '/');
      await assert.rejects(throwing.getresponse(), (error) => error === reason);
    },
  ));

test('refused, unknown and unreachable keep Node\'s own errors, and the connection can be used again', async () => {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  const connection = connect(port);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(connection.request('GET', '/'), (error) => {
      assert.equal(error.code, 'ECONNREFUSED');
      assert.equal(error.retry_safe, 'yes');
      assert.equal(error.port, port);
      return true;
    });
  }
  const lookup = (_name, _options, callback) => callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }));
  const unknown = new HTTPConnection('nowhere.example', 80, { lookup });
  await assert.rejects(unknown.request('GET', '/'), { code: 'ENOTFOUND' });
});

const faults = {
  'a reset before the status line': ['', 'reset', 'head', { code: 'ECONNRESET' }],
  'a reset inside a header': ['HTTP/1.1 200 OK\r\nX-A', 'reset', 'head', { code: 'ECONNRESET' }],
  'a reset inside a body': ['HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello', 'reset', 'body', { code: 'ECONNRESET' }],
  'a reset inside a body that runs to the close': ['HTTP/1.1 200 OK\r\n\r\nhello', 'reset', 'body', { code: 'ECONNRESET' }],
  'an end before any byte': ['', 'end', 'head', { name: 'RemoteDisconnected', code: 'ECONNRESET', line: '' }],
  'an end inside the status line': ['HTTP/1.1 2', 'end', 'head', { name: 'BadStatusLine', line: 'HTTP/1.1 2' }],
  'an end inside the fields': ['HTTP/1.1 200 OK\r\nX-A: b\r\n', 'end', 'head', { name: 'IncompleteRead' }],
  'an end inside a body': ['HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello', 'end', 'body', { name: 'IncompleteRead', expected: 45 }],
  'another protocol': ['HTTP/2 200 OK\r\n\r\n', 'end', 'head', { name: 'UnknownProtocol', version: 'HTTP/2' }],
  'a stall before the status line': ['', 'stall', 'head', { name: 'TimeoutError', phase: 'receive', code: 'ETIMEDOUT' }],
  'a stall inside the head': ['HTTP/1.1 200 OK\r\nX', 'stall', 'head', { name: 'TimeoutError', phase: 'receive' }],
  'a stall inside the body': ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', 'stall', 'body', { name: 'TimeoutError', limit: 0.3 }],
};

for (const [name, [text, ending, at, error]] of Object.entries(faults)) {
  test(`${name} is an error, and the connection can be used again`, () =>
    withServer(
      (head, socket) => {
        if (head.includes('/again')) return reply('again');
        socket.write(text);
        if (ending === 'end') socket.end();
        if (ending === 'reset') setTimeout(() => socket.resetAndDestroy(), 20);
      },
      async ({ port }) => {
        const connection = connect(port);
        if (ending === 'stall') connection.timeouts = at === 'body' ? { idle: 0.3 } : { headers: 0.3 };
        let reached = 'head';
        const started = performance.now();
        await assert.rejects(
          async () => {
            await connection.request('GET', '/');
            const response = await connection.getresponse();
            reached = 'body';
            await response.read();
          },
          (got) => {
            for (const key of Object.keys(error)) assert.equal(got[key], error[key], `${key} of ${got.stack}`);
            return true;
          },
        );
        assert.equal(reached, at);
        if (ending === 'stall') {
          const elapsed = performance.now() - started;
          assert.ok(elapsed > 290 && elapsed < 20_000, `${elapsed} ms`);
        }
        connection.timeouts = {};
        assert.equal(await fetchText(connection, '/again'), 'again');
        connection.close();
      },
    ));
}

test('a slow trickle is no timeout: the time begins anew with each byte', () =>
  withServer(
    (_head, socket) => {
      const text = reply('0123456789');
      let at = text.length - 10;
      socket.write(text.slice(0, at));
      const timer = setInterval(() => {
        socket.write(text[at++]);
        if (at === text.length) clearInterval(timer);
      }, 200);
    },
    async ({ port }) => {
      const connection = connect(port, { timeout: 1.5 }); // all of it takes longer
      assert.equal(await fetchText(connection), '0123456789');
      connection.close();
    },
  ));

test('a peer that closes instead of answering on a connection in use is RemoteDisconnected, and nothing is sent twice', () =>
  withServer(
    (head, socket) => {
      if (head.includes('/gone')) socket.end();
      else return reply('here');
    },
    async ({ port, requests, connections }) => {
      const connection = connect(port);
      assert.equal(await fetchText(connection, '/1'), 'here');
      await connection.request('POST', '/gone', 'data');
      await assert.rejects(connection.getresponse(), RemoteDisconnected);
      assert.equal(connections(), 1);
      assert.equal(requests.join('').match(/POST/g).length, 1);
      assert.equal(await fetchText(connection, '/2'), 'here');
      connection.close();
    },
  ));

test('a name with two addresses is reached by the second when the first refuses', () =>
  withServer(
    () => reply('second'),
    async ({ port }) => {
      const addresses = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }));
      const lookup = (_name, _options, callback) => callback(null, addresses);
      const connection = new HTTPConnection('two.example', port, { timeout: 30, lookup });
      assert.equal(await fetchText(connection), 'second');
      connection.close();
    },
  ));

const restings = {
  'the end of the stream': (socket) => socket.end(),
  'a reset': (socket) => socket.resetAndDestroy(),
  'a 408 that nobody asked for': (socket) => socket.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'),
  'a response that nobody asked for': (socket) => socket.write(reply('evil')),
};

for (const [name, act] of Object.entries(restings)) {
  for (const pause of ['while the program waits', 'while the program is busy']) {
    test(`${name} on a resting connection ${pause} makes it open again`, () =>
      withServer(
        () => reply('good'),
        async ({ port, connections, sockets }) => {
          const connection = connect(port);
          assert.equal(await fetchText(connection), 'good');
          act([...sockets][0]);
          await new Promise((resolve) => setTimeout(resolve, 30));
          if (pause.endsWith('busy')) {
            const until = performance.now() + 20;
            while (performance.now() < until);
          }
          await connection.request('POST', '/', 'data');
          assert.equal(String(await (await connection.getresponse()).read()), 'good');
          assert.equal(connections(), 2);
          connection.close();
        },
      ));
  }
}

test('close() ends what is pending with NotConnected', async () => {
  await withServer(
    () => {},
    async ({ port }) => {
      const connection = connect(port);
      await connection.request('GET', '/');
      const pending = connection.getresponse();
      connection.close();
      await assert.rejects(pending, NotConnected);
      const connecting = connect(port);
      const request = connecting.request('GET', '/');
      connecting.close();
      await assert.rejects(request, NotConnected);
    },
  );
});

test('a signal ends operations with its reason, and leaves no listener behind', () =>
  withServer(
    (head) => (head.includes('/hang') ? undefined : reply('ok')),
    async ({ port }) => {
      const { signal, abort } = (() => {
        const controller = new AbortController();
        return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
      })();
      let listeners = 0;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = (...args) => {
        listeners++;
        add(...args);
      };
      signal.removeEventListener = (...args) => {
        listeners--;
        remove(...args);
      };
      const connection = connect(port, { signal });
      assert.equal(await fetchText(connection), 'ok');
      assert.equal(listeners, 0);
      await connection.request('GET', '/hang');
      const pending = connection.getresponse();
      const reason = new Error('enough');
      abort(reason);
      await assert.rejects(pending, (error) => error === reason);
      assert.equal(listeners, 0);
      assert.equal(connection.sock, null);
      await assert.rejects(connection.request('GET', '/'), (error) => error === reason);
    },
  ));

test('debuglevel prints what Python prints', (t) =>
  withServer(
    () => reply('ok', { headers: ["X-Q: it's"] }),
    async ({ port }) => {
      const connection = connect(port);
      connection.set_debuglevel(1);
      let printed = '';
      const { write } = process.stdout;
      t.mock.method(process.stdout, 'write', (text, ...rest) => {
        if (typeof text !== 'string') return write.call(process.stdout, text, ...rest); // the test runner's own
        printed += text;
        return true;
      });
      try {
        await connection.request('POST', '/', "it's \x00\xe9");
        await (await connection.getresponse()).read();
      } finally {
        t.mock.restoreAll();
      }
      assert.equal(
        printed,
        `send: b'POST / HTTP/1.1\\r\\nHost: 127.0.0.1:${port}\\r\\nAccept-Encoding: identity\\r\\nContent-Length: 7\\r\\n\\r\\n'\n` +
          'send: b"it\'s \\x00\\xe9"\n' +
          "reply: 'HTTP/1.1 200 OK\\r\\n'\nheader: Content-Length: 2\nheader: X-Q: it's\n",
      );
      connection.close();
    },
  ));

test('set_tunnel is refused when connected, and for bad hosts and headers', () =>
  withServer(
    () => reply('ok'),
    async ({ port }) => {
      const connection = connect(port);
      await fetchText(connection);
      assert.throws(() => connection.set_tunnel('h'), ImproperConnectionState);
      connection.close();
      assert.throws(() => connection.set_tunnel(''), InvalidURL);
      assert.throws(() => connection.set_tunnel('a b'), InvalidURL);
      assert.throws(() => connection.set_tunnel('h', 99999), InvalidURL);
      assert.throws(() => connection.set_tunnel('h', 80, { X: '\n' }), TypeError);
      assert.throws(() => connection.set_tunnel('h', 80, { 'Content-Length': '1' }), TypeError);
    },
  ));

test('a tunnel in clear text: CONNECT first, then the requests, and the proxy\'s headers are kept', () =>
  withServer(
    (head) => (head.startsWith('CONNECT') ? 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Connection established\r\nVia: a\r\nVia: b\r\n\r\n' : reply('inside')),
    async ({ port, requests }) => {
      const connection = connect(port);
      connection.set_tunnel('origin.example', 8080, { 'Proxy-Authorization': 'Basic eA==' });
      assert.equal(connection.get_proxy_response_headers(), null);
      assert.equal(await fetchText(connection, '/1'), 'inside');
      assert.equal(await fetchText(connection, '/2'), 'inside');
      assert.deepEqual({ ...connection.get_proxy_response_headers() }, { Via: ['a', 'b'] });
      assert.deepEqual(requests, [
        'CONNECT origin.example:8080 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\nHost: origin.example:8080\r\n\r\n' +
          'GET /1 HTTP/1.1\r\nHost: origin.example:8080\r\nAccept-Encoding: identity\r\n\r\n' +
          'GET /2 HTTP/1.1\r\nHost: origin.example:8080\r\nAccept-Encoding: identity\r\n\r\n',
      ]);
      connection.close();
    },
  ));

const proxies = {
  'a refusal': ['HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno', { name: 'TunnelError', code: 'ERR_TUNNEL', status: 407, message: 'Tunnel connection failed: 407 Proxy Authentication Required' }],
  'a redirect': ['HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n', { name: 'TunnelError', status: 302 }],
  garbage: ['what?\r\n\r\n', { name: 'BadStatusLine' }],
  'an end': [null, { name: 'RemoteDisconnected' }],
  silence: ['', { name: 'TimeoutError', phase: 'receive' }],
  'headers without end': [`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(101)}`, { message: 'got more than 100 headers' }],
  'bytes behind the head': [`HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n${reply('evil')}`, { code: 'ERR_HTTP_UNSOLICITED' }],
};

for (const [name, [text, wanted]] of Object.entries(proxies)) {
  test(`a proxy that answers CONNECT with ${name} is an error, and nothing is sent inside`, () =>
    withServer(
      (_head, socket) => {
        if (text === null) socket.end();
        else return text;
      },
      async ({ port, requests }) => {
        const connection = connect(port, text === '' ? { timeouts: { headers: 0.3 } } : {});
        connection.set_tunnel('origin.example', 443);
        await assert.rejects(connection.request('GET', '/secret'), (error) => {
          for (const key of Object.keys(wanted)) assert.equal(error[key], wanted[key], error.stack);
          return true;
        });
        assert.ok(!requests[0].includes('secret'));
        assert.equal(connection.sock, null);
      },
    ));
}

test('10,000 requests on one connection, and 10,000 failing ones, leave nothing behind', async () => {
  const warnings = [];
  const onwarning = (warning) => warnings.push(warning);
  process.on('warning', onwarning);
  await withServer(
    (head, socket) => {
      if (head.includes('/drop')) socket.destroy();
      else return reply('hello');
    },
    async ({ port, connections, sockets }) => {
      const connection = connect(port);
      for (let i = 0; i < 2000; i++) await fetchText(connection);
      gc();
      const before = process.memoryUsage();
      for (let i = 0; i < 8000; i++) await fetchText(connection);
      assert.equal(connections(), 1);
      const failing = connect(port);
      for (let i = 0; i < 10000; i++) {
        await assert.rejects(fetchText(failing, i % 2 ? '/drop' : '/ bad'), i % 2 ? RemoteDisconnected : InvalidURL);
      }
      gc();
      const growth = process.memoryUsage().heapUsed - before.heapUsed;
      assert.ok(growth < 10e6, `${growth} bytes`);
      connection.close();
      failing.close();
      for (let turns = 0; sockets.size > 0 && turns < 1000; turns++) await new Promise(setImmediate);
      assert.equal(sockets.size, 0);
    },
  );
  process.off('warning', onwarning);
  assert.deepEqual(warnings, []);
});
