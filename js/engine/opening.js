// SPDX-License-Identifier: MIT
//
// From a plan to a transport that requests can go out on: the socket, then TLS to a proxy, the tunnel, and TLS to the peer,
// as far as they are wanted.

import { Channel } from './channel.js';
import { open } from './dial.js';
import { askForTunnel } from './tunnel.js';

/**
 * @typedef {object} Plan
 * @property {import('./dial.js').Dial} dial where to connect to: the peer, or its proxy
 * @property {import('../request/exchange.js').Waits} waits
 * @property {import('../../bindings/node/transport.js').Secured & {name: string} | undefined} proxy how TLS to the proxy is spoken
 * @property {{host: string, port: number, headers: string[]} | null} tunnel what the proxy is asked for
 * @property {import('../../bindings/node/transport.js').Secured & {name: string} | undefined} peer how TLS to the peer is spoken
 * @property {Record<string, number>} limits
 * @property {number} debuglevel
 * @property {(response: import('./tunnel.js').TunnelResponse, headers: Record<string, string[]>) => void} onanswer told of
 *   the proxy's answer, a refusal included
 */

/**
 * How far it has come.
 *
 * @typedef {object} Progress
 * @property {string} phase what is under way, as the phase of an error
 * @property {boolean} failed was it the transport that failed, or the peer?
 * @property {number | null} lookup when the name was looked up
 * @property {number | null} connect when the socket was connected
 * @property {number | null} tls when TLS was there
 */

/**
 * @param {Plan} plan
 * @param {Progress} progress
 * @param {(cancel: ((error: unknown) => void) | null) => void} cancellable told how to end what is under way
 * @returns {Promise<import('../../bindings/node/transport.js').Transport>}
 */
export async function establish(plan, progress, cancellable) {
  const first = plan.tunnel === null ? plan.peer : plan.proxy;
  const transport = await dial({ ...plan.dial, secured: first }, plan.waits.connect.signals, progress, cancellable);
  if (first === undefined && plan.tunnel === null) return transport;
  const channel = new Channel(plan.limits);
  cancellable((error) => channel.abort(error));
  transport.passing = true; // on to the channel of what is asked inside
  try {
    channel.attach(transport);
    if (first !== undefined) await secure(channel, first, plan, progress);
    if (plan.tunnel !== null) {
      progress.phase = 'receive';
      await askForTunnel(channel, plan.tunnel, plan.waits.headers, plan.debuglevel, plan.onanswer);
      if (plan.peer === undefined) channel.leaveTunnel();
      else await secure(channel, plan.peer, plan, progress);
    }
    return transport;
  } catch (error) {
    transport.destroy();
    progress.failed = error === channel.error || error === transport.error;
    throw error;
  } finally {
    cancellable(null);
    if (channel.transport !== null) channel.detach();
    transport.passing = false;
    channel.close();
  }
}

async function secure(channel, secured, plan, progress) {
  progress.phase = 'tls';
  channel.transport.secured = secured;
  await channel.startTls(secured.name, plan.waits.tls);
  progress.tls = performance.now();
}

/** Gets a socket connected, unless a signal ends that. */
async function dial(target, signals, progress, cancellable) {
  for (const signal of signals) signal.throwIfAborted();
  let cancel = null;
  const onabort = (event) => cancel?.(event.target.reason);
  for (const signal of signals) signal.addEventListener('abort', onabort, { once: true });
  const listen = (how) => {
    cancel = how;
    cancellable(how);
  };
  try {
    return await open(target, listen, progress);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', onabort);
  }
}
