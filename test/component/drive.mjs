// SPDX-License-Identifier: MIT
//
// Makes the calls of standard input on porthole-client.wasm, transpiled by jco:  node drive.mjs FOLDER
//
// The input is { steps: [{ on, call, arguments, as } …] }: `on` is the name of a resource, a connection's or, where it begins
// with "r", a response's; `as` names the resource that comes of it. "new", "drop" and "memory" are calls too, and what isn't there
// answers "missing"; { repeat, steps } is many, { again: step } makes a call until it doesn't have to wait. Bytes are
// { bytes: ISO-8859-1 }, 64-bit numbers { u64 }, flags { flags }. The output are the results: errors are { error: record }. `tls` beside
// the steps are options of porthole/wasi-tls.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

// The memory of the component's core module: jco shows none.
let memory;
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (...args) => {
  const made = await instantiate(...args);
  memory ??= (made.instance ?? made).exports.memory;
  return made;
};

const file = join(process.argv[2], 'client.js');
const { client } = await import(pathToFileURL(file));
const resources = new Map();
const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function argument(value) {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(argument);
  if (value.bytes !== undefined) return Buffer.from(value.bytes, 'latin1');
  if (value.flags !== undefined) return Object.fromEntries(value.flags.map((name) => [camel(name), true]));
  return value.u64 === undefined ? value : BigInt(value.u64);
}

function shown(value, name) {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof client.Response) {
    resources.set(name, value);
    return 'resource';
  }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('latin1') };
  if (Array.isArray(value)) return value.map((item) => shown(item, name));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [kebab(key), shown(item, name)]));
}

function perform({ on, call, arguments: given, as, repeat, steps, again }) {
  if (again !== undefined) {
    for (;;) {
      const result = perform(again);
      if (result?.error?.kind !== 'would-block') return result;
      resources.get(again.on.replace('r', 'c')).wait(60000);
    }
  }
  if (repeat !== undefined) {
    let last;
    for (let i = 0; i < repeat; i++) last = steps.map(perform);
    return last;
  }
  if (call === 'memory') return memory.buffer.byteLength;
  const args = given.map(argument);
  if (call === 'new') {
    resources.set(on, new client.Connection(...args));
    return 'resource';
  }
  const resource = resources.get(on);
  if (resource === undefined) return 'missing';
  if (call === 'drop') {
    resources.delete(on);
    resource[Symbol.dispose]();
    return null;
  }
  try {
    return shown(resource[camel(call)](...args), as);
  } catch (error) {
    if (error.kind === undefined) throw error;
    return { error: shown(error) };
  }
}

const { steps: all, tls } = JSON.parse(await text(process.stdin));
if (tls !== undefined) {
  const { configure } = await import(pathToFileURL(createRequire(file).resolve('porthole/wasi-tls')));
  configure(tls);
}
console.log(JSON.stringify(all.map(perform)));
