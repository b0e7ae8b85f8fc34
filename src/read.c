/* SPDX-License-Identifier: MIT
 *
 * Responses for those who let the core move the bytes: the head, and the body as far as it is asked for.
 */
#include "buffer.h"
#include "io.h"

/** Receives until the final head is there. @returns 0, or why it isn't */
static int32_t receive_head(porthole_conn *conn) {
  while (conn->view.phase == PORTHOLE_PHASE_HEAD) {
    int32_t result = conn->interim ? porthole__skip_interim(conn) : porthole_conn_receive(conn);
    if (result < 0 && conn->view.phase == PORTHOLE_PHASE_HEAD) {
      return result;
    }
  }
  return 0;
}

int32_t porthole_conn_getresponse(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__allowed(conn->state, CALL_ACCEPT);
  if (refused != 0 || (conn->view.flags & PORTHOLE_OPEN)) {
    return PORTHOLE_RESPONSE_NOT_READY;
  }
  /* A head that is in is handed out, whatever became of its body since: reading that will tell. */
  bool head_in = conn->view.phase > PORTHOLE_PHASE_HEAD && !conn->handed_out && !porthole__unasked(conn);
  bool broken_since = conn->view.error != 0 && conn->view.error != PORTHOLE_UNSOLICITED;
  int32_t result = head_in && broken_since ? 0 : porthole__send_staged(conn);
  bool unsent = result == PORTHOLE_HOST_RESET || result == PORTHOLE_HOST_CLOSED;
  if (result != 0 && !unsent) {
    return result;
  }
  result = receive_head(conn);
  if (result < 0) {
    return conn->view.error != 0 ? conn->view.error : result; /* that of a failed send, where there was one */
  }
  result = porthole_conn_accept(conn);
  if (result != 0) {
    return result;
  }
  porthole__settle_head(conn); /* there it stays, whatever is received: see find_room in buffer.c */
  return (int32_t)conn->view.status;
}

/** What reading is answered with where no response is open: at the end of one it is the end. */
static int32_t read_nothing(const porthole_conn *conn) {
  if (conn->view.error != 0) {
    return conn->view.error;
  }
  bool ended = conn->handed_out && conn->due_count == 0 && conn->view.state == PORTHOLE_IDLE;
  return ended ? 0 : PORTHOLE_RESPONSE_NOT_READY;
}

int32_t porthole_conn_read(porthole_conn *conn, uint8_t *buffer, size_t length) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  size_t done = 0;
  if (!(view->flags & PORTHOLE_OPEN)) {
    return read_nothing(conn);
  }
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
