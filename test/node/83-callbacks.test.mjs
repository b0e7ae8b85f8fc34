// SPDX-License-Identifier: MIT
//
// Code of the caller's that runs in the middle of an operation and acts on the connection, or fails: the operation settles,
// nothing is thrown where nobody could catch it, and the connection works afterwards.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import net from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HTTPConnection } from '../../js/index.js';
import { unhandledOf } from '../support/bodies.mjs';
import { runCode } from '../support/process.mjs';
import { reply, withServer } from '../support/raw-server.mjs';
import { settles } from '../support/upload-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const LIMIT = { timeout: 60_000 };
const CHANNELS = [
  'porthole:connection:open',
  'porthole:connection:close',
  'porthole:request:start',
  'porthole:request:sent',
  'porthole:response:informational',
  'porthole:response:headers',
  'porthole:response:end',
  'porthole:error',
];

/** What a callback can do to its connection. */
const ACTS = {
  'calls close()': ({ conn }) => conn.close(),
  'calls close() twice': ({ conn }) => {
    conn.close();
    conn.close();
  },
  'calls request()': ({ conn }) => void conn.request('GET', '/inner').catch(() => {}),
  'calls close() and request()': ({ conn }) => {
    conn.close();
    void conn.request('GET', '/inner').catch(() => {});
  },
  'calls getresponse()': ({ conn }) => void conn.getresponse().catch(() => {}),
  'calls connect()': ({ conn }) => void conn.connect().catch(() => {}),
  'aborts': ({ stop }) => stop.abort(new Error('aborted by a callback')),
  'sets sock to null': ({ conn }) => {
    conn.sock = null;
  },
  'destroys sock': ({ conn }) => void conn.sock?.destroy(),
};

/** What the error of an operation may be that was ended so: one that says so, and none from inside. */
function assertSpeaks(error) {
  const names = ['NotConnected', 'CannotSendRequest', 'ResponseNotReady', 'RemoteDisconnected', 'IncompleteRead', 'TimeoutError', 'AbortError'];
  const own = names.includes(error.name) || /aborted by a callback|by the callback/.test(error.message) || error.code === 'ECONNRESET' || /closed for sending/.test(error.message);
  assert.ok(own && !(error instanceof TypeError && !/by the callback/.test(error.message)), error.stack);
}

const answer = (head) => {
  if (head.includes('/outer')) return `HTTP/1.1 103 Early Hints\r\n\r\n${reply('hello')}`;
  return reply('hello');
};

/** Does what everybody does, and gives the errors of what failed. */
async function usual(conn, body, stop) {
  const errors = [];
  const note = (error) => void errors.push(error);
  await settles(conn.request('POST', '/outer', body, {}, { signal: stop.signal })).catch(note);
  const response = await settles(conn.getresponse()).catch(note);
  if (response) await settles(response.read()).catch(note);
  return errors;
}

async function works(conn) {
  conn.close();
  await settles(conn.request('GET', '/works'));
  assert.equal(await settles((await settles(conn.getresponse())).text()), 'hello');
  conn.close();
}

/** Runs with a callback that acts, once. */
function acting(install, act) {
  return () =>
    withServer(answer, async ({ port }) => {
      const unhandled = await unhandledOf(async () => {
        const all = { stop: new AbortController(), conn: null };
        let left = 1;
        const callback = () => {
          if (left-- > 0) act(all);
        };
        const { options = {}, body = 'body', remove = () => {}, after = () => {} } = install(callback);
        all.conn = connect(port, options);
        after(all.conn);
        try {
          for (const error of await usual(all.conn, body, all.stop)) assertSpeaks(error);
        } finally {
          remove();
        }
        left = 0;
        await works(all.conn);
      });
      assert.deepEqual(unhandled.map((error) => error?.stack ?? error), []);
    });
}

const CALLBACKS = {
  on_informational: (callback) => ({ options: { on_informational: callback } }),
  'an async on_informational': (callback) => ({
    options: {
      on_informational: async () => {
        await null;
        callback();
      },
    },
  }),
  create_connection: (callback) => ({
    options: {
      create_connection({ port }) {
        callback();
        return net.connect(port, '127.0.0.1');
      },
    },
  }),
  'an async create_connection': (callback) => ({
    options: {
      async create_connection({ port }) {
        await null;
        callback();
        return net.connect(port, '127.0.0.1');
      },
    },
  }),
  'a generator': (callback) => ({
    body: (function* () {
      yield 'one';
      callback();
      yield 'two';
    })(),
  }),
  'an async generator': (callback) => ({
    body: (async function* () {
      yield 'one';
      await new Promise(setImmediate);
      callback();
      yield 'two';
    })(),
  }),
  'read()': (callback) => {
    let pieces = 0;
    return {
      body: {
        read() {
          callback();
          pieces += 1;
          return pieces < 3 ? Buffer.from('piece') : null;
        },
      },
    };
  },
};
for (const name of CHANNELS) {
  CALLBACKS[name] = (callback) => {
    let own;
    const listener = ({ connection }) => connection === own && callback();
    diagnostics.subscribe(name, listener);
    return {
      after(conn) {
        own = conn;
        if (name === 'porthole:error') conn.on_informational = () => conn.sock.destroy(new Error('by the callback'));
      },
      remove: () => diagnostics.unsubscribe(name, listener),
    };
  };
}

for (const [who, install] of Object.entries(CALLBACKS)) {
  describe(`${who}`, () => {
    for (const [what, act] of Object.entries(ACTS)) {
      test(`that ${what} ends operations with errors that say so, and the connection works`, LIMIT, acting(install, act));
    }
    if (!who.startsWith('porthole:')) {
      test('that throws ends operations with that error, and the connection works', LIMIT, acting(install, () => {
        throw new Error('by the callback');
      }));
    }
  });
}

describe('lookup', () => {
  for (const [what, act] of Object.entries({ ...ACTS, 'throws': () => {
    throw new Error('by the callback');
  } })) {
    test(`that ${what} ends operations with errors that say so, and the connection works`, LIMIT, () =>
      withServer(answer, async ({ port }) => {
        const unhandled = await unhandledOf(async () => {
          const all = { stop: new AbortController(), conn: null };
          let left = 1;
          const lookup = (_name, _options, done) => {
            if (left-- > 0) act(all);
            done(null, [{ address: '127.0.0.1', family: 4 }]);
          };
          all.conn = new HTTPConnection('name.example', port, { timeout: 30, lookup });
          for (const error of await usual(all.conn, 'body', all.stop)) assertSpeaks(error);
          left = 0;
          await works(all.conn);
        });
        assert.deepEqual(unhandled.map((error) => error?.stack ?? error), []);
      }));
  }
});

describe('a subscriber that throws', () => {
  // Node reports what subscribers throw as uncaught exceptions: the operation itself goes on.
  const library = new URL('../../js/index.js', import.meta.url).href;
  for (const name of CHANNELS.filter((one) => one !== 'porthole:error')) {
    test(`to ${name} is Node's to report, and the operation goes on`, LIMIT, () =>
      withServer(answer, async ({ port }) => {
        const code = `import diagnostics from 'node:diagnostics_channel';
          import { HTTPConnection } from ${JSON.stringify(library)};
          const seen = new Set();
          process.on('uncaughtException', (error) => seen.add(error.message));
          diagnostics.subscribe(${JSON.stringify(name)}, () => { throw new Error('subscriber'); });
          const conn = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30, on_informational() {} });
          for (let i = 0; i < 2; i++) {
            await conn.request('POST', '/outer', 'body');
            console.log(await (await conn.getresponse()).text());
          }
          conn.close();
          await new Promise((resolve) => setTimeout(resolve, 30));
          console.log([...seen].join());`;
        const { status, output } = await runCode(code);
        assert.deepEqual([status, output], [0, 'hello\nhello\nsubscriber\n']);
      }));
  }
});

describe('an async on_informational', () => {
  const reason = new Error('not these hints');

  test('that rejects before the final head is the error of getresponse()', LIMIT, async () => {
    const unhandled = await unhandledOf(() =>
      withServer(
        (_head, socket) => {
          setTimeout(() => socket.write(reply('late')), 1000).unref();
          return 'HTTP/1.1 103 Early Hints\r\n\r\n';
        },
        async ({ port }) => {
          const conn = connect(port, {
            on_informational: async () => {
              await sleep(20);
              throw reason;
            },
          });
          await conn.request('GET', '/');
          await assert.rejects(settles(conn.getresponse()), (error) => error === reason);
          conn.on_informational = null;
          assert.equal(conn.sock, null);
        },
      ),
    );
    assert.deepEqual(unhandled, []);
  });

  test('that rejects after the final head has come is the error of getresponse(), which waits for it', LIMIT, async () => {
    const unhandled = await unhandledOf(() =>
      withServer(answer, async ({ port }) => {
        const conn = connect(port, {
          on_informational: async () => {
            await sleep(60);
            throw reason;
          },
        });
        await conn.request('GET', '/outer');
        await sleep(20);
        await assert.rejects(settles(conn.getresponse()), (error) => error === reason);
        conn.on_informational = null;
        await works(conn);
      }),
    );
    assert.deepEqual(unhandled, []);
  });

  test('that never settles is ended by close() and by a deadline', LIMIT, () =>
    withServer(answer, async ({ port }) => {
      const conn = connect(port, { on_informational: () => new Promise(() => {}) });
      await conn.request('GET', '/outer');
      const waiting = conn.getresponse();
      setTimeout(() => conn.close(), 30);
      await assert.rejects(settles(waiting), { name: 'NotConnected' });
      await conn.request('GET', '/outer', null, {}, { deadline: 1.5 });
      await assert.rejects(settles(conn.getresponse()), { name: 'TimeoutError' });
      conn.close();
    }));

  test('that rejects after close() is nobody\'s error', LIMIT, async () => {
    const unhandled = await unhandledOf(() =>
      withServer(answer, async ({ port }) => {
        const conn = connect(port, {
          on_informational: async () => {
            await sleep(40);
            throw reason;
          },
        });
        await conn.request('GET', '/outer');
        const waiting = conn.getresponse().catch(() => {});
        await sleep(20);
        conn.close();
        await settles(waiting);
        conn.on_informational = null;
        await works(conn);
        await sleep(40);
      }),
    );
    assert.deepEqual(unhandled, []);
  });
});

describe('the async context', () => {
  test('of callbacks and channels is that of the request that they belong to', LIMIT, () =>
    withServer(answer, async ({ port }) => {
      const storage = new AsyncLocalStorage();
      const seen = [];
      const conn = storage.run('maker', () => connect(port, { on_informational: () => seen.push(['on_informational', storage.getStore()]) }));
      const listeners = CHANNELS.filter((name) => !name.startsWith('porthole:connection')).map((name) => {
        const listener = ({ connection }) => connection === conn && seen.push([name, storage.getStore()]);
        diagnostics.subscribe(name, listener);
        return () => diagnostics.unsubscribe(name, listener);
      });
      try {
        for (const id of ['first', 'second', 'third']) {
          seen.length = 0;
          await storage.run(id, async () => {
            await conn.request('GET', '/outer');
            await (await conn.getresponse()).read();
          });
          assert.ok(seen.length >= 6, JSON.stringify(seen));
          for (const [name, store] of seen) assert.equal(store, id, name);
        }
        // Who reads is not who asked: what is told of the head still belongs to who asked.
        seen.length = 0;
        await storage.run('asks', () => conn.request('GET', '/outer'));
        const response = await storage.run('reads', () => conn.getresponse());
        await storage.run('reads', () => response.read());
        const stores = Object.fromEntries(seen);
        assert.equal(stores.on_informational, 'asks');
        assert.equal(stores['porthole:response:informational'], 'asks');
      } finally {
        for (const remove of listeners) remove();
      }
      conn.close();
    }));

  test('of what waits for an operation is its own', LIMIT, () =>
    withServer(answer, async ({ port }) => {
      const storage = new AsyncLocalStorage();
      const run = (id) =>
        storage.run(id, async () => {
          const conn = connect(port);
          for (let i = 0; i < 3; i++) {
            await conn.request('GET', '/outer');
            assert.equal(storage.getStore(), id);
            const response = await conn.getresponse();
            assert.equal(storage.getStore(), id);
            await response.read();
            assert.equal(storage.getStore(), id);
          }
          conn.close();
        });
      await Promise.all(['a', 'b', 'c'].map(run));
    }));
});
