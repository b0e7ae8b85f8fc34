/* SPDX-License-Identifier: MIT */
#include <porthole/client.h>
#include <stdio.h>

int main(int count, char **arguments) {
  static PORTHOLE_CLIENT_MEMORY(memory, 65536);
  porthole_client *http = porthole_client_init(memory, sizeof memory, count > 1 ? arguments[1] : "localhost:8000", 0);
  char chunk[4096], words[256];
  int32_t result = porthole_client_request(http, "GET", count > 2 ? arguments[2] : "/", NULL, 0, NULL);
  if (result == 0) result = porthole_client_getresponse(http);
  if (result > 0) {
    printf("%d %.*s\n", result, PORTHOLE_TEXT(porthole_client_reason(http)));
    while ((result = porthole_client_read(http, chunk, sizeof chunk)) > 0) fwrite(chunk, 1, (size_t)result, stdout);
  }
  if (result < 0) fprintf(stderr, "%s\n", porthole_client_error(http, words, sizeof words));
  porthole_client_close(http);
  return result < 0;
}
