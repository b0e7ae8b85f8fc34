// SPDX-License-Identifier: MIT
//
// What components import and export, and what they may import of WASI.

import { readFileSync } from 'node:fs';
import { tool } from '../../bindings/wasi/tools.mjs';

/** What the host over the sockets of WASI 0.2 needs. */
export const SOCKETS = [
  'wasi:clocks/monotonic-clock@0.2.12',
  'wasi:io/error@0.2.12',
  'wasi:io/poll@0.2.12',
  'wasi:io/streams@0.2.12',
  'wasi:sockets/instance-network@0.2.12',
  'wasi:sockets/ip-name-lookup@0.2.12',
  'wasi:sockets/network@0.2.12',
  'wasi:sockets/tcp-create-socket@0.2.12',
  'wasi:sockets/tcp@0.2.12',
];

/** What TLS needs beside that. */
export const TLS = 'wasi:tls/types@0.2.0-draft';

/** The names of interfaces, and of functions, in order. @returns {Promise<string[]>} */
async function namesIn(file, what) {
  const { componentWit } = await tool('@bytecodealliance/jco-transpile/wasm-tools');
  return [...(await componentWit(readFileSync(file))).matchAll(new RegExp(`^ {2}${what} (\\S+?)(?:;|: func.*)$`, 'gm'))].map(([, name]) => name).sort();
}

/** @param {string} file a component @returns {Promise<string[]>} */
export const importsOf = (file) => namesIn(file, 'import');

/** @param {string} file a component @returns {Promise<string[]>} */
export const exportsOf = (file) => namesIn(file, 'export');
