/* SPDX-License-Identifier: MIT
 *
 * Looking things up in header sections and values that are at hand.
 */
#include "internal.h"

/** Takes the next field line off an accepted section. @returns false at its end */
static bool next_field(const uint8_t **at, const uint8_t *end, porthole_field *field) {
  const uint8_t *start = *at;
  const uint8_t *lf = porthole__find(start, end, '\n');
  const uint8_t *stop = lf;
  if (stop > start && stop[-1] == '\r') {
    stop--;
  }
  const uint8_t *colon = start;
  while (colon < stop && *colon != ':') {
    colon++;
  }
  if (colon == stop) {
    return false;
  }
  field->name = (porthole_span){start, (size_t)(colon - start)};
  const uint8_t *value = colon + 1;
  size_t length = (size_t)(stop - value);
  porthole__trim(&value, &length);
  field->value = (porthole_span){value, length};
  *at = lf < end ? lf + 1 : end;
  return true;
}

int32_t porthole_fields_list(const uint8_t *text, size_t length, uint32_t *table, size_t capacity) {
  const uint8_t *at = text;
  porthole_field field;
  size_t count = 0;
  while (next_field(&at, text + length, &field)) {
    if (count < capacity) {
      table[4 * count] = (uint32_t)(field.name.data - text);
      table[4 * count + 1] = (uint32_t)field.name.length;
      table[4 * count + 2] = (uint32_t)(field.value.data - text);
      table[4 * count + 3] = (uint32_t)field.value.length;
    }
    count++;
  }
  return (int32_t)count;
}

int32_t porthole_conn_getheader(const porthole_conn *conn, const char *name, size_t name_length, porthole_span *value) {
  const porthole_view *view = &conn->view;
  if (!conn->head_kept) {
    return 0;
  }
  const uint8_t *at = conn->rx + view->head + view->fields;
  const uint8_t *end = conn->rx + view->head + view->head_length;
  porthole_field field;
  while (next_field(&at, end, &field)) {
    if (porthole__same(field.name.data, field.name.length, name, name_length)) {
      *value = field.value;
      return 1;
    }
  }
  return 0;
}

/** The end of a parameter: the next ";" outside quotes, or the end. A quote behind a backslash is none, as in Python. */
static const uint8_t *parameter_end(const uint8_t *at, const uint8_t *end) {
  const uint8_t *start = at;
  bool quoted = false;
  for (; at < end; at++) {
    if (*at == '"' && (at == start || at[-1] != '\\')) {
      quoted = !quoted;
    } else if (*at == ';' && !quoted) {
      break;
    }
  }
  return at;
}

int32_t porthole_params_list(const uint8_t *text, size_t length, uint32_t *table, size_t capacity) {
  const uint8_t *end = text + length;
  const uint8_t *at = text;
  size_t count = 0;
  for (;;) {
    const uint8_t *stop = parameter_end(at, end);
    const uint8_t *equals = porthole__find(at, stop, '=');
    const uint8_t *name = at;
    size_t name_length = (size_t)(equals - at);
    const uint8_t *value = equals < stop ? equals + 1 : stop;
    size_t value_length = (size_t)(stop - value);
    porthole__trim(&name, &name_length);
    porthole__trim(&value, &value_length);
    if (count < capacity) {
      table[4 * count] = (uint32_t)(name - text);
      table[4 * count + 1] = (uint32_t)name_length;
      table[4 * count + 2] = (uint32_t)(value - text);
      table[4 * count + 3] = equals < stop ? (uint32_t)value_length : UINT32_MAX;
    }
    count++;
    if (stop == end) {
      return (int32_t)count;
    }
    at = stop + 1;
  }
}
