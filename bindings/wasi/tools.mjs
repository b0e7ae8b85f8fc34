// SPDX-License-Identifier: MIT
//
// What npm has for components: the tools of test/wasi/package.json, and the WIT of WASI, which is in the package of jco.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { isInstalled, root, runQuietly, say } from '../setup.mjs';

/** Where the tools are described and installed: outside of bindings/, which is source of the package. */
export const toolsFolder = join(root, 'test', 'wasi');
const JCO = '1.35.0';
const witFolder = join(root, 'build', 'wit');

/** What our packages refer to, and what that refers to. */
const PACKAGES = ['io', 'clocks', 'sockets', 'random', 'filesystem', 'cli']; // 0.3 has no io

/** Is the process with this number there? */
function runs(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Does something that only one process at a time can do in this checkout.
 *
 * @template T
 * @param {string} name
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function alone(name, work) {
  const lock = join(root, 'build', `${name}.lock`);
  mkdirSync(join(root, 'build'), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
    if (owner > 0 && !runs(owner)) rmSync(lock, { force: true });
    else await sleep(50);
  }
  try {
    return await work();
  } finally {
    rmSync(lock);
  }
}

/** Installs the tools, when they are not there or others are wanted. */
export function installTools() {
  return alone('tools', () => {
    if (isInstalled(toolsFolder)) return;
    say('installing the tools for components of test/wasi/package-lock.json');
    runQuietly('npm', ['ci', '--prefix', toolsFolder, '--no-audit', '--no-fund', '--loglevel=error']);
  });
}

/** @param {string} name a module of the tools @returns {Promise<any>} */
export function tool(name) {
  return import(pathToFileURL(createRequire(join(toolsFolder, 'package.json')).resolve(name)).href);
}

/** Gets the WIT of all versions of WASI. @returns {Promise<string>} the folder, which has one for each version */
export async function installWit() {
  const folder = join(witFolder, 'package', 'lib', 'wit', 'builtin');
  await alone('wit', () => {
    if (existsSync(folder)) return;
    mkdirSync(witFolder, { recursive: true });
    const packed = join(witFolder, `bytecodealliance-jco-${JCO}.tgz`);
    runQuietly('npm', ['pack', `@bytecodealliance/jco@${JCO}`, '--silent', '--pack-destination', witFolder]);
    runQuietly('tar', ['-xzf', packed, '-C', witFolder, 'package/lib/wit/builtin']);
  });
  return folder;
}

/**
 * The text of a package of ours with all that it refers to.
 *
 * @param {string} file    our package
 * @param {string} version of WASI
 * @returns {Promise<string>}
 */
export async function witSource(file, version) {
  const folder = await installWit();
  const files = PACKAGES.map((name) => [join(folder, version, `wasi-${name}`, 'package.wit')]);
  const draft = join(folder, 'wasi-tls-0.2.0-draft'); // it is written for 0.2.12
  if (version === '0.2.12') files.push([join(draft, 'world.wit'), join(draft, 'types.wit')]);
  const nested = files.filter(([first]) => existsSync(first)).map((paths) => {
    const text = paths.map((path) => readFileSync(path, 'utf8')).join('');
    return `${text.replace(/^package ([^;]+);/m, 'package $1 {')}\n}\n`;
  });
  return readFileSync(file, 'utf8') + nested.join('');
}
