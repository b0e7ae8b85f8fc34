// SPDX-License-Identifier: MIT
//
// What Python programs do with http.client besides calling it: class attributes, overridden steps, debug output.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import net from 'node:net';
import { describe, test } from 'node:test';
import { HTTPConnection, HTTPMessage, HTTPResponse, HTTPSConnection, NotConnected } from '../../js/index.js';
import { findProgram, runToEnd } from '../support/process.mjs';
import { withServer } from '../support/raw-server.mjs';
import { pattern, settles, withHttp, withUploads } from '../support/upload-server.mjs';

const LIMIT = { timeout: 60_000 };
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const python = findProgram('python3') === null && 'python3 is not installed';
const library = new URL('../../js/index.js', import.meta.url).href;

/** A subclass, so that nothing of a test is left on HTTPConnection. */
const make = () => class Mine extends HTTPConnection {};

describe('class attributes', () => {
  const VALUES = { debuglevel: 7, auto_open: 0, default_port: 8123, response_class: class extends HTTPResponse {} };

  for (const [name, value] of Object.entries(VALUES)) {
    const initial = HTTPConnection[name];

    test(`${name} of a class counts for instances made before and after, and not for other classes`, () => {
      const Mine = make();
      const before = new Mine('h');
      Mine[name] = value;
      assert.equal(before[name], value);
      assert.equal(new Mine('h')[name], value);
      assert.equal(new (class extends Mine {})('h')[name], value);
      assert.equal(new HTTPConnection('h')[name], initial);
      delete Mine[name];
      assert.equal(before[name], initial);
    });

    test(`${name} as a static member of a subclass, or on its prototype, is the same`, () => {
      class Static extends HTTPConnection {
        static [name] = value;
      }
      assert.equal(new Static('h')[name], value);
      const Mine = make();
      const before = new Mine('h');
      Mine.prototype[name] = value;
      assert.deepEqual([before[name], new Mine('h')[name], new HTTPConnection('h')[name]], [value, value, initial]);
    });

    test(`${name} of an instance goes before, counts for it alone, and can be deleted`, () => {
      const Mine = make();
      const one = new Mine('h');
      const other = new Mine('h');
      one[name] = value;
      assert.deepEqual([one[name], other[name]], [value, initial]);
      Mine[name] = initial;
      assert.equal(one[name], value);
      assert.ok(delete one[name]);
      assert.equal(one[name], initial);
    });

    test(`${name} as a field of a subclass is the instance's own`, () => {
      class Field extends HTTPConnection {
        [name] = value;
      }
      const one = new Field('h');
      Field[name] = initial;
      assert.equal(one[name], value);
    });
  }

  test('default_port of a class is the port of what is made afterwards', () => {
    class Mine extends HTTPConnection {
      static default_port = 8123;
    }
    assert.equal(new Mine('h').port, 8123);
    assert.equal(new HTTPSConnection('h').port, 443);
  });

  test('auto_open 0 of a class refuses what would open', async () => {
    class Mine extends HTTPConnection {
      static auto_open = 0;
    }
    await assert.rejects(new Mine('127.0.0.1', 1).request('GET', '/'), NotConnected);
  });

  test('response_class of a class makes the responses', LIMIT, () =>
    withServer(
      () => OK,
      async ({ port }) => {
        class Answer extends HTTPResponse {}
        class Mine extends HTTPConnection {
          static response_class = Answer;
        }
        const conn = new Mine('127.0.0.1', port, { timeout: 30 });
        await conn.request('GET', '/');
        assert.ok((await conn.getresponse()) instanceof Answer);
        conn.close();
      },
    ));
});

/** Calls that both languages make: method, url, body, headers, encode_chunked. A body in an array is an iterable. */
const CALLS = [
  ['GET', '/', null, {}, false],
  ['GET', '', null, { 'X-A': 'b' }, false],
  ['POST', '/', null, {}, false],
  ['POST', '/', 'data', {}, false],
  ['PUT', '/', '', {}, false],
  ['PUT', '/', ['one', 'two', '', 'three'], {}, false],
  ['PUT', '/', [], {}, false],
  ['PUT', '/', ['one', 'two'], { 'Transfer-Encoding': 'chunked' }, true],
  ['PUT', '/', ['5\r\nhello\r\n', '0\r\n\r\n'], { 'Transfer-Encoding': 'chunked' }, false],
  ['PUT', '/', ['one', 'two'], { 'Content-Length': '6' }, false],
  ['PUT', '/', 'data', { 'content-length': '4', Host: 'other' }, false],
  ['GET', '/', null, { 'Accept-Encoding': 'gzip', Host: 'h' }, false],
  ['DELETE', 'http://abs.example/path', null, {}, false],
  ['OPTIONS', '*', null, { 'X-One': '1', 'X-Two': '2' }, false],
];

const PROGRAM = `
import http.client, json, sys
class Sock:
    def sendall(self, data): pass
    def close(self): pass
def recorder(names):
    calls = []
    class Recorder(http.client.HTTPConnection):
        def connect(self): self.sock = Sock()
    def note(name):
        base = getattr(http.client.HTTPConnection, name)
        def step(self, *args, **kwargs):
            text = [a.decode('latin-1') if isinstance(a, bytes) else a if isinstance(a, (str, bool, type(None))) else str(a) if isinstance(a, int) else 'other' for a in args]
            calls.append([name, text, sorted(k for k in kwargs if kwargs[k])])
            return base(self, *args, **kwargs)
        setattr(Recorder, name, step)
    for name in names: note(name)
    return Recorder, calls
out = []
for names in json.loads(sys.argv[2]):
    for method, url, body, headers, chunked in json.loads(sys.argv[1]):
        Recorder, calls = recorder(names)
        conn = Recorder('example.org', 8080)
        if isinstance(body, list): body = (piece.encode() for piece in body)
        conn.request(method, url, body, headers, encode_chunked=chunked)
        out.append(calls)
print(json.dumps(out))
`;

const STEPS = [
  ['putrequest', 'putheader', 'endheaders', 'send'],
  ['send'],
  ['putheader'],
  ['putheader', 'send'],
  ['endheaders'],
];

/** The same with porthole. */
async function recorded(names, [method, url, body, headers, encode_chunked], port) {
  const calls = [];
  const text = (value) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
    if (typeof value === 'number') return String(value);
    return value === null || typeof value === 'string' || typeof value === 'boolean' ? value : 'other';
  };
  class Recorder extends HTTPConnection {}
  for (const name of names) {
    Recorder.prototype[name] = function (...args) {
      const last = args.at(-1);
      const options = args.length > 1 && last !== null && Object.getPrototypeOf(last) === Object.prototype ? args.pop() : {};
      calls.push([name, args.map(text), Object.keys(options).filter((key) => options[key]).sort()]);
      return HTTPConnection.prototype[name].call(this, ...args, ...(Object.keys(options).length > 0 ? [options] : []));
    };
  }
  const conn = new Recorder('127.0.0.1', port, { timeout: 30 });
  const given = Array.isArray(body)
    ? (function* () {
        for (const piece of body) yield Buffer.from(piece);
      })()
    : body;
  await settles(conn.request(method, url, given, headers, { encode_chunked }));
  conn.close();
  return calls;
}

/** The host of the tests for that of the program, which has no server. */
const withoutHost = (calls) =>
  calls.map(([name, args, options]) => [
    name,
    args.map((arg) => (typeof arg === 'string' ? arg.replace(/Host: (?:example\.org:8080|127\.0\.0\.1:\d+)/, 'Host: here').replace(/^(?:example\.org:8080|127\.0\.0\.1:\d+)$/, 'here') : arg)),
    options,
  ]);

test('overridden steps are called as CPython calls them, with what CPython gives them', { ...LIMIT, skip: python }, () =>
  withServer(
    () => undefined,
    async ({ port }) => {
      const { stdout, stderr, status } = spawnSync('python3', ['-c', PROGRAM, JSON.stringify(CALLS), JSON.stringify(STEPS)], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      const expected = JSON.parse(stdout);
      for (const names of STEPS) {
        for (const call of CALLS) {
          const wanted = withoutHost(expected.shift());
          const got = withoutHost(await recorded(names, call, port));
          assert.deepEqual(got, wanted, `${names} of ${JSON.stringify(call)}`);
        }
      }
    },
  ));

describe('an overridden send()', () => {
  const through = (send) =>
    class extends HTTPConnection {
      send(data) {
        return send.call(this, data, (given) => super.send(given));
      }
    };

  test('that is awaited puts the same on the wire as none', LIMIT, () =>
    withUploads(
      async (request) => {
        await request.has();
        request.socket.write(OK);
      },
      async ({ port, requests }) => {
        const Slow = through(async (data, send) => {
          await new Promise(setImmediate);
          await send(data);
        });
        for (const Kind of [HTTPConnection, Slow]) {
          const conn = new Kind('127.0.0.1', port, { timeout: 30 });
          for (const body of [null, 'text', Buffer.alloc(300_000, 'x'), ['a', 'bc', Buffer.alloc(100_000)]]) {
            await conn.request('PUT', '/', body, { 'X-A': 'b' });
            await (await settles(conn.getresponse())).read();
          }
          conn.close();
        }
        for (let i = 0; i < 4; i++) {
          assert.equal(requests[i].head, requests[i + 4].head);
          assert.ok(requests[i].body.equals(requests[i + 4].body));
        }
        assert.equal(new Set(requests.map(({ connection }) => connection)).size, 2);
      },
    ));

  test('that throws or rejects gives its error, and the connection works', LIMIT, () =>
    withServer(
      () => OK,
      async ({ port }) => {
        for (const fail of [
          () => {
            throw new Error('mine');
          },
          () => Promise.reject(new Error('mine')),
        ]) {
          let fails = true;
          const Mine = through((data, send) => (fails ? fail() : send(data)));
          const conn = new Mine('127.0.0.1', port, { timeout: 30 });
          await assert.rejects(settles(conn.request('POST', '/', 'x')), /^Error: mine$/);
          fails = false;
          await conn.request('GET', '/');
          assert.equal(await (await conn.getresponse()).text(), 'ok');
          conn.close();
        }
      },
    ));

  test('that changes what is sent sends that', LIMIT, () =>
    withServer(
      () => OK,
      async ({ port, requests }) => {
        const Mine = through((data, send) => send(Buffer.from(String(data).replace('/secret', '/public'))));
        const conn = new Mine('127.0.0.1', port, { timeout: 30 });
        await conn.request('GET', '/secret');
        await (await conn.getresponse()).read();
        assert.match(requests[0], /^GET \/public /);
        conn.close();
      },
    ));

  for (const size of [1000, 5_000_000, 40_000_000]) {
  test(`of a server that answers while it reads ${size} bytes does not hang`, { timeout: 60_000 }, () =>
    withHttp(
      (request, response) => request.pipe(response),
      async (port) => {
        const Mine = through((data, send) => send(data));
        const conn = new Mine('127.0.0.1', port, { timeout: 30 });
        const bytes = pattern(size);
        function* split() {
          for (let at = 0; at < size; at += 1_000_000) yield bytes.subarray(at, at + 1_000_000);
        }
        for (const body of [bytes, split()]) {
          await settles(conn.request('POST', '/', body), 30_000, 'request() hangs');
          assert.ok((await settles((await settles(conn.getresponse())).read(), 30_000)).equals(bytes));
        }
        conn.close();
      },
    ));
  }

  test('stops when the answer stops the upload', LIMIT, () =>
    withUploads(
      (request) => request.socket.write(request.url === '/next' ? OK : 'HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno'),
      async ({ port }) => {
        const Mine = through((data, send) => send(data));
        const conn = new Mine('127.0.0.1', port, { timeout: 30 });
        async function* endless() {
          for (;;) {
            yield Buffer.alloc(1000);
            await new Promise((resolve) => setTimeout(resolve, 2));
          }
        }
        await settles(conn.request('POST', '/', endless()));
        assert.equal(await (await settles(conn.getresponse())).text(), 'no');
        await settles(conn.request('GET', '/next'));
        assert.equal(await (await conn.getresponse()).text(), 'ok');
        conn.close();
      },
    ));
});

test('debug output is that of CPython, line by line', { ...LIMIT, skip: python }, () =>
  withServer(
    () => 'HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Odd: a\tb\r\nX-Two: "x\'y"\r\n\r\nok',
    async ({ port }) => {
      const run = async (command, args) => {
        const { status, output } = await runToEnd(command, args);
        assert.equal(status, 0, output);
        return output;
      };
      const theirs = await run('python3', [
        '-c',
        `import http.client
http.client.HTTPConnection.debuglevel = 1
c = http.client.HTTPConnection('127.0.0.1', ${port}, timeout=30)
for method, body in (('GET', None), ('POST', b'\\x00\\xff"q\\'')):
    c.request(method, '/', body, {'X-A': 'b'})
    c.getresponse().read()`,
      ]);
      const ours = await run(process.execPath, [
        '--input-type=module',
        '-e',
        `import { HTTPConnection } from ${JSON.stringify(library)};
        HTTPConnection.debuglevel = 1;
        const c = new HTTPConnection('127.0.0.1', ${port}, { timeout: 30 });
        for (const [method, body] of [['GET', null], ['POST', Buffer.from([0, 255, 34, 113, 39])]]) {
          await c.request(method, '/', body, { 'X-A': 'b' });
          await (await c.getresponse()).read();
        }`,
      ]);
      // CPython sends head and body of known size apart, and prints each: the bytes are the same.
      const joined = (text) => text.replaceAll(/'\nsend: b['"]/g, '');
      assert.equal(joined(ours), joined(theirs));
    },
  ));

test('an HTTPMessage can be made of pairs, and is taken as headers', LIMIT, () =>
  withServer(
    () => OK,
    async ({ port, requests }) => {
      const message = new HTTPMessage([['X-A', '1'], ['x-b', '2'], ['X-A', '3']]);
      assert.deepEqual(message.items(), [['X-A', '1'], ['x-b', '2'], ['X-A', '3']]);
      assert.equal(message.get('X-B'), '2');
      assert.deepEqual(message.get_all('x-a'), ['1', '3']);
      const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      await conn.request('GET', '/', null, message);
      await (await conn.getresponse()).read();
      assert.match(requests[0], /\r\nX-A: 1\r\nx-b: 2\r\nX-A: 3\r\n\r\n$/);
      conn.close();
    },
  ));

describe('hooks as methods of a subclass', () => {
  const interim = () => `HTTP/1.1 103 Early\r\n\r\n${OK}`;

  /** Fetches, and answers what the connection has seen. */
  async function seen(conn) {
    await conn.request('GET', '/');
    assert.equal(await (await conn.getresponse()).text(), 'ok');
    conn.close();
    return conn.seen;
  }

  class Hooked extends HTTPConnection {
    seen = [];

    lookup(host, _options, callback) {
      this.seen.push(host);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    }

    on_informational({ status }) {
      this.seen.push(status);
    }
  }

  test('lookup and on_informational are called on the connection', LIMIT, () =>
    withServer(interim, async ({ port }) => {
      assert.deepEqual(await seen(new Hooked('name.test', port)), ['name.test', 103]);
    }));

  test('create_connection is called on the connection', LIMIT, () =>
    withServer(interim, async ({ port }) => {
      class Dialing extends Hooked {
        create_connection({ host }) {
          this.seen.push(`to ${host}`);
          return net.connect(port, '127.0.0.1');
        }
      }
      assert.deepEqual(await seen(new Dialing('h')), ['to h', 103]);
    }));

  test('an option goes before the method', LIMIT, () =>
    withServer(interim, async ({ port }) => {
      const told = [];
      assert.deepEqual(await seen(new Hooked('127.0.0.1', port, { on_informational: ({ status }) => told.push(status) })), []);
      assert.deepEqual(told, [103]);
    }));
});
