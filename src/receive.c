/* SPDX-License-Identifier: MIT
 *
 * Receiving: the phases of a response, and what it means for the request that it answers.
 */
#include "receive.h"

#include "chunked.h"
#include "head.h"

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
  conn->head_kept = false;
  conn->trailer_kept = false;
  conn->handed_out = false;
  conn->interim_count = 0;
  conn->body_seen = 0;
  set_left(conn, 0);
  porthole__head_begin(conn);
}

/** Notes that a request is on its way. */
void porthole__await(porthole_conn *conn, uint8_t due) {
  conn->due[conn->due_count++] = due;
  conn->view.flags &= ~(uint32_t)PORTHOLE_ANSWERED;
  if (conn->view.phase == PORTHOLE_PHASE_NOTHING) {
    begin_response(conn);
  }
}

/** Forgets the answer that made a tunnel: nothing is due, and the connection is as good as the transport. */
void porthole__leave_tunnel(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  conn->due_count = 0;
  conn->head_kept = false;
  conn->trailer_kept = false;
  conn->handed_out = false;
  view->phase = PORTHOLE_PHASE_NOTHING;
  view->keep_alive = UINT32_MAX;
  view->flags &= (uint32_t)PORTHOLE_ENDED;
  if (view->flags & PORTHOLE_ENDED) {
    view->flags |= PORTHOLE_UNUSABLE;
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
  const head_facts *facts = &conn->framing;
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
    porthole__chunks_begin(conn);
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
  return conn->view.error; /* that of a send which is not answered, where one has failed */
}

/** An interim response came: is it the 100 that the request under way waits for? It is the last of those due. */
static void note_interim(porthole_conn *conn) {
  if (conn->view.status == 100 && conn->due_count == 1) {
    conn->request.expects = false;
  }
}

/**
 * A final head came. Does it stop the upload that it answers? A close that is said does, and an answer in place of the 100
 * that the body waits for. A close that is only implied (HTTP/1.0, a body that runs to the close) doesn't.
 */
static void note_answer(porthole_conn *conn) {
  if (conn->due_count > 1) {
    return; /* it answers the one before */
  }
  conn->view.flags |= PORTHOLE_ANSWERED;
  if (conn->framing.close || conn->request.expects) {
    porthole__stop(conn);
  }
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
    if (++conn->interim_count > conn->limits[PORTHOLE_LIMIT_INTERIM]) {
      return porthole__over(conn, PORTHOLE_LIMIT_INTERIM, PORTHOLE_TOO_MANY_INTERIM);
    }
    note_interim(conn);
    conn->interim = true;
    return PORTHOLE_EVENT_INTERIM;
  }
  result = decide_framing(conn);
  if (result < 0) {
    return result;
  }
  note_answer(conn);
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
      return view->error;
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

/* ---- what the transport brings ---- */

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
    uint32_t interims = conn->interim_count;
    conn->interim = false;
    begin_response(conn);
    conn->interim_count = interims;
  }
  return advance(conn);
}

int32_t porthole_conn_accept(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  int32_t refused = porthole__allowed(conn->state, CALL_ACCEPT);
  if (refused != 0) {
    return refused;
  }
  if ((view->flags & PORTHOLE_OPEN) || conn->handed_out) {
    return PORTHOLE_RESPONSE_NOT_READY;
  }
  if (view->phase == PORTHOLE_PHASE_HEAD) {
    return view->error != 0 ? view->error : PORTHOLE_WANT_READ;
  }
  porthole__hand_out(conn);
  view->flags |= PORTHOLE_OPEN;
  conn->handed_out = true;
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
  if (view->phase != PORTHOLE_PHASE_END || view->error != 0) {
    view->flags |= PORTHOLE_UNUSABLE;
    porthole__stop(conn);
    return 0;
  }
  if (conn->due_count == 1 && view->status >= 400) {
    porthole__stop(conn); /* the server has said all that it will say, and it is no success */
  }
  porthole_conn_consume(conn, view->available);
  conn->due[0] = conn->due[1];
  conn->due_count--;
  view->phase = PORTHOLE_PHASE_NOTHING;
  view->flags &= ~(uint32_t)PORTHOLE_ANSWERED;
  if (conn->due_count > 0) {
    begin_response(conn);
  }
  return advance(conn);
}
