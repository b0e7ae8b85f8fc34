// SPDX-License-Identifier: MIT
//
// curl and the builds of the command, and one run of one of them: in a folder of its own, against servers of its own.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alone } from '../../bindings/alone.mjs';
import { makeBundles } from '../../bindings/bundle.mjs';
import { makeCommand } from '../../bindings/cli/component.mjs';
import { makeModule } from '../../bindings/cli/module.mjs';
import { closedPort } from '../support/closed-port.mjs';
import { allowed, lacking, transpileComponent, workshop } from '../wasi/guests.mjs';
import { startServer } from './server.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const PATIENCE = 120_000;

/**
 * @typedef {object} Command
 * @property {() => void | Promise<void>} build
 * @property {(folder: string, args: string[], names: boolean) => [string, string[]]} start what to spawn
 * @property {(outcome: Outcome) => object} seen what of an outcome has to be as curl's
 * @property {boolean} [tls] does it speak https?
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
  build: () =>
    alone('native-asan', () => {
      run('cmake', '--preset', 'native-asan');
      run('cmake', '--build', '--preset', 'native-asan', '--target', 'porthole_cli');
    }),
  start: (_, args) => [join(root, 'build', 'native-asan', 'bindings', 'cli', 'porthole'), args],
  seen: ({ code, stdout, files, requests }) => ({ code, stdout, files, requests }),
};

const npm = {
  build: () =>
    alone('wasi', async () => {
      makeModule();
      await makeBundles();
    }),
  start: (_, args) => [process.execPath, [join(root, 'dist', 'command', 'porthole.cjs'), ...args]],
  seen: native.seen,
  tls: true,
};

const has = (command) => spawnSync(command, ['--version']).status === 0;
const tools = (packages) => {
  const lacking = Object.keys(packages).filter((command) => !has(command));
  return lacking.length > 0 && `apt-get install ${lacking.map((command) => packages[command]).join(' ')}`;
};

const here = join(root, 'test', 'wasi');
const python = join(root, '.cache', 'venv-wasi', 'bin', 'python');
const COMPILE = 'import sys, wasmtime\nfrom wasmtime.component import Component\n' +
  'open(sys.argv[2], "wb").write(Component.from_file(wasmtime.Engine(), sys.argv[1]).serialize())';

/** wasmtime's command, where that is to run the component and not PyPI's package: `npm run test:wasmtime`. */
const wasmtime = process.env.PORTHOLE_WASMTIME;

/** The component, ready to be run: made once. */
let made;
export function component() {
  made ??= (async () => {
    const { folder, remove } = workshop();
    process.on('exit', remove);
    const path = join(folder, 'porthole-cli.wasm');
    await makeCommand('porthole-cli', folder);
    if (wasmtime) return { path, compiled: path }; // it keeps what it has compiled
    run(python, '-c', COMPILE, path, `${path}.cwasm`);
    return { path, compiled: `${path}.cwasm`, modules: await transpileComponent(path) };
  })();
  return made;
}

/** What to spawn. @param {string[]} options of run_wasmtime.py @returns {[string, string[]]} */
export function onWasmtime(options, { compiled }, args) {
  if (wasmtime) {
    const folder = options[options.indexOf('--dir') + 1];
    const opened = options.includes('--dir') ? ['--dir', folder.includes('::') ? folder : `${folder}::.`] : [];
    return [wasmtime, ['run', ...allowed(options), ...opened, compiled, ...args]];
  }
  return [python, [join(here, 'run_wasmtime.py'), ...options, compiled, ...args]];
}

let built;
const onWasi = (start) => ({
  build: async () => (built = await component()),
  start: (folder, args, names) => start(folder, args, names, built),
  seen: native.seen,
});

/** The builds that there are. @returns {Promise<{ commands: Record<string, Command>, missing: Record<string, string | false> }>} */
export async function buildCommands() {
  const onRuntimes = await lacking();
  const underWasmtime = onWasi((folder, args, names, parts) =>
    onWasmtime([...(names ? [] : ['--no-names']), '--dir', folder], parts, args),
  );
  if (wasmtime) return { commands: { wasmtime: underWasmtime }, missing: { wasmtime: onRuntimes } };
  const commands = {
    native,
    npm,
    wasmtime: underWasmtime,
    jco: onWasi((folder, args, _, { modules }) => [
      process.execPath,
      [join(here, 'run_jco.mjs'), '--dir', folder, modules, ...args],
    ]),
  };
  const missing = {
    native: tools({ cc: 'gcc', cmake: 'cmake', ninja: 'ninja-build' }),
    npm: tools({ clang: 'clang', 'wasm-ld': 'lld', 'llvm-ar': 'llvm', cmake: 'cmake', ninja: 'ninja-build' }),
    wasmtime: onRuntimes,
    jco: onRuntimes,
  };
  return { commands, missing };
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
    .reduce((made, [name, port]) => made.replaceAll(new RegExp(`(?<!\\d)${port}(?!\\d)`, 'g'), `{${name}}`), text)
    .replace(/^User-Agent: (?:curl|porthole)\/[\d.]+/m, 'User-Agent: agent')
    .replace(/^([\w-]+): *(.*?) *\r$/gm, '$1: $2\r');

/** Gives a command its input. @param {import('node:stream').Writable} to @param {'again' | 'open'} [behind] what comes behind it */
function feed(to, stdin, behind) {
  if (behind === undefined) to.end(stdin, 'latin1');
  else to.write(stdin, 'latin1', (error) => !error && behind === 'again' && feed(to, stdin, behind));
}

/**
 * Runs a command.
 *
 * @param {Command} command
 * @param {import('./scenarios.mjs').Scenario} scenario
 * @returns {Promise<Outcome>}
 */
export async function runCommand(command, { args, stdin = '', behind, stdout: path, files = {}, names = false }) {
  const folder = mkdtempSync(join(tmpdir(), 'porthole-cli-'));
  const other = await startServer();
  const server = await startServer({ other: other.port });
  const ports = { port: server.port, other: other.port, closed: await closedPort() };
  const fill = (text) => Object.entries(ports).reduce((made, [name, port]) => made.replaceAll(`{${name}}`, port), text);
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, 'latin1');
    }
    const [program, rest] = command.start(folder, args.map(fill), names);
    const output = path === undefined ? undefined : openSync(path, 'w');
    const child = spawn(program, rest, {
      cwd: folder,
      timeout: PATIENCE,
      env: { ...process.env, http_proxy: '', https_proxy: '' },
      stdio: ['pipe', output ?? 'pipe', 'pipe'],
    });
    if (output !== undefined) closeSync(output);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('latin1').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    feed(child.stdin.on('error', () => {}), stdin, behind);
    const [code] = await once(child, 'close');
    const requests = [...server.requests, ...other.requests].map((text) => comparable(text, ports));
    return { code, stdout: comparable(stdout, ports), stderr, files: filesIn(folder), requests };
  } finally {
    await server.close();
    await other.close();
    rmSync(folder, { recursive: true });
  }
}
