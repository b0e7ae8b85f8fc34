// SPDX-License-Identifier: MIT
//
// What errors of Node are to a guest.

import {
  HOST_ABORTED,
  HOST_BUSY,
  HOST_CLOSED,
  HOST_DENIED,
  HOST_NOT_FOUND,
  HOST_OTHER,
  HOST_REFUSED,
  HOST_RESET,
  HOST_TIMED_OUT,
  HOST_TLS_HANDSHAKE,
  HOST_TLS_VERIFY,
  HOST_UNREACHABLE,
} from '../generated/errors.js';

const codes = {
  __proto__: null,
  ECONNREFUSED: HOST_REFUSED,
  ECONNRESET: HOST_RESET,
  EPIPE: HOST_CLOSED,
  ERR_STREAM_DESTROYED: HOST_CLOSED,
  ERR_STREAM_WRITE_AFTER_END: HOST_CLOSED,
  ENOTFOUND: HOST_NOT_FOUND,
  EAI_AGAIN: HOST_NOT_FOUND,
  ETIMEDOUT: HOST_TIMED_OUT,
  EACCES: HOST_DENIED,
  EPERM: HOST_DENIED,
  ERR_HTTP_DENIED: HOST_DENIED,
  EHOSTUNREACH: HOST_UNREACHABLE,
  ENETUNREACH: HOST_UNREACHABLE,
  EADDRNOTAVAIL: HOST_UNREACHABLE,
  EMFILE: HOST_BUSY,
  ENFILE: HOST_BUSY,
  ABORT_ERR: HOST_ABORTED,
};

/** @param {Error & {code?: string}} error @returns {number} the PORTHOLE_HOST_* code of a system error */
export function hostCode(error) {
  return codes[error?.code] ?? HOST_OTHER;
}

/**
 * @param {Error & {code?: string}} error during a handshake: OpenSSL's reasons are no system errors
 * @returns {number} its PORTHOLE_HOST_* code
 */
export function handshakeCode(error) {
  const { code } = error;
  if (codes[code] !== undefined) return codes[code];
  const protocol = code === undefined || code.startsWith('ERR_SSL_') || code.startsWith('ERR_HTTP_') || code === 'EPROTO';
  return protocol ? HOST_TLS_HANDSHAKE : HOST_TLS_VERIFY;
}
