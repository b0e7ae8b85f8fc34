
import {
  BODY_NONE,
  BODY_UNKNOWN,
  ENCODE_CHUNKED,
  EXPECT_CONTINUE,
  HAS_BODY,
  HAS_TRAILERS,
  IDLE,
  PHASE_HEAD,
  PHASE_TUNNEL,
  REQUEST_SENT,
  REQUEST_STARTED,
  SKIP_ACCEPT_ENCODING,
  SKIP_HOST,
} from '../../bindings/generated/abi.js';
import { isDuplex } from '../engine/dial.js';
import { Outflow, uploadEnded } from '../engine/outflow.js';
import { abortedOf, reasonOf } from '../engine/signals.js';
import {
  argumentError,
  CannotSendHeader,
  CannotSendRequest,
  coreError,
  ImproperConnectionState,
  kindOf,
  NotConnected,
  ResponseNotReady,
  stateError,
  thrownBy,
} from '../errors.js';
import { refused } from '../refusal.js';
import { describeBody } from '../request/body.js';
import { Exchange } from '../request/exchange.js';
import { checkCount, flatFields, headerName, headerText } from '../request/headers.js';
import { checkExpect, checkOptions, checkTrailers, hostAndPort, NO_OPTIONS, TAKES } from '../request/options.js';
import { print, reprBytes, reprText } from '../watch/debug.js';
import * as diagnostics from '../watch/diagnostics.js';
import { SHOWN, shown } from '../watch/shown.js';
import { HTTP_PORT } from './constants.js';
import { DONE, Requests, STATES } from './requests.js';
import { forsake, givenAway, HTTPResponse, isResponse, Source } from './response.js';
import { Settings, termsOf } from './settings.js';
import { overridesSteps, requestBySteps, sendBySteps, untilChannel } from './steps.js';

const NO_FIELDS = Object.freeze([]);
/** Stands for what is more than was announced, however much. */
const ONE_BYTE = new Uint8Array(1);

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

  #requests = new Requests(this);

  /**
   * @param {string} host a name or an address; the port can follow a colon
   * @param {number | null | object} [port]
   * @param {object} [options] see the manual
   */
  constructor(host, port = null, options = undefined) {
    super(host, port, options);
  }

  // ---- the connection ----

  /** The socket in use, or null. @returns {import('node:stream').Duplex | null} */
  get sock() {
    return this.#requests.link.lend();
  }

  /** Uses a connected Duplex; null forgets the one in use without closing it. */
  set sock(socket) {
    const given = socket !== null && socket !== undefined;
    const before = this.#requests.link.liveSocket;
    if ((given ? socket : null) === before) return;
    if (given && !isDuplex(socket)) {
      throw argumentError(`sock must be a Duplex, not ${kindOf(socket)}`, 'ERR_INVALID_ARG_TYPE');
    }
    if (before !== null) this.#giveUp(() => this.#requests.link.forget());
    else if (this.#requests.link.socket !== null) this.#requests.leave();
    if (given) this.#requests.link.bring(socket);
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
    this.#requests.link.setTunnel({ ...hostAndPort(host, port, this.default_port), headers: flatFields(headers) });
  }

  /** @returns {Record<string, string[]> | null} the headers of the proxy's answer to CONNECT */
  get_proxy_response_headers() {
    return this.#requests.link.proxyHeaders;
  }

  /** The proxy's answer to CONNECT, refused or not: `{ status, reason, headers, body }`, or null. */
  get tunnel_response() {
    return this.#requests.link.tunnelResponse;
  }

  /** What TLS agreed on, or null: `{ protocol, cipher, alpn, peer_certificate, reused }`. */
  tls_info() {
    const { security } = this.#requests.link;
    if (security === null) return null;
    const { certificate, ...info } = security;
    return { ...info, peer_certificate: certificate?.toLegacyObject() ?? null };
  }

  /**
   * Connects. Done by itself when something is sent, unless `auto_open` is 0.
   *
   * @returns {Promise<void>}
   */
  connect() {
    if (this.sock !== null) this.close();
    else if (this.#requests.link.socket !== null) this.#requests.leave();
    return this.#requests.link.connect(this.#requests.progress ?? undefined);
  }

  /** Closes the connection. Safe at any time; what is pending rejects with `NotConnected`. */
  close() {
    const error = new NotConnected('the connection was closed');
    this.#requests.held?.reject(error);
    const response = this.#requests.response;
    this.#requests.response = null;
    this.#requests.link.close(error);
    if (this.#requests.exchange !== null) {
      this.#requests.exchange.finish();
      this.#requests.exchange.channel?.uploadFailure.drop();
    }
    if (response !== null) forsake(response, error);
  }

  /**
   * Gives the socket away, after a 101 or a 2xx to CONNECT: what is said on it is no longer HTTP.
   *
   * @returns {{socket: import('node:stream').Duplex, head: Buffer}} a stream, and the bytes that were received already
   * @throws {ImproperConnectionState} when the connection is not at that point
   */
  detach() {
    if (this.#requests.response?.isclosed()) this.#requests.response = null;
    const channel = this.#requests.link.channel;
    const switched = channel?.phase === PHASE_TUNNEL && this.#requests.state === IDLE;
    const inTunnel = this.#requests.link.tunnel !== null && this.#requests.state === IDLE && this.#requests.response === null && channel?.usable;
    if (channel === null || channel.transport === null || channel.failed || !(switched || inTunnel)) {
      throw new ImproperConnectionState('there is nothing to detach: it takes a response of 101, or a tunnel at rest');
    }
    return this.#giveUp(() => this.#requests.link.giveAway(channel));
  }

  /** Gives up the socket in use, with whatever is under way on it. */
  #giveUp(give) {
    const { response, exchange } = this.#requests;
    this.#requests.response = null;
    exchange?.finish();
    const given = give();
    if (response !== null) givenAway(response);
    return given;
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }

  /** What console.log shows. */
  [SHOWN](depth, options, inspect) {
    const state = () => {
      const { link, response } = this.#requests;
      const { host, port, timeout, request_count } = this;
      const { tunnel } = link;
      return {
        host,
        port,
        state: STATES[this.#requests.state],
        connected: this.sock !== null,
        ...(tunnel === null ? {} : { tunnel: { host: tunnel.host, port: tunnel.port } }),
        ...(link.security === null ? {} : { tls: link.security.protocol }),
        ...(response === null || response.isclosed() ? {} : { response }),
        timeout,
        request_count,
      };
    };
    return shown(this, state, depth, options, inspect);
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
      const fields = headers === NO_OPTIONS ? NO_FIELDS : flatFields(headers);
      const given = checkOptions('request', options);
      this.#requests.checkOpenable();
      const exchange = this.#requests.begin(method, url, given);
      exchange.fields = fields;
      if (given !== NO_OPTIONS) this.#optionsOfRequest(exchange, given);
      if (overridesSteps(this, HTTPConnection)) {
        return this.#requests.guarded(described, () => this.#bySteps(exchange, body, described, given));
      }
      if (described.prepare !== null || this.#requests.uploading) {
        return this.#requests.guarded(described, () => this.#requests.later(exchange, described, () => this.#go(exchange, described, given)));
      }
      return this.#go(exchange, described, given);
    } catch (error) {
      described?.discard(error);
      return Promise.reject(error);
    }
  }

  /** Stages a request, and sends it. */
  #go(exchange, body, options) {
    if (body.repeatable) exchange.replay = body;
    exchange.kind = body.kind;
    exchange.size = body.size;
    exchange.flags = flagsOf(exchange, body, options);
    this.#checkTrailers(exchange);
    this.#requests.stage(exchange);
    return this.#requests.dispatch(exchange, body);
  }

  /** Takes the options of a request into account. */
  #optionsOfRequest(exchange, { expect_continue, trailers }) {
    exchange.expect = checkExpect(expect_continue);
    exchange.trailers = checkTrailers(trailers);
    if (exchange.trailers !== null && typeof exchange.trailers !== 'function') {
      exchange.trailers = flatFields(exchange.trailers);
    }
  }

  #checkTrailers({ trailers }) {
    if (trailers === null || typeof trailers === 'function') return;
    const { core } = this.#requests.link.use();
    const error = core.checkTrailers(trailers);
    if (error !== 0) throw refused(error, { headers: trailers, index: core.refused, limit: core.limit });
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
    const exchange = this.#requests.stepping ?? this.#requests.begin(method, url, NO_OPTIONS);
    if (this.#requests.uploading) throw stateError(CannotSendRequest, 'Request-sent', 'the body before is being sent: read the response');
    exchange.method = method;
    exchange.url = url;
    const overridden = this.putheader !== HTTPConnection.prototype.putheader;
    const fields = overridden ? this.#requests.addedFields(exchange, flags) : NO_FIELDS;
    exchange.steps = [
      (core) => {
        const error = core.putrequest(method, url, overridden ? SKIP_HOST | SKIP_ACCEPT_ENCODING : flags);
        if (error !== 0) throw exchange.refusal(error, core, NO_FIELDS);
      },
    ];
    this.#requests.stage(exchange);
    for (let i = 0; i < fields.length; i += 2) this.putheader(fields[i], fields[i + 1]);
  }

  /**
   * Adds a header. Several values become one header with continuation lines.
   *
   * @param {string} name
   * @param {...unknown} values
   */
  putheader(name, ...values) {
    if (this.#requests.state !== REQUEST_STARTED) throw stateError(CannotSendHeader, STATES[this.#requests.state]);
    const text = headerName(name);
    checkCount(values.length, 'values of one header', 'make one of some of them');
    const texts = values.map((value) => headerText(value, text));
    const exchange = this.#requests.exchange;
    this.#requests.addStep(exchange, (core) => {
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
    const exchange = this.#requests.exchange;
    const stepping = this.#requests.stepping;
    let described = null;
    try {
      const given = checkOptions('endheaders', options);
      if (this.#requests.state !== REQUEST_STARTED) throw stateError(CannotSendHeader, STATES[this.#requests.state]);
      described = stepping !== null && stepping.given === message_body ? stepping.body : describeBody(message_body, this.blocksize);
      this.#requests.checkOpenable();
      this.#requests.stepping = null;
      const go = () => this.#endHeaders(exchange, described, given);
      if (described.prepare === null || stepping !== null) return go();
      return this.#requests.guarded(described, () => this.#requests.later(exchange, described, go));
    } catch (error) {
      described?.discard(error);
      return Promise.reject(error);
    }
  }

  #endHeaders(exchange, body, { encode_chunked }) {
    if (this.#requests.link.isSpent) this.#requests.restage(exchange); // the server has ended it, or spoke unasked
    const flags = (encode_chunked ? ENCODE_CHUNKED : 0) | (body.kind === BODY_NONE ? 0 : HAS_BODY) | (exchange.trailers === null ? 0 : HAS_TRAILERS);
    this.#requests.addStep(exchange, (core) => {
      const error = core.endheaders(body.kind, body.size, flags);
      if (error !== 0) throw exchange.refusal(error, core, NO_FIELDS);
    });
    exchange.byHand = body.kind === BODY_NONE && exchange.channel.core.uploading;
    if (this.send !== HTTPConnection.prototype.send) return this.#requests.queued(this.#sendSteps(exchange, body));
    if (body.repeatable) exchange.replay = body;
    return this.#requests.dispatch(exchange, body);
  }

  /** request() by the steps that a subclass overrides, in CPython's order. */
  async #bySteps(exchange, body, described, options) {
    const requests = this.#requests;
    const go = async () => {
      requests.stepping = Object.assign(exchange, { given: null, body: described });
      let over = false;
      try {
        const steps = requestBySteps(this, exchange, body, described, options);
        await (exchange.channel === null ? steps : Promise.race([steps, untilChannel(exchange, () => over || undefined)]));
      } catch (error) {
        const { channel } = exchange;
        if (channel === null || channel.closed || !channel.abandoned) throw error;
        throw requests.failed(channel, error, 'send', true);
      } finally {
        over = true;
        exchange.channel?.waiting.wake();
        if (requests.stepping === exchange) requests.stepping = null;
      }
    };
    if (described.prepare !== null || requests.uploading) return requests.later(exchange, described, go);
    return go();
  }

  /**
   * Sends what is staged, and the body, by an overridden send().
   *
   * @returns {Promise<void>} as `request` does: when all is sent, or the server has answered before
   */
  #sendSteps(exchange, body) {
    const requests = this.#requests;
    const upload = { over: false };
    exchange.replay = null;
    exchange.outflow = upload;
    requests.framing = exchange;
    requests.departs(exchange.channel, exchange); // when, is the subclass's to say
    return new Promise((resolve, reject) => {
      let headSent = false;
      let answered = false;
      const over = (error) => {
        if (upload.over) return;
        const { channel } = exchange;
        upload.over = true;
        if (requests.framing === exchange) requests.framing = null;
        if (error === null && exchange.excess > 0 && !channel.closed) channel.core.sentRaw(ONE_BYTE);
        if (error === null) requests.departed(channel, exchange);
        else body.discard(error);
        uploadEnded(channel, { error, answered, foreign: true }, resolve, (reason) => reject(requests.failed(channel, reason, 'send', true)));
      };
      const fail = (reason) => over(thrownBy('send()', reason));
      const settled = () => (upload.over || (headSent && exchange.channel.answered) ? true : undefined);
      untilChannel(exchange, settled).then(() => {
        answered ||= !upload.over;
        resolve();
      }, fail);
      const onhead = () => {
        headSent = true;
        exchange.channel.waiting.wake();
      };
      sendBySteps(this, exchange, body, { onhand: (bytes) => requests.handing(exchange, bytes), onhead }).then(() => over(null), fail);
    });
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
    if (this.#requests.isOver(data)) throw new NotConnected('the request that it was for is over');
    if (this.#requests.framing !== null) return this.#sendFramed(this.#requests.framing, body);
    const requests = this.#requests;
    const { held } = requests;
    let over = () => {};
    try {
      if (held !== null) await held.done.catch(() => {}); // the request before it isn't begun yet
      const before = requests.sending;
      requests.sending = new Promise((resolve) => {
        over = resolve;
      });
      const whose = held === null ? requests.addressee : held.exchange;
      const check = requests.stillFor(whose);
      if (before !== null) await before.catch(() => {}); // its error was told
      check();
      if (whose !== null && requests.uploading) await requests.uploaded(whose.seconds('send'));
      await body.prepare?.();
      check();
      const channel = await requests.channelFor(whose);
      check();
      if (channel === null) body.discard();
      else await this.#sendRaw(data, body, whose, channel);
    } catch (error) {
      body.discard(error);
      throw error;
    } finally {
      over();
    }
  }

  async #sendRaw(data, body, begun, channel) {
    const exchange = begun ?? new Exchange('', '', termsOf(this), null);
    exchange.replay = null;
    if (this.debuglevel > 0) printSent(data, body);
    const outflow = new Outflow(channel, { body, raw: true, exchange });
    try {
      await outflow.run();
    } catch (error) {
      throw outflow.overtaken ? error : this.#requests.failed(channel, error, 'send');
    }
  }

  /** What an overridden send() hands on: framed already, and accounted for. */
  async #sendFramed(exchange, body) {
    let { channel } = exchange;
    if (!channel.wasSent) channel = await this.#requests.connected(exchange);
    else if (channel.stopped) return body.discard(); // nobody wants it any more
    else if (channel.closed || channel.failed) throw channel.failure(); // on another connection it would be taken for a request
    channel.core.takeStaged(); // the head, which is in what was handed out
    if (exchange.sentOn !== channel) this.#requests.departs(channel, exchange);
    if (this.debuglevel > 0) printSent(body.bytes, body);
    const outflow = new Outflow(channel, { body, raw: true, counted: false, exchange });
    await outflow.run();
    exchange.excess += outflow.sent;
  }

  // ---- responses ----

  /**
   * Waits for the response to the request that was sent.
   *
   * @returns {Promise<HTTPResponse>} when its head is in
   */
  getresponse() {
    const { held } = this.#requests;
    if (held !== null) {
      const again = () => this.getresponse(); // when it failed its error was told already
      return held.done.then(again, again);
    }
    const channel = this.#requests.link.channel;
    const exchange = this.#requests.exchange;
    if (this.#requests.response?.isclosed()) this.#requests.response = null;
    if (channel === null || this.#requests.state !== REQUEST_SENT || this.#requests.response !== null || exchange.receiving) {
      return Promise.reject(stateError(ResponseNotReady, STATES[this.#requests.state]));
    }
    exchange.receiving = true;
    return this.#receive(exchange);
  }

  /** Waits for the response to a request, wherever that was sent. @returns {Promise<HTTPResponse>} */
  #receive(exchange) {
    const { channel } = exchange;
    const step = () => {
      if (exchange.channel !== channel) return DONE.then(() => this.#receive(exchange)); // it was staged again, on another one
      if (exchange.informing > 0 && !channel.failed) return undefined; // callbacks that were told of a 1xx have the say
      const out = exchange.sentOn === channel; // else what is there can't be its answer
      if (out && channel.phase > PHASE_HEAD && !channel.abandoned) return this.#accept(channel, exchange);
      if (!channel.failed) return undefined;
      if (!out && !channel.abandoned && !channel.closed) return undefined; // who sends it sees to that
      const error = channel.failure();
      if (!this.#requests.isStale(channel, exchange, error)) throw this.#requests.failed(channel, error, 'receive');
      return DONE.then(() => this.#again(exchange)); // not in the middle of what has woken this
    };
    try {
      const aborted = abortedOf(exchange.signals);
      if (aborted !== undefined) throw this.#requests.failed(channel, reasonOf(aborted), 'receive');
      const response = step();
      if (response !== undefined) return Promise.resolve(response);
    } catch (error) {
      return Promise.reject(error);
    }
    return channel.waiting.until('receive', exchange.seconds('headers'), exchange.signals, step);
  }

  /** The response to a request that met a stale connection: it goes out once more. */
  async #again(exchange) {
    await this.#requests.repeat(exchange);
    return this.#receive(exchange);
  }

  /** @throws {TypeError} for a response_class that is none, or whose responses are not ours to read and to close */
  #makeResponse(channel, exchange) {
    const { response_class } = this;
    const source = new Source(this.#requests, this, channel, exchange);
    if (response_class === HTTPResponse) return new HTTPResponse(source);
    const given = typeof response_class === 'function' ? new response_class(source) : response_class;
    if (isResponse(given)) return given;
    throw argumentError(`response_class must be HTTPResponse or a class that extends it, and ${typeof response_class === 'function' ? 'made' : 'is'} ${kindOf(given)}`, 'ERR_INVALID_ARG_TYPE');
  }

  /** The response whose head is in. */
  #accept(channel, exchange) {
    const { core } = channel;
    const error = core.accept();
    if (error !== 0) throw this.#requests.failed(channel, coreError(error), 'receive');
    channel.noteKeepAlive();
    const { debuglevel } = this;
    let response;
    try {
      response = this.#makeResponse(channel, exchange);
    } catch (given) {
      const reason = thrownBy('response_class', given);
      exchange.finish();
      channel.failForeign(reason); // who waits is told this, and not that the connection was closed
      channel.close();
      if (this.#requests.link.channel === channel) this.#requests.link.channel = null;
      throw reason;
    }
    if (!channel.closed) { // by its class
      if (debuglevel > 0) {
        print(`reply: ${reprText(core.head.substring(0, core.fieldsAt))}`);
        for (const [name, value] of response.headers.items()) print(`header: ${name}: ${value}`);
      }
      // A trailer section that is in already is read when the response ends.
      if (!core.hasTrailer) core.release();
      if (core.willClose) this.#requests.link.channel = null; // the response's alone
      else this.#requests.response = response;
    }
    if (diagnostics.responseHeaders.hasSubscribers) {
      const { status, reason } = response;
      diagnostics.tell(diagnostics.responseHeaders, { connection: this, request: exchange, response, status, reason });
    }
    return response;
  }
}

/** What the core has to know of a request's options. */
function flagsOf({ expect, trailers }, body, options) {
  if (options === NO_OPTIONS) return 0;
  const { encode_chunked } = options;
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
