// SPDX-License-Identifier: MIT
//
// What callers give as bytes or text, as it is sent, and what a message calls the things that they give.

import types from 'node:util/types';
import { isWide } from '../../bindings/wasm/text.js';
import { WIDE_BODY } from '../../bindings/generated/errors.js';
import { argumentError, coreError, kindOf } from '../errors.js';

/** @param {unknown} value @returns {boolean} is it an ArrayBufferView, an ArrayBuffer or a SharedArrayBuffer, of any realm? */
export function isBytes(value) {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value);
}

/**
 * @param {ArrayBufferView | ArrayBuffer | SharedArrayBuffer} value
 * @returns {Buffer} its bytes, not copied
 * @throws {TypeError} when its memory was transferred: it is not the same as nothing
 */
export function asBuffer(value) {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (buffer.byteLength === 0 && isDetached(buffer)) {
    throw argumentError('the memory of these bytes was transferred, or given to a worker: give them before that, or a copy', 'ERR_INVALID_ARG_VALUE');
  }
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.from(value);
}

/** Was its memory taken away? Older versions of Node don't tell, but make no view of it. */
function isDetached(buffer) {
  if (typeof buffer.detached === 'boolean') return buffer.detached;
  if (types.isSharedArrayBuffer(buffer)) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/**
 * @param {unknown} value a string or bytes
 * @param {BufferEncoding} [encoding] of strings
 * @returns {Buffer} as it is sent
 * @throws {TypeError}
 */
export function toBytes(value, encoding = 'latin1') {
  if (typeof value === 'string') {
    if (encoding === 'latin1') checkPiece(value);
    return Buffer.from(value, encoding);
  }
  checkPiece(value);
  return asBuffer(value);
}

/** @param {unknown} value @throws {TypeError} for what can't be sent as a piece of a body */
export function checkPiece(value) {
  if (typeof value === 'string') {
    if (isWide(value)) throw coreError(WIDE_BODY);
    return;
  }
  if (isBytes(value)) return;
  throw argumentError(`a body is made of strings or bytes, not of ${kindOf(value)}${hintForPiece(value)}`, 'ERR_INVALID_ARG_TYPE');
}

function hintForPiece(value) {
  if (typeof value === 'number') return ': wrap the bytes in a Uint8Array, or make each a string';
  if (types.isPromise(value)) return ': await it first, or give an async iterable';
  if (value !== null && typeof value === 'object') return ': encode each first, with JSON.stringify for example';
  return '';
}
