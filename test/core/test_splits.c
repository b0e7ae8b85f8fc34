/* SPDX-License-Identifier: MIT
 *
 * However a response is split, it is understood the same: at every two-way split of good and bad input, and at random
 * splits of what a seeded generator made of it.
 */
#include "heard.h"
#include "outcomes.h"

#include <stdio.h>

enum { INPUT_MAX = 2048, RX = 4096, MUTANTS = 4000 };

static heard whole;
static heard split;

static void assert_same(const uint8_t *input, size_t length, const manner *how) {
  if (heard_same(&whole, &split)) {
    return;
  }
  print_error("input:\n%.*s\ncut at", (int)length, (const char *)input);
  for (size_t i = 0; i < how->cut_count && i < 20; i++) {
    print_error(" %zu", how->cuts[i]);
  }
  fail_msg("\nwhole: head %d, end %d, flags %u, %zu bytes; split: head %d, end %d, flags %u, %zu bytes", whole.head,
           whole.end, whole.flags, whole.text_length, split.head, split.end, split.flags, split.text_length);
}

static void two_pieces_are_one(void **state) {
  (void)state;
  feed to = feed_new(RX);
  for (size_t i = 0; i < OUTCOMES; i++) {
    const uint8_t *input = (const uint8_t *)outcomes[i].input;
    size_t length = strlen(outcomes[i].input);
    play(&to, outcomes[i].method, input, length, NULL, &whole);
    assert_int_equal(whole.head, outcomes[i].head);
    assert_int_equal(whole.end, outcomes[i].end);
    for (size_t cut = 1; cut < length; cut++) {
      const manner how = {.cuts = &cut, .cut_count = 1};
      play(&to, outcomes[i].method, input, length, &how, &split);
      assert_same(input, length, &how);
    }
  }
  feed_free(&to);
}

/* ---- mutants ---- */

/** Changes one place: another byte, a byte less or more, or a stretch twice. @returns the new length */
static size_t mutate(uint8_t *input, size_t length) {
  static const char bytes[] = "\r\n\r\n :;,\t0159afA\x01\x7f\xff-+\"\\";
  if (length == 0) {
    return 0;
  }
  size_t at = random_below((uint32_t)length);
  uint8_t byte = (uint8_t)bytes[random_below(sizeof bytes)]; /* the NUL at the end included */
  switch (random_below(4)) {
  case 0:
    input[at] = byte;
    return length;
  case 1:
    memmove(input + at, input + at + 1, length - at - 1);
    return length - 1;
  case 2:
    memmove(input + at + 1, input + at, length - at);
    input[at] = byte;
    return length + 1;
  default: {
    size_t stretch = 1 + random_below((uint32_t)(length - at));
    if (length + stretch > INPUT_MAX) {
      return length;
    }
    memmove(input + at + stretch, input + at, length - at);
    return length + stretch;
  }
  }
}

static void mutants_are_the_same_however_they_come_and_are_read(void **state) {
  (void)state;
  static uint8_t input[INPUT_MAX + 1];
  static size_t cuts[INPUT_MAX];
  feed ordinary = feed_new(RX);
  feed limited = feed_new(RX);
  low_limits(&limited);
  for (uint32_t mutant = 0; mutant < MUTANTS; mutant++) {
    seed = 2463534242U + mutant * 2654435761U;
    seed = seed == 0 ? 1 : seed;
    const outcome *parent = &outcomes[random_below(OUTCOMES)];
    size_t length = strlen(parent->input);
    memcpy(input, parent->input, length);
    for (uint32_t changes = random_below(4); changes > 0 && length < INPUT_MAX; changes--) {
      length = mutate(input, length);
    }
    const feed *to = mutant % 2 == 0 ? &ordinary : &limited;
    play(to, parent->method, input, length, NULL, &whole);
    for (uint32_t step = 1; step <= 64; step *= 4) {
      size_t count = random_cuts(cuts, length, step);
      const manner how = {cuts, count, random_below(3), random_below(2) == 0};
      play(to, parent->method, input, length, &how, &split);
      assert_same(input, length, &how);
    }
  }
  feed_free(&ordinary);
  feed_free(&limited);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_pieces_are_one),
      cmocka_unit_test(mutants_are_the_same_however_they_come_and_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
