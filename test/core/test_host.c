/* SPDX-License-Identifier: MIT
 *
 * Hosts that lie or fail, and input that ends where the memory does.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "scripted_host.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void a_host_that_lies_is_found_out(void **state) {
  (void)state;
  static const struct {
    int32_t answer, error;
  } lies[] = {
      {RX_SIZE + 1, PORTHOLE_HOST_LIED},
      {INT32_MAX, PORTHOLE_HOST_LIED},
      {-77, PORTHOLE_HOST_LIED},
      {PORTHOLE_BAD_STATUS_LINE, PORTHOLE_HOST_LIED},
      {PORTHOLE_HOST_RESET, PORTHOLE_HOST_RESET},
      {PORTHOLE_WANT_READ, PORTHOLE_WANT_READ},
  };
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    porthole_conn *conn = connect_to("", 0);
    request(conn, "GET", "/");
    host.recv_lie = lies[i].answer;
    assert_int_equal(porthole_conn_getresponse(conn), lies[i].error);
    porthole_conn_close(conn);
    assert_int_equal(porthole_conn_view(conn)->state, PORTHOLE_IDLE);
    free_conn(conn);
  }
  for (int32_t lie = -1000; lie <= 1000; lie += 7) {
    porthole_conn *conn = connect_to("", 0);
    request(conn, "GET", "/");
    host.send_lie = lie == 0 ? 1001 : lie;
    int32_t result = porthole_conn_flush(conn);
    assert_true(result < 0 || lie > 0);
    assert_true(host.calls < 1000);
    free_conn(conn);
  }
}

static void an_open_that_fails_says_why(void **state) {
  (void)state;
  porthole_conn *conn = new_conn();
  host = (scripted_host){0};
  assert_int_equal(porthole_conn_open(conn, (const uint8_t *)"h", 1, 1, -1), PORTHOLE_HOST_REFUSED);
  assert_int_equal(porthole_conn_open(conn, (const uint8_t *)"h h", 3, 80, -1), PORTHOLE_BAD_HOST);
  assert_int_equal(porthole_conn_open(conn, (const uint8_t *)"h", 1, 65536, -1), PORTHOLE_BAD_PORT);
  assert_int_equal(host.calls, 1);
  free_conn(conn);
}

static int32_t start_tls(porthole_conn *conn) {
  return porthole_conn_start_tls(conn, (const uint8_t *)"example.com", 11, PORTHOLE_TLS_ALPN_HTTP1);
}

static void tls_starts_before_anything_is_said(void **state) {
  (void)state;
  static const int32_t waits[] = {PORTHOLE_WANT_READ, PORTHOLE_WANT_READ, 0};
  porthole_conn *conn = connect_to(OK_ANSWER, 0);
  host.handshake = waits;
  assert_int_equal(start_tls(conn), PORTHOLE_WANT_READ);
  assert_int_equal(start_tls(conn), PORTHOLE_WANT_READ);
  assert_int_equal(start_tls(conn), 0);
  request(conn, "GET", "/");
  assert_int_equal(start_tls(conn), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  free_conn(conn);
}

static void a_handshake_that_fails_ends_the_connection(void **state) {
  (void)state;
  static const struct {
    int32_t answers[2], error;
  } failures[] = {{{PORTHOLE_HOST_TLS_VERIFY, 0}, PORTHOLE_HOST_TLS_VERIFY},
                  {{PORTHOLE_HOST_TLS_HANDSHAKE, 0}, PORTHOLE_HOST_TLS_HANDSHAKE},
                  {{1, 0}, PORTHOLE_HOST_LIED},
                  {{-77, 0}, PORTHOLE_HOST_LIED}};
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    porthole_conn *conn = connect_to("", 0);
    host.handshake = failures[i].answers;
    assert_int_equal(start_tls(conn), failures[i].error);
    assert_true(porthole_conn_view(conn)->flags & PORTHOLE_UNUSABLE);
    assert_int_equal(host.sent_length, 0);
    free_conn(conn);
  }
}

static void what_a_proxy_says_after_its_answer_is_not_taken_into_tls(void **state) {
  (void)state;
  static const int32_t done[] = {0};
  static const struct {
    const char *script;
    int32_t result;
  } answers[] = {{"HTTP/1.1 200 OK\r\n\r\n", 0},
                 {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", PORTHOLE_UNSOLICITED}};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    porthole_conn *conn = connect_to(answers[i].script, 0);
    host.handshake = done;
    assert_int_equal(porthole_conn_tunnel(conn, (const uint8_t *)"example.com", 11, 443, NULL, 0), 0);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(start_tls(conn), answers[i].result);
    free_conn(conn);
  }
}

/** Memory whose last byte is followed by a page that faults. */
static uint8_t *guarded(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t pages = (size + page - 1) / page;
  uint8_t *memory = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(memory != MAP_FAILED);
  assert_int_equal(mprotect(memory + pages * page, page, PROT_NONE), 0);
  return memory + pages * page - size;
}

static void nothing_is_read_behind_the_receive_buffer(void **state) {
  (void)state;
  static const char input[] =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Long: 0123456789abcdef0123456789\r\n\r\n"
      "10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n0\r\nX-Trailer: v\r\n\r\n";
  enum { RX = 4096 };
  uint8_t *rx = guarded(RX);
  porthole_conn *conn = malloc(porthole_conn_size());
  uint8_t *tx = malloc(TX_SIZE);
  /* Every length of a body before moves what follows one byte nearer to the end of the buffer. */
  for (size_t filler = RX / 2 - 200; filler < RX / 2; filler++) {
    porthole_conn_init(conn, tx, TX_SIZE, rx, RX);
    porthole_conn_set_authority(conn, (const uint8_t *)"h", 1, 80, 80);
    static char script[3 * RX];
    size_t length = (size_t)snprintf(script, sizeof script, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", filler);
    memset(script + length, 'x', filler);
    memcpy(script + length + filler, input, sizeof input);
    host = (scripted_host){.script = script, .length = length + filler, .piece = 0};
    porthole_conn_attach(conn, HANDLE);
    uint8_t body[64];
    assert_int_equal(request(conn, "GET", "/"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(request(conn, "GET", "/"), 0);
    host.length += sizeof input - 1;
    int32_t count;
    size_t total = 0;
    while ((count = porthole_conn_read(conn, body, sizeof body)) > 0) {
      total += (size_t)count;
    }
    assert_int_equal(total, filler);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    assert_int_equal(porthole_conn_read(conn, body, sizeof body), 32);
  }
  free(conn);
  free(tx);
}

static void error_codes_are_unique_and_in_their_hundreds(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int number;
    const char *klass;
  } errors[] = {
#define X(name, number, klass, code, text) {#name, number, klass},
#include "porthole/errors.def"
#undef X
  };
  size_t count = sizeof errors / sizeof *errors;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = i + 1; j < count; j++) {
      assert_int_not_equal(errors[i].number, errors[j].number);
    }
    assert_non_null(porthole_error_text(errors[i].number));
    assert_true(errors[i].number < 0 && errors[i].number > -600);
    assert_true((errors[i].number > -100) == (errors[i].klass[0] == '\0'));
  }
  assert_null(porthole_error_text(-99));
  assert_string_equal(porthole_status_phrase(413), "Request Entity Too Large");
  assert_null(porthole_status_phrase(299));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_host_that_lies_is_found_out),
      cmocka_unit_test(an_open_that_fails_says_why),
      cmocka_unit_test(tls_starts_before_anything_is_said),
      cmocka_unit_test(a_handshake_that_fails_ends_the_connection),
      cmocka_unit_test(what_a_proxy_says_after_its_answer_is_not_taken_into_tls),
      cmocka_unit_test(nothing_is_read_behind_the_receive_buffer),
      cmocka_unit_test(error_codes_are_unique_and_in_their_hundreds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
