// SPDX-License-Identifier: MIT
//
// What a connection allows its operations: read anew by each that begins.

import { NO_OPTIONS } from './options.js';

export class Terms {
  /** Seconds that an operation may wait with nothing moving, or null. @type {number | null} */
  timeout = null;
  /** The same by what is waited for, over `timeout`. @type {Readonly<Record<string, number | null>>} */
  timeouts = NO_OPTIONS;
  /** Ends every operation when it is aborted. @type {AbortSignal | null} */
  signal = null;

  /** @param {string} name of `timeouts` @returns {number | null} seconds, null for no limit */
  seconds(name) {
    if (this.timeouts === NO_OPTIONS) return this.timeout;
    const own = this.timeouts[name];
    return own === undefined ? this.timeout : own;
  }
}
