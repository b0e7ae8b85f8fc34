// SPDX-License-Identifier: MIT
//
// What a guest may be made of: its memory and its tables are limited, and a module where they can't be is none.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createHost } from '../../js/host.js';
import { limitMemory } from '../../js/host/module.js';

const EXTERNREF = 0x6f;

const section = (id, ...bytes) => [id, bytes.length, ...bytes];
const moduleOf = (...sections) => Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);
/** A function of a number that gives one: (memory.grow $memory), (table.grow $table (ref.null extern)). */
const types = section(1, 1, 0x60, 1, 0x7f, 1, 0x7f);
const functions = (count) => section(3, count, ...new Array(count).fill(0));
const growTable = (index) => [9, 0, 0xd0, EXTERNREF, 0x20, 0, 0xfc, 0x0f, index, 0x0b];
const exported = (count) => section(7, count, ...Array.from({ length: count }, (_, index) => [1, 0x30 + index, 0, index]).flat());

describe('a module', () => {
  const hosts = [];
  after(() => Promise.all(hosts.map((host) => host.close())));
  const run = (wasm, options) => {
    const host = createHost();
    hosts.push(host);
    return host.run(wasm, options);
  };

  test('has tables that can’t fill the memory of the process', async () => {
    const tables = section(4, 2, EXTERNREF, 0, 1, EXTERNREF, 0, 1);
    const guest = await run(moduleOf(types, functions(2), tables, exported(2), section(10, 2, ...growTable(0), ...growTable(1))));
    assert.equal(await guest.call('0', 9_999_990), -1);
    assert.equal(await guest.call('1', 500_000), -1);
    assert.equal(await guest.call('0', 499_999), 1);
    assert.equal(await guest.call('1', 499_999), 1);
  });

  test('keeps the limits of its own that are lower', async () => {
    const tables = section(4, 1, EXTERNREF, 1, 1, 3);
    const guest = await run(moduleOf(types, functions(1), tables, exported(1), section(10, 1, ...growTable(0))));
    assert.equal(await guest.call('0', 3), -1);
    assert.equal(await guest.call('0', 2), 1);
  });

  for (const [what, sections, message] of [
    ['a table that is too large', [section(4, 1, EXTERNREF, 0, 0x80, 0x80, 0x80, 1)], /begins with a table of 2097152 entries/],
    ['a table with an initial value', [section(4, 1, 0x40, 0, EXTERNREF, 0, 1, 0xd0, EXTERNREF, 0x0b)], /initial value/],
    ['several memories, each with a limit of its own', [section(5, 2, 0, 1, 0, 1)], /has 2 memories/],
    ['a memory of 64 bits', [section(5, 1, 4, 1)], /64 bits/],
    ['a table of 64 bits', [section(4, 1, EXTERNREF, 4, 1)], /64 bits/],
    ['arrays that are collected', [section(1, 1, 0x5e, 0x7f, 1)], /collected/],
    ['structures that are collected', [section(1, 2, 0x60, 1, 0x63, 0x6e, 0, 0x5f, 0)], /collected/],
    ['a section that ends nowhere', [[5, 0x80, 0x80]], /no module/],
  ]) {
    test(`is none with ${what}`, () => assert.throws(() => limitMemory(moduleOf(...sections), 2 ** 20), { name: 'TypeError', message }));
  }

  test('is as it was where it has neither memory nor table', () => {
    const wasm = moduleOf(types, functions(1), exported(1));
    assert.deepEqual(limitMemory(wasm, 2 ** 20), wasm);
  });
});
