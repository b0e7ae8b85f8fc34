/* SPDX-License-Identifier: MIT
 *
 * An input as a source of decisions: numbers and strings are taken off its front. Where it has ended they are 0 and empty.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "porthole/porthole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct source {
  const uint8_t *at;
  size_t left;
} source;

static inline uint8_t take_byte(source *from) {
  if (from->left == 0) {
    return 0;
  }
  from->left--;
  return *from->at++;
}

static inline uint32_t take_word(source *from) {
  uint32_t word = 0;
  for (int i = 0; i < 4; i++) {
    word = word << 8 | take_byte(from);
  }
  return word;
}

/** A string of at most 255 bytes: its length, then its bytes. */
static inline porthole_span take_span(source *from) {
  size_t length = take_byte(from);
  length = length < from->left ? length : from->left;
  porthole_span span = {from->at, length};
  from->at += length;
  from->left -= length;
  return span;
}

#endif
