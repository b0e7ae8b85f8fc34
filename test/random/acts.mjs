// SPDX-License-Identifier: MIT
//
// The operations that get in the way of others: closing, aborting, taking sockets away, and callbacks that do so.

import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import net from 'node:net';
import { HTTPResponse, ImproperConnectionState, InvalidURL, TimeoutError } from '../../js/index.js';
import { difference } from './labels.mjs';
import { textOf } from './model.mjs';

/** The state isn't known any more, until the connection is closed at rest. */
function lose(connection) {
  connection.state = 'unknown';
  connection.hand = null; // what is sent by hand now would go anywhere
  connection.mark('broken');
}

function close(play, _op, connection) {
  play.say(`c${connection.index}.close`);
  connection.mark('closed');
  connection.state = connection.busy === 0 ? 'idle' : 'unknown';
  for (const request of connection.requests) request.over = true;
  connection.hand = null;
  connection.hangs = false;
  play.closing(connection);
  try {
    connection.api.close();
  } catch (error) {
    play.report('close', `close() threw ${textOf(error)}`);
  }
  if (connection.api.sock !== null) play.report('close', 'there is a socket after close()');
}

async function connect(play, op, connection) {
  if (connection.state !== 'idle') lose(connection);
  else if (connection.api.sock !== null) connection.mark('broken');
  if (connection.busy > 0) connection.state = 'unknown';
  connection.busy++;
  play.say(`c${connection.index}.connect`);
  const before = connection.signalName === undefined ? undefined : play.signals.get(connection.signalName);
  const closes = connection.closes;
  const task = play.follow('connect', connection, () => connection.api.connect(), {
    waits: () => connection.hangs || connection.state === 'unknown',
    ok: () => {
      connection.busy--;
      if (before?.controller.signal.aborted && connection.api.sock === null) lose(connection);
    },
    failed: (error) => {
      connection.busy--;
      // The deadline of a request that waits for it ends it too.
      const timed = connection.timed || connection.requests.some(({ op: { deadline } }) => deadline !== undefined);
      const ours = connection.foreign.has(error) || (timed && error instanceof TimeoutError);
      const ended = error?.name === 'NotConnected' && (task.closed || connection.state === 'unknown' || closes !== connection.closes);
      if (!ours && !ended) play.report('connect-error', `connect() has ${textOf(error)}`);
    },
  });
  if (op.wait) await play.settle(task);
}

function closeresponse(play, _op, connection) {
  const request = connection.latest;
  if (!request?.response) return;
  play.say(`response of ${request.name}.close`);
  const whole = request.response.isclosed();
  request.events.closed = true;
  if (!whole && connection.current !== request) connection.state = 'unknown'; // a request after it may be under way
  if (!whole) for (const other of connection.requests) if (other !== request) other.events.broken = true;
  request.over = true;
  try {
    request.response.close();
  } catch (error) {
    play.report('close', `the close() of the response of ${request.name} threw ${textOf(error)}`);
  }
  if (!request.response.isclosed()) play.report('close', `the response of ${request.name} is open after its close()`);
}

function abort(play, op, connection) {
  const name = op.signal ?? connection.signalName ?? connection.current?.op.signal;
  const entry = play.signals.get(name);
  if (entry === undefined || entry.controller.signal.aborted) return;
  play.say(`${name}.abort`);
  for (const each of play.connections) {
    const mine = each.signalName === name || each.requests.some((request) => request.op.signal === name);
    if (!mine) continue;
    each.foreign.add(entry.reason);
    const active = each.signalName === name || each.requests.some((request) => request.op.signal === name && !request.over);
    if (!active) continue;
    each.mark('aborted');
    lose(each);
  }
  entry.controller.abort(entry.reason);
}

/** Takes the signal away, and begins anew. */
function fresh(play, _op, connection) {
  connection.signalName = undefined;
  connection.api.signal = null;
  close(play, {}, connection);
}

async function sock(play, op, connection) {
  const { api } = connection;
  if (api.sock !== null) play.given.push(api.sock);
  if (api.sock !== null || connection.busy > 0 || connection.state !== 'idle') lose(connection);
  connection.mark('detached');
  connection.hand = null;
  let socket = null;
  if (op.to === 'duplex') {
    socket = net.connect(play.port, '127.0.0.1');
    play.given.push(socket.on('error', () => {}));
    await once(socket, 'connect');
    if (api.sock !== null) {
      play.given.push(api.sock);
      lose(connection);
    }
  }
  play.say(`c${connection.index}.sock = ${op.to}`);
  try {
    api.sock = socket;
    if (api.sock !== socket) play.report('sock', 'sock is not what was assigned');
  } catch (error) {
    play.report('sock', `assigning ${op.to} to sock threw ${textOf(error)}`);
  }
}

/** Only after a 101, a tunnel, or where the body runs to the end. */
function detach(play, op, connection) {
  const request = connection.latest;
  const from = op.of === 'response' ? request?.response : connection.api;
  if (!from) return;
  play.say(`detach of ${op.of === 'response' ? `the response of ${request.name}` : `c${connection.index}`}`);
  if (typeof from.detach !== 'function') {
    play.report('detach', `${op.of} has no detach()`);
    return;
  }
  const { script, reading, events } = request ?? {};
  // A cut of such a body may be its end.
  const toTheClose = op.of === 'response' && (script.framing === 'close' || script.framing === 'http10') && request.method !== 'HEAD' && script.status !== 204 && script.status !== 304;
  const open = toTheClose && reading.ends === 'end';
  const pending = reading?.pending;
  let result;
  try {
    result = from.detach();
  } catch (error) {
    if (!(error instanceof ImproperConnectionState)) play.report('detach', `detach() of ${op.of} threw ${textOf(error)}`);
    else if (open && !from.isclosed() && !events.broken && !events.closed && !events.aborted && request.upload.size === 0) {
      play.report('detach', `detach() of a response that runs to the close threw ${textOf(error)}`);
    }
    return;
  }
  play.given.push(result.socket);
  result.socket.on('error', () => {});
  connection.mark('detached');
  if (!toTheClose) {
    play.report('detach', `detach() of ${op.of} gave a socket, although its body has an end`);
    return;
  }
  if (pending || events.broken) return;
  const wrong = difference(result.head, request.label, reading.position, play.peer.labels());
  if (wrong !== null) play.report('detach', `the head of a detached response of ${request.name}: ${wrong}`);
}

function tunnel(play, op, connection) {
  const { api } = connection;
  const connected = api.sock !== null;
  if (!connected && op.host === 'good.test') return; // it would count
  play.say(`c${connection.index}.set_tunnel ${op.host}`);
  try {
    api.set_tunnel(op.host);
    play.report('tunnel', `set_tunnel(${JSON.stringify(op.host)}) was accepted ${connected ? 'while connected' : ''}`);
  } catch (error) {
    if (error instanceof ImproperConnectionState && connected) return;
    if (error instanceof InvalidURL && op.host !== 'good.test') return;
    play.report('tunnel', `set_tunnel(${JSON.stringify(op.host)}) threw ${textOf(error)}`);
  }
}

const REFUSED = {
  url: (api, path) => api.request('GET', `${path} b`),
  method: (api, path) => api.request('G T', path),
  name: (api, path) => api.request('GET', path, null, { 'a b': 'c' }),
  value: (api, path) => api.request('GET', path, null, { a: 'b\r\nc: d' }),
  wide: (api, path) => api.request('POST', path, 'Ā'),
  size: (api, path) => api.request('POST', path, 'abc', { 'Content-Length': 4 }),
  option: (api, path) => api.request('GET', path, null, {}, { dead_line: 3 }),
  body: (api, path) => api.request('POST', path, 5),
  hosts: (api, path) => api.request('GET', path, null, [['Host', 'a'], ['Host', 'b']]),
  coding: (api, path) => api.request('POST', path, 'abc', { 'Transfer-Encoding': 'gzip' }),
};

/** An argument that is refused: nothing is sent, nothing changes. */
async function refused(play, op, connection) {
  const known = connection.busy === 0 ? connection.state : 'unknown';
  const unsafe = connection.requests.some(({ script, over }) => script.fault?.kind === 'unasked' && !over);
  if (unsafe) return;
  play.say(`c${connection.index}: a refused argument, ${op.what}`);
  const before = connection.signalName === undefined ? undefined : play.signals.get(connection.signalName);
  connection.busy++; // as long as it waits behind an upload a request cannot be asked for
  const task = play.follow(`refused ${op.what}`, connection, () => REFUSED[op.what](connection.api, `/refused-${op.what}`), {
    waits: () => connection.requests.some((one) => !one.over && one.stalls), // it is staged behind an upload, and judged there
    ok: () => {
      connection.busy--;
      play.report('refused', `the argument (${op.what}) was accepted`);
      lose(connection);
    },
    failed: (error) => {
      connection.busy--;
      if (/^ERR_INVALID_(ARG|CHAR)/.test(error?.code) || error instanceof InvalidURL) return;
      if (task.closed && error?.name === 'NotConnected') return; // it was still waiting
      if (error?.name === 'CannotSendRequest' && known !== 'idle') return;
      if (before?.reason === error) return;
      if (known === 'unknown' && connection.requests.some(({ source }) => source?.error === error)) return; // nobody was told before
      play.report('refused', `the argument (${op.what}) has ${textOf(error)} in the state ${known}`);
    },
  });
  await play.settle(task);
}

function limits(play, op, connection) {
  play.say(`c${connection.index}.limits = ${JSON.stringify(op.limits)}`);
  connection.limited = true;
  connection.api.limits = op.limits;
}

function timeouts(play, op, connection) {
  play.say(`c${connection.index}.timeout = ${op.seconds}`);
  connection.timed = true;
  connection.api.timeout = op.seconds;
}

/** The way to the peer that is taken next. */
function way(play, op, connection) {
  play.say(`c${connection.index}: the next create_connection is ${op.way}`);
  connection.dials.push(op.way);
}

/** A response class that throws, once. */
function badclass(play, _op, connection) {
  const error = new Error('the response class threw');
  connection.foreign.add(error);
  play.say(`c${connection.index}.response_class throws`);
  connection.api.response_class = class extends HTTPResponse {
    constructor(...given) {
      super(...given);
      connection.api.response_class = HTTPResponse;
      throw error;
    }
  };
}

async function tick(play, op) {
  if (op.ms > 0) await new Promise((resolve) => setTimeout(resolve, op.ms));
  else await new Promise((resolve) => setImmediate(resolve));
  play.say(`   ${op.ms} ms`);
}

// ---- callbacks that act ----

/** At the next call of a callback something is done from inside of it. */
function hook(play, op, connection) {
  play.say(`c${connection.index}: at the next ${op.point}, ${op.act}`);
  connection.hooks.set(op.point, op.act);
  if (!op.point.startsWith('porthole:')) return;
  const listen = (message) => {
    if (message.connection === connection.api) fire(play, connection, op.point);
  };
  diagnostics.subscribe(op.point, listen);
  connection.subscribed.push([op.point, listen]);
}

/** A callback of a connection is called. */
export function fire(play, connection, point) {
  const act = connection.hooks.get(point);
  if (act === undefined) return;
  connection.hooks.delete(point);
  play.say(`   from inside of ${point}: ${act}`);
  connection.acted = true;
  connection.hand = null;
  if (act === 'close') close(play, {}, connection);
  else if (act === 'abort') abort(play, {}, connection);
  else if (act === 'closeresponse') closeresponse(play, {}, connection);
  else nested(play, connection, act);
  lose(connection);
  if (act === 'throw') {
    const error = new Error(`thrown by ${point}`);
    connection.foreign.add(error);
    throw error;
  }
}

function nested(play, connection, act) {
  if (act === 'throw') return;
  if (act === 'sock') {
    if (connection.api.sock !== null) play.given.push(connection.api.sock);
    connection.mark('detached');
    connection.api.sock = null;
    return;
  }
  const { api } = connection;
  const made = act === 'request' ? play.nested(connection) : null;
  const call = act === 'request' ? () => api.request('GET', `/${made.id}`) : act === 'connect' ? () => api.connect() : () => api.getresponse();
  connection.busy++;
  play.follow(`${act} from inside`, connection, call, {
    waits: () => true,
    ok: () => connection.busy--,
    failed: (error) => {
      connection.busy--;
      play.model.checkLoose(connection, error, `${act} from inside a callback`);
      if (made === null || !(error instanceof ImproperConnectionState)) return;
      play.peer.forget(made); // it was refused: what fails next is another's
      connection.requests = connection.requests.filter((one) => one !== made);
    },
  });
}

export function setHooksOff(_play, connection) {
  connection.hooks?.clear();
  for (const [channel, listen] of connection.subscribed) diagnostics.unsubscribe(channel, listen);
  connection.subscribed = [];
}

export const acts = {
  close, connect, closeresponse, abort, fresh, sock, detach, tunnel, refused, limits, timeouts, way, badclass, tick, hook,
};
