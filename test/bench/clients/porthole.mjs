// SPDX-License-Identifier: MIT

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

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
      return response.read();
    },

    async stream(path, view, visit) {
      await connection.request('GET', path);
      const response = await connection.getresponse();
      check(response);
      let total = 0;
      for (let count; (count = await response.readinto(view)) > 0; ) {
        total += count;
        visit?.(view.subarray(0, count));
      }
      return total;
    },

    async upload(path, body) {
      await connection.request('POST', path, body);
      const response = await connection.getresponse();
      check(response);
      return response.read();
    },
  };
}

/** The porthole in the folder `root`, as its package is loaded: the driver compares two of them. */
export async function open({ host, port, root, ca, timeout, count }) {
  const { exports } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
  const { HTTPConnection, HTTPSConnection, create_default_context } = await import(
    pathToFileURL(`${root}/${exports['.'].default}`).href
  );
  const context = ca && create_default_context({ cadata: ca.toString() });
  const connections = Array.from({ length: count }, () =>
    ca ? new HTTPSConnection(host, port, { timeout, context }) : new HTTPConnection(host, port, { timeout }),
  );
  return {
    clients: connections.map(client),
    close() {
      for (const connection of connections.splice(0)) connection.close();
    },
  };
}
