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
  int32_t timeout_ms; /* of the last receive */
  unsigned fail_at;   /* the call that fails, counted from 1; 0: none … */
  int32_t failure;    /* … and its answer */
  char sent[8192];
  size_t sent_length;
  const int32_t *handshake; /* what start_tls answers, one after the other: 0 last */
  unsigned calls;
  unsigned closed;
} scripted_host;

static scripted_host host;

/** Counts a call. @returns whether it is the one that fails */
static bool fails(void) {
  assert_true(++host.calls < 100000); /* more than any test needs: the core calls for ever */
  return host.calls == host.fail_at;
}

int32_t porthole_host_open(const char *name, size_t name_length, uint32_t port, int32_t timeout_ms) {
  (void)name;
  (void)name_length;
  (void)timeout_ms;
  if (fails()) {
    return host.failure;
  }
  return port == 1 ? PORTHOLE_HOST_REFUSED : HANDLE;
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
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
  size_t count = host.send_most > 0 && host.send_most < length ? host.send_most : length;
  assert_true(host.sent_length + count <= sizeof host.sent);
  memcpy(host.sent + host.sent_length, data, count);
  host.sent_length += count;
  return (int32_t)count;
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

int32_t porthole_host_wait(int32_t handle, uint32_t interest, int32_t timeout_ms) {
  assert_int_equal(handle, HANDLE);
  if (fails()) {
    return host.failure;
  }
  return timeout_ms == 0 && !host.ready ? (int32_t)(interest & PORTHOLE_WRITABLE) : (int32_t)interest;
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  (void)timeout_ms;
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
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 80, -1), 0);
  return conn;
}

static int32_t request(porthole_conn *conn, const char *method, const char *url) {
  return porthole_conn_request(conn, porthole_text(method), porthole_text(url), NULL, 0, PORTHOLE_BODY_NONE, 0, 0);
}

#endif
