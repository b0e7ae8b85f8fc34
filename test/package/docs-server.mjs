// SPDX-License-Identifier: MIT
//
// The server that the snippets of the documentation talk to, whatever host they name: an origin and a proxy in one.

import http from 'node:http';
import net from 'node:net';
import { gzipSync } from 'node:zlib';

const PAGE = '<!doctype html>\n<title>Example</title>\n<p>This page is an example.\n</html>\n';

const html = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': PAGE.length };

async function bodyOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The lines of a request's head, as received. */
function headerLines({ rawHeaders }) {
  return rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []));
}

const routes = {
  __proto__: null,
  '/index.html': (_, response) => response.writeHead(200, html).end(PAGE),
  '/form': (request, response) => {
    request.resume();
    response.writeHead(302, { Location: '/issue12524' }).end('Redirecting to /issue12524');
  },
  '/file': async (request, response) => {
    const body = await bodyOf(request);
    const whole = body.length === Number(request.headers['content-length']);
    response.writeHead(whole ? 200 : 400).end(`${body.length} bytes stored\n`);
  },
  '/echo': async (request, response) => {
    const body = await bodyOf(request);
    response.setHeader('Request-Transfer-Encoding', request.headers['transfer-encoding'] ?? 'none');
    response.end(body);
  },
  '/headers': (request, response) => response.end(headerLines(request).join(', ')),
  '/early-hints': (_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
    response.writeHead(200, html).end(PAGE);
  },
  '/cookies': (_, response) => response.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('ok'),
  '/data.json': (_, response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"answer":42}'),
  '/lines': (_, response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).end('one\ntwo\nthree\n'),
  '/large': (_, response) => response.end(Buffer.alloc(1_000_000, 'x')),
  '/trailers': (_, response) => {
    response.writeHead(200, { Trailer: 'Checksum' });
    response.write('abc');
    response.addTrailers({ Checksum: '900150983cd24fb0' });
    response.end();
  },
  '/download': (_, response) => {
    response.writeHead(200, {
      'Content-Type': 'text/csv; charset=ISO-8859-1',
      'Content-Disposition': "attachment; filename*=UTF-8''na%C3%AFve.csv",
    });
    response.end();
  },
  '/compressed': (request, response) => {
    if (request.headers['accept-encoding'] !== 'gzip') return response.writeHead(406).end();
    return response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync('squeezed'));
  },
  '/cut': (_, response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('seven..', () => response.socket.end());
  },
  '/hang-up': (_, response) => response.socket.end(),
  '/never': () => {},
};

/**
 * @returns {Promise<{port: number, close: () => Promise<void>}>}
 */
export async function startServer() {
  const server = http.createServer((request, response) => {
    const route = routes[request.url === '/' ? '/index.html' : request.url];
    if (route === undefined) return response.writeHead(404).end('not found\n');
    return route(request, response);
  });
  server.on('connect', (request, socket) => {
    if (request.url !== 'www.example.org:80') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const origin = net.connect(server.address().port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy.example.org\r\n\r\n');
      socket.pipe(origin).pipe(socket);
    });
    origin.on('error', () => socket.destroy());
    socket.on('error', () => origin.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
