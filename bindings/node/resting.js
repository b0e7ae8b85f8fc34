// SPDX-License-Identifier: MIT
//
// Sockets that rest don't keep the process. Most of those that are used often are used again at once: to let each go, and take it
// back, would cost more than to look at all of them after a moment. (One that is shorter than the kernel's own ticks would be
// dear: it would be set anew for each wait of the event loop.)

import { after, timersAreReal } from './timers.js';

/** How long that moment is, in milliseconds. */
const MOMENT = 100;

/** @typedef {{listed: boolean, letGo: () => void}} Resting whose `letGo` lets the process end, if it rests still */

/** @type {Resting[]} */
let listed = [];

/** Lets the process end in a moment, if this one rests still. @param {Resting} one */
export function letGoLater(one) {
  if (!timersAreReal) return one.letGo();
  if (one.listed) return;
  one.listed = true;
  listed.push(one);
  if (listed.length === 1) after(MOMENT, look); // until then the sockets keep the process
}

function look() {
  const those = listed;
  listed = [];
  for (const one of those) {
    one.listed = false;
    one.letGo();
  }
}
