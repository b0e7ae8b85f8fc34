/* SPDX-License-Identifier: MIT
 *
 * Runs the kit as a command of WASI, linked with the host over its sockets (bindings/wasi).
 */
#include "command.h"
#include "guest.h"

int32_t command(const argument *list, uint32_t count) {
  size_t size = 0;
  for (uint32_t i = 0; i < count; i++) {
    size += list[i].length + 1;
  }
  char *to = guest_arguments((uint32_t)size);
  if (to == NULL) {
    return 2;
  }
  for (uint32_t i = 0; i < count; i++) {
    for (size_t at = 0; at < list[i].length; at++) {
      *to++ = list[i].text[at];
    }
    *to++ = '\0';
  }
  int32_t status;
  do {
    status = guest_run();
    command_put(TO_OUTPUT, guest_output(), guest_output_size());
  } while (status == GUEST_MORE);
  return status;
}
