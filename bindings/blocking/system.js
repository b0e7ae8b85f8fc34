// SPDX-License-Identifier: MIT
//
// WASI for a guest, as far as it has it: clocks, randomness, and what it writes to the standard streams. Node's own WASI has
// these; what would reach a descriptor of this process in another way, or wait where a thread can't be ended, is not its.

import { WASI } from 'node:wasi';

const SUCCESS = 0;
const BADF = 8;
const FAULT = 21;
const INVAL = 28;
const SPIPE = 70;

const STREAMS = 3; // standard input, output and error
const SUBSCRIPTION = 48; // bytes
const EVENT = 32;
const CLOCK = 0;
const REALTIME = 0;
const ABSOLUTE = 1;

/** What of the functions on descriptors is Node's. */
const kept = new Set(['fd_write', 'fd_fdstat_get', 'fd_prestat_get', 'fd_prestat_dir_name']);

/** Thrown by a guest that ends itself. */
export class Exit extends Error {
  /** @param {number} code */
  constructor(code) {
    super(`it has ended itself with the code ${code}`);
    this.name = 'Exit';
    this.code = code;
  }
}

/** Milliseconds until a clock says what a subscription waits for. */
function timeOf(view, at) {
  const time = view.getBigUint64(at + 24, true);
  if (!(view.getUint16(at + 40, true) & ABSOLUTE)) return Number(time) / 1e6;
  const present = view.getUint32(at + 16, true) === REALTIME ? BigInt(Date.now()) * 1_000_000n : process.hrtime.bigint();
  return Math.max(0, Number(time - present) / 1e6);
}

/** Sleeps where a thread can be ended: in Node's own it can't. */
function poller(memoryOf) {
  const idle = new Int32Array(new SharedArrayBuffer(4));
  return (subscriptions, events, count, counted) => {
    const view = new DataView(memoryOf().buffer);
    const from = subscriptions >>> 0;
    const to = events >>> 0;
    const all = count >>> 0;
    if (all === 0) return INVAL;
    if (Math.max(from + all * SUBSCRIPTION, to + all * EVENT, (counted >>> 0) + 4) > view.byteLength) return FAULT;
    const waited = Array.from({ length: all }, (_, index) => {
      const at = from + index * SUBSCRIPTION;
      const kind = view.getUint8(at + 8);
      const error = kind === CLOCK || view.getUint32(at + 16, true) < STREAMS ? SUCCESS : BADF;
      // A stream is ready: what is written to it is taken, and there is nothing to read.
      return { user: view.getBigUint64(at, true), kind, error, time: kind === CLOCK ? timeOf(view, at) : 0 };
    });
    const shortest = waited.reduce((least, { time }) => Math.min(least, time), Number.POSITIVE_INFINITY);
    if (shortest > 0) Atomics.wait(idle, 0, 0, shortest);
    const ready = waited.filter(({ time }) => time <= shortest);
    ready.forEach(({ user, kind, error }, index) => {
      const at = to + index * EVENT;
      new Uint8Array(view.buffer, at, EVENT).fill(0);
      view.setBigUint64(at, user, true);
      view.setUint16(at + 8, error, true);
      view.setUint8(at + 10, kind);
    });
    view.setUint32(counted >>> 0, ready.length, true);
    return SUCCESS;
  };
}

/**
 * @param {() => WebAssembly.Memory} memoryOf the guest's, once there is one
 * @returns {{imports: Record<string, WebAssembly.ModuleImports>, begin: (memory: WebAssembly.Memory) => void}} what is given to the guest, and
 *   what is told of its memory before it runs
 */
export function makeSystem(memoryOf) {
  const system = new WASI({ version: 'preview1', args: ['guest'], env: {}, preopens: {}, returnOnExit: true });
  const imports = { ...system.wasiImport };
  for (const name of Object.keys(imports)) {
    if (/^(?:fd|path|sock)_/.test(name) && !kept.has(name)) imports[name] = () => BADF;
  }
  const isStream = (fd) => fd >>> 0 < STREAMS;
  imports.fd_close = (fd) => (isStream(fd) ? SUCCESS : BADF);
  imports.fd_seek = (fd) => (isStream(fd) ? SPIPE : BADF);
  imports.fd_read = (fd, _vectors, _count, read) => {
    if (fd !== 0) return BADF;
    const view = new DataView(memoryOf().buffer);
    if ((read >>> 0) + 4 > view.byteLength) return FAULT;
    view.setUint32(read >>> 0, 0, true);
    return SUCCESS;
  };
  imports.poll_oneoff = poller(memoryOf);
  imports.proc_exit = (code) => {
    throw new Exit(code >>> 0);
  };
  return { imports: { wasi_snapshot_preview1: imports }, begin: (memory) => system.initialize({ exports: { memory } }) };
}
