// SPDX-License-Identifier: MIT
//
// Writes what the fuzzers start from, out of test/data/hostile.json: `node seeds.mjs <folder>` makes a folder for each.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const hostile = JSON.parse(readFileSync(new URL('../data/hostile.json', import.meta.url), 'utf8'));
const folder = process.argv[2];
const LONGEST = 4096; /* what is longer slows the fuzzers down, and is tested in test/node */
const METHODS = ['GET', 'HEAD', 'CONNECT', 'POST'];

function write(harness, name, parts) {
  mkdirSync(join(folder, harness), { recursive: true });
  writeFileSync(join(folder, harness, name), Buffer.concat(parts.map((part) => Buffer.from(part, 'latin1'))));
}

/** As take_span() of fuzz.h reads a string. */
const span = (text) => [[Math.min(text.length, 255)], text.slice(0, 255)];

function response({ id, bytes: pieces, request }) {
  const bytes = [pieces].flat().join('');
  if (bytes.length > LONGEST) return;
  const method = Math.max(METHODS.indexOf(request?.method), 0);
  for (const [way, choices] of Object.entries({ plain: 0, limited: 4, lazy: 8 + 32, direct: 16 })) {
    write('fuzz_response', `${id}-${way}`, [[method + choices, 1, 3], bytes]);
  }
  /* fuzz_host.c: open, request, getresponse, the host sends it all at once; what is left over are more calls. */
  const host = [1, 0, 15, 0, 0, [0, 1, 3][method] ?? 2, 0, 7, 0, 0];
  write('fuzz_host', id, [host, bytes]);
  const start = bytes.indexOf('\n') + 1;
  write('fuzz_text', id, [[16], bytes.slice(start)]);
}

function request({ id, args, call }) {
  const texts = JSON.stringify(args ?? []).match(/"(?:[^"\\]|\\.)*"/g) ?? [];
  const [first = '', second = '', ...rest] = texts.map((text) => JSON.parse(text));
  const flow = ['request', 'putheader', 'set_tunnel'].indexOf(call);
  const count = Math.min(Math.ceil(rest.length / 2), 7);
  write('fuzz_request', id, [[Math.max(flow, 0)], ...span(first), ...span(second), [count], ...rest.flatMap(span)]);
  write('fuzz_text', id, [[16], first]);
}

/** What the command is called with, and what it is answered. */
function command() {
  const url = 'http://me:pw@h:81/a/../b?c#d';
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const moved = 'HTTP/1.1 302 Found\r\nLocation: ../c\r\nContent-Length: 0\r\n\r\n';
  const calls = {
    get: [['-sSi', url], [0, 0, ...span(ok)]],
    redirect: [['-vL', '-m', '2.5', url], [0, 0, 0, ...span(moved), 0, ...span(ok)]],
    form: [['-d', 'a=1', '-d@file', '-w%{http_code}\\n', '-o', 'out', url], [0, 0, ...span('b=2\n'), 0, 0, 0, 0, 0, ...span(ok)]],
    file: [['-Tfile', '-H', 'X-A;', '-H', 'Accept:', url], [0, 9, 0, 0, 0, ...span('the body!'), 0, ...span(ok)]],
    proxy: [['-x', 'p:1', '-u', 'a:b', '-4', 'https://h/'], [0, 0, 0, ...span('HTTP/1.1 200 OK\r\n\r\n')]],
    help: [['--help'], []],
  };
  for (const [name, [args, rest]] of Object.entries(calls)) {
    const bytes = rest.map((part) => (typeof part === 'number' ? [part] : part));
    write('fuzz_cli', name, [[args.length], ...args.flatMap(span), ...bytes]);
  }
}

/** A request with a body in a piece, its end, an answer that is read, and another request: see `chosen` in fuzz_order.c. */
function order() {
  const [drain, get] = [[23], [0, 0, 0, 3, 0, 0]];
  const post = (body) => [0, 1, body, 3, 0, 0];
  const answer = (reply) => [16, reply, 13, 18];
  for (const body of [1, 2, 3]) {
    for (const reply of [0, 3, 6, 7]) {
      const pieces = [6, 3, 8, 3, 7, 0];
      write('fuzz_order', `late-${body}-${reply}`, [post(body), drain, pieces, drain, answer(reply), get]);
      write('fuzz_order', `early-${body}-${reply}`, [post(body), drain, answer(reply), pieces, drain, get]);
    }
  }
  const own = [0, 1, 0, 1, 1, 0];
  write('fuzz_order', 'own-chunks', [own, drain, [9, 1, 9, 4], answer(0), get]);
  write('fuzz_order', 'own-chunks-cut', [own, drain, [9, 1], answer(0), get]);
}

/** A client's session: requests, in one call and in pieces, and their responses. See `call` in fuzz_client.c. */
function client() {
  const answered = [[8, 0], [127, 0], [10, 32]];
  for (let kind = 0; kind < 256; kind += 16) {
    write('fuzz_client', `get-${kind}`, [[kind], [0, 0, 0, 0], ...answered, [0, 10], ...answered]);
    write('fuzz_client', `post-${kind}`, [[kind], [1, 7, 0, 130, 1, 0, 0], ...answered]);
    write('fuzz_client', `pieces-${kind}`, [[kind], [2, 7, 0, 0], [3, 90, 5, 200, 1], [3, 90, 0], [4, 0], ...answered]);
    write('fuzz_client', `steps-${kind}`, [[kind], [5, 2, 0, 0], [6, 0], [7, 1, 0, 0], ...answered]);
    write('fuzz_client', `tunnel-${kind}`, [[kind], [14, 0], [13, 0, 0, 8, 8], [0, 0, 0, 0], ...answered]);
  }
}

/** Heads for the hosts of `destinations` in fuzz_vet.c. */
function vet() {
  const good = 'Host: a.example\r\n';
  const fields = [
    'Content-Length: 5\r\n',
    'Content-Length: 5, 5\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding: identity\t,chunked\r\n',
    'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
    'Connection: close, upgrade\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n',
    'Connection: content-length, transfer-encoding\r\n',
    'Proxy-Connection: host\r\n',
    'A: b\r\n c\r\n',
    'Host: a.example:80\r\n',
  ];
  const heads = [
    [0, `GET /a?b HTTP/1.1\r\n${good}\r\n`],
    [0, `OPTIONS * HTTP/1.0\r\n${good}\r\n`],
    [0, `CONNECT a.example:80 HTTP/1.1\r\n${good}\r\n`],
    [1, `GET https://a.example/ HTTP/1.1\r\n${good}\r\n`],
    [2, 'GET http://a.example:8080?b HTTP/1.1\r\nHost: A.example:8080\r\n\r\n'],
    [3, 'GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n'],
    [5, 'GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n'],
    [6, 'GET / HTTP/1.1\r\nHost: b.:443\r\n\r\n'],
    [7, 'GET / HTTP/1.1\r\nHost: u@a.example:443\r\n\r\n'],
    ...fields.flatMap((field) => [1, 0].map((minor) => [0, `POST / HTTP/1.${minor}\r\n${field}${good}\r\n`])),
  ];
  for (const [index, [choice, head]] of heads.entries()) write('fuzz_vet', String(index), [[choice, index % 9], head]);
}

client();
vet();
command();
order();
for (const entry of hostile) (entry.kind === 'response' ? response : request)(entry);
