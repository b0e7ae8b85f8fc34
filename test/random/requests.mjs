// SPDX-License-Identifier: MIT
//
// The operations that send, and getresponse.

import { Buffer } from 'node:buffer';
import { HTTPResponse, NotConnected } from '../../js/index.js';
import { fire } from './acts.mjs';
import { BOUND } from './bounds.mjs';
import { Request, textOf } from './model.mjs';
import { signalOf } from './open.mjs';
import { Reading } from './reading.mjs';
import { Source } from './sources.mjs';

/** What a clean exchange asks of its peer. */
export const CLEAN = {
  status: 200, framing: 'length', size: 3000, form: 'lines', chunk: 1000, splits: 'whole', interims: 0, close: false,
  when: 'end', after: 'keep', reads: 'fast', echo: false, trailers: false, fault: null, expect: 'continue',
};

const isStateError = (error) => /^(CannotSendRequest|CannotSendHeader|ResponseNotReady)$/.test(error?.name);
const isRefusal = (error) => isStateError(error) || String(error?.code).startsWith('ERR_INVALID') || error?.name === 'InvalidURL';

/** A request waits also for what was begun before it. */
function waitsOnConnection(connection, request) {
  if (connection.state === 'unknown' || connection.hangs || request.stalls) return true;
  return connection.requests.some((one) => one !== request && !one.over && (one.stalls || isUnread(one)));
}

function isUnread({ response, seen }) {
  if (response === null) return seen !== null;
  return !response.isclosed();
}

/** Would bytes of one answer be taken for the next, and nobody could know? */
function isBlind(connection) {
  return connection.requests.some(
    ({ script, response, over }) => !over && (script.fault?.kind === 'unasked' || script.fault?.kind === 'chunk') && !response?.isclosed(),
  );
}

/** An operation that changes the state begins. */
function enter(connection) {
  if (connection.busy > 0) connection.state = 'unknown';
  connection.busy++;
}

/** The failure of one operation takes the connection with it, and so all others on it. */
function spread(connection, request, error) {
  connection.hand = null;
  for (const other of connection.requests) {
    if (other === request || other.over) continue;
    other.events.broken = true;
    other.events.failures.add(error);
  }
}

/** Was a signal that counts aborted? */
function abortedOf(play, connection, request) {
  const names = [connection.signalName, request?.op.signal].filter((name) => name !== undefined);
  return names.map((name) => play.signals.get(name)).find((one) => one?.controller.signal.aborted);
}

function make(play, op, connection) {
  const request = new Request(op, play.sequence, connection);
  request.signal = op.signal;
  signalOf(play, op.signal);
  play.requests.push(request);
  connection.requests.push(request);
  play.peer.add(request);
  return request;
}

/** A request was refused with nothing sent. */
function unmake(play, connection, request) {
  play.peer.forget(request);
  connection.requests = connection.requests.filter((one) => one !== request);
  if (request.source !== null) request.source.abandoned = true;
}

function optionsOf(play, op) {
  const options = {};
  if (op.deadline !== undefined) options.deadline = op.deadline;
  if (op.signal !== undefined) options.signal = signalOf(play, op.signal);
  if (op.expect) options.expect_continue = 0.02;
  if (op.trailers) options.trailers = { 'X-Sum': op.size };
  return options;
}

async function request(play, op, connection) {
  if (isBlind(connection)) return;
  const { api } = connection;
  const one = make(play, op, connection);
  if (op.body !== 'none') one.source = new Source({ kind: op.body, pieces: op.pieces, end: op.end, at: op.at }, one.upload);
  await one.source?.prepare();
  if (one.source !== null && op.body !== 'array') one.source.onpiece = () => fire(play, connection, 'source');
  if (one.source?.error) connection.foreign.add(one.source.error);
  const known = connection.busy === 0 ? connection.state : 'unknown';
  const before = abortedOf(play, connection, one);
  const headers = op.announced === undefined ? {} : { 'Content-Length': op.announced };
  enter(connection);
  play.say(`c${connection.index}.request ${describe(op)}`);
  const task = play.follow(`request ${one.name}`, connection, () => api.request(op.method, `/${one.id}`, one.source?.body ?? null, headers, optionsOf(play, op)), {
    waits: () => waitsOnConnection(connection, one),
    ok: () => {
      connection.busy--;
      if (before !== undefined) play.report('abort-ignored', `${one.name} was sent although its signal was aborted before`);
      if (known === 'sent' || known === 'started') play.report('state', `${one.name} was sent in the state ${known}`);
      if (one.source?.refused) play.report('consumed', `a body that was ${op.body} before was sent as the body of ${one.name}`);
      const sent = one.script.when === 'end' && !(op.expect && one.script.expect === 'final'); // or left unsent
      if (op.misfit && op.end === 'normal' && sent && one.events.failures.size === 0) play.report('misfit', `a body of ${one.upload.size} bytes was sent for a Content-Length of ${op.announced}`);
      connection.current = one;
      if (connection.state !== 'unknown') connection.state = 'sent';
    },
    failed: (error) => {
      connection.busy--;
      if (one.source !== null) one.source.abandoned = true;
      const stays = isStateError(error) && (known !== 'idle' || connection.requests.some((each) => each.unsent || each.short));
      if (!stays) {
        const wrong = play.model.wrongError(one, error, 'request');
        if (wrong !== null) play.report(wrong.kind, `${one.name}: ${wrong.text}`);
      }
      if (isRefusal(error)) {
        unmake(play, connection, one);
        return;
      }
      if (error !== before?.reason) spread(connection, one, error);
      if (connection.state !== 'unknown') connection.state = 'idle';
    },
  });
  if (op.wait) await play.settle(task);
}

/** What must come of getresponse: the request that it answers, 'refused', or null when that isn't known. */
function awaited(connection) {
  if (connection.busy > 0 || connection.state === 'unknown') return null;
  if (connection.state !== 'sent') return 'refused';
  const { current } = connection;
  const earlier = connection.requests.some((one) => one !== current && one.response !== null && !one.over && !one.response.isclosed());
  if (!earlier) return current;
  return null; // a response that owns its connection is in nobody's way
}

async function getresponse(play, op, connection) {
  const { api } = connection;
  const expected = awaited(connection);
  const about = connection.busy > 0 ? (connection.requests.at(-1) ?? null) : connection.current;
  enter(connection);
  play.say(`c${connection.index}.getresponse`);
  const task = play.follow(`getresponse ${about?.name ?? ''}`, connection, () => api.getresponse(), {
    waits: () => about === null || waitsOnConnection(connection, about),
    ok: (response) => {
      connection.busy--;
      if (expected === 'refused') play.report('state', `getresponse gave a response in the state ${connection.state}`);
      accept(play, connection, expected, response);
      if (connection.state !== 'unknown') connection.state = 'idle';
    },
    failed: (error) => {
      connection.busy--;
      const refused = isStateError(error);
      if (refused && (expected === 'refused' || expected === null)) return;
      if (about === null) {
        if (!connection.foreign.has(error) && connection.state !== 'unknown') play.report('state', `getresponse with no request has ${textOf(error)}`);
        return;
      }
      const wrong = play.model.wrongError(about, error, 'getresponse');
      if (wrong !== null) play.report(wrong.kind, `${about.name}: ${wrong.text}`);
      spread(connection, about, error);
      if (!refused) about.over = true;
      if (connection.state !== 'unknown') connection.state = 'idle';
    },
  });
  if (op.wait) await play.settle(task);
}

/** A response has come: is it that of its request? */
function accept(play, connection, expected, response) {
  if (!(response instanceof HTTPResponse)) {
    play.report('no-response', `getresponse gave ${String(response)}`);
    return;
  }
  const id = response.getheader('X-Id');
  const one = connection.requests.find((each) => each.id === id);
  if (one === undefined || one.response !== null || (expected !== null && expected !== 'refused' && one !== expected)) {
    if (isUndecided(connection, expected)) play.say('   what came unasked was not yet there when the request went out: this says nothing');
    else play.report('desync', `getresponse gave the response ${id} where ${expected?.name ?? 'another'} was asked for`);
    play.stopped = true;
    return;
  }
  if (response.status !== one.script.status && !one.script.echo) play.report('status', `${one.name} has the status ${response.status}, not ${one.script.status}`);
  one.response = response;
  one.reading = new Reading(one, play.model);
  connection.latest = one;
}

/** Could nobody know, when the request went out, that there was more than was asked for? */
function isUndecided(connection, expected) {
  const before = connection.requests.filter(({ script }) => script.fault?.kind === 'unasked');
  return before.some(({ seen }) => seen !== null && seen.flushedAt > (expected?.begun ?? 0) - 1);
}

// ---- by hand ----

function putrequest(play, op, connection) {
  if (isBlind(connection)) return;
  const known = connection.busy === 0 ? connection.state : 'unknown';
  const one = make(play, op, connection);
  one.unsent = true;
  one.overlong = op.hand === 'long';
  one.short = op.hand === 'short';
  one.offset = 0;
  const uploads = connection.requests.some((each) => each !== one && each.seen !== null && !each.seen.complete);
  play.say(`c${connection.index}.putrequest ${describe(op)}`);
  try {
    connection.api.putrequest(op.method, `/${one.id}`);
    connection.api.putheader(op.hand === 'chunked' ? 'Transfer-Encoding' : 'Content-Length', op.hand === 'chunked' ? 'chunked' : op.announced);
    if (known === 'sent' || known === 'started') play.report('state', `putrequest was accepted in the state ${known}`);
    if (connection.busy > 0) connection.state = 'unknown';
    else if (connection.state !== 'unknown') connection.state = 'started';
    connection.hand = one;
  } catch (error) {
    unmake(play, connection, one);
    if (isStateError(error) && (known !== 'idle' || uploads || connection.state === 'unknown')) return;
    if (connection.foreign.has(error)) return;
    // One who is told of its beginning can close the connection, and the body before can be on its way still.
    if (error instanceof NotConnected || /the body before is being sent/.test(error.message)) return;
    // What has failed the upload before, and was told to nobody, is the next request's error however that is begun.
    const wrong = play.model.wrongError(one, error, 'request');
    if (wrong !== null) play.report(wrong.kind, `putrequest ${one.name} in the state ${known}: ${wrong.text}`);
  }
}

function failedByHand(play, connection, one, stage) {
  return (error) => {
    connection.busy--;
    const lenient = isStateError(error) && (connection.state === 'unknown' || one.events.broken || one.events.closed || one.events.aborted);
    if (!lenient) {
      const wrong = play.model.wrongError(one, error, stage);
      if (wrong !== null) play.report(wrong.kind, `${one.name}: ${wrong.text}`);
    }
    if (isRefusal(error)) return;
    spread(connection, one, error);
    if (connection.state !== 'unknown') connection.state = 'idle';
  };
}

async function endheaders(play, op, connection) {
  const one = connection.hand;
  if (!one || one.ended) return;
  one.ended = true;
  enter(connection);
  play.say(`c${connection.index}.endheaders ${one.name}`);
  const task = play.follow(`endheaders ${one.name}`, connection, () => connection.api.endheaders(), {
    waits: () => waitsOnConnection(connection, one),
    ok: () => {
      connection.busy--;
      connection.current = one;
      if (connection.state !== 'unknown') connection.state = 'sent';
    },
    failed: failedByHand(play, connection, one, 'request'),
  });
  if (op.wait) await play.settle(task);
}

/** Sends the next piece of the body by hand. */
async function send(play, op, connection) {
  const one = connection.hand;
  if (!one?.ended || !one.unsent) return;
  const last = op.last === true;
  const to = last ? one.upload.size : Math.min(one.upload.size, one.offset + op.count);
  let piece = one.upload.bytes.subarray(one.offset, to);
  if (one.op.hand === 'chunked') {
    const parts = piece.length > 0 ? [`${piece.length.toString(16).toUpperCase()}\r\n`, piece, '\r\n'] : [];
    if (last) parts.push('0\r\n\r\n');
    piece = Buffer.concat(parts.map((part) => Buffer.from(part, 'latin1')));
  }
  one.offset = to;
  if (last) one.unsent = false;
  if (piece.length === 0) return;
  connection.busy++;
  play.say(`c${connection.index}.send ${piece.length} bytes of ${one.name}`);
  const data = op.as === 'string' ? piece.latin1Slice() : op.as === 'iterable' ? [piece] : piece;
  const task = play.follow(`send ${one.name}`, connection, () => connection.api.send(data), {
    waits: () => waitsOnConnection(connection, one),
    ok: () => {
      connection.busy--;
    },
    failed: failedByHand(play, connection, one, 'send'),
  });
  if (op.wait) await play.settle(task);
}

// ---- the last request ----

/** A clean exchange. @returns {Promise<string | null>} what is wrong */
async function clean(play, op, connection) {
  const { api } = connection;
  connection.requests = [];
  connection.state = 'idle';
  connection.dials.length = 0;
  connection.signalName = undefined;
  Object.assign(api, { signal: null, timeout: null, timeouts: {}, limits: {}, response_class: HTTPResponse });
  const one = make(play, { ...op, method: 'GET', script: CLEAN }, connection);
  play.say(`c${connection.index}: a clean request, ${one.name}`);
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, BOUND, 'it does not end');
  });
  const exchange = async () => {
    await api.request('GET', `/${one.id}`);
    const response = await api.getresponse();
    if (response.getheader('X-Id') !== one.id) return `it has the response ${response.getheader('X-Id')}`;
    const bytes = await response.read();
    return one.label.matches(bytes, 0) && bytes.length === one.label.size ? null : 'its body is wrong';
  };
  const problem = await Promise.race([exchange().catch(textOf), late]);
  clearTimeout(timer);
  return problem;
}

/** An operation as a line of the log. */
export function describe(op) {
  const { kind: _kind, connection: _connection, wait, script, ...rest } = op;
  const differs = Object.entries(script).filter(([name, value]) => value !== CLEAN[name]);
  return `${wait ? '' : '(not awaited) '}${JSON.stringify(rest)} answered by ${JSON.stringify(Object.fromEntries(differs))}`;
}

export const requests = { request, getresponse, putrequest, endheaders, send, clean };
