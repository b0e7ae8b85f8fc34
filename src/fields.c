/* SPDX-License-Identifier: MIT
 *
 * The fields that the core knows, and looking things up in header sections and values that are at hand.
 */
#include "conn.h"

/* What names of a use look like: bit n of `lengths` for those of n bytes, and of `letters` for those that begin so. */
typedef struct shape {
  uint32_t lengths;
  uint32_t letters;
} shape;

#define X(name, text, uses)                                                                                            \
  _Static_assert(sizeof(text) - 1 < 32 && (uses) < 8, "the length of " text " has a bit, and so have its uses");
#include "fields.def"
#undef X

/** The shape of the names with a use. It is made once, by the compiler. */
static inline shape shape_of(uint8_t use) {
  shape of = {0, 0};
#define X(name, text, uses)                                                                                            \
  of.lengths |= ((uses)&use) != 0 ? 1U << (sizeof(text) - 1) : 0;                                                      \
  of.letters |= ((uses)&use) != 0 ? 1U << ((text)[0] & 31) : 0;
#include "fields.def"
#undef X
  return of;
}

/** Can this be a name of such a shape? Nearly all fields are let pass by that. */
static inline bool has_shape(porthole_span name, shape of) {
  return name.length < 32 && (of.lengths >> name.length & 1) && (of.letters >> (name.data[0] & 31) & 1);
}

/** @returns which field this is, if it is one with this use; else FIELD_OTHER */
field_name porthole__field(porthole_span name, uint8_t use) {
  static const struct {
    porthole_span text;
    uint8_t uses;
  } known[] = {
#define X(name, text, uses) {{(const uint8_t *)(text), sizeof(text) - 1}, (uses)},
#include "fields.def"
#undef X
  };
  bool possible = use == FRAMES     ? has_shape(name, shape_of(FRAMES))
                  : use == REQUESTS ? has_shape(name, shape_of(REQUESTS))
                                    : has_shape(name, shape_of(FORBIDDEN));
  for (uint32_t i = 0; possible && i < FIELD_OTHER; i++) {
    if (known[i].text.length == name.length && (known[i].uses & use) && porthole__same(name, known[i].text)) {
      return (field_name)i;
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
