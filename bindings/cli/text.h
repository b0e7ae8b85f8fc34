/* SPDX-License-Identifier: MIT
 *
 * Strings in buffers of a fixed size.
 */
#ifndef PORTHOLE_CLI_TEXT_H
#define PORTHOLE_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "porthole/porthole.h"

/** A text that is put together: always terminated, and `cut` once something had no room. */
typedef struct cli_text {
  char *at;
  size_t size;
  size_t length;
  bool cut;
} cli_text;

/** An empty text in an array. */
#define CLI_TEXT(array) ((cli_text){(array), sizeof(array), ((array)[0] = '\0', 0), false})

size_t cli_length(const char *text);
bool cli_same(const char *one, const char *other);

/** The same in any case of ASCII's letters? */
bool cli_same_word(porthole_span one, const char *other);

void cli_add(cli_text *to, const char *text);
void cli_add_span(cli_text *to, porthole_span text);
void cli_add_byte(cli_text *to, char byte);

/** Adds a number, right-aligned in a width by a filling. */
void cli_add_number(cli_text *to, uint64_t number, size_t width, char filling);

/** Adds "%" and two digits of lower case. */
void cli_add_escaped(cli_text *to, uint8_t byte);

void cli_add_base64(cli_text *to, porthole_span bytes);

/** Adds a text with its %-escapes taken back. @returns false for a control character */
bool cli_add_unescaped(cli_text *to, porthole_span text);

/** The value of a hexadecimal digit, or 16. */
uint32_t cli_digit(uint8_t c);

/**
 * Reads "12" or "0.25".
 *
 * @param scale what 1 is worth; digits behind the point count down to 1. Above 1, what doesn't fit in 31 bits is as much as does
 * @returns false for anything else, and for what doesn't fit where the scale is 1
 */
bool cli_read_number(const char *text, uint32_t scale, int32_t *number);

#endif
