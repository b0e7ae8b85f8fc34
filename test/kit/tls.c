/* SPDX-License-Identifier: MIT
 *
 * porthole_host_start_tls, and bytes over TLS; or what a host without TLS answers.
 */
#include "kit.h"

enum { BLOCK = 16384, MUCH = 300000, ROUNDS = 50 };

static uint8_t back[BLOCK];

static int32_t start(int32_t handle, const endpoint *at, uint32_t flags, int32_t timeout_ms) {
  return porthole_host_start_tls(handle, at->host, at->host_length, flags, timeout_ms);
}

static int32_t start_named(int32_t handle, const char *name) {
  return porthole_host_start_tls(handle, name, text_length(name), PORTHOLE_TLS_ALPN_HTTP1, LONG);
}

static bool tells(int32_t handle, uint32_t what, const char *wanted) {
  char text[PORTHOLE_INFO_MOST];
  int32_t length = porthole_host_info(handle, what, text, sizeof text);
  bool same = length == (int32_t)text_length(wanted);
  for (int32_t i = 0; same && i < length; i++) {
    same = text[i] == wanted[i];
  }
  return same;
}

static void starts_at_once(void) {
  int32_t handle = dial(&given.tls, PORTHOLE_OPEN_TLS);
  EQUAL(start(handle, &given.tls, PORTHOLE_TLS_ALPN_HTTP1, LONG), 0);
  HOLDS(tells(handle, PORTHOLE_INFO_TLS, "TLSv1.3"));
  HOLDS(tells(handle, PORTHOLE_INFO_ALPN, "http/1.1"));
  HOLDS(tells(handle, PORTHOLE_INFO_PEER, given.tls.text));
}

static void starts_later(void) {
  int32_t handle = dial(&given.tls, 0);
  EQUAL(start(handle, &given.tls, 0, LONG), 0);
  HOLDS(tells(handle, PORTHOLE_INFO_TLS, "TLSv1.3"));
  ask(handle, &given.tls, "/end/5");
  EQUAL(receive_all(handle, back, BLOCK), 5);
  HOLDS(is_pattern(back, 5, 0));
}

static void starts_in_no_time(void) {
  int32_t handle = dial(&given.tls, PORTHOLE_OPEN_TLS);
  int32_t result = PORTHOLE_WANT_READ;
  for (int i = 0; i < ROUNDS && result == PORTHOLE_WANT_READ; i++) { /* wait does wait */
    result = start(handle, &given.tls, PORTHOLE_TLS_ALPN_HTTP1, 0);
    if (result == PORTHOLE_WANT_READ) {
      EQUAL(porthole_host_wait((int32_t[]){handle, PORTHOLE_READABLE}, 1, LONG), 1);
    }
  }
  EQUAL(result, 0);
  ask(handle, &given.tls, "/end/5");
  EQUAL(receive_all(handle, back, BLOCK), 5);
}

static void starts_in_vain(void) {
  uint32_t since = porthole_host_now();
  EQUAL(start(dial(&given.silent, PORTHOLE_OPEN_TLS), &given.silent, 0, SHORT), PORTHOLE_HOST_TIMED_OUT);
  HOLDS(porthole_host_now() - since + TOLERANCE >= SHORT);
  EQUAL(start(dial(&given.silent, 0), &given.silent, 0, SHORT), PORTHOLE_HOST_TIMED_OUT);
}

/** Expects that TLS fails with this, and for a reason. A host that begins by itself may know before the connection is handed out. */
static void expect_failure(const endpoint *with, int32_t code) {
  char words[PORTHOLE_INFO_MOST];
  int32_t handle = remember(porthole_host_open(with->host, with->host_length, with->port, PORTHOLE_OPEN_TLS, LONG));
  EQUAL(handle > 0 ? start(handle, with, 0, LONG) : handle, code);
  HOLDS(porthole_host_info(handle > 0 ? handle : 0, PORTHOLE_INFO_ERROR, words, sizeof words) > 0);
}

static void starts_with_who_has_no_tls(void) { expect_failure(&given.plain, PORTHOLE_HOST_TLS_HANDSHAKE); }

static void starts_with_who_is_not_trusted(void) { expect_failure(&given.untrusted, PORTHOLE_HOST_TLS_VERIFY); }

static void starts_with_another_name(void) {
  EQUAL(start_named(dial(&given.tls, PORTHOLE_OPEN_TLS), "other.example"), PORTHOLE_HOST_OTHER);
  ONE_OF(start_named(dial(&given.tls, 0), "other.example"), PORTHOLE_HOST_TLS_VERIFY, PORTHOLE_HOST_DENIED);
}

static void starts_with_unknown_flags(void) {
  EQUAL(start(dial(&given.tls, PORTHOLE_OPEN_TLS), &given.tls, 2, LONG), PORTHOLE_HOST_UNSUPPORTED);
  EQUAL(start(dial(&given.tls, 0), &given.tls, UINT32_MAX, LONG), PORTHOLE_HOST_UNSUPPORTED);
}

static void starts_with_names_that_are_none(void) {
  static char name[300];
  for (size_t i = 0; i < sizeof name; i++) {
    name[i] = 'a';
  }
  EQUAL(porthole_host_start_tls(dial(&given.tls, 0), name, 0, 0, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_start_tls(dial(&given.tls, 0), name, 256, 0, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_start_tls(dial(&given.tls, 0), name, SIZE_MAX, 0, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_start_tls(dial(&given.tls, 0), (char *)(uintptr_t)(UINT32_MAX - 3), 8, 0, LONG),
        PORTHOLE_HOST_OTHER);
}

static void starts_after_words_in_clear(void) {
  int32_t handle = fetch("/say/100");
  EQUAL(porthole_host_wait((int32_t[]){handle, PORTHOLE_READABLE}, 1, LONG), 1);
  ONE_OF(start(handle, &given.plain, 0, LONG), PORTHOLE_HOST_OTHER, PORTHOLE_HOST_TLS_HANDSHAKE, PORTHOLE_HOST_DENIED);
}

static void looks_right_after_the_handshake(void) {
  int32_t handle = fetch_tls("/silent");
  for (int i = 0; i < 3; i++) { /* the tickets of TLS 1.3 make a socket readable that has no bytes */
    EQUAL(porthole_host_recv(handle, back, BLOCK, 0), PORTHOLE_WANT_READ);
    porthole_host_wait((int32_t[]){handle, PORTHOLE_READABLE}, 1, SHORT);
  }
}

static void receives_much(void) {
  int32_t handle = fetch_tls("/end/300000");
  size_t at = 0;
  int32_t got;
  while ((got = porthole_host_recv(handle, back, 5000, LONG)) > 0) {
    HOLDS(is_pattern(back, (size_t)got, at));
    at += (size_t)got;
  }
  EQUAL(got, 0);
  EQUAL((int32_t)at, MUCH);
}

static void sends_much(void) {
  static uint8_t much[BLOCK];
  int32_t handle = fetch_tls("/echo");
  for (size_t done = 0; done < MUCH; done += BLOCK) {
    for (size_t i = 0; i < BLOCK; i++) {
      much[i] = pattern(done + i);
    }
    send_all(handle, much, BLOCK);
    EQUAL(receive_all(handle, back, BLOCK), BLOCK);
    HOLDS(is_pattern(back, BLOCK, done));
  }
}

static void waits_for_what_was_decrypted(void) {
  int32_t pair[] = {fetch_tls("/say/100"), PORTHOLE_READABLE};
  EQUAL(porthole_host_recv(pair[0], back, 1, LONG), 1);
  for (size_t i = 1; i < 100; i++) {
    pair[1] = PORTHOLE_READABLE;
    EQUAL(porthole_host_wait(pair, 1, LONG), 1);
    EQUAL(porthole_host_recv(pair[0], back + i, 1, LONG), 1);
  }
}

static void receives_in_vain(void) {
  uint32_t since = porthole_host_now();
  EQUAL(porthole_host_recv(fetch_tls("/silent"), back, BLOCK, SHORT), PORTHOLE_HOST_TIMED_OUT);
  HOLDS(porthole_host_now() - since + TOLERANCE >= SHORT);
}

static void sends_to_who_reads_nothing(void) {
  int32_t handle = fetch_tls("/deaf");
  int32_t sent = 1;
  for (size_t i = 0; i < 100000 && sent > 0; i++) {
    sent = porthole_host_send(handle, back, BLOCK, 0);
  }
  EQUAL(sent, PORTHOLE_WANT_WRITE);
}

const test tests_of_tls[] = {
    {"start_tls after OPEN_TLS speaks TLS 1.3 with ALPN", starts_at_once},
    {"start_tls on a connection that was opened in clear", starts_later},
    {"start_tls in no time is WANT_READ until the handshake is done", starts_in_no_time},
    {"start_tls with a peer that says nothing is TIMED_OUT", starts_in_vain},
    {"start_tls with a peer that has no TLS is TLS_HANDSHAKE, and the host says why", starts_with_who_has_no_tls},
    {"start_tls with a peer that isn't trusted is TLS_VERIFY, and the host says why", starts_with_who_is_not_trusted},
    {"start_tls with a name that was not opened is OTHER after OPEN_TLS, else TLS_VERIFY or DENIED",
     starts_with_another_name},
    {"start_tls with unknown flags is UNSUPPORTED", starts_with_unknown_flags},
    {"start_tls with a name of no byte, of more than 255 or outside of the memory is OTHER",
     starts_with_names_that_are_none},
    {"start_tls after the peer has said something in clear fails", starts_after_words_in_clear},
    {"recv in no time right after a handshake is WANT_READ", looks_right_after_the_handshake},
    {"recv brings a long stream whole over TLS", receives_much},
    {"send brings a long stream whole over TLS", sends_much},
    {"wait knows of bytes that were decrypted already", waits_for_what_was_decrypted},
    {"recv in vain over TLS is TIMED_OUT in its time", receives_in_vain},
    {"send in no time over TLS is WANT_WRITE when the peer reads nothing", sends_to_who_reads_nothing},
    {NULL, NULL},
};

static void has_no_tls(void) {
  EQUAL(porthole_host_open(given.plain.host, given.plain.host_length, given.plain.port, PORTHOLE_OPEN_TLS, LONG),
        PORTHOLE_HOST_UNSUPPORTED);
  EQUAL(start_named(dial(&given.plain, 0), "localhost"), PORTHOLE_HOST_UNSUPPORTED);
}

const test tests_without_tls[] = {
    {"TLS is UNSUPPORTED by a host without it", has_no_tls},
    {NULL, NULL},
};
