// SPDX-License-Identifier: MIT
//
// What to do about an error: by its code, where the code tells enough.

import { hinted } from '../errors.js';

const HTTPS_PORT = 443;

const chainHint =
  'the CA that signed it is not trusted here: give its certificate with context.load_verify_locations({ cafile }), or ' +
  'trust what the system trusts with create_default_context({ system: true })';
const portHint = 'the server does not speak TLS at this port: is it the port of plain HTTP?';
const versionHint =
  'client and server have no version of TLS in common: look at minimum_version and maximum_version of the context, and ' +
  'at the server';

/** Of TLS, and of what comes to light by it. */
const hints = {
  __proto__: null,
  CERT_HAS_EXPIRED: "the server's certificate, or one that signed it, is out of date: it has to be renewed there",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet: compare the clocks of both sides",
  CERT_REVOKED: 'its CA has taken the certificate back: the server needs another one',
  CRL_HAS_EXPIRED: 'the list given as crlfile is out of date: get a new one from the CA',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the server signed its certificate itself: if you know it to be right, give it with ' +
    'context.load_verify_locations({ cafile })',
  SELF_SIGNED_CERT_IN_CHAIN: chainHint,
  UNABLE_TO_GET_ISSUER_CERT: chainHint,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: chainHint,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `the server sends an incomplete chain, or ${chainHint}`,
  UNABLE_TO_GET_CRL: 'with a crlfile there has to be a list of every CA in the chain: add the missing ones',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate is for other names: connect under one of them, or have it issued for this one',
  // Node calls these UNSPECIFIED: OpenSSL's words tell them apart.
  'EE certificate key too weak': "the server's key is too weak: it needs at least 2048 bits of RSA",
  'CA certificate key too weak': "the key of the server's CA is too weak: it needs at least 2048 bits of RSA",
  'CA signature digest algorithm too weak':
    "the server's certificate is signed with a weak digest such as SHA-1: it has to be issued anew",
  ERR_SSL_WRONG_VERSION_NUMBER: portHint,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: portHint,
  ERR_SSL_DATA_LENGTH_TOO_LONG: portHint,
  ERR_SSL_UNEXPECTED_MESSAGE: 'the server does not keep to TLS: is something between that changes what it says?',
  ERR_SSL_HTTP_REQUEST: portHint,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: versionHint,
  ERR_SSL_UNSUPPORTED_PROTOCOL: versionHint,
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: versionHint,
  ERR_SSL_VERSION_TOO_LOW: versionHint,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'client and server have nothing in common: look at the ciphers and versions of both, and whether the server wants a ' +
    'client certificate (context.load_cert_chain)',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the server wants a client certificate: give one with context.load_cert_chain',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the server does not trust the client certificate',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'the server does not know the name that it was asked for (SNI)',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'the server does not speak HTTP/1.1 (ALPN)',
  ERR_HTTP_UNKNOWN_PROTOCOL: 'only http/1.1 is spoken here: have the server offer it',
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: 'the server could not verify what was signed: does the key belong to the certificate?',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the server does not accept the client certificate (context.load_cert_chain)',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the client certificate is out of date: it has to be renewed',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'the client certificate was taken back by its CA',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the server does not accept the client certificate (context.load_cert_chain)',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'the server does not take client certificates of this kind',
  ECONNRESET: 'the server closed the connection during the handshake: is TLS spoken at this port?',
};

/**
 * Adds to an error of a handshake, or of what was said by TLS, what to do about it.
 *
 * @param {any} error its `code` stays, the message gets longer
 */
export function addHint(error) {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error) || error.hint !== undefined) return;
  // OpenSSL 3.5 writes "ssl/tls" in the names of alerts where older versions write "sslv3".
  const code = String(error.code).replace('ERR_SSL_SSL/TLS_', 'ERR_SSL_SSLV3_');
  const hint = hints[code] ?? hints[error.message];
  if (hint !== undefined) hinted(error, hint);
}

/** @param {boolean} known does the server say so, or is it only likely? */
export const secureHint = (known) =>
  known
    ? 'the server speaks TLS at this port: use HTTPSConnection, or proxy_context for a proxy'
    : 'is it TLS that the server speaks at this port? Then use HTTPSConnection';

const ALERT = 0x15;
const HANDSHAKE = 0x16;

/** Does it begin as a record of TLS, of any version, with an alert or a handshake? @param {string} line */
function isRecord(line) {
  const kind = line.charCodeAt(0);
  return (kind === ALERT || kind === HANDSHAKE) && line.charCodeAt(1) === 3 && line.charCodeAt(2) <= 4;
}

/**
 * Adds to an error of a connection in clear that it should have been one over TLS, where that shows.
 *
 * @param {any} error
 * @param {number} port
 */
export function addClearHint(error, port) {
  if (error.hint !== undefined || !Object.isExtensible(error)) return;
  if (typeof error.line !== 'string') return;
  // Many servers of TLS just close when they are not spoken to by TLS.
  const closed = error.line === '' && error.bytes_received === 0; // and nothing was ever said
  if (isRecord(error.line) || (closed && port === HTTPS_PORT)) hinted(error, secureHint(error.line !== ''));
}

/** What servers of TLS answer when they are spoken to in clear: nginx, Apache, Go. */
const answers = /plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled server port|HTTP request to an HTTPS server/i;

/**
 * @param {number} status @param {string} body its beginning
 * @returns {boolean} does an answer say that it is TLS that is spoken at the port?
 */
export function wantsTls(status, body) {
  return (status === 400 || status === 497) && answers.test(body);
}

/** … and what to do when it is a proxy that has answered so. */
export const proxyHint = 'the proxy speaks TLS at this port: give proxy_context';
