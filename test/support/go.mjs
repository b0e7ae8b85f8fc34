// SPDX-License-Identifier: MIT
//
// The host of demo/hosts/go, built.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { alone } from '../../bindings/alone.mjs';
import { root } from '../../bindings/setup.mjs';

const folder = join(root, 'demo', 'hosts', 'go');
const program = join(root, 'build', 'hosts', 'go-host');

/** The command that runs a guest, and that explains URLs. */
export const GO_HOST = [program];

/** Builds it: its modules come through GOPROXY. @returns {Promise<string | false>} what is missing, else false */
export async function noGo() {
  const [, wanted] = /^go (\d+\.\d+)/m.exec(readFileSync(join(folder, 'go.mod'), 'utf8'));
  if (spawnSync('go', ['version']).status !== 0) return `Go ${wanted} or later is not installed`;
  mkdirSync(join(root, 'build', 'hosts'), { recursive: true });
  return alone('go', () => {
    const made = `${program}.new`; // who runs it now runs the old one
    const { status, stderr } = spawnSync('go', ['build', '-buildvcs=false', '-o', made, '.'], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) return `demo/hosts/go can't be built: ${stderr}`;
    renameSync(made, program);
    return false;
  });
}
