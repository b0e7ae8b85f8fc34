// SPDX-License-Identifier: MIT
//
// What a guest can't do, as its host is told to see to it: over real connections.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { PassThrough } from 'node:stream';
import { after, afterEach, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createHost } from '../../js/host.js';
import { certificates, noOpenssl } from '../support/certificates.mjs';
import { until } from '../support/upload-server.mjs';
import { destinations } from './destinations.mjs';
import { guestOf, noClang, Raw } from './guests.mjs';

const DENIED = -404;
const TIMED_OUT = -403;
const NOT_FOUND = -402;
const OTHER = -412;
const WANT_READ = -1;
const TLS_HANDSHAKE = -405;
const OPEN_TLS = 1;
const OPEN_IPV6 = 4;
const lookupTo =
  (...addresses) =>
  (_name, _options, done) =>
    done(null, addresses.map((address) => ({ address, family: net.isIP(address) })));

describe('a host', { skip: noClang }, () => {
  let server;
  let port;
  let seen = []; // what each connection sent
  // What a test has made, and need not close, however it ends.
  const hosts = [];
  const servers = [];

  const listen = async (made) => {
    made.listen(0, '127.0.0.1');
    await once(made, 'listening');
    return made;
  };

  /** Listens for one test. @returns {Promise<number>} at this port */
  const serve = async (made) => {
    servers.push(await listen(made));
    return made.address().port;
  };

  function answer(socket) {
    const connection = { text: '' };
    seen.push(connection);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      connection.text += chunk.latin1Slice();
      if (connection.text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  }

  before(async () => {
    server = await listen(net.createServer(answer));
    ({ port } = server.address());
  });

  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.close()));
    for (const made of servers.splice(0)) made.close();
  });

  after(() => server.close());

  /** @returns {Promise<Raw & {host: any, lines: object[], log: string[]}>} a guest of a host with these options */
  async function start(options, run = {}) {
    seen = [];
    const lines = [];
    const log = [];
    const host = createHost({ audit: (line) => lines.push(line), ...options });
    hosts.push(host);
    const raw = await Raw.start(host, { log: (line) => log.push(line), ...run });
    return Object.assign(raw, { host, lines, log });
  }

  const headFor = (host, more = '', at = port) => `GET / HTTP/1.1\r\nHost: ${host}:${at}\r\n${more}\r\n`;

  describe('of destinations', () => {
    for (const { input, expect, allow, host, addresses } of destinations()) {
      if (expect === 'allow' || host.startsWith('file:')) continue;
      test(`connects to nobody for ${input}`, async () => {
        const loopback = lookupTo(...addresses.map((address) => (address === '93.184.216.34' ? '127.0.0.1' : address)));
        const raw = await start({ allow: [...allow.map((rule) => rule.replace(/:\d+$/, `:${port}`))], lookup: loopback });
        const to = input === 'ok.example:25' ? port + 1 : port;
        const name = Buffer.from(host).latin1Slice();
        assert.equal(await raw.open(name, to), DENIED);
        assert.match(await raw.words(0), /rule|no name|address/);
        assert.deepEqual(seen, []);
        await raw.guest.close();
      });
    }
  });

  test('connects to an address that was checked, whatever the name has the next time', async () => {
    const answers = [['127.0.0.1'], ['10.0.0.1']];
    const lookup = (name, options, done) => lookupTo(...answers.shift())(name, options, done);
    const raw = await start({ allow: ['rebind.example:*', '127.0.0.1:*'], lookup });
    const handle = await raw.open('rebind.example', port);
    assert.ok(handle > 0);
    assert.equal(answers.length, 1, 'one look-up for a connection');
    assert.equal(await raw.info(handle, 1), `127.0.0.1:${port}`);
    assert.equal(await raw.open('rebind.example', port), DENIED);
    assert.match(await raw.words(0), /10\.0\.0\.1/);
  });

  test('explains a URL without connecting', async () => {
    const { host } = await start({ allow: ['a.example', '*:*', '127.0.0.1:80'], lookup: lookupTo('10.0.0.9') });
    assert.equal(host.explain('http://127.0.0.1/').allowed, true);
    assert.equal(host.explain('http://127.0.0.1:81/').allowed, false);
    assert.deepEqual(await host.explain('http://a.example/'), {
      allowed: false,
      reason: 'a.example has the address 10.0.0.9 of 10.0.0.0/8 (private use): only the rule 10.0.0.9:80 would allow it',
      rule: '10.0.0.9:80',
      address: '10.0.0.9',
    });
    const lost = createHost({ allow: ['*'], lookup: (_name, _options, done) => done(new Error('no such name')) });
    assert.equal((await lost.explain('http://a.example/')).allowed, false);
    assert.deepEqual(seen, []);
  });

  test('lets nothing go in clear to a host that a rule for https allows', async () => {
    const raw = await start({ allow: ['https://127.0.0.1:*'] });
    const handle = await raw.open('127.0.0.1', port);
    assert.ok(handle > 0);
    assert.equal(await raw.sendHead(handle, headFor('127.0.0.1')), DENIED);
    assert.match(await raw.words(handle), /no rule allows http:\/\/127\.0\.0\.1/);
    const other = await raw.open('127.0.0.1', port);
    assert.equal(await raw.startTls(other, 'other.example'), DENIED);
    assert.equal(seen.map(({ text }) => text).join(''), '');
  });

  test('says in plain words that a server speaks no TLS', async () => {
    const plain = await serve(net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 No\r\n\r\n'))));
    const raw = await start({ allow: ['https://127.0.0.1:*'] });
    const opened = await raw.open('127.0.0.1', plain, OPEN_TLS);
    const failed = opened < 0; // the handshake, already
    assert.equal(failed ? opened : await raw.startTls(opened, '127.0.0.1'), TLS_HANDSHAKE);
    assert.match(await raw.words(failed ? 0 : opened), /^[a-z ]+: is TLS spoken at this port\?$/);
  });

  test('speaks no TLS where a rule allows http alone', async () => {
    const raw = await start({ allow: ['http://127.0.0.1:*'] });
    const handle = await raw.open('127.0.0.1', port);
    assert.equal(await raw.startTls(handle, '127.0.0.1'), DENIED);
    assert.match(await raw.words(handle), /127\.0\.0\.1.* would allow it/);
    assert.equal(await raw.open('127.0.0.1', port, 1), DENIED);
  });

  describe('of heads', () => {
    for (const [what, head] of [
      ['another host', 'GET / HTTP/1.1\r\nHost: b.example\r\n\r\n'],
      ['no host', 'GET / HTTP/1.1\r\n\r\n'],
      ['CONNECT', 'CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n'],
      ['a target elsewhere', 'GET http://b.example/ HTTP/1.1\r\nHost: PLACE\r\n\r\n'],
      ['two heads', 'GET / HTTP/1.1\r\nHost: PLACE\r\n\r\nGET / HTTP/1.1\r\nHost: b.example\r\n\r\n'],
      ['half a head', 'GET / HTTP/1.1\r\nHost: PLACE\r\n'],
      ['a fold', 'GET / HTTP/1.1\r\nHost: PLACE\r\nA: b\r\n\tc\r\n\r\n'],
      ['framing that contradicts itself', 'POST / HTTP/1.1\r\nHost: PLACE\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ]) {
      test(`refuses ${what}`, async () => {
        const raw = await start({ allow: ['127.0.0.1:*'] });
        const handle = await raw.open('127.0.0.1', port);
        assert.equal(await raw.sendHead(handle, head.replaceAll('PLACE', `127.0.0.1:${port}`)), DENIED);
        assert.equal(await raw.send(handle, 'x'), DENIED, 'which is the end of the connection');
        assert.ok(raw.lines.some(({ event, allowed }) => event === 'head' && !allowed));
        await raw.guest.close();
        assert.equal(seen.map(({ text }) => text).join(''), '');
      });
    }

    test('refuses bytes before the first one, and takes them behind', async () => {
      const raw = await start({ allow: ['127.0.0.1:*'] });
      const early = await raw.open('127.0.0.1', port);
      assert.equal(await raw.send(early, 'GET / HTTP/1.1\r\n\r\n'), DENIED);
      const handle = await raw.open('127.0.0.1', port);
      assert.ok((await raw.sendHead(handle, headFor('127.0.0.1'))) > 0);
      assert.equal(await raw.send(handle, 'body\r\n\r\n'), 8); // one piece or two, it is answered
      assert.ok((await raw.recv(handle)) > 0);
    });
  });

  describe('of quotas', () => {
    test('counts connections, at a time and in all', async () => {
      const raw = await start({ allow: ['127.0.0.1:*'], limits: { connections: 2, total_connections: 4 } });
      const handles = [await raw.open('127.0.0.1', port), await raw.open('127.0.0.1', port)];
      assert.equal(await raw.open('127.0.0.1', port), DENIED);
      assert.match(await raw.words(0), /no more than 2 at a time/);
      for (const handle of handles) await raw.closeHandle(handle);
      for (let index = 0; index < 2; index++) await raw.closeHandle(await raw.open('127.0.0.1', port));
      assert.equal(await raw.open('127.0.0.1', port), DENIED);
      assert.match(await raw.words(0), /total_connections/);
      assert.equal(raw.lines.filter(({ event }) => event === 'quota').length, 2);
      assert.ok(raw.log.every((line) => line.startsWith('quota denied: ')));
    });

    test('counts look-ups', async () => {
      const raw = await start({ allow: ['a.example:*', '127.0.0.1:*'], limits: { lookups: 1 }, lookup: lookupTo('127.0.0.1') });
      assert.ok((await raw.open('a.example', port)) > 0);
      assert.equal(await raw.open('a.example', port), DENIED);
      assert.ok((await raw.open('127.0.0.1', port)) > 0);
    });

    test('gives no more bytes than may come in', async () => {
      const raw = await start({ allow: ['127.0.0.1:*'], limits: { bytes_in: 10 } });
      const handle = await raw.open('127.0.0.1', port);
      await raw.sendHead(handle, headFor('127.0.0.1'));
      await assert.rejects(raw.all(handle), { result: DENIED, text: 'HTTP/1.1 2', message: /bytes_in/ });
    });

    test('sends no more bytes than may go out', async () => {
      const head = headFor('127.0.0.1');
      const raw = await start({ allow: ['127.0.0.1:*'], limits: { bytes_out: head.length + 3 } });
      const handle = await raw.open('127.0.0.1', port);
      await raw.sendHead(handle, head);
      assert.equal(await raw.send(handle, 'abcdef'), 3);
      assert.equal(await raw.send(handle, 'def'), DENIED);
      assert.match(await raw.words(handle), /bytes_out/);
    });

    test('ends connections when their time is used up', async () => {
      const raw = await start({ allow: ['127.0.0.1:*'], limits: { time: 2 } });
      const handles = [await raw.open('127.0.0.1', port), await raw.open('127.0.0.1', port)];
      for (const handle of handles) assert.equal(await raw.recv(handle), DENIED);
      assert.match(await raw.words(handles[0]), /seconds of connections/);
      seen = [];
      assert.equal(await raw.open('127.0.0.1', port), DENIED);
      assert.match(await raw.words(0), /seconds of connections/);
      assert.equal(seen.length, 0);
    });

    test('connects to nobody for who has given up while a name was looked up, which keeps its place until then', async () => {
      const answers = [];
      const raw = await start({
        allow: ['*.example:*', '127.0.0.1:*'],
        limits: { connections: 1 },
        lookup: (_name, _options, done) => answers.push(done),
      });
      assert.equal(await raw.open('a.example', port, 0, 50), TIMED_OUT);
      assert.equal(await raw.open('127.0.0.1', port), DENIED);
      assert.match(await raw.words(0), /connections: no more than 1/);
      answers[0](null, [{ address: '127.0.0.1', family: 4 }]);
      const handle = await raw.open('127.0.0.1', port);
      assert.ok(handle > 0);
      await raw.sendHead(handle, headFor('127.0.0.1'));
      assert.ok((await raw.recv(handle)) > 0);
      assert.equal(seen.length, 1);
      assert.deepEqual(raw.lines.filter(({ event }) => event === 'open').map(({ host }) => host), ['127.0.0.1']);
    });
  });

  describe('of guests', () => {
    test('ends one that loops, and those after it go on', async () => {
      const raw = await start({}, { time: 2 }); // making it counts as a call
      const other = await raw.host.run(guestOf('test/plugins/guests/raw.c'));
      await assert.rejects(raw.guest.call('loop'), { name: 'GuestError', code: 'ERR_HTTP_GUEST_TIME' });
      await assert.rejects(raw.guest.call('text'), { code: 'ERR_HTTP_GUEST_TIME' });
      assert.throws(() => raw.guest.read(0, 1), { code: 'ERR_HTTP_GUEST_TIME' });
      assert.equal(typeof (await other.call('text')), 'number');
      assert.match(raw.log.join('\n'), /has run for 2 seconds/);
    });

    test('takes what a guest gives for whole numbers, whatever types it has declared', async () => {
      const { host } = await start({ allow: ['127.0.0.1:*'] });
      const guest = await host.run(guestOf('test/plugins/guests/floats.c'), { time: 30 });
      const handle = await guest.call('open', port, 20_000);
      assert.ok(handle > 0);
      for (const never of [Number.NaN, Number.POSITIVE_INFINITY, 0.9]) {
        assert.equal(await guest.call('recv', handle, 100, never), WANT_READ, 'no time at all');
        assert.equal(await guest.call('wait', 0, never), 0);
      }
      assert.equal(await guest.call('recv', handle, Number.NaN, 0), OTHER);
      assert.ok((await guest.call('open', Number.NaN, 20_000)) < 0);
    });

    test('tells who calls one with other numbers than it takes, and goes on', async () => {
      const { host } = await start({});
      const guest = await host.run(guestOf('test/plugins/guests/floats.c'));
      await assert.rejects(guest.call('wide', 1), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: /^wide takes .* bigint/ });
      await assert.rejects(guest.call('recv', 1n, 1, 1), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      assert.equal(await guest.call('wide', 1n), 2n);
    });

    test('runs none after it was closed, nor one that was on its way', async () => {
      const { host } = await start({});
      const running = host.run(guestOf('test/plugins/guests/raw.c'));
      const failed = assert.rejects(running, { name: 'GuestError', code: 'ERR_HTTP_GUEST_CLOSED' });
      await host.close();
      await failed;
      await assert.rejects(host.run(guestOf('test/plugins/guests/raw.c')), { code: 'ERR_HTTP_GUEST_CLOSED' });
      assert.throws(() => host.imports(new WebAssembly.Memory({ initial: 1 })), { code: 'ERR_HTTP_GUEST_CLOSED' });
    });

    test('ends one that traps', async () => {
      const raw = await start({});
      await assert.rejects(raw.guest.call('trap'), { name: 'GuestError', code: 'ERR_HTTP_GUEST_TRAP', message: /unreachable/ });
      await assert.rejects(raw.guest.call('text'), { code: 'ERR_HTTP_GUEST_TRAP' });
      assert.match(raw.log.join('\n'), /trapped/);
    });

    test('gives no more memory than may be had', async () => {
      const raw = await start({}, { memory: 2 ** 20 });
      assert.equal(await raw.guest.call('grow', 100), -1);
      assert.ok((await raw.guest.call('grow', 1)) > 0);
      const bytes = readFileSync(guestOf('test/plugins/guests/raw.c'));
      await assert.rejects(raw.host.run(bytes, { memory: 65_536 }), { name: 'TypeError', message: /begins with \d+ bytes of memory/ });
      const module = await WebAssembly.compile(bytes);
      await assert.rejects(raw.host.run(module, { memory: 2 ** 20 }), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
      assert.equal(typeof (await (await raw.host.run(module)).call('text')), 'number');
    });

    test('gives no imports but its own', async () => {
      const { host } = await start({});
      // (module (import "env" "f" (func)))
      const foreign = Buffer.from('0061736d010000000104016000000209010365 6e760166 0000'.replaceAll(' ', ''), 'hex');
      await assert.rejects(host.run(foreign), { name: 'TypeError', message: 'the guest imports env.f, which it is not given' });
      await assert.rejects(host.run(foreign, { imports: ['env'] }), { name: 'TypeError' });
      const wasi = host.run(guestOf('test/plugins/guests/wasi.c'));
      await assert.rejects(wasi, { name: 'TypeError', message: /: imports: \['wasi_snapshot_preview1'\] would give it$/ });
      await assert.rejects(host.run(Buffer.from('not wasm at all')), { name: 'TypeError' });
      await assert.rejects(host.run(7), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    });

    test('copies their memory, inside of it only, and between calls', async () => {
      const raw = await start({ allow: ['127.0.0.1:*'] });
      raw.guest.write(raw.text, 'é');
      const bytes = raw.guest.read(raw.text, 2);
      assert.deepEqual([...bytes], [0xc3, 0xa9]);
      bytes[0] = 0;
      assert.equal(raw.guest.read(raw.text, 1)[0], 0xc3);
      for (const [pointer, length] of [[2 ** 31, 1], [0, 2 ** 30], [-1, 1], [0.5, 1]]) {
        assert.throws(() => raw.guest.read(pointer, length), { name: 'TypeError' });
      }
      assert.throws(() => raw.guest.write(2 ** 32, 'x'), { name: 'TypeError' });
      const handle = await raw.open('127.0.0.1', port);
      const receiving = raw.guest.call('host_recv', handle, raw.body, 1, 300);
      assert.throws(() => raw.guest.read(raw.text, 1), { code: 'ERR_HTTP_GUEST_BUSY' });
      await receiving;
      await assert.rejects(raw.guest.call('nothing'), { name: 'TypeError', message: /exports no function "nothing": is it marked as an export/ });
      await assert.rejects(raw.guest.call('text', 'x'), { name: 'TypeError' });
      assert.equal(await raw.guest.call('text'), raw.text);
    });
  });

  test('tells of each decision, a line each', async () => {
    const audit = new PassThrough();
    const raw = await start({ allow: ['127.0.0.1:*'], audit });
    const handle = await raw.open('127.0.0.1', port);
    await raw.open('10.0.0.1', port);
    await raw.sendHead(handle, headFor('127.0.0.1'));
    await raw.recv(handle);
    const lines = audit.read().toString().trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ event, allowed, host, address }) => [event, allowed, host, address]),
      [
        ['open', true, '127.0.0.1', '127.0.0.1'],
        ['open', false, '10.0.0.1', '10.0.0.1'],
        ['head', true, '127.0.0.1', '127.0.0.1'],
      ],
    );
    assert.equal(lines[1].rule, `10.0.0.1:${port}`);
    for (const line of lines) assert.ok(line.guest === 1 && line.port === port && !Number.isNaN(Date.parse(line.time)));
  });

  test('tells of what a call has done before the call is over, by the log alone too', async () => {
    const raw = await start({ allow: ['127.0.0.1:*'], audit: null });
    const handle = await raw.open('127.0.0.1', port);
    assert.equal(await raw.send(handle, 'x'), DENIED);
    assert.deepEqual(raw.log, ['head denied: nothing is sent before the first head of a request']);
  });

  test('tells of what a guest has done by when it is ended', async () => {
    const raw = await start({ allow: ['127.0.0.1:*'] });
    const handle = await raw.open('127.0.0.1', port);
    await raw.sendHead(handle, headFor('127.0.0.1'));
    await raw.recv(handle);
    raw.put(headFor('127.0.0.1'));
    const before = raw.lines.length;
    const sending = raw.guest.call('head_and_loop', handle, raw.text, headFor('127.0.0.1').length).catch(({ code }) => code);
    await until(() => seen[0].text.length > headFor('127.0.0.1').length);
    await raw.guest.close();
    assert.equal(await sending, 'ERR_HTTP_GUEST_CLOSED');
    assert.equal(raw.lines.length, before + 1);
  });

  describe('of names that are not found', () => {
    const gone = { allow: ['*.example:*'], lookup: (_name, _options, done) => done(new Error('queryA ENOTFOUND')) };

    test('tells, with the rule that let them be looked up', async () => {
      const raw = await start(gone);
      assert.equal(await raw.open('a.example', port), OTHER);
      const { time: _time, ...line } = raw.lines[0];
      const reason = 'a.example was not found: queryA ENOTFOUND';
      const place = { host: 'a.example', port, address: null };
      assert.deepEqual(line, { guest: 1, event: 'lookup', ...place, allowed: false, rule: '*.example:*', reason });
      assert.deepEqual([raw.lines.length, raw.log], [1, [`lookup failed: ${reason}`]]);
    });

    test('tells ten times, and how many more there were', async () => {
      const raw = await start(gone);
      await raw.guest.call('open_often', raw.text, raw.put('a.example'), 1, 1, 100);
      assert.deepEqual(raw.lines.map(({ event, repeated = 1 }) => [event, repeated]), [
        ...new Array(10).fill(['lookup', 1]),
        ['lookup', 90],
      ]);
    });

    test('tells of one that was given up', async () => {
      const raw = await start({ allow: ['*.example:*'], lookup: () => {} });
      assert.equal(await raw.open('a.example', port, 0, 50), TIMED_OUT);
      await raw.guest.close();
      assert.deepEqual(raw.lines.map(({ event, reason }) => [event, reason]), [
        ['lookup', 'a.example was not found while somebody waited for it'],
      ]);
    });

    test('tells of one that has no address of the family that is wanted', async () => {
      const raw = await start({ allow: ['*.example:*', '127.0.0.1:*'], lookup: lookupTo('127.0.0.1') });
      assert.equal(await raw.open('a.example', port, OPEN_IPV6), NOT_FOUND);
      assert.deepEqual(raw.lines.map(({ event, reason }) => [event, reason]), [['lookup', 'a.example has no address of IPv6']]);
    });
  });

  describe('survives a lookup', () => {
    const cases = {
      'that throws nothing that says what': () => {
        throw undefined;
      },
      'that throws a text': () => {
        throw 'no';
      },
      'that rejects with nothing': () => Promise.reject(),
      'that calls back with a text': (_name, _options, done) => done('no'),
      'that calls back with nothing': (_name, _options, done) => done(),
      'that calls back with no addresses': (_name, _options, done) => done(null, [null, { address: 7 }]),
      'that returns a promise of them': async () => ['127.0.0.1'],
    };
    for (const [what, lookup] of Object.entries(cases)) {
      test(what, async () => {
        const raw = await start({ allow: ['*.example:*', '127.0.0.1:*'], lookup });
        assert.ok([OTHER, NOT_FOUND].includes(await raw.open('a.example', port)));
        assert.notEqual(await raw.words(0), '');
        assert.equal((await raw.host.explain(`http://a.example:${port}`)).allowed, false);
        assert.ok((await raw.open('127.0.0.1', port)) > 0);
        assert.equal(raw.lines[0].event, 'lookup');
      });
    }

    test('that ends the guest before it fails', async () => {
      let raw;
      const lookup = (_name, _options, done) => {
        raw.guest.close();
        done(new Error('no'));
      };
      raw = await start({ allow: ['*.example:*'], lookup });
      await assert.rejects(raw.open('a.example', port), { code: 'ERR_HTTP_GUEST_CLOSED' });
    });
  });

  describe('whose callbacks throw', () => {
    /** What nobody has caught. */
    const uncaughtOf = async (act) => {
      const thrown = [];
      const outside = process.rawListeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.on('uncaughtException', (error) => thrown.push(error.message));
      try {
        await act();
        await new Promise(setImmediate);
      } finally {
        process.removeAllListeners('uncaughtException');
        for (const listener of outside) process.on('uncaughtException', listener);
      }
      return thrown;
    };
    const fail = () => {
      throw new Error('mine');
    };

    test('goes on, tells no guest of it, and leaves it uncaught', async () => {
      const thrown = await uncaughtOf(async () => {
        const raw = await start({ allow: ['127.0.0.1:*'], audit: fail }, { log: fail });
        const handle = await raw.open('127.0.0.1', port);
        assert.ok(handle > 0);
        assert.equal(await raw.open('10.0.0.1', port), DENIED);
        assert.match(await raw.words(0), /10\.0\.0\.1/);
        assert.ok((await raw.sendHead(handle, headFor('127.0.0.1'))) > 0);
        assert.ok((await raw.recv(handle)) > 0);
        await assert.rejects(raw.guest.call('trap'), { code: 'ERR_HTTP_GUEST_TRAP' });
        await raw.host.close();
      });
      assert.deepEqual(thrown, new Array(5).fill('mine'), 'open, open and its log, head, trap');
    });
  });

  describe('whose callbacks end the guest', () => {
    const CLOSED = { code: 'ERR_HTTP_GUEST_CLOSED' };
    /** Options, and what a guest does that has their callback called. */
    const cases = {
      'of a connection that is allowed': { options: (end) => ({ audit: end }), act: (raw) => raw.open('127.0.0.1', port) },
      'of one by a proxy': {
        options: (end) => ({ audit: end, proxy: `http://127.0.0.1:${port}` }),
        act: (raw) => raw.open('127.0.0.1', port),
      },
      'of one that is refused': { options: (end) => ({ audit: end }), act: (raw) => raw.open('10.0.0.1', port) },
      'of a quota': { options: (end) => ({ audit: end, limits: { connections: 0 } }), act: (raw) => raw.open('127.0.0.1', port) },
      'of a head': {
        options: (end) => ({ audit: (line) => line.event === 'head' && end() }),
        act: async (raw) => {
          const handle = await raw.open('127.0.0.1', port);
          await raw.sendHead(handle, headFor('127.0.0.1'));
          return raw.recv(handle);
        },
      },
      'of a name': {
        options: (end) => ({
          lookup(name, options, done) {
            end();
            lookupTo('127.0.0.1')(name, options, done);
          },
        }),
        act: (raw) => raw.open('a.example', port),
      },
    };
    for (const [what, { options, act }] of Object.entries(cases)) {
      for (const way of ['the guest', 'the host']) {
        test(`told ${what} it ends ${way}, and nobody is connected to after it`, async () => {
          let raw;
          let ended;
          const end = () => (ended ??= (way === 'the guest' ? raw.guest : raw.host).close());
          raw = await start({ allow: ['a.example:*', '127.0.0.1:*'], ...options(end) });
          await assert.rejects(act(raw), CLOSED);
          await ended;
          assert.throws(() => raw.guest.read(0, 1), CLOSED);
          for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
          assert.equal(seen.length, what === 'of a head' ? 1 : 0);
        });
      }
    }

    test('told of a trap it ends the guest', async () => {
      let guest;
      const host = createHost();
      hosts.push(host);
      let ended;
      guest = await host.run(guestOf('test/plugins/guests/raw.c'), { log: () => (ended = guest.close()) });
      await assert.rejects(guest.call('trap'), { code: 'ERR_HTTP_GUEST_TRAP' });
      await ended;
    });
  });

  describe('tells of refusals without end', () => {
    const often = (raw, host, ports, times) => raw.guest.call('open_often', raw.text, raw.put(host), 1, ports, times);

    test('ten of a kind in a call, and how many more there were', async () => {
      const raw = await start({ limits: { total_connections: 20 } });
      assert.equal(await often(raw, '10.0.0.1', 1, 3000), 0);
      const told = raw.lines.map(({ event, repeated = 0 }) => `${event} ${repeated}`);
      const ten = (event) => new Array(10).fill(`${event} 0`);
      assert.deepEqual(told, [...ten('open'), ...ten('quota'), 'open 10', 'quota 2970']);
      assert.match(raw.log.at(-1), /^quota denied: total_connections: .* \(2970 times more\)$/);
      await often(raw, '10.0.0.1', 1, 1);
      assert.equal(raw.lines.length, 23, 'the next call has lines of its own');
    });

    test('of any number of kinds, and none is lost', async () => {
      const raw = await start({ limits: { total_connections: Number.POSITIVE_INFINITY } });
      assert.equal(await often(raw, '10.0.0.1', 300, 6000), 0);
      assert.ok(raw.lines.length <= 101 * 11, `${raw.lines.length} lines`);
      assert.equal(raw.lines.reduce((sum, { repeated = 1 }) => sum + repeated, 0), 6000);
      assert.match(raw.lines.at(-1).reason, /; and others$/);
    });

    test('whoever ends the guest', async () => {
      const raw = await start({ limits: { total_connections: Number.POSITIVE_INFINITY } });
      const calling = often(raw, '10.0.0.1', 1, 1e9).catch(({ code }) => code);
      await until(() => raw.lines.length >= 10);
      await raw.guest.close();
      assert.equal(await calling, 'ERR_HTTP_GUEST_CLOSED');
      const last = raw.lines.at(-1);
      assert.equal(raw.lines.length, last.repeated === undefined ? 10 : 11);
    });

    test('in a thread of the caller’s own, when the host is closed', async (t) => {
      const program = `
        import { readFileSync } from 'node:fs';
        import { parentPort, workerData } from 'node:worker_threads';
        const { createHost } = await import(workerData.host);
        const told = [];
        const host = createHost({ audit: ({ repeated = 1 }) => told.push(repeated) });
        let guest;
        guest = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(workerData.wasm)), host.imports(() => guest.exports.memory));
        const { open_often, text, memory } = guest.exports;
        Buffer.from(memory.buffer, text(), 100).write('10.0.0.1');
        open_often(text(), 8, 1, 1, 500);
        await host.close();
        parentPort.postMessage(told);
      `;
      const workerData = { wasm: guestOf('test/plugins/guests/raw.c'), host: new URL('../../js/host.js', import.meta.url).href };
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), { workerData });
      t.after(() => worker.terminate());
      const [told] = await once(worker, 'message');
      assert.deepEqual(told, [...new Array(10).fill(1), 490]);
    });
  });

  describe('with secrets', { skip: noOpenssl }, () => {
    let secure;
    let securePort;
    let options;

    before(async () => {
      const { good, ca } = certificates();
      secure = await listen(tls.createServer({ cert: readFileSync(good.cert), key: readFileSync(good.key) }, answer));
      securePort = secure.address().port;
      options = {
        allow: ['localhost:*', '127.0.0.0/8:*'],
        tls: { cafile: ca },
        secrets: {
          TOKEN: { value: 'sesame {{OTHER}}', hosts: ['https://localhost:*'] },
          OTHER: { value: 'elsewhere', hosts: ['https://other.example'] },
        },
      };
    });

    after(() => secure.close());

    const openSecure = async (raw, host = 'localhost') => {
      const handle = await raw.open(host, securePort, 1 | 2);
      assert.equal(await raw.startTls(handle, host), 0, await raw.words(handle));
      return handle;
    };
    const request = (more, host = 'localhost') => headFor(host, more, securePort);

    test('puts them into headers, over TLS to the hosts that are listed, and nowhere else', async () => {
      const raw = await start(options);
      const handle = await openSecure(raw);
      const head = request('Authorization: Bearer {{TOKEN}}\r\nX-Other: {{UNKNOWN}}\r\n');
      assert.equal(await raw.sendHead(handle, head), head.length);
      await raw.recv(handle);
      await raw.send(handle, '{{TOKEN}}\r\n\r\n');
      await raw.recv(handle);
      const { text } = seen[0];
      assert.match(text, /\r\nAuthorization: Bearer sesame \{\{OTHER\}\}\r\n/);
      assert.match(text, /\r\nX-Other: \{\{UNKNOWN\}\}\r\n/);
      assert.ok(text.includes('\r\n\r\n{{TOKEN}}'), 'not in a body');
      assert.ok(!JSON.stringify([raw.lines, raw.log]).includes('sesame'));
    });

    for (const [where, more, host] of [
      ['for another host', 'A: {{TOKEN}}\r\n', '127.0.0.1'],
      ['that is another host’s', 'A: {{OTHER}}\r\n', 'localhost'],
      ['in a name', 'A-{{TOKEN}}: b\r\n', 'localhost'],
      ['where it would frame', 'Connection: {{TOKEN}}\r\n', 'localhost'],
    ]) {
      test(`refuses one ${where}`, async () => {
        const raw = await start(options);
        const handle = await openSecure(raw, host);
        assert.equal(await raw.sendHead(handle, request(more, host)), DENIED);
        await raw.guest.close();
        assert.equal(seen.map(({ text }) => text).join(''), ''); // the server may not have it yet
      });
    }

    test('refuses one in the target, and in clear', async () => {
      const raw = await start(options);
      const handle = await openSecure(raw);
      assert.equal(await raw.sendHead(handle, request('').replace('/ HTTP', '/{{TOKEN}} HTTP')), DENIED);
      const clear = await raw.open('localhost', port, 2);
      assert.equal(await raw.sendHead(clear, headFor('localhost', 'A: {{TOKEN}}\r\n')), DENIED);
      assert.match(await raw.words(clear), /TLS is not spoken/);
      await raw.guest.close();
      assert.equal(seen.map(({ text }) => text).join(''), '');
    });

    test('has none without TLS that verifies', () => {
      const secrets = { T: { value: 'x', hosts: ['https://a.example'] } };
      assert.throws(() => createHost({ secrets, tls: { rejectUnauthorized: false } }), { name: 'TypeError', message: /verified/ });
      assert.throws(() => createHost({ secrets: { T: { value: 'x', hosts: ['a.example'] } } }), { name: 'TypeError', message: /https/ });
      assert.throws(() => createHost({ secrets: { T: { value: 'a\r\nb', hosts: [] } } }), (error) => !error.message.includes('\r'));
    });
  });

  test('goes by its proxy, to the address that was checked, and guests can’t ask that for more', async () => {
    const asked = [];
    const proxy = await serve(
      net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', (chunk) => {
          asked.push(chunk.latin1Slice());
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          socket.pipe(net.connect(port, '127.0.0.1')).pipe(socket);
        });
      }),
    );
    const raw = await start({
      allow: ['a.example:*', '127.0.0.3:*'],
      lookup: lookupTo('127.0.0.3'),
      proxy: `http://user:password@127.0.0.1:${proxy}`,
    });
    await raw.connect('a.example', port);
    assert.equal(await raw.get('/'), 2);
    assert.equal(await raw.open('10.0.0.1', 22), DENIED);
    assert.equal(asked.length, 1);
    assert.ok(asked[0].startsWith(`CONNECT 127.0.0.3:${port} HTTP/1.1\r\n`));
    assert.match(asked[0], /Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==/);
    // The proxy's address is the host's affair, not what a guest has reached.
    assert.deepEqual([...new Set(raw.lines.map(({ address }) => address))], ['127.0.0.3', '10.0.0.1']);
  });

  test('speaks TLS to its proxy by its own tls: trust, and a certificate of its own', { skip: noOpenssl }, async () => {
    const { good, ca, client } = certificates();
    const pem = (path) => readFileSync(path);
    const callers = [];
    const options = { cert: pem(good.cert), key: pem(good.key), ca: pem(ca), requestCert: true, rejectUnauthorized: true };
    const proxy = tls.createServer(options, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        callers.push(socket.getPeerCertificate().subject.CN);
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(net.connect(port, '127.0.0.1')).pipe(socket);
      });
    });
    const by = { allow: ['127.0.0.1:*'], proxy: `https://localhost:${await serve(proxy.on('tlsClientError', () => {}))}` };
    const known = await start({ ...by, tls: { ca: pem(ca), cert: pem(client.cert), key: pem(client.key) } });
    await known.connect('127.0.0.1', port);
    assert.equal(await known.get('/'), 2);
    assert.equal(callers.length, 1);
    assert.equal(callers[0], new X509Certificate(pem(client.cert)).toLegacyObject().subject.CN);
    const stranger = await start(by); // which trusts no such authority
    assert.ok((await stranger.open('127.0.0.1', port)) < 0);
    assert.equal(callers.length, 1);
  });

  for (const [what, options] of [
    ['an option that there isn’t', { alow: [] }],
    ['a limit that there isn’t', { limits: { requests: 1 } }],
    ['a limit below zero', { limits: { connections: -1 } }],
    ['a proxy of another kind', { proxy: 'socks5://127.0.0.1' }],
    ['an audit that takes nothing', { audit: 'file' }],
    ['a ring of no size', { ring: 1 }],
    ['a secret that says not whom it is for', { secrets: { TOKEN: 'sesame' } }],
  ]) {
    test(`is not made with ${what}`, () => assert.throws(() => createHost(options), { name: 'TypeError' }));
  }
});
