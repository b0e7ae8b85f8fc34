// SPDX-License-Identifier: MIT
//
// The guests of demo/guests, built by the commands of its README, under the hosts of demo/hosts.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { root } from '../../bindings/setup.mjs';
import { withPorthole } from '../../demo/hosts/extism/adapter.mjs';
import { createHost } from '../../js/host.js';
import { HOSTS } from '../kit/hosts.mjs';
import { runGuest } from '../kit/run.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { GO_HOST } from '../support/go.mjs';
import { rustForGuests } from '../support/rust.mjs';

const run = promisify(execFile);
// Bash takes the pipe for a network, and would read ~/.bashrc, which may put another toolchain first: hence --norc.
const MOST = 24 * 1024;
const PAGE = 'A line of some length, and another one.\n'.repeat(5000);
const readme = readFileSync(join(root, 'demo', 'guests', 'README.md'), 'utf8');
const [library, inC, inRust, use] = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
const at = (...path) => join(root, 'build', ...path);
const GUESTS = { C: at('plugin.wasm'), Rust: at('rust', 'wasm32-unknown-unknown', 'release', 'plugin.wasm') };

const has = (command) => spawnSync(command, ['--version']).status === 0;
const commands = { clang: 'clang', 'wasm-ld': 'lld', 'llvm-ar': 'llvm', 'wasm-opt': 'binaryen', cmake: 'cmake', ninja: 'ninja-build' };
const missing = Object.keys(commands).filter((command) => !has(command)).map((command) => commands[command]);
const rust = rustForGuests();
if (rust === null) missing.push('cargo', 'libstd-rust-dev-wasm32');
const skip = noOpenssl || (missing.length > 0 && `apt-get install ${missing.join(' ')}`);

describe('guests', { skip }, () => {
  const servers = [];
  let port;
  let securePort;

  before(async () => {
    for (const block of [library, inC]) await run('bash', ['--norc', '-ec', block], { cwd: root });
    await run('bash', ['--norc', '-ec', inRust], { cwd: root, env: rust });
    const { good } = certificates();
    const answer = (request, response) => response.end(request.url === '/page' ? PAGE : `${request.method} ${request.url}\n`);
    const options = { cert: readFileSync(good.cert), key: readFileSync(good.key), minVersion: 'TLSv1.3' };
    servers.push(http.createServer(answer), https.createServer(options, answer));
    for (const server of servers) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    [port, securePort] = servers.map((server) => server.address().port);
  });

  after(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  for (const [language, guest] of Object.entries(GUESTS)) {
    test(`the one in ${language} imports the host ABI and nothing else`, () => {
      const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(guest)));
      assert.deepEqual([...new Set(imports.map(({ module }) => module))], ['porthole_host_v1']);
    });
  }

  test('the one in C has at most 24 KiB', () => {
    const { size } = statSync(GUESTS.C);
    assert.ok(size <= MOST, `${size} bytes`);
  });

  for (const [name, { command, missing: lacking }] of Object.entries(HOSTS)) {
    describe(`under ${name}`, { skip: lacking }, () => {
      const rules = { allow: ['127.0.0.1/32:*'] };
      for (const [language, guest] of Object.entries(GUESTS)) {
        test(`the one in ${language} streams what it may reach, in clear and over TLS`, async () => {
          const args = [`http://127.0.0.1:${port}/page`, `https://127.0.0.1:${securePort}/a?b#c`];
          const { stdout, stderr, status } = await runGuest(command, { guest, rules, args });
          assert.deepEqual([stderr, status], ['', 0], stdout.slice(-200));
          assert.equal(stdout, `200 OK\n${PAGE}200 OK\nGET /a?b\n`);
        });

        test(`the one in ${language} says what it may not reach`, async () => {
          const { stdout, status } = await runGuest(command, { guest, rules, args: ['https://127.0.0.2/'] });
          assert.match(stdout, /^https:\/\/127\.0\.0\.2\/: .*rule .*\b127\.0\.0\.2:443\b.*\n$/);
          assert.equal(status, 1);
        });
      }
    });
  }

  test('are run as the README says', { skip: HOSTS.wazero.missing }, async () => {
    const rules = at('plugins-rules.json');
    writeFileSync(rules, JSON.stringify({ allow: ['127.0.0.1/32:*'] }));
    assert.ok(use.startsWith('build/hosts/go-host ') && GO_HOST[0] === at('hosts', 'go-host'));
    const line = use.replace('rules.json', rules).replace('https://api.example.com/', `http://127.0.0.1:${port}/`);
    assert.equal((await run('bash', ['--norc', '-ec', line], { cwd: root })).stdout, '200 OK\nGET /\n');
  });
});

const npm = ['ci', '--prefix', join(root, 'test', 'hosts'), '--no-audit', '--no-fund', '--loglevel=error'];
const noExtism = spawnSync('npm', npm).status !== 0 && 'the packages of test/hosts can\'t be installed';

describe("Extism's JavaScript host", { skip: skip || noExtism }, () => {
  const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');

  /** A host without a network: it refuses other.example and has one answer for the rest. */
  function scripted() {
    const seen = { opened: [], sent: '', closed: 0 };
    const imports = (memory) => {
      const bytes = () => Buffer.from(memory().buffer);
      let given = 0;
      const calls = {
        open(host, length, port, flags) {
          const name = bytes().latin1Slice(host, host + length);
          seen.opened.push([name, port, flags]);
          return name === 'other.example' ? -404 : 1;
        },
        start_tls: () => 0,
        send_head(_handle, head, length) {
          seen.sent += bytes().latin1Slice(head, head + length);
          return length;
        },
        send: (_handle, _data, length) => length,
        recv(_handle, buffer, capacity, timeout) {
          if (timeout === 0) return -1;
          const count = answer.copy(bytes(), buffer, given, Math.min(answer.length, given + capacity));
          given += count;
          return count;
        },
        wait: () => 1,
        close: () => void seen.closed++,
        info: (_handle, _what, buffer) => bytes().write('no rule', buffer),
        now: () => 0,
      };
      return { porthole_host_v1: Object.fromEntries(Object.entries(calls).map(([name, call]) => [`porthole_host_${name}`, call])) };
    };
    return { imports, seen };
  }

  let createPlugin;

  before(async () => {
    for (const block of [library, inC]) await run('bash', ['--norc', '-ec', block], { cwd: root });
    const path = join(root, 'test', 'hosts', 'node_modules', '@extism', 'extism', 'dist', 'esm', 'mod.js');
    ({ default: createPlugin } = await import(pathToFileURL(path)));
  });

  test('gives a plugin connections by the adapter, and the plugin its output', async () => {
    const { imports, seen } = scripted();
    const plugin = await withPorthole(createPlugin, { wasm: [{ path: at('extism.wasm') }] }, { imports });
    try {
      assert.equal((await plugin.call('get', 'https://a.example/page#top')).text(), 'hello');
      assert.deepEqual(seen.opened, [['a.example', 443, 1]]);
      assert.equal(seen.sent, 'GET /page HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: identity\r\n\r\n');
    } finally {
      await plugin.close();
    }
  });

  test('tells a plugin what is denied', async () => {
    const { imports } = scripted();
    const plugin = await withPorthole(createPlugin, { wasm: [{ path: at('extism.wasm') }] }, { imports });
    try {
      await assert.rejects(plugin.call('get', 'http://other.example/'), /denied by the host's policy: no rule/);
      await assert.rejects(plugin.call('get', 'ftp://a.example/'), /no http:\/\/ or https:\/\/ URL/);
    } finally {
      await plugin.close();
    }
  });

  test('gets from a real server through porthole/host, as its rules say', async () => {
    const program = `
      const { parentPort } = require('node:worker_threads');
      const server = require('node:http').createServer((request, response) => response.end('You asked for ' + request.url));
      server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
    `;
    const server = new Worker(program, { eval: true }); // not in this thread, which the plugin blocks
    const [serverPort] = await once(server, 'message');
    const host = createHost({ allow: ['127.0.0.1:*'] });
    const plugin = await withPorthole(createPlugin, { wasm: [{ path: at('extism.wasm') }] }, host);
    try {
      assert.equal((await plugin.call('get', `http://127.0.0.1:${serverPort}/a`)).text(), 'You asked for /a');
      await assert.rejects(plugin.call('get', `http://127.0.0.2:${serverPort}/`), /denied by the host's policy: .*127\.0\.0\.2/);
    } finally {
      await plugin.close();
      await host.close();
      await server.terminate();
    }
  });

  test('is refused where it would run the plugin in a thread that has no memory to show', async () => {
    await assert.rejects(withPorthole(createPlugin, { wasm: [] }, scripted(), { runInWorker: true }), TypeError);
  });

  test('is adapted by at most 50 lines', () => {
    const lines = readFileSync(join(root, 'demo', 'hosts', 'extism', 'adapter.mjs'), 'utf8').split('\n').length;
    assert.ok(lines <= 50, `${lines} lines`);
  });
});
