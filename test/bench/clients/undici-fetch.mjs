// SPDX-License-Identifier: MIT

import { fetch } from 'undici';
import { dispatchers, opened } from './undici.mjs';

function check(response) {
  if (response.status !== 200) {
    throw new Error(`status ${response.status}`);
  }
}

function client(dispatcher, origin) {
  const get = async (path, options) => {
    const response = await fetch(origin + path, { dispatcher, ...options });
    check(response);
    return response;
  };
  return {
    read: async (path) => new Uint8Array(await (await get(path)).arrayBuffer()),

    async stream(path, _view, visit) {
      let total = 0;
      for await (const chunk of (await get(path)).body) {
        total += chunk.length;
        visit?.(chunk);
      }
      return total;
    },

    upload: async (path, body) => new Uint8Array(await (await get(path, { method: 'POST', body })).arrayBuffer()),
  };
}

export async function open(where) {
  const { origin, own } = dispatchers(where);
  return opened(own, own.map((dispatcher) => client(dispatcher, origin)));
}
