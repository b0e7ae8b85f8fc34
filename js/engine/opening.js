// SPDX-License-Identifier: MIT
//
// One attempt to connect, from a plan to a transport that requests can go out on: the socket, then TLS to a proxy, the
// tunnel, and TLS to the peer, as far as they are wanted. One object for each attempt: its phase, its cancel, its end.

import { now } from '../../bindings/node/timers.js';
import { UnknownProtocol } from '../errors.js';
import { Channel } from './channel.js';
import { open } from './dial.js';
import { abortedOf, onAbort, reasonOf } from './signals.js';
import { askForTunnel } from './tunnel.js';

/**
 * @typedef {object} Plan
 * @property {import('./dial.js').Dial} dial where to connect to: the peer, or its proxy
 * @property {(name: string) => number | null} seconds how long each phase may take
 * @property {AbortSignal[]} signals
 * @property {import('../../bindings/node/secure.js').Secured & {name: string} | undefined} proxy how TLS to the proxy is
 *   spoken
 * @property {{host: string, port: number, headers: string[]} | null} tunnel what the proxy is asked for
 * @property {import('../../bindings/node/secure.js').Secured & {name: string} | undefined} peer how TLS to the peer is
 *   spoken
 * @property {Record<string, number>} limits
 * @property {number} debuglevel
 * @property {(answer: import('./tunnel.js').Answer) => void} onanswer told of the proxy's answer, a refusal included
 */

/**
 * How far it has come.
 *
 * @typedef {object} Progress
 * @property {string} phase what is under way, as the phase of an error
 * @property {number | null} lookup when the name was looked up
 * @property {number | null} connect when the socket was connected
 * @property {number | null} tls when TLS was there
 */

export class Opening {
  /** Was it the transport that failed, or the peer, and not a caller's own code? */
  failed = false;
  /** Resolves with the transport. @type {Promise<import('../../bindings/node/transport.js').Transport>} */
  transport;

  #plan;
  #progress;
  #over = false;
  #cancelled = false;
  #reason;
  #cancel = null; // ends what is under way

  /** @param {Plan} plan @param {Progress} progress */
  constructor(plan, progress) {
    this.#plan = plan;
    this.#progress = progress;
    this.transport = this.#run();
  }

  /** What is under way, as the phase of an error. */
  get phase() {
    return this.#progress.phase;
  }

  /** Ends the attempt: it rejects with the reason, unless it is over. @param {unknown} reason */
  cancel(reason) {
    if (this.#over || this.#cancelled) return;
    this.#cancelled = true;
    this.#reason = reason;
    this.#cancel?.(reason);
  }

  /** Goes on, unless it was cancelled between two steps. */
  #check() {
    if (this.#cancelled) throw this.#reason;
  }

  async #run() {
    const { signals } = this.#plan;
    const aborted = abortedOf(signals);
    if (aborted !== undefined) throw reasonOf(aborted);
    const offs = signals.map((signal) => onAbort(signal, () => this.cancel(reasonOf(signal))));
    try {
      return await this.#establish();
    } finally {
      this.#over = true;
      for (const off of offs) off();
    }
  }

  async #establish() {
    const plan = this.#plan;
    const first = plan.tunnel === null ? plan.peer : plan.proxy;
    const transport = await open(
      { ...plan.dial, secured: first },
      (cancel) => {
        this.#cancel = cancel;
      },
      this.#progress,
    );
    try {
      this.#check();
      if (first !== undefined || plan.tunnel !== null) await this.#speak(transport, first);
      this.#check();
      return transport;
    } catch (error) {
      transport.destroy();
      throw error;
    }
  }

  /** Speaks to the proxy, or begins TLS: over a channel of its own, as none of it belongs to a request. */
  async #speak(transport, first) {
    const { limits, tunnel, peer, debuglevel, onanswer, seconds } = this.#plan;
    transport.passing = true; // on to the channel of what is asked inside
    const channel = new Channel(limits);
    this.#cancel = (reason) => channel.abort(reason);
    try {
      channel.attach(transport);
      if (first !== undefined) await this.#secure(channel, first);
      if (tunnel !== null) {
        this.#check();
        this.#progress.phase = 'receive';
        await askForTunnel(channel, tunnel, seconds('headers'), debuglevel, onanswer);
        this.#check();
        if (peer === undefined) channel.leaveTunnel();
        else await this.#secure(channel, peer);
      }
    } catch (error) {
      const own = error === channel.error || error === transport.error;
      this.failed = own && !this.#cancelled;
      if (error?.code !== 'ERR_HTTP_UNKNOWN_PROTOCOL' || error instanceof UnknownProtocol) throw error;
      throw Object.assign(new UnknownProtocol(error.version), { message: error.message });
    } finally {
      this.#cancel = null;
      if (channel.transport !== null) channel.detach();
      transport.passing = false;
      channel.close();
    }
  }

  async #secure(channel, secured) {
    this.#progress.phase = 'tls';
    channel.transport.secured = secured;
    await channel.startTls(secured.name, this.#plan.seconds('tls'));
    this.#progress.tls = now();
  }
}
