// SPDX-License-Identifier: MIT
//
// Runs a command that was transpiled by jco:
//
//   node run_jco.mjs [--names JSON] [--connecting CODE] [--count] [--dir FOLDER] FOLDER ARGUMENT…
//
// --names answers look-ups: for each name a list of addresses, or the code of an error; other names are refused.
// --connecting ends each attempt to connect with the code of an error.
// --count tells on stderr, as JSON, how often each function of WASI was called.
// --dir opens a folder to it as ".".
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { countCalls } from './count.mjs';

const args = process.argv.slice(2);
const option = (name, values) => (args[0] === name ? args.splice(0, values + 1).slice(1) : undefined);
const names = option('--names', 1);
const connecting = option('--connecting', 1);
const counted = option('--count', 0) && countCalls();
const opened = option('--dir', 1);
const [folder, ...rest] = args;
const shim = createRequire(join(folder, 'command.js'));
const from = (name) => import(pathToFileURL(shim.resolve(`@bytecodealliance/preview2-shim/${name}`)));

/** A literal as WIT has it. */
function address(text) {
  if (!text.includes(':')) return { tag: 'ipv4', val: text.split('.').map(Number) };
  return { tag: 'ipv6', val: [0, 0, 0, 0, 0, 0, 0, Number(text.slice(2))] }; // "::1" is all that is used
}

if (names !== undefined) {
  const table = JSON.parse(names[0]);
  const { ipNameLookup } = await from('sockets');
  const { ResolveAddressStream } = ipNameLookup;
  const answers = new WeakMap();
  ipNameLookup.resolveAddresses = (_network, name) => {
    const answer = table[name] ?? 'access-denied';
    if (typeof answer === 'string') throw answer;
    const stream = Object.create(ResolveAddressStream.prototype);
    answers.set(stream, answer.map(address));
    return stream;
  };
  ResolveAddressStream.prototype.resolveNextAddress = function () {
    return answers.get(this).shift();
  };
  ResolveAddressStream.prototype[Symbol.dispose ?? Symbol.for('dispose')] = () => {};
}

if (connecting !== undefined) {
  const { tcp } = await from('sockets');
  tcp.TcpSocket.prototype.finishConnect = () => {
    throw connecting[0];
  };
}

if (opened !== undefined) (await from('filesystem'))._setPreopens({ '.': opened[0] });
(await from('cli'))._setArgs(['command', ...rest]);
const { run } = await import(pathToFileURL(join(folder, 'command.js')));
try {
  run.run();
} catch (error) {
  if (error !== undefined && !('payload' in error)) console.error(error); // else run() has answered with an error
  process.exitCode = 1;
}
if (counted !== undefined) console.error(JSON.stringify(counted));
