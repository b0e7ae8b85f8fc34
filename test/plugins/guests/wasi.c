/* SPDX-License-Identifier: MIT
 *
 * A guest that is given WASI: it sleeps, reads, and reaches for descriptors of the process.
 */
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

/* What poll_oneoff is asked, and answers. */
typedef struct subscription {
  uint64_t user;
  uint8_t kind;
  _Alignas(8) uint32_t id;
  uint64_t time;
  uint64_t precision;
  uint16_t flags;
} subscription;

typedef struct event {
  uint64_t user;
  uint16_t error;
  uint8_t kind;
  uint64_t count;
  uint16_t flags;
} event;

_Static_assert(sizeof(subscription) == 48 && sizeof(event) == 32, "as WASI has them");

WASI(poll_oneoff) int32_t poll_oneoff(const void *subscriptions, void *events, uint32_t count, uint32_t *ready);
WASI(fd_read) int32_t fd_read(int32_t fd, const void *vectors, uint32_t count, uint32_t *read);
WASI(fd_filestat_set_size) int32_t fd_filestat_set_size(int32_t fd, uint64_t size);
WASI(fd_close) int32_t fd_close(int32_t fd);
WASI(fd_write) int32_t fd_write(int32_t fd, const void *vectors, uint32_t count, uint32_t *written);
WASI(fd_fdstat_get) int32_t fd_fdstat_get(int32_t fd, void *stat);
WASI(args_sizes_get) int32_t args_sizes_get(uint32_t *count, uint32_t *size);
WASI(args_get) int32_t args_get(uint32_t *pointers, uint8_t *text);
WASI(environ_sizes_get) int32_t environ_sizes_get(uint32_t *count, uint32_t *size);
WASI(clock_res_get) int32_t clock_res_get(uint32_t id, uint64_t *time);
WASI(random_get) int32_t random_get(uint8_t *to, uint32_t length);
WASI(proc_raise) int32_t proc_raise(uint32_t signal);
WASI(clock_time_get) int32_t clock_time_get(uint32_t id, uint64_t precision, uint64_t *time);
WASI(proc_exit) _Noreturn void proc_exit(uint32_t code);

static subscription asked[2];
static event answered[2];
static uint32_t count;
static uint8_t bytes[100];

/** Sleeps. @returns how many events there are, or an error, negative */
EXPORT(nap) int32_t guest_nap(uint32_t milliseconds, uint32_t absolute) {
  uint64_t now = 0;
  if (absolute) {
    clock_time_get(1, 1, &now);
  }
  asked[0] = (subscription){
      .user = 7, .id = 1, .time = now + (uint64_t)milliseconds * 1000000, .flags = absolute ? 1 : 0};
  int32_t error = poll_oneoff(asked, answered, 1, &count);
  return error != 0 ? -error : answered[0].user == 7 ? (int32_t)count : 0;
}

/** Waits for input with a limit, as select does. @returns the kinds of the events, one bit each */
EXPORT(either) int32_t guest_either(int32_t fd) {
  asked[0] = (subscription){.kind = 0, .id = 1, .time = 60000000000};
  asked[1] = (subscription){.kind = 1, .id = (uint32_t)fd};
  if (poll_oneoff(asked, answered, 2, &count) != 0 || count != 1) {
    return -1;
  }
  return answered[0].error != 0 ? -answered[0].error : 1 << answered[0].kind;
}

EXPORT(poll_badly) int32_t guest_poll_badly(uint32_t from, uint32_t many) {
  return poll_oneoff((const void *)(uintptr_t)from, answered, many, &count);
}

EXPORT(input) int32_t guest_input(int32_t fd) {
  const uint32_t vector[2] = {(uint32_t)(uintptr_t)bytes, sizeof bytes};
  count = 99;
  int32_t error = fd_read(fd, vector, 1, &count);
  return error != 0 ? -error : (int32_t)count;
}

EXPORT(truncate) int32_t guest_truncate(int32_t fd) { return fd_filestat_set_size(fd, 0); }

/** Closes standard output, and writes nothing to it. */
EXPORT(close_output) int32_t guest_close_output(void) {
  static const uint32_t nothing[2] = {0, 0};
  return fd_close(1) * 1000 + fd_write(1, nothing, 1, &count);
}

/** Writes lines of 10 bytes, in two pieces each. @returns how many bytes were taken, or an error, negative */
EXPORT(babble) int32_t guest_babble(int32_t fd, uint32_t lines) {
  static const char digits[] = "012345678\n";
  const uint32_t vectors[4] = {(uint32_t)(uintptr_t)digits, 4, (uint32_t)(uintptr_t)digits + 4, 6};
  int32_t taken = 0;
  while (lines-- > 0) {
    int32_t error = fd_write(fd, vectors, 2, &count);
    if (error != 0) {
      return -error;
    }
    taken += (int32_t)count;
  }
  return taken;
}

/** Writes one region, anywhere. @returns how many bytes were taken, or an error, negative */
EXPORT(put) int32_t guest_put(int32_t fd, uint32_t from, uint32_t length, uint32_t to) {
  const uint32_t vector[2] = {from, length};
  uint32_t *taken = to == 0 ? &count : (uint32_t *)(uintptr_t)to;
  int32_t error = fd_write(fd, vector, 1, taken);
  return error != 0 ? -error : (int32_t)*taken;
}

EXPORT(raise) int32_t guest_raise(uint32_t signal) { return proc_raise(signal); }

EXPORT(kind) int32_t guest_kind(int32_t fd) {
  int32_t error = fd_fdstat_get(fd, bytes);
  return error != 0 ? -error : bytes[0];
}

/** @returns arguments, and variables of the environment, a byte each; or an error, negative */
EXPORT(given) int32_t guest_given(void) {
  uint32_t pointer = 0;
  uint32_t variables = 99;
  int32_t error = args_sizes_get(&count, &pointer) | environ_sizes_get(&variables, &pointer) |
                  args_get(&pointer, bytes);
  return error != 0 || pointer != (uint32_t)(uintptr_t)bytes || bytes[0] == 0 ? -1 : (int32_t)(count | variables << 8);
}

EXPORT(clock) int32_t guest_clock(uint32_t id) {
  uint64_t times[3];
  int32_t error = clock_time_get(id, 1, &times[0]) | clock_time_get(id, 1, &times[1]) | clock_res_get(id, &times[2]);
  return error != 0 ? -error : times[0] > 0 && times[1] >= times[0] && times[2] > 0;
}

EXPORT(random) int32_t guest_random(uint32_t to, uint32_t length) {
  return random_get(to == 0 ? bytes : (uint8_t *)(uintptr_t)to, length);
}

EXPORT(bytes) uint32_t guest_bytes(void) { return (uint32_t)(uintptr_t)bytes; }

EXPORT(leave) void guest_leave(uint32_t code) { proc_exit(code); }

/** A program ends by its code. */
EXPORT(_start) void guest_start(void) { proc_exit(3); }
