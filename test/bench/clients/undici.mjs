// SPDX-License-Identifier: MIT

import { Client, Pool } from 'undici';
import { main, TIMEOUT } from './harness.mjs';

const OPTIONS = { pipelining: 1, headersTimeout: TIMEOUT * 1000, bodyTimeout: TIMEOUT * 1000 };

function check({ statusCode }) {
  if (statusCode !== 200) {
    throw new Error(`status ${statusCode}`);
  }
}

function client(dispatcher) {
  return {
    async read(path) {
      const response = await dispatcher.request({ method: 'GET', path });
      check(response);
      return (await response.body.arrayBuffer()).byteLength;
    },

    async stream(path) {
      const response = await dispatcher.request({ method: 'GET', path });
      check(response);
      let total = 0;
      return new Promise((resolve, reject) => {
        response.body
          .on('data', (chunk) => (total += chunk.length))
          .on('end', () => resolve(total))
          .on('error', reject);
      });
    },

    async upload(path, body) {
      const response = await dispatcher.request({ method: 'POST', path, body });
      check(response);
      return (await response.body.arrayBuffer()).byteLength;
    },
  };
}

await main(({ host, port }, count) => {
  const origin = `http://${host}:${port}`;
  const dispatcher = count === 1 ? new Client(origin, OPTIONS) : new Pool(origin, { ...OPTIONS, connections: count });
  return { clients: Array.from({ length: count }, () => client(dispatcher)), close: () => dispatcher.close() };
});
