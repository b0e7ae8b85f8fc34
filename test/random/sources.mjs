// SPDX-License-Identifier: MIT
//
// Bodies of requests of all kinds, made of a label's bytes.

import { Buffer } from 'node:buffer';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Random } from './random.mjs';

/** How long a source without end keeps the event loop from turning before it says so. */
const STARVED_AFTER = 5000;

let folder = null;

/** Removes the files of all bodies. */
export function removeFiles() {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
  folder = null;
}

function fileOf(label) {
  folder ??= mkdtempSync(join(tmpdir(), 'porthole-random-'));
  const path = join(folder, label.key.join('-'));
  writeFileSync(path, label.bytes);
  return path;
}

/** A source was asked for pieces for so long that nothing else could happen. */
export class Starved extends Error {}

/** The body of one request. */
export class Source {
  /** What is given to `request`. */
  body = null;
  /** What it throws, if it does. */
  error = null;
  /** Can it end by itself? */
  ends = true;
  /** Must `request` refuse it? */
  refused = false;
  /** Was the event loop kept from turning? */
  starved = false;
  /** Called before each piece of a body that comes piece by piece. */
  onpiece = () => {};
  /** Was the request with it refused? */
  abandoned = false;
  /** Is the sequence over? */
  closed = false;
  #spec;
  #label;
  #done = null; // is what it holds given back?
  #close = null;

  /**
   * @param {{kind: string, pieces: string, end: string, at: number}} spec
   * @param {import('./labels.mjs').Label} label
   */
  constructor(spec, label) {
    this.#spec = spec;
    this.#label = label;
  }

  async prepare() {
    const { kind, end } = this.#spec;
    const { bytes } = this.#label;
    if (end === 'throw') this.error = new Error('the source of the body failed');
    this.ends = end !== 'hang' && end !== 'busy';
    switch (kind) {
      case 'none':
        break;
      case 'string':
        this.body = bytes.latin1Slice();
        break;
      case 'bytes':
        this.body = bytes;
        break;
      case 'buffer':
        this.body = new Uint8Array(bytes).buffer;
        break;
      case 'blob':
        this.body = new Blob([bytes]);
        break;
      case 'array':
        this.body = [...this.#pieces()];
        break;
      case 'generator':
        this.body = this.#generator();
        break;
      case 'async':
        this.body = this.#asyncGenerator();
        break;
      case 'readable':
        this.#stream(Readable.from(this.#asyncGenerator(), { objectMode: false }));
        break;
      case 'web':
        this.#web();
        break;
      case 'reader':
        this.#reader();
        break;
      case 'file': {
        const file = await open(fileOf(this.#label));
        this.body = file;
        this.#close = () => file.close();
        break;
      }
      case 'filestream':
        this.#stream(createReadStream(fileOf(this.#label)));
        break;
      case 'failed': {
        const stream = new Readable({ read() {} });
        this.error = new Error('the stream failed before it was asked');
        this.#stream(stream);
        setImmediate(() => this.abandoned || stream.destroy(this.error));
        break;
      }
      case 'consumed': {
        const stream = Readable.from([Buffer.from('gone')]);
        for await (const piece of stream) if (piece.length === 0) break;
        this.refused = true;
        this.body = stream;
        break;
      }
      case 'locked': {
        const stream = new ReadableStream({});
        stream.getReader();
        this.refused = true;
        this.body = stream;
        break;
      }
      default:
        throw new Error(`no such body: ${kind}`);
    }
  }

  /** Can a request with it go out twice? */
  get repeatable() {
    return ['none', 'string', 'bytes', 'buffer', 'blob', 'array'].includes(this.#spec.kind);
  }

  /** Was it given back after its request? */
  get released() {
    return this.#done === null || this.#done();
  }

  async close() {
    this.closed = true;
    await this.#close?.();
  }

  *#pieces() {
    const { pieces, end, at } = this.#spec;
    const { bytes, key, size } = this.#label;
    const random = new Random(...key, 3);
    const most = pieces === 'tiny' ? 4 : pieces === 'large' ? 200_000 : 6000;
    const stop = end === 'throw' ? Math.floor(at * size) : size;
    for (let from = 0; from < stop; ) {
      if (pieces === 'empties') for (let i = random.int(0, 5); i > 0; i--) yield random.once(2) ? '' : Buffer.alloc(0);
      const to = Math.min(stop, from + random.int(1, most));
      const piece = bytes.subarray(from, to);
      this.onpiece();
      yield random.once(4) ? piece.latin1Slice() : piece;
      from = to;
    }
  }

  *#generator() {
    yield* this.#pieces();
    if (this.error !== null) throw this.error;
    if (this.#spec.end !== 'busy') return;
    const since = Date.now();
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    while (!this.closed) {
      yield '';
      if (turned || Date.now() - since < STARVED_AFTER) continue;
      this.starved = true;
      throw new Starved('a source of empty pieces kept the event loop from turning');
    }
  }

  async *#asyncGenerator() {
    for (const piece of this.#pieces()) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (this.error !== null) throw this.error;
    if (this.#spec.end === 'hang') await new Promise(() => {});
  }

  #stream(stream) {
    this.body = stream;
    this.#done = () => stream.destroyed || stream.readableEnded;
    this.#close = () => {
      stream.on('error', () => {});
      stream.destroy();
    };
  }

  #web() {
    const pieces = this.#pieces();
    let done = false;
    this.#done = () => done;
    this.body = new ReadableStream({
      pull: (controller) => {
        for (;;) {
          let next;
          try {
            next = pieces.next();
          } catch (error) {
            done = true; // the stream has failed: nobody can cancel it any more
            throw error;
          }
          const { value, done: over } = next;
          if (!over && value.length === 0) continue;
          if (!over) return controller.enqueue(typeof value === 'string' ? Buffer.from(value) : value);
          if (this.#spec.end === 'hang') return new Promise(() => {});
          done = true;
          return this.error === null ? controller.close() : controller.error(this.error);
        }
      },
      cancel() {
        done = true;
      },
    });
  }

  #reader() {
    let at = 0;
    const { bytes, size } = this.#label;
    const stop = this.error === null ? size : Math.floor(this.#spec.at * size);
    this.body = {
      read: (n) => {
        this.onpiece();
        if (at >= stop && this.error !== null) throw this.error;
        const piece = bytes.subarray(at, Math.min(stop, at + n));
        at += piece.length;
        return piece;
      },
    };
  }
}
