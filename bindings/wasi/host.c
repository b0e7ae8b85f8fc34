/* SPDX-License-Identifier: MIT
 *
 * A host that blocks: the functions of porthole/host.h over the sockets of WASI 0.2, linked into the guest itself. Each
 * operation is tried, and a poll of its pollable and of a clock waits for the next try. What it promises is in README.md.
 *
 * Calls into the runtime are dear on some, so there are few: pollables are kept, and where there is no time limit the calls
 * that block do the waiting themselves.
 */
#include "porthole/host.h"

#include <stdbool.h>

#include "address.h"
#include "component_type.h"
#include "connect.h"
#include "memory.h"
#include "porthole/porthole.h"
#include "runtime.h"
#include "tls.h"
#include "wasi02.h"

typedef struct connection {
  bool open;
  int32_t generation;
  wasi_handle socket;
  wasi_handle input; /* the streams are 0 while a handshake goes on, and after one that failed */
  wasi_handle output;
  wasi_handle readable; /* pollables of the streams, 0 until they are needed */
  wasi_handle writable;
  uint8_t *kept; /* memory for the rest of a head that the stream has no room for: it stays with the slot */
  size_t kept_room;
  size_t kept_sent;
  size_t kept_length;
  bool asked;     /* something was sent since the last receive: its answer is hardly there yet */
  bool unflushed; /* something was sent and nothing waited for since */
  bool behind;    /* something was sent that nobody has waited for: jco's shim then has no call that blocks */
  failure failure;
} connection;

#include "../table.h"

_Static_assert((int)CONNECTIONS <= (int)WASI_TLS_PLACES, "each connection has its place in tls.c");

static failure open_failure;

static size_t place_of(const connection *of) { return (size_t)(of - connections); }

/** Draws the description of the imports out of the archive; nobody calls it, so that nothing of it stays. */
void wasi_describe(void);
void wasi_describe(void) { wasi_sockets_type(); }

/* ---- time ---- */

uint32_t porthole_host_now(void) { return (uint32_t)(wasi_now() / NS_PER_MS); }

/* ---- connections that linger ---- */

/**
 * Can a stream be dropped at once? wasmtime from 48 on drops one only when all that was written is out, however long the peer
 * doesn't take it; one that takes a write has nothing left, nor has one that failed.
 */
static bool is_out(wasi_handle output) {
  result got; /* a result; behind eight bytes the room of 64 bits, or a stream-error */
  wasi_output_room(output, got.at);
  if (got.at[0] != 0 && got.at[8] == 0) {
    wasi_error_drop(handle_at(&got, 12));
  }
  return got.at[0] != 0 || word_at(&got, 8) != 0 || word_at(&got, 12) != 0;
}

/** The same, but it waits for that. */
static bool is_out_soon(wasi_handle output) {
  if (is_out(output)) {
    return true;
  }
  limit within = limit_of(WASI_END_WITHIN_MS);
  wasi_handle room = wasi_output_subscribe(output);
  wasi_wait_within(&within, room);
  wasi_pollable_drop(room);
  return is_out(output);
}

/** Leaves a connection that was closed its place, for what is still to go out; behind that the peer is told that it ends. */
static void linger(connection *on) {
  result got;
  wasi_tcp_shutdown(on->socket, WASI_SHUTDOWN_SEND, got.at);
  on->open = true;
  on->generation = -on->generation; /* no handle has that */
}

/** Drops those that have lingered long enough. */
static void drop_lingering(void) {
  for (size_t i = 0; i < CONNECTIONS; i++) {
    connection *on = &connections[i];
    if (on->generation < 0 && is_out(on->output)) {
      wasi_output_drop(on->output);
      wasi_tcp_drop(on->socket);
      on->open = false;
      on->generation = -on->generation;
    }
  }
}

/* ---- connecting ---- */

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  if (!can_be_opened(host, host_length, port)) {
    return wasi_fail(&open_failure, PORTHOLE_HOST_OTHER, "this can't be a host and a port");
  }
  uint32_t known = PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6 | (wasi_tls_usable() ? PORTHOLE_OPEN_TLS : 0);
  if ((flags & ~known) != 0) {
    return wasi_fail(&open_failure, PORTHOLE_HOST_UNSUPPORTED, "this build has no TLS");
  }
  if (timeout_ms == 0) {
    return wasi_fail(&open_failure, PORTHOLE_HOST_TIMED_OUT, "nobody is connected in no time");
  }
  drop_lingering();
  connection *slot = find_free();
  if (slot == NULL) {
    return wasi_fail(&open_failure, PORTHOLE_HOST_BUSY, "too many connections are open");
  }
  wasi_connected made;
  int32_t error = wasi_connect(host, host_length, port, flags, timeout_ms, &made, &open_failure);
  if (error != 0) {
    wasi_drop_clock();
    return error;
  }
  slot->open = true;
  slot->socket = made.socket;
  slot->input = made.input;
  slot->output = made.output;
  slot->generation++;
  slot->readable = slot->writable = 0;
  slot->kept_sent = slot->kept_length = 0;
  slot->asked = false;
  slot->unflushed = slot->behind = false;
  slot->failure.length = 0;
  if (flags & PORTHOLE_OPEN_TLS) {
    wasi_tls_opened(place_of(slot), host, host_length);
  }
  return handle_of(slot);
}

static void drop_pollables(connection *of) {
  if (of->readable != 0) {
    wasi_pollable_drop(of->readable);
  }
  if (of->writable != 0) {
    wasi_pollable_drop(of->writable);
  }
  of->readable = of->writable = 0;
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  connection *on = find_connection(handle);
  if (on == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (!can_be_name(name, name_length)) {
    return wasi_fail(&on->failure, PORTHOLE_HOST_OTHER, "this can't be a name");
  }
  if ((flags & ~(uint32_t)PORTHOLE_TLS_ALPN_HTTP1) != 0) {
    return wasi_fail(&on->failure, PORTHOLE_HOST_UNSUPPORTED, "this host doesn't know these flags");
  }
  if (on->kept_sent < on->kept_length) {
    return wasi_fail(&on->failure, PORTHOLE_HOST_OTHER, "a head has not gone out yet");
  }
  drop_pollables(on); /* they are those of the streams in clear */
  limit within = limit_of(timeout_ms);
  int32_t result = wasi_tls_start(place_of(on), name, name_length, &on->input, &on->output, &within, &on->failure);
  on->behind = false; /* the streams are new */
  return result;
}

/* ---- bytes ---- */

static bool is_mute(connection *on) {
  if (on->input == 0) {
    wasi_fail(&on->failure, PORTHOLE_HOST_OTHER, "there is no connection to speak over: TLS is not done");
  }
  return on->input == 0;
}

static wasi_handle readable_of(connection *on) {
  wasi_handle handshake = wasi_tls_pollable(place_of(on));
  if (handshake != 0) {
    return handshake;
  }
  if (on->readable == 0) {
    on->readable = wasi_input_subscribe(on->input);
  }
  return on->readable;
}

static wasi_handle writable_of(connection *on) {
  wasi_handle handshake = wasi_tls_pollable(place_of(on));
  if (handshake != 0) {
    return handshake;
  }
  if (on->writable == 0) {
    on->writable = wasi_output_subscribe(on->output);
  }
  return on->writable;
}

/** Lets nothing stay behind that the peer may have to see before there is something to wait for. */
static void flush(connection *on) {
  if (on->unflushed) {
    on->unflushed = false;
    wasi_tls_flush(place_of(on), on->output);
  }
}

/** Sends what the stream takes now. @returns how many bytes, 0 for none, or an error */
static int32_t send_now(connection *to, const uint8_t *data, size_t length) {
  result got; /* a result; behind eight bytes the room of 64 bits, or a stream-error */
  wasi_output_room(to->output, got.at);
  if (got.at[0] != 0) {
    return wasi_fail_stream(&to->failure, &got, 8);
  }
  if (word_at(&got, 12) == 0 && word_at(&got, 8) < length) {
    length = word_at(&got, 8);
  }
  length = length < INT32_MAX ? length : INT32_MAX;
  if (length == 0) {
    return 0;
  }
  to->unflushed = to->behind = true;
  wasi_output_write(to->output, data, length, got.at); /* the stream-error is behind four */
  to->asked = true;
  return got.at[0] != 0 ? wasi_fail_stream(&to->failure, &got, 4) : (int32_t)length;
}

/** Sends the rest of a head that was taken, as far as the stream takes it. @returns 0 when all is gone, else as send_now */
static int32_t send_kept(connection *to) {
  while (to->kept_sent < to->kept_length) {
    int32_t sent = send_now(to, to->kept + to->kept_sent, to->kept_length - to->kept_sent);
    if (sent <= 0) {
      return sent < 0 ? sent : PORTHOLE_WANT_WRITE;
    }
    to->kept_sent += (size_t)sent;
  }
  return 0;
}

/** Sends and flushes as much as one call does, for as long as it takes. @returns how many bytes, or an error */
static int32_t put(connection *to, const uint8_t *data, size_t length) {
  enum { MOST = 4096 };
  result got; /* a result; behind four bytes the stream-error */
  length = length < MOST ? length : MOST;
  wasi_output_put(to->output, data, length, got.at);
  to->asked = true;
  return got.at[0] != 0 ? wasi_fail_stream(&to->failure, &got, 4) : (int32_t)length;
}

static void keep(connection *to, const uint8_t *data, size_t length) {
  if (length > to->kept_room) {
    to->kept = wasi_take(1, length);
    to->kept_room = length;
  }
  __builtin_memcpy(to->kept, data, length);
  to->kept_sent = 0;
  to->kept_length = length;
}

/** Sends, and waits for the first byte to be taken. */
static int32_t send_within(connection *to, const uint8_t *data, size_t length, limit *within) {
  for (;;) {
    int32_t sent = send_kept(to);
    if (sent == 0) {
      sent = send_now(to, data, length);
    }
    if (sent > 0 || (sent < 0 && sent != PORTHOLE_WANT_WRITE)) {
      return sent;
    }
    if (within->ns == 0) {
      return PORTHOLE_WANT_WRITE;
    }
    if (!wasi_wait_within(within, writable_of(to))) {
      return wasi_fail(&to->failure, PORTHOLE_HOST_TIMED_OUT, "sending took too long");
    }
  }
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (is_mute(to)) {
    return PORTHOLE_HOST_OTHER;
  }
  if (data == NULL || length == 0) {
    return wasi_fail(&to->failure, PORTHOLE_HOST_OTHER, "there is nothing to send");
  }
  limit within = limit_of(timeout_ms);
  return send_within(to, data, length, &within);
}

int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (is_mute(to)) {
    return PORTHOLE_HOST_OTHER;
  }
  if (head == NULL || length == 0 || length > INT32_MAX) {
    return wasi_fail(&to->failure, PORTHOLE_HOST_OTHER, "this is no head");
  }
  limit within = limit_of(timeout_ms);
  size_t done = 0;
  int32_t sent = 0;
  while (done < length) {
    sent = timeout_ms < 0 && !to->behind ? put(to, head + done, length - done)
                                         : send_within(to, head + done, length - done, &within);
    if (sent < 0) {
      break;
    }
    done += (size_t)sent;
  }
  if (sent == PORTHOLE_WANT_WRITE && done > 0) {
    keep(to, head + done, length - done);
    sent = 0;
  }
  return sent < 0 ? sent : (int32_t)length;
}

/** Receives what is there, or waits for it. @returns how many bytes; WANT_READ for none, 0 at the end; or an error */
static int32_t receive(connection *from, uint8_t *buffer, size_t capacity, bool waits) {
  result got; /* a result; behind four bytes the list, or a stream-error */
  wasi_land(buffer, capacity);
  if (waits) {
    wasi_input_await(from->input, capacity, got.at);
  } else {
    wasi_input_read(from->input, capacity, got.at);
  }
  if (got.at[0] != 0) {
    wasi_landed(NULL, 0, buffer, capacity);
    int32_t error = wasi_fail_stream(&from->failure, &got, 4);
    return error == PORTHOLE_HOST_CLOSED ? 0 : error;
  }
  uint32_t length = word_at(&got, 8);
  wasi_landed(pointer_at(&got, 4), length, buffer, capacity);
  if (length > capacity) {
    return wasi_fail(&from->failure, PORTHOLE_HOST_OTHER, "the runtime gave more than was asked for");
  }
  return length > 0 ? (int32_t)length : PORTHOLE_WANT_READ;
}

/** Waits until something can be received, or the rest of a head can go on. @returns as receive */
static int32_t receive_within(connection *from, uint8_t *buffer, size_t capacity, limit *within) {
  bool waits = false;
  bool in_time = true;
  if (send_kept(from) == PORTHOLE_WANT_WRITE) { /* half of a head gets no answer */
    wasi_handle list[3] = {readable_of(from), writable_of(from)};
    uint32_t ready[3];
    uint32_t count;
    in_time = wasi_poll_within(within, list, 2, ready, &count);
  } else {
    flush(from);
    waits = within->ns < 0;
    in_time = waits || wasi_wait_within(within, readable_of(from));
  }
  return in_time ? receive(from, buffer, capacity, waits)
                 : wasi_fail(&from->failure, PORTHOLE_HOST_TIMED_OUT, "nothing came for too long");
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  connection *from = find_connection(handle);
  if (from == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (is_mute(from)) {
    return PORTHOLE_HOST_OTHER;
  }
  if (buffer == NULL || capacity == 0) {
    return wasi_fail(&from->failure, PORTHOLE_HOST_OTHER, "there is no room to receive into");
  }
  capacity = capacity < INT32_MAX ? capacity : INT32_MAX;
  limit within = limit_of(timeout_ms);
  bool looks = timeout_ms == 0 || (timeout_ms > 0 && !from->asked);
  int32_t received = looks ? receive(from, buffer, capacity, false) : PORTHOLE_WANT_READ;
  from->asked = from->asked && timeout_ms == 0;
  while (received == PORTHOLE_WANT_READ && timeout_ms != 0) {
    received = receive_within(from, buffer, capacity, &within);
  }
  if (received == PORTHOLE_WANT_READ) {
    send_kept(from);
  }
  return received;
}

/* ---- waiting ---- */

/** Sleeps. */
static void sleep_for(int32_t timeout_ms) {
  do {
    limit once = limit_of(timeout_ms < 0 ? INT32_MAX : timeout_ms);
    wasi_handle list[1];
    uint32_t ready[1];
    uint32_t count;
    wasi_poll_within(&once, list, 0, ready, &count);
  } while (timeout_ms < 0);
}

/** One poll of all pairs. @returns how many of them are ready; `*again` when only the rest of a head could go on */
static int32_t poll_pairs(const int32_t *list, uint32_t count, limit *within, int32_t *bits, bool *again) {
  wasi_handle polled[2 * CONNECTIONS + 1];
  uint32_t pair_of[2 * CONNECTIONS];
  int32_t bit_of[2 * CONNECTIONS]; /* 0 for a head's rest */
  uint32_t ready[2 * CONNECTIONS + 1];
  uint32_t polled_count = 0;
  uint32_t ready_count;
  int32_t found = 0;
  for (uint32_t i = 0; i < count; i++) {
    connection *on = find_connection(list[HANDLE_OF(i)]);
    bool writable = (list[INTEREST_OF(i)] & PORTHOLE_WRITABLE) != 0;
    bits[i] = 0;
    if (list[INTEREST_OF(i)] & PORTHOLE_READABLE) {
      pair_of[polled_count] = i;
      bit_of[polled_count] = PORTHOLE_READABLE;
      polled[polled_count++] = readable_of(on);
    }
    bool kept = send_kept(on) == PORTHOLE_WANT_WRITE;
    if (!kept) {
      flush(on);
    }
    if (writable || kept) {
      pair_of[polled_count] = i;
      bit_of[polled_count] = writable ? PORTHOLE_WRITABLE : 0;
      polled[polled_count++] = writable_of(on);
    }
  }
  /* Also in no time: jco's shim looks at a stream when it is polled, and asked whether it is ready says what it knew before. */
  *again = wasi_poll_within(within, polled, polled_count, ready, &ready_count) && within->ns != 0;
  for (uint32_t i = 0; i < ready_count; i++) {
    if (ready[i] < polled_count) {
      bits[pair_of[ready[i]]] |= bit_of[ready[i]];
    }
  }
  for (uint32_t i = 0; i < count; i++) {
    found += bits[i] != 0;
  }
  return found;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  int32_t bits[CONNECTIONS];
  if (count == 0) {
    if (timeout_ms != 0) {
      sleep_for(timeout_ms);
    }
    return 0;
  }
  int32_t refused = check_list(list, count);
  if (refused != 0) {
    return refused;
  }
  for (uint32_t i = 0; i < count; i++) {
    connection *on = find_connection(list[HANDLE_OF(i)]);
    if (wasi_tls_pollable(place_of(on)) == 0 && is_mute(on)) {
      return PORTHOLE_HOST_OTHER;
    }
  }
  limit within = limit_of(timeout_ms);
  int32_t found;
  bool again;
  do {
    found = poll_pairs(list, count, &within, bits, &again);
  } while (found == 0 && again);
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
  done->open = false;
  drop_pollables(done); /* before their stream, streams before TLS and their socket */
  bool out = true;
  if (done->input != 0) {
    bool secure = wasi_tls_end(place_of(done), done->output); /* what is dropped then waits for nothing */
    wasi_input_drop(done->input);
    out = secure || !done->behind || is_out_soon(done->output);
    if (out) {
      wasi_output_drop(done->output);
    }
  }
  wasi_tls_close(place_of(done));
  if (out) {
    wasi_tcp_drop(done->socket);
  } else {
    linger(done);
  }
  wasi_drop_clock();
}

/* ---- texts ---- */

/** Writes an end of a socket. @returns its length, 0 when it isn't known */
static size_t write_end(const connection *of, bool peer, char *to) {
  result got; /* a result; behind four bytes the family, behind eight the port; then IPv4, or flow, IPv6 and scope */
  if (peer) {
    wasi_tcp_peer(of->socket, got.at);
  } else {
    wasi_tcp_local(of->socket, got.at);
  }
  if (got.at[0] != 0) {
    return 0;
  }
  address end = {.ipv6 = got.at[4] != 0};
  for (size_t i = 0; i < (end.ipv6 ? 8 : 4); i++) {
    end.part[i] = end.ipv6 ? half_at(&got, 16 + 2 * i) : got.at[10 + i];
  }
  end.scope = end.ipv6 ? word_at(&got, 32) : 0;
  return wasi_address_write(&end, half_at(&got, 8), to);
}

#include "info.h"
