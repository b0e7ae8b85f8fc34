// SPDX-License-Identifier: MIT
//
// Every example session of the http.client documentation, against nginx and Apache, and through Squid and tinyproxy.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { loggedTest } from '../support/logged-test.mjs';
import { missing, startApache, startNginx, startSquid, startTinyproxy } from '../support/servers.mjs';
import { startApp } from './app.mjs';
import { makeSite, PAGE } from './site.mjs';

const SERVERS = {
  nginx: (app) =>
    startNginx({
      prepare: makeSite,
      server: `dav_methods PUT; location = / { proxy_pass http://127.0.0.1:${app.port}/app/form; }`,
    }),
  Apache: (app) =>
    startApache({
      prepare: makeSite,
      modules: ['dav', 'dav_fs', 'proxy', 'proxy_http'],
      configuration: ({ folder, site }) => `
DavLockDB ${folder}/tmp/locks
<Directory ${site}/store>
  Dav On
</Directory>
ProxyPassMatch ^/()$ http://127.0.0.1:${app.port}/app/form$1
`,
    }),
};

const PROXIES = {
  Squid: () => startSquid({ rules: 'http_access allow localhost' }),
  tinyproxy: () => startTinyproxy({ settings: '' }),
};

/** The parameters of the form, as `urllib.parse.urlencode` and as `URLSearchParams` encode them. */
const PARAMS = new URLSearchParams({ '@number': 12524, '@type': 'issue', '@action': 'show' }).toString();

for (const [name, start] of Object.entries(SERVERS)) {
  describe(`the sessions of the documentation with ${name}`, { skip: missing(name) }, () => {
    let app;
    let server;
    const test = loggedTest(() => [server]);
    before(async () => {
      app = await startApp();
      server = await start(app);
    });
    after(async () => {
      await server?.stop();
      await app?.stop();
    });

    const connect = () => new HTTPConnection(server.host, server.port);

    test('GET, and the entire content', async () => {
      const conn = connect();
      await conn.request('GET', '/index.html');
      const r1 = await conn.getresponse();
      assert.deepEqual([r1.status, r1.reason], [200, 'OK']);
      const data1 = await r1.read();
      assert.deepEqual(data1, PAGE);

      await conn.request('GET', '/index.html');
      const r2 = await conn.getresponse();
      const pieces = [];
      while (!r2.closed) pieces.push(await r2.read(200));
      assert.ok(pieces.length >= PAGE.length / 200 && pieces.length <= PAGE.length / 200 + 2);
      assert.ok(pieces.slice(0, Math.floor(PAGE.length / 200)).every((piece) => piece.length === 200));
      assert.deepEqual(Buffer.concat(pieces), PAGE);

      await conn.request('GET', '/parrot.spam');
      const r3 = await conn.getresponse();
      assert.deepEqual([r3.status, r3.reason], [404, 'Not Found']);
      const data3 = await r3.read();
      assert.match(data3.toString(), /Not Found/);
      conn.close();
    });

    test('HEAD, which never returns any data', async () => {
      const conn = connect();
      await conn.request('HEAD', '/index.html');
      const res = await conn.getresponse();
      assert.deepEqual([res.status, res.reason], [200, 'OK']);
      const data = await res.read();
      assert.equal(data.length, 0);
      assert.ok(Buffer.isBuffer(data));
      conn.close();
    });

    test('POST of a form, and its redirect', async () => {
      const headers = { 'Content-type': 'application/x-www-form-urlencoded', Accept: 'text/plain' };
      const conn = connect();
      await conn.request('POST', '', PARAMS, headers);
      const response = await conn.getresponse();
      assert.deepEqual([response.status, response.reason], [302, 'Found']);
      assert.equal(response.getheader('Location'), 'http://bugs.python.org/issue12524');
      const data = await response.read();
      assert.equal(data.toString(), 'Redirecting to http://bugs.python.org/issue12524');
      conn.close();
    });

    test('PUT of a file', async () => {
      const BODY = '***filecontents***';
      const conn = new HTTPConnection('localhost', server.port);
      await conn.request('PUT', '/store/file', BODY);
      const response = await conn.getresponse();
      assert.deepEqual([response.status, response.reason], [201, 'Created']);
      await response.read();
      await conn.request('GET', '/store/file');
      assert.equal((await (await conn.getresponse()).read()).toString(), BODY);
      conn.close();
    });

    for (const [proxyName, startProxy] of Object.entries(PROXIES)) {
      test(
        `HEAD through a tunnel of ${proxyName}`,
        async () => {
          const proxy = await startProxy();
          try {
            const conn = new HTTPConnection('localhost', proxy.port);
            conn.set_tunnel('localhost', server.port);
            await conn.request('HEAD', '/index.html');
            const res = await conn.getresponse();
            assert.deepEqual([res.status, res.reason], [200, 'OK']);
            assert.equal(res.getheader('Content-Length'), String(PAGE.length));
            assert.equal((await res.read()).length, 0);
            conn.close();
          } catch (error) {
            error.message += `\n${proxy.log()}`;
            throw error;
          } finally {
            await proxy.stop();
          }
        },
        { skip: missing(proxyName) },
      );
    }
  });
}
