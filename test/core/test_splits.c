/* SPDX-License-Identifier: MIT
 *
 * However a response is split, it is understood the same: at every two-way split of good and bad input, and at random
 * splits of what a seeded generator made of it.
 */
#include "feed.h"
#include "outcomes.h"

#include <stdio.h>

enum { INPUT_MAX = 2048, RX = 4096, MUTANTS = 4000 };

/* Everything that a caller learns of a response. */
typedef struct heard {
  int32_t head; /* the status, or the error instead of it */
  int32_t end;  /* 0, or the error of the body */
  uint32_t flags;
  uint32_t version;
  uint32_t interims;
  size_t text_length; /* head, body, trailer section and a line that was not understood, one after the other */
  uint8_t text[2 * INPUT_MAX];
} heard;

static void hear(heard *what, const uint8_t *bytes, size_t length) {
  assert_true(what->text_length + length <= sizeof what->text);
  memcpy(what->text + what->text_length, bytes, length);
  what->text_length += length;
}

/** Takes whatever the connection has to tell now. */
static void listen_to(const feed *from, heard *what, int32_t *events) {
  const porthole_view *view = from->view;
  while (*events >= 0 && (*events & PORTHOLE_EVENT_INTERIM)) {
    what->interims++;
    hear(what, from->rx + view->head, view->head_length);
    *events = porthole_conn_resume(from->conn);
  }
  if (what->head == 0 && porthole_conn_accept(from->conn) == 0) {
    what->head = (int32_t)view->status;
    what->version = view->version;
    hear(what, from->rx + view->head, view->head_length);
  }
  while (what->head > 0 && view->body_length > 0) {
    hear(what, from->rx + view->body, view->body_length);
    assert_int_equal(porthole_conn_consume(from->conn, view->body_length), 0);
  }
}

/** Plays an input in pieces that end at the given places, and then the end of the stream. */
static heard play(const feed *to, const char *method, const uint8_t *input, size_t length, const size_t *cuts, size_t cut_count) {
  heard what = {0};
  porthole_conn_close(to->conn);
  assert_int_equal(feed_request(to, method), 0);
  int32_t events = 0;
  size_t at = 0;
  for (size_t i = 0; i <= cut_count && events >= 0; i++) {
    size_t stop = i < cut_count ? cuts[i] : length;
    while (at < stop && events >= 0) {
      size_t given;
      events = feed_some(to, input + at, stop - at, &given);
      at += given;
      listen_to(to, &what, &events);
    }
  }
  if (events >= 0) {
    events = porthole_conn_ended(to->conn);
    listen_to(to, &what, &events);
  }
  if (events < 0) {
    *(what.head > 0 ? &what.end : &what.head) = events;
  }
  const porthole_view *view = to->view;
  if (what.head > 0 && what.end == 0) {
    hear(&what, to->rx + view->trailer, view->trailer_length);
  }
  if (what.head == PORTHOLE_BAD_STATUS_LINE || what.head == PORTHOLE_UNKNOWN_PROTOCOL) {
    hear(&what, to->rx + view->raw, view->raw_length);
  }
  what.flags = view->flags & ~(uint32_t)PORTHOLE_ENDED; /* an error is sometimes known before the end is */
  return what;
}

static void assert_same(const heard *a, const heard *b, const uint8_t *input, size_t length, const size_t *cuts, size_t cut_count) {
  if (a->head == b->head && a->end == b->end && a->flags == b->flags && a->version == b->version &&
      a->interims == b->interims && a->text_length == b->text_length && memcmp(a->text, b->text, a->text_length) == 0) {
    return;
  }
  print_error("input:\n%.*s\ncut at", (int)length, (const char *)input);
  for (size_t i = 0; i < cut_count && i < 20; i++) {
    print_error(" %zu", cuts[i]);
  }
  fail_msg("\nwhole: head %d, end %d, flags %u, %zu bytes; split: head %d, end %d, flags %u, %zu bytes", a->head, a->end, a->flags,
           a->text_length, b->head, b->end, b->flags, b->text_length);
}

static void two_pieces_are_one(void **state) {
  (void)state;
  feed to = feed_new(RX);
  for (size_t i = 0; i < OUTCOMES; i++) {
    const uint8_t *input = (const uint8_t *)outcomes[i].input;
    size_t length = strlen(outcomes[i].input);
    heard whole = play(&to, outcomes[i].method, input, length, NULL, 0);
    assert_int_equal(whole.head, outcomes[i].head);
    assert_int_equal(whole.end, outcomes[i].end);
    for (size_t cut = 1; cut < length; cut++) {
      heard split = play(&to, outcomes[i].method, input, length, &cut, 1);
      assert_same(&whole, &split, input, length, &cut, 1);
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

/** Random cuts in rising order. @returns how many */
static size_t random_cuts(size_t *cuts, size_t length, uint32_t step) {
  size_t count = 0;
  for (size_t at = 1 + random_below(step); at < length; at += 1 + random_below(step)) {
    cuts[count++] = at;
  }
  return count;
}

static void low_limits(const feed *to) {
  static const uint32_t limits[][2] = {{PORTHOLE_LIMIT_LINE, 44},    {PORTHOLE_LIMIT_HEADERS, 3},          {PORTHOLE_LIMIT_HEAD, 120},
                                       {PORTHOLE_LIMIT_INTERIM, 1}, {PORTHOLE_LIMIT_TRAILERS, 1},         {PORTHOLE_LIMIT_BODY, 12},
                                       {PORTHOLE_LIMIT_CHUNK_EXTENSION, 6}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    assert_int_equal(porthole_conn_set_limit(to->conn, limits[i][0], limits[i][1], 0), 0);
  }
}

static void mutants_are_the_same_at_random_splits(void **state) {
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
    heard whole = play(to, parent->method, input, length, NULL, 0);
    for (uint32_t step = 1; step <= 64; step *= 4) {
      size_t count = random_cuts(cuts, length, step);
      heard split = play(to, parent->method, input, length, cuts, count);
      assert_same(&whole, &split, input, length, cuts, count);
    }
  }
  feed_free(&ordinary);
  feed_free(&limited);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_pieces_are_one),
      cmocka_unit_test(mutants_are_the_same_at_random_splits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
