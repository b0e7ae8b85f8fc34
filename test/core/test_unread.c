/* SPDX-License-Identifier: MIT
 *
 * What waits behind a response that has not been finished: the next response, its end, or what nobody asked for.
 */
#include "feed.h"

#include <stdio.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

enum { RX = 4096 };

static int32_t feed_text(const feed *to, const char *text) {
  size_t given;
  int32_t events = feed_some(to, (const uint8_t *)text, strlen(text), &given);
  assert_int_equal(given, strlen(text));
  return events;
}

static int32_t putrequest(const feed *to) {
  return porthole_conn_putrequest(to->conn, porthole_text("GET"), porthole_text("/2"), 0);
}

static int32_t endheaders(const feed *to) { return porthole_conn_endheaders(to->conn, PORTHOLE_BODY_NONE, 0, 0); }

/** A connection whose first response, an empty one, was handed out. */
static feed first_handed_out(void) {
  feed made = feed_new(RX);
  assert_int_equal(feed_request(&made, "GET"), 0);
  assert_int_equal(feed_text(&made, OK_HEAD "Content-Length: 0\r\n\r\n"), PORTHOLE_EVENT_HEAD | PORTHOLE_EVENT_END);
  assert_int_equal(porthole_conn_accept(made.conn), 0);
  porthole_conn_release(made.conn);
  return made;
}

/** … and whose second one waits behind it, when the stream ends or fails. */
static feed second_cut(const char *second, int32_t failure) {
  feed made = first_handed_out();
  assert_int_equal(feed_request(&made, "GET"), 0);
  assert_int_equal(feed_text(&made, second), 0);
  if (failure == 0) {
    assert_int_equal(porthole_conn_ended(made.conn), 0);
  } else {
    porthole_conn_failed(made.conn, failure);
  }
  return made;
}

static void the_end_of_the_stream_ends_the_response_that_waited(void **state) {
  (void)state;
  feed to = second_cut(OK_HEAD "\r\nabc", 0);
  assert_int_equal(porthole_conn_finish(to.conn), PORTHOLE_EVENT_HEAD | PORTHOLE_EVENT_BODY | PORTHOLE_EVENT_END);
  assert_int_equal(porthole_conn_accept(to.conn), 0);
  assert_int_equal(to.view->phase, PORTHOLE_PHASE_END);
  assert_int_equal(to.view->available, 3);
  feed_free(&to);
}

static void the_end_of_the_stream_cuts_the_response_that_waited(void **state) {
  (void)state;
  static const struct {
    const char *second;
    int32_t error;
  } cut[] = {
      {"", PORTHOLE_REMOTE_DISCONNECTED},
      {"HTTP/1.1", PORTHOLE_BAD_STATUS_LINE},
      {OK_HEAD "A: b\r\n", PORTHOLE_HEAD_CUT},
      {OK_HEAD "Content-Length: 5\r\n\r\nabc", PORTHOLE_BODY_CUT},
      {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", PORTHOLE_BODY_CUT},
      {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n", PORTHOLE_TRAILER_CUT},
  };
  for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
    for (int32_t failure = 0; failure >= PORTHOLE_HOST_RESET; failure += PORTHOLE_HOST_RESET) {
      feed to = first_handed_out();
      assert_int_equal(feed_request(&to, "GET"), 0);
      if (*cut[i].second != '\0') {
        assert_int_equal(feed_text(&to, cut[i].second), 0);
      }
      if (failure == 0) {
        assert_int_equal(porthole_conn_ended(to.conn), 0);
      } else {
        porthole_conn_failed(to.conn, failure);
      }
      int32_t error = failure == 0 ? cut[i].error : failure;
      assert_int_equal(porthole_conn_finish(to.conn), error);
      assert_int_equal(to.view->error, error);
      feed_free(&to);
    }
  }
}

static void a_failure_is_no_end_of_the_response_that_waited(void **state) {
  (void)state;
  feed to = second_cut(OK_HEAD "\r\nabc", PORTHOLE_HOST_RESET);
  assert_int_equal(porthole_conn_finish(to.conn), PORTHOLE_HOST_RESET);
  feed_free(&to);
}

static void the_end_of_the_stream_counts_behind_an_interim_response(void **state) {
  (void)state;
  feed to = feed_new(RX);
  assert_int_equal(feed_request(&to, "GET"), 0);
  assert_int_equal(feed_text(&to, "HTTP/1.1 103 Early Hints\r\n\r\n" OK_HEAD "Content-Length: 5\r\n\r\nabc"),
                   PORTHOLE_EVENT_INTERIM);
  assert_int_equal(porthole_conn_ended(to.conn), 0);
  assert_int_equal(porthole_conn_resume(to.conn), PORTHOLE_BODY_CUT);
  feed_free(&to);
}

static void a_response_larger_than_the_buffer_waits(void **state) {
  (void)state;
  enum { BODY = 3 * RX };
  feed to = first_handed_out();
  assert_int_equal(feed_request(&to, "GET"), 0);
  size_t length = (size_t)BODY + 64;
  char *second = malloc(length);
  assert_non_null(second);
  size_t head = (size_t)snprintf(second, length, OK_HEAD "Content-Length: %d\r\n\r\n", (int)BODY);
  memset(second + head, 'x', BODY);
  length = head + BODY;

  size_t at = 0;
  size_t given;
  int32_t events;
  while ((events = feed_some(&to, (const uint8_t *)second + at, length - at, &given)) == 0) {
    at += given;
  }
  assert_int_equal(events, PORTHOLE_WANT_SPACE);
  events = porthole_conn_finish(to.conn);
  assert_int_equal(events, PORTHOLE_EVENT_HEAD | PORTHOLE_EVENT_BODY);
  assert_int_equal(porthole_conn_accept(to.conn), 0);
  porthole_conn_release(to.conn);
  size_t read = 0;
  while (read < BODY) {
    if (to.view->available == 0) {
      assert_true(feed_some(&to, (const uint8_t *)second + at, length - at, &given) > 0);
      at += given;
    }
    read += to.view->available;
    assert_int_equal(porthole_conn_consume(to.conn, to.view->available), 0);
  }
  assert_int_equal(to.view->phase, PORTHOLE_PHASE_END);
  free(second);
  feed_free(&to);
}

static void what_comes_between_putrequest_and_endheaders_is_no_answer(void **state) {
  (void)state;
  feed to = feed_new(RX);
  assert_int_equal(putrequest(&to), 0);
  assert_int_equal(feed_text(&to, OK_HEAD "Content-Length: 0\r\n\r\n"), PORTHOLE_EVENT_STRAY);
  assert_int_equal(endheaders(&to), PORTHOLE_UNSOLICITED);
  feed_free(&to);

  to = first_handed_out();
  assert_int_equal(putrequest(&to), 0);
  assert_int_equal(feed_text(&to, OK_HEAD "Content-Length: 0\r\n\r\n"), PORTHOLE_EVENT_STRAY);
  assert_int_equal(endheaders(&to), PORTHOLE_UNSOLICITED);
  porthole_conn_finish(to.conn);
  assert_int_equal(porthole_conn_accept(to.conn), PORTHOLE_RESPONSE_NOT_READY);
  feed_free(&to);
}

static void a_head_that_is_in_is_handed_out_whatever_follows_it(void **state) {
  (void)state;
  for (int late = 0; late < 2; late++) { /* whether the first response is read before the second comes */
    feed to = feed_new(RX);
    assert_int_equal(feed_request(&to, "GET"), 0);
    feed_text(&to, OK_HEAD "Content-Length: 2\r\n\r\n");
    assert_int_equal(porthole_conn_accept(to.conn), 0);
    assert_int_equal(feed_request(&to, "GET"), 0);
    feed_text(&to, "ok");
    if (late) {
      porthole_conn_finish(to.conn);
    }
    feed_text(&to, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nZ");
    if (!late) {
      porthole_conn_finish(to.conn);
    }
    assert_int_equal(to.view->error, PORTHOLE_BAD_CHUNK);
    assert_int_equal(porthole_conn_accept(to.conn), 0);
    feed_free(&to);
  }
}

static void a_read_of_nothing_into_other_memory_changes_nothing(void **state) {
  (void)state;
  feed to = feed_new(RX);
  assert_int_equal(porthole_conn_passed(to.conn, 0), 0);
  assert_int_equal(to.view->phase, PORTHOLE_PHASE_NOTHING);
  assert_int_equal(feed_request(&to, "GET"), 0);
  assert_int_equal(porthole_conn_passed(to.conn, 0), 0);
  assert_int_equal(to.view->phase, PORTHOLE_PHASE_HEAD);
  feed_free(&to);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_end_of_the_stream_ends_the_response_that_waited),
      cmocka_unit_test(the_end_of_the_stream_cuts_the_response_that_waited),
      cmocka_unit_test(a_failure_is_no_end_of_the_response_that_waited),
      cmocka_unit_test(the_end_of_the_stream_counts_behind_an_interim_response),
      cmocka_unit_test(a_response_larger_than_the_buffer_waits),
      cmocka_unit_test(what_comes_between_putrequest_and_endheaders_is_no_answer),
      cmocka_unit_test(a_head_that_is_in_is_handed_out_whatever_follows_it),
      cmocka_unit_test(a_read_of_nothing_into_other_memory_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
