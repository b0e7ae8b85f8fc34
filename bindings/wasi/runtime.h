/* SPDX-License-Identifier: MIT
 *
 * How the host speaks with the runtime: results, errors in words, time limits.
 */
#ifndef PORTHOLE_WASI_RUNTIME_H
#define PORTHOLE_WASI_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include "porthole/host.h"
#include "wasi02.h"

/** What failed last, in words. */
typedef struct failure {
  size_t length;
  char text[PORTHOLE_INFO_MOST];
} failure;

/* ---- results of the canonical ABI: little-endian, each value aligned to its size ---- */

typedef struct result {
  _Alignas(8) uint8_t at[40];
} result;

static inline uint32_t word_at(const result *from, size_t offset) {
  uint32_t word;
  __builtin_memcpy(&word, from->at + offset, sizeof word);
  return word;
}

static inline uint16_t half_at(const result *from, size_t offset) {
  uint16_t half;
  __builtin_memcpy(&half, from->at + offset, sizeof half);
  return half;
}

static inline wasi_handle handle_at(const result *from, size_t offset) { return (wasi_handle)word_at(from, offset); }

static inline void *pointer_at(const result *from, size_t offset) {
  return (void *)(uintptr_t)word_at(from, offset); /* NOLINT(performance-no-int-to-ptr) */
}

enum {
  NS_PER_MS = 1000000,
  WASI_END_WITHIN_MS = 100 /* how long a close waits for what was sent to go out */
};

/** A limit for one operation. It begins when something has to be waited for. */
typedef struct limit {
  int64_t ns;     /* below zero for none */
  uint64_t until; /* a moment of wasi_now, 0 before it begins */
} limit;

static inline limit limit_of(int32_t timeout_ms) {
  return (limit){timeout_ms < 0 ? -1 : (int64_t)timeout_ms * NS_PER_MS, 0};
}

/** Keeps why something failed. @returns the error */
int32_t wasi_fail(failure *where, int32_t error, const char *text);

/** Maps an error-code of wasi:sockets/network. */
int32_t wasi_fail_sockets(failure *where, const char *what, uint8_t code);

/** Keeps the words of an error of wasi:io, which is dropped. */
void wasi_fail_error(failure *where, wasi_handle error);

/** Maps a stream-error at an offset of a result: only its words tell what it was. */
int32_t wasi_fail_stream(failure *where, const result *from, size_t offset);

/** Waits for one of several pollables, the last of the list being free for the clock. @returns false when the time is up */
bool wasi_poll_within(limit *within, wasi_handle *list, uint32_t count, uint32_t *ready, uint32_t *ready_count);

/** Waits for one pollable. @returns false when the time is up */
bool wasi_wait_within(limit *within, wasi_handle pollable);

/** Gives back the clock, which is kept between waits. */
void wasi_drop_clock(void);

#endif
