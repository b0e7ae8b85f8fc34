// SPDX-License-Identifier: MIT
//
// WASI for a guest, as far as it has it: clocks, randomness, and what it writes to the standard streams. None of it is Node's
// own WASI, which reaches descriptors, sends signals to the process, and waits where a thread can't be ended.

import { randomFillSync } from 'node:crypto';

const SUCCESS = 0;
const BADF = 8;
const FAULT = 21;
const INVAL = 28;
const NOSYS = 52;
const PIPE = 64;
const SPIPE = 70;

const STREAMS = 3; // standard input, output and error
const SUBSCRIPTION = 48; // bytes
const EVENT = 32;
const SUBSCRIPTIONS_MOST = 1024; // each is an object here meanwhile
const CLOCK = 0;
const CLOCKS = 4; // of the time, one that never goes back, and two of what was used, which is nobody's affair
const REALTIME = 0;
const ABSOLUTE = 1;
const FDSTAT = 24;
const CHARACTER_DEVICE = 2;
const MAY_READ = 2n; // a right of fd_fdstat_get
const MAY_WRITE = 64n;
const VECTOR = 8;
const VECTORS_MOST = 1024;
const PIECE = 65536; // bytes that are written, or made up, at once
const NAME = Buffer.from('guest\0');

/** The words of what is written: bytes that no stream has taken yet, and one for each stream that takes no more. */
export const PENDING = 0;
export const BROKEN = 1; // and a stream's number
export const OUTPUT_WORDS = 4;
/** Bytes that may be on their way. */
const PENDING_MOST = 4 * PIECE;
/** Bytes that a piece of any length counts for: it takes that much to be sent. */
export const PIECE_COST = 256;

/** All of WASI preview 1 that a guest can't have: it is linked, and told so. */
const absent = (
  'fd_advise fd_allocate fd_datasync fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size ' +
  'fd_filestat_set_times fd_pread fd_prestat_get fd_prestat_dir_name fd_pwrite fd_readdir fd_renumber fd_sync fd_tell ' +
  'path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink path_remove_directory ' +
  'path_rename path_symlink path_unlink_file sock_accept sock_recv sock_send sock_shutdown'
).split(' ');

/** Thrown by a guest that ends itself. */
export class Exit extends Error {
  /** @param {number} code */
  constructor(code) {
    super(`it has ended itself with the code ${code}`);
    this.name = 'Exit';
    this.code = code;
  }
}

/** Nanoseconds of a clock. */
const read = (clock) => (clock === REALTIME ? BigInt(Date.now()) * 1_000_000n : process.hrtime.bigint());

/** Milliseconds until a clock says what a subscription waits for. */
function timeOf(view, at) {
  const time = view.getBigUint64(at + 24, true);
  if (!(view.getUint16(at + 40, true) & ABSOLUTE)) return Number(time) / 1e6;
  return Math.max(0, Number(time - read(view.getUint32(at + 16, true))) / 1e6);
}

/** A view of the guest's memory, if it has these regions: pairs of a pointer and a length. */
function viewOf(memory, ...regions) {
  const { buffer } = memory;
  for (let at = 0; at < regions.length; at += 2) {
    if ((regions[at] >>> 0) + regions[at + 1] > buffer.byteLength) return null;
  }
  return new DataView(buffer);
}

/** Puts numbers of 32 bits into memory, each where it belongs: pairs of a pointer and a number. */
function give(memory, ...pairs) {
  const view = viewOf(memory, ...pairs.map((number, index) => (index % 2 === 0 ? number : 4)));
  if (view === null) return FAULT;
  for (let at = 0; at < pairs.length; at += 2) view.setUint32(pairs[at] >>> 0, pairs[at + 1], true);
  return SUCCESS;
}

/** Sleeps where a thread can be ended. */
function poll(memory, subscriptions, events, count, counted) {
  const from = subscriptions >>> 0;
  const to = events >>> 0;
  const all = count >>> 0;
  if (all === 0) return INVAL;
  const view = viewOf(memory, from, all * SUBSCRIPTION, to, all * EVENT, counted, 4);
  if (view === null) return FAULT;
  if (all > SUBSCRIPTIONS_MOST) return INVAL;
  const waited = Array.from({ length: all }, (_, index) => {
    const at = from + index * SUBSCRIPTION;
    const kind = view.getUint8(at + 8);
    const error = kind === CLOCK || view.getUint32(at + 16, true) < STREAMS ? SUCCESS : BADF;
    // A stream is ready: what is written to it is taken, and there is nothing to read.
    return { user: view.getBigUint64(at, true), kind, error, time: kind === CLOCK ? timeOf(view, at) : 0 };
  });
  const shortest = waited.reduce((least, { time }) => Math.min(least, time), Number.POSITIVE_INFINITY);
  if (shortest > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, shortest);
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
}

/** What a list of regions holds, as far as it is written at once. @returns {Uint8Array | null} a copy; null outside of the memory */
function gather(memory, vectors, count) {
  const all = Math.min(count >>> 0, VECTORS_MOST);
  const view = viewOf(memory, vectors, all * VECTOR);
  if (view === null) return null;
  const bytes = new Uint8Array(PIECE);
  let length = 0;
  for (let at = vectors >>> 0; at < (vectors >>> 0) + all * VECTOR && length < PIECE; at += VECTOR) {
    const from = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (from + size > view.byteLength) return null;
    const part = new Uint8Array(view.buffer, from, Math.min(size, PIECE - length));
    bytes.set(part, length);
    length += part.length;
  }
  return bytes.slice(0, length);
}

/** Writes by the thread that has the streams: this one waits until there is room, where it can be ended. */
function writer(memoryOf, { shared, send }) {
  const words = new Int32Array(shared);
  return (fd, vectors, count, written) => {
    if (fd !== 1 && fd !== 2) return BADF;
    const bytes = gather(memoryOf(), vectors, count);
    if (bytes === null || viewOf(memoryOf(), written, 4) === null) return FAULT;
    for (;;) {
      const pending = Atomics.load(words, PENDING);
      if (pending < PENDING_MOST) break;
      Atomics.wait(words, PENDING, pending);
    }
    if (Atomics.load(words, BROKEN + fd - 1) !== 0) return PIPE;
    if (bytes.length > 0) {
      Atomics.add(words, PENDING, bytes.length + PIECE_COST);
      send({ output: fd, bytes });
    }
    return give(memoryOf(), written, bytes.length);
  };
}

/**
 * @param {() => WebAssembly.Memory} memoryOf the guest's, once there is one
 * @param {{shared: SharedArrayBuffer, send: (message: {output: number, bytes: Uint8Array}) => void}} output how what is written
 *   gets to the thread that has the streams
 * @returns {Record<string, WebAssembly.ModuleImports>}
 */
export function makeSystem(memoryOf, output) {
  const isStream = (fd) => fd >>> 0 < STREAMS;
  const imports = {
    args_sizes_get: (count, size) => give(memoryOf(), count, 1, size, NAME.length),
    args_get(pointers, text) {
      if (viewOf(memoryOf(), text, NAME.length) === null) return FAULT;
      new Uint8Array(memoryOf().buffer, text >>> 0, NAME.length).set(NAME);
      return give(memoryOf(), pointers, text >>> 0);
    },
    environ_sizes_get: (count, size) => give(memoryOf(), count, 0, size, 0),
    environ_get: () => SUCCESS,
    clock_res_get(clock, to) {
      if (clock >>> 0 >= CLOCKS) return INVAL;
      return give(memoryOf(), to, clock === REALTIME ? 1_000_000 : 1, (to >>> 0) + 4, 0);
    },
    clock_time_get(clock, _precision, to) {
      if (clock >>> 0 >= CLOCKS) return INVAL;
      const time = read(clock);
      return give(memoryOf(), to, Number(time & 0xffffffffn), (to >>> 0) + 4, Number(time >> 32n));
    },
    random_get(to, length) {
      if (viewOf(memoryOf(), to, length >>> 0) === null) return FAULT;
      const made = new Uint8Array(PIECE); // no memory that threads share can be filled itself
      const bytes = new Uint8Array(memoryOf().buffer, to >>> 0, length >>> 0);
      for (let at = 0; at < bytes.length; at += PIECE) bytes.set(randomFillSync(made).subarray(0, bytes.length - at), at);
      return SUCCESS;
    },
    sched_yield: () => SUCCESS,
    fd_close: (fd) => (isStream(fd) ? SUCCESS : BADF),
    fd_seek: (fd) => (isStream(fd) ? SPIPE : BADF),
    fd_fdstat_get(fd, to) {
      if (!isStream(fd)) return BADF;
      const view = viewOf(memoryOf(), to, FDSTAT);
      if (view === null) return FAULT;
      new Uint8Array(view.buffer, to >>> 0, FDSTAT).fill(0);
      view.setUint8(to >>> 0, CHARACTER_DEVICE);
      view.setBigUint64((to >>> 0) + 8, fd === 0 ? MAY_READ : MAY_WRITE, true);
      return SUCCESS;
    },
    fd_read: (fd, _vectors, _count, read) => (fd === 0 ? give(memoryOf(), read, 0) : BADF),
    fd_write: writer(memoryOf, output),
    poll_oneoff: (subscriptions, events, count, counted) => poll(memoryOf(), subscriptions, events, count, counted),
    proc_exit(code) {
      throw new Exit(code >>> 0);
    },
    proc_raise: () => NOSYS,
  };
  for (const name of absent) imports[name] = () => BADF;
  return { wasi_snapshot_preview1: imports };
}
