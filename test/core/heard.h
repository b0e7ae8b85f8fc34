/* SPDX-License-Identifier: MIT
 *
 * What a caller learns of a response, by which two ways of receiving and reading it can be compared.
 */
#ifndef HEARD_H
#define HEARD_H

#include "feed.h"

#include <stdbool.h>

enum { HEARD_MAX = 1 << 17, TRAILER_MAX = 1 << 14 };

/* Everything that a caller learns of a response. */
typedef struct heard {
  int32_t head; /* the status, or the error instead of it */
  int32_t end;  /* 0, or the error of the body */
  uint32_t flags;
  uint32_t version;
  uint32_t interims;
  size_t body_length;
  size_t trailer_length;
  size_t text_length; /* head, body, trailer section and a line that was not understood, one after the other */
  uint8_t trailer[TRAILER_MAX];
  uint8_t text[HEARD_MAX];
} heard;

/* How an input is received and read; all zero: whole, and at once. */
typedef struct manner {
  const size_t *cuts; /* where pieces of it end, in rising order */
  size_t cut_count;
  uint32_t lazy; /* so many pieces in a row are received before the body bytes in them are read */
  bool direct;   /* body bytes are received elsewhere, where the connection says that they are */
} manner;

static bool heard_same(const heard *a, const heard *b) {
  return a->head == b->head && a->end == b->end && a->flags == b->flags && a->version == b->version &&
         a->interims == b->interims && a->body_length == b->body_length && a->text_length == b->text_length &&
         memcmp(a->text, b->text, a->text_length) == 0;
}

static void hear(heard *what, const uint8_t *bytes, size_t length) {
  assert_true(what->text_length + length <= HEARD_MAX);
  memcpy(what->text + what->text_length, bytes, length);
  what->text_length += length;
}

static void hear_body(heard *what, const uint8_t *bytes, size_t length) {
  hear(what, bytes, length);
  what->body_length += length;
}

static void assert_in_buffer(const feed *from, uint32_t offset, uint32_t length) {
  assert_true(offset <= from->rx_size && length <= from->rx_size - offset);
}

/** Whatever came: the view points into the receive buffer. */
static void assert_view(const feed *from) {
  const porthole_view *view = from->view;
  assert_true(view->phase <= PORTHOLE_PHASE_TUNNEL && view->state <= PORTHOLE_REQUEST_SENT);
  assert_true(view->error == 0 || porthole_error_text(view->error) != NULL);
  assert_true(view->head_length == 0 || (view->status >= 100 && view->status <= 999));
  assert_true(view->head_length == 0 || view->reason + view->reason_length < view->fields);
  assert_true(view->head_length == 0 || view->fields < view->head_length);
  assert_true(view->body_length <= view->available);
  assert_in_buffer(from, view->head, view->head_length);
  assert_in_buffer(from, view->body, view->body_length);
  assert_in_buffer(from, view->trailer, view->trailer_length);
  assert_in_buffer(from, view->raw, view->raw_length);
}

static void read_all(const feed *from, heard *what) {
  const porthole_view *view = from->view;
  while (what->head > 0 && view->body_length > 0) {
    hear_body(what, from->rx + view->body, view->body_length);
    assert_int_equal(porthole_conn_consume(from->conn, view->body_length), 0);
  }
}

/** Keeps the trailer section, which is in the receive buffer until it is let go of or the response is finished. */
static void keep_trailer(const feed *from, heard *what) {
  const porthole_view *view = from->view;
  if (view->phase == PORTHOLE_PHASE_END && what->trailer_length == 0) {
    assert_true(view->trailer_length <= TRAILER_MAX);
    memcpy(what->trailer, from->rx + view->trailer, view->trailer_length);
    what->trailer_length = view->trailer_length;
  }
}

/** Takes whatever the connection has to tell now, the body aside. */
static void listen_to(const feed *from, heard *what, int32_t *events) {
  const porthole_view *view = from->view;
  assert_view(from);
  while (*events >= 0 && (*events & PORTHOLE_EVENT_INTERIM)) {
    what->interims++;
    hear(what, from->rx + view->head, view->head_length);
    *events = porthole_conn_resume(from->conn);
    assert_view(from);
  }
  keep_trailer(from, what);
  if (what->head == 0 && porthole_conn_accept(from->conn) == 0) {
    what->head = (int32_t)view->status;
    what->version = view->version;
    hear(what, from->rx + view->head, view->head_length);
    porthole_conn_release(from->conn);
  }
}

/** Gives the connection some of these bytes. @returns how many */
static size_t give(const feed *to, const uint8_t *bytes, size_t length, bool direct, heard *what, int32_t *events) {
  size_t given = direct && what->head > 0 ? porthole_conn_direct(to->conn) : 0;
  if (given > 0) {
    given = given < length ? given : length;
    hear_body(what, bytes, given);
    *events = porthole_conn_passed(to->conn, given);
    return given;
  }
  *events = feed_some(to, bytes, length, &given);
  bool unread = to->view->phase != PORTHOLE_PHASE_TUNNEL && to->view->available > 0;
  if (*events == PORTHOLE_WANT_SPACE && !unread) {
    *events = 0; /* these bytes are of no response, and there is no room for more of them */
    return length;
  }
  if (*events == PORTHOLE_WANT_SPACE) {
    read_all(to, what);
    *events = feed_some(to, bytes, length, &given);
  }
  return given;
}

/** How much of a line that was not understood is told at every split: as much as shows that it is none of HTTP. */
static size_t told_of_line(const feed *from) {
  static const char name[] = "HTTP/";
  const porthole_view *view = from->view;
  size_t length = 0;
  while (length < view->raw_length && length < sizeof name - 1) {
    if (from->rx[view->raw + length] != (uint8_t)name[length]) {
      return length + 1;
    }
    length++;
  }
  return view->raw_length;
}

/** Plays a response to a request of a method, and then the end of the stream. `how` can be NULL. */
static void play(const feed *to, const char *method, const uint8_t *input, size_t length, const manner *how,
                 heard *what) {
  static const manner whole_at_once;
  how = how == NULL ? &whole_at_once : how;
  memset(what, 0, offsetof(heard, trailer));
  porthole_conn_reset(to->conn);
  assert_int_equal(feed_request(to, method), 0);
  int32_t events = 0;
  uint32_t unread = 0;
  size_t at = 0;
  for (size_t i = 0; i <= how->cut_count && events >= 0; i++) {
    size_t stop = i < how->cut_count ? how->cuts[i] : length;
    while (at < stop && events >= 0) {
      at += give(to, input + at, stop - at, how->direct, what, &events);
      listen_to(to, what, &events);
      if (++unread > how->lazy) {
        read_all(to, what);
        unread = 0;
      }
    }
  }
  if (events >= 0) {
    events = porthole_conn_ended(to->conn);
    listen_to(to, what, &events);
  }
  read_all(to, what);
  if (events < 0) {
    *(what->head > 0 ? &what->end : &what->head) = events;
  }
  const porthole_view *view = to->view;
  if (what->head > 0 && what->end == 0) {
    hear(what, what->trailer, what->trailer_length);
  }
  if (what->head == PORTHOLE_BAD_STATUS_LINE || what->head == PORTHOLE_UNKNOWN_PROTOCOL) {
    hear(what, to->rx + view->raw, told_of_line(to));
  }
  what->flags = view->flags & ~(uint32_t)PORTHOLE_ENDED; /* an error is sometimes known before the end is */
}

/** Random cuts in rising order. @returns how many */
static size_t random_cuts(size_t *cuts, size_t length, uint32_t step) {
  size_t count = 0;
  for (size_t at = 1 + random_below(step); at < length; at += 1 + random_below(step)) {
    cuts[count++] = at;
  }
  return count;
}

/** Limits that a short input can pass. */
static void low_limits(const feed *to) {
  static const uint32_t limits[][2] = {{PORTHOLE_LIMIT_LINE, 44},          {PORTHOLE_LIMIT_HEADERS, 3},
                                       {PORTHOLE_LIMIT_HEAD, 120},         {PORTHOLE_LIMIT_INTERIM, 1},
                                       {PORTHOLE_LIMIT_TRAILERS, 1},       {PORTHOLE_LIMIT_BODY, 12},
                                       {PORTHOLE_LIMIT_CHUNK_EXTENSION, 6}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    assert_int_equal(porthole_conn_set_limit(to->conn, limits[i][0], limits[i][1]), 0);
  }
}

#endif
