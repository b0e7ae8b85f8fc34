// SPDX-License-Identifier: MIT
//
// The options of a host, for another thread.

import { SSLContext } from '../api/context.js';
import { argumentError } from '../errors.js';

/**
 * @param {any} options of createHost
 * @returns {any} the same, as far as they can be posted
 * @throws {TypeError} for what can't
 */
export function portable(options) {
  const { audit: _here, tls, proxy, ...rest } = options ?? {};
  if (rest.lookup) throw argumentError('lookup is a function, which stays in its thread: imports() has the connections in another one');
  const plain = tls instanceof SSLContext ? tls.options() : tls;
  const copied = { ...rest, tls: plain, proxy: proxy instanceof URL ? proxy.href : proxy };
  try {
    return structuredClone(copied);
  } catch (cause) {
    throw Object.assign(argumentError(`an option can't be given to another thread: ${cause.message}`), { cause });
  }
}
