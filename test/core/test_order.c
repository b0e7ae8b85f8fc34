/* SPDX-License-Identifier: MIT
 *
 * Calls at the wrong time, hosts that take a part or nothing, and what a caller may rely on from call to call.
 */
#include "scripted_host.h"

#include <stdio.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define TWO_BYTES OK_HEAD "Content-Length: 2\r\n\r\nok"

static const porthole_span none = {NULL, 0};

static int32_t post(porthole_conn *conn, uint32_t body, uint64_t size) {
  return porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, body, size, 0);
}

static int32_t start_tls(porthole_conn *conn) {
  return porthole_conn_start_tls(conn, porthole_text("example.com"), PORTHOLE_TLS_ALPN_HTTP1);
}

/** A chunked request whose head is sent: from here on, what the host gets is its body. */
static porthole_conn *posting(const char *script) {
  porthole_conn *conn = connect_to(script, 0);
  assert_int_equal(post(conn, PORTHOLE_BODY_UNKNOWN, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.sent_length = 0;
  return conn;
}

static void assert_sent(const char *wire) {
  assert_int_equal(host.sent_length, strlen(wire));
  assert_memory_equal(host.sent, wire, strlen(wire));
}

/* ---- sending ---- */

static void a_send_tells_how_much_a_host_took(void **state) {
  (void)state;
  for (size_t most = 1; most < 8; most++) {
    for (unsigned stop = 1; stop < 16; stop++) { /* the send that takes nothing */
      porthole_conn *conn = posting("");
      host.send_most = most;
      host.busy_at = stop;
      const char *text = "hello world";
      size_t done = 0;
      for (int tries = 0; done < 11 && tries < 20; tries++) {
        int32_t sent = porthole_conn_send(conn, (const uint8_t *)text + done, 11 - done);
        assert_true(sent == PORTHOLE_WANT_WRITE || (sent > 0 && (size_t)sent <= 11 - done));
        done += sent > 0 ? (size_t)sent : 0;
      }
      assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
      if (porthole_conn_flush(conn) == PORTHOLE_WANT_WRITE) {
        assert_int_equal(porthole_conn_flush(conn), 0);
      }
      assert_sent("B\r\nhello world\r\n0\r\n\r\n");
      free_conn(conn);
    }
  }
}

static void a_send_takes_nothing_while_the_host_takes_nothing(void **state) {
  (void)state;
  porthole_conn *conn = posting("");
  host.send_lie = PORTHOLE_WANT_WRITE;
  for (int tries = 0; tries < 3; tries++) {
    assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"hello", 5), PORTHOLE_WANT_WRITE);
  }
  host.send_lie = 0;
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"hello, all", 10),
                   10); /* the piece that was begun, and more */
  assert_sent("5\r\nhello\r\n5\r\n, all\r\n");
  free_conn(conn);
}

static void a_body_by_hand_is_sent_as_it_is(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(TWO_BYTES, 0);
  const porthole_span value = porthole_text("5");
  assert_int_equal(porthole_conn_putrequest(conn, porthole_text("PUT"), porthole_text("/"), 0), 0);
  assert_int_equal(porthole_conn_putheader(conn, porthole_text("Content-Length"), &value, 1), 0);
  assert_int_equal(porthole_conn_endheaders(conn, PORTHOLE_BODY_NONE, 0, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.sent_length = 0;
  assert_int_equal(send_all(conn, "hello"), 0);
  assert_sent("hello");
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"!", 1), PORTHOLE_CANNOT_SEND_HEADER);
  free_conn(conn);
}

static void an_upload_goes_on_beside_a_good_answer(void **state) {
  (void)state;
  porthole_conn *conn = posting(TWO_BYTES);
  uint8_t body[8];
  host.ready = true;
  assert_int_equal(send_all(conn, "one"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(send_all(conn, "two"), 0);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  assert_int_equal(request(conn, "GET", "/"), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(send_all(conn, "three"), 0);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
  host.ready = false;
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  const char *wire = "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\nGET / ";
  assert_memory_equal(host.sent, wire, strlen(wire));
  free_conn(conn);
}

static void an_upload_that_was_refused_goes_nowhere_once_the_answer_is_read(void **state) {
  (void)state;
  porthole_conn *conn = posting("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
  uint8_t body[8];
  host.ready = true;
  assert_int_equal(send_all(conn, "one"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 413);
  assert_int_equal(send_all(conn, "two"), 0);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"three", 5), 5);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_sent("3\r\none\r\n3\r\ntwo\r\n");
  assert_int_equal(request(conn, "GET", "/"), PORTHOLE_CANNOT_SEND_REQUEST);
  free_conn(conn);
}

static void an_error_of_a_send_stays(void **state) {
  (void)state;
  static const int32_t errors[] = {PORTHOLE_HOST_RESET, PORTHOLE_HOST_CLOSED, PORTHOLE_HOST_TIMED_OUT};
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    porthole_conn *conn = connect_to("", 0);
    assert_int_equal(post(conn, PORTHOLE_BODY_UNKNOWN, 0), 0);
    host.fail_at = host.calls + 2; /* the first is the look before a request */
    host.failure = errors[i];
    for (int tries = 0; tries < 2; tries++) {
      assert_int_equal(porthole_conn_flush(conn), errors[i]);
      assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"x", 1), errors[i]);
    }
    assert_int_equal(host.sent_length, 0);
    assert_int_equal(porthole_conn_getresponse(conn), errors[i]); /* no answer came */
    assert_int_equal(porthole_conn_view(conn)->error, errors[i]);
    assert_int_equal(request(conn, "GET", "/"), errors[i]);
    free_conn(conn);
  }
}

static void an_answer_before_a_reset_is_read_after_a_send_that_failed(void **state) {
  (void)state;
  porthole_conn *conn = posting("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
  uint8_t body[8];
  host.send_lie = PORTHOLE_HOST_RESET;
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"x", 1), PORTHOLE_HOST_RESET);
  assert_int_equal(porthole_conn_getresponse(conn), 413);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  assert_int_equal(request(conn, "GET", "/"), PORTHOLE_CANNOT_SEND_REQUEST);
  free_conn(conn);
}

static void an_end_after_a_send_that_failed_is_what_it_failed_with(void **state) {
  (void)state;
  porthole_conn *conn = posting("");
  host.send_lie = PORTHOLE_HOST_RESET;
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"x", 1), PORTHOLE_HOST_RESET);
  assert_int_equal(porthole_conn_receive(conn), PORTHOLE_HOST_RESET);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_HOST_RESET);
  free_conn(conn);
}

static void readable_without_bytes_stops_no_request(void **state) {
  (void)state;
  /* A ticket of TLS 1.3 makes a socket readable: a receive that waits would wait for ever, with the request unsent. */
  for (int32_t timeout_ms = -1; timeout_ms <= 1; timeout_ms++) {
    porthole_conn *conn = connect_to("", 0);
    host.ready = true;
    host.at_end = PORTHOLE_WANT_READ;
    host.never_waits = true;
    porthole_conn_set_timeout(conn, timeout_ms);
    assert_int_equal(post(conn, PORTHOLE_BODY_UNKNOWN, 0), 0);
    assert_int_equal(porthole_conn_flush(conn), 0);
    assert_int_equal(send_all(conn, "hello"), 0);
    assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
    assert_int_equal(porthole_conn_flush(conn), 0);
    host.never_waits = false;
    host.script = TWO_BYTES;
    host.length = sizeof TWO_BYTES - 1;
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(host.timeout_ms, timeout_ms);
    free_conn(conn);
  }
}

/* ---- no transport, no response, no tunnel ---- */

static void without_a_transport_nothing_is_sent_or_received(void **state) {
  (void)state;
  porthole_conn *conn = new_conn();
  host = (scripted_host){0};
  assert_int_equal(porthole_conn_receive(conn), PORTHOLE_NOT_CONNECTED);
  assert_int_equal(start_tls(conn), PORTHOLE_NOT_CONNECTED);
  assert_int_equal(post(conn, PORTHOLE_BODY_UNKNOWN, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), PORTHOLE_NOT_CONNECTED);
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"x", 1), PORTHOLE_NOT_CONNECTED);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_NOT_CONNECTED);
  assert_int_equal(porthole_conn_view(conn)->error, 0);
  assert_int_equal(host.calls, 0);
  porthole_conn_attach(conn, HANDLE);
  assert_int_equal(porthole_conn_flush(conn), 0);
  free_conn(conn);
}

static void reading_where_no_response_was_handed_out_is_no_end(void **state) {
  (void)state;
  uint8_t body[8];
  porthole_conn *conn = connect_to(TWO_BYTES, 0);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), PORTHOLE_RESPONSE_NOT_READY);
  assert_int_equal(porthole_conn_read(conn, NULL, 0), PORTHOLE_RESPONSE_NOT_READY);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), PORTHOLE_RESPONSE_NOT_READY);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 0);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 0); /* the end is the end, also twice */
  free_conn(conn);

  conn = connect_to("JUNK\r\n", 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_BAD_STATUS_LINE);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), PORTHOLE_BAD_STATUS_LINE);
  free_conn(conn);
}

static void leaving_a_tunnel_that_is_none_changes_nothing(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 200 OK\r\n\r\n", 0);
  const porthole_view *view = porthole_conn_view(conn);
  porthole_view before = *view;
  assert_int_equal(porthole_conn_tunnelled(conn), PORTHOLE_RESPONSE_NOT_READY);
  assert_memory_equal(view, &before, sizeof before);
  assert_int_equal(porthole_conn_tunnel(conn, porthole_text("h"), 443, NULL, 0), 0);
  before = *view;
  assert_int_equal(porthole_conn_tunnelled(conn), PORTHOLE_RESPONSE_NOT_READY);
  assert_memory_equal(view, &before, sizeof before);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_tunnelled(conn), 0);
  assert_int_equal(view->flags & PORTHOLE_UNUSABLE, 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  free_conn(conn);

  conn = connect_to("JUNK", 0); /* an error is not forgotten */
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_BAD_STATUS_LINE);
  assert_int_equal(porthole_conn_tunnelled(conn), PORTHOLE_BAD_STATUS_LINE);
  assert_int_equal(request(conn, "GET", "/"), PORTHOLE_BAD_STATUS_LINE);
  free_conn(conn);

  conn = connect_to("HTTP/1.1 200 OK\r\n\r\n", 0); /* … nor that of a transport that failed in the tunnel */
  assert_int_equal(porthole_conn_tunnel(conn, porthole_text("h"), 443, NULL, 0), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  porthole_conn_failed(conn, PORTHOLE_HOST_RESET);
  assert_int_equal(porthole_conn_tunnelled(conn), PORTHOLE_HOST_RESET);
  assert_int_equal(request(conn, "GET", "/"), PORTHOLE_HOST_RESET);
  free_conn(conn);
}

static void no_body_outlives_the_tunnel_that_it_was_sent_into(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 200 OK\r\n\r\n", 0);
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("CONNECT"), porthole_text("h:1"), NULL, 0, PORTHOLE_BODY_UNKNOWN, 0, 0),
      0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_tunnelled(conn), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_tunnelled(conn), 0);
  assert_int_equal(porthole_conn_body_piece(conn, 1), PORTHOLE_CANNOT_SEND_HEADER);
  free_conn(conn);
}

static void nothing_is_staged_or_sent_in_the_middle_of_a_handshake(void **state) {
  (void)state;
  static const int32_t waits[] = {PORTHOLE_WANT_READ, PORTHOLE_WANT_READ, 0};
  porthole_conn *conn = connect_to(TWO_BYTES, 0);
  host.handshake = waits;
  assert_int_equal(start_tls(conn), PORTHOLE_WANT_READ);
  assert_int_equal(request(conn, "GET", "/"), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(porthole_conn_tunnel(conn, porthole_text("h"), 443, NULL, 0), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(porthole_conn_flush(conn), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(porthole_conn_receive(conn), PORTHOLE_RESPONSE_NOT_READY);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_RESPONSE_NOT_READY);
  assert_int_equal(host.sent_length + host.position, 0);
  assert_int_equal(start_tls(conn), PORTHOLE_WANT_READ);
  assert_int_equal(start_tls(conn), 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  free_conn(conn);
}

static void half_a_head_is_not_sent(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(porthole_conn_putrequest(conn, porthole_text("GET"), porthole_text("/"), 0), 0);
  assert_int_equal(porthole_conn_flush(conn), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(host.sent_length, 0);
  assert_int_equal(porthole_conn_endheaders(conn, PORTHOLE_BODY_NONE, 0, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  free_conn(conn);
}

/* ---- what a peer said ---- */

static void a_receive_buffer_that_is_full_lets_no_planted_answer_pass(void **state) {
  (void)state;
  static char script[2 * RX_SIZE];
  for (size_t spare = 0; spare < 3; spare++) {
    size_t body = RX_SIZE - 200;
    int head = snprintf(script, sizeof script, OK_HEAD "Content-Length: %zu\r\n", body);
    size_t filler = RX_SIZE - spare - body - (size_t)head -
                    7; /* "F: " and two line ends: head and body fill the buffer */
    head += snprintf(script + head, sizeof script - (size_t)head, "F: %0*d\r\n\r\n", (int)filler, 0);
    memset(script + head, 'x', body);
    memcpy(script + head + body, TWO_BYTES, sizeof TWO_BYTES);
    porthole_conn *conn = connect_to(script, 0);
    host.length = (size_t)head + body;
    assert_int_equal(request(conn, "GET", "/1"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    while (porthole_conn_view(conn)->phase == PORTHOLE_PHASE_LENGTH) {
      assert_true(porthole_conn_receive(conn) >= 0);
    }
    assert_int_equal(porthole_conn_view(conn)->available, body);
    assert_int_equal(request(conn, "GET", "/2"), 0);
    host.length += sizeof TWO_BYTES - 1; /* planted */
    host.ready = true;
    host.sent_length = 0;
    assert_int_equal(porthole_conn_flush(conn), PORTHOLE_UNSOLICITED);
    assert_int_equal(host.sent_length, 0);
    assert_true(porthole_conn_getresponse(conn) < 0);
    free_conn(conn);
  }
}

static void what_can_become_no_status_line_is_refused_at_its_first_bytes(void **state) {
  (void)state;
  static const char *const starts[] = {"P",        "\x16\x03\x03", "2",   "HTTX",   "HT\n",
                                       "HTTP ",    "\r\nX",        "\nX", "\r\n\r", "h",
                                       "\rH",      "\n\n",         " ",   "<",      "\x15\x03\x01\x00\x02\x02\x46",
                                       "SSH-2.0-x"};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    for (size_t piece = 0; piece < 3; piece++) {
      porthole_conn *conn = connect_to(starts[i], piece);
      host.at_end = PORTHOLE_WANT_READ; /* the peer waits, and so would we */
      assert_int_equal(request(conn, "GET", "/"), 0);
      assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_BAD_STATUS_LINE);
      free_conn(conn);
    }
  }
  static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
  porthole_conn *conn = connect_to("", 0);
  host.script = (const char *)settings;
  host.length = sizeof settings;
  host.at_end = PORTHOLE_WANT_READ;
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_BAD_STATUS_LINE);
  free_conn(conn);
  static const char *const waits[] = {"H", "HTTP", "HTTP/", "HTTP/1.1 2", "\r", "\n", "\r\nHTT"};
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
    conn = connect_to(waits[i], 1);
    host.at_end = PORTHOLE_WANT_READ;
    assert_int_equal(request(conn, "GET", "/"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_WANT_READ);
    free_conn(conn);
  }
}

static void a_header_stays_where_it_is_until_the_next_response_begins(void **state) {
  (void)state;
  static char script[4 * RX_SIZE];
  size_t body = 3 * RX_SIZE;
  int head = snprintf(script, sizeof script, OK_HEAD "X-A: here it is\r\nContent-Length: %zu\r\n\r\n", body);
  memset(script + head, 'x', body);
  memcpy(script + (size_t)head + body, TWO_BYTES, sizeof TWO_BYTES);
  for (size_t piece = 100; piece < 60000; piece = piece * 3) {
    porthole_conn *conn = connect_to(script, piece);
    host.length = (size_t)head + body;
    uint8_t part[1000];
    porthole_span value;
    assert_int_equal(request(conn, "GET", "/1"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(porthole_conn_getheader(conn, porthole_text("x-a"), &value), 1);
    while (porthole_conn_read(conn, part, sizeof part) > 0) {
      assert_memory_equal(value.data, "here it is", value.length);
    }
    porthole_span again;
    assert_int_equal(porthole_conn_getheader(conn, porthole_text("x-a"), &again), 1); /* after its end, too */
    assert_ptr_equal(again.data, value.data);
    assert_memory_equal(value.data, "here it is", value.length);
    assert_int_equal(request(conn, "GET", "/2"), 0);
    assert_int_equal(porthole_conn_getheader(conn, porthole_text("x-a"), &again), 0);
    host.length = sizeof script;
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(porthole_conn_getheader(conn, porthole_text("x-a"), &again), 0);
    free_conn(conn);
  }
}

static void before_any_response_no_time_to_keep_the_connection_is_known(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(OK_HEAD "Keep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n", 0);
  const porthole_view *view = porthole_conn_view(conn);
  assert_int_equal(view->keep_alive, UINT32_MAX);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(view->keep_alive, UINT32_MAX);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(view->keep_alive, 5);
  porthole_conn_close(conn);
  assert_int_equal(view->keep_alive, UINT32_MAX);
  free_conn(conn);
}

/* ---- arguments and texts ---- */

static void nothing_can_be_given_as_null(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(TWO_BYTES, 0);
  porthole_host_port found;
  porthole_span value;
  uint32_t table[4];
  const porthole_field empty[] = {{{(const uint8_t *)"X", 1}, {NULL, 0}}};
  const porthole_field nameless[] = {{{NULL, 0}, {NULL, 0}}};
  assert_int_equal(porthole_conn_set_authority(conn, none, 80, 80), PORTHOLE_EMPTY_HOST);
  assert_int_equal(porthole_split_host(none, 0, &found), PORTHOLE_EMPTY_HOST);
  assert_int_equal(porthole_fields_list(none, table, 1), 0);
  assert_int_equal(porthole_params_list(none, table, 1), 1);
  assert_int_equal(porthole_conn_putrequest(conn, none, none, 0), PORTHOLE_EMPTY_METHOD);
  assert_int_equal(porthole_conn_putrequest(conn, porthole_text("PUT"), none, 0), 0);
  assert_int_equal(porthole_conn_putheader(conn, none, NULL, 0), PORTHOLE_EMPTY_HEADER_NAME);
  assert_int_equal(porthole_conn_putheader(conn, porthole_text("X-None"), NULL, 0), 0);
  assert_int_equal(porthole_conn_putheader(conn, porthole_text("X-Null"), &none, 1), 0);
  assert_int_equal(porthole_conn_putheader(conn, porthole_text("Content-Length"), &none, 1),
                   PORTHOLE_REQUEST_CONTENT_LENGTH);
  assert_int_equal(porthole_conn_check_trailers(conn, nameless, 1), PORTHOLE_EMPTY_HEADER_NAME);
  assert_int_equal(porthole_conn_check_trailers(conn, empty, 1), 0);
  assert_int_equal(porthole_conn_endheaders(conn, PORTHOLE_BODY_STREAM, 0, 0), 0);
  assert_int_equal(porthole_conn_send(conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_sent_chunks(conn, none), 0);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_getheader(conn, none, &value), 0);
  assert_int_equal(porthole_conn_read(conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_tunnel(conn, none, 1, NULL, 0), PORTHOLE_EMPTY_HOST);
  assert_int_equal(porthole_conn_open(conn, none, 1, 0, 0), PORTHOLE_EMPTY_HOST);
  free_conn(conn);
}

static void a_text_has_its_limit_filled_in(void **state) {
  (void)state;
  static const char text[] = "got more than 3 headers";
  porthole_conn *conn = connect_to(OK_HEAD "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", 0);
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_HEADERS, 3), 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_TOO_MANY_HEADERS);
  for (size_t size = 0; size <= sizeof text + 1; size++) {
    char buffer[sizeof text + 2];
    memset(buffer, '#', sizeof buffer);
    assert_int_equal(porthole_conn_error_text(conn, PORTHOLE_TOO_MANY_HEADERS, buffer, size), sizeof text - 1);
    size_t written = size < sizeof text ? size : sizeof text;
    if (written > 0) {
      assert_memory_equal(buffer, text, written - 1);
      assert_int_equal(buffer[written - 1], '\0');
    }
    assert_int_equal(buffer[written], '#');
  }
  assert_int_equal(porthole_conn_error_text(conn, -99, NULL, 0), 0);
  free_conn(conn);

  conn = connect_to(OK_HEAD "Content-Length: 8589934592\r\n\r\n", 0); /* a limit of more than 32 bits */
  char buffer[80];
  assert_int_equal(porthole_conn_set_limit(conn, PORTHOLE_LIMIT_BODY, 8589934591), 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_BODY_TOO_LARGE);
  porthole_conn_error_text(conn, PORTHOLE_BODY_TOO_LARGE, buffer, sizeof buffer);
  assert_string_equal(buffer, "the body is larger than the limit of 8589934591 bytes");
  free_conn(conn);
}

static void a_plan_in_three_steps_makes_the_same_request(void **state) {
  (void)state;
  static const porthole_field fields[] = {
      {{(const uint8_t *)"Host", 4}, {(const uint8_t *)"h", 1}},
      {{(const uint8_t *)"accept-encoding", 15}, {(const uint8_t *)"gzip", 4}},
      {{(const uint8_t *)"Content-Length", 14}, {(const uint8_t *)"7", 1}},
      {{(const uint8_t *)"Transfer-Encoding", 17}, {(const uint8_t *)"chunked", 7}},
      {{(const uint8_t *)"Expect", 6}, {(const uint8_t *)"100-continue", 12}},
  };
  static const char *const methods[] = {"GET", "POST", "put"};
  enum { HEAD_MAX = 512 };
  char wanted[HEAD_MAX];
  for (uint32_t i = 0; i < 3 * 4 * 8 * 5; i++) {
    porthole_span method = porthole_text(methods[i % 3]);
    uint32_t body = i / 3 % 4;
    uint32_t flags = (i / 12 & 1 ? PORTHOLE_ENCODE_CHUNKED : 0) | (i / 12 & 2 ? PORTHOLE_EXPECT_CONTINUE : 0);
    size_t count = i / 96 % 5 == 0 ? 0 : 1;
    const porthole_field *given = fields + (i / 96 % 5);
    uint64_t size = given == fields + 2 && body != PORTHOLE_BODY_NONE ? 7 : 5;

    porthole_conn *conn = connect_to("", 0);
    int32_t result = porthole_conn_request(conn, method, none, given, count, body, size, flags);
    porthole_conn_flush(conn);
    size_t length = host.sent_length;
    assert_true(length <= HEAD_MAX);
    memcpy(wanted, host.sent, length);
    uint32_t upload = porthole_conn_view(conn)->upload;
    free_conn(conn);

    porthole_plan plan;
    porthole_request_plan(method, given, count, body, size, flags, &plan);
    conn = connect_to("", 0);
    assert_int_equal(porthole_conn_putrequest(conn, method, none, plan.flags), 0);
    if (plan.flags & PORTHOLE_ADD_CHUNKED) {
      const porthole_span chunked = porthole_text("chunked");
      assert_int_equal(porthole_conn_putheader(conn, porthole_text("Transfer-Encoding"), &chunked, 1), 0);
    }
    if (plan.flags & PORTHOLE_ADD_LENGTH) {
      char digits[21];
      snprintf(digits, sizeof digits, "%u", (unsigned)plan.length);
      const porthole_span value = porthole_text(digits);
      assert_int_equal(porthole_conn_putheader(conn, porthole_text("Content-Length"), &value, 1), 0);
    }
    if (plan.flags & PORTHOLE_ADD_EXPECT) {
      const porthole_span value = porthole_text("100-continue");
      assert_int_equal(porthole_conn_putheader(conn, porthole_text("Expect"), &value, 1), 0);
    }
    if (count > 0) {
      assert_int_equal(porthole_conn_putheader(conn, given->name, &given->value, 1), 0);
    }
    assert_int_equal(porthole_conn_endheaders(conn, body, size, plan.flags | PORTHOLE_HAS_BODY), result);
    if (result == 0) {
      assert_int_equal(porthole_conn_flush(conn), 0);
      assert_int_equal(host.sent_length, length);
      assert_memory_equal(host.sent, wanted, length);
      assert_int_equal(porthole_conn_view(conn)->upload, upload);
    }
    free_conn(conn);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_send_tells_how_much_a_host_took),
      cmocka_unit_test(a_send_takes_nothing_while_the_host_takes_nothing),
      cmocka_unit_test(a_body_by_hand_is_sent_as_it_is),
      cmocka_unit_test(an_upload_goes_on_beside_a_good_answer),
      cmocka_unit_test(an_upload_that_was_refused_goes_nowhere_once_the_answer_is_read),
      cmocka_unit_test(an_error_of_a_send_stays),
      cmocka_unit_test(an_answer_before_a_reset_is_read_after_a_send_that_failed),
      cmocka_unit_test(an_end_after_a_send_that_failed_is_what_it_failed_with),
      cmocka_unit_test(readable_without_bytes_stops_no_request),
      cmocka_unit_test(without_a_transport_nothing_is_sent_or_received),
      cmocka_unit_test(reading_where_no_response_was_handed_out_is_no_end),
      cmocka_unit_test(leaving_a_tunnel_that_is_none_changes_nothing),
      cmocka_unit_test(no_body_outlives_the_tunnel_that_it_was_sent_into),
      cmocka_unit_test(nothing_is_staged_or_sent_in_the_middle_of_a_handshake),
      cmocka_unit_test(half_a_head_is_not_sent),
      cmocka_unit_test(a_receive_buffer_that_is_full_lets_no_planted_answer_pass),
      cmocka_unit_test(what_can_become_no_status_line_is_refused_at_its_first_bytes),
      cmocka_unit_test(a_header_stays_where_it_is_until_the_next_response_begins),
      cmocka_unit_test(before_any_response_no_time_to_keep_the_connection_is_known),
      cmocka_unit_test(nothing_can_be_given_as_null),
      cmocka_unit_test(a_text_has_its_limit_filled_in),
      cmocka_unit_test(a_plan_in_three_steps_makes_the_same_request),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
