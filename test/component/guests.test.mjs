// SPDX-License-Identifier: MIT
//
// Guests composed with porthole-client.wasm by the commands of bindings/component/README.md, under PyPI's wasmtime and under jco.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../bindings/setup.mjs';
import { tool } from '../../bindings/wasi/tools.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { exportsOf, importsOf } from '../wasi/imports.mjs';
import { installPackage, transpileWithTls, withHttps } from '../wasi/tls.mjs';
import { component, lacking, python, run, scratch, serve, tlsComponent, transpiled } from './setup.mjs';

const skip = await lacking();
const folder = join(root, 'build', 'component');
const compose = join(root, 'bindings', 'component', 'compose.mjs');
const readme = readFileSync(join(root, 'bindings', 'component', 'README.md'), 'utf8');
const blocks = (language) => [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text);

/** Guests, and what they make of an error. */
const guests = {
  c: ({ name, message }) => `${name}: ${message}`,
  js: ({ kind, message }) => `${kind}: ${message}`,
  py: ({ kind, message }) => {
    const classes = { 'incomplete-read': 'IncompleteRead', 'bad-status-line': 'BadStatusLine', 'os-error': 'ConnectionRefusedError', 'invalid-url': 'InvalidURL' };
    return `${classes[kind]}: ${kind === 'incomplete-read' ? 'IncompleteRead(5 bytes read)' : message}`;
  },
};

/** What the guest in Python does beyond that, and what comes of it. */
const moreOfPython = {
  '/urlopen': '200 OK 1\nhello',
  '/upload': '[\'bytes\', \'text\', \'4\\r\\nfile\\r\\n0\\r\\n\\r\\n\', \'3\\r\\npie\\r\\n3\\r\\nces\\r\\n0\\r\\n\\r\\n\', \'\'] [b\'hand\\n\', b\'by\', b\' \', b\'hand\', b\'\'] True',
  '/tunnel': 'in the tunnel',
};

/** Answers the requests of moreOfPython. @returns {boolean} was it whole? */
function answerMore(socket, text) {
  const [head, body] = text.split(/\r\n\r\n(.*)/s);
  const { groups: { method, path } } = /^(?<method>\S+) (?<path>\S+) /.exec(head);
  const length = /^Content-Length: (\d+)$/m.exec(head.replaceAll('\r', ''))?.[1] ?? 0;
  if (/^Transfer-Encoding: chunked/m.test(head) ? !body.endsWith('0\r\n\r\n') : body.length < Number(length)) return false;
  const bodies = { '/urlopen': 'hello', '/upload': method === 'PUT' ? 'hand\nby hand' : body, '/tunnel': 'in the tunnel' };
  if (method === 'CONNECT') {
    assert.match(head, /^CONNECT end\.test:80 HTTP\/1\.1\r\n(?:Host: end\.test:80|P: q)\r\n(?:Host: end\.test:80|P: q)$/);
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
  } else {
    socket.write(`HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: ${bodies[path].length}\r\n\r\n${bodies[path]}`);
  }
  return true;
}

describe('guests composed with porthole-client.wasm', { skip }, () => {
  before(async () => {
    const { code, stderr } = await run('bash', ['-e'], blocks('sh').join(''));
    assert.equal(code, 0, stderr);
  });

  test('the world in the README is the guests\'', () => {
    assert.deepEqual(blocks('wit'), [readFileSync(join(root, 'test', 'component', 'guests', 'guest.wit'), 'utf8')]);
  });

  test('a guest without imports of its own, composed, imports what the client does', async () => {
    const composed = await importsOf(join(folder, 'composed-c.wasm'));
    assert.deepEqual(composed, await importsOf(component));
    assert.deepEqual(composed, await importsOf(join(folder, 'composed-js.wasm')));
    assert.deepEqual(await importsOf(join(folder, 'composed-tls.wasm')), await importsOf(tlsComponent));
  });

  const pages = {
    '/whole': ['ok', '200 Fine\nhello', 'HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\nhello'],
    '/chunked': ['ok', '404 Gr\xfc\xdfe\nhello', 'HTTP/1.1 404 Gr\xfc\xdfe\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'],
    '/empty': ['ok', '204 \n', 'HTTP/1.1 204 \r\n\r\n'],
    '/large': ['ok', `200 OK\n${'x'.repeat(30000)}`, `HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n${'x'.repeat(30000)}`],
    '/cut': [{ kind: 'incomplete-read', name: 'ERR_HTTP_INCOMPLETE_READ', message: 'the body ended early' }, null, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'],
    '/odd': [{ kind: 'bad-status-line', name: 'ERR_HTTP_BAD_STATUS_LINE', message: 'the status line was not understood' }, null, 'HTTPS/1.1 200 OK\r\n\r\n'],
  };

  // Before version 22 Node knows by a flag only what the memory of Python needs.
  const flags = Number(process.versions.node.split('.')[0]) < 22 ? ['--experimental-wasm-extended-const'] : [];
  const drivers = {
    wasmtime: (guest) => [python, [join(root, 'test', 'component', 'get.py'), join(folder, `composed-${guest}.wasm`)]],
    jco: async (guest) => {
      const place = await transpiled(join(folder, `composed-${guest}.wasm`), 'guest');
      return [process.execPath, [...flags, join(root, 'test', 'component', 'get.mjs'), place]];
    },
  };
  const refused = { kind: 'os-error', name: 'ECONNREFUSED', message: 'connection refused: finish-connect: connection-refused' };
  const url = { kind: 'invalid-url', name: 'ERR_HTTP_INVALID_URL', message: 'a URL can\'t contain control characters or spaces' };

  for (const [guest, words] of Object.entries(guests)) {
    const more = guest === 'py' ? moreOfPython : {};
    for (const [runtime, driver] of Object.entries(drivers)) {
      test(`a guest in ${guest} gets pages under ${runtime}, and is told what went wrong`, async (t) => {
        const { port } = await serve(t, (socket, text) => {
          const page = pages[/^\S+ (\S+) /.exec(text)[1]];
          return page === undefined ? answerMore(socket, text) : socket.end(page[2], 'latin1');
        });
        const calls = [...Object.keys({ ...pages, ...more }).map((path) => [`127.0.0.1:${port}`, path]), ['127.0.0.1:1', '/'], ['127.0.0.1', '/a b']];
        const { code, stdout, stderr } = await run(...(await driver(guest)), JSON.stringify(calls));
        assert.equal(code, 0, stderr);
        const expected = Object.values(pages).map(([what, text]) => (what === 'ok' ? ['ok', text] : ['err', words(what)]));
        expected.push(...Object.values(more).map((text) => ['ok', text]), ['err', words(refused)], ['err', words(url)]);
        assert.deepEqual(JSON.parse(stdout), expected);
      });
    }
  }

  test('a guest in c gets 1,000 pages within a megabyte of memory', async (t) => {
    const { port } = await serve(t, (socket) => socket.end(pages['/whole'][2]));
    const [command, args] = drivers.wasmtime('c');
    const calls = Array(1000).fill([`127.0.0.1:${port}`, '/']);
    const { code, stdout, stderr } = await run(command, [...args, String(1 << 20)], JSON.stringify(calls));
    assert.equal(code, 0, stderr);
    assert.deepEqual([...new Set(JSON.parse(stdout).map(String))], ['ok,200 Fine\nhello']);
  });

  test('a guest in py gets over TLS where it is composed with the client that has it', { skip: noOpenssl }, async () => {
    const composed = join(scratch(), 'composed.wasm');
    const made = await run(process.execPath, [compose, join(folder, 'guest-py.wasm'), composed, tlsComponent]);
    assert.equal(made.code, 0, made.stdout);
    const place = await transpileWithTls(composed, 'guest', scratch());
    const tls = JSON.stringify({ ca: readFileSync(certificates().ca, 'utf8') });
    const ask = (port) => run(process.execPath, [...flags, join(root, 'test', 'component', 'get.mjs'), place, tls], JSON.stringify(['/', '/urlopen'].map((path) => [`https://localhost:${port}`, path])));
    await withHttps('good', async (port) => {
      const { stdout, stderr } = await ask(port);
      assert.deepEqual(JSON.parse(stdout || '[]'), [['ok', '200 OK\nhello'], ['ok', '200 OK None\nhello']], stderr);
    });
    await withHttps('wrongName', async (port) => {
      const [[, words], [, ofUrllib]] = JSON.parse((await ask(port)).stdout);
      assert.match(words, /^OSError: the peer's certificate could not be verified: .*other\.example/);
      assert.match(ofUrllib, /^URLError: .*the peer's certificate could not be verified: .*other\.example/);
    });
  });

  test('the program in the README runs a guest by jco', async (t) => {
    const { port } = await serve(t, (socket) => socket.end(pages['/whole'][2]));
    const place = scratch();
    installPackage(place);
    copyFileSync(join(folder, 'composed-c.wasm'), join(place, 'composed-c.wasm'));
    writeFileSync(join(place, 'main.mjs'), blocks('js')[0].replace(':8000', `:${port}`));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd: place });
    assert.deepEqual([stdout, stderr], ['200 Fine\nhello\n', '']);
  });

  test('the program in the README that has no guest calls the component by jco, and shows errors', async (t) => {
    const { port } = await serve(t, (socket) => socket.end(pages['/whole'][2]));
    const place = scratch();
    installPackage(place);
    cpSync(component, join(place, 'node_modules', 'porthole', 'dist', 'wasi', 'porthole-client.wasm'), { recursive: true });
    const [, program] = blocks('js');
    const get = async (host) => {
      writeFileSync(join(place, 'page.mjs'), program.replace('localhost:8000', host));
      return (await promisify(execFile)(process.execPath, ['page.mjs'], { cwd: place })).stdout;
    };
    assert.equal(await get(`localhost:${port}`), '200 Fine hello\n');
    assert.match(await get('127.0.0.1:1'), /^os-error -400 connection refused: /);
  });

  test('embed.mjs says how it is called, and what of a guest is wrong', async () => {
    const embed = join(root, 'bindings', 'component', 'embed.mjs');
    assert.match((await run(process.execPath, [embed])).stdout, /embed\.mjs GUEST\.core\.wasm GUEST\.wit WORLD GUEST\.wasm$/m);
    const core = join(folder, 'guest.core.wasm');
    const wit = join(root, 'test', 'component', 'guests', 'guest.wit');
    const { code, stdout } = await run(process.execPath, [embed, core, wit, 'other', join(folder, 'other.wasm')]);
    assert.equal(code, 1);
    assert.match(stdout, /^porthole: .*\bother\b/m);
  });

  describe('compose.mjs', () => {
    const other = scratch();
    const composed = join(other, 'composed.wasm');

    /** Composes a component of no use with this world. */
    async function composeOf(world) {
      const { withPackages } = await import('../../bindings/component/tools.mjs');
      const { componentEmbed, componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
      const witSource = withPackages(`package porthole:other; interface types { type t = u32; f: func() -> t; } world other { ${world} }\n`);
      const guest = join(other, 'guest.wasm');
      writeFileSync(guest, await componentNew(await componentEmbed({ dummy: true, world: 'other', witSource }), []));
      return run(process.execPath, [compose, guest, composed]);
    }

    test('it takes guests that import of WASI too, and export interfaces and functions', async () => {
      const { code, stdout } = await composeOf(`
        import porthole:http/client@0.1.0; import wasi:io/streams@0.2.12; import wasi:cli/stdout@0.2.12; import wasi:filesystem/preopens@0.2.12;
        export f: func(a: string) -> list<u8>; export wasi:cli/run@0.2.12; export g: func(); export types;
      `);
      assert.equal(code, 0, stdout);
      assert.deepEqual(await exportsOf(composed), ['f', 'g', 'porthole:other/types', 'wasi:cli/run@0.2.12']);
      const imported = await importsOf(composed);
      const wanted = [...(await importsOf(component)), 'wasi:cli/stdout@0.2.12', 'wasi:filesystem/preopens@0.2.12', 'wasi:filesystem/types@0.2.12'];
      assert.deepEqual(imported.filter((name) => wanted.includes(name)), wanted.sort());
      const program = 'import sys; from wasmtime import Engine, component; component.Component.from_file(Engine(), sys.argv[1])';
      const loaded = await run(python, ['-c', program, composed]);
      assert.equal(loaded.code, 0, loaded.stderr);
    });

    /** @returns {Promise<string>} what is said where that can't be done */
    async function refusal(world) {
      const { code, stdout } = await composeOf(world);
      assert.equal(code, 1);
      return stdout;
    }

    test('it names what a guest doesn\'t import', async () => {
      assert.match(await refusal('import wasi:cli/environment@0.2.12;'), /guest\.wasm doesn't import porthole:http\/client@0\.1\.0$/m);
    });
    test('it names what nobody could give a guest', async () => {
      assert.match(await refusal('import porthole:http/client@0.1.0; import types;'), /imports porthole:other\/types, which is neither of WASI 0\.2/);
    });
    test('it names an import that is a function', async () => {
      assert.match(await refusal('import porthole:http/client@0.1.0; import f: func();'), /imports f, which is no interface/);
    });
    test('it names a file that is no component', async () => {
      const core = join(folder, 'guest.core.wasm');
      assert.match((await run(process.execPath, [compose, core, composed])).stdout, /guest\.core\.wasm is no component$/m);
    });
    test('it says what makes the client, where there is none', async () => {
      const none = join(other, 'none.wasm');
      assert.match((await run(process.execPath, [compose, join(folder, 'guest-c.wasm'), composed, none])).stdout, /none\.wasm: node bindings\/component\/build\.mjs/);
    });
    test('it says how it is called', async () => {
      assert.match((await run(process.execPath, [compose])).stdout, /compose\.mjs GUEST\.wasm COMPOSED\.wasm \[CLIENT\.wasm\]/);
    });
  });
});
