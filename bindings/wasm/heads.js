// SPDX-License-Identifier: MIT
//
// porthole_check_head for hosts with a policy, in an instance of its own, which makes no connections.

import { bytesOf, writeLatin1 } from './text.js';
import { wasmBytes } from '../generated/core-wasm.js';
import { HOST_OTHER } from '../generated/errors.js';

const PAGE = 65536;
const WORDS = 4; // in a table, for each field
const SHORTEST = 4; // bytes of a field line
const HOST_MAX = 256;

let module;

export class HeadChecker {
  #exports;
  #bytes;
  #words;
  #host = '';
  #hostAt;

  constructor() {
    module ??= new WebAssembly.Module(wasmBytes());
    const imports = {};
    for (const { name } of WebAssembly.Module.imports(module)) imports[name] = () => HOST_OTHER;
    const { exports } = new WebAssembly.Instance(module, { porthole_host_v1: imports });
    exports._initialize?.();
    this.#exports = exports;
    this.#hostAt = (exports.porthole_heap() + 15) & ~15;
    this.#view();
  }

  #view() {
    const { memory } = this.#exports;
    this.#bytes = bytesOf(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
  }

  /**
   * @param {Uint8Array} head
   * @param {string} host that was opened, ASCII, at most 255 characters
   * @param {number} port
   * @param {boolean} secure is TLS spoken?
   * @returns {{result: number, fields: Uint32Array, copy: Buffer}} how many fields there are, or an error; for each the offset and
   *   the length of its name, and of its value; and the head as it was read: good until the next call
   */
  check(head, host, port, secure) {
    const exports = this.#exports;
    const at = this.#hostAt + HOST_MAX;
    const table = (at + head.length + 15) & ~15;
    const capacity = Math.ceil(head.length / SHORTEST);
    const missing = table + WORDS * 4 * capacity - exports.memory.buffer.byteLength;
    if (missing > 0) {
      exports.memory.grow(Math.ceil(missing / PAGE));
      this.#view();
    }
    if (host !== this.#host) {
      writeLatin1(this.#bytes, host, this.#hostAt);
      this.#host = host;
    }
    this.#bytes.set(head, at);
    const result = exports.porthole_flat_check_head(at, head.length, this.#hostAt, host.length, port, secure ? 1 : 0, table, capacity);
    const first = table >> 2;
    const fields = this.#words.subarray(first, first + WORDS * Math.max(0, Math.min(result, capacity)));
    return { result, fields, copy: this.#bytes.subarray(at, at + head.length) };
  }
}
