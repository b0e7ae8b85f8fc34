// SPDX-License-Identifier: MIT

/** What a host's rules or quotas don't allow. A guest is answered PORTHOLE_HOST_DENIED, and can ask for the message. */
export class Denied extends Error {
  static {
    Object.defineProperty(Denied.prototype, 'name', { value: 'Denied', writable: true, configurable: true });
  }

  /** @param {string} reason @param {string | null} [rule] the one that is missing, or that denies */
  constructor(reason, rule = null) {
    super(reason);
    this.code = 'ERR_HTTP_DENIED';
    this.rule = rule;
  }
}
