// SPDX-License-Identifier: MIT
//
// Copies of bytes, as fast as they can be had where one side is memory that threads share.

/** Bytes from which on a call of native code is worth it. */
const NATIVE_FROM = 1024;

/**
 * Copies bytes to a place that has room for them, in other memory. For shared memory `set` goes byte by byte, at a twentieth of
 * the speed, as V8 reckons with threads that write there meanwhile; `fill` copies by the machine's means. That nobody writes
 * there is the caller's to know.
 *
 * @param {Uint8Array} bytes
 * @param {Buffer} target
 * @param {number} at
 */
export function copyBytes(bytes, target, at) {
  if (bytes.length < NATIVE_FROM) target.set(bytes, at);
  else target.fill(bytes, at, at + bytes.length);
}
