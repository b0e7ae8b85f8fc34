/* SPDX-License-Identifier: MIT
 *
 * A guest that tries what the tests of hosts are about. Its arguments are words:
 *
 *   open HOST PORT FLAGS     opens a connection: "open RESULT WORDS"
 *   at URL                   where the following requests go, http: or https:
 *   METHOD PATH              a request by client.h, and a second one on the same client, for PATH/next. Tabs between what came:
 *                            result, status, version, will_close, hashes of reason, headers and body, its length, and
 *                            the status of the second
 *   loop                     goes on without end
 */
#include "guest.h"
#include "porthole/client.h"

enum { TIMEOUT_MS = 10000, SETTLE_MS = 3 };

static PORTHOLE_CLIENT_MEMORY(memory, 262144);
static char authority[300];
static int32_t secure;

/** FNV-1a, that a test can compute as well. */
static uint32_t hash(uint32_t sum, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    sum = (sum ^ bytes[i]) * 16777619U;
  }
  return sum;
}

static uint32_t hash_span(uint32_t sum, porthole_span span) { return hash(sum, span.data, span.length); }

static const uint32_t EMPTY = 2166136261U;

static int32_t is_word(const char *word, const char *wanted) {
  while (*word == *wanted && *word != '\0') {
    word++;
    wanted++;
  }
  return *word == *wanted;
}

static uint32_t read_number(const char *text) {
  uint32_t number = 0;
  for (; *text >= '0' && *text <= '9'; text++) {
    number = number * 10 + (uint32_t)(*text - '0');
  }
  return number;
}

static void say_field(int64_t number) {
  guest_say("\t");
  guest_say_number(number);
}

static void try_open(const char *host, const char *port, const char *flags) {
  char words[PORTHOLE_INFO_MOST];
  int32_t handle = porthole_host_open(host, guest_length(host), read_number(port), read_number(flags), TIMEOUT_MS);
  int32_t length = handle > 0 ? 0 : porthole_host_info(0, PORTHOLE_INFO_ERROR, words, sizeof words);
  porthole_host_close(handle);
  guest_say("open ");
  guest_say_number(handle > 0 ? 1 : handle);
  guest_say(" ");
  guest_write(words, length > 0 ? (size_t)length : 0);
  guest_say("\n");
}

static void set_target(const char *url) {
  porthole_url parts;
  size_t length = 0;
  if (porthole_split_url(url, &parts) == 0 && parts.authority.length < sizeof authority) {
    secure = parts.scheme.length == 5;
    for (; length < parts.authority.length; length++) {
      authority[length] = (char)parts.authority.data[length];
    }
  }
  authority[length] = '\0';
}

/** Reads the body. @returns 0, or the error that ended it */
static int32_t read_body(porthole_client *http, uint32_t *sum, uint64_t *length) {
  static uint8_t chunk[16384];
  int32_t got;
  while ((got = porthole_client_read(http, chunk, sizeof chunk)) > 0) {
    *sum = hash(*sum, chunk, (size_t)got);
    *length += (uint64_t)got;
  }
  return got;
}

static uint32_t hash_headers(porthole_client *http) {
  uint32_t sum = EMPTY;
  porthole_field field;
  for (uint32_t i = 0; porthole_client_header(http, i, &field); i++) {
    sum = hash(hash_span(sum, field.name), (const uint8_t *)": ", 2);
    sum = hash(hash_span(sum, field.value), (const uint8_t *)"\n", 1);
  }
  return sum;
}

/** Makes a client for where the requests go. */
static porthole_client *make_client(void *at, size_t size) {
  porthole_client *http = porthole_client_init(at, size, authority, 0);
  porthole_client_set_timeout(http, TIMEOUT_MS);
  if (secure) {
    porthole_client_use_tls(http);
  }
  return http;
}

/** Asks for something below a path. @returns the status */
static int32_t ask_below(porthole_client *http, const char *path, const char *name) {
  static char whole[64];
  size_t at = 0;
  for (; path[at] != '\0' && at < sizeof whole / 2; at++) {
    whole[at] = path[at];
  }
  for (; *name != '\0'; name++) {
    whole[at++] = *name;
  }
  whole[at] = '\0';
  int32_t result = porthole_client_request(http, "GET", whole, NULL, 0, NULL);
  return result == 0 ? porthole_client_getresponse(http) : result;
}

/** Asks on the same client once more, when the server has said all. @returns the status */
static int32_t ask_again(porthole_client *http, const char *path) {
  static PORTHOLE_CLIENT_MEMORY(other_memory, 4096);
  porthole_client *other = make_client(other_memory, sizeof other_memory);
  ask_below(other, path, "/said");
  porthole_client_close(other);
  porthole_host_wait(NULL, 0, SETTLE_MS); /* it may be on its way */
  return ask_below(http, path, "/next");
}

static void try_request(const char *method, const char *path) {
  porthole_client *http = make_client(memory, sizeof memory);
  uint32_t sum = EMPTY;
  uint64_t length = 0;
  int32_t result = porthole_client_request(http, method, path, NULL, 0, NULL);
  int32_t status = result == 0 ? porthole_client_getresponse(http) : result;
  uint32_t headers = status > 0 ? hash_headers(http) : EMPTY;
  porthole_span reason = status > 0 ? porthole_client_reason(http) : (porthole_span){NULL, 0};
  result = status > 0 ? read_body(http, &sum, &length) : status;
  guest_say_number(result);
  say_field(status);
  say_field(porthole_client_version(http));
  say_field(porthole_client_will_close(http));
  say_field(hash_span(EMPTY, reason));
  say_field(headers);
  say_field(sum);
  say_field((int64_t)length);
  say_field(result == 0 ? ask_again(http, path) : 0);
  guest_say("\n");
  porthole_client_close(http);
}

int32_t guest_run(void) {
  static uint32_t at;
  const char *word = guest_argument(at);
  guest_begin();
  if (word == NULL) {
    return 0;
  }
  const char *first = guest_argument(at + 1);
  if (is_word(word, "open")) {
    try_open(first, guest_argument(at + 2), guest_argument(at + 3));
    at += 4;
  } else if (is_word(word, "at")) {
    set_target(first);
    at += 2;
  } else if (is_word(word, "loop")) {
    for (volatile uint32_t forever = 1; forever;) {
    }
  } else {
    try_request(word, first);
    at += 2;
  }
  return GUEST_MORE;
}
