/* SPDX-License-Identifier: MIT
 *
 * A plugin in C: it gets the URLs that are its arguments, as far as its host lets it, and streams what they answer.
 */
#include <porthole/client.h>

#include "guest.h"

enum { TIMEOUT_MS = 30000, AUTHORITY_MOST = 272 };

static PORTHOLE_CLIENT_MEMORY(memory, 65536);
static porthole_client *http;

/** Says why it ends: by number, as the texts of all errors are a fifth of a guest. @returns the status of a guest that failed */
static int32_t give_up(const char *url, int32_t error) {
  char words[PORTHOLE_INFO_MOST];
  int32_t length = porthole_host_info(0, PORTHOLE_INFO_ERROR, words, sizeof words);
  guest_say(url);
  guest_say(": error ");
  guest_say_number(error);
  guest_say(length > 0 ? ": " : "");
  guest_write(words, length > 0 ? (size_t)length : 0);
  guest_say("\n");
  return 1;
}

/** @returns 0 for "http", 1 for "https", or PORTHOLE_BAD_URL */
static int32_t use_of_tls(porthole_span scheme) {
  static const char https[] = "https";
  for (size_t i = 0; i < scheme.length && i < sizeof https - 1; i++) {
    if (scheme.data[i] != (uint8_t)https[i]) {
      return PORTHOLE_BAD_URL;
    }
  }
  return scheme.length == 5 ? 1 : scheme.length == 4 ? 0 : PORTHOLE_BAD_URL;
}

/** Sends the request for a URL, and says what its response is. @returns the status, or an error */
static int32_t get(const char *url) {
  char authority[AUTHORITY_MOST + 1] = {0};
  porthole_url parts;
  int32_t result = porthole_split_url(url, &parts);
  const int32_t tls = result == 0 ? use_of_tls(parts.scheme) : result;
  if (tls < 0 || parts.authority.length > AUTHORITY_MOST) {
    return PORTHOLE_BAD_URL;
  }
  for (size_t i = 0; i < parts.authority.length; i++) {
    authority[i] = (char)parts.authority.data[i];
  }
  http = porthole_client_init(memory, sizeof memory, authority, 0);
  porthole_client_set_timeout(http, TIMEOUT_MS);
  if (tls) {
    porthole_client_use_tls(http);
  }
  /* The target ends where the URL does, or before its fragment, which is nobody else's. */
  static char target[4096];
  if (parts.target.length >= sizeof target) {
    return PORTHOLE_BAD_URL;
  }
  for (size_t i = 0; i < parts.target.length; i++) {
    target[i] = (char)parts.target.data[i];
  }
  target[parts.target.length] = '\0';
  result = porthole_client_request(http, "GET", target, NULL, 0, NULL);
  if (result == 0) {
    result = porthole_client_getresponse(http);
  }
  if (result > 0) {
    const porthole_span reason = porthole_client_reason(http);
    guest_say_number(result);
    guest_say(" ");
    guest_write(reason.data, reason.length);
    guest_say("\n");
  }
  return result;
}

int32_t guest_run(void) {
  static uint32_t at;
  static int32_t under_way;
  static char chunk[8192];
  const char *url = guest_argument(at);
  guest_begin();
  if (url == NULL) {
    return 0;
  }
  if (!under_way) {
    int32_t status = get(url);
    if (status < 0) {
      return give_up(url, status);
    }
    under_way = 1;
  }
  int32_t got = porthole_client_read(http, chunk, sizeof chunk);
  if (got < 0) {
    return give_up(url, got);
  }
  guest_write(chunk, (size_t)got);
  if (got == 0) {
    porthole_client_close(http);
    under_way = 0;
    at++;
  }
  return GUEST_MORE;
}
