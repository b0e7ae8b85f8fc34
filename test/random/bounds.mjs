// SPDX-License-Identifier: MIT

/** What should come to an end does so within this many milliseconds, also on a busy machine. */
export const BOUND = 8000;
/** What may wait for ever is given so many. */
export const PATIENCE = 15;
