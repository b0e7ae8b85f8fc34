// SPDX-License-Identifier: MIT
//
// The server of a sequence: it checks each byte of each request that comes, and answers as the request's script says.

import { Buffer } from 'node:buffer';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { Answer } from './answers.mjs';
import { difference } from './labels.mjs';
import { Random } from './random.mjs';

const HEAD_MAX = 100_000;
const HEAD = /^([A-Z]+) \/(\S+) HTTP\/1\.1\r\n/;
const BEGINS = /^(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) \//; // no upload does
const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the server has seen of a request. */
export class Seen {
  received = 0; // bytes of its body
  excess = 0; // … and over what was announced
  complete = false; // all of the body came
  answering = false; // an answer is being written
  answered = false; // the last byte of the answer is with the kernel
  flushed = false; // so is all that the script adds to it
  faulted = false; // the script's fault has happened
  echoed = false; // an echo has ended
  flushedAt = Number.POSITIVE_INFINITY; // when it was
  /** @param {Session} session that it came over */
  constructor(session) {
    this.session = session;
  }
}

/** One connection, as its server sees it. */
class Session {
  /** The requests that came over it. */
  requests = [];
  closed = false;
  /** When the server ended it. */
  endedAt = Number.POSITIVE_INFINITY;
  #peer;
  #socket;
  #rest = Buffer.alloc(0);
  #request = null; // whose body is read
  #seen = null; // what was seen here of the last one, which can come once more on another connection
  #left = 0; // bytes of the body or of the chunk
  #chunked = false;
  #over = false; // nothing more is understood
  #stalled = false; // … nor said
  #turn = Promise.resolve(); // the answers, one after the other
  #released = false;

  constructor(peer, socket) {
    this.#peer = peer;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('end', () => socket.end());
    socket.on('finish', () => {
      this.endedAt = Math.min(this.endedAt, performance.now());
    });
    socket.on('close', () => {
      this.closed = true;
      this.endedAt = Math.min(this.endedAt, performance.now());
      peer.left(this);
    });
  }

  /** No more pauses: whatever comes is thrown away. */
  release() {
    this.#released = true;
    this.#over = true;
    this.#socket.resume();
  }

  destroy() {
    this.#socket.destroy();
  }

  /** What it has read and written, for people. */
  toString() {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    return `${bytesRead} and ${bytesWritten - writableLength}${this.#stalled ? ', stalled' : ''}${this.#socket.isPaused() ? ', paused' : ''}`;
  }

  // ---- reading ----

  #take(bytes) {
    if (this.#released) return;
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (!this.#over && this.#step());
    const { reads } = this.#request?.script ?? {};
    if (reads === 'slow') {
      this.#socket.pause();
      setTimeout(() => this.#socket.resume(), 2);
    } else if (reads === 'never') {
      this.#socket.pause();
    }
  }

  /** Takes the next thing that is whole. @returns {boolean} was there one? */
  #step() {
    if (this.#request === null) return this.#rest.length > 0 && this.#takeHead();
    if (this.#left > 0) return this.#rest.length > 0 && this.#takeBody();
    return this.#chunked && this.#takeChunkLine();
  }

  #fail(kind, text) {
    this.#over = true;
    this.#peer.report(kind, text);
  }

  #takeHead() {
    const end = this.#rest.indexOf('\r\n\r\n');
    const text = this.#rest.latin1Slice(0, end < 0 ? Math.min(this.#rest.length, 400) : end + 4);
    const before = this.requests.at(-1);
    if (before?.overlong && !BEGINS.test(text)) return this.#takeExcess(before);
    if (this.#seen?.excess > 0) {
      this.#fail('server-desync', `a request came behind ${this.#seen.excess} bytes over the body of ${before.name}: ${JSON.stringify(text.slice(0, 80))}`);
      return false;
    }
    if (!HEAD.test(text) && (end >= 0 || text.includes('\r\n') || !/^[A-Z]{0,8}( |$)/.test(text) || text.length > 300)) {
      this.#fail('server-desync', `where a request should begin after ${before?.name ?? 'nothing'} the server got ${JSON.stringify(text.slice(0, 80))}`);
      return false;
    }
    if (end < 0) {
      if (this.#rest.length > HEAD_MAX) this.#fail('server-desync', 'a head of a request without end');
      return false;
    }
    this.#rest = this.#rest.subarray(end + 4);
    this.#begin(text);
    return true;
  }

  /** What the caller sent by hand over what was announced: all of that, and nothing else, may come. @returns {boolean} is there more? */
  #takeExcess(before) {
    const { upload } = before;
    const seen = this.#seen;
    const bytes = this.#rest.subarray(0, upload.size - seen.received - seen.excess);
    const wrong = bytes.length === 0 ? 'there is more' : difference(bytes, upload, seen.received + seen.excess, this.#peer.labels());
    if (wrong !== null) {
      this.#fail('server-desync', `behind the body of ${before.name}, which was longer than announced: ${wrong}`);
      return false;
    }
    seen.excess += bytes.length;
    this.#rest = this.#rest.subarray(bytes.length);
    return this.#rest.length > 0;
  }

  #begin(text) {
    const [, method, name] = HEAD.exec(text);
    const request = this.#peer.find(name);
    if (request === undefined) {
      this.#fail('server-desync', `the server got a request that was refused, or never made: ${method} /${name}`);
      return;
    }
    if (method !== request.method) this.#fail('server-desync', `the server got ${method} for ${request.name}, made as ${request.method}`);
    if (request.seen !== null && !request.repeatable) this.#fail('sent-twice', `${request.name} was sent twice`);
    this.requests.push(request);
    const seen = new Seen(this);
    this.#seen = seen;
    request.seen = seen;
    request.head = text;
    const length = /\r\ncontent-length: *(\d+)/i.exec(text);
    this.#request = request;
    this.#chunked = /\r\ntransfer-encoding: *chunked/i.test(text);
    this.#left = length === null ? 0 : Number(length[1]);
    const waits = /\r\nexpect: 100-continue/i.test(text) && (this.#left > 0 || this.#chunked);
    if (!this.#chunked && this.#left === 0) this.#finishRequest();
    else if (waits) this.#expect(request, seen);
    else if (request.script.when === 'head' || request.script.echo) this.#answer(request, seen);
  }

  #expect(request, seen) {
    const { expect } = request.script;
    if (expect === 'final') this.#answer(request, seen);
    else if (expect === 'continue') this.#turn = this.#turn.then(() => this.#send(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'))); // behind the answers before
    if (expect !== 'final' && (request.script.when === 'head' || request.script.echo)) this.#answer(request, seen);
  }

  #takeBody() {
    const request = this.#request;
    const bytes = this.#rest.subarray(0, this.#left);
    this.#rest = this.#rest.subarray(bytes.length);
    this.#left -= bytes.length;
    const seen = this.#seen;
    const wrong = difference(bytes, request.upload, seen.received, this.#peer.labels());
    if (wrong !== null) {
      this.#fail('upload-bytes', `the body of ${request.name} at the server: ${wrong}`);
      return false;
    }
    seen.received += bytes.length;
    if (request.script.echo) this.#echo(seen, bytes);
    if (this.#left === 0) {
      if (this.#chunked) this.#left = -1; // the line end of the chunk is next
      else this.#finishRequest();
    }
    const { when } = request.script;
    if (typeof when === 'number' && seen.received >= when && !seen.answering) this.#answer(request, seen);
    return true;
  }

  #takeChunkLine() {
    if (this.#left === -1) {
      if (this.#rest.length < 2) return false;
      if (this.#rest.latin1Slice(0, 2) !== '\r\n') {
        this.#fail('upload-framing', `a chunk of ${this.#request.name} has no end`);
        return false;
      }
      this.#rest = this.#rest.subarray(2);
      this.#left = 0;
    }
    const end = this.#rest.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.#rest.latin1Slice(0, end);
    if (!/^[0-9A-F]+$/.test(line)) {
      this.#fail('upload-framing', `the size of a chunk of ${this.#request.name} is ${JSON.stringify(line.slice(0, 60))}`);
      return false;
    }
    const size = Number.parseInt(line, 16);
    if (size > 0) {
      this.#left = size;
      this.#rest = this.#rest.subarray(end + 2);
      return true;
    }
    const trailers = this.#rest.indexOf('\r\n\r\n', end);
    if (trailers < 0) return false;
    this.#rest = this.#rest.subarray(trailers + 4);
    this.#finishRequest();
    return true;
  }

  #finishRequest() {
    const request = this.#request;
    const seen = this.#seen;
    this.#request = null;
    this.#chunked = false;
    this.#left = 0;
    seen.complete = true;
    if (!seen.answering) this.#answer(request, seen);
    else if (request.script.echo) this.#echo(seen, null);
  }

  // ---- answering ----

  #answer(request, seen) {
    seen.answering = true;
    this.#turn = this.#turn.then(() => this.#write(request, seen));
  }

  /** Answers with the pieces of the body, as they come. */
  #echo(seen, bytes) {
    if (bytes === null && seen.echoed) return;
    if (bytes === null) seen.echoed = true;
    this.#turn = this.#turn.then(() => this.#send(bytes === null ? Buffer.from('0\r\n\r\n') : chunk(bytes)));
    if (bytes === null) this.#turn = this.#turn.then(() => this.#wrote(seen));
    if (this.#socket.writableNeedDrain) {
      this.#socket.pause();
      this.#socket.once('drain', () => this.#socket.resume());
    }
  }

  #wrote(seen) {
    seen.answered = true;
    seen.flushed = true;
  }

  /** Writes, and waits until there is room for more. */
  async #send(bytes, flushed = undefined) {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded || this.#stalled) return;
    if (!socket.write(bytes, flushed)) {
      await new Promise((resolve) => {
        const go = () => {
          socket.off('drain', go).off('close', go);
          resolve();
        };
        socket.on('drain', go).on('close', go);
      });
    }
  }

  async #write(request, seen) {
    const { script } = request;
    if (this.#stalled) return;
    if (script.echo) {
      await this.#send(`HTTP/1.1 200 Echo\r\nX-Id: ${request.id}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      if (seen.complete && request.upload.size === 0) this.#echo(seen, null);
      return;
    }
    const answer = request.answer;
    const { fault } = script;
    const cut = fault?.kind === 'cut' || fault?.kind === 'stall' ? Math.floor(fault.at * answer.end) : answer.bytes.length;
    await this.#split(answer.bytes.subarray(0, cut), script, answer.end, request, () => {
      seen.flushed = true;
      seen.flushedAt = performance.now();
    });
    if (fault !== null) seen.faulted = true;
    if (fault?.kind === 'stall') {
      this.#over = true;
      this.#stalled = true;
      return;
    }
    if (fault?.kind === 'cut') {
      this.#end(fault.how);
      return;
    }
    seen.answered = true;
    if (script.after !== 'keep') this.#end(script.after);
    else if (script.close || script.framing === 'close' || script.framing === 'http10') this.#end('fin');
  }

  #end(how) {
    if (how !== 'rst') this.#socket.end();
    else if (this.#socket.writableEnded) this.#socket.destroy(); // Node can't reset what is being shut down, and leaves it open
    else this.#socket.resetAndDestroy();
  }

  /** Writes in pieces: what is behind the answer always goes with the answer's last piece. */
  async #split(bytes, script, end, request, flushed) {
    const random = new Random(...request.label.key, 2);
    const { splits } = script;
    const most = splits === 'drip' ? 150 : splits === 'some' ? 6 : 0;
    let at = 0;
    for (let i = 0; i < most && at < bytes.length; i++) {
      const size = splits === 'drip' ? random.int(1, 7) : random.int(1, Math.ceil(bytes.length / 2));
      const to = Math.min(at + size, bytes.length);
      if (to >= Math.min(end, bytes.length)) break;
      await this.#send(bytes.subarray(at, to));
      at = to;
      if (this.closed) return;
      if (splits === 'some' && random.once(2)) await pause(random.int(1, 3));
      else await turn();
    }
    if (at < bytes.length) await this.#send(bytes.subarray(at), flushed);
    else flushed();
  }
}

function chunk(bytes) {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

export class Peer {
  #server = null;
  #sessions = new Set();
  #requests = new Map();
  #report;
  #releasing = false;

  /** @param {(kind: string, text: string) => void} report told of what is wrong with what comes */
  constructor(report) {
    this.#report = report;
  }

  async listen() {
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const session = new Session(this, socket);
      this.#sessions.add(session);
      if (this.#releasing) session.release(); // it came before, and waited to be accepted
    });
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.#server.address().port;
  }

  /** Makes a request known. */
  add(request) {
    request.answer = request.script.echo ? null : new Answer(request.script, request.id, request.label, request.method);
    this.#requests.set(request.id, request);
  }

  /** A request was refused: it must not come. */
  forget(request) {
    this.#requests.delete(request.id);
  }

  find(id) {
    return this.#requests.get(id);
  }

  /** All bodies, of either direction. */
  *labels() {
    for (const { label, upload } of this.#requests.values()) {
      yield label;
      yield upload;
    }
  }

  report(kind, text) {
    this.#report(kind, text);
  }

  get open() {
    return this.#sessions.size;
  }

  /** What all connections have read and written. */
  described() {
    return [...this.#sessions].join(' / ') || 'are closed';
  }

  left(session) {
    this.#sessions.delete(session);
  }

  /** Lets all connections go on that wait to be read, also those that are still to be accepted. */
  release() {
    this.#releasing = true;
    for (const session of this.#sessions) session.release();
  }

  /** Whatever comes from here on is answered. */
  serve() {
    this.#releasing = false;
  }

  /** Ends all connections. */
  drop() {
    for (const session of this.#sessions) session.destroy();
  }

  async close() {
    for (const session of this.#sessions) session.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
