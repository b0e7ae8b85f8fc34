/* SPDX-License-Identifier: MIT
 *
 * The send buffer. What is refused leaves it as it was.
 */
#include "stage.h"

/** Makes room for `length` bytes behind those staged. @returns false when there is none */
bool porthole__reserve(porthole_conn *conn, size_t length) {
  porthole_view *view = &conn->view;
  if (view->tx_sent > 0 && view->tx_sent == view->tx_length) {
    view->tx_sent = 0;
    view->tx_length = 0;
    conn->asking = 0;
  }
  return length <= conn->tx_size - view->tx_length;
}

/** Stages bytes. @returns false when they don't fit */
bool porthole__stage(porthole_conn *conn, porthole_span bytes) {
  if (!porthole__reserve(conn, bytes.length)) {
    return false;
  }
  porthole__copy(conn->tx + conn->view.tx_length, bytes.data, bytes.length);
  conn->view.tx_length += (uint32_t)bytes.length;
  return true;
}

bool porthole__stage_decimal(porthole_conn *conn, uint64_t number) {
  uint8_t digits[20];
  size_t at = porthole__write_decimal(digits, number);
  return porthole__stage(conn, porthole__between(digits + at, digits + sizeof digits));
}

/** Puts bytes where room was made for them. @returns where they end */
static inline uint8_t *put_bytes(uint8_t *to, porthole_span bytes) {
  porthole__copy(to, bytes.data, bytes.length);
  return to + bytes.length;
}

/** Stages "name: value" with continuation lines for further values, unchecked. @returns false when it doesn't fit */
bool porthole__stage_header(porthole_conn *conn, porthole_span name, const porthole_span *values, size_t count) {
  uint64_t length = (uint64_t)name.length + sizeof ": \r\n" - 1;
  for (size_t i = 0; i < count; i++) {
    length += (uint64_t)values[i].length + (i == 0 ? 0 : sizeof "\r\n\t" - 1);
  }
  if (length > SIZE_MAX || !porthole__reserve(conn, (size_t)length)) {
    return false;
  }
  uint8_t *to = put_bytes(put_bytes(conn->tx + conn->view.tx_length, name), LITERAL(": "));
  for (size_t i = 0; i < count; i++) {
    to = put_bytes(i == 0 ? to : put_bytes(to, LITERAL("\r\n\t")), values[i]);
  }
  put_bytes(to, LITERAL("\r\n"));
  conn->view.tx_length += (uint32_t)length;
  return true;
}

/** Looks at every byte of a header. @returns 0 or the error of what is refused */
int32_t porthole__check_header(porthole_span name, const porthole_span *values, size_t count) {
  if (name.length == 0) {
    return PORTHOLE_EMPTY_HEADER_NAME;
  }
  if (!porthole__all_class(name, CLASS_TOKEN)) {
    return PORTHOLE_BAD_HEADER_NAME;
  }
  for (size_t i = 0; i < count; i++) {
    porthole_span value = porthole__given(values[i]);
    const uint8_t *end = value.data + value.length;
    if (porthole__find_control(value.data, end) < end) {
      return PORTHOLE_BAD_HEADER_VALUE;
    }
  }
  return 0;
}

/** The error for what doesn't fit in the send buffer. */
int32_t porthole__too_large(porthole_conn *conn) {
  conn->passed_limit = conn->tx_size;
  conn->view.limit = conn->tx_size;
  return PORTHOLE_REQUEST_TOO_LARGE;
}

checkpoint porthole__checkpoint(porthole_conn *conn) {
  porthole__reserve(conn, 0); /* what was sent is not to come back … */
  conn->repeatable = 0;       /* … and is not alone any more */
  return (checkpoint){conn->state, conn->view.tx_length, conn->asking, conn->request};
}

/** Takes back what was staged since. @returns error */
int32_t porthole__undo(porthole_conn *conn, const checkpoint *before, int32_t error) {
  porthole__enter(conn, before->state);
  conn->view.tx_length = before->tx_length;
  conn->asking = before->asking;
  conn->request = before->request;
  return error;
}

void porthole_conn_taken(porthole_conn *conn, size_t length) {
  if (conn->in_host) {
    return;
  }
  porthole_view *view = &conn->view;
  uint32_t staged = view->tx_length - view->tx_sent;
  view->tx_sent += length < staged ? (uint32_t)length : staged;
}
