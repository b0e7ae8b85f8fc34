/* SPDX-License-Identifier: MIT
 *
 * A host whose peer gives an answer to each head that is sent, whole and at once; or one that can't wait and dawdles: it takes and
 * gives some bytes at a time, or none yet, as a generator of numbers says.
 */
#ifndef DAWDLING_HOST_H
#define DAWDLING_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "porthole/client.h"

enum { OUT_MAX = 1 << 20, CALLS_MAX = 1 << 20 };

/* What a peer says when it has got a head. */
typedef struct reply {
  const char *bytes;
  size_t length; /* 0: up to the terminator */
  bool ends;     /* the stream ends with it */
  bool resets;   /* … by a reset */
} reply;

static struct {
  const reply *replies;
  size_t count;
  bool dawdles;
  int32_t open_error;  /* what an open answers, unless it is 0 */
  int32_t tls_error;   /* what a handshake answers, unless it is 0 */
  int32_t send_error;  /* what a send of a body answers, unless it is 0 */
  const char *words;   /* the host's, for what fails */
  int32_t handle;      /* of the open connection, or 0 */
  int32_t last_handle; /* the one that was given out last */
  unsigned opens;
  uint32_t flags; /* of the last open */
  char opened[300];
  unsigned handshakes;
  size_t heads; /* that were sent */
  size_t next;  /* the reply that is given next … */
  size_t at;    /* … from here */
  uint32_t now;
  unsigned calls;
  size_t out_length;
  char out[OUT_MAX];
} peer;

static uint32_t dawdle_seed;

static uint32_t dawdle_below(uint32_t bound) {
  dawdle_seed ^= dawdle_seed << 13;
  dawdle_seed ^= dawdle_seed >> 17;
  dawdle_seed ^= dawdle_seed << 5;
  return dawdle_seed % bound;
}

/** Is it put off this time? */
static bool later(void) {
  assert_true(++peer.calls < CALLS_MAX);
  return peer.dawdles && dawdle_below(3) > 0;
}

/** How many of some bytes go at a time. */
static size_t some(size_t length) {
  return peer.dawdles && length > 1 ? 1 + dawdle_below((uint32_t)(length < 200 ? length : 200)) : length;
}

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_int_equal(peer.handle, 0); /* the one before was closed */
  assert_true(host_length < sizeof peer.opened);
  memcpy(peer.opened, host, host_length);
  peer.opened[host_length] = '\0';
  peer.flags = flags | port << 8;
  peer.opens++;
  if (peer.open_error != 0) {
    return peer.open_error;
  }
  peer.next = peer.heads;
  peer.at = 0;
  peer.handle = ++peer.last_handle;
  return peer.handle;
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(handle == peer.handle && name_length > 0 && name != NULL && flags == PORTHOLE_TLS_ALPN_HTTP1);
  if (later()) {
    return PORTHOLE_WANT_READ;
  }
  peer.handshakes++;
  return peer.tls_error;
}

static void put(const uint8_t *bytes, size_t length) {
  assert_true(length <= sizeof peer.out - peer.out_length);
  memcpy(peer.out + peer.out_length, bytes, length);
  peer.out_length += length;
}

int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_int_equal(handle, peer.handle);
  assert_memory_equal(head + length - 4, "\r\n\r\n", 4);
  if (later()) {
    return PORTHOLE_WANT_WRITE;
  }
  put(head, length);
  peer.heads++;
  return (int32_t)length;
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_int_equal(handle, peer.handle);
  if (peer.send_error != 0) {
    return peer.send_error;
  }
  if (later()) {
    return PORTHOLE_WANT_WRITE;
  }
  length = some(length);
  put(data, length);
  return (int32_t)length;
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  assert_int_equal(handle, peer.handle);
  bool none = peer.next >= peer.heads || peer.next >= peer.count;
  if (later() || (none && (peer.dawdles || timeout_ms == 0))) {
    return PORTHOLE_WANT_READ;
  }
  if (none) {
    return PORTHOLE_HOST_TIMED_OUT; /* a host that blocks would wait for ever: a failure of the test */
  }
  const reply *now = &peer.replies[peer.next];
  size_t length = now->length > 0 ? now->length : strlen(now->bytes);
  if (peer.at == length) {
    if (now->resets || now->ends) {
      return now->resets ? PORTHOLE_HOST_RESET : 0;
    }
    peer.next++;
    peer.at = 0;
    return porthole_host_recv(handle, buffer, capacity, timeout_ms);
  }
  size_t count = some(length - peer.at < capacity ? length - peer.at : capacity);
  memcpy(buffer, now->bytes + peer.at, count);
  peer.at += count;
  return (int32_t)count;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  assert_true(count == 1 && list[0] == peer.handle && list[1] > 0 && list[1] <= 3);
  peer.now += timeout_ms > 0 && !peer.dawdles ? (uint32_t)timeout_ms : 1;
  bool something = peer.next < peer.heads && peer.next < peer.count;
  list[1] &= something || peer.dawdles ? 3 : PORTHOLE_WRITABLE;
  return list[1] != 0;
}

void porthole_host_close(int32_t handle) {
  if (handle == peer.handle) {
    peer.handle = 0;
  }
}

int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity) {
  (void)handle;
  size_t length = what == PORTHOLE_INFO_ERROR && peer.words != NULL ? strlen(peer.words) : 0;
  length = length < capacity ? length : capacity;
  memcpy(buffer, peer.words == NULL ? "" : peer.words, length);
  return (int32_t)length;
}

uint32_t porthole_host_now(void) { return peer.now; }

/** A peer that answers so. */
static void set_peer(const reply *replies, size_t count) {
  memset(&peer, 0, offsetof(__typeof__(peer), out));
  peer.replies = replies;
  peer.count = count;
  dawdle_seed = 1;
}

/** Repeats a call, the same, as long as it answers WANT_*. */
#define DO(client, result, call)                                                                                       \
  do {                                                                                                                 \
    while (((result) = (call)) == PORTHOLE_WANT_READ || (result) == PORTHOLE_WANT_WRITE) {                             \
      assert_true(peer.dawdles &&porthole_client_wants(client) != 0);                                                  \
      assert_true(porthole_client_wait((client), 1000) >= 0);                                                          \
    }                                                                                                                  \
    assert_int_equal(porthole_client_wants(client), 0);                                                                \
  } while (0)

#endif
