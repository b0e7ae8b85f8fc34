// SPDX-License-Identifier: MIT
//
// A channel: one porthole_conn of the core and the transport it speaks over, with whoever waits for either. It belongs to
// an HTTPConnection, and to the response alone when that response will close the connection.

import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { Core } from '../../bindings/wasm/core.js';
import { NotConnected, TimeoutError } from '../errors.js';
import { abortedOf } from '../request/exchange.js';
import {
  ENDED,
  EVENT_HEAD,
  EVENT_INTERIM,
  EVENT_STRAY,
  IDLE,
  OPEN,
  PHASE_CLOSE,
  PHASE_END,
  PHASE_HEAD,
  PHASE_NOTHING,
  REQUEST_SENT,
  TLS_ALPN_HTTP1,
  UNUSABLE,
  VIEW_AVAILABLE,
  VIEW_BODY,
  VIEW_BODY_LENGTH,
  VIEW_ERROR,
  VIEW_FIELDS,
  VIEW_FLAGS,
  VIEW_HEAD,
  VIEW_HEAD_LENGTH,
  VIEW_KEEP_ALIVE,
  VIEW_LEFT_HIGH,
  VIEW_LEFT_LOW,
  VIEW_PHASE,
  VIEW_RAW,
  VIEW_RAW_LENGTH,
  VIEW_REASON,
  VIEW_REASON_LENGTH,
  VIEW_STATE,
  VIEW_STATUS,
} from '../../bindings/generated/abi.js';
import { HOST_OTHER, HOST_REFUSED, WANT_READ, WANT_SPACE } from '../../bindings/generated/errors.js';
import { after, unwatch, watch } from '../../bindings/node/timers.js';

/** A connection is not used again in the last milliseconds that the server promises to keep it. */
const KEEP_ALIVE_MARGIN = 1000;
/** Bodies up to so many bytes are copied faster by a loop than by a call. */
const SHORT = 256;
/** Reads bypass the guest when so many body bytes are due, and the reader's memory is as large … */
const DIRECT_MIN = 64 * 1024;
/** … as long as it has so much room left. */
const DIRECT_ROOM = 16 * 1024;
/** What is read ahead of such a reader: only so much has to be copied, the rest goes straight to where it is wanted. */
const LEAD = 4 * 1024;

/**
 * An operation that waits.
 *
 * @typedef {object} Waiter
 * @property {string} phase what it waits for: the `phase` of a TimeoutError
 * @property {Limits} limits
 * @property {() => any} step called whenever something happened, until it gives a value or throws
 * @property {(value: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {number} started when it began to wait, in milliseconds
 * @property {(() => void) | null} onabort
 */

/**
 * How long an operation may wait, and what can end it.
 *
 * @typedef {object} Limits
 * @property {number | null} seconds without anything moving
 * @property {AbortSignal[]} signals
 */

export class Channel {
  /** Told of every 1xx before the final head. @type {((head: string) => void) | null} */
  oninterim = null;
  /** Has our own side given it up: who waits is told at once, instead of being given what is at hand first. */
  abandoned = false;
  /** The error that ended the channel, if one did. @type {Error | undefined} */
  error;
  /** Is that an error of the caller's own code? */
  foreign = false;
  /** @type {import('../../bindings/node/transport.js').Transport | null} */
  transport = null;
  /** What the authority of the core was set to. */
  host = '';
  port = -1;
  /** When the last bytes were received, in milliseconds. */
  lastActivity = 0;
  /** Until when the server keeps the connection while it rests, by its Keep-Alive field. */
  keptUntil = Number.POSITIVE_INFINITY;
  /** Has a 100 arrived since the request began? */
  continued = false;
  /** Bytes of bodies sent since the event loop turned: see upload.js. */
  sentSinceTurn = 0;
  /** How many requests were sent on the transport. */
  requests = 0;
  /** The exchange whose response has not begun. @type {import('../request/exchange.js').Exchange | null} */
  awaited = null;
  /** Can the kernel still write into the core's memory, for a socket that was given away? */
  lent = false;
  /** The core's connection. */
  core;
  // As one that is watched by timer.js: for all who wait.
  due = Number.POSITIVE_INFINITY;
  nextWatched = null;
  previousWatched = null;

  #handle = 0;
  #receiver = null; // who waits for something to be received
  #sender = null; // who waits until more can be sent
  #sink = null; // who takes body bytes as they arrive
  #large = false; // was the last such memory large?
  #stalled = false; // the core had no room
  #pumping = false;
  #flushing = false;
  #pumpLater = false;
  #handshaking = false;
  #closed = false;
  #sentBefore = 0;
  #receivedBefore = 0;
  #sentUntil = 0; // when the transport was let go
  #receivedUntil = 0;

  /** @param {Record<string, number> | null} limits */
  constructor(limits) {
    this.core = new Core(limits);
  }

  /** Uses a transport. @param {import('../../bindings/node/transport.js').Transport} transport */
  attach(transport) {
    this.transport = transport;
    this.#handle = this.core.host.add(transport);
    this.core.exports.porthole_conn_attach(this.core.address, this.#handle);
    transport.onreadable = () => this.pump();
    transport.ondrain = () => this.#drained();
    transport.onfailure = (error) => {
      this.error ??= error;
    };
    transport.offer = () => this.#offer();
    transport.onpassed = (length) => this.#passed(length);
    if (transport.error !== undefined) this.error = transport.error;
    this.lastActivity = performance.now();
    this.pump();
  }

  /** Lets go of the transport without closing it. */
  detach() {
    const { transport } = this;
    this.#sentUntil = transport.bytesSent;
    this.#receivedUntil = transport.bytesReceived;
    this.core.host.remove(this.#handle);
    this.transport = null;
    transport.onreadable = () => {};
    transport.ondrain = () => {};
    transport.offer = () => null;
    return transport;
  }

  get closed() {
    return this.#closed;
  }

  /** @throws what took the transport away, when it is gone: the core's memory can be another connection's by then */
  throwIfGone() {
    if (this.transport === null) throw this.failure() ?? new NotConnected('the connection was closed');
  }

  /** A request begins: bytes are counted from here. */
  beginRequest() {
    this.continued = false;
    this.#sentBefore = this.transport?.bytesSent ?? 0;
    this.#receivedBefore = this.transport?.bytesReceived ?? 0;
  }

  /** Bytes sent since the request began. */
  get bytesSent() {
    return (this.transport?.bytesSent ?? this.#sentUntil) - this.#sentBefore;
  }

  /** Bytes received since the request began. */
  get bytesReceived() {
    return (this.transport?.bytesReceived ?? this.#receivedUntil) - this.#receivedBefore;
  }

  /** Is the transport there, and can another request go out on it? */
  get usable() {
    const { transport } = this;
    if (transport === null || transport.socket.destroyed || this.error !== undefined) return false;
    return (this.core.view[VIEW_FLAGS] & UNUSABLE) === 0;
  }

  /** The state of the receiving side: PHASE_HEAD and so on. */
  get phase() {
    return this.#closed ? PHASE_NOTHING : this.core.view[VIEW_PHASE];
  }

  /** Is the final head of the request under way in? The response that is still being read can be that of the one before. */
  get headIn() {
    const { view } = this.core;
    return view[VIEW_PHASE] > PHASE_HEAD && !((view[VIEW_FLAGS] & OPEN) !== 0 && view[VIEW_STATE] === REQUEST_SENT);
  }

  /** Is a final head in, or did the connection fail: is the rest of the request without use? */
  get answered() {
    return this.failed || this.headIn;
  }

  /** Has the connection failed while something was due? */
  get failed() {
    return this.#closed || this.core.view[VIEW_ERROR] !== 0 || this.error !== undefined;
  }

  /** Notes how long the server keeps the connection, as the head that was received last says. */
  noteKeepAlive() {
    const seconds = this.core.view[VIEW_KEEP_ALIVE];
    if (seconds === 0xffffffff) this.keptUntil = Number.POSITIVE_INFINITY;
    // The server's time began before ours, and a request is some time on its way.
    else this.keptUntil = this.lastActivity + Math.max(seconds * 500, seconds * 1000 - KEEP_ALIVE_MARGIN);
  }

  /** Body bytes that can be read now. */
  get available() {
    return this.#closed ? 0 : this.core.view[VIEW_AVAILABLE];
  }

  /** The status line of the head that was received last, its line end included. */
  get statusLine() {
    return this.takeHead().substring(0, this.core.view[VIEW_FIELDS]);
  }

  /** The head that was received last, as text. */
  takeHead() {
    const { rx, view } = this.core;
    return rx.latin1Slice(view[VIEW_HEAD], view[VIEW_HEAD] + view[VIEW_HEAD_LENGTH]);
  }

  /** The reason phrase in the head that was received last. @param {string} head see `takeHead` */
  reasonIn(head) {
    const { view } = this.core;
    return head.substring(view[VIEW_REASON], view[VIEW_REASON] + view[VIEW_REASON_LENGTH]);
  }

  /** Bytes that were received and not interpreted. */
  takeRaw() {
    const { rx, view } = this.core;
    return Buffer.from(rx.subarray(view[VIEW_RAW], view[VIEW_RAW] + view[VIEW_RAW_LENGTH]));
  }

  // ---- receiving ----

  /** Receives whatever the transport has, and tells those who wait. Never throws. */
  pump() {
    if (this.#pumping || this.transport === null) return;
    this.#pumpLater = this.#flushing;
    if (this.#flushing) return;
    if (this.#handshaking) {
      if (this.#receiver !== null) this.#runReceiver();
      return;
    }
    this.#pumping = true;
    this.lastActivity = performance.now();
    const { core } = this;
    const receive = core.exports.porthole_conn_receive;
    for (;;) {
      const events = receive(core.address);
      if (events === WANT_READ || this.#closed) break;
      if (events === WANT_SPACE) {
        if (this.#sink !== null && this.available > 0 && this.#fillSink() > 0) continue;
        this.#stalled = true;
        this.transport.pause();
        break;
      }
      if (events < 0 || !this.#dispatch(events)) break;
      if (events & EVENT_HEAD) this.#began();
      if (events & EVENT_HEAD && this.#receiver !== null) {
        // Whoever waits takes the head out of the buffer before room for the next bytes is looked for.
        this.#runReceiver();
        if (this.transport === null) break;
      }
    }
    this.#pumping = false;
    if (this.#closed) core.free();
    else this.#moved();
  }

  /** @returns {boolean} can there be more to receive? */
  #dispatch(events) {
    if (this.#sink !== null) this.#fillSink();
    if (events & EVENT_INTERIM) return this.#interim();
    if (events & EVENT_STRAY && this.phase === PHASE_NOTHING) {
      this.closeTransport();
      return false;
    }
    return (this.core.view[VIEW_FLAGS] & ENDED) === 0;
  }

  #interim() {
    for (;;) {
      if (this.core.view[VIEW_STATUS] === 100) this.continued = true;
      this.#began();
      try {
        this.oninterim?.(this.takeHead());
      } catch (error) {
        this.foreign = true;
        this.fail(error);
        return false;
      }
      if (this.#closed) return false;
      const events = this.core.exports.porthole_conn_resume(this.core.address);
      if (events < 0) return false;
      if ((events & EVENT_INTERIM) === 0) return events === 0 || this.#dispatch(events);
    }
  }

  /** Something was received or has ended: tells those who wait. */
  #moved() {
    const { view } = this.core;
    if (this.awaited !== null && !(view[VIEW_FLAGS] & OPEN) && view[VIEW_RAW_LENGTH] > 0) this.#began();
    if (view[VIEW_FLAGS] & UNUSABLE && this.phase === PHASE_NOTHING) this.closeTransport();
    if (this.#receiver !== null) this.#runReceiver();
    if (this.#sender !== null && (this.answered || this.continued)) this.#runSender();
  }

  /** The first byte of a response is there. */
  #began() {
    if (this.awaited === null) return;
    this.awaited.firstByte ??= this.lastActivity;
    this.awaited = null;
  }

  #drained() {
    if (this.#sender === null) return;
    this.lastActivity = performance.now();
    this.#runSender();
  }

  // ---- waiting ----

  /**
   * Waits for what is received.
   *
   * @template T
   * @param {Limits} limits
   * @param {() => T | undefined} step gives the result, or undefined as long as there is none; throws to fail
   * @param {string} [phase]
   * @returns {Promise<T>}
   */
  receiving(limits, step, phase = 'receive') {
    return new Promise((resolve, reject) => {
      this.#receiver = this.#wait(phase, limits, step, resolve, reject);
      this.#heed(limits.signals);
    });
  }

  /**
   * Speaks TLS from here on.
   *
   * @param {string} name the name of the peer, ASCII
   * @param {Limits} limits
   */
  async startTls(name, limits) {
    const { core } = this;
    const step = () => {
      if (this.#closed || this.error !== undefined) throw this.failure();
      const result = core.startTls(name, TLS_ALPN_HTTP1);
      if (result === 0) return true;
      if (result === WANT_READ) return undefined;
      throw this.failure() ?? core.error(result);
    };
    this.#handshaking = true;
    try {
      if (step() === undefined) await this.receiving(limits, step, 'tls');
    } finally {
      this.#handshaking = false;
    }
  }

  /** Forgets a proxy's answer to CONNECT: the end of the tunnel is the peer from here on. @throws when it spoke unasked */
  leaveTunnel() {
    const error = this.core.exports.porthole_conn_tunnelled(this.core.address);
    if (error !== 0) throw this.core.error(error);
  }

  /**
   * Waits for a 100, or a final answer, for some time at most.
   *
   * @param {number} seconds how long the server may take its time
   * @param {Limits} limits
   */
  async awaitContinue(seconds, limits) {
    let over = false;
    const step = () => (over || this.continued || this.answered ? true : undefined);
    const timer = after(seconds * 1000, () => {
      over = true;
      this.#runSender();
    });
    try {
      if (step() === undefined) await this.sending('continue', limits, step);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Waits until more can be sent, or nobody wants it any more.
   *
   * @template T
   * @param {string} phase `send` or `continue`
   * @param {Limits} limits
   * @param {() => T | undefined} step
   * @returns {Promise<T>}
   */
  sending(phase, limits, step) {
    return new Promise((resolve, reject) => {
      this.#sender = this.#wait(phase, limits, step, resolve, reject);
      this.#heed(limits.signals);
    });
  }

  #wait(phase, limits, step, resolve, reject) {
    const waiter = { phase, limits, step, resolve, reject, started: 0, onabort: null };
    if (limits.seconds !== null) {
      waiter.started = performance.now();
      const due = waiter.started + limits.seconds * 1000;
      if (due < this.due) watch(this, due, waiter.started);
    }
    if (limits.signals.length > 0) {
      waiter.onabort = ({ target }) => this.abort(target.reason);
      for (const signal of limits.signals) signal.addEventListener('abort', waiter.onabort, { once: true });
    }
    return waiter;
  }

  /** Ends the channel when a signal was aborted before anybody listened. */
  #heed(signals) {
    const aborted = abortedOf(signals);
    if (aborted !== undefined) this.abort(aborted.reason);
  }

  #runReceiver() {
    const waiter = this.#receiver;
    this.#receiver = null; // a step that fails closes the channel, which tells those who wait
    if (waiter !== null && !run(waiter)) this.#receiver = waiter;
    else if (this.#receiver === null && this.#sender === null) unwatch(this);
  }

  #runSender() {
    const waiter = this.#sender;
    this.#sender = null;
    if (waiter !== null && !run(waiter)) this.#sender = waiter;
    else if (this.#receiver === null && this.#sender === null) unwatch(this);
  }

  /** The time of somebody who waits has come, unless something moved meanwhile. @param {number} now */
  expire(now) {
    let next = Number.POSITIVE_INFINITY;
    for (const waiter of [this.#receiver, this.#sender]) {
      if (waiter === null || waiter.limits.seconds === null) continue;
      const due = Math.max(waiter.started, this.lastActivity) + waiter.limits.seconds * 1000;
      if (due - now < 1) {
        this.abort(new TimeoutError(waiter.phase, waiter.limits.seconds, (now - waiter.started) / 1000));
        return;
      }
      next = Math.min(next, due);
    }
    if (next < Number.POSITIVE_INFINITY) watch(this, next, now);
  }

  /**
   * Waits for a piece of a body that is being sent, or for an answer that makes it useless.
   *
   * @template T
   * @param {Promise<T>} piece
   * @param {Limits} limits its signal counts, its time does not: the source is not the peer
   * @returns {Promise<T | undefined>} undefined when the server has answered
   */
  async unlessAnswered(piece, limits) {
    let outcome = null;
    const settle = (result) => {
      outcome = result;
      this.#runSender();
    };
    piece.then(
      (value) => settle({ value }),
      (error) => settle({ failed: true, error }),
    );
    const step = () => {
      if (outcome !== null) return outcome;
      return this.answered ? { value: undefined } : undefined;
    };
    const { value, failed, error } = await this.sending('send', { seconds: null, signals: limits.signals }, step);
    if (failed) throw error;
    return value;
  }

  /** What is waited for, as the phase of an error. */
  get phaseOfWait() {
    return this.#receiver?.phase ?? this.#sender?.phase ?? 'receive';
  }

  get isReceiving() {
    return this.#receiver !== null;
  }

  // ---- bodies ----

  /** Copies body bytes. @returns {number} how many: fewer than asked when no more are at hand */
  read(target, offset, length) {
    const { core } = this;
    const { rx, view } = core;
    const sink = this.#sink;
    this.#sink = null; // what is received meanwhile belongs behind what is read here
    let done = 0;
    for (;;) {
      while (done < length && view[VIEW_AVAILABLE] > 0) {
        const from = view[VIEW_BODY];
        const count = Math.min(view[VIEW_BODY_LENGTH], length - done);
        rx.copy(target, offset + done, from, from + count);
        core.exports.porthole_conn_consume(core.address, count);
        done += count;
      }
      if (done === 0 || !this.#stalled || !this.#unstall() || done === length || this.#closed) break;
    }
    this.#sink = sink;
    return done;
  }

  /**
   * A copy of all body bytes at hand, when no more will come: `finish` has to follow, which drops them in the core.
   *
   * @returns {Buffer}
   */
  takeRest() {
    const { rx, view } = this.core;
    const size = this.available;
    const bytes = Buffer.allocUnsafe(size);
    if (view[VIEW_BODY_LENGTH] === size && size <= SHORT) {
      const from = view[VIEW_BODY];
      for (let i = 0; i < size; i++) bytes[i] = rx[from + i];
    } else {
      this.read(bytes, 0, size);
    }
    return bytes;
  }

  /** The first run of body bytes, in the core's memory: to look at, not to keep. */
  peek() {
    const { rx, view } = this.core;
    return rx.subarray(view[VIEW_BODY], view[VIEW_BODY] + view[VIEW_BODY_LENGTH]);
  }

  /** Receives what there was no room for. @returns {boolean} was that possible? */
  #unstall() {
    if (this.#pumping || this.transport === null) return false;
    this.#stalled = false;
    this.pump();
    return true;
  }

  /**
   * Takes body bytes as they arrive, until the sink is full.
   *
   * @param {{target: Uint8Array, offset: number, end: number} | null} sink
   */
  set sink(sink) {
    this.#sink = sink;
    if (sink !== null) this.#large = sink.end >= DIRECT_MIN;
  }

  /** Reads ahead as much as there is room: nobody brings memory. */
  readAhead() {
    this.#large = false;
  }

  /** @returns {number} how many bytes the sink took: 0 when it is full */
  #fillSink() {
    const sink = this.#sink;
    const count = this.read(sink.target, sink.offset, sink.end - sink.offset);
    sink.offset += count;
    return count;
  }

  /** Memory of the sink for the next read, when only body bytes can come. */
  #offer() {
    const { transport } = this;
    const { view } = this.core;
    const many = view[VIEW_LEFT_LOW] >= DIRECT_MIN || view[VIEW_LEFT_HIGH] > 0 || this.phase === PHASE_CLOSE;
    if (!this.#large || !many) {
      transport.lead = Number.POSITIVE_INFINITY;
      return null;
    }
    transport.lead = LEAD;
    const sink = this.#sink;
    const room = sink === null ? 0 : sink.end - sink.offset;
    const certain = room < DIRECT_ROOM ? 0 : this.core.exports.porthole_conn_direct(this.core.address);
    if (certain < DIRECT_MIN) return null;
    return sink.target.subarray(sink.offset, sink.offset + Math.min(certain, room));
  }

  #passed(length) {
    this.lastActivity = performance.now();
    if (this.#sink !== null) this.#sink.offset += length;
    this.core.exports.porthole_conn_passed(this.core.address, length);
    this.#moved();
  }

  /**
   * The reader is done with the response: whole, or not at all.
   */
  finish() {
    if (this.#closed) return;
    const { core } = this;
    this.#sink = null;
    this.#large = false;
    const whole = this.phase === PHASE_END;
    if (core.view[VIEW_FLAGS] & OPEN) {
      const events = core.exports.porthole_conn_finish(core.address);
      if (events > 0 && events & EVENT_INTERIM) this.#interim();
    }
    // The response of a request that is on its way can be in already, and be the last: it is not lost with this one.
    const awaited = whole && core.view[VIEW_STATE] !== IDLE;
    if (core.view[VIEW_FLAGS] & UNUSABLE && !awaited) this.close();
    else if (this.#stalled) this.#unstall();
    if (!this.#closed) this.#moved();
  }

  // ---- sending ----

  /** Hands what is staged to the transport. What a transport does in the middle of that has to wait. */
  flush() {
    const { core } = this;
    this.#flushing = true;
    const result = core.exports.porthole_conn_flush(core.address);
    this.#flushing = false;
    if (this.#closed) core.free();
    else if (this.#pumpLater) this.pump();
    return result;
  }

  // ---- ending ----

  /** Ends the channel with an error, which everyone who waits gets. @param {Error} error */
  fail(error) {
    if (this.#closed) return;
    this.error ??= error;
    this.core.exports.porthole_conn_failed(this.core.address, HOST_OTHER);
    this.closeTransport();
    this.#runReceiver();
    this.#runSender();
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

  /** Closes the transport and gives the core's memory back. Who still waits gets `NotConnected`. */
  close() {
    if (this.#closed) return;
    this.abandoned = true;
    if (this.#receiver !== null || this.#sender !== null) this.fail(new NotConnected('the connection was closed'));
    this.#closed = true;
    unwatch(this);
    if (this.transport !== null) {
      const transport = this.detach();
      transport.destroy();
    }
    if (!this.#flushing && !this.#pumping && !this.lent) this.core.free(); // or once nobody is at it any more
  }

  /**
   * The error that ended the connection: that of the system, or the one that the core found.
   *
   * @param {object} [details] see coreError
   * @returns {Error | null}
   */
  failure(details) {
    if (this.#closed) return this.error ?? new NotConnected('the connection is closed');
    const code = this.core.view[VIEW_ERROR] | 0;
    if (code === 0) return this.error ?? null;
    if (code <= HOST_REFUSED && code >= HOST_OTHER && this.error !== undefined) return this.error;
    const line = this.phase === PHASE_HEAD ? this.takeRaw().latin1Slice() : undefined;
    return this.core.error(code, { line, ...details });
  }
}

/** Runs a waiter's step. @param {Waiter} waiter @returns {boolean} is it done? */
function run(waiter) {
  let value;
  let error;
  let failed = false;
  try {
    value = waiter.step();
    if (value === undefined) return false;
  } catch (reason) {
    failed = true;
    error = reason;
  }
  if (waiter.onabort !== null) {
    for (const signal of waiter.limits.signals) signal.removeEventListener('abort', waiter.onabort);
  }
  if (failed) waiter.reject(error);
  else waiter.resolve(value);
  return true;
}
