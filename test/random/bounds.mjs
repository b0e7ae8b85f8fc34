// SPDX-License-Identifier: MIT

/** What should come to an end does so within this many milliseconds, also on a busy machine. */
export const BOUND = 20_000;
/** … in which the event loop turns: so many count of a turn that took longer, as other sequences and other programs held it. */
export const TURN_MAX = 100;
/** What may wait for ever is given so many. */
export const PATIENCE = 15;
