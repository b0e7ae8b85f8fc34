// SPDX-License-Identifier: MIT
//
// `npm test`: sets up what the tests need, then runs the C tests (native, and under sanitizers), each fuzzer for some
// seconds, and all *.test.mjs: two files at a time, then those that run by themselves.
//
//   npm test                                     everything
//   npm test -- test/node/20-request.test.mjs    these files only

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { aptInstall, has, isRoot, npmInstall, root, run, runQuietly, say } from '../bindings/setup.mjs';
import { rustForGuests } from './support/rust.mjs';

/** What tests need beside Node: a command, a file …, the Debian package that brings it, and what is tested with it. */
const NEEDS = [
  { command: 'cc', package: 'gcc', use: 'the C tests' },
  { command: 'cmake', package: 'cmake', use: 'the C tests' },
  { command: 'ninja', package: 'ninja-build', use: 'the C tests' },
  { command: 'pkg-config', package: 'pkg-config', use: 'the C tests' },
  { file: '/usr/include/cmocka.h', package: 'libcmocka-dev', use: 'the C tests' },
  { command: 'clang', package: 'clang', use: 'test/hosts and test/fuzz' },
  { runtime: 'libclang_rt.fuzzer', package: 'libclang-rt-dev', use: 'test/fuzz' },
  { command: 'wasm-ld', package: 'lld', use: 'test/hosts and test/kit' },
  { command: 'llvm-ar', package: 'llvm', use: 'test/hosts' },
  { file: '/usr/lib/wasm32-wasi/libc.a', package: 'wasi-libc', use: 'test/wasi' },
  { command: 'wasm-opt', package: 'binaryen', use: 'test/hosts' },
  { rust: true, package: 'cargo', use: 'test/hosts' },
  { rust: true, package: 'libstd-rust-dev-wasm32', use: 'test/hosts' },
  { command: 'c++', package: 'g++', use: 'test/hosts' },
  { command: 'python3', package: 'python3', use: 'test/hosts and test/parity' },
  { python: 'ensurepip', package: 'python3-venv', use: 'test/hosts' },
  { command: 'nginx', package: 'nginx-light', use: 'test/servers' },
  { command: 'apache2', package: 'apache2-bin', use: 'test/servers' },
  { file: '/usr/lib/squid/security_file_certgen', package: 'squid-openssl', use: 'test/servers and test/tls' },
  { command: 'tinyproxy', package: 'tinyproxy-bin', use: 'test/servers' },
  { command: 'haproxy', package: 'haproxy', use: 'test/tls' },
  { command: 'lighttpd', package: 'lighttpd', use: 'test/tls' },
  { file: '/usr/lib/lighttpd/mod_openssl.so', package: 'lighttpd-mod-openssl', use: 'test/tls' },
  { command: 'openssl', package: 'openssl', use: 'test/tls' },
  { command: 'curl', package: 'curl', use: 'test/cli' },
];

/** No file of tests takes so long on a slow machine. */
const LONGEST_MS = 900_000;
/** The line of a file whose subject is time: nothing else shall burn the cores while it runs. */
const BY_ITSELF = /^\/\/ Runs by itself: /m;

/** Does clang come with this library for the machine that it is on? */
function clangHas(library) {
  const { stdout } = spawnSync('clang', ['--print-runtime-dir'], { encoding: 'utf8' });
  const folder = stdout?.trim() ?? '';
  return existsSync(folder) && readdirSync(folder).some((file) => file.startsWith(library));
}

function isMissing({ command, file, runtime, python, rust }) {
  if (rust !== undefined) return rustForGuests() === null;
  if (command !== undefined) return !has(command) && !existsSync(`/usr/sbin/${command}`);
  if (file !== undefined) return !existsSync(file);
  if (runtime !== undefined) return !clangHas(runtime);
  return spawnSync('python3', ['-c', `import ${python}`]).status !== 0;
}

function setUp() {
  npmInstall();
  run(process.execPath, [join(root, 'bindings', 'build.mjs')]);
  const missing = NEEDS.filter(isMissing);
  if (missing.length > 0 && !aptInstall([...new Set(missing.map((need) => need.package))])) {
    if (!isRoot) say('installing Debian packages needs root rights');
    for (const need of missing.filter(isMissing)) say(`${need.package} is missing: ${need.use} will be skipped`);
  }
}

/** Runs the C tests of a preset. @returns {boolean} did they pass? */
function runC(preset) {
  say(`C tests, ${preset}`);
  runQuietly('cmake', ['--preset', preset, '-DPORTHOLE_WERROR=ON']);
  runQuietly('cmake', ['--build', '--preset', preset]);
  const { status } = spawnSync('ctest', ['--preset', preset], { cwd: root, stdio: 'inherit' });
  return status === 0;
}

/** All test files below a folder. */
function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith('.test.mjs') ? [relative(root, path)] : [];
  });
}

/** Runs files of tests, so many at a time. @returns {boolean} did they pass? */
function runFiles(files, atOnce) {
  if (files.length === 0) return true;
  say(`${files.length} files of tests under Node ${process.version}, ${atOnce} at a time`);
  const args = ['--test', `--test-concurrency=${atOnce}`, '--test-reporter=spec', `--test-timeout=${LONGEST_MS}`, ...files];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Those that say that they run by themselves come after the others. @returns {boolean} did they pass? */
function runNode(files) {
  const alone = files.filter((file) => BY_ITSELF.test(readFileSync(join(root, file), 'utf8')));
  const others = files.filter((file) => !alone.includes(file));
  return [runFiles(others, 2), runFiles(alone, 1)].every(Boolean);
}

const chosen = process.argv.slice(2);
try {
  setUp();
  let passed = true;
  if (chosen.length === 0) {
    const can = (what) => NEEDS.filter(({ use }) => use.includes(what)).every((need) => !isMissing(need));
    const presets = [];
    if (can('the C tests')) presets.push('native', 'native-asan');
    else say('SKIPPED: the C tests');
    if (can('the C tests') && can('test/fuzz')) presets.push('fuzz');
    else say('SKIPPED: the fuzzers');
    passed = presets.map(runC).every(Boolean);
  }
  passed = runNode(chosen.length > 0 ? chosen : testFiles(join(root, 'test')).sort()) && passed;
  if (!passed) process.exitCode = 1;
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
