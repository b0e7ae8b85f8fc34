/* SPDX-License-Identifier: MIT
 *
 * porthole_host_open, and handles.
 */
#include "kit.h"

static int32_t open_at(const char *host, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  return remember(porthole_host_open(host, text_length(host), port, flags, timeout_ms));
}

/* ---- open ---- */

static void opens(void) {
  int32_t handle = porthole_host_open(given.plain.host, given.plain.host_length, given.plain.port, 0, LONG);
  HOLDS(handle > 0);
  porthole_host_close(handle);
}

static void opens_without_end(void) {
  HOLDS(remember(porthole_host_open(given.plain.host, given.plain.host_length, given.plain.port, 0, -1)) > 0);
}

static void opens_in_no_time(void) {
  EQUAL(porthole_host_open(given.plain.host, given.plain.host_length, given.plain.port, 0, 0), PORTHOLE_HOST_TIMED_OUT);
}

static void opens_by_family(void) {
  const uint32_t both = PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6;
  dial(&given.plain, PORTHOLE_OPEN_IPV4);
  dial(&given.plain, both);
  EQUAL(porthole_host_open(given.plain.host, given.plain.host_length, given.plain.port, PORTHOLE_OPEN_IPV6, LONG),
        PORTHOLE_HOST_NOT_FOUND);
}

static void opens_with_unknown_flags(void) {
  static const uint32_t flags[] = {8, 1U << 31, UINT32_MAX};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    EQUAL(open_at("127.0.0.1", given.plain.port, flags[i], LONG), PORTHOLE_HOST_UNSUPPORTED);
  }
}

static void opens_ports_that_are_none(void) {
  static const uint32_t ports[] = {65536, 65536 + 80, 1U << 31, UINT32_MAX};
  for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
    EQUAL(open_at("127.0.0.1", ports[i], 0, LONG), PORTHOLE_HOST_OTHER);
  }
}

static void opens_names_of_wrong_length(void) {
  static char name[300];
  for (size_t i = 0; i < sizeof name; i++) {
    name[i] = 'a';
  }
  EQUAL(porthole_host_open(name, 0, 80, 0, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_open(name, 256, 80, 0, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_open(name, SIZE_MAX, 80, 0, LONG), PORTHOLE_HOST_OTHER);
  HOLDS(is_host_error(porthole_host_open(name, 255, 80, 0, LONG)));
}

static void opens_what_is_no_name(void) {
  static const char names[][20] = {"127.0.0.1\0x", "127.0.0.1 ", " 127.0.0.1",   "127.0.0.1\n",      "[127.0.0.1]",
                                   "\xff\xfe",     "a b",        "127.0.0.1:80", "http://127.0.0.1/"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t length = i == 0 ? 11 : text_length(names[i]);
    HOLDS(is_host_error(remember(porthole_host_open(names[i], length, given.plain.port, 0, LONG))));
  }
}

static void opens_a_name_that_nobody_has(void) {
  ONE_OF(open_at("nobody.has.this.invalid", 80, 0, LONG), PORTHOLE_HOST_NOT_FOUND, PORTHOLE_HOST_DENIED);
}

static void opens_where_nobody_listens(void) {
  char words[PORTHOLE_INFO_MOST];
  EQUAL(porthole_host_open(given.nobody.host, given.nobody.host_length, given.nobody.port, 0, LONG),
        PORTHOLE_HOST_REFUSED);
  HOLDS(porthole_host_info(0, PORTHOLE_INFO_ERROR, words, sizeof words) > 0);
}

static void opens_many(void) {
  enum { MANY = 12 };
  int32_t handles[MANY];
  for (size_t i = 0; i < MANY; i++) {
    handles[i] = dial(&given.plain, 0);
    for (size_t k = 0; k < i; k++) {
      HOLDS(handles[k] != handles[i]);
    }
  }
}

const test tests_of_open[] = {
    {"open gives a handle above 0", opens},
    {"open with a negative timeout has the host's own limit", opens_without_end},
    {"open in no time is TIMED_OUT", opens_in_no_time},
    {"open takes the families of addresses that it is told", opens_by_family},
    {"open with unknown flags is UNSUPPORTED", opens_with_unknown_flags},
    {"open of a port above 65535 is OTHER", opens_ports_that_are_none},
    {"open of a name with no byte or more than 255 is OTHER", opens_names_of_wrong_length},
    {"open of what is no name fails", opens_what_is_no_name},
    {"open of a name without an address is NOT_FOUND, or DENIED", opens_a_name_that_nobody_has},
    {"open where nobody listens is REFUSED, and the host says why", opens_where_nobody_listens},
    {"connections that are open together have different handles", opens_many},
    {NULL, NULL},
};

/* ---- handles ---- */

/** Expects that nothing can be done by this number. */
static void expect_bad(int32_t handle) {
  uint8_t bytes[8] = {0};
  char text[8];
  int32_t pair[] = {handle, PORTHOLE_READABLE};
  EQUAL(porthole_host_send(handle, bytes, sizeof bytes, 0), PORTHOLE_HOST_BAD_HANDLE);
  EQUAL(porthole_host_send_head(handle, bytes, sizeof bytes, 0), PORTHOLE_HOST_BAD_HANDLE);
  EQUAL(porthole_host_recv(handle, bytes, sizeof bytes, 0), PORTHOLE_HOST_BAD_HANDLE);
  EQUAL(porthole_host_start_tls(handle, "a.example", 9, 0, 0), PORTHOLE_HOST_BAD_HANDLE);
  EQUAL(porthole_host_wait(pair, 1, 0), PORTHOLE_HOST_BAD_HANDLE);
  HOLDS(pair[0] == handle && pair[1] == PORTHOLE_READABLE);
  for (uint32_t what = handle == 0 ? 1 : 0; what < 6; what++) {
    EQUAL(porthole_host_info(handle, what, text, sizeof text), 0);
  }
  porthole_host_close(handle);
}

static void handles_that_were_never_given(void) {
  int32_t handle = dial(&given.plain, 0);
  static const int32_t numbers[] = {0, -1, -2, INT32_MIN, INT32_MAX, 0x10000, 0x40000000};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    expect_bad(numbers[i]);
  }
  expect_bad(handle + 1);
  expect_bad(-handle);
  EQUAL(porthole_host_recv(handle, (uint8_t[1]){0}, 1, 0), PORTHOLE_WANT_READ); /* the others left it alone */
}

static void handles_that_were_closed(void) {
  int32_t handle = dial(&given.plain, 0);
  porthole_host_close(handle);
  expect_bad(handle);
  for (int i = 0; i < 3; i++) {
    int32_t next = dial(&given.plain, 0);
    HOLDS(next != handle);
    expect_bad(handle);
    porthole_host_close(next);
    porthole_host_close(next);
  }
}

static void a_close_while_a_receive_is_pending(void) {
  static uint8_t region[64];
  int32_t handle = fetch("/later");
  EQUAL(porthole_host_recv(handle, region, sizeof region, 0), PORTHOLE_WANT_READ);
  porthole_host_close(handle);
  for (size_t i = 0; i < sizeof region; i++) {
    region[i] = 0xAA;
  }
  EQUAL(porthole_host_wait(NULL, 0, 3 * SHORT), 0); /* what the server says later comes meanwhile */
  dial(&given.plain, 0);
  for (size_t i = 0; i < sizeof region; i++) {
    HOLDS(region[i] == 0xAA);
  }
}

const test tests_of_handles[] = {
    {"numbers that are no handles are BAD_HANDLE everywhere", handles_that_were_never_given},
    {"a handle that was closed is BAD_HANDLE for good, and closing it again is nothing", handles_that_were_closed},
    {"close ends a pending receive, whose region is not touched again", a_close_while_a_receive_is_pending},
    {NULL, NULL},
};
