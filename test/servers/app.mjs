// SPDX-License-Identifier: MIT
//
// A web application, which the servers under test stand in front of.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';

/** The parts of the answer of `/app/chunks`. */
export const CHUNKS = Array.from({ length: 20 }, (_, n) => `${n}: ${'x'.repeat(n * n)}\n`);

async function digest(request) {
  const hash = createHash('sha256');
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    hash.update(piece);
  }
  return { length, sha256: hash.digest('hex') };
}

const pages = {
  async '/app/echo'(request, response) {
    const { method, url, headers } = request;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, body: await digest(request) }));
  },
  async '/app/form'(request, response) {
    let text = '';
    for await (const piece of request.setEncoding('latin1')) text += piece;
    const location = `http://bugs.python.org/issue${new URLSearchParams(text).get('@number')}`;
    response.writeHead(302, { Location: location, 'Content-Type': 'text/plain' });
    response.end(`Redirecting to ${location}`);
  },
  async '/app/chunks'(_request, response) {
    for (const chunk of CHUNKS) {
      response.write(chunk);
      await new Promise(setImmediate);
    }
    response.end();
  },
  '/app/header'(request, response) {
    const { searchParams } = new URL(request.url, 'http://localhost');
    response.setHeader('X-Long', 'v'.repeat(Number(searchParams.get('length'))));
    response.end('A page with a long header line.\n');
  },
};

/** @returns {Promise<{ port: number, stop: () => Promise<void> }>} */
export async function startApp() {
  const server = http.createServer((request, response) => {
    const page = pages[request.url.split('?')[0]];
    if (page) return page(request, response);
    response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
