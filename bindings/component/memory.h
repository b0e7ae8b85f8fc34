/* SPDX-License-Identifier: MIT
 *
 * The component's memory: what is held for connections and responses, within a limit, and what lives as long as a call.
 */
#ifndef PORTHOLE_COMPONENT_MEMORY_H
#define PORTHOLE_COMPONENT_MEMORY_H

#include <stddef.h>

/** Memory until memory_release, aligned for anything. @returns NULL when too much is held */
void *memory_hold(size_t size);

/** @param at of memory_hold, or NULL */
void memory_release(void *at);

/**
 * Memory until the call is over, and its result has been read. Arguments lie in such memory too, each with a spare byte behind it.
 *
 * @returns NULL when there is none
 */
void *memory_for_call(size_t size);

/**
 * Tells that the call is over but for its result: with the first memory for another call, that of this one is freed. (The ABI has
 * a function of its own for that, to be called when the result has been read: one more for each function.)
 */
void memory_end_call(void);

#endif
