// SPDX-License-Identifier: MIT
//
// A toolchain of Rust's that has the target of guests: the one on the path, else Debian's.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const TARGET = 'wasm32-unknown-unknown';
const DEBIAN = '/usr/bin';

/** @returns {NodeJS.ProcessEnv | null} the environment that cargo is run in; null where there is none */
export function rustForGuests() {
  const { status, stdout } = spawnSync('rustc', ['--print', 'target-libdir', '--target', TARGET], { encoding: 'utf8' });
  if (status === 0 && existsSync(stdout.trim())) return process.env;
  const has = existsSync(`${DEBIAN}/cargo`) && existsSync(`/usr/lib/rustlib/${TARGET}`);
  return has ? { ...process.env, PATH: `${DEBIAN}:${process.env.PATH}`, RUSTC: `${DEBIAN}/rustc` } : null;
}
