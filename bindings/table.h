/* SPDX-License-Identifier: MIT
 *
 * What hosts in C share that block: the table of handles, and checks of arguments. It is included once by a host, behind the
 * definition of its type `connection`, which has the members `open` and `generation`.
 */
#ifndef PORTHOLE_BINDINGS_TABLE_H
#define PORTHOLE_BINDINGS_TABLE_H

#include <stdbool.h>

#include "porthole/host.h"
#include "porthole/porthole.h"

enum {
  SLOT_BITS = 6,
  CONNECTIONS = 1 << SLOT_BITS,         /* connections that can be open at a time */
  GENERATIONS = INT32_MAX >> SLOT_BITS, /* connections that a slot has in its life: then it is retired */
  NAME_LONGEST = 255                    /* bytes of a name (RFC 1035 section 2.3.4), or of an address with its zone */
};

/* The handles: place in the table and generation, so that one that was closed never matches again. */
static connection connections[CONNECTIONS];

static connection *find_connection(int32_t handle) {
  if (handle <= 0) {
    return NULL;
  }
  connection *found = &connections[handle & (CONNECTIONS - 1)];
  return found->open && found->generation == handle >> SLOT_BITS ? found : NULL;
}

static connection *find_free(void) {
  for (size_t i = 0; i < CONNECTIONS; i++) {
    if (!connections[i].open && connections[i].generation < GENERATIONS) {
      return &connections[i];
    }
  }
  return NULL;
}

static int32_t handle_of(const connection *of) { return of->generation << SLOT_BITS | (int32_t)(of - connections); }

/** Is it visible ASCII, not too long? */
static bool can_be_name(const char *name, size_t length) {
  if (name == NULL || length == 0 || length > NAME_LONGEST) {
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    if (name[i] <= ' ' || name[i] >= 0x7F) {
      return false;
    }
  }
  return true;
}

/** Can it be what porthole_host_open is given? */
static bool can_be_opened(const char *host, size_t host_length, uint32_t port) {
  return can_be_name(host, host_length) && port <= UINT16_MAX;
}

/** Gives a text to the guest, as far as there is room for whole characters of UTF-8. @returns how many bytes that is */
static int32_t give_text(char *buffer, size_t capacity, const char *text, size_t length) {
  if (length > capacity) {
    length = capacity;
    while (length > 0 && ((uint8_t)text[length] & 0xC0) == 0x80) {
      length--;
    }
  }
  __builtin_memcpy(buffer, text, length);
  return (int32_t)length;
}

/* Where a pair is in the list of porthole_host_wait. */
#define HANDLE_OF(i) ((size_t)2 * (i))
#define INTEREST_OF(i) ((size_t)2 * (i) + 1)

/** Checks such a list. @returns 0, or why it is refused */
static int32_t check_list(const int32_t *list, uint32_t count) {
  if (count > CONNECTIONS) {
    return PORTHOLE_HOST_UNSUPPORTED;
  }
  if (count > 0 && list == NULL) {
    return PORTHOLE_HOST_OTHER;
  }
  for (uint32_t i = 0; i < count; i++) {
    int32_t interest = list[INTEREST_OF(i)];
    if (find_connection(list[HANDLE_OF(i)]) == NULL) {
      return PORTHOLE_HOST_BAD_HANDLE;
    }
    if (interest < PORTHOLE_READABLE || interest > (PORTHOLE_READABLE | PORTHOLE_WRITABLE)) {
      return PORTHOLE_HOST_OTHER;
    }
  }
  return 0;
}

#endif
