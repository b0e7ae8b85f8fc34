/* SPDX-License-Identifier: MIT
 *
 * A plugin for Extism that gets a page by porthole: its input is a URL, its output the body. Of Extism's kernel it needs six
 * functions; connections come from porthole_host_v1, which demo/hosts/extism adds.
 */
#include <porthole/client.h>

#define EXTISM(name) __attribute__((import_module("extism:host/env"), import_name(#name)))

EXTISM(input_length) uint64_t input_length(void);
EXTISM(input_load_u8) uint32_t input_load_u8(uint64_t at);
EXTISM(alloc) uint64_t extism_alloc(uint64_t size);
EXTISM(store_u8) void store_u8(uint64_t at, uint32_t byte);
EXTISM(output_set) void output_set(uint64_t at, uint64_t size);
EXTISM(error_set) void error_set(uint64_t at);

enum { URL_MOST = 4096, BODY_MOST = 1 << 20, TIMEOUT_MS = 30000 };

static PORTHOLE_CLIENT_MEMORY(memory, 65536);
static char url[URL_MOST + 1];
static char authority[URL_MOST + 1];
static uint8_t body[BODY_MOST];

static uint64_t give(const void *bytes, size_t length) {
  uint64_t at = extism_alloc(length);
  for (size_t i = 0; i < length; i++) {
    store_u8(at + i, ((const uint8_t *)bytes)[i]);
  }
  return at;
}

static int32_t fail(const char *words) {
  size_t length = 0;
  while (words[length] != '\0') {
    length++;
  }
  error_set(give(words, length));
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

/** Gets the URL that is the input. @returns 0, or 1 with an error */
__attribute__((export_name("get"))) int32_t get(void) {
  uint64_t length = input_length();
  for (uint64_t i = 0; i < length && i < URL_MOST; i++) {
    url[i] = (char)input_load_u8(i);
    url[i + 1] = '\0';
  }
  porthole_url parts;
  int32_t result = porthole_split_url(url, &parts);
  const int32_t tls = result == 0 ? use_of_tls(parts.scheme) : result;
  if (length > URL_MOST || tls < 0) {
    return fail("no http:// or https:// URL");
  }
  for (size_t i = 0; i < parts.authority.length; i++) {
    authority[i] = (char)parts.authority.data[i];
  }
  authority[parts.authority.length] = '\0';
  url[(const char *)parts.target.data + parts.target.length - url] = '\0'; /* what follows is a fragment */
  porthole_client *http = porthole_client_init(memory, sizeof memory, authority, 0);
  porthole_client_set_timeout(http, TIMEOUT_MS);
  if (tls) {
    porthole_client_use_tls(http);
  }
  result = porthole_client_request(http, "GET", (const char *)parts.target.data, NULL, 0, NULL);
  result = result == 0 ? porthole_client_getresponse(http) : result;
  size_t got = 0;
  while (result > 0 && got < BODY_MOST) {
    result = porthole_client_read(http, body + got, BODY_MOST - got);
    got += result > 0 ? (size_t)result : 0;
  }
  if (result < 0) {
    char words[400];
    result = fail(porthole_client_error(http, words, sizeof words));
  } else {
    output_set(give(body, got), got);
    result = 0;
  }
  porthole_client_close(http);
  return result;
}
