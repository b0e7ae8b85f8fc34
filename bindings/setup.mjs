// SPDX-License-Identifier: MIT
//
// Set-up that builds and tests share: what is on the machine, and how what is missing gets there.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** May this process install packages? */
export const isRoot = process.getuid?.() === 0;

/** Says what is going on. @param {string} text */
export function say(text) {
  console.log(`porthole: ${text}`);
}

/** @param {string} command @returns {boolean} is it on the path? */
export function has(command) {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, command)));
}

/**
 * Runs a command in the checkout, its output on ours.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 * @throws {Error} when it can't be run or fails
 */
export function run(command, args, options = {}) {
  const { error, status, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${signal ?? `exit code ${status}`}`);
}

/** Runs a command whose output is shown only when it fails. */
export function runQuietly(command, args, options = {}) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with exit code ${status}\n${stdout}${stderr}`);
}

/**
 * Writes a file, unless it has that content already. Who reads it meanwhile reads the old one or the new one, whole.
 *
 * @param {string} path
 * @param {string | Uint8Array} content
 */
export function replaceFile(path, content) {
  const bytes = Buffer.from(content);
  if (existsSync(path) && readFileSync(path).equals(bytes)) return;
  mkdirSync(dirname(path), { recursive: true });
  const made = `${path}.${process.pid}`;
  writeFileSync(made, bytes);
  renameSync(made, path);
}

let updated = false;

/**
 * Installs Debian packages, as far as that is possible. Services that they bring are not started.
 *
 * @param {string[]} packages
 * @returns {boolean} false where it can't be done: no root rights, no apt-get, or the packages can't be had
 */
export function aptInstall(packages) {
  if (packages.length === 0) return true;
  if (!isRoot || !has('apt-get')) return false;
  say(`installing ${packages.join(' ')}`);
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=300'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    if (!updated) runQuietly('apt-get', [...options, 'update'], { env });
    updated = true;
    runQuietly('apt-get', [...options, 'install', '-y', '--no-install-recommends', ...packages], { env });
    return true;
  } catch (error) {
    say(`that failed: ${error.message.trim()}`);
    return false;
  }
}

/** Are the npm packages of a folder there, as its lock file wants them? @param {string} folder */
export function isInstalled(folder) {
  const installed = join(folder, 'node_modules', '.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs;
}

/** Installs the development packages of package-lock.json, when they are not there. */
export function npmInstall() {
  if (isInstalled(root)) return;
  say('installing the development packages of package-lock.json');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}
