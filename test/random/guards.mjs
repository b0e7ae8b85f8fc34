// SPDX-License-Identifier: MIT
//
// Memory that must not change any more: it is compared with a copy at the end.

import { Buffer } from 'node:buffer';

const COPIED = 65536;

export class Guards {
  #kept = [];

  /** @param {string} name @param {Uint8Array} bytes */
  add(name, bytes) {
    if (bytes.byteLength === 0) return;
    const view = bytes.subarray(0, COPIED);
    this.#kept.push({ name, view, copy: Buffer.from(view) });
  }

  /** Texts of what has changed. @returns {string[]} */
  changed() {
    const texts = [];
    for (const { name, view, copy } of this.#kept) {
      if (view.byteLength !== copy.length || copy.equals(view)) continue; // it went away, or it is as it was
      const at = copy.findIndex((byte, i) => byte !== view[i]);
      texts.push(`${name} has changed from byte ${at} on: ${JSON.stringify(Buffer.from(view.subarray(at, at + 24)).latin1Slice())}`);
    }
    return texts;
  }
}
