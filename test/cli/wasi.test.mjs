// SPDX-License-Identifier: MIT
//
// The command as a component: what it needs of a runtime, and what it says where that is refused.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { execute, lacking } from '../wasi/guests.mjs';
import { importsOf, SOCKETS } from '../wasi/imports.mjs';
import { component, onWasmtime } from './commands.mjs';
import { startServer } from './server.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Can the runtime be told how much memory there is? */
const LIMITS = !process.env.PORTHOLE_WASMTIME;

describe('porthole-cli.wasm', { skip: await lacking() }, () => {
  let made;

  before(async () => (made = await component()));

  /** Runs it with options of the runner. */
  async function run(options, ...args) {
    const server = await startServer();
    try {
      const [program, rest] = onWasmtime(options, made, args.map((arg) => arg.replace('{port}', server.port)));
      return await execute(program, rest, { timeout: 120_000 }).then((ended) => ({ code: 0, ...ended }), (error) => error);
    } finally {
      await server.close();
    }
  }

  test('is small', () => {
    const { size } = statSync(made.path);
    assert.ok(size <= 80 * KIB, `${size} bytes`);
  });

  test('imports WASI 0.2 and no more of it than it uses', async () => {
    assert.deepEqual(await importsOf(made.path), [
      'wasi:cli/environment@0.2.12',
      'wasi:cli/exit@0.2.12',
      'wasi:cli/stderr@0.2.12',
      'wasi:cli/stdin@0.2.12',
      'wasi:cli/stdout@0.2.12',
      'wasi:cli/terminal-output@0.2.12',
      'wasi:cli/terminal-stdout@0.2.12',
      'wasi:clocks/wall-clock@0.2.12', // the type of what else is known of a file whose size is asked for
      'wasi:filesystem/preopens@0.2.12',
      'wasi:filesystem/types@0.2.12',
      ...SOCKETS,
    ].sort());
  });

  test('gets a page by a name and by an address', async () => {
    for (const [options, host] of [[[], 'localhost'], [['--no-names'], '127.0.0.1']]) {
      assert.equal((await run(options, '-sS', `http://${host}:{port}/hello`)).stdout, 'hello\n');
    }
  });

  test('names the flag that allows the network', async () => {
    const { code, stderr } = await run(['--no-network'], '-sS', 'http://127.0.0.1:{port}/hello');
    assert.equal(code, 7);
    assert.match(stderr, /^porthole: \(7\) connecting to 127\.0\.0\.1 port \d+: denied by the host's policy: .*-S inherit-network/);
  });

  test('names the flag that allows look-ups of names', async () => {
    const { code, stderr } = await run(['--no-names'], '-sS', 'http://localhost:{port}/hello');
    assert.equal(code, 6);
    assert.match(stderr, /^porthole: \(6\) connecting to localhost port \d+: .*-S allow-ip-name-lookup/);
  });

  test('names no flag where a name was looked up, and has no address', async () => {
    const { code, stderr } = await run([], '-sS', 'http://nowhere.invalid/');
    assert.equal(code, 6);
    assert.doesNotMatch(stderr, /-S/);
  });

  test('names the flag that opens a folder', async () => {
    const written = await run([], '-sS', '-o', 'out', 'http://127.0.0.1:{port}/hello');
    assert.equal(written.code, 23);
    assert.match(written.stderr, /^porthole: \(23\) can't write to out: .*--dir/);
    assert.match((await run([], '-sS', '-T', 'file', 'http://127.0.0.1:{port}/hello')).stderr, /^porthole: \(26\) can't open file: .*--dir/);
    assert.match((await run([], '-sS', '-d', '@file', 'http://127.0.0.1:{port}/hello')).stderr, /^porthole: \(26\) can't read file: .*--dir/);
  });

  test('writes to /dev/null without a folder', async () => {
    const { code, stdout, stderr } = await run([], '-sS', '-o', '/dev/null', '-w', '%{http_code} %{size_download}', 'http://127.0.0.1:{port}/hello');
    assert.deepEqual([code, stdout, stderr], [0, '200 6', '']);
    assert.match((await run([], '-sS', '-o', '/dev/nul', 'http://127.0.0.1:{port}/hello')).stderr, /--dir/);
  });

  test('finds a folder by its name, with and without ./ in front of it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'porthole-cli-'));
    try {
      for (const name of ['./sub', 'sub', '././sub/', './.']) {
        for (const place of ['sub', './sub', '././sub']) {
          const file = name === './.' ? './page' : `${place}/page`;
          const { code, stderr } = await run(['--dir', `${folder}::${name}`], '-sS', '-o', file, 'http://127.0.0.1:{port}/hello');
          assert.equal(code, 0, `${file} in ${name}: ${stderr}`);
          assert.equal(readFileSync(join(folder, 'page'), 'utf8'), 'hello\n');
          rmSync(join(folder, 'page'));
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('ends with 27 where there is no more memory, and takes no more than a body needs', { skip: !LIMITS && "only PyPI's sets limits" }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'porthole-cli-'));
    writeFileSync(join(folder, 'body'), Buffer.alloc(20 * MIB, 'x'));
    const send = (limit) =>
      run(['--memory', String(limit * MIB), '--dir', folder], '-sS', '--data-binary', '@body', 'http://127.0.0.1:{port}/hello');
    try {
      const { code, stderr } = await send(8);
      assert.equal(code, 27, stderr);
      assert.equal(stderr, 'porthole: (27) out of memory\n');
      assert.equal((await send(34)).code, 0); // the room for a body doubles, and is in one place
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('names the build that speaks TLS', async () => {
    const { stderr } = await run([], '-sS', 'https://127.0.0.1:{port}/hello');
    assert.equal(stderr, 'porthole: (35) https is spoken by porthole-cli-tls.wasm, not by this build\n');
  });
});
