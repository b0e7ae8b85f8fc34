// SPDX-License-Identifier: MIT
//
// The demo's web server, in a process of its own: the files of site/, a form that redirects, a place for PUT, a large
// file, a report in chunks with trailers, and CONNECT for tunnels to this machine. `startServer` starts it; it ends with the process that did.

import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const SITE = new URL('./site/', import.meta.url);
const HOST = '127.0.0.1';
const LARGE = 64 * 1024 * 1024;
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.txt': 'text/plain; charset=utf-8',
  '.json': 'application/json',
};

/**
 * Starts the server.
 * @returns {Promise<{ host: string, port: number, stop: () => void }>}
 */
export async function startServer() {
  const child = fork(fileURLToPath(import.meta.url), ['--serve']);
  const [port] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the web server ended with exit code ${code}`))),
  ]);
  return { host: HOST, port, stop: () => child.disconnect() };
}

/** Pages by path: those of site/, and what was PUT. */
const pages = new Map();

function loadSite() {
  for (const name of readdirSync(SITE)) {
    pages.set(`/${name}`, { content: readFileSync(new URL(name, SITE)), type: TYPES[extname(name)] });
  }
  pages.set('/', pages.get('/index.html'));
}

async function readBody(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

function sendText(response, status, text, headers = {}) {
  const content = Buffer.from(text);
  const own = { 'Content-Type': TYPES['.txt'], 'Content-Length': content.length };
  response.writeHead(status, { ...own, ...headers });
  response.end(content);
}

function sendPage(request, response, path) {
  const page = pages.get(path);
  if (page === undefined) {
    sendText(response, 404, `There is no ${path} here.\n`);
    return;
  }
  response.writeHead(200, { 'Content-Type': page.type, 'Content-Length': page.content.length });
  response.end(request.method === 'HEAD' ? undefined : page.content);
}

function sendLarge(response) {
  const piece = Buffer.alloc(256 * 1024, 'porthole ');
  let left = LARGE;
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': LARGE });
  const more = () => {
    while (left > 0) {
      left -= piece.length;
      if (!response.write(piece)) return response.once('drain', more);
    }
    return response.end();
  };
  more();
}

/** A body of which nobody knows the length before its end, in chunks, with a sum over it in the trailers. */
async function sendReport(response) {
  const hash = createHash('sha256');
  response.writeHead(200, { 'Content-Type': TYPES['.txt'], Trailer: 'X-Sha256' });
  for (const [name, seconds] of [['Eddystone', 10], ['Kiel', 3], ['Roter Sand', 20]]) {
    const line = `${name}: a flash every ${seconds} s\n`;
    hash.update(line);
    response.write(line);
    await new Promise((resolve) => setTimeout(resolve, 20)); // each line comes in its own time
  }
  response.addTrailers({ 'X-Sha256': hash.digest('hex').slice(0, 16) });
  response.end();
}

async function answer(request, response) {
  const path = request.url.split('?')[0];
  const { method } = request;
  if (method === 'PUT') {
    const status = pages.has(path) ? 204 : 201;
    pages.set(path, { content: await readBody(request), type: request.headers['content-type'] ?? 'text/plain' });
    response.writeHead(status, { 'Content-Length': 0 }).end();
  } else if (method === 'POST' && path === '/') {
    const form = new URLSearchParams((await readBody(request)).toString());
    const location = `http://bugs.python.org/issue${form.get('@number')}`;
    sendText(response, 302, `Redirecting to ${location}`, { Location: location });
  } else if (method === 'GET' && path === '/large.bin') {
    sendLarge(response);
  } else if (method === 'GET' && path === '/report') {
    await sendReport(response);
  } else if (method === 'GET' || method === 'HEAD') {
    sendPage(request, response, path);
  } else {
    sendText(response, 405, `${method} is not for ${path}.\n`, { Allow: 'GET, HEAD, POST, PUT' });
  }
}

/** CONNECT: a tunnel, to this machine only. */
function tunnel(request, client, head) {
  const { hostname, port } = new URL(`http://${request.url}`);
  client.on('error', () => {});
  if (hostname !== 'localhost' && hostname !== HOST) {
    client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const origin = net.connect(Number(port || 80), HOST, () => {
    client.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 demo\r\n\r\n');
    origin.write(head);
    origin.pipe(client).pipe(origin);
  });
  origin.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
  client.on('close', () => origin.destroy());
}

if (process.argv[2] === '--serve') {
  loadSite();
  const server = http.createServer(answer).on('connect', tunnel);
  server.listen(0, HOST, () => process.send(server.address().port));
  process.on('disconnect', () => process.exit());
}
