// SPDX-License-Identifier: MIT
//
// What a person is told when the core has refused an argument. Values of headers and user information may be secrets: a
// message has the name of the header, the character that may not be there and its index, and never the value.

import * as codes from '../bindings/generated/errors.js';
import { coreError, quoted, withoutUserinfo } from './errors.js';

/** Characters that may not be there … */
const notInMethod = /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/u;
const notInUrl = /[\0-\x20\x7f]/;
const notAscii = /[^\0-\x7f]/u;
const notInHost = /[\0-\x20\x7f/?#@\\,[\]]/;
const notInValue = /[^\t\x20-\x7e\x80-\u{10ffff}]/u;
const notLatin1 = /[^\0-\xff]/u;

/** … by what was refused. */
const forbidden = {
  __proto__: null,
  [codes.BAD_METHOD]: notInMethod,
  [codes.BAD_URL]: notInUrl,
  [codes.URL_NOT_ASCII]: notAscii,
  [codes.BAD_HOST]: notInHost,
  [codes.BAD_HEADER_NAME]: notInMethod,
  [codes.BAD_HEADER_VALUE]: notInValue,
  [codes.WIDE_HEADER_VALUE]: notLatin1,
};

/** @param {string} text @param {RegExp} pattern @returns {string} such as ` (U+000A at index 3)`, '' when there is none */
function placeOf(text, pattern) {
  const index = text.search(pattern);
  if (index === -1) return '';
  const code = text.codePointAt(index).toString(16).toUpperCase().padStart(4, '0');
  return ` (U+${code} at index ${index})`;
}

/** What was refused, when it is about a header. Its value is looked at, and not shown. */
function subjectOfHeader(number, headers, index) {
  const pattern = forbidden[number];
  let at = 2 * index;
  if (number === codes.BAD_HEADER_VALUE || number === codes.WIDE_HEADER_VALUE) {
    // One header may have several values, and a value is looked at before the core counts.
    while (at < headers.length && !pattern.test(headers[at + 1])) at += 2;
  }
  if (at >= headers.length) return undefined;
  const name = headers[at];
  if (number === codes.BAD_HEADER_NAME) {
    // "Name: value" given as a name: what follows the name is not shown either.
    const end = name.search(pattern);
    return `${quoted(end === -1 ? name : name.slice(0, end))}${end === -1 ? '' : '…'}${placeOf(name, pattern)}`;
  }
  return `${quoted(name)}${pattern === undefined ? '' : placeOf(headers[at + 1], pattern)}`;
}

/** The header that a code is about by its nature: the core knows that when it has seen all of them. */
function lastOf(headers, pattern) {
  for (let at = headers.length - 2; at >= 0; at -= 2) if (pattern.test(headers[at])) return quoted(headers[at]);
  return undefined;
}

const shown = (text, pattern) => `${quoted(withoutUserinfo(text))}${pattern === undefined ? '' : placeOf(text, pattern)}`;

function subjectOf(number, { method = '', url = '', host, port, headers = [], index = 0 }) {
  switch (number) {
    case codes.BAD_METHOD:
      return shown(method, notInMethod);
    case codes.BAD_URL:
    case codes.URL_NOT_ASCII:
    case codes.URL_USERINFO:
    case codes.URL_HOST:
      return shown(url, forbidden[number]);
    case codes.EMPTY_HOST:
    case codes.BAD_HOST:
    case codes.BAD_PORT:
    case codes.HOST_NEEDS_BRACKETS: {
      if (host === undefined) return shown(url, number === codes.BAD_HOST ? /[\0-\x20\x7f\\,]/ : undefined);
      if (port === undefined || port === null) return shown(host, forbidden[number]);
      return number === codes.BAD_HOST ? shown(host, notInHost) : shown(`${host}:${port}`);
    }
    case codes.DUPLICATE_HOST:
      return lastOf(headers, /^host$/i);
    case codes.DUPLICATE_CONTENT_LENGTH:
    case codes.REQUEST_CONTENT_LENGTH:
      return lastOf(headers, /^content-length$/i);
    case codes.REQUEST_TRANSFER_ENCODING:
      return lastOf(headers, /^transfer-encoding$/i);
    case codes.TUNNEL_FRAMING:
      return lastOf(headers, /^(?:content-length|transfer-encoding)$/i);
    case codes.BAD_HEADER_NAME:
    case codes.BAD_HEADER_VALUE:
    case codes.WIDE_HEADER_VALUE:
    case codes.TRAILER_FORBIDDEN:
      return subjectOfHeader(number, headers, index);
    default:
      return undefined;
  }
}

/**
 * What was refused.
 *
 * @typedef {object} Refused
 * @property {string} [method]
 * @property {string} [url] the target of the request
 * @property {string} [host] where it is about a host that is no part of the URL
 * @property {number | null} [port] … and its port
 * @property {string[]} [headers] name, value, name, value, …: a header with several values as one pair for each
 * @property {number} [index] which header, from 0, as the core says
 * @property {number} [limit] the limit that was passed
 */

/**
 * The error for a code by which the core refused an argument: it says which one, and what of it, without what may be a
 * secret.
 *
 * @param {number} number a code of errors.def
 * @param {Refused} [details]
 * @returns {Error & {code: string}}
 */
export function refused(number, details = {}) {
  return coreError(number, { limit: details.limit, subject: subjectOf(number, details) });
}
