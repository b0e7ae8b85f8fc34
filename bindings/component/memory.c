/* SPDX-License-Identifier: MIT
 *
 * One list of free blocks in the order of their addresses: the first that is large enough is taken, and neighbours grow together
 * when they come back. There are few blocks: one for each connection and response, and those of one call.
 */
#include "memory.h"

#include <stdbool.h>
#include <stdint.h>

#include "../wasi/memory.h"

enum {
  PAGE = 65536,
  ALIGNMENT = 8,
  HELD_MOST = 16 << 20 /* bytes of connections and responses, in all */
};

typedef struct block {
  size_t size; /* bytes behind this */
  struct block *next;
} block;

_Static_assert(sizeof(block) == ALIGNMENT, "what is behind a block is aligned");

extern unsigned char __heap_base; /* the linker's: where the memory of the module begins that nothing lies in */

static block *free_blocks;
static block *call_blocks;
static size_t held;
static bool started;
static bool call_over;

void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);

static unsigned char *end_of(block *of) { return (unsigned char *)(of + 1) + of->size; }

/** Lets a block grow together with the one behind it, where they touch. */
static void join(block *first) {
  block *next = first->next;
  if (next != NULL && end_of(first) == (unsigned char *)next) {
    first->size += sizeof *next + next->size;
    first->next = next->next;
  }
}

static void give(block *back) {
  block *before = NULL;
  block *behind = free_blocks;
  while (behind != NULL && behind < back) {
    before = behind;
    behind = behind->next;
  }
  back->next = behind;
  join(back);
  if (before == NULL) {
    free_blocks = back;
  } else {
    before->next = back;
    join(before);
  }
}

static void give_range(uintptr_t from, uintptr_t to) {
  block *made = (block *)((from + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1)); /* NOLINT(performance-no-int-to-ptr) */
  if (to > (uintptr_t)(made + 1)) {
    made->size = to - (uintptr_t)(made + 1);
    give(made);
  }
}

static block *take_free(size_t size) {
  for (block **at = &free_blocks; *at != NULL; at = &(*at)->next) {
    block *found = *at;
    if (found->size < size) {
      continue;
    }
    if (found->size - size > sizeof(block)) {
      block *rest = (block *)(void *)((unsigned char *)(found + 1) + size);
      rest->size = found->size - size - sizeof *rest;
      rest->next = found->next;
      found->size = size;
      found->next = rest;
    }
    *at = found->next;
    return found;
  }
  return NULL;
}

static block *take(size_t size) {
  if (size > INT32_MAX) {
    return NULL;
  }
  size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  if (!started) { /* the rest of the last page that the module begins with */
    started = true;
    give_range((uintptr_t)&__heap_base, __builtin_wasm_memory_size(0) * PAGE);
  }
  block *taken = take_free(size);
  if (taken == NULL) {
    size_t pages = (size + sizeof(block) + PAGE - 1) / PAGE;
    size_t grown = __builtin_wasm_memory_grow(0, pages);
    if (grown == SIZE_MAX) {
      return NULL;
    }
    give_range(grown * PAGE, (grown + pages) * PAGE);
    taken = take_free(size);
  }
  return taken;
}

void *memory_hold(size_t size) {
  block *taken = size > HELD_MOST - held ? NULL : take(size);
  if (taken == NULL) {
    return NULL;
  }
  held += taken->size;
  if (held > HELD_MOST) {
    memory_release(taken + 1);
    return NULL;
  }
  return taken + 1;
}

void memory_release(void *at) {
  if (at != NULL) {
    block *back = (block *)at - 1;
    held -= back->size;
    give(back);
  }
}

void *memory_for_call(size_t size) {
  if (call_over) {
    call_over = false;
    while (call_blocks != NULL) {
      block *back = call_blocks;
      call_blocks = back->next;
      give(back);
    }
  }
  block *taken = take(size);
  if (taken == NULL) {
    return NULL;
  }
  taken->next = call_blocks;
  call_blocks = taken;
  return taken + 1;
}

void memory_end_call(void) { call_over = true; }

/* The runtime asks for the memory of arguments, and of what the calls into it return: those land where wasi_land says. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  if (old != NULL && size <= old_size) {
    return old;
  }
  void *taken = wasi_land_list(align, size);
  if (taken == NULL) {
    taken = size < INT32_MAX ? memory_for_call(size + 1) : NULL;
  }
  if (taken == NULL) {
    __builtin_trap(); /* the ABI knows no other answer */
  }
  if (old != NULL) {
    __builtin_memcpy(taken, old, old_size);
  }
  return taken;
}
