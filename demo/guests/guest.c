/* SPDX-License-Identifier: MIT */
#include "guest.h"

static char arguments[GUEST_ARGUMENTS_SIZE];
static uint32_t arguments_size;
static char output[GUEST_OUTPUT_SIZE];
static uint32_t output_size;

char *guest_arguments(uint32_t size) {
  arguments_size = size <= sizeof arguments ? size : 0;
  return size <= sizeof arguments ? arguments : NULL;
}

const char *guest_output(void) { return output; }

uint32_t guest_output_size(void) { return output_size; }

size_t guest_length(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') {
    length++;
  }
  return length;
}

const char *guest_argument(uint32_t index) {
  uint32_t at = 0;
  for (; index > 0 && at < arguments_size; index--) {
    at += (uint32_t)guest_length(arguments + at) + 1;
  }
  return at < arguments_size ? arguments + at : NULL;
}

void guest_begin(void) { output_size = 0; }

void guest_write(const void *bytes, size_t length) {
  for (size_t i = 0; i < length && output_size < sizeof output; i++) {
    output[output_size++] = ((const char *)bytes)[i];
  }
}

void guest_say(const char *text) { guest_write(text, guest_length(text)); }

void guest_say_number(int64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (number < 0) {
    digits[--at] = '-';
  }
  guest_write(digits + at, sizeof digits - at);
}
