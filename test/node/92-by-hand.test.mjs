// SPDX-License-Identifier: MIT
//
// What is sent by hand, over what its request has announced: whatever came first (the answer, the reading, the next request, a
// close), nothing goes out behind it, and nothing of it into what follows.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CannotSendRequest, HTTPConnection, NotConnected } from '../../js/index.js';
import { settles, until, withUploads } from '../support/upload-server.mjs';

const LIMIT = { timeout: 60_000 };
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CLOSING = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';
const connect = (port, options) => new HTTPConnection('127.0.0.1', port, { timeout: 30, ...options });

/** Answers at the head of a request. @param {string} [answer] to `/up` */
const early = (answer = OK) => (request) => request.socket.write(request.url === '/up' ? answer : OK);

/** Steps of a request, with this much of its body by hand. */
function steps(fields, ...sent) {
  return async (conn) => {
    conn.putrequest('PUT', '/up');
    for (const [name, value] of fields) conn.putheader(name, value);
    await conn.endheaders();
    for (const bytes of sent) await conn.send(bytes);
  };
}

/** Requests of which all that they announce is sent. */
const REQUESTS = {
  'a request without a body': (conn) => conn.request('GET', '/up'),
  'a request with a Content-Length of 0': steps([['Content-Length', '0']]),
  'a request with a body': (conn) => conn.request('PUT', '/up', 'body'),
  'a request with chunks': (conn) => conn.request('PUT', '/up', ['bo', 'dy']),
  'a body by hand': steps([['Content-Length', '3']], 'abc'),
  'chunks by hand': steps([['Transfer-Encoding', 'chunked']], '3\r\nabc\r\n', '0\r\n\r\n'),
};

/** How far the answer has come when more is sent. */
const MOMENTS = {
  'before the answer is asked for': async () => null,
  'when the answer was taken': async (conn) => settles(conn.getresponse()),
  'when a part of the answer was read': async (conn) => {
    const response = await settles(conn.getresponse());
    assert.equal(String(await response.read(1)), 'o');
    return response;
  },
  'when the answer was read': async (conn) => {
    const response = await settles(conn.getresponse());
    assert.equal(await response.text(), 'ok');
    return response;
  },
};

/** The ways of the next request. */
const NEXT = {
  'request()': (conn) => conn.request('GET', '/next'),
  'request() with a body': (conn) => conn.request('PUT', '/next', 'body'),
  'steps': (conn) => {
    conn.putrequest('GET', '/next');
    return conn.endheaders();
  },
};

/** The request that was sent last is answered. */
async function assertAnswered(conn) {
  const response = await settles(conn.getresponse());
  assert.equal(await settles(response.text()), 'ok');
}

/** Reads what is left of an answer, if it is still there. */
async function finish(conn, response) {
  const answer = response ?? (await settles(conn.getresponse()));
  await settles(answer.read());
}

/** The next request works, on another connection than that of the one before. */
async function goesElsewhere(conn, { requests, connections }, next = NEXT['request()']) {
  await settles(next(conn), 20_000, 'the next request hangs');
  await assertAnswered(conn);
  assert.equal(connections(), 2);
  assert.deepEqual(requests.map(({ url, connection }) => [url, connection]), [['/up', requests[0].connection], ['/next', requests[0].connection + 1]]);
}

/** No request stands behind a byte that was sent by hand, which would be its first. */
const nothingBehind = ({ requests }) => assert.deepEqual(requests.filter(({ head }) => !/^(?:GET|PUT) /.test(head)), []);

/**
 * Runs with a connection to a server that answers at the head, and looks at what that was sent.
 *
 * @param {(conn: HTTPConnection, server: object) => Promise<void>} use
 * @param {string} [answer] to `/up`
 */
const withEarly = (use, answer) =>
  withUploads(early(answer), async (server) => {
    const conn = connect(server.port);
    await use(conn, server);
    nothingBehind(server);
    conn.close();
  });

for (const [what, ask] of Object.entries(REQUESTS)) {
  describe(`more than was announced, by hand, behind ${what}`, () => {
    for (const [when, answer] of Object.entries(MOMENTS)) {
      for (const [how, next] of Object.entries(NEXT)) {
        test(`${when}: ${how} goes elsewhere`, LIMIT, () =>
          withEarly(async (conn, server) => {
            await settles(ask(conn));
            const response = await answer(conn);
            await settles(conn.send('X'));
            await finish(conn, response);
            await goesElsewhere(conn, server, next);
          }));
      }

      test(`${when}, and the answer is not read: the next request goes elsewhere`, LIMIT, () =>
        withEarly(async (conn) => {
          await settles(ask(conn));
          const response = (await answer(conn)) ?? (await settles(conn.getresponse()));
          await settles(conn.send('X'));
          await settles(conn.request('GET', '/next'));
          response.close();
          await assertAnswered(conn);
        }));
    }

    for (const [when, answer] of Object.entries(MOMENTS)) {
      test(`${when}, given before the next request and coming after it: it goes nowhere`, LIMIT, () =>
        withEarly(async (conn, server) => {
          await settles(ask(conn));
          const response = await answer(conn);
          let give;
          const gate = new Promise((resolve) => {
            give = resolve;
          });
          const sent = conn.send((async function* () {
            await gate;
            yield 'X';
          })());
          const outcome = sent.then(() => 'sent', (error) => error);
          await new Promise(setImmediate); // it is asked for its first piece
          await finish(conn, response);
          await settles(conn.request('PUT', '/next', 'body'));
          give();
          assert.ok((await settles(outcome)) instanceof NotConnected);
          await assertAnswered(conn);
          await settles(conn.request('GET', '/last'));
          await assertAnswered(conn);
          assert.deepEqual(server.requests.map(({ url }) => url), ['/up', '/next', '/last']);
          assert.equal(String(server.requests[1].body), 'body');
        }));

      test(`${when}, not awaited before the next request: nothing of it goes into that`, LIMIT, () =>
        withEarly(async (conn, server) => {
          await settles(ask(conn));
          await finish(conn, await answer(conn));
          const outcome = conn.send('X').then(() => 'sent', (error) => error);
          await settles(conn.request('PUT', '/next', 'body'));
          await settles(outcome);
          await assertAnswered(conn);
          assert.equal(String(server.requests[1].body), 'body');
        }));
    }

    test('when the head of the next was begun: that goes elsewhere', LIMIT, () =>
      withEarly(async (conn, server) => {
        await settles(ask(conn));
        await finish(conn, null);
        conn.putrequest('GET', '/next');
        await settles(conn.send('X'));
        await settles(conn.endheaders());
        await assertAnswered(conn);
        assert.equal(server.connections(), 2);
      }));

    test('on a connection that its answer has closed: it opens none', LIMIT, () =>
      withEarly(async (conn, server) => {
        await settles(ask(conn));
        await finish(conn, null);
        await assert.rejects(settles(conn.send('X')), NotConnected);
        await goesElsewhere(conn, server);
      }, CLOSING));

    test('waiting when the connection is closed: it is rejected, and opens none', LIMIT, () =>
      withEarly(async (conn, server) => {
        await settles(ask(conn));
        await finish(conn, null);
        const sent = [conn.send('X'), conn.send('y')];
        conn.close();
        for (const one of sent) await assert.rejects(settles(one), NotConnected);
        assert.equal(conn.sock, null);
        assert.equal(server.connections(), 1);
      }));
  });
}

test('what is sent by hand beside a body that an early answer has met waits for its end, and is no part of it', LIMIT, () =>
  withEarly(async (conn, server) => {
    let end;
    const gate = new Promise((resolve) => {
      end = resolve;
    });
    await settles(conn.request('PUT', '/up', (async function* () {
      yield Buffer.alloc(100_000, 'a');
      await gate;
      yield 'b';
    })()));
    const response = await settles(conn.getresponse());
    const sent = conn.send('X');
    end();
    await settles(sent);
    await finish(conn, response);
    await goesElsewhere(conn, server);
    assert.equal(String(server.requests[0].body), `${'a'.repeat(100_000)}b`);
  }));

test('what an overridden send() adds to what it is handed ends the connection with its response', LIMIT, () =>
  withUploads(early(), async (server) => {
    class Adding extends HTTPConnection {
      async send(data) {
        await super.send(data);
        if (String(data) === 'body') await super.send('X');
      }
    }
    const conn = new Adding('127.0.0.1', server.port, { timeout: 30 });
    await settles(conn.request('PUT', '/up', 'body'));
    await finish(conn, null);
    await goesElsewhere(conn, server);
    nothingBehind(server);
    conn.close();
  }));

test('bytes before the first request go before it, on its connection', LIMIT, () =>
  withEarly(async (conn, server) => {
    await conn.connect();
    await conn.send('PUT /before HTTP/1.1\r\n\r\n');
    await conn.request('GET', '/next');
    await until(() => server.requests.length === 2);
    assert.deepEqual(server.requests.map(({ url }) => url), ['/before', '/next']);
    assert.equal(server.connections(), 1);
  }));

test('bytes for a connection that the caller has made anew go before its first request', LIMIT, () =>
  withEarly(async (conn, server) => {
    await settles(conn.request('GET', '/up'));
    await finish(conn, null);
    await conn.connect();
    await conn.send('PUT /before HTTP/1.1\r\n\r\n');
    await conn.request('GET', '/next');
    await until(() => server.requests.length === 3);
    assert.deepEqual(server.requests.map(({ url }) => url), ['/up', '/before', '/next']);
  }, CLOSING));

test('bytes by hand given while a request waits for the upload before it belong to that request', LIMIT, () =>
  withEarly(async (conn, server) => {
    let end;
    const gate = new Promise((resolve) => {
      end = resolve;
    });
    await settles(conn.request('PUT', '/up', (async function* () {
      yield 'a';
      await gate;
      yield 'b';
    })()));
    await finish(conn, null);
    const asked = conn.request('PUT', '/next', 'body');
    const sent = conn.send('X').then(() => 'sent', (error) => error);
    end();
    await settles(Promise.all([asked, sent]));
    await assertAnswered(conn);
    await settles(conn.request('GET', '/last'));
    await assertAnswered(conn);
    assert.deepEqual(server.requests.map(({ url, body }) => [url, String(body)]), [['/up', 'ab'], ['/next', 'body'], ['/last', '']]);
    assert.equal(server.connections(), 2);
  }));

test('while a head is being made no other request can begin, whatever was sent by hand', LIMIT, () =>
  withEarly(async (conn) => {
    await settles(conn.request('GET', '/up'));
    await finish(conn, null);
    conn.putrequest('GET', '/next');
    await settles(conn.send('X'));
    assert.throws(() => conn.putrequest('GET', '/other'), CannotSendRequest);
  }));
