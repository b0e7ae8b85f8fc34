// SPDX-License-Identifier: MIT
//
// The server that the scenarios talk to: it answers by the path, and notes what it was asked.

import { once } from 'node:events';
import net from 'node:net';

const reply = (status, headers, body) => [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n');
const to = (status, location, body = '') => reply(status, [`Location: ${location}`], body);
const echo = ({ method, target, body }) => reply('200 OK', ['X-Kind: echo'], `${method} ${target} ${body.length} ${body.slice(0, 40)}\n`);

/**
 * What each path is answered with; the others are echoed. {port} and {other} are those of this server and of another. `early` is
 * when the head is in: no more is read then. `behind` follows without end.
 */
export const ANSWERS = {
  '/hello': reply('200 OK', ['X-Name: value'], 'hello\n'),
  '/empty-body': reply('200 OK', [], ''),
  '/204': 'HTTP/1.1 204 No Content\r\n\r\n',
  '/404': reply('404 Not Found', [], 'nothing here\n'),
  '/500': reply('500 Oops', [], 'broken\n'),
  '/chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
  '/trailer': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n',
  '/interim': `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${reply('200 OK', [], 'late')}`,
  '/binary': reply('200 OK', [], '\x00\xff\r\n\x80'),
  '/until-close': { bytes: 'HTTP/1.0 200 OK\r\n\r\nto the end', close: true },
  '/large': reply('200 OK', [], 'x'.repeat(300000)),
  '/old': { bytes: 'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold', close: true },
  '/nothing': { bytes: '', close: true },
  '/cut-body': { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', close: true },
  '/cut-chunk': { bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello', close: true },
  '/bad-chunk': { bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello', close: true },
  '/bad-length': { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello', close: true },
  '/no-http': { bytes: 'hello there\r\n', close: true },
  '/http-3': { bytes: 'HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n', close: true },
  '/reset': { reset: true },
  '/silent': { bytes: '' },
  '/301': to('301 Moved', '/hello'),
  '/302': to('302 Found', '/echo', 'elsewhere\n'),
  '/303': to('303 See Other', '/echo'),
  '/307': to('307 Again', '/echo'),
  '/308': to('308 Again', '/echo'),
  '/302-no-location': reply('302 Found', [], 'no way\n'),
  '/to-relative/a/b': to('302 Found', '../c?q=1#part'),
  '/to-query': to('302 Found', '?again'),
  '/to-query?again': reply('200 OK', [], 'asked\n'),
  '/to-fragment': to('302 Found', '/hello#part'),
  '/to-absolute': to('302 Found', 'http://127.0.0.1:{port}/hello'),
  '/to-network': to('302 Found', '//127.0.0.1:{port}/hello'),
  '/to-other': to('302 Found', 'http://127.0.0.1:{other}/echo'),
  '/to-other-name': to('302 Found', 'http://localhost:{port}/echo'),
  '/to-credentials': to('302 Found', 'http://you:secret@127.0.0.1:{other}/echo'),
  '/to-spaces': to('302 Found', '/a b?c d\xe9'),
  '/to-nowhere': to('302 Found', 'http://'),
  '/loop': to('302 Found', '/loop'),
  '/two': to('302 Found', '/301'),
  '/closes-302': { bytes: `HTTP/1.1 302 Found\r\nLocation: /hello\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, close: true },
  '/stays-302': `HTTP/1.0 302 Found\r\nLocation: /hello\r\n\r\nand so on`,
  '/cut-302': `HTTP/1.1 302 Found\r\nLocation: /hello\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nshort`,
  '/endless-302': { bytes: 'HTTP/1.1 302 Found\r\nLocation: /hello\r\n\r\n', behind: 'x'.repeat(65536) },
  '/endless-chunks': { bytes: 'HTTP/1.1 302 Found\r\nLocation: /hello\r\nTransfer-Encoding: chunked\r\n\r\n', behind: `400\r\n${'x'.repeat(1024)}\r\n` },
  '/wants-no-100': reply('200 OK', [], 'taken\n'),
  '/417': reply('417 Expectation Failed', [], 'no\n'),
  '/413': { bytes: reply('413 Too Large', ['Connection: close'], 'too much'), early: true },
  '/silent-at-once': { bytes: '', early: true },
  '/417-at-once': reply('417 Expectation Failed', [], 'no\n'),
};

/** The body in `data` behind a head. @returns {{ body: string, length: number } | null} null while it isn't whole */
function bodyOf(head, data) {
  const length = /^content-length: *(\d+)\r$/im.exec(head)?.[1];
  if (length !== undefined) return data.length < Number(length) ? null : { body: data.slice(0, length), length: Number(length) };
  if (!/^transfer-encoding: *chunked\r$/im.test(head)) return { body: '', length: 0 };
  let body = '';
  let at = 0;
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/i.exec(data.slice(at));
    if (size === null) return null;
    const start = at + size[0].length;
    at = start + Number.parseInt(size[1], 16) + 2;
    if (data.length < at) return null;
    if (at === start + 2) return { body, length: at };
    body += data.slice(start, at - 2);
  }
}

/**
 * Starts one.
 *
 * @param {{ other?: number }} [options] the port of another
 * @returns {Promise<{ port: number, requests: string[], connections: number, close: () => Promise<void> }>} `requests` are the
 *   heads as they came, their bodies behind
 */
export async function startServer({ other = 0 } = {}) {
  const sockets = new Set();
  const state = { port: 0, requests: [], connections: 0, close: async () => {} };

  function answerTo(request, socket) {
    const { method, target } = request;
    const fill = (text) => Buffer.from(text.replaceAll('{port}', state.port).replaceAll('{other}', other), 'latin1');
    if (method === 'CONNECT' && target.startsWith('reset')) {
      socket.resetAndDestroy();
      return;
    }
    if (method === 'CONNECT' && target.startsWith('slow')) {
      socket.write('HTTP/1.1 200 Made\r\n');
      const dripping = setInterval(() => socket.write('Via: x\r\n'), 100);
      socket.once('close', () => clearInterval(dripping));
      return;
    }
    if (method === 'CONNECT') {
      socket.write(target.startsWith('refused') ? 'HTTP/1.1 403 Forbidden\r\nVia: x\r\n\r\n' : 'HTTP/1.1 200 Made\r\nVia: x\r\n\r\n');
      return;
    }
    const path = target.replace(/^http:\/\/[^/]*/, '');
    const found = ANSWERS[path] ?? ANSWERS[path.replace(/\?.*$/, '')] ?? echo(request);
    const { bytes, close, reset, behind } = typeof found === 'string' ? { bytes: found } : found;
    if (reset) {
      socket.resetAndDestroy();
      return;
    }
    const text = method === 'HEAD' ? bytes.replace(/(\r\n\r\n)[\s\S]*$/, '$1') : bytes;
    const goOn = () => {
      while (!socket.destroyed && socket.write(behind)) {}
    };
    if (behind !== undefined) socket.on('drain', goOn);
    if (close) socket.end(fill(text));
    else socket.write(fill(text));
    if (behind !== undefined) goOn();
  }

  const server = net.createServer((socket) => {
    let data = '';
    let continued = false;
    state.connections++;
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    socket.setEncoding('latin1').on('data', (text) => {
      data += text;
      for (;;) {
        const end = data.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = data.slice(0, end + 2);
        const [, method, target] = /^(\S+) (\S+) /.exec(head) ?? [];
        if (ANSWERS[target]?.early) {
          state.requests.push(head);
          answerTo({ method, target, body: '' }, socket.pause());
          return;
        }
        if (!continued && /^expect: 100-continue\r$/im.test(head)) {
          continued = true;
          if (target === '/417') {
            state.requests.push(head);
            answerTo({ method, target, body: '' }, socket);
            data = '';
            return;
          }
          if (target !== '/wants-no-100') socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        }
        const found = bodyOf(head, data.slice(end + 4));
        if (found === null) return;
        data = data.slice(end + 4 + found.length);
        continued = false;
        state.requests.push(`${head}\r\n${found.body}`);
        answerTo({ method, target, body: found.body }, socket);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  state.port = server.address().port;
  state.close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return state;
}
