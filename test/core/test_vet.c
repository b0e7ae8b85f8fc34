/* SPDX-License-Identifier: MIT
 *
 * porthole_check_head: which heads of others a host lets pass.
 */
#include "porthole/porthole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIELDS = 4 };

static uint32_t table[4 * FIELDS];

/** Checks bytes that end where their memory does. */
static int32_t check_bytes(const char *head, size_t length, const char *host, uint32_t port, uint32_t secure) {
  uint8_t *exact = malloc(length > 0 ? length : 1);
  memcpy(exact, head, length);
  int32_t result = porthole_check_head((porthole_span){exact, length}, porthole_text(host), port, secure, table,
                                       FIELDS);
  free(exact);
  return result;
}

static int32_t check(const char *head) { return check_bytes(head, strlen(head), "a.example", 80, 0); }

#define GOOD "Host: a.example\r\n\r\n"

static void whole_heads_pass(void **state) {
  (void)state;
  assert_int_equal(check("GET / HTTP/1.1\r\n" GOOD), 1);
  assert_int_equal(check("GET /a?b HTTP/1.0\r\n" GOOD), 1);
  assert_int_equal(check("OPTIONS * HTTP/1.1\r\n" GOOD), 1);
  assert_int_equal(check("POST / HTTP/1.1\r\nContent-Length: 5\r\n" GOOD), 2);
  assert_int_equal(check("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" GOOD), 2);
  assert_int_equal(check("GET / HTTP/1.1\r\nEmpty:\r\nA: \xe9\tb\r\n" GOOD), 3);
}

static void the_table_says_where_names_and_values_are(void **state) {
  (void)state;
  assert_int_equal(check("GET / HTTP/1.1\r\nAb: \t c d \r\n" GOOD), 2);
  const uint32_t expected[] = {16, 2, 22, 3, 28, 4, 34, 9};
  assert_memory_equal(table, expected, sizeof expected);
  assert_int_equal(check("GET / HTTP/1.1\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\nE:5\r\n" GOOD), 6);
}

static void a_head_that_is_cut_anywhere_is_none(void **state) {
  (void)state;
  const char *head = "POST / HTTP/1.1\r\nContent-Length: 5\r\n" GOOD;
  for (size_t length = 0; length < strlen(head); length++) {
    assert_true(check_bytes(head, length, "a.example", 80, 0) < 0);
  }
}

static void what_is_behind_a_head_is_refused(void **state) {
  (void)state;
  assert_int_equal(check("GET / HTTP/1.1\r\n" GOOD "x"), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTP/1.1\r\n" GOOD "GET / HTTP/1.1\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
}

static void lines_end_by_crlf_only(void **state) {
  (void)state;
  assert_int_equal(check("GET / HTTP/1.1\nHost: a.example\r\n\r\n"), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: a.example\n\r\n"), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: a.example\r\n\n"), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTP/1.1\r\nA: b\rHost: c\r\n" GOOD), PORTHOLE_BAD_HEADER_VALUE);
}

static void field_lines_are_read_in_one_way(void **state) {
  (void)state;
  assert_int_equal(check("GET / HTTP/1.1\r\nA: b\r\n c\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n" GOOD), PORTHOLE_BAD_HEADER_NAME);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost : a.example\r\n\r\n"), PORTHOLE_BAD_HEADER_NAME);
  assert_int_equal(check("GET / HTTP/1.1\r\n: b\r\n" GOOD), PORTHOLE_EMPTY_HEADER_NAME);
  assert_int_equal(check("GET / HTTP/1.1\r\nA\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  const char nul[] = "GET / HTTP/1.1\r\nA: \0\r\n" GOOD;
  assert_int_equal(check_bytes(nul, sizeof nul - 1, "a.example", 80, 0), PORTHOLE_BAD_HEADER_VALUE);
}

static void request_lines_are_read_in_one_way(void **state) {
  (void)state;
  assert_int_equal(check("GET  / HTTP/1.1\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTP/1.1 \r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / http/1.1\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTp/1.0\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET / HTTP/2.0\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check("GET /\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
  assert_int_equal(check(" / HTTP/1.1\r\n" GOOD), PORTHOLE_EMPTY_METHOD);
  assert_int_equal(check("G(T / HTTP/1.1\r\n" GOOD), PORTHOLE_BAD_METHOD);
  assert_int_equal(check("GET /\t HTTP/1.1\r\n" GOOD), PORTHOLE_BAD_URL);
  assert_int_equal(check("GET /\xe9 HTTP/1.1\r\n" GOOD), PORTHOLE_URL_NOT_ASCII);
  assert_int_equal(check("GET /a#b HTTP/1.1\r\n" GOOD), PORTHOLE_BAD_URL);
  assert_int_equal(check("GET * HTTP/1.1\r\n" GOOD), PORTHOLE_BAD_URL);
  assert_int_equal(check("GET a HTTP/1.1\r\n" GOOD), PORTHOLE_BAD_URL);
  assert_int_equal(check("\r\nGET / HTTP/1.1\r\n" GOOD), PORTHOLE_NOT_A_HEAD);
}

static void connect_is_refused_however_it_is_spelt(void **state) {
  (void)state;
  assert_int_equal(check("CONNECT a.example:80 HTTP/1.1\r\n" GOOD), PORTHOLE_CONNECT_REFUSED);
  assert_int_equal(check("Connect / HTTP/1.1\r\n" GOOD), PORTHOLE_CONNECT_REFUSED);
}

static void host_is_the_one_that_was_opened(void **state) {
  (void)state;
  assert_int_equal(check("GET / HTTP/1.1\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: a.example.\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: a.exampl\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost:\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: A.EXAMPLE:80\r\n\r\n"), 1);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: a.example:8\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\nHost: a.example:080\r\n\r\n"), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET / HTTP/1.1\r\n"
                         "Host: a.example\r\n" GOOD),
                   PORTHOLE_DUPLICATE_HOST);
}

static void a_port_is_left_out_only_where_it_is_the_schemes(void **state) {
  (void)state;
  const char *bare = "GET / HTTP/1.1\r\n" GOOD;
  const char *full = "GET / HTTP/1.1\r\nHost: a.example:8443\r\n\r\n";
  assert_int_equal(check_bytes(bare, strlen(bare), "a.example", 443, 1), 1);
  assert_int_equal(check_bytes(bare, strlen(bare), "a.example", 443, 0), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check_bytes(bare, strlen(bare), "a.example", 80, 1), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check_bytes(bare, strlen(bare), "a.example", 8443, 1), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check_bytes(full, strlen(full), "a.example", 8443, 1), 1);
}

static void an_address_of_ipv6_is_bracketed(void **state) {
  (void)state;
  const char *good = "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n";
  const char *bare = "GET / HTTP/1.1\r\nHost: ::1:8080\r\n\r\n";
  const char *open = "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n";
  assert_int_equal(check_bytes(good, strlen(good), "::1", 8080, 0), 1);
  assert_int_equal(check_bytes(bare, strlen(bare), "::1", 8080, 0), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check_bytes(open, strlen(open), "::1", 80, 0), PORTHOLE_FOREIGN_HOST);
}

static void a_target_in_absolute_form_names_the_same(void **state) {
  (void)state;
  assert_int_equal(check("GET http://a.example/b HTTP/1.1\r\n" GOOD), 1);
  assert_int_equal(check("GET HTTP://A.example:80?b HTTP/1.1\r\n" GOOD), 1);
  assert_int_equal(check("GET http://b.example/ HTTP/1.1\r\n" GOOD), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET http://a.example@b.example/ HTTP/1.1\r\n" GOOD), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET http://a.example\\@b.example/ HTTP/1.1\r\n" GOOD), PORTHOLE_FOREIGN_HOST);
  assert_int_equal(check("GET https://a.example/ HTTP/1.1\r\n" GOOD), PORTHOLE_BAD_URL);
  assert_int_equal(check("GET http:///a HTTP/1.1\r\n" GOOD), PORTHOLE_FOREIGN_HOST);
}

static void framing_is_sound(void **state) {
  (void)state;
  assert_int_equal(check("POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n" GOOD),
                   PORTHOLE_DUPLICATE_CONTENT_LENGTH);
  assert_int_equal(check("POST / HTTP/1.1\r\nContent-Length: +5\r\n" GOOD), PORTHOLE_REQUEST_CONTENT_LENGTH);
  assert_int_equal(check("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n" GOOD),
                   PORTHOLE_REQUEST_LENGTH_AND_ENCODING);
  assert_int_equal(check("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n" GOOD),
                   PORTHOLE_REQUEST_TRANSFER_ENCODING);
  assert_int_equal(check("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" GOOD),
                   PORTHOLE_REQUEST_LENGTH_AND_ENCODING);
  assert_int_equal(check("POST / HTTP/1.1\r\nTransfer-Encoding:\r\n" GOOD), PORTHOLE_REQUEST_TRANSFER_ENCODING);
}

static int32_t check_encoding(const char *fields) {
  char head[512];
  snprintf(head, sizeof head, "POST / HTTP/1.1\r\n%s" GOOD, fields);
  return check(head);
}

static void a_transfer_encoding_is_one_list_that_all_read_alike(void **state) {
  (void)state;
  assert_int_equal(check_encoding("Transfer-Encoding: x-gzip,\tdeflate , Compress, x-compress, CHUNKED\r\n"), 2);
  assert_int_equal(check_encoding("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
                   PORTHOLE_REQUEST_TRANSFER_ENCODING);
  assert_int_equal(check_encoding("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                   PORTHOLE_UNSOUND_HEAD);
  const char *const odd[] = {"identity, chunked", "xchunked, chunked", "gzip;q=1, chunked", "a=\" , chunked"};
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    char field[64];
    snprintf(field, sizeof field, "Transfer-Encoding: %s\r\n", odd[i]);
    assert_int_equal(check_encoding(field), PORTHOLE_UNSOUND_HEAD);
  }
  const char *const unsound[] = {"chunked,",
                                 ",chunked",
                                 "gzip,,chunked",
                                 "chunked;q=1",
                                 "\"chunked\"",
                                 "chunked chunked",
                                 "chunked\xA0",
                                 "gzip chunked",
                                 "identity",
                                 "chunked, chunked",
                                 ","};
  for (size_t i = 0; i < sizeof unsound / sizeof unsound[0]; i++) {
    char field[64];
    snprintf(field, sizeof field, "Transfer-Encoding: %s\r\n", unsound[i]);
    assert_true(check_encoding(field) < 0);
  }
}

static void http_1_0_has_no_transfer_encoding(void **state) {
  (void)state;
  assert_int_equal(check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" GOOD), PORTHOLE_UNSOUND_HEAD);
  assert_int_equal(check("POST / HTTP/1.0\r\nContent-Length: 5\r\n" GOOD), 2);
}

static void a_content_length_is_one_number(void **state) {
  (void)state;
  const char *const lists[] = {"5, 5", "5,5", "5 5", "", "-0", "0x5", "5.0", "9223372036854775808"};
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    char field[64];
    snprintf(field, sizeof field, "Content-Length: %s\r\n", lists[i]);
    assert_int_equal(check_encoding(field), PORTHOLE_REQUEST_CONTENT_LENGTH);
  }
}

static void connection_names_neither_host_nor_framing(void **state) {
  (void)state;
  assert_int_equal(check_encoding("Connection: close, Host\r\n"), PORTHOLE_UNSOUND_HEAD);
  assert_int_equal(check_encoding("Connection:content-length\r\n"), PORTHOLE_UNSOUND_HEAD);
  assert_int_equal(check_encoding("Proxy-Connection: , transfer-encoding\r\n"), PORTHOLE_UNSOUND_HEAD);
  assert_int_equal(check_encoding("Connection: keep-alive, TE\r\n"), 2);
}

static void a_change_of_protocol_and_expectations_pass(void **state) {
  (void)state;
  assert_int_equal(check_encoding("Connection: upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n"), 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whole_heads_pass),
      cmocka_unit_test(the_table_says_where_names_and_values_are),
      cmocka_unit_test(a_head_that_is_cut_anywhere_is_none),
      cmocka_unit_test(what_is_behind_a_head_is_refused),
      cmocka_unit_test(lines_end_by_crlf_only),
      cmocka_unit_test(field_lines_are_read_in_one_way),
      cmocka_unit_test(request_lines_are_read_in_one_way),
      cmocka_unit_test(connect_is_refused_however_it_is_spelt),
      cmocka_unit_test(host_is_the_one_that_was_opened),
      cmocka_unit_test(a_port_is_left_out_only_where_it_is_the_schemes),
      cmocka_unit_test(an_address_of_ipv6_is_bracketed),
      cmocka_unit_test(a_target_in_absolute_form_names_the_same),
      cmocka_unit_test(framing_is_sound),
      cmocka_unit_test(a_transfer_encoding_is_one_list_that_all_read_alike),
      cmocka_unit_test(http_1_0_has_no_transfer_encoding),
      cmocka_unit_test(a_content_length_is_one_number),
      cmocka_unit_test(connection_names_neither_host_nor_framing),
      cmocka_unit_test(a_change_of_protocol_and_expectations_pass),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
