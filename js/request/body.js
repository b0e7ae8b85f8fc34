// SPDX-License-Identifier: MIT
//
// The bodies of requests: what is known of their size, and their bytes piece by piece.

import fs from 'node:fs';
import types from 'node:util/types';
import { BODY_NONE } from '../../bindings/generated/abi.js';
import { isBytes, toBytes } from './bytes.js';
import { isFileHandle, handleBody, hasFileno, filenoBody, readBody, readStreamBody } from './file-bodies.js';
import { BlobBody, IterableBody, MemoryBody } from './memory-bodies.js';
import { isBlob, refuse, refuseContainer } from './not-bodies.js';
import { isStream, streamBody } from './stream-bodies.js';

/**
 * @typedef {object} Body
 * @property {number} kind BODY_NONE, BODY_KNOWN, BODY_STREAM or BODY_UNKNOWN, as the core has them
 * @property {number} size in bytes; 0 when it isn't known
 * @property {Buffer | null} bytes all of it, when it is in memory
 * @property {'' | 'bytes' | 'text'} readable read with `read(n)`, as bytes or as text
 * @property {boolean} repeatable can all of it be had again, by another `open()`?
 * @property {unknown} failure the error of its source so far, or undefined
 * @property {(() => Promise<void>) | null} prepare to be awaited before `kind` and `size` are looked at
 * @property {() => Source} open begins to give pieces
 * @property {(error?: unknown) => void} discard the request ended without all of it, or with all of it: streams are
 *   destroyed and iterators returned where they did not come to their end. Never throws; as often as one likes
 */

/**
 * @typedef {object} Source
 * @property {() => Buffer | null | Promise<Buffer | null>} next the next piece, null for the end. A source that doesn't wait
 *   answers at once. An empty Buffer stands for a long run of empty pieces: the caller may let the event loop turn. Throws, or
 *   rejects with, the very error of the source
 */

/** @type {Body} */
const NOTHING = Object.freeze({
  kind: BODY_NONE,
  size: 0,
  bytes: null,
  readable: '',
  repeatable: true,
  failure: undefined,
  prepare: null,
  open: () => ({ next: () => null }),
  discard() {},
});

/**
 * @param {unknown} body
 * @param {number} blocksize bytes of a read
 * @returns {Body}
 * @throws {TypeError} for what can't be a body, with a hint
 */
export function describeBody(body, blocksize) {
  if (body === null || body === undefined) return NOTHING;
  if (typeof body === 'string' || isBytes(body)) return new MemoryBody(toBytes(body));
  if (typeof body !== 'object') refuse(body);
  if (types.isStringObject(body)) return new MemoryBody(toBytes(String(body))); // else an iterable of its characters
  if (isBlob(body)) return new BlobBody(body);
  if (isFileHandle(body)) return handleBody(body, blocksize);
  if (body instanceof fs.ReadStream) return readStreamBody(body);
  if (isStream(body)) return streamBody(body);
  if (hasFileno(body)) return filenoBody(body, blocksize);
  if (typeof body.read === 'function') return readBody(body, blocksize);
  refuseContainer(body);
  if (typeof body[Symbol.iterator] === 'function' || typeof body[Symbol.asyncIterator] === 'function') return new IterableBody(body);
  return refuse(body);
}
