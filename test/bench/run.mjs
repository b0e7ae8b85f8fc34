// SPDX-License-Identifier: MIT
//
// `npm run bench`: porthole and its peers under the loads of loads.json. See README.md beside this file.

import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { evaluate, judge, table } from './report.mjs';
import { buildServer, startServer } from './server.mjs';

const CLIENT_LIMIT = 120_000;
const BASES = ['undici', 'floor'];
const CONTENDERS = {
  porthole: [process.execPath, 'porthole.mjs'],
  undici: [process.execPath, 'undici.mjs'],
  'node:http': [process.execPath, 'node-http.mjs'],
  python: ['python3', 'python.py'],
  floor: [process.execPath, 'floor.mjs'],
};

const USAGE = `Usage: npm run bench -- [options]

  --load NAME    only this load; may be repeated, or names with commas between
  --only A,B     only these contenders: ${Object.keys(CONTENDERS).join(', ')}
  --rounds N     rounds (default 4)
  --spread       let client and server use all CPUs, in the loads that keep them on one as well
  --json         print all of it as JSON
  --help         this text`;

const loads = JSON.parse(readFileSync(new URL('loads.json', import.meta.url), 'utf8'));

function options() {
  const { values } = parseArgs({
    options: {
      load: { type: 'string', multiple: true },
      only: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '4' },
      spread: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const pick = (given, known, what) => {
    const names = given?.flatMap((list) => list.split(',')) ?? known;
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length) {
      throw new Error(`unknown ${what} ${unknown.join(', ')}; there are ${known.join(', ')}`);
    }
    return names;
  };
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds takes a number above 0, not ${values.rounds}`);
  }
  const loadNames = pick(values.load, loads.map(({ name }) => name), 'load');
  return {
    help: values.help,
    json: values.json,
    rounds,
    loads: loads
      .filter(({ name }) => loadNames.includes(name))
      .map((load) => ({ ...load, one_cpu: load.one_cpu && !values.spread })),
    contenders: pick(values.only, Object.keys(CONTENDERS), 'contender'),
  };
}

/** Brings what is missing: the npm packages, the built core, the server. */
function setUp() {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const run = (command, args) => execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (!existsSync(`${root}node_modules/undici`)) {
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  }
  if (!existsSync(`${root}bindings/generated/core-wasm.js`)) {
    run(process.execPath, ['bindings/build.mjs']);
  }
  buildServer();
}

function machine() {
  const require = createRequire(import.meta.url);
  const cpus = os.cpus();
  return {
    date: new Date().toISOString(),
    cpu: `${cpus.length} × ${cpus[0].model.trim()}`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    porthole: require('../../package.json').version,
    node: process.versions.node,
    undici: require('undici/package.json').version,
    python: execFileSync('python3', ['-V'], { encoding: 'utf8' }).trim().replace('Python ', ''),
  };
}

/** The command that keeps a process on one CPU: the last of those that this process may use. */
function onOneCpu() {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1];
  return ['taskset', '-c', /\d+$/.exec(list)[0]];
}

async function runClient(name, load, port, wrapper) {
  const [runtime, file] = CONTENDERS[name];
  const script = fileURLToPath(new URL(`clients/${file}`, import.meta.url));
  const [command, ...args] = [...wrapper, runtime, script, '--port', String(port), '--load', load.name];
  const { stdout } = await promisify(execFile)(command, args, { timeout: CLIENT_LIMIT });
  return JSON.parse(stdout);
}

/**
 * All rounds of one load: in each round every contender runs once, each round beginning with the next one. One that
 * fails is out, and told of in `failures`.
 */
async function runLoad(load, { contenders, rounds }) {
  const names = contenders.filter((name) => !load.without?.includes(name));
  const samples = new Map(names.map((name) => [name, []]));
  const failures = [];
  let requests = 0;
  const wrapper = load.one_cpu ? onOneCpu() : [];
  const server = await startServer(wrapper);
  try {
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(round + turn) % names.length];
        if (!samples.has(name)) {
          continue;
        }
        try {
          samples.get(name).push(await runClient(name, load, server.port, wrapper));
          requests += load.requests + load.warmup;
        } catch (error) {
          samples.delete(name);
          failures.push({ name, reason: error.killed ? `took over ${CLIENT_LIMIT / 1000} s` : error.message });
        }
      }
    }
    return { samples, failures, server: requests ? server.cpuTime() / requests : null };
  } finally {
    await server.stop();
  }
}

async function main() {
  const chosen = options();
  if (chosen.help) {
    console.log(USAGE);
    return;
  }
  setUp();
  const about = machine();
  const print = chosen.json ? () => {} : console.log;
  print(
    `${about.cpu}, ${about.system}; porthole ${about.porthole}, Node ${about.node}, undici ${about.undici}, ` +
      `Python ${about.python}; ${about.date}`,
  );
  print(`Median of ${chosen.rounds} rounds (least–most), for one request. “vs” is how many times less than that one.`);

  const results = [];
  for (const load of chosen.loads) {
    print(`\n${load.name}: ${load.title}${load.one_cpu ? ' (client and server on one CPU)' : ''}`);
    const { samples, failures, server } = await runLoad(load, chosen);
    for (const { name, reason } of failures) {
      console.error(`${name} failed: ${reason}`);
      process.exitCode = 1;
    }
    if (!samples.size) {
      continue;
    }
    const rows = evaluate(samples, BASES);
    const goals = judge(load.goals, rows);
    print(table(rows, BASES));
    print(`server: ${server.toFixed(server < 100 ? 1 : 0)} µs of CPU for a request`);
    for (const { goal, value, met } of goals) {
      print(`goal ${goal}: ${value.toFixed(value < 20 ? 1 : 0)}, ${met ? 'met' : 'missed'}`);
    }
    results.push({ name: load.name, title: load.title, server, rows, goals, samples: Object.fromEntries(samples) });
  }
  if (chosen.json) {
    console.log(JSON.stringify({ ...about, rounds: chosen.rounds, loads: results }, null, 2));
  }
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
