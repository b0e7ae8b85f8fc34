// SPDX-License-Identifier: MIT
//
// `npm run demo`: its sessions, a URL, and what it says to those who ask for what can't be.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closedPort } from '../support/closed-port.mjs';
import { reply, withServer } from '../support/raw-server.mjs';

const program = fileURLToPath(new URL('../../demo/run.mjs', import.meta.url));

/** Runs the demo. @returns {Promise<{ status: number, stdout: string, stderr: string }>} */
function demo(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { timeout: 200_000 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

describe('the demo', () => {
  test('shows every session, each step with what it prints', async () => {
    const { status, stdout, stderr } = await demo();
    assert.equal(status, 0, stderr);
    assert.deepEqual(
      [...stdout.matchAll(/^── (\w+) ─+$/gm)].map(([, title]) => title),
      ['GET', 'HEAD', 'POST', 'PUT', 'CONNECT', 'chunks', 'readinto'],
    );
    for (const printed of ['200 OK', '404 Not Found', '302 Found', '201 Created', '***filecontents***', "{ Via: [ '1.1 demo' ] }"]) {
      assert.ok(stdout.includes(`\n  ${printed}\n`), printed);
    }
  });

  test('shows a body in chunks as they come, and the trailers behind it', async () => {
    const { stdout } = await demo();
    const shown = stdout.split('── chunks')[1].split('\n──')[0];
    const line = 'Roter Sand: a flash every 20 s\\n';
    for (const printed of ['true null X-Sha256', `${line.length - 1} "${line}"`]) assert.ok(shown.includes(`\n  ${printed}\n`), printed);
    assert.match(shown, /\n {2}X-Sha256: [0-9a-f]{16}\n/);
  });

  test('fetches a URL: head, an empty line and the body, and nothing else on stdout', () =>
    withServer(
      () => reply('hello\n', { headers: ['X-Place: here'] }),
      async ({ port, requests }) => {
        const { status, stdout } = await demo('-H', 'X-Name: value', '-d', 'a=b', `http://127.0.0.1:${port}/path?query`);
        assert.equal(status, 0);
        assert.equal(stdout, 'HTTP/1.1 200 OK\nContent-Length: 6\nX-Place: here\n\nhello\n');
        assert.match(requests[0], /^POST \/path\?query HTTP\/1.1\r\n/);
        assert.match(requests[0], /\r\nX-Name: value\r\nContent-Type: application\/x-www-form-urlencoded\r\n\r\na=b$/);
      },
    ));

  test('exits with 1 when no answer came, and says why', async () => {
    const port = await closedPort();
    const refused = await demo(`http://127.0.0.1:${port}/`);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, new RegExp(`^demo: nothing listens at 127.0.0.1:${port} \\(ECONNREFUSED\\)$`, 'm'));
  });

  test('says of a port of plain HTTP that it is one, when it is asked for https', async () => {
    const server = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { status, stderr } = await demo(`https://127.0.0.1:${server.address().port}/`);
    server.close();
    assert.equal(status, 1);
    assert.match(stderr, /^demo: the server does not speak TLS at this port: is it the port of plain HTTP\? \(ERR_SSL_\w+\)$/m);
  });

  for (const [args, message] of [
    [['--nonsense'], "Unknown option '--nonsense'"],
    [['example.org/'], 'example.org/ is no absolute URL: did you mean http://example.org/?'],
    [['ftp://example.org/'], 'ftp:// is not supported: only http:// and https://'],
    [['http://a.example/', 'http://b.example/'], 'one URL at a time, not http://a.example/ and http://b.example/'],
    [['-I'], '--head is for fetching a URL, and there is none'],
    [['-t', '5'], '--timeout is for fetching a URL, and there is none'],
    [['-t', '0', 'http://a.example/'], "--timeout takes a number of seconds, not '0'"],
    [['-H', 'nonsense', 'http://a.example/'], "-H takes 'Name: value', not 'nonsense'"],
    [['--server', 'other'], '--server takes embedded or nginx, not other'],
    [['--cacert', '/no/such.pem', 'https://a.example/'], "--cacert: ENOENT: no such file or directory, open '/no/such.pem'"],
    [['--cacert', program, 'https://a.example/'], `--cacert: cafile "${program}" holds no certificate in PEM form`],
  ]) {
    test(`exits with 2 for ${args.map((text) => text.replace(program, 'a file')).join(' ')}`, async () => {
      const { status, stdout, stderr } = await demo(...args);
      assert.equal(status, 2, stderr);
      assert.equal(stdout, '');
      assert.ok(stderr.includes(`demo: ${message}\nnpm run demo -- --help tells what it can do.\n`), stderr);
    });
  }

  test('tells with --help what it can do', async () => {
    const { status, stdout, stderr } = await demo('--help');
    assert.equal(status, 0);
    assert.match(stdout, /^Usage:\n/);
    assert.equal(stderr, '');
  });
});
