/* SPDX-License-Identifier: MIT
 *
 * The calls that move bytes through the host (host.h): the only file that does. Nothing else of the core needs it, so that
 * level 0 links without a host.
 */
#include "io.h"

#include "buffer.h"
#include "porthole/host.h"
#include "upload.h"

enum { IDLE_TURNS = 64 /* how often a host can say in a row that there is something, where there is nothing */ };

/** Turns what the host returned below zero into an error of errors.def: other numbers are no errors that a host has. */
static int32_t host_error(int32_t result) {
  switch (result) {
#define X(name, number, class, code, text)                                                                             \
  case number:                                                                                                         \
    return (number) <= -400 && (number) > -500 ? result : PORTHOLE_HOST_LIED;
#include "porthole/errors.def"
#undef X
  default:
    return PORTHOLE_HOST_LIED;
  }
}

/* ---- time ---- */

/** Is a moment of the host's clock still to come? The clock wraps: moments within 24 days can be compared. */
static bool ahead(uint32_t moment, uint32_t now) { return moment - now - 1 < INT32_MAX; }

void porthole_conn_set_deadline(porthole_conn *conn, int32_t timeout_ms) {
  if (conn->in_host) {
    return;
  }
  conn->has_deadline = timeout_ms >= 0;
  conn->late = timeout_ms == 0;
  if (timeout_ms > 0) {
    conn->deadline = porthole_host_now() + (uint32_t)timeout_ms;
  }
}

/** The time by which a deadline is looked at, for what is done now. @returns anything where there is no use for it */
static uint32_t clock_of(const porthole_conn *conn) {
  return conn->has_deadline && !conn->late ? porthole_host_now() : 0;
}

/** How much of a time there is for a call into the host until the deadline. @returns false when that has passed */
static bool time_left_at(porthole_conn *conn, uint32_t now, int32_t *timeout_ms) {
  if (!conn->has_deadline) {
    return true;
  }
  conn->late = conn->late || !ahead(conn->deadline, now);
  uint32_t left = conn->late ? 0 : conn->deadline - now;
  if (*timeout_ms < 0 || left < (uint32_t)*timeout_ms) {
    *timeout_ms = (int32_t)left;
  }
  return !conn->late;
}

static bool time_left(porthole_conn *conn, int32_t *timeout_ms) {
  return time_left_at(conn, clock_of(conn), timeout_ms);
}

/* ---- calls into the host ---- */

int32_t porthole_conn_open(porthole_conn *conn, porthole_span host, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  REFUSE_REENTRY(conn);
  uint8_t scratch[AUTHORITY_MAX];
  int32_t error = porthole__authority(scratch, host, port, false);
  if (error < 0) {
    return error;
  }
  porthole_conn_close(conn);
  if (!time_left(conn, &timeout_ms)) {
    return PORTHOLE_HOST_TIMED_OUT;
  }
  conn->in_host = true;
  int32_t handle = porthole_host_open((const char *)host.data, host.length, port, flags, timeout_ms);
  conn->in_host = false;
  if (handle <= 0) {
    return host_error(handle);
  }
  conn->handle = handle;
  return 0;
}

void porthole_conn_close(porthole_conn *conn) {
  if (conn->in_host) {
    return;
  }
  int32_t handle = conn->handle;
  porthole_conn_reset(conn);
  if (handle > 0) {
    porthole_host_close(handle);
  }
}

void porthole_conn_hang_up(porthole_conn *conn) {
  if (conn->in_host) {
    return;
  }
  int32_t handle = conn->handle;
  conn->handle = 0;
  conn->pending_length = 0;
  conn->view.flags |= PORTHOLE_ENDED | PORTHOLE_UNUSABLE;
  if (handle > 0) {
    porthole_host_close(handle);
  }
}

/**
 * A failure while sending: nothing more goes out. What the peer said before a reset may still be readable; anything else
 * ends the connection.
 */
static int32_t send_failed(porthole_conn *conn, int32_t error) {
  conn->send_error = error;
  conn->view.flags |= PORTHOLE_UNUSABLE;
  conn->view.tx_sent = conn->view.tx_length;
  if (error != PORTHOLE_HOST_RESET && error != PORTHOLE_HOST_CLOSED) {
    porthole__fail(conn, error);
  }
  return error;
}

/** porthole_host_wait for this connection. @returns the ready set, or an error, which ends nothing */
static int32_t host_wait(porthole_conn *conn, uint32_t interest, int32_t timeout_ms) {
  int32_t list[2] = {conn->handle, (int32_t)interest};
  conn->in_host = true;
  int32_t count = porthole_host_wait(list, 1, timeout_ms);
  conn->in_host = false;
  if (count < 0) {
    return host_error(count);
  }
  bool sound = count == 0 || (count == 1 && list[1] != 0 && ((uint32_t)list[1] & ~interest) == 0);
  if (!sound) {
    return PORTHOLE_HOST_LIED;
  }
  return count == 0 ? 0 : list[1];
}

/** porthole_host_info. @returns how many bytes, and all of them fit to be shown */
static size_t host_info(porthole_conn *conn, uint32_t what, char *buffer, size_t capacity) {
  if (conn->in_host || capacity == 0) {
    return 0;
  }
  capacity = capacity < PORTHOLE_INFO_MOST ? capacity : PORTHOLE_INFO_MOST;
  conn->in_host = true;
  int32_t length = porthole_host_info(conn->handle, what, buffer, capacity);
  conn->in_host = false;
  if (length <= 0 || (size_t)length > capacity) {
    return 0;
  }
  for (int32_t i = 0; i < length; i++) {
    if ((uint8_t)buffer[i] < ' ' || buffer[i] == '\x7f') {
      buffer[i] = ' ';
    }
  }
  return (size_t)length;
}

size_t porthole_conn_host_text(porthole_conn *conn, char *buffer, size_t capacity) {
  return host_info(conn, PORTHOLE_INFO_ERROR, buffer, capacity);
}

size_t porthole_conn_info(porthole_conn *conn, uint32_t what, char *buffer, size_t capacity) {
  return conn->handle > 0 ? host_info(conn, what, buffer, capacity) : 0;
}

int32_t porthole_conn_wait(porthole_conn *conn, uint32_t interest, int32_t timeout_ms) {
  REFUSE_REENTRY(conn);
  if (conn->handle <= 0) {
    return PORTHOLE_NOT_CONNECTED;
  }
  time_left(conn, &timeout_ms);
  return host_wait(conn, interest & (PORTHOLE_READABLE | PORTHOLE_WRITABLE), timeout_ms);
}

/** Is there something to receive now, as far as a host knows that doesn't look? */
static bool readable(porthole_conn *conn) {
  return conn->handle > 0 && host_wait(conn, PORTHOLE_READABLE, 0) == PORTHOLE_READABLE;
}

/** porthole_host_recv, and what its answer means but for a count. @returns a count; 0 at the end; or an error, noted */
static int32_t host_receive(porthole_conn *conn, uint32_t offset, uint32_t length, int32_t timeout_ms, uint32_t now) {
  int32_t received = PORTHOLE_HOST_TIMED_OUT;
  if (time_left_at(conn, now, &timeout_ms)) {
    conn->in_host = true;
    received = porthole_host_recv(conn->handle, conn->rx + offset, length, timeout_ms);
    conn->in_host = false;
  }
  if (received >= 0 || received == PORTHOLE_WANT_READ) {
    return received;
  }
  porthole_conn_failed(conn, host_error(received));
  return conn->view.error;
}

/** Receives once, and interprets what came. @returns PORTHOLE_EVENT_* bits, PORTHOLE_WANT_*, or an error */
static int32_t receive(porthole_conn *conn, int32_t timeout_ms) {
  uint32_t offset;
  uint32_t length;
  if (conn->view.error == 0 && conn->handle <= 0) {
    return PORTHOLE_NOT_CONNECTED;
  }
  int32_t result = porthole_conn_region(conn, &offset, &length);
  if (result != 0) {
    return result;
  }
  int32_t received = host_receive(conn, offset, length, timeout_ms, clock_of(conn));
  if (received > 0) {
    conn->received += (uint32_t)received <= length ? (uint32_t)received : 0;
    return porthole_conn_filled(conn, (size_t)received);
  }
  return received == 0 ? porthole_conn_ended(conn) : received;
}

/** Goes on after an interim response, which is kept where there is room. */
int32_t porthole__skip_interim(porthole_conn *conn) {
  const porthole_view *view = &conn->view;
  if (view->head_length <= conn->interims_size - conn->interims_length) {
    porthole__copy(conn->interims + conn->interims_length, conn->rx + view->head, view->head_length);
    conn->interims_length += view->head_length;
  }
  return porthole_conn_resume(conn);
}

/** Can an answer to a request come while its body is sent? */
static bool answerable(const porthole_conn *conn) {
  const porthole_view *view = &conn->view;
  return porthole__uploading(conn) && !(view->flags & PORTHOLE_ENDED) && !conn->interim && view->error == 0 &&
         view->phase >= PORTHOLE_PHASE_HEAD && view->phase <= PORTHOLE_PHASE_CLOSE;
}

/**
 * Receives what is there already, while a body is being sent: an answer is seen early, and a peer that answers while it
 * reads is not left with full buffers. @returns 0 or an error
 */
static int32_t look(porthole_conn *conn) {
  while (answerable(conn)) {
    int32_t events = receive(conn, 0);
    while (events > 0 && (events & PORTHOLE_EVENT_INTERIM)) {
      events = porthole__skip_interim(conn);
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

/* ---- sending ---- */

/** Bytes for the host. */
typedef struct outgoing {
  const uint8_t *data;
  size_t length;
  bool head; /* a whole one, or a part of others */
} outgoing;

/** Gives them to the host. @returns how many it took, PORTHOLE_WANT_WRITE, or an error */
static int32_t give(porthole_conn *conn, const outgoing *what, int32_t timeout_ms) {
  conn->in_host = true;
  int32_t sent = what->head ? porthole_host_send_head(conn->handle, what->data, what->length, timeout_ms)
                            : porthole_host_send(conn->handle, what->data, what->length, timeout_ms);
  conn->in_host = false;
  if (sent == PORTHOLE_WANT_WRITE) {
    return sent;
  }
  if (sent <= 0 || (size_t)sent > what->length || (what->head && (size_t)sent < what->length)) {
    return send_failed(conn, sent < 0 ? host_error(sent) : PORTHOLE_HOST_LIED);
  }
  conn->sent += (uint32_t)sent;
  return sent;
}

/**
 * Has what came made it pointless to wait for the peer to take more? Nobody can read an error that is all there before the send
 * is over, so that it ends the upload as it will when it has been read (porthole_conn_finish).
 */
static bool answered(porthole_conn *conn, bool had_head) {
  const porthole_view *view = &conn->view;
  if (view->phase == PORTHOLE_PHASE_END && view->status >= 400 && conn->due_count == 1) {
    porthole__stop(conn);
  }
  return !porthole__uploading(conn) || (!had_head && view->phase > PORTHOLE_PHASE_HEAD);
}

/**
 * Waits for the host to take bytes of a body, and takes in meanwhile what comes. "Readable" promises no bytes: when there were
 * none too often in a row, it is waited without listening. @param timeout_ms not 0. @returns as host_send
 */
static int32_t give_and_listen(porthole_conn *conn, const outgoing *what, int32_t timeout_ms) {
  int32_t left = timeout_ms;
  uint32_t begun = 0;
  uint32_t idle = 0;
  bool listens = true;
  for (bool first = true;; first = false) {
    int32_t sent = give(conn, what, listens ? 0 : left);
    if (sent != PORTHOLE_WANT_WRITE || (!listens && left != 0)) {
      return sent;
    }
    if (left == 0) {
      return send_failed(conn, PORTHOLE_HOST_TIMED_OUT);
    }
    if (first && timeout_ms > 0) {
      begun = porthole_host_now();
    }
    bool had_head = conn->view.phase > PORTHOLE_PHASE_HEAD;
    uint64_t received = conn->received;
    int32_t ready = 0;
    if (answerable(conn) && idle < IDLE_TURNS) {
      uint32_t offset;
      uint32_t length;
      bool room = porthole_conn_region(conn, &offset, &length) == 0;
      ready = host_wait(conn, room ? PORTHOLE_READABLE | PORTHOLE_WRITABLE : PORTHOLE_WRITABLE, left);
    }
    int32_t error = ready > 0 && (ready & PORTHOLE_READABLE) ? look(conn) : 0;
    if (error < 0 || answered(conn, had_head)) {
      return error < 0 ? error : 0;
    }
    /* Else the host can't wait, or the time is up, or there is nothing to wait for: sending tells. */
    listens = ready > 0;
    idle = conn->received == received ? idle + 1 : 0;
    if (timeout_ms > 0) {
      uint32_t passed = porthole_host_now() - begun;
      left = passed < (uint32_t)timeout_ms ? timeout_ms - (int32_t)passed : 0;
    }
  }
}

/**
 * Gives bytes to the host, a whole head or a part of others.
 *
 * @returns how many it took; 0 for none, as an answer came while the host took nothing; PORTHOLE_WANT_WRITE; or an error
 */
static int32_t host_send(porthole_conn *conn, const uint8_t *bytes, size_t length, bool head, uint32_t now) {
  if (conn->handle <= 0) {
    return PORTHOLE_NOT_CONNECTED;
  }
  const outgoing what = {bytes, length > INT32_MAX ? INT32_MAX : length, head};
  int32_t timeout_ms = conn->timeout_ms;
  if (!time_left_at(conn, now, &timeout_ms)) {
    return send_failed(conn, PORTHOLE_HOST_TIMED_OUT);
  }
  bool listens = timeout_ms != 0 && porthole__uploading(conn) && !porthole__unasked(conn);
  return listens ? give_and_listen(conn, &what, timeout_ms) : give(conn, &what, timeout_ms);
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
static int32_t look_before_asking(porthole_conn *conn, uint32_t now) {
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
  int32_t room = porthole_conn_region(conn, &offset, &length);
  if (room == PORTHOLE_WANT_SPACE) {
    return readable(conn) ? unsolicited(conn) : 0; /* it can't be seen: no answer to what has not been asked */
  }
  if (room != 0) {
    return room;
  }
  int32_t received = host_receive(conn, offset, length, 0, now);
  if (received > 0) {
    return unsolicited(conn);
  }
  if (received == 0) {
    porthole_conn_ended(conn);
  }
  return view->error;
}

/** Sends what is staged. @returns 0, PORTHOLE_WANT_WRITE or an error */
int32_t porthole__send_staged(porthole_conn *conn) {
  porthole_view *view = &conn->view;
  if (view->error != 0 || conn->send_error != 0) {
    return view->error != 0 ? view->error : conn->send_error;
  }
  if (view->tx_sent < view->tx_length && conn->handle <= 0) {
    return PORTHOLE_NOT_CONNECTED;
  }
  bool looked = porthole__unasked(conn);
  uint32_t now = 0;
  if (looked) {
    now = clock_of(conn);
    int32_t error = look_before_asking(conn, now);
    if (error != 0) {
      return error;
    }
  }
  while (view->tx_sent < view->tx_length) {
    if (view->upload == PORTHOLE_UPLOAD_STOPPED && !porthole__unasked(conn)) {
      view->tx_sent = view->tx_length; /* what frames a body that nobody wants */
      break;
    }
    uint32_t head = conn->asking - 1;
    bool is_head = conn->asking > 0 && view->tx_sent == head;
    uint32_t end = is_head ? conn->asked : view->tx_length;
    if (porthole__unasked(conn) && !is_head) {
      end = head; /* what frames the body before */
    }
    now = looked ? now : clock_of(conn); /* looking took no time */
    looked = false;
    int32_t sent = host_send(conn, conn->tx + view->tx_sent, end - view->tx_sent, is_head, now);
    if (sent < 0) {
      return sent;
    }
    view->tx_sent += (uint32_t)sent;
  }
  return 0;
}

int32_t porthole_conn_flush(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_FLUSH);
  return refused != 0 ? refused : porthole__send_staged(conn);
}

int32_t porthole_conn_start_tls(porthole_conn *conn, porthole_span name, uint32_t flags) {
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
  int32_t refused = porthole__allowed(conn->state, CALL_START_TLS);
  if (refused != 0 || view->phase != PORTHOLE_PHASE_NOTHING || view->tx_sent < view->tx_length) {
    return PORTHOLE_CANNOT_SEND_REQUEST;
  }
  if (conn->handle <= 0) {
    return PORTHOLE_NOT_CONNECTED;
  }
  if (view->raw_length > 0) {
    porthole__fail(conn, PORTHOLE_UNSOLICITED);
    return PORTHOLE_UNSOLICITED;
  }
  name = porthole__given(name);
  conn->pending_length = 0;
  int32_t result = PORTHOLE_HOST_TIMED_OUT;
  int32_t timeout_ms = conn->timeout_ms;
  if (time_left(conn, &timeout_ms)) {
    conn->in_host = true;
    result = porthole_host_start_tls(conn->handle, (const char *)name.data, name.length, flags, timeout_ms);
    conn->in_host = false;
  }
  if (result == 0 || result == PORTHOLE_WANT_READ) {
    porthole__enter(conn, result == 0 ? REQUEST_IDLE : REQUEST_HANDSHAKE);
    return result;
  }
  porthole__enter(conn, REQUEST_IDLE);
  porthole_conn_failed(conn, host_error(result));
  porthole__fail(conn, host_error(result)); /* nothing is under way, but nothing can go on in clear either */
  return host_error(result);
}

int32_t porthole_conn_wait_continue(porthole_conn *conn, int32_t timeout_ms) {
  REFUSE_REENTRY(conn);
  int32_t error = porthole_conn_flush(conn);
  bool begins = !conn->continuing;
  conn->continuing = false;
  if (error != 0) {
    return error;
  }
  uint32_t now = timeout_ms > 0 ? porthole_host_now() : 0;
  if (begins) {
    conn->continue_until = now + (uint32_t)timeout_ms;
  }
  for (;;) {
    error = look(conn);
    if (error != 0 || !conn->request.expects || !porthole__uploading(conn)) {
      return error < 0 ? error : 1;
    }
    bool more = timeout_ms < 0 || (timeout_ms > 0 && ahead(conn->continue_until, now));
    if (!more || (conn->view.flags & PORTHOLE_ENDED)) {
      return 0;
    }
    int32_t left = timeout_ms < 0 ? -1 : (int32_t)(conn->continue_until - now);
    int32_t ready = porthole_conn_wait(conn, PORTHOLE_READABLE, left);
    if (ready < 0) {
      return ready;
    }
    now = porthole_host_now();
    bool early = timeout_ms < 0 || ahead(conn->continue_until, now);
    if (ready == 0 && early && time_left(conn, &left)) {
      conn->continuing = true; /* this host can't wait */
      return PORTHOLE_WANT_READ;
    }
  }
}

/** How many bytes go out now as they are: those of the piece under way, which is begun if there is none, or all. */
static int32_t take_piece(porthole_conn *conn, size_t *length) {
  bool pieces = conn->state == REQUEST_BODY || conn->state == REQUEST_LATE_BODY;
  if (pieces) {
    int32_t kind = porthole_conn_body_piece(conn, *length);
    if (kind < 0) {
      return kind;
    }
  }
  int32_t error = porthole__send_staged(conn);
  bool amid = conn->state == REQUEST_PIECE || conn->state == REQUEST_LATE_PIECE;
  if (amid && *length > conn->piece_left) {
    *length = (size_t)conn->piece_left;
  }
  return error;
}

/** Accounts for bytes of a body that the host has taken. */
static void account(porthole_conn *conn, porthole_span sent) {
  if (conn->state == REQUEST_PIECE || conn->state == REQUEST_LATE_PIECE) {
    porthole_conn_piece_passed(conn, sent.length);
  } else {
    porthole__sent_by_hand(conn, sent);
  }
}

/** Sends bytes of a body as far as the host takes them. @returns how many were taken, or why none was */
static int32_t send_body(porthole_conn *conn, porthole_span data) {
  size_t done = 0;
  int32_t error = 0;
  while (error == 0 && done < data.length && porthole__uploading(conn)) {
    size_t length = data.length - done;
    error = take_piece(conn, &length);
    if (error == 0 && porthole__uploading(conn)) {
      error = host_send(conn, data.data + done, length, false, clock_of(conn));
    }
    if (error == 0 && done > 0) {
      break; /* the caller can look at the answer */
    }
    if (error > 0) {
      account(conn, (porthole_span){data.data + done, (size_t)error});
      done += (size_t)error;
      error = done < data.length ? look(conn) : 0;
    }
  }
  if (conn->view.upload == PORTHOLE_UPLOAD_STOPPED) {
    return (int32_t)data.length; /* nobody wants the rest */
  }
  return done > 0 ? (int32_t)done : error;
}

int32_t porthole_conn_send(porthole_conn *conn, const uint8_t *data, size_t length) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_SEND);
  if (refused != 0 || length == 0) {
    return refused;
  }
  if (length > INT32_MAX) {
    length = INT32_MAX;
  }
  int32_t error = porthole__unasked(conn) ? porthole__send_staged(conn) : look(conn);
  if (error == 0 && porthole__uploading(conn) && conn->state != REQUEST_PIECE && conn->state != REQUEST_LATE_PIECE) {
    error = porthole__send_staged(conn); /* a piece is begun when its first byte can follow */
  }
  if (error != 0) {
    return error;
  }
  error = send_body(conn, (porthole_span){data, length});
  if (error > 0) {
    /* What doesn't go out now, the end of a chunk, goes with what comes next: that will tell. */
    porthole__send_staged(conn);
  }
  return error;
}

int32_t porthole_conn_receive(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  return receive(conn, conn->timeout_ms);
}
