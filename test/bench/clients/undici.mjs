// SPDX-License-Identifier: MIT

import { Client, Pool } from 'undici';

function check({ statusCode }) {
  if (statusCode !== 200) {
    throw new Error(`status ${statusCode}`);
  }
}

/** Dispatchers of undici: a client for each connection, or one pool for all. */
export function dispatchers({ host, port, ca, timeout, count, separate }) {
  const origin = `${ca ? 'https' : 'http'}://${host}:${port}`;
  const limit = timeout * 1000;
  const connect = ca ? { ca } : {};
  // A client rests while the others have their turn: without this it would connect anew after 4 s.
  const options = { pipelining: 1, headersTimeout: limit, bodyTimeout: limit, keepAliveTimeout: 10 * limit, connect };
  if (count === 1 || separate) {
    return { origin, own: Array.from({ length: count }, () => new Client(origin, options)) };
  }
  const pool = new Pool(origin, { ...options, connections: count });
  return { origin, own: Array.from({ length: count }, () => pool) };
}

/** What the driver gets of them. */
export function opened(own, clients) {
  return { clients, close: () => Promise.all([...new Set(own.splice(0))].map((dispatcher) => dispatcher.close())) };
}

function client(dispatcher) {
  return {
    async read(path) {
      const response = await dispatcher.request({ method: 'GET', path });
      check(response);
      return new Uint8Array(await response.body.arrayBuffer());
    },

    async stream(path, _view, visit) {
      const response = await dispatcher.request({ method: 'GET', path });
      check(response);
      let total = 0;
      return new Promise((resolve, reject) => {
        response.body
          .on('data', (chunk) => {
            total += chunk.length;
            visit?.(chunk);
          })
          .on('end', () => resolve(total))
          .on('error', reject);
      });
    },

    async upload(path, body) {
      const response = await dispatcher.request({ method: 'POST', path, body });
      check(response);
      return new Uint8Array(await response.body.arrayBuffer());
    },
  };
}

export async function open(where) {
  const { own } = dispatchers(where);
  return opened(own, own.map(client));
}
