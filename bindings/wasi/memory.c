/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <stdbool.h>

enum { PAGE = 65536 };

static uint8_t *landing;
static size_t landing_room;
static bool landing_open;
static bool asked; /* wasi_land_list, since wasi_land */

/* What was grown and not taken yet. Other allocators can grow the memory as well: a new piece need not follow the last. */
static uint8_t *free_at;
static size_t free_length;
static uint8_t
    *free_at_landing; /* as they were before a list of ours that didn't fit: it is copied, and its memory used again */
static size_t free_length_landing;

/*
 * The libc's of the program, if it has one. Memory is then taken from it: some take all that there is when they are first asked
 * for theirs, and would give away what was grown here. A list that another cabi_realloc made is freed by it, too.
 */
extern void *program_malloc(size_t size) __asm__("malloc") __attribute__((weak));
extern void program_free(void *memory) __asm__("free") __attribute__((weak));

void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);

/** Takes from a piece of memory. @returns NULL when it doesn't fit */
static void *take_from(uint8_t **at, size_t *length, size_t align, size_t size) {
  size_t skipped = (size_t)(-(uintptr_t)*at & (align - 1));
  if (*at == NULL || skipped > *length || size > *length - skipped) {
    return NULL;
  }
  uint8_t *taken = *at + skipped;
  *at = taken + size;
  *length -= skipped + size;
  return taken;
}

/** Grows the memory, at its end. @returns what is new, or NULL when there is no more */
static uint8_t *grow(size_t pages) {
  size_t grown = __builtin_wasm_memory_grow(0, pages);
  return grown == SIZE_MAX ? NULL : (uint8_t *)(grown * PAGE); /* NOLINT(performance-no-int-to-ptr) */
}

/** Takes memory that has no part in a libc's. @returns NULL when there is none */
static void *take_grown(size_t align, size_t size) {
  void *taken = take_from(&free_at, &free_length, align, size);
  if (taken == NULL) {
    size_t pages = size / PAGE + 1;
    uint8_t *made = grow(pages);
    if (made == NULL) {
      return NULL;
    }
    free_at = made;
    free_length = pages * PAGE;
    if (landing_open) {
      free_at_landing = free_at;
      free_length_landing = free_length;
    }
    taken = take_from(&free_at, &free_length, align, size);
  }
  return taken;
}

void *wasi_take(size_t align, size_t size) {
  /* A libc's is aligned for all that WIT has. */
  void *taken = program_malloc == NULL ? take_grown(align, size) : program_malloc(size);
  if (taken == NULL) {
    __builtin_trap();
  }
  return taken;
}

/** Makes what is free larger, where it is. @returns false when that can't be */
static bool extend_free(size_t more) {
  size_t pages = more / PAGE + 1;
  bool made = grow(pages) == free_at + free_length;
  free_length += made ? pages * PAGE : 0;
  return made;
}

void *wasi_extend(void *old, size_t old_size, size_t size) {
  size_t more = size - old_size;
  bool last = old != NULL && (uint8_t *)old + old_size == free_at;
  if (last && (more <= free_length || extend_free(more - free_length))) {
    free_at += more;
    free_length -= more;
    return old;
  }
  void *taken = take_grown(16, size);
  if (taken == NULL || old == NULL) {
    return taken;
  }
  __builtin_memcpy(taken, old, old_size);
  if (old_size > free_length) { /* it is taken next */
    free_at = old;
    free_length = old_size;
  }
  return taken;
}

/* Weak: one of the program's or of its bindings goes before it. */
__attribute__((weak, export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align,
                                                                      size_t size) {
  if (old != NULL && size <= old_size) {
    return old;
  }
  void *taken = wasi_land_list(align, size);
  if (taken == NULL) {
    taken = wasi_take(align, size);
  }
  if (old != NULL) {
    __builtin_memcpy(taken, old, old_size);
  }
  return taken;
}

void *wasi_land_list(size_t align, size_t size) {
  asked = true;
  return landing_open ? take_from(&landing, &landing_room, align, size) : NULL;
}

void wasi_land(void *at, size_t room) {
  landing = at;
  landing_room = room;
  landing_open = true;
  asked = false;
  free_at_landing = free_at;
  free_length_landing = free_length;
}

void wasi_landed(void *list, size_t length, void *at, size_t room) {
  landing_open = false;
  if (length > 0 && list != at) {
    __builtin_memmove(at, list, length < room ? length : room);
    if (program_free != NULL && (!asked || program_malloc != NULL)) {
      program_free(list);
    }
  }
  free_at = free_at_landing;
  free_length = free_length_landing;
}
