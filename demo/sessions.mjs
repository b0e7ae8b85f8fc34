// SPDX-License-Identifier: MIT
//
// The sessions of the http.client documentation. show.mjs prints the source of each and runs it, step by step: empty
// lines part the steps. They see `HTTPConnection`, `host` and `port` of the web server, `own_host` and `own_port` of the demo's
// own, which is the proxy as well (`proxy_host`, `proxy_port`), and `console`.

/* global HTTPConnection, host, port, own_host, own_port, proxy_host, proxy_port */

/** @type {{ title: string, about: string, session: () => Promise<void> }[]} */
export const sessions = [
  {
    title: 'GET',
    about: 'One connection, three requests: a page whole, a page in pieces of 200 bytes, a page that is not there.',
    async session() {
      const conn = new HTTPConnection(host, port);
      await conn.request('GET', '/index.html');
      const r1 = await conn.getresponse();
      console.log(r1.status, r1.reason);

      const data1 = await r1.read(); // the entire content
      console.log(data1.toString());

      await conn.request('GET', '/index.html');
      const r2 = await conn.getresponse();
      while (!r2.closed) {
        const piece = await r2.read(200); // 200 bytes
        console.log(piece.length, JSON.stringify(piece.toString('latin1', 0, 60)));
      }

      await conn.request('GET', '/parrot.spam');
      const r3 = await conn.getresponse();
      console.log(r3.status, r3.reason);

      const data3 = await r3.read();
      console.log(data3.length);

      conn.close();
    },
  },
  {
    title: 'HEAD',
    about: 'The headers of a page. HEAD never returns any data.',
    async session() {
      const conn = new HTTPConnection(host, port);
      await conn.request('HEAD', '/index.html');
      const res = await conn.getresponse();
      console.log(res.status, res.reason);

      for (const [name, value] of res.getheaders()) console.log(`${name}: ${value}`);

      const data = await res.read();
      console.log(data.length);

      conn.close();
    },
  },
  {
    title: 'POST',
    about: 'A form, and the redirect that answers it. Nothing is followed behind your back.',
    async session() {
      const params = new URLSearchParams({ '@number': 12524, '@type': 'issue', '@action': 'show' }).toString();
      const headers = { 'Content-type': 'application/x-www-form-urlencoded', Accept: 'text/plain' };
      const conn = new HTTPConnection(host, port);
      await conn.request('POST', '', params, headers);
      const response = await conn.getresponse();
      console.log(response.status, response.reason);

      console.log(response.getheader('Location'));

      const data = await response.read();
      console.log(data.toString());

      conn.close();
    },
  },
  {
    title: 'PUT',
    about: 'A new file on the server, and what is there afterwards.',
    async session() {
      const BODY = '***filecontents***';
      const conn = new HTTPConnection(host, port);
      await conn.request('PUT', '/file', BODY);
      const response = await conn.getresponse();
      console.log(response.status, response.reason);

      await response.read();
      await conn.request('GET', '/file');
      console.log(await (await conn.getresponse()).text());

      conn.close();
    },
  },
  {
    title: 'CONNECT',
    about: 'Through a proxy: the connection goes to the proxy, the request to the server behind it.',
    async session() {
      const conn = new HTTPConnection(proxy_host, proxy_port);
      conn.set_tunnel('localhost', port);
      await conn.request('HEAD', '/index.html');
      const res = await conn.getresponse();
      console.log(res.status, res.reason);

      console.log(conn.get_proxy_response_headers());

      conn.close();
    },
  },
  {
    title: 'chunks',
    about: 'Not in the documentation’s examples: a body in chunks, as they come, and the trailers behind it.',
    async session() {
      const conn = new HTTPConnection(own_host, own_port);
      await conn.request('GET', '/report');
      const response = await conn.getresponse();
      console.log(response.chunked, response.length, response.getheader('Trailer'));

      for await (const piece of response.body) console.log(piece.length, JSON.stringify(String(Buffer.from(piece))));

      for (const [name, value] of response.trailers.items()) console.log(`${name}: ${value}`);

      conn.close();
    },
  },
  {
    title: 'readinto',
    about: 'Not in the documentation’s examples: 64 MiB, read into memory of your own, 256 KiB at a time.',
    async session() {
      const conn = new HTTPConnection(host, port);
      await conn.request('GET', '/large.bin');
      const response = await conn.getresponse();
      const view = new Uint8Array(256 * 1024);
      const start = performance.now();
      let total = 0;
      while (!response.closed) total += await response.readinto(view);
      const seconds = (performance.now() - start) / 1000;
      console.log(total, 'bytes,', Math.round(total / seconds / 2 ** 20), 'MiB a second');

      conn.close();
    },
  },
];
