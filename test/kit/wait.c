/* SPDX-License-Identifier: MIT
 *
 * porthole_host_wait and porthole_host_info.
 */
#include "kit.h"

enum { BOTH = PORTHOLE_READABLE | PORTHOLE_WRITABLE };

/* ---- wait ---- */

static void waits_for_a_write(void) {
  int32_t handle = fetch("/silent");
  int32_t pair[] = {handle, BOTH};
  EQUAL(porthole_host_wait(pair, 1, LONG), 1);
  EQUAL(pair[0], handle);
  EQUAL(pair[1], PORTHOLE_WRITABLE);
  pair[1] = PORTHOLE_WRITABLE;
  EQUAL(porthole_host_wait(pair, 1, 0), 1);
}

static void waits_for_a_read(void) {
  uint8_t byte[1];
  int32_t pair[] = {fetch("/later"), PORTHOLE_READABLE};
  EQUAL(porthole_host_wait(pair, 1, 0), 0);
  EQUAL(pair[1], 0);
  pair[1] = PORTHOLE_READABLE;
  EQUAL(porthole_host_wait(pair, 1, LONG), 1);
  EQUAL(pair[1], PORTHOLE_READABLE);
  EQUAL(porthole_host_recv(pair[0], byte, 1, 0), 1);
}

static void waits_without_end(void) {
  int32_t pair[] = {fetch("/later"), PORTHOLE_READABLE};
  EQUAL(porthole_host_wait(pair, 1, -1), 1);
}

static void waits_for_an_end(void) {
  uint8_t byte[1];
  int32_t pair[] = {fetch("/end/0"), PORTHOLE_READABLE};
  EQUAL(porthole_host_wait(pair, 1, LONG), 1);
  EQUAL(porthole_host_recv(pair[0], byte, 1, LONG), 0);
}

static void waits_in_vain(void) {
  int32_t pair[] = {fetch("/silent"), PORTHOLE_READABLE};
  uint32_t since = porthole_host_now();
  EQUAL(porthole_host_wait(pair, 1, SHORT), 0);
  HOLDS(porthole_host_now() - since + TOLERANCE >= SHORT);
  EQUAL(pair[1], 0);
}

static void waits_for_two(void) {
  int32_t list[] = {fetch("/silent"), PORTHOLE_READABLE, fetch("/later"), PORTHOLE_READABLE};
  EQUAL(porthole_host_wait(list, 2, LONG), 1);
  EQUAL(list[1], 0);
  EQUAL(list[3], PORTHOLE_READABLE);
}

static void waits_for_one_twice(void) {
  int32_t handle = fetch("/silent");
  int32_t list[] = {handle, PORTHOLE_READABLE, handle, PORTHOLE_WRITABLE, handle, BOTH};
  EQUAL(porthole_host_wait(list, 3, LONG), 2);
  EQUAL(list[1], 0);
  EQUAL(list[3], PORTHOLE_WRITABLE);
  EQUAL(list[5], PORTHOLE_WRITABLE);
}

static void waits_with_a_bad_handle(void) {
  int32_t handle = fetch("/say/1");
  int32_t list[] = {handle, BOTH, 123456789, PORTHOLE_READABLE};
  EQUAL(porthole_host_wait(list, 2, LONG), PORTHOLE_HOST_BAD_HANDLE);
  HOLDS(list[0] == handle && list[1] == BOTH && list[2] == 123456789 && list[3] == PORTHOLE_READABLE);
  EQUAL(receive_all(handle, (uint8_t[1]){0}, 1), 1);
}

static void waits_for_what_is_no_interest(void) {
  static const int32_t interests[] = {0, 4, 7, -1, INT32_MIN};
  int32_t handle = fetch("/say/1");
  for (size_t i = 0; i < sizeof interests / sizeof *interests; i++) {
    int32_t list[] = {handle, PORTHOLE_WRITABLE, handle, interests[i]};
    EQUAL(porthole_host_wait(list, 2, SHORT), PORTHOLE_HOST_OTHER);
    HOLDS(list[1] == PORTHOLE_WRITABLE && list[3] == interests[i]);
  }
  EQUAL(receive_all(handle, (uint8_t[1]){0}, 1), 1);
}

static void waits_for_nothing(void) {
  int32_t *nowhere = (int32_t *)(uintptr_t)UINT32_MAX;
  uint32_t since = porthole_host_now();
  EQUAL(porthole_host_wait(nowhere, 0, SHORT), 0);
  HOLDS(porthole_host_now() - since + TOLERANCE >= SHORT);
  EQUAL(porthole_host_wait(nowhere, 0, 0), 0);
}

const test tests_of_wait[] = {
    {"wait overwrites an interest by its bits that are ready", waits_for_a_write},
    {"wait in no time only looks, and with a time waits for bytes", waits_for_a_read},
    {"wait with a negative timeout waits for bytes", waits_without_end},
    {"wait takes the end of a stream for readable", waits_for_an_end},
    {"wait in vain is 0 in its time, with no bit left", waits_in_vain},
    {"wait for two tells which is ready", waits_for_two},
    {"wait counts pairs, also of one handle", waits_for_one_twice},
    {"wait with one bad handle is BAD_HANDLE, and leaves all as it is", waits_with_a_bad_handle},
    {"wait for what is no interest is OTHER, and leaves all as it is", waits_for_what_is_no_interest},
    {"wait for no pair waits for the time alone, and looks at no list", waits_for_nothing},
    {NULL, NULL},
};

/* ---- info ---- */

static bool is_text(const char *text, int32_t length, const char *wanted) {
  size_t known = text_length(wanted);
  for (size_t i = 0; i < known; i++) {
    if (text[i] != wanted[i]) {
      return false;
    }
  }
  return length == (int32_t)known;
}

static void tells_addresses(void) {
  char text[PORTHOLE_INFO_MOST];
  int32_t handle = dial(&given.plain, 0);
  HOLDS(is_text(text, porthole_host_info(handle, PORTHOLE_INFO_PEER, text, sizeof text), given.plain.text));
  int32_t length = porthole_host_info(handle, PORTHOLE_INFO_LOCAL, text, sizeof text);
  HOLDS(length > 2 && length < 30 && text[0] >= '0' && text[0] <= '9');
}

static void tells_nothing(void) {
  static const uint32_t what[] = {PORTHOLE_INFO_ERROR, PORTHOLE_INFO_TLS, PORTHOLE_INFO_ALPN, 5, 1000, 1U << 31,
                                  UINT32_MAX};
  char text[PORTHOLE_INFO_MOST] = "untouched";
  int32_t handle = dial(&given.plain, 0);
  for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
    EQUAL(porthole_host_info(handle, what[i], text, sizeof text), 0);
  }
  for (uint32_t i = 1; i < 6; i++) {
    EQUAL(porthole_host_info(0, i, text, sizeof text), 0);
  }
  HOLDS(is_text(text, 9, "untouched"));
}

static void tells_what_fits(void) {
  char text[PORTHOLE_INFO_MOST];
  int32_t handle = dial(&given.plain, 0);
  for (size_t i = 0; i < sizeof text; i++) {
    text[i] = '#';
  }
  EQUAL(porthole_host_info(handle, PORTHOLE_INFO_PEER, text, 0), 0);
  HOLDS(text[0] == '#');
  EQUAL(porthole_host_info(handle, PORTHOLE_INFO_PEER, text, 4), 4);
  HOLDS(text[0] == given.plain.text[0] && text[3] == given.plain.text[3] && text[4] == '#');
}

static void tells_one_line(void) {
  char text[2 * PORTHOLE_INFO_MOST];
  static char name[255];
  for (size_t i = 0; i < sizeof name; i++) {
    name[i] = i % 50 == 49 ? '\n' : '\x01';
  }
  HOLDS(is_host_error(porthole_host_open(name, sizeof name, 80, 0, LONG)));
  int32_t length = porthole_host_info(0, PORTHOLE_INFO_ERROR, text, sizeof text);
  HOLDS(length > 0 && length <= PORTHOLE_INFO_MOST);
  for (int32_t i = 0; i < length && i < (int32_t)sizeof text; i++) {
    HOLDS((uint8_t)text[i] >= ' ' && text[i] != '\x7f');
  }
}

const test tests_of_info[] = {
    {"info tells both addresses", tells_addresses},
    {"info has nothing to say about TLS in clear, what it doesn't know, and no failure", tells_nothing},
    {"info writes what fits", tells_what_fits},
    {"info tells a failure in one line of 200 bytes at most, without control characters", tells_one_line},
    {NULL, NULL},
};
