/* SPDX-License-Identifier: MIT
 *
 * Bodies of requests at level 0: pieces, what is sent by hand, and answers that come before a body is complete.
 */
#include "feed.h"

#include <stdbool.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK_ANSWER OK_HEAD "Content-Length: 0\r\n\r\n"
#define FIELD(name, value)                                                                                             \
  {                                                                                                                    \
    {(const uint8_t *)(name), sizeof(name) - 1}, { (const uint8_t *)(value), sizeof(value) - 1 }                       \
  }

enum { RX = 4096 };

static const porthole_field own_chunks[] = {FIELD("Transfer-Encoding", "chunked")};
static const porthole_field five[] = {FIELD("Content-Length", "5")};

static int32_t feed_text(const feed *to, const char *text) {
  size_t given;
  int32_t events = feed_some(to, (const uint8_t *)text, strlen(text), &given);
  assert_int_equal(given, strlen(text));
  return events;
}

/** Takes what is staged as sent, and checks that it is this. */
static void assert_staged(const feed *to, const char *wire) {
  const porthole_view *view = to->view;
  assert_int_equal(view->tx_length - view->tx_sent, strlen(wire));
  assert_memory_equal(to->tx + view->tx_sent, wire, strlen(wire));
  porthole_conn_taken(to->conn, strlen(wire));
}

/** Asks with a body; its head is sent. */
static int32_t ask(const feed *to, const porthole_field *fields, size_t count, uint32_t body, uint64_t size,
                   uint32_t flags) {
  int32_t result = porthole_conn_request(to->conn, porthole_text("POST"), porthole_text("/"), fields, count, body, size,
                                         flags);
  porthole_conn_taken(to->conn, to->view->tx_length - to->view->tx_sent);
  return result;
}

/** Asks in steps, and leaves the body to the caller's own hand. */
static void ask_by_hand(const feed *to, const porthole_field *field) {
  assert_int_equal(porthole_conn_putrequest(to->conn, porthole_text("POST"), porthole_text("/"), 0), 0);
  assert_int_equal(porthole_conn_putheader(to->conn, field->name, &field->value, 1), 0);
  assert_int_equal(porthole_conn_endheaders(to->conn, PORTHOLE_BODY_NONE, 0, 0), 0);
  porthole_conn_taken(to->conn, to->view->tx_length - to->view->tx_sent);
}

static feed asking(uint32_t body, uint64_t size) {
  feed made = feed_new(RX);
  assert_int_equal(ask(&made, NULL, 0, body, size, 0), 0);
  assert_int_equal(made.view->upload, PORTHOLE_UPLOAD_OPEN);
  return made;
}

static int32_t get(const feed *to) { return feed_request(to, "GET"); }

/** The response is taken and read to its end. */
static void take_answer(const feed *to) {
  assert_int_equal(porthole_conn_accept(to->conn), 0);
  assert_int_equal(porthole_conn_finish(to->conn), 0);
}

static bool usable(const feed *to) { return !(to->view->flags & PORTHOLE_UNUSABLE); }

static int32_t sent_chunks(const feed *to, const char *text) {
  return porthole_conn_sent_chunks(to->conn, porthole_text(text));
}

/* ---- pieces ---- */

static void the_end_of_a_chunk_is_staged_with_its_last_byte(void **state) {
  (void)state;
  feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
  assert_int_equal(porthole_conn_body_piece(to.conn, 26), 1);
  assert_staged(&to, "1A\r\n");
  assert_int_equal(porthole_conn_piece_passed(to.conn, 25), 0);
  assert_staged(&to, "");
  assert_int_equal(porthole_conn_piece_passed(to.conn, 1), 0);
  assert_staged(&to, "\r\n");
  assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), 0);
  assert_staged(&to, "0\r\n\r\n");
  assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_NONE);
  feed_free(&to);
}

static void nothing_else_is_staged_amid_a_piece(void **state) {
  (void)state;
  feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
  assert_int_equal(porthole_conn_piece_passed(to.conn, 1), PORTHOLE_CANNOT_SEND_HEADER);
  assert_int_equal(porthole_conn_body_piece(to.conn, 5), 1);
  assert_staged(&to, "5\r\n");
  assert_int_equal(porthole_conn_body_piece(to.conn, 1), PORTHOLE_CANNOT_SEND_HEADER);
  assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), PORTHOLE_CANNOT_SEND_HEADER);
  assert_int_equal(porthole_conn_piece_passed(to.conn, 6), PORTHOLE_BODY_TOO_LONG);
  assert_staged(&to, "");
  assert_int_equal(porthole_conn_piece_passed(to.conn, 5), 0);
  assert_staged(&to, "\r\n");
  feed_free(&to);
}

static void a_piece_of_nothing_is_no_last_chunk(void **state) {
  (void)state;
  feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
  assert_int_equal(porthole_conn_body_piece(to.conn, 0), 0);
  assert_staged(&to, "");
  assert_int_equal(porthole_conn_body_piece(to.conn, 1), 1);
  feed_free(&to);
}

static void a_chunk_is_begun_only_when_its_end_will_fit(void **state) {
  (void)state;
  for (size_t room = 0; room < 8; room++) {
    feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
    while (FEED_TX - to.view->tx_length > 6 + room) { /* 6 bytes of framing for a chunk of one byte */
      size_t more = FEED_TX - to.view->tx_length - (6 + room);
      if (more < 6) {
        break;
      }
      assert_int_equal(porthole_conn_body_piece(to.conn, 1), 1);
      assert_int_equal(porthole_conn_piece_passed(to.conn, 1), 0);
    }
    while (porthole_conn_body_piece(to.conn, 1) == 1) {
      uint32_t staged = to.view->tx_length;
      assert_int_equal(porthole_conn_piece_passed(to.conn, 1), 0);
      assert_int_equal(to.view->tx_length, staged + 2);
    }
    assert_int_equal(porthole_conn_body_piece(to.conn, 1), PORTHOLE_WANT_WRITE);
    porthole_conn_taken(to.conn, FEED_TX);
    assert_int_equal(porthole_conn_body_piece(to.conn, 1), 1);
    feed_free(&to);
  }
}

static void a_body_of_known_size_is_counted_by_its_pieces(void **state) {
  (void)state;
  feed to = asking(PORTHOLE_BODY_STREAM, 5);
  assert_int_equal(porthole_conn_body_piece(to.conn, 6), PORTHOLE_BODY_TOO_LONG);
  assert_int_equal(porthole_conn_body_piece(to.conn, 4), 0);
  assert_int_equal(porthole_conn_piece_passed(to.conn, 4), 0);
  assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), PORTHOLE_BODY_TOO_SHORT);
  assert_int_equal(porthole_conn_body_piece(to.conn, 1), 0);
  assert_int_equal(porthole_conn_piece_passed(to.conn, 1), 0);
  assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), 0);
  feed_text(&to, OK_ANSWER);
  take_answer(&to);
  assert_int_equal(get(&to), 0);
  feed_free(&to);
}

/* ---- by hand ---- */

static void chunks_of_the_callers_own_are_looked_at(void **state) {
  (void)state;
  static const struct {
    const char *sent;
    uint32_t upload;
    bool spoilt;
  } bodies[] = {
      {"5\r\nhello\r\n0\r\n\r\n", PORTHOLE_UPLOAD_NONE, false},
      {"5;a=b\r\nhello\r\nA \r\n0123456789\r\n00\r\nX-Sum: 1\r\nY: 2\r\n\r\n", PORTHOLE_UPLOAD_NONE, false},
      {"5\r\nhello\r\n", PORTHOLE_UPLOAD_OPEN, false},
      {"5\r\nhello\r\n0\r\n", PORTHOLE_UPLOAD_OPEN, false},
      {"0\r\nX: y\r\n", PORTHOLE_UPLOAD_OPEN, false},
      {"5\nhello\r\n", PORTHOLE_UPLOAD_OPEN, true},
      {"hello", PORTHOLE_UPLOAD_OPEN, true},
      {"5\r\nhello!\r\n", PORTHOLE_UPLOAD_OPEN, true},
      {"11111111111111111\r\n", PORTHOLE_UPLOAD_OPEN, true},
      {"0\r\n\r\nGET ", PORTHOLE_UPLOAD_NONE, true},
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    for (size_t piece = 1; piece <= strlen(bodies[i].sent); piece++) {
      feed to = feed_new(RX);
      ask_by_hand(&to, own_chunks);
      assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
      assert_int_equal(porthole_conn_sent_raw(to.conn, 1), 1);
      for (size_t at = 0; at < strlen(bodies[i].sent); at += piece) {
        size_t left = strlen(bodies[i].sent) - at;
        const uint8_t *bytes = (const uint8_t *)bodies[i].sent + at;
        assert_int_equal(porthole_conn_sent_chunks(to.conn, (porthole_span){bytes, piece < left ? piece : left}), 0);
      }
      assert_int_equal(to.view->upload, bodies[i].upload);
      assert_int_equal(usable(&to), !bodies[i].spoilt);
      feed_text(&to, OK_ANSWER);
      take_answer(&to);
      bool whole = bodies[i].upload == PORTHOLE_UPLOAD_NONE && !bodies[i].spoilt;
      assert_int_equal(get(&to), whole ? 0 : PORTHOLE_CANNOT_SEND_REQUEST);
      assert_int_equal(usable(&to), whole);
      feed_free(&to);
    }
  }
}

static void a_body_by_hand_that_is_not_complete_is_followed_by_no_request(void **state) {
  (void)state;
  for (size_t sent = 0; sent <= 6; sent++) {
    feed to = feed_new(RX);
    ask_by_hand(&to, five);
    assert_int_equal(porthole_conn_sent_raw(to.conn, sent), 0);
    assert_int_equal(to.view->upload, sent < 5 ? PORTHOLE_UPLOAD_OPEN : PORTHOLE_UPLOAD_NONE);
    feed_text(&to, OK_ANSWER);
    take_answer(&to);
    assert_int_equal(get(&to), sent == 5 ? 0 : PORTHOLE_CANNOT_SEND_REQUEST);
    assert_int_equal(usable(&to), sent == 5);
    feed_free(&to);
  }
}

static void a_body_by_hand_can_be_completed_after_a_good_answer(void **state) {
  (void)state;
  feed to = feed_new(RX);
  ask_by_hand(&to, own_chunks);
  assert_int_equal(sent_chunks(&to, "5\r\nhel"), 0);
  feed_text(&to, OK_ANSWER);
  take_answer(&to);
  assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
  assert_int_equal(sent_chunks(&to, "lo\r\n0\r\n\r\n"), 0);
  assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_NONE);
  assert_int_equal(get(&to), 0);
  feed_free(&to);
}

static void what_is_sent_behind_a_body_after_its_answer_is_followed_by_no_request(void **state) {
  (void)state;
  for (int how = 0; how < 2; how++) {
    feed to = feed_new(RX);
    assert_int_equal(get(&to), 0);
    feed_text(&to, OK_ANSWER);
    take_answer(&to);
    assert_int_equal(how == 0 ? porthole_conn_sent_raw(to.conn, 1) : sent_chunks(&to, "x"), 0);
    assert_false(usable(&to));
    assert_int_equal(get(&to), PORTHOLE_CANNOT_SEND_REQUEST);
    feed_free(&to);
  }
}

static void what_is_sent_behind_chunks_by_hand_after_their_answer_is_followed_by_no_request(void **state) {
  (void)state;
  feed to = feed_new(RX);
  ask_by_hand(&to, own_chunks);
  assert_int_equal(sent_chunks(&to, "0\r\n\r\n"), 0);
  feed_text(&to, OK_ANSWER);
  take_answer(&to);
  assert_true(usable(&to));
  assert_int_equal(porthole_conn_sent_raw(to.conn, 1), 1);
  assert_int_equal(sent_chunks(&to, "x"), 0);
  assert_int_equal(get(&to), PORTHOLE_CANNOT_SEND_REQUEST);
  feed_free(&to);
}

static void a_head_that_is_being_made_does_not_go_out_behind_what_is_sent_by_hand(void **state) {
  (void)state;
  feed to = feed_new(RX);
  assert_int_equal(porthole_conn_putrequest(to.conn, porthole_text("GET"), porthole_text("/"), 0), 0);
  assert_int_equal(porthole_conn_sent_raw(to.conn, 1), 0);
  assert_false(usable(&to));
  assert_int_equal(porthole_conn_endheaders(to.conn, PORTHOLE_BODY_NONE, 0, 0), PORTHOLE_CANNOT_SEND_REQUEST);
  feed_free(&to);
}

static void what_is_sent_by_hand_amid_a_piece_counts_as_the_body_or_is_too_much(void **state) {
  (void)state;
  static const struct {
    uint32_t body;
    size_t piece;
    size_t sent;
    bool spoilt;
  } cases[] = {
      {PORTHOLE_BODY_UNKNOWN, 5, 1, true}, {PORTHOLE_BODY_KNOWN, 5, 5, false},  {PORTHOLE_BODY_KNOWN, 5, 6, true},
      {PORTHOLE_BODY_KNOWN, 10, 1, true},  {PORTHOLE_BODY_KNOWN, 10, 0, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    feed to = asking(cases[i].body, 10);
    assert_true(porthole_conn_body_piece(to.conn, cases[i].piece) >= 0);
    assert_int_equal(porthole_conn_sent_raw(to.conn, cases[i].sent), 0);
    assert_int_equal(usable(&to), !cases[i].spoilt);
    assert_int_equal(porthole_conn_piece_passed(to.conn, cases[i].piece), 0);
    feed_free(&to);
  }
}

static void a_request_that_says_chunked_and_has_no_body_leaves_none_open_for_the_next(void **state) {
  (void)state;
  for (uint32_t flags = 0; flags <= PORTHOLE_ENCODE_CHUNKED; flags += PORTHOLE_ENCODE_CHUNKED) {
    feed to = feed_new(RX);
    assert_int_equal(ask(&to, own_chunks, 1, PORTHOLE_BODY_NONE, 0, flags), 0);
    assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), PORTHOLE_CANNOT_SEND_HEADER);
    feed_text(&to, OK_ANSWER);
    take_answer(&to);
    assert_int_equal(get(&to), PORTHOLE_CANNOT_SEND_REQUEST);
    assert_false(usable(&to));
    feed_free(&to);
  }
}

static void pieces_of_the_callers_own_chunks_are_shown_to_the_core(void **state) {
  (void)state;
  for (int whole = 0; whole < 2; whole++) {
    feed to = feed_new(RX);
    assert_int_equal(ask(&to, own_chunks, 1, PORTHOLE_BODY_STREAM, 10, 0), 0);
    assert_int_equal(porthole_conn_body_piece(to.conn, 10), 2);
    assert_int_equal(sent_chunks(&to, "5\r\nhello\r\n"), 0);
    if (whole) {
      assert_int_equal(sent_chunks(&to, "0\r\n\r\n"), 0);
    }
    assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), 0);
    assert_int_equal(usable(&to), whole);
    feed_free(&to);
  }
}

/* ---- answers before a body is complete ---- */

static void a_good_answer_leaves_an_upload_open_until_it_is_complete(void **state) {
  (void)state;
  static const char *const answers[] = {OK_ANSWER, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
    assert_int_equal(porthole_conn_body_piece(to.conn, 2), 1);
    feed_text(&to, answers[i]); /* amid a piece */
    assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
    assert_int_equal(porthole_conn_accept(to.conn), 0);
    assert_int_equal(to.view->state, PORTHOLE_IDLE);
    assert_int_equal(porthole_conn_piece_passed(to.conn, 1), 0);
    assert_int_equal(porthole_conn_finish(to.conn), 0);
    assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
    assert_int_equal(get(&to), PORTHOLE_CANNOT_SEND_REQUEST);
    assert_int_equal(porthole_conn_piece_passed(to.conn, 1), 0);
    assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), 0);
    assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_NONE);
    assert_staged(&to, "\r\n0\r\n\r\n");
    assert_true(usable(&to));
    assert_int_equal(get(&to), 0);
    feed_free(&to);
  }
}

static void an_answer_of_no_success_stops_an_upload_when_it_was_read(void **state) {
  (void)state;
  static const char *const heads[] = {"HTTP/1.1 413 No\r\n", "HTTP/1.1 500 No\r\n"};
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
    feed_text(&to, heads[i]);
    feed_text(&to, "Content-Length: 2\r\n\r\nn");
    assert_int_equal(porthole_conn_accept(to.conn), 0);
    assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
    assert_int_equal(porthole_conn_body_piece(to.conn, 1), 1);
    assert_int_equal(porthole_conn_piece_passed(to.conn, 1), 0);
    feed_text(&to, "o");
    assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
    assert_int_equal(porthole_conn_finish(to.conn), 0);
    assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_STOPPED);
    assert_false(usable(&to));
    assert_int_equal(get(&to), PORTHOLE_CANNOT_SEND_REQUEST);
    feed_free(&to);
  }
}

static void an_upload_that_is_complete_before_an_error_was_read_stops_nothing(void **state) {
  (void)state;
  feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
  feed_text(&to, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
  assert_int_equal(porthole_conn_accept(to.conn), 0);
  assert_int_equal(porthole_conn_body_end(to.conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_finish(to.conn), 0);
  assert_true(usable(&to));
  assert_int_equal(get(&to), 0);
  feed_free(&to);
}

/** What is given after a stop is dropped, with success. */
static void assert_dropped(const feed *to) {
  assert_int_equal(to->view->upload, PORTHOLE_UPLOAD_STOPPED);
  uint32_t staged = to->view->tx_length;
  assert_int_equal(porthole_conn_body_piece(to->conn, 5), 0);
  assert_int_equal(porthole_conn_piece_passed(to->conn, 5), 0);
  assert_int_equal(porthole_conn_sent_raw(to->conn, 5), 0);
  assert_int_equal(sent_chunks(to, "x"), 0);
  assert_int_equal(porthole_conn_body_end(to->conn, NULL, 0), 0);
  assert_int_equal(to->view->tx_length, staged);
  assert_int_equal(to->view->upload, PORTHOLE_UPLOAD_STOPPED);
  assert_false(usable(to));
}

static void a_close_that_is_said_stops_an_upload_at_once(void **state) {
  (void)state;
  for (int by_hand = 0; by_hand < 2; by_hand++) {
    feed to = by_hand ? feed_new(RX) : asking(PORTHOLE_BODY_UNKNOWN, 0);
    if (by_hand) {
      ask_by_hand(&to, five);
    } else {
      assert_int_equal(porthole_conn_body_piece(to.conn, 9), 1);
    }
    feed_text(&to, OK_HEAD "Connection: x, Close\r\nContent-Length: 2\r\n\r\nok");
    assert_dropped(&to);
    assert_int_equal(porthole_conn_accept(to.conn), 0);
    assert_dropped(&to);
    porthole_conn_finish(to.conn);
    assert_dropped(&to);
    assert_int_equal(get(&to), PORTHOLE_CANNOT_SEND_REQUEST);
    feed_free(&to);
  }
}

static void a_close_that_is_only_implied_does_not_stop_an_upload(void **state) {
  (void)state;
  static const char *const answers[] = {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", OK_HEAD "\r\nuntil"};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
    feed_text(&to, answers[i]);
    assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
    assert_int_equal(porthole_conn_accept(to.conn), 0);
    assert_int_equal(porthole_conn_body_piece(to.conn, 1), 1);
    feed_free(&to);
  }
}

static void an_answer_instead_of_the_100_leaves_the_body_unsent(void **state) {
  (void)state;
  static const porthole_field expect[] = {FIELD("Expect", "100-Continue")};
  static const struct {
    const char *answer;
    bool begun, stopped;
  } cases[] = {{OK_ANSWER, false, true},
               {OK_ANSWER, true, false},
               {"HTTP/1.1 102 Processing\r\n\r\n", false, false},
               {"HTTP/1.1 100 Continue\r\n\r\n", false, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t own = 0; own < 2; own++) { /* the header is ours, or the caller's */
      feed to = feed_new(RX);
      assert_int_equal(ask(&to, expect, own, PORTHOLE_BODY_STREAM, 5, own ? 0 : PORTHOLE_EXPECT_CONTINUE), 0);
      if (cases[i].begun) {
        assert_int_equal(porthole_conn_body_piece(to.conn, 1), 0);
      }
      if (feed_text(&to, cases[i].answer) & PORTHOLE_EVENT_INTERIM) {
        assert_int_equal(porthole_conn_resume(to.conn), 0);
      }
      assert_int_equal(to.view->upload == PORTHOLE_UPLOAD_STOPPED, cases[i].stopped);
      if (i >= 2) { /* only a 100 is one */
        feed_text(&to, OK_ANSWER);
        assert_int_equal(to.view->upload == PORTHOLE_UPLOAD_STOPPED, i == 2);
      }
      feed_free(&to);
    }
  }
}

static void a_response_that_is_not_read_to_its_end_stops_an_upload(void **state) {
  (void)state;
  feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
  feed_text(&to, OK_HEAD "Content-Length: 9\r\n\r\nhalf");
  assert_int_equal(porthole_conn_accept(to.conn), 0);
  porthole_conn_finish(to.conn);
  assert_dropped(&to);
  feed_free(&to);
}

static void an_answer_to_the_request_before_stops_no_upload(void **state) {
  (void)state;
  feed to = feed_new(RX);
  assert_int_equal(get(&to), 0);
  feed_text(&to, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nn");
  assert_int_equal(porthole_conn_accept(to.conn), 0);
  assert_int_equal(ask(&to, NULL, 0, PORTHOLE_BODY_UNKNOWN, 0, 0), 0);
  feed_text(&to, "o");
  assert_int_equal(porthole_conn_finish(to.conn), 0);
  assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_OPEN);
  feed_text(&to, "HTTP/1.1 404 No\r\nConnection: close\r\n\r\n");
  assert_int_equal(to.view->upload, PORTHOLE_UPLOAD_STOPPED);
  feed_free(&to);
}

static void a_caller_can_give_an_upload_up(void **state) {
  (void)state;
  feed to = asking(PORTHOLE_BODY_UNKNOWN, 0);
  porthole_conn_stop(to.conn);
  assert_dropped(&to);
  feed_text(&to, OK_ANSWER);
  take_answer(&to);
  assert_int_equal(get(&to), PORTHOLE_CANNOT_SEND_REQUEST);
  porthole_conn_reset(to.conn);
  porthole_conn_stop(to.conn); /* nothing is under way */
  assert_int_equal(get(&to), 0);
  feed_free(&to);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_end_of_a_chunk_is_staged_with_its_last_byte),
      cmocka_unit_test(nothing_else_is_staged_amid_a_piece),
      cmocka_unit_test(a_piece_of_nothing_is_no_last_chunk),
      cmocka_unit_test(a_chunk_is_begun_only_when_its_end_will_fit),
      cmocka_unit_test(a_body_of_known_size_is_counted_by_its_pieces),
      cmocka_unit_test(chunks_of_the_callers_own_are_looked_at),
      cmocka_unit_test(a_body_by_hand_that_is_not_complete_is_followed_by_no_request),
      cmocka_unit_test(a_body_by_hand_can_be_completed_after_a_good_answer),
      cmocka_unit_test(what_is_sent_behind_a_body_after_its_answer_is_followed_by_no_request),
      cmocka_unit_test(what_is_sent_behind_chunks_by_hand_after_their_answer_is_followed_by_no_request),
      cmocka_unit_test(a_head_that_is_being_made_does_not_go_out_behind_what_is_sent_by_hand),
      cmocka_unit_test(what_is_sent_by_hand_amid_a_piece_counts_as_the_body_or_is_too_much),
      cmocka_unit_test(a_request_that_says_chunked_and_has_no_body_leaves_none_open_for_the_next),
      cmocka_unit_test(pieces_of_the_callers_own_chunks_are_shown_to_the_core),
      cmocka_unit_test(a_good_answer_leaves_an_upload_open_until_it_is_complete),
      cmocka_unit_test(an_answer_of_no_success_stops_an_upload_when_it_was_read),
      cmocka_unit_test(an_upload_that_is_complete_before_an_error_was_read_stops_nothing),
      cmocka_unit_test(a_close_that_is_said_stops_an_upload_at_once),
      cmocka_unit_test(a_close_that_is_only_implied_does_not_stop_an_upload),
      cmocka_unit_test(an_answer_instead_of_the_100_leaves_the_body_unsent),
      cmocka_unit_test(a_response_that_is_not_read_to_its_end_stops_an_upload),
      cmocka_unit_test(an_answer_to_the_request_before_stops_no_upload),
      cmocka_unit_test(a_caller_can_give_an_upload_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
