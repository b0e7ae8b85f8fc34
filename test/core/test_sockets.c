/* SPDX-License-Identifier: MIT
 *
 * The client of client.h over real sockets, by bindings/posix: blocking, and with calls that don't wait.
 */
#define _DEFAULT_SOURCE /* usleep, INADDR_LOOPBACK */
#include "loopback.h"

#include <stdio.h>

#include "porthole/client.h"

enum { RX = 65536 };

static PORTHOLE_CLIENT_MEMORY(memory, RX);

static porthole_client *client_of(const server *to) {
  porthole_client *made = porthole_client_init(memory, sizeof memory, NAME, to->port);
  assert_non_null(made);
  porthole_client_set_timeout(made, PATIENT);
  return made;
}

/** Repeats a call, the same, as long as it answers WANT_*, and waits in between. */
#define DO(client, result, call)                                                                                       \
  do {                                                                                                                 \
    while (((result) = (call)) == PORTHOLE_WANT_READ || (result) == PORTHOLE_WANT_WRITE) {                             \
      assert_true(porthole_client_wait((client), PATIENT) > 0);                                                        \
    }                                                                                                                  \
  } while (0)

static void assert_read(porthole_client *client, const char *text) {
  char body[64];
  int32_t result;
  DO(client, result, porthole_client_read(client, body, sizeof body));
  assert_int_equal(result, strlen(text));
  assert_memory_equal(body, text, strlen(text));
  DO(client, result, porthole_client_read(client, body, sizeof body));
  assert_int_equal(result, 0);
}

static void a_page_is_fetched(void **state) {
  (void)state;
  server peer = serve(OK_HEAD "Content-Length: 5\r\n\r\nhello", DRAINS);
  porthole_client *client = client_of(&peer);
  char address[64];
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, NULL), 0);
  assert_true(porthole_client_handle(client) > 0);
  assert_in_range(porthole_client_info(client, PORTHOLE_INFO_PEER, address, sizeof address), 11, 15);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_read(client, "hello");
  porthole_client_close(client);
  stop(&peer);
}

static void a_large_body_is_fetched_without_waiting_in_a_call(void **state) {
  (void)state;
  char head[64];
  snprintf(head, sizeof head, OK_HEAD "Content-Length: %d\r\n\r\n", LARGE);
  server peer = serve(head, SENDS_LARGE);
  porthole_client *client = client_of(&peer);
  int32_t result = porthole_client_connect(client);
  assert_int_equal(result, 0);
  porthole_client_set_timeout(client, 0);
  DO(client, result, porthole_client_request(client, "GET", "/", NULL, 0, NULL));
  assert_int_equal(result, 0);
  DO(client, result, porthole_client_getresponse(client));
  assert_int_equal(result, 200);
  size_t total = 0;
  porthole_span bytes;
  for (;;) {
    DO(client, result, porthole_client_peek(client, &bytes));
    if (result <= 0) {
      break;
    }
    for (size_t i = 0; i < bytes.length; i++) {
      assert_true(bytes.data[i] == large_byte(total + i));
    }
    total += bytes.length;
    porthole_client_skip(client, bytes.length);
  }
  assert_int_equal(result, 0);
  assert_int_equal(total, LARGE);
  porthole_client_close(client);
  stop(&peer);
}

static void a_large_body_is_sent(void **state) {
  (void)state;
  static uint8_t body[LARGE];
  static const struct {
    int32_t timeout_ms;
    uint64_t length;
  } ways[] = {{PATIENT, LARGE}, {0, PORTHOLE_CHUNKED_BODY}};
  for (size_t i = 0; i < 2; i++) {
    server peer = serve("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", DRAINS); /* at once, and reads on */
    porthole_client *client = client_of(&peer);
    int32_t result = porthole_client_connect(client);
    assert_int_equal(result, 0);
    porthole_client_set_timeout(client, ways[i].timeout_ms);
    DO(client, result, porthole_client_begin(client, "PUT", "/", ways[i].length, NULL));
    assert_int_equal(result, 0);
    for (size_t done = 0; done < LARGE; done += (size_t)result) {
      DO(client, result, porthole_client_send(client, body + done, LARGE - done));
      assert_true(result > 0);
    }
    DO(client, result, porthole_client_endbody(client, NULL));
    assert_int_equal(result, 0);
    DO(client, result, porthole_client_getresponse(client));
    assert_int_equal(result, 201);
    assert_true(porthole_client_bytes_sent(client) >= LARGE);
    porthole_client_close(client);
    stop(&peer);
  }
}

static void an_early_answer_ends_an_upload(void **state) {
  (void)state;
  static uint8_t body[LARGE];
  server peer = serve("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", DRAINS);
  porthole_client *client = client_of(&peer);
  assert_int_equal(porthole_client_request(client, "POST", "/", body, sizeof body, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), 413);
  assert_read(client, "no");
  assert_int_equal(porthole_client_handle(client), 0);
  porthole_client_close(client);
  stop(&peer);
}

static void an_answer_that_comes_while_a_send_waits_ends_an_upload(void **state) {
  (void)state;
  static uint8_t body[LARGE];
  static const char *const answers[] = {"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno",
                                        "HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"};
  static const struct {
    uint64_t length;
    size_t piece; /* 0: by one request */
  } ways[] = {{LARGE, 0}, {LARGE, LARGE}, {PORTHOLE_CHUNKED_BODY, LARGE}, {PORTHOLE_CHUNKED_BODY, 1000}};
  for (size_t i = 0; i < 8; i++) {
    server peer = serve(answers[i % 2], STALLS);
    porthole_client *client = client_of(&peer);
    size_t piece = ways[i / 2].piece;
    int32_t result;
    if (piece == 0) {
      assert_int_equal(porthole_client_request(client, "POST", "/", body, LARGE, NULL), 0);
    } else {
      assert_int_equal(porthole_client_begin(client, "POST", "/", ways[i / 2].length, NULL), 0);
      for (size_t done = 0; done < LARGE; done += (size_t)result) {
        result = porthole_client_send(client, body + done, LARGE - done < piece ? LARGE - done : piece);
        assert_true(result > 0);
      }
      assert_int_equal(porthole_client_endbody(client, NULL), 0);
    }
    assert_true(porthole_client_bytes_sent(client) < LARGE);
    assert_int_equal(porthole_client_getresponse(client), 413);
    assert_read(client, "no");
    assert_int_equal(porthole_client_handle(client), 0);
    porthole_client_close(client);
    stop(&peer);
  }
}

static void an_answer_that_ends_no_upload_can_be_read_before_its_end(void **state) {
  (void)state;
  static uint8_t body[LARGE];
  server peer = serve(OK_HEAD "Content-Length: 5\r\n\r\nhello", STALLS);
  porthole_client *client = client_of(&peer);
  assert_int_equal(porthole_client_begin(client, "PUT", "/", LARGE, NULL), 0);
  assert_in_range(porthole_client_send(client, body, LARGE), 1, LARGE - 1);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_read(client, "hello");
  porthole_client_close(client);
  stop(&peer);
}

static void a_drip_ends_at_the_deadline(void **state) {
  (void)state;
  server peer = serve(OK_HEAD "Content-Length: 100000\r\n\r\n", DRIPS);
  porthole_client *client = client_of(&peer);
  static char body[100000];
  porthole_client_set_deadline(client, 2000);
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), 200);
  int32_t result;
  while ((result = porthole_client_read(client, body, sizeof body)) > 0) {
  }
  assert_int_equal(result, PORTHOLE_HOST_TIMED_OUT);
  porthole_client_close(client);
  stop(&peer);
}

static void a_refused_connection_says_so(void **state) {
  (void)state;
  server gone = listen_on_loopback(1);
  stop(&gone);
  porthole_client *client = client_of(&gone);
  char words[400];
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, NULL), PORTHOLE_HOST_REFUSED);
  assert_string_equal(porthole_client_error(client, words, sizeof words), "connection refused: Connection refused");
  assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_SAFE);
  porthole_client_use_tls(client);
  assert_int_equal(porthole_client_connect(client), PORTHOLE_HOST_UNSUPPORTED);
  assert_string_equal(porthole_client_error(client, words, sizeof words),
                      "the host can't do that: this host has no TLS");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_page_is_fetched),
      cmocka_unit_test(a_large_body_is_fetched_without_waiting_in_a_call),
      cmocka_unit_test(a_large_body_is_sent),
      cmocka_unit_test(an_early_answer_ends_an_upload),
      cmocka_unit_test(an_answer_that_comes_while_a_send_waits_ends_an_upload),
      cmocka_unit_test(an_answer_that_ends_no_upload_can_be_read_before_its_end),
      cmocka_unit_test(a_drip_ends_at_the_deadline),
      cmocka_unit_test(a_refused_connection_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
