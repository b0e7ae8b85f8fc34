/* SPDX-License-Identifier: MIT
 *
 * Hosts that lie or fail, and input that ends where the memory does.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "scripted_host.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

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
  static const char input[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Long: 0123456789abcdef0123456789\r\n\r\n"
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
      cmocka_unit_test(nothing_is_read_behind_the_receive_buffer),
      cmocka_unit_test(error_codes_are_unique_and_in_their_hundreds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
