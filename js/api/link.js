// SPDX-License-Identifier: MIT
//
// What an HTTPConnection is connected by: the channel that requests are staged on next, all channels that are open (those of
// responses that close them included), an attempt to connect, the tunnel, what TLS agreed on.

import { Transport } from '../../bindings/node/transport.js';
import { Channel } from '../engine/channel.js';
import { Opening } from '../engine/opening.js';
import { stageConnect } from '../engine/tunnel.js';
import { thrownBy } from '../errors.js';
import { asciiHost } from '../request/options.js';
import { refused } from '../refusal.js';
import * as diagnostics from '../watch/diagnostics.js';
import { peerName, settingsOf } from './context.js';
import { HTTPMessage } from './message.js';
import { termsOf } from './settings.js';

/** How a subclass says that TLS is to be spoken: a method that is told the peer's name. @private */
export const SECURED = Symbol('porthole.secured');

/** Closes what belongs to connections that nobody holds any more. */
const abandoned = new FinalizationRegistry((channels) => {
  for (const channel of [...channels]) channel.close();
});

/**
 * What connecting tells of: an exchange, or something like it.
 *
 * @typedef {import('../engine/opening.js').Progress & {signals?: AbortSignal[]}} Progress
 */

export class Link {
  /** The channel that requests are staged on next. @type {Channel | null} */
  channel = null;
  /** What TLS agreed on. @type {import('../../bindings/node/secure.js').Security | null} */
  security = null;
  /** What the proxy is asked for. @type {{host: string, port: number, headers: string[]} | null} */
  tunnel = null;
  /** What it has answered. @type {object | null} */
  tunnelResponse = null;
  /** … and its headers, by name. @type {Record<string, string[]> | null} */
  proxyHeaders = null;

  /** How often the caller has closed the connection, or taken its socket. */
  changes = 0;

  #owner;
  #channels = new Set();
  #opening = null; // { attempt, reason, done }
  #describe;

  /**
   * @param {import('./connection.js').HTTPConnection} owner
   * @param {(error: any, progress: Progress, failed: boolean) => any} describe adds what is known to an error of connecting
   */
  constructor(owner, describe) {
    this.#owner = owner;
    this.#describe = describe;
    abandoned.register(owner, this.#channels);
  }

  /** The socket of the channel, or null. */
  get socket() {
    return this.channel?.transport?.socket ?? null;
  }

  /** … if it is in use: one that has failed or was closed is not, also where something of it can still be read or told. */
  get liveSocket() {
    const { socket } = this;
    return socket === null || socket.destroyed || this.channel.error !== undefined ? null : socket;
  }

  /** The same, for a caller. */
  lend() {
    const socket = this.liveSocket;
    if (socket !== null) this.channel.transport.lend();
    return socket;
  }

  /** Can no request go out on the channel any more? */
  get isSpent() {
    return this.channel?.spent === true;
  }

  /** The attempt to connect that is under way, if there is one. @type {Opening | null} */
  get attempt() {
    return this.#opening?.attempt ?? null;
  }

  // ---- channels ----

  /** The channel, which is made when there is none. @returns {Channel} */
  use() {
    if (this.channel === null || this.channel.closed) {
      const channel = new Channel(this.#owner.limits);
      const channels = this.#channels;
      channels.add(channel);
      channel.onclosed = () => channels.delete(channel);
      this.channel = channel;
    }
    return this.channel;
  }

  /** Tells a channel whom it speaks to. @throws when that can't be said */
  address(channel) {
    const { host, port } = this.tunnel ?? this.#owner;
    const { default_port } = this.#owner;
    if (channel.host === host && channel.port === port && channel.default_port === default_port) return;
    const error = channel.core.setAuthority(asciiHost(host), port, default_port);
    if (error !== 0) throw refused(error, { host: `${host}:${port}`, port });
    channel.host = host;
    channel.port = port;
    channel.default_port = default_port;
  }

  /** Gives the channel up: to a response that is still being read, or for good. @param {boolean} keep */
  leave(keep) {
    const { channel } = this;
    this.channel = null;
    if (!keep) channel?.close();
  }

  /** Closes all channels. @param {Error} error for who waits */
  close(error) {
    this.changes++;
    this.endOpening(error);
    this.security = null;
    this.channel = null;
    for (const channel of [...this.#channels]) channel.close(error);
  }

  /** Forgets the socket without closing it: nobody may be left who hears of its errors. */
  forget() {
    const { socket } = this.giveAway(this.channel);
    socket.on('error', () => {});
  }

  /** Gives the socket of a channel to somebody else. @param {Channel} channel */
  giveAway(channel) {
    this.changes++;
    if (this.channel === channel) this.channel = null;
    this.security = null;
    return channel.giveAway();
  }

  /** Uses a socket that the caller brings. @param {import('node:stream').Duplex} socket */
  bring(socket) {
    this.#attach(new Transport(socket, false));
  }

  #attach(transport) {
    this.use().attach(transport);
    if (!diagnostics.closed.hasSubscribers) return; // or nobody but the socket could hold the connection
    const connection = this.#owner;
    const { socket } = transport;
    transport.lend();
    transport.onclosed = () => diagnostics.closed.publish({ connection, socket, error: transport.error });
  }

  // ---- connecting ----

  /** @param {Progress} [progress] @returns {Promise<void>} of the attempt that is under way, which is begun when there is none */
  connect(progress = { phase: 'connect', lookup: null, connect: null, tls: null }) {
    if (this.#opening === null) {
      const opening = { attempt: null, reason: null, done: null };
      this.#opening = opening;
      opening.done = this.#open(opening, progress);
    }
    return this.#opening.done;
  }

  /** Ends the attempt to connect, if there is one. @param {unknown} reason that it rejects with */
  endOpening(reason) {
    const opening = this.#opening;
    if (opening === null) return;
    this.#opening = null;
    opening.reason = reason;
    opening.attempt?.cancel(reason);
  }

  async #open(opening, progress) {
    await null; // so that what connect() gives is known before this ends
    let transport;
    let plan;
    try {
      if (opening.reason !== null) throw opening.reason;
      plan = this.#plan(progress);
      opening.attempt = new Opening(plan, progress);
      transport = await opening.attempt.transport;
    } catch (error) {
      throw this.#describe(thrownBy('create_connection or lookup', error), progress, opening.attempt?.failed === true);
    } finally {
      if (this.#opening === opening) this.#opening = null;
    }
    if (opening.reason !== null || this.socket !== null) {
      transport.destroy(); // it was closed meanwhile, or the caller has brought another socket
      if (opening.reason !== null) throw opening.reason;
      return;
    }
    const { security } = transport;
    if (security !== null && plan.peer !== undefined) security.certificate = plan.peer.recall(security.certificate);
    this.security = security;
    this.#attach(transport);
    if (diagnostics.opened.hasSubscribers) {
      transport.lend();
      diagnostics.opened.publish({ connection: this.#owner, socket: transport.socket, tls: security });
    }
  }

  /** What to connect to, and how. @returns {import('../engine/opening.js').Plan} */
  #plan(progress) {
    const owner = this.#owner;
    const { source_address, lookup, create_connection, socket_path, proxy_context, timeouts } = owner;
    const terms = termsOf(owner);
    const host = asciiHost(owner.host);
    const end = this.tunnel === null ? host : asciiHost(this.tunnel.host);
    return {
      dial: {
        host,
        port: owner.port,
        timeout: owner.timeout,
        limits: { lookup: timeouts.lookup, connect: terms.seconds('connect') },
        source_address,
        signal: owner.signal,
        socket_path,
        lookup: lookup?.bind(owner) ?? null,
        create_connection: create_connection?.bind(owner) ?? null,
      },
      seconds: (name) => terms.seconds(name),
      signals: progress.signals ?? (owner.signal === null ? [] : [owner.signal]),
      proxy: proxy_context === null ? undefined : { name: peerName(host), settings: settingsOf(proxy_context), onsession() {} },
      tunnel: this.tunnel === null ? null : { ...this.tunnel, host: end },
      peer: owner[SECURED]?.(end),
      limits: owner.limits,
      debuglevel: owner.debuglevel,
      onanswer: ({ status, reason, fields, body }) => {
        this.tunnelResponse = { status, reason, headers: new HTTPMessage(fields), body };
        this.proxyHeaders = byName(fields);
      },
    };
  }

  /** Sets a tunnel up. @param {{host: string, port: number, headers: string[]}} tunnel @throws for what can't be sent */
  setTunnel(tunnel) {
    const trial = new Channel(null);
    try {
      stageConnect(trial.core, { ...tunnel, host: asciiHost(tunnel.host) });
    } finally {
      trial.close();
    }
    this.tunnel = tunnel;
    this.tunnelResponse = null;
    this.proxyHeaders = null;
  }
}

/** Headers as an object: name, as it was received, to values. */
function byName(fields) {
  const headers = {};
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i], fields[i + 1]];
    if (Object.hasOwn(headers, name)) headers[name].push(value);
    else Object.defineProperty(headers, name, { value: [value], enumerable: true, configurable: true, writable: true });
  }
  return headers;
}
