// SPDX-License-Identifier: MIT
//
// Sending: what is staged, then a body piece by piece, as long as the core says that it is wanted. An upload goes on by
// itself beside the reading of its answer (full duplex); its step is run whenever something happened to the channel.
//
//   START     the head is to be handed over
//   CONTINUE  waiting for a 100, or a final answer, for some time
//   PIECES    the source is asked for a piece, and it is sent
//   TRAILERS  they are asked for
//   END       the end of the body is sent
//   DRAIN     waiting until the socket has let go of what it was given
//   OVER

import { after, afterTurn, cancel, now } from '../../bindings/node/timers.js';
import { BODY_KNOWN, BODY_NONE, BODY_STREAM, IDLE, REQUEST_STARTED } from '../../bindings/generated/abi.js';
import { argumentError, coreError, NotConnected, thrownBy, TimeoutError } from '../errors.js';
import { refused } from '../refusal.js';
import { print, reprBytes } from '../watch/debug.js';

/** Large pieces are handed over in parts of this size at first, so that progress is seen … */
const PART = 256 * 1024;
/** … and of up to this size, as long as each is taken within so many milliseconds. */
const PART_MAX = 4 * 1024 * 1024;
const QUICK = 100;

/**
 * So many bytes are sent at most before the event loop turns once, and so many milliseconds may go by. An answer may be
 * there, with a reset behind it: a write that meets the reset makes Node close the socket with the answer unread, so what
 * is there has to be read before. And other things have to be done meanwhile.
 */
const TURN = 64 * 1024;
const TURN_TIME = 5;

const START = 0;
const CONTINUE = 1;
const PIECES = 2;
const TRAILERS = 3;
const END = 4;
const DRAIN = 5;
const OVER = 6;

/**
 * Is the memory of bytes there still? It can be transferred or shrunk while they are sent. Their length alone does not tell: see
 * `Inflow.into`.
 *
 * @param {Buffer} bytes
 * @param {number} length what they had
 */
function areThere(bytes, length) {
  return bytes.length === length && bytes.buffer.byteLength >= bytes.byteOffset + length;
}

/**
 * An upload has ended. Of a failure whoever waits for the upload is told, or, once the answer is in, who reads that or the next
 * request.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {object} how
 * @param {any} how.error null when it is whole, or not wanted any more
 * @param {boolean} [how.answered] is the answer in, so that nobody waits for the upload?
 * @param {boolean} [how.foreign] was it the caller's own code that failed?
 * @param {boolean} [how.counts] is there still anything to be told when the answer is in?
 * @param {() => void} resolve for who waits
 * @param {(error: any) => void} reject
 */
export function uploadEnded(channel, { error, answered = false, foreign = false, counts = true }, resolve, reject) {
  if (error !== null && !answered) {
    if (foreign) channel.foreign = true;
    reject(error);
    return;
  }
  resolve();
  if (error !== null && counts) channel.uploadFailed(error, foreign);
  else if (!channel.closed) channel.uploadOver();
}

export class Outflow {
  #channel;
  #body;
  #expect;
  #trailers;
  #raw;
  #counted;
  #debuglevel;
  #onsent;
  #state = START;
  #source = null;
  #pending = null; // what a source or a function of trailers promised: { done, value, failed }
  #piece = null; // the one that is being sent …
  #length = 0; // … which had so many bytes when it was given …
  #offset = 0; // … from here
  #sent = 0; // bytes of the body
  #begun = 0; // requests on the channel, when this began
  #ownFraming = false; // are its chunks framed by the caller?
  #partSize = PART;
  #partSince = 0;
  #sentSinceTurn = 0;
  #turnedAt = 0;
  #turning = false;
  #waitedOut = false; // for a 100
  #timer = null;
  #answered = false; // is the final head in, or was it?
  #foreignError = false; // was it the caller's own code that failed …
  #ownError = false; // … or the body, and not the transport?
  #waiter;
  #resolve;
  #reject;

  /**
   * @param {import('./channel.js').Channel} channel with a transport
   * @param {object} what
   * @param {import('../request/body.js').Body} what.body
   * @param {boolean} [what.raw] is it sent as it is (http.client's send)?
   * @param {boolean} [what.counted] … and is the core told of it?
   * @param {number | null} [what.expect] seconds to wait for a 100
   * @param {string[] | (() => unknown) | null} [what.trailers]
   * @param {(given: unknown) => string[]} [what.flatten] makes fields of what a function of trailers gave
   * @param {{seconds: (name: string) => number | null, signals: AbortSignal[]}} what.exchange
   * @param {number} [what.debuglevel]
   * @param {() => void} [what.onsent] called when all of it is with the socket, or not wanted any more
   */
  constructor(channel, { body, raw = false, counted = true, expect = null, trailers = null, flatten, exchange, debuglevel = 0, onsent = () => {} }) {
    this.#channel = channel;
    this.#body = body;
    this.#raw = raw;
    this.#counted = counted;
    this.#expect = expect;
    this.#trailers = trailers;
    this.flatten = flatten;
    this.exchange = exchange;
    this.#debuglevel = debuglevel;
    this.#onsent = onsent;
  }

  get over() {
    return this.#state === OVER;
  }

  /** How many bytes of the body were handed over. */
  get sent() {
    return this.#sent;
  }

  /** Has another request begun on the channel before all of this went out, which then belongs to none? */
  get overtaken() {
    return this.#raw && this.#counted && this.#state !== DRAIN && this.#channel.begun !== this.#begun;
  }

  /**
   * Begins.
   *
   * @returns {Promise<void>} resolves when all is handed over, or (but for `raw`) the final head is in; rejects with what
   *   failed before that
   */
  run() {
    const channel = this.#channel;
    if (channel.transport === null) {
      this.#end(undefined);
      return Promise.reject(channel.failure() ?? new NotConnected('the connection was closed'));
    }
    channel.outflow = this;
    if (this.#body.kind !== BODY_NONE) {
      channel.transport.counting = true; // memory of the caller's is only free when it is with the system
      channel.transport.expectAnswer();
    }
    this.#turnedAt = now();
    this.#begun = channel.begun;
    this.#waiter = {
      phase: 'send',
      seconds: null,
      signals: this.exchange.signals,
      step: () => this.#step(),
      resolve: () => {},
      reject: (error) => this.#closed(error),
      running: false,
      started: 0,
      mark: null,
      marked: 0,
      done: false,
      offs: null,
    };
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#step() === undefined) channel.waiting.add(this.#waiter);
    });
  }

  #step() {
    const channel = this.#channel;
    if (channel.answered) this.#answered = true;
    try {
      const done = this.#advance();
      if (this.#answered && !this.#raw) this.#resolve();
      return done;
    } catch (error) {
      this.#fail(error);
      return true;
    }
  }

  /** The channel was closed. @param {any} error why */
  #closed(error) {
    if (this.#state === OVER) return;
    if (!this.#answered || this.#raw) {
      this.#fail(error);
    } else {
      this.#end(undefined);
      this.#resolve();
    }
  }

  #fail(error) {
    if (this.#state === OVER) return;
    const answered = this.#answered && !this.#raw;
    const counts = this.#ownError || error instanceof TimeoutError; // a peer that has answered may go away
    this.#end(error);
    uploadEnded(this.#channel, { error, answered, counts, foreign: this.#foreignError }, this.#resolve, this.#reject);
  }

  /** Does what can be done now. @returns {true | undefined} true when it is over */
  #advance() {
    const channel = this.#channel;
    for (;;) {
      if (channel.failed && this.#state !== OVER) {
        if (!this.#answered || channel.error instanceof TimeoutError) throw channel.failure();
        this.#succeed(); // nobody is there any more, and the answer is
        return true;
      }
      if (this.#isStopped && !this.#answered && !this.#raw) {
        throw new NotConnected('the connection was closed'); // with the response before, which is not read
      }
      if (this.overtaken) throw new NotConnected('the next request was begun');
      if (this.#turning) return undefined;
      const going = this.#act();
      if (this.#state === OVER) return true;
      if (!going) return undefined;
    }
  }

  /** Does the next thing. @returns {boolean} go on? */
  #act() {
    const channel = this.#channel;
    switch (this.#state) {
      case START:
        return this.#start();
      case CONTINUE:
        if (!channel.continued && !this.#waitedOut && !this.#answered) return this.#wait('continue');
        cancel(this.#timer);
        this.#timer = null;
        this.#state = PIECES;
        return true;
      case PIECES:
        if (this.#isStopped) return this.#go(DRAIN);
        if (channel.transport.full || (channel.transport.holding && this.#piece === null)) return this.#wait('send');
        return this.#sendPiece();
      case TRAILERS:
        return this.#isStopped ? this.#go(DRAIN) : this.#askForTrailers();
      case END:
        this.#state = DRAIN;
        if (!this.#isStopped) this.#sendEnd();
        return true;
      case DRAIN:
        if (channel.transport.holding && !this.#isStopped) return this.#wait('send');
        this.#succeed();
        return true;
      default:
        return true;
    }
  }

  /** Does the peer not want the rest? */
  get #isStopped() {
    const { core } = this.#channel;
    return core.uploadStopped;
  }

  #go(state) {
    this.#state = state;
    return true;
  }

  /** Begins to wait, unless it waits for this already. @returns {false} */
  #wait(phase) {
    const waiter = this.#waiter;
    const seconds = phase === 'source' ? null : this.exchange.seconds(phase);
    const name = phase === 'source' ? 'send' : phase;
    if (waiter.phase === name && waiter.seconds === seconds && waiter.started > 0) return false;
    waiter.phase = name;
    waiter.seconds = seconds;
    this.#channel.waiting.restart(waiter);
    return false;
  }

  /** Something else is waited for next: time counts anew. */
  #wentOn() {
    this.#waiter.started = 0;
  }

  #start() {
    const channel = this.#channel;
    const body = this.#body;
    if (body.failure !== undefined) throw this.#foreign(body.failure);
    if (channel.transport.full) return this.#wait('send');
    this.#wentOn();
    if (this.#raw) return this.#go(PIECES);
    if (this.#debuglevel > 0) print(`send: ${reprBytes(channel.core.staged)}`);
    if (this.#expect !== null) {
      channel.flush();
      this.#timer = after(this.#expect * 1000, () => {
        this.#waitedOut = true;
        channel.waiting.wake();
      });
      return this.#go(CONTINUE);
    }
    const { socket } = channel.transport;
    socket.cork?.(); // the head, and a small body, are one write
    try {
      channel.flush();
      this.#state = PIECES;
      if (body.bytes !== null) this.#sendPiece();
      else if (this.#debuglevel > 0 && body.readable !== '') {
        print('reading a readable');
        if (body.readable === 'text') print('encoding file using iso-8859-1');
      }
    } finally {
      socket.uncork?.();
    }
    return true;
  }

  // ---- pieces ----

  /** @returns {boolean} go on? */
  #sendPiece() {
    const channel = this.#channel;
    const begun = this.#piece !== null;
    if (!begun && !this.#nextPiece()) return this.#pending === null;
    if (channel.failed) return true; // by the source itself, which was asked just now
    const piece = this.#piece;
    if (begun && this.#mustTurn(this.#length - this.#offset)) return false;
    if (begun && !areThere(piece, this.#length)) throw this.#gone(this.#offset, this.#length);
    const { socket } = channel.transport;
    socket.cork?.(); // what frames it goes with it
    try {
      if (this.#offset === 0 && !this.#raw) this.#begin(piece);
      this.#sendPart(piece);
    } finally {
      socket.uncork?.();
    }
    this.#wentOn();
    return true;
  }

  /** What goes before the first request (for a proxy on the way, say) is no part of any, nor behind one. */
  get #isBefore() {
    const { requests, core } = this.#channel;
    return requests === 0 && (core.state === IDLE || core.state === REQUEST_STARTED);
  }

  /** Large pieces go in parts, the larger the faster they are taken. */
  #sendPart(piece) {
    const channel = this.#channel;
    const { core } = channel;
    if (this.#offset === 0) this.#partSize = PART;
    else this.#partSize = now() - this.#partSince < QUICK ? Math.min(2 * this.#partSize, PART_MAX) : PART;
    this.#partSince = now();
    const part = this.#length <= PART ? piece : piece.subarray(this.#offset, this.#offset + this.#partSize);
    if (this.#raw && this.#counted && !this.#isBefore) this.#check(core.sentRaw(part));
    channel.transport.write(part);
    this.#offset += part.length;
    this.#sent += part.length;
    if (!this.#raw) {
      channel.throwIfGone(); // a Duplex can do anything in a write
      this.#check(this.#ownFraming ? core.sentChunks(part) : core.piecePassed(part.length));
    }
    if (this.#offset < this.#length) return;
    this.#piece = null;
    this.#offset = 0;
    if (!this.#raw) channel.flush();
  }

  /** Asks for the next piece. @returns {boolean} is there one now? */
  #nextPiece() {
    const bytes = this.#ask();
    if (bytes === undefined) return false;
    if (bytes === null) {
      this.#state = this.#raw ? DRAIN : TRAILERS;
      return false;
    }
    if (bytes.length === 0 && this.#debuglevel > 0 && !this.#raw) print('Zero length chunk ignored');
    if (bytes.length > 0) this.#piece = bytes;
    this.#length = bytes.length;
    return !this.#mustTurn(bytes.length) && this.#piece !== null;
  }

  /** Begins a piece: what frames it is staged and handed over. */
  #begin(bytes) {
    const channel = this.#channel;
    const begun = channel.core.bodyPiece(bytes.length);
    this.#check(begun);
    this.#ownFraming = begun === 2;
    if (this.#debuglevel > 0) {
      const before = channel.core.staged;
      print(`send: ${reprBytes(Buffer.concat([before, bytes, Buffer.from(before.length > 0 ? '\r\n' : '')]))}`);
    }
    channel.flush();
  }

  /** @returns {Buffer | null | undefined} the next piece, null at the end, undefined as long as it is waited for */
  #ask() {
    const body = this.#body;
    if (body.bytes !== null) {
      if (this.#source !== null) return null;
      this.#source = body;
      if (!areThere(body.bytes, body.size)) throw this.#gone(0, body.size);
      return body.bytes;
    }
    if (this.#pending === null) {
      let next;
      try {
        this.#source ??= body.open();
        next = this.#source === null ? null : this.#source.next();
      } catch (error) {
        return this.#failedSource(error);
      }
      if (typeof next?.then !== 'function') return next;
      this.#await(next);
    }
    try {
      return this.#settled();
    } catch (error) {
      return this.#failedSource(error);
    }
  }

  /** A source that fails when all that was announced is sent, as it is closed by somebody, has ended. @throws else */
  #failedSource(error) {
    const { kind, size } = this.#body;
    if (!this.#raw && (kind === BODY_KNOWN || kind === BODY_STREAM) && this.#sent >= size) return null;
    throw this.#foreign(error);
  }

  /** Waits for what was promised. */
  #await(promise) {
    const pending = { done: false, failed: false, value: undefined };
    this.#pending = pending;
    const settle = (failed, value) => {
      Object.assign(pending, { done: true, failed, value });
      this.#channel.waiting.wake();
    };
    promise.then(
      (value) => settle(false, value),
      (error) => settle(true, error),
    );
  }

  /** What was promised, once it is there. @throws */
  #settled() {
    const pending = this.#pending;
    if (!pending.done) {
      this.#wait('source');
      return undefined;
    }
    this.#pending = null;
    if (pending.failed) throw pending.value;
    this.#wentOn();
    return pending.value;
  }

  /** Lets the event loop turn when enough was sent since it did, or time has gone by. @returns {boolean} does it? */
  #mustTurn(length) {
    const channel = this.#channel;
    const time = now();
    if (this.#sentSinceTurn < TURN && time - this.#turnedAt < TURN_TIME) {
      this.#sentSinceTurn += Math.min(length, PART);
      return false;
    }
    this.#turning = true;
    afterTurn(() => {
      this.#turning = false;
      this.#sentSinceTurn = 0;
      this.#turnedAt = now();
      channel.waiting.wake();
    });
    return true;
  }

  // ---- the end ----

  #askForTrailers() {
    if (typeof this.#trailers !== 'function') return this.#go(END);
    if (this.#pending === null) {
      let given;
      try {
        given = this.#trailers();
      } catch (error) {
        throw this.#foreign(error);
      }
      if (typeof given?.then === 'function') this.#await(given);
      else this.#flatten(given);
      return true;
    }
    let given;
    try {
      given = this.#settled();
    } catch (error) {
      throw this.#foreign(error);
    }
    if (given === undefined && this.#pending !== null) return false;
    this.#flatten(given);
    return true;
  }

  #flatten(given) {
    try {
      this.#trailers = this.flatten(given);
    } catch (error) {
      throw this.#foreign(error);
    }
  }

  #sendEnd() {
    const channel = this.#channel;
    const { core } = channel;
    if (this.#body.kind === BODY_NONE) return;
    const error = core.bodyEnd(this.#trailers ?? []);
    if (error !== 0) {
      this.#ownError = true;
      throw refused(error, { headers: this.#trailers ?? [], index: core.refused, limit: core.limit });
    }
    const { staged } = core;
    if (this.#debuglevel > 0 && staged.length > 0) print(`send: ${reprBytes(staged)}`);
    channel.flush();
  }

  #check(result) {
    if (result >= 0) return;
    this.#ownError = true;
    throw coreError(result, { limit: this.#channel.core.limit });
  }

  /** The memory of what is sent went away. @param {number} sent bytes of it @param {number} length what it had */
  #gone(sent, length) {
    this.#ownError = true;
    const text = `the memory of the body was transferred or shrunk while it was sent: ${sent} of ${length} bytes had gone out`;
    return argumentError(text, 'ERR_INVALID_ARG_VALUE');
  }

  #foreign(error) {
    this.#foreignError = true;
    this.#ownError = true;
    return thrownBy('the source of the body', error);
  }

  /** All of it is handed over, or not wanted any more. */
  #succeed() {
    const onsent = this.#onsent;
    this.#end(undefined);
    onsent();
    uploadEnded(this.#channel, { error: null }, this.#resolve, this.#reject);
  }

  /** It is over, whole or not: a source that is not needed any more is told, and nothing of it is held on to. */
  #end(error) {
    this.#state = OVER;
    cancel(this.#timer);
    this.#timer = null;
    this.#body.discard(error);
    this.#source = null;
    this.#piece = null;
    this.#trailers = null;
    this.#onsent = null;
    const channel = this.#channel;
    if (channel.outflow !== this) return;
    channel.outflow = null;
    if (channel.transport !== null) channel.transport.counting = false;
  }
}
