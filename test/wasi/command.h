/* SPDX-License-Identifier: MIT
 *
 * What a command needs of wasi:cli, for programs that run on WASI 0.2 (command02.c) and on 0.3 (command03.c).
 */
#ifndef PORTHOLE_TEST_COMMAND_H
#define PORTHOLE_TEST_COMMAND_H

#include <stddef.h>
#include <stdint.h>

/* An argument of the command: a string as the canonical ABI has it. */
typedef struct argument {
  const char *text;
  size_t length;
} argument;

/** The program: 0 when all went well. @param list the arguments behind the program's name */
int32_t command(const argument *list, uint32_t count);

enum { TO_OUTPUT, TO_ERRORS };

/** Writes all of it. */
void command_put(int to, const char *data, size_t length);

#endif
