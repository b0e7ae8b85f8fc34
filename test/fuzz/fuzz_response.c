/* SPDX-License-Identifier: MIT
 *
 * Responses of any bytes: however they come and are read, the outcome is the same and keeps within the limits.
 *
 * Input: a byte of choices, two that seed the cuts, and the response.
 */
#include "fuzz.h"
#include "heard.h"

enum { INPUT_MAX = 16384, RX = 4096, LIMITED = 4, LAZY = 8, DIRECT = 16, LARGE_BUFFER = 32 };

static heard whole;
static heard split;
static size_t cuts[INPUT_MAX];

static void compare(const feed *to, const char *method, const source *from, const manner *how) {
  play(to, method, from->at, from->left, how, &split);
  if (!heard_same(&whole, &split)) {
    fail_msg("whole: head %d, end %d, flags %u, %zu bytes; split: head %d, end %d, flags %u, %zu bytes", whole.head,
             whole.end, whole.flags, whole.text_length, split.head, split.end, split.flags, split.text_length);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const methods[] = {"GET", "HEAD", "CONNECT", "POST"};
  source from = {data, size};
  uint8_t choices = take_byte(&from);
  seed = 1U + take_byte(&from);
  seed = seed << 8 | take_byte(&from);
  if (from.left > INPUT_MAX) {
    return 0;
  }
  const char *method = methods[choices % 4];
  feed to = feed_new(choices & LARGE_BUFFER ? 32 * RX : RX);
  if (choices & LIMITED) {
    low_limits(&to);
  }

  play(&to, method, from.at, from.left, NULL, &whole);
  assert_true(whole.head < 0 || whole.head >= 100);
  assert_true(whole.end <= 0);
  assert_true(whole.interims <= ((choices & LIMITED) ? 1 : 100));
  assert_true(!(choices & LIMITED) || whole.body_length <= 12);
  manner how = {cuts, random_cuts(cuts, from.left, 1U << seed % 9), (choices & LAZY) ? seed % 8 : 0,
                (choices & DIRECT) != 0};
  compare(&to, method, &from, &how);
  if (from.left <= 512) { /* byte by byte, which costs more */
    how.cut_count = random_cuts(cuts, from.left, 1);
    compare(&to, method, &from, &how);
  }
  feed_free(&to);
  return 0;
}
