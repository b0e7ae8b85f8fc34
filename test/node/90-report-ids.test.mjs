// SPDX-License-Identifier: MIT
//
// What users of other clients reported, from data/reports.json, each under its id. The last test sees to it that none is
// missing.
//
// Runs by itself: a peer that is slow and steady has to be so.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import vm from 'node:vm';
import FormData from 'form-data';
import { FormData as ForeignFormData } from 'undici';
import { HTTPConnection, HTTPResponse, HTTPSConnection, NotConnected } from '../../js/index.js';
import * as porthole from '../../js/index.js';
import { unhandledOf } from '../support/bodies.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { closedPort } from '../support/closed-port.mjs';
import { withNamingServer } from '../support/node-tls.mjs';
import { runCode, runToEnd } from '../support/process.mjs';
import { withServer } from '../support/raw-server.mjs';
import { fetchText as fetchTls, connect as connectTls } from '../support/tls-client.mjs';
import { settles, until, withHttp, withUploads } from '../support/upload-server.mjs';

const reports = JSON.parse(fs.readFileSync(new URL('../data/reports.json', import.meta.url), 'utf8'));
const library = new URL('../../js/index.js', import.meta.url).href;
const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function get(conn, url = '/') {
  await conn.request('GET', url);
  return conn.getresponse();
}

/** Runs with a server that answers each request with OK once its body is in. */
const withTaker = (use) =>
  withUploads(async (request) => {
    await request.has();
    request.socket.write(OK);
  }, use);

/** Sends one request, and gives it as the server got it. */
async function taken(server, ...request) {
  const conn = connect(server.port);
  await settles(conn.request(...request));
  assert.equal(await settles((await settles(conn.getresponse())).text()), 'ok');
  conn.close();
  return server.requests.at(-1);
}

/** Runs with a file that holds something. */
async function withFile(content, use) {
  const folder = mkdtempSync(join(tmpdir(), 'porthole-'));
  try {
    writeFileSync(join(folder, 'file'), content);
    return await use(join(folder, 'file'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a program that has `HTTPConnection` and so on, and gives what it printed and how it ended. */
function program(code, { env = {}, command = [process.execPath] } = {}) {
  const source = `import * as porthole from ${JSON.stringify(library)};
    const { HTTPConnection, HTTPSConnection } = porthole;
    ${code}`;
  const [name, ...args] = [...command, '--input-type=module', '-e', source];
  return runToEnd(name, args, { env: { ...process.env, ...env } });
}

const echo = (request, response) => request.pipe(response);

const scenarios = {
  'missing-file-stream': () =>
    withServer(
      () => OK,
      async ({ port }) => {
        const { status, output } = await program(`import fs from 'node:fs';
          const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
          const body = fs.createReadStream('/nope/x');
          await conn.request('PUT', '/', body).catch((error) => console.log(error.code));
          await new Promise((resolve) => setTimeout(resolve, 50));
          await conn.request('GET', '/');
          console.log(await (await conn.getresponse()).text());`);
        assert.deepEqual([status, output], [0, 'ENOENT\nok\n']);
      },
    ),

  'proc-file-handle': { skip: process.platform !== 'linux' && 'no /proc there' },

  'consumed-stream': () =>
    withTaker(async (server) => {
      for (const make of [
        () => new PassThrough().end('hello'),
        () => new Blob(['hello']).stream(),
        () =>
          (function* () {
            yield 'hello';
          })(),
      ]) {
        const body = make();
        assert.equal(String((await taken(server, 'POST', '/', body)).body), 'hello');
        const before = server.requests.length;
        const conn = connect(server.port);
        await assert.rejects(settles(conn.request('POST', '/', body)), TypeError);
        assert.equal(conn.sock, null);
        assert.equal(server.requests.length, before);
      }
    }),

  'body-stream-leak': () =>
    withFile('content', async (path) => {
      const conn = connect(await closedPort());
      const body = fs.createReadStream(path);
      await assert.rejects(settles(conn.request('PUT', '/', body)), { code: 'ECONNREFUSED' });
      await until(() => body.closed);
    }),

  'decoded-file-stream': () =>
    withFile('naïve é', (path) =>
      withTaker(async (server) => {
        const { body } = await taken(server, 'PUT', '/', fs.createReadStream(path, 'utf8'));
        assert.equal(String(body), 'naïve é');
      }),
    ),

  'decoded-stream-bytes': () =>
    withTaker(async (server) => {
      const source = new PassThrough();
      source.setEncoding('utf8');
      source.end(Buffer.from('é'));
      assert.equal((await taken(server, 'PUT', '/', source)).body.toString('hex'), 'c3a9');
    }),

  'old-style-stream': () =>
    withTaker(async (server) => {
      const form = new FormData();
      form.append('name', 'välue');
      const { head, body } = await taken(server, 'POST', '/', form, form.getHeaders());
      assert.match(head, /\r\nTransfer-Encoding: chunked\r\n/);
      assert.match(String(body), /name="name"\r\n\r\nvälue\r\n--/);
    }),

  'foreign-formdata': () =>
    withTaker(async ({ port, requests, connections }) => {
      const conn = connect(port);
      for (const form of [new ForeignFormData(), new globalThis.FormData()]) {
        form.append('a', 'b');
        await assert.rejects(conn.request('POST', '/', form), (error) => error instanceof TypeError && /Response/.test(error.message));
      }
      assert.deepEqual([requests.length, connections()], [0, 0]);
    }),

  'starved-loop': () =>
    withTaker(async (server) => {
      let longest = 0;
      let inTurn = 0; // pieces since a timer could run: a time would tell of the machine
      const timer = setInterval(() => {
        inTurn = 0;
      }, 1);
      function* source() {
        for (let i = 0; i < 300_000; i++) {
          inTurn += 1;
          longest = Math.max(longest, inTurn);
          yield 'x';
        }
      }
      const { length } = await taken(server, 'POST', '/', source());
      clearInterval(timer);
      assert.equal(length, 300_000);
      assert.ok(longest < 150_000, `${longest} pieces in a turn`);
    }),

  'full-duplex-echo': () =>
    withHttp(echo, async (port) => {
      const conn = connect(port);
      async function* source() {
        for (let i = 0; i < 5; i++) {
          yield 'c';
          await sleep(40);
        }
      }
      await settles(conn.request('POST', '/', source()));
      const response = await settles(conn.getresponse());
      assert.deepEqual([response.status, await settles(response.text())], [200, 'ccccc']);
      conn.close();
    }),

  'full-duplex-echo-bytes': () =>
    withHttp(echo, async (port) => {
      const conn = connect(port);
      await settles(conn.request('POST', '/', Buffer.alloc(5_000_000, 'abc')));
      const response = await settles(conn.getresponse());
      assert.ok((await settles(response.read())).equals(Buffer.alloc(5_000_000, 'abc')));
      conn.close();
    }),

  'close-with-closing-response': () =>
    withServer(
      () => 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n01234',
      async ({ port, sockets }) => {
        const conn = connect(port);
        const reading = (await get(conn)).read();
        conn.close();
        await assert.rejects(settles(reading), NotConnected);
        await until(() => sockets.size === 0);
      },
    ),

  'exit-with-idle-connection': () =>
    withServer(
      () => OK,
      async ({ port }) => {
        const { status, output } = await program(`globalThis.conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
          await conn.request('GET', '/');
          console.log(await (await conn.getresponse()).text());`);
        assert.deepEqual([status, output], [0, 'ok\n']);
      },
    ),

  'detached-half-open': () =>
    withServer(
      (_head, socket) => {
        setTimeout(() => socket.end('bye'), 20);
        return 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
      },
      async ({ port }) => {
        const conn = connect(port);
        await get(conn);
        const { socket, head } = conn.detach();
        const closed = once(socket, 'close');
        const parts = [head];
        for await (const part of socket) parts.push(part);
        assert.equal(String(Buffer.concat(parts)), 'bye');
        await settles(closed);
        assert.equal(socket.allowHalfOpen, false);
      },
    ),

  'hijacked-200': () =>
    withServer(
      (head, socket) => {
        if (head.startsWith('POST')) socket.on('data', (data) => String(data) === 'stdin' && socket.end('stdout'));
        return 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nfirst';
      },
      async ({ port }) => {
        const conn = connect(port);
        await conn.request('POST', '/containers/x/attach');
        const response = await conn.getresponse();
        const { socket, head } = response.detach();
        socket.write('stdin');
        const parts = [head];
        for await (const part of socket) parts.push(part);
        assert.equal(String(Buffer.concat(parts)), 'firststdout');
      },
    ),

  'signal-polyfill': () =>
    withServer(
      (head) => (head.includes('/stuck') ? undefined : OK),
      async ({ port }) => {
        const signal = Object.assign(new EventTarget(), { aborted: false });
        const conn = connect(port);
        await conn.request('GET', '/', null, {}, { signal });
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        await conn.request('GET', '/stuck', null, {}, { signal });
        const waiting = conn.getresponse();
        signal.aborted = true;
        signal.dispatchEvent(new Event('abort'));
        await assert.rejects(settles(waiting), { name: 'AbortError' });
      },
    ),

  'shared-signal-warning': () =>
    withServer(
      () => undefined,
      async ({ port }) => {
        const { status, output } = await program(`import { getEventListeners } from 'node:events';
          const stop = new AbortController();
          const waits = Array.from({ length: 30 }, async () => {
            const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30, signal: stop.signal });
            await conn.request('GET', '/');
            await conn.getresponse();
          });
          setTimeout(() => stop.abort(), 300);
          const results = await Promise.allSettled(waits);
          await new Promise(setImmediate);
          console.log(results.every(({ reason }) => reason === stop.signal.reason), getEventListeners(stop.signal, 'abort').length);`);
        assert.deepEqual([status, output], [0, 'true 0\n']);
      },
    ),

  'send-timeout-while-moving': async () => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => {
        socket.pause();
        setTimeout(() => socket.resume(), 300);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const conn = connect(server.address().port, { timeout: 2.5 }); // as in 87-time
    const stop = new AbortController();
    const sending = conn.request('PUT', '/', Buffer.alloc(60_000_000), {}, { signal: stop.signal });
    sending.catch(() => {});
    const ended = await Promise.race([sending.then(() => 'sent', (error) => error), sleep(7000, 'going on')]);
    assert.equal(ended, 'going on', ended?.stack);
    stop.abort();
    await assert.rejects(sending, { name: 'AbortError' });
    server.close();
  },

  'async-informational-rejects': async () => {
    const unhandled = await unhandledOf(() =>
      withServer(
        () => `HTTP/1.1 103 Early Hints\r\n\r\n${OK}`,
        async ({ port }) => {
          const reason = new Error('x');
          const conn = connect(port, {
            on_informational: async () => {
              throw reason;
            },
          });
          await conn.request('GET', '/');
          await assert.rejects(settles(conn.getresponse()), (error) => error === reason);
        },
      ),
    );
    assert.deepEqual(unhandled, []);
  },

  'realm-arraybuffer-body': () =>
    withTaker(async (server) => {
      for (const code of ['new Uint8Array([65, 66]).buffer', 'new Uint8Array([65, 66])', 'new DataView(new Uint8Array([65, 66]).buffer)']) {
        const { head, body } = await taken(server, 'POST', '/', vm.runInNewContext(code));
        assert.match(head, /\r\nContent-Length: 2\r\n/);
        assert.equal(String(body), 'AB');
      }
    }),

  'timer-without-unref': () =>
    withServer(
      () => OK,
      async ({ port }) => {
        const { output } = await program(`void 0;`); // imported as it is
        assert.equal(output, '');
        const code = `const real = globalThis.setTimeout;
          globalThis.setTimeout = (run, ms) => { real(run, ms).unref(); return 1; };
          const { HTTPConnection } = await import(${JSON.stringify(library)});
          const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30, deadline: 30 });
          await conn.request('PUT', '/', 'x', {}, { expect_continue: 0.05 });
          console.log(await (await conn.getresponse()).text());`;
        const { status, stdout, stderr } = await runCode(code);
        assert.deepEqual([status, stdout], [0, 'ok\n'], stderr);
      },
    ),

  'fake-timers-upload': () =>
    withTaker(async ({ port }) => {
      const { status, output } = await program(`for (const name of ['setTimeout', 'setImmediate', 'setInterval', 'queueMicrotask', 'clearTimeout']) {
          globalThis[name] = () => { throw new Error(name); };
        }
        performance.now = () => 0;
        Date.now = () => 0;
        process.nextTick = process.nextTick;
        const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
        await conn.request('POST', '/', Array.from({ length: 20 }, () => Buffer.alloc(10_000)));
        console.log(await (await conn.getresponse()).text());`);
      assert.deepEqual([status, output], [0, 'ok\n']);
    }),

  'ulimit-v': { skip: process.platform !== 'linux' && 'no ulimit -v there' },

  'sni-trailing-dot': { skip: noOpenssl },
  'tls-env-unauthorized': { skip: noOpenssl },
  'identity-check-throws': { skip: noOpenssl },
  'abstract-socket': { skip: process.platform !== 'linux' && 'no abstract sockets there' },

  'pooled-bytes': () =>
    withServer(
      () => 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody',
      async ({ port }) => {
        const conn = connect(port);
        const bytes = await (await get(conn)).bytes();
        assert.deepEqual([bytes.byteLength, bytes.buffer.byteLength, Object.getPrototypeOf(bytes)], [4, 4, Uint8Array.prototype]);
        conn.close();
      },
    ),

  'subclass-steps-ignored': () =>
    withTaker(async (server) => {
      const sent = [];
      class H extends HTTPConnection {
        putheader(name, ...values) {
          if (name !== 'Accept-Encoding') super.putheader(name, ...values);
        }
        send(data) {
          sent.push(String(data));
          return super.send(data);
        }
      }
      const conn = new H('127.0.0.1', server.port, { timeout: 30 });
      await conn.request('POST', '/', 'data');
      assert.equal(await (await conn.getresponse()).text(), 'ok');
      assert.match(server.requests[0].head, /^POST \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nContent-Length: 4\r\n$/);
      assert.equal(String(server.requests[0].body), 'data');
      assert.equal(sent.join(''), `${server.requests[0].head}\r\ndata`);
      conn.close();
    }),

  'debuglevel-class': () =>
    withServer(
      () => OK,
      async ({ port }) => {
        for (const set of ['HTTPConnection.debuglevel = 1', 'HTTPConnection.prototype.debuglevel = 1']) {
          const { status, output } = await program(`const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
            ${set};
            await conn.request('GET', '/');
            await (await conn.getresponse()).read();`);
          assert.equal(status, 0, output);
          assert.match(output, /^send: b'GET \/ HTTP\/1\.1\\r\\n.*\nreply: 'HTTP\/1\.1 200 OK\\r\\n'\nheader: Content-Length: 2\n$/);
        }
      },
    ),

  'file-from-where-it-is': () =>
    withFile('0123456789', (path) =>
      withTaker(async (server) => {
        const handle = await fs.promises.open(path);
        try {
          await handle.read(Buffer.alloc(4), 0, 4);
          const { head, body } = await taken(server, 'PUT', '/', handle);
          assert.equal(String(body), process.platform === 'linux' ? '456789' : '0123456789');
          assert.match(head, /\r\nContent-Length: (6|10)\r\n/);
        } finally {
          await handle.close();
        }
      }),
    ),

  'proxy-password-raw-percent': () => {
    const proxy = porthole.proxy_from_environment('http://h/', { http_proxy: 'http://user:100%@proxy:8080' });
    assert.deepEqual([proxy.host, proxy.port], ['proxy', 8080]);
    const credentials = Buffer.from('user:100%').toString('base64');
    assert.deepEqual(Object.values(proxy.headers), [`Basic ${credentials}`]);
  },

  'response-from-bytes': () => {
    assert.throws(() => new HTTPResponse(new PassThrough()), (error) => error instanceof TypeError && /create_connection/.test(error.message));
  },

  'tls-over-2gib': { skip: noOpenssl },
};

Object.assign(scenarios['proc-file-handle'], {
  run: () =>
    withTaker(async (server) => {
      const handle = await fs.promises.open('/proc/version');
      try {
        const { head, body } = await taken(server, 'POST', '/', handle);
        assert.equal(String(body), fs.readFileSync('/proc/version', 'utf8'));
        assert.match(head, /\r\nTransfer-Encoding: chunked\r\n/);
      } finally {
        await handle.close();
      }
    }),
});

Object.assign(scenarios['ulimit-v'], {
  run: () =>
    withServer(
      () => OK,
      async ({ port }) => {
        const code = `try {
            const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
            await conn.request('GET', '/');
            console.log(await (await conn.getresponse()).text());
          } catch (error) {
            console.log(error.message);
          }`;
        const command = ['bash', '-c', 'ulimit -v 4194304; exec "$0" "$@"', process.execPath];
        const { status, output } = await program(code, { command });
        assert.equal(status, 0, output);
        assert.match(output, /^ok\n$|--disable-wasm-trap-handler/);
        const helped = await program(code, { command: [...command, '--disable-wasm-trap-handler'] });
        assert.deepEqual([helped.status, helped.output], [0, 'ok\n']);
      },
    ),
});

Object.assign(scenarios['sni-trailing-dot'], {
  run: () =>
    withNamingServer({ pair: certificates().good }, async ({ port, names }) => {
      const conn = connectTls(port, { host: 'localhost.' });
      assert.match(await fetchTls(conn), /^localhost localhost\.:\d+$/);
      assert.deepEqual(names, ['localhost']);
      conn.close();
    }),
});

Object.assign(scenarios['tls-env-unauthorized'], {
  run: () =>
    withNamingServer({ pair: certificates().selfSigned }, async ({ port }) => {
      const { status, output } = await program(
        `for (const options of [{}, { context: {} }, { context: { rejectUnauthorized: undefined } }]) {
          const conn = new HTTPSConnection('localhost', ${port}, { timeout: 30, ...options });
          await conn.request('GET', '/').then(() => console.log('sent'), (error) => console.log(error.code));
        }
        const conn = new HTTPSConnection('localhost', ${port}, { timeout: 30, context: { rejectUnauthorized: false } });
        await conn.request('GET', '/');
        const response = await conn.getresponse();
        await response.read();
        console.log(response.status);`,
        { env: { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' } },
      );
      assert.deepEqual([status, output], [0, `${'DEPTH_ZERO_SELF_SIGNED_CERT\n'.repeat(3)}200\n`]);
    }),
});

Object.assign(scenarios['identity-check-throws'], {
  run: async () => {
    const unhandled = await unhandledOf(() =>
      withNamingServer({ pair: certificates().good }, async ({ port }) => {
        const reason = new Error('pin');
        const checkServerIdentity = () => {
          throw reason;
        };
        const context = { ca: fs.readFileSync(certificates().ca), checkServerIdentity };
        const conn = new HTTPSConnection('localhost', port, { timeout: 30, context });
        await assert.rejects(settles(conn.request('GET', '/')), (error) => error === reason || error.cause === reason);
        assert.equal(conn.sock, null);
      }),
    );
    assert.deepEqual(unhandled, []);
  },
});

Object.assign(scenarios['abstract-socket'], {
  run: async () => {
    const name = `\0porthole-report-${process.pid}`;
    const server = http.createServer((_request, response) => response.end('ok')).listen(name);
    await once(server, 'listening');
    try {
      const conn = new HTTPConnection('localhost', { socket_path: name, timeout: 30 });
      assert.equal(await (await get(conn)).text(), 'ok');
      conn.close();
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
});

Object.assign(scenarios['tls-over-2gib'], {
  limit: 240_000,
  run: async () => {
    const size = 2 ** 31 + 5;
    // The server is a process of its own, so that both sides have a processor.
    const { good } = certificates();
    const child = spawn(process.execPath, [
      '-e',
      `const fs = require('fs'), block = Buffer.alloc(4 << 20, 'a');
      require('tls').createServer({ cert: fs.readFileSync(process.argv[1]), key: fs.readFileSync(process.argv[2]) }, (socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
          let left = ${size};
          socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: ${size}\\r\\n\\r\\n');
          const more = () => {
            while (left > 0) {
              const part = block.subarray(0, Math.min(left, block.length));
              left -= part.length;
              if (left === 0) socket.write(Buffer.concat([part.subarray(1), Buffer.from('z')]));
              else if (!socket.write(part)) return void socket.once('drain', more);
            }
          };
          more();
        });
      }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`,
      good.cert,
      good.key,
    ]);
    try {
      const [text] = await once(child.stdout, 'data');
      const conn = connectTls(Number(text), { timeout: 60 });
      await conn.request('GET', '/');
      const response = await conn.getresponse();
      assert.equal(response.length, size);
      const bytes = await response.read();
      assert.deepEqual([bytes.length, bytes[0], bytes[2 ** 31], bytes[size - 1]], [size, 97, 97, 122]);
      conn.close();
    } finally {
      child.kill();
    }
  },
});

for (const { id, kind, input } of reports) {
  const scenario = scenarios[id];
  if (scenario === undefined) continue;
  const { run = scenario, skip = false, limit = 60_000 } = scenario;
  test(`[${id}] ${kind}: ${input.replaceAll(/\s+/g, ' ').slice(0, 90)}`, { timeout: limit, skip }, run);
}

test('every report has a test that names it', () => {
  assert.deepEqual(Object.keys(scenarios).sort(), reports.map(({ id }) => id).sort());
});
