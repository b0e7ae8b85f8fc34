// SPDX-License-Identifier: MIT
//
// porthole-cli-tls.wasm: https by wasi:tls, under jco with the provider of porthole/wasi-tls.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCommand } from '../../bindings/cli/component.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { lacking, withServer, workshop } from '../wasi/guests.mjs';
import { importsOf, TLS } from '../wasi/imports.mjs';
import { jcoOf, transpileWithTls, withHttps } from '../wasi/tls.mjs';

const KIB = 1024;
const skip = noOpenssl || (await lacking());

describe('porthole-cli-tls.wasm', { skip, concurrency: 2 }, () => {
  let shop;
  let component;
  let jco;

  before(async () => {
    shop = workshop();
    await makeCommand('porthole-cli-tls', shop.folder);
    component = join(shop.folder, 'porthole-cli-tls.wasm');
    jco = jcoOf(await transpileWithTls(component));
  });
  after(() => shop?.remove());

  test('is small', () => {
    const { size } = statSync(component);
    assert.ok(size <= 84 * KIB, `${size} bytes`);
  });

  test('imports wasi:tls beside what the other build does', async () => {
    assert.deepEqual((await importsOf(component)).filter((name) => !/^wasi:(cli|clocks|filesystem|io|sockets)\/[\w-]+@0\.2\.12$/.test(name)), [TLS]);
  });

  test('says that it speaks https', async () => {
    assert.match((await jco(['--version'])).stdout, /\nProtocols: http https\n/);
  });

  test('gets a page by https, and sends by https', async () => {
    const { ca } = certificates();
    await withHttps('good', async (port) => {
      assert.equal((await jco(['-sS', `https://localhost:${port}/`], { ca })).stdout, 'hello');
      const sent = await jco(['-sS', '-d', 'a=1', '-w', ' %{http_code}', `https://localhost:${port}/`], { ca });
      assert.equal(sent.stdout, '3 200');
    });
  });

  test('ends with 60 where the certificate can not be trusted', async () => {
    const { ca } = certificates();
    for (const [kind, options] of [['good', {}], ['expired', { ca }], ['wrongName', { ca }]]) {
      await withHttps(kind, async (port, seen) => {
        const { code, stdout, stderr } = await jco(['-sS', `https://localhost:${port}/`], options);
        assert.equal(code, 60);
        assert.equal(stdout, '');
        assert.match(stderr, /^porthole: \(60\) connecting to localhost port \d+: the peer's certificate could not be verified/, kind);
        assert.equal(seen.requests, 0);
      });
    }
  });

  test('ends with 35 where the peer speaks no TLS', async () => {
    await withServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')), async (port) => {
      const { code, stderr } = await jco(['-sS', `https://localhost:${port}/`]);
      assert.equal(code, 35);
      assert.match(stderr, /^porthole: \(35\) /);
    });
  });

  test('gets a page by https in a tunnel, and shows the answer of the proxy', async () => {
    const { ca } = certificates();
    await withHttps('good', async (port) => {
      const tunnel = (socket) =>
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 Made\r\nVia: x\r\n\r\n');
          const peer = net.connect(port, '127.0.0.1').on('error', () => socket.destroy());
          socket.pipe(peer).pipe(socket);
        });
      await withServer(tunnel, async (proxy) => {
        const { stdout } = await jco(['-sSi', '-x', `127.0.0.1:${proxy}`, `https://localhost:${port}/`], { ca });
        assert.match(stdout, /^HTTP\/1\.1 200 Made\r\nVia: x\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nhello$/);
      });
    });
  });
});
