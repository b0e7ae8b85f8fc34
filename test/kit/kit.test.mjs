// SPDX-License-Identifier: MIT
//
// The conformance kit and the hostile guest under every host that blocks: porthole/host, those of demo/hosts, and bindings/posix.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noOpenssl } from '../support/certificates.mjs';
import { buildGuest, buildNative, KIT, noClang, STORM } from './build.mjs';
import { HOSTS } from './hosts.mjs';
import { RULES, runKit, runStorm, start } from './run.mjs';
import { startServers } from './server.mjs';

const ATTEMPTS = 10_000;

/** Expects TAP in which all went well, and so many tests at least. */
function assertPassed({ stdout, stderr, status }, least) {
  const lines = stdout.trimEnd().split('\n');
  const [, count] = /^1\.\.(\d+)$/.exec(lines[1]) ?? [];
  assert.deepEqual(lines.filter((line) => !line.startsWith('ok ')), ['TAP version 13', `1..${count}`], stderr);
  assert.equal(lines.length - 2, Number(count));
  assert.ok(Number(count) >= least, `${count} tests`);
  assert.deepEqual([stderr, status], ['', 0]);
}

describe('the conformance kit', { skip: noClang || noOpenssl }, () => {
  let kit;
  let storm;

  before(() => {
    kit = buildGuest('kit.wasm', KIT);
    storm = buildGuest('storm.wasm', STORM);
  });

  test('is a guest that imports every function of the host ABI, and nothing else', () => {
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(kit)));
    assert.deepEqual([...new Set(imports.map(({ module }) => module))], ['porthole_host_v1']);
    const names = ['open', 'start_tls', 'send_head', 'send', 'recv', 'wait', 'close', 'info', 'now'];
    assert.deepEqual(imports.map(({ name }) => name).sort(), names.map((name) => `porthole_host_${name}`).sort());
  });

  test('says in one line that the command of a host is not there', () => {
    const program = fileURLToPath(new URL('./run.mjs', import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [program, 'no-such-host', '{guest}'], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [2, "the host can't be started: spawn no-such-host ENOENT\n"]);
  });

  test('passes on sockets of POSIX', async () => {
    assertPassed(await runKit([buildNative('kit-posix', KIT)], { tls: false, policy: false, guest: kit }), 45);
  });

  test('finds a host out that fails at everything', () => {
    const module = new WebAssembly.Module(readFileSync(kit));
    const imports = WebAssembly.Module.imports(module).map(({ name }) => [name, () => -412]);
    const guest = new WebAssembly.Instance(module, { porthole_host_v1: Object.fromEntries(imports) }).exports;
    const args = Buffer.from('plain=127.0.0.1:1\0silent=127.0.0.1:2\0nobody=127.0.0.1:3\0tls=127.0.0.1:4\0');
    new Uint8Array(guest.memory.buffer).set(args, guest.guest_arguments(args.length));
    let said = '';
    let status;
    do {
      status = guest.guest_run();
      said += Buffer.from(guest.memory.buffer, guest.guest_output(), guest.guest_output_size());
    } while (status === -1);
    assert.equal(status, 1);
    assert.match(said, /^# open\.c:\d+: handle > 0 does not hold\nnot ok 1 - open gives a handle above 0$/m);
    assert.match(said, /^# \w+\.c:\d+: .* is -412, not -413\n/m);
    const failed = said.match(/^not ok /gm).length;
    assert.ok(failed > 50, `${failed} tests failed`);
  });

  test(`sockets of POSIX survive ${ATTEMPTS} hostile calls, and keep nothing of them`, async () => {
    const servers = await startServers();
    try {
      const command = [buildNative('storm-posix', STORM), `plain=${servers.endpoints.plain}`, `attempts=${ATTEMPTS}`];
      assert.deepEqual(await start(command), { stdout: '', stderr: '', status: 0 });
    } finally {
      servers.close();
    }
  });

  for (const [name, { command, missing, spare }] of Object.entries(HOSTS)) {
    describe(`under ${name}`, { skip: missing }, () => {
      test('passes, and nothing reaches what is denied', async () => {
        const { denied, ...ended } = await runKit(command, { guest: kit });
        assertPassed(ended, 72);
        assert.equal(denied, 0, RULES.allow.join(' '));
      });

      test(`the host survives ${ATTEMPTS} hostile calls with its memory and its descriptors flat`, async () => {
        const { marks, ...ended } = await runStorm(command, ATTEMPTS, { guest: storm });
        assert.deepEqual(ended, { stdout: '', stderr: '', status: 0 });
        assert.equal(marks.length, 10);
        const [first, last] = [marks[1], marks[9]];
        // Some are just being closed: what stays open would be there at every mark that follows.
        const descriptors = marks.map((mark) => mark.descriptors);
        assert.ok(Math.min(...descriptors.slice(5)) <= Math.max(...descriptors.slice(0, 5)), JSON.stringify(marks));
        assert.ok(last.kilobytes - first.kilobytes < spare, JSON.stringify(marks));
      });
    });
  }
});
