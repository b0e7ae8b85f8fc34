// SPDX-License-Identifier: MIT
//
// Runs a command that was transpiled by jco:  node run_jco.mjs FOLDER ARGUMENT…
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, ...args] = process.argv.slice(2);
const from = (name) => import(pathToFileURL(name));
const shim = createRequire(join(folder, 'get.js')).resolve('@bytecodealliance/preview2-shim/cli');
(await from(shim))._setArgs(['get', ...args]);
const { run } = await from(join(folder, 'get.js'));
try {
  run.run();
} catch (error) {
  if (error !== undefined && !('payload' in error)) console.error(error); // else run() has answered with an error
  process.exitCode = 1;
}
