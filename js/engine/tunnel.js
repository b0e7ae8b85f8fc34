// SPDX-License-Identifier: MIT
//
// Asking a proxy for a tunnel: CONNECT (RFC 9110 section 9.3.6), and what it answers.

import { Buffer } from 'node:buffer';
import { after, cancel } from '../../bindings/node/timers.js';
import { listFields } from '../../bindings/wasm/fields.js';
import { PHASE_HEAD, PHASE_TUNNEL } from '../../bindings/generated/abi.js';
import { hinted, TunnelError } from '../errors.js';
import { refused } from '../refusal.js';
import { print, reprBytes } from '../watch/debug.js';
import { proxyHint, wantsTls } from '../watch/hints.js';

/** What is kept of the body of a refusal, in bytes … */
const BODY_MAX = 64 * 1024;
/** … and how many seconds it may take, as nobody waits for it. */
const BODY_TIME = 1;

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {string} reason
 * @property {string[]} fields name, value, …
 * @property {Buffer} body of a refusal: its first 64 KiB
 */

/**
 * Opens a tunnel on a channel that is connected to a proxy.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {{host: string, port: number, headers: string[]}} tunnel
 * @param {number | null} seconds how long to wait for the answer
 * @param {number} debuglevel
 * @param {(answer: Answer) => void} tell told of the answer, a refusal included
 * @throws {TunnelError} when the proxy refuses
 */
export async function askForTunnel(channel, tunnel, seconds, debuglevel, tell) {
  const { core } = channel;
  stageConnect(core, tunnel);
  if (debuglevel > 0) print(`send: ${reprBytes(core.staged)}`);
  channel.flush();
  const step = () => {
    if (channel.phase > PHASE_HEAD && !channel.abandoned) return readAnswer(core);
    if (channel.failed) throw channel.failure();
    return undefined;
  };
  const answer = step() ?? (await channel.waiting.until('receive', seconds, [], step));
  const { status, reason, fields } = answer;
  if (debuglevel > 0) {
    for (let i = 0; i < fields.length; i += 2) print(`header: ${fields[i]}: ${fields[i + 1]}`);
  }
  const opened = channel.phase === PHASE_TUNNEL;
  const body = opened ? Buffer.alloc(0) : await readRefusal(channel, seconds);
  tell({ status, reason, fields, body });
  if (opened) return;
  const error = new TunnelError(status, reason);
  throw wantsTls(status, body.subarray(0, 1024).latin1Slice()) ? hinted(error, proxyHint) : error;
}

/**
 * Stages CONNECT.
 *
 * @param {import('../../bindings/wasm/connection.js').Connection} core
 * @param {{host: string, port: number, headers: string[]}} tunnel
 * @throws {TypeError | InvalidURL} for a host, port or header that can't be sent
 */
export function stageConnect(core, { host, port, headers }) {
  const error = core.tunnel(host, port, headers);
  if (error !== 0) throw refused(error, { host, port, headers, index: core.refused, limit: core.limit });
}

function readAnswer(core) {
  const { head, status, reasonAt, reasonLength, fieldsAt } = core;
  return {
    status,
    reason: head.substring(reasonAt, reasonAt + reasonLength),
    fields: listFields(head.substring(fieldsAt)),
  };
}

/** The body of a refusal, as far as it comes. */
async function readRefusal(channel, seconds) {
  channel.core.accept();
  const body = Buffer.alloc(BODY_MAX);
  let length = 0;
  let late = false;
  const step = () => {
    if (channel.abandoned) throw channel.failure();
    length += channel.read(body, length, BODY_MAX - length);
    return late || length === BODY_MAX || channel.core.complete || channel.failed ? true : undefined;
  };
  const timer = after(BODY_TIME * 1000, () => {
    late = true;
    channel.waiting.wake();
  });
  try {
    if (step() === undefined) await channel.waiting.until('receive', seconds, [], step);
  } finally {
    cancel(timer);
  }
  return Buffer.from(body.subarray(0, length));
}
