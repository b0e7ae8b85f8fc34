// SPDX-License-Identifier: MIT
//
// porthole-client.wasm against what is bad and odd: the responses of data/hostile.json, and calls at random in any order.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { root } from '../../bindings/setup.mjs';
import { component, lacking, performUnder, RUNTIMES, serve, transpiled } from './setup.mjs';

const skip = await lacking();
const cases = JSON.parse(readFileSync(join(root, 'test', 'data', 'hostile.json'), 'utf8')).filter(({ kind }) => kind === 'response');
const step = (on, call, ...args) => ({ on, call, arguments: args });
const bytes = (text) => ({ bytes: text });

/** The kind that the WIT has for a class of http.client, and what that class is as well. */
const kindOf = (name) => name.replace(/^HTTP/, 'Http').replace(/URL$/, 'Url').replace(/(?!^)[A-Z]/g, '-$&').toLowerCase();
const ABOVE = { BadStatusLine: 'HTTPException', IncompleteRead: 'HTTPException', LineTooLong: 'HTTPException', UnknownProtocol: 'HTTPException', UnknownTransferEncoding: 'HTTPException', RemoteDisconnected: 'BadStatusLine' };
const kindsOf = (name) => [kindOf(name), ...Object.keys(ABOVE).filter((below) => ABOVE[below] === name).flatMap(kindsOf)];

function check({ expect }, [status, version, reason, willClose, headers, body], error) {
  const wanted = [expect.error, expect.alt_errors ?? []].flat().filter(Boolean);
  if (error !== undefined) {
    assert.ok(wanted.flatMap(kindsOf).includes(error.kind), `wanted ${wanted.join(' or ') || 'a response'}, got ${error.kind}`);
    if (expect.partial !== undefined) assert.equal(body, expect.partial);
    return;
  }
  assert.equal(expect.error, null, 'wanted an error, got a response');
  const got = { status, version, reason, will_close: willClose, headers: headers.map(([name, { bytes: value }]) => [name, value]), body };
  const { status: s, version: v, reason: r, will_close: w, headers: h, body: b } = expect;
  assert.deepEqual(got, { status: s, version: v, reason: r, will_close: w, headers: h, body: b });
}

/** Numbers from 0 to below 1, the same for the same seed. */
function randomOf(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

/** Calls in any order on some connections and responses, whether they are there or not. */
function randomSteps(random, port, count) {
  const below = (limit) => Math.floor(random() * limit);
  const pick = (list) => list[below(list.length)];
  const text = () => pick(['', '/', 'a', '\0', 'a b', '\xe4', 'x'.repeat(below(3000)), 'Content-Length', 'Transfer-Encoding', 'chunked', '3']);
  const method = () => pick(['GET', 'GET', 'HEAD', 'POST', 'CONNECT', text()]);
  const url = () => pick(['/', '/a', '/a', text()]);
  const field = () => [text(), bytes(text())];
  const fields = () => pick([[], [], [], [field()], [field(), field()], Array(below(200)).fill(field())]);
  const body = () => pick([null, bytes(''), bytes('abc'), bytes('x'.repeat(below(40000)))]);
  const maybe = (value) => pick([null, value]);
  const calls = [
    () => ['request', method(), url(), body(), fields()],
    () => ['request', 'GET', '/', null, []],
    () => ['begin', method(), url(), maybe({ u64: below(6) }), fields()],
    () => ['send', bytes('x'.repeat(below(6)))],
    () => ['endbody', fields()],
    () => ['putrequest', method(), url(), { flags: pick([[], ['host'], ['accept-encoding']]) }],
    () => ['putheader', ...field()],
    () => ['endheaders', body()],
    () => ['connect'],
    () => ['set-tunnel', maybe(text()), maybe(below(99999) & 0xffff), fields()],
    () => ['set-limit', pick(['line', 'headers', 'head', 'interim', 'trailers', 'chunk-extension', 'body']), { u64: below(1 << 20) }],
    () => ['expect-continue', maybe(below(20))],
    () => ['keep-interim', below(2000)],
    () => ['set-family', maybe('ipv4')],
    () => ['set-timeout', pick([0, 20, 20])],
    () => ['wait', below(5)],
    () => ['interims'],
    () => ['close'],
  ];
  const reads = [['read', below(9)], ['read', 100000], ['read1', below(9)], ['read1', 0xffffffff], ['trailers'], ['getheaders'], ['getheader', text()], ['reason'], ['isclosed'], ['status']];
  const steps = [];
  while (steps.length < count) {
    const c = `c${below(3)}`;
    const r = `r${below(3)}`;
    steps.push(...pick([
      () => [step(c, 'drop'), step(c, 'new', pick(['127.0.0.1', '127.0.0.1', text()]), port), step(c, 'set-timeout', 20)],
      () => [step(r, 'drop'), { ...step(c, 'getresponse'), as: r }],
      () => [step(c, 'drop'), step(c, 'new', '127.0.0.1', port), step(c, 'set-timeout', 50), step(c, 'request', 'GET', '/', null, []), step(r, 'drop'), { ...step(c, 'getresponse'), as: r }, step(r, 'read', 9)],
      () => [step(r, 'drop')],
      () => [step(r, ...pick(reads))],
      () => [step(r, ...pick(reads))],
      ...Array(4).fill(() => [step(c, ...pick(calls)())]),
    ])());
  }
  return steps;
}

const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 Gr\xfc\xdfe\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: u\r\n\r\n',
  'HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 204 No\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello',
  `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'y'.repeat(100000)}`,
  'HTTP/1.1 101 Other\r\nUpgrade: x\r\n\r\nraw',
  'HTTP/1.0 407 No\r\n\r\nclosing',
  'nonsense\r\n\r\n',
  '',
];

describe('porthole-client.wasm, badly treated', { skip }, () => {
  let folder;
  before(async () => {
    folder = await transpiled(component, 'client');
  });

  for (const name of RUNTIMES) {
    const perform = (steps, options) => performUnder(name, folder, steps, options);

    test(`under ${name} each response of hostile.json has the outcome that it has everywhere`, async (t) => {
      const { port } = await serve(t, async (socket, text) => {
        const { bytes: pieces, close } = cases[Number(/ \S*?(\d+) HTTP/.exec(text)[1])];
        for (const piece of [pieces].flat()) {
          socket.write(piece, 'latin1');
          await new Promise(setImmediate);
        }
        if (close) socket.end();
      });
      const looks = ['status', 'version', 'reason', 'will-close', 'getheaders'].map((call) => step('r', call));
      const steps = cases.flatMap(({ request }, index) => [
        step('c', 'new', '127.0.0.1', port), step('c', 'set-timeout', 20000),
        step('c', 'request', request.method, request.method === 'CONNECT' ? `end.test:${index}` : `/${index}`, null, []),
        { ...step('c', 'getresponse'), as: 'r' }, ...looks, step('r', 'read', 1 << 20), step('r', 'read', 1 << 20), step('r', 'drop'), step('c', 'drop'),
      ]);
      const each = steps.length / cases.length;
      const results = await perform(steps);
      for (const [index, entry] of cases.entries()) {
        const [, , asked, got, ...rest] = results.slice(index * each, (index + 1) * each);
        assert.equal(asked, null, entry.id);
        const read = rest.slice(looks.length, looks.length + 2);
        const error = [got, ...read].find((result) => result?.error !== undefined)?.error;
        const body = read.map((result) => result?.bytes ?? '').join('');
        await t.test(entry.id, () => check(entry, [...rest.slice(0, looks.length), body], error));
      }
    });

    for (const seed of [1, 2, 3]) {
      test(`under ${name} no call traps, whatever is called in whatever order (seed ${seed})`, async (t) => {
        const random = randomOf(seed);
        let answers = 0;
        const { port } = await serve(t, (socket) => {
          const answer = ANSWERS[answers++ % ANSWERS.length];
          if (answer === '') socket.resetAndDestroy();
          else socket.write(answer, 'latin1');
          if (answers % 4 === 0) socket.end();
        });
        const results = await perform(randomSteps(random, port, 2000), { limited: true });
        const kinds = new Set(results.filter((result) => result?.error).map(({ error }) => error.kind));
        assert.ok(kinds.size > 5, [...kinds].join());
        assert.ok(results.filter((result) => result?.bytes?.length > 0).length > 20, 'bodies are read');
      });
    }
  }
});
