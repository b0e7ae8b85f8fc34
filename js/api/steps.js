// SPDX-License-Identifier: MIT
//
// request() of subclasses that override the steps that it is made of, in CPython's order; and what is done with a 1xx.

import { Buffer } from 'node:buffer';
import { BODY_NONE, ENCODE_CHUNKED, EXPECT_CONTINUE } from '../../bindings/generated/abi.js';
import { turn } from '../../bindings/node/timers.js';
import { listFields, planRequest } from '../../bindings/wasm/fields.js';
import { coreError } from '../errors.js';
import { refused } from '../refusal.js';
import { flatFields } from '../request/headers.js';
import { print, reprBytes, reprText } from '../watch/debug.js';
import * as diagnostics from '../watch/diagnostics.js';
import { HTTPMessage } from './message.js';

/** Does a connection override steps of `request`? An own property counts. */
export function overridesSteps(connection, { prototype }) {
  return (
    connection.send !== prototype.send ||
    connection.putheader !== prototype.putheader ||
    connection.putrequest !== prototype.putrequest ||
    connection.endheaders !== prototype.endheaders
  );
}

/**
 * Calls the steps.
 *
 * @param {import('./connection.js').HTTPConnection} connection
 * @param {import('../request/exchange.js').Exchange} exchange
 * @param {unknown} given the body as the caller gave it
 * @param {import('../request/body.js').Body} body
 * @param {object} options of request()
 */
export async function requestBySteps(connection, exchange, given, body, { encode_chunked = false }) {
  const { method, url, fields, expect } = exchange;
  const flags = (encode_chunked ? ENCODE_CHUNKED : 0) | (expect === null ? 0 : EXPECT_CONTINUE);
  const plan = planRequest(method, fields, body.kind, body.size, flags);
  connection.putrequest(method, url, { skip_host: plan.skipHost, skip_accept_encoding: plan.skipAcceptEncoding });
  if (plan.contentLength !== null) connection.putheader('Content-Length', String(plan.contentLength));
  if (plan.addChunked) connection.putheader('Transfer-Encoding', 'chunked');
  if (plan.addExpect) connection.putheader('Expect', '100-continue');
  for (let i = 0; i < fields.length; i += 2) connection.putheader(fields[i], fields[i + 1]);
  exchange.given = typeof given === 'string' ? body.bytes : given; // CPython encodes it before
  await connection.endheaders(exchange.given, { encode_chunked: plan.encodeChunked });
}

/**
 * Hands an overridden send() what CPython hands it: the head, then the body, or each framed chunk.
 *
 * @param {import('./connection.js').HTTPConnection} connection
 * @param {import('../request/exchange.js').Exchange} exchange whose head is staged
 * @param {import('../request/body.js').Body} body
 * @param {object} told
 * @param {(bytes: Buffer) => void} told.onhand called with what it is handed, before
 * @param {() => void} told.onhead called when the head was sent
 */
export async function sendBySteps(connection, exchange, body, { onhand, onhead }) {
  const hand = async (bytes) => {
    exchange.excess -= bytes.length;
    onhand(bytes);
    await connection.send(bytes);
  };
  await hand(Buffer.from(exchange.channel.core.takeStaged()));
  onhead();
  if (body.kind === BODY_NONE) return;
  const source = body.bytes === null ? body.open() : null;
  let piece = source === null ? body.bytes : await source.next();
  while (piece !== null && !exchange.channel.stopped) {
    if (piece.length > 0) await hand(frame(exchange.channel, piece));
    piece = source === null ? null : await source.next();
  }
  const { channel } = exchange;
  if (channel.stopped) {
    body.discard();
    return;
  }
  if (channel.closed) throw channel.failure();
  const { core } = channel;
  const { trailers } = exchange;
  const fields = typeof trailers === 'function' ? flatFields(await trailers()) : (trailers ?? []);
  const error = core.bodyEnd(fields);
  if (error !== 0) throw refused(error, { headers: fields, index: core.refused, limit: core.limit });
  const end = Buffer.from(core.takeStaged());
  if (end.length > 0) await hand(end);
}

/**
 * Waits for what a subclass does, which may never come to an end, as long as the channel of the request is there. The end of the
 * channel is told a turn later: an error that the subclass has of it goes before.
 *
 * @param {import('../request/exchange.js').Exchange} exchange whose channel may be replaced meanwhile
 * @param {() => true | undefined} step
 */
export async function untilChannel(exchange, step) {
  const { channel } = exchange;
  const stepped = () => {
    const result = step();
    if (result === undefined && channel.abandoned) throw channel.failure();
    return result;
  };
  try {
    if (channel.closed) throw channel.failure();
    await channel.waiting.until('send', null, exchange.signals, stepped);
  } catch (error) {
    if (exchange.channel !== channel) return untilChannel(exchange, step);
    await turn();
    throw error;
  }
}

/** A piece as it goes on the wire. */
function frame(channel, piece) {
  if (channel.closed) throw channel.failure();
  const { core } = channel;
  const begun = core.bodyPiece(piece.length);
  if (begun < 0) throw coreError(begun);
  const before = core.takeStaged();
  const passed = begun === 2 ? core.sentChunks(piece) : core.piecePassed(piece.length);
  if (passed < 0) throw coreError(passed);
  const after = core.takeStaged();
  return before.length + after.length === 0 ? piece : Buffer.concat([before, piece, after]);
}

/**
 * What is done with a 1xx: it is printed and told. The channel does not hold its connection by it, unless that is told too.
 *
 * @param {import('../engine/channel.js').Channel} channel
 * @param {((response: object) => unknown) | null} callback
 * @param {number} debuglevel
 * @param {import('./connection.js').HTTPConnection | null} connection to tell the diagnostics of
 * @param {import('../request/exchange.js').Exchange} exchange
 * @param {WeakRef<import('./connection.js').HTTPConnection>} owner `this` of the callback, which can be a method
 */
export function informer(channel, callback, debuglevel, connection, exchange, owner) {
  exchange.keepContext();
  return (core) => {
    const { head, status, reasonAt, reasonLength, fieldsAt } = core;
    const text = head.substring(fieldsAt);
    if (debuglevel > 0) {
      print(`reply: ${reprText(head.substring(0, fieldsAt))}`);
      const lines = text.match(/[^\n]*\n/g) ?? [];
      print(`headers: [${lines.map((line) => reprBytes(Buffer.from(line, 'latin1'))).join(', ')}]`);
    }
    const response = {
      status,
      reason: head.substring(reasonAt, reasonAt + reasonLength),
      headers: new HTTPMessage(listFields(text)),
    };
    exchange.within(() => {
      if (connection !== null) diagnostics.informational.publish({ connection, request: exchange, ...response });
      if (callback !== null) heed(channel, exchange, callback.call(owner.deref(), response));
    });
  };
}

/** A promise that a callback gave: what it rejects with is what getresponse() rejects with. */
function heed(channel, exchange, given) {
  if (typeof given?.then !== 'function') return;
  exchange.informing++;
  const settle = () => {
    exchange.informing--;
    channel.waiting.wake();
  };
  given.then(settle, (error) => {
    channel.failForeign(error);
    settle();
  });
}
