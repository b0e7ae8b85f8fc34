// SPDX-License-Identifier: MIT
//
// HTTPSConnection: Python's http.client.HTTPSConnection.

import { tls } from '../../bindings/node/builtins.js';
import { HTTPConnection } from './connection.js';
import { HTTPS_PORT } from './constants.js';
import { argumentError } from '../errors.js';
import { SECURED } from './link.js';
import { meant, OPTIONS, optionsOf, TAKES } from '../request/options.js';
import {
  anyIdentity,
  checkContext,
  comparesNames,
  create_default_context,
  peerName,
  settingsOf,
  verifies,
} from './context.js';

let sharedContext; // of all connections that were given none, as long as nobody looks at theirs

/** Are two sets of options the same, so that a session made under one can be resumed under the other? */
function same(one, other) {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.is(one[name], other[name]));
}

/** A connection over TLS. Certificates and host names are verified. */
export class HTTPSConnection extends HTTPConnection {
  static default_port = HTTPS_PORT;
  /** @private */
  static [TAKES] = 'HTTPSConnection';

  #context;
  #checkHostname;
  #sessions = { last: null }; // of earlier connections; the socket holds this, and not the connection

  /**
   * @param {string} host
   * @param {number | null | object} [port]
   * @param {object} [options] as for HTTPConnection, and `context`, `key_file`, `cert_file`, `check_hostname`
   */
  constructor(host, port = null, options = undefined) {
    super(host, port, options);
    const given = meant(optionsOf(port, options), OPTIONS.HTTPSConnection);
    const { context, key_file = null, cert_file = null, check_hostname = null } = given;
    this.#context = checkContext(context, 'context');
    this.#checkHostname = check_hostname === undefined ? null : check_hostname;
    const deprecated = Object.entries({ key_file, cert_file, check_hostname }).filter(([, value]) => value !== null);
    if (deprecated.length > 0) {
      const names = deprecated.map(([name]) => name).join(', ');
      process.emitWarning(
        `${names}: give a context instead, with load_cert_chain and check_hostname of its own`,
        'DeprecationWarning',
      );
    }
    if (key_file !== null || cert_file !== null) {
      if (cert_file === null) throw argumentError('key_file needs a cert_file', 'ERR_INVALID_ARG_TYPE');
      if (typeof this.context.load_cert_chain !== 'function') {
        throw argumentError('cert_file needs an SSLContext as context, or none');
      }
      this.context.load_cert_chain(cert_file, key_file);
    }
    this.#checkPolicy();
  }

  /** What TLS is spoken with: an SSLContext of this connection's own unless one was given. */
  get context() {
    this.#context ??= create_default_context();
    return this.#context;
  }

  set context(context) {
    this.#context = checkContext(context, 'context');
  }

  /** CPython refuses what can't be meant: comparing a name that nobody vouches for. */
  #checkPolicy() {
    const context = this.#context;
    if (context === null || verifies(context)) return;
    const wanted = this.#checkHostname ?? comparesNames(context);
    if (wanted) {
      throw argumentError('check_hostname needs a context that verifies: CERT_OPTIONAL or CERT_REQUIRED as verify_mode');
    }
  }

  /** How TLS to a peer of this name is begun. @private */
  [SECURED](host) {
    const name = peerName(host);
    this.#checkPolicy();
    if (this.#context === null) sharedContext ??= create_default_context();
    let settings = settingsOf(this.#context ?? sharedContext);
    if (this.#checkHostname !== null) {
      settings = { ...settings, checkServerIdentity: this.#checkHostname ? tls().checkServerIdentity : anyIdentity };
    }
    const sessions = this.#sessions;
    const session = sessions.last;
    const known = session !== null && session.name === name && same(session.settings, settings);
    const handshake = { certificate: known ? session.handshake.certificate : undefined };
    return {
      name,
      settings: known ? { session: session.data, ...settings } : settings,
      onsession: (data) => {
        sessions.last = { name, settings: { ...settings }, data, handshake };
      },
      // A resumed session comes without the certificate: that of the handshake before counts for it.
      recall: (certificate) => {
        handshake.certificate = certificate ?? handshake.certificate;
        return handshake.certificate;
      },
    };
  }
}
