// SPDX-License-Identifier: MIT
//
// The commands of bindings/cli/README.md run and end well, and its tables are those of the sources.

import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { execute, lacking, root, workshop } from '../wasi/guests.mjs';
import { withHttps } from '../wasi/tls.mjs';
import { buildCommands } from './commands.mjs';
import { startServer } from './server.mjs';

const readme = readFileSync(join(root, 'bindings', 'cli', 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, commands]) => commands);
const { missing } = await buildCommands();
const noRuntime = await lacking();

/** wasmtime's command line, as far as the README uses it, on PyPI's wasmtime. */
const WASMTIME = `#!/bin/sh
set -e
test "$1" = run; shift
names=--no-names; network=--no-network; folder=
while :; do
  case "$1 $2" in
    '-S inherit-network') network=; shift 2;;
    '-S allow-ip-name-lookup') names=; shift 2;;
    '--dir '*) folder=$2; shift 2;;
    *) break;;
  esac
done
exec '${join(root, '.cache', 'venv-wasi', 'bin', 'python')}' '${join(root, 'test', 'wasi', 'run_wasmtime.py')}' \\
  \${network:-$names} \${folder:+--dir "$folder"} "$@"
`;

/** Runs a block in the checkout, what it writes elsewhere. @returns {Promise<{ stdout: string, requests: string[] }>} */
async function runBlock(commands) {
  const { folder, remove } = workshop();
  const server = await startServer();
  try {
    writeFileSync(join(folder, 'form'), 'more=1');
    writeFileSync(join(folder, 'wasmtime'), WASMTIME);
    chmodSync(join(folder, 'wasmtime'), 0o755);
    const text = commands
      .replaceAll(':8000', `:${server.port}`)
      .replaceAll('$PWD', root)
      .replaceAll(/\b(page|form)\b(?= |$)/gm, `${folder}/$1`)
      .replaceAll('@form', `@${folder}/form`)
      .replaceAll('--dir .', `--dir ${folder}`)
      .replaceAll(/(--dir \S+ .*-o )\S+/g, '$1page');
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
    const { stdout } = await execute('bash', ['-ec', text], { cwd: root, env, timeout: 200_000 });
    return { stdout, requests: server.requests };
  } finally {
    await server.close();
    remove();
  }
}

describe('the README of the command', () => {
  test('shows how it is built and called on this machine', { skip: missing.native }, async () => {
    assert.match((await runBlock(blocks[1])).stdout, /hello\n$/);
    const { stdout, requests } = await runBlock(blocks[2]);
    assert.match(stdout, /^Usage: porthole/);
    assert.match(stdout, /^200 6 \d+\.\d{6}$/m);
    assert.deepEqual(
      requests.map((text) => text.split(' HTTP/')[0].replace(/\d{5}/, 'PORT')),
      [
        ...['GET /hello', 'GET /hello', 'POST /echo', 'GET /echo', 'PUT /folder/page', 'PUT /echo', 'GET /302', 'GET /echo'],
        ...['GET /hello', 'GET http://example.test/hello', 'GET /404'],
      ],
    );
  });

  test('shows how it is called by npm', { skip: noOpenssl || noRuntime }, async () => {
    const { ca, client } = certificates();
    await withHttps('good', async (port, seen) => {
      const names = { ':8443': `:${port}`, 'ca.pem': ca, 'client.pem': client.cert, 'client.key': client.key };
      const { stdout, requests } = await runBlock(Object.entries(names).reduce((text, [name, own]) => text.replaceAll(name, own), blocks[0]));
      assert.match(stdout, /dist\/wasi\/\nhello\nhellohello$/);
      assert.equal(requests.length, 1);
      assert.equal(seen.requests, 3);
      assert.equal(seen.peer, 'client');
    }, { requestCert: true, rejectUnauthorized: false, ca: readFileSync(ca) });
  });

  test('shows how it is built and called on WASI', { skip: noRuntime }, async () => {
    const { stdout, requests } = await runBlock(blocks[3]);
    assert.match(stdout, /dist\/wasi\/\nhello\nhello\n$/);
    assert.equal(requests.length, 3);
  });

  test('has no other commands', () => assert.equal(blocks.length, 4));

  test('lists all files of the command', () => {
    const listed = [...readme.matchAll(/^\| (`[\w.]+`.*?) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`([\w.]+)`/g)].map(([, name]) => name));
    const parts = readFileSync(join(root, 'bindings', 'cli', 'CMakeLists.txt'), 'utf8').match(/OBJECT ([\w. ]+)\)/)[1].split(' ');
    for (const part of parts) assert.ok(listed.includes(part), part);
  });

  test('lists the exit codes', () => {
    const table = readme.split('| exit code | |')[1].split('\n\n')[0];
    const listed = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, codes]) => codes.split(', ').map(Number));
    const header = readFileSync(join(root, 'bindings', 'cli', 'cli.h'), 'utf8');
    const codes = [...header.matchAll(/^ {2}EXIT_\w+ = (\d+)/gm)].map(([, code]) => Number(code));
    assert.deepEqual([...codes, 1, 3].sort(), listed.sort());
  });
});
