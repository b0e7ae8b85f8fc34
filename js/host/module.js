// SPDX-License-Identifier: MIT
//
// What a guest is made of: a module that imports what it may have, and whose memory can't grow beyond its limit.

import { readFile } from 'node:fs/promises';
import { argumentError, kindOf } from '../errors.js';
import { asBuffer, isBytes } from '../request/bytes.js';

const PAGE = 65536;
const PAGES_MOST = 65536;
const MOST_OF_ALL = 2 ** 32 - 1; // entries or pages
const ENTRIES = 1_000_000; // of all tables
const TYPE_SECTION = 1;
const TABLE_SECTION = 4;
const MEMORY_SECTION = 5;
const FUNCTION = 0x60;
const INITIALISED = 0x40;
const LONG_REFERENCES = new Set([0x63, 0x64]); // a type follows
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

/** The limits of a memory or a table, lowered. @param {Reader} reader @param {number} kinds that are known @param {number} most */
function lowerLimits(reader, kinds, most, refuse) {
  const flags = reader.byte();
  if (flags & ~kinds) throw argumentError('the guest has a memory or a table of 64 bits, or of another kind that is not known here');
  const initial = reader.number();
  const maximum = Math.min(flags & HAS_MAXIMUM ? reader.number() : MOST_OF_ALL, most);
  if (initial > maximum) throw argumentError(refuse(initial));
  return [flags | HAS_MAXIMUM, ...leb128(initial), ...leb128(maximum)];
}

/** The memory of a section, with its limit lowered: where there are several, each would have that limit. */
function lowerMemory(reader, pages) {
  const count = reader.number();
  if (count > 1) throw argumentError(`the guest has ${count} memories, and may have one`);
  if (count === 0) return [0];
  const refuse = (initial) => `the guest begins with ${initial * PAGE} bytes of memory, and may have ${pages * PAGE}`;
  return [1, ...lowerLimits(reader, HAS_MAXIMUM | SHARED, pages, refuse)];
}

/** The tables of a section, which share what all of them may have: engines abort the process that has no room for one. */
function lowerTables(reader) {
  const count = reader.number();
  const section = leb128(count);
  const most = Math.floor(ENTRIES / count);
  for (let index = 0; index < count; index++) {
    const start = reader.at;
    const type = reader.byte();
    if (type === INITIALISED) throw argumentError('the guest has a table with an initial value, which is not known here');
    if (LONG_REFERENCES.has(type)) reader.number();
    section.push(...reader.bytes.subarray(start, reader.at));
    const refuse = (initial) => `the guest begins with a table of ${initial} entries, and each of ${count} may have ${most}`;
    section.push(...lowerLimits(reader, HAS_MAXIMUM, most, refuse));
  }
  return section;
}

/** Types are those of functions: objects that an engine collects are in a memory that has no limit which only traps. */
function checkTypes(reader) {
  for (let count = reader.number(); count > 0; count--) {
    if (reader.byte() !== FUNCTION) throw argumentError('the guest has types of objects that are collected, whose memory can’t be limited');
    for (let lists = 0; lists < 2; lists++) {
      for (let left = reader.number(); left > 0; left--) {
        if (LONG_REFERENCES.has(reader.byte())) reader.number();
      }
    }
  }
}

/**
 * A module whose memory has at most so many bytes, and whose tables can't fill that of the process.
 *
 * @param {Buffer} wasm
 * @param {number} most
 */
export function limitMemory(wasm, most) {
  if (wasm.length < 8 || wasm.readUInt32LE(0) !== 0x6d736100) throw argumentError('the guest is no module of WebAssembly');
  const pages = Math.min(PAGES_MOST, Math.floor(most / PAGE));
  const parts = [wasm.subarray(0, 8)];
  for (let at = 8; at < wasm.length; ) {
    const reader = new Reader(wasm, at);
    const id = reader.byte();
    const length = reader.number();
    const end = reader.at + length;
    if (id === TYPE_SECTION) checkTypes(reader);
    const lowered = id === MEMORY_SECTION ? lowerMemory(reader, pages) : id === TABLE_SECTION ? lowerTables(reader) : null;
    parts.push(lowered === null ? wasm.subarray(at, end) : Buffer.from([id, ...leb128(lowered.length), ...lowered]));
    at = end;
  }
  return Buffer.concat(parts);
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
    const hint = KNOWN.includes(from) && kind === 'function' ? `: imports: ['${from}'] would give it` : '';
    throw argumentError(`the guest imports ${from}.${name}, which it is not given${hint}`);
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
