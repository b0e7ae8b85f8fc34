/* SPDX-License-Identifier: MIT
 *
 * How the host for WASI 0.3 speaks with the runtime: results, errors in words, events and time limits.
 */
#ifndef PORTHOLE_WASI_RUNTIME03_H
#define PORTHOLE_WASI_RUNTIME03_H

#include <stdbool.h>

#include "porthole/host.h"
#include "wasi03.h"

/** What failed last, in words. */
typedef struct failure {
  size_t length;
  char text[PORTHOLE_INFO_MOST];
} failure;

/* ---- results of the canonical ABI: little-endian, each value aligned to its size ---- */

enum { RESULT = 40 };

typedef struct result {
  _Alignas(8) uint8_t at[RESULT];
} result;

static inline uint32_t word_at(const uint8_t *from) {
  uint32_t word;
  __builtin_memcpy(&word, from, sizeof word);
  return word;
}

static inline uint16_t half_at(const uint8_t *from) { return (uint16_t)(from[0] | from[1] << 8); }

static inline void *pointer_at(const uint8_t *from) {
  return (void *)(uintptr_t)word_at(from); /* NOLINT(performance-no-int-to-ptr) */
}

/* ---- errors ---- */

/** Keeps why something failed. @returns the error */
int32_t wasi_fail(failure *where, int32_t error, const char *text);

/** Where lists land: the words of errors, and addresses. */
enum { LANDING = 512 };
extern uint8_t wasi_landing[LANDING];

/** Is called before what can answer with a list, or with an error of the runtime's, which can have words. */
void wasi_land_here(void);

/** Is called behind it; the two below have done so already. */
void wasi_landed_here(void);

/** Maps the error-code of wasi:sockets/types that is behind four bytes of a result. */
int32_t wasi_fail_socket(failure *where, const char *what, const result *got);

/** Maps that of wasi:sockets/ip-name-lookup. */
int32_t wasi_fail_look_up(failure *where, const char *what, const result *got);

/* ---- events ---- */

enum { NS_PER_MS = 1000000 };

/** All that can end, made by the first call of wasi_make_set. */
extern wasi_handle wasi_set;

void wasi_make_set(void);

/** A limit for one operation: a clock that is started when something has to be waited for. */
typedef struct limit {
  int64_t ns; /* below zero for none, 0 when the time is up */
  wasi_handle clock;
} limit;

static inline limit limit_of(int32_t timeout_ms) {
  return (limit){timeout_ms < 0 ? -1 : (int64_t)timeout_ms * NS_PER_MS, 0};
}

void wasi_end_limit(limit *done);

/** Waits for the next event, whatever it is of. @returns false when the time is up */
bool wasi_next_event(limit *within);

/** Waits for a call that was started. @returns did it return? Else it was cancelled */
bool wasi_finish_call(uint32_t started, limit *within);

/** Waits for the answer of a future whose read was blocked. */
void wasi_finish_future(wasi_handle of);

/** Notes at its stream the answer to a read or a write: what sockets03.c has for wasi_next_event. */
void wasi_note_transfer(uint32_t kind, wasi_handle stream, uint32_t answer);

#endif
