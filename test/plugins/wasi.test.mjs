// SPDX-License-Identifier: MIT
//
// What of WASI a guest has: nothing that it waits for keeps its thread, and nothing that it does reaches a descriptor of the
// process but by writing to standard output and error.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createHost } from '../../js/host.js';
import { guestOf, noClang } from './guests.mjs';

const BADF = 8;
const FAULT = 21;
const INVAL = 28;

describe('a guest that is given WASI', { skip: noClang }, () => {
  const host = createHost();
  after(() => host.close());
  const wasi = (options) => host.run(guestOf('test/plugins/guests/wasi.c'), { imports: ['wasi_snapshot_preview1'], ...options });

  test('sleeps no longer than its call may take, and its thread is gone then', async () => {
    const guest = await wasi({ time: 2 });
    const began = performance.now();
    await assert.rejects(guest.call('nap', 60_000, 0), { code: 'ERR_HTTP_GUEST_TIME' });
    await guest.close();
    assert.ok(performance.now() - began < 30_000);
  });

  test('sleeps for a time, and until one', async () => {
    const guest = await wasi();
    for (const absolute of [0, 1]) {
      const began = performance.now();
      assert.equal(await guest.call('nap', 50, absolute), 1);
      assert.ok(performance.now() - began >= 49);
    }
  });

  test('has nothing to read, and is told so at once', async () => {
    const guest = await wasi();
    assert.equal(await guest.call('input', 0), 0);
    assert.equal(await guest.call('input', 3), -BADF);
    assert.equal(await guest.call('either', 0), 1 << 1);
    assert.equal(await guest.call('either', 3), -BADF);
  });

  test('does nothing to descriptors of the process', async () => {
    const guest = await wasi();
    for (const fd of [0, 1, 2, 3]) assert.equal(await guest.call('truncate', fd), BADF);
    assert.equal(await guest.call('close_output'), 0);
  });

  test('polls inside of its memory', async () => {
    const guest = await wasi();
    assert.equal(await guest.call('poll_badly', -16, 1), FAULT);
    assert.equal(await guest.call('poll_badly', 0, -1), FAULT);
    assert.equal(await guest.call('poll_badly', 0, 0), INVAL);
  });

  test('ends itself by a code: a program has run then, a function has not', async () => {
    const guest = await wasi();
    assert.equal(await guest.call('_start'), 3);
    await assert.rejects(guest.call('leave', 4), { code: 'ERR_HTTP_GUEST_TRAP', message: /ended itself with the code 4/ });
  });
});
