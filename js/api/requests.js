// SPDX-License-Identifier: MIT
//
// The requests of one connection: the one that was begun last, from its staging to the moment that it is sent, its response as
// long as it can be open, and what has to wait for either.

import { afterTurn, now, turn } from '../../bindings/node/timers.js';
import { listFields } from '../../bindings/wasm/fields.js';
import { BODY_NONE, BODY_UNKNOWN, IDLE, PHASE_END, REQUEST_SENT } from '../../bindings/generated/abi.js';
import { Channel } from '../engine/channel.js';
import { Outflow } from '../engine/outflow.js';
import { abortedOf, onAbort, reasonOf } from '../engine/signals.js';
import { CannotSendRequest, ImproperConnectionState, NotConnected, RemoteDisconnected, stateError, thrownBy, TimeoutError } from '../errors.js';
import { Exchange } from '../request/exchange.js';
import { flatFields } from '../request/headers.js';
import { checkSeconds, checkSignal, checkTarget, NO_OPTIONS } from '../request/options.js';
import { describe } from '../watch/describe.js';
import * as diagnostics from '../watch/diagnostics.js';
import { Link } from './link.js';
import { termsOf } from './settings.js';
import { informer } from './steps.js';

/** Of what is done already. */
export const DONE = Promise.resolve();
const NO_SIGNALS = Object.freeze([]);
/** NO_OPTIONS, as V8 looks at it for less than at an object without a prototype. */
const NOTHING_GIVEN = { signal: null, deadline: null };
/** Python's words for the states of a connection. */
export const STATES = ['Idle', 'Request-started', 'Request-sent'];
/**
 * A kept-alive connection that rested longer than this many milliseconds is looked at before it is used again. It is less than
 * what a peer needs to send something that could have been seen: the event loop can have been held since the last read.
 */
const PROBE_AFTER = 0.25;

export class Requests {
  /** What the connection is connected by. */
  link;
  /** The request that was begun last. @type {Exchange | null} */
  exchange = null;
  /** Its response, or that of the one before, as long as it can be open. @type {import('./response.js').HTTPResponse | null} */
  response = null;
  /** The request that waits for an upload before it. @type {{exchange: Exchange, reject: (error: unknown) => void, done: Promise<void>} | null} */
  held = null;
  /** The one that connects. @type {Exchange | null} */
  progress = null;
  /** The one whose steps are overridden, while they are called. @type {Exchange | null} */
  stepping = null;
  /** The one whose body is handed to an overridden send(). @type {Exchange | null} */
  framing = null;
  /** Fulfilled when the last send() is over, or rejected by its error. @type {Promise<void> | null} */
  sending = null;

  #owner;
  /** What an overridden send() was given, and for which request. @type {WeakMap<Buffer, Exchange> | null} */
  #handed = null;

  /** @param {import('./connection.js').HTTPConnection} owner */
  constructor(owner) {
    this.#owner = owner;
    this.link = new Link(owner, (error, progress, failed) => {
      const described = this.described(error, null, progress.phase, failed);
      if (progress !== this.exchange) this.tell(described, null); // or the request that connects does
      return described;
    });
  }

  // ---- requests that have to wait ----

  /** Is a body being sent whose request is done? */
  get uploading() {
    const { exchange } = this;
    return exchange !== null && exchange.outflow !== null && !exchange.outflow.over && !exchange.channel.closed;
  }

  /** Goes on once the upload before is over, and what has to be known of the body is. */
  async later(exchange, body, go) {
    const held = { exchange, reject: null, done: null };
    let failure = null; // also one that comes when `done` is settled, and nobody was told yet
    const ended = new Promise((_resolve, reject) => {
      held.reject = (error) => {
        failure ??= { error };
        reject(error);
      };
    });
    ended.catch(() => {});
    const offs = exchange.signals.map((signal) => onAbort(signal, () => held.reject(reasonOf(signal))));
    this.held = held;
    held.done = Promise.race([ended, this.#prepared(exchange, body)]);
    if (exchange.deadline !== null) this.#limit(exchange);
    try {
      await held.done;
      if (failure !== null) throw failure.error;
    } catch (error) {
      exchange.finish();
      throw error;
    } finally {
      for (const off of offs) off();
      if (this.held === held) this.held = null;
    }
    return go();
  }

  async #prepared(exchange, body) {
    if (this.uploading) {
      await this.uploaded(exchange.seconds('send'));
      this.raiseUntold();
    }
    await body.prepare?.();
  }

  /** Waits for the end of the body that is being sent. @param {number | null} seconds */
  async uploaded(seconds) {
    const { channel, outflow } = this.exchange;
    await channel.waiting.until('send', seconds, [], () => (outflow.over ? true : undefined));
  }

  /** Raises what failed an upload, when nobody was told. */
  raiseUntold() {
    const channel = this.exchange?.channel;
    const error = channel?.uploadFailure.take() ?? null;
    if (error !== null) throw this.described(error, channel, 'send', true);
  }

  /** Lets go of a body when what it was for fails. */
  guarded(body, run) {
    return run().catch((error) => {
      body.discard(error);
      throw thrownBy('the body, or a step of the request,', error);
    });
  }

  /** What send() has to wait for. */
  queued(promise) {
    this.sending = promise.then(
      () => {},
      () => {},
    );
    return promise;
  }

  // ---- what is sent by hand ----

  /**
   * Whose bytes are sent by hand now: those of the request that was begun last, until the caller closes or changes the
   * connection, or connects again; after that, and before any request, they are nobody's and go before the next one.
   *
   * @returns {Exchange | null}
   */
  get addressee() {
    const { exchange, link } = this;
    if (exchange === null || exchange.changes !== link.changes) return null;
    const elsewhere = link.socket !== null && link.channel !== exchange.channel;
    return elsewhere && !exchange.byHand ? null : exchange;
  }

  /**
   * @param {Exchange | null} whose bytes are to be sent
   * @returns {() => void} throws once they can't be sent any more: what they belong to is over
   */
  stillFor(whose) {
    const { exchange, link } = this;
    const { changes } = link;
    return () => {
      if (link.changes !== changes) throw new NotConnected('the connection was closed');
      if (this.exchange !== exchange || (whose !== null && whose !== exchange)) throw new NotConnected('the request that it was for is over');
    };
  }

  /**
   * Where they go: where the request went, also when that is its response's alone by now, and never on another connection,
   * where they would be taken for a request.
   *
   * @param {Exchange | null} whose
   * @returns {Promise<import('../engine/channel.js').Channel | null>} null for nowhere: nobody wants them any more
   */
  async channelFor(whose) {
    const own = whose?.channel ?? null;
    if (own !== null) {
      if (own.stopped) return null;
      if (own.closed) throw whose.byHand ? own.failure() : new NotConnected('the connection of the request is closed: call connect() to send on another');
      if (own.transport !== null) return own;
    }
    if (this.link.socket === null) {
      this.checkOpenable();
      await this.#owner.connect();
    }
    if (this.#channel === null) throw new NotConnected('connect() did not set sock, or the connection was closed');
    return this.#channel;
  }

  /** Notes what an overridden send() is given. @param {Exchange} exchange @param {Buffer} bytes of it */
  handing(exchange, bytes) {
    this.#handed ??= new WeakMap();
    this.#handed.set(bytes, exchange);
  }

  /** Is this a part of a request that is over, which an overridden send() was given, and hands on too late? @param {unknown} data */
  isOver(data) {
    if (this.#handed === null || !Buffer.isBuffer(data)) return false;
    const whose = this.#handed.get(data);
    return whose !== undefined && whose !== this.framing;
  }

  // ---- the state ----

  get #channel() {
    return this.link.channel;
  }

  get state() {
    if (this.held !== null) return REQUEST_SENT;
    return this.#channel === null || this.#channel.closed ? IDLE : this.#channel.core.state;
  }

  /** Gives the channel up, to a response that is still being read if there is one. */
  leave() {
    this.link.leave(this.response !== null);
    this.response = null;
  }

  checkOpenable() {
    if (!this.#owner.auto_open && !this.#channel?.usable) {
      throw new NotConnected('the connection is closed, and auto_open is 0: call connect()');
    }
  }

  /** The socket of a response, for whoever speaks something else on it from here on. */
  detachResponse(channel) {
    if (this.#channel === channel && this.state !== IDLE) {
      throw new ImproperConnectionState('there is nothing to detach: a request is under way');
    }
    this.response = null;
    return this.link.giveAway(channel);
  }

  // ---- errors ----

  /** Closes the channel after an error. @returns the error, described */
  failed(channel, error, phase, foreign = false) {
    const described = foreign ? error : this.described(error, channel, phase);
    if (channel !== null) {
      channel.error ??= described; // for who else waits on it
      channel.uploadFailure.told(error);
      channel.close();
      if (this.#channel === channel) this.link.channel = null;
      if (this.exchange?.channel === channel) {
        this.exchange.finish();
        this.response = null;
      }
    }
    this.tell(described);
    return described;
  }

  tell(error, request = this.exchange) {
    if (diagnostics.failed.hasSubscribers) diagnostics.tell(diagnostics.failed, { connection: this.#owner, request, error });
  }

  described(error, channel, phase = 'receive', failed = error === channel?.error, exchange = this.exchange, answered = channel?.answered === true) {
    const signals = exchange?.signals ?? NO_SIGNALS;
    const { host, port } = this.#owner;
    const secure = this.link.security !== null;
    return describe(error, { phase, host, port, channel, secure, repeated: exchange?.repeated === true, answered, signals }, failed);
  }

  /** Describes an error for a response, and tells of it. */
  toldOf(error, channel, exchange) {
    const described = this.described(error, channel, 'receive', error === channel.error, exchange, true);
    this.tell(described, exchange);
    return described;
  }

  // ---- staging ----

  /** Begins a request. @returns {Exchange} */
  begin(method, url, options) {
    checkTarget(method, url);
    if (this.state !== IDLE || this.stepping !== null) throw stateError(CannotSendRequest, STATES[this.state]);
    const { signal, deadline } = options === NO_OPTIONS ? NOTHING_GIVEN : options;
    const exchange = new Exchange(method, url, termsOf(this.#owner), checkSignal(signal));
    const aborted = abortedOf(exchange.signals);
    if (aborted !== undefined) throw reasonOf(aborted);
    exchange.deadline = checkSeconds('deadline', deadline ?? this.#owner.deadline);
    if (!this.uploading) this.raiseUntold();
    return exchange;
  }

  /** Stages a request that begins on the channel, which is made when there is none. */
  stage(exchange) {
    if (this.response?.isclosed()) this.response = null;
    this.#channel?.endByHand();
    if (this.link.isSpent) this.leave();
    const channel = this.link.use();
    this.#prepareChannel(channel, exchange);
    exchange.stage(channel.core);
    exchange.channel = channel;
    exchange.changes = this.link.changes;
    channel.beginRequest();
    this.exchange = exchange;
    if (exchange.deadline !== null) this.#limit(exchange);
    if (diagnostics.followed()) exchange.keepContext();
    if (diagnostics.requestStart.hasSubscribers) {
      diagnostics.requestStart.publish({ connection: this.#owner, request: exchange });
      if (channel.closed) throw channel.failure(); // by one who was told
    }
  }

  /** What putrequest adds by itself, for a putheader that is overridden. @returns {string[]} name, value, … */
  addedFields(exchange, flags) {
    const trial = new Channel(null);
    try {
      this.#prepareChannel(trial, exchange);
      const error = trial.core.putrequest(exchange.method, exchange.url, flags);
      if (error !== 0) throw exchange.refusal(error, trial.core, []);
      const head = Buffer.from(trial.core.staged).latin1Slice();
      return listFields(head.substring(head.indexOf('\n') + 1));
    } finally {
      trial.close();
    }
  }

  /** Starts the time of a request. Its timer does not hold the connection. */
  #limit(exchange) {
    const connection = new WeakRef(this);
    exchange.limit((seconds, elapsed) => connection.deref()?.expire(exchange, seconds, elapsed));
  }

  addStep(exchange, step) {
    step(this.#channel.core);
    exchange.steps.push(step);
  }

  /** Stages a request once more, on a channel that is not connected. @throws {NotConnected} when the connection was closed */
  restage(exchange) {
    if (exchange.changes !== this.link.changes) throw new NotConnected('the connection was closed');
    const left = this.response === null ? this.link.channel : null;
    this.response = null;
    this.link.leave(true);
    try {
      const channel = this.link.use();
      this.#prepareChannel(channel, exchange);
      exchange.channel = channel;
      exchange.stage(channel.core);
      channel.beginRequest();
    } finally {
      left?.close(); // who waits there finds the request elsewhere by now
    }
  }

  /** Tells the channel for whom it is. */
  #prepareChannel(channel, exchange) {
    const { on_informational, debuglevel } = this.#owner;
    const connection = diagnostics.informational.hasSubscribers ? this.#owner : null;
    const listened = on_informational !== null || debuglevel > 0 || connection !== null;
    channel.oninterim = listened ? informer(channel, on_informational, debuglevel, connection, exchange, new WeakRef(this.#owner)) : null;
    this.link.address(channel);
  }

  // ---- sending ----

  /** Sends what is staged, and the body: at once where that can be. What send() is given goes out behind it. @returns {Promise<void>} */
  dispatch(exchange, body) {
    const { channel } = exchange;
    const time = now();
    if (body.kind === BODY_NONE && this.#isPlain(exchange) && channel.rested(time) < PROBE_AFTER) return this.#flush(exchange, body, time);
    return this.queued(this.send(exchange, body));
  }

  /** Can what is staged go out on the channel as it is, with nobody who waits for it, or has it printed? */
  #isPlain(exchange) {
    const { channel } = exchange;
    const { transport } = channel;
    return transport !== null && channel.usable && this.#owner.debuglevel <= 0 && exchange.signals.length === 0 && !transport.full;
  }

  /** Sends what is staged: all there is of a request without a body. @returns {Promise<void>} */
  #flush(exchange, body, time) {
    return exchange.channel.transport.settled ? this.#flushNow(exchange, body, time) : this.#flushLater(exchange, body);
  }

  #flushNow(exchange, body, time) {
    const { channel } = exchange;
    try {
      this.departs(channel, exchange);
      channel.flush();
      this.departed(channel, exchange, time);
      return DONE;
    } catch (error) {
      if (this.isStale(channel, exchange, error)) return this.queued(this.repeat(exchange));
      body.discard(error);
      return Promise.reject(this.failed(channel, error, 'send'));
    }
  }

  /** The same, once the event loop has taken what the transport may still have. */
  #flushLater(exchange, body) {
    const turned = new Promise((resolve) => {
      afterTurn(() => {
        const going = this.#flushTurned(exchange, body);
        resolve(going === DONE ? undefined : going); // a promise would take two turns more of the microtasks
      });
    });
    this.sending = turned;
    return turned;
  }

  #flushTurned(exchange, body) {
    try {
      const { channel } = exchange;
      if (!channel.usable || channel.closed || channel.transport.full) return this.send(exchange, body);
      channel.transport.settled = true;
      return this.#flushNow(exchange, body, now());
    } catch (error) {
      body.discard(error);
      return Promise.reject(this.failed(exchange.channel, error, 'send')); // of a Duplex that throws
    }
  }

  /** Sends what is staged, and the body. */
  async send(exchange, body) {
    let phase = 'connect';
    let channel = null;
    try {
      channel = await this.connected(exchange);
      phase = 'send';
      while (channel.transport?.full) {
        await this.#drained(channel, exchange);
        channel = await this.connected(exchange); // something can have come meanwhile
      }
      if (body.kind === BODY_NONE && this.#isPlain(exchange)) return this.#flushNow(exchange, body, now());
      this.departs(channel, exchange);
      const { expect, trailers } = exchange;
      const onsent = () => this.departed(channel, exchange);
      const wanted = body.kind === BODY_NONE || (body.kind !== BODY_UNKNOWN && body.size === 0) ? null : expect;
      exchange.outflow = new Outflow(channel, {
        body,
        expect: wanted,
        trailers,
        flatten: flatFields,
        exchange,
        debuglevel: this.#owner.debuglevel,
        onsent,
      });
      await exchange.outflow.run();
    } catch (error) {
      channel ??= exchange.channel;
      if (channel !== exchange.channel || this.isStale(channel, exchange, error)) {
        await this.repeat(exchange); // unless whoever waits for its response has begun that
        return;
      }
      body.discard(error);
      throw this.failed(channel, error, phase);
    }
  }

  /** Waits until the transport takes more, or is no more. */
  #drained(channel, exchange) {
    const step = () => (channel.failed || !channel.transport?.full ? true : undefined);
    return channel.waiting.until('send', exchange.seconds('send'), exchange.signals, step);
  }

  /** A channel that is connected and has the staged request. */
  async connected(exchange) {
    let { channel } = exchange;
    if (channel.transport !== null && !(await this.#isAlive(channel))) {
      if (channel.abandoned) throw channel.failure();
      if (!this.#owner.auto_open) throw new NotConnected('the connection was closed by the server, and auto_open is 0');
      this.restage(exchange);
      channel = exchange.channel;
    }
    if (channel.closed) throw channel.failure();
    if (channel.transport === null) {
      this.progress = exchange;
      try {
        await this.#owner.connect();
      } finally {
        this.progress = null;
      }
      if (channel.closed) throw channel.failure();
      if (channel.transport === null) throw new NotConnected('connect() did not set sock, or the connection was closed');
    }
    return channel;
  }

  /** Looks at a connection that rested: whatever came in meanwhile is seen when the event loop has turned. */
  async #isAlive(channel) {
    const rested = channel.rested(now());
    if (rested === Number.POSITIVE_INFINITY) return false;
    if (channel.usable && (rested >= PROBE_AFTER || !channel.transport.settled)) {
      await turn();
      if (rested >= PROBE_AFTER) await turn();
    }
    return channel.usable && !channel.closed;
  }

  /** A request goes out on a channel that is connected. */
  departs(channel, exchange) {
    exchange.reused = channel.requests > 0;
    channel.requests++;
    channel.awaited = exchange;
    if (exchange.sentOn === null) this.#owner.request_count++;
    exchange.sentOn = channel;
  }

  /** All of a request is with the socket, or no longer wanted. */
  departed(channel, exchange, time = now()) {
    exchange.sent = time;
    if (diagnostics.requestSent.hasSubscribers) {
      diagnostics.tell(diagnostics.requestSent, { connection: this.#owner, request: exchange, bytes_sent: channel.bytesSent });
    }
  }

  /** Did a request meet a connection that the server had closed, and may it go out once more? */
  isStale(channel, exchange, error) {
    return (
      this.#owner.retry_stale > 0 &&
      this.#owner.auto_open &&
      exchange.reused &&
      !exchange.repeated &&
      exchange.replay !== null &&
      channel.bytesReceived === 0 &&
      (error instanceof RemoteDisconnected || error?.code === 'ECONNRESET' || error?.code === 'EPIPE')
    );
  }

  /** Sends a request once more, on a new connection. @returns {Promise<void>} the same one each time */
  repeat(exchange) {
    exchange.again ??= this.#repeat(exchange);
    return exchange.again;
  }

  async #repeat(exchange) {
    const { channel } = exchange;
    this.response = null;
    try {
      this.restage(exchange);
    } catch (error) {
      throw this.failed(channel, error, 'send');
    }
    channel.close();
    await this.send(exchange, exchange.replay);
  }

  /** The time of a request has run out. */
  expire(exchange, seconds, elapsed) {
    const { channel } = exchange;
    const { attempt } = this.link;
    const connecting = attempt !== null && (this.progress === exchange || this.exchange === exchange);
    const phase = connecting ? attempt.phase : (channel?.waiting.phase ?? 'send');
    const error = new TimeoutError(phase, seconds, elapsed, 'deadline');
    if (connecting) this.link.endOpening(error);
    else if (channel === null) this.held?.reject(error);
    else if (!(channel.phase === PHASE_END && !channel.core.atRest && this.response !== null)) channel.abort(error);
  }
}
