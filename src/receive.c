/* SPDX-License-Identifier: MIT
 *
 * Receiving: the receive buffer and the phases of a response.
 *
 * What the receive buffer holds, oldest first: the head of the response that was handed out (until it is let go of),
 * runs of body bytes that nobody has read yet, the trailer section, and `raw`, bytes that are not interpreted yet. `raw`
 * is contiguous, and the next bytes go right behind it. All this lies in the order of addresses but for one jump back to
 * the start of the buffer (`wrapped`).
 *
 *     [ free | head | run | run | raw | region for the next receive | free ]
 *     [ run | raw | region for the next receive | head | run | run | free ]        wrapped
 *
 * A region that was handed out stays where it is until it was filled, also when everything around it is consumed: the
 * kernel may be writing into it.
 */
#include "internal.h"

enum {
  REGION_MIN = 4096,   /* less room than this behind the newest bytes: go back to the start if there is more */
  REUSE_AFTER = 16384, /* between messages go back to the start when this much is free there: it is in the cache */
};

/* ---- errors ---- */

/** Notes which limit was passed. @returns error */
int32_t porthole__over(porthole_conn *conn, uint32_t limit, int32_t error) {
  conn->view.limit = conn->limits[limit];
  return error;
}

/** Ends the connection with an error of peer, limit or host; the first one stays. */
void porthole__fail(porthole_conn *conn, int32_t error) {
  if (conn->view.error == 0) {
    conn->view.error = error;
  }
  conn->view.flags |= PORTHOLE_UNUSABLE;
}

/* ---- runs ---- */

static void show_first_run(porthole_conn *conn) {
  const run *first = &conn->runs[conn->run_first];
  conn->view.body = conn->run_count > 0 ? first->offset : 0;
  conn->view.body_length = conn->run_count > 0 ? first->length : 0;
}

/** Makes a run longer by bytes that were moved behind it, and counts them as the body's. */
void porthole__extend_run(porthole_conn *conn, run *last, uint32_t length) {
  last->length += length;
  conn->view.available += length;
  conn->body_seen += length;
  show_first_run(conn);
}

/** Adds body bytes that lie in the receive buffer behind those that are there. */
void porthole__add_run(porthole_conn *conn, uint32_t offset, uint32_t length) {
  conn->view.available += length;
  if (conn->run_count > 0) {
    run *last = &conn->runs[(conn->run_first + conn->run_count - 1) % RUNS];
    uint32_t last_end = last->offset + last->length;
    if (offset == last_end) {
      last->length += length;
      show_first_run(conn);
      return;
    }
    /* Framing lies between them. Half of the places are kept for jumps to the start of the buffer. */
    if (offset > last_end && (length <= MERGE_MAX || conn->run_count >= RUNS / 2)) {
      porthole__move_down(conn->rx + last_end, conn->rx + offset, length);
      last->length += length;
      show_first_run(conn);
      return;
    }
  }
  conn->runs[(conn->run_first + conn->run_count) % RUNS] = (run){offset, length};
  conn->run_count++;
  show_first_run(conn);
}

/** Counts bytes of a body against its limit. @returns 0 or PORTHOLE_BODY_TOO_LARGE */
int32_t porthole__count_body(porthole_conn *conn, uint64_t length) {
  if (length > porthole__body_room(conn)) {
    conn->view.limit = conn->body_limit > UINT32_MAX ? UINT32_MAX : (uint32_t)conn->body_limit;
    return PORTHOLE_BODY_TOO_LARGE;
  }
  conn->body_seen += length;
  return 0;
}

/* ---- phases ---- */

static void set_left(porthole_conn *conn, uint64_t left) {
  conn->left = left;
  conn->view.left_low = (uint32_t)left;
  conn->view.left_high = (uint32_t)(left >> 32);
}

static void begin_response(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  view->phase = PORTHOLE_PHASE_HEAD;
  view->flags &= ~(uint32_t)(PORTHOLE_CHUNKED | PORTHOLE_HAS_LENGTH | PORTHOLE_WILL_CLOSE);
  view->status = 0;
  view->version = 0;
  view->head_length = 0;
  view->trailer_length = 0;
  conn->handed_out = false;
  conn->interims = 0;
  conn->body_seen = 0;
  set_left(conn, 0);
  porthole__head_begin(conn);
}

/** Notes that a request is on its way. */
void porthole__await(porthole_conn *conn, uint8_t due) {
  conn->due[conn->due_count++] = due;
  if (conn->view.phase == PORTHOLE_PHASE_NOTHING) {
    begin_response(conn);
  }
}

/** Turns the raw bytes of a complete head into view.head. */
static void take_head(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  uint32_t length = conn->line;
  view->head = view->raw;
  view->head_length = length;
  view->raw += length;
  view->raw_length -= length;
  conn->head_kept = true;
}

/** How the body is framed and whether the connection goes on: RFC 9112 sections 6.3 and 9.3. @returns 0 or an error */
static int32_t decide_framing(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  const framing *facts = &conn->framing;
  bool persistent = view->version == 11 || facts->keep_alive || facts->old_keep_alive;
  uint32_t flags = facts->close || !persistent ? PORTHOLE_WILL_CLOSE : 0;
  if (facts->chunked) {
    flags |= PORTHOLE_CHUNKED;
  }

  bool tunnel = view->status == 101 || ((conn->due[0] & DUE_CONNECT) && view->status / 100 == 2);
  bool bodiless = (conn->due[0] & DUE_HEAD) || view->status / 100 == 1 || view->status == 204 || view->status == 304;
  if (tunnel) {
    view->phase = PORTHOLE_PHASE_TUNNEL;
    flags = (flags & ~(uint32_t)PORTHOLE_WILL_CLOSE) | PORTHOLE_HAS_LENGTH | PORTHOLE_UNUSABLE;
  } else if (bodiless) {
    view->phase = PORTHOLE_PHASE_END;
    flags |= PORTHOLE_HAS_LENGTH;
  } else if (facts->error != 0) {
    return facts->error;
  } else if (facts->encoded) {
    if (facts->has_length) {
      return PORTHOLE_LENGTH_AND_ENCODING;
    }
    if (!facts->chunked) {
      return PORTHOLE_UNKNOWN_TRANSFER_ENCODING;
    }
    if (view->version == 10) {
      flags |= PORTHOLE_WILL_CLOSE;
    }
    view->phase = PORTHOLE_PHASE_CHUNKED;
    conn->chunk = CHUNK_SIZE;
    conn->chunk_line = 0;
    conn->chunk_extensions = 0;
  } else if (facts->has_length) {
    int32_t error = porthole__count_body(conn, facts->length);
    if (error != 0) {
      return error;
    }
    flags |= PORTHOLE_HAS_LENGTH;
    set_left(conn, facts->length);
    view->phase = facts->length == 0 ? PORTHOLE_PHASE_END : PORTHOLE_PHASE_LENGTH;
  } else {
    flags |= PORTHOLE_WILL_CLOSE;
    view->phase = PORTHOLE_PHASE_CLOSE;
  }
  if (flags & PORTHOLE_WILL_CLOSE) {
    flags |= PORTHOLE_UNUSABLE;
  }
  view->flags |= flags;
  view->keep_alive = facts->has_timeout ? facts->timeout : UINT32_MAX;
  return 0;
}

static void message_complete(porthole_conn *conn) {
  conn->view.phase = PORTHOLE_PHASE_END;
  set_left(conn, 0);
}

/** What the end of the stream means while a head is due (RFC 9112 section 8). */
static int32_t cut_head(const porthole_conn *conn) {
  if (conn->status_read) {
    return PORTHOLE_HEAD_CUT;
  }
  return conn->view.raw_length == 0 && !conn->empty_line_read ? PORTHOLE_REMOTE_DISCONNECTED : PORTHOLE_BAD_STATUS_LINE;
}

/** What the end of the stream means for what is under way (RFC 9112 section 8). @returns PORTHOLE_EVENT_END, 0 or an error */
static int32_t stream_over(porthole_conn *conn) {
  int32_t error;
  switch ((porthole_phase)conn->view.phase) {
  case PORTHOLE_PHASE_CLOSE:
    error = conn->late_error;
    if (error == 0) {
      message_complete(conn);
      return PORTHOLE_EVENT_END;
    }
    break;
  case PORTHOLE_PHASE_HEAD:
    if (conn->interim) {
      return 0; /* the head after it is found missing when porthole_conn_resume looks for it */
    }
    error = cut_head(conn);
    break;
  case PORTHOLE_PHASE_LENGTH:
  case PORTHOLE_PHASE_CHUNKED:
    error = PORTHOLE_BODY_CUT;
    break;
  case PORTHOLE_PHASE_TRAILERS:
    error = PORTHOLE_TRAILER_CUT;
    break;
  case PORTHOLE_PHASE_NOTHING:
  case PORTHOLE_PHASE_END:
  case PORTHOLE_PHASE_TUNNEL:
  default:
    return 0;
  }
  if (conn->late_error != 0) {
    error = conn->late_error;
  }
  porthole__fail(conn, error);
  return error;
}

/** Reads a head out of the raw bytes. @returns PORTHOLE_EVENT_* bits, 0 when more is needed, or an error */
static int32_t advance_head(porthole_conn *conn) {
  if (conn->interim) {
    return 0;
  }
  int32_t result = porthole__head_read(conn);
  if (result <= 0) {
    return result;
  }
  take_head(conn);
  if (conn->view.status / 100 == 1 && conn->view.status != 101) {
    if (++conn->interims > conn->limits[PORTHOLE_LIMIT_INTERIM]) {
      return porthole__over(conn, PORTHOLE_LIMIT_INTERIM, PORTHOLE_TOO_MANY_INTERIM);
    }
    conn->interim = true;
    return PORTHOLE_EVENT_INTERIM;
  }
  result = decide_framing(conn);
  if (result < 0) {
    return result;
  }
  bool complete = conn->view.phase == PORTHOLE_PHASE_END;
  return complete ? PORTHOLE_EVENT_HEAD | PORTHOLE_EVENT_END : PORTHOLE_EVENT_HEAD;
}

/** Takes raw bytes as a body's, up to `left`. */
static void take_body(porthole_conn *conn, uint64_t left) {
  porthole_view *view = &conn->view;
  uint32_t length = view->raw_length < left ? view->raw_length : (uint32_t)left;
  if (length > 0) {
    porthole__add_run(conn, view->raw, length);
    view->raw += length;
    view->raw_length -= length;
  }
}

/** Interprets raw bytes as far as they go. @returns PORTHOLE_EVENT_* bits or an error */
static int32_t advance(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  uint32_t before = view->available;
  int32_t events = 0;
  for (;;) {
    uint32_t phase = view->phase;
    int32_t result = 0;
    switch ((porthole_phase)phase) {
    case PORTHOLE_PHASE_NOTHING:
      break;
    case PORTHOLE_PHASE_HEAD:
      result = advance_head(conn);
      if (result > 0) {
        events |= result;
      }
      break;
    case PORTHOLE_PHASE_LENGTH: {
      uint32_t available = view->available;
      take_body(conn, conn->left);
      set_left(conn, conn->left - (view->available - available));
      if (conn->left == 0) {
        message_complete(conn);
        events |= PORTHOLE_EVENT_END;
      }
      break;
    }
    case PORTHOLE_PHASE_CHUNKED:
      result = porthole__chunks_read(conn);
      set_left(conn, conn->left);
      if (result == 1) {
        view->phase = PORTHOLE_PHASE_TRAILERS;
        porthole__trailers_begin(conn);
      }
      break;
    case PORTHOLE_PHASE_TRAILERS:
      result = porthole__trailers_read(conn);
      if (result == 1) {
        view->raw += conn->line;
        view->raw_length -= conn->line;
        conn->trailer_kept = view->trailer_length > 0;
        message_complete(conn);
        events |= PORTHOLE_EVENT_END;
      }
      break;
    case PORTHOLE_PHASE_CLOSE: {
      uint32_t available = view->available;
      take_body(conn, porthole__body_room(conn));
      conn->body_seen += view->available - available;
      if (view->raw_length > 0) {
        result = porthole__count_body(conn, view->raw_length);
      }
      break;
    }
    case PORTHOLE_PHASE_END:
    case PORTHOLE_PHASE_TUNNEL:
      break;
    }
    if (result < 0) {
      porthole__fail(conn, result);
      return result;
    }
    if (view->phase == phase) {
      break;
    }
  }
  if (view->flags & PORTHOLE_ENDED) { /* what waited behind the response before was the last */
    int32_t result = stream_over(conn);
    if (result < 0) {
      return result;
    }
    events |= result;
  }
  if (view->available > before) {
    events |= PORTHOLE_EVENT_BODY;
  }
  bool nothing_due = view->phase == PORTHOLE_PHASE_NOTHING ||
                     (view->phase == PORTHOLE_PHASE_END && conn->due_count < 2);
  if (nothing_due && view->raw_length > 0) {
    view->flags |= PORTHOLE_STRAY | PORTHOLE_UNUSABLE;
    events |= PORTHOLE_EVENT_STRAY;
  }
  return events;
}

/* ---- the receive buffer ---- */

/** The offset of the oldest byte that is still needed, the head aside. @returns false when there is none */
static bool oldest(const porthole_conn *conn, uint32_t *offset) {
  const porthole_view *view = &conn->view;
  if (conn->run_count > 0) {
    *offset = conn->runs[conn->run_first].offset;
  } else if (conn->trailer_kept) {
    *offset = view->trailer;
  } else if (view->raw_length > 0) {
    *offset = view->raw;
  } else {
    return false;
  }
  return true;
}

/** Moves a head that is kept to the start of the buffer, once nothing lies below. @returns where the room begins */
static uint32_t settle_head(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  if (!conn->head_kept) {
    return 0;
  }
  porthole__move_down(conn->rx, conn->rx + view->head, view->head_length);
  view->head = 0;
  return view->head_length;
}

/** Finds room for the next bytes: from conn->end up to the offset that is returned. */
static uint32_t find_room(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  uint32_t first = 0;
  if (!oldest(conn, &first)) {
    conn->end = settle_head(conn);
    conn->wrapped = false;
    return conn->rx_size;
  }
  if (conn->wrapped && first < conn->end) {
    conn->wrapped = false; /* what lay above has been consumed */
  }
  if (conn->wrapped) {
    return first;
  }
  uint32_t room = conn->rx_size - conn->end;
  uint32_t start = conn->head_kept ? view->head + view->head_length : 0;
  if (view->raw_length == 0) {
    bool between = view->phase == PORTHOLE_PHASE_NOTHING || view->phase == PORTHOLE_PHASE_HEAD ||
                   view->phase == PORTHOLE_PHASE_END;
    bool low_is_free = start <= first && first - start > 0;
    if (low_is_free && ((between && first >= REUSE_AFTER) || (room < REGION_MIN && first - start > room))) {
      conn->end = start;
      conn->wrapped = true;
      return first;
    }
    if (between && conn->end < REUSE_AFTER && conn->rx_size > 4 * REUSE_AFTER) {
      conn->end = REUSE_AFTER; /* small messages take turns between two places, which a host can keep views of */
    }
  } else if (room < REGION_MIN && first == view->raw) {
    /* A head or a trailer section has to grow: nothing but a kept head lies below it. */
    start = settle_head(conn);
    porthole__move_down(conn->rx + start, conn->rx + view->raw, view->raw_length);
    view->raw = start;
    conn->end = start + view->raw_length;
  }
  return conn->rx_size;
}

int32_t porthole_conn_region(porthole_conn *conn, uint32_t *offset, uint32_t *length) {
  REFUSE_REENTRY(conn);
  if (conn->view.error != 0) {
    return conn->view.error;
  }
  if (conn->pending_length == 0) {
    if (conn->run_count >= RUNS - 2) {
      return PORTHOLE_WANT_SPACE;
    }
    uint32_t room = find_room(conn) - conn->end;
    bool makes_room = conn->run_count > 0 || conn->view.phase == PORTHOLE_PHASE_END;
    if (room == 0 && (makes_room || conn->view.phase == PORTHOLE_PHASE_TUNNEL)) {
      return PORTHOLE_WANT_SPACE;
    }
    if (room == 0) {
      /* Nothing will make room: a head that was not let go of, and a large trailer section. */
      int32_t error = porthole__over(conn, PORTHOLE_LIMIT_HEAD, PORTHOLE_HEAD_TOO_LARGE);
      porthole__fail(conn, error);
      return error;
    }
    /* Half of the buffer at most: the other half takes the next bytes while these are read. */
    conn->pending = conn->end;
    conn->pending_length = room < conn->rx_size / 2 ? room : conn->rx_size / 2;
  }
  *offset = conn->pending;
  *length = conn->pending_length;
  return 0;
}

int32_t porthole_conn_filled(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (view->error != 0) {
    return view->error;
  }
  if (length == 0 || length > conn->pending_length) {
    porthole__fail(conn, PORTHOLE_HOST_LIED);
    return PORTHOLE_HOST_LIED;
  }
  if (view->raw_length == 0) {
    view->raw = conn->pending;
  }
  view->raw_length += (uint32_t)length;
  conn->end = conn->pending + (uint32_t)length;
  conn->pending_length = 0;
  return advance(conn);
}

int32_t porthole_conn_ended(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (view->error != 0) {
    return view->error;
  }
  conn->pending_length = 0;
  view->flags |= PORTHOLE_ENDED | PORTHOLE_UNUSABLE;
  return stream_over(conn);
}

void porthole_conn_failed(porthole_conn *conn, int32_t error) {
  if (conn->in_host) {
    return;
  }
  uint32_t phase = conn->view.phase;
  conn->pending_length = 0;
  conn->view.flags |= PORTHOLE_ENDED | PORTHOLE_UNUSABLE;
  bool complete = phase == PORTHOLE_PHASE_NOTHING || phase == PORTHOLE_PHASE_END || phase == PORTHOLE_PHASE_TUNNEL;
  if (complete || conn->interim) {
    conn->late_error = error;
  } else {
    porthole__fail(conn, error);
  }
}

/* ---- the reader's side ---- */

int32_t porthole_conn_resume(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  if (conn->view.error != 0) {
    return conn->view.error;
  }
  if (conn->interim) {
    uint32_t interims = conn->interims;
    conn->interim = false;
    conn->head_kept = false;
    begin_response(conn);
    conn->interims = interims;
  }
  return advance(conn);
}

int32_t porthole_conn_accept(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (view->state != PORTHOLE_REQUEST_SENT || (view->flags & PORTHOLE_OPEN) || conn->handed_out) {
    return PORTHOLE_RESPONSE_NOT_READY;
  }
  if (view->phase == PORTHOLE_PHASE_HEAD) {
    return view->error != 0 ? view->error : PORTHOLE_WANT_READ;
  }
  view->state = PORTHOLE_IDLE;
  view->flags |= PORTHOLE_OPEN;
  conn->handed_out = true;
  /* A request that was cut off, or not what it announced: whatever the peer makes of it, no other can follow. */
  if (view->sending || conn->raw_excess || (conn->mode == SEND_LENGTH && conn->to_send > 0)) {
    view->flags |= PORTHOLE_UNUSABLE;
  }
  view->sending = 0;
  return 0;
}

void porthole_conn_release(porthole_conn *conn) {
  if (conn->in_host) {
    return;
  }
  conn->head_kept = false;
  conn->trailer_kept = false;
}

int32_t porthole_conn_consume(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (length > view->available) {
    return PORTHOLE_HOST_LIED;
  }
  view->available -= (uint32_t)length;
  while (length > 0) {
    run *first = &conn->runs[conn->run_first];
    uint32_t taken = length < first->length ? (uint32_t)length : first->length;
    first->offset += taken;
    first->length -= taken;
    length -= taken;
    if (first->length == 0) {
      conn->run_first = (conn->run_first + 1) % RUNS;
      conn->run_count--;
    }
  }
  show_first_run(conn);
  return 0;
}

uint32_t porthole_conn_direct(const porthole_conn *conn) {
  const porthole_view *view = &conn->view;
  if (view->raw_length > 0 || view->available > 0 || view->error != 0) {
    return 0;
  }
  uint64_t left = 0;
  if (view->phase == PORTHOLE_PHASE_LENGTH || (view->phase == PORTHOLE_PHASE_CHUNKED && conn->chunk == CHUNK_DATA)) {
    left = conn->left;
  } else if (view->phase == PORTHOLE_PHASE_CLOSE) {
    left = porthole__body_room(conn);
  }
  return left > INT32_MAX ? INT32_MAX : (uint32_t)left;
}

int32_t porthole_conn_passed(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  if (length == 0) {
    return 0;
  }
  if (length > porthole_conn_direct(conn)) {
    porthole__fail(conn, PORTHOLE_HOST_LIED);
    return PORTHOLE_HOST_LIED;
  }
  if (conn->view.phase == PORTHOLE_PHASE_CLOSE) {
    conn->body_seen += length;
    return 0;
  }
  set_left(conn, conn->left - length);
  if (conn->left > 0) {
    return 0;
  }
  if (conn->view.phase == PORTHOLE_PHASE_CHUNKED) {
    conn->chunk = CHUNK_DATA_CR;
    return 0;
  }
  message_complete(conn);
  return PORTHOLE_EVENT_END;
}

int32_t porthole_conn_finish(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (!(view->flags & PORTHOLE_OPEN)) {
    return 0;
  }
  view->flags &= ~(uint32_t)PORTHOLE_OPEN;
  porthole_conn_release(conn);
  if (view->phase != PORTHOLE_PHASE_END || view->error != 0) {
    view->flags |= PORTHOLE_UNUSABLE;
    return 0;
  }
  porthole_conn_consume(conn, view->available);
  conn->due[0] = conn->due[1];
  conn->due_count--;
  view->phase = PORTHOLE_PHASE_NOTHING;
  if (conn->due_count > 0) {
    begin_response(conn);
  }
  return advance(conn);
}
