/* SPDX-License-Identifier: MIT
 *
 * The receive buffer. What it holds, oldest first: the head of the response that was handed out (until it is let go of),
 * runs of body bytes that nobody has read yet, the trailer section, and `raw`, bytes that are not interpreted yet. `raw`
 * is contiguous, and the next bytes go right behind it. All this lies in the order of addresses but for one jump back to
 * the start of the buffer (`wrapped`).
 *
 *     [ free | head | run | run | raw | region for the next receive | free ]
 *     [ run | raw | region for the next receive | head | run | run | free ]        wrapped
 *
 * A region that was handed out stays where it is until it was filled or given back, also when everything around it is
 * consumed: the kernel may be writing into it.
 */
#include "buffer.h"

enum {
  MERGE_MAX = 1024,    /* a run up to this size is moved next to the one before it: cheaper than one more run to copy */
  REGION_MIN = 4096,   /* less room than this behind the newest bytes: go back to the start if there is more */
  REUSE_AFTER = 16384, /* between messages go back to the start when this much is free there: it is in the cache */
};

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
    return porthole__over(conn, PORTHOLE_LIMIT_BODY, PORTHOLE_BODY_TOO_LARGE);
  }
  conn->body_seen += length;
  return 0;
}

/* ---- room ---- */

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

/**
 * Moves a head that is kept to the start of the buffer. Nothing lies below it: what comes after it goes behind it, also when
 * it goes back to the start (find_room).
 *
 * @returns where the room begins
 */
uint32_t porthole__settle_head(porthole_conn *conn) {
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
    conn->end = porthole__settle_head(conn);
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
  } else if (room < REGION_MIN && first == view->raw) {
    /* A head or a trailer section has to grow: nothing but a kept head lies below it. */
    start = porthole__settle_head(conn);
    porthole__move_down(conn->rx + start, conn->rx + view->raw, view->raw_length);
    view->raw = start;
    conn->end = start + view->raw_length;
  }
  return conn->rx_size;
}

int32_t porthole_conn_region(porthole_conn *conn, uint32_t *offset, uint32_t *length) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_RECEIVE);
  if (refused != 0) {
    return refused;
  }
  if (conn->pending_length == 0) {
    if (conn->run_count >= RUNS - 2 || conn->rx == NULL) {
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

void porthole_conn_return_region(porthole_conn *conn) {
  if (!conn->in_host) {
    conn->pending_length = 0;
  }
}

int32_t porthole_conn_set_buffer(porthole_conn *conn, uint8_t *rx) {
  REFUSE_REENTRY(conn);
  const porthole_view *view = &conn->view;
  bool needed = view->phase != PORTHOLE_PHASE_NOTHING || view->raw_length > 0 || conn->run_count > 0;
  if (conn->rx != NULL && needed) {
    return PORTHOLE_WANT_SPACE;
  }
  porthole_conn_release(conn);
  conn->view.head_length = 0;
  conn->view.trailer_length = 0;
  conn->rx = rx;
  conn->end = 0;
  conn->pending_length = 0;
  conn->wrapped = false;
  return 0;
}

/* ---- the reader's side ---- */

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
