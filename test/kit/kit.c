/* SPDX-License-Identifier: MIT
 *
 * The conformance kit for hosts of porthole_host_v1: runs its tests and reports in TAP. test/kit/README.md says how.
 */
#include "kit.h"

#include "guest.h"

enum {
  OPENED = 256,
  COMPLAINTS = 5 /* of one test; more don't help */
};

static int32_t opened[OPENED];
static size_t opened_count;
static uint32_t complaints;

/* ---- expectations ---- */

/** Begins a line about what went wrong. @returns false when there have been enough of them */
static bool complain(const char *what, const char *file, int line) {
  const char *name = file;
  if (++complaints > COMPLAINTS) {
    return false;
  }
  for (; *file != '\0'; file++) {
    name = *file == '/' ? file + 1 : name;
  }
  guest_say("# ");
  guest_say(name);
  guest_say(":");
  guest_say_number(line);
  guest_say(": ");
  guest_say(what);
  return true;
}

bool kit_equal(int32_t got, int32_t wanted, const char *what, const char *file, int line) {
  return kit_one_of(got, &wanted, 1, what, file, line);
}

bool kit_one_of(int32_t got, const int32_t *wanted, size_t count, const char *what, const char *file, int line) {
  for (size_t i = 0; i < count; i++) {
    if (got == wanted[i]) {
      return true;
    }
  }
  if (!complain(what, file, line)) {
    return false;
  }
  guest_say(" is ");
  guest_say_number(got);
  for (size_t i = 0; i < count; i++) {
    guest_say(i == 0 ? ", not " : " or ");
    guest_say_number(wanted[i]);
  }
  guest_say("\n");
  return false;
}

bool kit_holds(bool holds, const char *what, const char *file, int line) {
  if (!holds && complain(what, file, line)) {
    guest_say(" does not hold\n");
  }
  return holds;
}

/* ---- what tests do ---- */

int32_t remember(int32_t handle) {
  if (handle > 0 && opened_count < OPENED) {
    opened[opened_count++] = handle;
  }
  return handle;
}

void hang_up(void) {
  while (opened_count > 0) {
    porthole_host_close(opened[--opened_count]);
  }
}

int32_t dial(const endpoint *to, uint32_t flags) {
  int32_t handle = porthole_host_open(to->host, to->host_length, to->port, flags, LONG);
  HOLDS(handle > 0);
  return remember(handle);
}

void ask(int32_t handle, const endpoint *of, const char *path) {
  char start[64];
  char head[256];
  start[append(start, append(start, 0, "GET "), path)] = '\0';
  size_t length = write_head(head, start, of->text);
  EQUAL(porthole_host_send_head(handle, (uint8_t *)head, length, LONG), (int32_t)length);
}

int32_t fetch(const char *path) {
  int32_t handle = dial(&given.plain, 0);
  ask(handle, &given.plain, path);
  return handle;
}

int32_t fetch_tls(const char *path) {
  int32_t handle = dial(&given.tls, PORTHOLE_OPEN_TLS);
  EQUAL(porthole_host_start_tls(handle, given.tls.host, given.tls.host_length, PORTHOLE_TLS_ALPN_HTTP1, LONG), 0);
  ask(handle, &given.tls, path);
  return handle;
}

void send_all(int32_t handle, const uint8_t *data, size_t length) {
  while (length > 0) {
    int32_t sent = porthole_host_send(handle, data, length, LONG);
    if (!HOLDS(sent > 0 && (size_t)sent <= length)) {
      return;
    }
    data += sent;
    length -= (size_t)sent;
  }
}

int32_t receive_all(int32_t handle, uint8_t *to, size_t length) {
  size_t done = 0;
  while (done < length) {
    int32_t got = porthole_host_recv(handle, to + done, length - done, LONG);
    if (got < 0) {
      return got;
    }
    if (got == 0 || !HOLDS((size_t)got <= length - done)) {
      break;
    }
    done += (size_t)got;
  }
  return (int32_t)done;
}

uint8_t pattern(size_t at) { return (uint8_t)('a' + at % 23); }

bool is_pattern(const uint8_t *bytes, size_t length, size_t from) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] != pattern(from + i)) {
      return false;
    }
  }
  return true;
}

/* ---- running ---- */

/** The tables for this host, ended by NULL. */
static const test *const *tables(void) {
  static const test *all[9] = {tests_of_open,   tests_of_handles, tests_of_bytes,
                               tests_of_memory, tests_of_wait,    tests_of_info};
  all[6] = given.tls.host != NULL ? tests_of_tls : tests_without_tls;
  all[7] = given.denied.host != NULL ? tests_of_policy : NULL;
  return all;
}

static uint32_t count_tests(void) {
  uint32_t count = 0;
  for (const test *const *table = tables(); *table != NULL; table++) {
    for (const test *one = *table; one->run != NULL; one++) {
      count++;
    }
  }
  return count;
}

static const test *find_test(uint32_t index) {
  for (const test *const *table = tables(); *table != NULL; table++) {
    for (const test *one = *table; one->run != NULL; one++) {
      if (index-- == 0) {
        return one;
      }
    }
  }
  return NULL;
}

static void run_test(const test *one, uint32_t number) {
  complaints = 0;
  one->run();
  hang_up();
  guest_say(complaints > 0 ? "not ok " : "ok ");
  guest_say_number(number);
  guest_say(" - ");
  guest_say(one->name);
  guest_say("\n");
}

int32_t guest_run(void) {
  static uint32_t done;
  static bool any_failed;
  guest_begin();
  if (done == 0) {
    read_arguments();
    if (given.plain.host == NULL || given.silent.host == NULL || given.nobody.host == NULL) {
      guest_say("Bail out! plain=, silent= and nobody= are needed: host:port\n");
      return 2;
    }
    guest_say("TAP version 13\n1..");
    guest_say_number(count_tests());
    guest_say("\n");
  }
  const test *next = find_test(done);
  if (next == NULL) {
    return any_failed;
  }
  run_test(next, ++done);
  any_failed = any_failed || complaints > 0;
  return GUEST_MORE;
}
