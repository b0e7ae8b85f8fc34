// SPDX-License-Identifier: MIT
//
// Asking a proxy for a tunnel: CONNECT (RFC 9110 section 9.3.6), and what it answers.

import { listFields } from '../../bindings/wasm/core.js';
import { print, reprBytes } from '../watch/debug.js';
import { TimeoutError, TunnelError } from '../errors.js';
import { abortedOf, Exchange } from '../request/exchange.js';
import { PHASE_HEAD, PHASE_TUNNEL, VIEW_FIELDS, VIEW_STATUS } from '../../bindings/generated/abi.js';
import { HTTPMessage } from '../api/message.js';
import { HTTPResponse } from '../api/response.js';
import { after } from '../../bindings/node/timers.js';
import { flush } from './outflow.js';

/** What is kept of the body of a refusal, in bytes … */
const BODY_MAX = 64 * 1024;
/** … and how many seconds it may take, as nobody waits for it. */
const BODY_TIME = 1;

/**
 * @typedef {object} TunnelResponse
 * @property {number} status
 * @property {string} reason
 * @property {HTTPMessage} headers
 * @property {Buffer} body of a refusal: its first 64 KiB
 */

/**
 * Opens a tunnel on a channel that is connected to a proxy.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {{host: string, port: number, headers: string[]}} tunnel
 * @param {import('./channel.js').Limits} limits of waiting for the answer
 * @param {number} debuglevel
 * @param {(response: TunnelResponse, headers: Record<string, string[]>) => void} tell told of the answer, a refusal
 *   included
 * @throws {TunnelError} when the proxy refuses
 */
export async function askForTunnel(channel, tunnel, limits, debuglevel, tell) {
  const { core } = channel;
  core.tunnel(tunnel.host, tunnel.port, tunnel.headers);
  if (debuglevel > 0) print(`send: ${reprBytes(core.staged())}`);
  flush(channel);
  const step = () => {
    if (channel.phase > PHASE_HEAD) return true;
    if (channel.failed) throw channel.failure();
    return undefined;
  };
  if (step() === undefined) await channel.receiving(limits, step);
  const head = channel.takeHead();
  const { view } = core;
  const status = view[VIEW_STATUS];
  const reason = channel.reasonIn(head);
  const fields = listFields(head.substring(view[VIEW_FIELDS]));
  if (debuglevel > 0) {
    for (let i = 0; i < fields.length; i += 2) print(`header: ${fields[i]}: ${fields[i + 1]}`);
  }
  const opened = channel.phase === PHASE_TUNNEL;
  const body = opened ? Buffer.alloc(0) : await readRefusal(channel, limits);
  tell({ status, reason, headers: new HTTPMessage(fields), body }, byName(fields));
  if (!opened) throw new TunnelError(status, reason);
}

/** The body of a refusal, as far as it comes. */
async function readRefusal(channel, { seconds, signals }) {
  const { core } = channel;
  core.exports.porthole_conn_accept(core.address);
  const waits = { idle: { seconds, signals } };
  const response = new HTTPResponse({ channel, exchange: new Exchange('CONNECT', '', waits), debuglevel: 0 });
  const timer = after(BODY_TIME * 1000, () => channel.fail(new TimeoutError('receive', BODY_TIME, BODY_TIME)));
  try {
    return await response.read(BODY_MAX);
  } catch (error) {
    if (abortedOf(signals) !== undefined) throw error;
    return error.partial ?? Buffer.alloc(0);
  } finally {
    clearTimeout(timer);
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
