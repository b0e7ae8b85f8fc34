// SPDX-License-Identifier: MIT
//
// What happens, told to whoever subscribes: the channels of node:diagnostics_channel, which NODE_DEBUG=porthole prints.

import { channel } from 'node:diagnostics_channel';
import { printable } from '../errors.js';

const debug = process.getBuiltinModule('node:util').debuglog('porthole'); // an import would load all that util has

/**
 * @param {string} name
 * @param {(message: any) => string} describe what NODE_DEBUG prints
 */
function event(name, describe) {
  const events = channel(`porthole:${name}`);
  if (debug.enabled) {
    events.subscribe((message) => {
      const { host, port } = message.connection;
      debug('%s %s:%d %s', name, host, port, describe(message));
    });
  }
  return events;
}

const request = ({ request: { method, url } }) => `${method} ${url}`;
const response = (message) => `${request(message)} ${message.status} ${printable(message.reason)}`;

/** A transport was connected, TLS and tunnel included. `{ connection, socket, tls }` */
export const opened = event('connection:open', ({ tls }) => (tls === null ? '' : `${tls.protocol} ${tls.cipher}`));
/** … and was closed. `{ connection, socket, error }` */
export const closed = event('connection:close', ({ error }) => error?.message ?? '');
/** A request was taken. `{ connection, request: { method, url } }` */
export const requestStart = event('request:start', request);
/** All of it is with the socket, or no longer wanted. `{ connection, request, bytes_sent }` */
export const requestSent = event('request:sent', (message) => `${request(message)} ${message.bytes_sent} bytes`);
/** A 1xx. `{ connection, request, status, reason, headers }` */
export const informational = event('response:informational', response);
/** The head of the response. `{ connection, request, response, status, reason }` */
export const responseHeaders = event('response:headers', response);
/** The response is over, whole or not. `{ connection, request, response, timings }` */
export const responseEnd = event('response:end', (message) => `${request(message)} ${Math.round(message.timings.end)} ms`);
/** An operation failed. `{ connection, request, error }` */
export const failed = event('error', ({ error }) => String(error));

/** Will somebody be told of a request in the middle of something else? */
export function followed() {
  return requestSent.hasSubscribers || responseHeaders.hasSubscribers || responseEnd.hasSubscribers || failed.hasSubscribers;
}

/**
 * Tells of a request in the async context in which it was made.
 *
 * @param {import('node:diagnostics_channel').Channel} events
 * @param {{request: import('../request/exchange.js').Exchange | null}} message
 */
export function tell(events, message) {
  if (message.request === null) events.publish(message);
  else message.request.within(() => events.publish(message));
}
