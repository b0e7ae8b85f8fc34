/* SPDX-License-Identifier: MIT */
#include "command.h"

#include "porthole/wasi.h"

#define IMPORT(interface, name) __attribute__((import_module("wasi:" interface "@0.2.12"), import_name(name)))

IMPORT("cli/environment", "get-arguments") void get_arguments(uint32_t *list);
IMPORT("cli/stdout", "get-stdout") int32_t get_stdout(void);
IMPORT("cli/stderr", "get-stderr") int32_t get_stderr(void);
IMPORT("io/streams", "[method]output-stream.blocking-write-and-flush")
void write_and_flush(int32_t stream, const void *data, size_t length, uint32_t *result);
IMPORT("io/streams", "[resource-drop]output-stream") void drop_stream(int32_t stream);

void command_put(int to, const char *data, size_t length) {
  enum { MOST = 4096 }; /* what one call takes */
  int32_t stream = to == TO_OUTPUT ? get_stdout() : get_stderr();
  uint32_t result[3];
  while (length > 0) {
    size_t now = length < MOST ? length : MOST;
    write_and_flush(stream, data, now, result);
    data += now;
    length -= now;
  }
  drop_stream(stream);
}

static int32_t run(void) {
  struct {
    const argument *at;
    uint32_t count;
  } arguments;
  get_arguments((uint32_t *)(void *)&arguments);
  return command(arguments.at + 1, arguments.count - 1);
}

PORTHOLE_WASI_COMMAND(run)
