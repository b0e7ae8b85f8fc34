/* SPDX-License-Identifier: MIT
 *
 * Level 0 of the API: bytes given to a connection by hand, and nothing readable behind them. Programs that use it link
 * without a host: level 0 calls none.
 */
#ifndef FEED_H
#define FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "porthole/porthole.h"

#if defined(__has_feature) /* clang's way to say what gcc says by __SANITIZE_ADDRESS__ */
#if __has_feature(address_sanitizer)
#define FEED_POISONS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(FEED_POISONS)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { FEED_TX = 4096 };

/* A connection and its buffers. */
typedef struct feed {
  porthole_conn *conn;
  const porthole_view *view;
  uint8_t *tx;
  uint8_t *rx;
  size_t rx_size;
} feed;

static int32_t feed_request(const feed *to, const char *method) {
  int32_t result = porthole_conn_request(to->conn, porthole_text(method), porthole_text("/"), NULL, 0,
                                         PORTHOLE_BODY_NONE, 0, 0);
  porthole_conn_taken(to->conn, to->view->tx_length - to->view->tx_sent);
  return result;
}

static feed feed_new(size_t rx_size) {
  feed made = {.conn = malloc(porthole_conn_size()), .tx = malloc(FEED_TX), .rx = malloc(rx_size), .rx_size = rx_size};
  assert_non_null(made.conn);
  assert_non_null(made.tx);
  assert_non_null(made.rx);
  porthole_conn_init(made.conn, made.tx, FEED_TX, made.rx, rx_size);
  made.view = porthole_conn_view(made.conn);
  assert_int_equal(porthole_conn_set_authority(made.conn, porthole_text("h"), 80, 80), 0);
  return made;
}

static void feed_free(const feed *done) {
  free(done->conn);
  free(done->tx);
  free(done->rx);
}

/**
 * Gives bytes to the connection as far as the region holds them. What follows them in the region can't be read meanwhile
 * under AddressSanitizer.
 *
 * @param given receives how many it took
 * @returns what porthole_conn_region or _filled answered
 */
static int32_t feed_some(const feed *to, const uint8_t *bytes, size_t length, size_t *given) {
  uint32_t offset;
  uint32_t capacity;
  *given = 0;
  int32_t result = porthole_conn_region(to->conn, &offset, &capacity);
  if (result != 0) {
    return result;
  }
  *given = length < capacity ? length : capacity;
  memcpy(to->rx + offset, bytes, *given);
  ASAN_POISON_MEMORY_REGION(to->rx + offset + *given, capacity - *given);
  result = porthole_conn_filled(to->conn, *given);
  ASAN_UNPOISON_MEMORY_REGION(to->rx + offset, capacity);
  return result;
}

/* A generator of numbers that can be repeated (xorshift): set the seed, to anything but 0, before use. */

static uint32_t seed;

static inline uint32_t random_below(uint32_t bound) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed % bound;
}

#endif
