// SPDX-License-Identifier: MIT
//
// proxy_from_environment: which proxy the environment names, as curl reads it. Where curl is installed it is asked too.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { HTTPConnection, InvalidURL, proxy_from_environment } from '../../js/index.js';
import { findProgram } from '../support/process.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

const PROXY = 'http://proxy.example:3128';

/** [url, variables, is the proxy used?] */
const cases = [
  ['http://a.example/', {}, false],
  ['http://a.example/', { http_proxy: PROXY }, true],
  ['http://a.example/', { HTTP_PROXY: PROXY }, false],
  ['http://a.example/', { https_proxy: PROXY }, false],
  ['https://a.example/', { http_proxy: PROXY }, false],
  ['https://a.example/', { https_proxy: PROXY }, true],
  ['https://a.example/', { HTTPS_PROXY: PROXY }, true],
  ['https://a.example/', { https_proxy: '', HTTPS_PROXY: PROXY }, true],
  ['http://a.example/', { ALL_PROXY: PROXY }, true],
  ['http://a.example/', { all_proxy: PROXY, http_proxy: '' }, true],
  ['https://a.example/', { all_proxy: PROXY }, true],
  ['http://a.example/', { http_proxy: PROXY, no_proxy: '*' }, false],
  ['http://a.example/', { http_proxy: PROXY, NO_PROXY: 'a.example' }, false],
  ['http://a.example/', { http_proxy: PROXY, no_proxy: 'b.example', NO_PROXY: 'a.example' }, true],
  ['http://x.a.example/', { http_proxy: PROXY, no_proxy: 'a.example' }, false],
  ['http://x.a.example/', { http_proxy: PROXY, no_proxy: '.a.example' }, false],
  ['http://a.example/', { http_proxy: PROXY, no_proxy: '.a.example' }, false],
  ['http://xa.example/', { http_proxy: PROXY, no_proxy: 'a.example' }, true],
  ['http://A.Example/', { http_proxy: PROXY, no_proxy: 'b.example, a.EXAMPLE' }, false],
  ['http://a.example./', { http_proxy: PROXY, no_proxy: 'a.example' }, false],
  ['http://10.1.2.3/', { http_proxy: PROXY, no_proxy: '10.1.2.3' }, false],
  ['http://10.1.2.3/', { http_proxy: PROXY, no_proxy: '10.0.0.0/8' }, false],
  ['http://11.1.2.3/', { http_proxy: PROXY, no_proxy: '10.0.0.0/8' }, true],
  ['http://10.1.2.3/', { http_proxy: PROXY, no_proxy: '2.3' }, true],
  ['http://[::1]/', { http_proxy: PROXY, no_proxy: '::1' }, false],
  ['http://[fd00::7]/', { http_proxy: PROXY, no_proxy: 'fd00::/8' }, false],
];

for (const [url, env, used] of cases) {
  test(`${JSON.stringify(env)} ${used ? 'is' : 'is no'} proxy for ${url}`, () => {
    const proxy = proxy_from_environment(url, env);
    assert.deepEqual(proxy, used ? { scheme: 'http', host: 'proxy.example', port: 3128, headers: {} } : null);
  });
}

for (const [text, expected] of [
  ['proxy.example', { scheme: 'http', host: 'proxy.example', port: 1080, headers: {} }],
  ['proxy.example:80', { scheme: 'http', host: 'proxy.example', port: 80, headers: {} }],
  ['http://proxy.example:80/', { scheme: 'http', host: 'proxy.example', port: 80, headers: {} }],
  ['https://proxy.example', { scheme: 'https', host: 'proxy.example', port: 443, headers: {} }],
  ['HTTPS://proxy.example:8443', { scheme: 'https', host: 'proxy.example', port: 8443, headers: {} }],
  ['http://[::1]:3128', { scheme: 'http', host: '::1', port: 3128, headers: {} }],
  [
    'http://me:p%40ss@proxy.example:3128',
    { scheme: 'http', host: 'proxy.example', port: 3128, headers: { 'Proxy-Authorization': 'Basic bWU6cEBzcw==' } },
  ],
]) {
  test(`${text} is read as ${expected.scheme}://${expected.host}:${expected.port}`, () => {
    assert.deepEqual(proxy_from_environment('https://a.example/', { https_proxy: text }), expected);
  });
}

test('other kinds of proxies and URLs that are none are refused, without showing a password', () => {
  assert.throws(() => proxy_from_environment('http://a/', { http_proxy: 'socks5://p:1' }), {
    name: 'TypeError',
    code: 'ERR_INVALID_ARG_VALUE',
    message: /http_proxy names a proxy of the kind socks5:\/\//,
  });
  assert.throws(
    () => proxy_from_environment('http://a/', { http_proxy: 'http://me:secret@p:port' }),
    (error) => error instanceof InvalidURL && !error.message.includes('secret'),
  );
  assert.throws(() => proxy_from_environment('no url', {}), InvalidURL);
});

test('connections look at no variable by themselves', () =>
  withServer(
    () => reply('direct'),
    async ({ port }) => {
      process.env.http_proxy = 'http://127.0.0.1:1';
      process.env.ALL_PROXY = 'http://127.0.0.1:1';
      try {
        const connection = new HTTPConnection('127.0.0.1', port, { timeout: 5 });
        await connection.request('GET', '/');
        assert.equal(await (await connection.getresponse()).text(), 'direct');
        connection.close();
        assert.deepEqual(proxy_from_environment('http://a.example/'), { scheme: 'http', host: '127.0.0.1', port: 1, headers: {} });
      } finally {
        delete process.env.http_proxy;
        delete process.env.ALL_PROXY;
      }
    },
  ));

test('curl uses the same proxies', { skip: findProgram('curl') === null && 'curl is not installed' }, () =>
  withServer(
    (head) => reply('proxied', { headers: ['Connection: close', `X-Asked: ${head.split(' ')[1]}`] }),
    async ({ port, requests }) => {
      // Networks of IPv6 are in curl's manual, but curl 7.88 doesn't find them.
      const plain = cases.filter(([url]) => url.startsWith('http:') && !url.includes('fd00'));
      for (const [url, env, used] of plain) {
        const own = Object.fromEntries(
          Object.entries(env).map(([name, value]) => [name, value.replace(PROXY, `http://127.0.0.1:${port}`)]),
        );
        const before = requests.length;
        const child = spawn('curl', ['-s', '-o', '/dev/null', '--connect-timeout', '0.3', '--resolve', '*:80:127.0.0.1', url], {
          env: { PATH: process.env.PATH, ...own },
          stdio: 'ignore',
        });
        await once(child, 'exit');
        assert.equal(requests.length > before, used, `${url} ${JSON.stringify(own)}`);
      }
    },
  ));
