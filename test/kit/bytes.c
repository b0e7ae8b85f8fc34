/* SPDX-License-Identifier: MIT
 *
 * porthole_host_send_head, _send and _recv, and the clock that they are measured by.
 */
#include "kit.h"

enum { MUCH = 300000, BLOCK = 16384 };

static uint8_t memory[BLOCK];
static uint8_t back[BLOCK];

static bool took(uint32_t since, uint32_t least) {
  uint32_t passed = porthole_host_now() - since;
  return passed + TOLERANCE >= least && passed < LONG;
}

static void fill(uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    bytes[i] = pattern(i);
  }
}

/* ---- sending ---- */

static void sends_nothing(void) {
  EQUAL(porthole_host_send(fetch("/echo"), memory, 0, LONG), PORTHOLE_HOST_OTHER);
  EQUAL(porthole_host_send_head(dial(&given.plain, 0), memory, 0, LONG), PORTHOLE_HOST_OTHER);
}

static void sends_and_forgets(void) {
  int32_t handle = fetch("/echo");
  fill(memory, BLOCK);
  send_all(handle, memory, BLOCK);
  for (size_t i = 0; i < BLOCK; i++) {
    memory[i] = '!';
  }
  EQUAL(receive_all(handle, back, BLOCK), BLOCK);
  HOLDS(is_pattern(back, BLOCK, 0));
}

static void sends_a_long_head(void) {
  char *head = (char *)memory;
  int32_t handle = dial(&given.plain, 0);
  size_t length = append(head, 0, "GET /echo HTTP/1.1\r\nX-Long: ");
  while (length < BLOCK - 200) {
    head[length++] = 'x';
  }
  length = append(head, length, "\r\nHost: ");
  length = append(head, length, given.plain.text);
  length = append(head, length, "\r\n\r\n");
  EQUAL(porthole_host_send_head(handle, memory, length, LONG), (int32_t)length);
  send_all(handle, (const uint8_t *)"here", 4);
  EQUAL(receive_all(handle, back, 4), 4);
  HOLDS(back[0] == 'h' && back[3] == 'e');
}

static void sends_heads_one_after_another(void) {
  char head[256];
  int32_t handle = fetch("/kept");
  for (int i = 0; i < 3; i++) {
    EQUAL(receive_all(handle, back, 4), 4);
    HOLDS(is_pattern(back, 4, 0));
    size_t length = write_head(head, "GET /kept", given.plain.text);
    EQUAL(porthole_host_send_head(handle, (uint8_t *)head, length, LONG), (int32_t)length);
  }
}

/** Sends to a peer that reads nothing until no more is taken. */
static void fill_connection(int32_t handle) {
  int32_t sent = 1;
  for (size_t i = 0; i < 100000 && sent > 0; i++) {
    sent = porthole_host_send(handle, memory, BLOCK, 0);
    HOLDS(sent <= BLOCK);
  }
  EQUAL(sent, PORTHOLE_WANT_WRITE);
}

static void sends_to_who_reads_nothing(void) {
  int32_t handle = fetch("/deaf");
  fill_connection(handle);
  int32_t sent;
  uint32_t since;
  do { /* what is under way may still make some room */
    since = porthole_host_now();
    sent = porthole_host_send(handle, memory, BLOCK, SHORT);
  } while (sent > 0);
  EQUAL(sent, PORTHOLE_HOST_TIMED_OUT);
  HOLDS(took(since, SHORT));
}

static void sends_to_who_has_gone(void) {
  int32_t handle = fetch("/reset");
  int32_t sent = 1;
  EQUAL(porthole_host_wait((int32_t[]){handle, PORTHOLE_READABLE}, 1, LONG), 1);
  for (int i = 0; i < 1000 && (sent > 0 || sent == PORTHOLE_WANT_WRITE); i++) {
    sent = porthole_host_send(handle, memory, BLOCK, SHORT);
  }
  ONE_OF(sent, PORTHOLE_HOST_RESET, PORTHOLE_HOST_CLOSED);
}

/* ---- receiving ---- */

static void receives_nothing(void) {
  EQUAL(porthole_host_recv(fetch("/say/10"), memory, 0, LONG), PORTHOLE_HOST_OTHER);
}

static void receives_by_pieces(void) {
  uint8_t piece[5] = {0};
  int32_t handle = fetch("/end/1000");
  for (size_t at = 0; at < 1000;) {
    piece[3] = '#';
    int32_t got = porthole_host_recv(handle, piece, 3, LONG);
    if (!HOLDS(got >= 1 && got <= 3)) {
      return;
    }
    HOLDS(piece[3] == '#');
    HOLDS(is_pattern(piece, (size_t)got, at));
    at += (size_t)got;
  }
  EQUAL(porthole_host_recv(handle, piece, 3, LONG), 0);
  EQUAL(porthole_host_recv(handle, piece, 3, LONG), 0);
}

static void receives_much(void) {
  int32_t handle = fetch("/end/300000");
  size_t at = 0;
  int32_t got;
  while ((got = porthole_host_recv(handle, back, BLOCK, LONG)) > 0 && got <= BLOCK) {
    HOLDS(is_pattern(back, (size_t)got, at));
    at += (size_t)got;
  }
  EQUAL(got, 0);
  EQUAL((int32_t)at, MUCH);
}

static void receives_in_no_time(void) {
  int32_t handle = fetch("/later");
  uint32_t since = porthole_host_now();
  EQUAL(porthole_host_recv(handle, back, 8, 0), PORTHOLE_WANT_READ);
  HOLDS(porthole_host_now() - since < LONG / 2);
  EQUAL(porthole_host_recv(handle, back, 8, LONG), 1);
  EQUAL(back[0], pattern(0));
}

static void receives_in_vain(void) {
  int32_t handle = fetch("/silent");
  char words[PORTHOLE_INFO_MOST];
  uint32_t since = porthole_host_now();
  EQUAL(porthole_host_recv(handle, back, 8, SHORT), PORTHOLE_HOST_TIMED_OUT);
  HOLDS(took(since, SHORT));
  HOLDS(porthole_host_info(handle, PORTHOLE_INFO_ERROR, words, sizeof words) > 0);
}

static void receives_without_end(void) { EQUAL(porthole_host_recv(fetch("/later"), back, 8, -1), 1); }

static void receives_a_reset(void) { EQUAL(porthole_host_recv(fetch("/reset"), back, 8, LONG), PORTHOLE_HOST_RESET); }

static void receives_while_it_sends(void) {
  static uint8_t much[BLOCK];
  int32_t handle = fetch("/echo");
  size_t sent = 0;
  size_t received = 0;
  while (received < MUCH) {
    size_t left = MUCH - sent;
    for (size_t i = 0; i < BLOCK; i++) {
      much[i] = pattern(sent + i);
    }
    int32_t taken = left == 0 ? 0 : porthole_host_send(handle, much, left < BLOCK ? left : BLOCK, 0);
    int32_t got = porthole_host_recv(handle, back, BLOCK, 0);
    if (!HOLDS((taken >= 0 || taken == PORTHOLE_WANT_WRITE) && (got > 0 || got == PORTHOLE_WANT_READ))) {
      return;
    }
    if (taken <= 0 && got < 0) {
      int32_t pair[] = {handle, left == 0 ? PORTHOLE_READABLE : PORTHOLE_READABLE | PORTHOLE_WRITABLE};
      if (!EQUAL(porthole_host_wait(pair, 1, LONG), 1)) {
        return;
      }
    }
    sent += taken > 0 ? (size_t)taken : 0;
    HOLDS(got < 0 || is_pattern(back, (size_t)got, received));
    received += got > 0 ? (size_t)got : 0;
  }
}

static void asks_the_clock(void) {
  uint32_t first = porthole_host_now();
  for (int i = 0; i < 1000; i++) {
    uint32_t next = porthole_host_now();
    HOLDS(next - first < LONG);
    first = next;
  }
  uint32_t since = porthole_host_now();
  EQUAL(porthole_host_wait(NULL, 0, SHORT), 0);
  HOLDS(took(since, SHORT));
}

const test tests_of_bytes[] = {
    {"send and send_head of nothing are OTHER", sends_nothing},
    {"what was sent can be overwritten on return, and comes as it was", sends_and_forgets},
    {"send_head takes a long head whole", sends_a_long_head},
    {"send_head takes a second request on a kept connection", sends_heads_one_after_another},
    {"send in no time is WANT_WRITE when the peer reads nothing, and TIMED_OUT later", sends_to_who_reads_nothing},
    {"send to a peer that has gone is RESET or CLOSED", sends_to_who_has_gone},
    {"recv with no room is OTHER", receives_nothing},
    {"recv writes as far as there is room, in order, and answers 0 at the end", receives_by_pieces},
    {"recv brings a long stream whole", receives_much},
    {"recv in no time is WANT_READ, and the same receive answers later", receives_in_no_time},
    {"recv in vain is TIMED_OUT in its time, and the host says why", receives_in_vain},
    {"recv with a negative timeout waits", receives_without_end},
    {"recv from a peer that resets is RESET", receives_a_reset},
    {"a connection sends and receives at a time without one waiting for the other", receives_while_it_sends},
    {"the clock goes on with the time, and never back", asks_the_clock},
    {NULL, NULL},
};
