/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include "memory.h"
#include "porthole/porthole.h"

/* ---- errors ---- */

static void append(failure *to, const char *text) {
  while (*text != '\0' && to->length < sizeof to->text) {
    to->text[to->length++] = *text++;
  }
}

int32_t wasi_fail(failure *where, int32_t error, const char *text) {
  where->length = 0;
  append(where, text);
  return error;
}

int32_t wasi_fail_sockets(failure *where, const char *what, uint8_t code) {
  static const struct {
    const char *name;
    int32_t error;
  } codes[] = {
      {"unknown", PORTHOLE_HOST_OTHER},
      {"access-denied", PORTHOLE_HOST_DENIED},
      {"not-supported", PORTHOLE_HOST_UNSUPPORTED},
      {"invalid-argument", PORTHOLE_HOST_OTHER},
      {"out-of-memory", PORTHOLE_HOST_BUSY},
      {"timeout", PORTHOLE_HOST_TIMED_OUT},
      {"concurrency-conflict", PORTHOLE_HOST_OTHER},
      {"not-in-progress", PORTHOLE_HOST_OTHER},
      {"would-block", PORTHOLE_HOST_OTHER},
      {"invalid-state", PORTHOLE_HOST_OTHER},
      {"new-socket-limit", PORTHOLE_HOST_BUSY},
      {"address-not-bindable", PORTHOLE_HOST_UNREACHABLE},
      {"address-in-use", PORTHOLE_HOST_BUSY},
      {"remote-unreachable", PORTHOLE_HOST_UNREACHABLE},
      {"connection-refused", PORTHOLE_HOST_REFUSED},
      {"connection-reset", PORTHOLE_HOST_RESET},
      {"connection-aborted", PORTHOLE_HOST_RESET},
      {"datagram-too-large", PORTHOLE_HOST_OTHER},
      {"name-unresolvable", PORTHOLE_HOST_NOT_FOUND},
      {"temporary-resolver-failure", PORTHOLE_HOST_NOT_FOUND},
      {"permanent-resolver-failure", PORTHOLE_HOST_NOT_FOUND},
  };
  bool known = code < sizeof codes / sizeof codes[0];
  wasi_fail(where, 0, what);
  append(where, ": ");
  append(where, known ? codes[code].name : "an error without a name");
  return known ? codes[code].error : PORTHOLE_HOST_OTHER;
}

/** Keeps the first line of the runtime's words: some put a backtrace behind it. */
static void keep_line(failure *where, size_t length) {
  size_t end = 0;
  while (end < length && end < sizeof where->text && (uint8_t)where->text[end] >= ' ' && where->text[end] != 0x7F) {
    end++;
  }
  if (end == sizeof where->text && length > end) { /* cut between characters */
    while (end > 0 && ((uint8_t)where->text[end - 1] & 0xC0) == 0x80) {
      end--;
    }
    end -= end > 0 && (uint8_t)where->text[end - 1] >= 0xC0;
  }
  where->length = end;
}

void wasi_fail_error(failure *where, wasi_handle error) {
  result text; /* pointer, length */
  wasi_land(where->text, sizeof where->text);
  wasi_error_text(error, text.at);
  wasi_landed(pointer_at(&text, 0), word_at(&text, 4), where->text, sizeof where->text);
  wasi_error_drop(error);
  keep_line(where, word_at(&text, 4));
}

int32_t wasi_fail_stream(failure *where, const result *from, size_t offset) {
  if (from->at[offset] != 0) {
    return wasi_fail(where, PORTHOLE_HOST_CLOSED, "the stream is closed");
  }
  wasi_fail_error(where, handle_at(from, offset + 4));
  return PORTHOLE_HOST_RESET;
}

/* ---- time ---- */

/* The clock that wakes a wait. It stays for the waits that follow, as long as it rings before their limits. */
static wasi_handle clock;
static uint64_t clock_rings;

void wasi_drop_clock(void) {
  if (clock != 0) {
    wasi_pollable_drop(clock);
  }
  clock = 0;
}

static wasi_handle clock_before(uint64_t until) {
  if (clock != 0 && clock_rings > until) {
    wasi_drop_clock();
  }
  if (clock == 0) {
    clock = wasi_at(until);
    clock_rings = until;
  }
  return clock;
}

/** Polls once. @returns is one ready but the last, which is the clock where there is one? */
static bool poll_once(const wasi_handle *list, uint32_t all, uint32_t count, uint32_t *ready, uint32_t *ready_count) {
  result where; /* pointer, length */
  wasi_land(ready, all * sizeof *ready);
  wasi_poll(list, all, where.at);
  wasi_landed(pointer_at(&where, 0), word_at(&where, 4) * sizeof *ready, ready, all * sizeof *ready);
  uint32_t answers = word_at(&where, 4) < all ? word_at(&where, 4) : all;
  bool any = false;
  for (uint32_t i = 0; i < answers; i++) {
    any = any || ready[i] < count;
  }
  *ready_count = answers;
  return any;
}

bool wasi_poll_within(limit *within, wasi_handle *list, uint32_t count, uint32_t *ready, uint32_t *ready_count) {
  if (within->ns < 0) {
    return poll_once(list, count, count, ready, ready_count);
  }
  if (within->until == 0) {
    within->until = wasi_now() + (uint64_t)within->ns;
  }
  for (;;) {
    list[count] = clock_before(within->until);
    if (poll_once(list, count + 1, count, ready, ready_count)) {
      return true;
    }
    wasi_drop_clock();
    if (wasi_now() >= within->until) {
      return false;
    }
  }
}

bool wasi_wait_within(limit *within, wasi_handle pollable) {
  if (within->ns < 0) {
    wasi_pollable_block(pollable);
    return true;
  }
  wasi_handle list[2] = {pollable};
  uint32_t ready[2];
  uint32_t count;
  return wasi_poll_within(within, list, 1, ready, &count);
}
