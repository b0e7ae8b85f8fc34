// SPDX-License-Identifier: MIT
//
// Headers as callers give them, made flat: name, value, name, value, …
//
// No message says anything of what a value holds, as it may be a secret.

import types from 'node:util/types';
import { BAD_HEADER_VALUE, WIDE_HEADER_VALUE } from '../../bindings/generated/errors.js';
import { FIELDS_MAX } from '../../bindings/wasm/instance.js';
import { argumentError, kindOf } from '../errors.js';
import { refused } from '../refusal.js';
import { asBuffer, isBytes } from './bytes.js';
import { OPTIONS } from './options.js';

/** What no value may hold: control characters other than HTAB, and what ISO-8859-1 doesn't have. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * @param {unknown} value of a header
 * @param {unknown} name for the message
 * @returns {string} ISO-8859-1, one character a byte
 * @throws {TypeError} that tells which character can't be sent, and where it is
 */
export function headerText(value, name) {
  const text = typeof value === 'string' ? value : convert(value, name);
  if (!FORBIDDEN.test(text)) return text;
  const code = text.codePointAt(text.search(FORBIDDEN));
  throw refused(code > 0xff ? WIDE_HEADER_VALUE : BAD_HEADER_VALUE, { headers: [String(name), text], index: 0 });
}

/** What a person calls a value, without anything of what is in it: it may be a secret. */
function typeName(value) {
  if (value === null || value === undefined || typeof value === 'object') return kindOf(value);
  return `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`;
}

function convert(value, name) {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (isBytes(value)) return asBuffer(value).latin1Slice();
  throw argumentError(
    `the value of header ${JSON.stringify(String(name))} must be a string, a number or bytes, not ${typeName(value)}${hintForValue(value, name)}`,
    'ERR_INVALID_ARG_TYPE',
  );
}

function hintForValue(value, name) {
  if (value === null || value === undefined) return ': leave the header out';
  if (String(name) === 'headers') return ': headers are the fourth argument themselves, not a member of it';
  if (OPTIONS.request[name] && typeof value !== 'number') return ': it is an option, and those follow the headers: request(method, url, body, headers, options)';
  if (types.isDate(value)) return ': give its toUTCString()';
  if (types.isPromise(value)) return ': await it first';
  if (typeof value === 'object' || typeof value === 'boolean') return ': make it a string';
  return '';
}

/** @param {unknown} name @returns {string} */
export function headerName(name) {
  if (typeof name === 'string') return name;
  if (isBytes(name)) return asBuffer(name).latin1Slice();
  throw argumentError(`a header name must be a string, not ${typeName(name)}`, 'ERR_INVALID_ARG_TYPE');
}

function push(flat, name, value) {
  const text = headerName(name);
  if (Array.isArray(value)) {
    for (const item of value) flat.push(text, headerText(item, text));
  } else {
    flat.push(text, headerText(value, text));
  }
}

/** The pairs of headers that have some; null for a plain object. */
function pairsOf(headers) {
  // An HTTPMessage is iterated by its names, as Python's is: its pairs are its items.
  if (typeof headers.items === 'function') return headers.items();
  if (typeof headers[Symbol.iterator] === 'function') return headers;
  return typeof headers.entries === 'function' ? headers.entries() : null;
}

function refuseHeaders(headers, hint = '') {
  const wanted = 'headers must be an object, a Map, Headers or an iterable of pairs';
  throw argumentError(`${wanted}, not ${typeName(headers)}${hint}`, 'ERR_INVALID_ARG_TYPE');
}

function refusePair(pair, index) {
  const hint =
    index === 0 && typeof pair === 'string'
      ? ': a flat list of names and values has to be made pairs, [[name, value], …]'
      : '';
  throw argumentError(
    `an iterable of headers must give pairs [name, value], and its element ${index} is ${Array.isArray(pair) ? `an array of ${pair.length}` : typeName(pair)}${hint}`,
    'ERR_INVALID_ARG_TYPE',
  );
}

/**
 * @param {object | Iterable<[string, unknown]> | null | undefined} headers a plain object, a Map, Headers, an HTTPMessage, or
 *   any iterable of pairs. An array as a value makes a line for each element.
 * @returns {string[]} name, value, …
 * @throws {TypeError}
 */
export function flatHeaders(headers) {
  const flat = [];
  if (headers === null || headers === undefined) return flat;
  if (typeof headers === 'string') refuseHeaders(headers, ': give { name: value }');
  if (typeof headers !== 'object' || isBytes(headers)) refuseHeaders(headers);
  const pairs = pairsOf(headers);
  if (pairs === null) {
    if (typeof headers.then === 'function') refuseHeaders(headers, ': await it first');
    for (const name of Object.keys(headers)) push(flat, name, headers[name]);
    return flat;
  }
  let index = 0;
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) refusePair(pair, index);
    push(flat, pair[0], pair[1]);
    index++;
  }
  return flat;
}

/**
 * @param {number} count of headers, or of values of one, that are given at once
 * @param {string} what they are
 * @param {string} remedy
 */
export function checkCount(count, what, remedy) {
  if (count <= FIELDS_MAX) return;
  throw argumentError(`${count} ${what} are more than can be given at once (${FIELDS_MAX}): ${remedy}`, 'ERR_INVALID_ARG_VALUE');
}

/** @param {unknown} headers of a request, its trailers included @returns {string[]} name, value, … @throws {TypeError} */
export function flatFields(headers) {
  const flat = flatHeaders(headers);
  checkCount(flat.length / 2, 'headers', 'send fewer, or add them one by one with putheader()');
  return flat;
}
