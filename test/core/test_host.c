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

#define TWO_BYTES "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum { CALLS_MAX = 100 };

/* The faults of the host ABI, by their ids in test/data/faults.json. */

/** GETs from a host that answers a receive so, and checks that nothing is taken from its buffer. */
static void assert_receive(int32_t answer, int32_t error) {
  porthole_conn *conn = connect_to("", 0);
  const porthole_view *view = porthole_conn_view(conn);
  assert_int_equal(request(conn, "GET", "/"), 0);
  host.recv_lie = answer;
  assert_int_equal(porthole_conn_getresponse(conn), error);
  assert_int_equal(view->error, error);
  assert_int_equal(view->raw_length + view->available + view->head_length, 0);
  assert_true(host.calls < CALLS_MAX);
  host.recv_lie = 0;
  assert_int_equal(porthole_conn_getresponse(conn), error); /* the first error stays */
  porthole_conn_close(conn);
  assert_int_equal(view->state, PORTHOLE_IDLE);
  free_conn(conn);
}

static void abi_00_a_receive_of_more_than_there_is_room_for_is_a_lie(void **state) {
  (void)state;
  assert_receive(RX_SIZE / 2 + 1, PORTHOLE_HOST_LIED); /* half of the buffer is what a receive is given */
  assert_receive(RX_SIZE + 1, PORTHOLE_HOST_LIED);
  assert_receive(INT32_MAX, PORTHOLE_HOST_LIED);
}

static void abi_01_a_code_that_no_host_has_is_a_lie(void **state) {
  (void)state;
  static const int32_t codes[] = {-3,
                                  -77,
                                  PORTHOLE_BAD_STATUS_LINE,
                                  PORTHOLE_HOST_REFUSED + 1,
                                  PORTHOLE_HOST_UNSUPPORTED - 1,
                                  PORTHOLE_HOST_LIED,
                                  INT32_MIN};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    assert_receive(codes[i], PORTHOLE_HOST_LIED);
    porthole_conn *conn = connect_to("", 0);
    assert_int_equal(request(conn, "GET", "/"), 0);
    host.send_lie = codes[i];
    assert_int_equal(porthole_conn_flush(conn), PORTHOLE_HOST_LIED);
    free_conn(conn);
  }
  for (int32_t code = PORTHOLE_HOST_REFUSED; code >= PORTHOLE_HOST_UNSUPPORTED; code--) {
    assert_receive(code, code);
  }
}

static void abi_02_receives_of_nothing_for_ever_are_the_end(void **state) {
  (void)state;
  static const struct {
    const char *answer;
    int32_t head, body;
  } cut[] = {
      {"", PORTHOLE_REMOTE_DISCONNECTED, 0},
      {"HTTP/1.1 200 OK\r\n", PORTHOLE_HEAD_CUT, 0},
      {"HTTP/1.1 100 Continue\r\n\r\n", PORTHOLE_REMOTE_DISCONNECTED, 0},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, PORTHOLE_BODY_CUT},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2", 200, PORTHOLE_BODY_CUT},
      {"HTTP/1.1 200 OK\r\n\r\n", 200, 0},
  };
  for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
    porthole_conn *conn = connect_to(cut[i].answer, 0);
    uint8_t body[8];
    assert_int_equal(request(conn, "GET", "/"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), cut[i].head);
    if (cut[i].head > 0) {
      assert_int_equal(porthole_conn_read(conn, body, sizeof body), cut[i].body);
    }
    assert_true(host.calls < CALLS_MAX);
    free_conn(conn);
  }
}

static void abi_03_a_send_of_nothing_is_a_lie(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("", 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  host.fail_at = host.calls + 2; /* the first is the wait */
  host.failure = 0;
  assert_int_equal(porthole_conn_flush(conn), PORTHOLE_HOST_LIED);
  assert_true(porthole_conn_view(conn)->flags & PORTHOLE_UNUSABLE);
  assert_int_equal(host.calls, host.fail_at);
  free_conn(conn);
}

static void abi_04_a_send_of_more_than_there_is_is_a_lie(void **state) {
  (void)state;
  static const int32_t answers[] = {1000, INT32_MAX};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    porthole_conn *conn = connect_to("", 0);
    assert_int_equal(request(conn, "GET", "/"), 0);
    host.send_lie = answers[i];
    assert_int_equal(porthole_conn_flush(conn), PORTHOLE_HOST_LIED);
    assert_int_equal(porthole_conn_view(conn)->tx_sent, porthole_conn_view(conn)->tx_length); /* no retry */
    free_conn(conn);
  }
}

/** POSTs a chunked body in two pieces and reads the answer. @returns the status, or the first error */
static int32_t post(porthole_conn *conn) {
  uint8_t body[8];
  int32_t result = porthole_conn_open(conn, porthole_text("example.com"), 80, 0, -1);
  if (result == 0) {
    result = porthole_conn_request(conn, porthole_text("POST"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_UNKNOWN, 0,
                                   0);
  }
  for (int piece = 0; piece < 2 && result == 0; piece++) {
    result = send_all(conn, "hello");
  }
  if (result == 0) {
    result = porthole_conn_body_end(conn, NULL, 0);
  }
  int32_t status = result == 0 ? porthole_conn_getresponse(conn) : result;
  if (status > 0) {
    result = porthole_conn_read(conn, body, sizeof body);
  }
  return result < 0 ? result : status;
}

static const char posted[] = "POST / HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: identity\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n";

static void assert_posted(void) {
  assert_int_equal(host.sent_length, sizeof posted - 1);
  assert_memory_equal(host.sent, posted, sizeof posted - 1);
}

static void abi_05_a_host_that_takes_one_byte_a_call_gets_each_byte_once(void **state) {
  (void)state;
  host = (scripted_host){.script = TWO_BYTES, .length = sizeof TWO_BYTES - 1, .piece = 1, .send_most = 1};
  porthole_conn *conn = new_conn();
  assert_int_equal(post(conn), 200);
  assert_posted();
  free_conn(conn);
}

static void abi_16_whichever_call_of_the_host_fails_the_next_connection_works(void **state) {
  (void)state;
  const scripted_host honest = {.script = TWO_BYTES, .length = sizeof TWO_BYTES - 1, .piece = 30};
  host = honest;
  porthole_conn *conn = new_conn();
  const porthole_view *view = porthole_conn_view(conn);
  assert_int_equal(post(conn), 200);
  unsigned calls = host.calls;
  assert_true(calls > 8);
  unsigned failed = 0;
  for (unsigned call = 1; call <= calls; call++) {
    for (int32_t error = PORTHOLE_HOST_REFUSED; error >= PORTHOLE_HOST_UNSUPPORTED; error--) {
      porthole_conn_close(conn);
      host = honest;
      host.fail_at = call;
      host.failure = error;
      int32_t result = post(conn);
      assert_true(result == error || result == 200);
      failed += result == error;
      assert_true(host.calls >= call && host.calls < CALLS_MAX);
      assert_true(call == 1 || result == 200 || (view->flags & PORTHOLE_UNUSABLE));
      porthole_conn_close(conn);
      assert_int_equal(host.closed, call > 1);
      assert_int_equal(view->state, PORTHOLE_IDLE);
      assert_int_equal(view->error, 0);

      host = honest;
      assert_int_equal(post(conn), 200);
      assert_posted();
    }
  }
  /* An answer is still read when the peer takes no more of the request: the end of the last piece, or that of the body. */
  assert_int_equal(failed, 14 * calls - 4);
  free_conn(conn);
}

static void abi_17_what_is_said_to_be_readable_can_still_block(void **state) {
  (void)state;
  const scripted_host blocking = {.script = "", .at_end = PORTHOLE_WANT_READ, .ready = true};
  host = blocking;
  porthole_conn *conn = new_conn();
  assert_int_equal(post(conn), PORTHOLE_WANT_READ);
  assert_posted();
  assert_true(host.calls < CALLS_MAX);
  assert_int_equal(porthole_conn_view(conn)->error, 0);
  host.script = TWO_BYTES; /* now it comes */
  host.length = sizeof TWO_BYTES - 1;
  uint8_t body[8];
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  free_conn(conn);
}

/** A connection whose peer has got the head of an upload, and takes nothing of the body. */
static porthole_conn *stuck_upload(const char *answer) {
  porthole_conn *conn = connect_to(answer, 0);
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("PUT"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_STREAM, 4, 0), 0);
  assert_int_equal(porthole_conn_flush(conn), 0);
  host.stuck = true;
  host.calls = 0;
  return conn;
}

static void an_answer_is_taken_in_while_a_send_waits(void **state) {
  (void)state;
  static const unsigned empty[] = {0, 1, 5, 0}; /* a ticket of TLS is none */
  for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
    porthole_conn *conn = stuck_upload("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
    host.empty = empty[i];
    host.ready = i == 3; /* before the wait */
    assert_int_equal(send_all(conn, "body"), 0);
    assert_int_equal(porthole_conn_view(conn)->upload, PORTHOLE_UPLOAD_STOPPED);
    assert_int_equal(porthole_conn_getresponse(conn), 413);
    assert_true(host.calls < CALLS_MAX);
    free_conn(conn);
  }
}

static void a_send_that_waits_ends_when_its_time_is_up(void **state) {
  (void)state;
  enum { LIMIT = 1500 };
  static char large[2 * RX_SIZE];
  int head = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 2 * RX_SIZE);
  memset(large + head, 'x', sizeof large - (size_t)head - 1);
  static const struct {
    const char *answer;
    unsigned empty; /* it is said for ever that there is something */
    bool idle;
    bool deadline;
  } waits[] = {{"", UINT32_MAX, false, false}, {"", UINT32_MAX, false, true}, {"", 0, true, false}, {"", 0, true, true},
               {OK_ANSWER, 0, false, false}, /* a success doesn't end it */
               {large, 0, false, false}};    /* nor one that there is no room for */
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
    porthole_conn *conn = stuck_upload(waits[i].answer);
    host.empty = waits[i].empty;
    host.idle = waits[i].idle;
    host.takes = waits[i].idle ? 1000 : 0;
    if (waits[i].deadline) {
      porthole_conn_set_deadline(conn, LIMIT);
    } else {
      porthole_conn_set_timeout(conn, LIMIT);
    }
    assert_int_equal(send_all(conn, "body"), PORTHOLE_HOST_TIMED_OUT);
    assert_int_equal(host.now, LIMIT);
    assert_true(host.calls < 300);
    free_conn(conn);
  }
}

static void a_host_that_can_not_wait_is_not_waited_for(void **state) {
  (void)state;
  porthole_conn *conn = stuck_upload("");
  host.cannot_wait = true;
  assert_int_equal(send_all(conn, "body"), PORTHOLE_WANT_WRITE);
  porthole_conn_set_timeout(conn, 1000);
  assert_int_equal(send_all(conn, "body"), PORTHOLE_WANT_WRITE);
  host.calls = 0;
  porthole_conn_set_timeout(conn, 0);
  assert_int_equal(send_all(conn, "body"), PORTHOLE_WANT_WRITE);
  assert_int_equal(host.calls, 2); /* a look and a send */
  host.stuck = false;
  assert_int_equal(send_all(conn, "body"), 0);
  free_conn(conn);
}

static void an_open_that_fails_says_why(void **state) {
  (void)state;
  porthole_conn *conn = new_conn();
  host = (scripted_host){0};
  assert_int_equal(porthole_conn_open(conn, porthole_text("h"), 1, 0, -1), PORTHOLE_HOST_REFUSED);
  assert_int_equal(porthole_conn_open(conn, porthole_text("h h"), 80, 0, -1), PORTHOLE_BAD_HOST);
  assert_int_equal(porthole_conn_open(conn, porthole_text("h"), 65536, 0, -1), PORTHOLE_BAD_PORT);
  assert_int_equal(host.calls, 1);
  free_conn(conn);
}

static int32_t start_tls(porthole_conn *conn) {
  return porthole_conn_start_tls(conn, porthole_text("example.com"), PORTHOLE_TLS_ALPN_HTTP1);
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
    assert_int_equal(request(conn, "GET", "/in-clear"), failures[i].error);
    assert_int_equal(start_tls(conn), failures[i].error);
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
    assert_int_equal(porthole_conn_tunnel(conn, porthole_text("example.com"), 443, NULL, 0), 0);
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
    porthole_conn_set_authority(conn, porthole_text("h"), 80, 80);
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
    assert_int_equal(porthole_conn_flush(conn), 0);
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

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void what_was_said_while_a_connection_rested_answers_nothing(void **state) {
  (void)state;
  uint8_t body[8];
  for (int read = 0; read < 2; read++) {
    porthole_conn *conn = connect_to(ANSWER ANSWER, sizeof ANSWER - 1); /* the second one comes later */
    assert_int_equal(request(conn, "GET", "/1"), 0);
    assert_int_equal(porthole_conn_getresponse(conn), 200);
    if (read) {
      assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
      assert_int_equal(porthole_conn_read(conn, body, sizeof body), 0);
    }
    host.sent_length = 0;
    host.ready = true;
    assert_int_equal(request(conn, "GET", "/2"), 0);
    assert_int_equal(porthole_conn_flush(conn), PORTHOLE_UNSOLICITED);
    assert_int_equal(host.sent_length, 0);
    assert_true(porthole_conn_getresponse(conn) < 0);
    free_conn(conn);
  }
  host = (scripted_host){.script = ANSWER, .length = sizeof ANSWER - 1, .ready = true}; /* before the first request */
  porthole_conn *conn = new_conn();
  assert_int_equal(post(conn), PORTHOLE_UNSOLICITED);
  assert_int_equal(host.sent_length, 0);
  free_conn(conn);
}

static void nothing_is_asked_of_a_peer_that_has_closed(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(ANSWER, 0);
  uint8_t body[8];
  assert_int_equal(request(conn, "GET", "/1"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  host.sent_length = 0;
  host.ready = true;
  assert_int_equal(request(conn, "GET", "/2"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_REMOTE_DISCONNECTED);
  assert_int_equal(host.sent_length, 0);
  free_conn(conn);
}

static void what_comes_between_staging_and_sending_answers_nothing(void **state) {
  (void)state;
  porthole_conn *conn = connect_to(ANSWER, 0);
  assert_int_equal(request(conn, "GET", "/"), 0);
  porthole_conn_receive(conn);
  assert_int_equal(porthole_conn_getresponse(conn), PORTHOLE_UNSOLICITED);
  assert_int_equal(host.sent_length, 0);
  free_conn(conn);
}

static void no_request_follows_an_upload_that_was_cut_short(void **state) {
  (void)state;
  static const uint8_t piece[1000];
  static const uint32_t kinds[] = {PORTHOLE_BODY_STREAM, PORTHOLE_BODY_UNKNOWN};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    porthole_conn *conn = connect_to("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 0);
    assert_int_equal(
        porthole_conn_request(conn, porthole_text("POST"), porthole_text("/up"), NULL, 0, kinds[i], sizeof piece, 0),
        0);
    assert_int_equal(porthole_conn_flush(conn), 0);
    size_t head = host.sent_length;
    host.ready = true; /* the answer is there before the body is */
    assert_int_equal(porthole_conn_send(conn, piece, sizeof piece), sizeof piece);
    assert_int_equal(porthole_conn_body_end(conn, NULL, 0), 0);
    assert_int_equal(host.sent_length, head);
    assert_int_equal(porthole_conn_getresponse(conn), 413);
    assert_true(porthole_conn_view(conn)->flags & PORTHOLE_UNUSABLE);
    uint8_t body[8];
    assert_int_equal(porthole_conn_read(conn, body, sizeof body), 0);
    assert_int_equal(request(conn, "GET", "/next"), PORTHOLE_CANNOT_SEND_REQUEST);
    free_conn(conn);
  }
}

static void no_request_follows_a_response_that_closes(void **state) {
  (void)state;
  porthole_conn *conn = connect_to("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 0);
  uint8_t body[8];
  assert_int_equal(request(conn, "GET", "/1"), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 0);
  assert_int_equal(request(conn, "GET", "/2"), PORTHOLE_CANNOT_SEND_REQUEST);
  free_conn(conn);
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
      cmocka_unit_test(abi_00_a_receive_of_more_than_there_is_room_for_is_a_lie),
      cmocka_unit_test(abi_01_a_code_that_no_host_has_is_a_lie),
      cmocka_unit_test(abi_02_receives_of_nothing_for_ever_are_the_end),
      cmocka_unit_test(abi_03_a_send_of_nothing_is_a_lie),
      cmocka_unit_test(abi_04_a_send_of_more_than_there_is_is_a_lie),
      cmocka_unit_test(abi_05_a_host_that_takes_one_byte_a_call_gets_each_byte_once),
      cmocka_unit_test(abi_16_whichever_call_of_the_host_fails_the_next_connection_works),
      cmocka_unit_test(abi_17_what_is_said_to_be_readable_can_still_block),
      cmocka_unit_test(an_answer_is_taken_in_while_a_send_waits),
      cmocka_unit_test(a_send_that_waits_ends_when_its_time_is_up),
      cmocka_unit_test(a_host_that_can_not_wait_is_not_waited_for),
      cmocka_unit_test(an_open_that_fails_says_why),
      cmocka_unit_test(tls_starts_before_anything_is_said),
      cmocka_unit_test(a_handshake_that_fails_ends_the_connection),
      cmocka_unit_test(what_a_proxy_says_after_its_answer_is_not_taken_into_tls),
      cmocka_unit_test(nothing_is_read_behind_the_receive_buffer),
      cmocka_unit_test(what_was_said_while_a_connection_rested_answers_nothing),
      cmocka_unit_test(nothing_is_asked_of_a_peer_that_has_closed),
      cmocka_unit_test(what_comes_between_staging_and_sending_answers_nothing),
      cmocka_unit_test(no_request_follows_an_upload_that_was_cut_short),
      cmocka_unit_test(no_request_follows_a_response_that_closes),
      cmocka_unit_test(error_codes_are_unique_and_in_their_hundreds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
