/* SPDX-License-Identifier: MIT
 *
 * What a host with a policy refuses, whatever its rules are.
 */
#include "kit.h"

/** Sends this as the first head of a connection. */
static int32_t send_bytes(const char *head, size_t length) {
  int32_t result = porthole_host_send_head(dial(&given.plain, 0), (const uint8_t *)head, length, LONG);
  hang_up();
  return result;
}

static int32_t send_text(const char *head) { return send_bytes(head, text_length(head)); }

static int32_t send_head(const char *start, const char *host) {
  char head[512];
  return send_bytes(head, write_head(head, start, host));
}

static void opens_what_is_denied(void) {
  char words[PORTHOLE_INFO_MOST];
  for (uint32_t flags = 0; flags <= 1; flags++) {
    EQUAL(porthole_host_open(given.denied.host, given.denied.host_length, given.denied.port, flags, LONG),
          PORTHOLE_HOST_DENIED);
    HOLDS(porthole_host_info(0, PORTHOLE_INFO_ERROR, words, sizeof words) > 0);
  }
}

static void sends_before_a_head(void) {
  EQUAL(porthole_host_send(dial(&given.plain, 0), (const uint8_t *)"GET / HTTP/1.1\r\n", 16, LONG),
        PORTHOLE_HOST_DENIED);
}

static void asks_for_a_tunnel(void) {
  EQUAL(send_head("CONNECT 127.0.0.1:22", "127.0.0.1:22"), PORTHOLE_HOST_DENIED);
  EQUAL(send_head("CONNECT /echo", given.plain.text), PORTHOLE_HOST_DENIED);
}

static void names_another_host(void) {
  EQUAL(send_head("GET /", "other.example"), PORTHOLE_HOST_DENIED);
  EQUAL(send_head("GET /", "127.0.0.1:1"), PORTHOLE_HOST_DENIED);
  EQUAL(send_head("GET /", "other.example\r\nHost: other.example"), PORTHOLE_HOST_DENIED);
  EQUAL(send_text("GET / HTTP/1.1\r\n\r\n"), PORTHOLE_HOST_DENIED);
}

static void targets_another_host(void) {
  EQUAL(send_head("GET http://other.example/", given.plain.text), PORTHOLE_HOST_DENIED);
  EQUAL(send_head("GET ftp://127.0.0.1/", given.plain.text), PORTHOLE_HOST_DENIED);
}

static void sends_what_is_no_head(void) {
  static const char *const heads[] = {"\r\n\r\n",
                                      "GET / HTTP/1.1\r\n",
                                      "GET /\r\nHost: a\r\n\r\n",
                                      "GET  / HTTP/1.1\r\n\r\n",
                                      "\x16\x03\x01 / HTTP/1.1\r\n\r\n",
                                      "hello"};
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    ONE_OF(send_text(heads[i]), PORTHOLE_HOST_DENIED, PORTHOLE_HOST_OTHER);
  }
  static const char *const fields[] = {
      "\r\nX: a\nHost: b", "\r\n folded",           "\r\nX : a", "\r\nX: a\rb", "\r\nX", "\r\n: a",
      "\r\nX: \x01",       "\r\n\r\nGET / HTTP/1.1"};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    char host[128];
    host[append(host, append(host, 0, given.plain.text), fields[i])] = '\0';
    ONE_OF(send_head("GET /", host), PORTHOLE_HOST_DENIED, PORTHOLE_HOST_OTHER);
  }
}

const test tests_of_policy[] = {
    {"open of what the policy denies is DENIED, and the host says why", opens_what_is_denied},
    {"send before the first head is DENIED", sends_before_a_head},
    {"a head that asks for a tunnel is DENIED", asks_for_a_tunnel},
    {"a head with another host, two or none is DENIED", names_another_host},
    {"a head whose target is elsewhere is DENIED", targets_another_host},
    {"what is no head is DENIED or OTHER", sends_what_is_no_head},
    {NULL, NULL},
};
