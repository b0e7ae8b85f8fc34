/* SPDX-License-Identifier: MIT
 *
 * Pointers and lengths outside of the guest's memory. Natively there is no such thing: a process has one memory, and its host
 * has no way to know.
 */
#include "guest.h"
#include "kit.h"

#ifdef GUEST_SANDBOXED

typedef struct range {
  uintptr_t from;
  size_t length;
} range;

enum { OUTSIDE = 10 };

static uint8_t *at(uintptr_t address) { return (uint8_t *)address; }

static uintptr_t memory_end(void) { return __builtin_wasm_memory_size(0) * PAGE; }

/** Ranges that leave the memory, by an end or by a sum that wraps. */
static void write_outside(range *list) {
  uintptr_t end = memory_end();
  range all[OUTSIDE] = {{end, 1},
                        {end - 1, 2},
                        {UINT32_MAX, 1},
                        {UINT32_MAX, UINT32_MAX},
                        {end - 4, UINT32_MAX},
                        {8, UINT32_MAX - 3},
                        {16, (size_t)INT32_MAX},
                        {1U << 31, 16},
                        {1U << 31, 1U << 31},
                        {end / 2, end}};
  for (size_t i = 0; i < OUTSIDE; i++) {
    list[i] = all[i];
  }
}

static void names_outside(void) {
  range list[OUTSIDE];
  write_outside(list);
  for (size_t i = 0; i < OUTSIDE; i++) {
    EQUAL(porthole_host_open((char *)at(list[i].from), list[i].length, given.plain.port, 0, LONG), PORTHOLE_HOST_OTHER);
  }
}

static void sends_outside(void) {
  range list[OUTSIDE];
  write_outside(list);
  for (size_t i = 0; i < OUTSIDE; i++) {
    EQUAL(porthole_host_send(fetch("/echo"), at(list[i].from), list[i].length, LONG), PORTHOLE_HOST_OTHER);
    EQUAL(porthole_host_send_head(dial(&given.plain, 0), at(list[i].from), list[i].length, LONG), PORTHOLE_HOST_OTHER);
    hang_up();
  }
}

static void receives_outside(void) {
  range list[OUTSIDE];
  write_outside(list);
  for (size_t i = 0; i < OUTSIDE; i++) {
    EQUAL(porthole_host_recv(fetch("/say/10"), at(list[i].from), list[i].length, LONG), PORTHOLE_HOST_OTHER);
    EQUAL(porthole_host_recv(dial(&given.plain, 0), at(list[i].from), list[i].length, 0), PORTHOLE_HOST_OTHER);
    hang_up();
  }
}

static void tells_outside(void) {
  range list[OUTSIDE];
  write_outside(list);
  int32_t handle = dial(&given.plain, 0);
  for (size_t i = 0; i < OUTSIDE; i++) {
    EQUAL(porthole_host_info(handle, PORTHOLE_INFO_PEER, (char *)at(list[i].from), list[i].length),
          PORTHOLE_HOST_OTHER);
  }
}

static void waits_outside(void) {
  int32_t handle = dial(&given.plain, 0);
  uintptr_t end = memory_end();
  const range list[] = {
      {end, 1},      {end - 4, 1},        {end - 8, 2},  {UINT32_MAX, 1}, {UINT32_MAX - 7, 1}, {UINT32_MAX - 7, 2},
      {8, 1U << 29}, {8, (1U << 29) + 1}, {8, 1U << 31}, {8, UINT32_MAX}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    ONE_OF(porthole_host_wait((int32_t *)at(list[i].from), (uint32_t)list[i].length, 0), PORTHOLE_HOST_OTHER,
           PORTHOLE_HOST_UNSUPPORTED);
  }
  EQUAL(porthole_host_recv(handle, (uint8_t[1]){0}, 1, 0), PORTHOLE_WANT_READ); /* a wait ends no connection */
}

static void waits_at_an_odd_address(void) {
  static uint8_t bytes[16];
  int32_t handle = dial(&given.plain, 0);
  for (size_t i = 0; i < 4; i++) {
    bytes[1 + i] = (uint8_t)((uint32_t)handle >> (8 * i));
    bytes[5 + i] = i == 0 ? PORTHOLE_WRITABLE : 0;
  }
  ONE_OF(porthole_host_wait((int32_t *)at((uintptr_t)bytes + 1), 1, LONG), 1, PORTHOLE_HOST_OTHER);
}

static void uses_what_has_grown(void) {
  int32_t handle = fetch("/echo");
  if (!HOLDS(__builtin_wasm_memory_grow(0, 1) != SIZE_MAX)) {
    return;
  }
  uint8_t *last = at(memory_end() - 8);
  for (size_t i = 0; i < 8; i++) {
    last[i] = pattern(i);
  }
  send_all(handle, last, 8);
  for (size_t i = 0; i < 8; i++) {
    last[i] = 0;
  }
  EQUAL(receive_all(handle, last, 8), 8);
  HOLDS(is_pattern(last, 8, 0));
  HOLDS(porthole_host_info(handle, PORTHOLE_INFO_PEER, (char *)last, 8) == 8);
  int32_t *pair = (int32_t *)(void *)last;
  pair[0] = handle;
  pair[1] = PORTHOLE_WRITABLE;
  EQUAL(porthole_host_wait(pair, 1, LONG), 1);
}

const test tests_of_memory[] = {
    {"open of a name outside of the memory is OTHER", names_outside},
    {"send and send_head from outside of the memory are OTHER", sends_outside},
    {"recv to outside of the memory is OTHER, also where nothing is there", receives_outside},
    {"info to outside of the memory is OTHER", tells_outside},
    {"wait for a list outside of the memory is OTHER or UNSUPPORTED, and ends no connection", waits_outside},
    {"wait for a list at an odd address is survived", waits_at_an_odd_address},
    {"the last bytes of a memory that has grown can be used", uses_what_has_grown},
    {NULL, NULL},
};

#else

static void no_memory(void) {
  EQUAL(porthole_host_open(NULL, 4, 80, 0, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_send(fetch("/echo"), NULL, 4, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_send_head(dial(&given.plain, 0), NULL, 4, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_recv(fetch("/say/10"), NULL, 4, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_wait(NULL, 1, 0), PORTHOLE_HOST_OTHER);
}

const test tests_of_memory[] = {
    {"no memory at all is OTHER", no_memory},
    {NULL, NULL},
};

#endif
