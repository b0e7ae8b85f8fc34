/* SPDX-License-Identifier: MIT
 *
 * A guest as a program: what the hosts of demo/hosts run. It imports porthole_host_v1 and nothing else, and exports its memory and the
 * four functions below. A host writes the arguments where guest_arguments says, calls guest_run until it answers a status,
 * and prints after each call what guest_output has.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>

/* Is it a module of its own, and not linked with its host? Then what runs it calls its exports. */
#if defined __wasm__ && !defined GUEST_LINKED
#define GUEST_SANDBOXED
#endif

#ifdef GUEST_SANDBOXED
#define GUEST_EXPORT(name) __attribute__((export_name(#name)))
#else
#define GUEST_EXPORT(name)
#endif

enum {
  GUEST_MORE = -1,               /* of guest_run: print the output and call again */
  GUEST_ARGUMENTS_SIZE = 8192,   /* bytes of all arguments */
  GUEST_OUTPUT_SIZE = 16384 + 64 /* bytes of output between two calls; what is more is lost */
};

/** @returns room for `size` bytes: each argument, a zero behind it; NULL when they are too many */
GUEST_EXPORT(guest_arguments) char *guest_arguments(uint32_t size);

/** Runs the guest. @returns its status, 0 when all went well; GUEST_MORE */
GUEST_EXPORT(guest_run) int32_t guest_run(void);

/** What the last guest_run said. */
GUEST_EXPORT(guest_output) const char *guest_output(void);

GUEST_EXPORT(guest_output_size) uint32_t guest_output_size(void);

/* ---- for the guest: guest.c ---- */

/** An argument, from 0; NULL behind the last. */
const char *guest_argument(uint32_t index);

/** Adds bytes to the output. */
void guest_write(const void *bytes, size_t length);

/** Adds a string to the output. */
void guest_say(const char *text);

/** Adds a number in decimal to the output. */
void guest_say_number(int64_t number);

/** Forgets what was said: guest_run begins with it. */
void guest_begin(void);

size_t guest_length(const char *text);

#endif
