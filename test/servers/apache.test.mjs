// SPDX-License-Identifier: MIT
//
// HTTPConnection against Apache.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { loggedTest } from '../support/logged-test.mjs';
import { missing, startApache } from '../support/servers.mjs';
import { startApp } from './app.mjs';
import { makeSite } from './site.mjs';
import {
  LONG_LINE,
  LONG_LINES,
  MANY_LINES,
  REQUESTS_ALLOWED,
  REST_ALLOWED,
  SMALL_BODY,
  testWebServer,
} from './web-server.mjs';

const MODULES = 'alias cgid dav dav_fs deflate filter headers include proxy proxy_http setenvif'.split(' ');

/** A script that takes its time, so that its output can't be known whole when its head is sent. */
const SCRIPT = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
for n in 1 2 3; do echo "part $n of $REQUEST_METHOD"; sleep 0.05; done
cat
`;

const lines = (count, line) => Array.from({ length: count }, (_, n) => line(n)).join('\n  ');

const configuration = (appPort) => ({ folder, site }) => `
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
DavLockDB ${folder}/tmp/locks
ScriptSock ${folder}/tmp/cgid
ScriptAlias /cgi/ ${site}/cgi/
SetEnvIf Request_URI ^/cgi/old downgrade-1.0 force-response-1.0
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
ProxyPass /app/ http://127.0.0.1:${appPort}/app/ responsefieldsize=131072
<Location /app/>
  RequestHeader set X-Host "expr=%{HTTP_HOST}"
</Location>
<Directory ${site}>
  Options +Includes
</Directory>
<Directory ${site}/zipped>
  SetOutputFilter DEFLATE
</Directory>
<Directory ${site}/store>
  Dav On
</Directory>
<Directory ${site}/store/small>
  LimitRequestBody ${SMALL_BODY}
</Directory>
<Location /heads/long.txt>
  ${lines(LONG_LINES, (n) => `Header add X-Long "${n} ${LONG_LINE}"`)}
</Location>
<Location /heads/many.txt>
  ${lines(MANY_LINES, (n) => `Header add X-Line-${n} ${n}`)}
</Location>
Redirect /moved http://127.0.0.1/index.html
<VirtualHost *:*>
</VirtualHost>
<VirtualHost *:*>
  ServerName limited.test
  MaxKeepAliveRequests ${REQUESTS_ALLOWED}
</VirtualHost>
<VirtualHost *:*>
  ServerName hasty.test
  KeepAliveTimeout ${REST_ALLOWED}ms
</VirtualHost>
`;

function prepare(site) {
  makeSite(site);
  mkdirSync(join(site, 'cgi'));
  for (const name of ['parts', 'old']) writeFileSync(join(site, 'cgi', name), SCRIPT, { mode: 0o755 });
}

describe('Apache', { skip: missing('Apache') }, () => {
  let app;
  let apache;
  const test = loggedTest(() => [apache]);
  before(async () => {
    app = await startApp();
    apache = await startApache({ prepare, modules: MODULES, configuration: configuration(app.port) });
  });
  after(async () => {
    await apache?.stop();
    await app?.stop();
  });

  testWebServer(test, () => apache);

  test('what a script writes bit by bit comes in chunks, and a body reaches it', async () => {
    const conn = new HTTPConnection(apache.host, apache.port, { timeout: 30 });
    await conn.request('POST', '/cgi/parts', 'the body');
    const response = await conn.getresponse();
    assert.deepEqual([response.status, response.chunked, response.length], [200, true, null]);
    assert.equal(await response.text(), 'part 1 of POST\npart 2 of POST\npart 3 of POST\nthe body');
    conn.close();
  });

  test('an HTTP/1.0 response runs to the end of the connection', async () => {
    const conn = new HTTPConnection(apache.host, apache.port, { timeout: 30 });
    for (const amount of [undefined, 5]) {
      await conn.request('GET', '/cgi/old');
      const response = await conn.getresponse();
      assert.deepEqual([response.status, response.version], [200, 10]);
      assert.deepEqual([response.chunked, response.length, response.will_close], [false, null, true]);
      const pieces = [];
      while (!response.closed) pieces.push(await response.read(amount));
      assert.equal(Buffer.concat(pieces).toString(), 'part 1 of GET\npart 2 of GET\npart 3 of GET\n');
    }
    conn.close();
  });

  test('302 comes with its Location and its page', async () => {
    const conn = new HTTPConnection(apache.host, apache.port, { timeout: 30 });
    await conn.request('GET', '/moved');
    const response = await conn.getresponse();
    assert.deepEqual([response.status, response.reason], [302, 'Found']);
    assert.equal(response.getheader('Location'), 'http://127.0.0.1/index.html');
    assert.match(await response.text(), /302 Found/);
    conn.close();
  });

  test('OPTIONS and TRACE are answered', async () => {
    const conn = new HTTPConnection(apache.host, apache.port, { timeout: 30 });
    await conn.request('OPTIONS', '/index.html');
    const options = await conn.getresponse();
    assert.deepEqual([options.status, options.length], [200, 0]);
    assert.match(options.getheader('Allow'), /GET/);
    await options.read();
    await conn.request('TRACE', '/index.html', null, { 'X-Trace': 'this' });
    const trace = await conn.getresponse();
    assert.equal(trace.getheader('Content-Type'), 'message/http');
    assert.deepEqual((await trace.text()).split('\r\n'), [
      'TRACE /index.html HTTP/1.1',
      `Host: 127.0.0.1:${apache.port}`,
      'Accept-Encoding: identity',
      'X-Trace: this',
      '',
      '',
    ]);
    conn.close();
  });
});
