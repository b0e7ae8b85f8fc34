// SPDX-License-Identifier: MIT
//
// What tests of HTTPSConnection share: connections to a port of loopback under any name, and what a refusal has to be.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { create_default_context, HTTPSConnection } from '../../js/index.js';
import { certificates } from './certificates.mjs';

/** As OpenSSL before 3.5 names it, and since. */
export const HANDSHAKE_FAILURE = /^ERR_SSL_(SSLV3|SSL\/TLS)_ALERT_HANDSHAKE_FAILURE$/;

/** Every name is this machine. */
const lookup = (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);

/** A context that trusts the authority of the tests, and nothing else. */
export const trusting = () => create_default_context({ cafile: certificates().ca });

/** @param {number} port @param {object} [options] of the connection, and `host` */
export function connect(port, { host = 'localhost', context = trusting(), ...options } = {}) {
  return new HTTPSConnection(host, port, { timeout: 30, lookup, context, ...options });
}

/** Sends a request and returns its response, unread. */
export async function exchange(conn, ...request) {
  await conn.request(...request);
  return conn.getresponse();
}

export async function fetchText(conn, url = '/') {
  return (await exchange(conn, 'GET', url)).text();
}

/**
 * Asserts that the connection can't be made: an error of phase tls, with nothing lost and a hint.
 * @param {HTTPSConnection} conn
 * @param {string | RegExp} code
 * @param {object} [expected] what else the error has; `hint` is a text unless it is here
 */
export async function assertRefused(conn, code, expected = {}) {
  await assert.rejects(conn.request('GET', '/secret'), (error) => {
    assert.match(error.code, typeof code === 'string' ? new RegExp(`^${code}$`) : code, error.stack);
    for (const [name, value] of Object.entries({ phase: 'tls', host: conn.host, port: conn.port, retry_safe: 'yes', ...expected })) {
      assert.equal(error[name], value, `${name} of ${error.stack}`);
    }
    if (!('hint' in expected)) {
      assert.equal(typeof error.hint, 'string', `hint of ${error.stack}`);
      assert.ok(error.message.endsWith(` (${error.hint})`), error.message);
      assert.ok(!error.message.includes('\n'), error.message);
    }
    return true;
  });
  assert.equal(conn.sock, null);
  assert.equal(conn.tls_info(), null);
}

/** Asserts that an operation ends by a timeout. @param {Promise<unknown>} operation @param {object} expected of the error */
export async function assertTimesOut(operation, expected) {
  await assert.rejects(operation, (error) => {
    assert.deepEqual([error.name, error.code], ['TimeoutError', 'ETIMEDOUT'], error.stack);
    for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value, `${name} of ${error.stack}`);
    assert.ok(error.elapsed >= error.limit * 0.95 && error.elapsed < error.limit + 20, `elapsed ${error.elapsed}`);
    return true;
  });
}

/**
 * Runs with a peer over TCP that speaks no TLS by itself.
 * @param {(socket: net.Socket) => void} greet called for each connection
 * @param {(peer: { port: number, received: () => string, sockets: Set<net.Socket>, connections: () => number }) => Promise<void>} use
 */
export async function withPeer(greet, use) {
  const sockets = new Set();
  let received = '';
  let count = 0;
  const server = net.createServer((socket) => {
    count += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (data) => (received += data.latin1Slice()));
    greet(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use({ port: server.address().port, received: () => received, sockets, connections: () => count });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }
}
