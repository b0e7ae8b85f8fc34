// SPDX-License-Identifier: MIT
//
// HTTPS in WASI by wasi:tls, under jco with the provider of porthole/wasi-tls.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { alone, tool } from '../../bindings/wasi/tools.mjs';
import { execute, lacking, root, withServer, workshop } from './guests.mjs';
import { installPackage, jcoOf, makeTlsComponent, transpileWithTls, withHttps } from './tls.mjs';
import { describeTls, withTap } from './tls-cases.mjs';

const skip = noOpenssl || (await lacking());

/** The code of a README in a language. */
const blocks = (text, language) => [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, name]) => name === language).map(([, , code]) => code);

/** What the shim has before anything was done: stdout and stderr. */
const NOTHING_LEFT = { streams: 2, futures: 0, polls: 0, sockets: 0 };

describe('HTTPS in WASI', { skip, concurrency: 2 }, () => {
  let shop;
  let component;
  let jco;

  before(async () => {
    shop = workshop();
    component = await makeTlsComponent(shop.folder, 'probe', ['probe.c', 'command02.c']);
    jco = jcoOf(await transpileWithTls(component));
  });
  after(() => shop?.remove());

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
    const readme = readFileSync(join(root, 'bindings', 'wasi', 'README.md'), 'utf8');
    const [, section] = readme.split('\n## TLS\n');
    const [commands] = blocks(section, 'sh');
    const folder = join(shop.folder, 'readme');
    mkdirSync(folder);
    await alone('wasi', async () => {
      await execute('bash', ['-ec', commands], { cwd: root });
      copyFileSync(join(root, 'build', 'wasi', 'get.tls.wasm'), join(folder, 'get.tls.wasm'));
    });
    installPackage(folder);
    copyFileSync(certificates().ca, join(folder, 'ca.pem'));
    for (const program of blocks(section, 'js')) writeFileSync(join(folder, /^\/\/ (\S+)/.exec(program)[1]), program);
    await execute(process.execPath, ['transpile.mjs'], { cwd: folder });
    await withHttps('good', async (port) => {
      const { stdout } = await execute(process.execPath, ['main.mjs', `https://localhost:${port}`, '/', '2'], { cwd: folder });
      assert.equal(stdout, '200 hello\n200 hello\n');
    });
  });

  test('a component with TLS imports wasi:tls, and nothing else that one without it does not', async () => {
    const { componentWit } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
    const imports = [...(await componentWit(readFileSync(component))).matchAll(/^ {2}import (\S+);/gm)].map(([, name]) => name);
    assert.deepEqual(imports.filter((name) => !/^wasi:(?:cli|clocks|io|sockets)\//.test(name)), ['wasi:tls/types@0.2.0-draft']);
  });
});
