/* SPDX-License-Identifier: MIT
 *
 * The body of a request (RFC 9112 sections 6 and 7.1): in pieces, framed here, or left to the caller's own hand and only
 * looked at, since no request may go into a body that is not complete.
 */
#include "upload.h"

enum { PIECE_AS_IT_IS = 0, PIECE_CHUNK = 1, PIECE_OWN = 2, SIZE_LINE = 18 };

/* ---- what is left to the caller's own hand ---- */

/** Chunks of the caller's own are to come. */
void porthole__own_begin(porthole_conn *conn) {
  conn->own_chunk = OWN_SIZE;
  conn->own_left = 0;
}

/** After a digit of a size. */
static own_chunk own_size(porthole_conn *conn, uint8_t digit) {
  if (!(porthole__class[digit] & CLASS_HEX) || ++conn->own_digits > 16) {
    return OWN_BROKEN;
  }
  conn->own_left = conn->own_left << 4 | porthole__hex(digit);
  return OWN_DIGITS;
}

/** Takes a byte of framing into account. @returns what is expected next */
static own_chunk own_next(porthole_conn *conn, uint8_t byte) {
  switch (conn->own_chunk) {
  case OWN_SIZE:
    conn->own_left = 0;
    conn->own_digits = 0;
    return own_size(conn, byte);
  case OWN_DIGITS:
    if (byte == '\r') {
      return OWN_SIZE_LF;
    }
    return byte == ';' || porthole__is_space(byte) ? OWN_EXTENSION : own_size(conn, byte);
  case OWN_EXTENSION:
    if (byte == '\n') {
      return OWN_BROKEN;
    }
    return byte == '\r' ? OWN_SIZE_LF : OWN_EXTENSION;
  case OWN_SIZE_LF:
    if (byte != '\n') {
      return OWN_BROKEN;
    }
    return conn->own_left > 0 ? OWN_DATA : OWN_LINE;
  case OWN_DATA_CR:
    return byte == '\r' ? OWN_DATA_LF : OWN_BROKEN;
  case OWN_DATA_LF:
    return byte == '\n' ? OWN_SIZE : OWN_BROKEN;
  case OWN_LINE:
    if (byte == '\n') {
      return OWN_BROKEN;
    }
    return byte == '\r' ? OWN_END_LF : OWN_TRAILER;
  case OWN_TRAILER:
    if (byte == '\n') {
      return OWN_BROKEN;
    }
    return byte == '\r' ? OWN_TRAILER_LF : OWN_TRAILER;
  case OWN_TRAILER_LF:
    return byte == '\n' ? OWN_LINE : OWN_BROKEN;
  case OWN_END_LF:
    return byte == '\n' ? OWN_COMPLETE : OWN_BROKEN;
  case OWN_DATA:
  case OWN_COMPLETE:
  case OWN_BROKEN:
    break;
  }
  return OWN_BROKEN;
}

/** Follows the framing of what is sent. @returns false when it is broken, or there is more than a body */
static bool own_chunks(porthole_conn *conn, porthole_span bytes) {
  size_t at = 0;
  while (at < bytes.length && conn->own_chunk < OWN_COMPLETE) {
    if (conn->own_chunk == OWN_DATA) {
      size_t there = bytes.length - at;
      size_t taken = there < conn->own_left ? there : (size_t)conn->own_left;
      conn->own_left -= taken;
      at += taken;
      conn->own_chunk = conn->own_left == 0 ? OWN_DATA_CR : OWN_DATA;
    } else {
      conn->own_chunk = own_next(conn, bytes.data[at++]);
    }
  }
  return at == bytes.length && conn->own_chunk != OWN_BROKEN;
}

/** What was sent is not what the head says: whatever the peer makes of it, no other request can follow. */
static void spoil(porthole_conn *conn) {
  conn->request.excess = true;
  conn->view.flags |= PORTHOLE_UNUSABLE;
}

/** Accounts for bytes that go out as they are. `data` can be NULL where the chunks are not the caller's own. */
void porthole__sent_by_hand(porthole_conn *conn, porthole_span bytes) {
  if (bytes.length == 0 || conn->view.upload == PORTHOLE_UPLOAD_STOPPED) {
    return;
  }
  if (conn->state == REQUEST_IDLE || conn->state == REQUEST_STARTED) {
    spoil(conn); /* behind a body, whatever was announced for it */
    return;
  }
  conn->request.expects = false;
  bool complete = false;
  switch (conn->body_framing) {
  case FRAMING_LENGTH:
    if (bytes.length > conn->to_send) {
      spoil(conn);
    }
    conn->to_send -= bytes.length < conn->to_send ? bytes.length : conn->to_send;
    complete = conn->to_send == 0;
    break;
  case FRAMING_OWN:
    if (!own_chunks(conn, bytes)) {
      spoil(conn);
    }
    complete = conn->own_chunk == OWN_COMPLETE;
    break;
  case FRAMING_NONE:
  case FRAMING_CHUNKED:
    spoil(conn);
    break;
  }
  if (complete && (conn->state == REQUEST_HAND || conn->state == REQUEST_LATE_HAND)) {
    porthole__body_over(conn);
  }
}

int32_t porthole_conn_sent_raw(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_SENT);
  if (refused != 0) {
    return refused;
  }
  if (conn->body_framing == FRAMING_OWN && length > 0 && conn->view.upload != PORTHOLE_UPLOAD_STOPPED) {
    return 1;
  }
  porthole__sent_by_hand(conn, (porthole_span){NULL, length});
  return 0;
}

int32_t porthole_conn_sent_chunks(porthole_conn *conn, porthole_span bytes) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_SENT);
  if (refused == 0) {
    porthole__sent_by_hand(conn, bytes);
  }
  return refused;
}

/* ---- pieces ---- */

/** Stages a chunk's size line, upper-case hexadecimal, if the line end behind its data will fit as well. */
static bool stage_chunk_size(porthole_conn *conn, size_t size) {
  static const uint8_t digits[] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'};
  uint8_t text[SIZE_LINE];
  size_t at = sizeof text - 2;
  text[at] = '\r';
  text[at + 1] = '\n';
  do {
    text[--at] = digits[size % 16];
    size /= 16;
  } while (size > 0);
  return porthole__reserve(conn, sizeof text - at + 2) &&
         porthole__stage(conn, porthole__between(text + at, text + sizeof text));
}

int32_t porthole_conn_body_piece(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_BODY_PIECE);
  if (refused != 0 || length == 0 || conn->view.upload == PORTHOLE_UPLOAD_STOPPED) {
    return refused;
  }
  int32_t kind = PIECE_AS_IT_IS;
  switch (conn->body_framing) {
  case FRAMING_LENGTH:
    if (length > conn->to_send) {
      return PORTHOLE_BODY_TOO_LONG;
    }
    conn->to_send -= length;
    break;
  case FRAMING_CHUNKED:
    if (!stage_chunk_size(conn, length)) {
      return PORTHOLE_WANT_WRITE;
    }
    kind = PIECE_CHUNK;
    break;
  case FRAMING_NONE:
    spoil(conn);
    break;
  case FRAMING_OWN:
    return PIECE_OWN;
  }
  conn->request.expects = false;
  conn->piece_left = length;
  porthole__enter(conn, conn->state == REQUEST_BODY ? REQUEST_PIECE : REQUEST_LATE_PIECE);
  return kind;
}

int32_t porthole_conn_piece_passed(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_PIECE_PASSED);
  if (refused != 0 || conn->view.upload == PORTHOLE_UPLOAD_STOPPED) {
    return refused;
  }
  if (length > conn->piece_left) {
    return PORTHOLE_BODY_TOO_LONG;
  }
  conn->piece_left -= length;
  if (conn->piece_left == 0) {
    if (conn->body_framing == FRAMING_CHUNKED) {
      STAGE(conn, "\r\n"); /* its room was kept: nothing else is staged amid a piece */
    }
    porthole__enter(conn, conn->state == REQUEST_PIECE ? REQUEST_BODY : REQUEST_LATE_BODY);
  }
  return 0;
}

/* ---- the end ---- */

/** Checks trailer fields. @returns 0, or the error of one that is refused: view.refused is its index */
int32_t porthole__check_trailers(porthole_conn *conn, const porthole_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int32_t error = porthole__check_header(fields[i].name, &fields[i].value, 1);
    if (error == 0 && porthole__field(fields[i].name, FORBIDDEN) != FIELD_OTHER) {
      error = PORTHOLE_TRAILER_FORBIDDEN;
    }
    if (error != 0) {
      conn->view.refused = (uint32_t)i;
      return error;
    }
  }
  return 0;
}

int32_t porthole_conn_check_trailers(porthole_conn *conn, const porthole_field *fields, size_t count) {
  REFUSE_REENTRY(conn);
  return porthole__check_trailers(conn, fields, count);
}

/** Stages the last chunk and the trailer section. @returns 0 or an error */
static int32_t stage_last_chunk(porthole_conn *conn, const porthole_field *fields, size_t count) {
  int32_t error = porthole__check_trailers(conn, fields, count);
  if (error != 0) {
    return error;
  }
  checkpoint before = porthole__checkpoint(conn);
  bool fits = STAGE(conn, "0\r\n");
  for (size_t i = 0; i < count; i++) {
    fits = fits && porthole__stage_header(conn, fields[i].name, &fields[i].value, 1);
  }
  return fits && STAGE(conn, "\r\n") ? 0 : porthole__undo(conn, &before, porthole__too_large(conn));
}

int32_t porthole_conn_body_end(porthole_conn *conn, const porthole_field *fields, size_t count) {
  REFUSE_REENTRY(conn);
  int32_t error = porthole__refusal(conn, CALL_BODY_PIECE);
  if (error != 0 || conn->view.upload == PORTHOLE_UPLOAD_STOPPED) {
    return error;
  }
  if (conn->body_framing == FRAMING_LENGTH && conn->to_send > 0) {
    return PORTHOLE_BODY_TOO_SHORT;
  }
  if (conn->body_framing == FRAMING_CHUNKED) {
    error = stage_last_chunk(conn, fields, count);
  } else if (count > 0) {
    error = PORTHOLE_TRAILERS_NEED_CHUNKS;
  } else if (conn->body_framing == FRAMING_OWN && conn->own_chunk != OWN_COMPLETE) {
    spoil(conn);
  }
  if (error == 0) {
    conn->request.expects = false;
    porthole__body_over(conn);
  }
  return error;
}
