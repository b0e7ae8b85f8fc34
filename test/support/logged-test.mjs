// SPDX-License-Identifier: MIT
//
// A test that shows what its servers logged when it fails.

import { test } from 'node:test';

const LIMIT = 120_000;

/**
 * Makes a function like `test`, for tests against servers.
 * @param {() => import('./servers.mjs').Server[]} servers those that run when a test does
 * @returns {(name: string, run: (t: import('node:test').TestContext) => Promise<void>) => void}
 */
export function loggedTest(servers) {
  return (name, run, options = {}) =>
    test(name, { timeout: LIMIT, ...options }, async (t) => {
      try {
        await run(t);
      } catch (error) {
        for (const server of servers()) t.diagnostic(`${server.name} at port ${server.port}:\n${server.log()}`);
        throw error;
      }
    });
}
