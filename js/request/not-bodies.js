// SPDX-License-Identifier: MIT
//
// What can't be a body, and what to do instead.

import types from 'node:util/types';
import { argumentError, kindOf } from '../errors.js';
import { ORDER } from './options.js';

/** Members of what other clients take as options. */
const OPTIONS = ['headers', 'body', 'method', 'signal', 'encode_chunked', 'expect_continue', 'trailers', 'deadline'];

/** What an object says that it is: this holds across realms and copies of libraries. */
const brandOf = (value) => {
  const tag = value[Symbol.toStringTag];
  return typeof tag === 'string' ? tag : '';
};

/** @param {object} value @returns {boolean} is it a Blob or a File, of whatever library? */
export function isBlob(value) {
  const brand = brandOf(value);
  return (
    (brand === 'Blob' || brand === 'File') &&
    typeof value.size === 'number' &&
    (typeof value.stream === 'function' || typeof value.arrayBuffer === 'function')
  );
}

/** @param {unknown} body @param {string} [hint] @returns {never} */
export function refuse(body, hint = hintFor(body)) {
  throw argumentError(
    `a body must be a string, bytes, a Blob, a file, a stream or an iterable, not ${kindOf(body)}${hint === '' ? '' : `: ${hint}`}`,
    'ERR_INVALID_ARG_TYPE',
  );
}

function hintFor(body) {
  if (typeof body === 'function') return 'call it, and give what it returns';
  if (typeof body === 'number' || typeof body === 'boolean' || typeof body === 'bigint') return 'make it a string, with String() or JSON.stringify()';
  if (typeof body !== 'object') return '';
  if (typeof body.then === 'function') return 'await it first';
  if (brandOf(body) === 'URL') return `${ORDER}, and a URL is given as a string`;
  if (typeof body.arrayBuffer === 'function') return 'give its body, or await its arrayBuffer()';
  if (typeof body.readable === 'object' && typeof body.writable === 'object') return 'give its readable side';
  if (OPTIONS.some((name) => Object.hasOwn(body, name))) return `${ORDER}: give null for no body, and these after it`;
  return `encode it first, with JSON.stringify() for example, or if these are the headers: ${ORDER}`;
}

/** Refuses what is an iterable, but not of pieces: before anything is sent, and not when its first element is met. */
export function refuseContainer(body) {
  const brand = brandOf(body);
  if (brand === 'URLSearchParams') {
    refuse(body, 'send String(params), with Content-Type: application/x-www-form-urlencoded');
  }
  if (brand === 'FormData') {
    refuse(body, 'encode it with the Response of its own library, new Response(form), and send its body with its Content-Type');
  }
  if (brand === 'Headers' || (typeof body.items === 'function' && typeof body.get_all === 'function')) {
    refuse(body, `${ORDER}: give null for no body`);
  }
  if (types.isMap(body)) refuse(body, `encode it first, or if these are the headers: ${ORDER}`);
}
