/* SPDX-License-Identifier: MIT
 *
 * Bytes: classes, searches and copies. The two searches look at 16 bytes at a time where the target has such vectors.
 */
#include "bytes.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#define VECTORS 1
typedef v128_t vector;
static inline vector load(const uint8_t *from) { return wasm_v128_load(from); }
static inline void store(uint8_t *to, vector bytes) { wasm_v128_store(to, bytes); }
static inline uint32_t mask_of(vector bytes, uint8_t byte) {
  return (uint32_t)wasm_i8x16_bitmask(wasm_i8x16_eq(bytes, wasm_i8x16_splat((int8_t)byte)));
}
static inline uint32_t mask_of_control(vector bytes) {
  v128_t low = wasm_u8x16_lt(bytes, wasm_u8x16_splat(0x20));
  v128_t tab = wasm_i8x16_eq(bytes, wasm_i8x16_splat('\t'));
  v128_t del = wasm_i8x16_eq(bytes, wasm_i8x16_splat(0x7F));
  return (uint32_t)wasm_i8x16_bitmask(wasm_v128_or(wasm_v128_andnot(low, tab), del));
}
#elif defined(__SSE2__)
#include <emmintrin.h>
#define VECTORS 1
typedef __m128i vector;
static inline vector load(const uint8_t *from) { return _mm_loadu_si128((const __m128i *)(const void *)from); }
static inline void store(uint8_t *to, vector bytes) { _mm_storeu_si128((__m128i *)(void *)to, bytes); }
static inline uint32_t mask_of(vector bytes, uint8_t byte) {
  return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)byte)));
}
static inline uint32_t mask_of_control(vector bytes) {
  __m128i space = _mm_set1_epi8(0x20);
  __m128i fine = _mm_cmpeq_epi8(_mm_max_epu8(bytes, space), bytes);
  __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
  __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F));
  return (~(uint32_t)_mm_movemask_epi8(_mm_or_si128(fine, tab)) & 0xFFFFU) | (uint32_t)_mm_movemask_epi8(del);
}
#endif

enum { VECTORS_MAX = 1024 }; /* bytes that are moved by vectors here: more is faster by the library */

#define T CLASS_TOKEN
#define H CLASS_HOST
#define U CLASS_TARGET
#define ANY (H | U)
#define TOKEN (T | H | U)
#define DIGIT (T | H | U | CLASS_DIGIT | CLASS_HEX)
#define HEXA (T | H | U | CLASS_HEX)

/* TOKEN: tchar. HOST: what a host may hold. TARGET: everything but control characters, space and DEL. Bytes from 0x80 are
   of no class: those of a name that is still to be IDNA-encoded, and those of a URL, are looked at by themselves. */
const uint8_t porthole__class[256] = {
    ['!'] = TOKEN, ['"'] = ANY,   ['#'] = T | U, ['$'] = TOKEN, ['%'] = TOKEN, ['&'] = TOKEN, ['\''] = TOKEN,
    ['('] = ANY,   [')'] = ANY,   ['*'] = TOKEN, ['+'] = TOKEN, [','] = U,     ['-'] = TOKEN, ['.'] = TOKEN,
    ['/'] = U,     ['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT, ['5'] = DIGIT,
    ['6'] = DIGIT, ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT, [':'] = ANY,   [';'] = ANY,   ['<'] = ANY,
    ['='] = ANY,   ['>'] = ANY,   ['?'] = U,     ['@'] = U,     ['A'] = HEXA,  ['B'] = HEXA,  ['C'] = HEXA,
    ['D'] = HEXA,  ['E'] = HEXA,  ['F'] = HEXA,  ['G'] = TOKEN, ['H'] = TOKEN, ['I'] = TOKEN, ['J'] = TOKEN,
    ['K'] = TOKEN, ['L'] = TOKEN, ['M'] = TOKEN, ['N'] = TOKEN, ['O'] = TOKEN, ['P'] = TOKEN, ['Q'] = TOKEN,
    ['R'] = TOKEN, ['S'] = TOKEN, ['T'] = TOKEN, ['U'] = TOKEN, ['V'] = TOKEN, ['W'] = TOKEN, ['X'] = TOKEN,
    ['Y'] = TOKEN, ['Z'] = TOKEN, ['['] = U,     ['\\'] = U,    [']'] = U,     ['^'] = TOKEN, ['_'] = TOKEN,
    ['`'] = TOKEN, ['a'] = HEXA,  ['b'] = HEXA,  ['c'] = HEXA,  ['d'] = HEXA,  ['e'] = HEXA,  ['f'] = HEXA,
    ['g'] = TOKEN, ['h'] = TOKEN, ['i'] = TOKEN, ['j'] = TOKEN, ['k'] = TOKEN, ['l'] = TOKEN, ['m'] = TOKEN,
    ['n'] = TOKEN, ['o'] = TOKEN, ['p'] = TOKEN, ['q'] = TOKEN, ['r'] = TOKEN, ['s'] = TOKEN, ['t'] = TOKEN,
    ['u'] = TOKEN, ['v'] = TOKEN, ['w'] = TOKEN, ['x'] = TOKEN, ['y'] = TOKEN, ['z'] = TOKEN, ['{'] = ANY,
    ['|'] = TOKEN, ['}'] = ANY,   ['~'] = TOKEN,
};

#undef T
#undef H
#undef U
#undef ANY
#undef TOKEN
#undef DIGIT
#undef HEXA

/** Moves bytes to a lower address; the ranges can overlap. */
void porthole__move_down(uint8_t *to, const uint8_t *from, size_t length) {
  if (to == from) {
    return; /* a head that stays where it is, at every receive */
  }
#ifdef VECTORS
  if (length >= 16 && length <= VECTORS_MAX) {
    /* The last 16 bytes are loaded first: the stores before may run over them. */
    vector last = load(from + length - 16);
    size_t done = 0;
    for (; done + 16 <= length; done += 16) {
      store(to + done, load(from + done));
    }
    store(to + length - 16, last);
    return;
  }
#endif
  __builtin_memmove(to, from, length);
}

#ifdef VECTORS
/**
 * Where the vector after this one is. The last one is the last 16 bytes: it looks at some a second time, in which there was
 * nothing.
 */
static inline const uint8_t *next_vector(const uint8_t *from, const uint8_t *end) {
  return end - from >= 32 || end - from == 16 ? from + 16 : end - 16;
}
#endif

/** The first `byte` in [from, end), or end. */
const uint8_t *porthole__find(const uint8_t *from, const uint8_t *end, uint8_t byte) {
#ifdef VECTORS
  if (end - from >= 16) {
    for (; from < end; from = next_vector(from, end)) {
      uint32_t mask = mask_of(load(from), byte);
      if (mask != 0) {
        return from + __builtin_ctz(mask);
      }
    }
    return end;
  }
#endif
  while (from < end && *from != byte) {
    from++;
  }
  return from;
}

/** The first control character but HTAB in [from, end), or end. */
const uint8_t *porthole__find_control(const uint8_t *from, const uint8_t *end) {
#ifdef VECTORS
  if (end - from >= 16) {
    for (; from < end; from = next_vector(from, end)) {
      uint32_t mask = mask_of_control(load(from));
      if (mask != 0) {
        return from + __builtin_ctz(mask);
      }
    }
    return end;
  }
#endif
  while (from < end && (*from >= 0x20 || *from == '\t') && *from != 0x7F) {
    from++;
  }
  return from;
}

/** Are all bytes of a class? True for none. */
bool porthole__all_class(porthole_span text, uint8_t wanted) {
  for (size_t i = 0; i < text.length; i++) {
    if (!(porthole__class[text.data[i]] & wanted)) {
      return false;
    }
  }
  return true;
}

/** Do two names agree, the case of letters aside? */
bool porthole__same(porthole_span text, porthole_span name) {
  if (text.length != name.length) {
    return false;
  }
  for (size_t i = 0; i < text.length; i++) {
    uint8_t left = text.data[i];
    uint8_t right = name.data[i];
    if (left != right && ((left ^ right) != 0x20 || (left | 0x20) < 'a' || (left | 0x20) > 'z')) {
      return false;
    }
  }
  return true;
}

/** Drops OWS (RFC 9110 section 5.6.3) on both sides. */
porthole_span porthole__trim(porthole_span text) {
  while (text.length > 0 && porthole__is_space(text.data[0])) {
    text.data++;
    text.length--;
  }
  while (text.length > 0 && porthole__is_space(text.data[text.length - 1])) {
    text.length--;
  }
  return text;
}

/** Takes the next item off a comma-separated list (RFC 9110 section 5.6.1): false at its end. Items can be empty. */
bool porthole__next_item(porthole_span *list, porthole_span *item) {
  if (list->length == 0) {
    return false;
  }
  const uint8_t *end = list->data + list->length;
  const uint8_t *comma = porthole__find(list->data, end, ',');
  *item = porthole__trim(porthole__between(list->data, comma));
  *list = porthole__between(comma < end ? comma + 1 : end, end);
  return true;
}

/** Reads 1*DIGIT up to 2^63 - 1. */
bool porthole__decimal(porthole_span text, uint64_t *value) {
  uint64_t sum = 0;
  if (text.length == 0) {
    return false;
  }
  for (size_t i = 0; i < text.length; i++) {
    if (!(porthole__class[text.data[i]] & CLASS_DIGIT)) {
      return false;
    }
    uint64_t digit = (uint64_t)(text.data[i] - '0');
    if (sum > (INT64_MAX - digit) / 10) {
      return false;
    }
    sum = sum * 10 + digit;
  }
  *value = sum;
  return true;
}

/** Writes a number at the end of `digits`. @returns where it begins there */
size_t porthole__write_decimal(uint8_t digits[20], uint64_t number) {
  size_t at = 20;
  do {
    digits[--at] = (uint8_t)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return at;
}
