// SPDX-License-Identifier: MIT
//
// Runs the same cases as client.py, with porthole.

import { HTTPConnection, IncompleteRead } from '../../js/index.js';
import { MemoryPeer } from '../support/memory-peer.mjs';

/** Bytes, iterables and files as JSON has them. */
function value(item) {
  if (item === null || typeof item !== 'object') return item;
  if (item.bytes !== undefined) return Buffer.from(item.bytes, 'latin1');
  if (item.pieces !== undefined) return item.pieces.map((piece) => Buffer.from(piece, 'latin1'));
  const content = item.file ?? item.text;
  let at = 0;
  return {
    mode: item.text === undefined ? 'rb' : 'r',
    read(size) {
      const piece = content.slice(at, at + size);
      at += size;
      return item.text === undefined ? Buffer.from(piece, 'latin1') : piece;
    },
  };
}

function outcome(error) {
  const result = { error: error.name };
  if (error instanceof IncompleteRead) {
    result.partial = error.partial.toString('latin1');
    result.expected = error.expected;
  }
  return result;
}

const text = (result) => {
  if (Buffer.isBuffer(result)) return result.toString('latin1');
  return Array.isArray(result) ? result.map(text) : result;
};

const head = (response) => ({
  status: response.status,
  reason: response.reason,
  version: response.version,
  headers: response.getheaders(),
  length: response.length,
  chunked: response.chunked,
  will_close: response.will_close,
  type: response.msg.get_content_type(),
  charset: response.msg.get_content_charset(),
  joined: response.getheader('x-a', 'none'),
});

const calls = {
  request: ({ connection }, method, url, body, headers, chunked) =>
    connection.request(method, url, value(body), headers.map(([name, item]) => [name, value(item)]), { encode_chunked: chunked }),
  putrequest: ({ connection }, method, url, [skip_host = false, skip_accept_encoding = false]) =>
    connection.putrequest(method, url, { skip_host, skip_accept_encoding }),
  putheader: ({ connection }, name, values) => connection.putheader(name, ...values.map(value)),
  endheaders: ({ connection }, body, chunked) => connection.endheaders(value(body), { encode_chunked: chunked }),
  send: ({ connection }, data) => connection.send(value(data)),
  async getresponse(state) {
    // As CPython, which sends a whole request before it looks for an answer: an early one can end an upload here.
    if (!state.answered) state.peer.answer();
    state.answered = true;
    state.response = await state.connection.getresponse();
    return head(state.response);
  },
  async readinto({ response }, size) {
    const view = Buffer.alloc(size);
    return view.subarray(0, await response.readinto(view));
  },
};

/** @param {object} testCase see client.py @returns {Promise<{sent: string, results: any[], printed: string}>} */
export async function run(testCase) {
  const peer = new MemoryPeer([Buffer.from(testCase.response, 'latin1')], true, true);
  const results = [];
  const state = { peer, answered: false, connection: null, response: null };
  let printed = '';
  const { write } = process.stdout;
  process.stdout.write = (piece, ...rest) => {
    if (typeof piece !== 'string') return write.call(process.stdout, piece, ...rest);
    printed += piece;
    return true;
  };
  try {
    state.connection = new HTTPConnection(testCase.host, testCase.port, { create_connection: () => peer, timeout: 10 });
    state.connection.set_debuglevel(testCase.debug);
    for (const [name, ...args] of testCase.calls) {
      try {
        const call = calls[name] ?? (({ response }, ...rest) => response[name](...rest));
        results.push(text((await call(state, ...args)) ?? null));
      } catch (error) {
        results.push(outcome(error));
        if (name !== 'putheader' && name !== 'send') break;
      }
    }
  } catch (error) {
    results.push(outcome(error));
  } finally {
    process.stdout.write = write;
    state.connection?.close();
  }
  return { sent: peer.received, results, printed };
}
