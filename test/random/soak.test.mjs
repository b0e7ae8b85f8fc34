// SPDX-License-Identifier: MIT

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak } from './soak.mjs';

test('two thousand requests of all kinds have the right bodies, and nothing grows', async () => {
  const { faults, samples } = await soak({ requests: 2000, connections: 4, seed: 1 });
  assert.deepEqual(faults, []);
  assert.ok(samples.length >= 50);
});
