/* SPDX-License-Identifier: MIT
 *
 * The fields that the core knows, and looking things up in header sections and values that are at hand.
 */
#include "conn.h"

/** @returns which of these fields this is, bit n of `among` being field n; else FIELD_OTHER */
field_name porthole__field_among(porthole_span name, uint32_t among) {
  static const porthole_span known[] = {
#define X(name, text, uses) {(const uint8_t *)(text), sizeof(text) - 1},
#include "fields.def"
#undef X
  };
  for (; among != 0; among &= among - 1) {
    uint32_t field = (uint32_t)__builtin_ctz(among);
    if (known[field].length == name.length && porthole__same(name, known[field])) {
      return (field_name)field;
    }
  }
  return FIELD_OTHER;
}

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
  field->name = porthole__between(start, colon);
  field->value = porthole__trim(porthole__between(colon + 1, stop));
  *at = lf < end ? lf + 1 : end;
  return true;
}

int32_t porthole_fields_list(porthole_span text, uint32_t *table, size_t capacity) {
  text = porthole__given(text);
  const uint8_t *at = text.data;
  porthole_field field;
  size_t count = 0;
  while (next_field(&at, text.data + text.length, &field)) {
    if (count < capacity) {
      table[4 * count] = (uint32_t)(field.name.data - text.data);
      table[4 * count + 1] = (uint32_t)field.name.length;
      table[4 * count + 2] = (uint32_t)(field.value.data - text.data);
      table[4 * count + 3] = (uint32_t)field.value.length;
    }
    count++;
  }
  return (int32_t)count;
}

int32_t porthole_fields_at(porthole_span text, uint32_t index, porthole_field *field) {
  text = porthole__given(text);
  const uint8_t *at = text.data;
  porthole_field found;
  while (next_field(&at, text.data + text.length, &found)) {
    if (index-- == 0) {
      *field = found;
      return 1;
    }
  }
  return 0;
}

int32_t porthole_conn_getheader(const porthole_conn *conn, porthole_span name, porthole_span *value) {
  const porthole_view *view = &conn->view;
  if (!conn->head_kept) {
    return 0;
  }
  const uint8_t *at = conn->rx + view->head + view->fields;
  const uint8_t *end = conn->rx + view->head + view->head_length;
  porthole_field field;
  while (next_field(&at, end, &field)) {
    if (porthole__same(field.name, name)) {
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

int32_t porthole_params_list(porthole_span text, uint32_t *table, size_t capacity) {
  text = porthole__given(text);
  const uint8_t *end = text.data + text.length;
  const uint8_t *at = text.data;
  size_t count = 0;
  for (;;) {
    const uint8_t *stop = parameter_end(at, end);
    const uint8_t *equals = porthole__find(at, stop, '=');
    porthole_span name = porthole__trim(porthole__between(at, equals));
    porthole_span value = porthole__trim(porthole__between(equals < stop ? equals + 1 : stop, stop));
    if (count < capacity) {
      table[4 * count] = (uint32_t)(name.data - text.data);
      table[4 * count + 1] = (uint32_t)name.length;
      table[4 * count + 2] = (uint32_t)(value.data - text.data);
      table[4 * count + 3] = equals < stop ? (uint32_t)value.length : UINT32_MAX;
    }
    count++;
    if (stop == end) {
      return (int32_t)count;
    }
    at = stop + 1;
  }
}
