// SPDX-License-Identifier: MIT
//
// The engine in any order: several connections, with rings that are full and empty, peers that end and reset, and guests that are
// ended in the middle. Whatever happens, bytes come as they were sent, from their own connection, and nothing stays open.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createHost } from '../../js/host.js';
import { settles, until } from '../support/upload-server.mjs';
import { noClang, Raw } from './guests.mjs';

const SEEDS = [1, 2, 3, 4, 5, 6];
const STEPS = 150;
const MOST = 5; // connections at a time
const [WANT_READ, WANT_WRITE, DENIED, BAD_HANDLE] = [-1, -2, -404, -411];
const [READABLE, WRITABLE] = [1, 2];

/** Numbers of xorshift. @param {number} seed */
function randomOf(seed) {
  let state = seed * 2654435761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Mostly what can be done now: a time that is up ends a connection. */
const timeOf = (random) => (random(20) === 0 ? 5 : 0);

/** What goes over a connection in either direction: a byte tells its place, and whose it is. */
const patternOf = (own, from, length) => Buffer.from(Array.from({ length }, (_, index) => own * 31 + (from + index) * 7 + ((from + index) >> 8)));

/** One connection, as the peer has it. */
class Peer {
  got = Buffer.alloc(0);
  put = 0;

  constructor(socket) {
    this.socket = socket;
    this.own = socket.remotePort;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.got = Buffer.concat([this.got, chunk]);
    });
  }

  act(random) {
    if (this.socket.destroyed) return;
    const kind = random(20);
    if (kind < 10 && this.socket.writable) {
      const piece = patternOf(this.own, this.put, 1 + random(9000));
      this.put += piece.length;
      this.socket.write(piece);
    } else if (kind < 12) this.socket.pause();
    else if (kind < 18) this.socket.resume();
    else if (kind === 18) this.socket.end();
    else if (random(3) === 0) {
      // While an end is being sent Node can't reset, and tells of no close then.
      if (this.socket.writableEnded) this.socket.destroy();
      else this.socket.resetAndDestroy();
    }
  }
}

describe('a guest that does anything in any order', { skip: noClang }, () => {
  let server;
  let port;
  const peers = new Map();

  before(async () => {
    server = net.createServer({ allowHalfOpen: false }, (socket) => peers.set(socket.remotePort, new Peer(socket)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address());
  });

  after(() => server.close());

  /** A connection of the guest's. */
  async function connect(raw) {
    const handle = await raw.open('127.0.0.1', port);
    assert.ok(handle > 0, `${handle}: ${await raw.words(0)}`);
    const own = Number((await raw.info(handle, 2)).split(':')[1]);
    await until(() => peers.has(own));
    const head = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
    const sent = await raw.sendHead(handle, head);
    const connection = { handle, own, peer: peers.get(own), taken: 0, said: Buffer.from(sent > 0 ? head : ''), failed: sent < 0 };
    if (sent > 0) assert.equal(sent, head.length);
    return connection;
  }

  async function step(raw, connection, random) {
    const { handle, own, peer } = connection;
    const kind = random(8);
    if (kind < 3) {
      const count = await raw.recv(handle, 1 + random(6000), timeOf(random));
      if (count > 0) {
        const bytes = Buffer.from(raw.bytes(count), 'latin1');
        assert.ok(bytes.equals(patternOf(own, connection.taken, count)), 'other bytes than those that were sent');
        connection.taken += count;
        assert.ok(connection.taken <= peer.put);
      } else if (count < 0 && count !== WANT_READ) connection.failed = true;
    } else if (kind < 6) {
      const piece = patternOf(own + 1, connection.said.length, 1 + random(9000));
      const count = await raw.send(handle, piece.latin1Slice(), timeOf(random));
      if (count > 0) connection.said = Buffer.concat([connection.said, piece.subarray(0, count)]);
      else if (count !== WANT_WRITE) connection.failed = true;
      assert.ok(count <= piece.length && count !== 0 && count !== DENIED);
    } else if (kind === 6) {
      const { count, ready } = await raw.wait([[handle, READABLE | WRITABLE]], timeOf(random));
      assert.equal(count, ready[0] > 0 ? 1 : 0);
    } else {
      assert.ok((await raw.info(handle, random(6))).length <= 200);
    }
  }

  const check = ({ said, peer }) => assert.ok(said.subarray(0, peer.got.length).equals(peer.got), 'the peer has other bytes than were sent');

  /** All that is on its way arrives, where neither side has failed. */
  async function finish(raw, connection) {
    const { handle, own, peer } = connection;
    if (connection.failed || peer.socket.destroyed) return 0;
    peer.socket.resume();
    peer.socket.end();
    for (;;) {
      const count = await raw.recv(handle, 5000, 20_000);
      if (count === 0) break;
      assert.ok(count > 0, `${count}: ${await raw.words(handle)}`);
      assert.ok(Buffer.from(raw.bytes(count), 'latin1').equals(patternOf(own, connection.taken, count)));
      connection.taken += count;
    }
    assert.equal(connection.taken, peer.put);
    await until(() => peer.got.length >= connection.said.length || peer.socket.destroyed);
    assert.ok(peer.got.equals(connection.said));
    return 1;
  }

  let finished = 0;
  after(() => assert.ok(finished > SEEDS.length, `${finished} connections were whole at their end`));

  for (const seed of SEEDS) {
    test(`has its bytes in order, and leaves nothing open: ${seed}`, async (t) => {
      const random = randomOf(seed);
      const host = createHost({ allow: ['127.0.0.1:*'], ring: 4096, limits: { connections: MOST } });
      t.after(async () => {
        await host.close();
        for (const { socket } of peers.values()) socket.destroy();
        peers.clear();
      });
      const raw = await Raw.start(host);
      const open = [];
      for (let at = 0; at < STEPS; at++) {
        for (const { peer } of open) if (random(3) === 0) peer.act(random);
        const kind = random(12);
        if (open.length === 0 || (kind === 0 && open.length < MOST - 1)) {
          open.push(await connect(raw));
        } else if (kind === 1) {
          const [gone] = open.splice(random(open.length), 1);
          if (random(2) === 0) finished += await finish(raw, gone);
          await raw.closeHandle(gone.handle);
          assert.equal(await raw.recv(gone.handle, 1, 0), BAD_HANDLE);
          check(gone);
        } else {
          const connection = open[random(open.length)];
          await step(raw, connection, random);
          check(connection);
        }
      }
      // In the middle of something, or of nothing.
      const last = open.length > 0 && random(2) === 0 ? raw.recv(open[0].handle, 65_536, 5000).catch((error) => error) : null;
      for (let turns = random(5); turns > 0; turns--) await new Promise(setImmediate);
      await raw.guest.close();
      await last;
      for (const peer of peers.values()) {
        peer.socket.resume(); // what was not read hides the end
        await settles(peer.closed);
      }
    });
  }
});
