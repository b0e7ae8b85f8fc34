// SPDX-License-Identifier: MIT
//
// Making the transport of a connection, within its time.

import net from 'node:net';
import { Transport } from '../bindings/node/transport.js';
import { argumentError, TimeoutError } from './errors.js';
import { kindOf } from './headers.js';

/** @param {unknown} value @returns {boolean} */
export function isDuplex(value) {
  return typeof value?.write === 'function' && typeof value.on === 'function';
}

/**
 * @typedef {object} Dial
 * @property {string} host ASCII
 * @property {number} port
 * @property {number | null} timeout seconds
 * @property {[string, number] | null} source_address
 * @property {AbortSignal | null} signal
 * @property {Function | null} lookup as in net.connect
 * @property {Function | null} create_connection
 */

async function make(dial, setPhase) {
  const { host, port, timeout, source_address, signal, lookup, create_connection } = dial;
  if (create_connection !== null) {
    const socket = await create_connection({ host, port, timeout, source_address, signal });
    if (isDuplex(socket)) return new Transport(socket, false);
    throw argumentError(`create_connection must give a Duplex, not ${kindOf(socket)}`, 'ERR_INVALID_ARG_TYPE');
  }
  const options = { host, port };
  if (lookup !== null) options.lookup = lookup;
  if (source_address !== null) [options.localAddress, options.localPort] = source_address;
  const transport = Transport.connect(options);
  if (net.isIP(host) === 0) {
    setPhase('lookup');
    transport.socket.once('lookup', () => setPhase('connect'));
  }
  return transport;
}

/**
 * Connects.
 *
 * @param {Dial} dial
 * @param {(cancel: ((error: Error) => void) | null) => void} cancellable told how to end the attempt, and when it is over
 * @returns {Promise<Transport>} connected
 */
export async function open(dial, cancellable) {
  const { signal, timeout } = dial;
  signal?.throwIfAborted();
  const started = performance.now();
  let phase = 'connect';
  let transport = null;
  let timer;
  let cancel;
  const ended = new Promise((_resolve, reject) => {
    cancel = reject;
  });
  ended.catch(() => {}); // an end that comes when nobody waits any more is no failure
  if (timeout !== null) {
    const expire = () => cancel(new TimeoutError(phase, timeout, (performance.now() - started) / 1000));
    timer = setTimeout(expire, Math.min(timeout * 1000, 0x7fffffff));
    timer.unref();
  }
  const onabort = () => cancel(signal.reason);
  signal?.addEventListener('abort', onabort, { once: true });
  cancellable(cancel);
  const making = make(dial, (name) => {
    phase = name;
  });
  try {
    transport = await Promise.race([making, ended]);
    await Promise.race([transport.connected(), ended]);
    return transport;
  } catch (error) {
    if (transport !== null) transport.destroy();
    else making.then((late) => late.destroy(), () => {});
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onabort);
    cancellable(null);
  }
}
