// SPDX-License-Identifier: MIT
//
// npm run soak -- [--requests 200000] [--connections 8] [--seed 1]
//
// Many requests of all kinds to a clean server. Every body is verified, and neither memory nor handles may grow once the
// process is warm.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { HTTPConnection } from '../../js/index.js';
import { gc } from '../support/gc.mjs';
import { gather } from '../support/gather.mjs';
import { Random } from './random.mjs';
import { labelsOf } from './soak-server.mjs';
import { removeFiles, Source } from './sources.mjs';

const MB = 1024 * 1024;
/** How much more there may be at the end than when the process was warm. */
const GROWTH = { rss: 48 * MB, external: 8 * MB, heapUsed: 8 * MB, handles: 0 };
const SAMPLES = 60;
const WARM = 0.3; // this part of the samples is before the process is warm
const BODIES = { none: 10, string: 2, bytes: 3, buffer: 1, blob: 1, array: 1, generator: 2, async: 2, readable: 1, web: 1, reader: 1, file: 1, filestream: 1 };

/** The ways to read all of a body. @type {Record<string, (response: any, random: Random) => Promise<Uint8Array>>} */
const READS = {
  read: (response) => response.read(),
  bytes: (response) => response.bytes(),
  text: async (response) => Buffer.from(await response.text(), 'latin1'),
  arrayBuffer: async (response) => Buffer.from(await response.arrayBuffer()),
  readlines: async (response) => Buffer.concat(await response.readlines()),
  amounts: (response, random) => gather(() => response.read(random.int(1, 50_000))),
  read1: (response) => gather(() => response.read1()),
  readinto: (response, random) =>
    gather(async () => {
      const view = new Uint8Array(random.int(1, 50_000));
      return view.subarray(0, await response.readinto(view));
    }),
  peek: (response) =>
    gather(async () => {
      const seen = await response.peek(1000);
      const bytes = await response.read(seen.length);
      if (!seen.equals(bytes)) throw new Error('peek and read differ');
      return bytes;
    }),
  lines: async (response) => {
    const lines = [];
    for await (const line of response) lines.push(line);
    return Buffer.concat(lines);
  },
  stream: async (response) => {
    const pieces = [];
    for await (const piece of response.body) pieces.push(piece);
    return Buffer.concat(pieces);
  },
};

/** A small size mostly, at times a large one. */
function sizeOf(random) {
  return random.once(20) ? random.int(1, 400_000) : random.int(0, 6000);
}

/** One request and its response, of random kinds. */
async function exchange(conn, seed, number) {
  const random = new Random(seed, number);
  const body = random.weighted(BODIES);
  const path = `/${seed}/${number}/${body === 'none' ? 0 : sizeOf(random)}/${sizeOf(random)}/${random.weighted({ length: 6, chunked: 4, close: 1 })}`;
  const { upload, answer } = labelsOf(path);
  const source = new Source({ kind: body, pieces: random.of('mixed', 'large', 'empties'), end: 'normal', at: 1 }, upload);
  await source.prepare();
  const how = random.of(...Object.keys(READS));
  try {
    await conn.request(body === 'none' ? 'GET' : 'POST', path, source.body);
    const response = await conn.getresponse();
    const bytes = await READS[how](response, random);
    if (response.status !== 200) throw new Error(`the server says ${bytes}`);
    if (bytes.length !== answer.size || !answer.matches(bytes, 0)) throw new Error('the bytes of the answer are wrong');
    if (!response.isclosed()) await response.read();
  } catch (error) {
    throw new Error(`request ${number} of seed ${seed} (${body}, ${how}, ${path}): ${error.message}`, { cause: error });
  } finally {
    await source.close();
  }
}

function sample(server) {
  gc();
  const { rss, external, heapUsed } = process.memoryUsage();
  return { rss, external, heapUsed, handles: process.getActiveResourcesInfo().length, server: server.connected };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** What has grown since the process was warm, as texts. */
function growth(samples) {
  const warm = samples.slice(Math.floor(samples.length * WARM));
  const third = Math.max(1, Math.floor(warm.length / 3));
  return Object.entries(GROWTH).flatMap(([name, most]) => {
    const before = median(warm.slice(0, third).map((one) => one[name]));
    const after = median(warm.slice(-third).map((one) => one[name]));
    return after - before > most ? [`${name} has grown from ${before} to ${after}`] : [];
  });
}

/**
 * @param {{requests: number, connections: number, seed: number, say?: (line: string) => void}} options
 * @returns {Promise<{faults: string[], samples: object[]}>}
 */
export async function soak({ requests, connections, seed, say = () => {} }) {
  const server = fork(new URL('soak-server.mjs', import.meta.url));
  const faults = [];
  const samples = [];
  try {
    const [port] = await once(server, 'message');
    const conns = Array.from({ length: connections }, () => new HTTPConnection('127.0.0.1', port));
    const every = Math.ceil(requests / SAMPLES);
    for (let done = 0; done < requests && faults.length === 0; done += every) {
      let next = done;
      const end = Math.min(requests, done + every);
      const worker = async (conn) => {
        while (next < end && faults.length === 0) {
          const number = next++;
          // A connection is closed at rest now and then.
          if (number % 997 === 0) conn.close();
          await exchange(conn, seed, number).catch((error) => faults.push(error.stack));
        }
      };
      await Promise.all(conns.map(worker));
      await Promise.all(conns.map((conn) => conn.connect())); // so that the handles are those of all connections
      samples.push(sample(server));
      const { rss, external, heapUsed, handles } = samples.at(-1);
      say(`${end} requests: rss ${(rss / MB).toFixed(0)} MB, external ${(external / MB).toFixed(1)} MB, heap ${(heapUsed / MB).toFixed(1)} MB, ${handles} handles`);
    }
    for (const conn of conns) conn.close();
    if (faults.length === 0) faults.push(...growth(samples));
  } finally {
    server.disconnect();
    removeFiles();
  }
  return { faults, samples };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '200000' },
      connections: { type: 'string', default: '8' },
      seed: { type: 'string', default: '1' },
    },
  });
  const say = (line) => process.stdout.write(`${line}\n`);
  const { faults } = await soak({ requests: Number(values.requests), connections: Number(values.connections), seed: Number(values.seed), say });
  for (const fault of faults) say(fault);
  say(faults.length === 0 ? 'every body was right, and nothing has grown' : `${faults.length} faults`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
