// SPDX-License-Identifier: MIT
//
// What a connection allows its operations: read anew by each that begins.

export class Terms {
  /** Seconds that an operation may wait with nothing moving, or null. @type {number | null} */
  timeout = null;
  /** The same by what is waited for, over `timeout`. @type {Readonly<Record<string, number | null>>} */
  timeouts = Object.freeze({});
  /** Ends every operation when it is aborted. @type {AbortSignal | null} */
  signal = null;

  /** @param {string} name of `timeouts` @returns {number | null} seconds, null for no limit */
  seconds(name) {
    const own = this.timeouts[name];
    return own === undefined ? this.timeout : own;
  }
}
