/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdbool.h>

#include "porthole/wasi.h"

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define STDOUT "wasi:cli/stdout@0.3.0"
#define STDERR "wasi:cli/stderr@0.3.0"
#define STREAM(interface, prefix)                                                                                      \
  IMPORT(interface, "[stream-new-0]write-via-stream") uint64_t prefix##_new(void);                                     \
  IMPORT(interface, "write-via-stream") int32_t prefix##_via(int32_t stream);                                          \
  IMPORT(interface, "[async-lower][stream-write-0]write-via-stream")                                                   \
  uint32_t prefix##_write(int32_t stream, const void *data, size_t length);                                            \
  IMPORT(interface, "[stream-drop-writable-0]write-via-stream") void prefix##_drop(int32_t stream);                    \
  IMPORT(interface, "[async-lower][future-read-1]write-via-stream")                                                    \
  uint32_t prefix##_read(int32_t future, uint8_t *result);                                                             \
  IMPORT(interface, "[future-drop-readable-1]write-via-stream") void prefix##_end(int32_t future);                     \
  static const output to_##prefix = {prefix##_new,  prefix##_via,  prefix##_write,                                     \
                                     prefix##_drop, prefix##_read, prefix##_end};

enum { BLOCKED = -1, DROPPED = 1, END_MASK = 15, END_BITS = 4 };

typedef struct output {
  uint64_t (*make)(void);
  int32_t (*via)(int32_t stream);
  uint32_t (*write)(int32_t stream, const void *data, size_t length);
  void (*drop)(int32_t stream);
  uint32_t (*read)(int32_t future, uint8_t *result);
  void (*end)(int32_t future);
} output;

IMPORT("wasi:cli/environment@0.3.0", "get-arguments") void get_arguments(uint32_t *list);
IMPORT("$root", "[waitable-set-new]") int32_t set_new(void);
IMPORT("$root", "[waitable-set-wait]") uint32_t set_wait(int32_t set, uint32_t *event);
IMPORT("$root", "[waitable-set-drop]") void set_drop(int32_t set);
IMPORT("$root", "[waitable-join]") void join(int32_t waitable, int32_t set);
STREAM(STDOUT, stdout)
STREAM(STDERR, stderr)

/** The answer to a read or a write, when it is there. */
static uint32_t answer_of(int32_t waitable, uint32_t answer) {
  if ((int32_t)answer == BLOCKED) {
    uint32_t event[2];
    int32_t set = set_new();
    join(waitable, set);
    set_wait(set, event);
    join(waitable, 0);
    set_drop(set);
    answer = event[1];
  }
  return answer;
}

void command_put(int to, const char *data, size_t length) {
  const output *by = to == TO_OUTPUT ? &to_stdout : &to_stderr;
  uint8_t result[8];
  uint64_t pair = by->make();
  int32_t stream = (int32_t)(pair >> 32);
  int32_t done = by->via((int32_t)(uint32_t)pair);
  bool closed = false;
  while (length > 0 && !closed) {
    uint32_t answer = answer_of(stream, by->write(stream, data, length));
    data += answer >> END_BITS;
    length -= answer >> END_BITS;
    closed = (answer & END_MASK) == DROPPED;
  }
  by->drop(stream);
  answer_of(done, by->read(done, result));
  by->end(done);
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
