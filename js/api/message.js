// SPDX-License-Identifier: MIT
//
// The header section of a response (or its trailer section), with the methods of Python's email.message.Message that
// fit headers.

import { splitParams } from '../../bindings/wasm/fields.js';
import { argumentError, kindOf } from '../errors.js';
import { flatHeaders } from '../request/headers.js';
import { SHOWN, shown } from '../watch/shown.js';

const lowerCase = (name, what) => {
  if (typeof name === 'string') return name.toLowerCase();
  throw argumentError(`${what} must be a string, not ${kindOf(name)}`, 'ERR_INVALID_ARG_TYPE');
};

/** @param {unknown[]} list @throws {TypeError} for one that isn't name, value, name, value, … */
function checkFlat(list) {
  const wrong = list.findIndex((text) => typeof text !== 'string');
  if (wrong === -1 && list.length % 2 === 0) return;
  const what = wrong === -1 ? 'a name without a value at its end' : `${kindOf(list[wrong])} at index ${wrong}`;
  throw argumentError(`a flat list of headers is made of strings, name, value, name, value, …: this one has ${what}`);
}

/**
 * Header fields in the order and spelling they were received in. Names compare without case; values are ISO-8859-1
 * strings with outer spaces and tabs stripped.
 */
export class HTTPMessage {
  /** @type {string[] | (() => string[])} */
  #source;

  /**
   * @param {string[] | Iterable<[string, unknown]> | object | (() => string[])} [source] name, value, name, value …; headers
   *   as a request takes them; or a function that returns the former and is called once, when the first is asked for
   */
  constructor(source = []) {
    const flat = Array.isArray(source) && typeof source[0] === 'string';
    if (flat) checkFlat(source);
    this.#source = flat || typeof source === 'function' ? source : flatHeaders(source);
  }

  get #fields() {
    if (typeof this.#source === 'function') this.#source = this.#source();
    return this.#source;
  }

  /** Where the name of the first field of this name is, from a place on; -1 when there is none. */
  #find(name, from = 0) {
    const fields = this.#fields;
    for (let i = from; i < fields.length; i += 2) {
      if (fields[i].length === name.length && fields[i].toLowerCase() === name) return i;
    }
    return -1;
  }

  /** How many fields there are, repeats included. */
  get length() {
    return this.#fields.length / 2;
  }

  /**
   * The value of the first field of a name.
   *
   * @template T
   * @param {string} name
   * @param {T} [failobj] what to return when there is none
   * @returns {string | T}
   */
  get(name, failobj = null) {
    const at = this.#find(lowerCase(name, 'name'));
    return at < 0 ? failobj : this.#fields[at + 1];
  }

  /**
   * The values of all fields of a name, in order.
   *
   * @template T
   * @param {string} name
   * @param {T} [failobj] what to return when there is none
   * @returns {string[] | T}
   */
  get_all(name, failobj = null) {
    const wanted = lowerCase(name, 'name');
    const values = [];
    for (let at = this.#find(wanted); at >= 0; at = this.#find(wanted, at + 2)) values.push(this.#fields[at + 1]);
    return values.length === 0 ? failobj : values;
  }

  /**
   * @param {string} name
   * @returns {boolean} whether there is a field of this name
   */
  has(name) {
    return this.#find(lowerCase(name, 'name')) >= 0;
  }

  /** @returns {string[]} the names, repeats included */
  keys() {
    return this.#fields.filter((_, index) => index % 2 === 0);
  }

  /** @returns {string[]} the values */
  values() {
    return this.#fields.filter((_, index) => index % 2 === 1);
  }

  /** @returns {Array<[name: string, value: string]>} the fields */
  items() {
    const fields = this.#fields;
    const items = [];
    for (let i = 0; i < fields.length; i += 2) items.push([fields[i], fields[i + 1]]);
    return items;
  }

  /** Iterates over the names. */
  [Symbol.iterator]() {
    return this.keys()[Symbol.iterator]();
  }

  /** @returns {string} the media type in lower case; `text/plain` when there is none or it isn't of the form `a/b` */
  get_content_type() {
    const value = this.get('content-type');
    if (value === null) return 'text/plain';
    const type = value.split(';', 1)[0].trim().toLowerCase();
    return type.split('/').length === 2 ? type : 'text/plain';
  }

  /** @returns {string} what precedes the slash of get_content_type() */
  get_content_maintype() {
    return this.get_content_type().split('/')[0];
  }

  /** @returns {string} what follows the slash of get_content_type() */
  get_content_subtype() {
    return this.get_content_type().split('/')[1];
  }

  /**
   * The `charset` parameter of Content-Type, in lower case.
   *
   * @template T
   * @param {T} [failobj] what to return when there is none, or one that isn't ASCII
   * @returns {string | T}
   */
  get_content_charset(failobj = null) {
    const param = this.get_param('charset');
    if (param === null) return failobj;
    const charset = Array.isArray(param) ? (decode(param[2], param[0] || 'us-ascii', true) ?? param[2]) : param;
    return isASCII(charset) ? charset.toLowerCase() : failobj;
  }

  /**
   * One parameter of a header. A value in the encoding of RFC 2231 (`name*=utf-8'en'%e2%82%ac`) is given as
   * `[charset, language, value]`, where each character of `value` stands for one byte.
   *
   * @template T
   * @param {string} param its name, in any case
   * @param {T} [failobj] what to return when there is no such header or parameter
   * @param {string} [header]
   * @param {boolean} [unquote] whether to take quotes off
   * @returns {string | [charset: string | null, language: string | null, value: string] | T}
   */
  get_param(param, failobj = null, header = 'content-type', unquote = true) {
    const wanted = lowerCase(param, 'param');
    const found = this.get_params([], header, unquote).find(([name]) => name.toLowerCase() === wanted);
    return found === undefined ? failobj : found[1];
  }

  /**
   * The parameters of a header, what stands before the first `;` included: `a/b; c=d` is `[['a/b', ''], ['c', 'd']]`.
   *
   * @template T
   * @param {T} [failobj] what to return when there is no such header
   * @param {string} [header]
   * @param {boolean} [unquote] whether to take quotes off
   * @returns {Array<[name: string, value: string | [string | null, string | null, string]]> | T}
   */
  get_params(failobj = null, header = 'content-type', unquote = true) {
    const value = this.get(header);
    if (value === null) return failobj;
    const params = decodeParams(
      splitParams(value).map(([name, raw]) => (raw === null ? [name, ''] : [name.toLowerCase(), raw])),
    );
    return unquote ? params.map(([name, raw]) => [name, unquoteValue(raw)]) : params;
  }

  /**
   * The file name of Content-Disposition (`filename`), else that of Content-Type (`name`), decoded.
   *
   * @template T
   * @param {T} [failobj] what to return when there is none
   * @returns {string | T}
   */
  get_filename(failobj = null) {
    const param = this.get_param('filename', null, 'content-disposition') ?? this.get_param('name');
    if (param === null) return failobj;
    if (!Array.isArray(param)) return unquote(param).trim();
    return (decode(param[2], param[0] ?? 'us-ascii') ?? unquote(param[2])).trim();
  }

  /**
   * @param {string} name
   * @returns {string[]} a line `Name: value` for each field of this name
   */
  getallmatchingheaders(name) {
    const wanted = lowerCase(name, 'name');
    return this.items()
      .filter(([field]) => field.toLowerCase() === wanted)
      .map(([field, value]) => `${field}: ${value}`);
  }

  /**
   * The whole section as Python writes it: a line `Name: value` for each field, then an empty line, all ended by `\n`.
   * A value with other than ASCII characters becomes an encoded word of RFC 2047.
   *
   * @returns {string}
   */
  as_string() {
    const lines = this.items().map(([name, value]) => `${name}: ${isASCII(value) ? value : encodedWord(value)}\n`);
    return `${lines.join('')}\n`;
  }

  toString() {
    return this.as_string();
  }

  /** What `console.log` shows. */
  [SHOWN](depth, options, inspect) {
    return shown(this, () => this.items(), depth, options, inspect);
  }
}

// The rest follows email.utils and email.message of CPython.

/** The decoding of RFC 2231: continuations are joined, and values with a charset become a triple. */
function decodeParams(params) {
  const decoded = [params[0]];
  const extended = new Map();
  for (const [name, raw] of params.slice(1)) {
    const value = unquote(raw);
    const part = /^(\w+)\*(?:(\d+)\*?)?$/.exec(name);
    if (part === null) {
      decoded.push([name, `"${quote(value)}"`]);
    } else {
      const parts = extended.get(part[1]) ?? [];
      parts.push({ number: Number(part[2] ?? -1), value, encoded: name.endsWith('*') });
      extended.set(part[1], parts);
    }
  }
  for (const [name, parts] of extended) {
    parts.sort((a, b) => a.number - b.number || (a.value < b.value ? -1 : Number(a.value > b.value)));
    const joined = quote(parts.map(({ value, encoded }) => (encoded ? percentDecode(value) : value)).join(''));
    decoded.push([name, parts.some(({ encoded }) => encoded) ? splitCharset(joined) : `"${joined}"`]);
  }
  return decoded;
}

/** `utf-8'en'text` is `['utf-8', 'en', '"text"']`. */
function splitCharset(value) {
  const parts = /^([^']*)'([^']*)'(.*)$/s.exec(value);
  return parts === null ? [null, null, `"${value}"`] : [parts[1], parts[2], `"${parts[3]}"`];
}

const percentDecode = (text) =>
  text.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));

const quote = (text) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

function unquote(text) {
  if (/^".*"$/s.test(text)) return text.slice(1, -1).replaceAll('\\\\', '\\').replaceAll('\\"', '"');
  return /^<.*>$/s.test(text) ? text.slice(1, -1) : text;
}

const unquoteValue = (value) => (Array.isArray(value) ? [value[0], value[1], unquote(value[2])] : unquote(value));

const isASCII = (text) => /^[\0-\x7f]*$/.test(text);

/**
 * The text that bytes stand for, one byte in each character.
 *
 * @returns {string | null} null when the charset is not known, or when the bytes don't fit and have to (`strict`)
 */
function decode(bytes, charset, strict = false) {
  const label = charset.toLowerCase().replaceAll('_', '-');
  // TextDecoder takes these labels for windows-1252, Python takes them at their word.
  if (/^(iso-?8859-?1|latin-?1|l1)$/.test(label)) return bytes;
  if (/^(us-)?ascii$/.test(label)) {
    return strict && !isASCII(bytes) ? null : bytes.replace(/[\x80-\xff]/g, '\ufffd');
  }
  try {
    const decoder = new TextDecoder(label, { fatal: strict, ignoreBOM: true });
    return decoder.decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
  } catch {
    return null;
  }
}

/** An encoded word of RFC 2047, in whichever of its two encodings is shorter. */
function encodedWord(text) {
  const bytes = Buffer.from(text);
  const base64 = bytes.toString('base64');
  const quoted = Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    if (character === ' ') return '_';
    return /[\w!*+/-]/.test(character) && character !== '_' ? character : `=${hex(byte)}`;
  }).join('');
  return base64.length < quoted.length ? `=?utf-8?b?${base64}?=` : `=?utf-8?q?${quoted}?=`;
}

const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, '0');
