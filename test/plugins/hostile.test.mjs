// SPDX-License-Identifier: MIT
//
// Guests that mean harm, and hosts that outlive them: the same memory and descriptors after thousands of attempts.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createHost } from '../../js/host.js';
import { until } from '../support/upload-server.mjs';
import { guestOf, noClang, Raw } from './guests.mjs';

const ATTEMPTS = 10_000;
const GROWTH = 64 * 1024 * 1024;
const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

describe('a host', { skip: noClang }, () => {
  let server;
  let port;

  before(async () => {
    server = http.createServer((_request, response) => response.end('well')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address());
  });

  /** Waits until the server has seen the end of all connections. */
  async function unconnected() {
    let connections = 1;
    await until(() => {
      server.getConnections((_error, count) => (connections = count));
      return connections === 0;
    });
  }

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  test(`is as it was after ${ATTEMPTS} attempts of a hostile guest, which reached nobody`, async (t) => {
    let connections = 0;
    const forbidden = net.createServer(() => connections++).listen(0, '127.0.0.1');
    t.after(() => forbidden.close());
    await once(forbidden, 'listening');
    const host = createHost({ allow: ['api.example:443'], lookup: (_name, _options, done) => done(new Error('none')) });
    t.after(() => host.close());
    const guest = await host.run(guestOf('test/plugins/guests/hostile.c'));
    const attack = (seed) => guest.call('attack', ATTEMPTS / 2, seed, forbidden.address().port);
    assert.equal(await attack(1), 0);
    const before = { memory: process.memoryUsage().rss, descriptors: descriptors() };
    assert.equal(await attack(2), 0);
    assert.ok(process.memoryUsage().rss - before.memory < GROWTH);
    assert.equal(descriptors(), before.descriptors);
    assert.equal(connections, 0);
  });

  test('is as it was after a hostile guest had connections, and goes on for others', async (t) => {
    const host = createHost({ allow: ['127.0.0.1:*'], limits: { total_connections: Number.POSITIVE_INFINITY } });
    t.after(() => host.close());
    const guest = await host.run(guestOf('test/plugins/guests/hostile.c'));
    assert.ok((await guest.call('attack', ATTEMPTS / 2, 3, port)) > 0);
    await guest.close();
    await unconnected();
    const before = { memory: process.memoryUsage().rss, descriptors: descriptors() };
    const again = await host.run(guestOf('test/plugins/guests/hostile.c'));
    await again.call('attack', ATTEMPTS / 2, 4, port);
    await again.close();
    assert.ok(process.memoryUsage().rss - before.memory < GROWTH);
    await unconnected();
    assert.ok(descriptors() <= before.descriptors + 2, `${before.descriptors} descriptors, then ${descriptors()}`);
    const raw = await Raw.start(host);
    await raw.connect('127.0.0.1', port);
    assert.equal(await raw.get('/'), 4);
  });

  test('leaves nothing open of guests that are ended at any moment', async (t) => {
    const host = createHost({ allow: ['127.0.0.1:*'] });
    t.after(() => host.close());
    for (let index = 0; index < 20; index++) {
      const raw = await Raw.start(host);
      await raw.connect('127.0.0.1', port);
      const getting = raw.get('/', { times: 1000 }).catch((error) => error);
      for (let turns = 0; turns < index; turns++) await new Promise(setImmediate);
      await raw.guest.close();
      assert.equal((await getting).code, 'ERR_HTTP_GUEST_CLOSED');
    }
    server.closeIdleConnections();
    const count = () => new Promise((resolve, reject) => server.getConnections((error, open) => (error ? reject(error) : resolve(open))));
    for (let turns = 0; turns < 1000 && (await count()) > 0; turns++) await new Promise(setImmediate);
    assert.equal(await count(), 0);
  });

  test('gives imports to a thread of the caller’s own', async (t) => {
    const program = `
      import { readFileSync } from 'node:fs';
      import { parentPort, workerData } from 'node:worker_threads';
      const { createHost } = await import(workerData.host);
      const lines = [];
      const host = createHost({ allow: ['127.0.0.1:*'], audit: (line) => lines.push(line.event) });
      let guest;
      const imports = host.imports(() => guest.exports.memory);
      guest = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(workerData.wasm)), imports);
      const { connect, get, text, hang_up, memory } = guest.exports;
      const put = (string) => Buffer.from(memory.buffer, text(), 100).write(string);
      const results = [connect(put('127.0.0.1'), workerData.port, 0), get(put('/'), 0, 10), connect(put('10.0.0.1'), 80, 0)];
      hang_up();
      setTimeout(() => {
        parentPort.postMessage({ results, lines });
      }, 50);
    `;
    const workerData = { port, wasm: guestOf('test/plugins/guests/raw.c'), host: new URL('../../js/host.js', import.meta.url).href };
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), { workerData });
    t.after(() => worker.terminate());
    const exited = once(worker, 'exit'); // which may come with the message, in one turn
    const [{ results, lines }] = await once(worker, 'message');
    assert.deepEqual(results, [0, 4, -404]);
    assert.equal(lines[0], 'open');
    assert.equal(lines.filter((event) => event === 'head').length, 10);
    await exited; // by itself
  });

  test('has imports in another thread only for options that can go there', () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    assert.throws(() => createHost({ lookup: () => {} }).imports(memory), { name: 'TypeError', message: /lookup/ });
    assert.throws(() => createHost().imports({}), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  });
});
