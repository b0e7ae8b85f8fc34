// SPDX-License-Identifier: MIT
//
// The package as its users get it: packed, installed into an empty project, imported, required, compiled against.
// What `npm run build` makes has to be there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startServer } from './docs-server.mjs';

const execute = promisify(execFile);
const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

const KIB = 1024;

describe('the package', () => {
  let folder;
  let project;
  let installed;
  let files;
  let server;

  before(async () => {
    server = await startServer();
    folder = mkdtempSync(join(tmpdir(), 'porthole-package-'));
    project = join(folder, 'project');
    mkdirSync(project);
    installed = join(project, 'node_modules', 'porthole');
    // Scripts are left out: the build has been done, and would be done again.
    const packed = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root);
    const [manifest] = JSON.parse(packed.stdout);
    files = manifest.files;
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }));
    await npm(['install', '--offline', '--no-audit', '--no-fund', join(folder, manifest.filename)], project);
  });

  after(async () => {
    await server?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  function npm(args, cwd) {
    return execute('npm', args, { cwd, shell: process.platform === 'win32', timeout: 200_000 });
  }

  /** Runs a program in the project, with no tool on its path. */
  async function run(program) {
    copyFileSync(join(here, 'programs', program), join(project, program));
    const { stdout, stderr } = await execute(process.execPath, [program, String(server.port)], {
      cwd: project,
      env: { PATH: '', NODE_NO_WARNINGS: '1' },
      timeout: 60_000,
    });
    assert.equal(stderr, '');
    return JSON.parse(stdout);
  }

  test('holds what is needed, and no tests and no products of the C build', () => {
    const paths = files.map(({ path }) => path);
    for (const path of [
      'package.json',
      'README.md',
      'LICENSE',
      'bindings/generated/porthole.wasm',
      'js/index.js',
      'js/index.d.ts',
      'js/README.md',
    ]) {
      assert.ok(paths.includes(path), path);
    }
    const ofWasi = (path) => /^dist\/(?:command|wasi)\/.*\.(a|cmake|def|h|pc|wasm|wit)$/.test(path); // what `npm run build:wasi` makes
    const unwanted = paths.filter((path) => !ofWasi(path) &&
      /^(test|build|demo|node_modules|\.)|\.(o|a|so|obj|map|log|tgz|py)$|\.test\.|CMakeCache/.test(path),
    );
    assert.deepEqual(unwanted, []);
    assert.deepEqual(
      paths.filter((path) => path.endsWith('.wasm') && !ofWasi(path)),
      ['bindings/generated/porthole.wasm'],
    );
  });

  test('has a porthole.wasm of at most 40 KiB, the same as the one that is loaded', async () => {
    const wasm = readFileSync(join(installed, 'bindings', 'generated', 'porthole.wasm'));
    assert.ok(wasm.length <= 40 * KIB, `${wasm.length} bytes`);
    assert.ok(WebAssembly.validate(wasm));
    const { wasmBytes } = await import(join(installed, 'bindings', 'generated', 'core-wasm.js'));
    assert.deepEqual(Buffer.from(wasmBytes()), wasm);
    const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    for (const target of Object.values(exports).flatMap((to) => (typeof to === 'string' ? [to] : Object.values(to)))) {
      assert.ok(statSync(join(installed, target)).isFile(), target);
    }
  });

  test('depends on nothing and runs nothing when it is installed', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    for (const kind of [
      'dependencies',
      'optionalDependencies',
      'peerDependencies',
      'bundleDependencies',
      'bundledDependencies',
    ]) {
      assert.deepEqual(Object.keys(manifest[kind] ?? {}), [], kind);
    }
    for (const script of ['preinstall', 'install', 'postinstall']) assert.equal(manifest.scripts?.[script], undefined);
    assert.deepEqual(
      readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')),
      ['porthole'],
    );
    assert.equal(manifest.license, 'MIT');
    assert.equal(manifest.type, 'module');
    assert.equal(manifest.sideEffects, false);
    assert.match(manifest.engines.node, /20\.19/);
  });

  test('imports nothing but its own files and modules of Node, and of jco what runs on it', () => {
    for (const { path } of files.filter(({ path }) => path.endsWith('.js'))) {
      const source = readFileSync(join(installed, path), 'utf8');
      for (const [, from] of source.matchAll(/^(?:import|export)\b[^;]*?\bfrom '([^']+)';$/gm)) {
        if (path === 'bindings/wasi/jco/tls.js' && from === '@bytecodealliance/preview2-shim/io-worker') continue;
        assert.match(from, /^(node:|\.\.?\/)/, path);
        if (from.startsWith('.'))
          assert.ok(statSync(join(installed, dirname(path), from)).isFile(), `${path}: ${from}`);
      }
    }
  });

  test('can be imported, and makes a request with no tool at hand', async () => {
    const { status, body } = await run('request.mjs');
    assert.equal(status, 200);
    assert.equal(body, 'posted');
  });

  test('can be required', async () => {
    assert.deepEqual(await run('require.cjs'), { status: 200, ok: true, body: 'posted' });
  });

  test('compiles nothing and opens nothing when it is imported, and compiles once for all connections', async () => {
    assert.deepEqual(await run('lazy.mjs'), { opened: [], afterImport: 0, afterConnections: 1 });
  });

  test('is found flawless by publint', async () => {
    const { publint } = await import('publint');
    const { formatMessage } = await import('publint/utils');
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg, { color: false })),
      [],
    );
  });

  describe('compiles with strict TypeScript', { concurrency: 2 }, () => {
    const manifest = require.resolve('typescript/package.json');
    const tsc = join(dirname(manifest), require(manifest).bin.tsc);

    async function compile(name, program, compilerOptions, source) {
      const at = join(project, name);
      mkdirSync(at);
      if (source === undefined) copyFileSync(join(here, 'types', program), join(at, program));
      else writeFileSync(join(at, program), source);
      const config = {
        compilerOptions: {
          target: 'es2022',
          lib: ['es2022', 'dom', 'dom.iterable'],
          strict: true,
          noEmit: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noImplicitOverride: true,
          noUnusedLocals: true,
          skipLibCheck: false,
          types: ['node'],
          typeRoots: [join(root, 'node_modules', '@types')],
          ...compilerOptions,
        },
        files: [program],
      };
      writeFileSync(join(at, 'tsconfig.json'), JSON.stringify(config));
      try {
        await execute(process.execPath, [tsc, '-p', at], { timeout: 240_000 });
      } catch (error) {
        assert.fail(error.stdout || error.message);
      }
    }

    test('under moduleResolution node16', () =>
      compile('node16', 'usage.ts', { module: 'node16', moduleResolution: 'node16' }));

    test('under moduleResolution nodenext', () =>
      compile('nodenext', 'usage.ts', { module: 'nodenext', moduleResolution: 'nodenext' }));

    test('under moduleResolution bundler', () =>
      compile('bundler', 'usage.ts', { module: 'esnext', moduleResolution: 'bundler' }));

    test('from CommonJS', () => compile('commonjs', 'usage.cts', { module: 'nodenext', moduleResolution: 'nodenext' }));

    test('with declarations of exactly what is exported, and of exactly the members that there are', async () => {
      const { exports, members } = await run('request.mjs');
      const union = (names) => names.map((name) => JSON.stringify(name)).join(' | ');
      const same = (name, declared, names) =>
        `export const ${name}: [Differences<${declared}, ${union(names)}>] extends [never] ? true : Differences<${declared}, ${union(names)}> = true;`;
      const lines = [
        "import * as porthole from 'porthole';",
        'type Differences<A, B> = Exclude<A, B> | Exclude<B, A>;',
        same('ofPackage', 'keyof typeof porthole', exports),
        ...Object.entries(members).map(([name, own]) =>
          same(`of${name}`, `Exclude<keyof porthole.${name}, symbol>`, own),
        ),
      ];
      await compile('names', 'names.ts', { module: 'nodenext', moduleResolution: 'nodenext' }, lines.join('\n'));
    });
  });
});
