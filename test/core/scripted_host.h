/* SPDX-License-Identifier: MIT
 *
 * A host that plays a script: what it sends comes in pieces of chosen sizes, and it can be told to lie.
 */
#ifndef SCRIPTED_HOST_H
#define SCRIPTED_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "porthole/host.h"
#include "porthole/porthole.h"

enum { TX_SIZE = 16384, RX_SIZE = 65536, HANDLE = 7 };

typedef struct scripted_host {
  const char *script; /* what the peer sends */
  size_t length;
  size_t position;
  size_t piece;     /* at most so many bytes for each receive; 0: all */
  int32_t at_end;   /* what a receive answers after the script: 0 is the end of the stream */
  int32_t recv_lie; /* what each receive answers, when it isn't 0 */
  int32_t send_lie; /* what each send answers, when it isn't 0 */
  size_t send_most; /* at most so many bytes for each send; 0: all */
  unsigned busy_at; /* the send that takes nothing, counted down to 1; 0: none */
  bool ready; /* what the peer sends is there before it is waited for; else a receive that doesn't wait gets nothing */
  bool never_waits;   /* a receive that waits is a failure of the test */
  int32_t timeout_ms; /* of the last call with one */
  unsigned clock_reads;
  uint32_t flags;    /* of the last open */
  uint32_t now;      /* the clock, in milliseconds … */
  uint32_t takes;    /* … and how long each receive that waits takes, and each wait */
  bool idle;         /* nothing is ready, however long it is waited for */
  bool cannot_wait;  /* as such a host: a wait takes no time */
  bool stuck;        /* no bytes of a body are taken; the peer's are there after a wait … */
  unsigned empty;    /* … but for so many, which say that there is something where there is nothing */
  const char *words; /* for what failed */
  unsigned fail_at;  /* the call that fails, counted from 1; 0: none … */
  int32_t failure;   /* … and its answer */
  char sent[8192];
  size_t sent_length;
  const int32_t *handshake; /* what start_tls answers, one after the other: 0 last */
  unsigned calls;
  unsigned heads; /* calls of send_head */
  unsigned closed;
} scripted_host;

static scripted_host host;

/** Counts a call. @returns whether it is the one that fails */
static bool fails(void) {
  assert_true(++host.calls < 100000); /* more than any test needs: the core calls for ever */
  return host.calls == host.fail_at;
}

int32_t porthole_host_open(const char *name, size_t name_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  (void)name;
  (void)name_length;
  host.timeout_ms = timeout_ms;
  host.flags = flags;
  if (fails()) {
    return host.failure;
  }
  return port == 1 ? PORTHOLE_HOST_REFUSED : HANDLE;
}

/** Takes bytes, as many as the host is to take of a part, or all of a head. */
static int32_t take(int32_t handle, const uint8_t *data, size_t length, size_t most, int32_t timeout_ms) {
  host.timeout_ms = timeout_ms;
  assert_int_equal(handle, HANDLE);
  if (fails()) {
    return host.failure;
  }
  if (host.send_lie != 0) {
    return host.send_lie;
  }
  if (host.busy_at > 0 && host.busy_at-- == 1) {
    return PORTHOLE_WANT_WRITE;
  }
  if (host.stuck && host.heads > 0) {
    bool waits = timeout_ms != 0 && !host.cannot_wait;
    host.now += waits && timeout_ms > 0 ? (uint32_t)timeout_ms : 0;
    return waits ? PORTHOLE_HOST_TIMED_OUT : PORTHOLE_WANT_WRITE;
  }
  size_t count = most > 0 && most < length ? most : length;
  assert_true(host.sent_length + count <= sizeof host.sent);
  memcpy(host.sent + host.sent_length, data, count);
  host.sent_length += count;
  return (int32_t)count;
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  return take(handle, data, length, host.send_most, timeout_ms);
}

/** A head is whole, and nothing but a head. */
int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  assert_true(length > 4 && length <= TX_SIZE);
  for (size_t at = 0; at + 4 <= length; at++) {
    assert_int_equal(memcmp(head + at, "\r\n\r\n", 4) == 0, at + 4 == length);
  }
  host.heads++;
  return take(handle, head, length, 0, timeout_ms);
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  assert_int_equal(handle, HANDLE);
  if (fails()) {
    return host.failure;
  }
  assert_true(timeout_ms == 0 || !host.never_waits);
  host.timeout_ms = timeout_ms;
  if (timeout_ms == 0 && !host.ready) {
    return PORTHOLE_WANT_READ;
  }
  host.now += timeout_ms != 0 ? host.takes : 0;
  if (host.recv_lie != 0) {
    return host.recv_lie;
  }
  size_t left = host.length - host.position;
  if (left == 0) {
    return host.at_end;
  }
  size_t count = host.piece > 0 && host.piece < left ? host.piece : left;
  if (count > capacity) {
    count = capacity;
  }
  memcpy(buffer, host.script + host.position, count);
  host.position += count;
  return (int32_t)count;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  assert_int_equal(count, 1);
  assert_int_equal(list[0], HANDLE);
  host.timeout_ms = timeout_ms;
  if (fails()) {
    return host.failure;
  }
  bool waits = timeout_ms != 0 && !host.cannot_wait;
  host.now += waits ? host.takes : 0;
  if (host.stuck && waits && !host.idle) {
    host.ready = host.empty == 0;
    host.empty -= host.empty > 0;
  }
  list[1] = !host.idle && (waits || host.ready) ? list[1] : list[1] & PORTHOLE_WRITABLE;
  list[1] &= host.stuck ? PORTHOLE_READABLE : list[1];
  return list[1] != 0;
}

int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity) {
  assert_true(handle == HANDLE || (handle == 0 && what == PORTHOLE_INFO_ERROR));
  size_t length = host.words == NULL || what != PORTHOLE_INFO_ERROR ? 0 : strlen(host.words);
  length = length < capacity ? length : capacity;
  memcpy(buffer, host.words, length);
  return (int32_t)length;
}

uint32_t porthole_host_now(void) {
  host.clock_reads++;
  return host.now;
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  host.timeout_ms = timeout_ms;
  assert_int_equal(handle, HANDLE);
  assert_int_equal(name_length, 11);
  assert_memory_equal(name, "example.com", 11);
  assert_int_equal(flags, PORTHOLE_TLS_ALPN_HTTP1);
  host.calls++;
  return *host.handshake == 0 ? 0 : *host.handshake++;
}

void porthole_host_close(int32_t handle) {
  assert_int_equal(handle, HANDLE);
  host.closed++;
}

/** A connection that is Idle, with its memory. */
static porthole_conn *new_conn(void) {
  size_t size = porthole_conn_size();
  uint8_t *memory = malloc(size + TX_SIZE + RX_SIZE);
  assert_non_null(memory);
  porthole_conn *conn = (porthole_conn *)(void *)memory;
  porthole_conn_init(conn, memory + size, TX_SIZE, memory + size + TX_SIZE, RX_SIZE);
  assert_int_equal(porthole_conn_set_authority(conn, porthole_text("example.com"), 80, 80), 0);
  return conn;
}

static void free_conn(porthole_conn *conn) { free(conn); }

/** Sends all of a text as a body. @returns 0, or the first answer that is no count */
static inline int32_t send_all(porthole_conn *conn, const char *text) {
  size_t left = strlen(text);
  while (left > 0) {
    int32_t sent = porthole_conn_send(conn, (const uint8_t *)text, left);
    if (sent <= 0) {
      return sent;
    }
    assert_true((size_t)sent <= left);
    text += sent;
    left -= (size_t)sent;
  }
  return 0;
}

/** A connection over the scripted host, which will send `script`. */
static porthole_conn *connect_to(const char *script, size_t piece) {
  host = (scripted_host){.script = script, .length = strlen(script), .piece = piece};
  porthole_conn *conn = new_conn();
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 80, 0, -1), 0);
  return conn;
}

static int32_t request(porthole_conn *conn, const char *method, const char *url) {
  return porthole_conn_request(conn, porthole_text(method), porthole_text(url), NULL, 0, PORTHOLE_BODY_NONE, 0, 0);
}

#endif
