/* SPDX-License-Identifier: MIT
 *
 * What the guests of the kit share: their arguments, and the head of a request.
 */
#include "guest.h"
#include "kit.h"

surroundings given;

size_t text_length(const char *text) { return guest_length(text); }

size_t append(char *to, size_t at, const char *text) {
  while (*text != '\0') {
    to[at++] = *text++;
  }
  return at;
}

bool is_host_error(int32_t result) { return result <= PORTHOLE_HOST_REFUSED && result >= PORTHOLE_HOST_UNSUPPORTED; }

size_t write_head(char *to, const char *start, const char *host) {
  size_t length = append(to, 0, start);
  length = append(to, length, " HTTP/1.1\r\nHost: ");
  length = append(to, length, host);
  return append(to, length, "\r\n\r\n");
}

/** Reads "name=host:port" into an endpoint, when that is its name. The port is behind the last colon. */
static void read_endpoint(endpoint *to, const char *name, const char *argument) {
  for (; *name != '\0'; name++, argument++) {
    if (*name != *argument) {
      return;
    }
  }
  if (*argument != '=') {
    return;
  }
  *to = (endpoint){.host = argument + 1, .text = argument + 1};
  for (const char *at = argument + 1; *at != '\0'; at++) {
    to->port = *at == ':' ? 0 : to->port * 10 + (uint32_t)(*at - '0');
    to->host_length = *at == ':' ? (size_t)(at - to->host) : to->host_length;
  }
}

void read_arguments(void) {
  endpoint attempts = {0};
  const char *argument;
  for (uint32_t i = 0; (argument = guest_argument(i)) != NULL; i++) {
    read_endpoint(&given.plain, "plain", argument);
    read_endpoint(&given.tls, "tls", argument);
    read_endpoint(&given.untrusted, "untrusted", argument);
    read_endpoint(&given.silent, "silent", argument);
    read_endpoint(&given.nobody, "nobody", argument);
    read_endpoint(&given.denied, "denied", argument);
    read_endpoint(&attempts, "attempts", argument);
  }
  given.attempts = attempts.port;
}
