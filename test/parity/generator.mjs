// SPDX-License-Identifier: MIT
//
// Cases out of a seed: calls on a connection, and the canned response that meets them.

import { random } from '../support/memory-peer.mjs';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'HEAD', 'DELETE', 'OPTIONS', 'post', 'X-CUSTOM', 'G T', 'GE\nT', ''];
const URLS = ['/', '', '/a?b=c', '/a#f', '*', 'a', 'http://h.example/x', 'http://h.example:81', 'http://[::1]:8/', 'https://h/', '/a b', '/\x7f', '/é', 'httpx'];
const HOSTS = [
  ['example.com', null],
  ['example.com', 8080],
  ['example.com:81', null],
  ['example.com:', null],
  ['[::1]', null],
  ['::1', 8080],
  ['127.0.0.1', 80],
  ['h:x', null],
];
const NAMES = ['X-A', 'x-b', 'Accept', 'User-Agent', 'HOST', 'accept-encoding', 'Content-Type', 'X:', 'X Y', ''];
const VALUES = ['v', 'two words', '', 7, { bytes: 'by\xe9' }, 'caf\xe9', 'a\tb', ' padded ', 'a\r\nb', 'a\0'];
const BODIES = [null, '', 'hello', 'caf\xe9', { bytes: 'bytes\0' }, { pieces: ['a', '', 'bcd'] }, { pieces: [] }, { file: 'x'.repeat(40) }, { text: 'text\xe9' }];
const STATUSES = ['200 OK', '404 Not Found', '204 No Content', '304 Not Modified', '500', '299 Odd  words ', '200 ', '600 Max'];
const FIELDS = [
  'X-A: 1',
  'x-a: 2',
  'X-A:  spaced \t',
  'Content-Type: text/html; charset="ISO-8859-1"',
  'Content-Type: Text/Plain;charset=utf-8; x=y',
  'Content-Type: nonsense',
  'Connection: close',
  'Connection: keep-alive',
  'Keep-Alive: timeout=5',
  'X-L: caf\xe9',
  'Set-Cookie: a=b; c',
  'X-E:',
];
const READS = [['read'], ['read', 3], ['read', 100], ['readinto', 4], ['readline'], ['readline', 3], ['readlines'], ['isclosed'], ['read1', 2]];

/**
 * @param {number} seed
 * @param {number} count
 * @returns {object[]} cases, see client.py
 */
export function generate(seed, count) {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const chance = (share) => next() < share;
  const some = (list, most) => Array.from({ length: Math.floor(next() * (most + 1)) }, () => pick(list));
  /** Mostly one of the first: the rest are there to be refused. */
  const mostly = (list, good) => (chance(0.93) ? pick(list.slice(0, good)) : pick(list));

  function headers() {
    const names = new Set(Array.from({ length: Math.floor(next() * 4) }, () => mostly(NAMES, 7)));
    return [...names].map((name) => [name, mostly(VALUES, 8)]);
  }

  function requestCalls() {
    const method = mostly(METHODS, 9);
    const url = mostly(URLS, 10);
    const body = pick(BODIES);
    if (chance(0.7)) {
      const fields = headers();
      const framing = next();
      if (framing < 0.1) fields.push(['Content-Length', pick(['5', '2', 'x'])]);
      else if (framing < 0.2) fields.push(['Transfer-Encoding', pick(['chunked', 'gzip'])]);
      return [['request', method, url, body, fields, chance(0.3)]];
    }
    const calls = [['putrequest', method, url, [chance(0.2), chance(0.2)]]];
    for (const [name, item] of headers()) {
      if (/^(host|accept-encoding)$/i.test(name)) continue;
      calls.push(['putheader', name, chance(0.2) ? [item, 'more', 3] : [item]]);
    }
    const direct = typeof body === 'string' || body === null || body.bytes !== undefined;
    if (direct && body !== null) {
      const content = body.bytes ?? body;
      calls.push(['putheader', 'Content-Length', [content.length]]);
      if (chance(0.5)) calls.push(['endheaders', { bytes: content }, false]);
      else calls.push(['endheaders', null, false], ['send', { bytes: content }]);
    } else if (body !== null) {
      calls.push(['putheader', 'Transfer-Encoding', ['chunked']], ['endheaders', body, true]);
    } else {
      calls.push(['endheaders', null, false]);
    }
    if (chance(0.05)) calls.push(pick([['putheader', 'Late', ['x']], ['putrequest', 'GET', '/', []], ['endheaders', null, false]]));
    return calls;
  }

  function response() {
    const version = pick(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0']);
    const fields = some(FIELDS, 4);
    const body = pick(['', 'hello', 'one\ntwo\nthree', 'x'.repeat(300)]);
    let framed = body;
    const framing = pick(['length', 'length', 'chunked', 'close', 'short', 'cut']);
    if (framing === 'length') fields.push(`Content-Length: ${body.length}`);
    if (framing === 'short') fields.push(`Content-Length: ${body.length + 4}`);
    if (framing === 'chunked' || framing === 'cut') {
      fields.push('Transfer-Encoding: chunked');
      framed = '';
      for (let at = 0; at < body.length; ) {
        const chunk = body.slice(at, at + 1 + Math.floor(next() * 60));
        framed += `${chunk.length.toString(16)}${pick(['', '', ';x=y'])}\r\n${chunk}\r\n`;
        at += chunk.length;
      }
      framed += `0\r\n${pick(['', 'X-T: v\r\n'])}\r\n`;
      if (framing === 'cut') framed = framed.slice(0, Math.floor(next() * (framed.length - 4)));
    }
    const end = pick(['\r\n', '\r\n', '\r\n', '\n']);
    const interim = chance(0.1) ? 'HTTP/1.1 100 Continue\r\n\r\n' : '';
    const text = `${interim}${[`${version} ${pick(STATUSES)}`, ...fields, '', ''].join(end)}${framed}`;
    return chance(0.05) ? text.slice(0, Math.floor(next() * text.length)) : text;
  }

  return Array.from({ length: count }, (_, id) => {
    const [host, port] = mostly(HOSTS, 7);
    const calls = [...requestCalls(), ['getresponse'], ...some(READS, 4), ['read'], ['isclosed']];
    return { id, host, port, debug: chance(0.15) ? 1 : 0, calls, response: response() };
  });
}
