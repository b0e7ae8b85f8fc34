// SPDX-License-Identifier: MIT
//
// The scenarios of test/data/faults.json, each under its id: reuse, mid-message, time, connect and proxy here, TLS in
// test/tls, the host ABI in test/core. The last test sees to it that none is missing.
//
// Runs by itself: peers that are slow in time have limits of a second and a half.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';
import { until } from '../support/upload-server.mjs';

const faults = JSON.parse(readFileSync(new URL('../data/faults.json', import.meta.url), 'utf8'));
const TIMEOUT = 1.5;
const HEAD = 'HTTP/1.1 200 OK\r\n';
const OPEN = 'HTTP/1.1 200 OK\r\n\r\n';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });

async function fetch(connection, method = 'GET', url = '/', body = null) {
  await connection.request(method, url, body);
  return connection.getresponse();
}

const fetchText = async (connection, ...request) => (await fetch(connection, ...request)).text();

/** Answers the first request on the first connection so, everything else with "hello". */
function firstOnly(answer) {
  let first = true;
  return (head, socket) => {
    if (!first) return reply('hello');
    first = false;
    return answer(head, socket);
  };
}

/** Runs a server whose first connection does something once it is idle, and asserts that a new one is opened for POST. */
const idle = (act) => () =>
  withServer(
    firstOnly((_head, socket) => {
      setTimeout(act, 20, socket);
      return reply('first');
    }),
    async (server) => {
      const connection = connect(server.port);
      assert.equal(await fetchText(connection), 'first');
      await sleep(80);
      assert.equal(await fetchText(connection, 'POST', '/second', 'body'), 'hello');
      assert.equal(server.connections(), 2);
      assert.equal(server.requests.join('').match(/POST/g).length, 1);
      assert.equal(await fetchText(connection), 'hello');
      connection.close();
    },
  );

/** What the first request meets, how it ends, and that the connection can be used again. */
const meets = (answer, expected, check = () => true) => () =>
  withServer(firstOnly(answer), async (server) => {
    const connection = connect(server.port, { timeout: TIMEOUT });
    const started = performance.now();
    const response = fetch(connection).then((head) => head.read());
    await assert.rejects(response, (error) => {
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(error[name], value, error.stack);
      return check(error, (performance.now() - started) / 1000);
    });
    assert.equal(connection.sock, null);
    connection.timeout = 30;
    assert.equal(await fetchText(connection), 'hello');
    connection.close();
  });

const reset = (text) => (_head, socket) => void socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 20));
const finish = (text) => (_head, socket) => void socket.end(text);
const atTheTimeout = (_error, elapsed) => elapsed > TIMEOUT * 0.95 && elapsed < TIMEOUT + 20;

/** Sends one byte each 100 ms. */
const drip = (text) => (_head, socket) => {
  let at = 0;
  const timer = setInterval(() => (at < text.length ? socket.write(text[at++]) : clearInterval(timer)), 100);
  socket.on('close', () => clearInterval(timer));
};

/** An answer while a large body is on its way. */
const early = (end) => () =>
  withServer(
    firstOnly((_head, socket) => {
      socket.pause();
      const text = reply('no', { status: '413 Content Too Large', headers: ['Connection: close'] });
      socket.write(text, () => setTimeout(end, 50, socket));
    }),
    async ({ port }) => {
      const connection = connect(port);
      const response = await fetch(connection, 'PUT', '/', Buffer.alloc(3_000_000));
      assert.deepEqual([response.status, await response.text()], [413, 'no']);
      assert.equal(await fetchText(connection), 'hello');
      connection.close();
    },
  );

/** A tunnel whose proxy answers so: how it ends, and that nothing was sent inside. */
const tunnel = (answer, expected) => () =>
  withServer(
    (head, socket) => (head.startsWith('CONNECT') ? answer(head, socket) : reply('inside')),
    async (server) => {
      const connection = connect(server.port, { timeout: TIMEOUT });
      connection.set_tunnel('origin.example', 80);
      if (expected === undefined) {
        assert.equal(await fetchText(connection, 'GET', '/inner'), 'inside');
      } else {
        await assert.rejects(fetchText(connection, 'GET', '/inner'), expected);
        assert.equal(connection.sock, null);
        assert.ok(!server.requests.join('').includes('/inner'));
      }
      connection.close();
    },
  );

const refused = (status, headers = '', body = '') => {
  const text = `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
  return tunnel(() => text, { name: 'TunnelError', code: 'ERR_TUNNEL', message: `Tunnel connection failed: ${status}` });
};

const scenarios = {
  'idle-fin': idle((socket) => socket.end()),
  'idle-rst': idle((socket) => socket.resetAndDestroy()),
  'idle-408': idle((socket) => socket.end(reply('', { status: '408 Request Timeout', headers: ['Connection: close'] }))),
  'idle-push-200': idle((socket) => socket.write(reply('pushed'))),
  'half-close': idle((socket) => socket.end()),
  'race-close': () => {
    let count = 0;
    return withServer(
      (_head, socket) => (++count === 2 ? void socket.end() : reply('hello')),
      async (server) => {
        const connection = connect(server.port);
        await fetchText(connection);
        await assert.rejects(fetchText(connection, 'POST', '/', 'x'), { name: 'RemoteDisconnected', code: 'ECONNRESET' });
        assert.equal(server.connections(), 1);
        assert.equal(await fetchText(connection), 'hello');
        connection.close();
      },
    );
  },
  'rst-before-status': meets((_head, socket) => void socket.resetAndDestroy(), { code: 'ECONNRESET', name: 'Error' }),
  'rst-mid-header': meets(reset(`${HEAD}X-A: 1\r\nX-`), { code: 'ECONNRESET', name: 'Error' }),
  'rst-mid-body-cl': meets(reset(`${HEAD}Content-Length: 50\r\n\r\nhello`), {
    code: 'ECONNRESET',
    name: 'Error',
    partial: Buffer.from('hello'),
  }),
  'rst-mid-body-close-mode': meets(reset(`${HEAD}\r\nhello`), { code: 'ECONNRESET', name: 'Error' }),
  'fin-mid-header': meets(finish(`${HEAD}X-A: 1\r\nX-`), { name: 'IncompleteRead' }),
  'fin-mid-body-cl': meets(finish(`${HEAD}Content-Length: 50\r\n\r\nhello`), {
    name: 'IncompleteRead',
    partial: Buffer.from('hello'),
    expected: 45,
  }),
  'early-413': early((socket) => socket.end()),
  'early-413-rst': early((socket) => socket.resetAndDestroy()),
  'stall-status': meets(() => undefined, { name: 'TimeoutError', phase: 'receive' }, atTheTimeout),
  'stall-header': meets(() => `${HEAD}X-A: 1\r\n`, { name: 'TimeoutError', phase: 'receive' }, atTheTimeout),
  'stall-body': meets(() => `${HEAD}Content-Length: 50\r\n\r\nhello`, { name: 'TimeoutError', phase: 'receive' }, atTheTimeout),
  'drip-body': () =>
    withServer(
      (_head, socket) => {
        socket.write(`${HEAD}Content-Length: 20\r\n\r\n`);
        drip('x'.repeat(20))(_head, socket);
      },
      async ({ port }) => {
        const connection = connect(port, { timeout: TIMEOUT });
        assert.equal(await fetchText(connection), 'x'.repeat(20));
        connection.close();
        connection.deadline = 1;
        await assert.rejects(fetchText(connection), { name: 'TimeoutError', limit: 1 });
      },
    ),
  'drip-header': () =>
    withServer(drip(reply('x')), async ({ port }) => {
      const connection = connect(port, { timeout: TIMEOUT });
      assert.equal(await fetchText(connection), 'x');
      connection.close();
    }),
  abort: () =>
    withServer(
      () => `${HEAD}Content-Length: 50\r\n\r\nhello`,
      async (server) => {
        const connection = connect(server.port);
        const response = await fetch(connection);
        const reading = response.read();
        connection.close();
        await assert.rejects(reading, { name: 'NotConnected', partial: Buffer.from('hello') });
        // Another connection takes the memory; what the first one still gets must not land there.
        const other = connect(server.port);
        const next = await fetch(other);
        for (const socket of server.sockets) socket.write('y'.repeat(45));
        assert.equal(await next.text(), `hello${'y'.repeat(45)}`);
        other.close();
      },
    ),
  refused: async () => {
    const connection = connect(1);
    await assert.rejects(fetch(connection), { code: 'ECONNREFUSED' });
    await withServer(
      () => reply('hello'),
      async ({ port }) => {
        connection.port = port;
        assert.equal(await fetchText(connection), 'hello');
        connection.close();
      },
    );
  },
  nxdomain: () => assert.rejects(fetch(new HTTPConnection('none.invalid', 80, { timeout: 20 })), { code: /^(ENOTFOUND|EAI_AGAIN)$/, phase: 'lookup' }),
  'port-99999': () => {
    assert.throws(() => new HTTPConnection('127.0.0.1', 99999), { name: 'InvalidURL' });
    assert.throws(() => new HTTPConnection('127.0.0.1:99999'), { name: 'InvalidURL' });
  },
  'label-64': () =>
    assert.rejects(fetch(new HTTPConnection(`${'a'.repeat(64)}.example`, 80, { timeout: 20 })), { code: /^(ENOTFOUND|EAI_AGAIN|EINVAL)$/, phase: 'lookup' }),
  'multi-addr': () =>
    withServer(
      () => reply('hello'),
      async ({ port }) => {
        const lookup = (_name, _options, done) => done(null, ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 })));
        const connection = new HTTPConnection('two.example', port, { timeout: 30, lookup });
        assert.equal(await fetchText(connection), 'hello');
        assert.equal(connection.sock.remoteAddress, '127.0.0.1');
        connection.close();
      },
    ),
  'proxy-407': () =>
    withServer(
      () => reply('who?', { status: '407 Proxy Authentication Required', headers: ['Proxy-Authenticate: Basic'] }),
      async (server) => {
        const connection = connect(server.port);
        connection.set_tunnel('origin.example', 80);
        const message = 'Tunnel connection failed: 407 Proxy Authentication Required';
        await assert.rejects(connection.request('GET', '/inner'), { name: 'TunnelError', message, status: 407, retry_safe: 'yes' });
        assert.deepEqual(connection.get_proxy_response_headers()['Proxy-Authenticate'], ['Basic']);
        const { status, reason, headers, body } = connection.tunnel_response;
        assert.deepEqual([status, reason, headers.get('proxy-authenticate'), String(body)], [407, 'Proxy Authentication Required', 'Basic', 'who?']);
        assert.equal(connection.sock, null);
        assert.ok(!server.requests[0].includes('/inner'));
      },
    ),
  'proxy-502': refused('502 Bad Gateway'),
  'proxy-302': refused('302 Found', 'Location: http://elsewhere.example/\r\n'),
  'proxy-204': tunnel(() => 'HTTP/1.1 204 No Content\r\n\r\n'),
  'proxy-100-200': tunnel(() => `HTTP/1.1 100 Continue\r\n\r\n${OPEN}`),
  'proxy-garbage': tunnel(() => '\0\x01\x02 nope\r\n\r\n', { name: 'BadStatusLine' }),
  'proxy-close': tunnel((_head, socket) => void socket.end(), { name: 'RemoteDisconnected' }),
  'proxy-hang': tunnel(() => undefined, { name: 'TimeoutError', phase: 'receive', limit: TIMEOUT }),
  'proxy-endless-headers': tunnel(
    (_head, socket) => {
      const send = () => !socket.destroyed && socket.write('X: y\r\n'.repeat(50), () => setImmediate(send));
      socket.write(HEAD, send);
    },
    { name: 'HTTPException', message: 'got more than 100 headers' },
  ),
  'proxy-trunc-head': tunnel(finish(`${HEAD}X-A: 1\r\n`), { name: 'IncompleteRead' }),
  'proxy-200-cl-body': tunnel(() => `${HEAD}Content-Length: 43\r\n\r\n${reply('evil')}`, { code: 'ERR_HTTP_UNSOLICITED' }),
  'proxy-200-late-bytes': () => {
    let written = false;
    return withServer(
      firstOnly((_head, socket) => {
        setTimeout(() => socket.write(reply('evil'), () => (written = true)), 20);
        return OPEN;
      }),
      async (server) => {
        const connection = connect(server.port);
        connection.set_tunnel('origin.example', 80);
        await connection.connect();
        await until(() => written);
        await sleep(80);
        // The tunnel is given up; the next one is asked for, and its proxy refuses nothing but says "hello" to CONNECT too.
        await assert.rejects(fetchText(connection), { code: 'ERR_HTTP_UNSOLICITED' });
        assert.equal(server.connections(), 2);
        assert.ok(!server.requests.join('').includes('GET'));
      },
    );
  },
  'proxy-creds': () =>
    withServer(
      (head) => (head.startsWith('CONNECT') ? OPEN : reply('inside')),
      async (server) => {
        const connection = connect(server.port);
        connection.set_tunnel('origin.example', 80, { 'Proxy-Authorization': 'Basic c2VjcmV0' });
        for (let i = 0; i < 2; i++) {
          assert.equal(await fetchText(connection), 'inside');
          connection.close();
        }
        for (const text of server.requests) {
          const [asked, inner] = text.split(/(?<=\r\n\r\n)/);
          assert.ok(asked.includes('Basic c2VjcmV0') && !inner.includes('Basic'));
        }
      },
    ),
  'proxy-empty-tunnel-host': () => assert.throws(() => connect(80).set_tunnel(''), { name: 'InvalidURL' }),
};

for (const { id, scenario } of faults) {
  if (scenarios[id] !== undefined) test(`[${id}] ${scenario}`, { timeout: 60_000 }, scenarios[id]);
}

test('every fault has a test that names it', () => {
  const root = new URL('../', import.meta.url);
  const sources = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:mjs|c)$/.test(entry.name))
    .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
    .join('');
  const named = ({ id }) =>
    scenarios[id] !== undefined || sources.includes(`[${id}]`) || sources.includes(`'${id}'`) || new RegExp(`\\b${id.replace('-', '_')}_`).test(sources);
  assert.deepEqual(faults.filter((fault) => !named(fault)).map(({ id }) => id), []);
});
