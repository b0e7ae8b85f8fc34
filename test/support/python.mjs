// SPDX-License-Identifier: MIT
//
// Python with the packages of demo/hosts/python, in an environment of its own.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../bindings/setup.mjs';
import { alone } from '../../bindings/alone.mjs';

const folder = join(root, 'demo', 'hosts', 'python');
const venv = join(root, '.cache', 'venv');

/** The interpreter. */
export const python = join(venv, 'bin', 'python');

/** The command that runs a guest, and that explains URLs. */
export const PYTHON_HOST = [python, join(folder, 'run.py')];

const works = (command, ...args) => spawnSync(command, args).status === 0;

/** Installs it where it isn't there. @returns {string | false} what is missing, else false */
export const noPython = () => alone('venv', install);

function install() {
  if (works(python, '-c', 'import wasmtime')) return false;
  if (!works('python3', '-c', 'import ensurepip')) return 'apt-get install python3-venv';
  if (!existsSync(python) && !works('python3', '-m', 'venv', venv)) return 'no Python environment can be made';
  const pip = ['-m', 'pip', 'install', '-q', '-r', join(folder, 'requirements.txt')];
  return !works(python, ...pip) && "wasmtime for Python can't be installed";
}
