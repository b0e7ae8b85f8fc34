/* SPDX-License-Identifier: MIT
 *
 * Responses: heads, framing and bodies, at every split of the input.
 */
#include "outcomes.h"
#include "scripted_host.h"

#include <stdio.h>

/** Plays one outcome with a host that gives `piece` bytes for each receive. */
static void play(const outcome *wanted, size_t piece) {
  porthole_conn *conn = connect_to(wanted->input, piece);
  assert_int_equal(request(conn, wanted->method, "/"), 0);
  int32_t result = porthole_conn_getresponse(conn);
  if (result != wanted->head) {
    fail_msg("%s\npieces of %zu: head gave %d, not %d", wanted->input, piece, result, wanted->head);
  }
  char body[64];
  size_t length = 0;
  while (result >= 0) {
    result = porthole_conn_read(conn, (uint8_t *)body + length, sizeof body - length);
    if (result <= 0) {
      break;
    }
    length += (size_t)result;
  }
  if (wanted->head > 0 &&
      (result != wanted->end || length != strlen(wanted->body) || memcmp(body, wanted->body, length) != 0)) {
    fail_msg("%s\npieces of %zu: body gave %d and \"%.*s\"", wanted->input, piece, result, (int)length, body);
  }
  porthole_conn_close(conn);
  assert_int_equal(host.closed, 1);
  free_conn(conn);
}

static void outcomes_are_the_same_at_every_split(void **state) {
  (void)state;
  for (size_t i = 0; i < OUTCOMES; i++) {
    play(&outcomes[i], 0);
    for (size_t piece = 1; piece <= strlen(outcomes[i].input); piece++) {
      play(&outcomes[i], piece);
    }
  }
}

static void a_fold_becomes_one_space(void **state) {
  (void)state;
  for (size_t piece = 0; piece < 8; piece++) {
    porthole_conn *conn = connect_to(OK_HEAD "X-A: one \r\n \t two\r\n\t three\r\nContent-Length: 0\r\n\r\n", piece);
    request(conn, "GET", "/");
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    porthole_span value;
    assert_int_equal(porthole_conn_getheader(conn, porthole_text("x-a"), &value), 1);
    assert_int_equal(value.length, 13);
    assert_memory_equal(value.data, "one two three", 13);
    assert_int_equal(porthole_conn_getheader(conn, porthole_text("x-b"), &value), 0);
    free_conn(conn);
  }
}

static void limits_count_what_they_name(void **state) {
  (void)state;
  static char input[20000];
  for (int headers = 100; headers <= 101; headers++) {
    size_t length = (size_t)sprintf(input, OK_HEAD);
    for (int i = 1; i < headers; i++) {
      length += (size_t)sprintf(input + length, "H%d: v\r\n", i);
    }
    sprintf(input + length, "Content-Length: 0\r\n\r\n");
    porthole_conn *conn = connect_to(input, 0);
    request(conn, "GET", "/");
    assert_int_equal(porthole_conn_getresponse(conn), headers == 100 ? 200 : PORTHOLE_TOO_MANY_HEADERS);
    free_conn(conn);
  }
  porthole_conn *conn = connect_to(OK_HEAD "X: 1234567890\r\n\r\n", 0);
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_LINE, 17), 0);
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_HEAD, 20), 0);
  request(conn, "GET", "/");
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_HEAD_TOO_LARGE);
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_HEAD, RX_SIZE), PORTHOLE_BAD_LIMIT);
  assert_int_equal(porthole_conn_set_limit(conn, 99, 1), PORTHOLE_BAD_LIMIT);
  free_conn(conn);

  conn = connect_to(CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", 0);
  porthole_conn_set_limit(conn, PORTHOLE_LIMIT_BODY, 5);
  request(conn, "GET", "/");
  uint8_t body[16];
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 5);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), PORTHOLE_BODY_TOO_LARGE);
  free_conn(conn);

  for (int size = 38; size <= 42; size++) { /* a chunk's size line, its line end included, under a limit of 40 */
    for (int extended = 0; extended < 2; extended++) {
      snprintf(input, sizeof input, CHUNKED "1%*s\r\n!\r\n0\r\n\r\n", size - 3, "");
      if (extended) {
        input[sizeof CHUNKED] = ';';
        memset(input + sizeof CHUNKED + 1, 'x', (size_t)size - 4);
      }
      conn = connect_to(input, sizeof CHUNKED - 1);
      porthole_conn_set_limit(conn, PORTHOLE_LIMIT_LINE, 40);
      request(conn, "GET", "/");
      assert_int_equal(porthole_conn_getresponse(conn), 200);
      assert_int_equal(porthole_conn_read(conn, body, sizeof body), size <= 40 ? 1 : PORTHOLE_CHUNK_LINE_TOO_LONG);
      free_conn(conn);
    }
  }

  conn = connect_to(CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", sizeof CHUNKED - 1 + 10);
  request(conn, "GET", "/");
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, 5), 5);
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_BODY, 2), 0); /* less than there was already */
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), PORTHOLE_BODY_TOO_LARGE);
  free_conn(conn);
}

static void what_nobody_asked_for_ends_the_connection(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_HEAD "Content-Length: 2\r\n\r\nok" OK_HEAD "Content-Length: 4\r\n\r\nevil", 0);
  request(conn, "GET", "/");
  uint8_t body[8];
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  assert_true(porthole_conn_view(conn)->flags & PORTHOLE_STRAY);
  assert_true(porthole_conn_view(conn)->flags & PORTHOLE_UNUSABLE);
  free_conn(conn);
}

static void a_second_request_can_go_out_before_the_first_body_is_read(void **state) {
  (void)state;
  for (size_t piece = 1; piece < 40; piece++) { /* more would come before it is asked for */
    porthole_conn *conn = connect_to(
        OK_HEAD "Content-Length: 2\r\n\r\nokHTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nnot", piece);
    uint8_t body[8];
    assert_int_equal(request(conn, "GET", "/1"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    if (porthole_conn_view(conn)->flags & PORTHOLE_STRAY) { /* the second answer began before it was asked for */
      assert_int_equal(request(conn, "GET", "/2"), PORTHOLE_UNSOLICITED);
      free_conn(conn);
      continue;
    }
    assert_int_equal(request(conn, "GET", "/2"), 0);
    assert_int_equal(porthole_conn_flush(conn), 0);
    assert_int_equal(request(conn, "GET", "/3"), PORTHOLE_CANNOT_SEND_REQUEST);
    assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_RESPONSE_NOT_READY);
    assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
    assert_int_equal(porthole_conn_getresponse(conn), 404);
    assert_int_equal(porthole_conn_read(conn, body, sizeof body), 3);
    free_conn(conn);
  }
}

/** Reads a long chunked body with a small receive buffer, in odd amounts. */
static void a_long_body_goes_through_a_small_buffer(void **state) {
  (void)state;
  enum { CHUNKS = 900, CHUNK = 300 };
  size_t size = 64 + CHUNKS * (CHUNK + 8);
  char *input = malloc(size);
  size_t length = (size_t)sprintf(input, CHUNKED);
  for (int i = 0; i < CHUNKS; i++) {
    length += (size_t)sprintf(input + length, "%x\r\n", CHUNK);
    memset(input + length, 'a' + i % 26, CHUNK);
    length += CHUNK;
    length += (size_t)sprintf(input + length, "\r\n");
  }
  sprintf(input + length, "0\r\n\r\n");
  for (size_t piece = 997; piece < 40000; piece = piece * 3 + 1) {
    porthole_conn *conn = connect_to(input, piece);
    request(conn, "GET", "/");
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    size_t total = 0;
    uint8_t part[777];
    int32_t count;
    while ((count = porthole_conn_read(conn, part, sizeof part)) > 0) {
      for (int32_t i = 0; i < count; i++) {
        assert_int_equal(part[i], 'a' + (int)((total + (size_t)i) / CHUNK) % 26);
      }
      total += (size_t)count;
    }
    assert_int_equal(count, 0);
    assert_int_equal(total, CHUNKS * CHUNK);
    free_conn(conn);
  }
  free(input);
}

static void keep_alive_says_how_long_a_connection_may_rest(void **state) {
  (void)state;
  static const struct {
    const char *fields;
    uint32_t seconds;
  } heads[] = {
      {"", UINT32_MAX},
      {"Keep-Alive: max=5\r\n", UINT32_MAX},
      {"Keep-Alive: timeout=5\r\n", 5},
      {"keep-alive: max=100, TIMEOUT=15 \r\n", 15},
      {"Keep-Alive: timeout=9\r\nKeep-Alive: timeout=0\r\n", 0},
      {"Keep-Alive: timeout=\"5\", timeout=, timeout=-1, timeout=5s, timeouts=5\r\n", UINT32_MAX},
      {"Keep-Alive: timeout=4294967295\r\n", UINT32_MAX - 1},
  };
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    char input[256];
    snprintf(input, sizeof input, OK_HEAD "%sContent-Length: 0\r\n\r\n", heads[i].fields);
    porthole_conn *conn = connect_to(input, 0);
    request(conn, "GET", "/");
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(porthole_conn_view(conn)->keep_alive, heads[i].seconds);
    free_conn(conn);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(outcomes_are_the_same_at_every_split),
      cmocka_unit_test(a_fold_becomes_one_space),
      cmocka_unit_test(limits_count_what_they_name),
      cmocka_unit_test(what_nobody_asked_for_ends_the_connection),
      cmocka_unit_test(a_second_request_can_go_out_before_the_first_body_is_read),
      cmocka_unit_test(keep_alive_says_how_long_a_connection_may_rest),
      cmocka_unit_test(a_long_body_goes_through_a_small_buffer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
