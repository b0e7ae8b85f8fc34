/* SPDX-License-Identifier: MIT
 *
 * A command without a libc: demo/c/get.c over the streams of wasi:cli.
 *
 *   get HOST PATH [COUNT [TIMEOUT_MS]]
 *
 * A HOST that begins with https:// is asked over TLS.
 */
#include "command.h"

#include <stdbool.h>

#include "porthole/client.h"

static const char *terminated(argument from, char *to, size_t size) {
  size_t length = from.length < size ? from.length : size - 1;
  for (size_t i = 0; i < length; i++) {
    to[i] = from.text[i];
  }
  to[length] = '\0';
  return to;
}

static bool is_https(const char *host) {
  const char *scheme = "https://";
  while (*scheme != '\0' && *host == *scheme) {
    host++;
    scheme++;
  }
  return *scheme == '\0';
}

static int32_t number(argument from) {
  int32_t value = 0;
  for (size_t i = 0; i < from.length; i++) {
    value = value * 10 + (from.text[i] - '0');
  }
  return value;
}

static int32_t get(porthole_client *http, const char *path) {
  char chunk[4096];
  int32_t result = porthole_client_request(http, "GET", path, NULL, 0, NULL);
  if (result == 0) {
    result = porthole_client_getresponse(http);
  }
  if (result > 0) {
    char line[4] = {(char)('0' + result / 100), (char)('0' + result / 10 % 10), (char)('0' + result % 10), ' '};
    command_put(TO_OUTPUT, line, sizeof line);
    while ((result = porthole_client_read(http, chunk, sizeof chunk)) > 0) {
      command_put(TO_OUTPUT, chunk, (size_t)result);
    }
    command_put(TO_OUTPUT, "\n", 1);
  }
  return result;
}

int32_t command(const argument *list, uint32_t count) {
  static PORTHOLE_CLIENT_MEMORY(memory, 65536);
  static char host[300];
  static char path[1000];
  if (count < 2) {
    static const char usage[] = "get HOST PATH [COUNT [TIMEOUT_MS]]\n";
    command_put(TO_ERRORS, usage, sizeof usage - 1);
    return 1;
  }
  enum { SCHEME = 8 };
  bool tls = is_https(terminated(list[0], host, sizeof host));
  porthole_client *http = porthole_client_init(memory, sizeof memory, host + (tls ? SCHEME : 0), 0);
  if (tls) {
    porthole_client_use_tls(http);
  }
  terminated(list[1], path, sizeof path);
  if (count > 3) {
    porthole_client_set_timeout(http, number(list[3]));
  }
  int32_t result = 0;
  for (int32_t left = count > 2 ? number(list[2]) : 1; left > 0 && result == 0; left--) {
    result = get(http, path);
  }
  if (result < 0) {
    char words[400];
    const char *text = porthole_client_error(http, words, sizeof words);
    size_t length = 0;
    while (text[length] != '\0') {
      length++;
    }
    command_put(TO_ERRORS, text, length);
    command_put(TO_ERRORS, "\n", 1);
  }
  porthole_client_close(http);
  return result < 0;
}
