// SPDX-License-Identifier: MIT
//
// One stream of bytes to a peer: a net.Socket of our own, or any Duplex that a caller brings.
//
// A socket of our own is read with `onread` and a buffer function, with no Readable in between: into memory that a reader
// offers, or else into one block, which all transports share. The bytes in it are taken at once, before anything else can be
// read: by a reader, or into the guest's memory by a receive that is told of them; what nobody takes is queued, as a copy.
// So the kernel never writes where somebody else could be by then: the guest's memory is another connection's after close(),
// and a caller's could be transferred, shrunk or collected. What a reader offers is memory that nobody else has, and that
// is held on to until the next read.
//
// A TLS socket that is made by `connect` is read the same way: then it is OpenSSL that fills the buffers, a record at a
// time, also after the socket was paused. As every read asks for its buffer, none is filled twice. Where TLS goes around a
// socket that is there already (in a tunnel, or over a Duplex) node:tls offers no `onread`: that is read as a stream.

import { Buffer } from 'node:buffer';
import net from 'node:net';
import { copyBytes } from './copy.js';
import { handshakeCode, hostCode } from './codes.js';
import { delayWriteErrors } from './late.js';
import { letGoLater } from './resting.js';
import { connectTls } from './secure.js';
import { HOST_OTHER, WANT_READ } from '../generated/errors.js';

/** Bytes of the block: few reads for a large body, and small enough to be in a cache still when they are taken. */
export const BLOCK = 256 * 1024;
/** What is read into it at once of heads, chunks and small bodies, which go through the guest: less to be touched there. */
export const LEAD = 32 * 1024;
/**
 * Some processors (AMD's Zen 3, at least) copy bytes many times slower to a place that is 1 to 31 bytes further into its
 * page than where they come from. Were all reads as long as pages are, and went to the same place, a stream that has come upon
 * that would stay there to its end: so the place of a read is another one, of so many, when the one before was full.
 */
const PLACES = 16;
/** Bytes from one to the next: together less than a page. */
const STEP = 208;
/** A socket that came to rest so often is likely to be used again at once. */
const OFTEN = 16;

/**
 * A stream that was read by listeners goes on flowing without them, and loses what it gives, and one that was paused stays
 * so for the next listener: makes it one that nobody has begun to read. That a listener for "readable" goes does it.
 */
function keepForNextReader(socket) {
  const never = () => {};
  socket.on('readable', never);
  socket.off('readable', never);
}

/**
 * @callback Offer
 * @returns {Uint8Array | null} memory to read into instead of the block, or null
 */

/** A plain Uint8Array, whose views cost less than those of a Buffer. @type {Uint8Array} */
let block;
/** What lies under it: to be had from a view for more than a new view of it costs. @type {ArrayBuffer} */
let memory;
/** Its views, by place. @type {Uint8Array[]} */
const leads = [];
let place = 0;

export class Transport {
  /** Called when there is something to receive, the end and failures included. @type {() => void} */
  onreadable = () => {};
  /** Called when `full` has become false. @type {() => void} */
  ondrain = () => {};
  /** Called once with the error that ended the transport. @type {(error: Error) => void} */
  onfailure = () => {};
  /** Asked before each read for memory that bypasses block and guest. @type {Offer} */
  offer = () => null;
  /**
   * Told what came, there or in the block; answers how many of the bytes were taken, from the first on. The others go the
   * way of all bytes, through the guest.
   *
   * @type {(memory: Uint8Array, length: number) => number} where they are, and how many of them there are
   */
  onpassed = () => 0;
  /** What was offered is lent: called once when nobody writes there any more, as a read has come or the socket is closed. @type {(() => void) | null} */
  onreturn = null;
  /** Called when bytes have come into memory that was lent. @type {(length: number) => boolean} answers whether they were taken */
  onlanded = () => false;
  /** The head that was written last, if it is short … */
  head = '';
  /** … and is the next one known to be the same? */
  repeats = false;
  /** How much is read into the block at once, in bytes: 1 to BLOCK. */
  most = LEAD;
  /** Called when the socket is closed. @type {() => void} */
  onclosed = () => {};
  /** How TLS is spoken when it is started. @type {import('./secure.js').Secured} */
  secured = { settings: {}, onsession: () => {} };

  /** @type {import('node:stream').Duplex} */
  socket;
  /** The PORTHOLE_HOST_* code of the error that ended it. @type {number | undefined} */
  failure;
  /** … and the error. @type {(Error & {code?: string}) | undefined} */
  error;
  bytesReceived = 0;
  bytesSent = 0;
  /** Is what is written looked after until the system has it? Then `holding` tells of it, and `ondrain` when it is over. */
  counting = false;
  /** Of TLS, once it is there. @type {import('./secure.js').Security | null} */
  security = null;
  /** Set while the owner is not the last one, and it is not for that one to say that it rests. */
  passing = false;
  /**
   * Is it sure that all that has come was seen? Not when the last read filled its buffer, so that the kernel can have more,
   * nor when the bytes came by way of a stream or of TLS, which hands out what it has piece by piece.
   */
  settled = true;
  /** Has the last read filled its buffer, so that there is more than that at once? */
  filled = false;
  /** Has somebody else been given the socket, who can have hung anything on it? */
  lent = false;

  #handed = null; // what the kernel may be writing into
  #landed = null; // where bytes are that have just come, and are nobody's copy yet …
  #at = 0; // … from here …
  #end = 0; // … to here
  #queue = []; // bytes that nobody took at once
  #ended = false;
  #paused = false;
  #handshake = 1; // what startTls answers next: 1 is for "begin one"
  #own; // read by onread
  #made; // by us
  #plain = false; // read straight from the kernel
  #held = 0; // writes that the socket has not done with
  #patient = false; // do errors of writes wait for what is there?
  #connecting = null; // ends what waits for the connection
  #released = false;
  #resting = false; // may the process end, for all that the socket does …
  #unkept = false; // … and has it been let go for that?
  #rests = 0; // how often it came to rest, up to OFTEN
  /** Is it going to be looked at whether it rests? */
  listed = false;

  /** @param {import('node:stream').Duplex} socket @param {boolean} own was it made by `connect`? */
  constructor(socket, own) {
    this.#own = own;
    this.#made = own;
    if (socket !== undefined) this.#adopt(socket);
  }

  /**
   * Begins a connection.
   *
   * @param {object} options those of net.connect; how long it may take is the caller's to watch
   * @param {{name: string} & import('./secure.js').Secured} [secured] begin TLS with this peer as soon as the socket is connected: `startTls`
   *   has to follow, to wait for it
   * @returns {Transport} at once; `connected()` tells when it is there
   */
  static connect(options, secured = undefined) {
    const transport = new Transport(undefined, true);
    const onread = { buffer: () => transport.#nextBuffer(), callback: (length) => transport.#read(length) };
    const all = { __proto__: null, allowHalfOpen: true, noDelay: true, ...options, onread };
    if (secured === undefined) {
      transport.#plain = true;
      transport.#adopt(net.connect(all));
    } else {
      transport.secured = secured;
      transport.#handshake = WANT_READ;
      transport.#adopt(transport.#connectTls(all, secured.name, true));
    }
    return transport;
  }

  #adopt(socket) {
    this.socket = socket;
    socket.on('error', this.#onerror);
    socket.on('close', this.#onclose);
    socket.on('drain', this.#ondrain);
    socket.on('end', this.#onend);
    if (!this.#own) socket.on('data', this.#ondata);
    if (socket.readableEnded) this.#ended = true; // it will not say so again
  }

  #leave() {
    const { socket } = this;
    socket.off('error', this.#onerror);
    socket.off('close', this.#onclose);
    socket.off('drain', this.#ondrain);
    socket.off('end', this.#onend);
    socket.off('data', this.#ondata);
    if (this.onreturn !== null) socket.once('close', this.#return);
    return socket;
  }

  /**
   * porthole_host_start_tls: TLS goes around the socket, as `secured` says.
   *
   * @param {string} name of the peer: a name, which is sent as SNI, or an address, which is not
   * @param {boolean} http1 offer http/1.1 by ALPN, and take no other protocol
   * @returns {number} 0 when it is done; WANT_READ, then `onreadable` tells when to ask again; a PORTHOLE_HOST_* code
   */
  startTls(name, http1) {
    if (this.failure !== undefined) return this.failure;
    if (this.#handshake === WANT_READ) return WANT_READ;
    if (this.#handshake === 0) {
      this.#handshake = 1;
      return 0;
    }
    if (this.readable) return HOST_OTHER; // said in clear: it has no place inside
    const inner = this.#leave();
    inner.on('error', this.#onerror);
    this.#handshake = WANT_READ;
    this.#own = false;
    this.#plain = false;
    try {
      this.#adopt(this.#connectTls({ socket: inner }, name, http1));
    } catch (error) {
      this.socket = inner;
      this.#onerror(error);
      return this.failure;
    }
    return WANT_READ;
  }

  #connectTls(options, name, http1) {
    return connectTls(options, this.secured, name, http1, (security) => {
      this.security = security;
      this.#handshake = 0;
      this.onreadable();
    });
  }

  /** Tells nobody any more what can be received and sent. */
  unlisten() {
    this.onreadable = () => {};
    this.ondrain = () => {};
    this.offer = () => null;
    this.onlanded = () => false;
    this.onpassed = () => 0;
    this.head = '';
  }

  /** Lets go of the socket: it is somebody else's now, who reads it as any stream. */
  release() {
    this.rest(false);
    this.#keepLanded();
    const socket = this.#leave();
    const queue = this.#queue.splice(0);
    if (this.#own) {
      for (const bytes of queue) socket.push(bytes);
    } else {
      for (const bytes of queue.reverse()) socket.unshift(bytes);
      keepForNextReader(socket);
    }
    this.#released = true;
    if (!this.#made) return;
    socket.allowHalfOpen = false; // as net.connect makes it
    if (this.#ended && !socket.destroyed) socket.end();
  }

  /** @returns {Promise<void>} resolves when a socket that is connecting is connected */
  connected() {
    const { socket } = this;
    if (socket.connecting !== true) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#connecting = reject;
      socket.once('connect', () => {
        this.#connecting = null;
        (this.error === undefined ? resolve : reject)(this.error);
      });
    });
  }

  /** Does each read give one TLS record at most, however much memory there is? */
  get byRecord() {
    return !this.#plain;
  }

  /** Does it hold nothing of a caller's, once it is closed: no settings, and no socket that was brought, or given to somebody? */
  get forgettable() {
    return this.#plain && !this.#released && !this.lent;
  }

  get writable() {
    return !this.socket.destroyed && this.socket.writable;
  }

  /** Does the socket ask to wait before more is written? While it is corked it collects what belongs together. */
  get full() {
    return this.socket.writableNeedDrain && !this.socket.writableCorked;
  }

  /** Does the socket still hold bytes that were written as held? */
  get holding() {
    return this.#held > 0 && this.socket.writableLength !== 0; // its callbacks come a tick later
  }

  /** Bytes that the system, or the Duplex, has taken. */
  get bytesTaken() {
    return Math.max(0, this.bytesSent - (this.socket.writableLength ?? 0));
  }

  /** Lets the process end while nothing else keeps it, or not. A caller's own Duplex is left as it is. @param {boolean} resting */
  rest(resting) {
    if (resting === this.#resting || !this.#made) return;
    this.#resting = resting;
    if (!resting) {
      if (this.#unkept) this.socket.ref();
      this.#unkept = false;
    } else if (this.lent || this.#rests < OFTEN) {
      this.#rests++;
      this.letGo();
    } else {
      letGoLater(this);
    }
  }

  /** Somebody is given the socket, who may say himself whether it keeps the process. */
  lend() {
    this.lent = true;
    this.letGo();
  }

  /** It came to rest, now or a moment ago. */
  letGo() {
    if (!this.#resting || this.#unkept || this.socket.destroyed) return;
    this.#unkept = true;
    this.socket.unref();
  }

  /** Would a receive find something? */
  get readable() {
    return this.#landed !== null || this.#queue.length > 0 || this.#ended || this.failure !== undefined;
  }

  /** Would a receive find something, or change anything? */
  get pending() {
    return this.#paused || this.readable;
  }

  /**
   * @param {string | Uint8Array} data
   * @param {BufferEncoding} [encoding] of a string
   */
  write(data, encoding) {
    this.bytesSent += data.length;
    if (this.counting) {
      this.#held++;
      this.socket.write(data, encoding, this.#onwritten);
    } else {
      this.socket.write(data, encoding);
    }
  }

  /** A body is going to be written: an answer that comes before the reset of a peer that refuses it is to be read. */
  expectAnswer() {
    if (!this.#plain || this.#patient) return;
    this.#patient = true;
    delayWriteErrors(this.socket);
  }

  /**
   * porthole_host_recv, but that nothing is written there once this has answered.
   *
   * @param {Buffer} guest
   * @param {number} address
   * @param {number} capacity
   */
  receive(guest, address, capacity) {
    if (this.#landed !== null) return this.#receiveLanded(guest, address, capacity);
    const bytes = this.#queue[0];
    if (bytes !== undefined) {
      if (bytes.length === 0) return this.#lost();
      const count = Math.min(bytes.length, capacity);
      copyBytes(bytes.subarray(0, count), guest, address);
      if (count === bytes.length) this.#queue.shift();
      else this.#queue[0] = bytes.subarray(count);
      return count;
    }
    if (this.failure !== undefined) return this.failure;
    if (this.#ended) return 0;
    if (this.#paused) this.resume();
    return WANT_READ;
  }

  #receiveLanded(guest, address, capacity) {
    const landed = this.#landed;
    const at = this.#at;
    const count = Math.min(this.#end - at, capacity);
    const isLead = landed === leads[place];
    copyBytes(isLead ? new Uint8Array(memory, landed.byteOffset + at, count) : landed.subarray(at, at + count), guest, address);
    this.#at += count;
    if (this.#at === this.#end) this.#landed = null;
    return count;
  }

  /** What a Duplex emitted was transferred while it waited. The guest is in a call: who waits is told of it after that. */
  #lost() {
    this.error = new TypeError('the Duplex emitted bytes whose memory was transferred before they were read');
    this.failure = HOST_OTHER;
    this.onfailure(this.error);
    process.nextTick(() => this.destroy());
    return this.failure;
  }

  /** Nothing more is received until `resume`. */
  pause() {
    if (this.#paused) return;
    this.#paused = true;
    if (!this.#own) this.socket.pause();
  }

  resume() {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#own) this.socket.read(0);
    else this.socket.resume();
  }

  /** Ends the transport with an error. @param {Error} error @returns {number} its PORTHOLE_HOST_* code */
  fail(error) {
    this.#onerror(error);
    this.destroy();
    return this.failure;
  }

  /** Closes the socket at once. Idempotent. */
  destroy() {
    try {
      this.socket.destroy();
    } catch (error) {
      this.#onerror(error); // a Duplex that throws: the connection is given up all the same
    }
  }

  /** Before each read: where its bytes go. Never empty: that would close the socket. */
  #nextBuffer() {
    this.#handed = (this.#queue.length === 0 ? this.offer() : null) ?? this.#partOfBlock();
    return this.#handed;
  }

  #partOfBlock() {
    if (block === undefined) {
      block = new Uint8Array(BLOCK + PLACES * STEP);
      memory = block.buffer;
      for (let at = 0; at < PLACES * STEP; at += STEP) leads.push(block.subarray(at, at + LEAD));
    }
    if (this.filled) place = (place + 1) % PLACES;
    return this.most === LEAD ? leads[place] : block.subarray(place * STEP, place * STEP + this.most);
  }

  /** After each read. @returns {boolean} go on reading? */
  #read(length) {
    const { onreturn } = this;
    this.bytesReceived += length;
    this.filled = length === this.#handed.length;
    this.settled = this.#plain && !this.filled;
    if (onreturn === null) return this.#take(length);
    const goOn = this.onlanded(length) ? !this.#paused : this.#take(length);
    this.#return();
    return goOn;
  }

  #return = () => {
    const { onreturn } = this;
    if (onreturn === null) return;
    this.onreturn = null;
    this.#handed = null;
    onreturn();
  };

  #take(length) {
    const handed = this.#handed;
    if (this.#released) return this.socket.push(Buffer.from(handed.subarray(0, length)));
    if (this.#queue.length > 0) {
      this.#queue.push(Buffer.from(handed.subarray(0, length)));
      this.onreadable();
      return !this.#paused;
    }
    this.#at = this.onpassed(handed, length);
    if (this.#at < length) {
      this.#landed = handed;
      this.#end = length;
      this.onreadable();
      this.#keepLanded();
    }
    return !this.#paused;
  }

  /** What has just come, and nobody has taken, is queued: it lies where the next bytes go. */
  #keepLanded() {
    if (this.#landed !== null) this.#queue.push(Buffer.from(this.#landed.subarray(this.#at, this.#end)));
    this.#landed = null;
  }

  /** What a Duplex emitted, as bytes; null for what are none, which ends the transport. */
  #bytesOf(chunk) {
    if (chunk instanceof Uint8Array) return chunk;
    // The stream decoded them: never narrowed, or U+010A would be a line feed.
    if (typeof chunk === 'string') return Buffer.from(chunk, this.socket.readableEncoding ?? 'utf8');
    if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
    this.fail(new TypeError('the Duplex emitted data that are no bytes'));
    return null;
  }

  #ondata = (chunk) => {
    const bytes = this.#bytesOf(chunk);
    if (bytes === null || bytes.length === 0) return;
    this.bytesReceived += bytes.length;
    this.settled = false;
    this.#queue.push(bytes);
    this.onreadable();
  };

  /** It has ended: who waits for the connection would wait in vain. */
  #endConnecting() {
    this.#connecting?.(Object.assign(new Error('the socket was closed before it was connected'), { code: 'ECONNRESET', syscall: 'connect' }));
  }

  #onend = () => {
    this.#ended = true;
    this.#endConnecting();
    this.onreadable();
  };

  #onerror = (error) => {
    if (this.failure !== undefined) return;
    this.error = error;
    this.failure = this.#handshake === WANT_READ ? handshakeCode(error) : hostCode(error);
    this.#connecting?.(error);
    this.onfailure(error);
    this.onreadable();
    this.ondrain();
  };

  #onclose = () => {
    this.#return();
    if (!this.#ended && this.failure === undefined) {
      this.#ended = true;
      this.#endConnecting();
      this.onreadable();
    }
    this.ondrain();
    this.onclosed();
    this.onclosed = () => {};
  };

  #ondrain = () => this.ondrain();

  #onwritten = () => {
    this.#held--;
    if (this.#held === 0) this.ondrain();
  };
}
