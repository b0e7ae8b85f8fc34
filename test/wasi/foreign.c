/* SPDX-License-Identifier: MIT
 *
 * A program with a libc and with the cabi_realloc of its bindings, as wit-bindgen writes it (STRONG: one that is not weak; OWN:
 * none). It takes memory between requests, and tells whether anybody else has written there.
 *
 *   foreign HOST COUNT
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "porthole/client.h"

#ifndef OWN
#ifdef STRONG
#define KIND
#else
#define KIND __weak__,
#endif

__attribute__((KIND __export_name__("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align,
                                                                         size_t size);
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old_size;
  if (size == 0) {
    return (void *)align;
  }
  void *made = realloc(old, size);
  if (made == NULL) {
    __builtin_trap();
  }
  return made;
}
#endif

enum { BLOCKS = 50, SIZE = 3000 };

int32_t command(const argument *list, uint32_t count) {
  static PORTHOLE_CLIENT_MEMORY(memory, 65536);
  static char host[300];
  static uint8_t *blocks[BLOCKS];
  char body[4096];
  if (count != 2 || list[0].length >= sizeof host) {
    return 1;
  }
  memcpy(host, list[0].text, list[0].length);
  porthole_client *http = porthole_client_init(memory, sizeof memory, host, 0);
  int32_t result = 0;
  for (int i = 0; i < BLOCKS && result >= 0; i++) {
    result = porthole_client_request(http, "GET", "/", NULL, 0, NULL);
    result = result == 0 ? porthole_client_getresponse(http) : result;
    while (result > 0 && (result = porthole_client_read(http, body, sizeof body)) > 0) {
    }
    blocks[i] = malloc(SIZE);
    memset(blocks[i], i + 1, SIZE);
  }
  bool whole = memcmp(list[0].text, host, list[0].length) ==
               0; /* the arguments are memory that the runtime asked for */
  for (int i = 0; i < BLOCKS && result >= 0; i++) {
    for (int k = 0; k < SIZE; k++) {
      whole = whole && blocks[i][k] == i + 1;
    }
  }
  /* What the runtime gave was freed: there is as much memory as in the beginning, to some pages. */
  bool small = __builtin_wasm_memory_size(0) < 20;
  porthole_client_close(http);
  const char *said = result < 0 ? "failed" : !whole ? "overwritten" : !small ? "leaked" : "whole";
  command_put(TO_OUTPUT, said, strlen(said));
  return 0;
}
