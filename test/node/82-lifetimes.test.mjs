// SPDX-License-Identifier: MIT
//
// The order of operations, and what a connection is after each way in which one ends: always one that works.

import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection, HTTPResponse, NotConnected, ResponseNotReady, TimeoutError, TunnelError } from '../../js/index.js';
import { unhandledOf } from '../support/bodies.mjs';
import { closedPort } from '../support/closed-port.mjs';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { reply, withServer } from '../support/raw-server.mjs';
import { withSilentPort } from '../support/silent-port.mjs';
import { settles, until } from '../support/upload-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const LIMIT = { timeout: 60_000 };
const hello = () => reply('hello');

async function get(conn, url = '/') {
  await conn.request('GET', url);
  return conn.getresponse();
}

async function works(conn) {
  assert.equal(await settles(get(conn).then((response) => response.text())), 'hello');
}

/** Runs, and asserts that nothing was left for anyone to catch. */
async function quietly(run) {
  assert.deepEqual(await unhandledOf(run), []);
}

describe('connecting and closing', () => {
  test('connect, close, connect, close at once settle, each in its order, and leave nothing open', LIMIT, () =>
    withServer(hello, async ({ port, sockets }) => {
      const conn = connect(port);
      const settled = [];
      const note = (name) => (error) => settled.push([name, error?.name ?? 'done']);
      const attempts = [];
      for (let i = 0; i < 4; i++) {
        attempts.push(conn.connect().then(note(i), note(i)));
        conn.close();
      }
      await settles(Promise.all(attempts));
      assert.deepEqual(settled, [0, 1, 2, 3].map((i) => [i, 'NotConnected']));
      await until(() => sockets.size === 0);
      await works(conn);
      conn.close();
    }));

  for (const turns of [0, 1, 2, 5]) {
    test(`close() ${turns} turns after connect(), then request(), works on one connection`, LIMIT, () =>
      withServer(hello, async ({ port, sockets }) => {
        const conn = connect(port);
        const first = conn.connect().catch((error) => assert.ok(error instanceof NotConnected));
        for (let i = 0; i < turns; i++) await new Promise(setImmediate);
        conn.close();
        await works(conn);
        await settles(first);
        await until(() => sockets.size === 1);
        conn.close();
      }));

    test(`close() ${turns} turns after request(), then request(), works`, LIMIT, () =>
      withServer(hello, async ({ port }) => {
        const conn = connect(port);
        const first = conn.request('POST', '/', 'x'.repeat(100_000)).catch((error) => assert.ok(error instanceof NotConnected));
        for (let i = 0; i < turns; i++) await new Promise(setImmediate);
        conn.close();
        const second = conn.request('GET', '/');
        await settles(Promise.all([first, second]));
        assert.equal(await (await settles(conn.getresponse())).text(), 'hello');
        conn.close();
      }));
  }

  test('close() is safe at any time, twice too, and says nothing', LIMIT, () =>
    quietly(() =>
      withServer(hello, async ({ port }) => {
        const conn = connect(port);
        conn.close();
        conn.close();
        await conn.connect();
        conn.close();
        conn.close();
        const response = await get(conn);
        conn.close();
        conn.close();
        assert.equal(response.isclosed(), true);
        await works(conn);
        conn.close();
      }),
    ));
});

describe('close() and a response that closes', () => {
  const HALF = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n01234';

  for (const [way, read] of Object.entries({
    read: (response) => response.read(),
    'read(amt)': (response) => response.read(8),
    readinto: (response) => response.readinto(new Uint8Array(8)),
    readline: (response) => response.readline(),
    readlines: (response) => response.readlines(),
    text: (response) => response.text(),
    body: async (response) => {
      const reader = response.body.getReader();
      while (!(await reader.read()).done);
    },
  })) {
    test(`${way} that waits rejects with NotConnected, the socket is closed, and so do later reads`, LIMIT, () =>
      withServer(() => HALF, async ({ port, sockets }) => {
        const conn = connect(port);
        const response = await get(conn);
        assert.equal(response.will_close, true);
        const waits = read(response);
        waits.catch(() => {});
        await sleep(20);
        conn.close();
        await assert.rejects(settles(waits), NotConnected);
        await until(() => sockets.size === 0);
        for (const again of [() => response.read(), () => response.read1(), () => response.readline(), () => response.readinto(new Uint8Array(2))]) {
          await assert.rejects(settles(again()), NotConnected);
        }
      }));
  }

  test('what is at hand and unread is NotConnected too, and one that was read to its end is fine', LIMIT, () =>
    withServer((head) => (head.includes('/whole') ? reply('whole', { headers: ['Connection: close'] }) : HALF), async ({ port, sockets }) => {
      const conn = connect(port);
      const whole = await get(conn, '/whole');
      assert.equal(await whole.text(), 'whole');
      const half = await get(conn, '/half');
      const unread = await get(conn, '/whole');
      await sleep(20);
      conn.close();
      assert.equal((await whole.read()).length, 0);
      await assert.rejects(half.read(1), NotConnected);
      await assert.rejects(unread.read(), NotConnected);
      await until(() => sockets.size === 0);
    }));

  test('several responses that close, side by side, are all ended', LIMIT, () =>
    withServer(() => HALF, async ({ port, sockets }) => {
      const conn = connect(port);
      const reads = [];
      for (let i = 0; i < 5; i++) reads.push((await get(conn)).read());
      conn.close();
      for (const { reason } of await settles(Promise.allSettled(reads))) assert.ok(reason instanceof NotConnected, String(reason));
      await until(() => sockets.size === 0);
    }));
});

describe('reads begun at once', () => {
  test('are done in their order, whatever they are', LIMIT, () => {
    const text = 'line one\nline two\nthe rest of it all, which is longer';
    return withServer(
      (_head, socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`);
        [...text].forEach((letter, index) => setTimeout(() => socket.write(letter), 2 * index));
      },
      async ({ port }) => {
        const conn = connect(port);
        const response = await get(conn);
        const target = new Uint8Array(4);
        const order = [];
        const note = async (promise, name) => {
          const value = await promise;
          order.push(name);
          return value;
        };
        const [one, two, count, three, four, five] = await settles(
          Promise.all([
            note(response.readline(), 1),
            note(response.read(5), 2),
            note(response.readinto(target), 3),
            note(response.read(3), 4),
            note(response.read(), 5),
            note(response.read(), 6),
          ]),
        );
        assert.deepEqual([String(one), String(two), count, Buffer.from(target).toString(), String(three), String(four), five.length], [
          'line one\n', 'line ', 4, 'two\n', 'the', ' rest of it all, which is longer', 0,
        ]);
        assert.deepEqual(order, [1, 2, 3, 4, 5, 6]);
        conn.close();
      },
    );
  });

  for (const framing of ['length', 'chunked', 'close']) {
    test(`of a large body by ${framing} get disjoint pieces that make it whole`, LIMIT, () => {
      const body = Buffer.alloc(3_000_000, 'abcdefghijklmnopqrstuvwxyz0');
      const heads = {
        length: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`,
        chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
        close: 'HTTP/1.0 200 OK\r\n\r\n',
      };
      return withServer(
        (_head, socket) => {
          socket.write(heads[framing]);
          for (let at = 0; at < body.length; at += 70_001) {
            const part = body.subarray(at, at + 70_001);
            if (framing === 'chunked') socket.write(`${part.length.toString(16)}\r\n`);
            socket.write(part);
            if (framing === 'chunked') socket.write('\r\n');
          }
          if (framing === 'chunked') socket.write('0\r\n\r\n');
          if (framing === 'close') socket.end();
        },
        async ({ port }) => {
          const conn = connect(port);
          const response = await get(conn);
          const reads = [];
          for (let i = 0; i < 10; i++) {
            reads.push(response.read(100_000));
            const target = Buffer.alloc(150_000);
            reads.push(response.readinto(target).then((count) => target.subarray(0, count)));
            reads.push(response.read1(77));
          }
          reads.push(response.read());
          assert.ok(Buffer.concat(await settles(Promise.all(reads))).equals(body));
          conn.close();
        },
      );
    });
  }
});

describe('a kept connection that is dead, and opening another that fails', () => {
  /** A connection at rest whose server has gone, and what its port does from then on. */
  async function withDead(then, use) {
    let first = true;
    await withServer(
      (_head, socket) => {
        if (!first) return reply('hello');
        first = false;
        setTimeout(() => socket.destroy(), 10);
        return reply('hello');
      },
      async (server) => {
        const conn = connect(server.port, then);
        await works(conn);
        await until(() => server.sockets.size === 0);
        await sleep(20);
        await use(conn, server);
        await works(conn);
        await works(conn);
        conn.close();
      },
    );
  }

  test('refused', LIMIT, () =>
    withDead({}, async (conn, { port }) => {
      conn.port = await closedPort();
      for (let i = 0; i < 2; i++) await assert.rejects(settles(conn.request('GET', '/')), { code: 'ECONNREFUSED' });
      conn.port = port;
    }));

  test('aborted', LIMIT, () =>
    withSilentPort(({ port: silent }) =>
      withDead({}, async (conn, { port }) => {
        conn.port = silent;
        await assert.rejects(settles(conn.request('GET', '/', null, {}, { signal: AbortSignal.timeout(50) })), { name: 'TimeoutError' });
        conn.port = port;
      }),
    ));

  test('deadline', LIMIT, () =>
    withSilentPort(({ port: silent }) =>
      withDead({}, async (conn, { port }) => {
        conn.port = silent;
        await assert.rejects(settles(conn.request('GET', '/', null, {}, { deadline: 0.05 })), TimeoutError);
        conn.port = port;
      }),
    ));

  test('close()', LIMIT, () =>
    withSilentPort(({ port: silent }) =>
      withDead({}, async (conn, { port }) => {
        conn.port = silent;
        const asked = conn.request('GET', '/');
        setTimeout(() => conn.close(), 30);
        await assert.rejects(settles(asked), NotConnected);
        conn.port = port;
      }),
    ));

  for (const [what, hook] of Object.entries({
    'throws': () => {
      throw new Error('hook');
    },
    'rejects': async () => {
      throw new Error('hook');
    },
    'gives nothing': () => null,
  })) {
    test(`create_connection ${what}`, LIMIT, () => {
      let create = ({ port }) => net.connect(port, '127.0.0.1');
      return withDead({ create_connection: (options) => create(options) }, async (conn) => {
        const before = create;
        create = hook;
        for (let i = 0; i < 2; i++) await assert.rejects(settles(conn.request('GET', '/')), /hook|create_connection/);
        create = before;
      });
    });
  }

  test('lookup throws', LIMIT, () => {
    let fails = false;
    const lookup = (_name, _options, done) => {
      if (fails) throw new Error('lookup');
      done(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    return withDead({ lookup }, async (conn) => {
      conn.host = 'name.example';
      fails = true;
      await assert.rejects(settles(conn.request('GET', '/')), /lookup/);
      fails = false;
    });
  });

  test('the tunnel is refused', LIMIT, () => {
    let refuses = false;
    let first = true;
    return withServer(
      (head, socket) => {
        if (head.startsWith('CONNECT')) return refuses ? reply('', { status: '502 No' }) : 'HTTP/1.1 200 OK\r\n\r\n';
        if (first) setTimeout(() => socket.destroy(), 10);
        first = false;
        return reply('hello');
      },
      async ({ port, sockets }) => {
        const conn = connect(port);
        conn.set_tunnel('origin.example', 80);
        await works(conn);
        await until(() => sockets.size === 0);
        await sleep(20);
        refuses = true;
        for (let i = 0; i < 2; i++) await assert.rejects(settles(conn.request('GET', '/')), TunnelError);
        refuses = false;
        await works(conn);
        conn.close();
      },
    );
  });

  test('by endheaders() after the steps', LIMIT, () =>
    withDead({}, async (conn, { port }) => {
      const refused = await closedPort();
      for (let i = 0; i < 2; i++) {
        conn.putrequest('GET', '/');
        conn.putheader('X-A', 'b');
        conn.port = refused;
        await assert.rejects(settles(conn.endheaders()), { code: 'ECONNREFUSED' });
        conn.port = port;
      }
    }));
});

describe('signals that are aborted already', () => {
  test('refuse a request and leave the idle connection as it is', LIMIT, () =>
    withServer(hello, async ({ port, connections }) => {
      const conn = connect(port);
      await works(conn);
      const { sock } = conn;
      const reason = new Error('aborted');
      for (let i = 0; i < 2; i++) {
        await assert.rejects(conn.request('GET', '/', null, {}, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      }
      assert.equal(conn.sock, sock);
      await works(conn);
      assert.equal(connections(), 1);
      conn.close();
    }));

  test('refuse a request and leave an unread response as it is', LIMIT, () =>
    withServer(hello, async ({ port, connections }) => {
      const conn = connect(port);
      const response = await get(conn);
      await assert.rejects(conn.request('GET', '/', null, {}, { signal: AbortSignal.abort() }), { name: 'AbortError' });
      assert.equal(await response.text(), 'hello');
      await works(conn);
      assert.equal(connections(), 1);
      conn.close();
    }));

  test('that end the next request leave the response before, that is being read, as it is', LIMIT, () => {
    let rest;
    return withServer(
      (head, socket) => {
        if (!head.includes('/first')) return reply('hello');
        rest = () => socket.write('56789');
        return 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n01234';
      },
      async ({ port }) => {
        const conn = connect(port);
        const first = await get(conn, '/first');
        const stop = new AbortController();
        await conn.request('GET', '/second', null, {}, { signal: stop.signal });
        const waits = conn.getresponse();
        stop.abort();
        await waits.then((response) => assert.rejects(response.read()), () => {});
        rest();
        assert.equal(await settles(first.text()), '0123456789');
        conn.close();
      },
    );
  });
});

describe('a response_class', () => {
  test('that throws gives its error, closes the connection, and spoils nothing after', LIMIT, () =>
    withServer(hello, async ({ port, sockets }) => {
      const conn = connect(port);
      for (let i = 0; i < 2; i++) {
        conn.response_class = class {
          constructor() {
            throw new Error('class');
          }
        };
        await conn.request('GET', '/');
        await assert.rejects(settles(conn.getresponse()), /^Error: class$/);
        await assert.rejects(conn.getresponse(), ResponseNotReady);
        await until(() => sockets.size === 0);
        delete conn.response_class;
        await works(conn);
        conn.close();
        await until(() => sockets.size === 0);
      }
    }));

  test('that throws after super() is the same', LIMIT, () =>
    withServer(hello, async ({ port, sockets }) => {
      const conn = connect(port);
      conn.response_class = class extends HTTPResponse {
        constructor(source) {
          super(source);
          throw new Error('class');
        }
      };
      await conn.request('GET', '/');
      await assert.rejects(settles(conn.getresponse()), /^Error: class$/);
      await until(() => sockets.size === 0);
      delete conn.response_class;
      await works(conn);
      conn.close();
    }));

  for (const [what, act] of Object.entries({
    'closes the connection': (conn) => conn.close(),
    'asks for the response': (conn) => void conn.getresponse().catch(() => {}),
    'makes a request': (conn) => void conn.request('GET', '/inner').catch(() => {}),
    'forgets the socket': (conn) => {
      conn.sock = null;
    },
  })) {
    test(`that ${what} does no harm`, LIMIT, () =>
      quietly(() =>
        withServer(hello, async ({ port }) => {
          const conn = connect(port);
          conn.response_class = class extends HTTPResponse {
            constructor(source) {
              super(source);
              act(conn);
            }
          };
          await conn.request('GET', '/');
          const response = await settles(conn.getresponse()).catch((error) => error);
          if (response instanceof HTTPResponse) await settles(response.read().catch(() => {}));
          else assert.ok(response instanceof NotConnected, String(response));
          delete conn.response_class;
          conn.close();
          await works(conn);
          conn.close();
        }),
      ));
  }
});

describe('sock in the middle', () => {
  test('null while a request is sent, its answer is waited for, or read: NotConnected, and the next one works', LIMIT, () =>
    quietly(() =>
      withServer((head) => (head.includes('/stuck') ? undefined : head.includes('/half') ? 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01' : reply('hello')), async ({ port }) => {
        const conn = connect(port);
        async function* slow() {
          for (;;) {
            yield 'x';
            await sleep(5);
          }
        }
        const sending = conn.request('POST', '/stuck', slow());
        sending.catch(() => {});
        await until(() => conn.sock !== null);
        let { sock } = conn;
        conn.sock = null;
        await assert.rejects(settles(sending), NotConnected);
        sock.destroy();
        await works(conn);

        await conn.request('GET', '/stuck');
        const waiting = conn.getresponse();
        ({ sock } = conn);
        conn.sock = null;
        await assert.rejects(settles(waiting), NotConnected);
        sock.destroy();
        await works(conn);

        const response = await get(conn, '/half');
        const reading = response.read();
        ({ sock } = conn);
        conn.sock = null;
        await assert.rejects(settles(reading), NotConnected);
        sock.destroy();
        await works(conn);
        conn.close();
      }),
    ));

  test('another one while the answer is waited for is used by the next request', LIMIT, () =>
    withServer((head) => (head.includes('/stuck') ? undefined : reply('hello')), async ({ port, connections }) => {
      const conn = connect(port);
      await conn.request('GET', '/stuck');
      const waiting = conn.getresponse();
      const old = conn.sock;
      const other = net.connect(port, '127.0.0.1');
      conn.sock = other;
      await assert.rejects(settles(waiting), NotConnected);
      old.destroy();
      assert.equal(conn.sock, other);
      await works(conn);
      assert.equal(conn.sock, other);
      assert.equal(connections(), 2);
      conn.close();
    }));
});

describe('sock after a failure', () => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const cutShort = (_head, socket) => {
    socket.end(`${head}Content-Length: 9\r\n\r\nab`);
  };
  const readAll = async (conn) => (await get(conn)).read();

  /** [what fails, what the server does, what is done, options] */
  const failures = [
    ['a body that is cut', cutShort, readAll],
    ['a body that is cut, read in pieces', cutShort, async (conn) => {
      const response = await get(conn);
      while ((await response.read1()).length > 0);
    }],
    ['a broken chunk', () => `${head}Transfer-Encoding: chunked\r\n\r\nx\r\n`, readAll],
    ['a head that is none', () => 'nonsense\r\n\r\n', get],
    ['a peer that says nothing', (_head, socket) => void socket.end(), get],
    ['a reset', (_head, socket) => void socket.resetAndDestroy(), get],
    ['timeouts.headers', () => undefined, get, { timeouts: { headers: 0.05 } }],
    ['timeouts.idle', () => `${head}Content-Length: 9\r\n\r\nab`, readAll, { timeouts: { idle: 0.05 } }],
    ['a deadline', () => undefined, get, { deadline: 0.05 }],
    ['a limit', () => `${head}Content-Length: 9\r\n\r\nab`, readAll, { limits: { body: 5 } }],
    ['a source that throws', () => undefined, (conn) => conn.request('PUT', '/', (async function* () {
      yield 'a';
      throw new Error('thrown');
    })())],
    ['a callback that throws', () => 'HTTP/1.1 103 Early\r\n\r\n', get, { on_informational: () => { throw new Error('thrown'); } }],
    ['an aborted signal', () => undefined, get, { signal: AbortSignal.timeout(50) }],
    ['a class of responses that throws', hello, (conn) => {
      conn.response_class = class extends HTTPResponse {
        constructor(source) {
          super(source);
          throw new Error('thrown');
        }
      };
      return get(conn);
    }],
  ];

  for (const [what, answer, act, options] of failures) {
    test(`is null after ${what}`, LIMIT, () =>
      withServer(answer, async ({ port }) => {
        const conn = connect(port, options);
        await assert.rejects(settles(act(conn)));
        assert.equal(conn.sock, null);
        conn.close();
      }));
  }

  test('is null once the server has closed a connection at rest, and a tunnel can be set up then', LIMIT, () =>
    withServer(hello, async ({ port, sockets }) => {
      const conn = connect(port);
      await works(conn);
      assert.throws(() => conn.set_tunnel('h'), { name: 'ImproperConnectionState' });
      for (const socket of sockets) socket.end();
      await until(() => conn.sock === null);
      conn.set_tunnel('h');
      conn.close();
    }));

  test('is null while what came before the failure is read, which another socket, or connect(), leaves alone', LIMIT, () =>
    withServer(cutShort, async ({ port }) => {
      for (const next of [(conn) => (conn.sock = null), (conn) => (conn.sock = new MemoryPeer()), (conn) => conn.connect()]) {
        const conn = connect(port);
        const response = await get(conn);
        await response.peek();
        conn.sock.destroy();
        assert.equal(conn.sock, null);
        await next(conn);
        assert.equal(String(await settles(response.read(2))), 'ab');
        await assert.rejects(settles(response.read(2)), { name: 'IncompleteRead' });
        conn.close();
      }
    }));
});
