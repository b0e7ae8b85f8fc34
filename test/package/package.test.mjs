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
import { dirname, join, posix } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { alone } from '../../bindings/alone.mjs';
import { makeModule } from '../../bindings/cli/module.mjs';
import { has } from '../../bindings/setup.mjs';
import * as sources from '../../js/index.js';
import { guestOf, noClang } from '../plugins/guests.mjs';
import { certificates } from '../support/certificates.mjs';
import { startServer } from './docs-server.mjs';

const execute = promisify(execFile);
const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

const KIB = 1024;

/** The command's module is made by these, and isn't in the package without them. */
const noModule = ['clang', 'wasm-ld', 'llvm-ar', 'cmake', 'ninja'].every(has) ? false : 'apt-get install clang lld llvm cmake ninja-build';

/** What a file imports or requires, at once and later. */
const importsOf = (source) =>
  [...source.matchAll(/^(?:import|export)\b[^;'"]*?\bfrom ['"]([^'"]+)['"];$|^import ['"]([^'"]+)['"];$|\b(?:import|require)\(['"]([^'"]+)['"]\)/gm)]
    .map(([, ...names]) => names.find((name) => name !== undefined));
const withoutComments = (source) => source.replace(/^\s*\/\*\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '');

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
    if (!noModule) await alone('wasi', makeModule);
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
  async function run(program, ...args) {
    copyFileSync(join(here, 'programs', program), join(project, program));
    const { stdout, stderr } = await execute(process.execPath, [program, String(server.port), ...args], {
      cwd: project,
      env: { PATH: '', NODE_NO_WARNINGS: '1' },
      timeout: 60_000,
    });
    assert.equal(stderr.replace(/^.*ExperimentalWarning: WASI .*\n\(Use .*\n/, ''), '');
    return JSON.parse(stdout);
  }

  /** The files that loading one of them loads. */
  function loadedWith(path, all = new Set()) {
    if (all.has(path)) return all;
    all.add(path);
    const imported = importsOf(withoutComments(readFileSync(join(installed, path), 'utf8')));
    for (const name of imported.filter((from) => from.startsWith('.'))) loadedWith(posix.join(posix.dirname(path), name), all);
    return all;
  }

  /** The sources that a bundled file is made of, as its comments tell. */
  const madeOf = (path) =>
    [...readFileSync(join(installed, path), 'utf8').matchAll(/^\s*\/\/ ((?:js|bindings)\/[\w/-]+\.js)$/gm)].map(([, source]) => source);

  test('holds what is needed, and no sources, no tests and no products of the C build', () => {
    const paths = files.map(({ path }) => path);
    for (const path of [
      'package.json',
      'README.md',
      'LICENSE',
      'bindings/generated/porthole.wasm',
      'dist/js/index.js',
      'dist/js/host.js',
      'dist/js/thread.js',
      'dist/js/worker.js',
      'dist/command/porthole.cjs',
      'js/index.d.ts',
      'js/README.md',
      'js/guide/README.md',
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
    assert.deepEqual(paths.filter((path) => /^(?:js|bindings)\/.*\.js$/.test(path) && !path.startsWith('bindings/wasi/jco/')), []);
  });

  test('has a library of at most 750 KiB, of files that carry their license', () => {
    const library = files.filter(({ path }) => /^dist\/(?:js|command)\/.*js$/.test(path));
    const size = library.reduce((all, file) => all + file.size, 0);
    assert.ok(size <= 750 * KIB, `${size} bytes`);
    for (const { path } of library) {
      assert.match(readFileSync(join(installed, path), 'utf8'), /^(?:#!.*\n)?\/\/ SPDX-License-Identifier: MIT\n/, path);
    }
  });

  test('is loaded from two files, and a guest’s thread from one', () => {
    assert.equal(loadedWith('dist/js/index.js').size, 2);
    assert.ok(loadedWith('dist/js/host.js').size <= 3);
    const [, ...later] = loadedWith('dist/js/worker.js');
    assert.ok(later.every((path) => /^dist\/js\/system-/.test(path)), later.join());
  });

  test('has each of its modules once, whatever of it is imported', () => {
    const loaded = new Set([...loadedWith('dist/js/index.js'), ...loadedWith('dist/js/host.js')]);
    const modules = [...loaded].flatMap((path) => [...new Set(madeOf(path))]);
    assert.ok(modules.length > 50, `${modules.length} modules`);
    assert.ok(modules.includes('js/errors.js') && modules.includes('js/api/context.js'));
    assert.deepEqual(modules.filter((path, index) => modules.indexOf(path) !== index), []);
  });

  test('has a porthole.wasm of at most 40 KiB, the same as the one that is loaded', () => {
    const wasm = readFileSync(join(installed, 'bindings', 'generated', 'porthole.wasm'));
    assert.ok(wasm.length <= 40 * KIB, `${wasm.length} bytes`);
    assert.ok(WebAssembly.validate(wasm));
    for (const entry of ['dist/js/index.js', 'dist/js/worker.js']) {
      const texts = [...loadedWith(entry)].map((path) => readFileSync(join(installed, path), 'utf8'));
      assert.ok(texts.some((text) => text.includes(wasm.toString('base64'))), entry);
    }
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
    for (const { path } of files.filter(({ path }) => /\.c?js$/.test(path))) {
      const imported = importsOf(withoutComments(readFileSync(join(installed, path), 'utf8')));
      for (const from of imported) {
        if (path === 'bindings/wasi/jco/tls.js' && from === '@bytecodealliance/preview2-shim/io-worker') continue;
        assert.match(from, /^(node:|\.\.?\/)/, path);
        if (from.startsWith('.')) assert.ok(statSync(join(installed, dirname(path), from)).isFile(), `${path}: ${from}`);
      }
    }
    assert.ok(importsOf(readFileSync(join(installed, 'dist', 'js', 'index.js'), 'utf8')).length > 5, 'imports are found');
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

  test('speaks TLS, to whom its caller trusts', async () => {
    const { body, code } = await run('secure.mjs', certificates().ca);
    assert.deepEqual(body, { answer: 42 });
    assert.match(code, /^(?:UNABLE_TO|SELF_SIGNED|DEPTH_ZERO)/);
  });

  test('runs guests in threads, with WASI and without, and has imports for one in its own', { skip: noClang }, async () => {
    const [raw, system] = ['raw', 'wasi'].map((name) => guestOf(`test/plugins/guests/${name}.c`));
    const { beside, body, refused, closed, inside } = await run('host.mjs', raw, system);
    assert.deepEqual(beside, [0, body.length]);
    assert.deepEqual(JSON.parse(body), { answer: 42 });
    assert.equal(refused, -404);
    assert.equal(closed, 0);
    assert.deepEqual(inside, beside);
  });

  test('has classes of their own names, errors of its classes, and stacks that name its functions', async () => {
    const { names, early, again, inner } = await run('classes.mjs');
    assert.ok(names.length > 15);
    assert.deepEqual(names, names.map(([name]) => [name, sources[name].name]));
    assert.deepEqual(early.slice(0, 2), [true, true]);
    assert.match(early[2], /^ResponseNotReady: .*\n(?: {4}at .*\n)*? {4}at \w+\.getresponse \(file:.*\/node_modules\/porthole\/dist\/js\/[\w-]+\.js:\d+:\d+\)$/m);
    assert.equal(again[0], true);
    assert.match(again[1], /\bOwn\.request \(/);
    assert.deepEqual(inner, ['Settings', 'HTTPMessage']);
  });

  test('gets along with another copy of itself: errors are those of both, and a context is taken or refused aloud', async () => {
    const { HTTPException, HTTPSConnection } = sources;
    const other = await import(pathToFileURL(join(installed, 'dist', 'js', 'index.js')));
    assert.notEqual(other.HTTPException, HTTPException);
    assert.ok(new other.IncompleteRead('') instanceof HTTPException);
    assert.ok(new sources.RemoteDisconnected('') instanceof other.BadStatusLine);
    assert.ok(!(new other.IncompleteRead('') instanceof sources.InvalidURL));
    const pinned = other.create_default_context({ cafile: certificates().ca });
    const conn = new HTTPSConnection('localhost', server.port, { timeout: 10, context: pinned });
    await conn.request('GET', '/data.json');
    assert.equal((await conn.getresponse()).status, 200);
    conn.close();
  });

  test('is what its name gives in its own checkout', async () => {
    assert.equal((await import('porthole')).HTTPConnection.name, 'HTTPConnection');
    assert.equal(import.meta.resolve('porthole'), pathToFileURL(join(root, 'dist', 'js', 'index.js')).href);
    assert.equal(import.meta.resolve('porthole/host'), pathToFileURL(join(root, 'dist', 'js', 'host.js')).href);
  });

  describe('has a command', { skip: noModule }, () => {
    /** Runs what npm links. @returns {Promise<{ code: number, stdout: string, stderr: string }>} */
    const porthole = (...args) =>
      new Promise((settle) => {
        const command = join(project, 'node_modules', '.bin', 'porthole');
        const child = execFile(command, args, { cwd: project, timeout: 60_000 }, (error, stdout, stderr) => {
          settle({ code: error === null ? 0 : error.code, stdout, stderr });
        });
        child.stdin.end();
      });

    test('that makes a GET', async () => {
      assert.deepEqual(await porthole('-sS', `http://127.0.0.1:${server.port}/data.json`), { code: 0, stdout: '{"answer":42}', stderr: '' });
    });

    test('that speaks TLS', async () => {
      const url = `https://localhost:${server.port}/data.json`;
      assert.deepEqual(await porthole('-sS', '--cacert', certificates().ca, url), { code: 0, stdout: '{"answer":42}', stderr: '' });
      assert.equal((await porthole('-sS', url)).code, 60);
      const missing = await porthole('-sS', '--cacert', join(project, 'none.pem'), url);
      assert.equal(missing.code, 77);
    });

    test('that ends with 22 for a 404 when it is to fail', async () => {
      const { code, stdout, stderr } = await porthole('-sSf', `http://127.0.0.1:${server.port}/none`);
      assert.equal(code, 22);
      assert.equal(stdout, '');
      assert.match(stderr, /404/);
    });

    for (const [flags, text] of [[['-V', '--version'], /^porthole \d+\.\d+\.\d+/], [['-h', '--help'], /^Usage: porthole /]]) {
      test(`that answers ${flags.join(' and ')} alike`, async () => {
        const answers = await Promise.all([...flags, [flags[1], '-s']].map((args) => porthole(...[args].flat())));
        for (const answer of answers) assert.deepEqual(answer, answers[0]);
        assert.equal(answers[0].code, 0);
        assert.match(answers[0].stdout, text);
      });
    }
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
