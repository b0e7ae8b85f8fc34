// SPDX-License-Identifier: MIT

import { HTTPConnection } from '../../../js/index.js';
import { main, TIMEOUT } from './harness.mjs';

function check(response) {
  if (response.status !== 200) {
    throw new Error(`status ${response.status}`);
  }
}

function client(connection) {
  return {
    async read(path) {
      await connection.request('GET', path);
      const response = await connection.getresponse();
      check(response);
      return (await response.read()).length;
    },

    async stream(path, view) {
      await connection.request('GET', path);
      const response = await connection.getresponse();
      check(response);
      let total = 0;
      for (let count; (count = await response.readinto(view)) > 0; ) {
        total += count;
      }
      return total;
    },

    async upload(path, body) {
      await connection.request('POST', path, body);
      const response = await connection.getresponse();
      check(response);
      return (await response.read()).length;
    },
  };
}

await main(({ host, port }, count) => {
  const connections = Array.from({ length: count }, () => new HTTPConnection(host, port, { timeout: TIMEOUT }));
  return { clients: connections.map(client), close: () => connections.forEach((connection) => connection.close()) };
});
