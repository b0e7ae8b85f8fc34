// SPDX-License-Identifier: MIT
//
// HTTPMessage: the parts of email.message.Message that fit headers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTPConnection, HTTPMessage } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';

/** @param {...string} lines the fields of a response; gives its headers */
async function headersOf(...lines) {
  const text = ['HTTP/1.1 200 OK', ...lines, 'Content-Length: 0', '', ''].join('\r\n');
  const connection = new HTTPConnection('h', 80, { create_connection: () => new MemoryPeer([Buffer.from(text, 'latin1')]) });
  await connection.request('GET', '/');
  const { headers } = await connection.getresponse();
  connection.close();
  return headers;
}

test('fields are found without regard to case, and repeats are kept in order', async () => {
  const headers = await headersOf('Set-Cookie: a=1', 'X-Other: o', 'set-cookie: b=2');
  assert.equal(headers.get('SET-COOKIE'), 'a=1');
  assert.equal(headers.get('nope'), null);
  assert.equal(headers.get('nope', 'none'), 'none');
  assert.deepEqual(headers.get_all('Set-Cookie'), ['a=1', 'b=2']);
  assert.equal(headers.get_all('nope'), null);
  assert.deepEqual(headers.get_all('nope', []), []);
  assert.equal(headers.has('x-OTHER'), true);
  assert.equal(headers.has('nope'), false);
  assert.equal(headers.length, 4);
  assert.throws(() => headers.get(5), { code: 'ERR_INVALID_ARG_TYPE', message: 'name must be a string, not number 5' });
});

test('keys, values, items and iteration keep the order and spelling of the wire', async () => {
  const headers = await headersOf('B: 2', 'a: 1', 'b: 3');
  assert.deepEqual([...headers.keys()], ['B', 'a', 'b', 'Content-Length']);
  assert.deepEqual([...headers.values()], ['2', '1', '3', '0']);
  assert.deepEqual([...headers.items()], [['B', '2'], ['a', '1'], ['b', '3'], ['Content-Length', '0']]);
  assert.deepEqual([...headers], ['B', 'a', 'b', 'Content-Length']);
});

test('values are ISO-8859-1 without the space and HTAB around them, and nothing else is stripped', async () => {
  const headers = await headersOf('X-A:  \t caf\xe9 \t ', 'X-B:\xa0b\xa0', 'X-C:', 'X-D: \t ', 'X-E: a  \t b');
  assert.equal(headers.get('X-A'), 'caf\xe9');
  assert.equal(headers.get('X-B'), '\xa0b\xa0');
  assert.equal(headers.get('X-C'), '');
  assert.equal(headers.get('X-D'), '');
  assert.equal(headers.get('X-E'), 'a  \t b');
});

test('the content type is split, and text/plain when there is none', async () => {
  const some = await headersOf('Content-Type: Text/HTML; Charset="UTF-8"; q=1');
  assert.equal(some.get_content_type(), 'text/html');
  assert.equal(some.get_content_maintype(), 'text');
  assert.equal(some.get_content_subtype(), 'html');
  assert.equal(some.get_content_charset(), 'utf-8');
  assert.equal(some.get_param('q'), '1');
  assert.equal(some.get_param('CHARSET'), 'UTF-8');
  assert.equal(some.get_param('nope'), null);
  assert.equal(some.get_param('nope', 'x'), 'x');
  assert.deepEqual(some.get_params(), [['Text/HTML', ''], ['charset', 'UTF-8'], ['q', '1']]);
  const odd = await headersOf('Content-Type: Text/X = "a;b"; q=1');
  assert.equal(odd.get_content_type(), 'text/x = "a');
  const none = await headersOf();
  assert.equal(none.get_content_type(), 'text/plain');
  assert.equal(none.get_content_charset(), null);
  assert.equal(none.get_content_charset('ascii'), 'ascii');
  assert.equal(none.get_params('x'), 'x');
  assert.equal((await headersOf('Content-Type: garbage')).get_content_type(), 'text/plain');
});

test('the file name is that of Content-Disposition, else the name of Content-Type', async () => {
  const quoted = await headersOf('Content-Disposition: attachment; filename="a; b\\"c.txt"');
  assert.equal(quoted.get_filename(), 'a; b"c.txt');
  assert.equal(quoted.get_param('filename', null, 'content-disposition'), 'a; b"c.txt');
  assert.equal((await headersOf('Content-Type: image/png; name=p.png')).get_filename(), 'p.png');
  assert.equal((await headersOf()).get_filename(), null);
  assert.equal((await headersOf()).get_filename('f'), 'f');
});

test('as_string is the fields and an empty line', async () => {
  const headers = await headersOf('B: 2', 'a:1');
  assert.equal(headers.as_string(), 'B: 2\na: 1\nContent-Length: 0\n\n');
});

test('a message of a flat list is that list, and one that is none is refused', () => {
  assert.deepEqual(new HTTPMessage(['a', '1', 'B', '2']).items(), [['a', '1'], ['B', '2']]);
  for (const list of [['a'], ['a', '1', 'b'], ['a', 1], ['a', '1', null, '2'], ['a', ['1', '2']]]) {
    assert.throws(() => new HTTPMessage(list), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /name, value, name, value/ });
  }
});
