// SPDX-License-Identifier: MIT
//
// What of the command can't be compared with curl: its words, https without TLS, peers that are slow to read.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { before, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { withSilentPort } from '../support/silent-port.mjs';
import { buildCommands, runCommand } from './commands.mjs';

const { commands, missing } = await buildCommands();
const LARGE = 32_000_000; // more than buffers hold, twice
const at = (path) => `http://127.0.0.1:{port}${path}`;

for (const [name, command] of Object.entries(commands)) {
  describe(`the ${name} command`, { skip: missing[name] ?? false, concurrency: 2 }, () => {
    const run = (...args) => runCommand(command, { args });
    const ended = (outcome) => command.seen(outcome).code;

    before(() => command.build());

    test('shows requests and heads with -v', async () => {
      const { stderr, stdout } = await run('-sSv', '-u', 'me:x', at('/interim'));
      assert.equal(stdout, 'late');
      assert.deepEqual(
        stderr.split(/\r?\n/).map((line) => line.replace(/\d{4,}/, 'PORT').replace(/porthole\/\d+\.\d+\.\d+/, 'porthole/VERSION')),
        [
          '* Connected to 127.0.0.1:PORT',
          '> GET /interim HTTP/1.1',
          '> Host: 127.0.0.1:PORT',
          '> Authorization: Basic bWU6eA==',
          '> User-Agent: porthole/VERSION',
          '> Accept: */*',
          '> ',
          '< HTTP/1.1 103 Early Hints',
          '< Link: </a>',
          '< ',
          '< HTTP/1.1 200 OK',
          '< Content-Length: 4',
          '< ',
          '',
        ],
      );
    });

    if (!command.tls) {
      test('makes the tunnel, and then says that it speaks no TLS', async () => {
        const outcome = await run('-sSiv', '-x', '127.0.0.1:{port}', 'https://example.test/');
        assert.equal(ended(outcome), 35);
        assert.equal(outcome.stdout, 'HTTP/1.1 200 Made\r\nVia: x\r\n\r\n');
        assert.match(outcome.stderr, /^> CONNECT example\.test:443 HTTP\/1\.1\n> Host: example\.test:443\n/m);
        assert.match(outcome.stderr, /^porthole: \(35\) .*(TLS|https)/m);
        assert.match(outcome.requests[0], /^CONNECT example\.test:443 /);
      });

      test('says that it speaks no TLS', async () => {
        const outcome = await run('-sS', 'https://127.0.0.1:{port}/');
        assert.equal(ended(outcome), 35);
        assert.match(outcome.stderr, /^porthole: \(35\) .*(TLS|https)/);
      });
    }

    test('says why it fails, unless it is to be silent', async () => {
      const loud = await run('http://127.0.0.1:{closed}/');
      assert.match(loud.stderr, /^porthole: \(7\) connecting to 127\.0\.0\.1 port \d+: connection refused/m);
      assert.equal((await run('-s', 'http://127.0.0.1:{closed}/')).stderr, '');
      assert.match((await run('-m', '1.5', '-sS', at('/silent'))).stderr, /^porthole: \(28\) timed out after \d+ ms with 0 bytes received\n$/);
      assert.match((await run('-sS', at('/cut-body'))).stderr, /^porthole: \(18\) the body ended early\n$/);
    });

    test('says how it is called, where it is called otherwise', async () => {
      const { stderr } = await run('-s', '--bogus');
      assert.equal(stderr, "porthole: option --bogus: is unknown\nporthole: try 'porthole --help' for more information\n");
      assert.match((await run(at('/hello'), at('/hello'))).stderr, /^porthole: one URL a call: what is http:/);
    });

    test('shows a meter when it writes to a file, and none when it is silent', async () => {
      const { stderr } = await run('-o', 'out', at('/large'));
      assert.match(stderr, /^ {2}% Total {4}% Received % Xferd .*\n {33}Dload .*\n\r {2}0 (?:.*\r)+100 {2}292k {2}100 {2}292k {4}0 {5}0 [^\r]*\n$/);
      assert.equal((await run('-s', '-o', 'out', at('/large'))).stderr, '');
    });

    test('shows its version and its options', async () => {
      assert.match((await run('--version')).stdout, /^porthole \d+\.\d+\.\d+\nProtocols: http( https)?\n/);
      const { stdout } = await run('-h');
      assert.match(stdout, /^Usage: porthole \[options\.\.\.\] <url>\n/);
      for (const option of '-X -H -d -T -o -i -I -v -s -S -f -L -x -m -A -u -w -4 -6 -E -k'.split(' ')) {
        assert.match(stdout, new RegExp(`^ ${option}, --`, 'm'));
      }
    });

    test('refuses what it would be wrong to send', async () => {
      const wrong = [
        ['-X', 'A B'],
        ['-d', 'a', '-I'],
        ['-d', 'a', '-T', 'file'],
        ['-H', 'X: a\nY: b'],
        ['-H', 'X Y: a'],
        ['-d', 'abc', '-H', 'Content-Length: 1'],
      ];
      for (const args of wrong) {
        const outcome = await run('-sS', ...args, at('/hello'));
        assert.equal(ended(outcome), 2);
        assert.deepEqual(outcome.requests, []);
      }
    });

    test('follows a redirect whose body has no end', async () => {
      assert.equal((await run('-sSL', at('/endless-chunks'))).stdout, 'hello\n'); // curl reads on
      assert.equal((await run('-sSL', at('/stays-302'))).stdout, 'hello\n'); // curl asks by HTTP/1.0 then
    });

    test('gives up connecting in time', () =>
      withSilentPort(async ({ port }) => {
        const outcome = await run('-sS', '--connect-timeout', '0.3', `http://127.0.0.1:${port}/`);
        assert.equal(ended(outcome), 28);
        assert.match(outcome.stderr, /^porthole: \(28\) connecting to 127\.0\.0\.1 port \d+: timed out/);
      }));

    /** Runs an upload to a server that does something with its socket. */
    async function upload(serve, ...args) {
      const sockets = [];
      const server = net.createServer((socket) => {
        sockets.push(socket.on('error', () => {}));
        serve(socket);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      try {
        const { port } = server.address();
        const files = { file: 'x'.repeat(8_000_000), ...(args.includes('large') && { large: 'x'.repeat(LARGE) }) };
        const outcome = await runCommand(command, {
          args: ['-sS', '-T', 'file', '-H', 'Expect:', ...args, `http://127.0.0.1:${port}/`],
          files,
        });
        const closed = (socket) => new Promise((done) => socket.resume().once('close', done));
        await Promise.all(sockets.filter((socket) => !socket.closed).map(closed)); // what is on its way comes in
        return outcome;
      } finally {
        for (const socket of sockets) socket.destroy();
        server.close();
      }
    }

    test('gives up sending to a server that does not read', async () => {
      const outcome = await upload((socket) => socket.pause(), '-m', '1');
      assert.equal(ended(outcome), 28);
    });

    test('reads the answer of a server that reads no more', async () => {
      for (const also of ['Connection: close\r\n', '']) {
        const answer = `HTTP/1.1 413 Too Large\r\n${also}Content-Length: 8\r\n\r\ntoo much`;
        const outcome = await upload((socket) => socket.once('data', () => socket.pause().write(answer)), '-w', ' %{http_code}');
        assert.deepEqual([outcome.code, outcome.stdout, outcome.stderr], [0, 'too much 413', '']);
      }
    });

    test('counts what was sent, and not what was dropped after an answer', async () => {
      const answer = 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
      let came = '';
      const serve = (socket) => {
        socket.once('data', () => socket.pause().write(answer));
        socket.on('data', (data) => (came += data.latin1Slice()));
      };
      const { stdout } = await upload(serve, '-w', '%{size_upload}');
      const length = came.length - came.indexOf('\r\n\r\n') - 4;
      assert.ok(Number(stdout) >= length && Number(stdout) < 8_000_000, `${stdout}, ${length}`);
      if (name === 'native') assert.equal(Number(stdout), length); // elsewhere something can be on its way when the command ends
    });

    test('takes an answer while what it sends says nothing', async () => {
      const outcome = await runCommand(command, {
        args: ['-sS', '-m', '60', '-H', 'Expect:', '-T', '-', at('/413')],
        stdin: 'hello',
        behind: 'open',
      });
      assert.deepEqual([outcome.code, outcome.stdout, outcome.stderr], [0, 'too much', '']);
    });

    test('ends with 56 when the connection breaks while it sends', async () => {
      const outcome = await upload((socket) => socket.once('data', () => socket.resetAndDestroy()));
      // The system tells of a reset once. wasmtime has it from a write whose error it doesn't hand on: a read finds the end of the
      // stream then, which is an empty answer.
      const codes = name === 'wasmtime' ? [56, 52] : [56];
      assert.ok(codes.includes(ended(outcome)), `${ended(outcome)}: ${outcome.stderr}`);
    });

    test('ends with 55 when the connection breaks behind an answer that wants all of the body', async () => {
      const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes';
      let came = 0;
      const serve = (socket) => {
        socket.once('data', () => socket.write(answer));
        socket.on('data', (data) => {
          came += data.length;
          if (came > LARGE / 2) socket.resetAndDestroy(); // what buffers hold was sent before the answer, the rest since
        });
      };
      const outcome = await upload(serve, '-T', 'large');
      assert.deepEqual([outcome.code, outcome.stdout], [55, 'yes']);
    });

    test('sends to a server that answers while it reads', async () => {
      const body = 'x'.repeat(8_000_000);
      const server = net.createServer((socket) => {
        let head = '';
        socket.on('error', () => {}).on('data', function read(data) {
          head += data.latin1Slice();
          const end = head.indexOf('\r\n\r\n');
          if (end < 0) return;
          socket.off('data', read);
          socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${head.slice(end + 4)}`);
          socket.pipe(socket);
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      try {
        const { stdout, stderr } = await runCommand(command, {
          args: ['-sS', '-T', 'file', `http://127.0.0.1:${server.address().port}/`],
          files: { file: body },
        });
        assert.equal(stderr, '');
        assert.ok(stdout === body, `${stdout.length} bytes`);
      } finally {
        server.close();
      }
    });
  });
}

for (const name of ['native', 'npm']) {
  test(`the ${name} command fails when what it writes to is gone`, { skip: missing[name] }, async () => {
    await commands[name].build();
    const server = net.createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(`HTTP/1.0 200 OK\r\n\r\n${'x'.repeat(1_000_000)}`));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const [program, args] = commands[name].start('', ['-sS', `http://127.0.0.1:${server.address().port}/`], false);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    const [code] = await once(child, 'close');
    server.close();
    assert.equal(code, 23);
    assert.match(stderr, /^porthole: \(23\) can't write to standard output: broken pipe\n$/i);
  });
}

test('the npm command gives all of a large body to a pipe that is read slowly, as it came', { skip: missing.npm }, async () => {
  await commands.npm.build();
  const body = randomBytes(3_000_001);
  const server = net.createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\n\r\n'), body])));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const [program, args] = commands.npm.start('', ['-sS', `http://127.0.0.1:${server.address().port}/`], false);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const parts = [];
  for await (const part of child.stdout) {
    parts.push(part);
    await turn();
  }
  server.close();
  assert.ok(Buffer.concat(parts).equals(body));
});

test('the npm command ends by the signal of Ctrl-C', { skip: missing.npm }, async () => {
  await commands.npm.build();
  const server = net.createServer((socket) => socket.on('error', () => {}).once('data', () => child.kill('SIGINT')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const [program, args] = commands.npm.start('', ['-sS', `http://127.0.0.1:${server.address().port}/`], false);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code, signal] = await once(child, 'close');
  server.close();
  assert.deepEqual([code, signal], [null, 'SIGINT']);
});
