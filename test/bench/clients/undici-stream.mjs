// SPDX-License-Identifier: MIT

import { Writable } from 'node:stream';
import { dispatchers, opened } from './undici.mjs';

/** Hands each piece of the body of a GET to `take`. */
function stream(dispatcher, path, take) {
  return dispatcher.stream({ method: 'GET', path }, ({ statusCode }) => {
    if (statusCode !== 200) {
      throw new Error(`status ${statusCode}`);
    }
    return new Writable({
      write(chunk, _encoding, done) {
        take(chunk);
        done();
      },
    });
  });
}

function client(dispatcher) {
  return {
    async read(path) {
      const parts = [];
      await stream(dispatcher, path, (chunk) => parts.push(chunk));
      return Buffer.concat(parts);
    },

    async stream(path, _view, visit) {
      let total = 0;
      await stream(dispatcher, path, (chunk) => {
        total += chunk.length;
        visit?.(chunk);
      });
      return total;
    },
  };
}

export async function open(where) {
  const { own } = dispatchers(where);
  return opened(own, own.map(client));
}
