// SPDX-License-Identifier: MIT
//
// Headers as callers give them, made flat: name, value, name, value, …

import { argumentError } from '../errors.js';

/** @param {unknown} value @returns {boolean} is it an ArrayBufferView, an ArrayBuffer or a SharedArrayBuffer? */
export function isBytes(value) {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer === 'function' && value instanceof SharedArrayBuffer)
  );
}

/** @param {ArrayBufferView | ArrayBuffer | SharedArrayBuffer} value @returns {Buffer} its bytes, not copied */
export function asBuffer(value) {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.from(value);
}

/**
 * @param {unknown} value of a header
 * @param {unknown} name for the message
 * @returns {string} ISO-8859-1, one character a byte
 */
export function headerText(value, name) {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (isBytes(value)) return asBuffer(value).latin1Slice();
  throw argumentError(
    `the value of header ${JSON.stringify(String(name))} must be a string, a number or bytes, not ${kindOf(value)}`,
    'ERR_INVALID_ARG_TYPE',
  );
}

/** @param {unknown} name @returns {string} */
export function headerName(name) {
  if (typeof name === 'string') return name;
  if (isBytes(name)) return asBuffer(name).latin1Slice();
  throw argumentError(`a header name must be a string, not ${kindOf(name)}`, 'ERR_INVALID_ARG_TYPE');
}

/** @param {unknown} value @returns {string} what a person calls it */
export function kindOf(value) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return `an object of ${value.constructor?.name || 'no class'}`;
  return `${typeof value} ${String(value)}`;
}

function push(flat, name, value) {
  const text = headerName(name);
  if (Array.isArray(value)) {
    for (const item of value) flat.push(text, headerText(item, text));
  } else {
    flat.push(text, headerText(value, text));
  }
}

/**
 * @param {object | Iterable<[string, unknown]> | null | undefined} headers a plain object, a Map, Headers, or any iterable
 *   of pairs. An array as a value makes a line for each element.
 * @returns {string[]} name, value, …
 */
export function flatHeaders(headers) {
  const flat = [];
  if (headers === null || headers === undefined) return flat;
  if (typeof headers !== 'object') {
    throw argumentError(`headers must be an object or an iterable of pairs, not ${kindOf(headers)}`, 'ERR_INVALID_ARG_TYPE');
  }
  if (typeof headers[Symbol.iterator] === 'function') {
    for (const pair of headers) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw argumentError('an iterable of headers must give pairs [name, value]', 'ERR_INVALID_ARG_TYPE');
      }
      push(flat, pair[0], pair[1]);
    }
    return flat;
  }
  for (const name of Object.keys(headers)) push(flat, name, headers[name]);
  return flat;
}
