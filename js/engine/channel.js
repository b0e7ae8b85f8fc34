// SPDX-License-Identifier: MIT
//
// A channel: one connection of the core and the transport it speaks over. It belongs to an HTTPConnection, and to the
// response alone when that response will close the connection.
//
//   staging     no transport yet: requests can be staged
//   open        attach() was called
//   failed      the transport or the peer failed: what was received before can still be read
//   abandoned   … or our own side gave it up: nothing of it is wanted any more
//   closed      the core's memory is somebody else's

import { Buffer } from 'node:buffer';
import { Host } from '../../bindings/node/host.js';
import { underWay } from '../../bindings/node/sent.js';
import { now } from '../../bindings/node/timers.js';
import { Connection } from '../../bindings/wasm/connection.js';
import { setHost } from '../../bindings/wasm/instance.js';
import {
  EVENT_HEAD,
  EVENT_INTERIM,
  EVENT_STRAY,
  IDLE,
  PHASE_END,
  PHASE_HEAD,
  PHASE_NOTHING,
  REQUEST_STARTED,
  TLS_ALPN_HTTP1,
} from '../../bindings/generated/abi.js';
import { BODY_TOO_LARGE, HOST_OTHER, HOST_REFUSED, WANT_READ, WANT_SPACE } from '../../bindings/generated/errors.js';
import { coreError, memoryHint, NotConnected, RemoteDisconnected, thrownBy } from '../errors.js';
import { Landing } from './landing.js';
import * as turnover from './turnover.js';
import { UploadFailure } from './upload-failure.js';
import { Waiting } from './waiting.js';

/** A connection is not used again in the last milliseconds that the server promises to keep it. */
const KEEP_ALIVE_MARGIN = 1000;
/** A receive buffer that has held so many is shared, while its connection rests. */
const SHARED_MIN = 64 * 1024;

setHost(() => new Host());

export class Channel {
  /** The core's connection. @type {Connection} */
  core;
  /** Who waits for what. */
  waiting;
  /** @type {import('../../bindings/node/transport.js').Transport | null} */
  transport = null;
  /** The error that ended the channel, if one did. @type {any} */
  error;
  /** Is that an error of the caller's own code? */
  foreign = false;
  /** Has our own side given it up: who waits is told at once, instead of being given what is at hand first. */
  abandoned = false;
  closed = false;
  /** Was the body of its last request cut off, when it was closed? */
  cut = false;
  /** Told of every 1xx before the final head. @type {((core: Connection) => void) | null} */
  oninterim = null;
  /** Told when it is closed. @type {(() => void) | null} */
  onclosed = null;
  /** Has a 100 arrived since the request began? */
  continued = false;
  /** The upload under way. @type {import('./outflow.js').Outflow | null} */
  outflow = null;
  /** Who reads the body, while somebody waits there. @type {import('./inflow.js').Inflow | null} */
  reader = null;
  /** What failed an upload whose request was done, if anything did. */
  uploadFailure = new UploadFailure();
  /** How many requests were sent on the transport … */
  requests = 0;
  /** … and how many were begun. */
  begun = 0;
  /** The exchange whose response has not begun. @type {{firstByte: number | null} | null} */
  awaited = null;
  /** What the authority of the core was set to. */
  host = '';
  port = -1;
  default_port = -1;
  /** Has the receive buffer held much, or is to? */
  spacious = false;
  /** When the last bytes were received, in milliseconds. */
  lastActivity = 0;
  /** Until when the server keeps the connection while it rests, by its Keep-Alive field. */
  keptUntil = Number.POSITIVE_INFINITY;

  #landing = new Landing(this);
  #handle = 0;
  #uses = 1; // who may touch the core's memory: this, calls that are under way, and whoever it is lent to
  #pumping = false;
  #flushing = false;
  #pumpLater = false;
  #stalled = false; // the core had no room
  #handshaking = false;
  #parted = null; // the transport that it was closed with, if that may be kept
  #sentBefore = 0;
  #receivedBefore = 0;
  #sentUntil = 0; // when the transport was let go
  #takenUntil = 0;
  #receivedUntil = 0;

  /** @param {Record<string, number> | null} limits */
  constructor(limits) {
    try {
      this.core = new Connection(limits);
    } catch (error) {
      throw memoryHint(error);
    }
    turnover.opened();
    this.waiting = new Waiting((error) => this.abort(error), () => this.#progress(), () => this.rest());
  }

  // ---- the transport ----

  /** Uses a transport. @param {import('../../bindings/node/transport.js').Transport} transport */
  attach(transport) {
    this.transport = transport;
    this.#handle = this.core.host.add(transport);
    this.core.attach(this.#handle);
    transport.onreadable = () => this.pump();
    transport.ondrain = () => this.#drained();
    transport.onfailure = (error) => {
      this.error ??= error;
    };
    transport.offer = () => this.#landing.offer();
    transport.onlanded = (length) => this.#landing.landed(length);
    transport.onpassed = (memory, length) => this.#landing.passed(memory, length);
    if (transport.error !== undefined) this.error = transport.error;
    this.#received();
    this.pump();
    this.rest();
  }

  /** Lets go of the transport without closing it. */
  detach() {
    const { transport } = this;
    this.#sentUntil = transport.bytesSent;
    this.#takenUntil = transport.bytesTaken;
    this.#receivedUntil = transport.bytesReceived;
    this.core.host.remove(this.#handle);
    this.transport = null;
    transport.unlisten();
    return transport;
  }

  /**
   * Gives the transport away: it is no longer ours, and open.
   *
   * @returns {{socket: import('node:stream').Duplex, head: Buffer}} the stream, and what was received of it already
   */
  giveAway() {
    const { core } = this;
    const unread = this.reader?.taken() ?? Buffer.alloc(0);
    const available = Buffer.allocUnsafe(core.available);
    core.read(available, 0, available.length);
    const head = Buffer.concat([unread, available, core.raw]);
    const transport = this.detach();
    transport.release();
    this.close(new NotConnected('the socket was given away'));
    return { socket: transport.socket, head };
  }

  /** Lets the process end while nothing is under way, or not. */
  rest() {
    const { transport, core } = this;
    if (transport === null || transport.passing || this.closed) return;
    const resting = core.atRest && core.phase === PHASE_NOTHING && this.outflow === null && this.waiting.idle;
    transport.rest(resting);
    if (!resting || !this.spacious) return;
    this.spacious = false;
    core.giveBuffer();
  }

  // ---- what is known ----

  /** A request begins: bytes are counted from here. */
  beginRequest() {
    this.begun++;
    this.continued = false;
    this.#sentBefore = this.transport?.bytesSent ?? 0;
    this.#receivedBefore = this.transport?.bytesReceived ?? 0;
    this.transport?.rest(false);
  }

  /** Bytes that were sent since the request began, as far as they are with the system. */
  get bytesSent() {
    return Math.max(0, (this.transport?.bytesTaken ?? this.#takenUntil) - this.#sentBefore);
  }

  /** Can the peer have got anything of the request? */
  get wasSent() {
    return (this.transport?.bytesSent ?? this.#sentUntil) > this.#sentBefore;
  }

  /** Bytes received since the request began. */
  get bytesReceived() {
    return (this.transport?.bytesReceived ?? this.#receivedUntil) - this.#receivedBefore;
  }

  /** Is the transport there, and can another request go out on it? */
  get usable() {
    const { transport } = this;
    if (transport === null || transport.socket.destroyed || this.error !== undefined) return false;
    return !this.core.unusable && !this.#spokeUnasked;
  }

  /** Has something come behind the response before, when the next request was staged already, and not sent? */
  get #spokeUnasked() {
    const { core } = this;
    if (this.wasSent || this.requests === 0 || core.state === IDLE) return false;
    if (core.open) return core.phase === PHASE_END && core.rawLength > 0; // a body of which only the end was not read
    return core.phase > PHASE_HEAD || core.rawLength > 0;
  }

  /** Can no request go out on it any more? */
  get spent() {
    return this.closed || (this.transport !== null && !this.usable);
  }

  get phase() {
    return this.closed ? PHASE_NOTHING : this.core.phase;
  }

  /** Is the final head of the request under way in? */
  get answered() {
    return !this.closed && this.core.answered;
  }

  /** Has the connection failed while something was due? */
  get failed() {
    return this.closed || this.error !== undefined || this.core.error !== 0;
  }

  get available() {
    return this.closed ? 0 : this.core.available;
  }

  /** For how many milliseconds nothing was received; Infinity when the server said that it closes such a connection. */
  rested(time) {
    return time < this.keptUntil ? time - this.lastActivity : Number.POSITIVE_INFINITY;
  }

  /** Notes how long the server keeps the connection, as the head that was received last says. */
  noteKeepAlive() {
    const seconds = this.core.keepAlive;
    // The server's time began before ours, and a request is some time on its way.
    this.keptUntil = this.lastActivity + Math.max(seconds * 500, seconds * 1000 - KEEP_ALIVE_MARGIN);
  }

  /** What changes as long as the peer takes what was sent. Not a sum: what goes from one queue to the next has moved, too. */
  #progress() {
    const { transport } = this;
    return transport === null ? null : `${transport.bytesTaken} ${underWay(transport.socket)}`;
  }

  // ---- receiving ----

  /** Is something being received or sent at this moment? */
  get busy() {
    return this.#pumping || this.#flushing;
  }

  /**
   * Receives whatever the transport has, and tells those who wait. Never throws.
   *
   * @param {number} [landed] bytes that have come into memory which the core has lent
   */
  pump(landed = 0) {
    if (this.#pumping || this.transport === null) return;
    this.#pumpLater = this.#flushing;
    if (this.#flushing) return;
    if (this.#handshaking) {
      this.#received();
      this.waiting.wake();
      return;
    }
    this.#pumping = true;
    this.hold();
    this.#received();
    try {
      this.#receive(landed);
    } finally {
      this.#pumping = false;
    }
    if (!this.closed) this.#moved();
    this.letGo();
  }

  #receive(landed) {
    const { core } = this;
    if (landed === 0 && this.#landing.lent && !this.transport.readable) {
      this.transport.resume(); // nothing else can come before what goes into memory that was lent
      return;
    }
    let events = landed > 0 ? core.filled(landed) : core.receive();
    for (;; events = core.receive()) {
      if (events === WANT_READ || this.closed) break;
      if (events === WANT_SPACE) {
        if (this.reader?.absorb() > 0) continue;
        this.#stalled = true;
        this.transport.pause();
        break;
      }
      if (events < 0 || !this.#dispatch(events)) break;
      if (events & EVENT_HEAD) {
        // Whoever waits takes the head out of the buffer before room for the next bytes is looked for.
        this.#began();
        this.waiting.wake();
      }
      if (this.transport === null || (core.rawLength === 0 && !this.transport.pending)) break; // spares a look for nothing
    }
  }

  #received() {
    this.lastActivity = now();
    this.waiting.moved(this.lastActivity);
  }

  /** @returns {boolean} can there be more to receive? */
  #dispatch(events) {
    this.reader?.absorb();
    if (events & EVENT_INTERIM) return this.#interim();
    if (events & EVENT_STRAY && this.phase === PHASE_NOTHING) {
      this.closeTransport();
      return false;
    }
    return !this.core.ended;
  }

  #interim() {
    if (this.requests > 0 && this.requests < this.begun) {
      this.closeTransport(); // unasked: the request that was begun last isn't out
      return false;
    }
    for (;;) {
      if (this.core.status === 100) this.continued = true;
      this.#began();
      try {
        this.oninterim?.(this.core);
      } catch (error) {
        this.failForeign(error);
        return false;
      }
      if (this.closed || this.failed) return false;
      const events = this.core.resume();
      if (events < 0) return false;
      if ((events & EVENT_INTERIM) === 0) return events === 0 || this.#dispatch(events);
    }
  }

  /** Something was received or has ended: tells those who wait. */
  #moved() {
    const { core } = this;
    if (core.available > SHARED_MIN) this.spacious = true;
    if (this.awaited !== null && !core.open && core.rawLength > 0) this.#began();
    if (core.unusable && core.phase === PHASE_NOTHING && core.atRest) this.closeTransport();
    this.waiting.wake();
  }

  /** The first byte of a response is there. */
  #began() {
    if (this.awaited === null) return;
    this.awaited.firstByte ??= this.lastActivity;
    this.awaited = null;
  }

  #drained() {
    if (this.waiting.idle) return;
    this.waiting.moved(now());
    this.waiting.wake();
  }

  /** Body bytes are wanted. @returns {number} how many were copied: fewer than asked when no more are at hand */
  read(target, offset, length) {
    let done = 0;
    for (;;) {
      if (target.length < offset + length) return done; // its memory went away while more was received
      const copied = this.core.read(target, offset + done, length - done);
      done += copied;
      // What fills the buffer can lie behind the body: then there is no more of it, however often one looks.
      if (copied === 0 || !this.#stalled || !this.#unstall() || done === length || this.closed) return done;
    }
  }

  /** Receives what there was no room for. @returns {boolean} was that possible? */
  #unstall() {
    if (this.#pumping || this.transport === null) return false;
    const { reader } = this;
    this.reader = null; // what is received meanwhile belongs behind what is being read
    this.#stalled = false;
    this.pump();
    this.reader = reader;
    return true;
  }

  /** Body bytes came that a reader has taken, without the guest. */
  bypassed() {
    this.#received();
    this.#moved();
  }

  /** The reader is done with the response: whole, or not at all. */
  finish() {
    if (this.closed) return;
    const { core } = this;
    this.hold();
    const whole = core.phase === PHASE_END;
    if (core.open) {
      const events = core.finish();
      if (events > 0 && events & EVENT_INTERIM) this.#interim();
    }
    // The response of a request that is on its way can be in already, and be the last: it is not lost with this one.
    if (!this.closed && core.unusable && (!whole || core.atRest)) {
      this.waiting.wake(); // an upload that has ended with it
      this.close(core.ended ? new RemoteDisconnected() : undefined); // for a request behind it
    }
    if (!this.closed && this.#stalled) this.#unstall();
    if (!this.closed) this.#moved();
    if (!this.closed) this.rest();
    this.letGo();
  }

  // ---- sending ----

  /** Hands what is staged to the transport. What a transport does in the middle of that has to wait. @throws */
  flush() {
    this.throwIfGone();
    this.#flushing = true;
    this.hold();
    this.transport.repeats = this.core.takeRepeated();
    const result = this.core.flush();
    this.#flushing = false;
    if (!this.closed && this.#pumpLater) this.pump();
    const error = result === 0 || this.closed ? null : coreError(result, { limit: this.core.limit });
    this.letGo();
    if (error !== null) throw (this.error ??= error);
  }

  /** @throws what took the transport away, when it is gone: the core's memory can be another connection's by then */
  throwIfGone() {
    if (this.transport === null) throw this.failure() ?? new NotConnected('the connection was closed');
  }

  /**
   * Speaks TLS from here on.
   *
   * @param {string} name the name of the peer, ASCII
   * @param {number | null} seconds
   */
  async startTls(name, seconds) {
    const step = () => {
      if (this.closed || this.error !== undefined) throw this.failure();
      const result = this.core.startTls(name, TLS_ALPN_HTTP1);
      if (result === 0) return true;
      if (result === WANT_READ) return undefined;
      throw this.failure() ?? coreError(result);
    };
    this.#handshaking = true;
    try {
      if (step() === undefined) await this.waiting.until('tls', seconds, [], step);
    } finally {
      this.#handshaking = false;
    }
  }

  /** A request begins: a body that was left to the caller's own hand and is not complete won't be, and nothing goes in there. */
  endByHand() {
    if (!this.closed && this.core.state === IDLE && this.core.uploading) this.core.stop();
  }

  /** Is nothing more of the body of its last request wanted? */
  get stopped() {
    return this.closed ? this.cut : this.core.uploadStopped;
  }

  /** An upload is over: another request can go out, or nothing is left to be done here. */
  uploadOver() {
    const { core } = this;
    if (core.unusable && core.phase === PHASE_NOTHING && core.state !== REQUEST_STARTED) {
      this.close();
      return;
    }
    this.rest();
    this.waiting.wake();
  }

  /** An upload failed whose request was done. @param {any} error @param {boolean} foreign is it one of the caller's code? */
  uploadFailed(error, foreign) {
    if (this.error === undefined) this.foreign = foreign;
    this.uploadFailure.set(error);
    this.abort(error);
  }

  /** Forgets a proxy's answer to CONNECT: the end of the tunnel is the peer from here on. @throws when it spoke unasked */
  leaveTunnel() {
    const error = this.core.tunnelled();
    if (error !== 0) throw coreError(error);
  }

  // ---- ending ----

  /** Ends the channel with an error, which everyone who waits gets. @param {unknown} error */
  fail(error) {
    if (this.closed) return;
    this.error ??= error;
    this.core.failed(HOST_OTHER);
    this.closeTransport();
    this.waiting.wake();
  }

  /** Ends the channel with an error of the caller's own code. @param {unknown} error */
  failForeign(error) {
    if (this.error === undefined) this.foreign = true;
    this.abort(thrownBy('a callback', error));
  }

  /** Ends the channel from our own side: who waits is told at once. @param {unknown} reason */
  abort(reason) {
    this.abandoned = true;
    this.fail(reason);
  }

  /** Closes the transport; what was received can still be read. */
  closeTransport() {
    this.transport?.destroy();
  }

  /** Closes the transport and gives the core's memory back. @param {Error} [error] who still waits gets it */
  close(error = undefined) {
    if (this.closed) return;
    this.cut = this.core.uploadStopped;
    // Made where somebody is to get it only: with its stack an error is dear.
    if (!this.waiting.idle) this.abort(error ?? new NotConnected('the connection was closed'));
    this.abandoned = true;
    this.closed = true;
    this.waiting.close(() => this.error ?? new NotConnected('the connection was closed'));
    this.reader = null;
    this.outflow = null;
    this.oninterim = null;
    this.awaited = null;
    const { transport, onclosed } = this;
    if (transport !== null) this.detach().destroy();
    const blameless = this.error === undefined && this.uploadFailure.error === null;
    if (transport?.forgettable && blameless && !this.#landing.lent) this.#parted = transport; // a socket keeps what it was lent
    this.letGo();
    turnover.closed();
    this.onclosed = null;
    onclosed?.();
  }

  /** The core's memory has to stay, also when the channel is closed, until it is let go of as often. */
  hold() {
    this.#uses++;
  }

  letGo() {
    if (--this.#uses > 0) return;
    this.core.free();
    if (this.#parted !== null) turnover.keep(this, this.#parted);
    this.#parted = null;
  }

  /**
   * The error that ended the connection: that of the system, or the one that the core found.
   *
   * @param {object} [details] see coreError
   * @returns {any} null when nothing did
   */
  failure(details) {
    if (this.closed) return this.error ?? new NotConnected('the connection is closed');
    const { core } = this;
    const code = core.error;
    if (code === 0) return this.error ?? null;
    if (code <= HOST_REFUSED && code >= HOST_OTHER && this.error !== undefined) return this.error;
    const line = core.phase === PHASE_HEAD ? Buffer.from(core.raw).latin1Slice() : undefined;
    return coreError(code, { line, limit: code === BODY_TOO_LARGE ? core.bodyLimit : core.limit, ...details });
  }
}
