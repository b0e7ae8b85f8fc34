/* SPDX-License-Identifier: MIT
 *
 * Bytes: classes, searches, copies, and the small grammars of header fields.
 */
#ifndef PORTHOLE_BYTES_H
#define PORTHOLE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "porthole/porthole.h"

/* Classes of bytes (RFC 9110 section 5.6.2, RFC 3986), bits of porthole__class[]. */
enum { CLASS_TOKEN = 1, CLASS_HEX = 2, CLASS_DIGIT = 4, CLASS_HOST = 8, CLASS_TARGET = 16 };

extern const uint8_t porthole__class[256];

/* The fields that the core knows, and none of them. */
typedef enum field_name {
#define X(name, text, uses) FIELD_##name,
#include "fields.def"
#undef X
  FIELD_OTHER
} field_name;

/* What a field matters for: see fields.def. */
enum { FRAMES = 1, REQUESTS = 2, FORBIDDEN = 4 };

void porthole__move_down(uint8_t *to, const uint8_t *from, size_t length);
const uint8_t *porthole__find(const uint8_t *from, const uint8_t *end, uint8_t byte);
const uint8_t *porthole__find_control(const uint8_t *from, const uint8_t *end);
bool porthole__all_class(porthole_span text, uint8_t wanted);
bool porthole__same(porthole_span text, porthole_span name);
porthole_span porthole__trim(porthole_span text);
bool porthole__next_item(porthole_span *list, porthole_span *item);
bool porthole__decimal(porthole_span text, uint64_t *value);
size_t porthole__write_decimal(uint8_t digits[20], uint64_t number);
field_name porthole__field_among(porthole_span name, uint32_t among);

/** SP or HTAB (RFC 9110 section 5.6.3). */
static inline bool porthole__is_space(uint8_t byte) { return byte == ' ' || byte == '\t'; }

/** Copies between ranges that do not overlap. */
static inline void porthole__copy(uint8_t *to, const uint8_t *from, size_t length) {
  if (length > 0) {
    __builtin_memcpy(to, from, length);
  }
}

/** The value of a hexadecimal digit. */
static inline uint32_t porthole__hex(uint8_t digit) {
  return digit <= '9' ? (uint32_t)(digit - '0') : (uint32_t)((digit | 0x20) - 'a' + 10);
}

/** The bytes from one place to another. */
static inline porthole_span porthole__between(const uint8_t *from, const uint8_t *end) {
  return (porthole_span){from, (size_t)(end - from)};
}

/** What a caller gave: NULL, where there are no bytes, becomes a place that can be pointed at. */
static inline porthole_span porthole__given(porthole_span text) {
  static const uint8_t nothing[1];
  return text.length > 0 ? text : (porthole_span){nothing, 0};
}

/** A literal as a span. */
#define LITERAL(text) ((porthole_span){(const uint8_t *)(text), sizeof(text) - 1})

/** Is `text` this word, in any case? */
#define IS(text, literal) porthole__same((text), LITERAL(literal))

_Static_assert(FIELD_OTHER <= 32, "every field has a bit");
#define X(name, text, uses) _Static_assert(sizeof(text) - 1 < 32, "the length of " text " has a bit");
#include "fields.def"
#undef X

/* The fields with a use (bit n for field n), and what they look like: bit n for those of n bytes, for those that begin so. */
typedef struct field_set {
  uint32_t fields;
  uint32_t lengths;
  uint32_t letters;
} field_set;

/** The fields with a use. Made by the compiler: hence it is always inlined, and the use a constant. */
static inline __attribute__((always_inline)) field_set porthole__fields_with(uint8_t use) {
  field_set set = {0, 0, 0};
#define X(name, text, uses)                                                                                            \
  set.fields |= ((uses)&use) != 0 ? 1U << FIELD_##name : 0;                                                            \
  set.lengths |= ((uses)&use) != 0 ? 1U << (sizeof(text) - 1) : 0;                                                     \
  set.letters |= ((uses)&use) != 0 ? 1U << ((text)[0] & 31) : 0;
#include "fields.def"
#undef X
  return set;
}

/**
 * Which field is this? Nearly all are let pass by what their names look like.
 *
 * @param use a constant
 * @returns a field with this use, or FIELD_OTHER
 */
static inline __attribute__((always_inline)) field_name porthole__field(porthole_span name, uint8_t use) {
  field_set set = porthole__fields_with(use);
  bool possible = name.length < 32 && (set.lengths >> name.length & 1) && (set.letters >> (name.data[0] & 31) & 1);
  return possible ? porthole__field_among(name, set.fields) : FIELD_OTHER;
}

#endif
