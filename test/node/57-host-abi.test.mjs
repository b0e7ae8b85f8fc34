// SPDX-License-Identifier: MIT
//
// Both sides of the host ABI: a module under hosts that misbehave, and Node's host under a guest that does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { Host } from '../../bindings/node/host.js';
import { Transport } from '../../bindings/node/transport.js';
import {
  INFO_ALPN,
  INFO_PEER,
  INFO_TLS,
  OPEN_IPV4,
  OPEN_IPV6,
  OPEN_TLS,
  PHASE_END,
  READABLE,
  VIEW_ERROR,
  VIEW_PHASE,
  VIEW_STATE,
  VIEW_STATUS,
  WRITABLE,
} from '../../bindings/generated/abi.js';
import {
  BUSY,
  HOST_BAD_HANDLE,
  HOST_NOT_FOUND,
  HOST_OTHER,
  HOST_TIMED_OUT,
  HOST_TLS_VERIFY,
  HOST_UNSUPPORTED,
  WANT_READ,
} from '../../bindings/generated/errors.js';
import { HTTPConnection } from '../../js/index.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { MemoryPeer } from '../support/memory-peer.mjs';
import { reply } from '../support/raw-server.mjs';
import { withSilentPort } from '../support/silent-port.mjs';

const module = new WebAssembly.Module(readFileSync(new URL('../../bindings/generated/porthole.wasm', import.meta.url)));
const SIZE = 65536;
const HANDLE = 7;

/** An instance whose host is made of these functions, and connections in it. */
function instantiate(host) {
  const imports = {};
  for (const { name } of WebAssembly.Module.imports(module)) imports[name] = () => HOST_OTHER;
  const { exports } = new WebAssembly.Instance(module, { porthole_host_v1: { ...imports, ...host } });
  exports._initialize?.();
  let next = (exports.porthole_heap() + 15) & ~15;
  const room = (length) => {
    const at = next;
    next = (next + length + 15) & ~15;
    const missing = next - exports.memory.buffer.byteLength;
    if (missing > 0) exports.memory.grow(Math.ceil(missing / SIZE));
    return at;
  };
  const bytes = () => Buffer.from(exports.memory.buffer);
  const text = room(SIZE);
  return {
    exports,
    bytes,
    connect() {
      const conn = room(exports.porthole_conn_size());
      exports.porthole_conn_init(conn, room(SIZE), SIZE, room(SIZE), SIZE);
      bytes().latin1Write('a.example', text);
      assert.equal(exports.porthole_flat_set_authority(conn, text, 9, 80, 80), 0);
      exports.porthole_conn_attach(conn, HANDLE);
      return conn;
    },
    request(conn) {
      bytes().latin1Write('GET/', text);
      return exports.porthole_flat_request(conn, text, 3, text + 3, 1, 0, 0, 0, 0, 0, 0);
    },
    word: (conn, index) => new Int32Array(exports.memory.buffer)[conn / 4 + index],
  };
}

const send = (_handle, _data, length) => length;

/** A `recv` that gives one answer, once it is waited for. */
function answering(guest, text) {
  return (_handle, buffer, _capacity, timeout) => (timeout === 0 ? WANT_READ : guest().bytes().latin1Write(text, buffer));
}

test('[abi-06] a call from inside of a call into the host is refused, and changes nothing', () => {
  const results = [];
  let guest;
  let conn;
  const inside = (give) => (handle, buffer, length, timeout) => {
    const { exports } = guest;
    const calls = Object.keys(exports).filter((name) => /^porthole_(conn|flat)_/.test(name) && !/_(size|init|view|direct|list|plan|split_host|check_head)$/.test(name));
    const before = guest.bytes().subarray(conn, conn + exports.porthole_conn_size()).toString('hex');
    for (const name of calls) {
      const result = exports[name](conn, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
      if (result !== undefined) results.push([name, result]);
    }
    assert.equal(guest.bytes().subarray(conn, conn + exports.porthole_conn_size()).toString('hex'), before);
    return give(handle, buffer, length, timeout);
  };
  guest = instantiate({ porthole_host_send: inside(send), porthole_host_send_head: inside(send), porthole_host_recv: inside((...args) => answering(() => guest, reply('hello'))(...args)) });
  conn = guest.connect();
  assert.equal(guest.request(conn), 0);
  assert.equal(guest.exports.porthole_conn_flush(conn), 0);
  assert.ok(guest.exports.porthole_conn_receive(conn) > 0);
  assert.ok(results.length > 40);
  for (const [name, result] of results) assert.equal(result, BUSY, name);
  assert.deepEqual([guest.word(conn, VIEW_STATUS), guest.word(conn, VIEW_PHASE)], [200, PHASE_END]);
});

test('[abi-07] an import that throws ends its connection only', () => {
  const thrown = new Error('the host fell over');
  let falling = true;
  const guest = instantiate({
    porthole_host_send: send,
    porthole_host_send_head: send,
    porthole_host_recv(...args) {
      if (falling) throw thrown;
      return answering(() => guest, reply('hello'))(...args);
    },
  });
  const first = guest.connect();
  guest.request(first);
  assert.throws(() => guest.exports.porthole_conn_receive(first), (error) => error === thrown);
  assert.equal(guest.exports.porthole_conn_receive(first), BUSY);
  falling = false;
  const second = guest.connect();
  guest.request(second);
  assert.ok(guest.exports.porthole_conn_receive(second) > 0);
  assert.equal(guest.word(second, VIEW_STATUS), 200);
});

test('[abi-07] a Duplex that throws when it is written to ends its connection, and the next one works', async () => {
  const error = new Error('can not be written to');
  const bad = new MemoryPeer();
  bad.write = () => {
    throw error;
  };
  const peers = [bad, new MemoryPeer([Buffer.from(reply('hello'))])];
  const connection = new HTTPConnection('h', { create_connection: () => peers.shift(), timeout: 5 });
  await assert.rejects(connection.request('GET', '/'), (thrown) => thrown === error);
  assert.equal(connection.sock, null);
  await connection.request('GET', '/');
  assert.equal(await (await connection.getresponse()).text(), 'hello');
  connection.close();
});

test('[abi-06] a Duplex that answers, or is closed, while it is being written to does no harm', async () => {
  class Eager extends Duplex {
    _read() {}
    _write(_chunk, _encoding, done) {
      this.push(reply('hello'));
      done();
    }
  }
  const connection = new HTTPConnection('h', { create_connection: () => new Eager(), timeout: 5 });
  for (let i = 0; i < 3; i++) {
    await connection.request('GET', '/');
    assert.equal(await (await connection.getresponse()).text(), 'hello');
  }
  connection.close();
  const closing = new MemoryPeer();
  const { write } = closing;
  closing.write = (...args) => {
    other.close();
    return write.apply(closing, args);
  };
  const other = new HTTPConnection('h', { create_connection: () => closing, timeout: 5 });
  await other.request('GET', '/').catch(({ name }) => assert.equal(name, 'NotConnected'));
  assert.equal(other.sock, null);
});

test('[abi-08] memory that grows during a call is no harm: what was received is there', () => {
  const guest = instantiate({
    porthole_host_send: send,
    porthole_host_send_head: send,
    porthole_host_recv(...args) {
      guest.exports.memory.grow(3);
      return answering(() => guest, reply('hello'))(...args);
    },
  });
  const conn = guest.connect();
  guest.request(conn);
  assert.ok(guest.exports.porthole_conn_receive(conn) > 0);
  assert.equal(guest.word(conn, VIEW_STATUS), 200);
  assert.equal(guest.word(conn, VIEW_ERROR), 0);
});

/** Node's host with a memory of one page, and a transport. */
function hosted() {
  const host = new Host();
  host.bytes = Buffer.alloc(SIZE);
  const peer = new MemoryPeer();
  return { host, peer, handle: host.add(new Transport(peer, false)), ...host.imports };
}

test('[abi-10] [abi-11] a pointer and a length beyond the memory are refused, and nothing is touched', () => {
  const { handle, peer, ...imports } = hosted();
  const spans = [[SIZE, 1], [SIZE - 1, 2], [0, SIZE + 1], [8, 0xffffffff], [-1, 2], [0xffffffff, 0xffffffff], [-8, -8], [0, 0]];
  for (const [pointer, length] of spans) {
    assert.equal(imports.porthole_host_send(handle, pointer, length), HOST_OTHER, `send ${pointer} ${length}`);
    assert.equal(imports.porthole_host_send_head(handle, pointer, length), HOST_OTHER, `send_head ${pointer} ${length}`);
    assert.equal(imports.porthole_host_recv(handle, pointer, length), HOST_OTHER, `recv ${pointer} ${length}`);
    if (length === 0) continue;
    assert.equal(imports.porthole_host_open(pointer, length, 80, 0, -1), HOST_OTHER);
    assert.equal(imports.porthole_host_start_tls(handle, pointer, length, 0), HOST_OTHER);
    assert.equal(imports.porthole_host_info(handle, 0, pointer, length), HOST_OTHER);
  }
  assert.equal(peer.received, '');
  assert.equal(imports.porthole_host_open(0, 1, 65536, 0, -1), HOST_OTHER);
  assert.equal(imports.porthole_host_recv(handle, 0, 16), WANT_READ);
});

test('[abi-13] a handle means something to its own instance only, and nothing once it is closed', () => {
  const one = hosted();
  const two = hosted();
  one.host.add(new Transport(new MemoryPeer(), false));
  const foreign = one.host.add(new Transport(new MemoryPeer(), false));
  for (const handle of [foreign, 0, -1, 0x7fffffff]) {
    assert.equal(two.porthole_host_send(handle, 0, 1), HOST_BAD_HANDLE);
    assert.equal(two.porthole_host_recv(handle, 0, 1), HOST_BAD_HANDLE);
    assert.equal(two.porthole_host_send_head(handle, 0, 1), HOST_BAD_HANDLE);
    two.host.bytes.writeInt32LE(handle, 16);
    assert.equal(two.porthole_host_wait(16, 1, 0), HOST_BAD_HANDLE);
    assert.equal(two.porthole_host_info(handle, 1, 16, 100), 0);
    assert.equal(two.porthole_host_start_tls(handle, 0, 1, 0), HOST_BAD_HANDLE);
    two.porthole_host_close(handle);
  }
  two.porthole_host_close(two.handle);
  two.porthole_host_close(two.handle);
  assert.equal(two.porthole_host_recv(two.handle, 0, 1), HOST_BAD_HANDLE);
  assert.notEqual(two.host.add(new Transport(new MemoryPeer(), false)), two.handle);
  assert.equal(one.porthole_host_recv(one.handle, 0, 16), WANT_READ);
});

test('a wait tells of each connection in its list what is ready, and leaves the list when a handle is bad', () => {
  const { host, handle, peer, porthole_host_wait: wait } = hosted();
  const other = host.add(new Transport(new MemoryPeer([Buffer.from('x')]), false));
  const list = (...words) => words.forEach((word, index) => host.bytes.writeInt32LE(word, 16 + 4 * index));
  const words = (count) => Array.from({ length: count }, (_, index) => host.bytes.readInt32LE(16 + 4 * index));
  list(handle, READABLE, other, READABLE | WRITABLE);
  assert.equal(wait(16, 2, -1), 1);
  assert.deepEqual(words(4), [handle, 0, other, WRITABLE]);
  list(handle, WRITABLE, 0x7fffffff, READABLE);
  assert.equal(wait(16, 2, 0), HOST_BAD_HANDLE);
  assert.deepEqual(words(4), [handle, WRITABLE, 0x7fffffff, READABLE]);
  assert.equal(wait(0, 0, 10), 0);
  for (const [pointer, count] of [[SIZE, 1], [SIZE - 4, 1], [0, SIZE], [-8, 1], [8, 0xffffffff]]) {
    assert.equal(wait(pointer, count, 0), HOST_OTHER, `${pointer} ${count}`);
  }
  assert.equal(peer.received, '');
});

test('the clock of a host never goes back', () => {
  const { porthole_host_now: now } = hosted();
  const first = now();
  assert.ok(now() >= first);
});

test('a flag that the host does not know, and an address of the other family, are no connection', () => {
  const { host, porthole_host_open: open, porthole_host_info: info } = hosted();
  host.bytes.latin1Write('127.0.0.1', 0);
  assert.equal(open(0, 9, 80, 8, -1), HOST_UNSUPPORTED);
  assert.equal(open(0, 9, 80, OPEN_IPV6, -1), HOST_NOT_FOUND);
  const length = info(0, 0, 32, 400);
  assert.equal(host.bytes.latin1Slice(32, 32 + length), '127.0.0.1 is no address of IPv6');
  assert.equal(info(0, 0, 32, 4), 4);
});

test('[abi-15] nothing is allocated, so that no allocation can fail: the module has no such function', () => {
  const names = [...WebAssembly.Module.exports(module), ...WebAssembly.Module.imports(module)].map(({ name }) => name);
  assert.ok(names.length > 30);
  // Emscripten adds stackAlloc, of the stack.
  assert.deepEqual(names.filter((name) => /alloc|free|sbrk|grow/i.test(name) && name !== 'stackAlloc'), []);
  const guest = instantiate({ porthole_host_send: send, porthole_host_send_head: send });
  const conn = guest.connect();
  const size = guest.exports.memory.buffer.byteLength;
  for (let i = 0; i < 1000; i++) {
    guest.request(conn);
    guest.exports.porthole_conn_flush(conn);
    guest.exports.porthole_conn_close(conn);
    guest.exports.porthole_conn_attach(conn, HANDLE);
  }
  assert.equal(guest.exports.memory.buffer.byteLength, size);
  assert.equal(guest.word(conn, VIEW_STATE), 0);
});

/** A guest of Node's host that opens a connection by name. */
function guestOf(host) {
  const guest = instantiate(host.imports);
  const conn = guest.connect();
  host.bytes = guest.bytes();
  const text = guest.exports.porthole_heap() + 64;
  return {
    ...guest,
    conn,
    open(name, port, timeout, flags = 0) {
      guest.bytes().latin1Write(name, text);
      return guest.exports.porthole_flat_open(conn, text, name.length, port, flags, timeout);
    },
    startTls(name) {
      guest.bytes().latin1Write(name, text);
      return guest.exports.porthole_flat_start_tls(conn, text, name.length, 1);
    },
    /** Calls until the answer is another than WANT_READ. */
    async until(call) {
      for (;;) {
        const result = call();
        if (result !== WANT_READ) return result;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
  };
}

/**
 * Runs with a server of TLS and two guests: the host of one trusts it, and that guest is answered.
 *
 * @param {(guest: object, host: Host, port: number, expected: number) => Promise<void>} handshake of either, which comes to `expected`
 */
async function trustedOrNot(handshake) {
  const { ca, good } = certificates();
  const server = https.createServer({ cert: readFileSync(good.cert), key: readFileSync(good.key) }, (_, response) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    for (const [settings, expected] of [[{ ca: readFileSync(ca) }, 0], [{}, HOST_TLS_VERIFY]]) {
      const host = new Host();
      host.secured = { settings, onsession: () => {} };
      const guest = guestOf(host);
      await handshake(guest, host, server.address().port, expected);
      if (expected === 0) {
        assert.equal(guest.request(guest.conn), 0);
        assert.equal(guest.exports.porthole_conn_flush(guest.conn), 0);
        assert.ok((await guest.until(() => guest.exports.porthole_conn_receive(guest.conn))) > 0);
        assert.equal(guest.word(guest.conn, VIEW_STATUS), 200);
      }
      guest.exports.porthole_conn_close(guest.conn);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a guest speaks TLS by porthole_host_start_tls, verified as the host says', { skip: noOpenssl }, () =>
  trustedOrNot(async (guest, _host, port, expected) => {
    assert.equal(guest.open('localhost', port, 5000), 0);
    assert.equal(await guest.until(() => guest.startTls('localhost')), expected);
  }));

test('a connection that is opened for TLS is dialled as TLS, for the name that was opened only', { skip: noOpenssl }, () =>
  trustedOrNot(async (guest, host, port, expected) => {
    const info = (what) => host.bytes.latin1Slice(16, 16 + host.imports.porthole_host_info(1, what, 16, 100));
    assert.equal(guest.open('localhost', port, 5000, OPEN_TLS | OPEN_IPV4), 0);
    host.bytes.latin1Write('localhorst', 16);
    assert.equal(host.imports.porthole_host_start_tls(1, 16, 10, 1), HOST_OTHER);
    assert.equal(await guest.until(() => guest.startTls('localhost')), expected);
    if (expected !== 0) return;
    assert.deepEqual([info(INFO_PEER), info(INFO_TLS), info(INFO_ALPN)], [`127.0.0.1:${port}`, 'TLSv1.3', 'http/1.1']);
  }));

test('a connection that a guest opens ends after its timeout when nobody takes it', () =>
  withSilentPort(async ({ port }) => {
    const guest = guestOf(new Host());
    const started = performance.now();
    assert.equal(guest.open('127.0.0.1', port, 200), 0);
    assert.equal(guest.request(guest.conn), 0);
    assert.equal(await guest.until(() => guest.exports.porthole_conn_receive(guest.conn)), HOST_TIMED_OUT);
    const elapsed = performance.now() - started;
    assert.ok(elapsed > 180 && elapsed < 20_000, `${elapsed} ms`);
    guest.exports.porthole_conn_close(guest.conn);
  }));
