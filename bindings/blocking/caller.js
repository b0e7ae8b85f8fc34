// SPDX-License-Identifier: MIT
//
// The side that calls and blocks: the imports of porthole_host_v1 over lines. What is known is answered from shared memory;
// to be woken it sleeps by Atomics.wait, and it wakes the other side by a message, only when that isn't awake already.

import {
  INFO_ERROR,
  INFO_MOST,
  OPEN_IPV4,
  OPEN_IPV6,
  OPEN_TLS,
  READABLE,
  TLS_ALPN_HTTP1,
  WRITABLE,
} from '../generated/abi.js';
import {
  ERRORS,
  HOST_BAD_HANDLE,
  HOST_DENIED,
  HOST_OTHER,
  HOST_TIMED_OUT,
  HOST_UNSUPPORTED,
  WANT_READ,
  WANT_WRITE,
} from '../generated/errors.js';
import {
  BELL,
  ENDED,
  FAILURE,
  HEAD_AT,
  HEAD_LENGTH,
  IN_PUT,
  IN_TAKEN,
  Line,
  MAY_CLEAR,
  NEWS,
  OPENING,
  OUT_PUT,
  OUT_TAKEN,
  PHASE,
  POSTED,
  RELEASED,
  RIGHTS,
  ringSize,
  ROOM,
  SECRETS,
  SECURED,
  STALLED,
  WANTS,
} from './line.js';

const MAX_HANDLE = 0x7fffffff;
const LONGEST_NAME = 255;
const PAIR = 8; // bytes of a handle and its interest
const MOST_PAIRS = 1024;
const KEPT_LINES = 16; // that no connection has
const MOST_LEFT = 32; // of these that the other side is not done with
/** Times that Atomics.wait takes. */
const WAIT_MAX = 0x7fffffff;

/** Fields that say how a message is framed or routed: a secret has no place there. */
const framing = /^(?:connection|content-length|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade)$/i;

/**
 * What a caller is made of; it can be posted to another thread.
 *
 * @typedef {object} CallerData
 * @property {import('node:worker_threads').MessagePort} port
 * @property {SharedArrayBuffer} bell
 * @property {number} ring bytes of each ring
 * @property {number} longest milliseconds that an operation can wait, at most
 * @property {number} bytesOut bytes that may be sent
 * @property {string[]} secrets the names of secrets
 * @property {boolean} vetting are heads checked, and looked for before anything else?
 * @property {boolean} telling is the other side told of heads that are allowed? Of what is refused it always is
 * @property {number} [start] where the positions of rings begin
 */

/** A connection as the caller has it. */
class Connection {
  headSent = false;
  tlsAsked = false;
  tlsPending = false; // has it been said that the handshake goes on?
  failure = 0; // what ended it on this side
  words = ''; // … and what there is to say about it

  /** @param {Line} line @param {string} name @param {number} port @param {boolean} secure opened for TLS */
  constructor(line, name, port, secure) {
    this.line = line;
    this.name = name;
    this.port = port;
    this.secure = secure;
  }

  /** Has it a handshake to wait for? */
  get shaking() {
    return (this.secure || this.tlsAsked) && this.line.get(PHASE) !== SECURED;
  }
}

export class Caller {
  #data;
  #bell;
  #memory;
  #bytes = Buffer.alloc(0);
  /** @type {Map<number, Connection>} */
  #connections = new Map();
  #nextHandle = 1;
  #spare = []; // lines without a connection, the other side may not be done with
  #openError = '';
  #sent = 0;
  #makeChecker;
  #checker = null;
  #placeholders;
  #idle = new Int32Array(new SharedArrayBuffer(4));

  /**
   * @param {CallerData} data
   * @param {() => WebAssembly.Memory} memory the guest's, once there is one
   * @param {() => import('../wasm/heads.js').HeadChecker} [makeChecker] where heads are checked
   */
  constructor(data, memory, makeChecker = undefined) {
    this.#data = data;
    this.#makeChecker = makeChecker;
    this.#bell = new Int32Array(data.bell);
    this.#memory = memory;
    this.#placeholders = data.secrets.length > 0 ? new RegExp(`\\{\\{(${data.secrets.join('|')})\\}\\}`, 'g') : null;
    // Whatever types a guest has declared, what it gives is 32-bit integers here: no NaN is a time that never ends.
    const whole = (call) => (one, two, three, four, five) => call(one | 0, two | 0, three | 0, four | 0, five | 0);
    this.imports = {
      porthole_host_open: whole((host, length, port, flags, timeout) => this.#open(host, length, port, flags, timeout)),
      porthole_host_start_tls: whole((handle, name, length, flags, timeout) => this.#startTls(handle, name, length, flags, timeout)),
      porthole_host_send_head: whole((handle, head, length, timeout) => this.#sendHead(handle, head, length, timeout)),
      porthole_host_send: whole((handle, data, length, timeout) => this.#send(handle, data, length, timeout)),
      porthole_host_recv: whole((handle, buffer, capacity, timeout) => this.#recv(handle, buffer, capacity, timeout)),
      porthole_host_wait: whole((list, count, timeout) => this.#wait(list, count, timeout)),
      porthole_host_close: whole((handle) => this.#close(handle)),
      porthole_host_info: whole((handle, what, buffer, capacity) => this.#info(handle, what, buffer, capacity)),
      porthole_host_now: () => performance.now(),
    };
  }

  // ---- memory, time and the other side ----

  /** Is a region in the guest's memory? That may have grown since the last call. */
  #inside(pointer, length) {
    const { buffer } = this.#memory();
    if (this.#bytes.buffer !== buffer || this.#bytes.length !== buffer.byteLength) this.#bytes = Buffer.from(buffer);
    return (pointer >>> 0) + (length >>> 0) <= this.#bytes.length;
  }

  #name(pointer, length) {
    return this.#bytes.latin1Slice(pointer >>> 0, (pointer >>> 0) + (length >>> 0));
  }

  /** The other side looks after all lines, soon. */
  #wake() {
    if (Atomics.exchange(this.#bell, POSTED, 1) === 0) this.#data.port.postMessage(0);
  }

  /**
   * Sleeps until something is there.
   *
   * @template T
   * @param {number} wants NEWS, ROOM
   * @param {number} timeout of the ABI
   * @param {() => T | undefined} look
   * @returns {T | undefined} undefined when the time is up
   */
  #until(wants, timeout, look) {
    let answer = look();
    if (answer !== undefined || timeout === 0) return answer;
    const { longest } = this.#data;
    const due = performance.now() + (timeout < 0 ? longest : Math.min(timeout, longest));
    const bell = this.#bell;
    for (;;) {
      const heard = Atomics.load(bell, BELL);
      Atomics.store(bell, WANTS, wants); // before the look: who changes something after it rings
      answer = look();
      const left = due - performance.now();
      if (answer !== undefined || left <= 0) {
        Atomics.store(bell, WANTS, 0);
        return answer;
      }
      Atomics.wait(bell, BELL, heard, Math.min(left, WAIT_MAX));
    }
  }

  #fail(connection, code, words) {
    connection.failure = code;
    connection.words = words;
    return code;
  }

  /** What the connection failed with, on either side; 0 for nothing. */
  #failure(connection) {
    return connection.failure || connection.line.get(FAILURE);
  }

  #timedOut(connection) {
    return this.#fail(connection, HOST_TIMED_OUT, 'timed out');
  }

  // ---- opening ----

  /** @returns {Line | undefined} undefined when the other side has too many to be done with, and the time is up */
  #takeLine(timeout) {
    const look = () => {
      const at = this.#spare.findIndex((line) => line.get(RELEASED) === 1);
      return at === -1 && this.#spare.length >= MOST_LEFT ? undefined : at;
    };
    const at = this.#until(NEWS, timeout, look);
    if (at === undefined) return undefined;
    if (at === -1) return Line.make(ringSize(this.#data.ring), this.#data.start);
    const [line] = this.#spare.splice(at, 1);
    line.reset(this.#data.start);
    return line;
  }

  /** The other side is told to be done with a line. */
  #giveBack(handle, line) {
    this.#data.port.postMessage({ close: handle });
    const done = this.#spare.length < KEPT_LINES ? -1 : this.#spare.findIndex((one) => one.get(RELEASED) === 1);
    if (done !== -1) this.#spare.splice(done, 1);
    this.#spare.push(line);
  }

  #takeHandle() {
    while (this.#connections.has(this.#nextHandle)) this.#nextHandle = (this.#nextHandle % MAX_HANDLE) + 1;
    const handle = this.#nextHandle;
    this.#nextHandle = (handle % MAX_HANDLE) + 1;
    return handle;
  }

  #open(host, length, port, flags, timeout) {
    this.#openError = '';
    if (!this.#inside(host, length) || length >>> 0 > LONGEST_NAME || length === 0 || port >>> 0 > 65535) return HOST_OTHER;
    if (flags & ~(OPEN_TLS | OPEN_IPV4 | OPEN_IPV6)) return HOST_UNSUPPORTED;
    if (timeout === 0) return HOST_TIMED_OUT;
    const name = this.#name(host, length);
    const began = performance.now();
    const line = this.#takeLine(timeout);
    if (line === undefined) {
      this.#openError = 'timed out';
      return HOST_TIMED_OUT;
    }
    const left = timeout < 0 ? timeout : Math.max(1, timeout - (performance.now() - began));
    const handle = this.#takeHandle();
    this.#data.port.postMessage({ open: handle, shared: line.shared, host: name, port, flags });
    const failure = this.#until(NEWS, left, () => line.get(FAILURE) || (line.get(PHASE) === OPENING ? undefined : 0));
    if (failure === 0) {
      this.#connections.set(handle, new Connection(line, name, port, (flags & OPEN_TLS) !== 0));
      return handle;
    }
    this.#openError = failure === undefined ? 'timed out' : line.text(INFO_ERROR);
    this.#giveBack(handle, line);
    return failure ?? HOST_TIMED_OUT;
  }

  #startTls(handle, name, length, flags, timeout) {
    const connection = this.#connections.get(handle);
    if (connection === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(name, length) || length >>> 0 > LONGEST_NAME || length === 0) return HOST_OTHER;
    if (connection.failure !== 0) return connection.failure;
    if (flags & ~TLS_ALPN_HTTP1) return this.#fail(connection, HOST_UNSUPPORTED, 'no such flag of TLS is known');
    const text = this.#name(name, length);
    if (text !== connection.name) {
      if (connection.secure) return HOST_OTHER;
    }
    if (text !== connection.name && this.#data.vetting) {
      const words = `TLS is spoken with the host that was opened, ${connection.name}, and with no other`;
      return this.#refuse(handle, connection, 'tls', words);
    }
    const { line } = connection;
    if (!connection.secure && !connection.tlsAsked) {
      if (line.count(IN_PUT, IN_TAKEN) > 0) return this.#fail(connection, HOST_OTHER, 'the peer has spoken in clear');
      connection.tlsAsked = true;
      this.#data.port.postMessage({ tls: handle, name: text, flags });
    }
    const done = () => line.get(FAILURE) || (line.get(PHASE) === SECURED ? 0 : undefined);
    const result = this.#until(NEWS, timeout, done);
    connection.tlsPending = result === undefined;
    return result ?? (timeout === 0 ? WANT_READ : this.#timedOut(connection));
  }

  // ---- sending ----

  /** The policy says no. */
  #refuse(handle, connection, event, words) {
    this.#data.port.postMessage({ told: handle, event, allowed: false, reason: words });
    return this.#fail(connection, HOST_DENIED, words);
  }

  /** May bytes go out? @returns 0 or why not */
  #maySend(handle, connection, length) {
    if (connection.failure !== 0) return connection.failure;
    if (connection.shaking) return this.#fail(connection, HOST_OTHER, 'a handshake is under way');
    const { line } = connection;
    if (line.get(PHASE) !== SECURED && !(line.get(RIGHTS) & MAY_CLEAR)) {
      const words = `no rule allows http://${connection.name}:${connection.port}: nothing is sent there before TLS is spoken`;
      return this.#refuse(handle, connection, 'tls', words);
    }
    if (this.#sent + length > this.#data.bytesOut) {
      return this.#refuse(handle, connection, 'quota', `bytes_out: no more than ${this.#data.bytesOut} bytes may be sent`);
    }
    return 0;
  }

  /** Waits for room in the ring. @returns bytes of room, at least `least`; or an error */
  #room(connection, least, timeout) {
    const { line } = connection;
    const look = () => {
      const failure = line.get(FAILURE);
      if (failure !== 0) return failure;
      const room = line.size - line.count(OUT_PUT, OUT_TAKEN);
      return room >= least ? room : undefined;
    };
    return this.#until(ROOM, timeout, look) ?? (timeout === 0 ? WANT_WRITE : this.#timedOut(connection));
  }

  #send(handle, data, length, timeout) {
    const connection = this.#connections.get(handle);
    if (connection === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(data, length) || length === 0) return HOST_OTHER;
    const refused = this.#maySend(handle, connection, 1);
    if (refused !== 0) return refused;
    if (this.#data.vetting && !connection.headSent) {
      return this.#refuse(handle, connection, 'head', 'nothing is sent before the first head of a request');
    }
    const room = this.#room(connection, 1, timeout);
    if (room < 0) return room;
    const count = Math.min(room, length >>> 0, this.#data.bytesOut - this.#sent);
    this.#put(connection, this.#bytes, data >>> 0, count);
    return count;
  }

  #put(connection, bytes, from, length) {
    this.#sent += length;
    connection.line.putOut(bytes, from, length);
    this.#wake();
  }

  #sendHead(handle, head, length, timeout) {
    const connection = this.#connections.get(handle);
    if (connection === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(head, length) || length === 0) return HOST_OTHER;
    const { line } = connection;
    const from = head >>> 0;
    const size = length >>> 0;
    const refused = this.#maySend(handle, connection, size);
    if (refused !== 0) return refused;
    if (size > line.size) return this.#fail(connection, HOST_OTHER, `a head of ${size} bytes is larger than the ring of ${line.size}`);
    const bytes = this.#bytes.subarray(from, from + size);
    let checked = bytes;
    let marked = false;
    if (this.#data.vetting) {
      const checker = this.#checker ?? this.#makeChecker();
      this.#checker = null; // a guest can have its stack overflow in there, and go on: one that was left in the middle is no more
      const secure = line.get(PHASE) === SECURED;
      const { result, fields, copy } = checker.check(bytes, connection.name, connection.port, secure);
      this.#checker = checker;
      if (result < 0) return this.#refuse(handle, connection, 'head', ERRORS[result]?.text ?? 'the head was refused');
      const words = this.#placeholders !== null && this.#findSecrets(connection, copy.latin1Slice(), fields);
      if (typeof words === 'string') return this.#refuse(handle, connection, 'head', words);
      checked = copy; // what is sent is what was checked, also where another thread writes in that memory
      marked = words;
    }
    const room = this.#room(connection, size, timeout);
    if (room < 0) return room;
    if (marked) {
      const free = this.#until(ROOM, timeout, () => line.get(FAILURE) || (line.get(HEAD_LENGTH) === 0 ? 1 : undefined));
      if (free === undefined) return timeout === 0 ? WANT_WRITE : this.#timedOut(connection);
      if (free < 0) return free;
      line.set(HEAD_AT, line.words[OUT_PUT]);
      line.set(HEAD_LENGTH, size);
    }
    if (this.#data.telling) this.#data.port.postMessage({ told: handle, event: 'head', allowed: true, reason: '' });
    connection.headSent = true;
    this.#put(connection, checked, 0, size);
    return size;
  }

  /** @returns {string | boolean} what refuses a head; else whether it has placeholders, to be replaced behind */
  #findSecrets(connection, text, fields) {
    let found = false;
    const secured = connection.line.get(PHASE) === SECURED;
    for (const match of text.matchAll(this.#placeholders)) {
      const [placeholder, name] = match;
      if (!secured || !(connection.line.get(SECRETS) & (1 << this.#data.secrets.indexOf(name)))) {
        return `the secret ${name} is not for ${connection.name}:${connection.port}, or TLS is not spoken there`;
      }
      const end = match.index + placeholder.length;
      let inside = false;
      for (let at = 0; at < fields.length && !inside; at += 4) {
        const [field, fieldLength, value, valueLength] = fields.subarray(at, at + 4);
        inside = match.index >= value && end <= value + valueLength && !framing.test(text.substring(field, field + fieldLength));
      }
      if (!inside) return `the secret ${name} has its place in the value of a header alone, and in none that frames or routes`;
      found = true;
    }
    return found;
  }

  // ---- receiving ----

  #recv(handle, buffer, capacity, timeout) {
    const connection = this.#connections.get(handle);
    if (connection === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(buffer, capacity) || capacity === 0) return HOST_OTHER;
    if (connection.failure !== 0) return connection.failure;
    if (connection.shaking && connection.line.get(FAILURE) === 0) return this.#fail(connection, HOST_OTHER, 'a handshake is under way');
    const { line } = connection;
    const look = () => {
      const failure = line.get(FAILURE); // these first: what came before them is in the ring by then
      const ended = line.get(ENDED);
      const length = line.count(IN_PUT, IN_TAKEN);
      if (length > 0) return length;
      if (failure !== 0) return failure;
      return ended === 1 ? 0 : undefined;
    };
    const length = this.#until(NEWS, timeout, look) ?? (timeout === 0 ? WANT_READ : this.#timedOut(connection));
    if (length <= 0) return length;
    const count = Math.min(length, capacity >>> 0);
    line.takeIn(this.#bytes, buffer >>> 0, count);
    if (line.get(STALLED) === 1 && line.count(IN_PUT, IN_TAKEN) <= line.size / 2) this.#wake();
    return count;
  }

  #ready(connection) {
    const { line } = connection;
    if (this.#failure(connection) !== 0) return READABLE | WRITABLE;
    if (connection.shaking) return 0;
    const readable = connection.tlsPending || line.get(ENDED) === 1 || line.count(IN_PUT, IN_TAKEN) > 0;
    const writable = line.count(OUT_PUT, OUT_TAKEN) < line.size;
    return (readable ? READABLE : 0) | (writable ? WRITABLE : 0);
  }

  #wait(list, count, timeout) {
    const pairs = count >>> 0;
    const first = list >>> 0;
    if (pairs === 0) {
      const { longest } = this.#data;
      const time = timeout < 0 ? longest : Math.min(timeout, longest);
      if (time > 0) Atomics.wait(this.#idle, 0, 0, Math.min(time, WAIT_MAX));
      return 0;
    }
    if (pairs > MOST_PAIRS) return HOST_UNSUPPORTED;
    if (!this.#inside(list, 0) || first + pairs * PAIR > this.#bytes.length) return HOST_OTHER;
    const bytes = this.#bytes;
    const waited = [];
    for (let at = first; at < first + pairs * PAIR; at += PAIR) {
      const connection = this.#connections.get(bytes.readInt32LE(at));
      if (connection === undefined) return HOST_BAD_HANDLE;
      waited.push({ at: at + 4, connection, interest: bytes.readInt32LE(at + 4) });
    }
    if (!waited.every(({ interest }) => interest >= READABLE && interest <= (READABLE | WRITABLE))) return HOST_OTHER;
    const look = () => waited.some(({ connection, interest }) => this.#ready(connection) & interest) || undefined;
    this.#until(NEWS | ROOM, timeout, look);
    let ready = 0;
    for (const { at, connection, interest } of waited) {
      const bits = this.#ready(connection) & interest;
      bytes.writeInt32LE(bits, at);
      if (bits !== 0) ready++;
    }
    return ready;
  }

  // ---- the rest ----

  #close(handle) {
    const connection = this.#connections.get(handle);
    if (connection === undefined) return;
    this.#connections.delete(handle);
    this.#giveBack(handle, connection.line);
  }

  #info(handle, what, buffer, capacity) {
    if (!this.#inside(buffer, capacity)) return HOST_OTHER;
    const connection = this.#connections.get(handle);
    const kind = what >>> 0;
    let text = '';
    if (connection !== undefined) text = this.#about(connection, kind);
    else if (handle === 0 && kind === INFO_ERROR) text = this.#openError;
    const room = Math.min(capacity >>> 0, INFO_MOST);
    const { written } = new TextEncoder().encodeInto(text, new Uint8Array(room));
    return this.#bytes.utf8Write(text, buffer >>> 0, written);
  }

  #about(connection, kind) {
    if (kind > 4) return '';
    if (kind === INFO_ERROR && connection.failure !== 0) return connection.words;
    return connection.line.text(kind);
  }
}
