/* SPDX-License-Identifier: MIT
 *
 * A guest that means harm: every function of the host with numbers that are wrong, in any order, over and over.
 */
#include "porthole/host.h"
#include "porthole/porthole.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static uint32_t state = 1;
static uint32_t counts[2]; /* of answers: refusals, and others */

static uint32_t next(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

/** A number that somebody may not have thought of. */
static uint32_t odd(void) {
  static const uint32_t numbers[] = {0,     1,          2,          8,          255,        256,       65535,
                                     65536, 0x10000000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
  return next() % 4 == 0 ? next() : numbers[next() % (sizeof numbers / sizeof *numbers)];
}

static void *odd_pointer(void) { return (void *)(uintptr_t)odd(); }

static int32_t attempt(uint32_t port) {
  static const char *const names[] = {"127.0.0.1", "localhost", "169.254.169.254", "0x7f.1", "a.example\r\nHost: b",
                                      "",          "::1"};
  const porthole_span name = porthole_text(names[next() % (sizeof names / sizeof *names)]);
  int32_t handle = next() % 2 ? (int32_t)(next() % 64) : (int32_t)odd();
  int32_t timeout = (int32_t)(next() % 2);
  switch (next() % 9) {
  case 0:
    return next() % 4
               ? porthole_host_open((const char *)name.data, name.length, next() % 3 ? port : odd(), next() % 16, 20)
               : porthole_host_open(odd_pointer(), odd(), odd(), odd(), 1);
  case 1:
    return porthole_host_start_tls(handle, odd_pointer(), odd(), odd(), timeout);
  case 2:
    return porthole_host_send_head(handle, odd_pointer(), odd(), timeout);
  case 3:
    return porthole_host_send(handle, odd_pointer(), odd(), timeout);
  case 4:
    return porthole_host_recv(handle, (uint8_t *)(uintptr_t)(odd() | 0xf0000000), odd(), timeout);
  case 5:
    return porthole_host_wait((int32_t *)odd_pointer(), odd() | 1, timeout);
  case 6:
    porthole_host_close(handle);
    return -1;
  case 7:
    return porthole_host_info(handle, odd(), (char *)(uintptr_t)(odd() | 0xf0000000), odd());
  default:
    porthole_host_now();
    return -1;
  }
}

/** Tries so often. @returns how many of them were answered by no refusal */
EXPORT(attack) uint32_t attack(uint32_t times, uint32_t seed, uint32_t port) {
  state = seed | 1;
  counts[0] = counts[1] = 0;
  while (times-- > 0) {
    counts[attempt(port) > 0]++;
  }
  return counts[1];
}
