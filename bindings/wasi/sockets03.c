/* SPDX-License-Identifier: MIT
 *
 * A host that blocks: the functions of porthole/host.h over the sockets of WASI 0.3, linked into the guest itself. What it
 * promises is in README.md.
 *
 * The streams of WASI 0.3 tell when something is done, not when it could be: a read is given its memory and stays pending until
 * bytes are there, which is what porthole_host_recv promises. All that can end is in one set of waitables; an event is
 * noted at the connection that it is of, whoever waits. What is sent is copied, so that a write that the socket doesn't take at once
 * can go on while the guest does something else.
 */
#include <stdbool.h>

#include "address.h"
#include "component_type.h"
#include "memory.h"
#include "porthole/host.h"
#include "porthole/porthole.h"
#include "wasi03.h"

enum {
  NS_PER_MS = 1000000,
  ADDRESSES = 16,    /* of a name: more are not tried */
  ADDRESS_SIZE = 18, /* of an ip-address in a list */
  AHEAD = 4096,      /* bytes that a wait reads, when no receive is pending */
  OUT = 65536,       /* bytes that are copied at a time */
  LINGER_MS = 1000,  /* how long a close waits for what was sent to go out */
  RESULT = 40
};

/** What failed last, in words. */
typedef struct failure {
  size_t length;
  char text[PORTHOLE_INFO_MOST];
} failure;

/* A read or a write that the runtime has not answered at once, and its answer. */
typedef struct transfer {
  bool pending;
  bool answered;
  uint32_t answer;
} transfer;

typedef struct connection {
  bool open;
  int32_t generation;
  wasi_handle socket;
  wasi_handle input;
  wasi_handle output;
  wasi_handle received; /* the futures of how the streams end, 0 once they were read */
  wasi_handle sent;
  transfer read;
  uint8_t *into; /* where the read that is pending goes */
  size_t room;
  uint8_t *ahead; /* memory for what a wait reads, which stays with the slot */
  size_t ahead_at;
  size_t ahead_end;
  bool ended; /* nothing more comes */
  int32_t end;
  transfer write;
  uint8_t *out; /* memory for what is on its way out, which stays with the slot */
  size_t out_room;
  size_t out_at;
  size_t out_end;
  int32_t send_error;
  failure failure;
} connection;

#include "../table.h"

static failure open_failure;

/** Draws the description of the imports out of the archive; nobody calls it, so that nothing of it stays. */
void wasi_describe(void);
void wasi_describe(void) { wasi_sockets_type(); }

/* ---- results of the canonical ABI: little-endian, each value aligned to its size ---- */

typedef struct result {
  _Alignas(8) uint8_t at[RESULT];
} result;

static uint32_t word_at(const uint8_t *from) {
  uint32_t word;
  __builtin_memcpy(&word, from, sizeof word);
  return word;
}

static uint16_t half_at(const uint8_t *from) { return (uint16_t)(from[0] | from[1] << 8); }

static void *pointer_at(const uint8_t *from) {
  return (void *)(uintptr_t)word_at(from); /* NOLINT(performance-no-int-to-ptr) */
}

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

static int32_t fail(failure *where, int32_t error, const char *text) {
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

/* Where the words of an error land. */
static char words[PORTHOLE_INFO_MOST];

static void land_words(void) { wasi_land(words, sizeof words); }

/** Keeps the error of a result, behind four bytes of it, and in words that have landed. @returns the error */
static int32_t fail_code(failure *where, const char *what, const result *got, const error_code *codes, size_t count) {
  size_t code = got->at[4];
  fail(where, 0, what);
  append(where, ": ", 2);
  if (code + 1 == count && got->at[8] != 0) { /* an option of a string */
    size_t length = word_at(got->at + 16);
    wasi_landed(pointer_at(got->at + 12), length, words, sizeof words);
    append(where, words, length < sizeof words ? length : sizeof words);
  } else {
    wasi_landed(NULL, 0, words, sizeof words);
    const char *name = code < count ? codes[code].name : "an error without a name";
    append(where, name, length_of(name));
  }
  return code < count ? codes[code].error : PORTHOLE_HOST_OTHER;
}

static int32_t fail_socket(failure *where, const char *what, const result *got) {
  return fail_code(where, what, got, socket_codes, SOCKET_CODES);
}

/* ---- events ---- */

static wasi_handle set; /* of all that can end */

/* The call that is waited for: there is one at a time. */
static wasi_handle call;
static bool call_ended;
static bool call_returned;

/* The future that is waited for. */
static wasi_handle future;
static bool future_answered;

/** A limit for one operation: a clock that is started when something has to be waited for. */
typedef struct limit {
  int64_t ns; /* below zero for none, 0 when the time is up */
  wasi_handle clock;
} limit;

static limit limit_of(int32_t timeout_ms) { return (limit){timeout_ms < 0 ? -1 : (int64_t)timeout_ms * NS_PER_MS, 0}; }

static void end_limit(limit *done) {
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
  }
  for (size_t i = 0; i < CONNECTIONS; i++) {
    connection *one = &connections[i];
    transfer *of = kind == WASI_READ_EVENT && one->input == what     ? &one->read
                   : kind == WASI_WRITE_EVENT && one->output == what ? &one->write
                                                                     : NULL;
    if (one->open && of != NULL && of->pending) {
      of->answered = true;
      of->answer = event[1];
    }
  }
}

/** Waits for the next event, whatever it is of. @returns false when the time is up */
static bool next_event(limit *within) {
  uint32_t event[2];
  uint32_t kind;
  if (within->ns == 0) {
    kind = wasi_set_poll(set, event);
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
    wasi_join(within->clock, set);
  }
  kind = wasi_set_wait(set, event);
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

/** Waits for a call that was started. @returns did it return? Else it was cancelled */
static bool finish_call(uint32_t started, limit *within) {
  if ((started & WASI_END_MASK) == WASI_RETURNED) {
    return true;
  }
  call = (wasi_handle)(started >> WASI_END_BITS);
  call_ended = call_returned = false;
  wasi_join(call, set);
  while (!call_ended && next_event(within)) {
  }
  wasi_join(call, 0);
  if (!call_ended) {
    call_returned = wasi_call_cancel(call) == WASI_RETURNED;
  }
  wasi_call_drop(call);
  call = 0;
  return call_returned;
}

/* ---- time ---- */

uint32_t porthole_host_now(void) { return (uint32_t)(wasi_now() / NS_PER_MS); }

/** What is left until a moment of wasi_now, in ns; below zero for no limit. */
static int64_t left_until(int64_t deadline) {
  if (deadline < 0) {
    return -1;
  }
  int64_t left = deadline - (int64_t)wasi_now();
  return left > 0 ? left : 0;
}

/* ---- connecting ---- */

/** Writes an ip-socket-address behind the socket that is connected. */
static void write_arguments(uint8_t *to, wasi_handle socket, const address *end, uint32_t port) {
  uint16_t half = (uint16_t)port;
  __builtin_memset(to, 0, RESULT);
  __builtin_memcpy(to, &socket, sizeof socket);
  to[4] = end->ipv6;
  __builtin_memcpy(to + 8, &half, sizeof half);
  if (end->ipv6) {
    __builtin_memcpy(to + 16, end->part, 16);
    __builtin_memcpy(to + 32, &end->scope, sizeof end->scope);
  } else {
    for (size_t i = 0; i < 4; i++) {
      to[10 + i] = (uint8_t)end->part[i];
    }
  }
}

/** Connects to one address within some time. @returns 0 or an error */
static int32_t connect_to(connection *made, const address *to, uint32_t port, int64_t ns) {
  result arguments;
  result got; /* a result; what is made, or the error, behind a word */
  land_words();
  wasi_tcp_create(to->ipv6, got.at);
  if (got.at[0] != 0) {
    return fail_socket(&open_failure, "create", &got);
  }
  wasi_handle socket = (wasi_handle)word_at(got.at + 4);
  write_arguments(arguments.at, socket, to, port);
  limit within = {ns, 0};
  bool returned = ns != 0 && finish_call(wasi_tcp_connect(arguments.at, got.at), &within);
  end_limit(&within);
  int32_t error = !returned        ? fail(&open_failure, PORTHOLE_HOST_TIMED_OUT, "connecting took too long")
                  : got.at[0] != 0 ? fail_socket(&open_failure, "connect", &got)
                                   : 0;
  wasi_landed(NULL, 0, words, sizeof words);
  if (error != 0) {
    wasi_tcp_drop(socket);
    return error;
  }
  wasi_handle both[2];
  wasi_tcp_receive(socket, both);
  uint64_t pair = wasi_write_new();
  made->socket = socket;
  made->input = both[0];
  made->received = both[1];
  made->output = (wasi_handle)(pair >> 32);
  made->sent = wasi_tcp_send(socket, (wasi_handle)(uint32_t)pair);
  wasi_join(made->input, set);
  wasi_join(made->output, set);
  return 0;
}

static bool fits_family(bool ipv6, uint32_t flags) {
  flags &= PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6;
  return flags == 0 || (flags & (ipv6 ? PORTHOLE_OPEN_IPV6 : PORTHOLE_OPEN_IPV4)) != 0;
}

/** Takes the addresses of a family out of a list. @returns how many */
static int32_t read_addresses(const uint8_t *from, size_t count, uint32_t flags, address *list) {
  int32_t found = 0;
  for (size_t i = 0; i < count && i < ADDRESSES; i++, from += ADDRESS_SIZE) {
    if (fits_family(from[0] != 0, flags)) {
      address *one = &list[found++];
      *one = (address){.ipv6 = from[0] != 0};
      for (size_t k = 0; k < (one->ipv6 ? 8 : 4); k++) {
        one->part[k] = one->ipv6 ? half_at(from + 2 + 2 * k) : from[2 + k];
      }
    }
  }
  return found;
}

/** @returns how many addresses there are to try, or an error */
static int32_t look_up(const char *host, size_t length, uint32_t flags, int64_t ns, address *list) {
  uint8_t landed[ADDRESSES * ADDRESS_SIZE];
  result got; /* a result; behind four bytes the list, or an error */
  int32_t count;
  if (wasi_address_read(&list[0], host, length)) {
    count = fits_family(list[0].ipv6, flags);
  } else {
    limit within = {ns, 0};
    wasi_land(landed, sizeof landed);
    bool returned = finish_call(wasi_resolve(host, length, got.at), &within);
    end_limit(&within);
    if (returned && got.at[0] != 0) {
      wasi_land(words, sizeof words);
      return fail_code(&open_failure, "resolve-addresses", &got, look_up_codes, LOOK_UP_CODES);
    }
    size_t answers = returned ? word_at(got.at + 8) : 0;
    wasi_landed(pointer_at(got.at + 4), answers * ADDRESS_SIZE, landed, sizeof landed);
    if (!returned) {
      return fail(&open_failure, PORTHOLE_HOST_TIMED_OUT, "the look-up took too long");
    }
    count = read_addresses(landed, answers, flags, list);
  }
  return count > 0 ? count : fail(&open_failure, PORTHOLE_HOST_NOT_FOUND, "the name has no address of this family");
}

/** Connects to any of the addresses, and gives each its share of the time that is left. @returns 0 or the last error */
static int32_t connect_to_any(connection *made, const address *list, int32_t count, uint32_t port, int64_t deadline) {
  int32_t error = 0;
  for (int32_t i = 0; i < count; i++) {
    int64_t left = left_until(deadline);
    error = connect_to(made, &list[i], port, left < 0 ? -1 : left / (count - i));
    if (error == 0) {
      break;
    }
  }
  return error;
}

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  address list[ADDRESSES];
  if (!can_be_opened(host, host_length, port)) {
    return fail(&open_failure, PORTHOLE_HOST_OTHER, "this can't be a host and a port");
  }
  if ((flags & ~(uint32_t)(PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6)) != 0) {
    return fail(&open_failure, PORTHOLE_HOST_UNSUPPORTED, "this host has no TLS");
  }
  if (timeout_ms == 0) {
    return fail(&open_failure, PORTHOLE_HOST_TIMED_OUT, "nobody is connected in no time");
  }
  connection *slot = find_free();
  if (slot == NULL) {
    return fail(&open_failure, PORTHOLE_HOST_BUSY, "too many connections are open");
  }
  if (set == 0) {
    set = wasi_set_new();
  }
  int64_t deadline = timeout_ms < 0 ? -1 : (int64_t)wasi_now() + (int64_t)timeout_ms * NS_PER_MS;
  int32_t count = look_up(host, host_length, flags, left_until(deadline), list);
  int32_t error = count < 0 ? count : connect_to_any(slot, list, count, port, deadline);
  if (error != 0) {
    return error;
  }
  slot->open = true;
  slot->generation++;
  slot->read = slot->write = (transfer){.pending = false};
  slot->ahead_at = slot->ahead_end = slot->out_at = slot->out_end = 0;
  slot->ended = false;
  slot->send_error = 0;
  slot->failure.length = 0;
  return handle_of(slot);
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  (void)name;
  (void)name_length;
  (void)flags;
  (void)timeout_ms;
  connection *on = find_connection(handle);
  return on == NULL ? PORTHOLE_HOST_BAD_HANDLE : fail(&on->failure, PORTHOLE_HOST_UNSUPPORTED, "this host has no TLS");
}

/* ---- bytes ---- */

/** Reads how a stream ended, once it has: a future that is answered by then, or soon. @returns 0 or an error */
static int32_t read_end(connection *of, wasi_handle *end, uint32_t (*ask)(wasi_handle, uint8_t *),
                        void (*drop)(wasi_handle), const char *what) {
  result got = {.at = {0}}; /* a result; the error behind four bytes */
  limit within = {-1, 0};
  if (*end == 0) {
    return fail(&of->failure, PORTHOLE_HOST_CLOSED, "the stream is closed");
  }
  land_words();
  if (ask(*end, got.at) == WASI_BLOCKED) {
    future = *end;
    future_answered = false;
    wasi_join(future, set);
    while (!future_answered && next_event(&within)) {
    }
    wasi_join(future, 0);
    future = 0;
  }
  int32_t error = got.at[0] != 0 ? fail_socket(&of->failure, what, &got) : 0;
  wasi_landed(NULL, 0, words, sizeof words);
  drop(*end);
  *end = 0;
  return error;
}

/** Goes on with what is to be sent. @returns 0 when all is gone, PORTHOLE_WANT_WRITE, or an error */
static int32_t push(connection *to) {
  while (to->send_error == 0) {
    uint32_t answer;
    if (to->write.pending) {
      if (!to->write.answered) {
        return PORTHOLE_WANT_WRITE;
      }
      answer = to->write.answer;
      to->write.pending = false;
    } else if (to->out_at == to->out_end) {
      return 0;
    } else {
      answer = wasi_write(to->output, to->out + to->out_at, to->out_end - to->out_at);
      if (answer == WASI_BLOCKED) {
        to->write = (transfer){.pending = true};
        return PORTHOLE_WANT_WRITE;
      }
    }
    to->out_at += answer >> WASI_END_BITS;
    if ((answer & WASI_END_MASK) == WASI_DROPPED) {
      to->send_error = read_end(to, &to->sent, wasi_sent, wasi_sent_drop, "send");
      if (to->send_error == 0) {
        to->send_error = fail(&to->failure, PORTHOLE_HOST_CLOSED, "the stream is closed");
      }
    }
  }
  return to->send_error;
}

/** Takes bytes to be sent, as many as are copied at a time, or `all`. @returns how many */
static size_t take(connection *to, const uint8_t *data, size_t length, bool all) {
  if (!all && length > OUT) {
    length = OUT;
  }
  if (length > to->out_room) {
    to->out_room = length > OUT ? length : length > OUT / 8 ? OUT : OUT / 8;
    to->out = wasi_take(1, to->out_room);
  }
  __builtin_memcpy(to->out, data, length);
  to->out_at = 0;
  to->out_end = length;
  return length;
}

/** Sends a part, or `all`. */
static int32_t send_within(connection *to, const uint8_t *data, size_t length, int32_t timeout_ms, bool all) {
  limit within = limit_of(timeout_ms);
  int32_t error = push(to);
  while (error == PORTHOLE_WANT_WRITE && next_event(&within)) {
    error = push(to);
  }
  end_limit(&within);
  if (error == PORTHOLE_WANT_WRITE && timeout_ms != 0) {
    error = fail(&to->failure, PORTHOLE_HOST_TIMED_OUT, "sending took too long");
  }
  if (error != 0) {
    return error;
  }
  length = take(to, data, length, all);
  error = push(to);
  return error < 0 && error != PORTHOLE_WANT_WRITE ? error : (int32_t)length;
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (data == NULL || length == 0) {
    return fail(&to->failure, PORTHOLE_HOST_OTHER, "there is nothing to send");
  }
  return send_within(to, data, length, timeout_ms, false);
}

int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (head == NULL || length == 0 || length > INT32_MAX) {
    return fail(&to->failure, PORTHOLE_HOST_OTHER, "this is no head");
  }
  return send_within(to, head, length, timeout_ms, true);
}

/** What the answer to a read means. @returns how many bytes, or what it ends with */
static int32_t settle_read(connection *from, uint32_t answer) {
  from->read.pending = false;
  int32_t count = (int32_t)(answer >> WASI_END_BITS);
  if ((size_t)count > from->room) {
    return fail(&from->failure, PORTHOLE_HOST_OTHER, "the runtime gave more than was asked for");
  }
  if ((answer & WASI_END_MASK) == WASI_DROPPED) {
    from->ended = true;
    from->end = read_end(from, &from->received, wasi_received, wasi_received_drop, "receive");
  }
  if (count > 0 && from->into == from->ahead) {
    from->ahead_at = 0;
    from->ahead_end = (size_t)count;
  }
  return count > 0 ? count : from->ended ? from->end : PORTHOLE_WANT_READ;
}

/** Begins a read, or looks after the one that is pending. @returns as settle_read; PORTHOLE_WANT_READ while it is pending */
static int32_t go_on_reading(connection *from, uint8_t *into, size_t room) {
  if (!from->read.pending) {
    from->into = into;
    from->room = room;
    uint32_t answer = wasi_read(from->input, into, room);
    if (answer != WASI_BLOCKED) {
      return settle_read(from, answer);
    }
    from->read = (transfer){.pending = true};
  }
  return from->read.answered ? settle_read(from, from->read.answer) : PORTHOLE_WANT_READ;
}

/** Receives what is there. @returns how many bytes; WANT_READ for none, 0 at the end; or an error */
static int32_t receive_now(connection *from, uint8_t *buffer, size_t capacity) {
  bool by_wait = from->read.pending && from->into == from->ahead;
  if (by_wait) {
    int32_t result = go_on_reading(from, NULL, 0);
    if (result <= 0) {
      return result;
    }
  }
  size_t there = from->ahead_end - from->ahead_at;
  if (there > 0) {
    size_t count = there < capacity ? there : capacity;
    __builtin_memcpy(buffer, from->ahead + from->ahead_at, count);
    from->ahead_at += count;
    return (int32_t)count;
  }
  if (from->ended && !from->read.pending) {
    return from->end;
  }
  return go_on_reading(from, buffer, capacity);
}

/** Cancels a read or a write: what is waited for together can't be waited for alone. @returns its answer */
static uint32_t cancel(wasi_handle stream, const transfer *of, uint32_t (*by)(wasi_handle)) {
  if (of->answered) {
    return of->answer;
  }
  wasi_join(stream, 0);
  uint32_t answer = by(stream);
  wasi_join(stream, set);
  return answer;
}

/** Ends a receive whose time is up. @returns the bytes that came meanwhile, or the error */
static int32_t cancel_receive(connection *from) {
  int32_t received = PORTHOLE_WANT_READ;
  if (from->read.pending && from->into != from->ahead) {
    received = settle_read(from, cancel(from->input, &from->read, wasi_read_cancel));
  }
  return received != PORTHOLE_WANT_READ ? received
                                        : fail(&from->failure, PORTHOLE_HOST_TIMED_OUT, "nothing came for too long");
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  connection *from = find_connection(handle);
  if (from == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (buffer == NULL || capacity == 0) {
    return fail(&from->failure, PORTHOLE_HOST_OTHER, "there is no room to receive into");
  }
  if (from->read.pending && from->into != from->ahead && from->into != buffer) {
    return fail(&from->failure, PORTHOLE_HOST_OTHER, "another receive is pending");
  }
  capacity = capacity < INT32_MAX >> WASI_END_BITS ? capacity : INT32_MAX >> WASI_END_BITS;
  limit within = limit_of(timeout_ms);
  int32_t received = receive_now(from, buffer, capacity);
  while (received == PORTHOLE_WANT_READ && next_event(&within)) {
    push(from); /* half of a head gets no answer */
    received = receive_now(from, buffer, capacity);
  }
  end_limit(&within);
  return received == PORTHOLE_WANT_READ && timeout_ms != 0 ? cancel_receive(from) : received;
}

/* ---- waiting ---- */

/** Would a receive be answered at once? A read is begun where none is pending. */
static bool is_readable(connection *of) {
  if (of->ahead_at < of->ahead_end || (of->ended && !of->read.pending)) {
    return true;
  }
  if (of->read.pending) {
    return of->read.answered;
  }
  if (of->ahead == NULL) {
    of->ahead = wasi_take(1, AHEAD);
  }
  return go_on_reading(of, of->ahead, AHEAD) != PORTHOLE_WANT_READ;
}

/** Looks at all pairs. @returns how many are ready */
static int32_t ready_pairs(const int32_t *list, uint32_t count, int32_t *bits) {
  int32_t found = 0;
  for (uint32_t i = 0; i < count; i++) {
    connection *on = find_connection(list[HANDLE_OF(i)]);
    int32_t interest = list[INTEREST_OF(i)];
    bool writable = push(on) != PORTHOLE_WANT_WRITE;
    bits[i] = (interest & PORTHOLE_READABLE) && is_readable(on) ? PORTHOLE_READABLE : 0;
    bits[i] |= (interest & PORTHOLE_WRITABLE) && writable ? PORTHOLE_WRITABLE : 0;
    found += bits[i] != 0;
  }
  return found;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  int32_t bits[CONNECTIONS];
  int32_t refused = check_list(list, count);
  if (refused != 0) {
    return refused;
  }
  if (set == 0) {
    set = wasi_set_new();
  }
  limit within = limit_of(timeout_ms);
  int32_t found = ready_pairs(list, count, bits);
  while (found == 0 && next_event(&within)) {
    found = ready_pairs(list, count, bits);
  }
  end_limit(&within);
  for (uint32_t i = 0; i < count; i++) {
    list[INTEREST_OF(i)] = bits[i];
  }
  return found;
}

void porthole_host_close(int32_t handle) {
  connection *done = find_connection(handle);
  if (done == NULL) {
    return;
  }
  limit within = limit_of(LINGER_MS); /* what the host has taken goes out, as far as the peer takes it */
  while (push(done) == PORTHOLE_WANT_WRITE && next_event(&within)) {
  }
  end_limit(&within);
  if (done->write.pending) {
    cancel(done->output, &done->write, wasi_write_cancel);
  }
  if (done->read.pending) {
    cancel(done->input, &done->read, wasi_read_cancel);
  }
  done->open = false;
  wasi_read_drop(done->input); /* streams before their socket */
  wasi_write_drop(done->output);
  if (done->received != 0) {
    wasi_received_drop(done->received);
  }
  if (done->sent != 0) {
    wasi_sent_drop(done->sent);
  }
  wasi_tcp_drop(done->socket);
}

/* ---- texts ---- */

/** Writes an end of a socket. @returns its length, 0 when it isn't known */
static size_t write_end(const connection *of, bool peer, char *to) {
  result got; /* a result; behind four bytes the family, behind eight the port; then IPv4, or flow, IPv6 and scope */
  land_words();
  if (peer) {
    wasi_tcp_peer(of->socket, got.at);
  } else {
    wasi_tcp_local(of->socket, got.at);
  }
  wasi_landed(NULL, 0, words, sizeof words);
  if (got.at[0] != 0) {
    return 0;
  }
  address end = {.ipv6 = got.at[4] != 0};
  for (size_t i = 0; i < (end.ipv6 ? 8 : 4); i++) {
    end.part[i] = end.ipv6 ? half_at(got.at + 16 + 2 * i) : got.at[10 + i];
  }
  end.scope = end.ipv6 ? word_at(got.at + 32) : 0;
  return wasi_address_write(&end, half_at(got.at + 8), to);
}

int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity) {
  const connection *of = find_connection(handle);
  char written[ADDRESS_MOST];
  const char *text = written;
  size_t length = 0;
  if (buffer == NULL || (of == NULL && (handle != 0 || what != PORTHOLE_INFO_ERROR))) {
    return 0;
  }
  if (what == PORTHOLE_INFO_ERROR) {
    const failure *last = of == NULL ? &open_failure : &of->failure;
    text = last->text;
    length = last->length;
  } else if (what == PORTHOLE_INFO_PEER || what == PORTHOLE_INFO_LOCAL) {
    length = write_end(of, what == PORTHOLE_INFO_PEER, written);
  }
  if (length > capacity) {
    length = capacity;
    while (length > 0 && ((uint8_t)text[length] & 0xC0) == 0x80) {
      length--;
    }
  }
  __builtin_memcpy(buffer, text, length);
  return (int32_t)length;
}
