// SPDX-License-Identifier: MIT
//
// Sending the body of a request, piece by piece, as long as the server has not answered.

import { performance } from 'node:perf_hooks';
import { print, reprBytes } from '../watch/debug.js';
import { flatHeaders } from '../request/headers.js';

/** Large pieces are handed over in parts of this size at first, so that progress is seen … */
const PART = 256 * 1024;
/** … and of up to this size, as long as each is taken within so many milliseconds. */
const PART_MAX = 4 * 1024 * 1024;
const QUICK = 100;

/**
 * So many bytes are sent at most before the event loop turns once. An answer may be there, with a reset behind it: a write
 * that meets the reset makes Node close the socket with the answer unread, so what is there has to be read before.
 */
const TURN = 64 * 1024;

/** Lets the event loop turn when enough was sent since it did. */
async function letRead(channel, length) {
  channel.sentSinceTurn += length;
  if (channel.sentSinceTurn < TURN) return;
  channel.sentSinceTurn = 0;
  await new Promise(setImmediate);
}

/**
 * Waits while the socket asks to, and the server has not answered.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {object} limits how long one wait may take, see `Channel.sending`
 */
export async function drained(channel, limits) {
  const step = () => {
    if (channel.closed) throw channel.failure();
    if (channel.headIn) return true;
    if (channel.failed) throw channel.failure();
    return channel.transport.full ? undefined : true;
  };
  if (step() === undefined) await channel.sending('send', limits, step);
}

/** Hands what is staged to the transport. */
export function flush(channel) {
  channel.throwIfGone();
  const result = channel.flush();
  if (result !== 0) throw (channel.error ??= channel.core.error(result));
}

/** Writes bytes in parts, as fast as the socket takes them. */
async function write(channel, bytes, offset, limits) {
  let size = PART;
  for (let at = offset; at < bytes.length; ) {
    const since = performance.now();
    await letRead(channel, Math.min(size, bytes.length - at));
    await drained(channel, limits);
    if (channel.answered) return;
    if (at > offset) size = performance.now() - since < QUICK ? Math.min(2 * size, PART_MAX) : PART;
    channel.transport.write(bytes.subarray(at, at + size));
    at += size;
  }
}

/**
 * Sends bytes as they are.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {Buffer} bytes
 * @param {object} limits
 */
export async function sendRaw(channel, bytes, limits) {
  channel.throwIfGone();
  const { exports, address } = channel.core;
  exports.porthole_conn_sent_raw(address, bytes.length);
  await write(channel, bytes, 0, limits);
  await drained(channel, limits);
}

/**
 * Sends a piece of a body, framed as the core says. Up to its first wait it runs at once, so that a caller can cork the
 * socket around it.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {Buffer} piece
 * @param {object} limits
 * @param {number} debuglevel
 */
export async function sendPiece(channel, piece, limits, debuglevel) {
  if (piece.length === 0) {
    if (debuglevel > 0) print('Zero length chunk ignored');
    return;
  }
  channel.throwIfGone();
  const { core, transport } = channel;
  const { exports, address } = core;
  const { socket } = transport;
  const whole = piece.length <= PART;
  socket.cork?.();
  try {
    const framed = exports.porthole_conn_body_piece(address, piece.length);
    if (framed < 0) throw core.error(framed);
    if (debuglevel > 0) {
      const after = framed ? '\r\n' : '';
      print(`send: ${reprBytes(Buffer.concat([core.staged(), piece, Buffer.from(after)]))}`);
    }
    flush(channel);
    transport.write(whole ? piece : piece.subarray(0, PART));
    if (whole && !channel.closed) {
      exports.porthole_conn_body_piece_end(address);
      flush(channel);
    }
  } finally {
    socket.uncork?.();
  }
  if (!whole) {
    await write(channel, piece, PART, limits);
    if (channel.answered) return;
    await drained(channel, limits);
    channel.throwIfGone();
    exports.porthole_conn_body_piece_end(address);
    flush(channel);
  }
  await drained(channel, limits);
}

/**
 * Gives the pieces of a body to `send`, until there are no more or the server has answered.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {import('../request/body.js').Body} body
 * @param {object} limits
 * @param {(piece: Buffer) => Promise<void>} send
 */
export async function eachPiece(channel, body, limits, send) {
  const pieces = body.pieces();
  const iterator = pieces[Symbol.asyncIterator]?.() ?? pieces[Symbol.iterator]();
  let done = false;
  try {
    while (!channel.answered) {
      const next = iterator.next();
      const result = next instanceof Promise ? await channel.unlessAnswered(next, limits) : next;
      if (result === undefined) break;
      if (result.done) {
        done = true;
        break;
      }
      if (!channel.answered) await letRead(channel, result.value.length);
      if (!channel.answered) await send(result.value);
    }
  } finally {
    // A source that is not needed any more is told, and not waited for.
    if (!done) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/**
 * Sends all of a body that comes in pieces, and its end.
 *
 * @param {import('./channel.js').Channel} channel
 * @param {import('../request/body.js').Body} body
 * @param {object} limits
 * @param {number} debuglevel
 * @param {string[] | (() => any) | null} trailers name, value, …, or a function that gives headers once the body is sent
 */
export async function sendBody(channel, body, limits, debuglevel, trailers) {
  if (debuglevel > 0 && body.readable !== '') {
    print('reading a readable');
    if (body.readable === 'text') print('encoding file using iso-8859-1');
  }
  if (body.pieces !== null) {
    await eachPiece(channel, body, limits, (piece) => sendPiece(channel, piece, limits, debuglevel));
  }
  let fields = trailers ?? [];
  if (typeof trailers === 'function' && !channel.answered) {
    const given = trailers();
    fields = flatHeaders(typeof given?.then === 'function' ? await channel.unlessAnswered(given, limits) : given);
  }
  endBody(channel, debuglevel, fields);
  await drained(channel, limits);
}

/** Sends the end of a body, unless the server has answered before. */
function endBody(channel, debuglevel, trailers) {
  if (channel.answered) {
    if (channel.failed) throw channel.failure();
    return;
  }
  const { core } = channel;
  core.bodyEnd(trailers);
  const staged = core.staged();
  if (debuglevel > 0 && staged.length > 0) print(`send: ${reprBytes(staged)}`);
  flush(channel);
}
