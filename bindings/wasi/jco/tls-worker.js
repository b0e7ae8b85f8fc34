// SPDX-License-Identifier: MIT
//
// The part of tls.js that runs in the worker of preview2-shim, where its sockets are. A session is a handshake and what comes of
// it; the number of one that is over may be named again, and means nothing then.

import { isIP } from 'node:net';
import { connect } from 'node:tls';

/** @param {any} context what the shim offers its extensions */
export default function create(context) {
  /** @type {Map<number, import('node:tls').TLSSocket>} */
  const sessions = new Map();
  let count = 0;

  function shake(session, serverName, input, options) {
    return new Promise((resolve, reject) => {
      const socket = context.getStream(input);
      const name = isIP(serverName) ? { host: serverName, servername: '' } : { servername: serverName };
      const defaults = { ALPNProtocols: ['http/1.1'], rejectUnauthorized: true }; // whatever the environment says
      const secure = connect({ ...defaults, ...options, ...name, socket });
      sessions.set(session, secure);
      socket.on('error', () => {}); // else it would end the worker; it comes by `secure` as well
      secure.on('error', (error) => reject({ message: error.message }));
      secure.once('close', () => {
        sessions.delete(session);
        reject({ message: 'the connection was closed in the handshake' });
      });
      secure.once('secureConnect', () =>
        resolve({ input: context.createReadableStream(secure), output: context.createWritableStream(secure) }),
      );
    });
  }

  const operations = {
    begin(...how) {
      const session = ++count;
      const streams = shake(session, ...how).catch((error) => {
        sessions.get(session)?.destroy();
        // What the shim throws has a tag, and words only with one of the two.
        throw { message: error.message ?? error.val?.message ?? 'the connection is closed' };
      });
      return { session, future: context.createFuture(streams) };
    },
    refuse: (message) => ({ session: 0, future: context.createFuture(Promise.reject({ message })) }),
    end: (session) => void sessions.get(session)?.end(),
    close: (session) => void sessions.get(session)?.destroy(),
  };
  return (operation, args) => operations[operation](...args);
}
