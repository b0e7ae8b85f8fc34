// SPDX-License-Identifier: MIT
//
// The shape of the sources of the core: who knows whom.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('../../src/', import.meta.url);
const files = readdirSync(folder).filter((file) => /\.[ch]$/.test(file));
const text = (file) => readFileSync(new URL(file, folder), 'utf8');
const LONGEST = 600;

/** What a module, a .c file with its header, includes of the others. */
function includesOf(module) {
  const own = files.filter((file) => file.replace(/\.[ch]$/, '') === module);
  const included = own.flatMap((file) => [...text(file).matchAll(/^#include "(\w+)\.h"$/gm)].map(([, name]) => name));
  return [...new Set(included)].filter((name) => name !== module);
}

test('no file of the core includes one that stands on it', () => {
  const done = new Set();
  const visit = (module, path) => {
    assert.ok(!path.includes(module), `a circle: ${[...path, module].join(' → ')}`);
    if (done.has(module)) return;
    for (const below of includesOf(module)) visit(below, [...path, module]);
    done.add(module);
  };
  for (const file of files) visit(file.replace(/\.[ch]$/, ''), []);
  assert.ok(done.size >= 12);
});

test('only io.c calls the host', () => {
  const callers = files.filter((file) => text(file).includes('porthole_host_'));
  assert.deepEqual(callers.filter((file) => /porthole_host_\w+\(/.test(text(file))), ['io.c']);
});

test('no file of the core is longer than 600 lines', () => {
  for (const file of files) assert.ok(text(file).split('\n').length <= LONGEST, file);
});

test('the table of calls in the README is that of state.c', () => {
  const cells = (row) => row.split(/[,|]/).map((cell) => cell.trim().replace('YES', '·')).filter((cell) => cell !== '');
  const source = [...text('state.c').matchAll(/\[REQUEST_(\w+)\] += \{((?:\w{3}, *)+\w{3})\},/g)];
  const shown = [...text('README.md').matchAll(/^\| `(\w+)` \|((?: (?:·|REQ|HDR|RDY) \|)+)$/gm)];
  assert.ok(source.length >= 12);
  assert.deepEqual(
    shown.map(([, state, row]) => [state, cells(row)]),
    source.map(([, state, row]) => [state, cells(row)]),
  );
});
