// SPDX-License-Identifier: MIT
//
// HTTPS in WASI by wasi:tls: under jco with the provider of porthole/wasi-tls; by `npm run test:wasmtime` under the embedder in Rust
// of demo/hosts/wasmtime and, as far as it goes, under wasmtime's command.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { alone } from '../../bindings/alone.mjs';
import { execute, lacking, root, withServer, workshop } from './guests.mjs';
import { importsOf, SOCKETS, TLS } from './imports.mjs';
import { embedderOf, installPackage, jcoOf, makeTlsComponent, settle, transpileWithTls, withHttps } from './tls.mjs';
import { describeTls, withTap } from './tls-cases.mjs';

const skip = noOpenssl || (await lacking());

/** The code of a README in a language. */
const blocks = (text, language) => [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, name]) => name === language).map(([, , code]) => code);

/** What the shim has before anything was done: stdout and stderr. */
const NOTHING_LEFT = { streams: 2, futures: 0, polls: 0, sockets: 0 };

/** What `npm run test:wasmtime` has built. */
const { PORTHOLE_WASMTIME: wasmtime, PORTHOLE_EMBEDDER: embedder } = process.env;

let shop;
let component;
before(async () => {
  if (skip) return;
  shop = workshop();
  component = await makeTlsComponent(shop.folder, 'probe', ['probe.c', 'command02.c']);
});
after(() => shop?.remove());

/** Makes what the README's section about TLS does, in a folder. @returns {Promise<string[]>} its programs in JavaScript */
async function followReadme(folder) {
  const readme = readFileSync(join(root, 'bindings', 'wasi', 'README.md'), 'utf8');
  const [, section] = readme.split('\n## TLS\n');
  const [commands] = blocks(section, 'sh');
  mkdirSync(folder);
  await alone('wasi', async () => {
    await execute('bash', ['-ec', commands], { cwd: root });
    copyFileSync(join(root, 'build', 'wasi', 'get.tls.wasm'), join(folder, 'get.tls.wasm'));
  });
  copyFileSync(certificates().ca, join(folder, 'ca.pem'));
  return blocks(section, 'js');
}

describe('HTTPS in WASI, under jco', { skip: skip || (embedder !== undefined && 'this is about wasmtime'), concurrency: 2 }, () => {
  let jco;

  before(async () => {
    jco = jcoOf(await transpileWithTls(component));
  });

  describeTls('jco', () => jco);

  const left = ({ stderr }) => JSON.parse(stderr.trimEnd().split('\n').at(-1));

  test('under jco nothing is left in the shim of connections that were closed, whatever became of them', async () => {
    const { ca } = certificates();
    await withHttps('good', (port) =>
      withHttps('expired', (bad) =>
        withServer(() => {}, async (silent) => {
          const steps = [];
          for (let i = 0; i < 20; i++) {
            steps.push(`client localhost:${port} 5000 -1 0`, 'secure', 'gets 3', `client localhost:${bad} 5000 -1 0`, 'secure', 'gets 1');
            steps.push(`open 127.0.0.1 ${silent} 0 5000`, `tls ${i} localhost 0`, `close ${i}`);
          }
          steps.push(`client localhost:${port} 5000 -1 0`); // closes the one before
          const ended = await jco(steps, { ca });
          assert.equal(ended.code, 0, ended.stderr);
          assert.deepEqual(left(ended), NOTHING_LEFT);
        }),
      ),
    );
  });

  test('under jco a handshake that is done, and that nobody has asked for since, is closed with its connection', async () => {
    const { ca } = certificates();
    let release;
    const released = new Promise((resolve) => (release = resolve));
    await withHttps('good', (port) =>
      withTap(port, (tap) => withServer(() => release(), async (signal) => {
        const steps = [`open 127.0.0.1 ${tap} 0 5000`, 'tls 0 localhost 0', `open 127.0.0.1 ${signal} 0 5000`];
        const ended = await jco([...steps, 'wait 5000 0 1', 'close 0', 'close 1'], { ca });
        assert.match(ended.stdout, /^open 0 .*\ntls WANT_READ .*\nopen 1 .*\nwait 1 /);
        assert.deepEqual(left(ended), NOTHING_LEFT);
      }), released),
    );
  });

  test('under jco the embedder chooses ALPN, and by the name', async () => {
    const { ca } = certificates();
    const offering = { ALPNProtocols: ['acme', 'http/1.1'] };
    await withHttps('good', async (port, seen) => {
      const steps = [`client localhost:${port} 5000 -1 0`, 'secure', 'gets 1'];
      await jco(steps, { ca, ALPNProtocols: ['acme'] });
      await jco(steps, { ca });
      assert.deepEqual([...seen.protocols], ['acme', 'http/1.1']);
    }, offering);
  });

  test('under jco the embedder refuses a name in words of its own', async () => {
    await withHttps('good', async (port, seen) => {
      const { stdout } = await jco([`client localhost:${port} 5000 -1 0`, 'secure', 'gets 1', 'words'], { refuse: 'not here' });
      const [, , got, words] = stdout.trimEnd().split('\n').map((line) => line.split(' '));
      assert.equal(got[1], 'HOST_TLS_HANDSHAKE');
      assert.match(Buffer.from(words[3], 'hex').toString(), /: not here$/);
      assert.equal(seen.connections, 0);
    });
  });

  test('the commands and programs of the README make a component with TLS, and run it under jco', async () => {
    const folder = join(shop.folder, 'readme');
    const programs = await followReadme(folder);
    installPackage(folder);
    for (const program of programs) writeFileSync(join(folder, /^\/\/ (\S+)/.exec(program)[1]), program);
    await execute(process.execPath, ['transpile.mjs'], { cwd: folder });
    await withHttps('good', async (port) => {
      const { stdout } = await execute(process.execPath, ['main.mjs', `https://localhost:${port}`, '/', '2'], { cwd: folder });
      assert.equal(stdout, '200 hello\n200 hello\n');
    });
  });

  test('a component with TLS imports wasi:tls, and nothing else that one without it does not', async () => {
    const rest = (await importsOf(component)).filter((name) => !name.startsWith('wasi:cli/'));
    assert.deepEqual(rest, [...SOCKETS, TLS]);
  });
});

describe('HTTPS in WASI, under wasmtime', { skip: skip || (embedder === undefined && 'npm run test:wasmtime'), concurrency: 2 }, () => {
  describeTls('the embedder', () => embedderOf(embedder, component));

  /** Runs a component by wasmtime's command. */
  const command = (options, ...args) => settle(execute(wasmtime, ['run', '-S', options, component, ...args], { timeout: 240000 }));

  test('under the embedder 1000 GETs and 20 connections, good and bad, are done with 16 handles', async () => {
    const run = embedderOf(embedder, component, ['--handles', '16']);
    await withHttps('good', (port) =>
      withHttps('expired', async (bad) => {
        const steps = [];
        for (let i = 0; i < 10; i++) {
          steps.push(`client localhost:${port} 5000 -1 0`, 'secure', 'gets 100', `client localhost:${bad} 5000 -1 0`, 'secure', 'gets 1');
        }
        const { code, stdout, stderr } = await run(steps, { ca: certificates().ca });
        assert.equal(code, 0, stderr);
        const results = stdout.split('\n').filter((line) => line.startsWith('gets')).map((line) => line.split(' ')[1]);
        assert.deepEqual(results, Array(10).fill(['5', 'HOST_TLS_VERIFY']).flat());
      }),
    );
  });

  test('the command of wasmtime has the public roots and no others: a private CA is refused in one line', async () => {
    await withHttps('good', async (port, seen) => {
      const steps = [`client localhost:${port} 5000 -1 0`, 'secure', 'gets 1', 'words'];
      const { code, stdout, stderr } = await command('tls,inherit-network,allow-ip-name-lookup', ...steps);
      assert.equal(code, 0, stderr);
      const [, , got, words] = stdout.trimEnd().split('\n').map((line) => line.split(' '));
      assert.equal(got[1], 'HOST_TLS_VERIFY');
      assert.equal(Buffer.from(words[3], 'hex').toString(), "the peer's certificate could not be verified: invalid peer certificate: UnknownIssuer");
      assert.equal(seen.requests, 0);
    });
  });

  test('the command of wasmtime begins nothing without -S tls', async () => {
    const { code, stdout, stderr } = await command('inherit-network', 'memory');
    assert.notEqual(code, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /wasi:tls\/types@0\.2\.0-draft/);
  });

  test("the commands of the embedder's README work", async () => {
    const folder = join(shop.folder, 'embedder-readme');
    await followReadme(folder);
    const readme = readFileSync(join(root, 'demo', 'hosts', 'wasmtime', 'README.md'), 'utf8');
    const [, good, refused] = blocks(readme, 'sh');
    await withHttps('good', async (port) => {
      const run = (code) => execute('bash', ['-ec', code.replaceAll('build/cargo/', `${root}build/cargo/`).replaceAll('8443', port)], { cwd: folder });
      assert.equal((await run(good)).stdout, '200 hello\n');
      const { code, stderr } = await settle(run(refused));
      assert.equal(code, 1);
      assert.match(stderr, /UnknownIssuer/);
    });
  });
});
