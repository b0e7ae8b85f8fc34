/* SPDX-License-Identifier: MIT
 *
 * The assertions of cmocka that the headers in test/core use, for programs where a failure has to end in abort().
 */
#ifndef FUZZ_CMOCKA_H
#define FUZZ_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>

#define fail_msg(...) (fprintf(stderr, __VA_ARGS__), fprintf(stderr, "\n%s:%d: failed\n", __FILE__, __LINE__), abort())
#define assert_true(condition) ((condition) ? (void)0 : fail_msg("%s", #condition))
#define assert_false(condition) assert_true(!(condition))
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_memory_equal(a, b, length) assert_true(memcmp((a), (b), (length)) == 0)
#define assert_non_null(pointer) assert_true((pointer) != NULL)

#endif
