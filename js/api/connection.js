// SPDX-License-Identifier: MIT
//
// HTTPConnection: Python's http.client.HTTPConnection over Node's sockets.

import { performance } from 'node:perf_hooks';
import { Transport } from '../../bindings/node/transport.js';
import { describeBody } from '../request/body.js';
import { Channel } from '../engine/channel.js';
import { HTTP_PORT } from './constants.js';
import { checkLimits, listFields } from '../../bindings/wasm/core.js';
import { print, reprBytes, reprText } from '../watch/debug.js';
import * as diagnostics from '../watch/diagnostics.js';
import { isDuplex } from '../engine/dial.js';
import {
  argumentError,
  CannotSendHeader,
  CannotSendRequest,
  HTTPException,
  ImproperConnectionState,
  NotConnected,
  RemoteDisconnected,
  ResponseNotReady,
  TimeoutError,
} from '../errors.js';
import { establish } from '../engine/opening.js';
import { abortedOf, Exchange } from '../request/exchange.js';
import {
  BODY_NONE,
  BODY_UNKNOWN,
  DEFAULT_HEADERS,
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
  VIEW_FIELDS,
  VIEW_STATE,
  VIEW_STATUS,
  VIEW_TRAILER_LENGTH,
} from '../../bindings/generated/abi.js';
import { flatHeaders, headerName, headerText, kindOf } from '../request/headers.js';
import { HTTPMessage } from './message.js';
import {
  asciiHost,
  checkCount,
  checkExpect,
  checkFunction,
  checkObject,
  checkPath,
  checkSeconds,
  checkSignal,
  checkSourceAddress,
  checkTimeouts,
  checkTrailers,
  hostAndPort,
} from '../request/options.js';
import { HTTPResponse } from './response.js';
import { addHint, checkContext, settingsOf } from './context.js';
import { drained, eachPiece, flush, sendBody, sendPiece, sendRaw } from '../engine/outflow.js';

const DONE = Promise.resolve();
const NO_OPTIONS = Object.freeze({});
const NO_FIELDS = Object.freeze([]);
const STATES = ['Idle', 'Request-started', 'Request-sent'];
/** A kept-alive connection that rested longer than this many milliseconds is looked at before it is used again. */
const PROBE_AFTER = 5;

/** How a subclass says that TLS is to be spoken: a method that is told the peer's name. @private */
export const SECURED = Symbol('porthole.secured');

/** Stands for the loss of a stale connection, after which the request goes out once more. */
const STALE = Symbol('stale');

/** Closes what belongs to connections that nobody holds any more. */
const abandoned = new FinalizationRegistry((held) => held.channel?.close());

/** The options of a constructor, which may take the place of the port. */
export function optionsOf(port, options) {
  return checkObject('options', options ?? (port !== null && typeof port === 'object' ? port : null));
}

/** A connection to a server, over which requests are made one after the other. */
export class HTTPConnection {
  /** The port that Host leaves out, and that is used when none is given. */
  static default_port = HTTP_PORT;

  #channel = null;
  #held = { channel: null };
  #exchange = null; // the request that was begun last
  #response = null; // the last one, as long as it can be open
  #opening = null; // the attempt to connect, as a promise
  #connecting = null; // how to end an attempt to connect
  #closings = 0; // how often the channel was closed
  #sending = null; // settled when the last send() is over
  #progress = null; // the exchange that connects
  #tunnel = null;
  #tunnelResponse = null;
  #proxyHeaders = null;
  #security = null; // what TLS agreed on
  #timeout;
  #timeouts;
  #signal;
  #limits;
  #waits = null; // what follows from the three before the limits

  /**
   * @param {string} host a name or an address; the port can follow a colon
   * @param {number | null | object} [port]
   * @param {object} [options] see the manual
   */
  constructor(host, port = null, options = undefined) {
    const settings = optionsOf(port, options);
    const number = settings === port ? null : port;
    this.default_port = new.target.default_port ?? HTTP_PORT;
    const split = hostAndPort(host, number, this.default_port);
    this.host = split.host;
    this.port = split.port;
    this.timeout = settings.timeout;
    this.timeouts = settings.timeouts;
    this.deadline = checkSeconds('deadline', settings.deadline);
    this.signal = settings.signal;
    this.limits = settings.limits;
    if (settings.limits?.headers === undefined) this.max_response_headers = settings.max_response_headers;
    this.source_address = checkSourceAddress(settings.source_address);
    this.socket_path = checkPath(settings.socket_path);
    this.proxy_context = checkContext(settings.proxy_context, 'proxy_context');
    this.blocksize = checkCount('blocksize', settings.blocksize ?? 16384, 1);
    this.retry_stale = checkCount('retry_stale', Number(settings.retry_stale ?? 0), 0);
    this.create_connection = checkFunction('create_connection', settings.create_connection);
    this.lookup = checkFunction('lookup', settings.lookup);
    this.on_informational = checkFunction('on_informational', settings.on_informational);
    this.debuglevel = 0;
    this.auto_open = 1;
    this.response_class = HTTPResponse;
    /** How many requests were sent. */
    this.request_count = 0;
    abandoned.register(this, this.#held);
  }

  // ---- options that more follows from ----

  /** Seconds that an operation may wait with nothing moving, or null. */
  get timeout() {
    return this.#timeout;
  }

  set timeout(seconds) {
    this.#timeout = checkSeconds('timeout', seconds);
    this.#waits = null;
  }

  /** Seconds by what is waited for, over `timeout`: a frozen object. */
  get timeouts() {
    return this.#timeouts;
  }

  set timeouts(timeouts) {
    this.#timeouts = checkTimeouts(timeouts);
    this.#waits = null;
  }

  /** Ends every operation when it is aborted. */
  get signal() {
    return this.#signal;
  }

  set signal(signal) {
    this.#signal = checkSignal(signal);
    this.#waits = null;
  }

  /** What a peer may make us keep: a frozen object with all limits. Counts from the next connection on. */
  get limits() {
    return this.#limits;
  }

  set limits(limits) {
    this.#limits = checkLimits(limits);
  }

  /** How many header lines a response may have: the limit `headers`. */
  get max_response_headers() {
    return this.#limits.headers;
  }

  set max_response_headers(count) {
    const headers = checkCount('max_response_headers', count ?? DEFAULT_HEADERS, 0);
    this.#limits = checkLimits({ ...this.#limits, headers });
  }

  // ---- the connection ----

  /** The socket in use, or null. @returns {import('node:stream').Duplex | null} */
  get sock() {
    return this.#channel?.transport?.socket ?? null;
  }

  /** Uses a connected Duplex; null forgets the one in use without closing it. */
  set sock(socket) {
    if (socket === this.sock) return;
    const staged = this.#channel?.transport === null ? this.#channel : null;
    if (this.#channel !== null && staged === null) this.#release();
    if (socket === null || socket === undefined) return;
    if (!isDuplex(socket)) {
      throw argumentError(`sock must be a Duplex, not ${kindOf(socket)}`, 'ERR_INVALID_ARG_TYPE');
    }
    this.#attach(new Transport(socket, false));
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
      trial.core.tunnel(asciiHost(tunnel.host), tunnel.port, tunnel.headers);
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
      const opening = this.#open().finally(() => {
        if (this.#opening === opening) this.#opening = null;
      });
      this.#opening = opening;
    }
    return this.#opening;
  }

  async #open() {
    if (this.sock !== null) this.close();
    const progress = this.#progress ?? { phase: 'connect', failed: false, lookup: null, connect: null, tls: null };
    this.#progress = null;
    const closings = this.#closings;
    let plan;
    let transport;
    try {
      plan = this.#plan(progress.waits ?? this.#waitsFor(null));
      transport = await establish(plan, progress, (cancel) => {
        this.#connecting = cancel;
      });
    } catch (error) {
      const described = this.#described(error, null, progress.phase, progress.failed);
      if (progress !== this.#exchange) this.#tell(described, null); // or the request that connects does
      throw described;
    }
    if (closings !== this.#closings) {
      transport.destroy();
      throw new NotConnected('the connection was closed');
    }
    if (this.sock !== null) {
      transport.destroy(); // the caller has brought one meanwhile
      return;
    }
    const { security } = transport;
    if (security !== null && plan.peer !== undefined) security.certificate = plan.peer.recall(security.certificate);
    this.#attach(transport);
    this.#security = security;
    if (diagnostics.opened.hasSubscribers) {
      diagnostics.opened.publish({ connection: this, socket: transport.socket, tls: security });
    }
  }

  /** Closes the connection. Safe at any time; what is pending rejects with `NotConnected`. */
  close() {
    this.#connecting?.(new NotConnected('the connection was closed'));
    this.#opening = null;
    const response = this.#response;
    this.#response = null;
    this.#security = null;
    this.#drop();
    response?.close();
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
    const { socket } = channel.transport;
    const head = channel.takeRaw();
    this.#response?.close();
    this.#response = null;
    this.#release();
    return { socket, head };
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
    let described;
    let exchange;
    try {
      described = describeBody(body, this.blocksize);
      const fields = headers === NO_OPTIONS ? NO_FIELDS : flatHeaders(headers);
      this.#checkOpenable();
      exchange = this.#start(method, url, options);
      if (described.repeatable) exchange.replay = described;
      exchange.fields = fields;
      exchange.kind = described.kind;
      exchange.size = described.size;
      if (options !== NO_OPTIONS) exchange.flags = this.#optionsOfRequest(exchange, described, options);
      this.#stage(exchange);
    } catch (error) {
      return Promise.reject(error);
    }
    if (described.kind === BODY_NONE && this.#ready(exchange.started)) return this.#flush(exchange);
    return this.#queued(this.#send(exchange, described));
  }

  /** What send() has to wait for. */
  #queued(promise) {
    this.#sending = promise.then(
      () => {},
      () => {},
    );
    return promise;
  }

  /** Takes the options of a request into account. @returns {number} flags */
  #optionsOfRequest(exchange, body, options) {
    const { encode_chunked, expect_continue, trailers } = checkObject('options', options);
    let flags = encode_chunked ? ENCODE_CHUNKED : 0;
    const empty = body.kind === BODY_NONE || (body.kind !== BODY_UNKNOWN && body.size === 0);
    exchange.expect = empty ? null : checkExpect(expect_continue);
    if (exchange.expect !== null) flags |= EXPECT_CONTINUE;
    exchange.trailers = checkTrailers(trailers);
    if (exchange.trailers !== null) {
      flags |= HAS_TRAILERS;
      if (typeof exchange.trailers !== 'function') {
        exchange.trailers = flatHeaders(exchange.trailers);
        this.#useChannel().core.checkTrailers(exchange.trailers);
      }
    }
    return flags;
  }

  /**
   * Begins a request: the first of the three steps that `request` is made of.
   *
   * @param {string} method
   * @param {string} url
   * @param {{skip_host?: boolean, skip_accept_encoding?: boolean}} [options]
   */
  putrequest(method, url, options = NO_OPTIONS) {
    const flags = (options?.skip_host ? SKIP_HOST : 0) | (options?.skip_accept_encoding ? SKIP_ACCEPT_ENCODING : 0);
    const exchange = this.#start(method, url, NO_OPTIONS);
    exchange.steps = [(core) => core.putrequest(method, url, flags)];
    this.#stage(exchange);
  }

  /**
   * Adds a header. Several values become one header with continuation lines.
   *
   * @param {string} name
   * @param {...unknown} values
   */
  putheader(name, ...values) {
    if (this.#state !== REQUEST_STARTED) throw new CannotSendHeader(STATES[this.#state]);
    const text = headerName(name);
    const texts = values.map((value) => headerText(value, text));
    this.#addStep(this.#exchange, (core) => core.putheader(text, texts));
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
    let described;
    try {
      if (this.#state !== REQUEST_STARTED) throw new CannotSendHeader(STATES[this.#state]);
      described = describeBody(message_body, this.blocksize);
      this.#checkOpenable();
      if (this.#isSpent) this.#restage(exchange); // the server has ended it, or spoke unasked
      const flags = (options?.encode_chunked ? ENCODE_CHUNKED : 0) | (described.kind === BODY_NONE ? 0 : HAS_BODY);
      this.#addStep(exchange, (core) => core.endheaders(described.kind, described.size, flags));
      if (described.repeatable) exchange.replay = described;
    } catch (error) {
      return Promise.reject(error);
    }
    if (described.kind === BODY_NONE && this.#ready(performance.now())) return this.#flush(exchange);
    return this.#queued(this.#send(exchange, described));
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
    const before = this.#sending;
    let over;
    this.#sending = new Promise((resolve) => {
      over = resolve;
    });
    const closings = this.#closings;
    if (before !== null) await before;
    try {
      if (closings !== this.#closings) throw new NotConnected('the connection was closed');
      await this.#sendNow(data, body);
    } finally {
      over();
    }
  }

  async #sendNow(data, body) {
    if (this.sock === null) {
      this.#checkOpenable();
      await this.connect();
    }
    const channel = this.#channel;
    if (channel === null) throw new NotConnected('connect() did not set sock, or the connection was closed');
    const limits = this.#waitsFor(null).send;
    if (this.#exchange !== null) this.#exchange.replay = null;
    try {
      if (this.debuglevel > 0) this.#printSent(data, body);
      if (body.bytes !== null) await sendRaw(channel, body.bytes, limits);
      else await eachPiece(channel, body, limits, (piece) => sendRaw(channel, piece, limits));
    } catch (error) {
      throw this.#failed(channel, error, 'send');
    }
  }

  #printSent(data, body) {
    print(`send: ${body.bytes === null ? String(data) : reprBytes(body.bytes)}`);
    if (body.readable !== '') print('sending a readable');
    if (body.readable === 'text') print('encoding file using iso-8859-1');
  }

  /**
   * Waits for the response to the request that was sent.
   *
   * @returns {Promise<HTTPResponse>} when its head is in
   */
  getresponse() {
    const channel = this.#channel;
    if (this.#response?.isclosed()) this.#response = null;
    if (channel === null || this.#state !== REQUEST_SENT || this.#response !== null || channel.isReceiving) {
      return Promise.reject(new ResponseNotReady(STATES[this.#state]));
    }
    const exchange = this.#exchange;
    const limits = exchange.waits.headers;
    const step = () => {
      if (channel.phase > PHASE_HEAD && !channel.closed) return this.#accept(channel, exchange);
      if (!channel.failed) return undefined;
      const error = channel.failure();
      throw this.#isStale(channel, exchange, error) ? STALE : this.#failed(channel, error, 'receive');
    };
    try {
      const aborted = abortedOf(limits.signals);
      if (aborted !== undefined) throw this.#failed(channel, aborted.reason);
      const response = step();
      if (response !== undefined) return Promise.resolve(response);
    } catch (error) {
      return error === STALE ? this.#repeat(exchange).then(() => this.getresponse()) : Promise.reject(error);
    }
    const waiting = channel.receiving(limits, step);
    if (this.retry_stale === 0) return waiting;
    return waiting.catch(async (error) => {
      if (error !== STALE) throw error;
      await this.#repeat(exchange);
      return this.getresponse();
    });
  }

  // ---- inside: channels ----

  get #state() {
    return this.#channel === null || this.#channel.closed ? IDLE : this.#channel.core.view[VIEW_STATE];
  }

  /** How long operations may wait, and what can abort them. @returns {import('../request/exchange.js').Waits} */
  #waitsFor(signal) {
    if (signal === null && this.#waits !== null) return this.#waits;
    const timeouts = this.#timeouts;
    const signals = [this.#signal, signal].filter((one) => one !== null);
    const limit = (name) => ({ seconds: timeouts[name] === undefined ? this.#timeout : timeouts[name], signals });
    const waits = {
      lookup: timeouts.lookup,
      connect: limit('connect'),
      tls: limit('tls'),
      send: limit('send'),
      continue: limit('continue'),
      headers: limit('headers'),
      idle: limit('idle'),
    };
    if (signal === null) this.#waits = waits;
    return waits;
  }

  #attach(transport) {
    this.#useChannel().attach(transport);
    if (!diagnostics.closed.hasSubscribers) return; // or nobody but the socket could hold the connection
    const { socket } = transport;
    transport.onclosed = () => diagnostics.closed.publish({ connection: this, socket, error: transport.error });
  }

  /** The channel, which is made when there is none. */
  #useChannel() {
    if (this.#channel === null) this.#use(new Channel(this.#limits));
    return this.#channel;
  }

  #use(channel) {
    this.#channel = channel;
    this.#held.channel = channel;
  }

  /** Closes the channel. */
  #drop() {
    this.#closings++;
    const channel = this.#channel;
    this.#use(null);
    if (channel !== null && this.#exchange?.channel === channel) this.#exchange.finish();
    channel?.close();
  }

  /** Gives the channel up to whoever has its socket. */
  #release() {
    const channel = this.#channel;
    this.#use(null);
    this.#exchange?.finish();
    this.#security = null;
    const transport = channel.detach();
    channel.lent = true;
    transport.release(() => {
      channel.lent = false;
      if (channel.closed) channel.core.free();
      else channel.close();
    });
    if (!channel.closed) channel.abort(new NotConnected('the socket was given away')); // for who waits
  }

  /** Leaves the channel to its response. */
  #handOver(channel, response) {
    const held = { channel };
    abandoned.register(response, held);
    this.#use(null);
  }

  /** Closes the channel after an error. @returns the error, described */
  #failed(channel, error, phase) {
    const described = this.#described(error, channel, phase);
    if (isOurs(error)) channel.error ??= error; // for who else waits on it
    if (this.#channel === channel) {
      this.#response = null;
      this.#drop();
    } else {
      channel.close();
    }
    this.#tell(described);
    return described;
  }

  #tell(error, request = this.#exchange) {
    if (diagnostics.failed.hasSubscribers) {
      diagnostics.failed.publish({ connection: this, request, error });
    }
  }

  /**
   * Adds what is known of the connection to an error of an operation. Errors of a caller's own making (a signal's reason,
   * what a body source threw, refused arguments) stay as they are.
   */
  #described(error, channel, phase = 'receive', failed = error === channel?.error) {
    if (channel?.foreign || !(failed || isOurs(error))) return error;
    if (typeof error !== 'object' || !Object.isExtensible(error)) return error;
    const signals = (this.#exchange?.waits ?? this.#waitsFor(null)).idle.signals;
    if (error.retry_safe !== undefined || abortedOf(signals)?.reason === error) return error;
    const sent = channel === null ? 0 : channel.bytesSent;
    const answered = channel !== null && !channel.closed && channel.headIn;
    error.phase ??= phase;
    error.host = this.host; // Node has the address there, sometimes
    error.port = this.port;
    error.bytes_sent = sent;
    error.bytes_received = channel === null ? 0 : channel.bytesReceived;
    error.retry_safe = sent === 0 && this.#exchange?.repeated !== true ? 'yes' : answered ? 'no' : 'unknown';
    if (phase === 'tls' || String(error.code).startsWith('ERR_SSL_')) addHint(error);
    return error;
  }

  // ---- inside: staging ----

  /** Begins a request. @returns {Exchange} */
  #start(method, url, options) {
    if (typeof method !== 'string') {
      throw argumentError(`the method must be a string, not ${kindOf(method)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (typeof url !== 'string') {
      throw argumentError(`the URL must be a string, not ${kindOf(url)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (this.#state !== IDLE || this.#connecting !== null) throw new CannotSendRequest(STATES[this.#state]);
    const waits = this.#waitsFor(checkSignal(options?.signal));
    const deadline = checkSeconds('deadline', options?.deadline ?? this.deadline);
    if (this.#response?.isclosed()) this.#response = null;
    if (this.#isSpent) this.#leave();
    const exchange = new Exchange(method, url, waits);
    exchange.deadline = deadline;
    return exchange;
  }

  /** Can no request go out on the channel any more? */
  get #isSpent() {
    const channel = this.#channel;
    return channel !== null && (channel.closed || (channel.transport !== null && !channel.usable));
  }

  /** Gives the channel up, to a response that is still being read if there is one. */
  #leave() {
    if (this.#response === null || this.#channel === null) this.#drop();
    else this.#handOver(this.#channel, this.#response);
  }

  #checkOpenable() {
    if (!this.auto_open && !this.#channel?.usable) throw new NotConnected('the connection is closed, and auto_open is 0');
  }

  /** Stages a request that begins on the channel, which is made when there is none. */
  #stage(exchange) {
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
    exchange.limit(exchange.deadline, (seconds, elapsed) => connection.deref()?.#expire(exchange, seconds, elapsed));
  }

  #addStep(exchange, step) {
    step(this.#channel.core);
    exchange.steps.push(step);
  }

  /** Tells the channel for whom it is. */
  #prepareChannel(channel, exchange) {
    const { on_informational, debuglevel } = this;
    const connection = diagnostics.informational.hasSubscribers ? this : null;
    const listened = on_informational !== null || debuglevel > 0 || connection !== null;
    channel.oninterim = listened ? informer(channel, on_informational, debuglevel, connection, exchange) : null;
    const { host, port } = this.#tunnel ?? this;
    if (channel.host === host && channel.port === port) return;
    channel.core.setAuthority(asciiHost(host), port, this.default_port);
    channel.host = host;
    channel.port = port;
  }

  /** Can what is staged go out at once? */
  #ready(now) {
    const channel = this.#channel;
    return (
      channel.transport !== null &&
      channel.usable &&
      this.debuglevel <= 0 &&
      this.#exchange.waits.send.signals.length === 0 &&
      !channel.transport.full &&
      this.#rested(channel, now) < PROBE_AFTER
    );
  }

  /** For how many milliseconds nothing was received; Infinity when the server said that it closes such a connection. */
  #rested(channel, now) {
    return now < channel.keptUntil ? now - channel.lastActivity : Number.POSITIVE_INFINITY;
  }

  #flush(exchange) {
    const channel = this.#channel;
    try {
      this.#departs(channel, exchange);
      flush(channel);
      this.#departed(channel, exchange);
      return DONE;
    } catch (error) {
      if (this.#isStale(channel, exchange, error)) return this.#repeat(exchange);
      return Promise.reject(this.#failed(channel, error, 'send'));
    }
  }

  /** A request goes out on a channel that is connected. */
  #departs(channel, exchange) {
    exchange.reused = channel.requests > 0;
    channel.requests++;
    channel.awaited = exchange;
    if (!exchange.repeated) this.request_count++;
  }

  /** All of a request is with the socket. */
  #departed(channel, exchange) {
    exchange.sent = performance.now();
    if (diagnostics.requestSent.hasSubscribers) {
      diagnostics.requestSent.publish({ connection: this, request: exchange, bytes_sent: channel.bytesSent });
    }
  }

  // ---- inside: connecting ----

  /** What to connect to, and how. @returns {import('../engine/opening.js').Plan} */
  #plan(waits) {
    const { source_address, lookup, create_connection, socket_path, proxy_context } = this;
    const tunnel = this.#tunnel;
    const host = asciiHost(this.host);
    const end = tunnel === null ? host : asciiHost(tunnel.host);
    const proxy =
      proxy_context === null ? undefined : { name: host, settings: settingsOf(proxy_context), onsession() {} };
    return {
      dial: {
        host,
        port: this.port,
        timeout: this.#timeout,
        limits: { lookup: waits.lookup, connect: waits.connect.seconds },
        source_address,
        signal: this.#signal,
        socket_path,
        lookup,
        create_connection,
      },
      waits,
      proxy,
      tunnel: tunnel === null ? null : { ...tunnel, host: end },
      peer: this[SECURED]?.(end),
      limits: this.#limits,
      debuglevel: this.debuglevel,
      onanswer: (response, headers) => {
        this.#tunnelResponse = response;
        this.#proxyHeaders = headers;
      },
    };
  }

  // ---- inside: sending ----

  /** Sends what is staged, and the body. */
  async #send(exchange, body) {
    let channel = this.#channel;
    let phase = 'connect';
    const { debuglevel } = this;
    const limits = exchange.waits.send;
    try {
      abortedOf(limits.signals)?.throwIfAborted();
      channel = await this.#connected(channel, exchange);
      phase = 'send';
      this.#departs(channel, exchange);
      if (debuglevel > 0) print(`send: ${reprBytes(channel.core.staged())}`);
      channel.throwIfGone();
      const { socket } = channel.transport;
      await drained(channel, limits);
      if (exchange.expect !== null) {
        flush(channel);
        await channel.awaitContinue(exchange.expect, exchange.waits.continue);
      }
      const wanted = exchange.expect === null || !channel.answered;
      socket.cork?.();
      let first;
      try {
        flush(channel);
        if (wanted && body.bytes !== null) {
          first = sendPiece(channel, body.bytes, limits, debuglevel);
          first.catch(() => {}); // awaited below, unless uncork throws
        }
      } finally {
        socket.uncork?.();
      }
      await first;
      if (body.kind === BODY_NONE || !wanted) await drained(channel, limits);
      else await sendBody(channel, body, limits, debuglevel, exchange.trailers);
      this.#departed(channel, exchange);
    } catch (error) {
      if (this.#isStale(channel, exchange, error)) {
        await this.#repeat(exchange);
        return;
      }
      throw this.#failed(channel, error, phase);
    }
  }

  /** A channel that is connected and has the staged request. */
  async #connected(channel, exchange) {
    let current = channel;
    if (current.transport !== null && !(await this.#alive(current))) {
      if (channel.abandoned) throw channel.failure();
      if (!this.auto_open) throw new NotConnected('the connection was closed by the server, and auto_open is 0');
      this.#restage(exchange);
      current = this.#channel;
    }
    if (current.closed) throw current.failure();
    if (current.transport === null) {
      this.#progress = exchange;
      try {
        await this.connect();
      } finally {
        this.#progress = null;
      }
      if (this.#channel !== current || current.transport === null) {
        throw current.error ?? new NotConnected('connect() did not set sock, or the connection was closed');
      }
    }
    return current;
  }

  /** Stages a request once more, on a channel that is not connected. */
  #restage(exchange) {
    exchange.channel = null; // it goes on
    this.#leave();
    const channel = this.#useChannel();
    this.#prepareChannel(channel, exchange);
    exchange.channel = channel;
    exchange.stage(channel.core);
  }

  /** Looks at a connection that rested: whatever came in meanwhile is seen when the event loop has turned. */
  async #alive(channel) {
    const rested = this.#rested(channel, performance.now());
    if (rested === Number.POSITIVE_INFINITY) return false;
    if (channel.usable && rested >= PROBE_AFTER) {
      await new Promise((resolve) => setImmediate(setImmediate, resolve));
    }
    return channel.usable && !channel.closed;
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
    this.#response = null;
    this.#restage(exchange);
    return this.#send(exchange, exchange.replay);
  }

  /** The time of a request has run out. */
  #expire(exchange, seconds, elapsed) {
    const { channel } = exchange;
    const connecting = this.#connecting !== null && this.#exchange === exchange;
    const phase = connecting ? exchange.phase : channel?.phaseOfWait;
    const error = new TimeoutError(phase ?? 'receive', seconds, elapsed, 'deadline');
    if (connecting) this.#connecting(error);
    else if (channel !== null && !(channel.phase === PHASE_END && exchange.accepted)) channel.abort(error);
  }

  // ---- inside: receiving ----

  /** The response whose head is in. */
  #accept(channel, exchange) {
    const { core } = channel;
    const result = core.exports.porthole_conn_accept(core.address);
    if (result !== 0) throw this.#failed(channel, core.error(result), 'receive');
    exchange.accepted = true;
    channel.noteKeepAlive();
    const { debuglevel } = this;
    const response = new this.response_class({
      channel,
      exchange,
      debuglevel,
      owner: this,
      describe: this.#describeForResponse,
    });
    if (debuglevel > 0) {
      print(`reply: ${reprText(channel.statusLine)}`);
      for (const [name, value] of response.headers.items()) print(`header: ${name}: ${value}`);
    }
    // A trailer section that is in already is read when the response ends.
    if (core.view[VIEW_TRAILER_LENGTH] === 0) core.exports.porthole_conn_release(core.address);
    if (response.will_close) this.#handOver(channel, response);
    else this.#response = response;
    if (diagnostics.responseHeaders.hasSubscribers) {
      const { status, reason } = response;
      diagnostics.responseHeaders.publish({ connection: this, request: exchange, response, status, reason });
    }
    return response;
  }

  #describeForResponse = (error, channel) => {
    const described = this.#described(error, channel);
    this.#tell(described);
    return described;
  };
}

/** Is it an error that the connection made, and not one of a caller? */
function isOurs(error) {
  return error instanceof HTTPException || error instanceof TimeoutError || typeof error?.syscall === 'string' || error?.code === 'ERR_TUNNEL';
}

/** What is done with a 1xx: it is printed and told. The channel does not hold its connection by it, unless that is told too. */
function informer(channel, callback, debuglevel, connection, request) {
  return (head) => {
    const { view } = channel.core;
    const fields = head.substring(view[VIEW_FIELDS]);
    if (debuglevel > 0) {
      print(`reply: ${reprText(head.substring(0, view[VIEW_FIELDS]))}`);
      const lines = fields.match(/[^\n]*\n/g) ?? [];
      print(`headers: [${lines.map((line) => reprBytes(Buffer.from(line, 'latin1'))).join(', ')}]`);
    }
    const response = {
      status: view[VIEW_STATUS],
      reason: channel.reasonIn(head),
      headers: new HTTPMessage(listFields(fields)),
    };
    if (connection !== null) diagnostics.informational.publish({ connection, request, ...response });
    callback?.(response);
  };
}
