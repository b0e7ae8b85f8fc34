// SPDX-License-Identifier: MIT
//
// The host for WASI 0.2: the commands of bindings/wasi/README.md make a component, which gets pages under PyPI's wasmtime and
// under jco on Node.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const component = join(root, 'build', 'wasi', 'get.wasm');
const venv = join(root, '.cache', 'venv-wasi');
const python = join(venv, 'bin', 'python');
const run = promisify(execFile);
const limits = { cwd: root, timeout: 100000 };

const has = (command, ...args) => spawnSync(command, args, { timeout: 60000 }).status === 0;
const commands = { clang: 'clang', 'wasm-ld': 'lld', 'llvm-ar': 'llvm', cmake: 'cmake', ninja: 'ninja-build' };
const missing = Object.keys(commands).filter((command) => !has(command, '--version')).map((command) => commands[command]);
if (!has('python3', '-c', 'import ensurepip')) missing.push('python3-venv');

/** Installs what isn't Debian's. @returns {string | false} what can't be had */
function lacking() {
  if (missing.length > 0) return `apt-get install ${missing.join(' ')}`;
  const npm = ['ci', '--prefix', join(root, 'test', 'wasi'), '--no-audit', '--no-fund', '--loglevel=error'];
  if (!has('npm', ...npm)) return 'the packages of test/wasi/package-lock.json can\'t be installed';
  if (!existsSync(python) && !has('python3', '-m', 'venv', venv)) return 'no Python environment can be made';
  const pip = ['-m', 'pip', 'install', '-q', '-r', join(root, 'test', 'wasi', 'requirements.txt')];
  return !has(python, '-c', 'import wasmtime') && !has(python, ...pip) && 'wasmtime for Python can\'t be installed';
}

const skip = lacking();

const HOSTILE = ['status-reason-many-words', 'status-099', 'status-hex', 'status-ftp-http-mid', 'status-reason-trailing-ws'];
const cases = JSON.parse(readFileSync(join(root, 'test', 'data', 'hostile.json'), 'utf8'));
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

describe('the host for WASI 0.2', { skip }, () => {
  let folder;
  let server;
  let port;
  let connected = 0;
  const sockets = new Set();

  /** Answers each path: what hostile.json has under that name, nothing, or hello. */
  function answer(socket, data) {
    const [, path] = /^GET \/(\S*) /.exec(data);
    const found = cases.find(({ id }) => id === path);
    if (found !== undefined) socket.end(found.bytes, 'latin1');
    else if (path !== 'silent') socket.write(hello);
  }

  before(async () => {
    const readme = readFileSync(join(root, 'bindings', 'wasi', 'README.md'), 'utf8');
    await run('bash', ['-ec', /^```sh\n([\s\S]*?)^```$/m.exec(readme)[1]], limits);
    folder = mkdtempSync(join(tmpdir(), 'porthole-wasi-'));
    const tools = join(root, 'test', 'wasi', 'node_modules');
    const { transpile } = await import(
      pathToFileURL(join(tools, '@bytecodealliance', 'jco-transpile', 'dist', 'index.js'))
    );
    const { files } = await transpile(component, { name: 'get', outDir: folder });
    for (const file in files) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, files[file]);
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    symlinkSync(tools, join(folder, 'node_modules'));
    server = net.createServer((socket) => {
      connected++;
      sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
      socket.on('data', (data) => answer(socket, String(data)));
    });
    await new Promise((resolve) => server.listen(0, '::', resolve));
    port = server.address().port;
  });

  after(() => {
    for (const socket of sockets) socket.destroy();
    server?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  test('the component needs WASI 0.2 and no adapter, and is small', async () => {
    const { componentWit } = await import(
      createRequire(join(root, 'test', 'wasi', 'package.json')).resolve('@bytecodealliance/jco-transpile/wasm-tools')
    );
    const imports = [...(await componentWit(readFileSync(component))).matchAll(/^ {2}import (\S+);/gm)].map(([, name]) => name);
    assert.deepEqual(imports.sort(), [
      'wasi:cli/environment@0.2.12',
      'wasi:cli/stderr@0.2.12',
      'wasi:cli/stdout@0.2.12',
      'wasi:clocks/monotonic-clock@0.2.12',
      'wasi:io/error@0.2.12',
      'wasi:io/poll@0.2.12',
      'wasi:io/streams@0.2.12',
      'wasi:sockets/instance-network@0.2.12',
      'wasi:sockets/ip-name-lookup@0.2.12',
      'wasi:sockets/network@0.2.12',
      'wasi:sockets/tcp-create-socket@0.2.12',
      'wasi:sockets/tcp@0.2.12',
    ]);
    assert.ok(statSync(component).size < 80 * 1024, `${statSync(component).size} bytes`);
  });

  const runtimes = {
    wasmtime: (args) => run(python, [join(root, 'test', 'wasi', 'run_wasmtime.py'), component, ...args], { timeout: 20000 }),
    jco: (args) => run(process.execPath, [join(root, 'test', 'wasi', 'run_jco.mjs'), folder, ...args], { timeout: 20000 }),
  };
  for (const [name, start] of Object.entries(runtimes)) {
    const get = (...args) => start(args).then((ended) => ({ code: 0, ...ended }), (error) => error);

    for (const [what, host] of [['an IPv4 address', '127.0.0.1'], ['an IPv6 address', '[::1]'], ['a name', 'localhost']]) {
      test(`under ${name} it gets from ${what}`, async () => {
        const { code, stdout, stderr } = await get(`${host}:${port}`, '/');
        assert.deepEqual([code, stdout, stderr], [0, '200 hello\n', '']);
      });
    }

    test(`under ${name} it gets twenty times on one connection`, async () => {
      const before = connected;
      const { stdout, stderr } = await get(`127.0.0.1:${port}`, '/', '20', '5000');
      assert.deepEqual([stdout, stderr], ['200 hello\n'.repeat(20), '']);
      assert.equal(connected, before + 1);
    });

    test(`under ${name} a port that nobody listens at refuses`, async () => {
      const closed = net.createServer();
      await new Promise((resolve) => closed.listen(0, '127.0.0.1', resolve));
      const nobody = closed.address().port;
      await new Promise((resolve) => closed.close(resolve));
      const { code, stderr } = await get(`127.0.0.1:${nobody}`, '/');
      assert.equal(code, 1);
      assert.match(stderr, /^connection refused: finish-connect: connection-refused$/);
    });

    test(`under ${name} a server that says nothing is given up in time`, async () => {
      const { code, stderr } = await get(`127.0.0.1:${port}`, '/silent', '1', '200');
      assert.equal(code, 1);
      assert.match(stderr, /^timed out/);
    });

    for (const id of HOSTILE) {
      test(`under ${name} the response ${id} is taken as everywhere`, async () => {
        const { expect } = cases.find((entry) => entry.id === id);
        const { code, stdout } = await get(`127.0.0.1:${port}`, `/${id}`);
        const wanted = expect.error === null ? [0, `${expect.status} ${expect.body}\n`] : [1, ''];
        assert.deepEqual([code, stdout], wanted);
      });
    }
  }

  test('under wasmtime an address needs no permission to look names up, and a name does', async () => {
    const script = join(root, 'test', 'wasi', 'run_wasmtime.py');
    const { stdout } = await run(python, [script, '--no-names', component, `127.0.0.1:${port}`, '/'], { timeout: 20000 });
    assert.equal(stdout, '200 hello\n');
    const refused = await run(python, [script, '--no-names', component, `localhost:${port}`, '/']).catch((error) => error);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /resolve/);
  });
});
