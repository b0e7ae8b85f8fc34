// SPDX-License-Identifier: MIT
//
// npm run test:random -- --operations 20000 [--seed N] [--sequence K] [--failures N] [--ignore kind,kind] [--only kind]
//   [--brief] [--no-shrink]

import { parseArgs } from 'node:util';
import { Runner } from './runner.mjs';
import { shrink } from './shrink.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    operations: { type: 'string', default: '20000' },
    sequence: { type: 'string' },
    failures: { type: 'string', default: '5' },
    ignore: { type: 'string', default: '' },
    'no-shrink': { type: 'boolean', default: false },
    only: { type: 'string' },
    brief: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const runner = new Runner(seed, new Set(values.ignore.split(',')));
const say = (line) => process.stdout.write(`${line}\n`);

/** Prints a failure, shortened where that is possible. */
async function print(failure) {
  const { sequence, findings, plan } = failure;
  if (values.only !== undefined && !findings.some(({ kind }) => kind === values.only)) return;
  say(`\nFOUND in sequence ${sequence} of seed ${seed}:`);
  for (const { kind, text } of findings) say(`  ${kind}: ${text}`);
  if (values.brief) return;
  say(`  again: node test/random/run.mjs --seed ${seed} --sequence ${sequence}`);
  let { log } = failure;
  if (plan !== null && !values['no-shrink']) {
    const shorter = await shrink(plan, values.only ?? findings[0].kind, (one) => runner.alone(sequence, one));
    const again = await runner.alone(sequence, shorter);
    if (again.findings.length > 0) {
      log = again.log;
      say(`  ${plan.operations.length} operations, ${shorter.operations.length} of which are enough:`);
    }
  }
  for (const line of log) say(`    ${line}`);
}

say(`seed ${seed}`);
runner.start();
if (values.sequence !== undefined) {
  const failure = await runner.alone(Number(values.sequence));
  if (failure.findings.length > 0) {
    runner.failures.push(failure);
    await print(failure);
  } else {
    for (const line of failure.log) say(line);
  }
} else {
  await runner.many(Number(values.operations), Number(values.failures), print);
  say(`${runner.operations} operations in ${runner.sequences} sequences, ${runner.failures.length} of which failed`);
}
await runner.stop();
// What is left keeps the process from exiting: it has been told.
process.exit(runner.failures.length > 0 ? 1 : 0);
