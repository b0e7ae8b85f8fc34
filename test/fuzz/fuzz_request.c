/* SPDX-License-Identifier: MIT
 *
 * Requests made of any arguments: what is refused changes nothing, and what is accepted is one well-formed request on
 * the wire.
 *
 * Input: a byte that chooses the calls, the method and the URL (or the host of a tunnel), how many headers there are and
 * their names and values, then what is known of the body, its pieces and its trailers.
 */
#include <stdbool.h>

#include "cmocka.h"
#include "fuzz.h"

enum { FLOWS = 3, SMALL_BUFFER = 4, FIELDS_MAX = 8, TX = 16384, TX_SMALL = 1024, RX = 4096, WIRE_MAX = 1 << 17 };

typedef enum flow { REQUEST, STEPS, TUNNEL } flow;

static const char plain[] = "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\n\r\n";

static uint8_t tx[TX];
static uint8_t rx[RX];
static uint8_t wire[WIRE_MAX];
static size_t wire_length;

/* What the head on the wire says. */
typedef struct facts {
  size_t head_length;
  unsigned hosts;
  unsigned lengths;
  unsigned encodings;
  bool chunked; /* "chunked" ends the last Transfer-Encoding */
  uint64_t length;
} facts;

/* ---- the wire ---- */

static void put(const uint8_t *bytes, size_t length) {
  assert_true(length <= WIRE_MAX - wire_length);
  memcpy(wire + wire_length, bytes, length);
  wire_length += length;
}

/** Takes what is staged off the send buffer. */
static void drain(porthole_conn *conn) {
  const porthole_view *view = porthole_conn_view(conn);
  assert_true(view->tx_sent <= view->tx_length && view->tx_length <= TX);
  put(tx + view->tx_sent, view->tx_length - view->tx_sent);
  porthole_conn_taken(conn, view->tx_length - view->tx_sent);
}

static bool is_token(uint8_t byte) { return byte > ' ' && byte < 0x7F && strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL; }

static uint8_t lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

static bool is_name(const uint8_t *text, size_t length, const char *name) {
  for (size_t i = 0; i < length; i++) {
    if (lower(text[i]) != (uint8_t)name[i]) { /* the terminator ends a longer text */
      return false;
    }
  }
  return name[length] == '\0';
}

static bool ends_in_chunked(const uint8_t *text, const uint8_t *end) {
  static const char word[] = "chunked";
  while (end > text && (end[-1] == ' ' || end[-1] == '\t')) {
    end--;
  }
  if ((size_t)(end - text) < strlen(word) || !is_name(end - strlen(word), strlen(word), word)) {
    return false;
  }
  end -= strlen(word);
  return end == text || end[-1] == ' ' || end[-1] == '\t' || end[-1] == ',';
}

static uint64_t decimal(const uint8_t *text, const uint8_t *end) {
  uint64_t number = 0;
  bool digits = false;
  for (; text < end; text++) {
    if (*text != ' ' && *text != '\t') {
      assert_true(*text >= '0' && *text <= '9');
      number = number * 10 + (uint64_t)(*text - '0');
      digits = true;
    }
  }
  assert_true(digits);
  return number;
}

/** Takes a line off the wire: CR LF ends it, and it has no other control character but HTAB. */
static const uint8_t *take_line(const uint8_t **at) {
  const uint8_t *end = *at;
  while (*end >= ' ' || *end == '\t') {
    assert_true(*end != 0x7F);
    end++;
    assert_true(end < wire + wire_length);
  }
  assert_true(end[0] == '\r' && end + 1 < wire + wire_length && end[1] == '\n');
  *at = end + 2;
  return end;
}

/** Checks a field line. @returns whether it decides on framing or routing */
static bool check_field(const uint8_t *line, const uint8_t *end, facts *head) {
  const uint8_t *colon = line;
  while (is_token(*colon)) {
    colon++;
  }
  assert_true(colon > line && end - colon >= 2 && colon[0] == ':' && colon[1] == ' ');
  size_t name_length = (size_t)(colon - line);
  if (is_name(line, name_length, "host")) {
    head->hosts++;
  } else if (is_name(line, name_length, "content-length")) {
    head->lengths++;
    head->length = decimal(colon + 2, end);
  } else if (is_name(line, name_length, "transfer-encoding")) {
    head->encodings++;
    head->chunked = ends_in_chunked(colon + 2, end);
  } else {
    return false;
  }
  return true;
}

/** Checks that the wire begins with one head. `folds`: several values of a header can be continuation lines. */
static facts check_head(bool folds) {
  facts head = {0};
  const uint8_t *at = wire;
  const uint8_t *end = take_line(&at);
  const uint8_t *target = wire;
  while (is_token(*target)) {
    target++;
  }
  assert_true(target > wire && *target == ' ');
  const uint8_t *version = ++target;
  while (*version > ' ' && *version < 0x7F) {
    version++;
  }
  assert_true(version > target && end - version == 9);
  assert_memory_equal(version, " HTTP/1.1", 9);
  bool framing = false;
  for (;;) {
    const uint8_t *line = at;
    end = take_line(&at);
    if (end == line) {
      break;
    }
    if (*line == '\t') {
      assert_true(folds);
      assert_true(!framing);
    } else {
      framing = check_field(line, end, &head);
    }
  }
  head.head_length = (size_t)(at - wire);
  assert_true(head.hosts <= 1 && head.lengths <= 1);
  assert_true(head.lengths == 0 || head.encodings == 0);
  return head;
}

static uint32_t hex_digit(uint8_t byte) {
  assert_true((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'F'));
  return byte <= '9' ? byte - (uint32_t)'0' : byte - (uint32_t)'A' + 10;
}

/** Checks that chunks follow the head up to the end of the wire. @returns bytes in them */
static uint64_t check_chunks(const facts *head) {
  facts ignored = {0};
  const uint8_t *at = wire + head->head_length;
  uint64_t total = 0;
  for (;;) {
    const uint8_t *digit = at;
    const uint8_t *end = take_line(&at);
    uint64_t size = 0;
    assert_true(end > digit);
    for (; digit < end; digit++) {
      size = size << 4 | hex_digit(*digit);
    }
    if (size == 0) {
      break;
    }
    assert_true(size + 2 <= (uint64_t)(wire + wire_length - at));
    at += size;
    assert_true(at[0] == '\r' && at[1] == '\n');
    at += 2;
    total += size;
  }
  for (;;) {
    const uint8_t *line = at;
    const uint8_t *end = take_line(&at);
    if (end == line) {
      break;
    }
    check_field(line, end, &ignored);
  }
  assert_true(ignored.hosts + ignored.lengths + ignored.encodings == 0);
  assert_true(at == wire + wire_length);
  return total;
}

/* ---- the calls ---- */

static size_t take_fields(source *from, porthole_field *fields) {
  size_t count = take_byte(from) % (FIELDS_MAX + 1);
  for (size_t i = 0; i < count; i++) {
    fields[i].name = take_span(from);
    fields[i].value = take_span(from);
  }
  return count;
}

/* What a request is made with. */
typedef struct arguments {
  porthole_span first, second;
  porthole_field fields[FIELDS_MAX];
  size_t count;
  uint32_t body, size_low, size_high, flags;
} arguments;

/** Are the chunks the caller's own, as its headers announce them and nothing asks the core for chunks? */
static bool has_own_chunks(const arguments *with) {
  bool announced = false;
  for (size_t i = 0; i < with->count; i++) {
    announced = announced || is_name(with->fields[i].name.data, with->fields[i].name.length, "transfer-encoding");
  }
  return announced && (with->flags & PORTHOLE_ENCODE_CHUNKED) == 0;
}

/** Putrequest, putheader and endheaders; two headers of the same name one after the other become one of two values. */
static int32_t in_steps(porthole_conn *conn, const arguments *with) {
  int32_t result = porthole_conn_putrequest(conn, with->first, with->second, with->flags);
  for (size_t i = 0; i < with->count && result == 0; i++) {
    const porthole_field *field = &with->fields[i];
    porthole_span values[2] = {field->value};
    size_t values_count = field->name.length > 0 && field->name.data[0] < 'a' && i + 1 < with->count ? 2 : 1;
    values[1] = with->fields[(i + 1) % FIELDS_MAX].value;
    uint32_t staged = porthole_conn_view(conn)->tx_length;
    result = porthole_conn_putheader(conn, field->name, values, values_count);
    if (result != 0) { /* a refused header is left out, and the request goes on */
      assert_true(result <= PORTHOLE_EMPTY_HEADER_NAME && result >= PORTHOLE_REQUEST_TOO_LARGE);
      assert_int_equal(porthole_conn_view(conn)->tx_length, staged);
      result = 0;
    }
  }
  return result == 0
             ? porthole_conn_endheaders(conn, with->body, (uint64_t)with->size_high << 32 | with->size_low, with->flags)
             : result;
}

static int32_t call(porthole_conn *conn, flow calls, const arguments *with) {
  const porthole_span *first = &with->first;
  const porthole_span *second = &with->second;
  switch (calls) {
  case REQUEST:
    return porthole_conn_request(conn, *first, *second, with->fields, with->count, with->body,
                                 (uint64_t)with->size_high << 32 | with->size_low, with->flags);
  case STEPS:
    return in_steps(conn, with);
  case TUNNEL:
    return porthole_conn_tunnel(conn, *first, with->size_low, with->fields, with->count);
  }
  return 0;
}

/** Sends pieces of a body and ends it. @returns bytes sent; `ended` tells whether the core took that for the end */
static uint64_t send_body(porthole_conn *conn, source *from, bool *ended) {
  static const uint8_t zeros[256];
  uint64_t total = 0;
  for (uint8_t pieces = take_byte(from) % 8; pieces > 0; pieces--) {
    size_t length = 1U + take_byte(from);
    int32_t chunk = porthole_conn_body_piece(conn, length);
    drain(conn);
    if (chunk >= 0) {
      put(zeros, length);
      if (chunk == 2) {
        assert_int_equal(porthole_conn_sent_chunks(conn, (porthole_span){zeros, length}), 0);
      } else {
        assert_int_equal(porthole_conn_piece_passed(conn, length), 0);
      }
      drain(conn);
      total += length;
    }
  }
  porthole_field trailers[FIELDS_MAX];
  size_t count = take_fields(from, trailers);
  int32_t result = porthole_conn_body_end(conn, trailers, count);
  if (result != 0) {
    result = porthole_conn_body_end(conn, NULL, 0);
  }
  drain(conn);
  *ended = result == 0;
  return total;
}

static void check_refusal(porthole_conn *conn, flow calls, const porthole_view *before) {
  const porthole_view *view = porthole_conn_view(conn);
  if (calls == STEPS && view->state == PORTHOLE_REQUEST_STARTED) {
    return; /* endheaders refused */
  }
  porthole_view after = *view;
  after.limit = before->limit;
  after.refused = before->refused;
  assert_memory_equal(&after, before, sizeof after);
  assert_int_equal(
      porthole_conn_request(conn, porthole_text("GET"), porthole_text("/"), NULL, 0, PORTHOLE_BODY_NONE, 0, 0), 0);
  drain(conn);
  assert_true(wire_length == sizeof plain - 1);
  assert_memory_equal(wire, plain, wire_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  source from = {data, size};
  uint8_t choices = take_byte(&from);
  flow calls = (flow)(choices % 4 % FLOWS);
  arguments with = {.first = take_span(&from), .second = take_span(&from)};
  with.count = take_fields(&from, with.fields);
  with.body = take_byte(&from) % 4U;
  with.size_low = take_byte(&from);
  with.size_high = take_byte(&from) / 255U;
  with.flags = take_byte(&from);
  if (calls == TUNNEL) {
    with.size_low = take_word(&from) % 65540;
  }

  porthole_conn *conn = malloc(porthole_conn_size());
  assert_non_null(conn);
  wire_length = 0;
  porthole_conn_init(conn, tx, choices & SMALL_BUFFER ? TX_SMALL : TX, rx, RX);
  assert_int_equal(porthole_conn_set_authority(conn, porthole_text("h"), 80, 80), 0);
  porthole_view before = *porthole_conn_view(conn);
  int32_t result = call(conn, calls, &with);
  if (result != 0) {
    assert_true(result <= PORTHOLE_EMPTY_METHOD && result >= PORTHOLE_HOST_NEEDS_BRACKETS);
    check_refusal(conn, calls, &before);
  } else {
    assert_int_equal(porthole_conn_view(conn)->state, PORTHOLE_REQUEST_SENT);
    assert_int_equal(call(conn, calls, &with), PORTHOLE_CANNOT_SEND_REQUEST);
    drain(conn);
    facts head = check_head(calls == STEPS);
    assert_true(head.head_length == wire_length);
    bool ended;
    uint64_t sent = send_body(conn, &from, &ended);
    if (calls == REQUEST && ended) {
      assert_true(head.encodings == 0 || head.chunked);
      if (head.lengths > 0) {
        assert_true(wire_length - head.head_length == head.length && sent == head.length);
      } else if (head.encodings > 0 && with.body != PORTHOLE_BODY_NONE && !has_own_chunks(&with)) {
        assert_true(check_chunks(&head) == sent);
      }
    }
  }
  free(conn);
  return 0;
}
