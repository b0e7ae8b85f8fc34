/* SPDX-License-Identifier: MIT
 *
 * Text at hand: hosts, field sections and values with parameters. What is found lies in the text.
 *
 * Input: a byte that has the room in a table and whether there is a port, and the text.
 */
#include <stdbool.h>

#include "cmocka.h"
#include "fuzz.h"

enum { ENTRIES = 16, GUARD = 0x5A5A5A5A };

static void check_host(const uint8_t *text, size_t length, uint32_t has_port) {
  porthole_host_port out = {{NULL, GUARD}, GUARD};
  int32_t result = porthole_split_host((porthole_span){text, length}, has_port, &out);
  if (result != 0) {
    assert_true(result <= PORTHOLE_EMPTY_HOST && result >= PORTHOLE_HOST_NEEDS_BRACKETS);
    assert_true(out.host.data == NULL && out.host.length == GUARD && out.port == GUARD);
    return;
  }
  porthole_span host = out.host;
  assert_true(host.length > 0 && host.data >= text && host.length <= (size_t)(text + length - host.data));
  assert_true(out.port >= -1 && out.port <= 65535);
  assert_true(!has_port || out.port == -1);
  for (size_t i = 0; i < host.length; i++) {
    assert_true(host.data[i] > ' ' && host.data[i] != 0x7F && strchr("/?#@\\,[]", host.data[i]) == NULL);
  }
  /* The same host alone is the same host. */
  porthole_host_port again;
  assert_int_equal(porthole_split_host(host, 1, &again), 0);
  assert_true(again.host.data == host.data && again.host.length == host.length);
}

/**
 * Checks a table of `count` entries in one of `capacity`: each lies in the text, behind the one before. A name is never
 * behind its value.
 */
static void check_table(const uint32_t *table, int32_t count, size_t capacity, size_t length) {
  assert_true(count >= 0 && (size_t)count <= length + 1);
  size_t at = 0;
  for (size_t i = 0; i < 4 * ENTRIES; i++) {
    assert_true(i < 4 * capacity && i < 4 * (size_t)count ? true : table[i] == GUARD);
  }
  for (size_t i = 0; i < (size_t)count && i < capacity; i++) {
    const uint32_t *entry = table + 4 * i;
    uint32_t value_length = entry[3] == UINT32_MAX ? 0 : entry[3];
    assert_true(entry[0] >= at && entry[0] <= length && entry[1] <= length - entry[0]);
    assert_true(entry[2] >= entry[0] + entry[1] && entry[2] <= length && value_length <= length - entry[2]);
    at = entry[2] + value_length;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  source from = {data, size};
  uint8_t choices = take_byte(&from);
  size_t capacity = choices % (ENTRIES + 1);
  uint32_t tables[2][4 * ENTRIES];
  for (size_t i = 0; i < 4 * ENTRIES; i++) {
    tables[0][i] = tables[1][i] = GUARD;
  }
  uint8_t *text = malloc(from.left > 0 ? from.left : 1); /* so that what is read behind it is found out */
  assert_non_null(text);
  memcpy(text, from.at, from.left);
  check_host(text, from.left, 0);
  check_host(text, from.left, 1);
  check_table(tables[0], porthole_fields_list((porthole_span){text, from.left}, tables[0], capacity), capacity,
              from.left);
  check_table(tables[1], porthole_params_list((porthole_span){text, from.left}, tables[1], capacity), capacity,
              from.left);
  free(text);
  return 0;
}
