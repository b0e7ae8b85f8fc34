/* SPDX-License-Identifier: MIT
 *
 * A command without a libc: demo/c/get.c over the streams of wasi:cli.
 *
 *   get HOST PATH [COUNT [TIMEOUT_MS]]
 */
#include "porthole/client.h"

#define IMPORT(interface, name) __attribute__((import_module("wasi:" interface "@0.2.12"), import_name(name)))

IMPORT("cli/environment", "get-arguments") void get_arguments(uint32_t *list);
IMPORT("cli/stdout", "get-stdout") int32_t get_stdout(void);
IMPORT("cli/stderr", "get-stderr") int32_t get_stderr(void);
IMPORT("io/streams", "[method]output-stream.blocking-write-and-flush")
void write_and_flush(int32_t stream, const void *data, size_t length, uint32_t *result);
IMPORT("io/streams", "[resource-drop]output-stream") void drop_stream(int32_t stream);

__attribute__((export_name("wasi:cli/run@0.2.12#run"))) int32_t run(void);

/* An argument of the command: a string as the canonical ABI has it. */
typedef struct argument {
  const char *text;
  size_t length;
} argument;

static const char *terminated(argument from, char *to, size_t size) {
  size_t length = from.length < size ? from.length : size - 1;
  for (size_t i = 0; i < length; i++) {
    to[i] = from.text[i];
  }
  to[length] = '\0';
  return to;
}

static int32_t number(argument from) {
  int32_t value = 0;
  for (size_t i = 0; i < from.length; i++) {
    value = value * 10 + (from.text[i] - '0');
  }
  return value;
}

static void put(int32_t to, const char *data, size_t length) {
  enum { MOST = 4096 }; /* what one call takes */
  uint32_t result[3];
  while (length > 0) {
    size_t now = length < MOST ? length : MOST;
    write_and_flush(to, data, now, result);
    data += now;
    length -= now;
  }
}

static int32_t get(porthole_client *http, const char *path, int32_t output) {
  char chunk[4096];
  int32_t result = porthole_client_request(http, "GET", path, NULL, 0, NULL);
  if (result == 0) {
    result = porthole_client_getresponse(http);
  }
  if (result > 0) {
    char line[4] = {(char)('0' + result / 100), (char)('0' + result / 10 % 10), (char)('0' + result % 10), ' '};
    put(output, line, sizeof line);
    while ((result = porthole_client_read(http, chunk, sizeof chunk)) > 0) {
      put(output, chunk, (size_t)result);
    }
    put(output, "\n", 1);
  }
  return result;
}

int32_t run(void) {
  static PORTHOLE_CLIENT_MEMORY(memory, 65536);
  static char host[300];
  static char path[1000];
  struct {
    const argument *at;
    uint32_t count;
  } arguments;
  get_arguments((uint32_t *)(void *)&arguments);
  if (arguments.count < 3) {
    return 1;
  }
  porthole_client *http = porthole_client_init(memory, sizeof memory, terminated(arguments.at[1], host, sizeof host),
                                               0);
  terminated(arguments.at[2], path, sizeof path);
  int32_t count = arguments.count > 3 ? number(arguments.at[3]) : 1;
  if (arguments.count > 4) {
    porthole_client_set_timeout(http, number(arguments.at[4]));
  }
  int32_t output = get_stdout();
  int32_t result = 0;
  for (int32_t i = 0; i < count && result == 0; i++) {
    result = get(http, path, output);
  }
  drop_stream(output);
  if (result < 0) {
    char words[400];
    const char *text = porthole_client_error(http, words, sizeof words);
    size_t length = 0;
    while (text[length] != '\0') {
      length++;
    }
    int32_t errors = get_stderr();
    put(errors, text, length);
    drop_stream(errors);
  }
  porthole_client_close(http);
  return result < 0;
}
