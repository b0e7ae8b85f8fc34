// SPDX-License-Identifier: MIT
//
// The instances of porthole.wasm. The memory of one is laid out once and never grows after that, so that views of it stay
// valid: a scratch area for the arguments of a call, slots of one connection each with its send buffer, and as many receive
// buffers. Pages that nobody touched take no room, and of the receive buffers that nobody needs the last one is given out first:
// it has been touched already. Instances are shared by all connections whose receive buffer has the same size; one that nobody
// uses any more is let go of with all its memory, but for one small one, which the next connection finds there.

import { bytesOf, writeLatin1 } from './text.js';
import { wasmBytes } from '../generated/core-wasm.js';
import { HOST_OTHER } from '../generated/errors.js';

const PAGE = 65536;
const SLOTS_MAX = 64;
const SLOTS_SIZE = 64 * 1024 * 1024; // of all slots of an instance
/** An instance of which more slots than this were in use at once is not kept when it rests. */
const KEPT_SLOTS = 16;
const TX_SIZE = 256 * 1024;
const RX_SIZE = 512 * 1024;
/** Bytes between two receive buffers: their beginnings, which all answers go through, are not to be rivals for the same lines of a cache. */
const COLOUR = 13 * 64;
/** Of the scratch area: tables of 16 bytes an entry. */
export const TABLE_SIZE = 64 * 1024;
/** How many fields the table has room for. */
export const FIELDS_MAX = TABLE_SIZE / 16;

const align = (number) => (number + 15) & ~15;

let module;
/** Those that can be given to connections. @type {Set<Instance>} */
const instances = new Set();

/**
 * What an instance runs on: its imports, and where they find its memory.
 *
 * @typedef {object} InstanceHost
 * @property {WebAssembly.ModuleImports} imports of `porthole_host_v1`
 * @property {Uint8Array} bytes set to the memory of the instance
 */

/** What instances run on: without a host connections can be fed and drained by hand. @type {() => InstanceHost} */
let makeHost = () => {
  const imports = {};
  for (const { name } of WebAssembly.Module.imports(module)) imports[name] = () => HOST_OTHER;
  return { imports, bytes: new Uint8Array() };
};

/** Says what instances run on that are made from here on. @param {() => InstanceHost} make */
export function setHost(make) {
  makeHost = make;
}

export class Instance {
  /** @param {number} rxSize */
  constructor(rxSize) {
    module ??= new WebAssembly.Module(wasmBytes());
    this.rxSize = rxSize;
    this.txSize = TX_SIZE;
    this.host = makeHost();
    const { exports } = new WebAssembly.Instance(module, { porthole_host_v1: this.host.imports });
    exports._initialize?.();
    this.exports = exports;

    this.table = align(exports.porthole_heap());
    this.text = this.table + TABLE_SIZE;
    this.textSize = Math.max(TX_SIZE, rxSize) + PAGE;
    this.connSize = align(exports.porthole_conn_size());
    const slotSize = this.connSize + TX_SIZE;
    const first = align(this.text + this.textSize);
    this.slots = Math.max(1, Math.min(SLOTS_MAX, Math.floor(SLOTS_SIZE / (slotSize + rxSize))));
    const buffers = first + this.slots * slotSize;
    const { memory } = exports;
    memory.grow(Math.ceil((buffers + this.slots * (rxSize + COLOUR) - memory.buffer.byteLength) / PAGE));
    this.bytes = bytesOf(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.host.bytes = this.bytes;
    this.free = [];
    /** Addresses of the receive buffers that no connection has. @type {number[]} */
    this.buffers = [];
    for (let slot = this.slots - 1; slot >= 0; slot--) {
      this.free.push(first + slot * slotSize);
      this.buffers.push(buffers + slot * (rxSize + COLOUR));
    }
    this.peak = 0; // of slots in use at once
  }

  /** @returns {number} the address of a slot */
  take() {
    const address = this.free.pop();
    this.peak = Math.max(this.peak, this.slots - this.free.length);
    return address;
  }

  /** @param {number} address what `take` gave */
  giveBack(address) {
    this.free.push(address);
    if (this.free.length < this.slots) return;
    const kept = this.rxSize === RX_SIZE && this.peak <= KEPT_SLOTS;
    if (!kept || [...instances].some((other) => other !== this && other.rxSize === RX_SIZE)) instances.delete(this);
  }

  /**
   * Writes a string into the scratch area.
   *
   * @param {string} text
   * @param {number} at an address in it
   * @returns {number} where it ends; 0 when there is no room
   */
  write(text, at) {
    return at + text.length > this.text + this.textSize ? 0 : writeLatin1(this.bytes, text, at);
  }
}

/** The size of a receive buffer that holds such heads, and as much of what follows: few sizes, so that many share one. */
function rxSizeFor(head) {
  let size = RX_SIZE;
  while (size < 2 * head) size *= 2;
  return size;
}

/** @param {number} head the longest head that has to fit, in bytes @returns {Instance} with a slot that is free */
export function instanceFor(head) {
  const rxSize = rxSizeFor(head);
  for (const instance of instances) {
    if (instance.rxSize === rxSize && instance.free.length > 0) return instance;
  }
  const instance = new Instance(rxSize);
  instances.add(instance);
  return instance;
}

/** @param {number} textSize @returns {Instance} one with so much room for text, for calls that need no connection */
export function anyInstance(textSize) {
  for (const instance of instances) if (instance.textSize >= textSize) return instance;
  return instanceFor(textSize);
}
