// SPDX-License-Identifier: MIT
//
// Writes bindings/generated/ out of the C side, so that no number and no text is typed twice:
//
//   errors.def  → errors.js, errors.d.ts    status.def → status.js, status.d.ts
//   limits.def  → limits.js                 porthole.h, host.h → abi.js
//   porthole.wasm → core-wasm.js, and a copy for the package
//
// Usage: node bindings/gen.mjs [--wasm build/emscripten/porthole.wasm]
// Without --wasm only the tables are written. A file that would not change is left alone.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { replaceFile, root } from './setup.mjs';

const include = join(root, 'src', 'include', 'porthole');
const generated = join(root, 'bindings', 'generated');

const { values: options } = parseArgs({ options: { wasm: { type: 'string' } } });

writeErrors(readEntries('errors.def'));
writeStatus(readEntries('status.def'));
writeLimits(readEntries('limits.def'));
writeAbi(readHeader('porthole.h'), readHeader('host.h'));
if (options.wasm !== undefined) writeWasm(options.wasm);

/** The entries of an X-macro file: `X(NAME, -1, "text")` is `['X', 'NAME', -1, 'text']`. */
function readEntries(file) {
  const entries = [];
  const lines = readFileSync(join(include, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').split('\n');
  for (const line of lines) {
    if (line.trim() === '') continue;
    const entry = /^([XA])\((.*)\)$/.exec(line);
    if (entry === null) throw new Error(`${file}: not an entry: ${line}`);
    const args = entry[2].match(/"(?:[^"\\]|\\.)*"|[^,\s]+/g);
    // Names stay strings; numbers and C string literals read the same in JSON.
    entries.push([entry[1], ...args.map((arg) => (/^[A-Z]/.test(arg) ? arg : JSON.parse(arg)))]);
  }
  return entries;
}

/** A header without comments and without lines for the preprocessor, but for its number constants. */
function readHeader(file) {
  const text = readFileSync(join(include, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  return { file, constants: readConstants(text), view: readView(text) };
}

function readConstants(text) {
  const constants = [...text.matchAll(/^#define PORTHOLE_(\w+) (\d+)$/gm)].map(([, name, value]) => [name, value]);
  for (const [, body] of text.matchAll(/\benum(?: \w+)? \{([^}]*)\}/g)) {
    if (body.includes('#include')) continue; // what stands in .def files has files of its own
    for (const item of body.split(',')) {
      if (item.trim() === '') continue;
      const constant = /^PORTHOLE_(\w+) = (\d+)$/.exec(item.trim());
      if (constant === null) throw new Error(`an enumerator without an explicit number: ${item.trim()}`);
      constants.push(constant.slice(1));
    }
  }
  return constants;
}

function readView(text) {
  const view = /struct porthole_view \{([^}]*)\}/.exec(text);
  if (view === null) return [];
  return view[1]
    .trim()
    .split('\n')
    .map((line) => {
      const member = /^\s*u?int32_t (\w+);\s*$/.exec(line);
      if (member === null) throw new Error(`porthole_view has a member that is not one 32-bit word: ${line}`);
      return member[1];
    });
}

function writeErrors(entries) {
  const numbers = entries.map(([, name, number]) => [name, number]);
  const rows = entries.map(([, name, number, className, code, text]) => {
    const row = { name, class: className, code, text };
    return `  '${number}': Object.freeze(${literal(row)}),`;
  });
  write(
    'errors.js',
    'errors.def',
    numbers.map(([name, number]) => `export const ${name} = ${number};`),
    '',
    '/** What each code means, by number. */',
    'export const ERRORS = Object.freeze({',
    '  __proto__: null,',
    rows,
    '});',
  );
  write(
    'errors.d.ts',
    'errors.def',
    numbers.map(([name, number]) => `export declare const ${name}: ${number};`),
    '',
    'export interface ErrorEntry {',
    '  readonly name: string;',
    '  readonly class: string;',
    '  readonly code: string;',
    '  readonly text: string;',
    '}',
    '',
    'export declare const ERRORS: { readonly [number: number]: ErrorEntry | undefined };',
  );
}

function writeStatus(entries) {
  const codes = entries.map(([kind, code, name]) => [name, code, kind]);
  const phrases = entries.filter(([kind]) => kind === 'X').map(([, code, , phrase]) => [code, phrase]);
  write(
    'status.js',
    'status.def',
    codes.map(([name, code]) => `export const ${name} = ${code};`),
    '',
    '/** Every status constant by its name, the older names included. */',
    'export const HTTPStatus = Object.freeze({',
    codes.map(([name]) => `  ${name},`),
    '});',
    '',
    '/** The reason phrase of every status code. */',
    'export const responses = Object.freeze({',
    phrases.map(([code, phrase]) => `  ${code}: ${literal(phrase)},`),
    '});',
  );
  write(
    'status.d.ts',
    'status.def',
    codes.map(([name, code]) => `/** ${phrases.find(([key]) => key === code)[1]} */\nexport declare const ${name}: ${code};`),
    '',
    '/** Every status constant by its name, the older names included. */',
    'export declare const HTTPStatus: {',
    codes.map(([name, code]) => `  readonly ${name}: ${code};`),
    '};',
    '',
    '/** The reason phrase of every status code. */',
    'export declare const responses: {',
    phrases.map(([code, phrase]) => `  readonly ${code}: ${literal(phrase)};`),
    '  readonly [status: number]: string | undefined;',
    '};',
  );
}

function writeLimits(entries) {
  write(
    'limits.js',
    'limits.def',
    '/** The number of each limit, by its name in the option `limits`. */',
    'export const LIMITS = Object.freeze({',
    '  __proto__: null,',
    entries.map(([, , number, option]) => `  ${option}: ${number},`),
    '});',
    '',
    '/** What each limit is when nothing is said. */',
    'export const DEFAULT_LIMITS = Object.freeze({',
    entries.map(([, , , option, value]) => `  ${option}: ${value === 'UINT64_MAX' ? 'Infinity' : value},`),
    '});',
    '',
    '/** What each limit counts. */',
    'export const LIMIT_TEXTS = Object.freeze({',
    '  __proto__: null,',
    entries.map(([, , , option, , text]) => `  ${option}: ${literal(text)},`),
    '});',
  );
}

function writeAbi(...headers) {
  write(
    'abi.js',
    headers.map(({ file }) => file).join(' and '),
    headers.flatMap(({ constants }) => constants.map(([name, value]) => `export const ${name} = ${value};`)),
    '',
    '// The members of porthole_view, as indexes of 32-bit words.',
    headers.flatMap(({ view }) => view.map((name, index) => `export const VIEW_${name.toUpperCase()} = ${index};`)),
    `export const VIEW_WORDS = ${headers.reduce((words, { view }) => words + view.length, 0)};`,
  );
}

function writeWasm(path) {
  const wasm = readFileSync(path);
  write(
    'core-wasm.js',
    'porthole.wasm',
    `const base64 =\n  '${wasm.toString('base64')}';`,
    '',
    'let bytes;',
    '',
    '/** @returns {Uint8Array} porthole.wasm, decoded when it is first asked for */',
    'export function wasmBytes() {',
    "  if (bytes === undefined) {",
    "    bytes =",
    "      typeof Buffer === 'function'",
    "        ? Buffer.from(base64, 'base64')",
    '        : Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));',
    '  }',
    '  return bytes;',
    '}',
  );
  replaceFile(join(generated, 'porthole.wasm'), wasm);
}

/** A JavaScript literal with single quotes. */
function literal(value) {
  if (typeof value === 'object') {
    const members = Object.entries(value).map(([key, member]) => `${key}: ${literal(member)}`);
    return `{ ${members.join(', ')} }`;
  }
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

function write(file, source, ...lines) {
  const header = ['// SPDX-License-Identifier: MIT', `// Written by bindings/gen.mjs out of ${source}.`, ''];
  replaceFile(join(generated, file), `${[...header, ...lines.flat()].join('\n')}\n`);
}
