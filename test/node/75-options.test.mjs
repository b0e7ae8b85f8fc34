// SPDX-License-Identifier: MIT
//
// Options: those that there aren't are refused, with the one that was meant; and what may be assigned later is looked at
// as what is given to the constructor.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HTTPConnection, HTTPSConnection, InvalidURL } from '../../js/index.js';
import { checkHost, checkOptions, checkPort, NO_OPTIONS, OPTIONS } from '../../js/request/options.js';
import { reply, withServer } from '../support/raw-server.mjs';

const refused = (make, message) => assert.throws(make, { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message });

/** [option, what the message has to say] */
const unknown = [
  ['timout', /^there is no option "timout" of HTTPConnection: did you mean "timeout"\?$/],
  ['Timeout', /did you mean "timeout"/],
  ['sourceAddress', /did you mean "source_address"/],
  ['socketPath', /did you mean "socket_path"/],
  ['singal', /did you mean "signal"/],
  ['blocksiez', /did you mean "blocksize"/],
  ['createConnection', /did you mean "create_connection"/],
  ['max_headers', /it must be one of timeout, source_address/],
  ['context', /^there is no option "context" of HTTPConnection: it is an option of HTTPSConnection$/],
  ['check_hostname', /it is an option of HTTPSConnection/],
  ['encode_chunked', /it is an option of request and endheaders/],
  ['rejectUnauthorized', /context: \{ rejectUnauthorized: false \}/],
  ['ca', /create_default_context\(\{ cafile \}\)/],
  ['cafile', /create_default_context\(\{ cafile \}\)/],
  ['key', /load_cert_chain/],
  ['agent', /keep the HTTPConnection/],
  ['keepAlive', /keep the HTTPConnection/],
  ['method', /first argument of request/],
  ['headers', /fourth argument of request/],
  ['host', /first argument of the constructor/],
  ['hostname', /first argument of the constructor/],
  ['port', /second argument of the constructor/],
  ['proxy', /set_tunnel/],
  ['maxHeaderSize', /limits\.head/],
  ['debuglevel', /property of the connection/],
  ['zzz', /it must be one of timeout, /],
  ['constructor', /it must be one of/],
  ['', /there is no option ""/],
];

for (const [name, message] of unknown) {
  test(`the option ${JSON.stringify(name)} is refused, with what to do`, () => {
    refused(() => new HTTPConnection('h', 80, { [name]: 1 }), message);
    refused(() => new HTTPConnection('h', { timeout: 1, [name]: 1 }), message);
  });
}

test('a member that is undefined does not count, and null does', () => {
  new HTTPConnection('h', 80, { timout: undefined, context: undefined, agent: undefined });
  refused(() => new HTTPConnection('h', 80, { timout: null }), /"timout"/);
});

test('options of HTTPSConnection are known there, and refused there by its name', () => {
  new HTTPSConnection('h', { context: {}, timeout: 3 });
  refused(() => new HTTPSConnection('h', { contxt: {} }), /of HTTPSConnection: did you mean "context"/);
});

test('a class that extends takes the options of the class that it extends', () => {
  class Mine extends HTTPSConnection {}
  new Mine('h', { context: {} });
  refused(() => new Mine('h', { mine: 1 }), /"mine" of HTTPSConnection/);
});

test('inherited members are options as well, and what all objects have is none', () => {
  const defaults = Object.create({ timeout: 7 });
  assert.equal(new HTTPConnection('h', defaults).timeout, 7);
  refused(() => new HTTPConnection('h', Object.create({ timout: 7 })), /"timout"/);
  Object.prototype.extended = 1;
  try {
    new HTTPConnection('h', { timeout: 1, limits: {}, timeouts: {} });
  } finally {
    delete Object.prototype.extended;
  }
});

test('what is no object is no set of options', () => {
  for (const options of [1, 'timeout', true, [], () => {}, Symbol('s')]) {
    assert.throws(() => new HTTPConnection('h', 80, options), { code: 'ERR_INVALID_ARG_TYPE' });
  }
});

test('members of limits and of timeouts that there are not are refused', () => {
  refused(() => new HTTPConnection('h', { limits: { heads: 1 } }), /^there is no limit "heads": did you mean "head"\? \(it must be one of line, headers, /);
  refused(() => new HTTPConnection('h', { limits: { chunkExtension: 1 } }), /did you mean "chunk_extension"/);
  refused(() => new HTTPConnection('h', { timeouts: { conect: 1 } }), /^there is no timeout "conect": did you mean "connect"\? \(it must be one of lookup, /);
  refused(() => new HTTPConnection('h', { timeouts: { read: 1 } }), /must be one of lookup, connect/);
  const connection = new HTTPConnection('h', { limits: { heads: undefined }, timeouts: { read: undefined } });
  refused(() => (connection.timeouts = { reed: 1 }), /"reed"/);
  refused(() => (connection.limits = { reed: 1 }), /"reed"/);
  assert.throws(() => (connection.timeouts = 5), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('limits that are read and assigned again stay', () => {
  const connection = new HTTPConnection('h', { limits: { head: 5000 } });
  connection.limits = { ...connection.limits, headers: 7 };
  assert.deepEqual([connection.limits.head, connection.limits.headers, connection.max_response_headers], [5000, 7, 7]);
});

test('options of methods that there are not are refused, and the connection stays usable', () =>
  withServer(
    () => reply('ok'),
    async ({ port, requests }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      const rejects = (promise, message) => assert.rejects(promise, { code: 'ERR_INVALID_ARG_VALUE', message });
      await rejects(connection.request('GET', '/', null, {}, { encodeChunked: true }), /did you mean "encode_chunked"/);
      await rejects(connection.request('GET', '/', null, {}, { timeout: 1 }), /it is an option of the connection, and its property, conn\.timeout/);
      await rejects(connection.request('GET', '/', null, {}, { skip_host: true }), /it is an option of putrequest/);
      await rejects(connection.request('GET', '/', null, {}, { headers: {} }), /fourth argument of request/);
      refused(() => connection.putrequest('GET', '/', { skipHost: 1 }), /did you mean "skip_host"/);
      connection.putrequest('GET', '/', { skip_accept_encoding: true, skip_host: undefined });
      await rejects(connection.endheaders(null, { expect_continue: 1 }), /it is an option of request/);
      await connection.endheaders(null, { encode_chunked: false });
      assert.equal(await (await connection.getresponse()).text(), 'ok');
      assert.equal(requests.length, 1);
      await connection.request('GET', '/', null, {}, null);
      assert.equal(await (await connection.getresponse()).text(), 'ok');
      connection.close();
    },
  ));

test('no options are no work, and give the same object each time', () => {
  for (const none of [undefined, null, NO_OPTIONS]) assert.equal(checkOptions('request', none), NO_OPTIONS);
  const given = { encode_chunked: true };
  assert.equal(checkOptions('request', given), given);
  assert.deepEqual(Object.keys(OPTIONS.endheaders), ['encode_chunked']);
});

test('a host that is assigned is looked at as one that is given', () => {
  const connection = new HTTPConnection('h', 80);
  for (const host of [null, undefined, 5, {}]) assert.throws(() => (connection.host = host), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const host of ['', 'a b', 'h:80', 'http://h', 'a/b', 'u@h', 'a\n', '[::1', '[::1]:80']) {
    assert.throws(() => (connection.host = host), InvalidURL, JSON.stringify(host));
  }
  assert.equal(connection.host, 'h');
  for (const [host, kept] of [['x.example', 'x.example'], ['[::1]', '::1'], ['::1', '::1'], ['h.', 'h.']]) {
    connection.host = host;
    assert.equal(connection.host, kept);
    assert.equal(checkHost(host), kept);
  }
});

test('a port that is assigned is looked at as one that is given', () => {
  const connection = new HTTPConnection('h', 80);
  for (const port of ['x', '', ' 80', '-1', -1, 65536, '65536', 1.5, Number.NaN, null, undefined, {}, true, '0x50', 80n]) {
    assert.throws(() => (connection.port = port), (error) => error instanceof InvalidURL && error.code === 'ERR_HTTP_INVALID_URL');
  }
  assert.equal(connection.port, 80);
  for (const port of [0, 65535, '8080']) {
    connection.port = port;
    assert.equal(connection.port, Number(port));
    assert.equal(checkPort(port), Number(port));
  }
});

test('what a signal is: anything with aborted that takes listeners', () => {
  const listeners = { addEventListener() {}, removeEventListener() {} };
  new HTTPConnection('h', { signal: { aborted: false, ...listeners } });
  new HTTPConnection('h', { signal: new AbortController().signal });
  for (const signal of [{}, { aborted: false }, { ...listeners }, { aborted: false, addEventListener() {} }, new EventTarget(), 5, 'x']) {
    assert.throws(() => new HTTPConnection('h', { signal }), { code: 'ERR_INVALID_ARG_TYPE' });
  }
});

/** A signal as polyfills make it: without `reason` and `throwIfAborted`. */
class Polyfill extends EventTarget {
  aborted = false;

  abort() {
    this.aborted = true;
    this.dispatchEvent(new Event('abort'));
  }
}

test('a signal without reason and throwIfAborted ends what waits, and what comes after, with one AbortError', () =>
  withServer(
    () => undefined,
    async ({ port }) => {
      const signal = new Polyfill();
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30, signal });
      await connection.request('GET', '/');
      const waiting = connection.getresponse();
      setImmediate(() => signal.abort());
      let first;
      await assert.rejects(waiting, (error) => {
        first = error;
        return error.name === 'AbortError';
      });
      await assert.rejects(connection.request('GET', '/'), (error) => error === first);
      await assert.rejects(connection.connect(), (error) => error === first);
      connection.close();
    },
  ));

const unix = { skip: process.platform === 'win32' && 'no Unix sockets there' };
const linux = { skip: process.platform !== 'linux' && 'no abstract sockets there' };

/** Runs with a server at a path that tells what it is called. */
async function withPath(path, use) {
  const server = net.createServer((socket) => socket.once('data', () => socket.end(reply(encodeURIComponent(path)))));
  server.listen(path);
  await once(server, 'listening');
  try {
    await use();
  } finally {
    server.close();
  }
}

async function fetchAt(path) {
  const connection = new HTTPConnection('localhost', { socket_path: path, timeout: 30 });
  await connection.request('GET', '/');
  const text = await (await connection.getresponse()).text();
  connection.close();
  return text;
}

test('an abstract socket of Linux is reached by its name', linux, async () => {
  const path = `\0porthole-test-${process.pid}-é`;
  await withPath(path, async () => assert.equal(await fetchAt(path), encodeURIComponent(path)));
});

test('the longest abstract name is reached whole, and one byte more is refused', linux, async () => {
  const path = `\0${`porthole-test-${process.pid}-`.padEnd(107, 'x')}`;
  await withPath(path, async () => assert.equal(await fetchAt(path), encodeURIComponent(path)));
  refused(() => new HTTPConnection('h', { socket_path: `${path}x` }), /^socket_path has 109 bytes: the system takes 108 at most$/);
});

test('the longest path is reached whole, and a longer one is refused and never cut', unix, async () => {
  const most = process.platform === 'linux' ? 107 : 103;
  const folder = mkdtempSync(join(tmpdir(), 'p-'));
  try {
    const path = join(folder, 'x'.repeat(most - folder.length - 1));
    await withPath(path, async () => {
      assert.equal(await fetchAt(path), encodeURIComponent(path));
      refused(() => new HTTPConnection('h', { socket_path: `${path}x` }), /the system takes \d+ at most/);
    });
    // It is bytes that count: half as many letters of two bytes are as long.
    refused(() => new HTTPConnection('h', { socket_path: `/${'é'.repeat(most / 2 + 1)}` }), /the system takes \d+ at most/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a path that would reach another socket than it says is refused', () => {
  for (const path of ['', '\0', '/a\0b', '\0a\0b', '/a\0', '/\ud800']) {
    refused(() => new HTTPConnection('h', { socket_path: path }), /^socket_path /);
  }
  assert.throws(() => new HTTPConnection('h', { socket_path: 5 }), { code: 'ERR_INVALID_ARG_TYPE' });
});

/** [property, a value that it can't have] */
const WRONG = [
  ['deadline', 0],
  ['source_address', 'h'],
  ['socket_path', ''],
  ['proxy_context', 'x'],
  ['blocksize', 0],
  ['retry_stale', -1],
  ['create_connection', {}],
  ['lookup', {}],
  ['on_informational', {}],
];

for (const [name, value] of WRONG) {
  test(`${name} is checked when it is assigned, as in the constructor`, () => {
    const conn = new HTTPConnection('h');
    const before = conn[name];
    assert.throws(() => new HTTPConnection('h', { [name]: value }), { name: 'TypeError' });
    assert.throws(() => (conn[name] = value), { name: 'TypeError' });
    assert.equal(conn[name], before);
    conn[name] = null;
    assert.equal(conn[name], before);
  });
}

test('a host that is too long is refused by its length when it is given, and the longest one is none', () => {
  assert.equal(new HTTPConnection('h'.repeat(255)).host.length, 255);
  for (const length of [256, 300, 70_000]) {
    const host = 'h'.repeat(length);
    const message = `a host has 255 characters at most, and this one ${length}`;
    for (const make of [() => new HTTPConnection(host), () => (new HTTPConnection('h').host = host), () => new HTTPConnection('h').set_tunnel(host)]) {
      assert.throws(make, { name: 'InvalidURL', message });
    }
  }
  assert.throws(() => new HTTPConnection('ü.'.repeat(60)), /a host has 255 characters at most, and this one \d+$/); // as IDNA writes it
});

/** [what is more than a host, what the message says] */
const NO_HOSTS = [
  ['http://h', /^the host is a name or an address, and no URL: give its host here, and its path to request\(\): "http:\/\/h"$/],
  ['HTTPS://h:8443/path?a=b', /no URL/],
  ['//h/path', /no URL/],
  ['h/path', /^the host ends where the path begins: give the path to request\(\): "h\/path"$/],
  ['h:80/path', /the host ends where the path begins/],
  ['[::1]:80/path', /the host ends where the path begins/],
  ['a?b', /the host ends where the path begins/],
  ['a#b', /the host ends where the path begins/],
  ['me@h', /^user information doesn't belong in a host: send it as an Authorization header: "\*\*\*@h"$/],
  ['me:pass/word@h', /^user information .*"\*\*\*@h"$/],
];

for (const [host, message] of NO_HOSTS) {
  test(`${JSON.stringify(host)} as a host is told apart from a bad one`, () => {
    for (const make of [
      () => new HTTPConnection(host),
      () => new HTTPConnection(host, 80),
      () => new HTTPConnection('h').set_tunnel(host),
      () => (new HTTPConnection('h').host = host),
    ]) {
      assert.throws(make, (error) => error instanceof InvalidURL && message.test(error.message));
    }
  });
}
