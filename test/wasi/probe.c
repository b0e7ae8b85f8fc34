/* SPDX-License-Identifier: MIT
 *
 * A command that does what its arguments say, and prints a line for each: the word, the result (a number, or the name of an
 * error), the milliseconds that it took, and what else there is. Bytes are printed in hexadecimal.
 *
 *   open HOST PORT FLAGS TIMEOUT      its result is the number of the connection, from 0, for what follows
 *   head NUMBER TIMEOUT TEXT          a line feed goes behind the text
 *   send NUMBER TIMEOUT COUNT         as many bytes
 *   fill NUMBER                       sends what can be sent now, and tells how much that was
 *   recv NUMBER CAPACITY TIMEOUT
 *   wait TIMEOUT [NUMBER INTEREST]…
 *   info NUMBER WHAT                  without a number: of the last open
 *   close NUMBER
 *   tls NUMBER [NAME TIMEOUT]
 *   client HOST TIMEOUT DEADLINE FLAGS
 *   secure [HOST]                     the client speaks TLS, through a tunnel when there is a host
 *   exchange METHOD URL               by the client: status, and then version, whether the connection ends, fields and body
 *   gets COUNT [URL]                  as many GETs, of / or another, that are read to their end
 *   upload URL KIB                    a POST of so much in chunks: the status, and the body
 *   words                             of the client's last error
 *   memory                            its size in pages
 */
#include "command.h"

#include <stdbool.h>

#include "porthole/client.h"

enum { CONNECTIONS = 70, LINE = 1000, ROOM = 1 << 20 };

static int32_t handles[CONNECTIONS];
static int32_t opened;
static porthole_client *client;
static char printed[65536];
static size_t printed_length;

static void flush(void) {
  command_put(TO_OUTPUT, printed, printed_length);
  printed_length = 0;
}

static void print(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    printed[printed_length++] = text[i];
    if (printed_length == sizeof printed) {
      flush();
    }
  }
}

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') {
    length++;
  }
  return length;
}

static void print_number(int64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t left = number < 0 ? (uint64_t)-number : (uint64_t)number;
  do {
    digits[--at] = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (number < 0) {
    print("-", 1);
  }
  print(digits + at, sizeof digits - at);
}

static void print_hex(const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  print(" ", 1);
  for (size_t i = 0; i < length; i++) {
    char pair[2] = {"0123456789abcdef"[at[i] >> 4], "0123456789abcdef"[at[i] & 15]};
    print(pair, 2);
  }
}

static void print_result(int32_t result) {
  const char *name = NULL;
  switch (result) {
#define X(id, number, class, code, text)                                                                               \
  case number:                                                                                                         \
    name = #id;                                                                                                        \
    break;
#include "porthole/errors.def"
#undef X
  default:
    break;
  }
  if (name != NULL) {
    print(name, length_of(name));
  } else {
    print_number(result);
  }
}

/* ---- what is asked for ---- */

typedef struct words {
  const char *at;
  const char *end;
} words;

/** The next word of an argument, which may be empty. */
static argument next(words *from) {
  argument word = {from->at, 0};
  while (from->at < from->end && *from->at != ' ') {
    from->at++;
  }
  word.length = (size_t)(from->at - word.text);
  from->at += from->at < from->end;
  return word;
}

static int32_t next_number(words *from) {
  argument word = next(from);
  bool negative = word.length > 0 && word.text[0] == '-';
  int32_t value = 0;
  for (size_t i = negative; i < word.length; i++) {
    value = value * 10 + (word.text[i] - '0');
  }
  return negative ? -value : value;
}

/** The handle of a connection of ours, or what can't be one. */
static int32_t next_handle(words *from) {
  int32_t number = next_number(from);
  return number >= 0 && number < CONNECTIONS ? handles[number] : number;
}

static bool is(argument word, const char *text) {
  size_t length = length_of(text);
  bool same = word.length == length;
  for (size_t i = 0; same && i < length; i++) {
    same = word.text[i] == text[i];
  }
  return same;
}

static const char *terminated(argument from, char *to) {
  size_t length = from.length < LINE ? from.length : LINE - 1;
  __builtin_memcpy(to, from.text, length);
  to[length] = '\0';
  return to;
}

/* ---- what is done ---- */

static uint8_t room[ROOM];

static int32_t do_open(words *from) {
  argument host = next(from);
  uint32_t port = (uint32_t)next_number(from);
  uint32_t flags = (uint32_t)next_number(from);
  int32_t handle = porthole_host_open(host.text, host.length, port, flags, next_number(from));
  if (handle < 0) {
    return handle;
  }
  handles[opened] = handle;
  return opened++;
}

static int32_t do_head(words *from) {
  int32_t handle = next_handle(from);
  int32_t timeout = next_number(from);
  size_t length = (size_t)(from->end - from->at);
  __builtin_memcpy(room, from->at, length);
  room[length] = '\n';
  return porthole_host_send_head(handle, room, length + 1, timeout);
}

static int32_t do_send(words *from) {
  int32_t handle = next_handle(from);
  int32_t timeout = next_number(from);
  return porthole_host_send(handle, room, (size_t)next_number(from), timeout);
}

static int32_t do_fill(words *from) {
  int32_t handle = next_handle(from);
  int32_t all = 0;
  int32_t sent;
  while ((sent = porthole_host_send(handle, room, 65536, 0)) > 0) {
    all += sent;
  }
  return sent == PORTHOLE_WANT_WRITE ? all : sent;
}

static void print_wait(const int32_t *list, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    print(" ", 1);
    print_number(list[2 * i + 1]);
  }
}

static uint32_t read_pairs(words *from, int32_t *list) {
  uint32_t count = 0;
  while (from->at < from->end) {
    list[2 * count] = next_handle(from);
    list[2 * count++ + 1] = next_number(from);
  }
  return count;
}

static int32_t do_client(words *from) {
  static PORTHOLE_CLIENT_MEMORY(memory, 300000);
  static char host[LINE];
  if (client != NULL) {
    porthole_client_close(client);
  }
  client = porthole_client_init(memory, sizeof memory, terminated(next(from), host), 0);
  porthole_client_set_timeout(client, next_number(from));
  porthole_client_set_deadline(client, next_number(from));
  porthole_client_set_family(client, (uint32_t)next_number(from));
  return 0;
}

/** Reads all of a body. @returns how many bytes, or an error; `done` is what came before it */
static int32_t read_body(size_t *done) {
  int32_t result;
  *done = 0;
  while ((result = porthole_client_read(client, room + *done, ROOM - *done)) > 0) {
    *done += (size_t)result;
  }
  return result < 0 ? result : (int32_t)*done;
}

static int32_t ask(const char *method, const char *url) {
  int32_t result = porthole_client_request(client, method, url, NULL, 0, NULL);
  return result == 0 ? porthole_client_getresponse(client) : result;
}

/** The result of reading, and all that a response has. */
static void print_response(void) {
  porthole_field field;
  size_t length;
  int32_t ended = read_body(&length);
  print(" ", 1);
  print_result(ended);
  print(" ", 1);
  print_number(porthole_client_version(client));
  print(" ", 1);
  print_number(porthole_client_will_close(client));
  print_hex(room, length);
  print_hex(porthole_client_reason(client).data, porthole_client_reason(client).length);
  for (uint32_t i = 0; porthole_client_header(client, i, &field); i++) {
    print_hex(field.name.data, field.name.length);
    print_hex(field.value.data, field.value.length);
  }
}

static int32_t do_gets(words *from) {
  size_t length;
  char url[LINE];
  int32_t result = 0;
  int32_t left = next_number(from);
  terminated(next(from), url);
  for (; left > 0 && result >= 0; left--) {
    result = ask("GET", url);
    result = result < 0 ? result : read_body(&length);
  }
  return result;
}

static int32_t do_tls(words *from) {
  int32_t handle = next_handle(from);
  argument name = next(from);
  return name.length == 0 ? porthole_host_start_tls(handle, "localhost", 9, 0, 1000)
                          : porthole_host_start_tls(handle, name.text, name.length, 0, next_number(from));
}

static int32_t do_secure(words *from) {
  static char host[LINE];
  argument end = next(from);
  porthole_client_use_tls(client);
  return end.length == 0 ? 0 : porthole_client_set_tunnel(client, terminated(end, host), 0, NULL);
}

static int32_t do_upload(words *from) {
  enum { KIB = 1024 };
  char url[LINE];
  terminated(next(from), url);
  int32_t left = next_number(from);
  int32_t result = porthole_client_begin(client, "POST", url, PORTHOLE_CHUNKED_BODY, NULL);
  for (; left > 0 && result >= 0; left--) {
    for (size_t sent = 0; sent < KIB && result >= 0; sent += (size_t)result) {
      result = porthole_client_send(client, room, KIB - sent);
    }
  }
  result = result < 0 ? result : porthole_client_endbody(client, NULL);
  return result < 0 ? result : porthole_client_getresponse(client);
}

static bool perform(argument given) {
  words from = {given.text, given.text + given.length};
  argument what = next(&from);
  int32_t list[2 * CONNECTIONS];
  char text[PORTHOLE_INFO_MOST];
  char method[LINE];
  char url[LINE];
  uint32_t count = 0;
  uint32_t begin = porthole_host_now();
  int32_t result;
  if (is(what, "open")) {
    result = do_open(&from);
  } else if (is(what, "head")) {
    result = do_head(&from);
  } else if (is(what, "send")) {
    result = do_send(&from);
  } else if (is(what, "fill")) {
    result = do_fill(&from);
  } else if (is(what, "recv")) {
    int32_t handle = next_handle(&from);
    size_t capacity = (size_t)next_number(&from);
    result = porthole_host_recv(handle, room, capacity, next_number(&from));
  } else if (is(what, "wait")) {
    int32_t timeout = next_number(&from);
    count = read_pairs(&from, list);
    result = porthole_host_wait(list, count, timeout);
  } else if (is(what, "info")) {
    argument number = next(&from);
    words of = {number.text, number.text + number.length};
    int32_t handle = number.length == 0 ? 0 : next_handle(&of);
    result = porthole_host_info(handle, (uint32_t)next_number(&from), text, sizeof text);
  } else if (is(what, "close")) {
    porthole_host_close(next_handle(&from));
    result = 0;
  } else if (is(what, "tls")) {
    result = do_tls(&from);
  } else if (is(what, "client")) {
    result = do_client(&from);
  } else if (is(what, "exchange")) {
    terminated(next(&from), method);
    result = ask(method, terminated(next(&from), url));
  } else if (is(what, "secure")) {
    result = do_secure(&from);
  } else if (is(what, "gets")) {
    result = do_gets(&from);
  } else if (is(what, "upload")) {
    result = do_upload(&from);
  } else if (is(what, "words")) {
    porthole_client_error(client, text, sizeof text);
    result = (int32_t)length_of(text);
  } else if (is(what, "memory")) {
    result = (int32_t)__builtin_wasm_memory_size(0);
  } else {
    return false;
  }
  uint32_t took = porthole_host_now() - begin;
  print(what.text, what.length);
  print(" ", 1);
  print_result(result);
  print(" ", 1);
  print_number(took);
  if (is(what, "recv") && result > 0) {
    print_hex(room, (size_t)result);
  } else if ((is(what, "info") || is(what, "words")) && result > 0) {
    print_hex(text, (size_t)result);
  } else if (is(what, "wait")) {
    print_wait(list, count);
  } else if ((is(what, "exchange") || is(what, "upload")) && result > 0) {
    print_response();
  }
  print("\n", 1);
  flush();
  return true;
}

int32_t command(const argument *list, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (!perform(list[i])) {
      return 1;
    }
  }
  return 0;
}
