// SPDX-License-Identifier: MIT
//
// Composes a component that imports porthole:http/client with porthole-client.wasm: one component, whose imports are those of
// WASI that the two have, and whose exports are the guest's.
//
//   node bindings/component/compose.mjs GUEST.wasm COMPOSED.wasm [CLIENT.wasm]
//
// CLIENT.wasm is dist/wasi/porthole-client.wasm where it isn't given; dist/wasi/porthole-client-tls.wasm has TLS.
//
// It writes what `wac plug GUEST.wasm --plug porthole-client.wasm` means: the two as they are, one within the other's reach. What is
// imported from outside has to be described; that description is taken from a component of no use that npm's tools make.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, say } from '../setup.mjs';
import { installTools, installWit, numberAt, sections, tool } from '../wasi/tools.mjs';
import { wasiInterfaces, withPackages } from './tools.mjs';

const CLIENT = 'porthole:http/client@0.1.0';

/* What stands in a component: the numbers of its sections, and of the sorts of what they define. */
const SECTION = { component: 4, instance: 5, alias: 6, import: 10, export: 11 };
const SORT = { func: 1, instance: 5 };

/* ---- reading ---- */

/** The items of the sections with a number. @param {(at: number) => [object, number]} read reads one, and says where it ends */
function itemsOf(component, id, read) {
  return sections(component).filter((section) => section.id === id).flatMap(({ start }) => {
    let [count, at] = numberAt(component, start);
    const items = [];
    for (; count > 0; count--) {
      const [item, end] = read(at);
      items.push(item);
      at = end;
    }
    return items;
  });
}

/** A name, behind a byte that tells its form. */
function nameAt(component, at) {
  const [length, start] = numberAt(component, at + 1);
  return [component.toString('utf8', start, start + length), start + length];
}

/** What a component imports: names, all of them of instances. */
function importsOf(component, file) {
  return itemsOf(component, SECTION.import, (at) => {
    const [name, sort] = nameAt(component, at);
    if (component[sort] !== SORT.instance) throw new Error(`${file} imports ${name}, which is no interface`);
    return [name, numberAt(component, sort + 1)[1]];
  });
}

/** What a component exports: names and their sorts. */
function exportsOf(component, file) {
  return itemsOf(component, SECTION.export, (at) => {
    const [name, sort] = nameAt(component, at);
    const [, ascription] = numberAt(component, sort + 1);
    if (!Object.values(SORT).includes(component[sort]) || component[ascription] !== 0) {
      throw new Error(`${file} exports ${name}, which is neither an interface nor a function`);
    }
    return [{ name, sort: component[sort] }, ascription + 1];
  });
}

/* ---- writing ---- */

function number(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value > 0);
  return bytes;
}

const text = (value) => [...number(Buffer.byteLength(value)), ...Buffer.from(value)];
const section = (id, contents) => Buffer.concat([Buffer.from([id, ...number(contents.length)]), Buffer.from(contents)]);
const one = (id, ...contents) => section(id, [1, ...contents.flat()]);

/** Makes an instance of a component. @param {[string, number][]} given names of its imports, and the instances for them */
const instantiate = (component, given) => one(SECTION.instance, 0, number(component), number(given.length), given.flatMap(([name, instance]) => [...text(name), SORT.instance, ...number(instance)]));

const aliasOf = (instance, { name, sort }) => one(SECTION.alias, sort, 0, number(instance), text(name));
const exported = ({ name, sort }, index) => one(SECTION.export, 0, text(name), sort, number(index), 0);

/** The part of a component that says what it imports: all that stands before its first module. */
async function importing(names) {
  const { componentEmbed, componentNew } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
  const world = `package porthole:composed;\nworld composed {\n${names.map((name) => `  import ${name};\n`).join('')}}\n`;
  const module = await componentEmbed({ dummy: true, world: 'composed', witSource: withPackages(world) });
  const component = Buffer.from(await componentNew(module, []));
  const last = sections(component).findLast(({ id }) => id === SECTION.import);
  return component.subarray(0, last?.end ?? 8);
}

/** The interface of WASI 0.2 with the newest version that has this one; of a draft there is one only. */
function newest(name, file) {
  const [, unversioned] = /^(wasi:[^@]+)@0\.2\.(?:\d+|0-draft)$/.exec(name) ?? [];
  const found = wasiInterfaces().find((known) => known.startsWith(`${unversioned}@`));
  if (found === undefined) throw new Error(`${file} imports ${name}, which is neither of WASI 0.2 nor ${CLIENT}`);
  return found;
}

/** Reads a component: the layer in its head is 1, that of a core module 0. */
function read(file) {
  const bytes = readFileSync(file);
  if (bytes.toString('latin1', 0, 4) !== '\0asm' || bytes.readUInt16LE(6) !== 1) throw new Error(`${file} is no component`);
  return bytes;
}

async function compose(guestFile, clientFile) {
  const [guest, client] = [guestFile, clientFile].map(read);
  const guestImports = importsOf(guest, guestFile);
  if (!guestImports.includes(CLIENT)) throw new Error(`${guestFile} doesn't import ${CLIENT}`);
  const wasi = [...guestImports.filter((name) => name !== CLIENT), ...importsOf(client, clientFile)];
  const outer = await importing([...new Set(wasi.map((name) => newest(name, guestFile)))]);
  const instances = importsOf(outer, 'the description');
  const given = (names) => names.map((name) => [name, instances.indexOf(newest(name, guestFile))]);

  const made = instances.length;
  const parts = [outer, section(SECTION.component, client), section(SECTION.component, guest)];
  parts.push(instantiate(0, given(importsOf(client, clientFile))), aliasOf(made, { name: CLIENT, sort: SORT.instance }));
  parts.push(instantiate(1, [[CLIENT, made + 1], ...given(guestImports.filter((name) => name !== CLIENT))]));
  // An export makes another of its sort: the next index is behind both.
  const next = { [SORT.instance]: made + 3, [SORT.func]: 0 };
  for (const item of exportsOf(guest, guestFile)) {
    parts.push(aliasOf(made + 2, item), exported(item, next[item.sort]));
    next[item.sort] += 2;
  }
  return Buffer.concat(parts);
}

const [guestFile, composedFile, clientFile = join(root, 'dist', 'wasi', 'porthole-client.wasm')] = process.argv.slice(2);
try {
  if (composedFile === undefined) throw new Error('node bindings/component/compose.mjs GUEST.wasm COMPOSED.wasm [CLIENT.wasm]');
  if (!existsSync(clientFile)) throw new Error(`there is no ${clientFile}: node bindings/component/build.mjs makes the clients`);
  await installTools();
  await installWit();
  const composed = await compose(guestFile, clientFile);
  writeFileSync(composedFile, composed);
  say(`${composed.length} bytes of ${composedFile}`);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
