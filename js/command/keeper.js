// SPDX-License-Identifier: MIT
//
// Who opens connections for the command: any, as its options say. It is the keeper of its desk (bindings/blocking).

import net from 'node:net';
import { OPEN_IPV4, OPEN_IPV6, OPEN_TLS } from '../../bindings/generated/abi.js';
import { MAY_CLEAR } from '../../bindings/blocking/line.js';
import { dns } from '../../bindings/node/builtins.js';
import { lookUp, open } from '../engine/dial.js';

const FAMILIES = { [OPEN_IPV4]: 4, [OPEN_IPV6]: 6 };
const onsession = () => {};

/** What bindings/cli/cli_host.h calls them. */
const BAD_CA = -2;
const BAD_CERTIFICATE = -3;

/**
 * @typedef {object} TlsOptions
 * @property {string | null} cafile PEM: who is trusted, instead of those that Node trusts
 * @property {string | null} certfile PEM: the own certificate
 * @property {string | null} keyfile … and its key, where it isn't in the same file
 * @property {boolean} insecure is nothing verified?
 */

export class Keeper {
  /** @type {import('node:tls').ConnectionOptions} */
  #settings = {};

  /**
   * Sets how TLS is spoken, before it is spoken first: what knows of that is loaded now.
   *
   * @param {TlsOptions} options
   * @returns {Promise<{ code: number, words: string }>} 0, or what can't be used and why
   */
  async useTls({ cafile, certfile, keyfile, insecure }) {
    const { CERT_NONE, create_default_context, settingsOf } = await import('../api/context.js');
    let code = BAD_CA;
    try {
      const context = create_default_context(insecure ? {} : { cafile });
      if (insecure) {
        context.check_hostname = false;
        context.verify_mode = CERT_NONE;
      }
      code = BAD_CERTIFICATE;
      if (certfile !== null) context.load_cert_chain(certfile, keyfile);
      this.#settings = settingsOf(context);
    } catch (error) {
      return { code, words: error.message };
    }
    return { code: 0, words: '' };
  }

  /** @param {{host: string, port: number, flags: number}} request */
  async open({ host, port, flags }, cancellable) {
    const family = FAMILIES[flags & (OPEN_IPV4 | OPEN_IPV6)];
    const addresses = net.isIP(host) ? [{ address: host, family: net.isIP(host) }] : await lookUp(host, dns().lookup);
    const possible = addresses.filter((entry) => family === undefined || entry.family === family);
    if (possible.length === 0) throw Object.assign(new Error(`${host} has no address of IPv${family}`), { code: 'ENOTFOUND' });
    const secured = flags & OPEN_TLS ? { name: host, settings: this.#settings, onsession } : undefined;
    const dial = {
      host,
      port,
      timeout: null,
      limits: { lookup: undefined, connect: null },
      source_address: null,
      signal: null,
      socket_path: null,
      create_connection: null,
      lookup: (_host, _options, done) => done(null, possible),
      secured,
    };
    const transport = await open(dial, cancellable, { phase: 'connect', lookup: null, connect: null, tls: null });
    return { transport, name: host, rights: MAY_CLEAR, secrets: 0 };
  }

  /** @param {import('../../bindings/blocking/desk.js').Opened} opened */
  startTls({ transport }) {
    transport.secured = { settings: this.#settings, onsession };
    return null;
  }

  /** No head has a place for secrets. @param {Buffer} head */
  fill(_opened, head) {
    return head;
  }

  /** All that comes is the guest's. @param {number} length */
  received(_opened, length) {
    return length;
  }

  overdraft() {
    return new Error('more came than may');
  }

  told() {}

  closed() {}
}
