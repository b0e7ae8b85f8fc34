/* SPDX-License-Identifier: MIT
 *
 * The core over real sockets, by bindings/posix: each test talks to a server of its own, a child process on loopback.
 */
#define _DEFAULT_SOURCE /* setitimer, INADDR_LOOPBACK */
#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "porthole/host.h"
#include "porthole/porthole.h"

enum { TX = 16384, RX = 65536, SHORT = 100, DEADLINE = 2000, HANDLES = 64 };

/* ---- the client ---- */

static uint8_t tx[TX];
static uint8_t rx[RX];

static porthole_conn *new_conn(void) {
  porthole_conn *conn = malloc(porthole_conn_size());
  assert_non_null(conn);
  porthole_conn_init(conn, tx, TX, rx, RX);
  assert_int_equal(porthole_conn_set_authority(conn, porthole_text(NAME), 80, 80), 0);
  return conn;
}

static int32_t open_name(porthole_conn *conn, const char *name, uint32_t port, int32_t timeout_ms) {
  return porthole_conn_open(conn, porthole_text(name), port, 0, timeout_ms);
}

static porthole_conn *connect_to(const server *to, int32_t timeout_ms) {
  porthole_conn *conn = new_conn();
  assert_int_equal(open_name(conn, NAME, to->port, timeout_ms), 0);
  return conn;
}

static void free_conn(porthole_conn *conn) {
  porthole_conn_close(conn);
  free(conn);
}

static int32_t get(porthole_conn *conn) {
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("GET"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_NONE, 0, 0), 0);
  return porthole_conn_getresponse(conn);
}

/** GETs from a server that answers so, and checks the body. */
static void assert_answer(const char *answer, const char *body) {
  server peer = serve(answer, CLOSES);
  porthole_conn *conn = connect_to(&peer, PATIENT);
  uint8_t got[64];
  assert_int_equal(get(conn), 200);
  assert_int_equal(porthole_conn_read(conn, got, sizeof got), strlen(body));
  assert_memory_equal(got, body, strlen(body));
  assert_int_equal(porthole_conn_read(conn, got, sizeof got), 0);
  free_conn(conn);
  stop(&peer);
}

/** porthole_host_wait for one connection. @returns its ready set, or an error */
static int32_t wait_for(int32_t handle, uint32_t interest, int32_t timeout_ms) {
  int32_t list[2] = {handle, (int32_t)interest};
  int32_t count = porthole_host_wait(list, 1, timeout_ms);
  assert_true(count < 0 ? list[1] == (int32_t)interest : count == (list[1] != 0));
  return count < 0 ? count : list[1];
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void assert_last_error(int32_t handle) {
  char text[128];
  int32_t length = porthole_host_info(handle, PORTHOLE_INFO_ERROR, text, sizeof text);
  assert_in_range(length, 1, sizeof text);
  assert_int_equal(porthole_host_info(handle, PORTHOLE_INFO_ERROR, text, 1), 1);
  assert_int_equal(porthole_host_info(handle, PORTHOLE_INFO_ERROR, NULL, 0), 0);
}

/* ---- responses ---- */

static void a_body_with_a_length_arrives(void **state) {
  (void)state;
  assert_answer(OK_HEAD "Content-Length: 5\r\n\r\nhello", "hello");
}

static void a_chunked_body_arrives(void **state) {
  (void)state;
  assert_answer(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world");
}

static void a_body_up_to_the_end_of_the_stream_arrives(void **state) {
  (void)state;
  assert_answer("HTTP/1.0 200 OK\r\n\r\nhello", "hello");
}

static void a_large_body_arrives_whole(void **state) {
  (void)state;
  char head[64];
  snprintf(head, sizeof head, OK_HEAD "Content-Length: %d\r\n\r\n", LARGE);
  server peer = serve(head, SENDS_LARGE);
  porthole_conn *conn = connect_to(&peer, PATIENT);
  static uint8_t piece[100000];
  assert_int_equal(get(conn), 200);
  size_t total = 0;
  int32_t count;
  while ((count = porthole_conn_read(conn, piece, sizeof piece)) > 0) {
    for (size_t i = 0; i < (size_t)count; i++) {
      if (piece[i] != large_byte(total + i)) {
        fail_msg("byte %zu is wrong", total + i);
      }
    }
    total += (size_t)count;
  }
  assert_int_equal(count, 0);
  assert_int_equal(total, LARGE);
  free_conn(conn);
  stop(&peer);
}

static void a_body_cut_off_is_an_error(void **state) {
  (void)state;
  server peer = serve(OK_HEAD "Content-Length: 7\r\n\r\nhello", CLOSES);
  porthole_conn *conn = connect_to(&peer, PATIENT);
  uint8_t got[64];
  assert_int_equal(get(conn), 200);
  assert_int_equal(porthole_conn_read(conn, got, sizeof got), 5);
  assert_int_equal(porthole_conn_read(conn, got, sizeof got), PORTHOLE_BODY_CUT);
  free_conn(conn);
  stop(&peer);
}

static void a_reset_is_an_error(void **state) {
  (void)state;
  server peer = serve("", RESETS);
  porthole_conn *conn = connect_to(&peer, PATIENT);
  assert_int_equal(get(conn), PORTHOLE_HOST_RESET);
  free_conn(conn);
  stop(&peer);
}

static void an_early_answer_ends_an_upload(void **state) {
  (void)state;
  server peer = serve("HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 2\r\n\r\nno", DRAINS);
  porthole_conn *conn = connect_to(&peer, PATIENT);
  static const uint8_t piece[PIECE];
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_UNKNOWN, 0, 0), 0);
  /* The server answers before it reads a byte of the body: no more than the buffers in between can be sent. */
  size_t sent = 0;
  while (porthole_conn_view(conn)->phase == PORTHOLE_PHASE_HEAD && sent < 64U << 20) {
    assert_int_equal(porthole_conn_send(conn, piece, sizeof piece), sizeof piece);
    sent += sizeof piece;
  }
  assert_true(sent < 64U << 20);
  assert_int_equal(porthole_conn_getresponse(conn), 413);
  uint8_t got[8];
  assert_int_equal(porthole_conn_read(conn, got, sizeof got), 2);
  assert_true(porthole_conn_view(conn)->flags & PORTHOLE_UNUSABLE);
  free_conn(conn);
  stop(&peer);
}

/* ---- what fails ---- */

static void a_refused_connection_says_so(void **state) {
  (void)state;
  server nobody = listen_on_loopback(1);
  stop(&nobody);
  porthole_conn *conn = new_conn();
  assert_int_equal(open_name(conn, NAME, nobody.port, PATIENT), PORTHOLE_HOST_REFUSED);
  assert_last_error(0);
  free_conn(conn);
}

static void a_name_that_does_not_exist_is_not_found(void **state) {
  (void)state;
  char name[65];
  memset(name, 'a', 64); /* one more than a label can have: no resolver is asked */
  name[64] = '\0';
  porthole_conn *conn = new_conn();
  assert_int_equal(open_name(conn, name, 80, PATIENT), PORTHOLE_HOST_NOT_FOUND);
  assert_last_error(0);
  free_conn(conn);
}

static void each_address_of_a_name_is_tried(void **state) {
  (void)state;
  server peer = serve(OK_HEAD "Content-Length: 0\r\n\r\n", CLOSES); /* on 127.0.0.1, not on ::1 */
  porthole_conn *conn = new_conn();
  assert_int_equal(open_name(conn, "localhost", peer.port, PATIENT), 0);
  assert_int_equal(get(conn), 200);
  free_conn(conn);
  stop(&peer);
}

static void a_connect_has_a_time_limit(void **state) {
  (void)state;
  server full = listen_on_loopback(0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)full.port)};
  int waiting[8];
  for (size_t i = 0; i < 8; i++) { /* nobody accepts: once the queue is full, a connect waits */
    waiting[i] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(fcntl(waiting[i], F_SETFL, O_NONBLOCK), 0);
    (void)connect(waiting[i], (const struct sockaddr *)&address, sizeof address);
  }
  porthole_conn *conn = new_conn();
  int64_t before = now_ms();
  assert_int_equal(open_name(conn, NAME, full.port, SHORT), PORTHOLE_HOST_TIMED_OUT);
  assert_in_range(now_ms() - before, SHORT, PATIENT);
  assert_last_error(0);
  free_conn(conn);
  for (size_t i = 0; i < 8; i++) {
    close(waiting[i]);
  }
  stop(&full);
}

static void nothing(int number) { (void)number; }

static void a_receive_has_a_time_limit_that_signals_do_not_end(void **state) {
  (void)state;
  server silent = listen_on_loopback(1);
  porthole_conn *conn = connect_to(&silent, PATIENT);
  porthole_conn_set_timeout(conn, SHORT);
  const struct sigaction action = {.sa_handler = nothing};
  const struct itimerval often = {.it_interval.tv_usec = 10000, .it_value.tv_usec = 10000};
  const struct itimerval never = {.it_value.tv_usec = 0};
  assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
  assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
  int64_t before = now_ms();
  int32_t result = get(conn);
  int64_t after = now_ms();
  assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
  assert_int_equal(result, PORTHOLE_HOST_TIMED_OUT);
  assert_in_range(after - before, SHORT, PATIENT);
  free_conn(conn);
  stop(&silent);
}

static void a_send_has_a_time_limit(void **state) {
  (void)state;
  server silent = listen_on_loopback(1);
  static const uint8_t piece[PIECE];
  int32_t handle = porthole_host_open(NAME, strlen(NAME), silent.port, 0, PATIENT);
  assert_true(handle > 0);
  int32_t result;
  do {
    result = porthole_host_send(handle, piece, sizeof piece, SHORT);
  } while (result > 0);
  assert_int_equal(result, PORTHOLE_HOST_TIMED_OUT);
  porthole_host_close(handle);
  stop(&silent);
}

static void what_can_not_be_done_at_once_is_not_waited_for_in_no_time(void **state) {
  (void)state;
  server silent = listen_on_loopback(1);
  static const uint8_t piece[PIECE];
  uint8_t byte;
  int32_t handle = porthole_host_open(NAME, strlen(NAME), silent.port, 0, PATIENT);
  assert_true(handle > 0);
  assert_int_equal(porthole_host_recv(handle, &byte, 1, 0), PORTHOLE_WANT_READ);
  int32_t result;
  do {
    result = porthole_host_send(handle, piece, sizeof piece, 0);
  } while (result > 0);
  assert_int_equal(result, PORTHOLE_WANT_WRITE);
  porthole_host_close(handle);
  stop(&silent);
}

/* ---- the host by itself ---- */

static int32_t open_handle(const server *to) { return porthole_host_open(NAME, strlen(NAME), to->port, 0, PATIENT); }

static void assert_bad_handle(int32_t handle) {
  uint8_t byte = 0;
  assert_int_equal(porthole_host_send(handle, &byte, 1, PATIENT), PORTHOLE_HOST_BAD_HANDLE);
  assert_int_equal(porthole_host_recv(handle, &byte, 1, PATIENT), PORTHOLE_HOST_BAD_HANDLE);
  assert_int_equal(wait_for(handle, PORTHOLE_READABLE, 0), PORTHOLE_HOST_BAD_HANDLE);
  assert_int_equal(porthole_host_start_tls(handle, NAME, strlen(NAME), 0, PATIENT), PORTHOLE_HOST_BAD_HANDLE);
  assert_int_equal(porthole_host_info(handle, PORTHOLE_INFO_ERROR, (char *)&byte, 1), 0);
  porthole_host_close(handle);
}

static void abi_09_a_closed_handle_never_matches_again(void **state) {
  (void)state;
  server peer = listen_on_loopback(8);
  int32_t first = open_handle(&peer);
  assert_true(first > 0);
  porthole_host_close(first);
  assert_bad_handle(first);
  int32_t second = open_handle(&peer); /* in the same place */
  assert_true(second > 0);
  assert_int_not_equal(first, second);
  assert_bad_handle(first);
  assert_int_equal(wait_for(second, PORTHOLE_WRITABLE, PATIENT), PORTHOLE_WRITABLE);
  porthole_host_close(second);
  assert_bad_handle(second);
  stop(&peer);
}

static void abi_14_a_number_that_is_no_handle_is_refused(void **state) {
  (void)state;
  server peer = listen_on_loopback(8);
  int32_t handle = open_handle(&peer);
  assert_true(handle > 0);
  const int32_t numbers[] = {0, 1, -1, handle + 1, handle + HANDLES, -handle, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (numbers[i] != 0) { /* last_error speaks about opens there */
      assert_bad_handle(numbers[i]);
    }
    porthole_host_close(numbers[i]);
  }
  assert_int_equal(wait_for(handle, PORTHOLE_WRITABLE, PATIENT), PORTHOLE_WRITABLE);
  porthole_host_close(handle);
  stop(&peer);
}

static void abi_12_the_65th_connection_is_refused(void **state) {
  (void)state;
  server peer = listen_on_loopback(2 * HANDLES);
  int32_t handles[HANDLES];
  for (size_t i = 0; i < HANDLES; i++) {
    handles[i] = open_handle(&peer);
    assert_true(handles[i] > 0);
  }
  assert_int_equal(open_handle(&peer), PORTHOLE_HOST_BUSY);
  assert_last_error(0);
  porthole_host_close(handles[17]);
  int32_t next = open_handle(&peer);
  assert_true(next > 0);
  assert_int_equal(open_handle(&peer), PORTHOLE_HOST_BUSY);
  handles[17] = next;
  for (size_t i = 0; i < HANDLES; i++) {
    porthole_host_close(handles[i]);
  }
  stop(&peer);
}

static void every_argument_is_checked(void **state) {
  (void)state;
  server peer = listen_on_loopback(8);
  static const char long_name[256] = {[0 ... 255] = 'a'};
  uint8_t byte = 0;
  assert_int_equal(porthole_host_open(NULL, 1, 80, 0, -1), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_open("h", 0, 80, 0, -1), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_open("a\0b", 3, 80, 0, -1), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_open(long_name, sizeof long_name, 80, 0, -1), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_open(NAME, strlen(NAME), 65536, 0, -1), PORTHOLE_HOST_OTHER);
  assert_last_error(0);
  int32_t handle = open_handle(&peer);
  assert_true(handle > 0);
  assert_int_equal(porthole_host_send(handle, NULL, 1, PATIENT), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_send(handle, &byte, 0, PATIENT), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_recv(handle, NULL, 1, PATIENT), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_recv(handle, &byte, 0, PATIENT), PORTHOLE_HOST_OTHER);
  assert_int_equal(wait_for(handle, 0, 0), PORTHOLE_HOST_OTHER);
  assert_int_equal(wait_for(handle, 4, 0), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_start_tls(handle, NULL, 0, 0, PATIENT), PORTHOLE_HOST_UNSUPPORTED);
  assert_last_error(handle);
  assert_int_equal(wait_for(handle, PORTHOLE_READABLE, 0), 0);
  assert_int_equal(wait_for(handle, PORTHOLE_READABLE | PORTHOLE_WRITABLE, -1), PORTHOLE_WRITABLE);
  porthole_host_close(handle);
  stop(&peer);
}

static void sending_to_a_peer_that_is_gone_raises_no_signal(void **state) {
  (void)state;
  server peer = serve("", RESETS);
  int32_t handle = open_handle(&peer);
  assert_true(handle > 0);
  int32_t result = porthole_host_send(handle, (const uint8_t *)"\r\n\r\n", 4, PATIENT);
  assert_int_equal(result, 4);
  assert_int_equal(wait_for(handle, PORTHOLE_READABLE, PATIENT), PORTHOLE_READABLE);
  uint8_t byte = 0;
  assert_int_equal(porthole_host_recv(handle, &byte, 1, PATIENT), PORTHOLE_HOST_RESET);
  assert_int_equal(porthole_host_send(handle, &byte, 1, PATIENT), PORTHOLE_HOST_CLOSED);
  porthole_host_close(handle);
  stop(&peer);
}

static void an_open_is_by_the_family_that_is_asked_for(void **state) {
  (void)state;
  server peer = serve("", DRAINS);
  const struct {
    const char *name;
    uint32_t flags;
    int32_t error; /* 0: none */
  } opens[] = {
      {NAME, PORTHOLE_OPEN_IPV6, PORTHOLE_HOST_NOT_FOUND},  {"::1", PORTHOLE_OPEN_IPV4, PORTHOLE_HOST_NOT_FOUND},
      {NAME, PORTHOLE_OPEN_TLS, PORTHOLE_HOST_UNSUPPORTED}, {NAME, 8, PORTHOLE_HOST_UNSUPPORTED},
      {NAME, PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6, 0},   {"localhost", PORTHOLE_OPEN_IPV4, 0}};
  for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
    int32_t result = porthole_host_open(opens[i].name, strlen(opens[i].name), peer.port, opens[i].flags, PATIENT);
    if (opens[i].error == 0) {
      assert_true(result > 0);
      porthole_host_close(result);
    } else {
      assert_int_equal(result, opens[i].error);
      assert_last_error(0);
    }
  }
  assert_int_equal(porthole_host_open(NAME, strlen(NAME), peer.port, 0, 0), PORTHOLE_HOST_TIMED_OUT);
  stop(&peer);
}

static void a_drip_ends_when_the_deadline_says_so(void **state) {
  (void)state;
  server peer = serve(OK_HEAD "Content-Length: 100000\r\n\r\n", DRIPS);
  porthole_conn *conn = connect_to(&peer, PATIENT);
  static uint8_t got[100000];
  int64_t before = now_ms();
  porthole_conn_set_timeout(conn, PATIENT);
  porthole_conn_set_deadline(conn, DEADLINE);
  assert_int_equal(get(conn), 200);
  assert_in_range(porthole_conn_read(conn, got, sizeof got), 1, DEADLINE * 1000 / DRIP_US + 1);
  assert_int_equal(porthole_conn_read(conn, got, sizeof got), PORTHOLE_HOST_TIMED_OUT);
  assert_in_range(now_ms() - before, DEADLINE - 1, PATIENT / 2);
  free_conn(conn);
  stop(&peer);
}

static void a_wait_is_for_whichever_of_its_list_is_ready_first(void **state) {
  (void)state;
  server silent = listen_on_loopback(1);
  server peer = serve("hello", DRAINS);
  int32_t quiet = open_handle(&silent);
  int32_t loud = open_handle(&peer);
  assert_int_equal(porthole_host_send(loud, (const uint8_t *)"\r\n\r\n", 4, PATIENT), 4);
  int32_t list[6] = {quiet, PORTHOLE_READABLE, loud, PORTHOLE_READABLE};
  assert_int_equal(porthole_host_wait(list, 2, PATIENT), 1);
  assert_int_equal(list[1], 0);
  assert_int_equal(list[3], PORTHOLE_READABLE);
  const int32_t bad[6] = {quiet, PORTHOLE_WRITABLE, loud, PORTHOLE_WRITABLE, loud + 1, PORTHOLE_READABLE};
  memcpy(list, bad, sizeof bad);
  assert_int_equal(porthole_host_wait(list, 2, 0), 2);
  assert_int_equal(porthole_host_wait(list, 3, 0), PORTHOLE_HOST_BAD_HANDLE);
  assert_memory_equal(list, bad, sizeof bad);
  assert_int_equal(porthole_host_wait(NULL, 1, 0), PORTHOLE_HOST_OTHER);
  assert_int_equal(porthole_host_wait(list, HANDLES + 1, 0), PORTHOLE_HOST_UNSUPPORTED);
  int64_t before = now_ms();
  assert_int_equal(porthole_host_wait(NULL, 0, SHORT), 0);
  assert_in_range(now_ms() - before, SHORT - 1, PATIENT);
  porthole_host_close(quiet);
  porthole_host_close(loud);
  stop(&silent);
  stop(&peer);
}

static void the_rest_of_a_head_goes_out_while_an_answer_is_waited_for(void **state) {
  (void)state;
  server silent = listen_on_loopback(1);
  static uint8_t head[LARGE];
  static uint8_t got[PIECE];
  for (size_t i = 0; i < LARGE; i++) {
    head[i] = large_byte(i);
  }
  int32_t handle = open_handle(&silent);
  assert_int_equal(porthole_host_send_head(handle, head, LARGE, 0), LARGE);
  assert_int_equal(porthole_host_send_head(handle, head, 4, 0), PORTHOLE_WANT_WRITE);
  assert_int_equal(porthole_host_send(handle, head, 4, 0), PORTHOLE_WANT_WRITE);
  memset(head, 0, PIECE); /* the host has its own copy */
  int peer = accept(silent.listener, NULL, NULL);
  assert_true(peer >= 0);
  assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
  size_t total = 0;
  for (int64_t end = now_ms() + PATIENT; total < LARGE && now_ms() < end;) {
    ssize_t count = read(peer, got, sizeof got);
    for (ssize_t i = 0; i < count; i++) {
      assert_true(got[i] == large_byte(total + (size_t)i));
    }
    total += count > 0 ? (size_t)count : 0;
    uint8_t byte;
    assert_int_equal(total % 2 == 0 ? wait_for(handle, PORTHOLE_READABLE, 1) : 0, 0);
    assert_int_equal(porthole_host_recv(handle, &byte, 1, 0), PORTHOLE_WANT_READ);
  }
  assert_int_equal(total, LARGE);
  close(peer);
  porthole_host_close(handle);
  stop(&silent);
}

static void both_ends_of_a_connection_have_addresses(void **state) {
  (void)state;
  server peer = serve("", DRAINS);
  char text[64];
  char expected[64];
  int32_t handle = open_handle(&peer);
  snprintf(expected, sizeof expected, NAME ":%u", (unsigned)peer.port);
  assert_int_equal(porthole_host_info(handle, PORTHOLE_INFO_PEER, text, sizeof text), strlen(expected));
  assert_memory_equal(text, expected, strlen(expected));
  assert_int_equal(porthole_host_info(handle, PORTHOLE_INFO_PEER, text, 3), 3);
  assert_in_range(porthole_host_info(handle, PORTHOLE_INFO_LOCAL, text, sizeof text), 11, 15);
  assert_memory_equal(text, NAME ":", sizeof NAME);
  assert_int_equal(porthole_host_info(handle, PORTHOLE_INFO_TLS, text, sizeof text), 0);
  assert_int_equal(porthole_host_info(handle, 99, text, sizeof text), 0);
  assert_int_equal(porthole_host_info(0, PORTHOLE_INFO_PEER, text, sizeof text), 0);
  porthole_host_close(handle);
  stop(&peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_body_with_a_length_arrives),
      cmocka_unit_test(a_chunked_body_arrives),
      cmocka_unit_test(a_body_up_to_the_end_of_the_stream_arrives),
      cmocka_unit_test(a_large_body_arrives_whole),
      cmocka_unit_test(a_body_cut_off_is_an_error),
      cmocka_unit_test(a_reset_is_an_error),
      cmocka_unit_test(an_early_answer_ends_an_upload),
      cmocka_unit_test(a_refused_connection_says_so),
      cmocka_unit_test(a_name_that_does_not_exist_is_not_found),
      cmocka_unit_test(each_address_of_a_name_is_tried),
      cmocka_unit_test(a_connect_has_a_time_limit),
      cmocka_unit_test(a_receive_has_a_time_limit_that_signals_do_not_end),
      cmocka_unit_test(a_send_has_a_time_limit),
      cmocka_unit_test(what_can_not_be_done_at_once_is_not_waited_for_in_no_time),
      cmocka_unit_test(abi_09_a_closed_handle_never_matches_again),
      cmocka_unit_test(abi_14_a_number_that_is_no_handle_is_refused),
      cmocka_unit_test(abi_12_the_65th_connection_is_refused),
      cmocka_unit_test(every_argument_is_checked),
      cmocka_unit_test(sending_to_a_peer_that_is_gone_raises_no_signal),
      cmocka_unit_test(an_open_is_by_the_family_that_is_asked_for),
      cmocka_unit_test(a_drip_ends_when_the_deadline_says_so),
      cmocka_unit_test(a_wait_is_for_whichever_of_its_list_is_ready_first),
      cmocka_unit_test(the_rest_of_a_head_goes_out_while_an_answer_is_waited_for),
      cmocka_unit_test(both_ends_of_a_connection_have_addresses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
