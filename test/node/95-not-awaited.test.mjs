// SPDX-License-Identifier: MIT
//
// Calls that are made before the one before is over: the response asked for while the connection is looked at, bytes by hand
// behind a request that waits for a turn, a stale connection met by both who sends and who waits.

import assert from 'node:assert/strict';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection, HTTPResponse, HTTPSConnection, NotConnected, RemoteDisconnected, ResponseNotReady } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { reply, withServer, withTlsServer } from '../support/raw-server.mjs';
import { trusting } from '../support/tls-client.mjs';
import { settles } from '../support/upload-server.mjs';

const LIMIT = { timeout: 60_000 };
const lines = (requests) => requests.map((text) => text.split('\r\n', 1)[0]);

/** A first answer of so many bytes, head included, so that the read that it comes by is full. */
function filling(size) {
  for (let length = size; ; length -= reply('x'.repeat(length)).length - size) {
    if (reply('x'.repeat(length)).length === size) return reply('x'.repeat(length));
  }
}

describe('what a server sent behind an answer is no answer to a request that is not out yet', () => {
  const ways = {
    'over TCP': { read: 32_768, run: withServer, make: (port) => new HTTPConnection('127.0.0.1', port, { timeout: 20 }) },
    'over TLS': {
      read: 16_384,
      run: (answer, use) => withTlsServer(certificates().good, answer, use),
      make: (port) => new HTTPSConnection('localhost', port, { timeout: 20, context: trusting() }),
    },
    'by a Duplex': {
      read: 65_536,
      run: withServer,
      make: (port) => {
        const create_connection = () =>
          new Promise((resolve) => {
            const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
          });
        return new HTTPConnection('127.0.0.1', port, { timeout: 20, create_connection });
      },
    },
  };
  for (const [way, { read, run, make }] of Object.entries(ways)) {
    for (const [method, body] of [['GET', null], ['POST', 'abc']]) {
      test(`${method} ${way}`, { ...LIMIT, skip: way === 'over TLS' && noOpenssl }, () =>
        run(
          (head) => (head.includes(' /0 ') ? filling(read) + reply('PLANTED') : reply('good')),
          async ({ port, requests }) => {
            const conn = make(port);
            await conn.request('GET', '/0');
            await (await conn.getresponse()).read();
            const sent = conn.request(method, '/1', body);
            const response = await settles(conn.getresponse());
            assert.equal(String(await response.read()), 'good');
            await settles(sent);
            assert.deepEqual(lines(requests), ['GET /0 HTTP/1.1', `${method} /1 HTTP/1.1`]);
            conn.close();
          },
        ));
    }
  }

  test('a connection that the server has closed is replaced also under who waits already', LIMIT, () =>
    withServer(
      (head, socket) => {
        if (head.includes(' /0 ')) socket.end(reply('first'));
        else return reply('second');
      },
      async ({ port, connections }) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 20 });
        await conn.request('GET', '/0');
        await (await conn.getresponse()).read();
        await sleep(20);
        const sent = conn.request('GET', '/1');
        assert.equal(String(await (await settles(conn.getresponse())).read()), 'second');
        await settles(sent);
        assert.equal(connections(), 2);
        conn.close();
      },
    ));
});

describe('behind a request that waits for a turn', () => {
  test('bytes by hand keep their order, also when it has to connect anew', LIMIT, async () => {
    const wires = [];
    class Peer extends Duplex {
      #index = wires.push('') - 1;

      _read() {}

      _write(bytes, _encoding, done) {
        wires[this.#index] += bytes;
        done();
        if (this.#index > 0 || !wires[0].endsWith('\r\n\r\n')) return;
        this.push(reply('x'));
        setImmediate(() => this.push(null));
      }
    }
    const conn = new HTTPConnection('localhost', 80, { create_connection: () => new Peer() });
    await conn.request('GET', '/0');
    await (await conn.getresponse()).read();
    conn.putrequest('POST', '/1');
    conn.putheader('Content-Length', '4');
    const slow = async function* () {
      yield 'A';
      await sleep(20);
      yield 'B';
    };
    const sent = [conn.endheaders(), conn.send(slow())];
    await turn();
    sent.push(conn.send('CD'));
    await settles(Promise.all(sent));
    assert.equal(wires[1].split('\r\n\r\n')[1], 'ABCD');
    conn.close();
  });

  for (const member of ['writableNeedDrain', 'destroyed', 'writable']) {
    test(`a Duplex whose ${member} throws rejects it`, LIMIT, async () => {
      let peer;
      const create_connection = () => {
        peer = new MemoryPeer([Buffer.from(reply('x'))]);
        return peer;
      };
      const conn = new HTTPConnection('localhost', 80, { create_connection });
      await conn.request('GET', '/0');
      await (await conn.getresponse()).read();
      const sent = conn.request('GET', '/1');
      const error = Object.assign(new Error('thrown by the Duplex'), { code: 'ECONNRESET' });
      Object.defineProperty(peer, member, {
        configurable: true,
        get() {
          throw error;
        },
      });
      await assert.rejects(settles(sent));
      delete peer[member];
      const again = conn.request('GET', '/2'); // on a new connection
      assert.equal(String(await (await settles(conn.getresponse())).read()), 'x');
      await again;
      conn.close();
    });
  }
});

describe('getresponse() is ended by a limit', () => {
  class Own extends HTTPConnection {
    async send(bytes) {
      if (this.sock === null) await this.connect();
      this.sock.write(bytes);
    }
  }

  const silent = (use) => withServer(() => undefined, use);
  const limits = {
    timeout: [{ timeout: 0.2 }, {}],
    'timeouts.headers': [{ timeouts: { headers: 0.2 } }, {}],
    deadline: [{ deadline: 0.2 }, {}],
    signal: [{}, () => ({ signal: AbortSignal.timeout(200) })],
  };
  for (const [what, [options, request]] of Object.entries(limits)) {
    const given = () => (typeof request === 'function' ? request() : request);

    test(`${what}, where send() writes to the socket itself`, LIMIT, () =>
      silent(async ({ port }) => {
        const conn = new Own('127.0.0.1', port, options);
        conn.request('GET', '/', null, {}, given()).catch(() => {});
        await assert.rejects(settles(conn.getresponse()), { name: 'TimeoutError' });
        conn.close();
      }));

    test(`${what}, beside a connect() that hangs`, LIMIT, () =>
      silent(async ({ port }) => {
        class Hung extends HTTPConnection {
          connect() {
            return new Promise(() => {});
          }
        }
        const conn = new Hung('127.0.0.1', port, options);
        conn.request('GET', '/', null, {}, given()).catch(() => {});
        await assert.rejects(settles(conn.getresponse()), { name: 'TimeoutError' });
        conn.close();
      }));
  }

  test('and by an answer, where send() writes to the socket itself', LIMIT, () =>
    withServer(
      () => reply('own'),
      async ({ port }) => {
        const conn = new Own('127.0.0.1', port, { timeout: 20 });
        await conn.request('GET', '/');
        assert.equal(String(await (await settles(conn.getresponse())).read()), 'own');
        conn.close();
      },
    ));
});

describe('a subclass that hands on what send() is given', () => {
  test('sends no part of a body on another connection', LIMIT, () =>
    withServer(
      (head, socket) => {
        if (head.includes(' /0 ')) return 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\nContent-Length: 1\r\n\r\nx';
        if (head.startsWith('POST')) setTimeout(() => socket.write(reply('whole')), 4500);
      },
      async ({ port, requests, connections }) => {
        class Passing extends HTTPConnection {
          async send(bytes) {
            return super.send(bytes);
          }
        }
        const conn = new Passing('127.0.0.1', port, { timeout: 20 });
        await conn.request('GET', '/0');
        await (await conn.getresponse()).read();
        const piece = 'DELETE /all HTTP/1.1\r\nHost: x\r\n\r\n';
        const pieces = async function* () {
          for (let i = 0; i < 4; i++) {
            yield piece;
            await sleep(1000); // the server's Keep-Alive time goes by meanwhile
          }
        };
        await settles(conn.request('POST', '/up', pieces(), { 'Content-Length': String(4 * piece.length) }));
        assert.equal(connections(), 1);
        assert.ok(requests[0].endsWith(piece.repeat(4)));
        conn.close();
      },
    ));

  test('sends nothing of a request that is over', LIMIT, () =>
    withServer(
      () => reply('ok'),
      async ({ port, requests }) => {
        const late = [];
        class Slow extends HTTPConnection {
          async send(bytes) {
            await sleep(50);
            const sent = super.send(bytes);
            late.push(sent.then(() => 'sent', (error) => error.name));
            return sent;
          }
        }
        const conn = new Slow('127.0.0.1', port, { timeout: 20 });
        const signal = AbortSignal.timeout(10);
        await assert.rejects(settles(conn.request('GET', '/secret', null, { Authorization: 'one' }, { signal })));
        await settles(conn.request('GET', '/2'));
        assert.equal(String(await (await settles(conn.getresponse())).read()), 'ok');
        assert.deepEqual(await Promise.all(late), ['NotConnected', 'sent']);
        assert.deepEqual(requests.filter((text) => text !== '').map((text) => text.split(' ', 2)[1]), ['/2']);
        conn.close();
      },
    ));
});

describe('while a transport is full, or is looked at', () => {
  test('what was planted is no answer to the request that waits for room', LIMIT, async () => {
    const wires = [];
    class Narrow extends Duplex {
      #index = wires.push('') - 1;

      constructor() {
        super({ writableHighWaterMark: 4 });
      }

      _read() {}

      _write(bytes, _encoding, done) {
        wires[this.#index] += bytes;
        const wire = wires[this.#index];
        setTimeout(done, 50);
        if (!wire.endsWith('\r\n\r\n')) return;
        if (!wire.includes(' /0 ')) {
          this.push(reply('good'));
          return;
        }
        this.push(reply('x'));
        setTimeout(() => this.push(reply('PLANTED')), 10);
      }
    }
    const conn = new HTTPConnection('localhost', 80, { timeout: 20, create_connection: () => new Narrow() });
    await conn.request('GET', '/0');
    await (await conn.getresponse()).read();
    const sent = conn.request('GET', '/1');
    assert.equal(String(await (await settles(conn.getresponse())).read()), 'good');
    await settles(sent);
    conn.close();
  });

  test('each 1xx is told that comes in the middle of a write', LIMIT, async () => {
    let sent = 0;
    class Chatty extends Duplex {
      #wire = '';

      constructor() {
        super({ writableHighWaterMark: 4 });
      }

      _read() {}

      _write(bytes, _encoding, done) {
        this.#wire += bytes;
        if (this.#wire.endsWith('0\r\n\r\n')) this.push(reply('good'));
        else if (this.#wire.includes('\r\n\r\n')) {
          this.push('HTTP/1.1 103 Early Hints\r\n\r\n');
          sent++;
        }
        setTimeout(done, 1);
      }
    }
    let told = 0;
    const on_informational = () => {
      told++;
    };
    const conn = new HTTPConnection('localhost', 80, { timeout: 20, on_informational, create_connection: () => new Chatty() });
    const pieces = Array.from({ length: 20 }, (_, index) => `piece ${index}`);
    await settles(conn.request('POST', '/', pieces));
    assert.equal(String(await (await settles(conn.getresponse())).read()), 'good');
    assert.ok(sent > 20);
    assert.equal(told, sent);
    conn.close();
  });

  test('a 1xx that was planted says nothing of the request that is not out', LIMIT, () =>
    withServer(
      (head, socket) => {
        if (head.includes(' /0 ')) return `${filling(32_768)}HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n`;
        setTimeout(() => socket.write(reply('good')), 100);
      },
      async ({ port }) => {
        const told = [];
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 20, on_informational: ({ status }) => told.push(status) });
        await conn.request('GET', '/0');
        await (await conn.getresponse()).read();
        const sent = conn.request('POST', '/1', 'abc', {}, { expect_continue: 0.05 });
        assert.equal(String(await (await settles(conn.getresponse())).read()), 'good');
        await settles(sent);
        assert.deepEqual(told, []);
        conn.close();
      },
    ));
});

describe('a stale connection that a request and its response meet at once', () => {
  /** Runs with a server that resets its first connection in the middle of the second request. */
  async function withReset(use) {
    let connections = 0;
    const server = net.createServer((socket) => {
      const first = connections++ === 0;
      let received = 0;
      let answered = false;
      socket.on('error', () => {});
      socket.on('data', (data) => {
        received += data.length;
        if (first && !answered) {
          answered = true;
          socket.write(reply('x'));
        } else if (first) {
          socket.pause();
          setTimeout(() => socket.resetAndDestroy(), 30);
        } else if (received > 5_000_000 && !answered) {
          answered = true;
          socket.write(reply('again'));
        }
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const conn = new HTTPConnection('127.0.0.1', server.address().port, { timeout: 20, retry_stale: 1 });
    try {
      await conn.request('GET', '/0');
      await (await conn.getresponse()).read();
      await use(conn, () => connections);
    } finally {
      conn.close();
      server.close();
    }
  }

  const upload = (conn) => conn.request('PUT', '/1', Buffer.alloc(20_000_000));

  test('is retried once, and both get what came of it', LIMIT, () =>
    withReset(async (conn, connections) => {
      const sent = upload(conn);
      await turn();
      const response = await settles(conn.getresponse());
      assert.equal(String(await response.read()), 'again');
      await settles(sent);
      assert.equal(connections(), 2);
    }));

  test('belongs to who asked first', LIMIT, () =>
    withReset(async (conn) => {
      const sent = upload(conn);
      await turn();
      const first = conn.getresponse();
      conn.sock.on('close', () => assert.rejects(conn.getresponse(), ResponseNotReady));
      assert.equal(String(await (await settles(first)).read()), 'again');
      await settles(sent);
    }));

  test('is not retried where nothing may be opened', LIMIT, () =>
    withReset(async (conn, connections) => {
      const sent = upload(conn);
      sent.catch(() => {});
      await turn();
      conn.auto_open = 0;
      await assert.rejects(settles(conn.getresponse()), (error) => error instanceof RemoteDisconnected || error.code === 'ECONNRESET');
      await assert.rejects(settles(sent));
      assert.equal(connections(), 1);
    }));
});

for (const [what, close] of Object.entries({
  'the connection': (_response, conn) => conn.close(),
  'its socket': (_response, conn) => {
    conn.sock = null;
  },
  'the response': (response) => response.close(),
})) {
  test(`a response_class may close ${what} when the head is in already`, LIMIT, () =>
    withServer(
      () => reply('body'),
      async ({ port }) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 20 });
        conn.response_class = class extends HTTPResponse {
          constructor(source) {
            super(source);
            close(this, conn);
          }
        };
        await conn.request('GET', '/');
        await sleep(20);
        const response = await settles(conn.getresponse());
        assert.equal(response.status, 200);
        if (what === 'the connection') await assert.rejects(response.read(), NotConnected);
        conn.close();
        conn.response_class = HTTPResponse;
        await conn.request('GET', '/');
        assert.equal(String(await (await conn.getresponse()).read()), 'body');
        conn.close();
      },
    ));
}
