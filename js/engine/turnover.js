// SPDX-License-Identifier: MIT
//
// What outlasts a channel. A collection makes V8 forget how objects look of which none lives, and all code that relies on
// it, Node's own for sockets too: a program whose connections come and go would pay for that after each one. So the channel
// that was closed last is kept, and its transport, which have let go of everything of a caller's.

import { restTimer } from '../../bindings/node/timers.js';

const last = { channel: null, transport: null };
/** What so many channels take doesn't matter. */
const FEW = 8;
let open = 0;

/** A channel was made. */
export function opened() {
  open++;
}

/** … or closed. */
export function closed() {
  open--;
  if (open === 0) restTimer();
}

/** Are few open? */
export function few() {
  return open <= FEW;
}

/**
 * Keeps a channel in place of the one that was kept before.
 *
 * @param {import('./channel.js').Channel} channel that is closed
 * @param {import('../../bindings/node/transport.js').Transport} transport that it had
 */
export function keep(channel, transport) {
  last.channel = channel;
  last.transport = transport;
}
