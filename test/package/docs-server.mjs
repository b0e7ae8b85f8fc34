// SPDX-License-Identifier: MIT
//
// The server that the snippets of the documentation talk to, whatever host they name: an origin and a proxy in one.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { certificates } from '../support/certificates.mjs';

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
  '/upload': (request, response) => {
    if (Number(request.headers['content-length']) <= 1_000_000) return request.resume().on('end', () => response.end('stored'));
    return response.writeHead(413, { Connection: 'close' }).end('at most 1 MB');
  },
  '/sum': async (request, response) => {
    await bodyOf(request);
    response.end(`sum: ${request.trailers['x-sum']}`);
  },
  '/drip': (_, response) => {
    const timer = setInterval(() => response.write('.'), 20);
    response.on('close', () => clearInterval(timer));
  },
  '/hang-up': (_, response) => response.socket.end(),
  '/moved': (_, response) => response.writeHead(302, { Location: '/data.json' }).end('it has moved'),
  '/closing': (_, response) => response.writeHead(200, { Connection: 'close' }).end('bye'),
  '/never': () => {},
};

const TUNNELS = ['www.example.org:80', 'www.example.org:443'];
const CREDENTIALS = `Basic ${Buffer.from('me:secret').toString('base64')}`;

/** What the proxy answers to CONNECT when it refuses, or undefined. */
function refusal(request) {
  if (request.url === 'private.example.org:443') {
    if (request.headers['proxy-authorization'] === CREDENTIALS) return undefined;
    return 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 9\r\n\r\nWho asks?';
  }
  return TUNNELS.includes(request.url) ? undefined : 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n';
}

/** Answers as Docker does when one attaches to a container: what follows the head is no longer HTTP, and has no framing. */
function attach(socket) {
  socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nattached\n');
  socket.pipe(socket);
}

/** Answers as an origin and as a proxy. @param {http.Server} server @param {() => number} port of the front */
function serve(server, port) {
  server.on('request', (request, response) => {
    const route = routes[request.url === '/' ? '/index.html' : request.url.split('?')[0]];
    if (route === undefined) return response.writeHead(404).end('not found\n');
    return route(request, response);
  });
  server.on('checkContinue', (request, response) => {
    if (request.url === '/upload' && Number(request.headers['content-length']) > 1_000_000) {
      response.writeHead(413).end('at most 1 MB');
      return;
    }
    response.writeContinue();
    server.emit('request', request, response);
  });
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  server.on('connect', (request, socket) => {
    const refused = refusal(request);
    if (refused !== undefined) {
      socket.end(refused);
      return;
    }
    const origin = net.connect(port(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy.example.org\r\n\r\n');
      socket.pipe(origin).pipe(socket);
    });
    origin.on('error', () => socket.destroy());
    socket.on('error', () => origin.destroy());
  });
  return server;
}

/**
 * Starts a server that speaks HTTP and HTTPS at one port: the first byte tells which.
 *
 * @returns {Promise<{port: number, close: () => Promise<void>}>}
 */
export async function startServer() {
  const { cert, key } = certificates().good;
  const port = () => front.address().port;
  const clear = serve(http.createServer(), port);
  const secure = serve(https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }), port);
  const sockets = new Set();
  const front = net.createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.once('data', (data) => {
      if (data.latin1Slice().startsWith('POST /attach ')) {
        attach(socket);
        return;
      }
      socket.pause();
      socket.unshift(data);
      (data[0] === 22 ? secure : clear).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
    socket.resume();
  });
  await new Promise((resolve) => front.listen(0, '127.0.0.1', resolve));
  return {
    port: port(),
    close: () =>
      new Promise((resolve) => {
        front.close(resolve);
        for (const socket of sockets) socket.destroy();
      }),
  };
}
