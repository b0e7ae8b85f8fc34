// SPDX-License-Identifier: MIT
//
// Another commit of porthole, checked out and built in a folder of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runQuietly } from '../../bindings/setup.mjs';

/**
 * Checks out a commit beside the checkout, and builds it as that commit says: by its `npm run build`.
 * @param {string} revision
 * @returns {Promise<{ folder: string, remove: () => void }>} it is removed at exit at the latest
 */
export async function checkOut(revision) {
  const parent = mkdtempSync(join(tmpdir(), 'porthole-against-'));
  const folder = join(parent, 'porthole');
  let there = true;
  const remove = () => {
    if (there) {
      there = false;
      rmSync(parent, { recursive: true, force: true });
      runQuietly('git', ['worktree', 'prune']);
    }
  };
  const interrupted = () => process.exit(130);
  process.once('exit', remove).once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    runQuietly('git', ['worktree', 'add', '--detach', folder, revision]);
    console.error(`porthole: building ${revision}`);
    run('npm', ['run', '--silent', 'build'], { cwd: folder, stdio: ['ignore', 2, 2] });
    return { folder, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
