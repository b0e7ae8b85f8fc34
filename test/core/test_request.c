/* SPDX-License-Identifier: MIT
 *
 * Requests: the bytes that go out, and what is refused.
 */
#include "scripted_host.h"

#include <stdbool.h>

/* clang-format off */
#define SPAN(text) {(const uint8_t *)(text), sizeof(text) - 1}
/* clang-format on */

static void assert_sent(const char *wire) {
  assert_int_equal(host.sent_length, strlen(wire));
  assert_memory_equal(host.sent, wire, strlen(wire));
}

static void a_request_is_what_http_client_sends(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(request(conn, "GET", ""), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_sent("GET / HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: identity\r\n\r\n");
  free_conn(conn);
}

static void bytes_leave_once_however_few_the_host_takes(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  host.send_most = 1;
  const porthole_field fields[] = {{SPAN("Content-Length"), SPAN("5")}};
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("PUT"), porthole_text("/"), fields, 1, PORTHOLE_BODY_KNOWN, 5, 0), 0);
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"hello", 5), 5);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
  assert_sent("PUT / HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello");
  free_conn(conn);
}

static void a_body_of_unknown_size_is_chunked(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_UNKNOWN, 0, 0), 0);
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"abcdefghijklmnopqrstuvwxyz", 26), 26);
  const porthole_field trailers[] = {{SPAN("X-Sum"), SPAN("1")}};
  const porthole_field forbidden[] = {{SPAN("content-LENGTH"), SPAN("1")}};
  assert_int_equal(porthole_conn_body_end(conn, forbidden, 1), PORTHOLE_TRAILER_FORBIDDEN);
  assert_int_equal(porthole_conn_body_end(conn, trailers, 1), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_sent("POST / HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"
              "1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Sum: 1\r\n\r\n");
  free_conn(conn);
}

static void trailers_are_refused_with_nothing_sent(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  static const porthole_field good[] = {{SPAN("X-Sum"), SPAN("1")}};
  static const porthole_field bad[] = {{SPAN("X-Sum"), SPAN("1")}, {SPAN("X-Sum"), SPAN("1\r\n")}};
  assert_int_equal(porthole_conn_check_trailers(conn, good, 1), 0);
  assert_int_equal(porthole_conn_check_trailers(conn, bad, 2), PORTHOLE_BAD_HEADER_VALUE);
  assert_int_equal(porthole_conn_view(conn)->refused, 1);
  assert_int_equal(porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_KNOWN,
                                         5, PORTHOLE_HAS_TRAILERS),
                   PORTHOLE_TRAILERS_NEED_CHUNKS);
  assert_int_equal(porthole_conn_view(conn)->state, PORTHOLE_IDLE);
  assert_int_equal(porthole_conn_view(conn)->tx_length, 0);
  assert_int_equal(porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0,
                                         PORTHOLE_BODY_UNKNOWN, 0, PORTHOLE_HAS_TRAILERS),
                   0);
  free_conn(conn);
}

static void only_a_body_is_announced_by_expect(void **state) {
  (void)state;
  static const struct {
    uint32_t body, size;
    bool expected;
  } bodies[] = {{PORTHOLE_BODY_NONE, 0, false},
                {PORTHOLE_BODY_KNOWN, 0, false},
                {PORTHOLE_BODY_KNOWN, 1, true},
                {PORTHOLE_BODY_UNKNOWN, 0, true}};
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    porthole_conn *conn = connect_to("", 0);
    assert_int_equal(porthole_conn_request(conn, porthole_text("PUT"), porthole_text("/"), NULL, 0, bodies[i].body,
                                           bodies[i].size, PORTHOLE_EXPECT_CONTINUE),
                     0);
    assert_int_equal(porthole_conn_flush(conn), 0);
    host.sent[host.sent_length] = 0;
    assert_int_equal(strstr(host.sent, "\r\nExpect: 100-continue\r\n") != NULL, bodies[i].expected);
    free_conn(conn);
  }
}

static void a_body_keeps_to_its_length(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_STREAM, 3, 0);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), PORTHOLE_BODY_TOO_SHORT);
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"abcd", 4), PORTHOLE_BODY_TOO_LONG);
  assert_int_equal(porthole_conn_send(conn, (const uint8_t *)"abc", 3), 3);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
  free_conn(conn);
}

typedef struct refusal {
  porthole_span method, url;
  porthole_field fields[2];
  size_t count;
  int32_t error;
} refusal;

static const refusal refusals[] = {
    {SPAN(""), SPAN("/"), {{SPAN(""), SPAN("")}}, 0, PORTHOLE_EMPTY_METHOD},
    {SPAN("GET /x"), SPAN("/"), {{SPAN(""), SPAN("")}}, 0, PORTHOLE_BAD_METHOD},
    {SPAN("GET"), SPAN("/\r\nX: 1"), {{SPAN(""), SPAN("")}}, 0, PORTHOLE_BAD_URL},
    {SPAN("GET"), SPAN("/caf\xe9"), {{SPAN(""), SPAN("")}}, 0, PORTHOLE_URL_NOT_ASCII},
    {SPAN("GET"), SPAN("http://u:p@h/"), {{SPAN(""), SPAN("")}}, 0, PORTHOLE_URL_USERINFO},
    {SPAN("GET"), SPAN("http://a\\b/"), {{SPAN(""), SPAN("")}}, 0, PORTHOLE_URL_HOST},
    {SPAN("GET"), SPAN("/"), {{SPAN(""), SPAN("v")}}, 1, PORTHOLE_EMPTY_HEADER_NAME},
    {SPAN("GET"), SPAN("/"), {{SPAN("X Y"), SPAN("v")}}, 1, PORTHOLE_BAD_HEADER_NAME},
    {SPAN("GET"), SPAN("/"), {{SPAN("X"), SPAN("a\r\n b")}}, 1, PORTHOLE_BAD_HEADER_VALUE},
    {SPAN("GET"), SPAN("/"), {{SPAN("Host"), SPAN("a")}, {SPAN("host"), SPAN("b")}}, 2, PORTHOLE_DUPLICATE_HOST},
    {SPAN("GET"),
     SPAN("/"),
     {{SPAN("Content-Length"), SPAN("0")}, {SPAN("Content-Length"), SPAN("0")}},
     2,
     PORTHOLE_DUPLICATE_CONTENT_LENGTH},
    {SPAN("GET"), SPAN("/"), {{SPAN("Content-Length"), SPAN("+1")}}, 1, PORTHOLE_REQUEST_CONTENT_LENGTH},
    {SPAN("GET"), SPAN("/"), {{SPAN("Content-Length"), SPAN("1")}}, 1, PORTHOLE_LENGTH_MISMATCH},
    {SPAN("GET"), SPAN("/"), {{SPAN("Transfer-Encoding"), SPAN("gzip")}}, 1, PORTHOLE_REQUEST_TRANSFER_ENCODING},
    {SPAN("GET"),
     SPAN("/"),
     {{SPAN("Content-Length"), SPAN("0")}, {SPAN("Transfer-Encoding"), SPAN("chunked")}},
     2,
     PORTHOLE_REQUEST_LENGTH_AND_ENCODING},
};

static void a_refused_request_changes_nothing(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    const refusal *r = &refusals[i];
    assert_int_equal(porthole_conn_request(conn, r->method, r->url, r->fields, r->count, PORTHOLE_BODY_NONE, 0, 0),
                     r->error);
    assert_int_equal(porthole_conn_view(conn)->state, PORTHOLE_IDLE);
    assert_int_equal(porthole_conn_view(conn)->tx_length, 0);
  }
  assert_int_equal(request(conn, "GET", "/"), 0);
  free_conn(conn);
}

static void a_head_larger_than_the_send_buffer_is_refused(void **state) {
  (void)state;
  static char url[TX_SIZE];
  memset(url, 'a', sizeof url);
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(
      porthole_conn_putrequest(conn, porthole_text("GET"), (porthole_span){(const uint8_t *)url, sizeof url}, 0),
      PORTHOLE_REQUEST_TOO_LARGE);
  assert_int_equal(porthole_conn_view(conn)->limit, TX_SIZE);
  assert_int_equal(porthole_conn_view(conn)->tx_length, 0);
  free_conn(conn);
}

static void steps_out_of_order_are_refused(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  const porthole_span values[] = {SPAN("a"), SPAN("b")};
  assert_int_equal(porthole_conn_putheader(conn, porthole_text("X"), values, 2), PORTHOLE_CANNOT_SEND_HEADER);
  assert_int_equal(porthole_conn_endheaders(conn, 0, 0, 0), PORTHOLE_CANNOT_SEND_HEADER);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_RESPONSE_NOT_READY);
  assert_int_equal(porthole_conn_putrequest(conn, porthole_text("GET"), porthole_text("/"), PORTHOLE_SKIP_HOST), 0);
  assert_int_equal(porthole_conn_putheader(conn, porthole_text("X"), values, 2), 0);
  assert_int_equal(porthole_conn_endheaders(conn, 0, 0, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_sent("GET / HTTP/1.1\r\nAccept-Encoding: identity\r\nX: a\r\n\tb\r\n\r\n");
  free_conn(conn);
}

static void hosts_are_split_as_http_client_does(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint32_t has_port;
    int32_t error;
    const char *host;
    int32_t port;
  } hosts[] = {
      {"example.com", 0, 0, "example.com", -1},
      {"example.com:8080", 0, 0, "example.com", 8080},
      {"example.com:", 0, 0, "example.com", -1},
      {"[::1]:8080", 0, 0, "::1", 8080},
      {"[::1]", 0, 0, "::1", -1},
      {"::1", 1, 0, "::1", -1},
      {"::1", 0, PORTHOLE_HOST_NEEDS_BRACKETS, "", 0},
      {"[::1", 0, PORTHOLE_BAD_HOST, "", 0},
      {"", 0, PORTHOLE_EMPTY_HOST, "", 0},
      {"a b", 0, PORTHOLE_BAD_HOST, "", 0},
      {"a/b", 0, PORTHOLE_BAD_HOST, "", 0},
      {"http://a", 0, PORTHOLE_BAD_HOST, "", 0},
      {"a:80/b", 0, PORTHOLE_BAD_HOST, "", 0},
      {"a:65536", 0, PORTHOLE_BAD_PORT, "", 0},
      {"a:-1", 0, PORTHOLE_BAD_PORT, "", 0},
      {"a:99999999999999999999", 0, PORTHOLE_BAD_PORT, "", 0},
  };
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    porthole_host_port out;
    assert_int_equal(porthole_split_host(porthole_text(hosts[i].text), hosts[i].has_port, &out), hosts[i].error);
    if (hosts[i].error == 0) {
      assert_int_equal(out.host.length, strlen(hosts[i].host));
      assert_memory_equal(out.host.data, hosts[i].host, out.host.length);
      assert_int_equal(out.port, hosts[i].port);
    }
  }
}

static void a_tunnel_names_its_end_and_refuses_framing(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 200 OK\r\n\r\n", 0);
  const porthole_field framing[] = {{SPAN("Content-Length"), SPAN("1")}};
  const porthole_field fields[] = {{SPAN("Proxy-Authorization"), SPAN("Basic eA==")}};
  assert_int_equal(porthole_conn_tunnel(conn, porthole_text("::1"), 443, framing, 1), PORTHOLE_TUNNEL_FRAMING);
  assert_int_equal(porthole_conn_tunnel(conn, porthole_text(""), 443, NULL, 0), PORTHOLE_EMPTY_HOST);
  assert_int_equal(porthole_conn_tunnel(conn, porthole_text("::1"), 443, fields, 1), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_view(conn)->phase, PORTHOLE_PHASE_TUNNEL);
  assert_sent("CONNECT [::1]:443 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\nHost: [::1]:443\r\n\r\n");
  assert_int_equal(porthole_conn_tunnelled(conn), 0);
  assert_int_equal(porthole_conn_view(conn)->state, PORTHOLE_IDLE);
  free_conn(conn);
}

/* ---- the same again ---- */

#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/** Takes a response without a body, and forgets what was sent. */
static void take_response(porthole_conn *conn) {
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_true(porthole_conn_finish(conn) >= 0);
  host.sent_length = 0;
}

static void a_head_goes_out_again_byte_for_byte(void **state) {
  (void)state;
  static const char *const methods[] = {"GET", "POST", "HEAD"};
  const porthole_field fields[] = {{SPAN("X-One"), SPAN("1")}, {SPAN("Expect"), SPAN("nothing")}};
  for (size_t i = 0; i < 3; i++) {
    porthole_conn *conn = connect_to(EMPTY EMPTY EMPTY, sizeof EMPTY - 1);
    char first[512];
    assert_int_equal(porthole_conn_repeat(conn), 1); /* there is none before */
    assert_int_equal(porthole_conn_request(conn, porthole_text(methods[i]), porthole_text("/a?b"), fields, 2,
                                           PORTHOLE_BODY_NONE, 0, 0),
                     0);
    assert_int_equal(porthole_conn_repeat(conn), PORTHOLE_CANNOT_SEND_REQUEST); /* it is under way */
    assert_int_equal(porthole_conn_flush(conn), 0);
    size_t length = host.sent_length;
    memcpy(first, host.sent, length);
    take_response(conn);
    for (unsigned times = 2; times < 4; times++) {
      assert_int_equal(porthole_conn_repeat(conn), 0);
      assert_int_equal(porthole_conn_view(conn)->state, PORTHOLE_REQUEST_SENT);
      assert_int_equal(porthole_conn_flush(conn), 0);
      assert_int_equal(host.heads, times);
      assert_int_equal(host.sent_length, length);
      assert_memory_equal(host.sent, first, length);
      take_response(conn); /* that of HEAD has no body, for all that it says */
    }
    free_conn(conn);
  }
}

/** Makes a request, takes its response, and does something: is its head still there? */
static int32_t repeat_after(void (*act)(porthole_conn *conn)) {
  porthole_conn *conn = connect_to(EMPTY EMPTY, sizeof EMPTY - 1);
  assert_int_equal(request(conn, "GET", "/"), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  take_response(conn);
  act(conn);
  int32_t result = porthole_conn_repeat(conn);
  free_conn(conn);
  return result;
}

static void nothing(porthole_conn *conn) { (void)conn; }

static void refuse_another(porthole_conn *conn) { assert_int_equal(request(conn, "G T", "/"), PORTHOLE_BAD_METHOD); }

static void refuse_a_header(porthole_conn *conn) {
  const porthole_field bad[] = {{SPAN("X"), SPAN("a\nb")}};
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("GET"), porthole_text("/"), bad, 1, PORTHOLE_BODY_NONE, 0, 0),
      PORTHOLE_BAD_HEADER_VALUE);
}

static void name_another_host(porthole_conn *conn) {
  assert_int_equal(porthole_conn_set_authority(conn, porthole_text("example.org"), 80, 80), 0);
}

static void ask_in_steps(porthole_conn *conn) {
  assert_int_equal(porthole_conn_putrequest(conn, porthole_text("GET"), porthole_text("/steps"), 0), 0);
  assert_int_equal(porthole_conn_endheaders(conn, PORTHOLE_BODY_NONE, 0, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  take_response(conn);
}

static void post_a_body(porthole_conn *conn) {
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_KNOWN, 0, 0), 0);
  assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  take_response(conn);
}

static void open_another(porthole_conn *conn) {
  assert_int_equal(porthole_conn_open(conn, porthole_text("example.com"), 80, 0, -1), 0);
}

static void send_by_hand(porthole_conn *conn) { assert_int_equal(porthole_conn_sent_raw(conn, 3), 0); }

static void speak_unasked(porthole_conn *conn) {
  uint32_t offset;
  uint32_t length;
  assert_int_equal(porthole_conn_region(conn, &offset, &length), 0);
  assert_true(porthole_conn_filled(conn, 1) >= 0);
}

static void only_the_head_that_is_there_goes_out_again(void **state) {
  (void)state;
  assert_int_equal(repeat_after(nothing), 0);
  assert_int_equal(repeat_after(refuse_another), 1);
  assert_int_equal(repeat_after(refuse_a_header), 1);
  assert_int_equal(repeat_after(name_another_host), 1);
  assert_int_equal(repeat_after(ask_in_steps), 1);
  assert_int_equal(repeat_after(post_a_body), 1);
  assert_int_equal(repeat_after(open_another), 1);
  assert_int_equal(repeat_after(send_by_hand), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(repeat_after(speak_unasked), PORTHOLE_UNSOLICITED);
}

static void a_head_waits_for_the_one_before(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(EMPTY EMPTY, sizeof EMPTY - 1);
  assert_int_equal(request(conn, "GET", "/first"), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(request(conn, "GET", "/second"), 0); /* the response before is not finished, and this isn't sent */
  assert_int_equal(porthole_conn_repeat(conn), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_true(porthole_conn_finish(conn) >= 0);
  take_response(conn);
  assert_int_equal(porthole_conn_repeat(conn), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  assert_sent("GET /second HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: identity\r\n\r\n");
  free_conn(conn);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_is_what_http_client_sends),
      cmocka_unit_test(bytes_leave_once_however_few_the_host_takes),
      cmocka_unit_test(a_body_of_unknown_size_is_chunked),
      cmocka_unit_test(trailers_are_refused_with_nothing_sent),
      cmocka_unit_test(only_a_body_is_announced_by_expect),
      cmocka_unit_test(a_body_keeps_to_its_length),
      cmocka_unit_test(a_refused_request_changes_nothing),
      cmocka_unit_test(a_head_larger_than_the_send_buffer_is_refused),
      cmocka_unit_test(steps_out_of_order_are_refused),
      cmocka_unit_test(hosts_are_split_as_http_client_does),
      cmocka_unit_test(a_tunnel_names_its_end_and_refuses_framing),
      cmocka_unit_test(a_head_goes_out_again_byte_for_byte),
      cmocka_unit_test(only_the_head_that_is_there_goes_out_again),
      cmocka_unit_test(a_head_waits_for_the_one_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
