/* SPDX-License-Identifier: MIT
 *
 * A guest that is no command: it exports a function of its own.
 */
#include "porthole/client.h"

__attribute__((export_name("status"))) int32_t status(uint32_t port);

int32_t status(uint32_t port) {
  static PORTHOLE_CLIENT_MEMORY(memory, 65536);
  porthole_client *http = porthole_client_init(memory, sizeof memory, "127.0.0.1", port);
  int32_t result = porthole_client_request(http, "GET", "/", NULL, 0, NULL);
  result = result == 0 ? porthole_client_getresponse(http) : result;
  porthole_client_close(http);
  return result;
}
