/* SPDX-License-Identifier: MIT
 *
 * A hostile guest: calls of any function with any arguments, some of them good so that there is something to break. A host answers
 * each by a code or a number that can be, and lives. Now and then the server of the kit is told, which looks at the host meanwhile.
 */
#include "guest.h"
#include "kit.h"

enum { ARENA = 4096, HANDLES = 8, MARKS = 10 };

static uint8_t arena[ARENA];
static int32_t handles[HANDLES];
static uint32_t state = 2463534242;

/** A number that looks random, and is the same every time. */
static uint32_t next(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static uint32_t next_below(uint32_t limit) { return next() % limit; }

static uint32_t odd_number(void) {
  static const uint32_t numbers[] = {0,     1,     2,          7,          8,          255,       256,
                                     65535, 65536, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
  return next_below(4) == 0 ? next() : numbers[next_below(sizeof numbers / sizeof *numbers)];
}

static int32_t any_handle(void) { return next_below(3) == 0 ? (int32_t)odd_number() : handles[next_below(HANDLES)]; }

/** Few waits, and short ones. */
static int32_t any_time(void) { return next_below(16) == 0 ? 1 : 0; }

typedef struct range {
  uint8_t *from;
  size_t length;
  bool inside;
} range;

/** A range of the arena, or one that leaves the memory. */
static range any_range(void) {
  if (next_below(2) == 0) {
    uint32_t from = next_below(ARENA);
    return (range){arena + from, next_below(ARENA - from) + 1, true};
  }
#ifdef GUEST_SANDBOXED
  uintptr_t end = __builtin_wasm_memory_size(0) * PAGE;
  uintptr_t from = end - next_below(64) + next_below(2) * odd_number();
  size_t length = from >= end ? 1 + next_below(PAGE) : end - from + 1 + next_below(PAGE);
  return (range){(uint8_t *)from, length, false};
#else
  return (range){NULL, next_below(PAGE) + 1, false};
#endif
}

/** Is this an answer that can be, where at most `most` could be done? */
static bool can_be(int32_t result, size_t most) {
  return is_host_error(result) || result == PORTHOLE_WANT_READ || result == PORTHOLE_WANT_WRITE ||
         (result >= 0 && (size_t)result <= most);
}

static bool try_open(void) {
  uint32_t slot = next_below(HANDLES);
  if (next_below(2) == 0) {
    porthole_host_close(handles[slot]);
    handles[slot] = porthole_host_open(given.plain.host, given.plain.host_length, given.plain.port, 0, LONG);
    return handles[slot] > 0 || is_host_error(handles[slot]);
  }
  const range name = any_range();
  int32_t handle = porthole_host_open((char *)name.from, name.length, odd_number(), odd_number(), any_time());
  return is_host_error(handle);
}

static bool try_tls(void) {
  const range name = any_range();
  int32_t result = porthole_host_start_tls(any_handle(), (char *)name.from, name.length, odd_number(), any_time());
  return is_host_error(result) || (name.inside && result == PORTHOLE_WANT_READ);
}

static bool try_head(void) {
  if (next_below(4) == 0) {
    char head[256];
    size_t length = write_head(head, "GET /echo", given.plain.text);
    return can_be(porthole_host_send_head(any_handle(), (uint8_t *)head, length, any_time()), length);
  }
  const range head = any_range();
  int32_t result = porthole_host_send_head(any_handle(), head.from, head.length, any_time());
  return can_be(result, head.inside ? head.length : 0) && result != 0;
}

static bool try_send(void) {
  const range data = any_range();
  int32_t result = porthole_host_send(any_handle(), data.from, data.length, any_time());
  return can_be(result, data.inside ? data.length : 0) && result != 0;
}

static bool try_recv(void) {
  const range room = any_range();
  int32_t result = porthole_host_recv(any_handle(), room.from, room.length, any_time());
  return room.inside ? can_be(result, room.length) : is_host_error(result);
}

static bool try_wait(void) {
  range list = any_range();
#ifndef GUEST_SANDBOXED
  list.from -= (uintptr_t)list.from % sizeof(int32_t); /* natively that is the caller's part */
#endif
  uint32_t count = list.inside ? (uint32_t)(list.length / 8) : odd_number();
  if (list.inside && next_below(2) == 0 && list.length >= 16) {
    for (uint32_t i = 0; i < 2; i++) {
      int32_t pair[] = {any_handle(), (int32_t)next_below(5)};
      __builtin_memcpy(list.from + 8 * i, pair, sizeof pair);
    }
    count = 2;
  }
  int32_t result = porthole_host_wait((int32_t *)(void *)list.from, count, any_time());
  return can_be(result, list.inside ? count : 0);
}

static bool try_info(void) {
  const range room = any_range();
  int32_t result = porthole_host_info(any_handle(), odd_number(), (char *)room.from, room.length);
  return room.inside ? result >= 0 && result <= PORTHOLE_INFO_MOST && (size_t)result <= room.length
                     : result == PORTHOLE_HOST_OTHER || result == 0;
}

static bool try_close(void) {
  porthole_host_close((int32_t)odd_number());
  if (next_below(4) == 0) {
    porthole_host_close(handles[next_below(HANDLES)]);
  }
  porthole_host_now();
  return true;
}

/** Tells the server how far this is, and waits for its answer. */
static bool mark(void) {
  for (uint32_t i = 0; i < HANDLES; i++) {
    porthole_host_close(handles[i]);
  }
  int32_t handle = porthole_host_open(given.plain.host, given.plain.host_length, given.plain.port, 0, LONG);
  char head[256];
  size_t length = write_head(head, "GET /mark", given.plain.text);
  bool answered = porthole_host_send_head(handle, (uint8_t *)head, length, LONG) == (int32_t)length &&
                  porthole_host_recv(handle, arena, 1, LONG) == 1;
  porthole_host_close(handle);
  return answered;
}

int32_t guest_run(void) {
  static bool (*const tries[])(void) = {try_open, try_tls, try_head, try_send, try_recv, try_wait, try_info, try_close};
  static uint32_t marks;
  guest_begin();
  read_arguments();
  const uint32_t attempts = given.attempts / MARKS;
  for (uint32_t i = 0; i < attempts; i++) {
    uint32_t which = next_below(sizeof tries / sizeof *tries);
    if (!tries[which]()) {
      guest_say("attempt ");
      guest_say_number((int64_t)marks * attempts + i);
      guest_say(" of kind ");
      guest_say_number(which);
      guest_say(" was answered by what can't be\n");
      return 1;
    }
  }
  if (!mark()) {
    guest_say("the server could not be told\n");
    return 1;
  }
  return ++marks < MARKS ? GUEST_MORE : 0;
}
