// SPDX-License-Identifier: MIT
//
// porthole-client.wasm by itself: the same calls on it under PyPI's wasmtime and under jco.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { exportsOf, importsOf, SOCKETS } from '../wasi/imports.mjs';
import { component, lacking, performUnder, RUNTIMES, serve, transpiled } from './setup.mjs';

const skip = await lacking();
const KIB = 1024;

const bytes = (text) => ({ bytes: text });
/** A call on a resource: "c…" is a connection, "r…" a response. */
const step = (on, call, ...args) => ({ on, call, arguments: args });
const made = (on, port) => step(on, 'new', '127.0.0.1', port);
const get = (on, url = '/') => step(on, 'request', 'GET', url, null, []);
const response = (on, as) => ({ ...step(on, 'getresponse'), as });
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

describe('porthole-client.wasm', { skip }, () => {
  let folder;

  before(async () => {
    folder = await transpiled(component, 'client');
  });

  test('it needs WASI 0.2 and no adapter, and is small', async () => {
    assert.deepEqual(await importsOf(component), SOCKETS);
    assert.deepEqual(await exportsOf(component), ['porthole:http/client@0.1.0']);
    assert.ok(statSync(component).size <= 64 * KIB, `${statSync(component).size} bytes`);
  });

  for (const name of RUNTIMES) {
    /** Makes calls. @returns {Promise<unknown[]>} what each answers */
    const perform = (steps, options) => performUnder(name, folder, steps, options);

    /** Makes calls that end with an error. */
    const failure = async (...steps) => (await perform(steps)).at(-1).error;

    test(`under ${name} a response has all that came`, async (t) => {
      const head = 'HTTP/1.0 404 Gr\xfc\xdfe\r\nA: 1\r\nB: \xe4\r\na: 2\r\nContent-Length: 5\r\n\r\n';
      const { port, texts } = await serve(t, (socket) => socket.write(`${head}hello`, 'latin1'));
      const request = step('c', 'request', 'GET', '/x', null, [['X', bytes('\xe4')]]);
      const looks = ['status', 'version', 'reason', 'will-close', 'isclosed', 'getheaders'].map((call) => step('r', call));
      const results = await perform([
        made('c', port), request, response('c', 'r'), ...looks, step('r', 'getheader', 'a'), step('r', 'getheader', 'C'),
        step('r', 'read', 3), step('r', 'isclosed'), step('r', 'read', 30), step('r', 'isclosed'), step('r', 'read', 1), step('r', 'trailers'),
      ]);
      assert.deepEqual(results.slice(3), [
        404, 10, 'Gr\xfc\xdfe', true, false,
        [['A', bytes('1')], ['B', bytes('\xe4')], ['a', bytes('2')], ['Content-Length', bytes('5')]], bytes('1'), null,
        bytes('hel'), false, bytes('lo'), true, bytes(''), [],
      ]);
      assert.deepEqual(texts, [`GET /x HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept-Encoding: identity\r\nX: \xe4\r\n\r\n`]);
    });

    test(`under ${name} bodies are sent whole, in pieces with trailers, and by hand`, async (t) => {
      const { port, texts } = await serve(t, (socket, text) => {
        if (!/end$|0\r\nT: u\r\n\r\n$|Length: 0\r\n/.test(text)) return false;
        socket.write('HTTP/1.1 204 No Content\r\n\r\n');
        return true;
      });
      const host = `Host: 127.0.0.1:${port}\r\n`;
      const coding = 'Accept-Encoding: identity\r\n';
      const results = await perform([
        made('c', port),
        step('c', 'request', 'PUT', '/a', bytes('the end'), []), response('c', 'r1'),
        step('c', 'request', 'PUT', '/b', bytes(''), []), response('c', 'r2'),
        step('c', 'begin', 'POST', '/c', null, []), step('c', 'send', bytes('one')), step('c', 'send', bytes('')), step('c', 'send', bytes('two')),
        step('c', 'endbody', [['T', bytes('u')]]), response('c', 'r3'),
        step('c', 'begin', 'POST', '/d', { u64: 3 }, []), step('c', 'send', bytes('end')), step('c', 'endbody', []), response('c', 'r4'),
        step('c', 'putrequest', 'PUT', '/e', { flags: ['host', 'accept-encoding'] }), step('c', 'putheader', 'Content-Length', bytes('3')),
        step('c', 'endheaders', bytes('end')), response('c', 'r5'),
        step('c', 'putrequest', 'PUT', '/f', { flags: [] }), step('c', 'putheader', 'Content-Length', bytes('3')),
        step('c', 'endheaders', null), step('c', 'send', bytes('end')), response('c', 'r6'), step('r6', 'status'),
      ]);
      assert.deepEqual(results.filter((result) => typeof result === 'object' && result !== null), []);
      assert.deepEqual(results.filter((result) => typeof result === 'number'), [3, 0, 3, 3, 3, 204]);
      assert.deepEqual(texts, [[
        `PUT /a HTTP/1.1\r\n${host}${coding}Content-Length: 7\r\n\r\nthe end`,
        `PUT /b HTTP/1.1\r\n${host}${coding}Content-Length: 0\r\n\r\n`,
        `POST /c HTTP/1.1\r\n${host}${coding}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nT: u\r\n\r\n`,
        `POST /d HTTP/1.1\r\n${host}${coding}Content-Length: 3\r\n\r\nend`,
        'PUT /e HTTP/1.1\r\nContent-Length: 3\r\n\r\nend',
        `PUT /f HTTP/1.1\r\n${host}${coding}Content-Length: 3\r\n\r\nend`,
      ].join('')]);
    });

    test(`under ${name} read1 answers what is there while the rest is not, with two connections`, async (t) => {
      const { port, sockets } = await serve(t, (socket, text) => {
        if (text.startsWith('GET /go ')) {
          sockets[0].write('two');
          socket.write(hello);
        } else {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none');
        }
      });
      const results = await perform([
        made('c', port), get('c'), response('c', 'r'), step('r', 'read1', 2), step('r', 'read1', 100),
        made('c2', port), get('c2', '/go'), response('c2', 'r2'),
        step('r', 'read', 100), step('r2', 'read', 100), step('r', 'read1', 100),
      ]);
      assert.deepEqual(results.filter((result) => result?.bytes !== undefined), ['on', 'e', 'two', 'hello', ''].map(bytes));
    });

    test(`under ${name} a large body comes by pieces of a megabyte at most`, async (t) => {
      const size = 1_500_000;
      const body = 'x'.repeat(size);
      const { port } = await serve(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${body}`));
      const read = step('r', 'read', 0xffffffff);
      const results = await perform([made('c', port), get('c'), response('c', 'r'), read, read, read]);
      assert.deepEqual(results.slice(3).map(({ bytes: text }) => text.length), [1 << 20, size - (1 << 20), 0]);
    });

    test(`under ${name} trailers are there after the body, and stay`, async (t) => {
      const { port } = await serve(t, (socket, text) => {
        socket.write(text.startsWith('GET / ') ? 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: 1\r\nB:2\r\n\r\n' : hello);
      });
      const results = await perform([
        made('c', port), get('c'), response('c', 'r'), step('r', 'trailers'), step('r', 'read', 100), step('r', 'trailers'),
        get('c', '/2'), response('c', 'r2'), step('r', 'trailers'), step('r', 'reason'), step('r2', 'read', 9),
      ]);
      const trailers = [['A', bytes('1')], ['B', bytes('2')]];
      assert.deepEqual(results.slice(3), [[], bytes('hi'), trailers, null, 'resource', trailers, 'OK', bytes('hello')]);
    });

    test(`under ${name} interim responses are kept where that was asked for`, async (t) => {
      const { port } = await serve(t, (socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n${hello}`));
      const results = await perform([
        made('c', port), get('c'), response('c', 'r'), step('c', 'interims'), step('r', 'read', 9),
        step('c', 'keep-interim', 4096), get('c'), response('c', 'r'), step('c', 'interims'),
      ]);
      assert.deepEqual(results[3], []);
      assert.deepEqual(results.at(-1), [{ status: 103, headers: [['Link', bytes('</a>')]] }, { status: 102, headers: [] }]);
    });

    test(`under ${name} a body waits for the 100 that was asked for`, async (t) => {
      const { port, texts } = await serve(t, (socket, text) => {
        if (text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        if (!text.endsWith('body')) return false;
        socket.write(hello);
        return true;
      });
      await perform([made('c', port), step('c', 'expect-continue', 60000), step('c', 'request', 'PUT', '/', bytes('body'), []), response('c', 'r')]);
      assert.match(texts[0], /\r\nExpect: 100-continue\r\n\r\nbody$/);
    });

    test(`under ${name} a tunnel is asked for, and used`, async (t) => {
      const { port, texts } = await serve(t, (socket, text) => {
        socket.write(text.startsWith('CONNECT') ? 'HTTP/1.1 200 Connected\r\n\r\n' : hello);
      });
      const results = await perform([
        made('c', port), step('c', 'set-tunnel', 'other.test', null, []),
        step('c', 'set-tunnel', 'end.test', 8080, [['P', bytes('q')], ['R', bytes('s')]]), get('c', '/in'), response('c', 'r'), step('r', 'read', 9),
      ]);
      assert.deepEqual(results.at(-1), bytes('hello'));
      assert.match(texts[0], /^CONNECT end\.test:8080 HTTP\/1\.1\r\nP: q\r\nR: s\r\nHost: end\.test:8080\r\n\r\nGET \/in HTTP\/1\.1\r\nHost: end\.test:8080\r\n/);
    });

    test(`under ${name} a tunnel that is refused tells what the proxy said`, async (t) => {
      const { port } = await serve(t, (socket) => socket.end('HTTP/1.1 403 Nicht f\xfcr Sie\r\n\r\n', 'latin1'));
      const { kind, message, status } = await failure(made('c', port), step('c', 'set-tunnel', 'end.test', 80, []), get('c'));
      assert.deepEqual([kind, status, message], ['tunnel-error', 403, 'Tunnel connection failed: 403 Nicht f\xfcr Sie']);
    });

    const answers = {
      'bad-status-line': ['HTTQ/1.1 200 OK\r\n\r\n', -100, 'ERR_HTTP_BAD_STATUS_LINE', 'the status line was not understood'],
      'unknown-protocol': ['HTTP/2.0 200 OK\r\n\r\n', -101, 'ERR_HTTP_UNKNOWN_PROTOCOL', 'the server speaks a version of HTTP other than 1.x'],
      'remote-disconnected': ['', -102, 'ECONNRESET', 'Remote end closed connection without response'],
      'incomplete-read': ['HTTP/1.1 200 OK\r\nA: b\r\n', -103, 'ERR_HTTP_INCOMPLETE_READ', 'the header section ended early'],
      'line-too-long': [`HTTP/1.1 ${'x'.repeat(200)}`, -200, 'ERR_HTTP_LINE_TOO_LONG', 'got more than 100 bytes when reading status line'],
      'unknown-transfer-encoding': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', -119, 'ERR_HTTP_UNKNOWN_TRANSFER_ENCODING', 'a Transfer-Encoding other than chunked'],
      'http-exception': ['HTTP/1.1 200 OK\r\n A: b\r\n\r\n', -114, 'ERR_HTTP_INVALID_HEADER', 'white space before the first header'],
    };
    for (const [kind, [answer, code, errorName, message]] of Object.entries(answers)) {
      test(`under ${name} what a server does wrong is ${kind}`, async (t) => {
        const { port, texts } = await serve(t, (socket) => socket.end(answer));
        const error = await failure(made('c', port), step('c', 'set-limit', 'line', { u64: 100 }), get('c'), response('c', 'r'));
        const { received, sent, ...rest } = error;
        assert.deepEqual(rest, { kind, code, name: errorName, message, status: null, 'retry-safe': 'unknown' });
        assert.equal(sent, texts[0].length);
        assert.equal(received, answer.length);
      });
    }

    test(`under ${name} a body that is cut is given, then the error with what was received`, async (t) => {
      const cut = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello';
      const { port } = await serve(t, (socket) => socket.end(cut));
      const read = step('r', 'read', 100);
      const results = await perform([made('c', port), get('c'), response('c', 'r'), read, read, read, step('r', 'status'), step('r', 'isclosed')]);
      assert.deepEqual(results[3], bytes('hello'));
      for (const { error } of results.slice(4, 6)) {
        assert.deepEqual([error.kind, error['retry-safe'], error.received, error.message], ['incomplete-read', 'no', cut.length, 'the body ended early']);
      }
      assert.deepEqual(results.slice(6), [200, false]);
    });

    test(`under ${name} what can't be connected says why, and that a retry is safe`, async (t) => {
      const { port } = await serve(t, () => {});
      const results = await perform([
        step('c', 'new', '127.0.0.1:1', null), get('c'),
        made('c2', port), step('c2', 'use-tls'), get('c2'),
        made('c3', port), step('c3', 'set-family', 'ipv6'), get('c3'),
        step('c4', 'new', 'localhost', port), step('c4', 'set-family', 'ipv4'), step('c4', 'connect'),
      ]);
      const errors = [results[1], results[4], results[7]].map(({ error }) => [error.kind, error.name, error['retry-safe'], error.sent]);
      assert.deepEqual(errors, ['ECONNREFUSED', 'ENOTSUP', 'ENOTFOUND'].map((code) => ['os-error', code, 'yes', 0]));
      assert.equal(results.at(-1), null);
    });

    test(`under ${name} what is refused says so, and changes nothing`, async (t) => {
      const { port, texts } = await serve(t, (socket) => socket.write(hello));
      const refused = [
        [get('c', '/a b'), 'invalid-url', 'ERR_HTTP_INVALID_URL'],
        [get('c', '/a\0b'), 'invalid-url', 'ERR_HTTP_INVALID_URL'],
        [get('c', '/\xe4'), 'type-error', 'ERR_INVALID_CHAR'],
        [step('c', 'request', '', '/', null, []), 'type-error', 'ERR_INVALID_ARG_VALUE'],
        [step('c', 'request', 'GET\0', '/', null, []), 'type-error', 'ERR_INVALID_CHAR'],
        [step('c', 'request', 'GET', '/', null, [['A', bytes('b\0c')]]), 'type-error', 'ERR_INVALID_CHAR'],
        [step('c', 'request', 'GET', '/', null, [['A', bytes('b\r\nc: d')]]), 'type-error', 'ERR_INVALID_CHAR'],
        [step('c', 'request', 'GET', '/', null, [['\xe4', bytes('b')]]), 'type-error', 'ERR_INVALID_CHAR'],
        [step('c', 'request', 'GET', '/', null, Array(129).fill(['A', bytes('b')])), 'type-error', 'ERR_INVALID_ARG_VALUE'],
        [step('c', 'putheader', 'A', bytes('b')), 'cannot-send-header', 'ERR_HTTP_CANNOT_SEND_HEADER'],
        [step('c', 'send', bytes('b')), 'cannot-send-header', 'ERR_HTTP_CANNOT_SEND_HEADER'],
        [step('c', 'endbody', []), 'cannot-send-header', 'ERR_HTTP_CANNOT_SEND_HEADER'],
        [step('c', 'endheaders', null), 'cannot-send-header', 'ERR_HTTP_CANNOT_SEND_HEADER'],
        [response('c', 'r'), 'response-not-ready', 'ERR_HTTP_RESPONSE_NOT_READY'],
        [step('c', 'set-limit', 'head', { u64: 1 << 30 }), 'type-error', 'ERR_INVALID_ARG_VALUE'],
        [step('c', 'set-tunnel', 'a b', null, []), 'invalid-url', 'ERR_HTTP_INVALID_URL'],
        [step('c', 'set-tunnel', 'a', null, [['A', bytes('b\0')]]), 'type-error', 'ERR_INVALID_CHAR'],
      ];
      const results = await perform([made('c', port), ...refused.map(([call]) => call), get('c'), response('c', 'r'), step('r', 'read', 9)]);
      const errors = results.slice(1, -3).map(({ error }) => [error.kind, error.name, error['retry-safe']]);
      assert.deepEqual(errors, refused.map(([, kind, code]) => [kind, code, 'yes']));
      assert.deepEqual(results.at(-1), bytes('hello'));
      assert.equal(texts.length, 1);
    });

    test(`under ${name} hosts and ports that can't be are told by the first request`, async () => {
      const hosts = ['', 'a b', 'a\0b', 'a:99999', '::1'];
      const results = await perform(hosts.flatMap((host) => [step('c', 'new', host, null), get('c')]));
      const errors = results.filter((result) => result?.error).map(({ error }) => error.kind);
      assert.deepEqual(errors, hosts.map(() => 'invalid-url'));
    });

    test(`under ${name} a server that says nothing is given up in time, and one that drips at the deadline`, async (t) => {
      const { port } = await serve(t, (socket, text) => {
        if (!text.startsWith('GET /drip ')) return;
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const drip = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(drip));
      });
      const results = await perform([
        made('c', port), step('c', 'set-timeout', 1000), get('c'), response('c', 'r'),
        made('c2', port), step('c2', 'set-deadline', 2000), get('c2', '/drip'), response('c2', 'r2'), step('r2', 'read', 9999), step('r2', 'read', 9999),
      ]);
      const [silent, dripping] = [results[3], results.at(-1)].map(({ error }) => [error.kind, error.name]);
      assert.deepEqual([silent, dripping], Array(2).fill(['timeout-error', 'ETIMEDOUT']));
      assert.match(results.at(-2).bytes, /^x+$/);
    });

    test(`under ${name} a timeout of 0 waits for nothing, and wait for what it would`, async (t) => {
      const { port, sockets } = await serve(t, (socket, text) => {
        if (!text.startsWith('GET /go ')) return;
        sockets[0].write(hello);
        socket.write(hello);
      });
      const results = await perform([
        made('c', port), step('c', 'connect'), step('c', 'set-timeout', 0), get('c'), response('c', 'r'),
        made('c2', port), get('c2', '/go'), response('c2', 'r2'), { again: response('c', 'r') }, { again: step('r', 'read', 9) },
      ]);
      assert.equal(results[4].error.kind, 'would-block');
      assert.deepEqual(results.slice(-2), ['resource', bytes('hello')]);
    });

    /** Starts a server that says hello, and answers /done once all other connections are closed. */
    const serveUntilClosed = (t) => serve(t, async (socket, text, closings) => {
      if (text.startsWith('GET /done ')) await Promise.all(closings.slice(0, -1));
      socket.write(hello);
    });
    const doneAt = (port) => [made('d', port), get('d', '/done'), response('d', 'rd'), step('rd', 'status')];

    test(`under ${name} a response outlives its connection, which closes at its end`, async (t) => {
      const { port } = await serveUntilClosed(t);
      const results = await perform([
        made('c', port), get('c'), response('c', 'r'), step('c', 'drop'), step('r', 'read', 3),
        made('c2', port), get('c2'), response('c2', 'r2'), step('r2', 'read', 9), step('c2', 'drop'),
        step('r', 'read', 9), ...doneAt(port), step('r', 'read', 9), step('r', 'status'), step('r', 'drop'), step('r2', 'reason'), step('r2', 'drop'),
      ]);
      assert.deepEqual(results.filter((result) => result?.bytes !== undefined), ['hel', 'hello', 'lo', ''].map(bytes));
      assert.deepEqual(results.slice(-4), [200, null, 'OK', null]);
    });

    test(`under ${name} connections and responses close in any order of dropping, unread ones too`, async (t) => {
      const { port, texts } = await serveUntilClosed(t);
      const open = (n) => [made(`c${n}`, port), get(`c${n}`), response(`c${n}`, `r${n}`)];
      const results = await perform([
        ...open(1), step('c1', 'drop'), step('r1', 'drop'),
        ...open(2), step('r2', 'drop'), step('c2', 'drop'),
        made('c3', port), get('c3'), step('c3', 'drop'),
        made('c4', port), step('c4', 'begin', 'PUT', '/', { u64: 9 }, []), step('c4', 'send', bytes('half')), step('c4', 'drop'),
        ...doneAt(port),
      ]);
      assert.equal(results.at(-1), 200);
      assert.equal(texts.length, 5);
    });

    test(`under ${name} a response that is dropped unread closes the connection, and the next request opens another`, async (t) => {
      const { port, texts } = await serve(t, (socket) => socket.write(hello));
      const results = await perform([
        made('c', port), get('c'), response('c', 'r'), step('r', 'read', 2), step('r', 'drop'), get('c'), response('c', 'r2'), step('r2', 'read', 9),
      ]);
      assert.deepEqual(results.at(-1), bytes('hello'));
      assert.equal(texts.length, 2);
    });

    test(`under ${name} close() takes the body away, and leaves the head`, async (t) => {
      const { port } = await serve(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhe'));
      const results = await perform([
        made('c', port), get('c'), response('c', 'r'), step('c', 'close'), step('c', 'close'), step('r', 'read', 9), step('r', 'read1', 9),
        step('r', 'getheader', 'A'), step('r', 'isclosed'), get('c'), step('r', 'getheader', 'A'), step('r', 'drop'), response('c', 'r2'), step('r2', 'read', 2),
      ]);
      for (const { error } of results.slice(5, 7)) assert.deepEqual([error.kind, error['retry-safe']], ['not-connected', 'no']);
      assert.deepEqual(results.slice(7), [bytes('b'), false, null, bytes('b'), null, 'resource', bytes('he')]);
    });

    test(`under ${name} a request can go out before a response is read, which is read first`, async (t) => {
      const { port, texts } = await serve(t, (socket) => socket.write(hello));
      const results = await perform([
        made('c', port), get('c'), response('c', 'r'), get('c', '/2'), response('c', 'r2'), get('c', '/3'), step('c', 'set-tunnel', 'a', null, []),
        step('r', 'read', 9), step('r', 'isclosed'), response('c', 'r2'), step('r2', 'read', 9),
      ]);
      assert.equal(results[3], null);
      assert.deepEqual(results.slice(4, 7).map(({ error }) => error.kind), ['response-not-ready', 'cannot-send-request', 'cannot-send-request']);
      assert.deepEqual(results.slice(7), [bytes('hello'), true, 'resource', bytes('hello')]);
      assert.match(texts[0], /^GET \/ [\s\S]*GET \/2 /);
      assert.doesNotMatch(texts[0], /\/3/);
    });

    test(`under ${name} 1,000 requests on one connection take no more memory than ten`, async (t) => {
      const { port, texts } = await serve(t, (socket) => socket.write(hello));
      const one = [get('c'), response('c', 'r'), step('r', 'getheaders'), step('r', 'read', 100000), step('r', 'drop')];
      const [, , before, last, end] = await perform(
        [made('c', port), { repeat: 10, steps: one }, step('c', 'memory'), { repeat: 990, steps: one }, step('c', 'memory')],
        { limited: true },
      );
      assert.deepEqual(last[3], bytes('hello'));
      assert.equal(end, before);
      assert.equal(texts.length, 1);
    });

    test(`under ${name} 100 connections one after the other take no more memory than one`, async (t) => {
      const { port, texts } = await serve(t, (socket) => socket.write(hello));
      const one = [
        made('c', port), step('c', 'keep-interim', 9999), step('c', 'set-tunnel', null, null, []), get('c'), response('c', 'r'),
        step('c', 'drop'), step('r', 'read', 2), step('r', 'drop'),
      ];
      const [, before, last, end] = await perform([{ repeat: 1, steps: one }, step('c', 'memory'), { repeat: 99, steps: one }, step('c', 'memory')], { limited: true });
      assert.deepEqual(last[6], bytes('he'));
      assert.equal(end, before);
      assert.equal(texts.length, 100);
    });

    test(`under ${name} too many connections are refused, and dropping them makes room`, async (t) => {
      const { port } = await serve(t, (socket) => socket.write(hello));
      const all = Array.from({ length: 250 }, (_, index) => `c${index}`);
      const last = all.at(-1);
      const results = await perform([
        ...all.map((on) => made(on, port)), get(last), step(last, 'set-timeout', 1), step(last, 'close'), step(last, 'interims'), ...all.map((on) => step(on, 'drop')),
        made('c', port), get('c'), response('c', 'r'), step('r', 'read', 9),
      ]);
      const { kind, name: code, 'retry-safe': safe } = results[all.length].error;
      assert.deepEqual([kind, code, safe], ['os-error', 'EMFILE', 'yes']);
      assert.deepEqual(results.at(-1), bytes('hello'));
    });
  }
});
