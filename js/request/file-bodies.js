// SPDX-License-Identifier: MIT
//
// Bodies out of files: what is left of them from where they stand.

import fs from 'node:fs';
import net from 'node:net';
import { BODY_STREAM } from '../../bindings/generated/abi.js';
import { argumentError, kindOf } from '../errors.js';
import { BaseBody, ignore } from './base-body.js';
import { toBytes } from './bytes.js';
import { checkLive, NodeStreamBody } from './stream-bodies.js';

/** Pieces that are had by calling a function until it gives nothing. */
class ReadSource {
  #read;
  #pending = null;
  #ended = false;

  /** @param {() => unknown} read a piece, or a promise of one; null or empty for the end */
  constructor(read) {
    this.#read = read;
  }

  next() {
    if (this.#ended) return null;
    const piece = this.#read();
    if (typeof piece?.then !== 'function') return this.#take(piece);
    this.#pending = Promise.resolve(piece).then((value) => this.#take(value));
    return this.#pending;
  }

  #take(piece) {
    const bytes = piece === null || piece === undefined ? null : toBytes(piece);
    if (bytes !== null && bytes.length > 0) return bytes;
    this.#ended = true;
    return null;
  }

  stop() {
    this.#ended = true;
    ignore(this.#pending);
  }
}

/** Where a descriptor stands; null where the system doesn't tell. */
function positionOf(fd) {
  try {
    const position = /^pos:\s*(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
    return position === null ? null : Number(position[1]);
  } catch {
    return null;
  }
}

const isPipe = (stat) => stat.isFIFO() || stat.isSocket();

/** Gives a body the size that is left of a file, or has it read a piece where the size can't be believed. */
function measure(body, stat, left) {
  if (stat.isFile() && stat.size > 0) {
    body.kind = BODY_STREAM;
    body.size = Math.max(0, left);
  } else if (!isPipe(stat)) {
    body.prepare = () => body.peek();
  }
}

const withBuffer = ({ bytesRead, buffer }) => buffer.subarray(0, bytesRead);

/** Reads a descriptor from where it stands. */
const readDescriptor = (fd, blocksize) =>
  new Promise((resolve, reject) => {
    fs.read(fd, Buffer.allocUnsafe(blocksize), 0, blocksize, null, (error, bytesRead, buffer) =>
      error ? reject(error) : resolve(buffer.subarray(0, bytesRead)),
    );
  });

/** A pipe by a descriptor of our own that doesn't wait; null where the system has no such thing. */
function openPipe(fd) {
  try {
    return fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

/**
 * The pieces of a pipe, for which the event loop waits: a read that waits would hold one of the few threads for files, and the
 * end of the process.
 */
class PipeSource {
  #fd;
  #blocksize;
  #body = null; // once there was nothing to read
  #ended = false;

  constructor(fd, blocksize) {
    this.#fd = fd;
    this.#blocksize = blocksize;
  }

  next() {
    if (this.#body !== null) return this.#body.next();
    if (this.#ended) return null;
    // What is there is read first. A socket is not told of the end when all writers had gone before it was made.
    const buffer = Buffer.allocUnsafe(this.#blocksize);
    let count;
    try {
      count = fs.readSync(this.#fd, buffer);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      this.#body = new NodeStreamBody(new net.Socket({ fd: this.#fd, readable: true, writable: false }));
      this.#body.open();
      return this.#body.next();
    }
    if (count > 0) return buffer.subarray(0, count);
    this.stop();
    return null;
  }

  stop() {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#body === null) {
      fs.closeSync(this.#fd);
    } else {
      this.#body.discard();
      this.#body.stream.destroy();
    }
  }
}

/** A body by a descriptor, or what reads it. */
function descriptorBody(fd, stat, blocksize, read) {
  return new BaseBody(() => {
    const pipe = stat.isFIFO() ? openPipe(fd) : null;
    return pipe === null ? new ReadSource(read) : new PipeSource(pipe, blocksize);
  });
}

/** @param {object} value @returns {boolean} is it a FileHandle of fs.promises? */
export function isFileHandle(value) {
  return typeof value.fd === 'number' && typeof value.stat === 'function' && typeof value.readv === 'function';
}

/** @param {import('node:fs/promises').FileHandle} handle which is never closed @param {number} blocksize */
export function handleBody(handle, blocksize) {
  if (handle.fd < 0) throw argumentError('the FileHandle given as a body is closed: open it again');
  const stat = fs.fstatSync(handle.fd);
  const read = () => handle.read(Buffer.allocUnsafe(blocksize), 0, blocksize, null).then(withBuffer);
  const body = descriptorBody(handle.fd, stat, blocksize, read);
  measure(body, stat, stat.size - (positionOf(handle.fd) ?? 0));
  return body;
}

const isDescriptor = (fd) => Number.isInteger(fd) && fd >= 0;

/** @param {object} value @returns {boolean} has it a descriptor? One that only has the method, as Python's BytesIO, or gives -1, as TLS does, can be read all the same. */
export function hasFileno(value) {
  if (typeof value.fileno !== 'function') return false;
  if (typeof value.read !== 'function') return true;
  try {
    return isDescriptor(value.fileno());
  } catch {
    return false;
  }
}

/** @param {object} file with `fileno()`, and perhaps `read(n)`, `mode` and `tell()` @param {number} blocksize */
export function filenoBody(file, blocksize) {
  const fd = file.fileno();
  if (!isDescriptor(fd)) {
    throw argumentError(`fileno() must give the descriptor of an open file, not ${kindOf(fd)}`, 'ERR_INVALID_ARG_TYPE');
  }
  const reads = typeof file.read === 'function';
  if (reads && isText(file)) return readBody(file, blocksize);
  const stat = fs.fstatSync(fd);
  const body = reads ? readBody(file, blocksize) : descriptorBody(fd, stat, blocksize, () => readDescriptor(fd, blocksize));
  const told = stat.isFile() && typeof file.tell === 'function' ? file.tell() : positionOf(fd);
  if (typeof told?.then !== 'function') {
    measure(body, stat, stat.size - Number(told ?? 0));
    return body;
  }
  body.prepare = async () => {
    body.prepare = null;
    measure(body, stat, stat.size - Number((await told) ?? 0));
    await body.prepare?.();
  };
  ignore(told);
  return body;
}

/** Is it opened as text, as Python tells? */
const isText = (file) => typeof file.mode === 'string' && !file.mode.includes('b');

/** @param {object} file with `read(n)`, and perhaps a `mode` @param {number} blocksize */
export function readBody(file, blocksize) {
  const body = new BaseBody(() => new ReadSource(() => file.read(blocksize)));
  body.readable = isText(file) ? 'text' : 'bytes';
  return body;
}

/** What is left of the range of a file stream, given the size of its file; null when that can't be told. */
function leftOf(stream, size) {
  const { fd, start, end = Number.POSITIVE_INFINITY, bytesRead } = stream;
  const held = stream.readableLength;
  if (stream.readableEncoding !== null && bytesRead > 0) return null; // what it holds is characters
  let first = start;
  if (start === undefined) {
    const reading = stream._readableState?.reading === true; // then the descriptor may be ahead of what is told
    if (typeof fd !== 'number' || (reading && stream.path)) first = 0;
    else if (reading) return null;
    else first = (positionOf(fd) ?? bytesRead) - bytesRead;
  }
  const given = bytesRead - held;
  const range = start === undefined ? end + 1 : end - start + 1;
  return Math.min(size - first, range) - given;
}

/**
 * @param {import('node:fs').ReadStream} stream from where it stands
 * @returns {import('./body.js').Body}
 */
export function readStreamBody(stream) {
  checkLive(stream);
  const body = new NodeStreamBody(stream);
  let stat;
  try {
    stat = typeof stream.fd === 'number' ? fs.fstatSync(stream.fd) : fs.statSync(stream.path);
  } catch {
    body.prepare = () => body.peek(); // the stream will tell
    return body;
  }
  const left = leftOf(stream, stat.size);
  if (left !== null) measure(body, stat, left);
  return body;
}
