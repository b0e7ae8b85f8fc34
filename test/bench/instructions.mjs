// SPDX-License-Identifier: MIT
//
// `npm run bench:instructions`: how many instructions the core executes for fixed inputs, counted by callgrind, so that
// noise plays no part. Fails where a count is over 3 % above that of instructions.json for the same compiler.
//
//   --update      writes the counts into instructions.json
//   --no-llhttp   leaves llhttp out: nothing is downloaded

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { aptInstall, has, root, runQuietly, say } from '../../bindings/setup.mjs';
import { columns } from './report.mjs';

const GROWTH = 1.03;
const COUNT = 200;
/** llhttp's C sources as its author's binding for Python ships them. */
const LLHTTP = 'llhttp==9.3.0.0';

const CASES = {
  head: '551 bytes: a head of 423 bytes with 11 fields, a body of 128',
  fields: 'the same with 60 fields',
  chunks: 'the same with 32 KiB in chunks of 64 bytes',
  request: 'a GET with 5 headers, to be sent',
};

const baselineFile = fileURLToPath(new URL('instructions.json', import.meta.url));
const folder = join(root, 'build', 'bench');
const compiler = process.env.CC ?? 'cc';

/** Downloads llhttp's sources. @returns {string | null} their folder, null where they can't be had */
function fetchLlhttp() {
  const sources = join(folder, `llhttp-${LLHTTP.split('==')[1]}`);
  if (!existsSync(sources)) {
    const pip = ['-m', 'pip', 'download', '-q', '--no-deps', '--no-binary', ':all:'];
    try {
      runQuietly('python3', [...pip, '-d', folder, LLHTTP]);
      runQuietly('tar', ['-xzf', `${sources}.tar.gz`, '-C', folder]);
    } catch (error) {
      say(`${LLHTTP} can't be had: ${error.message.trim().split('\n').at(-1)}`);
      return null;
    }
  }
  return join(sources, 'lib');
}

function build(llhttp) {
  const inFolder = (path) => readdirSync(path).filter((file) => file.endsWith('.c')).map((file) => join(path, file));
  const binary = join(folder, 'instructions');
  const sources = [join(root, 'test', 'bench', 'instructions.c'), join(root, 'bindings', 'posix', 'host.c')];
  sources.push(...inFolder(join(root, 'src')));
  const includes = ['-I', join(root, 'src'), '-I', join(root, 'src', 'include')];
  if (llhttp !== null) {
    sources.push(...inFolder(llhttp));
    includes.push('-I', llhttp, '-DWITH_LLHTTP');
  }
  runQuietly(compiler, ['-std=gnu11', '-O2', '-g', '-o', binary, ...includes, ...sources]);
  return binary;
}

/** Instructions of one message. */
function count(binary, name) {
  const options = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--toggle-collect=counted_*'];
  const args = [...options, binary, name, String(COUNT)];
  // The same memcpy on every processor.
  const env = { ...process.env, GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM' };
  const { error, status, stderr } = spawnSync('valgrind', args, { encoding: 'utf8', env });
  const collected = /Collected : (\d+)/.exec(stderr);
  if (error || status !== 0 || collected === null) {
    throw error ?? new Error(`valgrind ended with ${status}\n${stderr}`);
  }
  return Math.round(Number(collected[1]) / COUNT);
}

function compilerVersion() {
  const { stdout } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
  return `${stdout.split('\n')[0]}, ${process.arch}`;
}

function main() {
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({ options: { update: flag, 'no-llhttp': flag } });
  if (!has('valgrind') && !aptInstall(['valgrind', 'libc6-dbg'])) {
    say('valgrind is missing: no instructions are counted');
    return;
  }
  mkdirSync(folder, { recursive: true });
  const llhttp = values['no-llhttp'] ? null : fetchLlhttp();
  const binary = build(llhttp);
  const version = compilerVersion();
  const baselines = existsSync(baselineFile) ? JSON.parse(readFileSync(baselineFile, 'utf8')) : {};
  const baseline = baselines[version];
  const counts = {};
  const rows = [['instructions of a message', 'porthole', 'baseline', '', 'llhttp']];
  let failed = false;
  for (const [name, title] of Object.entries(CASES)) {
    counts[name] = count(binary, name);
    const before = baseline?.[name];
    const grew = before !== undefined && counts[name] > before * GROWTH;
    failed ||= grew;
    const percent = ((counts[name] / before - 1) * 100).toFixed(1);
    const change = before === undefined ? '' : `${percent} %${grew ? ' GREW' : ''}`;
    const other = llhttp !== null && name !== 'request' ? String(count(binary, `llhttp-${name}`)) : '';
    rows.push([title, String(counts[name]), String(before ?? ''), change, other]);
  }
  console.log(columns(rows));
  console.log(`${version}; ${llhttp === null ? 'without llhttp' : LLHTTP}`);
  if (values.update) {
    writeFileSync(baselineFile, `${JSON.stringify({ ...baselines, [version]: counts }, null, 2)}\n`);
  } else if (baseline === undefined) {
    console.log('No baseline for this compiler: nothing to compare with.');
  } else if (failed) {
    console.log('Over 3 % more than the baseline. Where that has to be, use --update and say so in the commit.');
    process.exitCode = 1;
  }
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
