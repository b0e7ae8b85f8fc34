// SPDX-License-Identifier: MIT
//
// The WIT that porthole's components and their guests can name: WASI, porthole:wasi, porthole:wasi-tls and porthole:http.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../setup.mjs';
import { nested, tlsWit, wasiWit } from '../wasi/tools.mjs';

const ours = join(root, 'bindings', 'wasi', 'wit');

/** The packages of WASI: the files of each. They are there after installWit. */
function wasiPackages() {
  const wasi = join(wasiWit, '0.2.12');
  const folders = readdirSync(wasi, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...folders.map(({ name }) => [join(wasi, name, 'package.wit')]), tlsWit];
}

/** The names of the interfaces of WASI. @returns {string[]} such as wasi:io/streams@0.2.12 */
export function wasiInterfaces() {
  return wasiPackages().flatMap((files) => {
    const text = files.map((file) => readFileSync(file, 'utf8')).join('');
    const [, of, version] = /^package ([^@]+)@([^;]+);/m.exec(text);
    return [...text.matchAll(/^interface ([\w-]+) \{/gm)].map(([, name]) => `${of}/${name}@${version}`);
  });
}

/**
 * The text of a package with all that it can name.
 *
 * @param {string} text the package
 * @returns {string}
 */
export function withPackages(text) {
  const names = ['world.wit', join('tls', 'world.wit'), join('http', 'client.wit')];
  return text + [...wasiPackages(), ...names.map((name) => [join(ours, name)])].map(nested).join('');
}
