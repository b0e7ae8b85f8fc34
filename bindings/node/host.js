// SPDX-License-Identifier: MIT
//
// The host of an instance on Node: the imports of porthole_host_v1 (host.h) over transports. It never waits: what can't
// be done at once answers WANT_READ or WANT_WRITE, and the transport tells its owner when to call again.

import net from 'node:net';
import {
  INFO_ALPN,
  INFO_ERROR,
  INFO_LOCAL,
  INFO_MOST,
  INFO_PEER,
  INFO_TLS,
  OPEN_IPV4,
  OPEN_IPV6,
  OPEN_TLS,
  READABLE,
  TLS_ALPN_HTTP1,
  WRITABLE,
} from '../generated/abi.js';
import {
  HOST_BAD_HANDLE,
  HOST_CLOSED,
  HOST_NOT_FOUND,
  HOST_OTHER,
  HOST_UNSUPPORTED,
  WANT_WRITE,
} from '../generated/errors.js';
import { after, cancel } from './timers.js';
import { Transport } from './transport.js';

/** Looked up once: V8 looks long for it, as a Buffer has so much. */
const { latin1Slice } = Buffer.prototype;
const MAX_HANDLE = 0x7fffffff;
const LONGEST_NAME = 255;
/** Heads up to so many bytes are kept, to be sent again. */
const KEPT_MAX = 1024;
const PAIR = 8; // bytes of a handle and its interest
const FAMILIES = { 0: 0, [OPEN_IPV4]: 4, [OPEN_IPV6]: 6, [OPEN_IPV4 | OPEN_IPV6]: 0 };

export class Host {
  #transports = new Map();
  #nextHandle = 1;
  #names = new WeakMap(); // of transports that were opened for TLS: whom it is spoken with
  #openError = '';

  constructor() {
    /** The guest's memory; set once it is known. @type {Buffer} */
    this.bytes = Buffer.alloc(0);
    /** How TLS is spoken on connections that the guest opens. @type {import('./secure.js').Secured} */
    this.secured = { settings: {}, onsession: () => {} };
    this.imports = {
      porthole_host_open: (host, length, port, flags, timeout) => this.#open(host, length, port, flags, timeout),
      porthole_host_start_tls: (handle, name, length, flags) => this.#startTls(handle, name, length, flags),
      porthole_host_send_head: (handle, head, length) => this.#sendHead(handle, head, length),
      porthole_host_send: (handle, data, length) => this.#send(handle, data, length),
      porthole_host_recv: (handle, buffer, capacity) => this.#recv(handle, buffer, capacity),
      porthole_host_wait: (list, count) => this.#wait(list, count),
      porthole_host_close: (handle) => this.#close(handle),
      porthole_host_info: (handle, what, buffer, capacity) => this.#info(handle, what, buffer, capacity),
      porthole_host_now: () => performance.now(),
    };
  }

  /**
   * Gives a transport a handle of this host.
   *
   * @param {Transport} transport
   * @returns {number}
   */
  add(transport) {
    if (this.#nextHandle > MAX_HANDLE) this.#nextHandle = 1;
    while (this.#transports.has(this.#nextHandle)) this.#nextHandle++;
    const handle = this.#nextHandle++;
    this.#transports.set(handle, transport);
    return handle;
  }

  /** Forgets a handle without closing what it stands for. @param {number} handle */
  remove(handle) {
    this.#transports.delete(handle);
  }

  #inside(pointer, length) {
    return (pointer >>> 0) + (length >>> 0) <= this.bytes.length;
  }

  #name(pointer, length) {
    return latin1Slice.call(this.bytes, pointer >>> 0, (pointer >>> 0) + (length >>> 0));
  }

  #open(host, length, port, flags, timeout) {
    if (!this.#inside(host, length) || length >>> 0 > LONGEST_NAME || length === 0 || port >>> 0 > 65535) return HOST_OTHER;
    if (flags & ~(OPEN_TLS | OPEN_IPV4 | OPEN_IPV6)) return HOST_UNSUPPORTED;
    const name = this.#name(host, length);
    const family = FAMILIES[flags & (OPEN_IPV4 | OPEN_IPV6)];
    const version = net.isIP(name);
    if (family !== 0 && version !== 0 && version !== family) {
      this.#openError = `${name} is no address of IPv${family}`;
      return HOST_NOT_FOUND;
    }
    const secured = flags & OPEN_TLS ? { name, ...this.secured } : undefined;
    const transport = Transport.connect({ host: name, port, family }, secured);
    if (secured === undefined) transport.secured = this.secured;
    else this.#names.set(transport, name);
    if (timeout >= 0) limitConnecting(transport, timeout);
    return this.add(transport);
  }

  #startTls(handle, name, length, flags) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(name, length)) return HOST_OTHER;
    const text = this.#name(name, length);
    const opened = this.#names.get(transport);
    if (opened !== undefined && opened !== text) return HOST_OTHER;
    return transport.startTls(text, (flags & TLS_ALPN_HTTP1) !== 0);
  }

  /** @returns {number} how much of it the socket has taken: all, as long as it is not full; or an error */
  #send(handle, data, length) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(data, length) || length === 0) return HOST_OTHER;
    return write(transport, this.#name(data, length)); // a string is a copy, as the guest may overwrite the bytes, and the cheapest one
  }

  /** A head is taken as any other bytes. The text of one that goes out again is at hand. */
  #sendHead(handle, data, length) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(data, length) || length === 0) return HOST_OTHER;
    if (!transport.repeats || transport.head.length !== length) {
      const text = this.#name(data, length);
      transport.head = length <= KEPT_MAX ? text : '';
      return write(transport, text);
    }
    return write(transport, transport.head);
  }

  #recv(handle, buffer, capacity) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(buffer, capacity) || capacity === 0) return HOST_OTHER;
    return transport.receive(this.bytes, buffer >>> 0, capacity >>> 0);
  }

  #wait(list, count) {
    const pairs = count >>> 0;
    const first = list >>> 0;
    if (first + pairs * PAIR > this.bytes.length) return HOST_OTHER;
    for (let at = first; at < first + pairs * PAIR; at += PAIR) {
      if (!this.#transports.has(this.bytes.readInt32LE(at))) return HOST_BAD_HANDLE;
    }
    let ready = 0;
    for (let at = first; at < first + pairs * PAIR; at += PAIR) {
      const transport = this.#transports.get(this.bytes.readInt32LE(at));
      const readable = transport.readable ? READABLE : 0;
      const writable = transport.full ? 0 : WRITABLE;
      const bits = this.bytes.readInt32LE(at + 4) & (readable | writable);
      this.bytes.writeInt32LE(bits, at + 4);
      if (bits !== 0) ready++;
    }
    return ready;
  }

  #close(handle) {
    this.#transports.get(handle)?.destroy();
    this.#transports.delete(handle);
  }

  #info(handle, what, buffer, capacity) {
    if (!this.#inside(buffer, capacity)) return HOST_OTHER;
    const transport = this.#transports.get(handle);
    let text = '';
    if (transport !== undefined) text = infoOf(transport, what);
    else if (handle === 0 && what === INFO_ERROR) text = this.#openError;
    // One line, as a terminal may show it.
    const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
    return this.bytes.utf8Write(line, buffer >>> 0, Math.min(capacity >>> 0, INFO_MOST));
  }
}

/** @param {Transport} transport @param {string} text ISO-8859-1 @returns {number} its length, or an error */
function write(transport, text) {
  if (!transport.writable) return transport.failure ?? HOST_CLOSED;
  if (transport.full) return WANT_WRITE;
  try {
    transport.write(text, 'latin1');
  } catch (error) {
    return transport.fail(error); // a Duplex that throws: nothing may unwind the guest
  }
  return text.length;
}

/** What is known of a transport. @param {Transport} transport @param {number} what INFO_* @returns {string} */
function infoOf(transport, what) {
  const { socket } = transport;
  switch (what) {
    case INFO_ERROR:
      return transport.error?.message ?? '';
    case INFO_PEER:
      return endOf(socket.remoteAddress, socket.remotePort);
    case INFO_LOCAL:
      return endOf(socket.localAddress, socket.localPort);
    case INFO_TLS:
      return transport.security?.protocol ?? '';
    case INFO_ALPN:
      return transport.security?.alpn ?? '';
    default:
      return '';
  }
}

/** An address and a port, as a URL has them. */
function endOf(address, port) {
  if (address === undefined) return '';
  return net.isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Fails a transport that is not connected within some milliseconds. */
function limitConnecting(transport, timeout) {
  const { socket } = transport;
  const expire = () => transport.fail(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT', syscall: 'connect' }));
  const timer = after(timeout, expire);
  const settle = () => cancel(timer);
  socket.once('connect', settle).once('close', settle);
}
