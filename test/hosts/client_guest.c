/* SPDX-License-Identifier: MIT
 *
 * A small guest: it fetches a page with the functions of client.h, over whatever host runs it.
 */
#include "porthole/client.h"

int32_t guest_get(void);

/** Fetches http://a.example/page. @returns the status when the body is "hello", else an error or 0 */
int32_t guest_get(void) {
  static PORTHOLE_CLIENT_MEMORY(memory, 16384);
  char body[16] = {0};
  porthole_client *http = porthole_client_init(memory, sizeof memory, "a.example", 0);
  int32_t status = porthole_client_request(http, "GET", "/page", NULL, 0, NULL);
  if (status == 0) {
    status = porthole_client_getresponse(http);
  }
  int32_t length = status > 0 ? porthole_client_read(http, body, sizeof body) : status;
  porthole_client_close(http);
  return length == 5 && body[0] == 'h' && body[4] == 'o' ? status : length < 0 ? length : 0;
}
