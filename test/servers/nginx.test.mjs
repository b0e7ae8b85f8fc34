// SPDX-License-Identifier: MIT
//
// HTTPConnection against nginx.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe } from 'node:test';
import { HTTPConnection } from '../../js/index.js';
import { loggedTest } from '../support/logged-test.mjs';
import { missing, startNginx } from '../support/servers.mjs';
import { startApp } from './app.mjs';
import { ASSEMBLED, makeSite } from './site.mjs';
import {
  LONG_LINE,
  LONG_LINES,
  MANY_LINES,
  REQUESTS_ALLOWED,
  REST_ALLOWED,
  SMALL_BODY,
  testWebServer,
} from './web-server.mjs';

const lines = (count, line) => Array.from({ length: count }, (_, n) => line(n)).join('\n    ');

const configuration = (appPort) => `
    keepalive_timeout 30s;
    client_max_body_size 16m;
    dav_methods PUT DELETE;
    location ~ \\.shtml$ { ssi on; ssi_types *; }
    location ^~ /unframed/ { ssi on; ssi_types *; chunked_transfer_encoding off; rewrite ^/unframed(.*) $1 break; }
    location /zipped/ { gzip on; gzip_types text/plain; gzip_min_length 1; }
    location /limited/ { keepalive_requests ${REQUESTS_ALLOWED}; }
    location /hasty/ { keepalive_timeout ${REST_ALLOWED}ms; }
    location /store/small/ { client_max_body_size ${SMALL_BODY}; }
    location = /moved { return 302 /index.html; }
    location = /heads/long.txt { ${lines(LONG_LINES, (n) => `add_header X-Long "${n} ${LONG_LINE}";`)} }
    location = /heads/many.txt { ${lines(MANY_LINES, (n) => `add_header X-Line-${n} ${n};`)} }
    location /app/ {
      proxy_pass http://127.0.0.1:${appPort};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Host $http_host;
      proxy_buffer_size 128k;
      proxy_buffers 4 128k;
      proxy_busy_buffers_size 256k;
    }
`;

describe('nginx', { skip: missing('nginx') }, () => {
  let app;
  let nginx;
  const test = loggedTest(() => [nginx]);

  before(async () => {
    app = await startApp();
    nginx = await startNginx({ prepare: makeSite, server: configuration(app.port) });
  });
  after(async () => {
    await nginx?.stop();
    await app?.stop();
  });

  testWebServer(test, () => nginx);

  test('a body without any framing runs to the end of the connection', async () => {
    const conn = new HTTPConnection(nginx.host, nginx.port, { timeout: 30 });
    for (const amount of [undefined, 1000]) {
      await conn.request('GET', '/unframed/assembled.shtml');
      const response = await conn.getresponse();
      assert.deepEqual([response.chunked, response.length, response.will_close], [false, null, true]);
      const pieces = [];
      while (!response.closed) pieces.push(await response.read(amount));
      assert.deepEqual(Buffer.concat(pieces), ASSEMBLED);
    }
    conn.close();
  });

  test('302 comes with its Location and its page', async () => {
    const conn = new HTTPConnection(nginx.host, nginx.port, { timeout: 30 });
    await conn.request('GET', '/moved');
    const response = await conn.getresponse();
    assert.deepEqual([response.status, response.reason], [302, 'Moved Temporarily']);
    assert.equal(response.getheader('Location'), `http://127.0.0.1:${nginx.port}/index.html`);
    assert.match(await response.text(), /302 Found/);
    conn.close();
  });

  test('a server that reloads its configuration ends resting connections, which are opened again', async () => {
    const conn = new HTTPConnection(nginx.host, nginx.port, { timeout: 30 });
    const ports = new Set();
    for (let count = 0; count < 2; count += 1) {
      await conn.request('GET', '/index.html');
      const response = await conn.getresponse();
      ports.add(conn.sock.localPort);
      assert.equal(response.status, 200);
      await response.read();
      if (count === 0) {
        const ended = once(conn.sock, 'close');
        nginx.signal('SIGHUP');
        await ended;
      }
    }
    assert.equal(ports.size, 2);
    conn.close();
  });
});
