/* SPDX-License-Identifier: MIT
 *
 * The calls that move bytes through the host (host.h): the only file that does.
 */
#include "internal.h"

/** Turns what the host returned below zero into an error of errors.def: other numbers are no errors that a host has. */
static int32_t host_error(int32_t result) {
  bool known = result <= PORTHOLE_HOST_REFUSED && result >= PORTHOLE_HOST_OTHER;
  return known ? result : PORTHOLE_HOST_LIED;
}

int32_t porthole_conn_open(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port,
                           int32_t timeout_ms) {
  REFUSE_REENTRY(conn);
  uint8_t scratch[AUTHORITY_MAX];
  int32_t error = porthole__authority(scratch, host, host_length, port, false);
  if (error < 0) {
    return error;
  }
  porthole_conn_close(conn);
  conn->in_host = true;
  int32_t handle = porthole_host_open((const char *)host, host_length, port, timeout_ms);
  conn->in_host = false;
  if (handle <= 0) {
    return host_error(handle);
  }
  conn->handle = handle;
  return 0;
}

/** A failure while sending: what the peer said before may still be readable, so only sending has ended. */
static int32_t send_failed(porthole_conn *conn, int32_t error) {
  conn->view.flags |= PORTHOLE_UNUSABLE;
  conn->view.tx_sent = conn->view.tx_length;
  return error;
}

/** porthole_host_wait */
static int32_t wait_for(porthole_conn *conn, uint32_t interest, int32_t timeout_ms) {
  conn->in_host = true;
  int32_t ready = porthole_host_wait(conn->handle, interest, timeout_ms);
  conn->in_host = false;
  return ready;
}

/** Gives bytes to the host. @returns how many it took, PORTHOLE_WANT_WRITE, or an error */
static int32_t host_send(porthole_conn *conn, const uint8_t *bytes, size_t length) {
  if (length > INT32_MAX) {
    length = INT32_MAX;
  }
  conn->in_host = true;
  int32_t sent = porthole_host_send(conn->handle, bytes, length);
  conn->in_host = false;
  if (sent == PORTHOLE_WANT_WRITE) {
    return sent;
  }
  if (sent <= 0 || (size_t)sent > length) {
    return send_failed(conn, sent < 0 ? host_error(sent) : PORTHOLE_HOST_LIED);
  }
  return sent;
}

/** porthole_host_recv, and what its answer means but for a count. @returns a count; 0 at the end, or an error, both noted */
static int32_t host_receive(porthole_conn *conn, uint32_t offset, uint32_t length) {
  conn->in_host = true;
  int32_t received = porthole_host_recv(conn->handle, conn->rx + offset, length);
  conn->in_host = false;
  if (received >= 0 || received == PORTHOLE_WANT_READ) {
    return received;
  }
  porthole_conn_failed(conn, host_error(received));
  return conn->view.error;
}

/** The peer spoke before it was asked. @returns PORTHOLE_UNSOLICITED */
static int32_t unsolicited(porthole_conn *conn) {
  conn->view.flags |= PORTHOLE_STRAY;
  porthole__fail(conn, PORTHOLE_UNSOLICITED);
  return PORTHOLE_UNSOLICITED;
}

/**
 * Before a request goes out: what the peer has said already would be taken for its answer (RFC 9112 section 9.2), and one
 * that has closed gives none.
 *
 * @returns 0 or an error
 */
static int32_t look_before_asking(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  uint32_t offset;
  uint32_t length;
  bool alone = conn->due_count == 1;
  if (alone ? view->phase > PORTHOLE_PHASE_HEAD || conn->interim || view->raw_length > 0
            : view->phase == PORTHOLE_PHASE_END && view->raw_length > 0) { /* it came after the request was staged */
    return unsolicited(conn);
  }
  bool none_due = view->phase == (alone ? PORTHOLE_PHASE_HEAD : PORTHOLE_PHASE_END);
  if (!none_due || conn->interim || (view->flags & PORTHOLE_ENDED)) {
    return 0;
  }
  int32_t ready = wait_for(conn, PORTHOLE_READABLE, 0);
  if (ready <= 0 || !(ready & PORTHOLE_READABLE) || porthole_conn_region(conn, &offset, &length) != 0) {
    return view->error;
  }
  int32_t received = host_receive(conn, offset, length);
  if (received > 0) {
    return unsolicited(conn);
  }
  if (received == 0) {
    porthole_conn_ended(conn);
  }
  return view->error;
}

int32_t porthole_conn_flush(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (view->error != 0) {
    return view->error;
  }
  if (conn->asking) {
    int32_t error = look_before_asking(conn);
    if (error != 0) {
      return error;
    }
  }
  while (view->tx_sent < view->tx_length) {
    int32_t sent = host_send(conn, conn->tx + view->tx_sent, view->tx_length - view->tx_sent);
    if (sent < 0) {
      return sent;
    }
    view->tx_sent += (uint32_t)sent;
    conn->asking = false;
  }
  return 0;
}

int32_t porthole_conn_start_tls(porthole_conn *conn, const uint8_t *name, size_t name_length, uint32_t flags) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (view->phase == PORTHOLE_PHASE_TUNNEL) {
    int32_t error = porthole_conn_tunnelled(conn);
    if (error != 0) {
      return error;
    }
  }
  if (view->error != 0) {
    return view->error;
  }
  if (view->state != PORTHOLE_IDLE || view->phase != PORTHOLE_PHASE_NOTHING) {
    return PORTHOLE_CANNOT_SEND_REQUEST;
  }
  if (view->raw_length > 0) {
    porthole__fail(conn, PORTHOLE_UNSOLICITED);
    return PORTHOLE_UNSOLICITED;
  }
  conn->pending_length = 0;
  conn->in_host = true;
  int32_t result = porthole_host_start_tls(conn->handle, (const char *)name, name_length, flags);
  conn->in_host = false;
  if (result == 0 || result == PORTHOLE_WANT_READ) {
    return result;
  }
  porthole_conn_failed(conn, host_error(result));
  porthole__fail(conn, host_error(result)); /* nothing is under way, but nothing can go on in clear either */
  return host_error(result);
}

/** Is a final head in, or an error: does nobody wait for the rest of the request any more? */
static bool answered(const porthole_conn *conn) {
  bool final = conn->due_count == 1 && conn->view.phase > PORTHOLE_PHASE_HEAD;
  return final || !conn->view.sending || conn->view.error != 0;
}

/** Receives what is there already, so that an early answer is seen while a body is being sent. @returns 0 or an error */
static int32_t look(porthole_conn *conn) {
  while (!answered(conn) && conn->view.phase == PORTHOLE_PHASE_HEAD && !conn->interim &&
         !(conn->view.flags & PORTHOLE_ENDED)) {
    int32_t ready = wait_for(conn, PORTHOLE_READABLE, 0);
    if (ready <= 0 || !(ready & PORTHOLE_READABLE)) {
      return 0;
    }
    int32_t events = porthole_conn_receive(conn);
    while (events > 0 && (events & PORTHOLE_EVENT_INTERIM)) {
      events = porthole_conn_resume(conn);
    }
    if (events == PORTHOLE_WANT_READ || events == PORTHOLE_WANT_SPACE) {
      return 0;
    }
    if (events < 0) {
      return events;
    }
  }
  return conn->view.error;
}

int32_t porthole_conn_send(porthole_conn *conn, const uint8_t *data, size_t length) {
  REFUSE_REENTRY(conn);
  if (length == 0) {
    return 0;
  }
  if (!conn->body_open) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  int32_t error = conn->asking ? porthole_conn_flush(conn) : look(conn);
  if (error == 0 && answered(conn)) {
    conn->cut = true;
  }
  if (error != 0 || conn->cut) {
    return error;
  }
  error = porthole_conn_flush(conn);
  if (error != 0) {
    return error;
  }
  int32_t chunk = porthole_conn_body_piece(conn, length);
  if (chunk < 0) {
    return chunk;
  }
  do { /* the piece is begun: nothing of it can be taken back */
    error = porthole_conn_flush(conn);
  } while (error == PORTHOLE_WANT_WRITE && wait_for(conn, PORTHOLE_WRITABLE, -1) > 0);
  if (error == PORTHOLE_WANT_WRITE) {
    error = PORTHOLE_HOST_OTHER;
  }
  while (error == 0 && length > 0 && !answered(conn)) {
    int32_t sent = host_send(conn, data, length);
    if (sent == PORTHOLE_WANT_WRITE) {
      sent = wait_for(conn, PORTHOLE_WRITABLE, -1) <= 0 ? PORTHOLE_HOST_OTHER : 0;
    }
    if (sent < 0) {
      error = sent;
      continue;
    }
    data += sent;
    length -= (size_t)sent;
    if (length > 0) {
      error = look(conn);
    }
  }
  if (error != 0) {
    return send_failed(conn, error); /* nothing more: it would be taken for what is missing of the piece */
  }
  if (length > 0) {
    conn->cut = true;
    return 0; /* answered: the rest is not wanted */
  }
  porthole_conn_body_piece_end(conn);
  error = porthole_conn_flush(conn);
  return error == PORTHOLE_WANT_WRITE ? 0 : error; /* the end of the chunk goes out with what comes next */
}

int32_t porthole_conn_receive(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  uint32_t offset;
  uint32_t length;
  int32_t result = porthole_conn_region(conn, &offset, &length);
  if (result != 0) {
    return result;
  }
  int32_t received = host_receive(conn, offset, length);
  if (received > 0) {
    return porthole_conn_filled(conn, (size_t)received);
  }
  return received == 0 ? porthole_conn_ended(conn) : received;
}

int32_t porthole_conn_getresponse(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  if (conn->view.state != PORTHOLE_REQUEST_SENT || (conn->view.flags & PORTHOLE_OPEN)) {
    return PORTHOLE_RESPONSE_NOT_READY;
  }
  /* A head that is in is handed out, whatever became of its body since: reading that will tell. */
  bool head_in = conn->view.phase > PORTHOLE_PHASE_HEAD && !conn->handed_out && !conn->asking;
  bool broken_since = conn->view.error != 0 && conn->view.error != PORTHOLE_UNSOLICITED;
  int32_t result = head_in && broken_since ? 0 : porthole_conn_flush(conn);
  bool unsent = result == PORTHOLE_HOST_RESET || result == PORTHOLE_HOST_CLOSED;
  int32_t send_error = result;
  if (result != 0 && !unsent) {
    return result;
  }
  while (conn->view.phase == PORTHOLE_PHASE_HEAD) {
    result = conn->interim ? porthole_conn_resume(conn) : porthole_conn_receive(conn);
    if (result < 0 && conn->view.phase == PORTHOLE_PHASE_HEAD) {
      return unsent && result != PORTHOLE_WANT_READ ? send_error : result;
    }
  }
  result = porthole_conn_accept(conn);
  return result == 0 ? (int32_t)conn->view.status : result;
}

int32_t porthole_conn_read(porthole_conn *conn, uint8_t *buffer, size_t length) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  size_t done = 0;
  if (length > INT32_MAX) {
    length = INT32_MAX;
  }
  while (done < length && (view->flags & PORTHOLE_OPEN)) {
    if (view->available > 0) {
      size_t count = view->body_length < length - done ? view->body_length : length - done;
      porthole__copy(buffer + done, conn->rx + view->body, count);
      porthole_conn_consume(conn, count);
      done += count;
      continue;
    }
    int32_t result = view->error;
    if (result == 0 && (view->phase == PORTHOLE_PHASE_END || view->phase == PORTHOLE_PHASE_TUNNEL)) {
      break;
    }
    if (result == 0) {
      result = porthole_conn_receive(conn);
    }
    if (result < 0 && view->available == 0) {
      return done > 0 ? (int32_t)done : result;
    }
  }
  if (view->phase == PORTHOLE_PHASE_END && view->available == 0 && done < length) {
    porthole_conn_finish(conn);
  }
  return (int32_t)done;
}
