/* SPDX-License-Identifier: MIT
 *
 * Where the lists go that a runtime returns: it asks the component for memory by cabi_realloc. Before each such call the host
 * says where the list is to land, so that bytes are received straight into the caller's buffer.
 */
#ifndef PORTHOLE_WASI_MEMORY_H
#define PORTHOLE_WASI_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/** The next list lands in [at, at + room), when it fits and cabi_realloc is the one of memory.c, or asks wasi_land_list. */
void wasi_land(void *at, size_t room);

/**
 * For a cabi_realloc of the program's own: where a list is to land.
 *
 * @returns NULL when none is to land, or it doesn't fit: then the memory is the program's
 */
void *wasi_land_list(size_t align, size_t size);

/**
 * Ends that, and copies a list that landed elsewhere.
 *
 * @param list   where the runtime says that it is
 * @param length bytes of it
 * @param at     as of wasi_land; what doesn't fit in `room` is left out
 */
void wasi_landed(void *list, size_t length, void *at, size_t room);

/** Takes memory that is never given back, without end: it traps when there is none. */
void *wasi_take(size_t align, size_t size);

/**
 * Makes memory larger that was taken by this function: where it is, when nothing was taken since. Not for programs with a libc.
 *
 * @param old  NULL, or what is given back
 * @param size more than old_size
 * @returns the memory, aligned for anything; NULL when there is no more
 */
void *wasi_extend(void *old, size_t old_size, size_t size);

#endif
