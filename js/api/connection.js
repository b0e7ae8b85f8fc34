// SPDX-License-Identifier: MIT
//
// HTTPConnection: Python's http.client.HTTPConnection over Node's sockets.
//
// What is whose: the channel that requests are staged on next (`#channel`), the exchange that was begun last (`#exchange`),
// its response as long as it can be open (`#response`), an attempt to connect (`#opening`), a request that waits for an
// upload before it (`#held`). All channels that are open, those of responses that close them included, are in `#channels`.

import { now, turn } from '../../bindings/node/timers.js';
import { Transport } from '../../bindings/node/transport.js';
import { listFields } from '../../bindings/wasm/fields.js';
import {
  BODY_NONE,
  BODY_UNKNOWN,
  ENCODE_CHUNKED,
  EXPECT_CONTINUE,
  HAS_BODY,
  HAS_TRAILERS,
  IDLE,
  PHASE_END,
  PHASE_HEAD,
  PHASE_TUNNEL,
  REQUEST_SENT,
  REQUEST_STARTED,
  SKIP_ACCEPT_ENCODING,
  SKIP_HOST,
} from '../../bindings/generated/abi.js';
import { Channel } from '../engine/channel.js';
import { isDuplex } from '../engine/dial.js';
import { Opening } from '../engine/opening.js';
import { Outflow } from '../engine/outflow.js';
import { abortedOf, onAbort, reasonOf } from '../engine/signals.js';
import { stageConnect } from '../engine/tunnel.js';
import {
  argumentError,
  CannotSendHeader,
  CannotSendRequest,
  coreError,
  ImproperConnectionState,
  kindOf,
  NotConnected,
  RemoteDisconnected,
  ResponseNotReady,
  stateError,
  TimeoutError,
} from '../errors.js';
import { refused } from '../refusal.js';
import { describeBody } from '../request/body.js';
import { Exchange } from '../request/exchange.js';
import { flatHeaders, headerName, headerText } from '../request/headers.js';
import { asciiHost, checkExpect, checkOptions, checkSeconds, checkSignal, checkTrailers, hostAndPort, NO_OPTIONS, TAKES } from '../request/options.js';
import { print, reprBytes, reprText } from '../watch/debug.js';
import { describe } from '../watch/describe.js';
import * as diagnostics from '../watch/diagnostics.js';
import { HTTP_PORT } from './constants.js';
import { peerName, settingsOf } from './context.js';
import { HTTPMessage } from './message.js';
import { HTTPResponse, sourceOf } from './response.js';
import { Settings, termsOf } from './settings.js';
import { informer, overridesSteps, requestBySteps, sendBySteps } from './steps.js';

const DONE = Promise.resolve();
const NO_FIELDS = Object.freeze([]);
const STATES = ['Idle', 'Request-started', 'Request-sent'];
/** A kept-alive connection that rested longer than this many milliseconds is looked at before it is used again. */
const PROBE_AFTER = 5;

/** How a subclass says that TLS is to be spoken: a method that is told the peer's name. @private */
export const SECURED = Symbol('porthole.secured');

/** Stands for the loss of a stale connection, after which the request goes out once more. */
const STALE = Symbol('stale');

/** Closes what belongs to connections that nobody holds any more. */
const abandoned = new FinalizationRegistry((channels) => {
  for (const channel of [...channels]) channel.close();
});

/** A connection to a server, over which requests are made one after the other. */
export class HTTPConnection extends Settings {
  /** The port that Host leaves out, and that is used when none is given. */
  static default_port = HTTP_PORT;
  /** Above 0 what is sent and received is printed to stdout. */
  static debuglevel = 0;
  /** Is a closed connection opened by what is sent? */
  static auto_open = 1;
  /** The class of the responses. */
  static response_class = HTTPResponse;
  static [TAKES] = 'HTTPConnection';

  #channel = null;
  #channels = new Set();
  #exchange = null;
  #response = null;
  #opening = null; // { attempt, done, reason }
  #held = null; // { reject, done }
  #progress = null; // the exchange that connects
  #sending = null; // settled when the last send() is over
  #stepping = null; // the exchange whose steps are overridden, while they are called
  #tunnel = null;
  #tunnelResponse = null;
  #proxyHeaders = null;
  #security = null; // what TLS agreed on

  /**
   * @param {string} host a name or an address; the port can follow a colon
   * @param {number | null | object} [port]
   * @param {object} [options] see the manual
   */
  constructor(host, port = null, options = undefined) {
    super(host, port, options);
    abandoned.register(this, this.#channels);
  }

  // ---- the connection ----

  /** The socket in use, or null. @returns {import('node:stream').Duplex | null} */
  get sock() {
    return this.#channel?.transport?.socket ?? null;
  }

  /** Uses a connected Duplex; null forgets the one in use without closing it. */
  set sock(socket) {
    if (socket === this.sock) return;
    const given = socket !== null && socket !== undefined;
    if (given && !isDuplex(socket)) {
      throw argumentError(`sock must be a Duplex, not ${kindOf(socket)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (this.sock !== null) this.#giveAway();
    if (given) this.#attach(new Transport(socket, false));
  }

  /** Above 0 what is sent and received is printed to stdout, as Python does it. @param {number} level */
  set_debuglevel(level) {
    this.debuglevel = level;
  }

  /**
   * Makes the connection a tunnel through the proxy that the constructor was given.
   *
   * @param {string} host the end of the tunnel
   * @param {number | null} [port]
   * @param {object | null} [headers] for the proxy
   * @throws {ImproperConnectionState} when already connected
   * @throws {InvalidURL | TypeError} for a bad host, port or header
   */
  set_tunnel(host, port = null, headers = null) {
    if (this.sock !== null) {
      throw new ImproperConnectionState('a tunnel must be set up before the connection is made: call close() first');
    }
    const split = hostAndPort(host, port, this.default_port);
    const tunnel = { ...split, headers: flatHeaders(headers) };
    const trial = new Channel(null);
    try {
      stageConnect(trial.core, { ...tunnel, host: asciiHost(tunnel.host) });
    } finally {
      trial.close();
    }
    this.#tunnel = tunnel;
    this.#tunnelResponse = null;
    this.#proxyHeaders = null;
  }

  /** @returns {Record<string, string[]> | null} the headers of the proxy's answer to CONNECT */
  get_proxy_response_headers() {
    return this.#proxyHeaders;
  }

  /** The proxy's answer to CONNECT, refused or not: `{ status, reason, headers, body }`, or null. */
  get tunnel_response() {
    return this.#tunnelResponse;
  }

  /** What TLS agreed on, or null: `{ protocol, cipher, alpn, peer_certificate, reused }`. */
  tls_info() {
    if (this.#security === null) return null;
    const { certificate, ...info } = this.#security;
    return { ...info, peer_certificate: certificate?.toLegacyObject() ?? null };
  }

  /**
   * Connects. Done by itself when something is sent, unless `auto_open` is 0.
   *
   * @returns {Promise<void>}
   */
  connect() {
    if (this.#opening === null) {
      if (this.sock !== null) this.close();
      const opening = { attempt: null, reason: null, done: null };
      this.#opening = opening;
      opening.done = this.#open(opening);
    }
    return this.#opening?.done ?? DONE;
  }

  async #open(opening) {
    await null; // so that what connect() gives is known before this ends
    const progress = this.#progress ?? { phase: 'connect', lookup: null, connect: null, tls: null };
    let transport;
    let plan;
    try {
      if (opening.reason !== null) throw opening.reason;
      plan = this.#plan(progress);
      opening.attempt = new Opening(plan, progress);
      transport = await opening.attempt.transport;
    } catch (error) {
      const described = this.#described(error, null, progress.phase, opening.attempt?.failed);
      if (progress !== this.#exchange) this.#tell(described, null); // or the request that connects does
      throw described;
    } finally {
      if (this.#opening === opening) this.#opening = null;
    }
    if (opening.reason !== null || this.sock !== null) {
      transport.destroy(); // it was closed meanwhile, or the caller has brought another socket
      if (opening.reason !== null) throw opening.reason;
      return;
    }
    const { security } = transport;
    if (security !== null && plan.peer !== undefined) security.certificate = plan.peer.recall(security.certificate);
    this.#security = security;
    this.#attach(transport);
    if (diagnostics.opened.hasSubscribers) {
      diagnostics.opened.publish({ connection: this, socket: transport.socket, tls: security });
    }
  }

  /** Closes the connection. Safe at any time; what is pending rejects with `NotConnected`. */
  close() {
    const error = new NotConnected('the connection was closed');
    this.#endOpening(error);
    this.#held?.reject(error);
    const response = this.#response;
    this.#response = null;
    this.#security = null;
    this.#channel = null;
    for (const channel of [...this.#channels]) channel.close(error);
    if (this.#exchange !== null) {
      this.#exchange.finish();
      if (this.#exchange.channel !== null) this.#exchange.channel.untold = false;
    }
    response?.close();
  }

  /** Ends the attempt to connect, if there is one. */
  #endOpening(error) {
    const opening = this.#opening;
    if (opening === null) return;
    this.#opening = null;
    opening.reason = error;
    opening.attempt?.cancel(error);
  }

  /**
   * Gives the socket away, after a 101 or a 2xx to CONNECT: what is said on it is no longer HTTP.
   *
   * @returns {{socket: import('node:stream').Duplex, head: Buffer}} a stream, and the bytes that were received already
   * @throws {ImproperConnectionState} when the connection is not at that point
   */
  detach() {
    if (this.#response?.isclosed()) this.#response = null;
    const channel = this.#channel;
    const switched = channel?.phase === PHASE_TUNNEL && this.#state === IDLE;
    const inTunnel = this.#tunnel !== null && this.#state === IDLE && this.#response === null && channel?.usable;
    if (channel === null || channel.transport === null || channel.failed || !(switched || inTunnel)) {
      throw new ImproperConnectionState('there is nothing to detach: it takes a response of 101, or a tunnel at rest');
    }
    return this.#giveAway();
  }

  /** Gives the channel's socket to somebody else. */
  #giveAway() {
    const channel = this.#channel;
    const response = this.#response;
    this.#channel = null;
    this.#response = null;
    this.#security = null;
    this.#exchange?.finish();
    const given = channel.giveAway();
    response?.close();
    return given;
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }

  // ---- requests ----

  /**
   * Sends a request.
   *
   * @param {string} method
   * @param {string} url request target; empty means `/`
   * @param {unknown} [body] see "Bodies of requests" in the manual
   * @param {object | Iterable<[string, unknown]>} [headers]
   * @param {object} [options] `encode_chunked`, `expect_continue`, `trailers`, `signal`, `deadline`
   * @returns {Promise<void>} when everything is handed to the socket, or the server has answered
   */
  request(method, url, body = null, headers = NO_OPTIONS, options = NO_OPTIONS) {
    let described = null;
    try {
      described = describeBody(body, this.blocksize);
      const fields = headers === NO_OPTIONS ? NO_FIELDS : flatHeaders(headers);
      const given = checkOptions('request', options);
      this.#checkOpenable();
      const exchange = this.#begin(method, url, given);
      exchange.fields = fields;
      if (given !== NO_OPTIONS) this.#optionsOfRequest(exchange, given);
      if (overridesSteps(this, HTTPConnection)) {
        return this.#guarded(described, () => this.#bySteps(exchange, body, described, given));
      }
      if (described.prepare !== null || this.#uploading) {
        return this.#guarded(described, () => this.#later(exchange, described, () => this.#go(exchange, described, given)));
      }
      return this.#go(exchange, described, given);
    } catch (error) {
      described?.discard(error);
      return Promise.reject(error);
    }
  }

  /** Lets go of a body when what it was for fails. */
  #guarded(body, run) {
    return run().catch((error) => {
      body.discard(error);
      throw error;
    });
  }

  /** Stages a request, and sends it. */
  #go(exchange, body, options) {
    if (body.repeatable) exchange.replay = body;
    exchange.kind = body.kind;
    exchange.size = body.size;
    exchange.flags = flagsOf(exchange, body, options);
    this.#checkTrailers(exchange);
    this.#stage(exchange);
    if (body.kind === BODY_NONE && this.#ready(exchange)) return this.#flush(exchange, body);
    return this.#queued(this.#send(exchange, body));
  }

  /** Takes the options of a request into account. */
  #optionsOfRequest(exchange, { expect_continue, trailers }) {
    exchange.expect = checkExpect(expect_continue);
    exchange.trailers = checkTrailers(trailers);
    if (exchange.trailers !== null && typeof exchange.trailers !== 'function') {
      exchange.trailers = flatHeaders(exchange.trailers);
    }
  }

  #checkTrailers({ trailers }) {
    if (trailers === null || typeof trailers === 'function') return;
    const { core } = this.#useChannel();
    const error = core.checkTrailers(trailers);
    if (error !== 0) throw refused(error, { headers: trailers, index: core.refused, limit: core.limit });
  }

  /** What send() has to wait for. */
  #queued(promise) {
    this.#sending = promise.then(
      () => {},
      () => {},
    );
    return promise;
  }

  // ---- requests that have to wait ----

  /** Is a body being sent whose request is done? */
  get #uploading() {
    const outflow = this.#exchange?.outflow;
    return outflow !== null && outflow !== undefined && !outflow.over;
  }

  /** Goes on once the upload before is over, and what has to be known of the body is. */
  async #later(exchange, body, go) {
    const held = { reject: null, done: null };
    const ended = new Promise((_resolve, reject) => {
      held.reject = reject;
    });
    ended.catch(() => {});
    const offs = exchange.signals.map((signal) => onAbort(signal, () => held.reject(reasonOf(signal))));
    this.#held = held;
    held.done = Promise.race([ended, this.#prepared(exchange, body)]);
    if (exchange.deadline !== null) this.#limit(exchange);
    try {
      await held.done;
    } catch (error) {
      exchange.finish();
      throw error;
    } finally {
      for (const off of offs) off();
      if (this.#held === held) this.#held = null;
    }
    return go();
  }

  async #prepared(exchange, body) {
    const before = this.#exchange;
    if (this.#uploading) {
      const { channel, outflow } = before;
      const step = () => (outflow.over ? true : undefined);
      await channel.waiting.until('send', exchange.seconds('send'), [], step);
      this.#raiseUntold();
    }
    await body.prepare?.();
  }

  /** Raises what failed an upload, when nobody was told. */
  #raiseUntold() {
    const channel = this.#exchange?.channel;
    if (!channel?.untold) return;
    channel.untold = false;
    throw this.#described(channel.uploadError, channel, 'send', true);
  }

  // ---- requests step by step ----

  /**
   * Begins a request: the first of the three steps that `request` is made of.
   *
   * @param {string} method
   * @param {string} url
   * @param {{skip_host?: boolean, skip_accept_encoding?: boolean}} [options]
   */
  putrequest(method, url, options = NO_OPTIONS) {
    const { skip_host, skip_accept_encoding } = checkOptions('putrequest', options);
    const flags = (skip_host ? SKIP_HOST : 0) | (skip_accept_encoding ? SKIP_ACCEPT_ENCODING : 0);
    const exchange = this.#stepping ?? this.#begin(method, url, NO_OPTIONS);
    if (this.#uploading) throw stateError(CannotSendRequest, 'Request-sent', 'the body before is being sent: read the response');
    exchange.method = method;
    exchange.url = url;
    exchange.steps = [
      (core) => {
        const error = core.putrequest(method, url, flags);
        if (error !== 0) throw exchange.refusal(error, core, NO_FIELDS);
      },
    ];
    this.#stage(exchange);
  }

  /**
   * Adds a header. Several values become one header with continuation lines.
   *
   * @param {string} name
   * @param {...unknown} values
   */
  putheader(name, ...values) {
    if (this.#state !== REQUEST_STARTED) throw stateError(CannotSendHeader, STATES[this.#state]);
    const text = headerName(name);
    const texts = values.map((value) => headerText(value, text));
    const exchange = this.#exchange;
    this.#addStep(exchange, (core) => {
      const error = core.putheader(text, texts);
      if (error !== 0) throw exchange.refusal(error, core, texts.flatMap((value) => [text, value]));
    });
  }

  /**
   * Ends the headers and sends them, with the body if there is one.
   *
   * @param {unknown} [message_body]
   * @param {{encode_chunked?: boolean}} [options]
   * @returns {Promise<void>}
   */
  endheaders(message_body = null, options = NO_OPTIONS) {
    const exchange = this.#exchange;
    const stepping = this.#stepping;
    let described = null;
    try {
      const given = checkOptions('endheaders', options);
      if (this.#state !== REQUEST_STARTED) throw stateError(CannotSendHeader, STATES[this.#state]);
      described = stepping !== null && stepping.given === message_body ? stepping.body : describeBody(message_body, this.blocksize);
      this.#checkOpenable();
      const go = () => this.#endHeaders(exchange, described, given);
      if (described.prepare === null || stepping !== null) return go();
      return this.#guarded(described, () => this.#later(exchange, described, go));
    } catch (error) {
      described?.discard(error);
      return Promise.reject(error);
    }
  }

  #endHeaders(exchange, body, { encode_chunked }) {
    if (this.#isSpent) this.#restage(exchange); // the server has ended it, or spoke unasked
    const flags = (encode_chunked ? ENCODE_CHUNKED : 0) | (body.kind === BODY_NONE ? 0 : HAS_BODY) | (exchange.trailers === null ? 0 : HAS_TRAILERS);
    this.#addStep(exchange, (core) => {
      const error = core.endheaders(body.kind, body.size, flags);
      if (error !== 0) throw exchange.refusal(error, core, NO_FIELDS);
    });
    if (this.send !== HTTPConnection.prototype.send) return this.#queued(this.#sendSteps(exchange, body));
    if (body.repeatable) exchange.replay = body;
    if (body.kind === BODY_NONE && this.#ready(exchange)) return this.#flush(exchange, body);
    return this.#queued(this.#send(exchange, body));
  }

  /** request() by the steps that a subclass overrides, in CPython's order. */
  async #bySteps(exchange, body, described, options) {
    const go = async () => {
      const stepping = Object.assign(exchange, { given: null, body: described });
      this.#stepping = stepping;
      try {
        await requestBySteps(this, exchange, body, described, options);
      } finally {
        if (this.#stepping === stepping) this.#stepping = null;
      }
    };
    if (described.prepare !== null || this.#uploading) return this.#later(exchange, described, go);
    return go();
  }

  /** Sends what is staged, and the body, by an overridden send(). */
  async #sendSteps(exchange, body) {
    exchange.replay = null;
    this.#stepping = exchange;
    try {
      await sendBySteps(this, exchange, body);
      this.#departed(exchange.channel, exchange);
    } catch (error) {
      body.discard(error);
      throw this.#failed(exchange.channel, error, 'send', true);
    } finally {
      if (this.#stepping === exchange) this.#stepping = null;
    }
  }

  /**
   * Sends bytes as they are.
   *
   * @param {unknown} data a string, bytes, a file, a stream or an iterable
   * @returns {Promise<void>}
   */
  async send(data) {
    const body = describeBody(data, this.blocksize);
    if (body.kind === BODY_NONE) throw argumentError('there is nothing to send: data is null', 'ERR_INVALID_ARG_TYPE');
    if (this.#stepping !== null) return this.#sendFramed(this.#stepping, body);
    const before = this.#sending;
    const exchange = this.#exchange;
    let over;
    this.#sending = new Promise((resolve) => {
      over = resolve;
    });
    try {
      if (before !== null) await before;
      await body.prepare?.();
      if (exchange !== null && exchange === this.#exchange && exchange.channel?.stopped) {
        body.discard(); // it goes nowhere, and not on another connection
        return;
      }
      if (exchange !== this.#exchange || (exchange?.channel?.closed && this.#channel === null && exchange.end !== null)) {
        throw new NotConnected('the connection was closed');
      }
      await this.#sendRaw(data, body);
    } catch (error) {
      body.discard(error);
      throw error;
    } finally {
      over();
    }
  }

  async #sendRaw(data, body) {
    if (this.sock === null) {
      this.#checkOpenable();
      await this.connect();
    }
    const channel = this.#channel;
    if (channel === null) throw new NotConnected('connect() did not set sock, or the connection was closed');
    const exchange = this.#exchange ?? new Exchange('', '', termsOf(this), null);
    exchange.replay = null;
    if (this.debuglevel > 0) printSent(data, body);
    try {
      await new Outflow(channel, { body, raw: true, exchange }).run();
    } catch (error) {
      throw this.#failed(channel, error, 'send');
    }
  }

  /** What an overridden send() hands on: framed already, and accounted for. */
  async #sendFramed(exchange, body) {
    const channel = await this.#connected(exchange);
    channel.core.takeStaged(); // the head, which is in what was handed out
    if (channel.requests === 0 || channel.awaited !== exchange) this.#departs(channel, exchange);
    if (this.debuglevel > 0) printSent(body.bytes, body);
    await new Outflow(channel, { body, raw: true, counted: false, exchange }).run();
  }

  // ---- responses ----

  /**
   * Waits for the response to the request that was sent.
   *
   * @returns {Promise<HTTPResponse>} when its head is in
   */
  getresponse() {
    if (this.#held !== null) return this.#held.done.then(() => this.getresponse());
    const channel = this.#channel;
    const exchange = this.#exchange;
    if (this.#response?.isclosed()) this.#response = null;
    if (channel === null || this.#state !== REQUEST_SENT || this.#response !== null || exchange.receiving) {
      return Promise.reject(stateError(ResponseNotReady, STATES[this.#state]));
    }
    const step = () => {
      if (exchange.informing > 0 && !channel.failed) return undefined; // callbacks that were told of a 1xx have the say
      if (channel.phase > PHASE_HEAD && !channel.abandoned) return this.#accept(channel, exchange);
      if (!channel.failed) return undefined;
      const error = channel.failure();
      throw this.#isStale(channel, exchange, error) ? STALE : this.#failed(channel, error, 'receive');
    };
    try {
      const aborted = abortedOf(exchange.signals);
      if (aborted !== undefined) throw this.#failed(channel, reasonOf(aborted), 'receive');
      const response = step();
      if (response !== undefined) return Promise.resolve(response);
    } catch (error) {
      return error === STALE ? this.#repeat(exchange).then(() => this.getresponse()) : Promise.reject(error);
    }
    exchange.receiving = true;
    const waiting = channel.waiting.until('receive', exchange.seconds('headers'), exchange.signals, step);
    if (this.retry_stale === 0) return waiting;
    return waiting.catch(async (error) => {
      exchange.receiving = false;
      if (error !== STALE) throw error;
      await this.#repeat(exchange);
      return this.getresponse();
    });
  }

  /** The response whose head is in. */
  #accept(channel, exchange) {
    const { core } = channel;
    const error = core.accept();
    if (error !== 0) throw this.#failed(channel, coreError(error), 'receive');
    channel.noteKeepAlive();
    const { debuglevel } = this;
    let response;
    try {
      const describe = (reason) => this.#toldOf(reason, channel, exchange);
      const detach = () => this.#detachResponse(channel);
      response = new this.response_class(sourceOf({ channel, exchange, debuglevel, owner: this, describe, detach }));
    } catch (reason) {
      exchange.finish();
      channel.close();
      if (this.#channel === channel) this.#channel = null;
      throw reason;
    }
    if (debuglevel > 0) {
      print(`reply: ${reprText(core.head.substring(0, core.fieldsAt))}`);
      for (const [name, value] of response.headers.items()) print(`header: ${name}: ${value}`);
    }
    // A trailer section that is in already is read when the response ends.
    if (!core.hasTrailer) core.release();
    if (core.willClose) this.#channel = null; // the response's alone
    else this.#response = response;
    if (diagnostics.responseHeaders.hasSubscribers) {
      const { status, reason } = response;
      diagnostics.responseHeaders.publish({ connection: this, request: exchange, response, status, reason });
    }
    return response;
  }

  /** The socket of a response, for whoever speaks something else on it from here on. */
  #detachResponse(channel) {
    if (this.#channel === channel) {
      if (this.#state !== IDLE) throw new ImproperConnectionState('there is nothing to detach: a request is under way');
      this.#channel = null;
    }
    this.#response = null;
    this.#security = null;
    return channel.giveAway();
  }

  // ---- inside: channels ----

  get #state() {
    if (this.#held !== null) return REQUEST_SENT;
    return this.#channel === null || this.#channel.closed ? IDLE : this.#channel.core.state;
  }

  #attach(transport) {
    this.#useChannel().attach(transport);
    if (!diagnostics.closed.hasSubscribers) return; // or nobody but the socket could hold the connection
    const { socket } = transport;
    transport.onclosed = () => diagnostics.closed.publish({ connection: this, socket, error: transport.error });
  }

  /** The channel, which is made when there is none. */
  #useChannel() {
    if (this.#channel === null || this.#channel.closed) {
      const channel = new Channel(this.limits);
      const channels = this.#channels;
      channels.add(channel);
      channel.onclosed = () => channels.delete(channel);
      this.#channel = channel;
    }
    return this.#channel;
  }

  /** Can no request go out on the channel any more? */
  get #isSpent() {
    return this.#channel?.spent === true;
  }

  /** Gives the channel up, to a response that is still being read if there is one. */
  #leave() {
    const channel = this.#channel;
    this.#channel = null;
    if (this.#response === null) channel?.close();
    this.#response = null;
  }

  #checkOpenable() {
    if (!this.auto_open && !this.#channel?.usable) {
      throw new NotConnected('the connection is closed, and auto_open is 0: call connect()');
    }
  }

  // ---- inside: errors ----

  /** Closes the channel after an error. @returns the error, described */
  #failed(channel, error, phase, foreign = false) {
    const described = foreign ? error : this.#described(error, channel, phase);
    if (channel !== null) {
      channel.error ??= described; // for who else waits on it
      if (error === channel.uploadError) channel.untold = false; // this is who is told
      channel.close();
      if (this.#channel === channel) this.#channel = null;
      if (this.#exchange?.channel === channel) {
        this.#exchange.finish();
        this.#response = null;
      }
    }
    this.#tell(described);
    return described;
  }

  #tell(error, request = this.#exchange) {
    if (diagnostics.failed.hasSubscribers) diagnostics.failed.publish({ connection: this, request, error });
  }

  #described(error, channel, phase = 'receive', failed = error === channel?.error, exchange = this.#exchange) {
    const signals = exchange?.signals ?? NO_FIELDS;
    const { host, port } = this;
    const secure = this.#security !== null;
    return describe(error, { phase, host, port, channel, secure, repeated: exchange?.repeated === true, signals }, failed);
  }

  /** Describes an error for a response, and tells of it. */
  #toldOf(error, channel, exchange) {
    const described = this.#described(error, channel, 'receive', error === channel.error, exchange);
    this.#tell(described, exchange);
    return described;
  }

  // ---- inside: staging ----

  /** Begins a request. @returns {Exchange} */
  #begin(method, url, options) {
    if (typeof method !== 'string') {
      throw argumentError(`the method must be a string, not ${kindOf(method)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (typeof url !== 'string') {
      const hint = url instanceof URL ? ': give url.pathname + url.search' : '';
      throw argumentError(`the URL must be a string, not ${kindOf(url)}${hint}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (this.#state !== IDLE || this.#stepping !== null) throw stateError(CannotSendRequest, STATES[this.#state]);
    const exchange = new Exchange(method, url, termsOf(this), checkSignal(options.signal));
    const aborted = abortedOf(exchange.signals);
    if (aborted !== undefined) throw reasonOf(aborted);
    exchange.deadline = checkSeconds('deadline', options.deadline ?? this.deadline);
    if (!this.#uploading) this.#raiseUntold();
    return exchange;
  }

  /** Stages a request that begins on the channel, which is made when there is none. */
  #stage(exchange) {
    if (this.#response?.isclosed()) this.#response = null;
    this.#channel?.endByHand();
    if (this.#isSpent) this.#leave();
    const channel = this.#useChannel();
    this.#prepareChannel(channel, exchange);
    exchange.stage(channel.core);
    exchange.channel = channel;
    channel.beginRequest();
    this.#exchange = exchange;
    if (exchange.deadline !== null) this.#limit(exchange);
    if (diagnostics.requestStart.hasSubscribers) {
      diagnostics.requestStart.publish({ connection: this, request: exchange });
    }
  }

  /** Starts the time of a request. Its timer does not hold the connection. */
  #limit(exchange) {
    const connection = new WeakRef(this);
    exchange.limit((seconds, elapsed) => connection.deref()?.#expire(exchange, seconds, elapsed));
  }

  #addStep(exchange, step) {
    step(this.#channel.core);
    exchange.steps.push(step);
  }

  /** Stages a request once more, on a channel that is not connected. */
  #restage(exchange) {
    this.#leave();
    const channel = this.#useChannel();
    this.#prepareChannel(channel, exchange);
    exchange.channel = channel;
    exchange.stage(channel.core);
    channel.beginRequest();
  }

  /** Tells the channel for whom it is. */
  #prepareChannel(channel, exchange) {
    const { on_informational, debuglevel } = this;
    const connection = diagnostics.informational.hasSubscribers ? this : null;
    const listened = on_informational !== null || debuglevel > 0 || connection !== null;
    channel.oninterim = listened ? informer(channel, on_informational, debuglevel, connection, exchange) : null;
    const { host, port } = this.#tunnel ?? this;
    if (channel.host === host && channel.port === port) return;
    const error = channel.core.setAuthority(asciiHost(host), port, this.default_port);
    if (error !== 0) throw refused(error, { host: `${host}:${port}`, port });
    channel.host = host;
    channel.port = port;
  }

  // ---- inside: sending ----

  /** Can what is staged go out at once? */
  #ready(exchange) {
    const { channel } = exchange;
    const { transport } = channel;
    return (
      transport !== null &&
      transport.settled &&
      channel.usable &&
      this.debuglevel <= 0 &&
      exchange.signals.length === 0 &&
      !transport.full &&
      channel.rested(now()) < PROBE_AFTER
    );
  }

  #flush(exchange, body) {
    const { channel } = exchange;
    try {
      this.#departs(channel, exchange);
      channel.flush();
      this.#departed(channel, exchange);
      return DONE;
    } catch (error) {
      if (this.#isStale(channel, exchange, error)) return this.#repeat(exchange);
      body.discard(error);
      return Promise.reject(this.#failed(channel, error, 'send'));
    }
  }

  /** Sends what is staged, and the body. */
  async #send(exchange, body) {
    let phase = 'connect';
    try {
      const channel = await this.#connected(exchange);
      phase = 'send';
      this.#departs(channel, exchange);
      const { expect, trailers } = exchange;
      const onsent = () => this.#departed(channel, exchange);
      const wanted = body.kind === BODY_NONE || (body.kind !== BODY_UNKNOWN && body.size === 0) ? null : expect;
      exchange.outflow = new Outflow(channel, {
        body,
        expect: wanted,
        trailers,
        flatten: flatHeaders,
        exchange,
        debuglevel: this.debuglevel,
        onsent,
      });
      await exchange.outflow.run();
    } catch (error) {
      if (this.#isStale(exchange.channel, exchange, error)) {
        await this.#repeat(exchange);
        return;
      }
      body.discard(error);
      throw this.#failed(exchange.channel, error, phase);
    }
  }

  /** A channel that is connected and has the staged request. */
  async #connected(exchange) {
    let { channel } = exchange;
    if (channel.transport !== null && !(await this.#isAlive(channel))) {
      if (channel.abandoned) throw channel.failure();
      if (!this.auto_open) throw new NotConnected('the connection was closed by the server, and auto_open is 0');
      this.#restage(exchange);
      channel = exchange.channel;
    }
    if (channel.closed) throw channel.failure();
    if (channel.transport === null) {
      this.#progress = exchange;
      try {
        await this.connect();
      } finally {
        this.#progress = null;
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
  #departs(channel, exchange) {
    exchange.reused = channel.requests > 0;
    channel.requests++;
    channel.awaited = exchange;
    if (!exchange.repeated) this.request_count++;
  }

  /** All of a request is with the socket, or no longer wanted. */
  #departed(channel, exchange) {
    exchange.sent = now();
    if (diagnostics.requestSent.hasSubscribers) {
      diagnostics.requestSent.publish({ connection: this, request: exchange, bytes_sent: channel.bytesSent });
    }
  }

  /** Did a request meet a connection that the server had closed, and may it go out once more? */
  #isStale(channel, exchange, error) {
    return (
      this.retry_stale > 0 &&
      exchange.reused &&
      !exchange.repeated &&
      exchange.replay !== null &&
      channel.bytesReceived === 0 &&
      (error instanceof RemoteDisconnected || error?.code === 'ECONNRESET' || error?.code === 'EPIPE')
    );
  }

  /** Sends a request once more, on a new connection. */
  #repeat(exchange) {
    exchange.repeated = true;
    exchange.receiving = false;
    const { channel } = exchange;
    this.#response = null;
    this.#restage(exchange);
    channel.close();
    return this.#send(exchange, exchange.replay);
  }

  /** The time of a request has run out. */
  #expire(exchange, seconds, elapsed) {
    const { channel } = exchange;
    const connecting = this.#opening !== null && (this.#progress === exchange || this.#exchange === exchange);
    const attempt = connecting ? this.#opening.attempt : null;
    const phase = attempt?.phase ?? channel?.waiting.phase ?? 'send';
    const error = new TimeoutError(phase, seconds, elapsed, 'deadline');
    if (connecting) this.#endOpening(error);
    else if (channel === null) this.#held?.reject(error);
    else if (!(channel.phase === PHASE_END && !channel.core.atRest && this.#response !== null)) channel.abort(error);
  }

  /** What to connect to, and how. @returns {import('../engine/opening.js').Plan} */
  #plan(progress) {
    const { source_address, lookup, create_connection, socket_path, proxy_context, timeouts } = this;
    const terms = termsOf(this);
    const tunnel = this.#tunnel;
    const host = asciiHost(this.host);
    const end = tunnel === null ? host : asciiHost(tunnel.host);
    return {
      dial: {
        host,
        port: this.port,
        timeout: this.timeout,
        limits: { lookup: timeouts.lookup, connect: terms.seconds('connect') },
        source_address,
        signal: this.signal,
        socket_path,
        lookup,
        create_connection,
      },
      seconds: (name) => terms.seconds(name),
      signals: progress.signals ?? (this.signal === null ? [] : [this.signal]),
      proxy: proxy_context === null ? undefined : { name: peerName(host), settings: settingsOf(proxy_context), onsession() {} },
      tunnel: tunnel === null ? null : { ...tunnel, host: end },
      peer: this[SECURED]?.(end),
      limits: this.limits,
      debuglevel: this.debuglevel,
      onanswer: ({ status, reason, fields, body }) => {
        this.#tunnelResponse = { status, reason, headers: new HTTPMessage(fields), body };
        this.#proxyHeaders = byName(fields);
      },
    };
  }
}

/** What the core has to know of a request's options. */
function flagsOf({ expect, trailers }, body, { encode_chunked }) {
  const empty = body.kind === BODY_NONE || (body.kind !== BODY_UNKNOWN && body.size === 0);
  return (
    (encode_chunked ? ENCODE_CHUNKED : 0) |
    (expect !== null && !empty ? EXPECT_CONTINUE : 0) |
    (trailers !== null ? HAS_TRAILERS : 0)
  );
}

function printSent(data, body) {
  print(`send: ${body.bytes === null ? String(data) : reprBytes(body.bytes)}`);
  if (body.readable !== '') print('sending a readable');
  if (body.readable === 'text') print('encoding file using iso-8859-1');
}

/** Headers as an object: name, as it was received, to values. */
function byName(fields) {
  const headers = {};
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i], fields[i + 1]];
    if (Object.hasOwn(headers, name)) headers[name].push(value);
    else Object.defineProperty(headers, name, { value: [value], enumerable: true, configurable: true, writable: true });
  }
  return headers;
}
