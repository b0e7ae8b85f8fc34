// SPDX-License-Identifier: MIT
//
// CPython's http.client and porthole, with the same calls and the same responses: the bytes on the wire and what comes out
// are equal, but for differences.mjs. PARITY_SEED and PARITY_CASES choose other cases.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './client.mjs';
import { differences, translate } from './differences.mjs';
import { generate } from './generator.mjs';

const seed = Number(process.env.PARITY_SEED ?? 20261125);
const count = Number(process.env.PARITY_CASES ?? 2000);
const script = fileURLToPath(new URL('client.py', import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;

const show = (value) => JSON.stringify(value, null, 1);

test(`${count} generated cases (seed ${seed}) are as CPython has them`, { skip: !hasPython && 'apt-get install python3' }, async (t) => {
  const cases = generate(seed, count);
  const python = spawnSync('python3', [script], { input: JSON.stringify(cases), encoding: 'utf8', maxBuffer: 2 ** 28 });
  assert.equal(python.status, 0, python.stderr);
  const expected = JSON.parse(python.stdout).map(translate);
  const met = new Map(differences.map(({ name }) => [name, 0]));
  const mismatches = [];
  let equal = 0;
  for (const [index, testCase] of cases.entries()) {
    const ours = translate(await run(testCase));
    if (show(ours) === show(expected[index])) {
      equal++;
      continue;
    }
    const known = differences.filter(({ applies }) => applies(testCase, expected[index], ours));
    for (const { name } of known) met.set(name, met.get(name) + 1);
    if (known.length === 0) mismatches.push({ testCase, python: expected[index], ours });
  }
  t.diagnostic(`${equal} of ${count} are equal, ${count - equal - mismatches.length} differ on purpose`);
  assert.equal(mismatches.length, 0, `${mismatches.length} cases differ, such as\n${mismatches.slice(0, 3).map(show).join('\n')}`);
  if (count < 2000) return;
  for (const [name, times] of met) assert.ok(times > 0, `no case shows the difference "${name}": take it off the list`);
});
