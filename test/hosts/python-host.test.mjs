// SPDX-License-Identifier: MIT
//
// The same core under a host that blocks: linked by plain clang with a small C guest, run by Python's wasmtime.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { certificates, noOpenssl } from '../support/certificates.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'build', 'hosts');
const venv = join(root, '.cache', 'venv');
const guest = join(folder, 'guest.wasm');
const python = join(venv, 'bin', 'python');
const run = promisify(execFile);

const has = (command, ...args) => spawnSync(command, args).status === 0;
const missing = [
  has('clang', '--version') && has('wasm-ld', '--version') ? '' : 'clang lld',
  has('python3', '-c', 'import ensurepip') ? '' : 'python3-venv',
].filter(Boolean);
const skip = missing.length > 0 && `apt-get install ${missing.join(' ')}`;

const PAGE = 'A page of some length. '.repeat(4000);
const chunks = [...Array(500).keys()].map((n) => `${'0123456789'.repeat((n % 40) + 1)}\n`);
const answers = {
  '/page': `HTTP/1.1 200 OK\r\nContent-Length: ${PAGE.length}\r\n\r\n${PAGE}`,
  '/chunked': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    .join('')}0\r\n\r\n`,
  '/interim': 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  '/cut': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello',
  '/smuggled': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
};

function sha256(text) {
  return createHash('sha256').update(text, 'latin1').digest('hex');
}

describe('the core under a host that blocks', { skip }, () => {
  before(async () => {
    mkdirSync(folder, { recursive: true });
    const sources = readdirSync(join(root, 'src')).filter((file) => file.endsWith('.c'));
    const exports = ['guest_text', 'guest_body', 'guest_body_length', 'guest_words', 'guest_words_length', 'guest_get'];
    await run('clang', [
      ...['--target=wasm32', '-std=c11', '-ffreestanding', '-nostdlib', '-O2', '-msimd128', '-mbulk-memory'],
      `-I${join(root, 'src', 'include')}`,
      ...sources.map((file) => join(root, 'src', file)),
      join(root, 'test', 'hosts', 'guest.c'),
      ...['-Wl,--no-entry', '-Wl,--allow-undefined', ...exports.map((name) => `-Wl,--export=${name}`), '-o', guest],
    ]);
    if (!existsSync(python)) await run('python3', ['-m', 'venv', venv]);
    if (!has(python, '-c', 'import wasmtime')) {
      await run(python, ['-m', 'pip', 'install', '-q', '-r', join(root, 'test', 'hosts', 'requirements.txt')]);
    }
  });

  /** Runs the guest. @returns what it printed for each URL */
  async function fetchAll(port, urls, { name = '127.0.0.1', ca } = {}) {
    const { stdout } = await run(python, [
      join(root, 'test', 'hosts', 'blocking_host.py'),
      ...(ca === undefined ? [] : ['--ca', ca]),
      ...[guest, name, String(port), ...urls],
    ]);
    return stdout.trim().split('\n').map((line) => JSON.parse(line));
  }

  test('imports the host ABI and nothing else', () => {
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(guest)));
    assert.ok(imports.length > 0);
    for (const { module, name } of imports) {
      assert.equal(module, 'porthole_host_v1');
      assert.match(name, /^porthole_host_(open|start_tls|send_head|send|recv|wait|close|info|now)$/);
    }
  });

  test('gets whole and chunked bodies, and finds broken ones out', async () => {
    const requests = [];
    const server = net.createServer((socket) => {
      socket.on('data', (data) => {
        requests.push(String(data));
        socket.end(answers[String(data).split(' ')[1]], 'latin1');
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    const all = await fetchAll(port, Object.keys(answers)).finally(() => server.close());
    const results = all.map(({ words: _, ...result }) => result);
    const chunked = chunks.join('');
    assert.deepEqual(results, [
      { url: '/page', result: 200, length: PAGE.length, sha256: sha256(PAGE), open: 0 },
      { url: '/chunked', result: 200, length: chunked.length, sha256: sha256(chunked), open: 0 },
      { url: '/interim', result: 404, length: 0, sha256: sha256(''), open: 0 },
      { url: '/cut', result: -104, length: 5, sha256: sha256('hello'), open: 0 },
      { url: '/smuggled', result: -118, length: 0, sha256: sha256(''), open: 0 },
    ]);
    assert.equal(requests[0], `GET /page HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept-Encoding: identity\r\n\r\n`);
  });

  test('says that a connection was refused', async () => {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    const [{ result, words }] = await fetchAll(port, ['/']);
    assert.equal(result, -400);
    assert.match(words, /refused/);
  });

  test('gets by TLS 1.3, whose tickets make a socket readable that has no bytes', { skip: noOpenssl }, async () => {
    const { ca, good, selfSigned } = certificates();
    const options = { cert: readFileSync(good.cert), key: readFileSync(good.key), minVersion: 'TLSv1.3' };
    const server = https.createServer(options, (_, response) => response.end(PAGE));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address();
      const results = await fetchAll(port, ['/', '/'], { name: 'localhost', ca });
      const page = { url: '/', result: 200, length: PAGE.length, sha256: sha256(PAGE), open: 0 };
      assert.deepEqual(results, [page, page]);
      const [{ result, words }] = await fetchAll(port, ['/'], { name: 'localhost', ca: selfSigned.cert });
      assert.equal(result, -406);
      assert.match(words, /certificate verify failed/);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
