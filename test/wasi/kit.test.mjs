// SPDX-License-Identifier: MIT
//
// The conformance kit, linked with the host over the sockets of WASI.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startServers } from '../kit/server.mjs';
import { lacking, makeGuest, RUNTIMES, workshop } from './guests.mjs';

const skip = await lacking();
const SOURCES = ['kit', 'given', 'open', 'bytes', 'memory', 'wait', 'tls', 'policy', 'wasi'].map((name) => `../kit/${name}.c`);
const LEAST = 45;

describe('the conformance kit on WASI', { skip }, () => {
  let shop;
  let runtimes;

  before(async () => {
    shop = workshop();
    runtimes = await makeGuest(shop.folder, 'kit', [...SOURCES, '../../demo/guests/guest.c']);
  });
  after(() => shop?.remove());

  for (const runtime of RUNTIMES) {
    test(`passes under ${runtime}`, async () => {
      const servers = await startServers({});
      try {
        const args = ['plain', 'silent', 'nobody'].map((name) => `${name}=${servers.endpoints[name]}`);
        const { code, stdout, stderr } = await runtimes[runtime](args);
        const lines = stdout.trimEnd().split('\n');
        const [, count] = /^1\.\.(\d+)$/.exec(lines[1]) ?? [];
        const wrong = lines.filter((line) => !line.startsWith('ok '));
        assert.deepEqual(wrong, ['TAP version 13', `1..${count}`], stderr);
        assert.ok(Number(count) >= LEAST && lines.filter((line) => /^(?:not )?ok /.test(line)).length === Number(count), stdout);
        assert.deepEqual([code, stderr], [0, '']);
      } finally {
        servers.close();
      }
    });
  }
});
