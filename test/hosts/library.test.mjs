// SPDX-License-Identifier: MIT
//
// The library as programs in C get it: installed, by CMake's find_package and by pkg-config, as two files, as
// WebAssembly. Each builds the example of client.h and runs it against a server.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const example = join(root, 'demo', 'c', 'get.c');
const run = promisify(execFile);
const has = (command) => spawnSync(command, ['--version']).status === 0;
const missing = (...commands) => {
  const packages = { cc: 'gcc', 'c++': 'g++', ninja: 'ninja-build', 'wasm-ld': 'lld', 'llvm-ar': 'llvm' };
  const absent = commands.filter((command) => !has(command)).map((command) => packages[command] ?? command);
  return absent.length > 0 && `apt-get install ${absent.join(' ')}`;
};

const BODY = 'Good morning.\n'.repeat(1000);

describe('the library in C', { skip: missing('cc', 'cmake', 'ninja') }, () => {
  let folder;
  let installed;
  let built;
  let server;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'porthole-library-'));
    installed = join(folder, 'installed');
    built = join(folder, 'built');
    await run('cmake', ['--preset', 'native', '-B', built, '-DBUILD_TESTING=OFF', '-DCMAKE_INSTALL_LIBDIR=lib'], { cwd: root });
    await run('cmake', ['--build', built]);
    await run('cmake', ['--install', built, '--prefix', installed]);
    server = http.createServer((request, response) => {
      response.writeHead(request.url === '/page' ? 200 : 404);
      response.end(request.url === '/page' ? BODY : '');
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  after(() => {
    server?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  /** A folder of a user's own. */
  function place(name, files = {}) {
    const path = join(folder, name);
    mkdirSync(path);
    copyFileSync(example, join(path, 'get.c'));
    for (const file in files) writeFileSync(join(path, file), files[file]);
    return path;
  }

  /** Runs the example as it was built. */
  async function assertGets(program) {
    const { port } = server.address();
    const { stdout, stderr } = await run(program, [`127.0.0.1:${port}`, '/page']);
    assert.equal(stderr, '');
    assert.equal(stdout, `200 OK\n${BODY}`);
    assert.equal((await run(program, [`localhost:${port}`, '/'])).stdout, '404 Not Found\n');
    const failure = await run(program, ['[::1']).catch((error) => error);
    assert.equal(failure.code, 1);
    assert.match(failure.stderr, /^a host can't contain .*\n$/);
  }

  test('the example in the header is the program that is built', async () => {
    const header = readFileSync(join(root, 'src', 'include', 'porthole', 'client.h'), 'utf8');
    const shown = /^ \* {5}(#include <porthole\/client\.h>[\s\S]*?)^ \*\/$/m.exec(header)[1].replace(/^ \*(?: {5})?/gm, '');
    assert.equal(`/* SPDX-License-Identifier: MIT */\n${shown}`, readFileSync(example, 'utf8'));
    await assertGets(join(built, 'demo', 'c', 'get'));
  });

  test('a CMake project finds it and its host, in any order', async () => {
    for (const [index, libraries] of ['porthole::posix', 'porthole::porthole porthole::posix', 'porthole::posix porthole::porthole'].entries()) {
      const path = place(`cmake-${index}`, {
        'CMakeLists.txt': [
          'cmake_minimum_required(VERSION 3.25)',
          'project(user C)',
          'find_package(porthole 0.1 REQUIRED)',
          'add_executable(get get.c)',
          `target_link_libraries(get ${libraries})`,
        ].join('\n'),
      });
      await run('cmake', ['-G', 'Ninja', '-B', 'build', `-DCMAKE_PREFIX_PATH=${installed}`], { cwd: path });
      await run('cmake', ['--build', 'build'], { cwd: path });
      await assertGets(join(path, 'build', 'get'));
    }
  });

  test('pkg-config says how a compiler is called', { skip: missing('pkg-config') }, async () => {
    const path = place('pkg-config');
    const env = { ...process.env, PKG_CONFIG_PATH: join(installed, 'lib', 'pkgconfig') };
    for (const names of [['porthole-posix'], ['porthole', 'porthole-posix']]) {
      const { stdout } = await run('pkg-config', ['--cflags', '--libs', ...names], { env });
      await run('cc', ['-std=c11', 'get.c', '-o', 'get', ...stdout.trim().split(/\s+/)], { cwd: path });
      await assertGets(join(path, 'get'));
    }
  });

  test('two files are the whole library, for C and C++', { skip: missing('c++') }, async () => {
    const path = place('two-files', {
      'use.cpp': [
        '#include "porthole.h"',
        'static PORTHOLE_CLIENT_MEMORY(memory, 65536);',
        'struct session { int number; PORTHOLE_CLIENT_MEMORY(memory, 4096); };',
        'int main() {',
        '  static session one;',
        '  return porthole_client_init(memory, sizeof memory, "h", 80) == nullptr ||',
        '         porthole_client_init(one.memory, sizeof one.memory, "h", 80) == nullptr || porthole_text("abc").length != 3;',
        '}',
      ].join('\n'),
    });
    for (const file of ['porthole.c', 'porthole.h']) copyFileSync(join(built, 'src', 'amalgamation', file), join(path, file));
    const cwd = { cwd: path };
    const strict = ['-Wall', '-Wextra', '-Wpedantic', '-Werror'];
    await run('cc', ['-std=c11', ...strict, '-c', 'porthole.c'], cwd);
    await run('cc', ['-std=c11', '-c', join(root, 'bindings', 'posix', 'host.c'), `-I${join(root, 'src', 'include')}`], cwd);
    writeFileSync(join(path, 'get.c'), readFileSync(example, 'utf8').replace('<porthole/client.h>', '"porthole.h"'));
    await run('cc', ['-std=c11', 'get.c', 'porthole.o', 'host.o', '-o', 'get'], cwd);
    await assertGets(join(path, 'get'));
    await run('c++', ['-std=c++11', ...strict, 'use.cpp', 'porthole.o', 'host.o', '-o', 'use'], cwd);
    await run(join(path, 'use'), []);
  });

  for (const [preset, vectors] of [['wasi', true], ['wasi-plain', false]]) {
    const name = `as WebAssembly, ${vectors ? 'with' : 'without'} vectors, it needs nothing but a host`;
    test(name, { skip: missing('clang', 'llvm-ar', 'wasm-ld') }, async () => {
      const path = place(preset);
      const target = join(path, 'built');
      await run('cmake', ['--preset', preset, '-B', target], { cwd: root });
      await run('cmake', ['--build', target]);
      const guest = join(path, 'guest.wasm');
      await run('clang', [
        ...['--target=wasm32', '-std=c11', '-ffreestanding', '-nostdlib', '-O2', '-mbulk-memory'],
        `-I${join(root, 'src', 'include')}`,
        ...[join(root, 'test', 'hosts', 'client_guest.c'), join(target, 'src', 'libporthole.a')],
        ...['-Wl,--no-entry', '-Wl,--export=guest_get', '-o', guest],
      ]);
      const bytes = readFileSync(guest);
      const module = new WebAssembly.Module(bytes);
      assert.deepEqual([...new Set(WebAssembly.Module.imports(module).map((entry) => entry.module))], ['porthole_host_v1']);
      assert.equal(runGuest(module), 200);
      assert.ok(bytes.length < 40000, `${bytes.length} bytes`);
    });
  }
});

/** Runs the guest over a host that has one answer. @returns what its guest_get answered */
function runGuest(module) {
  const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
  let sent = '';
  let given = 0;
  const bytes = () => Buffer.from(instance.exports.memory.buffer);
  const instance = new WebAssembly.Instance(module, {
    porthole_host_v1: {
      porthole_host_open: () => 1,
      porthole_host_start_tls: () => -413,
      porthole_host_send_head(_handle, head, length) {
        sent += bytes().latin1Slice(head, head + length);
        return length;
      },
      porthole_host_send: (_handle, _data, length) => length,
      porthole_host_recv(_handle, buffer, capacity, timeout) {
        if (timeout === 0) return -1;
        const count = answer.copy(bytes(), buffer, given, Math.min(answer.length, given + Math.min(7, capacity)));
        given += count;
        return count;
      },
      porthole_host_wait: () => 1,
      porthole_host_close: () => {},
      porthole_host_info: () => 0,
      porthole_host_now: () => 0,
    },
  });
  const status = instance.exports.guest_get();
  assert.equal(sent, 'GET /page HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: identity\r\n\r\n');
  return status;
}
