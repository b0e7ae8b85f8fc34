// SPDX-License-Identifier: MIT
//
// A server that takes requests apart as strictly as can be, bodies included, so that whatever a client lets slip into a
// body, or out of it, is seen; and that answers when a test says so: at the head, in the middle of the body, or after it.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const NOTHING = Buffer.alloc(0);

/** A request as far as it has come. */
export class Received {
  whole = false;
  length = 0;
  #pieces = [];
  #watchers = [];

  /** @param {string} head @param {net.Socket} socket @param {number} connection which one of the server's */
  constructor(head, socket, connection) {
    this.head = head;
    this.socket = socket;
    this.connection = connection;
    this.url = head.split(' ')[1];
  }

  get body() {
    return Buffer.concat(this.#pieces);
  }

  take(bytes) {
    this.#pieces.push(bytes);
    this.length += bytes.length;
    this.#look();
  }

  end() {
    this.whole = true;
    this.#look();
  }

  /** Resolves once so many bytes of the body are there, or all of it. @param {number} [length] */
  async has(length = Number.POSITIVE_INFINITY) {
    if (this.whole || this.length >= length) return;
    await new Promise((resolve) => this.#watchers.push({ length, resolve }));
  }

  #look() {
    this.#watchers = this.#watchers.filter(({ length, resolve }) => {
      if (!this.whole && this.length < length) return true;
      resolve();
      return false;
    });
  }
}

/** Takes the bytes of a connection apart. */
function parser(socket, connection, state, answer) {
  let expects = 'head';
  let text = NOTHING;
  let left = 0;
  let current = null;

  const whole = () => {
    expects = 'head';
    current.end();
  };

  function head(lines) {
    if (!/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(lines)) {
      state.garbage.push(lines);
      socket.destroy();
      return;
    }
    current = new Received(lines, socket, connection);
    state.requests.push(current);
    const chunked = /\r\ntransfer-encoding: chunked\r\n/i.test(lines);
    left = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(lines)?.[1] ?? 0);
    expects = chunked ? 'size' : 'body';
    const answered = current;
    if (!chunked && left === 0) whole();
    Promise.resolve(answer(answered, state)).catch((error) => state.failures.push(error));
  }

  function line(content) {
    if (expects === 'size') {
      if (!/^[\dA-F]+$/.test(content)) {
        state.garbage.push(content);
        socket.destroy();
        return;
      }
      left = Number.parseInt(content, 16);
      expects = left === 0 ? 'trailer' : 'body';
    } else if (expects === 'end of chunk') {
      if (content !== '') state.garbage.push(content);
      expects = 'size';
    } else if (content === '') {
      whole();
    }
  }

  return (data) => {
    let rest = data;
    while (rest.length > 0 && !socket.destroyed) {
      if (expects === 'body') {
        const part = rest.subarray(0, left);
        rest = rest.subarray(part.length);
        left -= part.length;
        const { chunked } = current;
        current.take(part);
        if (left > 0) continue;
        if (chunked ?? /transfer-encoding: chunked/i.test(current.head)) expects = 'end of chunk';
        else whole();
        continue;
      }
      const mark = expects === 'head' ? '\r\n\r\n' : '\r\n';
      text = Buffer.concat([text, rest]);
      rest = NOTHING;
      const end = text.indexOf(mark);
      if (end < 0) {
        // What can't be the beginning of a head any more is seen at once.
        if (expects === 'head' && !/^[A-Z]*(?: |$)/.test(text.toString('latin1', 0, 20))) state.garbage.push(text.toString('latin1', 0, 200));
        break;
      }
      rest = text.subarray(end + mark.length);
      const content = text.latin1Slice(0, end);
      text = NOTHING;
      if (expects === 'head') head(`${content}\r\n`);
      else line(content);
    }
  };
}

/**
 * Runs with a server.
 *
 * @param {(request: Received, server: object) => unknown} answer called for each head, may be async
 * @param {(server: { port: number, requests: Received[], garbage: string[], sockets: Set<net.Socket>,
 *   connections: () => number }) => Promise<void>} use
 */
export async function withUploads(answer, use) {
  const sockets = new Set();
  let count = 0;
  const state = { port: 0, requests: [], garbage: [], failures: [], sockets, connections: () => count };
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const take = parser(socket, count++, state, answer);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('end', () => socket.end());
    socket.on('data', take);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  state.port = server.address().port;
  try {
    await use(state);
    if (state.failures.length > 0) throw state.failures[0];
    if (state.garbage.length > 0) throw new Error(`the server was sent what is no request: ${JSON.stringify(state.garbage)}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** Runs with a server of node:http. @param {http.RequestListener} listener @param {(port: number, server: http.Server) => Promise<void>} use */
export async function withHttp(listener, use) {
  const server = http.createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use(server.address().port, server);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Waits until something is so. @param {() => unknown} condition @param {number} [patience] in milliseconds */
export async function until(condition, patience = 20_000) {
  for (const end = performance.now() + patience; !condition(); ) {
    if (performance.now() > end) throw new Error(`it never came to ${condition}`);
    await sleep(5);
  }
}

/** What a promise gives, or an error when it hangs. @template T @param {Promise<T>} promise @returns {Promise<T>} */
export async function settles(promise, patience = 20_000, what = 'it hangs') {
  const stop = new AbortController();
  const late = sleep(patience, null, { signal: stop.signal }).then(() => {
    throw new Error(what);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}

/** Bytes that tell where they stand. @param {number} length */
export function pattern(length) {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < Math.min(length, 65521); i++) bytes[i] = (i * 7 + (i >> 8) * 31) & 255;
  for (let at = 65521; at < length; at *= 2) bytes.copy(bytes, at, 0, Math.min(at, length - at));
  return bytes;
}
