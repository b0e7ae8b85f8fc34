/* SPDX-License-Identifier: MIT
 *
 * The receive buffer: whatever is sent, received and read in whatever amounts, what comes out is what was sent. A seeded
 * generator makes streams of responses and drives one connection through each of them.
 */
#include "feed.h"

#include <stdbool.h>
#include <stdio.h>

enum { STREAMS = 600, RESPONSES = 4, BODY_MAX = 24000, STREAM_MAX = RESPONSES * (4 * BODY_MAX + 8192) };

/* A response of the stream, and where its parts are. */
typedef struct sent {
  size_t start; /* its first byte in the stream, interim responses included … */
  size_t head;  /* … that of its final head … */
  size_t head_length;
  size_t end; /* … and the byte after its last one */
  size_t trailer;
  size_t trailer_length;
  size_t body_length;
  uint8_t body[BODY_MAX];
} sent;

static uint8_t stream[STREAM_MAX];
static size_t stream_length;
static sent responses[RESPONSES];

/** A size that is tiny, small or large. */
static size_t random_size(uint32_t largest) {
  static const uint32_t bounds[] = {4, 40, 400, 4000, 40000};
  uint32_t bound = bounds[random_below(5)];
  return random_below(bound < largest ? bound : largest);
}

/* ---- what is sent ---- */

static void write_text(const char *text) {
  size_t length = strlen(text);
  memcpy(stream + stream_length, text, length);
  stream_length += length;
}

static void write_bytes(const uint8_t *bytes, size_t length) {
  memcpy(stream + stream_length, bytes, length);
  stream_length += length;
}

static void write_fields(size_t filler) {
  while (filler > 0) {
    size_t length = filler < 200 ? filler : 200;
    char line[232];
    snprintf(line, sizeof line, "X-Filler: %0*d\r\n", (int)length, 1);
    write_text(line);
    filler -= length;
  }
}

static void write_chunks(const sent *response) {
  char line[32];
  for (size_t at = 0; at < response->body_length;) {
    size_t size = 1 + random_size(5000);
    size = size < response->body_length - at ? size : response->body_length - at;
    snprintf(line, sizeof line, random_below(4) == 0 ? "%zX;x=y\r\n" : "%zx\r\n", size);
    write_text(line);
    write_bytes(response->body + at, size);
    write_text("\r\n");
    at += size;
  }
  write_text("0\r\n");
}

static void write_response(sent *response) {
  response->start = stream_length;
  if (random_below(4) == 0) {
    write_text("HTTP/1.1 103 Early Hints\r\n");
    write_fields(random_size(1000));
    write_text("\r\n");
  }
  response->head = stream_length;
  response->body_length = random_size(BODY_MAX);
  for (size_t i = 0; i < response->body_length; i++) {
    response->body[i] = (uint8_t)random_below(256);
  }
  bool chunked = random_below(2) == 0;
  char line[64];
  write_text("HTTP/1.1 200 OK\r\n");
  write_fields(random_size(1000));
  snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", response->body_length);
  write_text(chunked ? "Transfer-Encoding: chunked\r\n\r\n" : line);
  response->head_length = stream_length - response->head;
  response->trailer = 0;
  response->trailer_length = 0;
  if (chunked) {
    write_chunks(response);
    response->trailer = stream_length;
    write_fields(random_below(3) == 0 ? random_size(1000) : 0);
    response->trailer_length = stream_length - response->trailer;
    write_text("\r\n");
  } else {
    write_bytes(response->body, response->body_length);
  }
  response->end = stream_length;
}

/* ---- how it is received ---- */

/* How far a stream has come. */
typedef struct progress {
  const feed *to;
  size_t fed;      /* bytes of the stream that the connection has */
  size_t asked;    /* requests made */
  size_t answered; /* responses read to their end */
  size_t read;     /* bytes of the body under way */
  bool open;       /* the response under way was handed out … */
  bool kept;       /* … and its head was not let go of */
} progress;

/** A request can go out at any time, but only one before the response under way has been read. */
static void ask(progress *now) {
  if (now->asked < RESPONSES && now->to->view->state == PORTHOLE_IDLE) {
    assert_int_equal(feed_request(now->to, "GET"), 0);
    now->asked++;
  }
}

/** Nothing arrives that was not asked for. */
static size_t allowed(const progress *now) { return now->asked == 0 ? 0 : responses[now->asked - 1].end - now->fed; }

static void resume(progress *now, int32_t events) {
  while (events & PORTHOLE_EVENT_INTERIM) {
    const porthole_view *view = now->to->view;
    const sent *response = &responses[now->answered];
    assert_int_equal(view->status, 103);
    assert_int_equal(view->head_length, response->head - response->start);
    assert_memory_equal(now->to->rx + view->head, stream + response->start, view->head_length);
    events = porthole_conn_resume(now->to->conn);
    assert_true(events >= 0);
  }
}

/** Gives the next bytes to the receive buffer. @returns false when there was no room for any */
static bool receive(progress *now, size_t most) {
  size_t given = 0;
  size_t length = allowed(now);
  length = length < most ? length : most;
  if (length == 0) {
    return true;
  }
  int32_t events = feed_some(now->to, stream + now->fed, length, &given);
  if (events == PORTHOLE_WANT_SPACE) {
    return false;
  }
  assert_true(events >= 0);
  assert_false(events & PORTHOLE_EVENT_STRAY);
  now->fed += given;
  resume(now, events);
  return true;
}

/** Receives body bytes elsewhere, where the connection says that they are. */
static void pass(progress *now) {
  size_t length = porthole_conn_direct(now->to->conn);
  size_t there = allowed(now);
  length = length < there ? length : there;
  if (length == 0 || !now->open) {
    return;
  }
  length = 1 + random_below((uint32_t)length);
  assert_memory_equal(stream + now->fed, responses[now->answered].body + now->read, length);
  assert_true(porthole_conn_passed(now->to->conn, length) >= 0);
  now->fed += length;
  now->read += length;
}

static void check_head(const progress *now) {
  const porthole_view *view = now->to->view;
  const sent *response = &responses[now->answered];
  assert_int_equal(view->head_length, response->head_length);
  assert_memory_equal(now->to->rx + view->head, stream + response->head, view->head_length);
}

/** Hands a region out, which the next bytes go to, or takes it back. */
static void hand_out(const feed *to) {
  uint32_t offset = 0;
  uint32_t length = 0;
  if (porthole_conn_region(to->conn, &offset, &length) == 0) {
    assert_true(length > 0 && offset + length <= to->rx_size);
  }
  if (random_below(2) == 0) {
    porthole_conn_return_region(to->conn);
  }
}

static void read_body(progress *now, size_t most) {
  const porthole_view *view = now->to->view;
  size_t length = view->body_length < most ? view->body_length : most;
  if (now->open && length > 0) {
    assert_true(now->read + length <= responses[now->answered].body_length);
    assert_memory_equal(now->to->rx + view->body, responses[now->answered].body + now->read, length);
    assert_int_equal(porthole_conn_consume(now->to->conn, length), 0);
    now->read += length;
  }
}

/** Takes the response out, or finishes it, when it is time. */
static void take(progress *now) {
  const porthole_view *view = now->to->view;
  if (!now->open && view->phase > PORTHOLE_PHASE_HEAD && porthole_conn_accept(now->to->conn) == 0) {
    now->open = true;
    now->kept = true;
    now->read = 0;
  }
  if (now->open && now->kept) {
    check_head(now);
    if (view->phase < PORTHOLE_PHASE_END && random_below(3) == 0) {
      porthole_conn_release(now->to->conn);
      now->kept = false;
    }
  }
  if (now->open && view->phase == PORTHOLE_PHASE_END && view->available == 0) {
    const sent *response = &responses[now->answered];
    assert_int_equal(now->read, response->body_length);
    assert_int_equal(view->trailer_length, response->trailer_length);
    assert_memory_equal(now->to->rx + view->trailer, stream + response->trailer, response->trailer_length);
    now->open = false;
    now->answered++;
    resume(now, porthole_conn_finish(now->to->conn));
  }
}

static void drive(const feed *to) {
  progress now = {.to = to};
  size_t idle = 0;
  size_t fed = 0;
  while (now.answered < RESPONSES) {
    bool room = true;
    switch (random_below(6)) {
    case 0:
      ask(&now);
      break;
    case 1:
    case 2:
      room = receive(&now, 1 + random_size(STREAM_MAX));
      break;
    case 3:
      read_body(&now, 1 + random_size(BODY_MAX));
      break;
    case 4:
      hand_out(to);
      break;
    default:
      pass(&now);
      break;
    }
    assert_true(room || to->view->available > 0);
    take(&now);
    idle = now.fed == fed ? idle + 1 : 0;
    fed = now.fed;
    assert_true(idle < 10000);
  }
  assert_int_equal(now.fed, stream_length);
  assert_int_equal(to->view->flags & PORTHOLE_UNUSABLE, 0);
}

static void what_comes_out_is_what_was_sent(void **state) {
  (void)state;
  static const size_t sizes[] = {4096, 8192, 65536, 131072};
  for (uint32_t i = 0; i < STREAMS; i++) {
    seed = 88675123U + i * 2654435761U;
    seed = seed == 0 ? 1 : seed;
    stream_length = 0;
    for (size_t n = 0; n < RESPONSES; n++) {
      write_response(&responses[n]);
    }
    feed to = feed_new(sizes[i % 4]);
    drive(&to);
    feed_free(&to);
  }
}

/** The region that is handed out behind bytes is no longer where it was, once it was returned and they are read. */
static void a_region_that_was_returned_begins_where_there_is_room(void **state) {
  (void)state;
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n";
  feed to = feed_new(8192);
  uint32_t before = 0;
  uint32_t after = 0;
  uint32_t length = 0;
  size_t given = 0;
  assert_int_equal(feed_request(&to, "GET"), 0);
  assert_true(feed_some(&to, (const uint8_t *)head, sizeof head - 1, &given) >= 0);
  assert_int_equal(porthole_conn_accept(to.conn), 0);
  porthole_conn_release(to.conn);
  assert_true(feed_some(&to, stream, 2000, &given) >= 0);
  assert_int_equal(porthole_conn_region(to.conn, &before, &length), 0);
  assert_int_equal(porthole_conn_consume(to.conn, 2000), 0);
  assert_int_equal(porthole_conn_region(to.conn, &after, &length), 0);
  assert_int_equal(after, before);
  porthole_conn_return_region(to.conn);
  assert_int_equal(porthole_conn_region(to.conn, &after, &length), 0);
  assert_int_equal(after, 0);
  feed_free(&to);
}

/** A connection that rests needs no receive buffer; with nothing due, and nothing in it, it can be another one. */
static void the_buffer_of_a_connection_that_rests_can_be_taken(void **state) {
  (void)state;
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  feed to = feed_new(8192);
  uint8_t *other = malloc(to.rx_size);
  uint32_t offset = 0;
  uint32_t length = 0;
  size_t given = 0;
  assert_non_null(other);
  for (int32_t i = 0; i < 3; i++) {
    assert_int_equal(feed_request(&to, "GET"), 0);
    if (i == 0) {
      assert_int_equal(porthole_conn_set_buffer(to.conn, NULL), PORTHOLE_WANT_SPACE);
    } else {
      assert_int_equal(porthole_conn_region(to.conn, &offset, &length), PORTHOLE_WANT_SPACE);
      assert_int_equal(porthole_conn_set_buffer(to.conn, i == 1 ? other : to.rx), 0);
    }
    feed now = to;
    now.rx = i == 1 ? other : to.rx;
    assert_true(feed_some(&now, (const uint8_t *)answer, sizeof answer - 1, &given) >= 0);
    assert_int_equal(given, sizeof answer - 1);
    assert_int_equal(porthole_conn_set_buffer(to.conn, NULL), PORTHOLE_WANT_SPACE);
    assert_int_equal(porthole_conn_accept(to.conn), 0);
    assert_memory_equal(now.rx + to.view->body, "ok", 2);
    assert_int_equal(porthole_conn_consume(to.conn, 2), 0);
    assert_true(porthole_conn_finish(to.conn) >= 0);
    assert_int_equal(porthole_conn_set_buffer(to.conn, NULL), 0);
  }
  free(other);
  feed_free(&to);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_comes_out_is_what_was_sent),
      cmocka_unit_test(a_region_that_was_returned_begins_where_there_is_room),
      cmocka_unit_test(the_buffer_of_a_connection_that_rests_can_be_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
