// SPDX-License-Identifier: MIT
//
// The host of an instance on Node: the imports of porthole_host_v1 (host.h) over transports. It never waits: what can't
// be done at once answers WANT_READ or WANT_WRITE, and the transport tells its owner when to call again.

import { READABLE, TLS_ALPN_HTTP1, WRITABLE } from '../generated/abi.js';
import {
  HOST_BAD_HANDLE,
  HOST_CLOSED,
  HOST_OTHER,
  WANT_WRITE,
} from '../generated/errors.js';
import { after, cancel } from './timers.js';
import { Transport } from './transport.js';

const MAX_HANDLE = 0x7fffffff;

export class Host {
  #transports = new Map();
  #nextHandle = 1;
  #lastError = '';

  constructor() {
    /** The guest's memory; set once it is known. @type {Buffer} */
    this.bytes = Buffer.alloc(0);
    /** How TLS is spoken on connections that the guest opens. @type {import('./transport.js').Secured} */
    this.secured = { settings: {}, onsession: () => {} };
    this.imports = {
      porthole_host_open: (host, length, port, timeout) => this.#open(host, length, port, timeout),
      porthole_host_start_tls: (handle, name, length, flags) => this.#startTls(handle, name, length, flags),
      porthole_host_send: (handle, data, length) => this.#send(handle, data, length),
      porthole_host_recv: (handle, buffer, capacity) => this.#recv(handle, buffer, capacity),
      porthole_host_wait: (handle, interest) => this.#wait(handle, interest),
      porthole_host_close: (handle) => this.#close(handle),
      porthole_host_last_error: (_handle, buffer, capacity) => this.#lastErrorText(buffer, capacity),
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

  #open(host, length, port, timeout) {
    if (!this.#inside(host, length) || port >>> 0 > 65535) return HOST_OTHER;
    const name = this.bytes.latin1Slice(host >>> 0, (host >>> 0) + (length >>> 0));
    const transport = Transport.connect({ host: name, port });
    transport.secured = this.secured;
    if (timeout >= 0) limitConnecting(transport, timeout);
    transport.onfailure = (error) => {
      this.#lastError = error.message;
    };
    return this.add(transport);
  }

  #startTls(handle, name, length, flags) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(name, length)) return HOST_OTHER;
    const text = this.bytes.latin1Slice(name >>> 0, (name >>> 0) + (length >>> 0));
    return transport.startTls(text, (flags & TLS_ALPN_HTTP1) !== 0);
  }

  #send(handle, data, length) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(data, length) || length === 0) return HOST_OTHER;
    if (!transport.writable) return transport.failure ?? HOST_CLOSED;
    if (transport.full) return WANT_WRITE;
    try {
      // A string is a copy, as the guest may overwrite the bytes, and the cheapest one.
      transport.write(this.bytes.latin1Slice(data >>> 0, (data >>> 0) + (length >>> 0)), 'latin1');
    } catch (error) {
      return transport.fail(error); // a Duplex that throws: nothing may unwind the guest
    }
    return length;
  }

  #recv(handle, buffer, capacity) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    if (!this.#inside(buffer, capacity) || capacity === 0) return HOST_OTHER;
    return transport.receive(this.bytes, buffer >>> 0, capacity >>> 0);
  }

  #wait(handle, interest) {
    const transport = this.#transports.get(handle);
    if (transport === undefined) return HOST_BAD_HANDLE;
    const readable = transport.readable ? READABLE : 0;
    const writable = transport.full ? 0 : WRITABLE;
    return interest & (readable | writable);
  }

  #close(handle) {
    this.#transports.get(handle)?.destroy();
    this.#transports.delete(handle);
  }

  #lastErrorText(buffer, capacity) {
    if (!this.#inside(buffer, capacity)) return HOST_OTHER;
    return this.bytes.utf8Write(this.#lastError, buffer >>> 0, capacity >>> 0);
  }
}

/** Fails a transport that is not connected within some milliseconds. */
function limitConnecting(transport, timeout) {
  const { socket } = transport;
  const expire = () => transport.fail(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT', syscall: 'connect' }));
  const timer = after(timeout, expire);
  const settle = () => cancel(timer);
  socket.once('connect', settle).once('close', settle);
}
