// SPDX-License-Identifier: MIT
//
// What a guest is made of: a module that imports what it may have, and whose memory can't grow beyond its limit.

import { readFile } from 'node:fs/promises';
import { argumentError, kindOf } from '../errors.js';
import { asBuffer, isBytes } from '../request/bytes.js';

const PAGE = 65536;
const PAGES_MOST = 65536;
const MEMORY_SECTION = 5;
const HAS_MAXIMUM = 1;
const SHARED = 2;

/** Reads numbers of LEB128. */
class Reader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    if (this.at >= this.bytes.length) throw argumentError('the guest is no module of WebAssembly');
    return this.bytes[this.at++];
  }

  number() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
}

function leb128(value) {
  const bytes = [];
  let rest = value;
  do {
    const more = rest >= 128;
    bytes.push((rest % 128) + (more ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes;
}

/** The memories of a section, with their limits lowered. */
function lowered(reader, pages) {
  const count = reader.number();
  const section = leb128(count);
  for (let index = 0; index < count; index++) {
    const flags = reader.byte();
    if (flags & ~(HAS_MAXIMUM | SHARED)) throw argumentError('the guest has a memory of 64 bits, or of another kind that is not known here');
    const initial = reader.number();
    const maximum = Math.min(flags & HAS_MAXIMUM ? reader.number() : PAGES_MOST, pages);
    if (initial > maximum) {
      throw argumentError(`the guest begins with ${initial * PAGE} bytes of memory, and may have ${pages * PAGE}`);
    }
    section.push(flags | HAS_MAXIMUM, ...leb128(initial), ...leb128(maximum));
  }
  return section;
}

/** A module whose memories have at most so many bytes. @param {Buffer} wasm @param {number} most */
export function limitMemory(wasm, most) {
  if (wasm.length < 8 || wasm.readUInt32LE(0) !== 0x6d736100) throw argumentError('the guest is no module of WebAssembly');
  const pages = Math.min(PAGES_MOST, Math.floor(most / PAGE));
  for (let at = 8; at < wasm.length; ) {
    const reader = new Reader(wasm, at);
    const id = reader.byte();
    const length = reader.number();
    const end = reader.at + length;
    if (id === MEMORY_SECTION) {
      const section = lowered(reader, pages);
      return Buffer.concat([wasm.subarray(0, at), Buffer.from([id, ...leb128(section.length), ...section]), wasm.subarray(end)]);
    }
    at = end;
  }
  return wasm;
}

/** Modules of imports that a guest can be given beside the host's. */
const KNOWN = ['wasi_snapshot_preview1'];
const FUNCTIONS = new Set(
  ['open', 'start_tls', 'send_head', 'send', 'recv', 'wait', 'close', 'info', 'now'].map((name) => `porthole_host_${name}`),
);

/** @param {unknown} imports the option of run @returns {string[]} */
export function checkImports(imports) {
  if (imports === undefined || imports === null) return [];
  if (!Array.isArray(imports)) throw argumentError(`imports must be an array of names, not ${kindOf(imports)}`, 'ERR_INVALID_ARG_TYPE');
  const other = imports.find((name) => !KNOWN.includes(name));
  if (other !== undefined) {
    throw argumentError(`there are no imports ${JSON.stringify(other)} for a guest: there is ${KNOWN.join(', ')}`);
  }
  return imports;
}

function checkModule(module, imports) {
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from === 'porthole_host_v1' && FUNCTIONS.has(name) && kind === 'function') continue;
    if (imports.includes(from) && kind === 'function') continue;
    throw argumentError(`the guest imports ${from}.${name}, which it is not given`);
  }
  return module;
}

/**
 * @param {unknown} wasm bytes, a module, or the path of a file
 * @param {number | undefined} memory bytes that it may have
 * @param {number} usual … when nothing is said
 * @param {string[]} imports
 * @returns {Promise<WebAssembly.Module>}
 */
export async function moduleOf(wasm, memory, usual, imports) {
  if (wasm instanceof WebAssembly.Module) {
    if (memory !== undefined) throw argumentError('memory needs the bytes of the guest: the limit of a compiled module is its own');
    return checkModule(wasm, imports);
  }
  const path = typeof wasm === 'string' || wasm instanceof URL;
  if (!path && !isBytes(wasm)) {
    throw argumentError(`a guest must be bytes, a WebAssembly.Module or a path, not ${kindOf(wasm)}`, 'ERR_INVALID_ARG_TYPE');
  }
  const bytes = path ? await readFile(wasm) : asBuffer(wasm);
  return checkModule(await WebAssembly.compile(limitMemory(bytes, memory ?? usual)), imports);
}
