/* SPDX-License-Identifier: MIT
 *
 * The API in every order: state × call. The table of src/state.c is the oracle of what is refused, and a parser of its own
 * that of what goes out: whenever a request is begun, all that was sent before it is whole requests.
 *
 * Input: a byte for each call, and those that its arguments and the host's answers take.
 */
#include <stdbool.h>

#include "cmocka.h"
#include "conn.h"
#include "fuzz.h"
#include "porthole/host.h"

enum { TX = 1024, RX = 4096, WIRE_MAX = 1 << 17, CALLS_MAX = 300, HANDLE = 3 };

static source from;
static porthole_conn *conn;
static const porthole_view *view;
static uint8_t *tx;
static uint8_t *rx;
static uint8_t wire[WIRE_MAX];
static size_t wire_length;
static bool handshaking;      /* the host is amid a handshake */
static uint8_t last_head[TX]; /* that of the last porthole_conn_request */
static size_t last_length;

/* ---- the wire ---- */

static void put(const uint8_t *bytes, size_t length) {
  assert_true(!handshaking);
  assert_true(length <= WIRE_MAX - wire_length);
  memcpy(wire + wire_length, bytes, length);
  wire_length += length;
}

/** Sends what is staged: level 0. */
static void drain(void) {
  put(tx + view->tx_sent, view->tx_length - view->tx_sent);
  porthole_conn_taken(conn, view->tx_length - view->tx_sent);
}

/** Where a line ends, its CR LF included; NULL when it doesn't. */
static const uint8_t *line_end(const uint8_t *at, const uint8_t *end) {
  for (; at + 1 < end; at++) {
    if (at[0] == '\r' && at[1] == '\n') {
      return at + 2;
    }
  }
  return NULL;
}

static bool begins(const uint8_t *line, const uint8_t *end, const char *text) {
  size_t length = strlen(text);
  return (size_t)(end - line) >= length && memcmp(line, text, length) == 0;
}

/** Goes over chunks and their trailer section. @returns what is behind them; NULL when they are not complete */
static const uint8_t *skip_chunks(const uint8_t *at, const uint8_t *end) {
  for (;;) {
    const uint8_t *next = line_end(at, end);
    size_t size = 0;
    for (; next != NULL && *at != '\r' && *at != ';'; at++) {
      size = size << 4 | (size_t)(*at <= '9' ? *at - '0' : (*at | 0x20) - 'a' + 10);
    }
    if (next == NULL || (size > 0 && size + 2 > (size_t)(end - next))) {
      return NULL;
    }
    at = next;
    if (size == 0) {
      break;
    }
    assert_memory_equal(at + size, "\r\n", 2);
    at += size + 2;
  }
  for (;;) {
    const uint8_t *next = line_end(at, end);
    if (next == NULL || next - at == 2) {
      return next;
    }
    at = next;
  }
}

/** Goes over a request. @returns what is behind it; NULL when it is not complete */
static const uint8_t *skip_request(const uint8_t *at, const uint8_t *end) {
  size_t length = 0;
  bool chunked = false;
  assert_true(begins(at, end, "GET ") || begins(at, end, "POST ") || begins(at, end, "CONNECT "));
  for (;;) {
    const uint8_t *next = line_end(at, end);
    if (next == NULL) {
      return NULL;
    }
    chunked = chunked || begins(at, next, "Transfer-Encoding: chunked\r\n");
    if (begins(at, next, "Content-Length: ")) {
      length = (size_t)strtoul((const char *)at + 16, NULL, 10); /* CR LF is behind the digits */
    }
    if (next - at == 2) {
      at = next;
      break;
    }
    at = next;
  }
  if (chunked) {
    return skip_chunks(at, end);
  }
  return length <= (size_t)(end - at) ? at + length : NULL;
}

/** A request is begun: what was sent before, or is staged up to `staged`, must be whole requests. */
static void assert_whole(uint32_t staged) {
  size_t length = wire_length;
  assert_true(staged >= view->tx_sent && length + (staged - view->tx_sent) <= WIRE_MAX);
  memcpy(wire + length, tx + view->tx_sent, staged - view->tx_sent);
  const uint8_t *end = wire + length + (staged - view->tx_sent);
  const uint8_t *at = wire;
  while (at < end) {
    at = skip_request(at, end);
    assert_non_null(at);
  }
}

/* ---- the host ---- */

static const char *const replies[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
    "c",
    "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Hints\r\n\r\n",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.0 302 Found\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
    "x\r\n0\r\n\r\n",
    "HTT",
};

static const char *take_reply(void) { return replies[take_byte(&from) % (sizeof replies / sizeof *replies)]; }

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  (void)flags;
  assert_true(host != NULL && host_length == 1 && port == 80 && timeout_ms == -1);
  return HANDLE;
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(handle == HANDLE && name != NULL && name_length == 1 && flags == 0);
  assert_int_equal(view->tx_length, view->tx_sent); /* nothing in clear goes into it */
  uint8_t answer = take_byte(&from);
  handshaking = answer % 4 == 1;
  if (handshaking) {
    return PORTHOLE_WANT_READ;
  }
  return answer % 16 == 2 ? PORTHOLE_HOST_TLS_VERIFY : 0;
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(handle == HANDLE && data != NULL && length > 0);
  uint8_t answer = take_byte(&from);
  if (answer >= 250) {
    return answer >= 254 ? PORTHOLE_HOST_TIMED_OUT : PORTHOLE_HOST_RESET;
  }
  if (answer >= 220) {
    return PORTHOLE_WANT_WRITE;
  }
  size_t taken = answer > 0 && answer < length ? answer : length;
  put(data, taken);
  return (int32_t)taken;
}

/** As a send, but all or nothing. */
int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(handle == HANDLE && length > 4 && memcmp(head + length - 4, "\r\n\r\n", 4) == 0);
  uint8_t answer = take_byte(&from);
  if (answer >= 250) {
    return answer >= 254 ? PORTHOLE_HOST_TIMED_OUT : PORTHOLE_HOST_RESET;
  }
  if (answer >= 220) {
    return PORTHOLE_WANT_WRITE;
  }
  put(head, length);
  return (int32_t)length;
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  (void)timeout_ms;
  assert_true(handle == HANDLE && !handshaking);
  if (from.left == 0 || take_byte(&from) % 4 == 0) {
    return PORTHOLE_WANT_READ;
  }
  const char *reply = take_reply();
  size_t length = strlen(reply) < capacity ? strlen(reply) : capacity;
  memcpy(buffer, reply, length);
  return (int32_t)length;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  assert_true(count == 1 && list[0] == HANDLE && !handshaking);
  bool looks = list[1] == PORTHOLE_READABLE; /* else a send waits */
  assert_true(looks ? timeout_ms == 0 : (list[1] & PORTHOLE_WRITABLE) && timeout_ms != 0);
  list[1] &= from.left > 0 ? take_byte(&from) % 4 : 0;
  return list[1] != 0;
}

int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity) {
  assert_true(handle == HANDLE && what <= PORTHOLE_INFO_ALPN && buffer != NULL && capacity > 0);
  return 0;
}

uint32_t porthole_host_now(void) { return take_byte(&from); }

void porthole_host_close(int32_t handle) { assert_int_equal(handle, HANDLE); }

/* ---- the calls ---- */

static const porthole_field fields[] = {
    {{(const uint8_t *)"Content-Length", 14}, {(const uint8_t *)"3", 1}},
    {{(const uint8_t *)"Transfer-Encoding", 17}, {(const uint8_t *)"chunked", 7}},
    {{(const uint8_t *)"Expect", 6}, {(const uint8_t *)"100-continue", 12}},
    {{(const uint8_t *)"X-Y", 3}, {(const uint8_t *)"z", 1}},
};

static const porthole_field *take_field(void) { return &fields[take_byte(&from) % 4]; }

/** Receives something at level 0. */
static void feed_reply(void) {
  uint32_t offset;
  uint32_t capacity;
  const char *reply = take_reply();
  if (porthole_conn_region(conn, &offset, &capacity) == 0 && strlen(reply) <= capacity) {
    memcpy(rx + offset, reply, strlen(reply));
    porthole_conn_filled(conn, strlen(reply));
  }
}

/** Sends some of the piece under way: level 0. */
static int32_t pass_piece(void) {
  static const uint8_t zeros[256];
  size_t length = take_byte(&from);
  bool under_way = conn->state == REQUEST_PIECE || conn->state == REQUEST_LATE_PIECE;
  if (under_way && view->error == 0) {
    drain();
    if (length <= conn->piece_left) {
      put(zeros, length);
    }
  }
  return porthole_conn_piece_passed(conn, length);
}

/** Sends something by hand: level 0. */
static int32_t send_by_hand(void) {
  static const char *const texts[] = {"abc", "1\r\na\r\n", "3\r\na", "bc\r\n", "0\r\n\r\n", "0\r\nA: b\r\n", "\r\n"};
  porthole_span text = porthole_text(texts[take_byte(&from) % 7]);
  bool allowed = view->error == 0 && porthole__allowed(conn->state, CALL_SENT) == 0;
  if (allowed && view->upload != PORTHOLE_UPLOAD_STOPPED) {
    drain();
    put(text.data, text.length);
  }
  int32_t result = porthole_conn_sent_raw(conn, text.length);
  return result == 1 ? porthole_conn_sent_chunks(conn, text) : result;
}

static int32_t read_some(void) {
  uint8_t buffer[8];
  return porthole_conn_read(conn, buffer, take_byte(&from) % 9);
}

/* What a byte chooses. */
typedef enum chosen {
  REQUEST,
  PUTREQUEST,
  REPEAT,
  TUNNEL,
  PUTHEADER,
  ENDHEADERS,
  TUNNELLED,
  BODY_PIECE,
  BODY_END,
  PASS,
  BY_HAND,
  SEND,
  FLUSH,
  START_TLS,
  ACCEPT,
  GETRESPONSE,
  RECEIVE, /* up to here the order matters, and below it doesn't */
  FEED,
  RESUME,
  FINISH,
  READ,
  RELEASE,
  CONSUME,
  STOP,
  DRAIN,
  ENDED,
  FAILED,
  REOPEN,
  CHOICES
} chosen;

static int32_t call(chosen which) {
  static const uint8_t bytes[256];
  static const char *const methods[] = {"GET", "POST", "CONNECT"};
  const porthole_field *field;
  porthole_span method;
  uint32_t body;
  switch (which) {
  case REQUEST:
    method = porthole_text(methods[take_byte(&from) % 3]);
    body = take_byte(&from) % 4U;
    field = take_field();
    return porthole_conn_request(conn, method, porthole_text("/"), field, take_byte(&from) % 2, body, 3,
                                 take_byte(&from));
  case PUTREQUEST:
    return porthole_conn_putrequest(conn, porthole_text(methods[take_byte(&from) % 3]), porthole_text("/"), 0);
  case REPEAT:
    return porthole_conn_repeat(conn);
  case TUNNEL:
    return porthole_conn_tunnel(conn, porthole_text("h"), 443, NULL, 0);
  case PUTHEADER:
    field = take_field();
    return porthole_conn_putheader(conn, field->name, &field->value, 1);
  case ENDHEADERS:
    body = take_byte(&from) % 4U;
    return porthole_conn_endheaders(conn, body, 3, take_byte(&from));
  case TUNNELLED:
    return porthole_conn_tunnelled(conn);
  case BODY_PIECE:
    return porthole_conn_body_piece(conn, take_byte(&from));
  case BODY_END:
    return porthole_conn_body_end(conn, fields + 3, take_byte(&from) % 2);
  case PASS:
    return pass_piece();
  case BY_HAND:
    return send_by_hand();
  case SEND:
    return porthole_conn_send(conn, bytes, take_byte(&from));
  case FLUSH:
    return porthole_conn_flush(conn);
  case START_TLS:
    return porthole_conn_start_tls(conn, porthole_text("h"), 0);
  case ACCEPT:
    return porthole_conn_accept(conn);
  case GETRESPONSE:
    return porthole_conn_getresponse(conn);
  case RECEIVE:
    return porthole_conn_receive(conn);
  case FEED:
    feed_reply();
    return 0;
  case RESUME:
    return porthole_conn_resume(conn);
  case FINISH:
    return porthole_conn_finish(conn);
  case READ:
    return read_some();
  case RELEASE:
    porthole_conn_release(conn);
    return 0;
  case CONSUME:
    return porthole_conn_consume(conn, take_byte(&from));
  case STOP:
    porthole_conn_stop(conn);
    return 0;
  case DRAIN:
    if (conn->state != REQUEST_STARTED && conn->state != REQUEST_HANDSHAKE) {
      drain();
    }
    return 0;
  case ENDED:
    return porthole_conn_ended(conn);
  case FAILED:
    porthole_conn_failed(conn, PORTHOLE_HOST_RESET);
    return 0;
  case REOPEN:
  case CHOICES:
    break;
  }
  return porthole_conn_open(conn, porthole_text("h"), 80, 0, -1);
}

/** Which column of the table a call is looked up in. */
static request_call column(chosen which) {
  static const request_call columns[] = {
      [REQUEST] = CALL_PUTREQUEST,  [PUTREQUEST] = CALL_PUTREQUEST, [REPEAT] = CALL_PUTREQUEST,
      [TUNNEL] = CALL_PUTREQUEST,   [PUTHEADER] = CALL_PUTHEADER,   [ENDHEADERS] = CALL_PUTHEADER,
      [TUNNELLED] = CALL_TUNNELLED, [BODY_PIECE] = CALL_BODY_PIECE, [BODY_END] = CALL_BODY_PIECE,
      [PASS] = CALL_PIECE_PASSED,   [BY_HAND] = CALL_SENT,          [SEND] = CALL_SEND,
      [FLUSH] = CALL_FLUSH,         [START_TLS] = CALL_START_TLS,   [ACCEPT] = CALL_ACCEPT,
      [GETRESPONSE] = CALL_ACCEPT,  [RECEIVE] = CALL_RECEIVE,
  };
  return columns[which];
}

/** Calls once, and compares with the table. */
static void step(void) {
  chosen which = (chosen)(take_byte(&from) % CHOICES);
  request_state state = conn->state;
  porthole_view before = *view;
  int32_t refused = which <= RECEIVE ? porthole__allowed(state, column(which)) : 0;
  bool error_first = before.error != 0 && which <= RECEIVE && which != ACCEPT && which != GETRESPONSE;
  bool tunnel_first = (which == START_TLS || which == TUNNELLED) && before.phase == PORTHOLE_PHASE_TUNNEL;
  int32_t result = call(which);
  assert_true(result >= 0 || porthole_error_text(result) != NULL);
  assert_true(which == REOPEN || before.error == 0 || view->error == before.error);
  if (error_first) {
    assert_int_equal(result, before.error);
  } else if (refused != 0 && !tunnel_first) {
    assert_int_equal(result, refused);
    if (state != REQUEST_LATE_HAND) { /* a request that can't follow such a body says that nothing will */
      assert_memory_equal(view, &before, sizeof before);
    }
  } else if (refused == 0 && which > TUNNEL && which <= SEND) {
    assert_true(result != PORTHOLE_CANNOT_SEND_HEADER);
  }
  bool begun = result == 0 && which <= TUNNEL;
  if (begun) {
    assert_int_equal(before.flags & PORTHOLE_UNUSABLE, 0);
    assert_whole(conn->asking - 1);
  }
  if (begun && which == REQUEST) {
    last_length = conn->asked - (conn->asking - 1);
    memcpy(last_head, tx + conn->asking - 1, last_length);
  } else if (begun && which == REPEAT) {
    assert_int_equal(view->tx_length - view->tx_sent, last_length);
    assert_memory_equal(tx + view->tx_sent, last_head, last_length);
    assert_int_equal(conn->state, REQUEST_DONE);
  }
  if (result == 0 && (which == TUNNELLED || which == START_TLS || which == REOPEN)) {
    wire_length = 0; /* another peer, or the same inside of TLS */
    handshaking = false;
    if (which == TUNNELLED) {
      porthole_conn_taken(conn, TX);
    }
  }
}

static void check(void) {
  bool late = conn->state >= REQUEST_LATE_HAND && conn->state <= REQUEST_LATE_STOPPED;
  bool idle = conn->state == REQUEST_IDLE || conn->state == REQUEST_HANDSHAKE || late;
  assert_true(idle == (view->state == PORTHOLE_IDLE));
  assert_true((conn->state == REQUEST_STARTED) == (view->state == PORTHOLE_REQUEST_STARTED));
  assert_true(view->upload != PORTHOLE_UPLOAD_STOPPED || (view->flags & PORTHOLE_UNUSABLE));
  assert_true(view->error == 0 || (view->flags & PORTHOLE_UNUSABLE));
  assert_true(view->tx_sent <= view->tx_length && view->tx_length <= TX);
  assert_true(conn->due_count <= 2);
  bool piece = conn->state == REQUEST_PIECE || conn->state == REQUEST_LATE_PIECE;
  assert_true(piece == (conn->piece_left > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  from = (source){data, size};
  wire_length = 0;
  handshaking = false;
  last_length = 0;
  conn = malloc(porthole_conn_size());
  tx = malloc(TX);
  rx = malloc(RX);
  assert_true(conn != NULL && tx != NULL && rx != NULL);
  porthole_conn_init(conn, tx, TX, rx, RX);
  view = porthole_conn_view(conn);
  assert_int_equal(porthole_conn_set_authority(conn, porthole_text("h"), 80, 80), 0);
  porthole_conn_attach(conn, HANDLE);
  for (unsigned i = 0; i < CALLS_MAX && from.left > 0; i++) {
    step();
    check();
  }
  free(conn);
  free(tx);
  free(rx);
  return 0;
}
