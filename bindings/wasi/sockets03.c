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
#include "connect03.h"
#include "memory.h"
#include "porthole/porthole.h"
#include "runtime03.h"

enum {
  AHEAD = 4096,    /* bytes that a wait reads, when no receive is pending */
  OUT = 65536,     /* bytes that are copied at a time */
  LINGER_MS = 1000 /* how long a close waits for what was sent to go out */
};

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

static int32_t refuse_tls(failure *where) {
  return wasi_fail(where, PORTHOLE_HOST_UNSUPPORTED, "this host has no TLS");
}

#include "../no_tls.h"

/** Draws the description of the imports out of the archive; nobody calls it, so that nothing of it stays. */
void wasi_describe(void);
void wasi_describe(void) { wasi_sockets_type(); }

/* ---- time ---- */

uint32_t porthole_host_now(void) { return (uint32_t)(wasi_now() / NS_PER_MS); }

/* ---- connecting ---- */

static void make_streams(connection *of) {
  wasi_handle both[2];
  wasi_tcp_receive(of->socket, both);
  uint64_t pair = wasi_write_new();
  of->input = both[0];
  of->received = both[1];
  of->output = (wasi_handle)(pair >> 32);
  of->sent = wasi_tcp_send(of->socket, (wasi_handle)(uint32_t)pair);
  wasi_join(of->input, wasi_set);
  wasi_join(of->output, wasi_set);
}

void wasi_note_transfer(uint32_t kind, wasi_handle stream, uint32_t answer) {
  for (size_t i = 0; i < CONNECTIONS; i++) {
    connection *one = &connections[i];
    transfer *of = kind == WASI_READ_EVENT && one->input == stream     ? &one->read
                   : kind == WASI_WRITE_EVENT && one->output == stream ? &one->write
                                                                       : NULL;
    if (one->open && of != NULL && of->pending) {
      of->answered = true;
      of->answer = answer;
    }
  }
}

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  if (!can_be_opened(host, host_length, port)) {
    return wasi_fail(&open_failure, PORTHOLE_HOST_OTHER, "this can't be a host and a port");
  }
  if ((flags & ~(uint32_t)(PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6)) != 0) {
    return refuse_tls(&open_failure);
  }
  if (timeout_ms == 0) {
    return wasi_fail(&open_failure, PORTHOLE_HOST_TIMED_OUT, "nobody is connected in no time");
  }
  connection *slot = find_free();
  if (slot == NULL) {
    return wasi_fail(&open_failure, PORTHOLE_HOST_BUSY, "too many connections are open");
  }
  int32_t error = wasi_connect(&slot->socket, host, host_length, port, &(connect_how){flags, timeout_ms},
                               &open_failure);
  if (error != 0) {
    return error;
  }
  make_streams(slot);
  slot->open = true;
  slot->generation++;
  slot->read = slot->write = (transfer){.pending = false};
  slot->ahead_at = slot->ahead_end = slot->out_at = slot->out_end = 0;
  slot->ended = false;
  slot->send_error = 0;
  slot->failure.length = 0;
  return handle_of(slot);
}

/* ---- bytes ---- */

/** Reads how a stream ended, once it has: a future that is answered by then, or soon. @returns 0 or an error */
static int32_t read_end(connection *of, wasi_handle *end, uint32_t (*ask)(wasi_handle, uint8_t *),
                        void (*drop)(wasi_handle), const char *what) {
  result got = {.at = {0}}; /* a result; the error behind four bytes */
  if (*end == 0) {
    return wasi_fail(&of->failure, PORTHOLE_HOST_CLOSED, "the stream is closed");
  }
  wasi_land_here();
  if (ask(*end, got.at) == WASI_BLOCKED) {
    wasi_finish_future(*end);
  }
  int32_t error = got.at[0] != 0 ? wasi_fail_socket(&of->failure, what, &got) : 0;
  wasi_landed_here();
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
        to->send_error = wasi_fail(&to->failure, PORTHOLE_HOST_CLOSED, "the stream is closed");
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
  while (error == PORTHOLE_WANT_WRITE && wasi_next_event(&within)) {
    error = push(to);
  }
  wasi_end_limit(&within);
  if (error == PORTHOLE_WANT_WRITE && timeout_ms != 0) {
    error = wasi_fail(&to->failure, PORTHOLE_HOST_TIMED_OUT, "sending took too long");
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
    return wasi_fail(&to->failure, PORTHOLE_HOST_OTHER, "there is nothing to send");
  }
  return send_within(to, data, length, timeout_ms, false);
}

int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (head == NULL || length == 0 || length > INT32_MAX) {
    return wasi_fail(&to->failure, PORTHOLE_HOST_OTHER, "this is no head");
  }
  return send_within(to, head, length, timeout_ms, true);
}

/** What the answer to a read means. @returns how many bytes, or what it ends with */
static int32_t settle_read(connection *from, uint32_t answer) {
  from->read.pending = false;
  int32_t count = (int32_t)(answer >> WASI_END_BITS);
  if ((size_t)count > from->room) {
    return wasi_fail(&from->failure, PORTHOLE_HOST_OTHER, "the runtime gave more than was asked for");
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
  wasi_join(stream, wasi_set);
  return answer;
}

/** Ends a receive whose time is up. @returns the bytes that came meanwhile, or the error */
static int32_t cancel_receive(connection *from) {
  int32_t received = PORTHOLE_WANT_READ;
  if (from->read.pending && from->into != from->ahead) {
    received = settle_read(from, cancel(from->input, &from->read, wasi_read_cancel));
  }
  return received != PORTHOLE_WANT_READ
             ? received
             : wasi_fail(&from->failure, PORTHOLE_HOST_TIMED_OUT, "nothing came for too long");
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  connection *from = find_connection(handle);
  if (from == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (buffer == NULL || capacity == 0) {
    return wasi_fail(&from->failure, PORTHOLE_HOST_OTHER, "there is no room to receive into");
  }
  if (from->read.pending && from->into != from->ahead && from->into != buffer) {
    return wasi_fail(&from->failure, PORTHOLE_HOST_OTHER, "another receive is pending");
  }
  capacity = capacity < INT32_MAX >> WASI_END_BITS ? capacity : INT32_MAX >> WASI_END_BITS;
  limit within = limit_of(timeout_ms);
  int32_t received = receive_now(from, buffer, capacity);
  while (received == PORTHOLE_WANT_READ && wasi_next_event(&within)) {
    push(from); /* half of a head gets no answer */
    received = receive_now(from, buffer, capacity);
  }
  wasi_end_limit(&within);
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
  wasi_make_set();
  limit within = limit_of(timeout_ms);
  int32_t found = ready_pairs(list, count, bits);
  while (found == 0 && wasi_next_event(&within)) {
    found = ready_pairs(list, count, bits);
  }
  wasi_end_limit(&within);
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
  while (push(done) == PORTHOLE_WANT_WRITE && wasi_next_event(&within)) {
  }
  wasi_end_limit(&within);
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
  wasi_land_here();
  if (peer) {
    wasi_tcp_peer(of->socket, got.at);
  } else {
    wasi_tcp_local(of->socket, got.at);
  }
  wasi_landed_here();
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

#include "info.h"
