/* SPDX-License-Identifier: MIT
 *
 * Runs a guest natively: for hosts that are linked, as bindings/posix/host.c is.
 */
#include <stdio.h>
#include <string.h>

#include "guest.h"

int main(int count, char **arguments) {
  size_t size = 0;
  for (int i = 1; i < count; i++) {
    size += strlen(arguments[i]) + 1;
  }
  char *to = guest_arguments((uint32_t)size);
  if (to == NULL) {
    fputs("too many arguments\n", stderr);
    return 2;
  }
  for (int i = 1; i < count; i++) {
    size_t length = strlen(arguments[i]) + 1;
    memcpy(to, arguments[i], length);
    to += length;
  }
  int32_t status;
  do {
    status = guest_run();
    fwrite(guest_output(), 1, guest_output_size(), stdout);
    fflush(stdout);
  } while (status == GUEST_MORE);
  return status;
}
