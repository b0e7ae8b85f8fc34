// SPDX-License-Identifier: MIT
//
// Calls get() of a composed component that jco has transpiled:  node get.mjs FOLDER
//
// The input is a list of [host, path]; the output are the results, each ["ok", text] or ["err", text].

import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const { get } = await import(pathToFileURL(join(process.argv[2], 'guest.js')));

function call([host, path]) {
  try {
    return ['ok', get(host, path)];
  } catch (error) {
    if (typeof error !== 'string') throw error;
    return ['err', error];
  }
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(call)));
