// SPDX-License-Identifier: MIT
//
// The benchmark's driver, with so few requests that its figures mean nothing.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { has, root } from '../../bindings/setup.mjs';
import { describe, differs, makePattern, repeated } from './pattern.mjs';
import { startContender } from './process.mjs';
import { withFigures } from './publish.mjs';
import { compare, evaluate, summarize } from './report.mjs';
import { buildServer, startServer } from './server.mjs';
import { runLoad, taskOf } from './suite.mjs';

const loads = JSON.parse(readFileSync(new URL('loads.json', import.meta.url), 'utf8'));
const missing = ['cc', 'python3'].filter((command) => !has(command));
const skip = missing.length > 0 && `${missing.join(', ')} not installed`;

const folder = mkdtempSync(join(tmpdir(), 'porthole-bench-'));
let certificate = null;

/** A load of the real ones, made small. */
function small(name, changes = {}) {
  return { ...loads.find((load) => load.name === name), requests: 4, warmup: 4, ...changes };
}

function plan(names, processes) {
  const contenders = names.map((name) => ({ name, client: name, root }));
  const placement = { server: [], client: [] };
  const sizes = { rounds: 3, gcRounds: 2, profiled: 1, processes, budget: 50, warmup: 1, warmLimit: 1 };
  return { contenders, placement, certificate, ...sizes };
}

before(() => {
  if (!skip) certificate = buildServer();
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a load gives the figures of each contender in each round, and ratios to the floor', { skip }, async () => {
  const load = small('small');
  const outcome = await runLoad(load, plan(['floor', 'porthole', 'python'], 2));
  assert.deepEqual(outcome.failures, []);
  assert.ok(outcome.server > 0);
  const rows = evaluate(load, outcome, ['floor']);
  assert.deepEqual(rows.map(({ name }) => name), ['floor', 'porthole', 'python']);
  for (const { name, plain, gc, warm } of rows) {
    assert.equal(outcome.plain.get(name).length, 3);
    assert.equal(outcome.gc.get(name).length, 2);
    assert.equal(warm.length, 2);
    for (const { median, low, high } of [plain.cpu, plain.wall, gc.cpu]) {
      assert.ok(low > 0 && low <= median && median <= high, `${name}: ${low}, ${median}, ${high}`);
    }
    assert.equal(name === 'floor', plain.ratios.floor === undefined);
  }
  assert.deepEqual([...outcome.profiles.keys()], ['floor', 'porthole']);
  for (const parts of outcome.profiles.values()) {
    assert.deepEqual(Object.keys(parts), ['client', 'core', 'node', 'collection', 'system']);
    const all = Object.values(parts);
    assert.ok(all.every((part) => part >= 0) && all.some((part) => part > 0), JSON.stringify(parts));
  }
});

test('a load over TLS is measured', { skip }, async (t) => {
  if (!certificate) {
    t.skip('no OpenSSL to build the server with');
    return;
  }
  const outcome = await runLoad(small('tls-small'), plan(['floor', 'porthole', 'undici', 'python'], 1));
  assert.deepEqual(outcome.failures, []);
  assert.equal(outcome.plain.get('porthole').length, 3);
});

const CLIENTS = [
  ...['floor', 'porthole', 'undici', 'undici-stream', 'undici-fetch'],
  ...['node-http', 'got', 'axios', 'needle', 'python'],
];
const DAMAGED = { read: 'mib', stream: 'length', upload: 'upload' };

for (const [kind, name] of Object.entries(DAMAGED)) {
  test(`every contender notices one wrong byte: ${kind}`, { skip }, async (t) => {
    const load = small(name, kind === 'read' ? {} : { path: '/length/1048576', bytes: 1048576 });
    if (kind === 'upload') {
      Object.assign(load, { path: '/sink', bytes: 128, upload: 1048576 });
    }
    const body = join(folder, `${kind}.txt`);
    const bytes = makePattern();
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(body, bytes);
    const takingPart = CLIENTS.filter((client) => !load.without?.includes(client));
    const server = await startServer({ body });
    t.after(() => server.stop());
    const said = kind === 'upload' ? /400/ : /byte 1048575 of the body|differs/;
    await Promise.all(
      takingPart.map(async (client) => {
        const task = taskOf(load, { client, root }, server, { certificate: null });
        await assert.rejects(startContender({ client }, task, []), said, client);
      }),
    );
  });
}

test('a byte that is missing, or in the wrong place, is a difference', () => {
  const pattern = makePattern();
  const body = repeated(pattern, pattern.length + 1000);
  assert.equal(differs(pattern, 0, body), -1);
  assert.equal(differs(pattern, 500, body.subarray(500)), -1);
  assert.notEqual(differs(pattern, 0, body.subarray(64)), -1);
  body[pattern.length + 7] ^= 1;
  const at = differs(pattern, 0, body);
  assert.equal(at, pattern.length + 7);
  assert.match(describe(pattern, 0, at, body), new RegExp(`^byte ${at} of the body is ${body[at]} instead of`));
});

test('the command prints JSON of a run', { skip }, () => {
  const args = ['--quick', '--rounds', '1', '--only', 'start', '--contenders', 'porthole', '--json'];
  const script = join(root, 'test', 'bench', 'run.mjs');
  const report = JSON.parse(execFileSync(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'ignore'] }));
  assert.equal(report.full, false);
  assert.equal(report.versions.node, process.versions.node);
  const [{ name, kind, rows, failures }] = report.loads;
  assert.deepEqual([name, kind, failures], ['start', 'start', []]);
  assert.ok(rows[0].plain.first.median >= rows[0].plain.import.median);
});

test('quartiles lie between the rounds', () => {
  assert.deepEqual(summarize([4, 1, 3, 2, 5]), { median: 3, low: 2, high: 4, best: 1.4 });
  assert.deepEqual(summarize([1, 2]), { median: 1.5, low: 1.25, high: 1.75, best: 1.1 });
});

test('the README has a place for the figures of a run, which replace those of before', () => {
  const samples = (...times) => times.map((user) => ({ requests: 1, wall: 1, user, system: 0 }));
  const memory = (kind) => ({ kind, rows: [{ name: 'porthole', plain: { [kind]: { median: 60 } } }] });
  const loads = [
    { kind: 'read', title: 'small', samples: { porthole: samples(100, 200, 100), undici: samples(300, 300, 300) } },
    memory('peak'),
    memory('open'),
  ];
  const report = { cpu: '2 × Fast', date: '2026-01-01T00:00:00Z', versions: { node: '20', undici: '7', python: '3' }, loads };
  const before = readFileSync(join(root, 'README.md'), 'utf8');
  const after = withFigures(before, report);
  assert.match(after, /^\| small \| {2}\| 3\.00 \| {2}\| {2}\|$/m);
  assert.equal(withFigures(after, report), after);
  assert.throws(() => withFigures('no place', report), /no place for figures/);
});

/** How `compare` judges a commit that takes so many times as much in each of the rounds. */
function judged(...changes) {
  const sample = (cpu) => ({ requests: 1, wall: 1, user: cpu, system: 0 });
  const plain = new Map([
    ['porthole', changes.map((change) => sample(100 * change))],
    ['old', changes.map(() => sample(100))],
  ]);
  const load = { kind: 'read' };
  const outcome = { plain, gc: new Map(), warm: new Map([['porthole', []], ['old', []]]) };
  return compare(load, evaluate(load, outcome, ['old']), 'old');
}

test('a load is lost when it takes over a tenth more, and more in three quarters of the rounds', () => {
  assert.equal(judged(1.2, 1.2, 1.25, 1.15).lost, true);
  assert.equal(judged(1.05, 1.08, 1.09, 1.05).lost, false);
  assert.equal(judged(0.8, 0.9, 1.5, 1.6, 0.7, 1.7).lost, false);
  assert.equal(judged(0.5, 0.5).change.median.toFixed(2), '0.50');
});
