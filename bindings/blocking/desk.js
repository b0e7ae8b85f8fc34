// SPDX-License-Identifier: MIT
//
// The side that has the sockets and never blocks: it opens what a caller asks for, as its keeper allows, and moves bytes
// between sockets and rings. The kernel reads straight into a ring; nothing is polled.

import { Buffer } from 'node:buffer';
import net from 'node:net';
import { receiveMessageOnPort } from 'node:worker_threads';
import {
  INFO_ALPN,
  INFO_ERROR,
  INFO_LOCAL,
  INFO_PEER,
  INFO_TLS,
  OPEN_TLS,
  TLS_ALPN_HTTP1,
} from '../generated/abi.js';
import { HOST_CLOSED, HOST_OTHER, WANT_READ } from '../generated/errors.js';
import { hostCode } from '../node/codes.js';
import {
  BELL,
  ENDED,
  FAILURE,
  HANDSHAKE,
  HEAD_AT,
  HEAD_LENGTH,
  IN_PUT,
  IN_TAKEN,
  Line,
  NEWS,
  OPEN,
  OUT_PUT,
  OUT_TAKEN,
  PHASE,
  POSTED,
  RELEASED,
  RIGHTS,
  ROOM,
  SECRETS,
  SECURED,
  STALLED,
  WANTS,
} from './line.js';

/** Bytes that a socket is given at once: more would sit in its queue, out of the ring, and be no faster. */
const WRITE_MOST = 256 * 1024;
/** Bytes from which on they are written as such. */
const WRITE_BYTES = 16 * 1024;
/** Bytes that one read can bring. */
const READ_MOST = 256 * 1024;
/** Bytes in a ring for which the caller is woken at once. */
const WAKE_AT = 128 * 1024;
/** Turns of the event loop in which what a write has failed with is told. */
const END_TURNS = 8;

/** What a server that doesn't speak TLS is taken for. */
const NO_TLS = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|DATA_LENGTH_TOO_LONG|HTTP_REQUEST)$/;

/** An error in words for people: OpenSSL's tell where in its sources they arose. @param {any} error */
function wordsOf(error) {
  if (error.library !== 'SSL routines' || typeof error.reason !== 'string') return error.message;
  return NO_TLS.test(error.code) ? `${error.reason}: is TLS spoken at this port?` : error.reason;
}

/**
 * Who decides for a caller, and counts.
 *
 * @typedef {object} Keeper
 * @property {(request: {host: string, port: number, flags: number}, cancellable: (cancel: (error: Error) => void) => void) =>
 *   Promise<Opened>} open rejects with the error of what can't be, or may not be; it says how to end what goes on, each time that
 *   something else does, which throws when nobody waits any more
 * @property {(opened: Opened) => Error | null} startTls asked before TLS is spoken where it wasn't begun with
 * @property {(opened: Opened, head: Buffer) => Buffer} fill puts secrets into a head @throws what may not be
 * @property {(opened: Opened, length: number) => number} received told of bytes that came @returns how many of them may be
 *   given to the caller
 * @property {(opened: Opened) => Error} overdraft what the connection fails with when those are fewer
 * @property {(opened: Opened | null, event: object) => void} told of what the caller's side has decided
 * @property {(opened: Opened) => void} closed
 */

/**
 * @typedef {object} Opened
 * @property {import('../node/transport.js').Transport} transport
 * @property {string} name that was asked for, later that which TLS is spoken with
 * @property {number} rights MAY_CLEAR
 * @property {number} secrets a bit for each that may be sent, over TLS
 */

const closedError = () => Object.assign(new Error('closed'), { code: 'ABORT_ERR' });

/** An address and a port, as a URL has them. */
function endOf(address, port) {
  if (address === undefined) return '';
  return net.isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** One connection on this side. */
class Berth {
  #desk;
  #line;
  /** @type {Opened | null} */
  #opened = null;
  #cancel = null;
  #closed = false;
  #ringing = false; // is the caller to be woken when this turn of the event loop is over?
  #endTurns = 0; // of the event loop, since an end was seen while bytes were being written

  /** @param {Desk} desk @param {Line} line */
  constructor(desk, line) {
    this.#desk = desk;
    this.#line = line;
  }

  get opened() {
    return this.#opened;
  }

  async open(request) {
    let opened;
    try {
      opened = await this.#desk.keeper.open(request, (cancel) => {
        if (this.#closed) throw closedError();
        this.#cancel = cancel;
      });
    } catch (error) {
      this.#fail(hostCode(error), String(error.message ?? error)); // it may be a look-up's, which is the user's
      if (this.#closed) this.#release();
      return;
    }
    this.#opened = opened;
    if (this.#closed) this.#destroy();
    else this.#adopt(request);
  }

  #adopt({ flags }) {
    const { transport, rights, secrets } = this.#opened;
    const line = this.#line;
    transport.rest(true);
    transport.expectAnswer();
    if (transport.socket.unref) transport.socket.unref(); // that of a tunnel was somebody else's before
    transport.onreadable = () => this.#look();
    transport.ondrain = () => this.drain();
    transport.offer = () => line.roomIn(READ_MOST);
    transport.onpassed = (memory, length) => this.#passed(memory, length);
    line.setText(INFO_PEER, endOf(transport.socket.remoteAddress, transport.socket.remotePort));
    line.setText(INFO_LOCAL, endOf(transport.socket.localAddress, transport.socket.localPort));
    line.set(RIGHTS, rights);
    line.set(SECRETS, secrets);
    line.set(PHASE, flags & OPEN_TLS ? HANDSHAKE : OPEN);
    this.#look();
    this.#desk.ring(NEWS);
  }

  /** The caller wants TLS: what stands in the way is that something was said in clear, by either side. */
  startTls({ name, flags }) {
    if (this.#opened === null || this.#line.get(FAILURE) !== 0) return;
    this.drain();
    const { transport } = this.#opened;
    const line = this.#line;
    const refused = this.#desk.keeper.startTls(this.#opened);
    if (refused !== null) {
      transport.fail(refused);
    } else if (line.count(IN_PUT, IN_TAKEN) > 0 || line.count(OUT_PUT, OUT_TAKEN) > 0) {
      transport.fail(new Error('something was said in clear, and would count as said inside of TLS'));
    } else {
      line.set(PHASE, HANDSHAKE);
      this.#opened.name = name; // another one than was opened, in a tunnel of a caller's that has no policy
      const result = transport.startTls(name, (flags & TLS_ALPN_HTTP1) !== 0);
      if (result < 0 && result !== WANT_READ) this.#fail(result, transport.error ? wordsOf(transport.error) : 'TLS could not be started');
      transport.socket.unref?.();
    }
    this.#look();
  }

  /** Something came, or became of the transport. */
  #look() {
    if (this.#line.get(PHASE) === HANDSHAKE && !this.#shaken()) return;
    this.#pump();
    this.#desk.ring(NEWS);
  }

  /** Is the handshake over? */
  #shaken() {
    const { transport, name } = this.#opened;
    const result = transport.startTls(name, true);
    if (result === WANT_READ) return false;
    if (result !== 0) return true;
    this.#line.setText(INFO_TLS, transport.security.protocol ?? '');
    this.#line.setText(INFO_ALPN, transport.security.alpn ?? '');
    this.#line.set(PHASE, SECURED);
    return true;
  }

  /** Bytes came. @returns {number} how many of them came straight into the ring: all, or none */
  #passed(memory, length) {
    const line = this.#line;
    if (memory.buffer !== line.in.buffer) return 0;
    this.#arrived(length);
    const count = line.count(IN_PUT, IN_TAKEN);
    if (count === line.size) this.#stall();
    if (this.#opened.transport.byRecord && count < Math.min(WAKE_AT, line.size / 2)) this.#ringSoon();
    else this.#desk.ring(NEWS);
    return length;
  }

  /** To wake a thread costs more than to decrypt a record of TLS: those that come in one turn wake it once. */
  #ringSoon() {
    if (this.#ringing) return;
    this.#ringing = true;
    setImmediate(() => {
      this.#ringing = false;
      this.#desk.ring(NEWS);
    });
  }

  /** Bytes are in the ring: the caller's, as far as they may be. */
  #arrived(length) {
    const line = this.#line;
    const { keeper } = this.#desk;
    const allowed = keeper.received(this.#opened, length);
    line.set(IN_PUT, line.words[IN_PUT] + allowed);
    if (allowed === length) return;
    const error = keeper.overdraft(this.#opened);
    this.#fail(hostCode(error), error.message);
    this.#opened.transport.fail(error);
  }

  /** What the transport holds goes into the ring, then its end. */
  #pump() {
    const { transport } = this.#opened;
    const line = this.#line;
    while (transport.readable && line.get(FAILURE) === 0 && line.get(ENDED) === 0) {
      const room = line.roomIn(line.size);
      if (room === null) {
        if (this.#stall()) return;
        continue;
      }
      const result = transport.receive(line.in, room.byteOffset - line.in.byteOffset, room.length);
      if (result > 0) this.#arrived(result);
      else if (result < 0 && !this.#isEnd(result)) this.#fail(result, transport.error ? wordsOf(transport.error) : '');
      else if (this.#endsLater()) return;
      else line.set(ENDED, 1);
    }
  }

  /** Where the peer had ended before it cut the connection, the system says that nobody reads, and not that it was reset. */
  #isEnd(result) {
    return this.#endTurns > 0 && result === HOST_CLOSED;
  }

  /**
   * An end may be what is left of a reset that a write was told of: that is known some turns later, as errors of writes wait
   * for what is still to be read (bindings/node/late.js). Until then it is none.
   */
  #endsLater() {
    const { socket } = this.#opened.transport;
    if (socket.writableLength === 0 || this.#endTurns >= END_TURNS) return false;
    if (this.#endTurns++ > 0) return true;
    const look = () => {
      if (!socket.destroyed && socket.writableLength > 0 && ++this.#endTurns < END_TURNS) {
        setImmediate(look);
        return;
      }
      this.#endTurns = END_TURNS;
      this.#look();
    };
    setImmediate(look);
    return true;
  }

  /** Reads no more until the caller has made room. @returns {boolean} false when it has made it meanwhile */
  #stall() {
    const line = this.#line;
    if (line.get(STALLED) === 1) return true; // what was read by then comes nevertheless, a record of TLS at a time
    line.set(STALLED, 1);
    // The caller looks at STALLED after it has taken bytes: what it took before that is seen here.
    if (line.count(IN_PUT, IN_TAKEN) <= line.size / 2) {
      line.set(STALLED, 0);
      return false;
    }
    this.#opened.transport.pause();
    return true;
  }

  #unstall() {
    const line = this.#line;
    if (line.get(STALLED) === 0 || line.count(IN_PUT, IN_TAKEN) > line.size / 2) return;
    line.set(STALLED, 0);
    this.#pump();
    if (line.get(STALLED) === 0) this.#opened.transport.resume();
    this.#desk.ring(NEWS);
  }

  #fail(code, words) {
    const line = this.#line;
    if (line.get(FAILURE) !== 0) return;
    line.setText(INFO_ERROR, words);
    line.set(FAILURE, code < 0 ? code : HOST_OTHER);
    this.#desk.ring(NEWS | ROOM);
  }

  /** What the caller has sent goes to the socket, as far as that takes it; and it may have made room for what comes. */
  drain() {
    if (this.#opened === null || this.#line.get(FAILURE) !== 0) return;
    const line = this.#line;
    if (line.get(STALLED) === 1) this.#unstall();
    const { transport } = this.#opened;
    const put = line.get(OUT_PUT); // before HEAD_LENGTH: a head in it is marked by then
    const before = line.words[OUT_TAKEN];
    let taken = before;
    while (taken !== put && transport.writable && !transport.full) {
      const marked = line.get(HEAD_LENGTH);
      const ahead = marked === 0 ? (put - taken) >>> 0 : (line.get(HEAD_AT) - taken) >>> 0;
      if (marked > 0 && ahead === 0) {
        if (!this.#writeHead(taken, marked)) return;
        taken = (taken + marked) | 0;
        line.set(HEAD_LENGTH, 0);
      } else {
        const at = taken & (line.size - 1);
        const length = Math.min(ahead, line.size - at, WRITE_MOST);
        this.#write(at, length);
        taken = (taken + length) | 0;
      }
      line.set(OUT_TAKEN, taken);
    }
    if (taken !== before) this.#desk.ring(ROOM);
    if (transport.writable || taken === put) return;
    this.#look();
    const { errored } = transport.socket; // it is told of later, and says more
    if (errored) this.#fail(hostCode(errored), wordsOf(errored));
    else this.#fail(HOST_CLOSED, 'the connection is closed for sending');
  }

  #write(at, length) {
    const { transport } = this.#opened;
    try {
      // A copy, as the caller overwrites the ring: a string is the cheapest one of few bytes.
      const bytes = this.#line.out.subarray(at, at + length);
      if (length < WRITE_BYTES) transport.write(bytes.latin1Slice(), 'latin1');
      else transport.write(Buffer.allocUnsafeSlow(length).fill(bytes));
    } catch (error) {
      transport.fail(error);
    }
  }

  /** A head with placeholders. @returns {boolean} did it go out? */
  #writeHead(taken, length) {
    const line = this.#line;
    const at = taken & (line.size - 1);
    const first = Math.min(length, line.size - at);
    const head = Buffer.concat([line.out.subarray(at, at + first), line.out.subarray(0, length - first)]);
    const { transport } = this.#opened;
    try {
      transport.write(this.#desk.keeper.fill(this.#opened, head));
      return true;
    } catch (error) {
      transport.fail(error);
      return false;
    }
  }

  /** Nobody is there any more for the connection, whatever it is doing. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#opened === null) {
      this.#cancel?.(closedError());
      if (this.#line.get(FAILURE) !== 0) this.#release();
      return;
    }
    this.drain(); // what was taken is sent, as far as the system takes it
    this.#destroy();
  }

  #destroy() {
    const { transport } = this.#opened;
    const { socket } = transport;
    this.#desk.keeper.closed(this.#opened);
    transport.offer = () => null;
    transport.onreadable = () => {};
    transport.ondrain = () => {};
    transport.destroy();
    if (socket.closed) this.#release();
    else socket.once('close', () => this.#release());
  }

  /** The line is another connection's from here on. */
  #release() {
    this.#line.set(RELEASED, 1);
    this.#desk.ring(NEWS);
  }

  /** Ends a connection that the caller still has. @param {Error} error */
  end(error) {
    if (this.#opened !== null) this.#opened.transport.fail(error);
    else this.#cancel?.(error);
  }
}

export class Desk {
  #bell;
  /** @type {Map<number, Berth>} */
  #berths = new Map();
  #port;
  #closed = false;

  /**
   * @param {import('node:worker_threads').MessagePort} port the other end of the caller's
   * @param {SharedArrayBuffer} bell the caller's as well
   * @param {Keeper} keeper
   */
  constructor(port, bell, keeper) {
    this.keeper = keeper;
    this.#bell = new Int32Array(bell);
    this.#port = port;
    port.on('message', this.#onmessage);
    port.on('close', () => {
      this.#closed = true; // all that was said has come by then
      this.close();
    });
    port.unref();
  }

  #onmessage = (message) => {
    if (message === 0) {
      Atomics.store(this.#bell, POSTED, 0); // before the look: what is sent after it posts again
      for (const berth of this.#berths.values()) berth.drain();
    } else if (message.open !== undefined) {
      const { open, shared, ...request } = message;
      const berth = new Berth(this, new Line(shared));
      this.#berths.set(open, berth);
      berth.open(request);
    } else if (message.tls !== undefined) {
      this.#berths.get(message.tls)?.startTls(message);
    } else if (message.close !== undefined) {
      this.#berths.get(message.close)?.close();
      this.#berths.delete(message.close);
    } else if (message.told !== undefined) {
      this.keeper.told(this.#berths.get(message.told)?.opened ?? null, message);
    }
  };

  /** Wakes the caller, if it sleeps for this. @param {number} what NEWS, ROOM */
  ring(what) {
    if ((Atomics.load(this.#bell, WANTS) & what) === 0) return;
    Atomics.add(this.#bell, BELL, 1);
    Atomics.notify(this.#bell, BELL);
  }

  /** What the caller has said by now, and the event loop has not brought yet. */
  *#waiting() {
    // Node crashes where a port is asked that tells of its end.
    while (!this.#closed) {
      const next = receiveMessageOnPort(this.#port);
      if (next === undefined) return;
      yield next.message;
    }
  }

  /** Does what the caller has said by now. */
  collect() {
    for (const message of this.#waiting()) this.#onmessage(message);
  }

  /** Ends all connections, which stay the caller's to close. @param {Error} error what they fail with */
  end(error) {
    for (const berth of this.#berths.values()) berth.end(error);
  }

  /** Closes everything: there is no caller any more, but what was decided on its side is told still. */
  close() {
    for (const message of this.#waiting()) {
      if (message.told !== undefined) this.#onmessage(message);
    }
    this.#closed = true;
    for (const berth of this.#berths.values()) berth.close();
    this.#berths.clear();
    this.#port.close();
  }
}
