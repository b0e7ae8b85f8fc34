/* SPDX-License-Identifier: MIT */
#include "address.h"

typedef struct reader {
  const char *at;
  const char *end;
} reader;

static bool next_is(const reader *from, char wanted) { return from->at < from->end && *from->at == wanted; }

static bool skip(reader *from, char wanted) {
  bool there = next_is(from, wanted);
  from->at += there;
  return there;
}

static uint32_t digit_of(char c) {
  char lower = (char)(c | 0x20);
  return c >= '0' && c <= '9' ? (uint32_t)(c - '0') : lower >= 'a' && lower <= 'f' ? (uint32_t)(lower - 'a') + 10 : 16;
}

/** Reads 1 to `most` digits. */
static bool read_number(reader *from, uint32_t base, size_t most, uint32_t *number) {
  size_t digits = 0;
  *number = 0;
  while (from->at < from->end && digits < most && digit_of(*from->at) < base) {
    *number = *number * base + digit_of(*from->at++);
    digits++;
  }
  return digits > 0;
}

/** Reads four numbers without leading zeros, which some take for octal. */
static bool read_ipv4(reader *from, uint16_t *part) {
  for (size_t i = 0; i < 4; i++) {
    uint32_t number;
    if (i > 0 && !skip(from, '.')) {
      return false;
    }
    const char *begin = from->at;
    if (!read_number(from, 10, 3, &number) || number > 255 || (*begin == '0' && from->at - begin > 1)) {
      return false;
    }
    part[i] = (uint16_t)number;
  }
  return true;
}

/** Reads the words up to the end or to "%"; a gap is the place of "::". @returns their number, or below zero */
static int read_words(reader *from, uint16_t *word, int *gap) {
  int count = 0;
  *gap = -1;
  if (next_is(from, ':') && (from->at++, !next_is(from, ':'))) {
    return -1; /* one colon in front */
  }
  while (true) {
    if (count > 0 && (from->at == from->end || next_is(from, '%'))) {
      return count;
    }
    if (count > 0 && !skip(from, ':')) {
      return -1;
    }
    if (skip(from, ':')) {
      if (*gap >= 0) {
        return -1;
      }
      *gap = count;
      if (from->at == from->end || next_is(from, '%')) {
        return count;
      }
    }
    reader four = *from;
    uint16_t part[4];
    uint32_t number;
    if (count <= 6 && read_ipv4(&four, part) && (four.at == four.end || next_is(&four, '%'))) {
      word[count++] = (uint16_t)(part[0] << 8 | part[1]);
      word[count++] = (uint16_t)(part[2] << 8 | part[3]);
      *from = four;
    } else if (count < 8 && read_number(from, 16, 4, &number)) {
      word[count++] = (uint16_t)number;
    } else {
      return -1;
    }
  }
}

static bool read_ipv6(address *to, reader *from) {
  uint16_t word[8];
  int gap;
  int count = read_words(from, word, &gap);
  if (count < 0 || (gap < 0 ? count != 8 : count > 7)) {
    return false;
  }
  for (int i = 0; i < 8; i++) {
    int behind = i - (8 - count); /* words behind the gap go to the end */
    to->part[i] = gap < 0 || i < gap ? word[i] : behind >= gap ? word[behind] : 0;
  }
  return !skip(from, '%') || read_number(from, 10, 9, &to->scope);
}

bool wasi_address_read(address *to, const char *text, size_t length) {
  reader four = {text, text + length};
  reader six = four;
  *to = (address){.ipv6 = false};
  if (read_ipv4(&four, to->part) && four.at == four.end) {
    return true;
  }
  *to = (address){.ipv6 = true};
  return read_ipv6(to, &six) && six.at == six.end;
}

void wasi_address_settle(address *one) {
  uint16_t *part = one->part;
  uint32_t front = (uint32_t)(part[0] | part[1] | part[2] | part[3] | part[4]);
  if (one->ipv6 && front == 0 && part[5] == 0xffff) { /* ::ffff:1.2.3.4 */
    *one = (address){.part = {part[6] >> 8, part[6] & 0xff, part[7] >> 8, part[7] & 0xff}};
    front = part[0];
  }
  if ((front | part[1] | part[2] | part[3] | part[5] | part[6] | part[7]) == 0) {
    part[0] = one->ipv6 ? 0 : 127;
    part[one->ipv6 ? 7 : 3] = 1;
  }
}

static char *write_number(char *to, uint32_t number, uint32_t base) {
  char digits[10];
  size_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number > 0);
  while (count > 0) {
    *to++ = digits[--count];
  }
  return to;
}

/** Finds the longest run of two or more zeros, the first of those. @returns its length */
static int longest_zeros(const uint16_t *word, int *where) {
  int longest = 1;
  *where = -1;
  for (int i = 0, run = 0; i < 8; i++) {
    run = word[i] == 0 ? run + 1 : 0;
    if (run > longest) {
      longest = run;
      *where = i - run + 1;
    }
  }
  return longest;
}

static char *write_ipv6(char *to, const address *from) {
  int gap;
  int zeros = longest_zeros(from->part, &gap);
  for (int i = 0; i < 8; i++) {
    if (i == gap) {
      *to++ = ':';
      i += zeros - 1;
      if (i == 7) {
        *to++ = ':';
      }
      continue;
    }
    if (i > 0) {
      *to++ = ':';
    }
    to = write_number(to, from->part[i], 16);
  }
  if (from->scope != 0) {
    *to++ = '%';
    to = write_number(to, from->scope, 10);
  }
  return to;
}

size_t wasi_address_write(const address *from, uint32_t port, char *to) {
  char *at = to;
  if (from->ipv6) {
    *at++ = '[';
    at = write_ipv6(at, from);
    *at++ = ']';
  } else {
    for (size_t i = 0; i < 4; i++) {
      if (i > 0) {
        *at++ = '.';
      }
      at = write_number(at, from->part[i], 10);
    }
  }
  *at++ = ':';
  return (size_t)(write_number(at, port, 10) - to);
}
