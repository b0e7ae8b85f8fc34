/* SPDX-License-Identifier: MIT */
#include "runtime03.h"

#include "memory.h"
#include "porthole/porthole.h"

/* ---- errors ---- */

/** Appends a line, as far as there is room for whole characters. */
static void append(failure *to, const char *text, size_t length) {
  size_t i = 0;
  while (i < length && to->length < sizeof to->text && (uint8_t)text[i] >= ' ' && text[i] != 0x7F) {
    to->text[to->length++] = text[i++];
  }
  if (i > 0 && i < length && ((uint8_t)text[i] & 0xC0) == 0x80) {
    while (((uint8_t)to->text[--to->length] & 0xC0) == 0x80) {
    }
  }
}

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') {
    length++;
  }
  return length;
}

int32_t wasi_fail(failure *where, int32_t error, const char *text) {
  where->length = 0;
  append(where, text, length_of(text));
  return error;
}

typedef struct error_code {
  const char *name;
  int32_t error;
} error_code;

/* error-code of wasi:sockets/types, and of ip-name-lookup: the last of each is "other", which can have words of its own. */
static const error_code socket_codes[] = {
    {"access-denied", PORTHOLE_HOST_DENIED},
    {"not-supported", PORTHOLE_HOST_UNSUPPORTED},
    {"invalid-argument", PORTHOLE_HOST_OTHER},
    {"out-of-memory", PORTHOLE_HOST_BUSY},
    {"timeout", PORTHOLE_HOST_TIMED_OUT},
    {"invalid-state", PORTHOLE_HOST_OTHER},
    {"address-not-bindable", PORTHOLE_HOST_UNREACHABLE},
    {"address-in-use", PORTHOLE_HOST_BUSY},
    {"remote-unreachable", PORTHOLE_HOST_UNREACHABLE},
    {"connection-refused", PORTHOLE_HOST_REFUSED},
    {"connection-broken", PORTHOLE_HOST_RESET},
    {"connection-reset", PORTHOLE_HOST_RESET},
    {"connection-aborted", PORTHOLE_HOST_RESET},
    {"datagram-too-large", PORTHOLE_HOST_OTHER},
    {"other", PORTHOLE_HOST_OTHER},
};
static const error_code look_up_codes[] = {
    {"access-denied", PORTHOLE_HOST_DENIED},
    {"invalid-argument", PORTHOLE_HOST_NOT_FOUND},
    {"name-unresolvable", PORTHOLE_HOST_NOT_FOUND},
    {"temporary-resolver-failure", PORTHOLE_HOST_NOT_FOUND},
    {"permanent-resolver-failure", PORTHOLE_HOST_NOT_FOUND},
    {"other", PORTHOLE_HOST_OTHER},
};
enum { SOCKET_CODES = sizeof socket_codes / sizeof socket_codes[0] };
enum { LOOK_UP_CODES = sizeof look_up_codes / sizeof look_up_codes[0] };

uint8_t wasi_landing[LANDING];

void wasi_land_here(void) { wasi_land(wasi_landing, sizeof wasi_landing); }

void wasi_landed_here(void) { wasi_landed(NULL, 0, wasi_landing, sizeof wasi_landing); }

/** Keeps the error of a result, behind four bytes of it, and in words that have landed. @returns the error */
static int32_t fail_code(failure *where, const char *what, const result *got, const error_code *codes, size_t count) {
  size_t code = got->at[4];
  wasi_fail(where, 0, what);
  append(where, ": ", 2);
  if (code + 1 == count && got->at[8] != 0) { /* an option of a string */
    size_t length = word_at(got->at + 16);
    wasi_landed(pointer_at(got->at + 12), length, wasi_landing, sizeof wasi_landing);
    append(where, (const char *)wasi_landing, length < sizeof wasi_landing ? length : sizeof wasi_landing);
  } else {
    wasi_landed_here();
    const char *name = code < count ? codes[code].name : "an error without a name";
    append(where, name, length_of(name));
  }
  return code < count ? codes[code].error : PORTHOLE_HOST_OTHER;
}

int32_t wasi_fail_socket(failure *where, const char *what, const result *got) {
  return fail_code(where, what, got, socket_codes, SOCKET_CODES);
}

int32_t wasi_fail_look_up(failure *where, const char *what, const result *got) {
  return fail_code(where, what, got, look_up_codes, LOOK_UP_CODES);
}

/* ---- events ---- */

wasi_handle wasi_set;

void wasi_make_set(void) {
  if (wasi_set == 0) {
    wasi_set = wasi_set_new();
  }
}

/* The call that is waited for: there is one at a time. */
static wasi_handle call;
static bool call_ended;
static bool call_returned;

/* The future that is waited for. */
static wasi_handle future;
static bool future_answered;

void wasi_end_limit(limit *done) {
  if (done->clock != 0) {
    wasi_join(done->clock, 0);
    wasi_call_cancel(done->clock);
    wasi_call_drop(done->clock);
    done->clock = 0;
  }
}

/** Notes what an event says, where it is waited for. */
static void note(uint32_t kind, const uint32_t *event) {
  wasi_handle what = (wasi_handle)event[0];
  if (kind == WASI_CALL_EVENT && what == call) {
    call_ended = event[1] >= WASI_RETURNED;
    call_returned = event[1] == WASI_RETURNED;
  } else if (kind == WASI_FUTURE_EVENT && what == future) {
    future_answered = true;
  } else {
    wasi_note_transfer(kind, what, event[1]);
  }
}

bool wasi_next_event(limit *within) {
  uint32_t event[2] = {0, 0};
  uint32_t kind;
  if (within->ns == 0) {
    kind = wasi_set_poll(wasi_set, event);
    note(kind, event);
    return kind != WASI_NO_EVENT;
  }
  if (within->ns > 0 && within->clock == 0) {
    uint32_t started = wasi_wait_for((uint64_t)within->ns);
    if ((started & WASI_END_MASK) == WASI_RETURNED) {
      within->ns = 0;
      return false;
    }
    within->clock = (wasi_handle)(started >> WASI_END_BITS);
    wasi_join(within->clock, wasi_set);
  }
  kind = wasi_set_wait(wasi_set, event);
  if (kind == WASI_CALL_EVENT && within->clock != 0 && (wasi_handle)event[0] == within->clock) {
    if (event[1] == WASI_RETURNED) {
      wasi_join(within->clock, 0);
      wasi_call_drop(within->clock);
      *within = (limit){0, 0};
    }
    return within->ns != 0;
  }
  note(kind, event);
  return true;
}

bool wasi_finish_call(uint32_t started, limit *within) {
  if ((started & WASI_END_MASK) == WASI_RETURNED) {
    return true;
  }
  call = (wasi_handle)(started >> WASI_END_BITS);
  call_ended = call_returned = false;
  wasi_join(call, wasi_set);
  while (!call_ended && wasi_next_event(within)) {
  }
  wasi_join(call, 0);
  if (!call_ended) {
    call_returned = wasi_call_cancel(call) == WASI_RETURNED;
  }
  wasi_call_drop(call);
  call = 0;
  return call_returned;
}

void wasi_finish_future(wasi_handle of) {
  limit within = {-1, 0};
  future = of;
  future_answered = false;
  wasi_join(future, wasi_set);
  while (!future_answered && wasi_next_event(&within)) {
  }
  wasi_join(future, 0);
  future = 0;
}
