// SPDX-License-Identifier: MIT
//
// The command's program, as an instance in the thread that asks for it, which it blocks until it ends.

import { readFileSync } from 'node:fs';
import { System } from './system.js';

/**
 * Runs it.
 *
 * @param {object} what
 * @param {string[]} what.args
 * @param {string} what.wasm the URL of its module
 * @param {(memory: () => WebAssembly.Memory) => WebAssembly.ModuleImports} what.host its connections
 * @param {(settings: import('./keeper.js').TlsOptions) => { code: number, words: string }} what.askTls sets how TLS is spoken
 * @returns {number} its exit code
 */
export function run({ args, wasm, host, askTls }) {
  let memory;
  const memoryOf = () => memory;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(new URL(wasm))), {
    porthole_host_v1: host(memoryOf),
    porthole_cli_v1: new System(args, askTls, memoryOf).imports,
  });
  memory = exports.memory;
  return exports.run();
}
