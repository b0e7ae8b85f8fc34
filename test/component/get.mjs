// SPDX-License-Identifier: MIT
//
// Calls get() of a composed component that jco has transpiled:  node get.mjs FOLDER [OPTIONS]
//
// The input is a list of [host, path]; the output are the results, each ["ok", text] or ["err", text]. OPTIONS are
// those of porthole/wasi-tls, as JSON.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const [folder, options] = process.argv.slice(2);
const file = join(folder, 'guest.js');
const { get } = await import(pathToFileURL(file));
if (options !== undefined) {
  const { configure } = await import(pathToFileURL(createRequire(file).resolve('porthole/wasi-tls')));
  configure(JSON.parse(options));
}

function call([host, path]) {
  try {
    return ['ok', get(host, path)];
  } catch (error) {
    if (typeof error !== 'string') throw error;
    return ['err', error];
  }
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(call)));
