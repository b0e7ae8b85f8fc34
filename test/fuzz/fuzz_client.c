/* SPDX-License-Identifier: MIT
 *
 * The client of client.h over a host that dawdles, fails and lies: every result is a code of errors.def, the same call goes on
 * until it is done, no call goes on for ever, connections are opened one at a time and all closed, what only looks stays within
 * the memory, and after a close the next request works.
 *
 * Input: a byte with the kind of client, then calls and, as they need them, answers of the host.
 */
#include <stdbool.h>

#include "cmocka.h"
#include "fuzz.h"
#include "porthole/client.h"

enum { RX = 4096, CALLS_MAX = 64, REPEATS_MAX = 40, HOST_CALLS_MAX = 2000, BODY = 3000 };

/* The host: an answer is what the byte says of it. */
enum { LATER = 128, FAILS = 240, LIES = 250 };

static const char *const replies[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n",
    "HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.0 404 Not Found\r\n\r\nto the end",
    "HTTP/1.1 101 Switching\r\n\r\nraw",
    "HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "x",
};

static source from;
static int32_t handle;
static int32_t last;
static unsigned calls; /* of the host, in the call of the client that is under way */
static bool honest;
static const char *answer; /* what is still to be said */
static uint32_t now;

static uint8_t next(void) {
  assert_true(++calls < HOST_CALLS_MAX);
  return honest ? 0 : take_byte(&from);
}

/** What is answered instead of a result: a failure, or a number that can't be right. @returns 0 for an honest answer */
static int32_t wrong(uint8_t byte) {
  if (byte >= LIES) {
    return (int32_t)take_word(&from);
  }
  return byte >= FAILS ? PORTHOLE_HOST_REFUSED - take_byte(&from) % 14 : 0;
}

int32_t porthole_host_open(const char *host, size_t length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(host != NULL && length > 0 && port <= 65535 && flags < 8);
  assert_int_equal(handle, 0);
  int32_t instead = wrong(next());
  if (instead != 0) {
    handle = instead > 0 ? instead : 0;
    return instead;
  }
  handle = ++last;
  return handle;
}

int32_t porthole_host_start_tls(int32_t on, const char *name, size_t length, uint32_t flags, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(on == handle && name != NULL && length > 0 && flags == PORTHOLE_TLS_ALPN_HTTP1);
  uint8_t byte = next();
  int32_t instead = wrong(byte);
  return instead != 0 || byte < LATER ? instead : PORTHOLE_WANT_READ;
}

int32_t porthole_host_send_head(int32_t on, const uint8_t *head, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(on == handle && length > 4 && memcmp(head + length - 4, "\r\n\r\n", 4) == 0);
  uint8_t byte = next();
  int32_t instead = wrong(byte);
  return instead != 0 ? instead : byte < LATER ? (int32_t)length : PORTHOLE_WANT_WRITE;
}

int32_t porthole_host_send(int32_t on, const uint8_t *data, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(on == handle && data != NULL && length > 0);
  uint8_t byte = next();
  int32_t instead = wrong(byte);
  if (instead != 0 || byte >= LATER) {
    return instead != 0 ? instead : PORTHOLE_WANT_WRITE;
  }
  return byte == 0 || byte > length ? (int32_t)length : byte;
}

int32_t porthole_host_recv(int32_t on, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  assert_true(on == handle && buffer != NULL && capacity > 0 && capacity <= RX);
  uint8_t byte = next();
  if (honest) {
    size_t length = timeout_ms == 0 ? 0 : strlen(answer);
    memcpy(buffer, answer, length);
    answer += length;
    return timeout_ms == 0 ? PORTHOLE_WANT_READ : (int32_t)length;
  }
  int32_t instead = wrong(byte);
  if (instead != 0 || byte >= LATER) {
    return instead != 0 ? instead : PORTHOLE_WANT_READ;
  }
  if (*answer == '\0') {
    if (byte == LATER - 1) {
      return 0;
    }
    answer = replies[byte % (sizeof replies / sizeof *replies)];
  }
  size_t length = strlen(answer);
  length = byte % 2 == 0 && length > 3 ? 3 : length;
  length = length < capacity ? length : capacity;
  memcpy(buffer, answer, length);
  answer += length;
  return (int32_t)length;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  assert_true(count == 1 && list[0] == handle && list[1] >= 1 && list[1] <= 3);
  uint8_t byte = next();
  int32_t instead = wrong(byte);
  now += timeout_ms > 0 ? (uint32_t)timeout_ms / 2 + 1 : 1;
  list[1] = byte < LATER ? list[1] : 0;
  return instead != 0 ? instead : list[1] != 0;
}

void porthole_host_close(int32_t on) {
  assert_true(on == handle);
  handle = 0;
}

int32_t porthole_host_info(int32_t on, uint32_t what, char *buffer, size_t capacity) {
  assert_true((on == handle || on == 0) && what <= PORTHOLE_INFO_ALPN);
  uint8_t byte = next();
  int32_t instead = wrong(byte);
  if (instead != 0) {
    return instead;
  }
  memset(buffer, byte, capacity);
  return (int32_t)capacity;
}

uint32_t porthole_host_now(void) { return now; }

/* ---- the calls ---- */

static uint8_t body[BODY];

static const char *const headers[] = {"A", "b", "Content-Length", "5", NULL};
static const char *const chunked[] = {"Transfer-Encoding", "chunked", NULL};
static const char *const bad[] = {"A b", "c", NULL};
static const char *const *const sets[] = {NULL, headers, headers + 2, chunked, bad};

static int32_t call(porthole_client *client, uint8_t which, uint8_t choice) {
  static const char *const methods[] = {"GET", "HEAD", "POST", "CONNECT", "G ET"};
  const char *method = methods[choice % 5];
  const char *const *fields = sets[choice / 5 % 5];
  uint8_t buffer[64];
  porthole_span bytes;
  int32_t result;
  switch (which % 17) {
  case 0:
  case 1:
    return porthole_client_request(client, method, "/", choice % 2 == 0 ? NULL : body, choice % 3 * 1000U, fields);
  case 2:
    return porthole_client_begin(client, method, "/", choice % 2 == 0 ? choice : PORTHOLE_CHUNKED_BODY, fields);
  case 3:
    return porthole_client_send(client, body, choice);
  case 4:
    return porthole_client_endbody(client, fields);
  case 5:
    return porthole_client_putrequest(client, method, "", choice % 4);
  case 6:
    return porthole_client_putheader(client, choice % 2 == 0 ? "Content-Length" : "X", choice % 3 == 0 ? "2" : "y");
  case 7:
    return porthole_client_endheaders(client, choice % 2 == 0 ? NULL : body, 2);
  case 8:
  case 9:
    return porthole_client_getresponse(client);
  case 10:
  case 11:
    result = porthole_client_read(client, buffer, choice % sizeof buffer);
    assert_true(result <= (int32_t)sizeof buffer);
    return result;
  case 12:
    result = porthole_client_peek(client, &bytes);
    assert_true(result < 0 || bytes.length == (size_t)result);
    if (result > 0) {
      porthole_client_skip(client, choice);
    }
    return result;
  case 13:
    return porthole_client_connect(client);
  case 14:
    return porthole_client_set_tunnel(client, choice % 2 == 0 ? "end:1" : NULL, choice % 3, fields);
  case 15:
    result = porthole_client_detach(client, &bytes);
    if (result > 0) {
      assert_int_equal(result, handle);
      handle = 0; /* its new owner's */
    }
    return result;
  default:
    porthole_client_close(client);
    return 0;
  }
}

/** Adds all bytes up, so that a sanitizer sees each of them. */
static uint32_t touch(porthole_span bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.length; i++) {
    sum += bytes.data[i];
  }
  return sum;
}

extern volatile uint32_t seen;
volatile uint32_t seen; /* so that the sums are made */

/** What only looks can be called at any time. */
static void look(porthole_client *client) {
  porthole_field field;
  porthole_interim interim;
  char text[80];
  uint32_t total = touch(porthole_client_head(client)) + touch(porthole_client_reason(client));
  total += touch(porthole_client_getheader(client, "content-length"));
  for (uint32_t i = 0; porthole_client_header(client, i, &field); i++) {
    total += touch(field.name) + touch(field.value);
  }
  for (uint32_t i = 0; porthole_client_trailer(client, i, &field); i++) {
    total += touch(field.name) + touch(field.value);
  }
  for (uint32_t i = 0; porthole_client_interim(client, i, &interim); i++) {
    assert_true(interim.status >= 100 && interim.status < 200);
    total += touch(interim.head) + touch(interim.fields);
  }
  uint32_t status = porthole_client_status(client);
  assert_true(status == 0 || (status >= 100 && status <= 999));
  assert_true(strlen(porthole_client_error(client, text, sizeof text)) < sizeof text);
  int32_t failure = porthole_client_failure(client);
  assert_true(failure == 0 || porthole_error_class(failure) != NULL);
  assert_true(porthole_client_handle(client) == handle);
  (void)porthole_client_retry_safe(client);
  assert_true(porthole_client_bytes_received(client) < 1U << 30);
  seen = total;
}

static void go(porthole_client *client) {
  uint8_t which = take_byte(&from);
  uint8_t choice = take_byte(&from);
  for (unsigned repeats = 0; repeats < REPEATS_MAX; repeats++) {
    calls = 0;
    int32_t result = call(client, which, choice);
    assert_true(result >= 0 || porthole_error_text(result) != NULL);
    look(client);
    if (result != PORTHOLE_WANT_READ && result != PORTHOLE_WANT_WRITE) {
      return;
    }
    assert_true(porthole_client_wants(client) != 0);
    if (from.left == 0 || take_byte(&from) % 8 == 0) {
      return; /* and do something else */
    }
    calls = 0;
    (void)porthole_client_wait(client, 10);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  from = (source){data, size};
  handle = last = 0;
  now = 0;
  honest = false;
  answer = "";
  size_t room = PORTHOLE_CLIENT_OVERHEAD + PORTHOLE_CLIENT_SEND + RX;
  uint8_t *memory = malloc(room);
  uint8_t *interims = malloc(64);
  uint8_t kind = take_byte(&from);
  porthole_client *client = porthole_client_init(memory, room, kind % 8 == 0 ? "[::1]:1" : "h", 0);
  assert_non_null(client);
  if (kind & 16) {
    porthole_client_use_tls(client);
  }
  if (kind & 32) {
    porthole_client_keep_interim(client, interims, 64);
  }
  porthole_client_expect_continue(client, kind & 64 ? 20 : -1);
  porthole_client_set_deadline(client, kind & 128 ? 100 : -1);
  for (unsigned i = 0; i < CALLS_MAX && from.left > 0; i++) {
    go(client);
  }

  porthole_client_close(client);
  assert_int_equal(handle, 0);
  porthole_client_set_deadline(client, -1);
  honest = true;
  answer = "HTTP/1.1 200 OK\r\n\r\n";
  assert_int_equal(porthole_client_set_tunnel(client, NULL, 0, NULL), 0);
  answer = replies[0];
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_int_equal(porthole_client_read(client, body, 8), 2);
  memset(body, 0, 8);
  porthole_client_close(client);
  assert_int_equal(handle, 0);
  free(interims);
  free(memory);
  return 0;
}
