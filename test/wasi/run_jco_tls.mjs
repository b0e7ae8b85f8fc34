// SPDX-License-Identifier: MIT
//
// Runs a command with TLS that was transpiled by jco:
//
//   node run_jco_tls.mjs OPTIONS FOLDER ARGUMENT…
//
// OPTIONS are those of porthole/wasi-tls as JSON; `refuse` in them is thrown for every name. With `count` in them it tells on stderr,
// as JSON, how often each function of WASI was called. How much the shim still has at the end is told in the last line of stderr.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { countCalls } from './count.mjs';

const [options, folder, ...args] = process.argv.slice(2);
const { resolve } = createRequire(join(folder, 'command.js'));
const from = (name) => import(pathToFileURL(resolve(name)));
const { configure } = await from('porthole/wasi-tls');
const { refuse, count, ...given } = JSON.parse(options);
const counted = count && countCalls();
configure(refuse === undefined ? given : () => {
  throw new Error(refuse);
});
(await from('@bytecodealliance/preview2-shim/cli'))._setArgs(['command', ...args]);
const { run } = await import(pathToFileURL(join(folder, 'command.js')));
try {
  run.run();
} catch (error) {
  if (error !== undefined && !('payload' in error)) console.error(error); // else run() has answered with an error
  process.exitCode = 1;
}
if (counted) console.error(JSON.stringify(counted));
const { callExtension } = await from('@bytecodealliance/preview2-shim/io-worker');
console.error(JSON.stringify(callExtension(new URL('left_over.mjs', import.meta.url), 'count', [])));
