// SPDX-License-Identifier: MIT
//
// The operations that read, and those that take memory away from a read that waits.

import { Buffer } from 'node:buffer';
import { gc } from '../support/gc.mjs';
import { hasBody } from './answers.mjs';
import { Read } from './reading.mjs';

const MARGIN = 8;
const GROWTH = 64; // of memory that can grow
const FILL = 0xa5;

/** Memory for a readinto, between margins that nothing may write to. */
function memoryFor(op) {
  const size = op.n + 2 * MARGIN;
  const buffer =
    op.memory === 'shared' ? new SharedArrayBuffer(size) : op.memory === 'resizable' ? new ArrayBuffer(size, { maxByteLength: size * 2 + GROWTH }) : new ArrayBuffer(size);
  const whole = new Uint8Array(buffer);
  whole.fill(FILL);
  const view = op.memory === 'dataview' ? new DataView(buffer, MARGIN, op.n) : new Uint8Array(buffer, MARGIN, op.n);
  return { buffer, view, clone: null, op };
}

/** The bytes of a finished readinto, or null when its memory went away meanwhile. */
function filled(play, request, memory, count) {
  const { buffer, op } = memory;
  if (typeof count !== 'number' || count < 0 || count > op.n) {
    play.report('readinto', `${request.name}: a readinto of ${op.n} bytes gave ${String(count)}`);
    return null;
  }
  if (memory.gone) {
    if (count > 0 && buffer.byteLength < MARGIN + count) {
      play.report('readinto-gone', `${request.name}: a readinto gave ${count}, into memory of ${buffer.byteLength} bytes that was taken away while it waited`);
    }
    return null;
  }
  const whole = new Uint8Array(buffer);
  const clean = (bytes) => bytes.every((byte) => byte === FILL);
  if (!clean(whole.subarray(0, MARGIN)) || !clean(whole.subarray(MARGIN + op.n))) {
    play.report('readinto-margin', `${request.name}: a readinto of ${op.n} bytes wrote beside its view`);
  }
  return Buffer.from(whole.subarray(MARGIN, MARGIN + count));
}

/** Which API call does it take, and how does its result become bytes? */
function callOf(play, request, op) {
  const { response, reading } = request;
  switch (op.how) {
    case 'text':
      return { how: 'rest', call: () => response.text(), bytes: (text) => Buffer.from(text, 'latin1') };
    case 'json':
      if (request.label.form === 'json' && reading.ends === 'end' && reading.position === 0 && !reading.pending && request.label.size >= 2 && hasBody(request.method, request.script.status)) {
        return { how: 'rest', call: () => response.json(), bytes: (value) => Buffer.from(`"${value}"`) };
      }
      return { how: 'rest', call: () => response.bytes() };
    case 'bytes':
      return { how: 'rest', call: () => response.bytes() };
    case 'arrayBuffer':
      return { how: 'rest', call: () => response.arrayBuffer(), bytes: (buffer) => Buffer.from(buffer) };
    case 'readlines':
      return { how: 'rest', call: () => response.readlines(), bytes: (lines) => joined(play, request, lines) };
    case 'rest':
      return { how: 'rest', call: () => response.read() };
    case 'readinto':
      return null;
    case 'next':
      request.iterator ??= response[Symbol.asyncIterator]();
      return { how: 'line', call: () => request.iterator.next(), bytes: ({ value, done }) => (done ? Buffer.alloc(0) : value) };
    case 'stream':
      return streamed(request);
    case 'line':
      return { how: 'line', call: () => response.readline(op.n) };
    default:
      return { how: op.how, call: () => response[op.how](op.n) };
  }
}

function joined(play, request, lines) {
  const odd = lines.slice(0, -1).find((line) => line.indexOf(10) !== line.length - 1);
  if (odd !== undefined) play.report('lines', `${request.name}: readlines gave a line that is none`);
  return Buffer.concat(lines);
}

function streamed(request) {
  request.reader ??= request.response.body.getReader();
  return { how: 'stream', call: () => request.reader.read(), bytes: ({ value, done }) => (done ? Buffer.alloc(0) : Buffer.from(value)) };
}

/** Begins one read. */
function begin(play, request, connection, op) {
  // Once the body is a stream, the stream may have read ahead.
  const memory = op.how === 'readinto' && !request.reader ? memoryFor(op) : null;
  const way = request.reader ? streamed(request) : (callOf(play, request, op) ?? { how: 'readinto', call: () => request.response.readinto(memory.view) });
  const amount = ['rest', 'stream'].includes(way.how) || op.n === undefined || op.how === 'next' ? -1 : op.n;
  const read = new Read(way.how, amount, memory === null ? null : new Uint8Array(memory.buffer, MARGIN, op.n));
  if (memory !== null) {
    memory.read = read;
    request.memories.add(memory);
  }
  request.reading.begin(read);
  const over = () => {
    if (memory === null) return;
    request.memories.delete(memory);
    if (!memory.gone) play.guards.add(`the memory of a readinto of ${request.name} that was over`, new Uint8Array(memory.buffer));
  };
  return play.follow(`${op.how}(${op.n ?? ''}) of ${request.name}`, connection, way.call, {
    waits: () => request.stalls || connection.state === 'unknown' || request.blocked === true,
    ok: (value) => {
      const bytes = memory === null ? (way.bytes?.(value) ?? value) : filled(play, request, memory, value);
      read.count = value; // as far as it is one
      if (bytes !== null && !(bytes instanceof Uint8Array)) {
        play.report('read-value', `${request.name}: ${op.how} gave ${typeof bytes}`);
        request.reading.settle(read, { value: null });
        return;
      }
      if (memory === null && bytes !== null) play.guards.add(`what ${op.how} of ${request.name} gave`, bytes);
      if (bytes?.length === 0) request.reading.endSeen = true;
      if (way.how === 'rest') request.reading.endSeen = true;
      request.reading.settle(read, { value: bytes });
      over();
    },
    failed: (error) => {
      read.gone = memory?.gone === true;
      if (read.gone && error instanceof TypeError) connection.foreign.add(error);
      request.reading.settle(read, { error });
      over();
      // An error of reading takes the connection with it.
      if (!String(error?.code).startsWith('ERR_INVALID') && connection.current !== request) connection.state = 'unknown';
    },
  });
}

/** Begins some reads of one response, at once. */
async function read(play, op, connection) {
  const request = op.older ? connection.requests.findLast((one) => one.response !== null && one !== connection.latest) : connection.latest;
  if (!request?.response) return;
  request.memories ??= new Set();
  play.say(`c${connection.index}: reads ${op.list.map(({ how, n }) => `${how}(${n ?? ''})`).join(', ')} of ${request.name}${op.wait ? '' : ' (not awaited)'}`);
  const tasks = op.list.map((one) => begin(play, request, connection, one));
  if (op.wait) for (const task of tasks) await play.settle(task);
}

/** Reads one response to its end. */
async function drain(play, op, connection) {
  const request = connection.latest;
  if (!request?.response) return;
  request.memories ??= new Set();
  play.say(`c${connection.index}: reads all of ${request.name} by ${op.how}(${op.n ?? ''})`);
  for (let i = 0; i < op.times; i++) {
    const before = request.reading.position;
    const task = begin(play, request, connection, op);
    await play.settle(task);
    const { reading } = request;
    if (!task.settled || reading.failure !== null || reading.position === before || play.stopped) return;
  }
  await play.settle(begin(play, request, connection, { how: 'rest' }));
}

/** Takes the memory away that a readinto waits with. */
function memory(play, op, connection) {
  for (const request of connection.requests) {
    for (const one of request.memories ?? []) {
      if (one.gone || one.op.memory === 'shared') continue;
      const { buffer } = one;
      play.say(`c${connection.index}: ${op.how} of the memory that a readinto of ${request.name} waits with`);
      if (op.how === 'transfer') {
        const clone = structuredClone(buffer, { transfer: [buffer] });
        one.gone = true;
        if (op.keep) play.guards.add(`the memory that was transferred while a readinto of ${request.name} waited`, new Uint8Array(clone));
      } else if (one.op.memory === 'resizable') {
        if (op.how === 'grow') {
          buffer.resize(buffer.byteLength + GROWTH);
          one.gone = true;
        } else {
          buffer.resize(MARGIN + Math.floor(one.op.n / 3));
          one.gone = true;
        }
      }
    }
  }
  if (!op.keep) garbage(play);
}

/** Collects garbage, and takes up what memory there was with arrays that must stay as they are. */
function garbage(play) {
  gc();
  for (const size of [1000, 20_000, 65_552]) {
    for (let i = 0; i < 4; i++) play.guards.add('an array that nobody was given', new Uint8Array(size).fill(FILL));
  }
}

export const reads = { read, drain, memory, garbage };
