// SPDX-License-Identifier: MIT
//
// What the contract says of one connection: in which state it is, and which errors an operation may have. Where the
// contract is silent, or where what happened depends on time, all that is reasonable is allowed.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import {
  BadStatusLine,
  CannotSendHeader,
  CannotSendRequest,
  HTTPException,
  ImproperConnectionState,
  IncompleteRead,
  NotConnected,
  RemoteDisconnected,
  ResponseNotReady,
  TimeoutError,
} from '../../js/index.js';
import { Label } from './labels.mjs';
import { Starved } from './sources.mjs';

const PHASES = ['lookup', 'connect', 'tls', 'send', 'continue', 'receive'];
/** For so many milliseconds after the peer ended a connection, a request may not have seen it, … */
const STALE_FOR = 25;
/** … and as much longer as the event loop, which both share, has stood still at most. */
const delays = monitorEventLoopDelay({ resolution: 5 });
delays.enable();

/** Is it an end or a reset of the connection? */
function isNetwork(error) {
  return (
    error instanceof IncompleteRead || error instanceof BadStatusLine || ['ECONNRESET', 'EPIPE', 'ECONNABORTED'].includes(error?.code)
  );
}

function isState(error) {
  return error instanceof CannotSendRequest || error instanceof CannotSendHeader || error instanceof ResponseNotReady;
}

/** Is it a fault of the code, whatever was done? */
function isInternal(error) {
  if (!(error instanceof Error)) return true;
  if (error instanceof Starved) return true;
  const code = String(error.code ?? '');
  if (/ERR_HTTP_HOST_FAULT|ERR_HTTP_REENTRY|ERR_INTERNAL|ERR_STREAM|ERR_INVALID_STATE|ERR_SOCKET/.test(code)) return true;
  if (error instanceof TypeError) return !code.startsWith('ERR_INVALID_');
  return error instanceof RangeError || error instanceof ReferenceError || error instanceof EvalError;
}

export function textOf(error) {
  if (!(error instanceof Error)) return String(error);
  const where = isInternal(error) ? ` ${String(error.stack).split('\n').slice(1, 4).map((line) => line.trim()).join(' ')}` : '';
  return `${error.name}${error.code === undefined ? '' : ` ${error.code}`}: ${error.message}${where}`;
}

/** A request, as it was meant. */
export class Request {
  seen = null;
  head = null;
  answer = null;
  reading = null; // once there is a response
  response = null;
  overlong = false; // more is sent by hand than was announced
  short = false; // or less
  unsent = false; // more is to be sent by hand
  over = false; // nothing is waited for any more
  begun = performance.now();
  /** What happened to it beside its script. */
  events = { closed: false, broken: false, aborted: false, detached: false, failures: new Set() };

  constructor(op, sequence, connection) {
    this.id = `s${sequence.join('-')}-r${op.id}`;
    this.name = `r${op.id}`;
    this.op = op;
    this.method = op.method;
    this.script = op.script;
    this.connection = connection;
    this.upload = new Label(`the upload of ${this.name}`, [...sequence, op.id, 11], op.size ?? 0);
    this.label = op.script.echo
      ? this.upload
      : new Label(`the answer of ${this.name}`, [...sequence, op.id, 12], op.script.size, op.script.form);
    this.nothing = new Label(`the empty answer of ${this.name}`, [...sequence, op.id, 13], 0);
    this.source = null;
    this.signal = null;
  }

  get repeatable() {
    return this.connection.retries && (this.source?.repeatable ?? true);
  }

  /** Does its script end or spoil the connection by itself? */
  get spoils() {
    const { fault, after, close, framing } = this.script;
    return fault !== null || after !== 'keep' || close || framing === 'close' || framing === 'http10' || this.overlong || this.short;
  }

  /** Is it right that it waits for ever? */
  get stalls() {
    const { fault, reads, expect } = this.script;
    return (
      fault?.kind === 'stall' ||
      (reads === 'never' && this.upload.size > 0) ||
      (expect === 'silent' && this.op.expect) ||
      this.source?.ends === false ||
      this.short ||
      this.unsent
    );
  }
}

/** One connection. */
export class Connection {
  /** 'idle', 'started' (putrequest), 'sent', or 'unknown'. */
  state = 'idle';
  requests = [];
  /** Operations that change the state and are under way. */
  busy = 0;
  /** Errors that came from the outside: of sources, hooks and signals. */
  foreign = new Set();
  /** May an operation run out of time? */
  timed = false;
  limited = false;
  retries = false;
  /** The request that was begun last. */
  current = null;
  /** Was something done to the transport since the last clean state? */
  disturbed = false;
  /** The ways to the peer that come next. */
  dials = [];
  subscribed = [];
  /** How often it was closed. */
  closes = 0;
  /** The request whose response came last. */
  latest = null;
  /** The request that is sent by hand. */
  hand = null;
  hangs = false;

  get responses() {
    return this.requests.filter((request) => request.response !== null && !request.response.isclosed());
  }

  /** What happens to all that is under way. */
  mark(event) {
    if (event === 'closed') this.closes++;
    for (const request of this.requests) request.events[event] = true;
  }
}

export class Model {
  #report;
  #labels;

  /**
   * @param {(kind: string, text: string) => void} report
   * @param {() => Iterable<Label>} labels
   */
  constructor(report, labels) {
    this.#report = report;
    this.#labels = labels;
  }

  report(kind, text) {
    this.#report(kind, text);
  }

  labels() {
    return this.#labels();
  }

  /**
   * Is it an error that an operation of this request may not have? What depends on others is told a turn later.
   *
   * @param {Request} request
   * @param {unknown} error
   * @param {'request' | 'getresponse' | 'read' | 'send'} stage
   * @returns {{kind: string, text: string} | null}
   */
  wrongError(request, error, stage) {
    const { connection, events } = request;
    const earlier = events.failures.has(error) || connection.foreign.has(error);
    events.failures.add(error);
    if (earlier) return null; // told before, or of the caller's own making
    if (isInternal(error)) return { kind: 'internal-error', text: `${stage} has ${textOf(error)}` };
    if (isState(error)) return this.#wrongState(request, error, stage);
    if (error instanceof TimeoutError && !PHASES.includes(error.phase)) {
      return { kind: 'timeout', text: `a TimeoutError of phase ${error.phase}` };
    }
    const allowed = () =>
      this.#ofCaller(request, error) || this.#ofPeer(request, error, stage) || this.#ofOthers(request, error);
    if (allowed()) return null;
    // What it follows from may be told in the same turn, but after it.
    setImmediate(() => {
      if (!allowed()) this.report(`${stage}-error`, `${request.name}: not expected: ${textOf(error)}`);
    });
    return null;
  }

  /** An error of an operation of which nothing is known but that it isn't of a kind that should never be. */
  checkLoose(connection, error, name) {
    if (!connection.foreign.has(error) && isInternal(error)) this.report('internal-error', `${name} has ${textOf(error)}`);
  }

  #wrongState(request, error, stage) {
    if (request.connection.state === 'unknown' || request.connection.busy > 1 || stage === 'read') return null;
    return { kind: 'state', text: `${stage} in the state ${request.connection.state} has ${textOf(error)}` };
  }

  /** What the caller's own acts allow. */
  #ofCaller(request, error) {
    const { connection, events, source } = request;
    if (error instanceof NotConnected) return events.closed || events.detached || events.broken || events.failures.size > 1 || error.cause !== undefined; // an upload that failed, which was told before
    if (events.detached && error instanceof ImproperConnectionState) return true;
    if (error instanceof SyntaxError && error.hint !== undefined) return true; // json() of a body that was closed, or read
    if (error instanceof TimeoutError) return connection.timed || connection.requests.some(({ op }) => op.deadline !== undefined);
    if (error?.limit_name !== undefined && connection.limited) return true;
    if (source?.refused && error instanceof TypeError) return true;
    return error?.code === 'ERR_HTTP_BODY_MISMATCH' && connection.requests.some(({ op }) => op.misfit);
  }

  /** What the script of its peer allows. */
  #ofPeer(request, error, stage) {
    const { script, seen, answer } = request;
    const { fault } = script;
    if (this.#metStale(request) && isNetwork(error)) return true;
    if (script.after === 'rst' && isNetwork(error)) return true;
    if (script.when !== 'end' && script.after !== 'keep' && isNetwork(error) && stage !== 'read') return true;
    if (request.short && isNetwork(error)) return true;
    if (fault === null || (seen === null && !request.connection.disturbed && !request.op.expect)) return false;
    if (stage === 'read') return this.#readFault(request, error);
    if (fault.kind === 'garbage' || fault.kind === 'storm' || fault.kind === 'headers') return error instanceof HTTPException;
    if (fault.kind !== 'cut') return false;
    if (fault.how === 'rst') return isNetwork(error);
    const at = Math.floor(fault.at * answer.end);
    if (at < answer.headFrom) return isNetwork(error);
    if (at === answer.headFrom) return error instanceof RemoteDisconnected;
    if (at < answer.statusEnd) return error instanceof BadStatusLine && !(error instanceof RemoteDisconnected);
    if (at < answer.headEnd) return error instanceof IncompleteRead;
    return stage !== 'getresponse' && isNetwork(error); // an upload that meets the end
  }

  #readFault(request, error) {
    const { fault } = request.script;
    if (fault.kind === 'chunk') return error instanceof IncompleteRead || error instanceof HTTPException;
    if (fault.kind !== 'cut') return false;
    // JSON that ends where nobody can tell that it was cut is no JSON.
    if (error instanceof SyntaxError) return ['close', 'http10'].includes(request.script.framing);
    return error instanceof IncompleteRead || (fault.how === 'rst' && isNetwork(error));
  }

  /** Did its connection end before it went out, too short before to be seen? */
  #metStale(request) {
    const at = request.connection.requests.indexOf(request);
    const session = request.seen?.session;
    return request.connection.requests.slice(0, at).some((one) => {
      if (!one.spoils || one.seen === null || (session !== undefined && one.seen.session !== session)) return false;
      return one.seen.session.endedAt > request.begun - STALE_FOR - delays.max / 1e6;
    });
  }

  /** What other operations on the connection allow: one that fails takes the connection with it. */
  #ofOthers(request, error) {
    const { connection, events } = request;
    if (connection.state === 'unknown' && (isNetwork(error) || error instanceof ImproperConnectionState || error instanceof NotConnected)) return true;
    return (events.broken || events.closed || events.aborted) && isNetwork(error);
  }
}
