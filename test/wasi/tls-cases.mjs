// SPDX-License-Identifier: MIT
//
// What HTTPS has to do in WASI, whichever runtime it is: probe.c does what the tests say, over TLS.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { certificates } from '../support/certificates.mjs';
import { withServer } from './guests.mjs';
import { withHttps } from './tls.mjs';

const OPEN_TLS = 1;
const READABLE = 1;
const TLS_ALERT = 21;
const text = (hex) => Buffer.from(hex, 'hex').toString('latin1');

/**
 * A proxy that takes every CONNECT to a port of this machine, and keeps the bytes that clients send. What the server sends waits
 * for `released`.
 */
export function withTap(port, use, released = Promise.resolve()) {
  const sent = [];
  const serve = (socket) => {
    const peer = net.connect(port, '127.0.0.1').on('error', () => socket.destroy());
    socket.once('data', (first) => {
      const head = first.indexOf('\r\n\r\n') + 4;
      const tunnelled = String(first.subarray(0, 8)) === 'CONNECT ';
      if (tunnelled) socket.write('HTTP/1.1 200 OK\r\n\r\n');
      for (const piece of tunnelled ? [first.subarray(head)] : [first]) {
        sent.push(piece);
        if (piece.length > 0) peer.write(piece);
      }
      socket.on('data', (data) => {
        sent.push(data);
        peer.write(data);
      });
    });
    socket.on('end', () => peer.end());
    released.then(() => peer.pipe(socket));
  };
  return withServer(serve, (tap) => use(tap, sent));
}

/** The types of the records in what a client has sent. */
function recordsIn(bytes) {
  const types = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) types.push(bytes[at]);
  return types;
}

/**
 * @param {string} name of the runtime
 * @param {() => (args: string[], tls?: { ca?: string, cert?: string, key?: string }) => Promise<{ code: number, stdout: string, stderr: string }>} start
 */
export function describeTls(name, start) {
  /** Has the guest do things. @returns its lines: [word, result, milliseconds, …] */
  async function play(steps, tls = { ca: certificates().ca }) {
    const { code, stdout, stderr } = await start()(steps, tls);
    assert.equal(code, 0, stderr);
    return stdout.trimEnd().split('\n').map((line) => line.split(' '));
  }

  const client = (port, host = 'localhost', timeout = 20000) => [`client ${host}:${port} ${timeout} -1 0`, 'secure'];
  const results = (lines) => lines.map(([, result]) => result);

  for (const host of ['localhost', '127.0.0.1']) {
    test(`under ${name} it gets over TLS from ${host}, by HTTP/1.1`, async () => {
      await withHttps('good', async (port, seen) => {
        const [, , got] = await play([...client(port, host), 'exchange GET /']);
        assert.deepEqual([got[1], text(got[6])], ['200', 'hello']);
        assert.deepEqual([...seen.protocols], ['http/1.1']);
      }, { ALPNProtocols: ['h2', 'http/1.1'] });
    });
  }

  for (const kind of ['wrongName', 'expired', 'notYetValid', 'unknownCa', 'selfSigned']) {
    test(`under ${name} the certificate ${kind} is refused in one line`, async () => {
      await withHttps(kind, async (port, seen) => {
        const lines = await play([...client(port), 'exchange GET /', 'words']);
        assert.equal(lines[2][1], 'HOST_TLS_VERIFY');
        assert.match(text(lines[3][3]), /^the peer's certificate could not be verified: [ -~]*certificate[ -~]*$/);
        assert.equal(seen.requests, 0);
      });
    });
  }

  test(`under ${name} 1000 GETs over TLS take one connection and no memory`, async () => {
    await withHttps('good', async (port, seen) => {
      const lines = await play([...client(port), 'gets 10', 'memory', 'gets 1000', 'memory']);
      assert.deepEqual([lines[2][1], lines[4][1]], ['5', '5']);
      assert.equal(lines[3][1], lines[5][1]);
      assert.deepEqual([seen.connections, seen.requests], [1, 1010]);
    });
  });

  test(`under ${name} 70 connections over TLS, one after the other, take no memory`, async () => {
    await withHttps('good', async (port, seen) => {
      const steps = [...client(port), 'exchange GET /last', 'memory', ...Array(70).fill('exchange GET /last'), 'memory'];
      const lines = await play(steps);
      assert.equal(lines.filter(([word, result]) => word === 'exchange' && result === '200').length, 71);
      assert.equal(lines[3][1], lines.at(-1)[1]);
      assert.equal(seen.connections, 71);
    });
  });

  test(`under ${name} what is sent and received over TLS is all there`, async () => {
    await withHttps('good', async (port) => {
      const [, , up, down, again] = await play([...client(port), 'upload /up 1024', 'exchange GET /big', 'upload / 3']);
      assert.deepEqual([up[1], text(up[6])], ['200', String(1 << 20)]);
      assert.deepEqual([down[1], down[3]], ['200', String(1 << 20)]);
      assert.deepEqual([again[1], text(again[6])], ['200', '3072']);
    });
  });

  test(`under ${name} TLS goes through a tunnel`, async () => {
    await withHttps('good', (port) =>
      withTap(port, async (tap) => {
        const steps = [`client 127.0.0.1:${tap} 20000 -1 0`, `secure localhost:${port}`, 'exchange GET /', 'exchange GET /'];
        const lines = await play(steps);
        assert.deepEqual(results(lines), ['0', '0', '200', '200']);
      }),
    );
  });

  test(`under ${name} the peer is told that nothing follows`, async () => {
    await withHttps('good', (port) =>
      withTap(port, async (tap, sent) => {
        await play([...client(tap), 'exchange GET /last', 'exchange GET /last']);
        const types = recordsIn(Buffer.concat(sent));
        assert.equal(types.filter((type) => type === TLS_ALERT).length, 2, `records ${types}`);
      }), { maxVersion: 'TLSv1.2' });
  });

  test(`under ${name} a body that is cut off is not taken for whole`, async () => {
    await withHttps('good', async (port) => {
      const [, , got] = await play([...client(port), 'exchange GET /cut']);
      assert.equal(got[1], '200');
      assert.match(got[3], /^(?:BODY_CUT|HOST_RESET)$/);
    });
  });

  test(`under ${name} a server asks for a certificate and gets the one that the embedder has`, async () => {
    const { ca, client: mine } = certificates();
    const asking = { requestCert: true, rejectUnauthorized: true, ca: readFileSync(ca) };
    await withHttps('good', async (port, seen) => {
      const [, , got] = await play([...client(port), 'exchange GET /'], { ca, cert: mine.cert, key: mine.key });
      assert.equal(got[1], '200');
      assert.equal(seen.peer, 'client');
      const [, , without] = await play([...client(port), 'exchange GET /'], { ca });
      assert.match(without[1], /^(?:REMOTE_DISCONNECTED|HOST_\w+)$/); // TLS 1.3 tells it after the handshake
      assert.equal(seen.requests, 1);
    }, asking);
  });

  test(`under ${name} a handshake that goes nowhere is given up in time, and the connection with it`, async () => {
    let closed;
    const serve = (socket) => {
      closed = new Promise((resolve) => socket.on('data', () => {}).on('close', resolve).on('end', () => socket.end()));
    };
    await withServer(serve, async (port) => {
      const [, , got] = await play([...client(port, 'localhost', 300), 'exchange GET /']);
      assert.equal(got[1], 'HOST_TIMED_OUT');
      assert.ok(Number(got[2]) >= 290 && Number(got[2]) < 30_000, `${got[2]} ms`);
      await closed;
    });
  });

  test(`under ${name} a peer that speaks no TLS fails the handshake`, async () => {
    await withServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), async (port) => {
      const [, , got] = await play([...client(port), 'exchange GET /']);
      assert.equal(got[1], 'HOST_TLS_HANDSHAKE');
    });
  });

  test(`under ${name} SNI has the name, without a dot at its end, and no address`, async () => {
    await withHttps('good', (port, seen) =>
      withTap(port, async (tap) => {
        const [, , got] = await play([`client 127.0.0.1:${tap} 20000 -1 0`, `secure localhost.:${port}`, 'exchange GET /']);
        assert.deepEqual([got[1], seen.name], ['200', 'localhost']);
        const [, , other] = await play([...client(port, '127.0.0.1'), 'exchange GET /']);
        assert.deepEqual([other[1], seen.name], ['200', false]);
      }),
    );
  });

  test(`under ${name} a handshake is waited for as for bytes, and nothing else is done meanwhile`, async () => {
    let release;
    const released = new Promise((resolve) => (release = resolve));
    await withHttps('good', (port) =>
      withTap(port, (tap) => withServer(() => release(), async (signal) => {
        const lines = await play([
          `open 127.0.0.1 ${tap} ${OPEN_TLS} 5000`,
          'tls 0 localhost 5000', // not the name that was opened
          'tls 0 127.0.0.1 0',
          'recv 0 100 1000',
          'send 0 1000 10',
          `wait 0 0 ${READABLE}`,
          `open 127.0.0.1 ${signal} 0 5000`,
          `wait 5000 0 ${READABLE}`,
          'tls 0 127.0.0.1 0',
          'tls 0 127.0.0.1 5000', // there is TLS already
          'info 0 3', // the draft doesn't tell the version
          'close 0',
          'recv 0 100 0',
        ]);
        assert.deepEqual(results(lines), [
          '0', 'HOST_OTHER', 'WANT_READ', 'HOST_OTHER', 'HOST_OTHER', '0', '1', '1', '0', 'HOST_OTHER', '0', '0', 'HOST_BAD_HANDLE',
        ]);
      }), released),
    );
  });

  test(`under ${name} a connection whose handshake failed says so, whatever is asked of it`, async () => {
    await withHttps('expired', async (port) => {
      const lines = await play([
        `open 127.0.0.1 ${port} 0 5000`,
        'tls 0 localhost 5000',
        'tls 0 localhost 5000',
        'recv 0 100 0',
        'send 0 0 10',
        `wait 0 0 ${READABLE}`,
        'close 0',
      ]);
      assert.deepEqual(results(lines), ['0', 'HOST_TLS_VERIFY', ...Array(4).fill('HOST_OTHER'), '0']);
    });
  });

  test(`under ${name} a connection is closed in the middle of its handshake`, async () => {
    let closed;
    const serve = (socket) => {
      closed = new Promise((resolve) => socket.on('data', () => {}).on('end', () => socket.end()).on('close', resolve));
    };
    await withServer(serve, async (port) => {
      const lines = await play([`open 127.0.0.1 ${port} 0 5000`, 'tls 0 localhost 0', 'close 0', 'wait 100']);
      assert.deepEqual(results(lines), ['0', 'WANT_READ', '0', '0']);
      await closed;
    });
  });
}
