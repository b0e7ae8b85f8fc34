// SPDX-License-Identifier: MIT
//
// The library for guests of WASI: the commands of bindings/wasi/README.md make a component, which gets pages; and programs
// that bring what the library has too.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { alone } from '../../bindings/alone.mjs';
import { tool } from '../../bindings/wasi/tools.mjs';
import { buildLibrary, COMPILE, execute, LINK, lacking, makeComponent, makeGuest, root, RUNTIMES, runtimesOf, withServer, workshop } from './guests.mjs';
import { importsOf, SOCKETS } from './imports.mjs';

const skip = await lacking();
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const LIBC = ['-isystem', '/usr/include/wasm32-wasi'];
const answer = (socket) => socket.on('data', () => socket.write(hello));

describe('the library for WASI', { skip }, () => {
  let shop;
  let component;
  let runtimes;

  before(async () => {
    const readme = readFileSync(join(root, 'bindings', 'wasi', 'README.md'), 'utf8');
    shop = workshop();
    component = join(shop.folder, 'readme.wasm');
    await alone('wasi', async () => {
      await execute('bash', ['-ec', /^## From the checkout$[\s\S]*?^```sh\n([\s\S]*?)^```$/m.exec(readme)[1]], { cwd: root });
      copyFileSync(join(root, 'build', 'wasi', 'get.wasm'), component);
    });
    runtimes = { ...(await makeGuest(shop.folder, 'get')), ...(await runtimesOf(component)) };
  });
  after(() => shop?.remove());

  test('the component needs WASI 0.2 and no adapter, and is small', async () => {
    assert.deepEqual(await importsOf(component), [
      'wasi:cli/environment@0.2.12',
      'wasi:cli/stderr@0.2.12',
      'wasi:cli/stdout@0.2.12',
      ...SOCKETS,
    ]);
    assert.ok(statSync(component).size < 80 * 1024, `${statSync(component).size} bytes`);
  });

  test('a component for WASI 0.3 needs that and nothing else, and is small', async () => {
    const made = await makeComponent(shop.folder, 'get-03', ['get.c', 'command03.c'], undefined, '0.3');
    assert.deepEqual(await importsOf(made), [
      'wasi:cli/environment@0.3.0',
      'wasi:cli/stderr@0.3.0',
      'wasi:cli/stdout@0.3.0',
      'wasi:cli/types@0.3.0',
      'wasi:clocks/monotonic-clock@0.3.0',
      'wasi:clocks/types@0.3.0',
      'wasi:sockets/ip-name-lookup@0.3.0',
      'wasi:sockets/types@0.3.0',
    ]);
    assert.ok(statSync(made).size < 80 * 1024, `${statSync(made).size} bytes`);
  });

  for (const runtime of RUNTIMES) {
    for (const [what, host, listens] of [['an IPv4 address', '127.0.0.1', '127.0.0.1'], ['an IPv6 address', '[::1]', '::1'], ['a name', 'localhost', '::']]) {
      test(`under ${runtime} it gets from ${what}, again and again on one connection`, async () => {
        let connected = 0;
        await withServer((socket) => {
          connected++;
          answer(socket);
        }, async (port) => {
          const { code, stdout, stderr } = await runtimes[runtime]([`${host}:${port}`, '/', '20', '5000']);
          assert.deepEqual([code, stdout, stderr], [0, '200 hello\n'.repeat(20), '']);
        }, listens);
        assert.equal(connected, 1);
      });
    }

    test(`under ${runtime} it says what went wrong`, () =>
      withServer(() => {}, async (port) => {
        const { code, stderr } = await runtimes[runtime]([`127.0.0.1:${port}`, '/', '1', '200']);
        assert.equal(code, 1);
        assert.match(stderr, /^timed out/);
      }));
  }

  /** Links foreign.c with the libc of the distribution. */
  async function foreign(name, definitions, order, version = '0.2') {
    const { include } = await buildLibrary(version);
    const object = join(shop.folder, `${name}.o`);
    const flags = COMPILE.filter((flag) => flag !== '-ffreestanding');
    await execute('clang', [...flags, '--target=wasm32-wasi', ...definitions, ...LIBC, ...include, '-c', join(root, 'test', 'wasi', 'foreign.c'), '-o', object]);
    const linked = (objects, libraries) => [...order(object, objects, libraries), '-L/usr/lib/wasm32-wasi', '-lc'];
    return makeComponent(shop.folder, name, [`command${version.replace('.', '')}.c`], linked, version);
  }

  for (const [kind, definitions] of [['weak', []], ['strong', ['-DSTRONG']]]) {
    for (const [where, order] of [
      ['before', (object, objects, libraries) => [object, ...objects, ...libraries]],
      ['behind', (object, objects, libraries) => [...objects, ...libraries, object]],
      ['between, the host before the core,', (object, objects, [core, host]) => [...objects, host, object, core]],
    ]) {
      test(`a ${kind} cabi_realloc of the program's, linked ${where} the library, and its libc share the memory`, async () => {
        const made = await foreign(`${kind}-${where.replace(/\W.*/, '')}`, definitions, order);
        const under = await runtimesOf(made);
        for (const runtime of Object.keys(under)) {
          await withServer(answer, async (port) => {
            const { code, stdout, stderr } = await under[runtime]([`localhost:${port}`, '50']);
            assert.deepEqual([code, stdout, stderr], [0, 'whole', ''], runtime);
          });
        }
      });
    }
  }

  for (const [kind, definitions] of [['a weak cabi_realloc', []], ['no cabi_realloc', ['-DOWN']]]) {
    test(`a program for WASI 0.3 with ${kind} of its own and its libc share the memory`, async () => {
      const order = (object, objects, libraries) => [object, ...objects, ...libraries];
      const made = await foreign(`foreign-03-${definitions.length}`, definitions, order, '0.3');
      for (const [runtime, start] of Object.entries(await runtimesOf(made, '0.3'))) {
        await withServer(answer, async (port) => {
          const { code, stdout, stderr } = await start([`localhost:${port}`, '50']);
          assert.deepEqual([code, stdout, stderr], [0, 'whole', ''], runtime);
        });
      }
      assert.match((await importsOf(made)).join(), /wasi:sockets\/types@0\.3\.0/);
    });
  }

  test('a program without a cabi_realloc of its own, but with a libc, shares its memory with it', async () => {
    const made = await foreign('own', ['-DOWN'], (object, objects, libraries) => [object, ...objects, ...libraries]);
    const under = await runtimesOf(made);
    await withServer(answer, async (port) => {
      const { stdout } = await under[RUNTIMES[0]]([`localhost:${port}`, '50']);
      assert.equal(stdout, 'whole');
    });
  });

  test('what a program exports beside is described by a world of its own', async () => {
    const { componentEmbed, componentNew, componentWit } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
    const { include, libraries } = await buildLibrary();
    const object = join(shop.folder, 'library.o');
    const program = join(shop.folder, 'library.core.wasm');
    await execute('clang', [...COMPILE, ...include, '-c', join(root, 'test', 'wasi', 'library.c'), '-o', object]);
    await execute('wasm-ld', [...LINK, object, ...libraries, '-o', program]);
    const binary = await componentEmbed({
      binary: readFileSync(program),
      world: 'fetcher',
      witSource: 'package user:fetcher; world fetcher { export status: func(port: u32) -> s32; }',
    });
    const wit = await componentWit(await componentNew(binary, []));
    assert.match(wit, /export status: func\(port: u32\) -> s32;/);
    assert.match(wit, /import wasi:sockets\/tcp@0\.2\.12;/);
    assert.doesNotMatch(wit, /wasi:cli/);
  });
});
