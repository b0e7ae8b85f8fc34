// SPDX-License-Identifier: MIT
//
// What console.log and JSON.stringify show of connections, responses and contexts: their state, and no secret.

import assert from 'node:assert/strict';
import diagnostics_channel from 'node:diagnostics_channel';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { create_default_context, HTTPConnection, HTTPMessage, HTTPResponse, HTTPSConnection, SSLContext } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';

const SECRET = 's3cret';
const ANSWER = `HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nSet-Cookie: id=${SECRET}\r\nX-Kind: tea\r\n\r\nok`;

/** Every way in which somebody may look at a value. */
function views(value) {
  const depths = [0, 1, 2, 5, null].flatMap((depth) => [inspect(value, { depth }), inspect({ a: [{ value }] }, { depth })]);
  const all = { depth: null, showHidden: true };
  return [...depths, inspect(value, all), inspect(value, { ...all, customInspect: false }), inspect(value, { ...all, getters: true }), JSON.stringify({ value })];
}

function assertHidden(value) {
  for (const view of views(value)) assert.ok(!view.includes(SECRET), view);
}

const peer = () => new MemoryPeer([Buffer.from(ANSWER)]);

test('a connection shows where it goes and how far it is', async () => {
  const conn = new HTTPConnection('h', 8080, { create_connection: peer, timeout: 5 });
  assert.equal(inspect(conn, { breakLength: Infinity }), "HTTPConnection { host: 'h', port: 8080, state: 'Idle', connected: false, timeout: 5, request_count: 0 }");
  await conn.request('GET', '/');
  assert.match(inspect(conn), /state: 'Request-sent',\s+connected: true,/);
  const response = await conn.getresponse();
  assert.match(inspect(conn), /response: HTTPResponse \{\s+status: 200/);
  assert.match(inspect(conn), /request_count: 1/);
  await response.read();
  assert.doesNotMatch(inspect(conn), /response/);
  conn.close();
  assert.match(inspect(conn), /connected: false/);
});

test('a connection shows no context, no header for a proxy and no callback', () => {
  const context = { key: SECRET, passphrase: SECRET, pfx: Buffer.from(SECRET) };
  const lookup = Object.assign(() => {}, { token: SECRET });
  const conn = new HTTPSConnection('h', { context, proxy_context: context, lookup, create_connection: lookup, on_informational: lookup });
  conn.set_tunnel('end', 443, { 'Proxy-Authorization': SECRET });
  assertHidden(conn);
  assert.match(inspect(conn), /tunnel: \{ host: 'end', port: 443 \}/);
  assert.equal(conn.proxy_context, context); // it is there for who asks
});

test('a context shows how it verifies', () => {
  const context = create_default_context();
  context.minimum_version = 'TLSv1.3';
  const shown = inspect(context, { breakLength: Infinity });
  assert.equal(shown, "SSLContext { verify_mode: 'CERT_REQUIRED', check_hostname: true, minimum_version: 'TLSv1.3', maximum_version: 'TLSv1.3', own_certificates: 0 }");
});

test('a response shows its head, but for the values of cookies', async () => {
  const conn = new HTTPConnection('h', { create_connection: peer, timeout: 5 });
  await conn.request('POST', '/path', SECRET, { Authorization: SECRET });
  const response = await conn.getresponse();
  assertHidden(response);
  assertHidden(conn);
  const shown = inspect(response, { breakLength: Infinity });
  assert.equal(shown, "HTTPResponse { status: 200, reason: 'Fine', version: 11, url: '/path', closed: false, headers: { 'Content-Length': '2', 'Set-Cookie': '…', 'X-Kind': 'tea' } }");
  assert.ok(inspect(response.headers).includes(SECRET)); // headers are what they are for who looks at them
  conn.close();
});

test('what diagnostics tell of a request shows its method and its URL', async () => {
  const requests = [];
  const listener = ({ request }) => requests.push(request);
  diagnostics_channel.subscribe('porthole:request:start', listener);
  try {
    const conn = new HTTPConnection('h', { create_connection: peer, timeout: 5 });
    await conn.request('PUT', '/x', SECRET, { Authorization: SECRET });
    conn.close();
  } finally {
    diagnostics_channel.unsubscribe('porthole:request:start', listener);
  }
  assert.equal(inspect(requests[0]), "Exchange { method: 'PUT', url: '/x' }");
  assert.equal(JSON.stringify(requests[0]), '{"method":"PUT","url":"/x"}');
});

test('a subclass is shown by its own name, and without depth by nothing else', () => {
  class Api extends HTTPConnection {}
  assert.match(inspect(new Api('h')), /^Api \{\s+host: 'h'/);
  assert.equal(inspect([new Api('h')], { depth: 0 }), '[ [Api] ]');
});

test('prototypes and proxies of all of them can be looked at', () => {
  for (const { prototype } of [HTTPConnection, HTTPSConnection, HTTPResponse, HTTPMessage, SSLContext]) {
    assert.ok(inspect(prototype).length > 0);
    assert.equal(inspect(Object.create(prototype)), `[${prototype.constructor.name}]`);
  }
  assert.equal(inspect(new Proxy(new SSLContext(), {})), '[SSLContext]');
});
