// SPDX-License-Identifier: MIT
//
// The same guests under the hosts of demo/hosts: the responses of hostile.json in clear and over TLS 1.3, where a guest may go
// (destinations.json), and what ends a guest.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { root } from '../../bindings/setup.mjs';
import { buildGuest, CORE, noClang } from '../kit/build.mjs';
import { HOSTS } from '../kit/hosts.mjs';
import { runGuest } from '../kit/run.mjs';
import { certificates, noOpenssl } from '../support/certificates.mjs';

const text = (...path) => readFileSync(join(root, ...path), 'utf8');
const responses = JSON.parse(text('test', 'data', 'hostile.json')).filter(({ kind }) => kind === 'response');
const destinations = JSON.parse(text('test', 'data', 'destinations.json'));
const DENIED = -404;
const SAME = 'HTTP/1.1 288 Same\r\nContent-Length: 2\r\n\r\nok';
const FRESH = 'HTTP/1.1 299 Fresh\r\nContent-Length: 2\r\n\r\nok';

/** The class of Python's that each code stands for. */
const classes = new Map(
  [...text('src', 'include', 'porthole', 'errors.def').matchAll(/^X\(\w+, (-\d+), "(\w*)"/gm)].map(([, number, name]) => [Number(number), name]),
);
const BASES = { RemoteDisconnected: ['BadStatusLine'] };

/** FNV-1a of bytes, what the guest tells of reasons, headers and bodies. */
function hash(latin1) {
  let sum = 2166136261;
  for (const byte of Buffer.from(latin1, 'latin1')) sum = Math.imul(sum ^ byte, 16777619);
  return sum >>> 0;
}

/** What was said for each response, once it is. */
const played = new Map();

async function playPieces(socket, { bytes, gap_ms, close }) {
  for (const piece of [bytes].flat()) {
    socket.write(piece, 'latin1');
    await new Promise((resolve) => (gap_ms === undefined ? setImmediate(resolve) : setTimeout(resolve, gap_ms)));
  }
  if (close) socket.end();
}

/**
 * Plays the responses: /7 is the eighth, and /7/said is answered when it is said. /7/next on the same connection is SAME, on a new
 * one FRESH.
 */
function play(socket) {
  let asked = 0;
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', async (data) => {
    const [, index, what] = /^\w+ \/(\d+)\/?(\w*) /.exec(data.toString('latin1')) ?? [];
    if (++asked > 1) socket.write(SAME);
    else if (what === '') played.set(index, playPieces(socket, responses[index]));
    else {
      if (what === 'said') await played.get(index);
      socket.write(FRESH);
    }
  });
}

/** Compares a line of the guest with what an entry expects. */
function check({ expect, close, request }, line) {
  const [result, status, version, willClose, reason, headers, body, length, again] = line.split('\t').map(Number);
  // No guest may ask for a tunnel: that is the host's word on it.
  if (request.method === 'CONNECT') return assert.equal(result, DENIED);
  if (expect.error !== null || (expect.alt_errors !== undefined && result < 0)) {
    const wanted = [expect.error, ...(expect.alt_errors ?? [])].filter(Boolean);
    const name = classes.get(result);
    assert.ok(
      [name, 'HTTPException', ...(BASES[name] ?? [])].some((one) => wanted.includes(one)) && name !== 'Error',
      `${result} (${name}), not ${wanted.join(' or ')}`,
    );
    if (expect.alt_errors === undefined) assert.equal(status < 0 ? 'head' : 'body', expect.at);
    if (expect.partial !== undefined) assert.deepEqual([length, body], [expect.partial.length, hash(expect.partial)]);
    return;
  }
  assert.deepEqual(
    { result, status, version, willClose, reason, headers, length, body },
    {
      ...{ result: 0, status: expect.status, version: expect.version, willClose: Number(expect.will_close), reason: hash(expect.reason) },
      headers: hash(expect.headers.map(([name, value]) => `${name}: ${value}\n`).join('')),
      ...{ length: expect.body.length, body: hash(expect.body) },
    },
  );
  assert.ok(again === 288 || again === 299, `answered by what was left over: ${again}`);
  if (!close && expect.alt_reusable === undefined) assert.equal(again === 288, expect.reusable, 'reused');
}

/** The policy that destinations.json means. */
function rulesFor({ kind, input }) {
  if (input.includes('llowed')) return ['allowed.example:*'];
  return kind === 'flow' && /:\d+$/.test(input) ? ['*:80', '*:443'] : ['*:*'];
}

/** The host of a destination, and the addresses that its name is said to have. */
function hostOf({ input }) {
  const [, host, addresses] = /^(\S+) -> \[?([^\]]+)\]?$/.exec(input) ?? [null, input, null];
  return { host, names: addresses === null ? {} : { [host]: addresses.split(', ') } };
}

const namesOf = (entries) => Object.assign({}, ...entries.map((entry) => hostOf(entry).names));

/** The destinations for each policy. @returns {[string[], object[]][]} */
function byRules(entries) {
  const groups = new Map();
  for (const entry of entries) {
    const key = rulesFor(entry).join(' ');
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups].map(([key, group]) => [key.split(' '), group]);
}

/** A destination as a URL; what is one already stays as it is. */
function urlOf(entry) {
  const { host } = hostOf(entry);
  if (host.includes('://')) return host;
  const [, tunnel] = /^proxy CONNECT to (\S+)$/.exec(host) ?? [];
  return `http://${tunnel ?? (entry.kind === 'ipv6' ? `[${host}]` : host)}/`;
}

for (const [name, { command, missing }] of Object.entries(HOSTS)) {
  describe(`guests under ${name}`, { skip: noClang || noOpenssl || missing }, () => {
    const open = new Set();
    const servers = [];
    let probe;
    let connected = 0;

    /** Starts a server on every address of this machine. @returns its port */
    async function listen(server, onConnection) {
      server.on('connection', (socket) => {
        connected++;
        open.add(socket.on('error', () => {}).on('close', () => open.delete(socket)));
      });
      server.on(onConnection, play);
      await new Promise((resolve) => server.listen(0, '::', resolve));
      servers.push(server);
      return server.address().port;
    }

    let port;
    let securePort;

    before(async () => {
      probe = buildGuest('probe.wasm', [join(root, 'test', 'hosts', 'probe.c'), ...CORE]);
      const { good } = certificates();
      const options = { cert: readFileSync(good.cert), key: readFileSync(good.key), minVersion: 'TLSv1.3', allowHalfOpen: true };
      port = await listen(net.createServer({ allowHalfOpen: true }), 'connection');
      securePort = await listen(tls.createServer(options), 'secureConnection');
    });

    after(() => {
      for (const socket of open) socket.destroy();
      for (const server of servers) server.close();
    });

    const run = (rules, ...args) => runGuest(command, { guest: probe, rules, args });

    async function lines(rules, ...args) {
      const { stdout, stderr, status } = await run(rules, ...args);
      assert.deepEqual([stderr, status], ['', 0], stdout);
      return stdout.trimEnd().split('\n').map((line) => line.trimEnd());
    }

    async function explain(rules, urls) {
      const path = command.slice(0, command.indexOf('{ca}') - 1);
      const { stdout } = await runGuest([...path, '--explain'], { guest: probe, rules, args: urls });
      return stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
    }

    test('the guest imports the host ABI and nothing else', () => {
      const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(probe)));
      assert.deepEqual([...new Set(imports.map(({ module }) => module))], ['porthole_host_v1']);
    });

    for (const scheme of ['http', 'https']) {
      test(`all ${responses.length} responses of hostile.json have their outcome by ${scheme}`, async () => {
        const args = responses.flatMap(({ request }, index) => [request.method, `/${index}`]);
        const url = `${scheme}://127.0.0.1:${scheme === 'http' ? port : securePort}/`;
        const said = await lines({ allow: [`${scheme}://127.0.0.1/32:*`] }, 'at', url, ...args);
        assert.equal(said.length, responses.length);
        const wrong = responses.flatMap((entry, index) => {
          try {
            check(entry, said[index]);
            return [];
          } catch (error) {
            return [`${entry.id}: ${error.message}`];
          }
        });
        assert.deepEqual(wrong, []);
      });
    }

    test('all of destinations.json is explained as it is to be', async () => {
      for (const [allow, entries] of byRules(destinations)) {
        const said = await explain({ allow, names: namesOf(entries) }, entries.map(urlOf));
        assert.equal(said.length, entries.length);
        entries.forEach(({ input, expect }, index) => {
          const { allowed, reason, rule, address } = said[index];
          assert.equal(allowed, expect === 'allow', `${input}: ${reason}`);
          if (allowed) assert.deepEqual([rule, address], ['*:*', input], input);
          assert.notEqual(reason, '', input);
        });
      }
    });

    test('what destinations.json denies is denied to a guest, and nobody is connected to', async () => {
      const denied = destinations.filter(({ expect, kind }) => expect === 'deny' && kind !== 'flow');
      const before = connected;
      for (const [allow, asked] of byRules(denied)) {
        const names = namesOf(asked);
        const args = asked.flatMap((entry) => [0, 1].flatMap((flags) => ['open', hostOf(entry).host, String(port), String(flags)]));
        const said = await lines({ allow, names, limits: { total_connections: 1000 } }, ...args);
        assert.equal(said.length, 2 * asked.length);
        said.forEach((line, index) => assert.match(line, /^open -404 \S/, asked[index >> 1].input));
      }
      assert.equal(connected, before);
      assert.deepEqual(await lines({ allow: ['127.0.0.1/32:*'] }, 'open', '127.0.0.1', String(port), '0'), ['open 1']);
      assert.equal(connected, before + 1, 'an allowed one is seen');
    });

    test('a name is not reached when one of its addresses is private and no block holds it', async () => {
      const names = { 'half.example': ['127.0.0.1', '127.0.0.2'] };
      const args = ['open', 'half.example', String(port), '0'];
      const before = connected;
      for (const allow of [['half.example:*'], ['half.example:*', '127.0.0.1/32:*'], ['127.0.0.0/8:*']]) {
        const [line] = await lines({ allow, names }, ...args);
        assert.match(line, /^open -404 .*half\.example/, allow.join(' '));
      }
      const [line] = await lines({ allow: ['half.example:*', '127.0.0.0/8:*'], deny: ['127.0.0.2/32:*'], names }, ...args);
      assert.match(line, /^open -404 .*denied by .*127\.0\.0\.2\/32/);
      assert.equal(connected, before);
      assert.deepEqual(await lines({ allow: ['half.example:*', '127.0.0.0/8:*'], names }, ...args), ['open 1']);
      assert.equal(connected, before + 1);
    });

    test('localhost is reached by its name and a block, and by neither alone', async () => {
      const args = ['open', 'localhost', String(port), '0'];
      const blocks = ['127.0.0.0/8:*', '[::1/128]:*'];
      for (const allow of [['localhost:*'], blocks, ['*:*', ...blocks]]) {
        const [line] = await lines({ allow }, ...args);
        assert.match(line, /^open -404 /, allow.join(' '));
      }
      assert.deepEqual(await lines({ allow: ['localhost:*', ...blocks] }, ...args), ['open 1']);
    });

    test('a rule for https lets nothing go in clear, and one for http no TLS', async () => {
      const clear = ['at', `http://127.0.0.1:${port}/`, 'GET', '/0'];
      const secure = ['at', `https://127.0.0.1:${securePort}/`, 'GET', '/0'];
      const results = async (scheme, args) => Number.parseInt((await lines({ allow: [`${scheme}://127.0.0.1/32:*`] }, ...args))[0], 10);
      assert.equal(await results('https', clear), DENIED);
      assert.equal(await results('http', secure), DENIED);
      assert.equal(classes.get(await results('https', secure)), responses[0].expect.error);
      assert.equal(classes.get(await results('http', clear)), responses[0].expect.error);
    });

    test('rules name hosts, names under them, ports and schemes', async () => {
      const address = ['93.184.216.34'];
      const names = Object.fromEntries(['a.example', 'b.a.example', 'c.example', 'a.example.'].map((one) => [one, address]));
      const allowed = async (allow, ...urls) => (await explain({ allow, names }, urls)).map((one) => one.allowed);
      assert.deepEqual(await allowed(['a.example'], 'http://a.example/', 'https://a.example/', 'http://a.example:81/'), [true, true, false]);
      assert.deepEqual(await allowed(['https://a.example'], 'http://a.example:443/', 'https://A.Example/'), [false, true]);
      assert.deepEqual(await allowed(['*.a.example:*'], 'http://a.example/', 'http://b.a.example:9/'), [false, true]);
      assert.deepEqual(await allowed(['*:80'], 'http://c.example/', 'http://a.example./', 'http://93.184.216.34/'), [true, false, true]);
      assert.deepEqual(await allowed(['93.184.216.34:80', '[2600::/16]:80'], 'http://93.184.216.34/', 'http://[2600::1]/', 'http://c.example/'), [true, true, false]);
      assert.deepEqual(await allowed(['10.1.0.0/16:8080'], 'http://10.1.2.3:8080/', 'http://10.2.0.1:8080/', 'http://10.1.2.3/'), [true, false, false]);
    });

    test('rules that can’t be used are an error, in a line', async () => {
      const none = ['ftp://a.example', 'a.example:99999999', 'http://', 'a b', '10.0.0.1/8:80', 'user@a.example'];
      for (const rules of [...none.map((rule) => ({ allow: [rule] })), { alow: ['*:*'] }, { allow: '*:*' }, { limits: { gold: 1 } }]) {
        const { status, stderr } = await run(rules, 'open', 'a.example', '80', '0');
        assert.equal(status, 2, JSON.stringify(rules));
        assert.match(stderr, /^.+\n$/, JSON.stringify(rules));
        if (!Array.isArray(rules.allow)) assert.match(stderr, rules.limits ? /gold/ : /allow|alow/);
      }
    });

    test('limits end what passes them', async () => {
      const limited = (limits, ...args) => lines({ allow: ['127.0.0.1/32:*'], limits }, ...args);
      const once = ['open', '127.0.0.1', String(port), '0'];
      const said = await limited({ total_connections: 2 }, ...once, ...once, ...once);
      assert.deepEqual(said.map((line) => line.slice(0, 9)), ['open 1', 'open 1', 'open -404']);
      const whole = responses.findIndex(({ expect }) => expect.status === 200 && expect.body === 'hello');
      const get = ['at', `http://127.0.0.1:${port}/`, 'GET', `/${whole}`];
      assert.equal(Number.parseInt((await limited({ bytes_out: 10 }, ...get))[0], 10), DENIED);
      assert.equal(Number.parseInt((await limited({ bytes_in: 10 }, ...get))[0], 10), DENIED);
    });

    test('a guest that loops is ended by its time', async () => {
      const { stdout, stderr, status } = await run({ limits: { time: 0.3 } }, 'loop');
      assert.deepEqual([stdout, status], ['', 3]);
      assert.match(stderr, /^the guest has failed: /);
    });

    test('a guest that needs more memory than it may have does not run', async () => {
      const { stderr, status } = await run({ limits: { memory: 65536 } });
      assert.equal(status, 3);
      assert.match(stderr, /^the guest has failed: /);
    });
  });
}

describe('the hosts agree', { skip: Object.values(HOSTS).find(({ missing }) => missing)?.missing ?? false }, () => {
  const files = ['go', 'python'].map((folder) => text('demo', 'hosts', folder, 'special.json'));

  test('on what is not of the public internet', () => {
    assert.equal(files[0], files[1]);
  });

  /** What each host would allow, in the order of the URLs. */
  const explained = (rules, urls) =>
    Promise.all(
      Object.values(HOSTS).map(async ({ command }) => {
        const ruled = command.slice(0, command.indexOf('{ca}') - 1);
        const { stdout } = await runGuest([...ruled, '--explain'], { guest: '', ca: '', rules, args: urls });
        return stdout.trimEnd().split('\n').map((line) => JSON.parse(line).allowed);
      }),
    );

  test('on ports and schemes, given and left out', async () => {
    const rules = { allow: ['1.0.0.1', 'http://1.0.0.2', 'https://1.0.0.3', '1.0.0.4:443', '1.0.0.5:*', 'http://1.0.0.6:443'], deny: ['1.0.0.0/24:81'] };
    const expected = { 1: '80 s443', 2: '80', 3: 's443', 4: '443 s443', 5: '80 s80 443 s443', 6: '443' };
    const urls = [];
    const allowed = [];
    for (const [last, ports] of Object.entries(expected)) {
      for (const port of ['80', '81', '443']) {
        for (const s of ['', 's']) {
          urls.push(`http${s}://1.0.0.${last}:${port}/`);
          allowed.push(ports.split(' ').includes(s + port));
        }
      }
    }
    const said = await explained(rules, urls);
    Object.keys(HOSTS).forEach((name, index) => assert.deepEqual(said[index], allowed, name));
  });

  test('on the edges of each block', async () => {
    const urls = JSON.parse(files[0]).blocks.flatMap(([block]) => edges(block)).map((address) => `http://${address.includes(':') ? `[${address}]` : address}/`);
    const said = await explained({ allow: ['*:*'] }, urls);
    assert.ok(said[0].includes(true) && said[0].includes(false));
    for (const other of said.slice(1)) assert.deepEqual(other, said[0]);
  });
});

/** The first and the last address of a block, and those before and behind it. */
function edges(block) {
  const [address, bits] = block.split('/');
  const size = address.includes(':') ? 128n : 32n;
  const write = (number) =>
    size === 32n
      ? [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join('.')
      : number.toString(16).padStart(32, '0').match(/.{4}/g).join(':');
  let first = 0n;
  if (size === 32n) for (const part of address.split('.')) first = (first << 8n) | BigInt(part);
  else {
    const [head, tail] = address.split('::').map((half) => half.split(':').filter(Boolean));
    const groups = tail === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
    for (const group of groups) first = (first << 16n) | BigInt(`0x${group}`);
  }
  const last = first + (1n << (size - BigInt(bits))) - 1n;
  return [first - 1n, first, last, last + 1n].filter((one) => one >= 0n && one < 1n << size).map(write);
}
