/* SPDX-License-Identifier: MIT
 *
 * The guest of guest.c as a command: it prints what it gets. Its arguments are the host and the path.
 */
#include "../../wasi/command.h"

typedef struct result {
  uint8_t failed;
  argument text;
} result;

const result *get(const char *host, size_t host_length, const char *path, size_t path_length);

int32_t command(const argument *list, uint32_t count) {
  if (count != 2) {
    return 2;
  }
  const result *got = get(list[0].text, list[0].length, list[1].text, list[1].length);
  command_put(got->failed ? TO_ERRORS : TO_OUTPUT, got->text.text, got->text.length);
  return got->failed;
}
