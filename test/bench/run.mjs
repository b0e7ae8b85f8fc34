// SPDX-License-Identifier: MIT
//
// `npm run bench`: porthole and its peers under the loads of loads.json. See README.md beside this file.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { npmInstall, root, run } from '../../bindings/setup.mjs';
import { checkOut } from './against.mjs';
import { placement } from './process.mjs';
import { cells, columns, compare, digits, evaluate, judge, times } from './report.mjs';
import { buildServer } from './server.mjs';
import { runLoad, takesPart } from './suite.mjs';

const CONTENDERS = [
  'floor', 'porthole', 'undici', 'undici-stream', 'undici-fetch', 'node-http', 'got', 'axios', 'needle', 'python',
];
const QUICK_CONTENDERS = ['floor', 'porthole', 'undici', 'python'];
const VERSIONED = ['undici', 'got', 'axios', 'needle'];

const FULL = { rounds: 9, gcRounds: 3, profiled: 5, processes: 1, budget: 100, warmup: 1, warmLimit: 1300 };
const QUICK = { rounds: 5, gcRounds: 1, profiled: 0, processes: 1, budget: 40, warmup: 1, warmLimit: 250 };
const AGAINST = { rounds: 90, gcRounds: 0, profiled: 0, processes: 3, budget: 30, warmup: 1, warmLimit: 3000 };
const AGAINST_QUICK = { rounds: 36, gcRounds: 0, profiled: 0, processes: 3, budget: 20, warmup: 1, warmLimit: 800 };

const USAGE = `Usage: npm run bench -- [options]

  --quick            fewer and shorter rounds, fewer contenders: about a minute, rough figures
  --only A,B         only these loads
  --contenders A,B   only these of ${CONTENDERS.join(', ')}
  --rounds N         rounds (${FULL.rounds}; ${QUICK.rounds} with --quick; ${AGAINST.rounds} with --against)
  --against REV      compare with the porthole of another commit, and end with 1 where CPU or memory grew by over 10 %
  --json             print all of it as JSON (it is in build/bench/ in any case)
  --publish          write RESULTS.md and results.svg out of the run, which must be a full one
  --from FILE        no run: take what is in FILE, of build/bench/, for --json or --publish
  --help             this text`;

const loads = JSON.parse(readFileSync(new URL('loads.json', import.meta.url), 'utf8'));

function pick(given, known, what) {
  const names = given?.flatMap((list) => list.split(',')) ?? known;
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length) {
    throw new Error(`unknown ${what} ${unknown.join(', ')}; there are ${known.join(', ')}`);
  }
  return names;
}

function options() {
  const list = { type: 'string', multiple: true };
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    options: {
      quick: flag,
      only: list,
      contenders: list,
      rounds: { type: 'string' },
      against: { type: 'string' },
      json: flag,
      publish: flag,
      from: { type: 'string' },
      help: { ...flag, short: 'h' },
    },
  });
  if (values.rounds !== undefined && !/^[1-9]\d{0,3}$/.test(values.rounds)) {
    throw new Error(`--rounds takes a number above 0, not ${values.rounds}`);
  }
  const full = !values.quick && !values.only && !values.contenders && values.against === undefined;
  if (values.publish && !full && !values.from) {
    throw new Error('--publish takes a full run: without --quick, --only, --contenders and --against');
  }
  const names = pick(values.only, loads.map(({ name }) => name), 'load');
  const standard = values.against !== undefined ? ['porthole'] : values.quick ? QUICK_CONTENDERS : CONTENDERS;
  const contenders = values.contenders ? pick(values.contenders, CONTENDERS, 'contender') : standard;
  const plan = values.against === undefined ? [FULL, QUICK] : [AGAINST, AGAINST_QUICK];
  return {
    ...values,
    full,
    loads: loads.filter(({ name }) => names.includes(name)),
    contenders,
    plan: { ...plan[values.quick ? 1 : 0], ...(values.rounds && { rounds: Number(values.rounds) }) },
  };
}

function revision() {
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    const changes = git('status', '--porcelain', 'js', 'src', 'bindings') ? ' and changes' : '';
    return git('rev-parse', '--short', 'HEAD') + changes;
  } catch {
    return 'unknown';
  }
}

function machine(pinned) {
  const require = createRequire(import.meta.url);
  const cpus = os.cpus();
  // Not every package exports its package.json.
  const version = (name) => JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
  return {
    date: new Date().toISOString(),
    cpu: `${cpus.length} × ${cpus[0].model.trim()}`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    pinned,
    load: os.loadavg()[0],
    revision: revision(),
    versions: {
      porthole: require('../../package.json').version,
      node: process.versions.node,
      ...Object.fromEntries(VERSIONED.map((name) => [name, version(name)])),
      python: execFileSync('python3', ['-V'], { encoding: 'utf8' }).trim().replace('Python ', ''),
    },
  };
}

/** Prints one load, and gives what goes into the file. */
function tell(load, outcome, { bases, against, print }) {
  for (const { name, reason } of outcome.failures) {
    console.error(`${name} failed under ${load.name}: ${reason}`);
    process.exitCode = 1;
  }
  const rows = evaluate(load, outcome, bases);
  const profiles = Object.fromEntries(outcome.profiles);
  const result = { name: load.name, title: load.title, kind: load.kind, rows, profiles, failures: outcome.failures };
  if (rows.length === 0) {
    return result;
  }
  print(columns(cells(load, rows, bases)));
  if (outcome.server !== null) {
    print(`server: ${digits(outcome.server)} µs of CPU for a request`);
  }
  const goals = against === undefined ? judge(load, rows) : [];
  for (const { goal, value, met } of goals) {
    print(`goal ${goal}: ${digits(value)}, ${met ? 'met' : 'missed'}`);
  }
  const comparison = against === undefined ? null : compare(load, rows, against);
  return { ...result, server: outcome.server, goals, comparison, samples: Object.fromEntries(outcome.plain) };
}

function tellComparison(results, against, print) {
  const compared = results.filter(({ comparison }) => comparison);
  const lines = compared.map(({ name, kind, comparison: { change, best, lost } }) => {
    const measure = kind === 'open' || kind === 'peak' ? 'memory' : 'CPU';
    return [name, measure, times(change), digits(best), lost ? 'LOST' : ''];
  });
  print(`\nTimes as much as ${against} took, median [quartiles] of the rounds; below 1 is a gain:`);
  print(columns([['load', '', 'times', 'best rounds', ''], ...lines]));
  const lost = compared.filter(({ comparison }) => comparison.lost).map(({ name }) => name);
  print(lost.length ? `Over 10 % lost: ${lost.join(', ')}` : 'No load lost over 10 %.');
  if (lost.length) {
    process.exitCode = 1;
  }
}

async function measure(chosen, print) {
  npmInstall();
  run(process.execPath, [join(root, 'bindings', 'build.mjs')], { stdio: ['ignore', 2, 2] });
  const certificate = buildServer();
  const { against } = chosen;
  const old = against === undefined ? null : await checkOut(against);
  try {
    const contenders = chosen.contenders.map((name) => ({ name, client: name, root }));
    if (old) {
      contenders.push({ name: against, client: 'porthole', root: old.folder });
    }
    const places = placement();
    const about = machine(places.client.length > 0);
    const plan = { ...chosen.plan, contenders, certificate, placement: places };
    const bases = against === undefined ? ['floor', 'undici'] : [against];
    const versions = Object.entries(about.versions).map(([name, version]) => `${name} ${version}`);
    print(`${about.cpu}, ${about.system}; ${versions.join(', ')}; ${about.revision}; ${about.date}`);
    print(about.pinned ? 'The server and the clients each have a CPU.' : 'No CPU of its own for server or clients.');
    print(`Median [quartiles] of ${plan.rounds} rounds, for one request; ratios round by round, of CPU time.`);
    const results = [];
    for (const load of chosen.loads) {
      if ((load.tls && !certificate) || !contenders.some((each) => takesPart(load, each))) {
        continue;
      }
      print(`\n${load.name}: ${load.title}`);
      results.push(tell(load, await runLoad(load, plan), { bases, against, print }));
    }
    if (old) {
      tellComparison(results, against, print);
    }
    return { ...about, full: chosen.full, rounds: plan.rounds, against, loads: results };
  } finally {
    old?.remove();
  }
}

async function main() {
  const chosen = options();
  if (chosen.help) {
    console.log(USAGE);
    return;
  }
  const print = chosen.json ? () => {} : console.log;
  let report;
  if (chosen.from) {
    report = JSON.parse(readFileSync(resolve(chosen.from), 'utf8'));
  } else {
    report = await measure(chosen, print);
    const folder = join(root, 'build', 'bench');
    mkdirSync(folder, { recursive: true });
    const file = join(folder, report.full ? 'full.json' : 'last.json');
    writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
    print(`\nAll of it: ${file}`);
  }
  if (chosen.json) {
    console.log(JSON.stringify(report, null, 2));
  }
  if (chosen.publish) {
    if (!report.full) {
      throw new Error(`${chosen.from} is not of a full run`);
    }
    const { publish } = await import('./publish.mjs');
    await publish(report);
  }
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
