// SPDX-License-Identifier: MIT
//
// Classes of responses that are none, and memory that is gone when it is given.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HTTPConnection, HTTPResponse } from '../../js/index.js';
import { reply, withServer } from '../support/raw-server.mjs';
import { settles } from '../support/upload-server.mjs';

const withAnswers = (use) => withServer(() => reply('ok'), ({ port }) => use(port));

describe('a response_class', () => {
  for (const [what, given, message] of [
    ['an object', {}, 'response_class must be HTTPResponse or a class that extends it, and is an object of Object'],
    ['a number', 5, 'response_class must be HTTPResponse or a class that extends it, and is number 5'],
    ['a class of its own', class Other {}, 'response_class must be HTTPResponse or a class that extends it, and made an object of Other'],
    ['a function that is no constructor', (source) => source, null],
  ]) {
    test(`that is ${what} is refused with the response, and the next request works`, () =>
      withAnswers(async (port) => {
        const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
        conn.response_class = given;
        await conn.request('GET', '/');
        await assert.rejects(settles(conn.getresponse()), (error) => {
          assert.ok(error instanceof TypeError);
          if (message === null) return true;
          assert.equal(error.message, message);
          assert.equal(error.code, 'ERR_INVALID_ARG_TYPE');
          return true;
        });
        assert.equal(conn.sock, null);
        conn.close();
        conn.response_class = HTTPResponse;
        await conn.request('GET', '/');
        assert.equal(await settles((await settles(conn.getresponse())).text()), 'ok');
        conn.close();
      }));
  }

  test('can be a function that makes an HTTPResponse', () =>
    withAnswers(async (port) => {
      const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      conn.response_class = function make(source) {
        return new HTTPResponse(source);
      };
      await conn.request('GET', '/');
      assert.equal(await settles((await settles(conn.getresponse())).text()), 'ok');
      conn.close();
    }));
});

/** Bytes whose memory was transferred. */
function gone(make = (buffer) => new Uint8Array(buffer)) {
  const buffer = new ArrayBuffer(8);
  const bytes = make(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  return bytes;
}

const KINDS = {
  'a Uint8Array': () => gone(),
  'a Buffer': () => gone((buffer) => Buffer.from(buffer)),
  'a DataView': () => gone((buffer) => new DataView(buffer)),
  'an ArrayBuffer': () => gone((buffer) => buffer),
};

describe('memory that was transferred before', () => {
  for (const [what, make] of Object.entries(KINDS)) {
    for (const [how, give] of Object.entries({
      'a body': (conn, bytes) => conn.request('PUT', '/', bytes),
      'the value of a header': (conn, bytes) => conn.request('GET', '/', null, { a: bytes }),
      'a piece of a body': (conn, bytes) => conn.request('PUT', '/', [bytes]),
      'what is sent by hand': async (conn, bytes) => {
        conn.putrequest('PUT', '/');
        conn.putheader('Content-Length', 8);
        await conn.endheaders();
        await conn.send(bytes);
      },
    })) {
      test(`is refused as ${how}: ${what}`, () =>
        withAnswers(async (port) => {
          const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
          await assert.rejects(settles(give(conn, make())), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /transferred/ });
          conn.close();
          await conn.request('GET', '/');
          assert.equal(await settles((await settles(conn.getresponse())).text()), 'ok');
          conn.close();
        }));
    }
  }

  test('is not taken for memory of no bytes', () =>
    withAnswers(async (port) => {
      const conn = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
      for (const empty of [new Uint8Array(0), new ArrayBuffer(0), Buffer.alloc(0), new SharedArrayBuffer(0)]) {
        await conn.request('PUT', '/', empty);
        assert.equal(await settles((await settles(conn.getresponse())).text()), 'ok');
      }
      conn.close();
    }));
});
