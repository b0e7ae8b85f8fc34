// SPDX-License-Identifier: MIT
//
// proxy_from_environment: which proxy the environment names, as curl reads it. Where curl is installed it is asked too.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { inspect } from 'node:util';
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

/** [user information as it is written, what Basic makes of it; null where it is refused] */
const credentials = [
  ['user:100%', 'user:100%'],
  ['user%zz:p', 'user%zz:p'],
  ['user:p%4', 'user:p%4'],
  ['u:p%25', 'u:p%'],
  ['u:%C3%BC', 'u:\xc3\xbc'],
  ['u:%fcx', 'u:\xfcx'],
  ['é:ü', '\xc3\xa9:\xc3\xbc'],
  [':pw', ':pw'],
  ['user', 'user:'],
  ['user:', 'user:'],
  ['', ':'],
  [':', ':'],
  ['u:a:b', 'u:a:b'],
  ['u:p%40ss', 'u:p@ss'],
  ['u:p%2Fw', 'u:p/w'],
  ['u;x:p+q', 'u;x:p+q'],
];

for (const [userinfo, expected] of credentials) {
  test(`the user information ${JSON.stringify(userinfo)} is read as ${JSON.stringify(expected)}`, () => {
    const { headers, host, port } = proxy_from_environment('http://a/', { http_proxy: `http://${userinfo}@proxy.example:8080` });
    assert.equal(Buffer.from(headers['Proxy-Authorization'].slice(6), 'base64').latin1Slice(), expected);
    assert.deepEqual([host, port], ['proxy.example', 8080]);
  });
}

test('a password with an @ that is not encoded is read up to the last one', () => {
  const { headers, host } = proxy_from_environment('http://a/', { http_proxy: 'http://u:p@ss@proxy.example' });
  assert.deepEqual([host, headers['Proxy-Authorization']], ['proxy.example', `Basic ${btoa('u:p@ss')}`]);
});

for (const [text, host, port] of [
  ['http://u:p@[::1]:3128', '::1', 3128],
  ['[::1]', '::1', 1080],
  ['https://[fe80::1%25eth0]:8443', 'fe80::1%eth0', 8443],
  ['http://[2001:db8::7]/', '2001:db8::7', 1080],
  ['PROXY.example:', 'proxy.example', 1080],
]) {
  test(`the proxy ${text} is ${host} at port ${port}`, () => {
    const proxy = proxy_from_environment('http://a/', { http_proxy: text });
    assert.deepEqual([proxy.host, proxy.port], [host, port]);
    assert.equal(new HTTPConnection(proxy.host, proxy.port).host, host);
  });
}

test('what is no proxy is refused, and no error shows the user information, nor does its cause', () => {
  for (const rest of [
    'me:s3cret@p:port',
    'me:s3cret@p:65536',
    'me:s3cret@',
    'me:s3cret@:80',
    'me:s3cret@[::1',
    'me:s3cret@[nonsense]:80',
    'me:s3cret@::1',
    'me:s3cret@a b',
    'me:s3cret@a\\b',
    'me:s3cret%00@p',
    'me:s3cret%0d%0aX:y@p',
    'me:x/s3cret@p:80',
    'me:x?s3cret@p:80',
    'me:x#s3cret@p:80',
  ]) {
    for (const scheme of ['http://', 'https://', '', 'socks5://']) {
      assert.throws(
        () => proxy_from_environment('http://a/', { http_proxy: scheme + rest }),
        (error) => {
          assert.match(error.code, /^ERR_(HTTP_INVALID_URL|INVALID_ARG_VALUE)$/, scheme + rest);
          assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes('s3cret'), inspect(error));
          assert.match(error.message, /http_proxy/);
          return true;
        },
        scheme + rest,
      );
    }
  }
});

test('a URL that is none is refused without its user information', () => {
  assert.throws(
    () => proxy_from_environment('http://me:s3cret@h:port/', {}),
    (error) => error instanceof InvalidURL && !inspect(error, { showHidden: true, depth: 9 }).includes('s3cret'),
  );
});

test('connections look at no variable by themselves', () =>
  withServer(
    () => reply('direct'),
    async ({ port }) => {
      process.env.http_proxy = 'http://127.0.0.1:1';
      process.env.ALL_PROXY = 'http://127.0.0.1:1';
      try {
        const connection = new HTTPConnection('127.0.0.1', port, { timeout: 30 });
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

test('curl sends the same credentials', { skip: findProgram('curl') === null && 'curl is not installed' }, () => {
  let sent;
  return withServer(
    (head) => {
      sent = /^Proxy-Authorization: Basic (.*)\r$/im.exec(head)?.[1];
      return reply('proxied', { headers: ['Connection: close'] });
    },
    async ({ port }) => {
      for (const [userinfo] of credentials) {
        const env = { http_proxy: `http://${userinfo}@127.0.0.1:${port}` };
        const child = spawn('curl', ['-s', '-o', '/dev/null', 'http://a.example/'], {
          env: { PATH: process.env.PATH, ...env },
          stdio: 'ignore',
        });
        await once(child, 'exit');
        assert.equal(proxy_from_environment('http://a.example/', env).headers['Proxy-Authorization'], `Basic ${sent}`, userinfo);
      }
    },
  );
});

test('a password that holds a character which ends a host in a URL is refused, and nobody is spoken to', () => {
  for (const password of ['1/2', '80#x', '80?x']) {
    assert.throws(
      () => proxy_from_environment('http://h/', { http_proxy: `http://me:${password}@proxy:8080` }),
      (error) => error instanceof InvalidURL && /percent-encode it/.test(error.message) && !error.message.includes(password),
    );
  }
});
