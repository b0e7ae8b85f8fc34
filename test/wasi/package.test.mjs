// SPDX-License-Identifier: MIT
//
// What the package has for programs on WASI, as their authors get it: found by CMake's find_package, in the commands of
// bindings/wasi/README.md, and by pkg-config.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { tool, toolsFolder } from '../../bindings/wasi/tools.mjs';
import { execute, LINK, lacking, root, runtimesOf, withServer, workshop } from './guests.mjs';

const skip = await lacking();
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const SOURCES = ['get.c', 'command02.c', 'command03.c', 'command.h'];

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
  'dist/wasi/lib/libporthole-wasi-tls.a',
  'dist/wasi/lib/libporthole-wasi.a',
  'dist/wasi/lib/libporthole-wasi03.a',
  'dist/wasi/lib/libporthole.a',
  'dist/wasi/lib/pkgconfig/porthole-wasi.pc',
  'dist/wasi/lib/pkgconfig/porthole-wasi03.pc',
  'dist/wasi/lib/pkgconfig/porthole.pc',
  'dist/wasi/porthole-cli-tls.wasm',
  'dist/wasi/porthole-cli.wasm',
  'dist/wasi/porthole-client-tls.wasm',
  'dist/wasi/porthole-client.wasm',
  'dist/wasi/share/porthole/wit/world.wit',
  'dist/wasi/share/porthole/wit/world03.wit',
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

  test('the program of the README is built by the commands of the README, and runs', async () => {
    const readme = readFileSync(join(root, 'bindings', 'wasi', 'README.md'), 'utf8');
    const [section] = /^## A program of your own$[\s\S]*?(?=^## )/m.exec(readme);
    const [build, start] = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, commands]) => commands);
    const path = join(shop.folder, 'own');
    mkdirSync(join(path, 'node_modules'), { recursive: true });
    symlinkSync(join(shop.folder, 'package'), join(path, 'node_modules', 'porthole'));
    symlinkSync(join(toolsFolder, 'node_modules', '@bytecodealliance'), join(path, 'node_modules', '@bytecodealliance'));
    let asked = 0;
    const serve = (socket) => socket.on('data', () => socket.write(asked++ % 2 === 0 ? hello : hello.replace('200', '404')));
    await withServer(serve, async (port) => {
      for (const [, name, text] of section.matchAll(/^```(?:c|cmake|js)\n(?:\/\/|#) (\S+)\n([\s\S]*?)^```$/gm)) {
        writeFileSync(join(path, name), text.replace(':8000', `:${port}`));
      }
      await execute('bash', ['-ec', build], { cwd: path });
      for (const [runtime, run] of Object.entries(await runtimesOf(join(path, 'check.wasm')))) {
        assert.deepEqual([(await run([])).code, (await run([])).code], [0, 1], runtime);
      }
      if (process.env.PORTHOLE_WASMTIME === undefined) return;
      const PATH = `${dirname(process.env.PORTHOLE_WASMTIME)}:${process.env.PATH}`;
      await execute('bash', ['-ec', start], { cwd: path, env: { ...process.env, PATH } });
    });
  });

  test('the command is run by jco and by PyPI\'s wasmtime as the README says', { skip: process.env.PORTHOLE_WASMTIME && 'this is about the others' }, async () => {
    const readme = readFileSync(join(root, 'bindings', 'wasi', 'README.md'), 'utf8');
    const [section] = /^## The command$[\s\S]*?(?=^## )/m.exec(readme);
    const path = join(shop.folder, 'command');
    mkdirSync(join(path, 'node_modules'), { recursive: true });
    writeFileSync(join(path, 'package.json'), '{"type":"module"}');
    symlinkSync(join(shop.folder, 'package'), join(path, 'node_modules', 'porthole'));
    symlinkSync(join(toolsFolder, 'node_modules', '@bytecodealliance'), join(path, 'node_modules', '@bytecodealliance'));
    for (const [, name, text] of section.matchAll(/^```(?:js|python)\n(?:\/\/|#) (\S+)\n([\s\S]*?)^```$/gm)) writeFileSync(join(path, name), text);
    const env = { ...process.env, PATH: `${join(root, '.cache', 'venv-wasi', 'bin')}:${process.env.PATH}` };
    await withServer((socket) => socket.on('data', () => socket.write(hello)), async (port) => {
      const calls = [...section.matchAll(/`((?:node|python3) command\.\w+ [^`]*)`/g)].map(([, call]) => call.replace(':8000', `:${port}`));
      assert.equal(calls.length, 2);
      for (const call of calls) {
        await execute('bash', ['-ec', call], { cwd: path, env });
        assert.equal(readFileSync(join(path, 'page'), 'utf8'), 'hello', call);
        rmSync(join(path, 'page'));
        const refused = await execute('bash', ['-ec', call.replace(`:${port}`, ':1')], { cwd: path, env }).catch((error) => error);
        assert.equal(refused.code, 7, call);
      }
    });
  });

  test('the plugin of the guide is built by the commands of the guide, and reaches what its host allows', async () => {
    const page = readFileSync(join(root, 'js', 'guide', 'plugins.md'), 'utf8');
    const path = join(shop.folder, 'plugin');
    mkdirSync(join(path, 'node_modules'), { recursive: true });
    symlinkSync(join(shop.folder, 'package'), join(path, 'node_modules', 'porthole'));
    await withServer((socket) => socket.on('data', () => socket.write(hello)), async (port) => {
      for (const [, name, text] of page.matchAll(/^```(?:c|mjs)\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)) {
        writeFileSync(join(path, name), text.replaceAll(':8000', `:${port}`));
      }
      const [, commands] = /^```sh\n([\s\S]*?)^```$/m.exec(page);
      const { stdout } = await execute('bash', ['--norc', '-ec', commands], { cwd: path });
      const [, refusal] = /`(error -404: [^`]*)`/.exec(page);
      assert.equal(stdout, `hello\n${refusal}\n`);
    });
  });

  const noPkgConfig = spawnSync('pkg-config', ['--version']).status !== 0 && 'apt-get install pkg-config';
  /** Builds the program by what pkg-config says of a library. @returns {Promise<string>} its path */
  async function buildBy(library, command) {
    const path = place(library);
    const env = { ...process.env, PKG_CONFIG_PATH: join(installed, 'lib', 'pkgconfig') };
    const said = async (what) => (await execute('pkg-config', [what, library], { env })).stdout.trim().split(/\s+/);
    const flags = ['--target=wasm32', '-std=c11', '-ffreestanding', '-mbulk-memory', ...(await said('--cflags'))];
    for (const name of ['get', command]) await execute('clang', [...flags, '-c', `${name}.c`, '-o', `${name}.o`], { cwd: path });
    await execute('wasm-ld', [...LINK, 'get.o', `${command}.o`, ...(await said('--libs')), '-o', 'get'], { cwd: path });
    return join(path, 'get');
  }

  test('pkg-config says how a compiler and a linker are called', { skip: noPkgConfig }, async () => {
    await assertGets(await buildBy('porthole-wasi', 'command02'));
  });

  test('pkg-config says so for WASI 0.3 as well', { skip: noPkgConfig }, async () => {
    const { componentNew, componentWit } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
    const component = await componentNew(readFileSync(await buildBy('porthole-wasi03', 'command03')), []);
    const wit = await componentWit(component);
    assert.match(wit, /import wasi:sockets\/types@0\.3\.0;/);
    assert.match(wit, /export wasi:cli\/run@0\.3\.0;/);
    assert.doesNotMatch(wit, /@0\.2/);
  });
});
