// SPDX-License-Identifier: MIT
//
// What an error of an operation is told with: where it happened, how far the request had come, whether it is safe to try
// again. Errors of a caller's own making (a signal's reason, what a body source or a callback threw, refused arguments)
// stay as they are.

import { BadStatusLine, HTTPException, ImproperConnectionState, TimeoutError, TunnelError } from '../errors.js';
import { addClearHint, addHint } from './hints.js';

/** Is it an error that the connection made, and not one of a caller? */
export function isOurs(error) {
  return (
    error instanceof HTTPException ||
    error instanceof TimeoutError ||
    error instanceof TunnelError ||
    typeof error?.syscall === 'string' ||
    isOfTls(error)
  );
}

/** … by OpenSSL, which has no syscall. */
const isOfTls = (error) => typeof error?.code === 'string' && error.code.startsWith('ERR_SSL_');

/**
 * @typedef {object} Facts
 * @property {string} phase
 * @property {string} host
 * @property {number} port
 * @property {import('../engine/channel.js').Channel | null} channel that the request was staged on
 * @property {boolean} secure is TLS spoken?
 * @property {boolean} repeated did the request go out twice?
 * @property {boolean} answered is its head in?
 * @property {AbortSignal[]} signals
 */

/**
 * Adds the facts to an error, once.
 *
 * @template T
 * @param {T} error
 * @param {Facts} facts
 * @param {boolean} failed was it the transport that failed, or the peer, whatever the error looks like?
 * @returns {T}
 */
export function describe(error, { phase, host, port, channel, secure, repeated, answered, signals }, failed) {
  if (channel?.foreign || !(failed || isOurs(error)) || error instanceof ImproperConnectionState) return error;
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error) || error.retry_safe !== undefined) return error;
  if (signals.some((signal) => signal.aborted && signal.reason === error)) return error;
  const sent = channel?.wasSent ?? false;
  error.phase ??= phase === 'connect' && isOfTls(error) ? 'tls' : phase; // TLS can fail as soon as the socket is connected
  error.host = host; // Node has the address there, sometimes
  error.port = port;
  error.bytes_sent = channel?.bytesSent ?? 0;
  error.bytes_received = channel?.bytesReceived ?? 0;
  error.retry_safe = answered ? 'no' : sent || repeated ? 'unknown' : 'yes';
  if (phase === 'tls' || isOfTls(error)) addHint(error);
  else if (!secure && error instanceof BadStatusLine) addClearHint(error, port);
  return error;
}
