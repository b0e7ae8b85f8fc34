/* SPDX-License-Identifier: MIT
 *
 * The cost of a response grows with its size and no faster, however small the pieces that it arrives in are. The work is
 * counted, not timed: the compiler calls us in every basic block of the core, and the linker for every byte that is moved.
 */
#include "feed.h"

#include <stdio.h>

enum { SMALL = 4096, TIMES = 16, LARGE = SMALL * TIMES, STEPS = 80 /* for a byte, at most */ };

static size_t work;

/* Called in every basic block of what is compiled with -fsanitize-coverage=trace-pc. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) { work++; }

/* Called instead of the C library's functions of these names, by the linker's --wrap. */
void *__real_memcpy(void *to, const void *from, size_t length);
void *__real_memmove(void *to, const void *from, size_t length);
void *__real_memset(void *to, int byte, size_t length);
void *__wrap_memcpy(void *to, const void *from, size_t length);
void *__wrap_memmove(void *to, const void *from, size_t length);
void *__wrap_memset(void *to, int byte, size_t length);

void *__wrap_memcpy(void *to, const void *from, size_t length) {
  work += length;
  return __real_memcpy(to, from, length);
}

void *__wrap_memmove(void *to, const void *from, size_t length) {
  work += length;
  return __real_memmove(to, from, length);
}

void *__wrap_memset(void *to, int byte, size_t length) {
  work += length;
  return __real_memset(to, byte, length);
}

static uint8_t input[2 * LARGE + 4096];

static size_t put(size_t at, const char *text) {
  size_t length = strlen(text);
  memcpy(input + at, text, length);
  return at + length;
}

static size_t put_filler(size_t at, size_t length) {
  memset(input + at, 'x', length);
  return at + length;
}

static size_t one_long_line(size_t size) {
  size_t at = put(0, "HTTP/1.1 200 OK\r\nX: ");
  return put(put_filler(at, size - at), "\r\nContent-Length: 0\r\n\r\n");
}

static size_t many_lines(size_t size) {
  size_t at = put(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
  while (at < size) {
    at = put(at, "X: y\r\n");
  }
  return put(at, "\r\n");
}

static size_t many_folds(size_t size) {
  size_t at = put(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: y\r\n");
  while (at < size) {
    at = put(at, " y\r\n");
  }
  return put(at, "\r\n");
}

static size_t many_interims(size_t size) {
  size_t at = 0;
  while (at < size) {
    at = put(at, "HTTP/1.1 102 Processing\r\n\r\n");
  }
  return put(at, "HTTP/1.1 204 No Content\r\n\r\n");
}

static size_t tiny_chunks(size_t size) {
  size_t at = put(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  while (at < size) {
    at = put(at, "1\r\nx\r\n");
  }
  return put(at, "0\r\n\r\n");
}

static size_t long_extension(size_t size) {
  size_t at = put(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
  return put(put_filler(at, size - at), "\r\nx\r\n0\r\n\r\n");
}

static size_t many_trailers(size_t size) {
  size_t at = put(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
  while (at < size) {
    at = put(at, "X: y\r\n");
  }
  return put(at, "\r\n");
}

static size_t large_head_and_body(size_t size) {
  char line[64];
  size_t at = put_filler(put(0, "HTTP/1.1 200 OK\r\nX: "), size / 2);
  snprintf(line, sizeof line, "\r\nContent-Length: %zu\r\n\r\n", size / 2);
  return put_filler(put(at, line), size / 2);
}

/** The work of receiving an input in pieces, and reading the body. */
static size_t cost(size_t length, size_t rx_size, size_t piece) {
  feed to = feed_new(rx_size);
  for (uint32_t limit = 0; limit < PORTHOLE_LIMIT_BODY; limit++) {
    uint32_t value = limit == PORTHOLE_LIMIT_HEAD ? (uint32_t)rx_size - 1 : 1U << 30;
    assert_int_equal(porthole_conn_set_limit(to.conn, limit, value), 0);
  }
  assert_int_equal(feed_request(&to, "GET"), 0);
  int32_t events = 0;
  work = 0;
  for (size_t at = 0; at < length;) {
    size_t given;
    events = feed_some(&to, input + at, piece < length - at ? piece : length - at, &given);
    while (events > 0 && (events & PORTHOLE_EVENT_INTERIM)) {
      events = porthole_conn_resume(to.conn);
    }
    assert_true(events >= 0);
    porthole_conn_consume(to.conn, to.view->body_length);
    at += given;
  }
  assert_true(events & PORTHOLE_EVENT_END);
  size_t spent = work;
  feed_free(&to);
  return spent;
}

/** A byte costs as much in an input TIMES as large; an eighth more is let pass for what happens now and then. */
static void assert_linear(const char *name, size_t (*make)(size_t size), size_t room) {
  static const size_t pieces[] = {1, 7, 100, 1460, LARGE};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    size_t small = make(SMALL);
    size_t small_cost = cost(small, small + room, pieces[i]);
    size_t large = make(LARGE);
    size_t large_cost = cost(large, large + room, pieces[i]);
    if (large_cost > small_cost * TIMES * 9 / 8 || small_cost > small * STEPS) {
      fail_msg("%s in pieces of %zu: %zu bytes take %zu steps, %zu bytes %zu", name, pieces[i], small, small_cost,
               large, large_cost);
    }
  }
}

static void the_cost_of_a_byte_stays_the_same(void **state) {
  (void)state;
  static const size_t rooms[] = {1, LARGE}; /* in the receive buffer beside the input */
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    assert_linear("one long line", one_long_line, rooms[i]);
    assert_linear("many lines", many_lines, rooms[i]);
    assert_linear("many folds", many_folds, rooms[i]);
    assert_linear("many interims", many_interims, rooms[i]);
    assert_linear("tiny chunks", tiny_chunks, rooms[i]);
    assert_linear("a long extension", long_extension, rooms[i]);
    assert_linear("many trailers", many_trailers, rooms[i]);
    assert_linear("a large head and body", large_head_and_body, rooms[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_cost_of_a_byte_stays_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
