// SPDX-License-Identifier: MIT
//
// Strings in and out of the core's memory: ISO-8859-1, one character a byte. Where there is a Buffer (Node, Deno, Bun) its
// native calls are used, else loops: nothing here needs Node.

/** Strings up to this length are written faster by a loop than by a native call. */
const SHORT = 64;
/** How many characters String.fromCharCode is given at once. */
const BLOCK = 4096;

/** A string with a character that ISO-8859-1 lacks. */
const wide = /[^\0-\xff]/;
const allWide = /[^\0-\xff]/g;

/** @param {string} text @returns {boolean} does it hold characters above U+00FF? */
export function isWide(text) {
  return wide.test(text);
}

/** @param {ArrayBuffer} memory @returns {Uint8Array} its bytes: a Buffer where there is such a thing */
export function bytesOf(memory) {
  return typeof Buffer === 'function' ? Buffer.from(memory) : new Uint8Array(memory);
}

/** Looked up once: V8 looks long for it, as a Buffer has so much. */
const slice = bytesOf(new ArrayBuffer(0)).latin1Slice;

/** @param {Uint8Array} bytes @param {number} from @param {number} to @returns {string} */
export function readLatin1(bytes, from, to) {
  if (slice !== undefined) return slice.call(bytes, from, to);
  let text = '';
  for (let at = from; at < to; at += BLOCK) text += String.fromCharCode(...bytes.subarray(at, Math.min(at + BLOCK, to)));
  return text;
}

/**
 * Writes a string. Characters that ISO-8859-1 lacks become U+00FF: the core refuses that where only ASCII may stand; values
 * are looked at before.
 *
 * @param {Uint8Array} bytes with room for it
 * @param {string} text
 * @param {number} at
 * @returns {number} where it ends
 */
export function writeLatin1(bytes, text, at) {
  const { length } = text;
  if (length > SHORT && bytes.latin1Write !== undefined) {
    bytes.latin1Write(wide.test(text) ? text.replace(allWide, '\xff') : text, at);
  } else {
    for (let i = 0; i < length; i++) bytes[at + i] = Math.min(text.charCodeAt(i), 0xff);
  }
  return at + length;
}

/** @param {Uint8Array} bytes @param {string} text @param {number} at @returns {number} how many bytes it took */
export function writeUtf8(bytes, text, at) {
  return new TextEncoder().encodeInto(text, bytes.subarray(at)).written;
}

/** @param {Uint8Array} bytes @param {number} from @param {number} to @returns {string} */
export function readUtf8(bytes, from, to) {
  return new TextDecoder().decode(bytes.subarray(from, to));
}
