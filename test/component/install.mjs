// SPDX-License-Identifier: MIT
//
// Installs what the tests of components need, and builds porthole-client.wasm. What can't be had is said on standard error.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { has, isInstalled, root } from '../../bindings/setup.mjs';
import { COMPILERS } from '../../bindings/wasi/tools.mjs';

const here = join(root, 'test', 'component');
const venv = join(root, '.cache', 'venv-component');
const python = join(venv, 'bin', 'python');
const commands = { ...COMPILERS, python3: 'python3' };
const runs = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** @returns {string | undefined} what can't be had */
function lacking() {
  const missing = Object.keys(commands).filter((command) => !has(command)).map((command) => commands[command]);
  if (!runs('python3', '-c', 'import ensurepip')) missing.push('python3-venv');
  if (missing.length > 0) return `apt-get install ${missing.join(' ')}`;
  if (!existsSync(python) && !runs('python3', '-m', 'venv', venv)) return 'no Python environment can be made';
  const pip = ['-m', 'pip', 'install', '-q', '-r', join(here, 'requirements.txt')];
  if (!runs(python, '-c', 'import wasmtime, componentize_py') && !runs(python, ...pip)) return 'the packages for Python can\'t be installed';
  if (!isInstalled(here) && !runs('npm', 'ci', '--prefix', here, '--no-audit', '--no-fund')) return "the packages of test/component/package-lock.json can't be installed";
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bindings', 'component', 'build.mjs')], { encoding: 'utf8' });
  return status === 0 ? undefined : `porthole-client.wasm can't be built: ${stdout}${stderr}`;
}

const reason = lacking();
if (reason !== undefined) {
  console.error(reason);
  process.exitCode = 1;
}
