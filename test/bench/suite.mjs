// SPDX-License-Identifier: MIT
//
// Runs the contenders of one load in interleaved rounds.

import { runFresh, startContender } from './process.mjs';
import { bodyFile, startServer } from './server.mjs';

/**
 * @typedef {object} Plan
 * @property {import('./process.mjs').Contender[]} contenders
 * @property {number} rounds
 * @property {number} gcRounds rounds with a collection right before each
 * @property {number} processes how many processes of each contender share the rounds, one after the other
 * @property {number} budget ms that a round of one contender may take, about
 * @property {number} warmup the part of each load's warm-up
 * @property {number} profiled after that, the requests of so many budgets are profiled
 * @property {number} warmLimit ms after which a warm-up ends when it gets no faster
 * @property {{ server: string[], client: string[] }} placement
 * @property {{ cert: string, key: string, ca: string } | null} certificate
 */

/**
 * What was measured: `plain` and `gc` have an array of samples for each contender; round by round they belong together.
 * @typedef {object} Outcome
 * @property {Map<string, object[]>} plain
 * @property {Map<string, object[]>} gc
 * @property {Map<string, object>} profiles where the time of floor and porthole goes
 * @property {Map<string, object[]>} warm how each process warmed up, and the peak of its memory
 * @property {{ name: string, reason: string }[]} failures
 * @property {number | null} server µs of CPU for a request, of any contender
 */

/** Those of whom it is told where their time goes. */
const PROFILED = ['floor', 'porthole'];

/** Does this contender take part in this load? */
export function takesPart(load, { client }) {
  return !load.without?.includes(client);
}

/** Runs `step` for every contender that is left, beginning with another one each time; one that fails is out. */
function turns(outcome, names) {
  let first = 0;
  return async (step) => {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(first + turn) % names.length];
      if (outcome.failures.some((failure) => failure.name === name)) {
        continue;
      }
      try {
        await step(name);
      } catch (error) {
        outcome.failures.push({ name, reason: error.message });
        outcome.plain.delete(name);
        outcome.gc.delete(name);
      }
    }
    first++;
  };
}

/** What a process of a contender is told. */
export function taskOf(load, contender, server, { certificate }) {
  const port = load.tls ? server.tlsPort : server.port;
  const ca = load.tls ? certificate.ca : null;
  return { client: contender.client, root: contender.root, host: '127.0.0.1', port, ca, body: bodyFile, load };
}

/** Rounds in processes that warm up and stay. */
async function timed(load, plan, contenders, server, outcome, share) {
  const processes = new Map();
  const counts = new Map();
  const inTurn = turns(outcome, [...contenders.keys()]);
  const settings = { ...load, warmup: Math.ceil(load.warmup * plan.warmup) };
  try {
    await inTurn(async (name) => {
      const contender = contenders.get(name);
      const task = taskOf(settings, contender, server, plan);
      processes.set(name, await startContender(contender, task, plan.placement.client));
      const warm = await processes.get(name).ask('warm', plan.warmLimit);
      outcome.warm.get(name).push(warm);
      const fitting = Math.round((plan.budget * 1000) / warm.pace);
      counts.set(name, Math.max(load.connections, Math.min(load.requests, Math.max(1, fitting))));
      outcome.requests += warm.requests;
    });
    for (const [samples, rounds, gc] of [
      [outcome.plain, share.rounds, 0],
      [outcome.gc, share.gcRounds, 1],
    ]) {
      for (let round = 0; round < rounds; round++) {
        await inTurn(async (name) => {
          const sample = await processes.get(name).ask('round', counts.get(name), gc);
          samples.get(name).push(sample);
          outcome.requests += sample.requests;
        });
      }
    }
    await inTurn(async (name) => {
      Object.assign(outcome.warm.get(name).at(-1), await processes.get(name).ask('end'));
    });
  } finally {
    await Promise.all([...processes.values()].map((each) => each.stop()));
  }
}

/** Where the time of floor and porthole goes, in a process of each that does nothing else. */
async function profile(load, plan, contenders, server, outcome) {
  for (const name of PROFILED.filter((each) => outcome.plain.get(each)?.length > 0)) {
    const contender = contenders.get(name);
    const task = { ...taskOf(load, contender, server, plan), profiled: true };
    const started = await startContender(contender, task, plan.placement.client);
    try {
      const { pace } = await started.ask('warm', plan.warmLimit);
      const fitting = Math.round((plan.profiled * plan.budget * 1000) / pace);
      outcome.profiles.set(name, await started.ask('profile', Math.max(load.connections, fitting)));
    } finally {
      await started.stop();
    }
  }
}

/** Rounds of a process each. */
async function fresh(load, plan, contenders, server, outcome) {
  const rounds = Math.max(1, Math.round(plan.rounds * load.rounds));
  const inTurn = turns(outcome, [...contenders.keys()]);
  for (let round = 0; round < rounds; round++) {
    await inTurn(async (name) => {
      const contender = contenders.get(name);
      const task = taskOf(load, contender, server, plan);
      if (load.kind === 'start') {
        outcome.plain.get(name).push(await runFresh(contender, task, plan.placement.client));
        return;
      }
      const started = await startContender(contender, task, plan.placement.client);
      try {
        outcome.plain.get(name).push(await started.ask(load.kind, ...(load.kind === 'peak' ? [load.requests] : [])));
      } finally {
        await started.stop();
      }
    });
  }
}

/** Divides `total` by `parts` as evenly as it goes. */
function divided(total, parts) {
  const upTo = (part) => Math.floor((total * part) / parts);
  return Array.from({ length: parts }, (_, part) => upTo(part + 1) - upTo(part));
}

/**
 * All rounds of one load.
 * @param {object} load out of loads.json
 * @param {Plan} plan
 * @returns {Promise<Outcome>}
 */
export async function runLoad(load, plan) {
  const contenders = new Map(
    plan.contenders.filter((each) => takesPart(load, each)).map((contender) => [contender.name, contender]),
  );
  const lists = () => new Map([...contenders.keys()].map((name) => [name, []]));
  const outcome = { plain: lists(), gc: lists(), warm: lists(), profiles: new Map(), failures: [], server: null, requests: 0 };
  const { placement, certificate } = plan;
  const server = await startServer({ wrapper: placement.server, certificate: load.tls ? certificate : null });
  try {
    if (load.warmup === undefined) {
      await fresh(load, plan, contenders, server, outcome);
    } else {
      const parts = Math.min(plan.processes, plan.rounds);
      const gcRounds = divided(plan.gcRounds, parts);
      for (const [i, rounds] of divided(plan.rounds, parts).entries()) {
        await timed(load, plan, contenders, server, outcome, { rounds, gcRounds: gcRounds[i] });
      }
      outcome.server = outcome.requests ? server.cpuTime() / outcome.requests : null;
      if (plan.profiled > 0) {
        await profile(load, plan, contenders, server, outcome);
      }
    }
  } finally {
    await server.stop();
  }
  return outcome;
}
