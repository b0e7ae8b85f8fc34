// SPDX-License-Identifier: MIT
//
// The host ABI on WASI: probe.c does what the tests say.

import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { closedPort } from '../support/closed-port.mjs';
import { withSilentPort } from '../support/silent-port.mjs';
import { lacking, makeGuest, RUNTIMES, withServer, workshop } from './guests.mjs';

const skip = await lacking();
const READABLE = 1;
const WRITABLE = 2;
const IPV4 = 2;
const IPV6 = 4;
const PEER = 1;
const LOCAL = 2;
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const text = (hex) => Buffer.from(hex, 'hex').toString('latin1');

/** How the README calls a runtime. */
function rowOf(runtime) {
  const file = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
  if (runtime === 'wasmtime') return `PyPI's \`wasmtime\` ${/==(.*)$/m.exec(file('requirements.txt'))[1]}, WASI 0.2`;
  if (runtime !== 'jco') return `wasmtime's command 48.0.8, WASI ${runtime.endsWith('0.3') ? '0.3' : '0.2'}`;
  const { devDependencies } = JSON.parse(file('package.json'));
  return `jco's \`preview2-shim\` ${devDependencies['@bytecodealliance/preview2-shim']} on Node, WASI 0.2`;
}

const ipv6 = await lookup('::1').then(() => true, () => false);

describe('the host ABI on WASI', { skip, concurrency: 2 }, () => {
  let shop;
  let runtimes;

  before(async () => {
    shop = workshop();
    runtimes = await makeGuest(shop.folder, 'probe');
  });
  after(() => shop?.remove());

  /** Has the guest do things. @returns its lines: [word, result, milliseconds, …] */
  async function play(runtime, steps, ...options) {
    const { code, stdout, stderr } = await runtimes[runtime](steps, options);
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.trimEnd().split('\n').map((line) => line.split(' '));
    assert.equal(lines.length, steps.length);
    return lines;
  }

  /** The results alone. */
  const results = async (...given) => (await play(...given)).map(([, result]) => result);

  for (const runtime of RUNTIMES) {
    describe(`under ${runtime}`, () => {
      test('a wait for several connections tells which one is readable', () =>
        withServer(
          (socket, index) => index === 0 && socket.write('first'),
          async (port) => {
            const lines = await play(runtime, [
              `open 127.0.0.1 ${port} 0 20000`,
              `open 127.0.0.1 ${port} 0 20000`,
              `wait 20000 0 ${READABLE} 1 ${READABLE}`,
              'recv 0 100 20000',
              `wait 0 0 ${READABLE} 1 ${READABLE}`,
              `wait 150 1 ${READABLE}`,
              `wait 20000 1 ${READABLE | WRITABLE}`,
            ]);
            assert.deepEqual(lines[2].filter((_, i) => i !== 2), ['wait', '1', '1', '0']);
            assert.equal(text(lines[3][3]), 'first');
            assert.equal(lines[4][4], '0'); // the first one may be called readable until a look finds nothing
            assert.deepEqual([lines[5][1], lines[5][3]], ['0', '0']);
            assert.ok(Number(lines[5][2]) >= 149, lines[5].join(' '));
            assert.deepEqual([lines[6][1], lines[6][3]], ['1', '2']);
          },
        ));

      test('a wait for no connection sleeps', async () => {
        const [line] = await play(runtime, ['wait 120']);
        assert.equal(line[1], '0');
        assert.ok(Number(line[2]) >= 119, line.join(' '));
      });

      test('a wait with a bad handle, a bad interest or too many pairs is refused', () =>
        withServer(() => {}, async (port) => {
          const opened = `open 127.0.0.1 ${port} 0 20000`;
          const steps = [opened, opened, 'close 0', 'wait 0 0 1 1 1', 'wait 0 1 0', 'wait 0 1 4', `wait 0${' 1 1'.repeat(65)}`];
          assert.deepEqual((await results(runtime, steps)).slice(3), ['HOST_BAD_HANDLE', 'HOST_OTHER', 'HOST_OTHER', 'HOST_UNSUPPORTED']);
        }));

      test('a connection is writable until the peer reads no more, and a send then waits as long as it may', () =>
        withServer((socket) => socket.pause(), async (port) => {
          const lines = await play(runtime, [
            `open 127.0.0.1 ${port} 0 20000`,
            `wait 1000 0 ${READABLE | WRITABLE}`,
            'fill 0',
            'wait 200', // what went out meanwhile makes room
            'fill 0',
            'wait 200',
            'fill 0',
            'send 0 0 1000',
            'head 0 0 GET / HTTP/1.1',
            'send 0 150 1000',
          ]);
          assert.deepEqual([lines[1][1], lines[1][3]], ['1', '2']);
          assert.ok(Number(lines[2][1]) > 0, lines[2].join(' '));
          assert.deepEqual(lines.slice(7).map(([, result]) => result), ['WANT_WRITE', 'WANT_WRITE', 'HOST_TIMED_OUT']);
          assert.ok(Number(lines[9][2]) >= 149, lines[9].join(' '));
        }));

      for (const [family, host, shown] of [['IPv4', '127.0.0.1', '127.0.0.1'], ['IPv6', '::1', '[::1]']]) {
        test(`info tells both ends of a connection by ${family}`, async () => {
          let ours;
          await withServer((socket) => {
            ours = socket.remotePort;
          }, async (port) => {
            const lines = await play(runtime, [`open ${host} ${port} 0 20000`, `info 0 ${PEER}`, `info 0 ${LOCAL}`]);
            assert.deepEqual(lines.slice(1).map((line) => text(line[3])), [`${shown}:${port}`, `${shown}:${ours}`]);
          }, host);
        });
      }

      test('info says nothing of TLS, of what is unknown, and of what was closed', () =>
        withServer(() => {}, async (port) => {
          const steps = [`open 127.0.0.1 ${port} 0 20000`, 'info 0 0', 'info 0 3', 'info 0 4', 'info 0 77', 'close 0', 'info 0 1', 'info  1'];
          assert.deepEqual(await results(runtime, steps), Array(8).fill('0'));
        }));

      test('a reset by the peer is told, in one line', () =>
        withServer((socket) => socket.once('data', () => socket.resetAndDestroy()), async (port) => {
          const lines = await play(runtime, [`open 127.0.0.1 ${port} 0 20000`, 'head 0 1000 GET / HTTP/1.1', 'recv 0 100 20000', 'info 0 0']);
          assert.equal(lines[2][1], 'HOST_RESET');
          assert.match(text(lines[3][3]), /^[ -~]{1,200}$/);
        }));

      test('a client is told of a reset, and connects again', () =>
        withServer((socket, index) => socket.on('data', () => (index === 0 ? socket.resetAndDestroy() : socket.write(hello))), async (port) => {
          const steps = [`client 127.0.0.1:${port} 5000 -1 0`, 'exchange GET /', 'exchange GET /'];
          assert.deepEqual((await results(runtime, steps)).slice(1), ['HOST_RESET', '200']);
        }));

      test('a family that the address is not of finds nothing', () =>
        withServer(() => {}, async (port) => {
          const steps = [
            `open 127.0.0.1 ${port} ${IPV4} 5000`,
            `open 127.0.0.1 ${port} ${IPV6} 5000`,
            `open ::1 ${port} ${IPV4} 5000`,
            `open localhost ${port} ${IPV4} 5000`,
            `open localhost ${port} ${IPV4 | IPV6} 5000`,
            'info 1 1',
          ];
          assert.deepEqual((await results(runtime, steps)).slice(0, 5), ['0', 'HOST_NOT_FOUND', 'HOST_NOT_FOUND', '1', '2']);
        }));

      test('what the host has not is unsupported', () =>
        withServer(() => {}, async (port) => {
          const steps = [`open 127.0.0.1 ${port} 1 5000`, `open 127.0.0.1 ${port} 8 5000`, `open 127.0.0.1 ${port} 0 20000`, 'tls 0'];
          assert.deepEqual(await results(runtime, steps), ['HOST_UNSUPPORTED', 'HOST_UNSUPPORTED', '0', 'HOST_UNSUPPORTED']);
        }));

      test('a port that nobody listens at refuses, and so does a host or a port that can be none', async () => {
        const steps = [`open 127.0.0.1 ${await closedPort()} 0 20000`, 'info  0', 'open 127.0.0.1 65536 0 5000', 'open  80 0 5000', 'open é 80 0 5000'];
        const lines = await play(runtime, steps);
        assert.deepEqual(lines.map(([, result]) => result).filter((_, i) => i !== 1), ['HOST_REFUSED', 'HOST_OTHER', 'HOST_OTHER', 'HOST_OTHER']);
        assert.match(text(lines[1][3]), /connect: connection-refused$/);
      });

      test('connecting takes no longer than it may', () =>
        withSilentPort(async ({ port }) => {
          const [line, none] = await play(runtime, [`open 127.0.0.1 ${port} 0 300`, `open 127.0.0.1 ${port} 0 0`]);
          assert.equal(line[1], 'HOST_TIMED_OUT');
          assert.ok(Number(line[2]) >= 299 && Number(line[2]) < 30_000, line.join(' '));
          assert.equal(none[1], 'HOST_TIMED_OUT');
        }));

      test('a receive waits as long as it may, and not at all with no time', () =>
        withServer((socket) => socket.once('data', () => socket.write('late')), async (port) => {
          const lines = await play(runtime, [`open 127.0.0.1 ${port} 0 20000`, 'recv 0 100 0', 'head 0 1000 now', 'recv 0 100 20000', 'recv 0 100 200']);
          assert.deepEqual(lines.slice(1).map(([, result]) => result), ['WANT_READ', '4', '4', 'HOST_TIMED_OUT']);
          assert.ok(Number(lines[4][2]) >= 199, lines[4].join(' '));
        }));

      test('a receive goes on after one whose time was up', () =>
        withServer((socket) => socket.on('data', (data) => socket.write(data)), async (port) => {
          const steps = [`open 127.0.0.1 ${port} 0 20000`, 'recv 0 100 50', 'head 0 1000 now', 'recv 0 100 20000', 'recv 0 100 50', 'head 0 1000 then', 'recv 0 100 20000'];
          const lines = await play(runtime, steps);
          assert.deepEqual(lines.map(([, result]) => result), ['0', 'HOST_TIMED_OUT', '4', '4', 'HOST_TIMED_OUT', '5', '5']);
          assert.equal(text(lines[6][3]), 'then\n');
        }));

      test('what was sent goes out though the connection is closed at once', async () => {
        let came = '';
        let seen;
        const ended = new Promise((resolve) => {
          seen = resolve;
        });
        await withServer((socket) => socket.on('data', (data) => (came += data)).on('end', seen), async (port) => {
          await play(runtime, [`open 127.0.0.1 ${port} 0 20000`, 'head 0 1000 farewell', 'close 0']);
          await ended;
        });
        assert.equal(came, 'farewell\n');
      });

      test('a connection with a receive and a send under way can be closed', () =>
        withServer((socket) => socket.pause(), async (port) => {
          const opened = `open 127.0.0.1 ${port} 0 20000`;
          const steps = [opened, 'recv 0 100 0', 'fill 0', 'close 0', opened, 'recv 0 100 0', 'recv 1 100 0'];
          const given = await results(runtime, steps);
          assert.deepEqual(given.filter((_, i) => i !== 2), ['0', 'WANT_READ', '0', '1', 'HOST_BAD_HANDLE', 'WANT_READ']);
        }));

      test('a close returns though the peer takes nothing, and the peer is told of the end when it does', async () => {
        let came = 0;
        const sockets = [];
        const serve = (socket, index) => {
          sockets.push(socket.pause());
          if (index === 1) sockets[0].on('data', (data) => (came += data.length)).on('end', () => socket.write('!')).resume();
        };
        await withServer(serve, async (port) => {
          const opened = `open 127.0.0.1 ${port} 0 20000`;
          const steps = [opened, 'fill 0', 'close 0', 'recv 0 100 0', opened, 'recv 1 100 20000', 'close 1', opened];
          const given = await results(runtime, steps);
          assert.deepEqual(given.filter((_, i) => i !== 1), ['0', '0', 'HOST_BAD_HANDLE', '1', '1', '0', '2']);
          const length = Number(given[1]);
          const whole = ['wasmtime', 'wasmtime CLI'].includes(runtime); // the others end what they have not sent
          assert.ok(whole ? came === length : came > 0 && came <= length, `${came} of ${length}`);
        });
      });

      test('what drips ends at the deadline', () =>
        withServer((socket) => {
          socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'));
          const timer = setInterval(() => socket.bytesWritten > 0 && socket.write('.'), 20);
          socket.on('close', () => clearInterval(timer));
        }, async (port) => {
          const [, line] = await play(runtime, [`client 127.0.0.1:${port} 20000 3000 0`, 'exchange GET /']);
          assert.deepEqual([line[1], line[3]], ['200', 'HOST_TIMED_OUT']);
          assert.ok(Number(line[2]) < 20000, line[2]);
        }));

      test('an answer that comes while a send waits ends an upload', () => {
        const serve = (socket) =>
          socket.once('data', () => {
            socket.pause();
            setTimeout(() => socket.write('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno'), 300);
          });
        return withServer(serve, async (port) => {
          const [, line] = await play(runtime, [`client 127.0.0.1:${port} 20000 -1 0`, 'upload / 20000']);
          assert.equal(line[1], '413');
        });
      });

      test('the end of the stream is the end', () =>
        withServer((socket) => socket.end('bye'), async (port) => {
          const steps = [`open 127.0.0.1 ${port} 0 20000`, 'recv 0 100 20000', 'recv 0 100 20000', 'recv 0 100 0', `wait 0 0 ${READABLE}`];
          assert.deepEqual(await results(runtime, steps), ['0', '3', '0', '0', '1']);
        }));

      test('an IPv4 address in the form of an IPv6 one is connected to, and any address is this machine', () =>
        withServer(() => {}, async (port) => {
          const steps = ['::ffff:127.0.0.1', '0.0.0.0', '0'].map((host) => `open ${host} ${port} 0 20000`);
          assert.deepEqual(await results(runtime, [...steps, 'open ::ffff:0.0.0.0 1 0 20000']), ['0', '1', '2', 'HOST_REFUSED']);
        }));

      test('any address of IPv6 is this machine', { skip: !ipv6 && 'there is no IPv6' }, () =>
        withServer(() => {}, async (port) => {
          assert.deepEqual(await results(runtime, [`open :: ${port} 0 20000`]), ['0']);
        }, '::1'));

      test('a name that there is not is not found', async () => {
        const names = runtime === 'jco' ? ['--names', '{"none.invalid":"name-unresolvable"}'] : [];
        assert.deepEqual(await results(runtime, ['open none.invalid 80 0 20000'], ...names), ['HOST_NOT_FOUND']);
      });

      test('where look-ups are refused a name is not found, and an address needs none', () =>
        withServer(() => {}, async (port) => {
          const without = runtime === 'jco' ? ['--names', '{}'] : ['--no-names'];
          const lines = await play(runtime, [`open 127.0.0.1 ${port} 0 20000`, `open localhost ${port} 0 20000`, 'info  0'], ...without);
          assert.equal(lines[0][1], '0');
          assert.match(lines[1][1], /^HOST_(DENIED|NOT_FOUND)$/);
          assert.match(text(lines[2][3]), /^resolve/);
        }));

      test('64 connections can be open at a time, and numbers that are no handles do no harm', () =>
        withServer(() => {}, async (port) => {
          const opened = Array(64).fill(`open 127.0.0.1 ${port} 0 20000`);
          const steps = [...opened, opened[0], 'close 7', 'close 7', 'close -5', 'recv 7 10 0', 'send 99999 0 1', 'tls 12345', opened[0], 'recv 7 10 0'];
          const given = (await results(runtime, steps)).slice(64);
          const bad = 'HOST_BAD_HANDLE';
          assert.deepEqual(given, ['HOST_BUSY', '0', '0', '0', bad, bad, bad, '64', bad]);
        }));
    });
  }

  for (const runtime of RUNTIMES) {
    test(`the README says what works under ${runtime}`, async () => {
      const readme = readFileSync(new URL('../../bindings/wasi/README.md', import.meta.url), 'utf8');
      const cells = ['127.0.0.1', '::1', 'localhost'].map((host) =>
        withServer((socket) => socket.end('hello'), async (port) => {
          const given = await results(runtime, [`open ${host} ${port} 0 20000`, 'recv 0 100 20000', 'recv 0 100 20000']);
          return given.join() === '0,5,0';
        }, host),
      );
      const inTime = withSilentPort(async ({ port }) => {
        const [given] = await results(runtime, [`open 127.0.0.1 ${port} 0 100`]);
        return given === 'HOST_TIMED_OUT';
      });
      const works = (await Promise.all([...cells, inTime])).map((yes) => (yes ? 'yes' : 'no'));
      assert.ok(readme.includes(`| ${rowOf(runtime)} | ${works.join(' | ')} |\n`), works.join());
    });
  }

  for (const runtime of RUNTIMES.filter((each) => each !== 'jco')) {
    test(`under ${runtime} nothing is opened where the network is refused`, async () => {
      const lines = await play(runtime, ['open 127.0.0.1 80 0 5000', 'info  0'], '--no-network');
      assert.equal(lines[0][1], 'HOST_DENIED');
      assert.match(text(lines[1][3]), /access-denied/);
    });
  }
  if (!RUNTIMES.includes('jco')) return; // elsewhere nobody can say what a resolver answers

  test('all addresses of a name are tried, each for its share of the time', { skip: !ipv6 && 'there is no IPv6' }, () =>
    withSilentPort(({ port }) =>
      withServer(() => {}, async (open) => {
        const names = JSON.stringify({ here: ['127.0.0.77', '::1'], silent: ['127.0.0.1', '127.0.0.1'] });
        const lines = await play('jco', [`open here ${open} 0 20000`, 'info 0 1', `open silent ${port} 0 400`, `open here ${open} ${IPV4} 5000`, `open here ${open} ${IPV6} 5000`], '--names', names);
        assert.equal(lines[0][1], '0');
        assert.equal(text(lines[1][3]), `[::1]:${open}`);
        assert.equal(lines[2][1], 'HOST_TIMED_OUT');
        assert.ok(Number(lines[2][2]) >= 399, lines[2].join(' '));
        assert.deepEqual([lines[3][1], lines[4][1]], ['HOST_REFUSED', '1']);
      }, '::1')));

  for (const [code, error] of [
    ['remote-unreachable', 'HOST_UNREACHABLE'],
    ['connection-reset', 'HOST_RESET'],
    ['connection-aborted', 'HOST_RESET'],
    ['timeout', 'HOST_TIMED_OUT'],
    ['access-denied', 'HOST_DENIED'],
    ['new-socket-limit', 'HOST_BUSY'],
    ['not-supported', 'HOST_UNSUPPORTED'],
    ['invalid-state', 'HOST_OTHER'],
  ]) {
    test(`connecting that ends with ${code} is ${error}`, async () => {
      const lines = await play('jco', ['open 127.0.0.1 80 0 5000', 'info  0'], '--connecting', code);
      assert.equal(lines[0][1], error);
      assert.equal(text(lines[1][3]), `finish-connect: ${code}`);
    });
  }

  test('a name without addresses is not found, and what a resolver answers is told', async () => {
    const names = JSON.stringify({ empty: [], now: 'temporary-resolver-failure', never: 'permanent-resolver-failure' });
    const lines = await play('jco', ['open empty 80 0 5000', 'open now 80 0 5000', 'info  0', 'open never 80 0 5000'], '--names', names);
    assert.deepEqual(lines.map(([, result]) => result).filter((_, i) => i !== 2), Array(3).fill('HOST_NOT_FOUND'));
    assert.equal(text(lines[2][3]), 'resolve-addresses: temporary-resolver-failure');
  });
});
