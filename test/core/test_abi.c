/* SPDX-License-Identifier: MIT
 *
 * What the core asks of a host, and when: heads, times, deadlines, waiting, texts.
 */
#include "scripted_host.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define GET_HEAD "GET / HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: identity\r\n\r\n"

static void assert_sent(const char *bytes) {
  assert_int_equal(host.sent_length, strlen(bytes));
  assert_memory_equal(host.sent, bytes, host.sent_length);
}

/** Stages a POST of `text`, which waits for a 100. */
static void expect_continue(porthole_conn *conn, size_t length) {
  assert_int_equal(porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_STREAM,
                                         length, PORTHOLE_EXPECT_CONTINUE),
                   0);
}

/* ---- looks ---- */

static void a_host_that_is_readable_without_bytes_does_not_stop_a_request(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_ANSWER, 0); /* readable: a receive of no time has nothing, one that waits fails */
  host.never_waits = true;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(request(conn, "GET", "/"), 0);
    assert_int_equal(porthole_conn_flush(conn), 0);
    assert_sent(GET_HEAD);
    host.never_waits = false;
    uint8_t body[4];
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
    host.never_waits = true;
    host.sent_length = host.position = 0;
  }
  free_conn(conn);
}

static void a_small_request_takes_two_calls_of_the_host(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_ANSWER, 0);
  unsigned before = host.calls;
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_int_equal(host.calls - before, 2);
  free_conn(conn);
}

/* ---- heads ---- */

static void a_head_goes_whole_and_nothing_else_with_it(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_ANSWER OK_ANSWER, sizeof OK_ANSWER - 1);
  static const uint8_t data[] = "hello";
  uint8_t body[4];
  for (unsigned i = 1; i <= 2; i++) { /* the end of the first body is staged when the second head is */
    assert_int_equal(
        porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_UNKNOWN, 0, 0),
        0);
    assert_int_equal(porthole_conn_send(conn, data, 5), 5);
    assert_int_equal(porthole_conn_receive(conn), PORTHOLE_EVENT_HEAD | PORTHOLE_EVENT_BODY | PORTHOLE_EVENT_END);
    assert_int_equal(porthole_conn_accept(conn), 0);
    assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
    assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
    assert_int_equal(host.heads, i); /* the host checks that it is one head */
  }
  assert_int_equal(porthole_conn_flush(conn), 0);
  static const char one[] = "POST / HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: identity\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  assert_int_equal(host.sent_length, 2 * (sizeof one - 1));
  assert_memory_equal(host.sent, one, sizeof one - 1);
  assert_memory_equal(host.sent + sizeof one - 1, one, sizeof one - 1);
  free_conn(conn);
}

static void a_head_that_the_host_takes_later_is_sent_once(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_ANSWER, 0);
  host.busy_at = 1;
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_flush(conn), PORTHOLE_WANT_WRITE);
  assert_int_equal(host.sent_length, 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(host.heads, 2);
  assert_sent(GET_HEAD);
  free_conn(conn);
}

static void a_part_of_a_head_is_a_lie(void **state) {
  (void)state;
  static const int32_t answers[] = {1, sizeof GET_HEAD - 2, sizeof GET_HEAD, 0};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    porthole_conn *conn = connect_to("", 0);
    assert_int_equal(request(conn, "GET", "/"), 0);
    host.fail_at = host.calls + 2; /* the first is the look */
    host.failure = answers[i];
    assert_int_equal(porthole_conn_flush(conn), PORTHOLE_HOST_LIED);
    free_conn(conn);
  }
}

static void the_head_of_a_tunnel_is_a_head(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 200 OK\r\n\r\n", 0);
  assert_int_equal(porthole_conn_tunnel(conn, porthole_text("example.com"), 443, NULL, 0), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(host.heads, 1);
  free_conn(conn);
}

/* ---- opening ---- */

static void an_open_says_how_it_is_to_be_opened(void **state) {
  (void)state;
  porthole_conn *conn = new_conn();
  host = (scripted_host){0};
  const uint32_t flags = PORTHOLE_OPEN_TLS | PORTHOLE_OPEN_IPV6;
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 443, flags, 1234), 0);
  assert_int_equal(host.flags, flags);
  assert_int_equal(host.timeout_ms, 1234);
  assert_int_equal(porthole_conn_handle(conn), HANDLE);
  porthole_conn_close(conn);
  assert_int_equal(porthole_conn_handle(conn), 0);
  free_conn(conn);
}

/* ---- times ---- */

static void the_timeout_goes_with_every_call_that_can_wait(void **state) {
  (void)state;
  static const int32_t done[] = {0};
  porthole_conn *conn = connect_to(OK_ANSWER, 0);
  host.handshake = done;
  porthole_conn_set_timeout(conn, 321);
  assert_int_equal(porthole_conn_start_tls(conn, porthole_text("example.com"), PORTHOLE_TLS_ALPN_HTTP1), 0);
  assert_int_equal(host.timeout_ms, 321);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_int_equal(host.timeout_ms, 321);
  host.timeout_ms = 0;
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(host.timeout_ms, 321);
  free_conn(conn);
}

static void a_drip_ends_at_the_deadline(void **state) {
  (void)state;
  static const uint32_t starts[] = {0, UINT32_MAX - 550, 1U << 31}; /* the clock wraps */
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    porthole_conn *conn = connect_to("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                                     1);
    host.now = starts[i];
    host.takes = 100;
    porthole_conn_set_timeout(conn, 150); /* which each byte keeps */
    porthole_conn_set_deadline(conn, 5000);
    uint8_t body[64];
    assert_int_equal(request(conn, "GET", "/"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_true(host.timeout_ms <= 150);
    int32_t got = porthole_conn_read(conn, body, sizeof body);
    assert_int_equal(host.now - starts[i], 5000);
    assert_int_equal(host.timeout_ms, 100); /* no more was left */
    assert_int_equal(got, 50 - (int32_t)sizeof "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + 1);
    unsigned calls = host.calls;
    assert_int_equal(porthole_conn_read(conn, body, sizeof body), PORTHOLE_HOST_TIMED_OUT);
    assert_int_equal(host.calls, calls);
    free_conn(conn);
  }
}

static void after_the_deadline_nothing_is_asked_of_the_host(void **state) {
  (void)state;
  static const int32_t done[] = {0};
  porthole_conn *conn = connect_to(OK_ANSWER, 0);
  host.handshake = done;
  porthole_conn_set_deadline(conn, 10);
  host.now += 10;
  unsigned calls = host.calls;
  assert_int_equal(porthole_conn_start_tls(conn, porthole_text("example.com"), 0), PORTHOLE_HOST_TIMED_OUT);
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 80, 0, -1), PORTHOLE_HOST_TIMED_OUT);
  assert_int_equal(host.calls, calls);
  porthole_conn_set_deadline(conn, 10);
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 80, 0, -1), 0);
  assert_int_equal(host.timeout_ms, 10); /* connecting is a part of it */
  assert_int_equal(request(conn, "GET", "/"), 0);
  host.now += 1U << 31; /* a clock that has gone on for so long is not before it */
  calls = host.calls;
  assert_int_equal(porthole_conn_flush(conn), PORTHOLE_HOST_TIMED_OUT);
  host.now += 1U << 31;
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 80, 0, -1), PORTHOLE_HOST_TIMED_OUT);
  assert_int_equal(host.calls, calls);
  porthole_conn_set_deadline(conn, -1);
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 80, 0, -1), 0);
  free_conn(conn);
}

static void a_request_with_a_deadline_reads_the_clock_twice(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_ANSWER, 0);
  porthole_conn_set_deadline(conn, 1000);
  host.clock_reads = 0;
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_int_equal(host.clock_reads, 1); /* for the look as well */
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(host.clock_reads, 2);
  free_conn(conn);
}

/* ---- waiting ---- */

static void a_wait_tells_what_is_ready(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  const uint32_t both = PORTHOLE_READABLE | PORTHOLE_WRITABLE;
  assert_int_equal(porthole_conn_wait(conn, both, 0), PORTHOLE_WRITABLE);
  assert_int_equal(porthole_conn_wait(conn, both, 100), both);
  assert_int_equal(host.timeout_ms, 100);
  host.idle = true;
  assert_int_equal(porthole_conn_wait(conn, PORTHOLE_READABLE, 100), 0);
  porthole_conn_set_deadline(conn, 70);
  assert_int_equal(porthole_conn_wait(conn, PORTHOLE_READABLE, -1), 0);
  assert_int_equal(host.timeout_ms, 70);
  static const int32_t answers[] = {PORTHOLE_HOST_ABORTED, 2, -77};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    host.fail_at = host.calls + 1;
    host.failure = answers[i];
    assert_int_equal(porthole_conn_wait(conn, both, -1), i == 0 ? PORTHOLE_HOST_ABORTED : PORTHOLE_HOST_LIED);
    assert_int_equal(porthole_conn_view(conn)->error, 0);
  }
  porthole_conn_close(conn);
  assert_int_equal(porthole_conn_wait(conn, both, 0), PORTHOLE_NOT_CONNECTED);
  free_conn(conn);
}

static void a_body_waits_for_the_100(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_ANSWER, 0);
  host.length -= sizeof OK_ANSWER - 1;
  expect_continue(conn, 5);
  host.ready = true;
  host.idle = true;
  host.at_end = PORTHOLE_WANT_READ;
  host.length -= 60; /* nothing is said before it is asked */
  size_t all = host.length + 60;
  host.length = 0;
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.length = all;
  assert_int_equal(porthole_conn_wait_continue(conn, 1000), 1);
  assert_int_equal(porthole_conn_view(conn)->upload, PORTHOLE_UPLOAD_OPEN);
  assert_int_equal(send_all(conn, "hello"), 0);
  assert_int_equal(porthole_conn_wait_continue(conn, 1000), 1); /* there is nothing more to wait for */
  free_conn(conn);
}

static void a_final_answer_instead_of_the_100_stops_the_body(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", 0);
  expect_continue(conn, 5);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.ready = true;
  assert_int_equal(porthole_conn_wait_continue(conn, -1), 1);
  assert_int_equal(porthole_conn_view(conn)->upload, PORTHOLE_UPLOAD_STOPPED);
  assert_int_equal(porthole_conn_getresponse(conn), 417);
  free_conn(conn);
}

static void waiting_for_the_100_ends_when_its_time_is_up(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  host.idle = true;
  host.takes = 300;
  host.at_end = PORTHOLE_WANT_READ;
  expect_continue(conn, 5);
  assert_int_equal(porthole_conn_wait_continue(conn, 300), 0); /* a host that blocks */
  assert_int_equal(porthole_conn_wait_continue(conn, 0), 0);
  host.cannot_wait = true;
  for (host.now = 0; host.now < 500; host.now += 100) { /* one that doesn't: the time is counted on */
    assert_int_equal(porthole_conn_wait_continue(conn, 500), PORTHOLE_WANT_READ);
  }
  assert_int_equal(porthole_conn_wait_continue(conn, 500), 0);
  assert_int_equal(send_all(conn, "hello"), 0);
  porthole_conn_set_deadline(conn, 200);
  host.cannot_wait = false;
  free_conn(conn);
}

static void the_deadline_ends_waiting_for_the_100(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  host.idle = true;
  host.takes = 200;
  host.at_end = PORTHOLE_WANT_READ;
  porthole_conn_set_deadline(conn, 200);
  expect_continue(conn, 5);
  assert_int_equal(porthole_conn_wait_continue(conn, -1), PORTHOLE_HOST_TIMED_OUT);
  assert_int_equal(host.timeout_ms, 200);
  free_conn(conn);
}

/* ---- texts ---- */

static void the_words_of_a_host_are_one_line(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  char text[400];
  static char words[300];
  memset(words, 'x', sizeof words - 1);
  host.words = "a\nb\tc\x1b[2J\x7f\xc3\xa9";
  assert_int_equal(porthole_conn_host_text(conn, text, sizeof text), 12);
  assert_memory_equal(text, "a b c [2J \xc3\xa9", 12);
  assert_int_equal(porthole_conn_host_text(conn, text, 3), 3);
  assert_int_equal(porthole_conn_host_text(conn, text, 0), 0);
  assert_int_equal(porthole_conn_info(conn, PORTHOLE_INFO_PEER, text, sizeof text), 0);
  host.words = words;
  assert_int_equal(porthole_conn_host_text(conn, text, sizeof text), PORTHOLE_INFO_MOST);
  porthole_conn_close(conn);
  assert_int_equal(porthole_conn_host_text(conn, text, 5), 5); /* of an open that failed */
  assert_int_equal(porthole_conn_info(conn, PORTHOLE_INFO_PEER, text, sizeof text), 0);
  free_conn(conn);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_host_that_is_readable_without_bytes_does_not_stop_a_request),
      cmocka_unit_test(a_small_request_takes_two_calls_of_the_host),
      cmocka_unit_test(a_head_goes_whole_and_nothing_else_with_it),
      cmocka_unit_test(a_head_that_the_host_takes_later_is_sent_once),
      cmocka_unit_test(a_part_of_a_head_is_a_lie),
      cmocka_unit_test(the_head_of_a_tunnel_is_a_head),
      cmocka_unit_test(an_open_says_how_it_is_to_be_opened),
      cmocka_unit_test(the_timeout_goes_with_every_call_that_can_wait),
      cmocka_unit_test(a_drip_ends_at_the_deadline),
      cmocka_unit_test(after_the_deadline_nothing_is_asked_of_the_host),
      cmocka_unit_test(a_request_with_a_deadline_reads_the_clock_twice),
      cmocka_unit_test(a_wait_tells_what_is_ready),
      cmocka_unit_test(a_body_waits_for_the_100),
      cmocka_unit_test(a_final_answer_instead_of_the_100_stops_the_body),
      cmocka_unit_test(waiting_for_the_100_ends_when_its_time_is_up),
      cmocka_unit_test(the_deadline_ends_waiting_for_the_100),
      cmocka_unit_test(the_words_of_a_host_are_one_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
