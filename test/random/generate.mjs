// SPDX-License-Identifier: MIT
//
// Makes the plan of a sequence from a seed: connections, and operations that are plain data, so that a plan can be printed,
// repeated and shortened.

import { Random } from './random.mjs';

const BODIES = {
  none: 3, string: 2, bytes: 4, buffer: 1, blob: 1, array: 2, generator: 3, async: 4, readable: 3, web: 2, reader: 2, file: 1,
  filestream: 1, failed: 1, consumed: 1, locked: 1,
};
/** Bodies whose pieces come one by one. */
const PIECEWISE = ['generator', 'async', 'readable', 'web', 'reader'];
const UNSIZED = ['generator', 'async', 'readable', 'web', 'reader', 'array'];
const ACTS = {
  close: 3, connect: 2, closeresponse: 2, abort: 3, fresh: 1, sock: 2, detach: 1, tunnel: 1, refused: 2, limits: 1, timeouts: 1,
  way: 2, badclass: 1, tick: 6, hook: 4, memory: 3, garbage: 1, getresponse: 1, request: 1, read: 2,
};
const POINTS = [
  'informational', 'create', 'lookup', 'source', 'source', 'porthole:connection:open', 'porthole:connection:close', 'porthole:request:start',
  'porthole:request:sent', 'porthole:response:headers', 'porthole:response:end', 'porthole:error', 'porthole:response:informational',
];

/** Leaves out what makes no sense together: behind a body that runs to the close nothing is unasked. */
function tidy(script) {
  if (script.echo) script.expect = 'continue'; // or there is no body to send back
  if (script.fault?.kind === 'unasked' && ['close', 'http10'].includes(script.framing)) script.framing = 'length';
}

class Generator {
  #random;
  #operations = [];
  #most;
  #next = 1;
  #signals = 0;
  #connections;

  constructor(random, most) {
    this.#random = random;
    this.#most = most;
    this.#connections = Array.from({ length: random.weighted({ 1: 4, 2: 1 }) === '1' ? 1 : 2 }, (_, i) => this.#options(i));
  }

  plan() {
    const random = this.#random;
    while (this.#operations.length < this.#most) {
      const connection = random.int(0, this.#connections.length - 1);
      const phrase = random.weighted({ exchange: 10, byhand: 3, upload: 4, act: 3, pipeline: 1, late: 1, churn: 1, memory: 1 });
      this[phrase](connection);
    }
    return { connections: this.#connections, operations: this.#operations };
  }

  #options(index) {
    const random = this.#random;
    const options = {};
    if (random.once(4)) options.create = true;
    else if (random.once(5)) options.lookup = true;
    if (random.once(3)) options.informational = true;
    if (random.once(8)) options.timeout = random.of(0.03, 0.1);
    if (random.once(12)) options.timeouts = random.of({ idle: 0.03 }, { headers: 0.04 }, { send: 0.03 }, { connect: 0.05 });
    if (random.once(6)) options.retry = true;
    if (random.once(6)) options.signal = `C${index}`;
    if (random.once(5)) options.blocksize = random.of(1000, 4096, 65536);
    return options;
  }

  #add(kind, connection, more = {}) {
    this.#operations.push({ kind, connection, wait: !this.#random.once(8), ...more });
  }

  /** Something that gets in the way, now and then. */
  #perhaps(connection, n = 6) {
    while (this.#random.once(n)) this.act(connection);
  }

  // ---- phrases ----

  exchange(connection) {
    this.#request(connection, {});
    this.#perhaps(connection);
    this.#add('getresponse', connection);
    this.#perhaps(connection);
    this.#reads(connection);
    if (this.#random.once(3)) this.#perhaps(connection, 2);
  }

  /** An answer that comes while the body is sent. */
  upload(connection) {
    const random = this.#random;
    const size = random.of(0, 20_000, 300_000, 700_000) + random.int(1, 3000);
    const status = random.of(200, 200, 201, 302, 400, 413, 413, 500);
    const echo = random.once(3);
    const script = {
      status: echo ? 200 : status, when: random.of('head', 'head', Math.floor(size / 2)), echo, close: !echo && random.once(3),
      after: random.weighted({ keep: 5, fin: 1, rst: 1 }), reads: random.weighted({ fast: 4, slow: 3, never: 1 }),
    };
    this.#request(connection, { method: 'POST', size, body: random.of('bytes', 'generator', 'async', 'readable', 'web', 'string', 'file'), script });
    this.#perhaps(connection, 8);
    this.#add('getresponse', connection);
    this.#reads(connection);
    this.#perhaps(connection, 4);
  }

  byhand(connection) {
    const random = this.#random;
    const hand = random.weighted({ length: 4, chunked: 3, short: 1, long: 1 });
    const size = 1 + random.size(300_000);
    const announced = hand === 'short' ? size + 10 : hand === 'long' ? Math.floor(size / 2) : size;
    const script = this.#script(size);
    if (random.once(3)) script.when = 'head';
    script.echo = false;
    tidy(script);
    this.#add('putrequest', connection, { id: this.#next++, method: random.of('POST', 'PUT'), hand, size, announced, script });
    this.#perhaps(connection, 10);
    this.#add('endheaders', connection);
    const pieces = random.int(0, 3);
    for (let i = 0; i < pieces; i++) {
      this.#add('send', connection, { count: random.size(size), as: random.of('bytes', 'string', 'iterable') });
      this.#perhaps(connection, 10);
    }
    if (random.once(6)) this.#add('getresponse', connection);
    this.#add('send', connection, { last: true, as: random.of('bytes', 'string', 'iterable') });
    this.#add('getresponse', connection);
    this.#reads(connection);
  }

  /** The next request goes out before the response is read. */
  pipeline(connection) {
    this.#request(connection, {});
    this.#add('getresponse', connection, { wait: true });
    this.#request(connection, { body: 'none', size: 0 });
    this.#perhaps(connection);
    if (this.#random.once(3)) this.#add('getresponse', connection);
    this.#reads(connection);
    this.#add('getresponse', connection);
    this.#reads(connection);
  }

  /** The answer behind a short body is longer than what can be received before that is read, and it is read late. */
  late(connection) {
    const random = this.#random;
    const sound = { status: 200, interims: 0, when: 'end', after: 'keep', close: false, fault: null };
    const script = (size) => ({ ...sound, size, framing: random.of('length', 'chunked') });
    this.#request(connection, { method: 'GET', body: 'none', script: script(random.size(3000)) });
    this.#add('getresponse', connection, { wait: true });
    this.#request(connection, { method: 'GET', body: 'none', script: script(700_000) });
    this.#add('tick', connection, { ms: 40 });
    this.#reads(connection);
    this.#add('getresponse', connection);
    this.#reads(connection);
  }

  churn(connection) {
    for (let i = this.#random.int(2, 5); i > 0; i--) {
      this.#add(this.#random.of('connect', 'close', 'tick', 'getresponse', 'sock'), connection, { wait: false, to: null, ms: 0 });
    }
    if (this.#random.once(2)) this.#add('close', connection);
  }

  /** A readinto waits, and its memory is taken away. */
  memory(connection) {
    const random = this.#random;
    const size = 1000 + random.size(300_000);
    this.#request(connection, { body: 'none', size: 0, script: { framing: random.of('length', 'chunked'), size, splits: random.of('some', 'drip'), fault: random.once(3) ? { kind: 'stall', at: 0.9 } : null } });
    this.#add('getresponse', connection, { wait: true });
    this.#add('read', connection, { wait: false, list: [{ how: 'readinto', n: random.of(size, Math.max(1, size - 100), 20_000, 65_536), memory: random.of('plain', 'plain', 'resizable') }] });
    this.#add('tick', connection, { ms: random.of(0, 1, 3) });
    this.act(connection, random.of('memory', 'memory', 'memory', 'abort', 'close', 'sock'));
    this.#add('tick', connection, { ms: 5 });
    this.#reads(connection);
  }

  act(connection, chosen = this.#random.weighted(ACTS)) {
    const random = this.#random;
    const kind = chosen;
    if (kind === 'request') return this.#request(connection, {});
    if (kind === 'read') return this.#reads(connection);
    const more = {};
    if (kind === 'sock') more.to = random.of(null, 'duplex');
    if (kind === 'detach') more.of = random.of('connection', 'response', 'response');
    if (kind === 'tunnel') more.host = random.of('good.test', 'a b', '');
    if (kind === 'refused') more.what = random.of('url', 'method', 'name', 'value', 'wide', 'size', 'option', 'body', 'hosts', 'coding');
    if (kind === 'limits') more.limits = random.of({ body: 1000 }, { headers: 5 }, { interim: 1 }, { head: 200 }, {});
    if (kind === 'timeouts') more.seconds = random.of(0.03, 0.2, null);
    if (kind === 'way') more.way = random.of('hang', 'throw', 'reject', 'late');
    if (kind === 'tick') more.ms = random.of(0, 0, 1, 5, 40);
    if (kind === 'memory') Object.assign(more, { how: random.of('transfer', 'transfer', 'shrink', 'grow'), keep: random.once(2) });
    if (kind === 'hook') Object.assign(more, { point: random.of(...POINTS), act: random.of('close', 'close', 'abort', 'request', 'connect', 'getresponse', 'closeresponse', 'sock') });
    if (kind === 'hook' && !more.point.startsWith('porthole:') && random.once(4)) more.act = 'throw';
    return this.#add(kind, connection, more);
  }

  // ---- their parts ----

  #request(connection, given) {
    const random = this.#random;
    const op = { id: this.#next++, method: random.of('GET', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD'), body: random.weighted(BODIES), pieces: 'mixed', end: 'normal', at: 1 };
    if (op.method === 'GET' || op.method === 'HEAD') op.body = random.once(6) ? op.body : 'none';
    Object.assign(op, given);
    op.size = op.body === 'none' ? 0 : (given.size ?? random.size(300_000));
    if (UNSIZED.includes(op.body)) {
      op.pieces = random.of('mixed', 'large', 'empties', op.size < 30_000 ? 'tiny' : 'mixed');
      if (random.once(12)) Object.assign(op, { misfit: true, announced: op.size + random.of(-1, 1, 100) });
      else if (random.once(6)) op.announced = op.size;
      if (op.announced < 0) op.announced = 7;
    }
    if (PIECEWISE.includes(op.body) && random.once(6)) {
      op.end = random.of('throw', op.body === 'async' || op.body === 'web' || op.body === 'readable' ? 'hang' : 'throw');
      op.at = random.of(0, 0.5, 1);
      delete op.announced;
      delete op.misfit;
    }
    if (op.body === 'generator' && random.once(30)) Object.assign(op, { end: 'busy', deadline: 0.1, announced: undefined, misfit: undefined });
    op.script = { ...this.#script(op.size), ...given.script };
    if (op.script.echo && op.size === 0) op.script.echo = false;
    if (op.script.echo) Object.assign(op.script, { status: 200, framing: 'chunked', fault: null, trailers: false, close: false, after: 'keep', interims: 0 });
    if (op.method === 'HEAD') op.script.echo = false;
    if (random.once(6)) op.signal = `S${this.#signals++}`;
    if (random.once(12)) op.deadline = random.of(0.03, 0.08, 2);
    if (op.size > 0 && random.once(10)) op.expect = true;
    if (op.script.echo && op.expect) op.script.expect = 'continue'; // or it waits for a body that is left unsent
    if (['async', 'generator'].includes(op.body) && op.announced === undefined && random.once(6)) op.trailers = true;
    tidy(op.script);
    this.#add('request', connection, op);
  }

  #script(uploadSize) {
    const random = this.#random;
    const framing = random.weighted({ length: 6, chunked: 5, close: 1, http10: 1 });
    return {
      status: random.weighted({ 200: 10, 204: 1, 304: 1, 404: 2, 500: 1 }) | 0,
      framing,
      size: random.size(700_000),
      form: random.of('lines', 'lines', 'lines', 'json'),
      chunk: random.of(1000, 50, 20_000, 100_000),
      splits: random.weighted({ whole: 4, some: 3, drip: 1 }),
      interims: random.weighted({ 0: 8, 1: 2, 3: 1 }) | 0,
      close: random.once(8),
      when: uploadSize > 0 && random.once(8) ? random.of('head', Math.floor(uploadSize / 2)) : 'end',
      after: random.weighted({ keep: 14, fin: 1, rst: 1 }),
      reads: random.weighted({ fast: 10, slow: 2, never: 1 }),
      echo: false,
      trailers: random.once(4),
      fault: random.once(4) ? this.#fault() : null,
      expect: random.of('continue', 'final', 'silent'),
    };
  }

  #fault() {
    const random = this.#random;
    const kind = random.weighted({ cut: 5, stall: 3, garbage: 2, chunk: 2, unasked: 3, storm: 1, headers: 1 });
    if (kind === 'cut') return { kind, at: random.of(0, random.int(0, 999) / 1000, 0.999), how: random.of('fin', 'fin', 'rst') };
    if (kind === 'stall') return { kind, at: random.of(0, random.int(0, 999) / 1000) };
    if (kind === 'garbage') return { kind, which: random.int(0, 7) };
    if (kind === 'chunk') return { kind, at: random.int(0, 999) / 1000, what: random.of('size', 'bare', 'end') };
    if (kind === 'unasked') return { kind, what: random.of('response', 'response', '408', 'bytes', 'lineend') };
    return { kind };
  }

  #one() {
    const random = this.#random;
    const how = random.weighted({ rest: 4, read: 5, readinto: 5, read1: 2, peek: 2, line: 2, readlines: 1, next: 1, text: 1, json: 1, bytes: 1, arrayBuffer: 1 });
    if (how === 'read' || how === 'readinto') {
      const n = random.weighted({ none: 1, some: 9 }) === 'none' ? 0 : 1 + random.size(200_000);
      return how === 'read' ? { how, n } : { how, n, memory: random.of('plain', 'plain', 'dataview', 'shared', 'resizable') };
    }
    if (how === 'read1' || how === 'peek' || how === 'line') return { how, n: random.of(-1, 0, 1, 10, 5000, 100_000) };
    return { how };
  }

  #reads(connection) {
    const random = this.#random;
    const manner = random.weighted({ rest: 5, list: 5, drain: 4, stream: 1, nothing: 1 });
    if (manner === 'rest') this.#add('read', connection, { list: [{ how: random.of('rest', 'rest', 'text', 'json', 'bytes', 'readlines') }] });
    if (manner === 'list') {
      this.#add('read', connection, { list: Array.from({ length: random.int(1, 4) }, () => this.#one()), older: random.once(8) });
      this.#perhaps(connection);
      if (random.once(2)) this.#add('read', connection, { list: [{ how: 'rest' }] });
    }
    if (manner === 'stream') this.#add('drain', connection, { how: 'stream', times: random.of(1, 100) });
    if (manner !== 'drain') return;
    const how = random.of('read', 'readinto', 'read1', 'line', 'next', 'peek');
    this.#add('drain', connection, { how, n: random.of(100, 5000, 65_536), memory: random.of('plain', 'dataview'), times: random.int(1, 60) });
  }
}

/**
 * @param {number} seed
 * @param {number} number of the sequence
 * @param {number} operations at least
 */
export function generate(seed, number, operations = 20) {
  return new Generator(new Random(seed, number), operations).plan();
}
