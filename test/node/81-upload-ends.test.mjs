// SPDX-License-Identifier: MIT
//
// How an upload ends whose request is done already: who waits for it, who is told what failed it, and what comes next.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CannotSendRequest, HTTPConnection, HTTPException, ImproperConnectionState, NotConnected, TimeoutError } from '../../js/index.js';
import { unhandledOf } from '../support/bodies.mjs';
import { pattern, settles, until, withUploads } from '../support/upload-server.mjs';

const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const LIMIT = { timeout: 60_000 };

/** Answers the first request at its head and reads on, or not; everything else in the usual way. */
const early = (answer = OK, reads = true) => (request) => {
  if (request.url !== '/up') return request.socket.write(OK);
  if (!reads) request.socket.pause();
  return request.socket.write(answer);
};

/** A source that goes on when it is told to. */
function gated(finish = () => {}) {
  let open;
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  const source = (async function* () {
    yield Buffer.alloc(1000, 'a');
    await gate;
    finish();
    yield Buffer.alloc(1000, 'b');
  })();
  return { source, open };
}

async function works(conn) {
  await settles(conn.request('GET', '/works'), 20_000, 'the next request hangs');
  assert.equal(await settles((await settles(conn.getresponse())).text()), 'ok');
}

describe('the next request', () => {
  for (const [what, ask] of Object.entries({
    'request()': (conn) => conn.request('GET', '/next'),
    'request() with a body': (conn) => conn.request('POST', '/next', 'body'),
    'request() with an iterable': (conn) => conn.request('POST', '/next', ['bo', 'dy']),
  })) {
    test(`${what} waits for the end of the upload, and lands behind it`, LIMIT, () =>
      withUploads(early(), async ({ port, requests, connections }) => {
        const conn = connect(port);
        const { source, open } = gated();
        await settles(conn.request('PUT', '/up', source));
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        let done = false;
        const asked = ask(conn).then(() => {
          done = true;
        });
        await sleep(50);
        assert.ok(!done);
        assert.equal(requests.length, 1);
        open();
        await settles(asked);
        assert.equal(await settles((await conn.getresponse()).text()), 'ok');
        assert.equal(requests[0].length, 2000);
        assert.equal(requests[1].url, '/next');
        assert.equal(connections(), 1);
        conn.close();
      }));
  }

  test('getresponse() right behind it waits as well', LIMIT, () =>
    withUploads(early(), async ({ port }) => {
      const conn = connect(port);
      const { source, open } = gated();
      await conn.request('PUT', '/up', source);
      await (await conn.getresponse()).read();
      const both = Promise.all([conn.request('GET', '/next'), conn.getresponse()]);
      setTimeout(open, 30);
      const [, response] = await settles(both);
      assert.equal(await response.text(), 'ok');
      conn.close();
    }));

  test('it can be asked for before the response before is read, and has its response after', LIMIT, () =>
    withUploads(early(), async ({ port }) => {
      const conn = connect(port);
      const { source, open } = gated();
      await conn.request('PUT', '/up', source);
      const first = await conn.getresponse();
      const asked = conn.request('GET', '/next');
      setTimeout(open, 30);
      assert.equal(await settles(first.text()), 'ok');
      await settles(asked);
      assert.equal(await settles((await conn.getresponse()).text()), 'ok');
      conn.close();
    }));

  test('putrequest is CannotSendRequest meanwhile, with the remedy, and fine afterwards', LIMIT, () =>
    withUploads(early(), async ({ port, requests }) => {
      const conn = connect(port);
      const { source, open } = gated();
      await conn.request('PUT', '/up', source);
      await (await conn.getresponse()).read();
      assert.throws(() => conn.putrequest('GET', '/next'), (error) => error instanceof CannotSendRequest && /read the response/.test(error.message));
      open();
      await settles(requests[0].has());
      await until(() => {
        try {
          conn.putrequest('GET', '/next');
          return true;
        } catch (error) {
          assert.ok(error instanceof CannotSendRequest);
          return false;
        }
      });
      await conn.endheaders();
      assert.equal(await (await conn.getresponse()).text(), 'ok');
      conn.close();
    }));

  test('a second one meanwhile is CannotSendRequest, and takes nothing from the one that waits', LIMIT, () =>
    withUploads(early(), async ({ port, requests }) => {
      const conn = connect(port);
      const { source, open } = gated();
      await conn.request('PUT', '/up', source);
      await (await conn.getresponse()).read();
      const asked = conn.request('GET', '/next');
      await assert.rejects(conn.request('GET', '/third'), CannotSendRequest);
      assert.throws(() => conn.putrequest('GET', '/third'), CannotSendRequest);
      open();
      await settles(asked);
      assert.equal(await (await conn.getresponse()).text(), 'ok');
      assert.deepEqual(requests.map(({ url }) => url), ['/up', '/next']);
      conn.close();
    }));

  for (const [what, options, check] of [
    ['its deadline', () => ({ deadline: 0.1 }), (error) => error instanceof TimeoutError && error.limit === 0.1],
    ['its signal', () => ({ signal: AbortSignal.timeout(100) }), (error) => error.name === 'TimeoutError' && !(error instanceof TimeoutError)],
  ]) {
    test(`${what} ends its wait, and the connection works again`, LIMIT, () =>
      withUploads(early(), async ({ port }) => {
        const conn = connect(port);
        const { source, open } = gated();
        await conn.request('PUT', '/up', source);
        await (await conn.getresponse()).read();
        await assert.rejects(settles(conn.request('GET', '/next', null, {}, options())), check);
        open();
        await works(conn);
        conn.close();
      }));
  }

  test('its wait is within its own time limit too', LIMIT, () =>
    withUploads(early(OK, false), async ({ port }) => {
      const conn = connect(port, { timeouts: { send: 30 } });
      await conn.request('PUT', '/up', pattern(30_000_000));
      await (await conn.getresponse()).read();
      conn.timeouts = { send: 0.2 };
      await assert.rejects(settles(conn.request('GET', '/next')), (error) => error instanceof TimeoutError && error.phase === 'send');
      await works(conn);
      conn.close();
    }));

  test('close() ends its wait with NotConnected, and the upload, and both are forgotten', LIMIT, async () => {
    const unhandled = await unhandledOf(() =>
      withUploads(early(), async ({ port, sockets }) => {
        const conn = connect(port);
        const { source, open } = gated();
        await conn.request('PUT', '/up', source);
        await (await conn.getresponse()).read();
        const asked = conn.request('GET', '/next');
        const awaited = conn.getresponse();
        conn.close();
        await assert.rejects(settles(asked), NotConnected);
        await assert.rejects(settles(awaited), (error) => error instanceof NotConnected || error instanceof ImproperConnectionState);
        await until(() => sockets.size === 0);
        open();
        await works(conn);
        conn.close();
      }),
    );
    assert.deepEqual(unhandled, []);
  });
});

describe('what fails an upload', () => {
  const thrown = new Error('no more');
  const FAILURES = {
    'a source that throws': {
      body: () => gated(() => {
        throw thrown;
      }),
      check: (error) => error === thrown,
    },
    'a body that is too short': {
      body: () => gated(),
      headers: { 'Content-Length': '3000' },
      check: (error) => error instanceof HTTPException && /shorter/.test(error.message),
    },
    'a body that is too long': {
      body: () => gated(),
      headers: { 'Content-Length': '1500' },
      check: (error) => error instanceof HTTPException && /longer/.test(error.message),
    },
  };

  for (const [what, { body, headers = {}, check }] of Object.entries(FAILURES)) {
    test(`${what} is the error of a read that waits, of that one only, and then the connection works`, LIMIT, async () => {
      const unhandled = await unhandledOf(() =>
        withUploads(early('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok'), async ({ port }) => {
          const conn = connect(port);
          const { source, open } = body();
          await settles(conn.request('PUT', '/up', source, headers));
          const response = await conn.getresponse();
          assert.equal(String(await response.read(2)), 'ok');
          const reads = [response.read(1), response.read(1)];
          setTimeout(open, 20);
          const results = await settles(Promise.allSettled(reads));
          assert.deepEqual(results.map(({ status }) => status), ['rejected', 'rejected']);
          assert.deepEqual(results.map(({ reason }) => check(reason)), [true, false], String(results[1].reason));
          await assert.rejects(response.read(), (error) => !check(error));
          await works(conn);
          conn.close();
        }),
      );
      assert.deepEqual(unhandled, []);
    });

    test(`${what} is the error of the next read, and of no other`, LIMIT, async () => {
      const unhandled = await unhandledOf(() =>
        withUploads(early('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok'), async ({ port, sockets }) => {
          const conn = connect(port);
          const { source, open } = body();
          await settles(conn.request('PUT', '/up', source, headers));
          const response = await conn.getresponse();
          assert.equal(String(await response.read(2)), 'ok');
          open();
          await until(() => sockets.size === 0);
          await assert.rejects(settles(response.read()), check);
          await assert.rejects(settles(response.read()), (error) => !check(error));
          await works(conn);
          conn.close();
        }),
      );
      assert.deepEqual(unhandled, []);
    });

    test(`${what} is the error of getresponse() when that comes next, or of its first read, but of one of them`, LIMIT, async () => {
      const unhandled = await unhandledOf(() =>
        withUploads(early('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok'), async ({ port, sockets }) => {
          const conn = connect(port);
          const { source, open } = body();
          await settles(conn.request('PUT', '/up', source, headers));
          open();
          await until(() => sockets.size === 0);
          const errors = [];
          const response = await settles(conn.getresponse()).catch((error) => void errors.push(error));
          for (let i = 0; i < 2; i++) await settles(response?.read() ?? Promise.resolve()).catch((error) => errors.push(error));
          await settles(conn.request('GET', '/works')).then(
            async () => assert.equal(await (await conn.getresponse()).text(), 'ok'),
            (error) => errors.push(error),
          );
          assert.equal(errors.filter(check).length, 1, errors.map(String).join(', '));
          await works(conn);
          conn.close();
        }),
      );
      assert.deepEqual(unhandled, []);
    });

    for (const when of ['before', 'while']) {
      test(`${what} is the error of the next request when the response is over, failed ${when} that is asked for`, LIMIT, async () => {
        const unhandled = await unhandledOf(() =>
          withUploads(early(), async ({ port, sockets }) => {
            const conn = connect(port);
            const { source, open } = body();
            await settles(conn.request('PUT', '/up', source, headers));
            const response = await conn.getresponse();
            assert.equal(await response.text(), 'ok');
            if (when === 'before') {
              open();
              await until(() => sockets.size === 0);
            } else {
              setTimeout(open, 20);
            }
            await assert.rejects(settles(conn.request('GET', '/next')), check);
            assert.equal((await response.read()).length, 0); // it was whole
            await works(conn);
            conn.close();
          }),
        );
        assert.deepEqual(unhandled, []);
      });
    }

    test(`${what} is putrequest's error when that comes next`, LIMIT, () =>
      withUploads(early(), async ({ port, sockets }) => {
        const conn = connect(port);
        const { source, open } = body();
        await settles(conn.request('PUT', '/up', source, headers));
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        open();
        await until(() => sockets.size === 0);
        assert.throws(() => conn.putrequest('GET', '/next'), check);
        await works(conn);
        conn.close();
      }));

    test(`${what} is nobody's error after close()`, LIMIT, async () => {
      const unhandled = await unhandledOf(() =>
        withUploads(early(), async ({ port, sockets }) => {
          const conn = connect(port);
          const { source, open } = body();
          await settles(conn.request('PUT', '/up', source, headers));
          await (await conn.getresponse()).read();
          open();
          await until(() => sockets.size === 0);
          conn.close();
          await works(conn);
          conn.close();
        }),
      );
      assert.deepEqual(unhandled, []);
    });
  }

  test('a peer that takes nothing of an upload beside the answer meets timeouts.send: the next read is told', LIMIT, () =>
    withUploads(early('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok', false), async ({ port }) => {
      const conn = connect(port, { timeouts: { send: 0.8, idle: 60 } });
      await settles(conn.request('PUT', '/up', pattern(40_000_000)));
      const response = await conn.getresponse();
      assert.equal(String(await response.read(2)), 'ok');
      await assert.rejects(settles(response.read(2)), (error) => error instanceof TimeoutError && error.phase === 'send' && error.limit === 0.8);
      await assert.rejects(response.read(2), (error) => !(error instanceof TimeoutError));
      await works(conn);
      conn.close();
    }));

  test('… or the next request, when the response is over', LIMIT, () =>
    withUploads(early(OK, false), async ({ port }) => {
      const conn = connect(port, { timeouts: { send: 0.8 } });
      await settles(conn.request('PUT', '/up', pattern(40_000_000)));
      const { sock } = conn;
      assert.equal(await (await conn.getresponse()).text(), 'ok');
      await until(() => sock.destroyed);
      assert.equal(conn.sock, null); // as after other failures, although nobody was told yet
      await assert.rejects(settles(conn.request('GET', '/next')), (error) => error instanceof TimeoutError && error.phase === 'send');
      await works(conn);
      conn.close();
    }));

  test('a source that throws before any answer is the error of request() alone', LIMIT, () =>
    withUploads(early(''), async ({ port }) => {
      const conn = connect(port);
      const { source, open } = gated(() => {
        throw thrown;
      });
      setTimeout(open, 20);
      await assert.rejects(settles(conn.request('PUT', '/up', source)), (error) => error === thrown);
      assert.equal(conn.sock, null);
      await works(conn);
      conn.close();
    }));

  test('trailers that throw beside the answer are the error of exactly one operation', LIMIT, () =>
    withUploads(early(), async ({ port, sockets }) => {
      const conn = connect(port);
      const { source, open } = gated();
      const trailers = () => {
        throw thrown;
      };
      await settles(conn.request('PUT', '/up', source, {}, { trailers }));
      assert.equal(await (await conn.getresponse()).text(), 'ok');
      open();
      await until(() => sockets.size === 0);
      await assert.rejects(settles(conn.request('GET', '/next')), (error) => error === thrown);
      await works(conn);
      conn.close();
    }));
});

describe('by hand', () => {
  const head = (conn, url, length) => {
    conn.putrequest('PUT', url);
    if (length === null) conn.putheader('Transfer-Encoding', 'chunked');
    else conn.putheader('Content-Length', String(length));
    return conn.endheaders();
  };

  test('an upload that an early 2xx meets goes on, and the next request lands behind it', LIMIT, () =>
    withUploads(early(), async ({ port, requests, connections }) => {
      const conn = connect(port);
      await head(conn, '/up', 6);
      await conn.send('abc');
      assert.equal(await (await settles(conn.getresponse())).text(), 'ok');
      await settles(conn.send('def'));
      await works(conn);
      assert.equal(String(requests[0].body), 'abcdef');
      assert.equal(connections(), 1);
      conn.close();
    }));

  for (const [what, sent] of Object.entries({ 'nothing': [], 'a part': ['abc'], 'a part, and more afterwards': ['abc', 'de'] })) {
    test(`of an upload of which ${what} was sent when the answer came, the next request never lands inside`, LIMIT, () =>
      withUploads(early(), async ({ port, requests, connections }) => {
        const conn = connect(port);
        await head(conn, '/up', 6);
        if (sent[0]) await conn.send(sent[0]);
        assert.equal(await (await settles(conn.getresponse())).text(), 'ok');
        if (sent[1]) await settles(conn.send(sent[1]));
        await works(conn);
        assert.equal(connections(), 2);
        assert.equal(String(requests[0].body), sent.join(''));
        conn.close();
      }));
  }

  for (const status of ['413 Too Large', '200 OK']) {
    test(`after a stop by ${status} with close what is sent by hand resolves and goes nowhere`, LIMIT, () =>
      withUploads(
        early(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno`),
        async ({ port, requests, connections }) => {
          const conn = connect(port);
          await head(conn, '/up', 60);
          const response = await settles(conn.getresponse());
          await settles(conn.send('never'));
          assert.equal(await response.text(), 'no');
          await settles(conn.send('never'));
          await works(conn);
          assert.equal(requests[0].length, 0);
          assert.equal(connections(), 2);
          conn.close();
        },
      ));
  }

  test('after a 413 without close that was read what is sent by hand resolves and goes nowhere', LIMIT, () =>
    withUploads(early('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'), async ({ port, requests, connections }) => {
      const conn = connect(port);
      await head(conn, '/up', 60);
      await conn.send('abc');
      const response = await settles(conn.getresponse());
      await settles(conn.send('def'));
      assert.equal(await response.text(), 'no');
      await settles(conn.send('never'));
      await works(conn);
      assert.equal(String(requests[0].body), 'abcdef');
      assert.equal(connections(), 2);
      conn.close();
    }));

  test('chunks framed by hand are followed by the next request on the same connection once they are whole', LIMIT, () =>
    withUploads(early(), async ({ port, requests, connections }) => {
      const conn = connect(port);
      await head(conn, '/up', null);
      await conn.send('3\r\nabc\r\n');
      assert.equal(await (await settles(conn.getresponse())).text(), 'ok');
      await conn.send('2\r\nde');
      await conn.send('\r\n0\r\n\r\n');
      await works(conn);
      assert.equal(String(requests[0].body), 'abcde');
      assert.equal(connections(), 1);
      conn.close();
    }));

  for (const [what, sent] of Object.entries({
    'no last chunk': '3\r\nabc\r\n',
    'half a chunk': '5\r\nabc',
    'half of the end': '3\r\nabc\r\n0\r\n',
    'nothing': '',
  })) {
    test(`chunks framed by hand with ${what} end the connection with their response`, LIMIT, () =>
      withUploads(early(), async ({ port, requests, connections }) => {
        const conn = connect(port);
        await head(conn, '/up', null);
        if (sent) await conn.send(sent);
        assert.equal(await (await settles(conn.getresponse())).text(), 'ok');
        await works(conn);
        assert.equal(connections(), 2);
        assert.ok(!requests[0].whole);
        conn.close();
      }));
  }

  test('more by hand than was announced ends the connection with its response', LIMIT, () =>
    withUploads(early(), async (server) => {
      const conn = connect(server.port);
      await head(conn, '/up', 3);
      await conn.send('abcGET /smuggled HTTP/1.1\r\n\r\n');
      assert.equal(await (await settles(conn.getresponse())).text(), 'ok');
      await works(conn);
      assert.equal(server.connections(), 2);
      conn.close();
    }));

  test('send() of large pieces beside an echo does not hang, when the answer is read meanwhile', LIMIT, () =>
    withUploads(
      async (request) => {
        request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n');
        request.take = (bytes) => {
          request.length += bytes.length;
          if (!request.socket.write(bytes)) {
            request.socket.pause();
            request.socket.once('drain', () => request.socket.resume());
          }
        };
      },
      async ({ port }) => {
        const conn = connect(port);
        const bytes = pattern(20_000_000);
        await head(conn, '/up', bytes.length);
        const response = await settles(conn.getresponse());
        const [, back] = await settles(Promise.all([conn.send(bytes), response.read()]), 20_000);
        assert.ok(back.equals(bytes));
        conn.close();
      },
    ));
});
