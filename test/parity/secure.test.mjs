// SPDX-License-Identifier: MIT
//
// HTTPS and tunnels: CPython's http.client and porthole against the same servers. What the proxy and the origin received
// and what comes out are equal, but for the differences below. PARITY_SEED chooses other cases.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { create_default_context, HTTPConnection, HTTPSConnection } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { random } from '../support/memory-peer.mjs';
import { chunkedReply, reply } from '../support/raw-server.mjs';

const seed = Number(process.env.PARITY_SEED ?? 20261125);
const COUNT = 160;
const script = fileURLToPath(new URL('secure_client.py', import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** What the proxy answers, and whether it opens the tunnel then. */
const ANSWERS = {
  open: ['HTTP/1.1 200 OK\r\n\r\n', true],
  established: ['HTTP/1.0 200 Connection established\r\nVia: 1.1 proxy\r\nVia: 1.0 other\r\n\r\n', true],
  'open with a length': ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', true],
  authenticate: ['HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno', false],
  gateway: ['HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n', false],
  redirect: ['HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n', false],
  garbage: ['\0\x01 nope\r\n\r\n', false],
  hangUp: ['', false],
  created: ['HTTP/1.1 201 Created\r\n\r\n', true],
  interim: ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', true],
};

/** Answers to CONNECT that CPython 3.11 does not take, and we do: RFC 9110 section 9.3.6. */
const OURS_ONLY = new Set(['created', 'interim']);

const RESPONSES = [
  reply('hello'),
  reply('', { status: '404 Not Found', headers: ['X-A: b'] }),
  chunkedReply(['hel', 'lo'], ['X-T: v']),
  'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort',
  'HTTP/1.0 200 OK\r\n\r\nuntil the end',
  'nonsense\r\n\r\n',
];

function generate() {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const names = Object.keys(ANSWERS);
  return Array.from({ length: COUNT }, (_, id) => {
    const secure = next() < 0.7;
    const tunnelled = next() < 0.7;
    const name = pick(['localhost', 'localhost', 'localhost', 'a.example', 'other.invalid', '127.0.0.1']);
    const end = pick([`c${id}.wild.example`, `c${id}.wild.example`, `c${id}.wild.example`, `c${id}.other.invalid`]);
    const headers = pick([{}, { 'Proxy-Authorization': 'Basic eDp5' }, { 'X-One': '1', 'User-Agent': 'parity' }]);
    const port = pick([null, 443, 8443, 80]);
    return {
      id,
      secure,
      name,
      answer: next() < 0.6 ? 'open' : pick(names),
      tunnel: tunnelled ? [end, port, headers] : null,
      responses: Array.from({ length: 2 }, () => pick(RESPONSES)),
      requests: Array.from({ length: 1 + Math.floor(next() * 2) }, (__, index) => [
        pick(['GET', 'POST', 'PUT']),
        `/${id}/${index}`,
        pick([null, 'a body', '']),
        pick([{}, { Accept: '*/*' }]),
      ]),
    };
  });
}

/** An origin that speaks HTTP and HTTPS at one port, and a proxy; what both receive is kept by case. */
async function startServers(cases) {
  const received = cases.map(() => ({ proxy: '', origin: '' }));
  const all = certificates();
  const pair = ({ cert, key }) => ({ cert: readFileSync(cert), key: readFileSync(key) });
  const wild = tls.createSecureContext(pair(all.wildcard));
  const secure = tls.createServer({
    ...pair(all.good),
    SNICallback: (name, done) => done(null, name.includes('.wild.') || name.includes('.other.') ? wild : undefined),
  });
  const answer = (socket) => {
    socket.on('error', () => {});
    let pending = '';
    socket.on('data', (data) => {
      pending += data.latin1Slice();
      const [, id, index] = / \/(\d+)\/(\d) HTTP\//.exec(pending) ?? [];
      const length = Number(/Content-Length: (\d+)/.exec(pending)?.[1] ?? 0);
      const end = pending.indexOf('\r\n\r\n');
      if (end < 0 || pending.length < end + 4 + length) return;
      received[id].origin += pending;
      pending = '';
      const response = cases[id].responses[index];
      socket.write(Buffer.from(response, 'latin1'));
      if (!/^HTTP\/1.1 \d+ .*\r\n(Content-Length: (?!99)|Transfer)/.test(response)) socket.end();
    });
  };
  secure.on('secureConnection', answer).on('tlsClientError', () => {});
  const front = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      socket.pause();
      socket.unshift(data);
      if (data[0] === 22) secure.emit('connection', socket);
      else answer(socket);
      process.nextTick(() => socket.resume());
    });
  });
  const proxy = net.createServer((socket) => {
    socket.on('error', () => {});
    let head = '';
    const ondata = (data) => {
      head += data.latin1Slice();
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', ondata);
      const { id, answer: name } = cases[Number(/c(\d+)\./.exec(head)[1])];
      received[id].proxy += head;
      const [text, opens] = ANSWERS[name];
      if (!opens) {
        socket.end(Buffer.from(text, 'latin1'));
        return;
      }
      socket.write(text);
      const origin = net.connect(front.address().port, '127.0.0.1');
      origin.on('error', () => socket.destroy());
      socket.on('close', () => origin.destroy());
      socket.pipe(origin).pipe(socket);
    };
    socket.on('data', ondata);
  });
  const servers = [front, proxy];
  for (const server of servers) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    received,
    origin: front.address().port,
    proxy: proxy.address().port,
    close: () => Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve)))),
  };
}

function runPython(input) {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
    child.on('error', reject).on('close', () => resolve(JSON.parse(text)));
    child.stdin.end(JSON.stringify(input));
  });
}

function outcome(error) {
  if (error.phase === 'tls') return { error: error.code.startsWith('ERR_SSL_') ? 'TLS' : 'certificate' };
  if (error.code === 'ERR_TUNNEL') return { error: 'tunnel', message: error.message };
  if (error.name === 'Error') return { error: error.code };
  return { error: error.name };
}

async function runOurs({ secure, tunnel, name, requests }, context, { origin, proxy }) {
  const options = { timeout: 60, lookup: (_name, _options, done) => done(null, '127.0.0.1', 4), ...(secure ? { context } : null) };
  const connection = new (secure ? HTTPSConnection : HTTPConnection)(name, tunnel ? proxy : origin, options);
  const results = [];
  try {
    if (tunnel) connection.set_tunnel(...tunnel);
    for (const [method, url, body, headers] of requests) {
      await connection.request(method, url, body, headers);
      const response = await connection.getresponse();
      const { status, reason } = response;
      results.push([status, reason, response.getheaders(), (await response.read()).latin1Slice()]);
    }
  } catch (error) {
    results.push(outcome(error));
  } finally {
    connection.close();
  }
  return results;
}

/** CPython asks for tunnels by HTTP/1.1 with a Host from 3.12 on. */
function modernised({ proxy, origin }) {
  const lines = proxy.replace(/^(CONNECT \S+) HTTP\/1\.0/gm, '$1 HTTP/1.1').split(/(?<=\r\n\r\n)/);
  const heads = lines.map((head) => {
    if (head === '' || /\r\nHost: /i.test(head)) return head;
    return head.replace(/\r\n\r\n$/, `\r\nHost: ${/^CONNECT (\S+)/.exec(head)[1]}\r\n\r\n`);
  });
  return { proxy: heads.join(''), origin };
}

const skip = (!hasPython && 'apt-get install python3') || noOpenssl;

test(`${COUNT} generated cases of HTTPS and tunnels (seed ${seed}) are as CPython has them`, { skip }, async (t) => {
  const cases = generate();
  const { ca } = certificates();
  const run = async (client) => {
    const servers = await startServers(cases);
    try {
      const results = await client(servers);
      return results.map((result, id) => ({ result, received: modernised(servers.received[id]) }));
    } finally {
      await servers.close();
    }
  };
  const python = await run(({ origin, proxy }) => runPython({ ca, origin, proxy, cases }));
  const ours = await run(async (servers) => {
    const context = create_default_context({ cafile: ca });
    const results = [];
    for (const testCase of cases) results.push(await runOurs(testCase, context, servers));
    return results;
  });
  let differing = 0;
  for (const [id, testCase] of cases.entries()) {
    if (testCase.tunnel && OURS_ONLY.has(testCase.answer)) {
      differing++;
      assert.equal(python[id].result[0].error, 'tunnel');
      assert.notEqual(ours[id].result[0].error, 'tunnel');
    } else {
      // The first request tells what the origin is: its port, which is another one for either client.
      const told = (text) => text.replace(/^Host: (.*?):\d+\r\n/gm, 'Host: $1\r\n');
      const plain = ({ result, received }) => ({ result, proxy: received.proxy, origin: told(received.origin) });
      assert.deepEqual(plain(ours[id]), plain(python[id]), JSON.stringify(testCase));
    }
  }
  assert.ok(differing > 0 && differing < COUNT / 4);
  t.diagnostic(`${COUNT - differing} of ${COUNT} are equal, ${differing} differ on purpose`);
});
