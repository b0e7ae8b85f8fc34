// SPDX-License-Identifier: MIT
//
// What the package has for programs on WASI, as their authors get it: found by CMake's find_package and by pkg-config.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { tool } from '../../bindings/wasi/tools.mjs';
import { execute, LINK, lacking, root, runtimesOf, withServer, workshop } from './guests.mjs';

const skip = await lacking();
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const SOURCES = ['get.c', 'command02.c', 'command.h'];

/** What `npm pack` has to hold. */
const FILES = [
  'dist/wasi/include/porthole/client.h',
  'dist/wasi/include/porthole/errors.def',
  'dist/wasi/include/porthole/host.h',
  'dist/wasi/include/porthole/io.h',
  'dist/wasi/include/porthole/limits.def',
  'dist/wasi/include/porthole/porthole.h',
  'dist/wasi/include/porthole/status.def',
  'dist/wasi/include/porthole/wasi.h',
  'dist/wasi/lib/cmake/porthole/porthole-config.cmake',
  'dist/wasi/lib/libporthole-wasi.a',
  'dist/wasi/lib/libporthole.a',
  'dist/wasi/lib/pkgconfig/porthole-wasi.pc',
  'dist/wasi/lib/pkgconfig/porthole.pc',
  'dist/wasi/share/porthole/wit/world.wit',
];

describe('the package for WASI', { skip }, () => {
  let shop;
  let installed;

  before(async () => {
    shop = workshop();
    await execute('npm', ['run', '--silent', 'build:wasi'], { cwd: root });
    const packed = await execute('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', shop.folder], { cwd: root });
    const [{ filename }] = JSON.parse(packed.stdout);
    await execute('tar', ['-xzf', join(shop.folder, filename), '-C', shop.folder]);
    installed = join(shop.folder, 'package', 'dist', 'wasi');
  });
  after(() => shop?.remove());

  /** A folder of a user's own, with the program. */
  function place(name) {
    const path = join(shop.folder, name);
    mkdirSync(path);
    for (const file of SOURCES) copyFileSync(join(root, 'test', 'wasi', file), join(path, file));
    return path;
  }

  /** Makes a component of a program, by nothing but what the program has, and runs it. */
  async function assertGets(program) {
    const { componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
    const component = `${program}.component.wasm`;
    writeFileSync(component, await componentNew(readFileSync(program), []));
    for (const [runtime, start] of Object.entries(await runtimesOf(component))) {
      await withServer((socket) => socket.on('data', () => socket.write(hello)), async (port) => {
        const { code, stdout, stderr } = await start([`localhost:${port}`, '/', '2']);
        assert.deepEqual([code, stdout, stderr], [0, '200 hello\n200 hello\n', ''], runtime);
      });
    }
  }

  test('holds the libraries, the headers, what finds them, and the WIT', () => {
    for (const file of FILES) assert.ok(readFileSync(join(shop.folder, 'package', file)).length > 0, file);
  });

  test('a CMake project finds the library and its host', async () => {
    const path = place('cmake');
    writeFileSync(join(path, 'CMakeLists.txt'), [
      'cmake_minimum_required(VERSION 3.25)',
      'project(user C)',
      'find_package(porthole 0.1 REQUIRED)',
      'add_executable(get get.c command02.c)',
      'target_link_libraries(get porthole::wasi)',
      'target_link_options(get PRIVATE -nostdlib -Wl,--no-entry,--strip-debug)',
    ].join('\n'));
    await execute('cmake', [
      ...['-G', 'Ninja', '-B', 'build', '-DCMAKE_BUILD_TYPE=MinSizeRel', `-DCMAKE_PREFIX_PATH=${installed}`],
      ...['-DCMAKE_SYSTEM_NAME=Generic', '-DCMAKE_C_COMPILER=clang', '-DCMAKE_C_COMPILER_TARGET=wasm32'],
      ...['-DCMAKE_C_FLAGS=-ffreestanding -mbulk-memory', '-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY'],
    ], { cwd: path });
    await execute('cmake', ['--build', 'build'], { cwd: path });
    await assertGets(join(path, 'build', 'get'));
  });

  const noPkgConfig = spawnSync('pkg-config', ['--version']).status !== 0 && 'apt-get install pkg-config';
  test('pkg-config says how a compiler and a linker are called', { skip: noPkgConfig }, async () => {
    const path = place('pkg-config');
    const env = { ...process.env, PKG_CONFIG_PATH: join(installed, 'lib', 'pkgconfig') };
    const said = async (what) => (await execute('pkg-config', [what, 'porthole-wasi'], { env })).stdout.trim().split(/\s+/);
    const flags = ['--target=wasm32', '-std=c11', '-ffreestanding', '-mbulk-memory', ...(await said('--cflags'))];
    for (const name of ['get', 'command02']) await execute('clang', [...flags, '-c', `${name}.c`, '-o', `${name}.o`], { cwd: path });
    await execute('wasm-ld', [...LINK, 'get.o', 'command02.o', ...(await said('--libs')), '-o', 'get'], { cwd: path });
    await assertGets(join(path, 'get'));
  });
});
