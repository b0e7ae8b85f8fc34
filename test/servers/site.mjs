// SPDX-License-Identifier: MIT
//
// The files that the servers under test hand out.

import { createHash } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chownToServer } from '../support/process.mjs';

/**
 * Bytes that look random and are always the same.
 * @param {number} length
 * @param {string} seed
 * @returns {Buffer}
 */
export function noise(length, seed = 'porthole') {
  const blocks = [];
  for (let count = 0; count * 32 < length; count += 1) {
    blocks.push(createHash('sha256').update(`${seed} ${count}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** When every file was modified. */
export const MODIFIED = 'Sun, 06 Nov 1994 08:49:37 GMT';

export const PAGE = Buffer.from(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A page</title></head>
<body>
${Array.from({ length: 60 }, (_, n) => `<p>Paragraph ${n} of a page, café included.</p>`).join('\n')}
</body>
</html>
`);

export const LINES = Buffer.from(Array.from({ length: 500 }, (_, n) => `line ${n + 1}\n`).join(''));

export const BYTES = noise(100_000);

/** How a page comes out that a server has to put together. */
const assembled = (part) => 'before\n'.repeat(2000) + part + 'after\n'.repeat(2000);
export const ASSEMBLED = Buffer.from(assembled('the part\n'));

const FILES = {
  'index.html': PAGE,
  'lines.txt': LINES,
  'bytes.bin': BYTES,
  'empty.txt': '',
  'part.txt': 'the part\n',
  'assembled.shtml': assembled('<!--#include virtual="/part.txt" -->'),
  'folder/index.html': 'A page in a folder.\n',
  'limited/page.txt': 'A page of a connection that ends soon.\n',
  'hasty/page.txt': 'A page of a connection that may not rest.\n',
  'heads/long.txt': 'A page with a long head.\n',
  'heads/many.txt': 'A page with many header lines.\n',
  'zipped/lines.txt': LINES,
};

/**
 * Writes the files. `store/` is empty, and there to be written to.
 * @param {string} site
 */
export function makeSite(site) {
  for (const folder of ['folder', 'limited', 'hasty', 'heads', 'zipped', 'store', 'store/small']) {
    mkdirSync(join(site, folder), { recursive: true });
  }
  for (const [name, content] of Object.entries(FILES)) {
    writeFileSync(join(site, name), content);
    utimesSync(join(site, name), new Date(MODIFIED), new Date(MODIFIED));
  }
  chownToServer(join(site, 'store'), join(site, 'store/small'));
}
