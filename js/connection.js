// SPDX-License-Identifier: MIT
//
// HTTPConnection: Python's http.client.HTTPConnection over Node's sockets.

import { domainToASCII } from 'node:url';
import { Transport } from '../bindings/node/transport.js';
import { describeBody } from './body.js';
import { Channel } from './channel.js';
import { HTTP_PORT } from './constants.js';
import { listFields, splitHost } from './core.js';
import { print, reprBytes, reprText } from './debug.js';
import { isDuplex, open } from './dial.js';
import {
  argumentError,
  CannotSendHeader,
  CannotSendRequest,
  coreError,
  HTTPException,
  ImproperConnectionState,
  InvalidURL,
  NotConnected,
  ResponseNotReady,
  TimeoutError,
  TunnelError,
} from './errors.js';
import {
  BODY_NONE,
  ENCODE_CHUNKED,
  HAS_BODY,
  IDLE,
  PHASE_HEAD,
  PHASE_TUNNEL,
  REQUEST_SENT,
  REQUEST_STARTED,
  SKIP_ACCEPT_ENCODING,
  SKIP_HOST,
  VIEW_FIELDS,
  VIEW_RAW_LENGTH,
  VIEW_STATE,
  VIEW_STATUS,
} from './generated/abi.js';
import { BAD_PORT, UNSOLICITED } from './generated/errors.js';
import { flatHeaders, headerName, headerText, kindOf } from './headers.js';
import { HTTPMessage } from './message.js';
import { HTTPResponse } from './response.js';
import { drained, eachPiece, flush, sendBody, sendPiece, sendRaw } from './upload.js';

const DONE = Promise.resolve();
const STATES = ['Idle', 'Request-started', 'Request-sent'];
/** A kept-alive connection that rested longer than this many milliseconds is looked at before it is used again. */
const PROBE_AFTER = 5;
const ascii = /^[\0-\x7f]*$/;

/** Closes what belongs to connections that nobody holds any more. */
const abandoned = new FinalizationRegistry((held) => held.channel?.close());

/** A host as it goes on the wire: IDNA (UTS 46). */
function asciiHost(host) {
  if (ascii.test(host)) return host;
  const encoded = domainToASCII(host);
  if (encoded === '') throw new InvalidURL(`the host is no name that IDNA can encode: ${JSON.stringify(host)}`);
  return encoded;
}

/** Splits what was given as a host, and checks it and its port. @returns {{host: string, port: number}} */
function hostAndPort(host, port, defaultPort) {
  if (typeof host !== 'string') {
    throw argumentError(`the host must be a string, not ${kindOf(host)}`, 'ERR_INVALID_ARG_TYPE');
  }
  const given = port !== null && port !== undefined;
  const split = splitHost(host, given);
  const encoded = asciiHost(split.host);
  if (encoded !== split.host) splitHost(encoded, true);
  if (!given) return { host: split.host, port: split.port ?? defaultPort };
  const number = typeof port === 'number' || (typeof port === 'string' && /^\d+$/.test(port)) ? Number(port) : Number.NaN;
  if (!Number.isInteger(number) || number < 0 || number > 65535) {
    throw coreError(BAD_PORT, { subject: typeof port === 'object' ? kindOf(port) : JSON.stringify(port) ?? String(port) });
  }
  return { host: split.host, port: number };
}

function checkSeconds(name, value) {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'number') {
    throw argumentError(`${name} must be a number of seconds or null, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (!(value > 0)) throw argumentError(`${name} must be above 0 seconds, not ${value}: null means no limit`);
  return value === Infinity ? null : value;
}

function checkFunction(name, value) {
  if (value === null || value === undefined || typeof value === 'function') return value ?? null;
  throw argumentError(`${name} must be a function, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}

function checkCount(name, value, minimum) {
  if (typeof value !== 'number') {
    throw argumentError(`${name} must be a number, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw argumentError(`${name} must be a whole number from ${minimum}, not ${value}`);
  }
  return value;
}

function checkSourceAddress(value) {
  if (value === null || value === undefined) return null;
  if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== 'string' || !Number.isInteger(value[1])) {
    throw argumentError('source_address must be [host, port], with port 0 for any', 'ERR_INVALID_ARG_TYPE');
  }
  return value;
}

function checkSignal(value) {
  if (value === null || value === undefined || typeof value.addEventListener === 'function') return value ?? null;
  throw argumentError(`signal must be an AbortSignal, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}

/** A connection to a server, over which requests are made one after the other. */
export class HTTPConnection {
  /** The port that Host leaves out, and that is used when none is given. */
  static default_port = HTTP_PORT;

  #channel = null;
  #held = { channel: null };
  #steps = []; // what was staged, to be done again on another channel
  #response = null; // the last one, as long as it can be open
  #connecting = null; // how to end an attempt to connect
  #method = '';
  #url = '';
  #tunnel = null;
  #proxyHeaders = null;
  #currentLimits = { seconds: null, signal: null };

  /**
   * @param {string} host a name or an address; the port can follow a colon
   * @param {number | null | object} [port]
   * @param {object} [options] see the manual
   */
  constructor(host, port = null, options = undefined) {
    const settings = options ?? (port !== null && typeof port === 'object' ? port : {});
    const number = settings === port ? null : port;
    if (settings === null || typeof settings !== 'object') {
      throw argumentError(`options must be an object, not ${kindOf(settings)}`, 'ERR_INVALID_ARG_TYPE');
    }
    this.default_port = new.target.default_port ?? HTTP_PORT;
    const split = hostAndPort(host, number, this.default_port);
    this.host = split.host;
    this.port = split.port;
    this.timeout = checkSeconds('timeout', settings.timeout);
    this.source_address = checkSourceAddress(settings.source_address);
    this.blocksize = checkCount('blocksize', settings.blocksize ?? 16384, 1);
    this.max_response_headers = checkCount('max_response_headers', settings.max_response_headers ?? 100, 0);
    this.signal = checkSignal(settings.signal);
    this.create_connection = checkFunction('create_connection', settings.create_connection);
    this.lookup = checkFunction('lookup', settings.lookup);
    this.on_informational = checkFunction('on_informational', settings.on_informational);
    this.debuglevel = 0;
    this.auto_open = 1;
    this.response_class = HTTPResponse;
    abandoned.register(this, this.#held);
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
    this.#proxyHeaders = null;
  }

  /** @returns {Record<string, string[]> | null} the headers of the proxy's answer to CONNECT */
  get_proxy_response_headers() {
    return this.#proxyHeaders;
  }

  /**
   * Connects. Done by itself when something is sent, unless `auto_open` is 0.
   *
   * @returns {Promise<void>}
   */
  async connect() {
    if (this.sock !== null) this.close();
    let transport;
    try {
      transport = await this.#open();
      if (this.#tunnel !== null) await this.#connectTunnel(transport);
    } catch (error) {
      transport?.destroy();
      throw this.#described(error, null, 'connect');
    }
    this.#attach(transport);
  }

  /** Closes the connection. Safe at any time; what is pending rejects with `NotConnected`. */
  close() {
    this.#connecting?.(new NotConnected('the connection was closed'));
    const response = this.#response;
    this.#response = null;
    this.#drop();
    response?.close();
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
   * @param {{encode_chunked?: boolean}} [options]
   * @returns {Promise<void>} when everything is handed to the socket, or the server has answered
   */
  request(method, url, body = null, headers = {}, options = {}) {
    let described;
    try {
      described = describeBody(body, this.blocksize);
      const flags = options?.encode_chunked ? ENCODE_CHUNKED : 0;
      const fields = flatHeaders(headers);
      this.#start(method, url);
      this.#stage((core) => core.request(method, url, fields, described.kind, described.size, flags));
    } catch (error) {
      return Promise.reject(error);
    }
    if (described.kind === BODY_NONE && this.#ready()) return this.#flush();
    return this.#send(described);
  }

  /**
   * Begins a request: the first of the three steps that `request` is made of.
   *
   * @param {string} method
   * @param {string} url
   * @param {{skip_host?: boolean, skip_accept_encoding?: boolean}} [options]
   */
  putrequest(method, url, options = {}) {
    const flags = (options?.skip_host ? SKIP_HOST : 0) | (options?.skip_accept_encoding ? SKIP_ACCEPT_ENCODING : 0);
    this.#start(method, url);
    this.#stage((core) => core.putrequest(method, url, flags));
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
    this.#addStep((core) => core.putheader(text, texts));
  }

  /**
   * Ends the headers and sends them, with the body if there is one.
   *
   * @param {unknown} [message_body]
   * @param {{encode_chunked?: boolean}} [options]
   * @returns {Promise<void>}
   */
  endheaders(message_body = null, options = {}) {
    let described;
    try {
      if (this.#state !== REQUEST_STARTED) throw new CannotSendHeader(STATES[this.#state]);
      described = describeBody(message_body, this.blocksize);
      this.#checkOpenable();
      const flags = (options?.encode_chunked ? ENCODE_CHUNKED : 0) | (described.kind === BODY_NONE ? 0 : HAS_BODY);
      this.#addStep((core) => core.endheaders(described.kind, described.size, flags));
    } catch (error) {
      return Promise.reject(error);
    }
    if (described.kind === BODY_NONE && this.#ready()) return this.#flush();
    return this.#send(described);
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
    if (this.sock === null) {
      this.#checkOpenable();
      await this.connect();
    }
    const channel = this.#channel;
    try {
      if (this.debuglevel > 0) this.#printSent(data, body);
      if (body.bytes !== null) await sendRaw(channel, body.bytes, this.#limits());
      else await eachPiece(channel, body, this.#limits(), (piece) => sendRaw(channel, piece, this.#limits()));
    } catch (error) {
      throw this.#failed(channel, error);
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
    const step = () => {
      if (channel.phase > PHASE_HEAD && !channel.closed) return this.#accept(channel);
      if (channel.failed) throw this.#failed(channel, channel.failure());
      return undefined;
    };
    try {
      if (this.signal?.aborted) throw this.#failed(channel, this.signal.reason);
      const response = step();
      if (response !== undefined) return Promise.resolve(response);
    } catch (error) {
      return Promise.reject(error);
    }
    return channel.receiving(this.#limits(), step);
  }

  // ---- inside: channels ----

  get #state() {
    return this.#channel === null || this.#channel.closed ? IDLE : this.#channel.core.view[VIEW_STATE];
  }

  /** How long an operation may wait, and what can abort it. */
  #limits = () => {
    if (this.#currentLimits.seconds !== this.timeout || this.#currentLimits.signal !== this.signal) {
      this.#currentLimits = { seconds: this.timeout, signal: this.signal };
    }
    return this.#currentLimits;
  };

  #attach(transport) {
    if (this.#channel === null) this.#use(new Channel(this.#coreLimits()));
    this.#channel.attach(transport);
  }

  #coreLimits() {
    return this.max_response_headers === 100 ? null : { headers: this.max_response_headers };
  }

  #use(channel) {
    this.#channel = channel;
    this.#held.channel = channel;
  }

  /** Closes the channel. */
  #drop() {
    const channel = this.#channel;
    this.#channel = null;
    this.#held.channel = null;
    this.#steps = [];
    channel?.close();
  }

  /** Gives the channel up to whoever has its socket. */
  #release() {
    const channel = this.#channel;
    this.#channel = null;
    this.#held.channel = null;
    this.#steps = [];
    channel.detach().release(() => channel.close());
  }

  /** Leaves the channel to its response. */
  #handOver(channel, response) {
    const held = { channel };
    abandoned.register(response, held);
    this.#channel = null;
    this.#held.channel = null;
  }

  /** Closes the channel after an error. @returns the error, described */
  #failed(channel, error, phase) {
    const described = this.#described(error, channel, phase);
    if (this.#channel === channel) {
      this.#response = null;
      this.#drop();
    } else {
      channel.close();
    }
    return described;
  }

  /**
   * Adds what is known of the connection to an error of an operation. Errors of a caller's own making (a signal's reason,
   * what a body source threw, refused arguments) stay as they are.
   */
  #described(error, channel, phase = error?.phase) {
    const ours = error instanceof HTTPException || error instanceof TimeoutError || error instanceof TunnelError;
    if (error === this.signal?.reason || !(ours || typeof error?.syscall === 'string' || error === channel?.error)) {
      return error;
    }
    if (typeof error !== 'object' || !Object.isExtensible(error) || error.retry_safe !== undefined) return error;
    const sent = channel === null ? 0 : channel.bytesSent;
    const answered = channel !== null && !channel.closed && channel.phase > PHASE_HEAD;
    error.phase ??= phase ?? 'receive';
    error.host ??= this.host;
    error.port ??= this.port;
    error.bytes_sent = sent;
    error.bytes_received = channel === null ? 0 : channel.bytesReceived;
    error.retry_safe = sent === 0 ? 'yes' : answered ? 'no' : 'unknown';
    return error;
  }

  // ---- inside: staging ----

  #start(method, url) {
    if (typeof method !== 'string') {
      throw argumentError(`the method must be a string, not ${kindOf(method)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (typeof url !== 'string') {
      throw argumentError(`the URL must be a string, not ${kindOf(url)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (this.#state !== IDLE || this.#connecting !== null) throw new CannotSendRequest(STATES[this.#state]);
    this.#checkOpenable();
    if (this.#response?.isclosed()) this.#response = null;
    const channel = this.#channel;
    if (channel !== null && (channel.closed || (channel.transport !== null && !channel.usable))) {
      if (this.#response === null) this.#drop();
      else this.#handOver(channel, this.#response);
    }
    this.#channel?.beginRequest();
    this.#steps = [];
    this.#method = method;
    this.#url = url;
  }

  #checkOpenable() {
    if (!this.auto_open && this.sock === null) throw new NotConnected('the connection is closed, and auto_open is 0');
  }

  /** Does the first step of a request on the channel, which is made when there is none. */
  #stage(step) {
    if (this.#channel === null) this.#use(new Channel(this.#coreLimits()));
    const channel = this.#channel;
    const { on_informational, debuglevel } = this;
    channel.oninterim =
      on_informational !== null || debuglevel > 0 ? informer(on_informational, debuglevel, channel) : null;
    this.#setAuthority(channel);
    this.#addStep(step);
  }

  #addStep(step) {
    step(this.#channel.core);
    this.#steps.push(step);
  }

  #setAuthority(channel) {
    const { host, port } = this.#tunnel ?? this;
    if (channel.host === host && channel.port === port) return;
    channel.core.setAuthority(asciiHost(host), port, this.default_port);
    channel.host = host;
    channel.port = port;
  }

  /** Can what is staged go out at once? */
  #ready() {
    const channel = this.#channel;
    return (
      channel.transport !== null &&
      channel.usable &&
      this.debuglevel <= 0 &&
      this.signal === null &&
      !channel.transport.full &&
      performance.now() - channel.lastActivity < PROBE_AFTER
    );
  }

  #flush() {
    const channel = this.#channel;
    try {
      flush(channel);
      return DONE;
    } catch (error) {
      return Promise.reject(this.#failed(channel, error));
    }
  }

  // ---- inside: connecting ----

  #open() {
    const { port, timeout, source_address, signal, lookup, create_connection } = this;
    const dial = { host: asciiHost(this.host), port, timeout, source_address, signal, lookup, create_connection };
    return open(dial, (cancel) => {
      this.#connecting = cancel;
    });
  }

  /** Asks the proxy for a tunnel. */
  async #connectTunnel(transport) {
    const { host, port, headers } = this.#tunnel;
    const channel = new Channel(this.#coreLimits());
    this.#connecting = (error) => channel.fail(error);
    try {
      channel.core.tunnel(asciiHost(host), port, headers);
      if (this.debuglevel > 0) print(`send: ${reprBytes(channel.core.staged())}`);
      transport.passing = true; // on to the channel of what is asked inside
      channel.attach(transport);
      channel.flush();
      const step = () => {
        if (channel.phase > PHASE_HEAD) return true;
        if (channel.failed) throw channel.failure();
        return undefined;
      };
      if (step() === undefined) await channel.receiving(this.#limits(), step);
      this.#readTunnelHead(channel);
    } finally {
      this.#connecting = null;
      if (channel.transport !== null) channel.detach();
      transport.passing = false;
      channel.close();
    }
  }

  #readTunnelHead(channel) {
    const { view } = channel.core;
    const head = channel.takeHead();
    const status = view[VIEW_STATUS];
    const reason = channel.reasonIn(head);
    const fields = listFields(head.substring(view[VIEW_FIELDS]));
    this.#proxyHeaders = {};
    for (let i = 0; i < fields.length; i += 2) {
      if (!Object.hasOwn(this.#proxyHeaders, fields[i])) {
        Object.defineProperty(this.#proxyHeaders, fields[i], {
          value: [],
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      this.#proxyHeaders[fields[i]].push(fields[i + 1]);
    }
    if (this.debuglevel > 0) {
      for (let i = 0; i < fields.length; i += 2) print(`header: ${fields[i]}: ${fields[i + 1]}`);
    }
    if (channel.phase !== PHASE_TUNNEL) throw new TunnelError(status, reason);
    if (view[VIEW_RAW_LENGTH] > 0) throw coreError(UNSOLICITED);
  }

  // ---- inside: sending ----

  /** Sends what is staged, and the body. */
  async #send(body) {
    let channel = this.#channel;
    const { debuglevel } = this;
    try {
      this.signal?.throwIfAborted();
      channel = await this.#connected(channel);
      if (debuglevel > 0) print(`send: ${reprBytes(channel.core.staged())}`);
      const { socket } = channel.transport;
      await drained(channel, this.#limits());
      socket.cork?.();
      let first;
      try {
        flush(channel);
        if (body.bytes !== null) first = sendPiece(channel, body.bytes, this.#limits(), debuglevel);
      } finally {
        socket.uncork?.();
      }
      await first;
      if (body.kind === BODY_NONE) await drained(channel, this.#limits());
      else await sendBody(channel, body, this.#limits(), debuglevel, []);
    } catch (error) {
      throw this.#failed(channel, error, 'send');
    }
  }

  /** A channel that is connected and has the staged request. */
  async #connected(channel) {
    let current = channel;
    if (current.transport !== null && !(await this.#alive(current))) {
      const steps = this.#steps;
      this.#drop();
      current = new Channel(this.#coreLimits());
      this.#use(current);
      this.#setAuthority(current);
      current.oninterim = channel.oninterim;
      for (const step of steps) this.#addStep(step);
    }
    if (current.transport === null) {
      await this.connect();
      if (this.#channel !== current || current.transport === null) {
        throw new NotConnected('connect() did not set sock, or the connection was closed');
      }
    }
    return current;
  }

  /** Looks at a connection that rested: whatever came in meanwhile is seen when the event loop has turned. */
  async #alive(channel) {
    if (channel.usable && performance.now() - channel.lastActivity >= PROBE_AFTER) {
      await new Promise((resolve) => setImmediate(setImmediate, resolve));
    }
    return channel.usable && !channel.closed;
  }

  // ---- inside: receiving ----

  /** The response whose head is in. */
  #accept(channel) {
    const { core } = channel;
    const result = core.exports.porthole_conn_accept(core.address);
    if (result !== 0) throw this.#failed(channel, core.error(result));
    const response = new this.response_class({
      channel,
      limits: this.#limits,
      method: this.#method,
      url: this.#url,
      debuglevel: this.debuglevel,
      owner: this,
    });
    if (this.debuglevel > 0) {
      print(`reply: ${reprText(channel.statusLine)}`);
      for (const [name, value] of response.headers.items()) print(`header: ${name}: ${value}`);
    }
    core.exports.porthole_conn_release(core.address);
    if (response.will_close) this.#handOver(channel, response);
    else this.#response = response;
    return response;
  }
}

/** What is done with a 1xx: the callback is told, and it is printed. */
function informer(callback, debuglevel, channel) {
  return (head) => {
    const { view } = channel.core;
    const fields = listFields(head.substring(view[VIEW_FIELDS]));
    if (debuglevel > 0) {
      print(`reply: ${reprText(head.substring(0, view[VIEW_FIELDS]))}`);
      const lines = head.substring(view[VIEW_FIELDS]).match(/[^\n]*\n/g) ?? [];
      print(`headers: [${lines.map((line) => reprBytes(Buffer.from(line, 'latin1'))).join(', ')}]`);
    }
    callback?.({
      status: view[VIEW_STATUS],
      reason: channel.reasonIn(head),
      headers: new HTTPMessage(fields),
    });
  };
}
