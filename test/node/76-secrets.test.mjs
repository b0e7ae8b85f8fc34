// SPDX-License-Identifier: MIT
//
// No error shows a header's value or user information: it names the header, the character and its index.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { HTTPConnection, HTTPSConnection, SSLContext } from '../../js/index.js';
import * as codes from '../../bindings/generated/errors.js';
import { withoutUserinfo } from '../../js/errors.js';
import { refused } from '../../js/refusal.js';
import { reply, withServer } from '../support/raw-server.mjs';

const SECRET = 's3cret';

/** All that an error shows: message, stack, cause and hidden properties. */
const all = (error) => inspect(error, { showHidden: true, depth: 9 }) + error.stack;

/** Asserts that an operation is refused, and shows no secret. */
async function assertRefused(operation, message, code) {
  await assert.rejects(async () => operation(), (error) => {
    assert.ok(!all(error).includes(SECRET), all(error));
    assert.match(error.message, message);
    if (code !== undefined) assert.equal(error.code, code);
    return true;
  });
}

/** [headers, what the message says, the code] */
const headers = [
  [{ 'X-Key': `${SECRET}\n` }, /: "X-Key" \(U\+000A at index 6\)$/, 'ERR_INVALID_CHAR'],
  [{ Accept: '*/*', 'X-Key': `a\0${SECRET}` }, /: "X-Key" \(U\+0000 at index 1\)$/, 'ERR_INVALID_CHAR'],
  [{ 'X-Key': `${SECRET}\r\nX: y` }, /: "X-Key" \(U\+000D at index 6\)$/, 'ERR_INVALID_CHAR'],
  [{ 'X-Key': `${SECRET}\x7f` }, /: "X-Key" \(U\+007F at index 6\)$/, 'ERR_INVALID_CHAR'],
  [{ 'X-Key': `${SECRET}€` }, /: "X-Key" \(U\+20AC at index 6\)$/, 'ERR_INVALID_CHAR'],
  [{ 'X-Key': `${SECRET}😀` }, /: "X-Key" \(U\+1F600 at index 6\)$/, 'ERR_INVALID_CHAR'],
  [{ 'X-Key': ['fine', `${SECRET}\n`] }, /: "X-Key" \(U\+000A at index 6\)$/, 'ERR_INVALID_CHAR'],
  [[['X-One', 'a'], ['X-Two', `b${SECRET}\x01`]], /: "X-Two" \(U\+0001 at index 7\)$/, 'ERR_INVALID_CHAR'],
  [{ [`X-Key: ${SECRET}`]: 'v' }, /: "X-Key"… \(U\+003A at index 5\)$/, 'ERR_INVALID_CHAR'],
  [{ [`Bearer ${SECRET}`]: 'v' }, /: "Bearer"… \(U\+0020 at index 6\)$/, 'ERR_INVALID_CHAR'],
  [{ Host: SECRET, host: SECRET }, /: "host"$/, 'ERR_INVALID_ARG_VALUE'],
  [{ 'Content-Length': SECRET }, /: "Content-Length"$/, 'ERR_INVALID_ARG_VALUE'],
  [{ 'Content-Length': 0, 'content-length': SECRET }, /: "content-length"$/, 'ERR_INVALID_ARG_VALUE'],
  [{ 'Transfer-Encoding': SECRET }, /: "Transfer-Encoding"$/, 'ERR_INVALID_ARG_VALUE'],
  [{ 'X-Key': { [SECRET]: SECRET } }, /"X-Key"/, 'ERR_INVALID_ARG_TYPE'],
  [{ 'X-Key': () => SECRET }, /"X-Key" .* a function/, 'ERR_INVALID_ARG_TYPE'],
  [`Authorization: ${SECRET}`, /not a string/, 'ERR_INVALID_ARG_TYPE'],
];

for (const [given, message, code] of headers) {
  test(`no value is shown of ${inspect(given).replaceAll(SECRET, '…')}`, async () => {
    await assertRefused(() => new HTTPConnection('h').request('GET', '/', null, given), message, code);
  });
}

test('a refusal by any step leaves the connection usable', () =>
  withServer(
    () => reply('ok'),
    async ({ port, requests }) => {
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      for (const [given, message] of headers) {
        await assertRefused(() => connection.request('GET', '/', null, given), message);
      }
      await connection.request('GET', '/');
      assert.equal(await (await connection.getresponse()).text(), 'ok');
      assert.equal(requests.length, 1);
      connection.close();
    },
  ));

test('putheader names the header and the place in the value that was refused', async () => {
  const connection = new HTTPConnection('h');
  connection.putrequest('GET', '/');
  await assertRefused(() => connection.putheader('X-Key', `${SECRET}\n`), /: "X-Key" \(U\+000A at index 6\)$/, 'ERR_INVALID_CHAR');
  await assertRefused(() => connection.putheader('X-Key', 'a', `b${SECRET}\0`), /: "X-Key" \(U\+0000 at index 7\)$/);
  await assertRefused(() => connection.putheader('X-Key', 'a', `b${SECRET}€`), /: "X-Key" \(U\+20AC at index 7\)$/);
  await assertRefused(() => connection.putheader(`X Key${SECRET}`, 'a'), /: "X"… \(U\+0020 at index 1\)$/);
  await assertRefused(() => connection.putheader('Host', 'a'), /: "Host"$/);
  await assertRefused(() => connection.putheader('X-Key', { [SECRET]: 1 }), /"X-Key"/);
  connection.close();
});

test('trailers and headers for a proxy are shown no more than headers', async () => {
  const connection = new HTTPConnection('h');
  const chunked = (trailers) => connection.request('POST', '/', ['a'], {}, { encode_chunked: true, trailers });
  await assertRefused(() => chunked({ 'X-Sum': `${SECRET}\n` }), /: "X-Sum" \(U\+000A at index 6\)$/);
  await assertRefused(() => chunked({ 'Content-Length': SECRET }), /: "Content-Length"$/);
  await assertRefused(() => connection.set_tunnel('e', 443, { 'Proxy-Authorization': `${SECRET}\n` }), /: "Proxy-Authorization" \(U\+000A at index 6\)$/);
  await assertRefused(() => connection.set_tunnel('e', 443, { 'Transfer-Encoding': SECRET }), /: "Transfer-Encoding"$/);
  await assertRefused(() => connection.set_tunnel('e', 443, SECRET), /not a string/);
});

const HOSTS = [`me:${SECRET}@h`, `me:${SECRET}@h:80`, `${SECRET}@h`, `http://me:${SECRET}@h/`, `https://${SECRET}@h`, `me:a@${SECRET}@h`, `//me:${SECRET}@h`];

for (const host of HOSTS) {
  test(`no user information is shown of the host ${host.replaceAll(SECRET, '…')}`, async () => {
    for (const port of [undefined, null, 80, 'x']) {
      const message = /^(?:user information doesn't belong in a host|the host is .* no URL): .*\*\*\*@/;
      await assertRefused(() => new HTTPConnection(host, port), message, 'ERR_HTTP_INVALID_URL');
      await assertRefused(() => new HTTPConnection('h').set_tunnel(host, port), message, 'ERR_HTTP_INVALID_URL');
    }
    const connection = new HTTPSConnection('h');
    await assertRefused(() => (connection.host = host), /\*\*\*@h/, 'ERR_HTTP_INVALID_URL');
    await assertRefused(() => (connection.port = host), /a port is a number/, 'ERR_HTTP_INVALID_URL');
  });
}

for (const [url, message] of [
  [`http://me:${SECRET}@h/path`, /: "http:\/\/\*\*\*@h\/path"$/],
  [`http://me:${SECRET}@h/a b`, /: "http:\/\/\*\*\*@h\/a b" \(U\+0020 at index \d+\)$/],
  [`http://me:${SECRET}@h/é`, /"http:\/\/\*\*\*@h\/é" \(U\+00E9 at index \d+\)$/],
  [`me:${SECRET}@h/ x`, /: "\*\*\*@h\/ x" \(U\+0020/],
  [`http://me:x/${SECRET}@h/ x`, /: "http:\/\/\*\*\*@h\/ x"/],
]) {
  test(`no user information is shown of the URL ${url.replaceAll(SECRET, '…')}`, async () => {
    const connection = new HTTPConnection('h');
    await assertRefused(() => connection.request('GET', url), message);
    await assertRefused(() => connection.putrequest('GET', url), message);
  });
}

test('a path is shown, with the place of what may not be there', async () => {
  const connection = new HTTPConnection('h');
  await assertRefused(() => connection.request('GET', '/a b@c'), /: "\/a b@c" \(U\+0020 at index 2\)$/, 'ERR_HTTP_INVALID_URL');
  await assertRefused(() => connection.request('G T', '/'), /: "G T" \(U\+0020 at index 1\)$/, 'ERR_INVALID_CHAR');
  await assertRefused(() => connection.request('GET', `/${'x'.repeat(500)} `), /x…" \(U\+0020 at index 501\)$/);
});

test('strings that are given for something else are not shown', async () => {
  const url = `http://me:${SECRET}@proxy`;
  await assertRefused(() => new HTTPConnection('h', { proxy_context: url }), /not a string/);
  await assertRefused(() => new HTTPSConnection('h', { context: url }), /not a string/);
  await assertRefused(() => new HTTPConnection('h', { timeout: SECRET }), /not a string/);
  await assertRefused(() => new HTTPConnection('h', { signal: url }), /not a string/);
  await assertRefused(() => new HTTPConnection('h', { create_connection: url }), /not a string/);
  await assertRefused(() => new HTTPConnection('h', { source_address: url }), /source_address/);
  await assertRefused(() => new HTTPConnection('h', url), /a port is a number .*\*\*\*@proxy|not a string/);
  await assertRefused(() => new SSLContext().load_verify_locations({ cadata: SECRET }), /cadata/);
  await assertRefused(() => (new SSLContext().minimum_version = SECRET), /not a string/);
});

test('a key that is given in place of the path of its file is not shown', async () => {
  const key = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`;
  for (const given of [key, Buffer.from(key), `${SECRET}\n`]) {
    await assertRefused(() => new SSLContext().load_cert_chain(given), /^certfile must be .*\{ context: \{ cert, key, ca \} \}/);
    await assertRefused(() => new SSLContext().load_cert_chain('/dev/null', given), /^keyfile must be /);
    for (const name of ['cafile', 'capath', 'crlfile']) {
      await assertRefused(() => new SSLContext().load_verify_locations({ [name]: given }), new RegExp(`^${name} must be `));
    }
  }
});

test('what withoutUserinfo leaves', () => {
  for (const [text, left] of [
    ['h', 'h'],
    ['/a@b', '/a@b'],
    ['//u@h', '//***@h'],
    ['u@h', '***@h'],
    ['u:p@h:1', '***@h:1'],
    ['HTTP://u:p@h', 'HTTP://***@h'],
    ['http://h/@', 'http://***@'],
    ['@', '***@'],
  ]) {
    assert.equal(withoutUserinfo(text), left);
  }
});

test('every code by which the core refuses an argument has an error that shows no value', () => {
  const details = {
    method: 'GET',
    url: `http://me:${SECRET}@h/`,
    headers: ['X-Key', `${SECRET}\n`, 'X-Other', `${SECRET}€`],
    index: 0,
    limit: 7,
  };
  for (const [name, number] of Object.entries(codes)) {
    if (typeof number !== 'number' || number > -300 || number <= -400) continue;
    for (const given of [details, { ...details, host: `me:${SECRET}@h`, port: 80 }, { ...details, index: 9 }, {}, undefined]) {
      const error = refused(number, given);
      assert.ok(!all(error).includes(SECRET), `${name}: ${all(error)}`);
      assert.match(error.code, /^ERR_/, name);
    }
  }
});
