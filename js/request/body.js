// SPDX-License-Identifier: MIT
//
// The bodies of requests: what is known of their size, and their bytes piece by piece.

import fs from 'node:fs';
import { argumentError, coreError } from '../errors.js';
import { isWide } from '../../bindings/wasm/core.js';
import { BODY_KNOWN, BODY_NONE, BODY_STREAM, BODY_UNKNOWN } from '../../bindings/generated/abi.js';
import { WIDE_BODY } from '../../bindings/generated/errors.js';
import { asBuffer, isBytes, kindOf } from './headers.js';

/**
 * @typedef {object} Body
 * @property {number} kind BODY_NONE, BODY_KNOWN, BODY_STREAM or BODY_UNKNOWN
 * @property {number} size in bytes; 0 when it isn't known
 * @property {Buffer | null} bytes all of it, when it is in memory
 * @property {(() => Iterable<Buffer> | AsyncIterable<Buffer>) | null} pieces the rest
 * @property {'' | 'bytes' | 'text'} readable read with `read(n)`, as bytes or as text
 * @property {boolean} repeatable can all of it be had again?
 */

/** @type {Body} */
const NOTHING = Object.freeze({ kind: BODY_NONE, size: 0, bytes: null, pieces: null, readable: '', repeatable: true });

const known = (bytes) => ({ kind: BODY_KNOWN, size: bytes.length, bytes, pieces: null, readable: '', repeatable: true });

const unknown = (pieces, readable = '', repeatable = false) => ({ kind: BODY_UNKNOWN, size: 0, bytes: null, pieces, readable, repeatable });

/** @param {unknown} value @returns {Buffer} a string or bytes as they are sent */
function toBytes(value) {
  if (typeof value === 'string') {
    if (isWide(value)) throw coreError(WIDE_BODY);
    return Buffer.from(value, 'latin1');
  }
  if (isBytes(value)) return asBuffer(value);
  throw argumentError(`a body is made of strings or bytes, not of ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
}

function* syncPieces(iterable) {
  for (const piece of iterable) yield toBytes(piece);
}

async function* asyncPieces(iterable) {
  for await (const piece of iterable) yield toBytes(piece);
}

/** Reads with `read(n)` until it gives nothing. */
async function* readPieces(source, blocksize) {
  for (;;) {
    const piece = await source.read(blocksize);
    if (piece === null || piece === undefined) return;
    const bytes = toBytes(piece);
    if (bytes.length === 0) return;
    yield bytes;
  }
}

/** Reads an fs.promises FileHandle from where it is. */
async function* handlePieces(handle, blocksize) {
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(blocksize), 0, blocksize, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Reads a descriptor from where it is. */
function* descriptorPieces(fd, blocksize) {
  for (;;) {
    const buffer = Buffer.allocUnsafe(blocksize);
    const count = fs.readSync(fd, buffer, 0, blocksize, null);
    if (count === 0) return;
    yield buffer.subarray(0, count);
  }
}

const isFileHandle = (value) =>
  typeof value.fd === 'number' && typeof value.stat === 'function' && typeof value.readv === 'function';

/** A body out of a file: its length comes from fstat when it is a regular file. */
function fromFile(stat, pieces, readable = '', start = 0, end = Infinity) {
  if (!stat.isFile()) return unknown(pieces, readable);
  const size = Math.max(0, Math.min(stat.size, end + 1) - start);
  return { kind: BODY_STREAM, size, bytes: null, pieces, readable, repeatable: false };
}

/** fs.createReadStream: the range that it was made with. */
function fromReadStream(stream) {
  const stat = typeof stream.fd === 'number' ? fs.fstatSync(stream.fd) : fs.statSync(stream.path);
  return fromFile(stat, () => asyncPieces(stream), '', stream.start ?? 0, stream.end ?? Infinity);
}

/** Forms are iterables too, but of pairs: refused before the head is sent, and not when the first pair is met. */
function refuseForm(body) {
  if (body instanceof URLSearchParams) {
    throw argumentError(
      'a body is no URLSearchParams: send String(params), with Content-Type: application/x-www-form-urlencoded',
      'ERR_INVALID_ARG_TYPE',
    );
  }
  if (typeof FormData === 'function' && body instanceof FormData) {
    throw argumentError(
      'a body is no FormData: encode it with new Response(form), and send its body with its Content-Type',
      'ERR_INVALID_ARG_TYPE',
    );
  }
}

/**
 * @param {unknown} body
 * @param {number} blocksize bytes of a read
 * @returns {Body}
 * @throws {TypeError} for what can't be a body
 */
export function describeBody(body, blocksize) {
  if (body === null || body === undefined) return NOTHING;
  if (typeof body === 'string' || isBytes(body)) return known(toBytes(body));
  if (typeof body !== 'object' && typeof body !== 'function') {
    throw argumentError(
      `a body must be a string, bytes, a Blob, a file, a stream or an iterable, not ${kindOf(body)}`,
      'ERR_INVALID_ARG_TYPE',
    );
  }
  if (typeof Blob === 'function' && body instanceof Blob) {
    const pieces = () => asyncPieces(body.stream());
    return { kind: BODY_KNOWN, size: body.size, bytes: null, pieces, readable: '', repeatable: true };
  }
  if (isFileHandle(body)) return fromFile(fs.fstatSync(body.fd), () => handlePieces(body, blocksize));
  if (body instanceof fs.ReadStream) return fromReadStream(body);
  const isStream = typeof body.pipe === 'function' || typeof body.getReader === 'function';
  if (isStream && typeof body[Symbol.asyncIterator] === 'function') return unknown(() => asyncPieces(body));

  const reads = typeof body.read === 'function';
  const readable = !reads ? '' : typeof body.mode === 'string' && !body.mode.includes('b') ? 'text' : 'bytes';
  if (typeof body.fileno === 'function') {
    const fd = body.fileno();
    const pieces = reads ? () => readPieces(body, blocksize) : () => descriptorPieces(fd, blocksize);
    return readable === 'text' ? unknown(pieces, readable) : fromFile(fs.fstatSync(fd), pieces, readable);
  }
  if (reads) return unknown(() => readPieces(body, blocksize), readable);
  refuseForm(body);
  // An array can be gone through again, a generator can't.
  if (typeof body[Symbol.iterator] === 'function') return unknown(() => syncPieces(body), '', Array.isArray(body));
  if (typeof body[Symbol.asyncIterator] === 'function') return unknown(() => asyncPieces(body));
  throw argumentError(
    `a body must be a string, bytes, a Blob, a file, a stream or an iterable, not ${kindOf(body)}`,
    'ERR_INVALID_ARG_TYPE',
  );
}
