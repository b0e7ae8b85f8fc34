/* SPDX-License-Identifier: MIT
 *
 * Calls in any order over a host that fails and lies: every result is a code of errors.def, an error of the connection
 * stays, no call goes on for ever, and after a close the next connection works.
 *
 * Input: a byte with the size of the receive buffer, what the host answers when the input has ended (an honest answer, or
 * one lie for ever), then calls and, as they need them, answers of the host.
 */
#include <stdbool.h>

#include "cmocka.h"
#include "fuzz.h"
#include "porthole/host.h"

enum { TX = 2048, RX = 65536, RX_SMALL = 4096, BUFFER = 512, CALLS_MAX = 256, HOST_CALLS_MAX = 2000 };

typedef enum lie {
  HONEST = 0, /* and everything up to LIES */
  LIES = 200,
  TOO_MUCH = LIES,
  LARGEST,
  ANY_NUMBER,
  NOTHING,
  WANT_READ,
  WANT_WRITE,
  HOST_ERROR, /* and everything above */
} lie;

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* The host. */
static source from;
static int32_t handle;     /* of the open connection, or 0 */
static int32_t last;       /* handle given out */
static unsigned calls;     /* of the host, in the call of the core that is under way */
static uint8_t for_ever;   /* the answer when the input has ended */
static const char *honest; /* what an honest host sends: the input is not asked */

static void count_call(void) { assert_true(++calls < HOST_CALLS_MAX); }

static uint8_t next_answer(void) {
  if (honest != NULL) {
    return HONEST;
  }
  return from.left > 0 ? take_byte(&from) : for_ever;
}

static int32_t known_error(void) { return PORTHOLE_HOST_REFUSED - take_byte(&from) % 14; }

/** A number of the host's that is no honest one. */
static int32_t tell_lie(uint8_t which, size_t most) {
  switch (which) {
  case TOO_MUCH:
    return most < INT32_MAX ? (int32_t)most + 1 : INT32_MIN;
  case LARGEST:
    return INT32_MAX;
  case ANY_NUMBER:
    return (int32_t)take_word(&from);
  case NOTHING:
    return 0;
  case WANT_READ:
    return PORTHOLE_WANT_READ;
  case WANT_WRITE:
    return PORTHOLE_WANT_WRITE;
  default:
    return known_error();
  }
}

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  (void)flags;
  (void)timeout_ms;
  count_call();
  assert_true(host != NULL && host_length > 0 && port <= 65535);
  assert_int_equal(handle, 0); /* the one before was closed */
  uint8_t which = next_answer();
  if (which >= LIES) {
    int32_t lie = tell_lie(which, 0);
    handle = lie > 0 ? lie : 0;
    return lie;
  }
  handle = ++last;
  return handle;
}

int32_t porthole_host_start_tls(int32_t on, const char *name, size_t name_length, uint32_t flags, int32_t timeout_ms) {
  (void)timeout_ms;
  count_call();
  assert_true(name != NULL && name_length > 0 && flags <= PORTHOLE_TLS_ALPN_HTTP1);
  assert_true(on == handle);
  uint8_t which = next_answer();
  return which >= LIES ? tell_lie(which, 0) : 0;
}

int32_t porthole_host_send(int32_t on, const uint8_t *data, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  count_call();
  assert_true(data != NULL && length > 0 && length <= INT32_MAX);
  assert_true(on == handle);
  uint8_t which = next_answer();
  if (which >= LIES) {
    return tell_lie(which, length);
  }
  return which == 0 || which > length ? (int32_t)length : which;
}

int32_t porthole_host_send_head(int32_t on, const uint8_t *head, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  count_call();
  assert_true(head != NULL && length > 4 && length <= TX);
  assert_memory_equal(head + length - 4, "\r\n\r\n", 4);
  assert_true(on == handle);
  uint8_t which = next_answer();
  return which >= LIES ? tell_lie(which, length) : (int32_t)length;
}

int32_t porthole_host_recv(int32_t on, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  count_call();
  assert_true(buffer != NULL && capacity > 0 && capacity <= RX);
  assert_true(on == handle);
  if (honest != NULL && timeout_ms == 0) {
    return PORTHOLE_WANT_READ; /* it answers what it was asked */
  }
  if (honest != NULL) {
    size_t length = strlen(honest);
    memcpy(buffer, honest, length);
    honest += length;
    return (int32_t)length;
  }
  uint8_t which = next_answer();
  if (which >= LIES) {
    return tell_lie(which, capacity);
  }
  size_t length = which == 0 ? from.left : which;
  length = length < from.left ? length : from.left;
  length = length < capacity ? length : capacity;
  memcpy(buffer, from.at, length);
  from.at += length;
  from.left -= length;
  return (int32_t)length;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  (void)timeout_ms;
  count_call();
  assert_true(count == 1 && list[0] == handle && list[1] >= PORTHOLE_READABLE && list[1] <= 3);
  uint8_t which = next_answer();
  if (which >= LIES) {
    list[1] = (int32_t)take_byte(&from);
    return tell_lie(which, 1);
  }
  list[1] = which == 0 ? list[1] & PORTHOLE_WRITABLE : list[1];
  return list[1] != 0;
}

int32_t porthole_host_info(int32_t on, uint32_t what, char *buffer, size_t capacity) {
  count_call();
  assert_true((on == handle || on == 0) && what <= PORTHOLE_INFO_ALPN && buffer != NULL && capacity > 0);
  uint8_t which = next_answer();
  if (which >= LIES) {
    return tell_lie(which, capacity);
  }
  memset(buffer, which, capacity);
  return (int32_t)capacity;
}

uint32_t porthole_host_now(void) {
  count_call();
  return honest != NULL ? 0 : take_word(&from);
}

void porthole_host_close(int32_t on) {
  count_call();
  assert_true(on == handle);
  handle = 0;
}

/* ---- the calls ---- */

static int32_t request(porthole_conn *conn, uint32_t body) {
  static const char *const methods[] = {"GET", "HEAD", "POST", "CONNECT"};
  const char *method = methods[take_byte(&from) % 4];
  return porthole_conn_request(conn, porthole_text(method), porthole_text("/"), NULL, 0, body, take_byte(&from), 0);
}

static int32_t read_some(porthole_conn *conn) {
  size_t length = 1U + take_byte(&from);
  uint8_t *buffer = malloc(length); /* so that what is written behind it is found out */
  assert_non_null(buffer);
  int32_t result = porthole_conn_read(conn, buffer, length);
  assert_true(result <= (int32_t)length);
  free(buffer);
  return result;
}

static int32_t call(porthole_conn *conn) {
  static const uint8_t bytes[BUFFER];
  const porthole_view *view = porthole_conn_view(conn);
  porthole_span value;
  char text[BUFFER];
  size_t length;
  switch (take_byte(&from) % 21) {
  case 0:
    return request(conn, PORTHOLE_BODY_NONE);
  case 1:
    return request(conn, take_byte(&from) % 4U);
  case 2:
    return porthole_conn_flush(conn);
  case 3:
    return porthole_conn_send(conn, bytes, take_byte(&from));
  case 4:
    return porthole_conn_body_end(conn, NULL, 0);
  case 5:
    return porthole_conn_receive(conn);
  case 6:
    return porthole_conn_resume(conn);
  case 7:
  case 8:
    return porthole_conn_getresponse(conn);
  case 9:
  case 10:
    return read_some(conn);
  case 11:
    return porthole_conn_getheader(conn, porthole_text("content-length"), &value);
  case 12:
    return porthole_conn_finish(conn);
  case 13:
    porthole_conn_release(conn);
    return 0;
  case 14:
    if (view->phase == PORTHOLE_PHASE_TUNNEL) {
      return porthole_conn_tunnelled(conn);
    }
    return porthole_conn_tunnel(conn, porthole_text("h"), 443, NULL, 0);
  case 16:
    return porthole_conn_start_tls(conn, porthole_text("h"), PORTHOLE_TLS_ALPN_HTTP1);
  case 17:
    porthole_conn_set_deadline(conn, take_byte(&from) - 1);
    return 0;
  case 18:
    return porthole_conn_wait(conn, 1U + take_byte(&from) % 3, take_byte(&from) - 1);
  case 19:
    return porthole_conn_wait_continue(conn, take_byte(&from));
  case 20:
    length = porthole_conn_host_text(conn, text, take_byte(&from));
    assert_true(length <= PORTHOLE_INFO_MOST);
    for (size_t i = 0; i < length; i++) {
      assert_true((uint8_t)text[i] >= ' ' && text[i] != 127);
    }
    return (int32_t)porthole_conn_info(conn, take_byte(&from) % 5, text, sizeof text);
  default:
    return porthole_conn_open(conn, porthole_text("h"), 80, take_byte(&from), take_byte(&from) - 1);
  }
}

static void check(const porthole_conn *conn, int32_t result, int32_t error_before, size_t rx_size) {
  const porthole_view *view = porthole_conn_view(conn);
  assert_true(result >= 0 || porthole_error_text(result) != NULL);
  assert_true(error_before == 0 || view->error == error_before || view->error == 0);
  assert_true(view->error == 0 || (view->flags & PORTHOLE_UNUSABLE));
  assert_true(view->tx_sent <= view->tx_length && view->tx_length <= TX);
  assert_true(view->raw <= rx_size && view->raw_length <= rx_size - view->raw);
  assert_true(view->body <= rx_size && view->body_length <= rx_size - view->body);
  assert_true(view->head <= rx_size && view->head_length <= rx_size - view->head);
  assert_true(view->body_length <= view->available && view->available <= rx_size);
}

/** Whatever was before: a close, and the next connection to an honest host works. */
static void check_next(porthole_conn *conn) {
  uint8_t body[8];
  porthole_conn_close(conn);
  porthole_conn_set_deadline(conn, -1);
  assert_int_equal(handle, 0);
  calls = 0;
  honest = answer;
  assert_int_equal(porthole_conn_open(conn, porthole_text("h"), 80, 0, -1), 0);
  assert_int_equal(request(conn, PORTHOLE_BODY_NONE), 0);
  assert_int_equal(porthole_conn_getresponse(conn), 200);
  assert_int_equal(porthole_conn_read(conn, body, sizeof body), 2);
  assert_memory_equal(body, "ok", 2);
  porthole_conn_close(conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  from = (source){data, size};
  handle = last = 0;
  honest = NULL;
  size_t rx_size = take_byte(&from) % 2 == 0 ? RX_SMALL : RX;
  for_ever = take_byte(&from);
  porthole_conn *conn = malloc(porthole_conn_size());
  uint8_t *tx = malloc(TX);
  uint8_t *rx = malloc(rx_size);
  assert_true(conn != NULL && tx != NULL && rx != NULL);
  porthole_conn_init(conn, tx, TX, rx, rx_size);
  assert_int_equal(porthole_conn_set_authority(conn, porthole_text("h"), 80, 80), 0);
  for (unsigned i = 0; i < CALLS_MAX && from.left > 0; i++) {
    int32_t error = porthole_conn_view(conn)->error;
    calls = 0;
    int32_t result = call(conn);
    check(conn, result, error, rx_size);
  }
  from.left = 0; /* the method is GET from here on */
  check_next(conn);
  free(conn);
  free(tx);
  free(rx);
  return 0;
}
