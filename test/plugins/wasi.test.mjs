// SPDX-License-Identifier: MIT
//
// What of WASI a guest has: nothing that it waits for keeps its thread, and nothing that it does reaches a descriptor of the
// process but by writing to standard output and error.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { createHost } from '../../js/host.js';
import { guestOf, noClang } from './guests.mjs';

const BADF = 8;
const FAULT = 21;
const INVAL = 28;
const NOSYS = 52;
const PIPE = 64;

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
    assert.equal(await guest.call('poll_badly', 0, 1025), INVAL, 'and for no more than its host has room for');
  });

  test('sends no signals, has no environment, and is told of none of its host', async () => {
    const guest = await wasi();
    for (const signal of [2, 9, 15]) assert.equal(await guest.call('raise', signal), NOSYS);
    assert.equal(await guest.call('given'), 1);
    for (const fd of [0, 1, 2]) assert.equal(await guest.call('kind', fd), 2, 'a device, whatever it is');
    assert.equal(await guest.call('kind', 3), -BADF);
  });

  test('has clocks, and bytes that nobody knows', async () => {
    const guest = await wasi();
    for (const clock of [0, 1, 2, 3]) assert.equal(await guest.call('clock', clock), 1);
    assert.equal(await guest.call('clock', 4), -INVAL);
    const at = await guest.call('bytes');
    const made = [];
    for (let times = 0; times < 2; times++) {
      assert.equal(await guest.call('random', 0, 32), 0);
      made.push(guest.read(at, 32).toString('hex'));
    }
    assert.notEqual(made[0], made[1]);
    assert.equal(await guest.call('random', 0, 65_537 + 100), 0);
    assert.equal(await guest.call('random', 100, -1), FAULT);
  });

  test('writes out of its memory to two streams, and nowhere else', async () => {
    const guest = await wasi();
    const at = await guest.call('bytes');
    assert.equal(await guest.call('put', 0, at, 1, 0), -BADF);
    assert.equal(await guest.call('put', 3, at, 1, 0), -BADF);
    assert.equal(await guest.call('put', 2, -4, 8, 0), -FAULT);
    assert.equal(await guest.call('put', 2, at, 0, -2), -FAULT);
    assert.equal(await guest.call('put', 2, at, 0, 0), 0);
  });

  describe('writes', () => {
    /** A process that runs one, and these lines of code, while the test does. */
    function running(t, code) {
      const program = `
        import { createHost } from ${JSON.stringify(new URL('../../js/host.js', import.meta.url).href)};
        const host = createHost();
        const wasi = (options) => host.run(${JSON.stringify(guestOf('test/plugins/guests/wasi.c'))}, { imports: ['wasi_snapshot_preview1'], ...options });
        ${code}
      `;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
      t.after(() => child.kill());
      return child;
    }

    /** What a stream has, up to its end. */
    async function textOf(stream) {
      let text = '';
      for await (const chunk of stream) text += chunk.latin1Slice();
      return text;
    }

    test('what is read in its order', async (t) => {
      const child = running(t, `
        const guest = await wasi();
        console.error(await guest.call('babble', 1, 20000), await guest.call('babble', 2, 1));
        await host.close();
      `);
      const [out, error] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
      assert.equal(out, '012345678\n'.repeat(20_000));
      assert.equal(error, '012345678\n200000 10\n');
    });

    test('to a pipe that nobody reads, until its time is up or it is closed: its thread is gone then', async (t) => {
      const child = running(t, `
        for (const time of [3, 3600]) {
          const guest = await wasi({ time });
          const calling = guest.call('babble', 1, 1e9).catch(({ code }) => code);
          if (time > 3) setTimeout(() => guest.close(), 500);
          console.error(await calling);
          await guest.close();
        }
        console.error('gone');
        process.exit(0);
      `);
      const exit = once(child, 'exit');
      assert.equal(await textOf(child.stderr), 'ERR_HTTP_GUEST_TIME\nERR_HTTP_GUEST_CLOSED\ngone\n');
      assert.deepEqual(await exit, [0, null]);
      child.stdout.destroy();
    });

    test('to a pipe that has no reader any more: it is told, and its host goes on', async (t) => {
      const child = running(t, `
        const guest = await wasi();
        console.error(await guest.call('babble', 1, 1e9), await guest.call('babble', 1, 1), await guest.call('babble', 2, 1));
        await host.close();
      `);
      child.stdout.destroy();
      const exit = once(child, 'exit');
      assert.equal(await textOf(child.stderr), `012345678\n-${PIPE} -${PIPE} 10\n`);
      assert.deepEqual(await exit, [0, null]);
    });
  });

  test('ends itself by a code: a program has run then, a function has not', async () => {
    const guest = await wasi();
    assert.equal(await guest.call('_start'), 3);
    await assert.rejects(guest.call('leave', 4), { code: 'ERR_HTTP_GUEST_TRAP', message: /ended itself with the code 4/ });
  });
});
