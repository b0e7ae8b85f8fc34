// SPDX-License-Identifier: MIT
//
// TLS with a peer. Whether it is verified is said here, as the environment would say it otherwise; and the name that is
// verified is the one that was asked for, also where the socket is connected to an address or a path.

import net from 'node:net';
import { tls } from './builtins.js';
import { delayWriteErrors } from './late.js';

const ALPN = ['http/1.1'];

/** Addresses are not told to a server (RFC 6066 section 3), nor what looks them up: a name does not end in a number. */
function isAddress(name) {
  return net.isIP(name) !== 0 || /(?:^|\.)(?:\d+|0x[\da-f]*)$/i.test(name);
}

/** What a `checkServerIdentity` has said: undefined when it is content, else an error. @throws for what is no verdict */
function verdictOf(verdict) {
  if (!verdict) return undefined;
  if (typeof verdict.message === 'string') return verdict;
  if (typeof verdict.then === 'function') {
    verdict.then(undefined, () => {}); // its failure is told by the error below
    throw new TypeError('checkServerIdentity must return an Error or undefined at once, and not a promise');
  }
  throw new TypeError(`checkServerIdentity must return an Error or undefined, not a ${typeof verdict}`);
}

/**
 * @typedef {object} Secured
 * @property {import('node:tls').ConnectionOptions} settings
 * @property {(session: Buffer) => void} onsession told of each session that can be resumed
 */

/**
 * What was agreed on in a TLS handshake.
 *
 * @typedef {object} Security
 * @property {string} protocol such as `TLSv1.3`
 * @property {string} cipher OpenSSL's name
 * @property {string | null} alpn
 * @property {import('node:crypto').X509Certificate | undefined} certificate
 * @property {boolean} reused was a session resumed?
 */

/**
 * Begins TLS.
 *
 * @param {object} options where: those of net.connect, or `socket`, one that is there already
 * @param {Secured} secured
 * @param {string} name of the peer: a name, which is sent as SNI, or an address, which is not
 * @param {boolean} http1 offer http/1.1 by ALPN, and take no other protocol
 * @param {(security: Security) => void} onsecure called when the handshake is done
 * @returns {import('node:tls').TLSSocket}
 */
export function connectTls(options, secured, name, http1, onsecure) {
  const settings = { __proto__: null, ...secured.settings }; // nothing that somebody gave all objects
  const { servername, ALPNProtocols, checkServerIdentity, pskCallback } = settings;
  const wanted = servername || name;
  let socket;
  // Nobody would catch there what a hook throws: it is what the connection fails with.
  const guarded = (hook, answerOf) => {
    try {
      return hook();
    } catch (thrown) {
      const isError = typeof thrown === 'object' && thrown !== null;
      const error = isError ? thrown : new Error('a hook of TLS has thrown what is no error', { cause: thrown });
      if (socket === undefined) process.nextTick(() => socket?.destroy(error));
      else socket.destroy(error);
      return answerOf(error);
    }
  };
  const check = checkServerIdentity ?? tls().checkServerIdentity;
  const hooks = {
    checkServerIdentity: (_name, certificate) => guarded(() => verdictOf(check(wanted, certificate)), (error) => error),
  };
  if (pskCallback) hooks.pskCallback = (hint) => guarded(() => pskCallback(hint), () => null);
  socket = tls().connect({
    ...settings,
    ...hooks,
    servername: isAddress(wanted) ? '' : wanted,
    ALPNProtocols: ALPNProtocols ?? (http1 ? ALPN : undefined),
    rejectUnauthorized: settings.rejectUnauthorized !== false,
    host: name,
    ...options,
  });
  delayWriteErrors(socket);
  socket.once('secureConnect', () => {
    if (socket.destroyed) return;
    const security = securityOf(socket);
    if (http1 && security.alpn !== null && security.alpn !== 'http/1.1') socket.destroy(otherProtocol(security.alpn));
    else onsecure(security);
  });
  socket.on('session', secured.onsession);
  return socket;
}

/** @returns {Security} */
function securityOf(socket) {
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().name,
    alpn: socket.alpnProtocol || null,
    certificate: socket.getPeerX509Certificate(),
    reused: socket.isSessionReused(),
  };
}

function otherProtocol(alpn) {
  const error = new Error(`the server speaks ${alpn}, which it picked by ALPN, and not http/1.1`);
  return Object.assign(error, { code: 'ERR_HTTP_UNKNOWN_PROTOCOL', version: alpn });
}
