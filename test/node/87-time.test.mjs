// SPDX-License-Identifier: MIT
//
// What is a time-out and what isn't: a process that is busy, peers that are slow and steady, and peers that stall.
//
// Runs by itself: peers that are slow and steady have to be so.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Waiting } from '../../js/engine/waiting.js';
import { HTTPConnection, TimeoutError } from '../../js/index.js';
import { block, withOther } from '../support/other-thread.mjs';
import { withSilentPort } from '../support/silent-port.mjs';
import { settles } from '../support/upload-server.mjs';

const LIMIT = { timeout: 60_000 };

/** What a server does: answers a little later. */
const ANSWER = "socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok', answered)";
const LATER = `socket.on('data', () => setTimeout(() => ${ANSWER}, 40));`;

describe('a process that is busy for longer than the limit, and an answer that came in time', () => {
  test('connecting', LIMIT, () =>
    withOther(`socket.on('data', () => ${ANSWER});`, async (port) => {
      for (const timeouts of [{ connect: 0.1 }, { connect: 0.1, headers: 20 }]) {
        const conn = new HTTPConnection('127.0.0.1', port, { timeouts });
        const asked = conn.request('GET', '/');
        setTimeout(() => block(300), 0);
        await settles(asked);
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        conn.close();
      }
    }));

  test('waiting for the head', LIMIT, () =>
    withOther(LATER, async (port, blockUntil) => {
      const conn = new HTTPConnection('127.0.0.1', port, { timeout: 0.15 });
      for (let i = 1; i <= 3; i++) {
        await conn.request('GET', '/');
        const waiting = conn.getresponse();
        blockUntil(i, 400);
        assert.equal(await (await settles(waiting)).text(), 'ok');
      }
      conn.close();
    }));

  test('waiting for the head, busy again and again', LIMIT, () =>
    withOther(LATER, async (port, blockUntil) => {
      const conn = new HTTPConnection('127.0.0.1', port, { timeout: 0.15 });
      await conn.request('GET', '/');
      const waiting = conn.getresponse();
      setTimeout(() => blockUntil(1, 200), 0);
      setTimeout(() => blockUntil(1, 200), 10);
      setImmediate(() => blockUntil(1, 200));
      assert.equal(await (await settles(waiting)).text(), 'ok');
      conn.close();
    }));

  test('reading the body', LIMIT, () =>
    withOther(
      `socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nok');
        setTimeout(() => socket.write('ay', answered), 40);
      });`,
      async (port, blockUntil) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeouts: { idle: 0.15 } });
        await conn.request('GET', '/');
        const response = await conn.getresponse();
        const reading = response.read();
        blockUntil(1, 400);
        assert.equal(String(await settles(reading)), 'okay');
        conn.close();
      },
    ));

  test('a deadline', LIMIT, () =>
    withOther(LATER, async (port, blockUntil) => {
      const conn = new HTTPConnection('127.0.0.1', port, { deadline: 1.5 });
      await conn.request('GET', '/');
      const waiting = conn.getresponse().then((response) => response.text());
      blockUntil(1, 1700);
      assert.equal(await settles(waiting), 'ok');
      conn.close();
    }));

  test('and one that did not come is a timeout all the same, right afterwards', LIMIT, () =>
    withOther('', async (port) => {
      const conn = new HTTPConnection('127.0.0.1', port, { timeout: 1.5 });
      await conn.request('GET', '/');
      const waiting = conn.getresponse();
      block(1700);
      const started = performance.now();
      await assert.rejects(settles(waiting), TimeoutError);
      assert.ok(performance.now() - started < 1300, 'the limit began anew');
      await conn.request('GET', '/', null, {}, { deadline: 1.4 });
      const other = conn.getresponse();
      block(1700);
      await assert.rejects(settles(other), (error) => error instanceof TimeoutError && error.limit === 1.4);
    }));

  test('and a connection that did not come is a timeout all the same', LIMIT, () =>
    withSilentPort(async ({ port }) => {
      const conn = new HTTPConnection('127.0.0.1', port, { timeouts: { connect: 0.1 } });
      const asked = conn.request('GET', '/');
      setTimeout(() => block(300), 0);
      await assert.rejects(settles(asked), (error) => error instanceof TimeoutError && error.phase === 'connect');
    }));
});

describe('a peer that takes an upload', { concurrency: true }, () => {
  /**
   * The kernel announces room after some 1.3 MB, which this peer takes in 4 seconds. Until then it is seen every 0.3
   * seconds in what the kernel still holds: a machine that stops for a second is no peer that stalls.
   */
  const STEADY = { each: 32_768, often: 300 };
  const SEND = 2.5;
  const LONG = 7000;

  /** A peer that reads a little each time. */
  const steady = () =>
    net.createServer((socket) => {
      socket.on('error', () => {});
      let budget = 0;
      socket.on('data', ({ length }) => {
        budget -= length;
        if (budget <= 0) socket.pause();
      });
      const timer = setInterval(() => {
        budget = STEADY.each;
        socket.resume();
      }, STEADY.often);
      socket.on('close', () => clearInterval(timer));
    });

  /** A peer that reads so much, and then no more. */
  const stalling = (first) =>
    net.createServer((socket) => {
      socket.on('error', () => {});
      let left = first;
      socket.on('data', ({ length }) => {
        left -= length;
        if (left <= 0) socket.pause();
      });
    });

  /** @returns what the upload fails with; 'going on' when it does not for so many milliseconds, if they are given */
  async function upload(server, options, body, milliseconds = null) {
    const sockets = [];
    server.on('connection', (socket) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const stop = new AbortController();
    const conn = new HTTPConnection('127.0.0.1', server.address().port, options);
    const sending = conn.request('PUT', '/', body, {}, { signal: stop.signal }).then(
      () => 'sent',
      (error) => error,
    );
    const outcome = milliseconds === null ? await sending : await Promise.race([sending, sleep(milliseconds, 'going on', stop)]);
    stop.abort();
    await sending;
    for (const socket of sockets) socket.destroy();
    server.close();
    return outcome;
  }

  const bodies = {
    bytes: () => Buffer.alloc(40_000_000),
    'a generator': () =>
      (function* () {
        for (let i = 0; i < 600; i++) yield Buffer.alloc(65_536);
      })(),
    'an async generator of large pieces': () =>
      (async function* () {
        for (let i = 0; i < 10; i++) yield Buffer.alloc(4_000_000);
      })(),
  };

  for (const [what, make] of Object.entries(bodies)) {
    test(`of ${what} slowly but steadily meets no timeouts.send`, LIMIT, async () => {
      const outcome = await upload(steady(), { timeouts: { send: SEND } }, make(), LONG);
      assert.equal(outcome, 'going on', outcome?.stack);
    });

    test(`of ${what} and then no more meets it`, LIMIT, async () => {
      const outcome = await upload(stalling(2_000_000), { timeouts: { send: 0.4 } }, make());
      assert.ok(outcome instanceof TimeoutError && outcome.phase === 'send' && outcome.limit === 0.4, String(outcome?.stack ?? outcome));
    });
  }

  test('slowly meets a deadline, whatever it takes', LIMIT, async () => {
    const outcome = await upload(steady(), { timeouts: { send: SEND }, deadline: 1 }, Buffer.alloc(40_000_000));
    assert.ok(outcome instanceof TimeoutError && outcome.limit === 1, String(outcome?.stack ?? outcome));
  });
});

describe('a wait for a peer to take what is sent', () => {
  const SECONDS = 0.2;

  /** Waits, with a peer whose progress is what a function says. @returns {Promise<unknown>} what the wait is ended with */
  const waitFor = (progress, whileWaiting = () => {}) =>
    new Promise((resolve) => {
      const waiting = new Waiting(
        (error) => {
          waiting.close(() => error);
          resolve(error);
        },
        progress,
        () => {},
      );
      waiting.until('send', SECONDS, [], () => undefined).catch(() => {});
      whileWaiting();
      setTimeout(() => {
        resolve('going on');
        waiting.close(() => new Error('the test is over'));
      }, 8 * SECONDS * 1000);
    });

  /** The clock as a peer that takes something each so many milliseconds, however late it is looked at. */
  const each = (milliseconds) => {
    const started = performance.now();
    return () => String(Math.floor((performance.now() - started) / milliseconds));
  };

  test('goes on as long as it takes something within each limit, if only just', LIMIT, async () => {
    assert.equal(await waitFor(each(SECONDS * 800)), 'going on');
  });

  test('goes on when the process was too busy to see what it had taken at first', LIMIT, async () => {
    assert.equal(await waitFor(each(SECONDS * 500), () => block(2 * SECONDS * 1000)), 'going on');
  });

  test('goes on when the process is busy again and again', LIMIT, async () => {
    const beBusy = () => {
      for (let i = 0; i < 4; i++) setTimeout(() => block(SECONDS * 1200), i * 10);
    };
    assert.equal(await waitFor(each(SECONDS * 500), beBusy), 'going on');
  });

  test('ends when it takes nothing, and not before the limit', LIMIT, async () => {
    const started = performance.now();
    const outcome = await waitFor(() => 'nothing');
    assert.ok(outcome instanceof TimeoutError && outcome.phase === 'send', String(outcome));
    assert.ok(performance.now() - started > SECONDS * 1000 - 2);
  });

  test('ends when it takes nothing and the process was busy', LIMIT, async () => {
    const outcome = await waitFor(() => 'nothing', () => block(2 * SECONDS * 1000));
    assert.ok(outcome instanceof TimeoutError && outcome.phase === 'send', String(outcome));
  });

  test('ends when it is not to be known what it takes', LIMIT, async () => {
    const outcome = await waitFor(() => null);
    assert.ok(outcome instanceof TimeoutError && outcome.phase === 'send', String(outcome));
  });
});
