/* SPDX-License-Identifier: MIT
 *
 * Heads of others that a host lets pass: whatever is accepted is one request that can be read in one way only, to the host that
 * was opened; where it ends and what frames its body is found here by other means than in src/vet.c.
 *
 * Input: a byte that chooses the host, the port and whether TLS is spoken; the room in the table; the head.
 */
#include <stdbool.h>

#include "cmocka.h"
#include "fuzz.h"

enum { ENTRIES = 8, GUARD = 0x5A5A5A5A };

typedef struct opened {
  const char *host;      /* as it was opened … */
  const char *authority; /* … and as a URL has it */
  uint32_t port;
  uint32_t secure;
} opened;

static const opened destinations[] = {
    {"a.example", "a.example", 80, 0},
    {"a.example", "a.example", 443, 1},
    {"a.example", "a.example", 8080, 0},
    {"::1", "[::1]", 8443, 1},
    {"127.0.0.1", "127.0.0.1", 80, 0},
    {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]", 80, 0},
    {"b.", "b.", 443, 1},
    {"a.example", "a.example", 443, 0},
};

static uint8_t lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

/** Is this text, in any case, the one that is given in lower case? */
static bool is(porthole_span text, const char *wanted) {
  size_t i = 0;
  while (i < text.length && wanted[i] != '\0' && lower(text.data[i]) == (uint8_t)wanted[i]) {
    i++;
  }
  return i == text.length && wanted[i] == '\0';
}

static bool is_token(uint8_t byte) { return byte > ' ' && byte < 0x7F && strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL; }

static bool is_space(uint8_t byte) { return byte == ' ' || byte == '\t'; }

/** Is this the authority that was opened? */
static bool is_authority(porthole_span text, const opened *to) {
  char with_port[64];
  snprintf(with_port, sizeof with_port, "%s:%u", to->authority, to->port);
  return is(text, with_port) || (is(text, to->authority) && to->port == (to->secure ? 443U : 80U));
}

/** Takes a word off the front of a text, up to a space. */
static porthole_span take_word_of(porthole_span *text) {
  porthole_span word = {text->data, 0};
  while (word.length < text->length && text->data[word.length] != ' ') {
    word.length++;
  }
  size_t gone = word.length < text->length ? word.length + 1 : word.length;
  *text = (porthole_span){text->data + gone, text->length - gone};
  return word;
}

/** @returns whether it is HTTP/1.0 */
static bool check_request_line(porthole_span line, const opened *to) {
  porthole_span method = take_word_of(&line);
  porthole_span target = take_word_of(&line);
  assert_true(method.length > 0 && target.length > 0);
  for (size_t i = 0; i < method.length; i++) {
    assert_true(is_token(method.data[i]));
  }
  assert_false(is(method, "connect"));
  for (size_t i = 0; i < target.length; i++) {
    assert_true(target.data[i] > ' ' && target.data[i] < 0x7F && target.data[i] != '#');
  }
  if (target.data[0] != '/' && !(is(target, "*") && is(method, "options"))) {
    size_t start = to->secure ? 8 : 7;
    assert_true(target.length > start);
    assert_true(is((porthole_span){target.data, start}, to->secure ? "https://" : "http://"));
    porthole_span authority = {target.data + start, 0};
    while (start + authority.length < target.length && strchr("/?", authority.data[authority.length]) == NULL) {
      authority.length++;
    }
    assert_true(is_authority(authority, to));
  }
  assert_int_equal(line.length, 8);
  assert_true(memcmp(line.data, "HTTP/1.1", 8) == 0 || memcmp(line.data, "HTTP/1.0", 8) == 0);
  return line.data[7] == '0';
}

/** A coding of the list, which is read from its end. @returns whether there are more in front of it */
static bool take_last(porthole_span *list, porthole_span *item) {
  size_t start = list->length;
  while (start > 0 && list->data[start - 1] != ',') {
    start--;
  }
  *item = (porthole_span){list->data + start, list->length - start};
  while (item->length > 0 && is_space(*item->data)) {
    item->data++;
    item->length--;
  }
  while (item->length > 0 && is_space(item->data[item->length - 1])) {
    item->length--;
  }
  list->length = start > 0 ? start - 1 : 0;
  return start > 0;
}

static void check_encoding(porthole_span value) {
  static const char *const codings[] = {"gzip", "x-gzip", "deflate", "compress", "x-compress"};
  porthole_span item;
  bool more = take_last(&value, &item);
  assert_true(is(item, "chunked"));
  while (more) {
    more = take_last(&value, &item);
    bool known = false;
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
      known = known || is(item, codings[i]);
    }
    assert_true(known);
  }
}

static void check_options(porthole_span value) {
  porthole_span item;
  for (bool more = true; more;) {
    more = take_last(&value, &item);
    assert_false(is(item, "host") || is(item, "content-length") || is(item, "transfer-encoding"));
  }
}

/** Checks an accepted head, of `count` fields that the table has as far as it goes. */
static void check_accepted(porthole_span head, const opened *to, const uint32_t *table, size_t capacity, size_t count) {
  size_t at = 0;
  size_t fields = 0;
  unsigned hosts = 0;
  unsigned lengths = 0;
  unsigned encodings = 0;
  bool old = false;
  for (bool first = true;; first = false) {
    size_t end = at;
    while (end < head.length && head.data[end] != '\r' && head.data[end] != '\n') {
      end++;
    }
    assert_true(end + 1 < head.length && head.data[end] == '\r' && head.data[end + 1] == '\n');
    porthole_span line = {head.data + at, end - at};
    at = end + 2;
    if (first) {
      old = check_request_line(line, to);
      continue;
    }
    if (line.length == 0) {
      break;
    }
    porthole_span name = {line.data, 0};
    while (name.length < line.length && is_token(line.data[name.length])) {
      name.length++;
    }
    assert_true(name.length > 0 && name.length < line.length && line.data[name.length] == ':');
    porthole_span value = {name.data + name.length + 1, line.length - name.length - 1};
    for (size_t i = 0; i < value.length; i++) {
      assert_true((value.data[i] >= ' ' || value.data[i] == '\t') && value.data[i] != 0x7F);
    }
    porthole_span whole = value;
    while (value.length > 0 && is_space(*value.data)) {
      value.data++;
      value.length--;
    }
    while (value.length > 0 && is_space(value.data[value.length - 1])) {
      value.length--;
    }
    if (fields < capacity) {
      const uint32_t *entry = table + 4 * fields;
      assert_true(head.data + entry[0] == name.data && entry[1] == name.length && entry[3] == value.length);
      assert_true(head.data + entry[2] == value.data || (value.length == 0 && entry[2] <= head.length));
    }
    fields++;
    if (is(name, "host")) {
      hosts++;
      assert_true(is_authority(value, to));
    } else if (is(name, "content-length")) {
      lengths++;
      assert_true(value.length > 0);
      for (size_t i = 0; i < value.length; i++) {
        assert_true(value.data[i] >= '0' && value.data[i] <= '9');
      }
    } else if (is(name, "transfer-encoding")) {
      encodings++;
      check_encoding(whole);
    } else if (is(name, "connection") || is(name, "proxy-connection")) {
      check_options(whole);
    }
  }
  assert_true(at == head.length && fields == count);
  assert_true(hosts == 1 && lengths + encodings <= 1 && !(old && encodings > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  source from = {data, size};
  uint8_t choice = take_byte(&from);
  const opened *to = &destinations[choice % (sizeof destinations / sizeof destinations[0])];
  size_t capacity = take_byte(&from) % (ENTRIES + 1);
  uint32_t table[4 * ENTRIES];
  for (size_t i = 0; i < 4 * ENTRIES; i++) {
    table[i] = GUARD;
  }
  uint8_t *text = malloc(from.left > 0 ? from.left : 1); /* so that what is read behind it is found out */
  assert_non_null(text);
  memcpy(text, from.at, from.left);
  porthole_span head = {text, from.left};
  int32_t result = porthole_check_head(head, porthole_text(to->host), to->port, to->secure, table, capacity);
  for (size_t i = 4 * capacity; i < 4 * ENTRIES; i++) {
    assert_true(table[i] == GUARD);
  }
  if (result >= 0) {
    check_accepted(head, to, table, capacity, (size_t)result);
  } else {
    assert_true(result <= PORTHOLE_EMPTY_METHOD && result >= PORTHOLE_UNSOUND_HEAD);
  }
  free(text);
  return 0;
}
