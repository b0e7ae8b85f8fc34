// SPDX-License-Identifier: MIT
//
// Makes the connections of a sequence, with the hooks that operations set.

import net from 'node:net';
import { HTTPConnection } from '../../js/index.js';
import { fire } from './acts.mjs';

/** A signal of a sequence, made when it is first named. */
export function signalOf(play, name) {
  if (name === undefined) return undefined;
  if (!play.signals.has(name)) {
    play.signals.set(name, { controller: new AbortController(), reason: new Error(`${name} was aborted`) });
  }
  return play.signals.get(name).controller.signal;
}

/**
 * @param {import('./play.mjs').Play} play
 * @param {import('./model.mjs').Connection} connection
 * @param {object} options of the plan
 */
export async function open(play, connection, options) {
  const { create, lookup, informational, timeout, timeouts, retry, signal, blocksize } = options;
  connection.options = options;
  connection.hooks = new Map();
  connection.timed = timeout !== undefined || timeouts !== undefined;
  connection.retries = retry === true;
  connection.signalName = signal;
  connection.index = play.connections.indexOf(connection);
  const name = `c${connection.index}`;
  const settings = { timeout, timeouts, signal: signalOf(play, signal), blocksize };
  if (retry) settings.retry_stale = 1;
  if (create) settings.create_connection = (given) => dial(play, connection, given);
  if (lookup) {
    settings.lookup = (_host, lookupOptions, done) => {
      fire(play, connection, 'lookup');
      if (lookupOptions.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
      else done(null, '127.0.0.1', 4);
    };
  }
  if (informational) settings.on_informational = () => fire(play, connection, 'informational');
  play.say(`${name} = new HTTPConnection(${JSON.stringify(options)})`);
  connection.api = new HTTPConnection(lookup ? 'peer.test' : '127.0.0.1', play.port, settings);
}

/** The hook `create_connection`. */
function dial(play, connection, { port }) {
  fire(play, connection, 'create');
  const way = connection.dials.shift() ?? 'connected';
  if (way === 'hang') {
    connection.hangs = true;
    return new Promise(() => {});
  }
  if (way === 'throw' || way === 'reject') {
    const error = new Error('no way to the peer');
    connection.foreign.add(error);
    if (way === 'throw') throw error;
    return Promise.reject(error);
  }
  const socket = net.connect(port, '127.0.0.1');
  play.own.add(socket);
  if (way === 'late') return new Promise((resolve) => setTimeout(resolve, 5, socket));
  return socket;
}
