// SPDX-License-Identifier: MIT
//
// What the core does with texts at hand, without a connection: lists of fields and parameters, hosts with ports.

import {
  ADD_CHUNKED,
  ADD_EXPECT,
  ADD_LENGTH,
  ENCODE_CHUNKED,
  SKIP_ACCEPT_ENCODING,
  SKIP_HOST,
} from '../generated/abi.js';
import { anyInstance, TABLE_SIZE } from './instance.js';
import { readUtf8, writeUtf8 } from './text.js';

const ENTRY = 16; // bytes in a table

/**
 * Calls a lister of the core on a text.
 *
 * @returns {Uint32Array} four words for each entry
 */
function list(name, text) {
  const instance = anyInstance(2 * text.length + ENTRY);
  const { exports, words, table, text: at, textSize } = instance;
  instance.write(text, at);
  let count = exports[name](at, text.length, table, TABLE_SIZE / ENTRY);
  let entries = table;
  if (count > TABLE_SIZE / ENTRY) {
    // Rare, since the limit was raised for it: the table goes behind the text, as far as it fits.
    entries = (at + text.length + 15) & ~15;
    const capacity = Math.floor((at + textSize - entries) / ENTRY);
    count = Math.min(exports[name](at, text.length, entries, capacity), capacity);
  }
  return words.subarray(entries >> 2, (entries >> 2) + 4 * count);
}

/**
 * Lists the fields of a head or of a trailer section that the core has accepted.
 *
 * @param {string} text field lines
 * @returns {string[]} name, value, name, value, …
 */
export function listFields(text) {
  if (text === '') return [];
  const entries = list('porthole_flat_fields_list', text);
  const fields = [];
  for (let i = 0; i < entries.length; i += 4) {
    fields.push(
      text.substring(entries[i], entries[i] + entries[i + 1]),
      text.substring(entries[i + 2], entries[i + 2] + entries[i + 3]),
    );
  }
  return fields;
}

/**
 * Splits a value with parameters at its semicolons and equals signs (RFC 9110 section 5.6.6).
 *
 * @param {string} value such as `text/html; charset="utf-8"`
 * @returns {Array<[name: string, value: string | null]>} the parts in order, the first included, quotes kept
 */
export function splitParams(value) {
  const entries = list('porthole_flat_params_list', value);
  const parts = [];
  for (let i = 0; i < entries.length; i += 4) {
    const name = value.substring(entries[i], entries[i] + entries[i + 1]);
    const missing = entries[i + 3] === 0xffffffff;
    parts.push([name, missing ? null : value.substring(entries[i + 2], entries[i + 2] + entries[i + 3])]);
  }
  return parts;
}

/**
 * Splits "host:port" and checks the host's characters.
 *
 * @param {string} text what the caller gave as the host
 * @param {boolean} hasPort does the caller give a port of its own?
 * @returns {{error: number, host: string, port: number | null}} an error of the core, or 0 and the host as given, without
 *   brackets and port
 */
export function splitHost(text, hasPort) {
  const { exports, bytes, words, table, text: at } = anyInstance(3 * text.length);
  const length = writeUtf8(bytes, text, at);
  const error = exports.porthole_flat_split_host(at, length, hasPort ? 1 : 0, table);
  if (error !== 0) return { error, host: '', port: null };
  const [offset, size, port] = words.subarray(table >> 2);
  return { error, host: readUtf8(bytes, at + offset, at + offset + size), port: port === 0xffffffff ? null : port };
}

/**
 * How a request is made in steps.
 *
 * @param {string} method
 * @param {string[]} fields name, value, …
 * @param {number} body BODY_*
 * @param {number} size
 * @param {number} flags ENCODE_CHUNKED, EXPECT_CONTINUE
 * @returns {{skipHost: boolean, skipAcceptEncoding: boolean, contentLength: number | null, addChunked: boolean,
 *   addExpect: boolean, encodeChunked: boolean}}
 */
export function planRequest(method, fields, body, size, flags) {
  const instance = anyInstance(method.length + fields.reduce((length, text) => length + text.length, 0));
  const { exports, words, table, text } = instance;
  const out = table + TABLE_SIZE - ENTRY;
  const count = Math.min(fields.length, (TABLE_SIZE - ENTRY) / 8);
  let at = instance.write(method, text);
  for (let i = 0; i < count; i++) {
    words[(table >> 2) + 2 * i] = at;
    words[(table >> 2) + 2 * i + 1] = fields[i].length;
    at = instance.write(fields[i], at);
  }
  const [low, high] = [size >>> 0, Math.floor(size / 2 ** 32)];
  exports.porthole_flat_plan(text, method.length, table, count >> 1, body, low, high, flags, out);
  const [plan, lengthLow, lengthHigh] = words.subarray(out >> 2);
  return {
    skipHost: (plan & SKIP_HOST) !== 0,
    skipAcceptEncoding: (plan & SKIP_ACCEPT_ENCODING) !== 0,
    contentLength: plan & ADD_LENGTH ? lengthHigh * 2 ** 32 + lengthLow : null,
    addChunked: (plan & ADD_CHUNKED) !== 0,
    addExpect: (plan & ADD_EXPECT) !== 0,
    encodeChunked: (plan & ENCODE_CHUNKED) !== 0,
  };
}
