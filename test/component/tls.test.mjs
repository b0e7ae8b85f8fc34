// SPDX-License-Identifier: MIT
//
// porthole-client-tls.wasm: HTTPS by wasi:tls, under jco with the provider of porthole/wasi-tls; by `npm run test:wasmtime`, composed
// with a guest, under the embedder of demo/hosts/wasmtime.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { root } from '../../bindings/setup.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { buildLibrary, execute, withServer } from '../wasi/guests.mjs';
import { exportsOf, importsOf, SOCKETS, TLS } from '../wasi/imports.mjs';
import { embedderOf, transpileWithTls, withHttps } from '../wasi/tls.mjs';
import { lacking, run, scratch, serve, tlsComponent } from './setup.mjs';

const skip = noOpenssl || (await lacking());
const KIB = 1024;
const UNTRUSTED = -406;
/** What `npm run test:wasmtime` has built. */
const { PORTHOLE_EMBEDDER: embedder } = process.env;

const step = (on, call, ...args) => ({ on, call, arguments: args });
const get = (on) => step(on, 'request', 'GET', '/', null, []);
const response = (on, as) => ({ ...step(on, 'getresponse'), as });
const read = (on) => step(on, 'read', 99);
const hello = { bytes: 'hello' };

describe('porthole-client-tls.wasm', { skip }, () => {
  let folder;

  before(async () => {
    folder = await transpileWithTls(tlsComponent, 'client', scratch());
  });

  /** Makes calls under jco. @returns {Promise<unknown[]>} what each answers */
  async function perform(steps, tls = { ca: readFileSync(certificates().ca, 'utf8') }) {
    const driver = [join(root, 'test', 'component', 'drive.mjs'), folder];
    const { code, stdout, stderr } = await run(process.execPath, driver, JSON.stringify({ steps, tls }));
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  const secure = (on, port, host = 'localhost') => [step(on, 'new', host, port), step(on, 'use-tls')];

  test('it needs wasi:tls beside what the other build does, and is small', async () => {
    assert.deepEqual(await importsOf(tlsComponent), [...SOCKETS, TLS]);
    assert.deepEqual(await exportsOf(tlsComponent), ['porthole:http/client@0.1.0']);
    assert.ok(statSync(tlsComponent).size <= 68 * KIB, `${statSync(tlsComponent).size} bytes`);
  });

  for (const host of ['localhost', '127.0.0.1']) {
    test(`it gets from ${host} over one connection, whose certificate a private CA has signed`, async () => {
      await withHttps('good', async (port, seen) => {
        const one = [get('c'), response('c', 'r'), read('r'), step('r', 'drop')];
        const results = await perform([...secure('c', port, host), ...one, ...one]);
        assert.deepEqual(results.filter((result) => result?.bytes !== undefined), [hello, hello]);
        assert.deepEqual([seen.connections, seen.requests], [1, 2]);
      });
    });
  }

  test('it gets over TLS in a tunnel, and in clear', async (t) => {
    const { port: clear } = await serve(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'));
    await withHttps('good', async (port, seen) => {
      const proxied = await serve(t, (socket) => {
        socket.removeAllListeners('data');
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(connect(port, '127.0.0.1')).pipe(socket);
      });
      const results = await perform([
        ...secure('c', proxied.port, '127.0.0.1'), step('c', 'set-tunnel', 'localhost', port, []), get('c'), response('c', 'r'), read('r'),
        step('d', 'new', '127.0.0.1', clear), get('d'), response('d', 'rd'), read('rd'),
      ]);
      assert.deepEqual(results.filter((result) => result?.bytes !== undefined), [hello, hello]);
      assert.equal(seen.name, 'localhost');
    });
  });

  test('1,000 requests over TLS on one connection take no more memory than ten', async () => {
    await withHttps('good', async (port, seen) => {
      const one = [get('c'), response('c', 'r'), read('r'), step('r', 'drop')];
      const [, , , first, , end] = await perform([
        ...secure('c', port), { repeat: 10, steps: one }, step('c', 'memory'), { repeat: 990, steps: one }, step('c', 'memory'),
      ]);
      assert.equal(end, first);
      assert.deepEqual([seen.connections, seen.requests], [1, 1000]);
    });
  });

  /** Why a certificate isn't trusted, in words of OpenSSL's and Node's. */
  const refused = {
    wrongName: /: .*altnames.*other\.example/,
    unknownCa: /: .*(?:issuer|first) certificate/,
    selfSigned: /: .*self-signed certificate/,
    expired: /: .*certificate has expired/,
  };
  for (const [kind, words] of Object.entries(refused)) {
    test(`the certificate ${kind} is refused by a typed error, and nothing is sent`, async () => {
      await withHttps(kind, async (port, seen) => {
        const { error } = (await perform([...secure('c', port), get('c')])).at(-1);
        assert.deepEqual([error.kind, error.code, error.name, error['retry-safe'], error.sent], ['os-error', UNTRUSTED, 'CERT_UNTRUSTED', 'yes', 0]);
        assert.match(error.message, words);
        assert.equal(seen.requests, 0);
      });
    });
  }

  test('a private CA that the embedder doesn\'t name is not trusted', async () => {
    await withHttps('good', async (port) => {
      const { error } = (await perform([...secure('c', port), get('c')], {})).at(-1);
      assert.deepEqual([error.kind, error.name], ['os-error', 'CERT_UNTRUSTED']);
    });
  });

  test('a peer that speaks no TLS is another error', async () => {
    await withServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), async (port) => {
      const { error } = (await perform([...secure('c', port), get('c')])).at(-1);
      assert.deepEqual([error.kind, error.name, error['retry-safe']], ['os-error', 'EPROTO', 'yes']);
    });
  });

  describe('composed with a guest, under the embedder in Rust', { skip: embedder === undefined && 'npm run test:wasmtime' }, () => {
    let start;

    before(async () => {
      const place = scratch();
      const at = (name) => join(place, name);
      const { include, libraries } = await buildLibrary();
      const sources = [join('component', 'guests', 'guest.c'), join('component', 'guests', 'command.c'), join('wasi', 'command02.c')];
      const objects = sources.map((_, index) => at(`${index}.o`));
      const compile = ['--target=wasm32', '-std=c11', '-ffreestanding', '-Oz', '-mbulk-memory', ...include];
      await Promise.all(sources.map((source, index) => execute('clang', [...compile, '-c', join(root, 'test', source), '-o', objects[index]])));
      await execute('wasm-ld', ['--no-entry', ...objects, ...libraries, '-o', at('core.wasm')]);
      const scripts = join(root, 'bindings', 'component');
      const wit = join(root, 'test', 'component', 'guests', 'guest.wit');
      await execute(process.execPath, [join(scripts, 'embed.mjs'), at('core.wasm'), wit, 'guest', at('guest.wasm')]);
      await execute(process.execPath, [join(scripts, 'compose.mjs'), at('guest.wasm'), at('composed.wasm'), tlsComponent]);
      start = embedderOf(embedder, at('composed.wasm'));
    });

    test('it gets over TLS from a server with a private CA', async () => {
      await withHttps('good', async (port) => {
        const { code, stdout, stderr } = await start([`https://localhost:${port}`, '/'], { ca: certificates().ca });
        assert.deepEqual([code, stdout, stderr], [0, '200 OK\nhello', '']);
      });
    });

    for (const kind of ['wrongName', 'unknownCa', 'expired']) {
      test(`the certificate ${kind} is refused`, async () => {
        await withHttps(kind, async (port, seen) => {
          const { code, stderr } = await start([`https://localhost:${port}`, '/'], { ca: certificates().ca });
          assert.equal(code, 1);
          assert.match(stderr, /^CERT_UNTRUSTED: the peer's certificate could not be verified: .*invalid peer certificate/);
          assert.equal(seen.requests, 0);
        });
      });
    }
  });
});
