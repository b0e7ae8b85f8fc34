// SPDX-License-Identifier: MIT
//
// The command of npm speaks https as curl does: each scenario runs through curl and through it, and exit codes, outputs and
// what the server saw are the same. And what the other builds say to options of TLS.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { withServer, workshop } from '../wasi/guests.mjs';
import { withHttps } from '../wasi/tls.mjs';
import { buildCommands, CURL, runCommand } from './commands.mjs';

const { commands, missing } = await buildCommands();
const curl = spawnSync('curl', ['--version']).error ? 'apt-get install curl' : false;
const files = noOpenssl ? undefined : certificates();
const limits = { timeout: 120_000, maxBuffer: 1 << 26, encoding: 'latin1' };

/** Runs a command with arguments. @returns {Promise<{ code: number, stdout: string }>} */
function run(command, args) {
  const [program, all] = command.start('', args, true);
  return new Promise((resolve) => {
    execFile(program, all, limits, (error, stdout) => resolve({ code: error === null ? 0 : error.code, stdout }));
  });
}

/**
 * Runs curl and the command against a server each. `{port}` in arguments is its port.
 *
 * @param {string} kind of certificate
 * @param {string[]} args
 * @param {https.ServerOptions} [options]
 */
async function both(kind, args, options) {
  const outcomes = [];
  for (const command of [CURL, commands.npm]) {
    await withHttps(kind, async (port, seen) => {
      const outcome = await run(command, ['-sS', ...args.map((text) => text.replace('{port}', port))]);
      const stdout = outcome.stdout.replace(/^(?:Date|Keep-Alive): .*\r\n/gm, '');
      // A server may not be told of a handshake that its client turned down.
      const known = outcome.code === 60 ? {} : { peer: seen.peer, name: seen.name };
      outcomes.push({ ...outcome, stdout, requests: seen.requests, ...known });
    }, options);
  }
  return outcomes;
}

const url = 'https://localhost:{port}/';
const trusted = ['--cacert', files?.ca];
const clients = { requestCert: true, ca: files && readFileSync(files.ca) };

/** Kind of certificate, arguments, and the exit code, which is curl's. */
const SCENARIOS = {
  'gets a page by a CA of its own': ['good', [...trusted, url], 0],
  'shows the head': ['good', [...trusted, '-i', url], 0],
  'gets a large body': ['good', [...trusted, `${url}big`], 0],
  'gets a page by an address': ['good', [...trusted, 'https://127.0.0.1:{port}/'], 0],
  'sends a body': ['good', [...trusted, '-d', 'a=1', url], 0],
  'refuses a CA that it does not know': ['good', [url], 60],
  'refuses a certificate that is signed by itself': ['selfSigned', [...trusted, url], 60],
  'refuses a certificate that has expired': ['expired', [...trusted, url], 60],
  'refuses a certificate for another name': ['wrongName', [...trusted, url], 60],
  'takes what it can not verify by -k': ['selfSigned', ['-k', url], 0],
  'takes an expired certificate by --insecure': ['expired', ['--insecure', ...trusted, url], 0],
  'takes a certificate for another name by -k': ['wrongName', ['-k', url], 0],
  'verifies after --no-insecure': ['good', ['-k', '--no-insecure', url], 60],
  'shows its certificate': ['good', [...trusted, '--cert', files?.client.cert, '--key', files?.client.key, url], 0, clients],
  'shows none unless it is asked to': ['good', [...trusted, url], 0, { ...clients, rejectUnauthorized: false }],
  'ends with 18 when a body is cut': ['good', [...trusted, `${url}cut`], 18],
  'ends with 77 for a CA that is not there': ['good', ['--cacert', '/not/there', url], 77],
  'ends with 58 for a certificate that is not there': ['good', [...trusted, '--cert', '/not/there', url], 58],
  'ends with 58 for a key of another certificate': ['good', [...trusted, '--cert', files?.client.cert, '--key', files?.good.key, url], 58],
};

describe('the npm command speaks https as curl', { skip: noOpenssl || missing.npm || curl, concurrency: 2 }, () => {
  before(() => commands.npm.build());

  for (const [what, [kind, args, code, options]] of Object.entries(SCENARIOS)) {
    test(what, async () => {
      const [expected, got] = await both(kind, args, options);
      assert.equal(expected.code, code, 'curl');
      assert.deepEqual(got, expected);
    });
  }

  test('shows a certificate with its key in one file', async () => {
    const { folder, remove } = workshop();
    try {
      const pem = join(folder, 'client.pem');
      copyFileSync(files.client.cert, pem);
      appendFileSync(pem, readFileSync(files.client.key));
      const [expected, got] = await both('good', [...trusted, '-E', pem, url], clients);
      assert.equal(got.code, 0);
      assert.deepEqual(got, expected);
    } finally {
      remove();
    }
  });

  test('takes a file without certificates for no CA', async () => {
    const { folder, remove } = workshop();
    try {
      const pem = join(folder, 'empty.pem');
      writeFileSync(pem, '');
      const [expected, got] = await both('good', ['--cacert', pem, url]);
      assert.equal(expected.code, 77);
      assert.deepEqual(got, expected);
    } finally {
      remove();
    }
  });

  test('ends with 35 where the peer speaks no TLS', async () => {
    await withServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')), async (port) => {
      for (const command of [CURL, commands.npm]) {
        assert.equal((await run(command, ['-sS', `https://localhost:${port}/`])).code, 35);
      }
    });
  });

  test('speaks TLS in a tunnel, for the name behind the proxy', async () => {
    await withHttps('good', async (port, seen) => {
      const tunnel = (socket) =>
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 Made\r\n\r\n');
          const peer = net.connect(port, '127.0.0.1').on('error', () => socket.destroy());
          socket.on('error', () => peer.destroy()).pipe(peer).pipe(socket);
        });
      await withServer(tunnel, async (proxy) => {
        for (const command of [CURL, commands.npm]) {
          const args = ['-sS', ...trusted, '-x', `127.0.0.1:${proxy}`, 'https://a.example/'];
          assert.deepEqual(await run(command, args), { code: 0, stdout: 'hello' });
          assert.equal(seen.name, 'a.example');
          const wrong = await run(command, [...args.slice(0, -1), 'https://c.example/']);
          assert.equal(wrong.code, 60);
        }
      });
    });
  });

  test('goes on by https from a redirect, and reads the files of TLS only then', async () => {
    await withHttps('good', async (port) => {
      const redirect = (socket) =>
        socket.once('data', () => socket.end(`HTTP/1.1 302 Found\r\nLocation: https://localhost:${port}/\r\nContent-Length: 0\r\n\r\n`));
      await withServer(redirect, async (first) => {
        for (const command of [CURL, commands.npm]) {
          assert.deepEqual(await run(command, ['-sSL', ...trusted, `http://127.0.0.1:${first}/`]), { code: 0, stdout: 'hello' });
          assert.equal((await run(command, ['-sSL', '--cacert', '/not/there', `http://127.0.0.1:${first}/`])).code, 77);
          assert.equal((await run(command, ['-sS', '--cacert', '/not/there', `http://127.0.0.1:${first}/`])).code, 0);
        }
      });
    });
  });
});

for (const name of ['native', 'wasmtime', 'jco']) {
  describe(`the ${name} command`, { skip: missing[name] }, () => {
    before(() => commands[name].build());

    test('refuses options of TLS, which it has no use for', async () => {
      for (const option of [['--cacert', 'ca.pem'], ['--cert', 'a.pem'], ['--key', 'a.pem'], ['-k']]) {
        const outcome = await runCommand(commands[name], { args: ['-sS', ...option, 'http://127.0.0.1:{port}/hello'] });
        assert.equal(commands[name].seen(outcome).code, 2);
        assert.match(outcome.stderr, /^porthole: --cacert, --cert, --key and --insecure are for the command of npm, not for this build\n/);
        assert.deepEqual(outcome.requests, []);
      }
    });
  });
}
