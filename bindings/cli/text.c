/* SPDX-License-Identifier: MIT */
#include "text.h"

size_t cli_length(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') {
    length++;
  }
  return length;
}

bool cli_same(const char *one, const char *other) {
  while (*one != '\0' && *one == *other) {
    one++;
    other++;
  }
  return *one == *other;
}

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c; }

bool cli_same_word(porthole_span one, const char *other) {
  size_t i = 0;
  while (i < one.length && other[i] != '\0' && lower(one.data[i]) == lower((uint8_t)other[i])) {
    i++;
  }
  return i == one.length && other[i] == '\0';
}

void cli_add_byte(cli_text *to, char byte) {
  if (to->length + 1 < to->size) {
    to->at[to->length++] = byte;
    to->at[to->length] = '\0';
  } else {
    to->cut = true;
  }
}

void cli_add_span(cli_text *to, porthole_span text) {
  for (size_t i = 0; i < text.length; i++) {
    cli_add_byte(to, (char)text.data[i]);
  }
}

void cli_add(cli_text *to, const char *text) {
  while (*text != '\0') {
    cli_add_byte(to, *text++);
  }
}

void cli_add_number(cli_text *to, uint64_t number, size_t width, char filling) {
  char digits[20];
  size_t count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  for (size_t i = count; i < width; i++) {
    cli_add_byte(to, filling);
  }
  while (count > 0) {
    cli_add_byte(to, digits[--count]);
  }
}

void cli_add_escaped(cli_text *to, uint8_t byte) {
  static const char digits[] = "0123456789abcdef";
  cli_add_byte(to, '%');
  cli_add_byte(to, digits[byte >> 4]);
  cli_add_byte(to, digits[byte & 15]);
}

void cli_add_base64(cli_text *to, porthole_span bytes) {
  enum { PADDING = 64 };
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  for (size_t i = 0; i < bytes.length; i += 3) {
    size_t left = bytes.length - i;
    uint32_t three = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                     (left > 2 ? (uint32_t)bytes.data[i + 2] : 0);
    cli_add_byte(to, digits[three >> 18]);
    cli_add_byte(to, digits[three >> 12 & 63]);
    cli_add_byte(to, digits[left > 1 ? three >> 6 & 63 : PADDING]);
    cli_add_byte(to, digits[left > 2 ? three & 63 : PADDING]);
  }
}

uint32_t cli_digit(uint8_t c) {
  uint8_t letter = lower(c);
  if (c >= '0' && c <= '9') {
    return (uint32_t)(c - '0');
  }
  return letter >= 'a' && letter <= 'f' ? (uint32_t)(letter - 'a') + 10 : 16;
}

bool cli_add_unescaped(cli_text *to, porthole_span text) {
  for (size_t i = 0; i < text.length; i++) {
    uint8_t byte = text.data[i];
    if (byte == '%' && text.length - i > 2 && cli_digit(text.data[i + 1]) < 16 && cli_digit(text.data[i + 2]) < 16) {
      byte = (uint8_t)(cli_digit(text.data[i + 1]) << 4 | cli_digit(text.data[i + 2]));
      i += 2;
    }
    if (byte < ' ' || byte == 0x7F) {
      return false;
    }
    cli_add_byte(to, (char)byte);
  }
  return true;
}

bool cli_read_number(const char *text, uint32_t scale, int32_t *number) {
  uint64_t value = 0;
  bool fractions = scale > 1;
  bool point = false;
  if (*text == '\0' || *text == '.') {
    return false;
  }
  for (; *text != '\0'; text++) {
    if (*text == '.' && fractions && !point) {
      point = true;
      continue;
    }
    if (*text < '0' || *text > '9') {
      return false;
    }
    uint64_t digit = (uint64_t)(*text - '0');
    scale = point ? scale / 10 : scale;
    value = point ? value + digit * scale : value * 10 + digit * scale;
    if (value > INT32_MAX) {
      if (!fractions) {
        return false;
      }
      value = INT32_MAX;
    }
  }
  *number = (int32_t)value;
  return true;
}
