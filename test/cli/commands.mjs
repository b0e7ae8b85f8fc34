// SPDX-License-Identifier: MIT
//
// curl and the builds of the command, and one run of one of them: in a folder of its own, against servers of its own.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/process.mjs';
import { startServer } from './server.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const PATIENCE = 30_000;

/**
 * @typedef {object} Command
 * @property {() => void} build
 * @property {(folder: string, args: string[], names: boolean) => [string, string[]]} start what to spawn
 * @property {(outcome: Outcome) => object} seen what of an outcome has to be as curl's
 *
 * @typedef {object} Outcome
 * @property {number | null} code
 * @property {string} stdout as ISO-8859-1
 * @property {string} stderr
 * @property {Record<string, string>} files
 * @property {string[]} requests
 */

function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? stdout + stderr}`);
}

/** @type {Command} */
export const CURL = { build: () => {}, start: (_, args) => ['curl', ['-q', ...args]], seen: (outcome) => outcome };

const native = {
  build() {
    run('cmake', '--preset', 'native-asan');
    run('cmake', '--build', '--preset', 'native-asan', '--target', 'porthole_cli');
  },
  start: (_, args) => [join(root, 'build', 'native-asan', 'bindings', 'cli', 'porthole'), args],
  seen: ({ code, stdout, files, requests }) => ({ code, stdout, files, requests }),
};

const has = (command) => spawnSync(command, ['--version']).status === 0;
const tools = (packages) => {
  const lacking = Object.keys(packages).filter((command) => !has(command));
  return lacking.length > 0 && `apt-get install ${lacking.map((command) => packages[command]).join(' ')}`;
};

/** The builds that there are. @returns {{ commands: Record<string, Command>, missing: Record<string, string | false> }} */
export function buildCommands() {
  return { commands: { native }, missing: { native: tools({ cc: 'gcc', cmake: 'cmake', ninja: 'ninja-build' }) } };
}

/** The files below a folder, as texts of ISO-8859-1. */
function filesIn(folder) {
  const files = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isFile()) files[path.slice(folder.length + 1)] = readFileSync(path, 'latin1');
  }
  return files;
}

/** Requests as they compare: ports by name, the one header that has to differ, and no space behind an empty value. */
const comparable = (text, ports) =>
  Object.entries(ports)
    .reduce((made, [name, port]) => made.replaceAll(String(port), `{${name}}`), text)
    .replace(/^User-Agent: (?:curl|porthole)\/[\d.]+/m, 'User-Agent: agent')
    .replace(/^([\w-]+): *(.*?) *\r$/gm, '$1: $2\r');

/**
 * Runs a command.
 *
 * @param {Command} command
 * @param {import('./scenarios.mjs').Scenario} scenario
 * @returns {Promise<Outcome>}
 */
export async function runCommand(command, { args, stdin = '', files = {}, names = false }) {
  const folder = mkdtempSync(join(tmpdir(), 'porthole-cli-'));
  const other = await startServer();
  const server = await startServer({ other: other.port });
  const ports = { port: server.port, other: other.port, closed: await freePort() };
  const fill = (text) => Object.entries(ports).reduce((made, [name, port]) => made.replaceAll(`{${name}}`, port), text);
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, 'latin1');
    }
    const [program, rest] = command.start(folder, args.map(fill), names);
    const child = spawn(program, rest, { cwd: folder, timeout: PATIENCE, env: { ...process.env, http_proxy: '', https_proxy: '' } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('latin1').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {}).end(stdin, 'latin1');
    const [code] = await once(child, 'close');
    const requests = [...server.requests, ...other.requests].map((text) => comparable(text, ports));
    return { code, stdout: comparable(stdout, ports), stderr, files: filesIn(folder), requests };
  } finally {
    await server.close();
    await other.close();
    rmSync(folder, { recursive: true });
  }
}
