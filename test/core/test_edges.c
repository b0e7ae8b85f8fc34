/* SPDX-License-Identifier: MIT
 *
 * Calls in odd orders, and hosts at odd moments: what the fuzzers found once.
 */
#include "scripted_host.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static int32_t post(porthole_conn *conn) {
  return porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_UNKNOWN, 0, 0);
}

static int32_t send_hello(porthole_conn *conn) { return send_all(conn, "hello"); }

/* 1. A response that was let go of amid its body is handed out again, as the answer to the next request; and then a third
   request writes behind due[]. */
static void a_response_is_handed_out_once(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_HEAD "Content-Length: 5\r\n\r\nhel", 0);
  assert_int_equal(request(conn, "GET", "/1"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(request(conn, "GET", "/2"), 0);
  porthole_conn_finish(conn);
  assert_int_not_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(request(conn, "GET", "/3"), PORTHOLE_CANNOT_SEND_REQUEST);
  free_conn(conn);
}

/* 2. Several values of Transfer-Encoding are checked as a list, but sent as a folded line. */
static void a_transfer_encoding_is_not_sent_folded(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  const porthole_span values[] = {{(const uint8_t *)"", 0}, {(const uint8_t *)"chunked", 7}};
  assert_int_equal(porthole_conn_putrequest(conn, porthole_text("POST"), porthole_text("/"), 0), 0);
  assert_int_equal(porthole_conn_putheader(conn, porthole_text("Transfer-Encoding"), values, 2),
                   PORTHOLE_REQUEST_TRANSFER_ENCODING);
  free_conn(conn);
}

/* 3. A host that can't take the size line of a chunk gets the chunk's end instead of its data. */
static void a_chunk_is_sent_whole_or_not_at_all(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(post(conn), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.sent_length = 0;
  host.fail_at = host.calls + 2; /* the first is the wait */
  host.failure = PORTHOLE_WANT_WRITE;
  for (int tries = 0; tries < 3; tries++) {
    if (send_hello(conn) != PORTHOLE_WANT_WRITE) {
      break;
    }
  }
  porthole_conn_flush(conn);
  assert_int_equal(host.sent_length, 10);
  assert_memory_equal(host.sent, "5\r\nhello\r\n", 10);
  free_conn(conn);
}

/* … and one that can't take the end of a chunk is given all of it again, when the caller does as it is told. */
static void a_chunk_is_sent_once(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(post(conn), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.sent_length = 0;
  host.fail_at = host.calls + 4; /* wait, size line, data, end */
  host.failure = PORTHOLE_WANT_WRITE;
  if (send_hello(conn) == PORTHOLE_WANT_WRITE) {
    send_hello(conn);
  }
  porthole_conn_flush(conn);
  assert_int_equal(host.sent_length, 10);
  free_conn(conn);
}

/* … and after a failure amid a chunk its end goes out with the next flush, as part of what is missing. */
static void nothing_is_sent_after_a_failure_amid_a_chunk(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(post(conn), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.sent_length = 0;
  host.fail_at = host.calls + 3; /* wait, size line, data */
  host.failure = PORTHOLE_HOST_TIMED_OUT;
  assert_int_equal(send_hello(conn), PORTHOLE_HOST_TIMED_OUT);
  porthole_conn_getresponse(conn);
  assert_int_equal(host.sent_length, 3);
  free_conn(conn);
}

/* 4. The body of a second request is not sent while the response before is unread: what came is taken for its answer. */
static void the_body_of_a_second_request_is_sent(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_HEAD "Content-Length: 5\r\n\r\nhello", 0);
  assert_int_equal(request(conn, "GET", "/1"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(post(conn), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.sent_length = 0;
  assert_int_equal(send_hello(conn), 0);
  assert_int_equal(host.sent_length, 10);
  free_conn(conn);
}

/* 5. Reading from a tunnel receives for ever once the peer has closed, or the host fails. */
static void a_tunnel_has_no_body(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 101 Switching Protocols\r\n\r\n", 0);
  uint8_t body[8];
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 101);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 0);
  free_conn(conn);
}

/* 6. Sending receives for ever when nothing is due and the peer has closed: the end of a stream is always readable. */
static void sending_out_of_order_is_refused(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  host.ready = true;
  assert_int_equal(send_hello(conn), PORTHOLE_CANNOT_SEND_HEADER);
  free_conn(conn);
}

/* … and it misses an early answer behind two interim responses that came at once: only one is skipped. */
static void two_interims_at_once_hide_no_early_answer(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
                                   "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n",
                                   0);
  assert_int_equal(post(conn), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.ready = true;
  assert_int_equal(send_hello(conn), 0);
  assert_int_equal(porthole_conn_view(conn)->status, 413);
  assert_int_equal(porthole_conn_getresponse(conn), 413);
  free_conn(conn);
}

/* 7. A number that is no error of a host's is passed on by an open. */
static void an_open_that_lies_is_found_out(void **state) {
  (void)state;
  static const int32_t answers[] = {PORTHOLE_WANT_READ, -77, PORTHOLE_BAD_STATUS_LINE, PORTHOLE_HOST_UNSUPPORTED - 1};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    porthole_conn *conn = new_conn();
    host = (scripted_host){.fail_at = 1, .failure = answers[i]};
    assert_int_equal(porthole_conn_open(conn, porthole_text("h"), 80, 0, -1), PORTHOLE_HOST_LIED);
    free_conn(conn);
  }
}

/** How a response ends that comes in pieces, with a limit for lines. */
static int32_t end_of(const char *answer, size_t piece, uint32_t line, uint32_t head) {
  porthole_conn *conn = connect_to(answer, piece);
  uint8_t body[64];
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_LINE, line), 0);
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_HEAD, head), 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  int32_t result = porthole_conn_getresponse(conn);
  while (result > 0) {
    result = porthole_conn_read(conn, body, sizeof body);
  }
  free_conn(conn);
  return result;
}

static void assert_same_end(const char *answer, uint32_t line, uint32_t head) {
  int32_t whole = end_of(answer, 0, line, head);
  for (size_t piece = 1; piece < strlen(answer); piece++) {
    assert_int_equal(end_of(answer, piece, line, head), whole);
  }
}

/* 8. An extension that comes in one piece passes the limit for lines when a control character, or the end of the stream,
   ends it. */
static void a_chunk_line_has_one_limit_at_every_split(void **state) {
  (void)state;
  assert_same_end(CHUNKED "5;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x01\r\n", 30, 4096);
  assert_same_end(CHUNKED "5;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 30, 4096);
}

/* 9. A line over the limit for lines and that for heads: which one is told depends on the pieces. */
static void a_line_passes_the_same_limit_at_every_split(void **state) {
  (void)state;
  assert_same_end(OK_HEAD "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n", 30, 40);
}

/* 10. The zone of an address can hold "#", which README.md says no host has. */
static void a_zone_is_checked_as_a_host_is(void **state) {
  (void)state;
  porthole_host_port out;
  assert_int_equal(porthole_split_host(porthole_text("fe80::1%#x"), 1, &out), PORTHOLE_BAD_HOST);
}

/* 11. Bytes that nobody asked for are the answer to the next request, unless the caller looks at view.flags before it. */
static void an_unsolicited_response_answers_no_request(void **state) {
  (void)state;
  static const char script[] = OK_HEAD "Content-Length: 2\r\n\r\nok" OK_HEAD "Content-Length: 4\r\n\r\nevil!";
  porthole_conn *conn = connect_to(script, sizeof script - 2); /* the last byte comes later */
  uint8_t body[8];
  assert_int_equal(request(conn, "GET", "/1"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  request(conn, "GET", "/2");
  assert_true(porthole_conn_getresponse(conn) < 0);
  free_conn(conn);
}

/** What the read of a body with a limit for extensions ends with: how many bytes it has, or an error. */
static int32_t read_within(const char *answer, uint32_t extensions) {
  porthole_conn *conn = connect_to(answer, 0);
  uint8_t body[64];
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_CHUNK_EXTENSION, extensions), 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  int32_t count = 0;
  int32_t result = 0;
  while ((result = porthole_conn_read(conn, body, sizeof body)) > 0) {
    count += result;
  }
  free_conn(conn);
  return result < 0 ? result : count;
}

/* 12. Extensions with nothing in them cost as many bytes, and counted for none. */
static void empty_extensions_count(void **state) {
  (void)state;
  static const char empty[] = CHUNKED "1;\r\na\r\n1;\r\nb\r\n0;\r\n\r\n";
  static const char named[] = CHUNKED "1;x\r\na\r\n1 ;y\r\nb\r\n0\r\n\r\n";
  assert_int_equal(read_within(empty, 3), 2);
  assert_int_equal(read_within(empty, 2), PORTHOLE_EXTENSIONS_TOO_LARGE);
  assert_int_equal(read_within(named, 4), 2);
  assert_int_equal(read_within(named, 3), PORTHOLE_EXTENSIONS_TOO_LARGE);
}

/* 13. Whose head was in was only known from the phase and the state: not after a failure, with another request behind. */
static void a_request_is_answered_by_its_own_head(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_HEAD "Content-Length: 5\r\n\r\nhel", 0);
  const porthole_view *view = porthole_conn_view(conn);
  uint8_t body[8];
  assert_int_equal(request(conn, "GET", "/1"), 0);
  assert_false(view->flags & PORTHOLE_ANSWERED);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_true(view->flags & PORTHOLE_ANSWERED);
  assert_int_equal(request(conn, "GET", "/2"), 0);
  assert_false(view->flags & PORTHOLE_ANSWERED);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 3);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), PORTHOLE_BODY_CUT);
  assert_false(view->flags & PORTHOLE_ANSWERED);
  porthole_conn_finish(conn);
  assert_false(view->flags & PORTHOLE_ANSWERED);
  free_conn(conn);
}

/* … nor is anything answered once the response is done. */
static void nothing_is_answered_at_rest(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_HEAD "Content-Length: 2\r\n\r\nok", 0);
  const porthole_view *view = porthole_conn_view(conn);
  uint8_t body[8];
  assert_int_equal(request(conn, "GET", "/1"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_true(view->flags & PORTHOLE_ANSWERED);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  porthole_conn_finish(conn);
  assert_false(view->flags & PORTHOLE_ANSWERED);
  free_conn(conn);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_response_is_handed_out_once),
      cmocka_unit_test(a_transfer_encoding_is_not_sent_folded),
      cmocka_unit_test(a_chunk_is_sent_whole_or_not_at_all),
      cmocka_unit_test(a_chunk_is_sent_once),
      cmocka_unit_test(nothing_is_sent_after_a_failure_amid_a_chunk),
      cmocka_unit_test(the_body_of_a_second_request_is_sent),
      cmocka_unit_test(a_tunnel_has_no_body),
      cmocka_unit_test(sending_out_of_order_is_refused),
      cmocka_unit_test(two_interims_at_once_hide_no_early_answer),
      cmocka_unit_test(an_open_that_lies_is_found_out),
      cmocka_unit_test(a_chunk_line_has_one_limit_at_every_split),
      cmocka_unit_test(a_line_passes_the_same_limit_at_every_split),
      cmocka_unit_test(a_zone_is_checked_as_a_host_is),
      cmocka_unit_test(an_unsolicited_response_answers_no_request),
      cmocka_unit_test(empty_extensions_count),
      cmocka_unit_test(a_request_is_answered_by_its_own_head),
      cmocka_unit_test(nothing_is_answered_at_rest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
