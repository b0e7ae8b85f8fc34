// SPDX-License-Identifier: MIT
//
// What the last request of a connection was made of: where the next one is made of the same, the core sends its head again.

const NO_FIELDS = Object.freeze([]);

export class Last {
  #method = ''; // no request has such a one
  #url = '';
  #fields = NO_FIELDS;
  #flags = 0;

  /** @param {string} method @param {string} url @param {string[]} fields name, value, … @param {number} flags */
  note(method, url, fields, flags) {
    this.#method = method;
    this.#url = url;
    this.#fields = fields.length === 0 ? NO_FIELDS : fields.slice(); // whoever is told of the request has the array
    this.#flags = flags;
  }

  /** Keeps nothing of it: a caller may hold who holds this. */
  forget() {
    this.note('', '', NO_FIELDS, 0);
  }

  /** Are these the same? Parameters as for `note`. @returns {boolean} */
  is(method, url, fields, flags) {
    if (url !== this.#url || method !== this.#method || flags !== this.#flags) return false;
    if (fields === this.#fields) return true;
    if (fields.length !== this.#fields.length) return false;
    for (let i = 0; i < fields.length; i++) if (fields[i] !== this.#fields[i]) return false;
    return true;
  }
}
