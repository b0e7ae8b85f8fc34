/* SPDX-License-Identifier: MIT
 *
 * The chunked transfer coding (RFC 9112 section 7.1), decoded where it lies: framing is skipped, data become runs.
 * Line ends are CR LF and nothing else: lenience here has been a vulnerability (CVE-2025-22871).
 */
#include "chunked.h"

enum { SMALL_MAX = 1024 }; /* chunks up to this size are moved to the data before them */

/** After a size line: data, or the trailer section (answers 1). */
static int32_t size_line_complete(porthole_conn *conn) {
  if (conn->chunk_extensions > conn->limits[PORTHOLE_LIMIT_CHUNK_EXTENSION]) {
    return porthole__over(conn, PORTHOLE_LIMIT_CHUNK_EXTENSION, PORTHOLE_EXTENSIONS_TOO_LARGE);
  }
  if (conn->left == 0) {
    return 1;
  }
  conn->chunk = CHUNK_DATA;
  return porthole__count_body(conn, conn->left);
}

/** Reads an extension up to its CR, which stays: control characters have no place in it. */
static const uint8_t *skip_extension(porthole_conn *conn, const uint8_t *at, const uint8_t *end) {
  /* Not beyond the line's limit: or whether that or the control character is told depends on how the bytes came. */
  uint64_t room = conn->limits[PORTHOLE_LIMIT_LINE] - conn->chunk_line;
  const uint8_t *stop = porthole__find_control(at, (uint64_t)(end - at) < room ? end : at + room);
  conn->chunk_extensions += (uint64_t)(stop - at);
  conn->chunk_line += (uint32_t)(stop - at);
  return stop;
}

/**
 * Decodes small chunks without extensions, as far as they are there whole, behind the last run: the rule for streams of
 * tiny chunks, where the states below would cost more than the data.
 *
 * @returns where it stopped: at the size line of a chunk that is not of this kind
 */
static const uint8_t *small_chunks(porthole_conn *conn, const uint8_t *at, const uint8_t *end) {
  run *last = &conn->runs[(conn->run_first + conn->run_count - 1) % RUNS];
  uint8_t *tail = conn->rx + last->offset + last->length;
  if (conn->run_count == 0 || tail > at || conn->limits[PORTHOLE_LIMIT_LINE] < 16) {
    return at;
  }
  uint64_t room = porthole__body_room(conn);
  uint32_t total = 0;
  while (end - at >= 8) {
    const uint8_t *digit = at;
    uint32_t size = 0;
    while (digit < at + 3 && (porthole__class[*digit] & CLASS_HEX)) {
      size = size << 4 | porthole__hex(*digit++);
    }
    const uint8_t *data = digit + 2;
    if (digit == at || digit[0] != '\r' || digit[1] != '\n' || size == 0 || size > SMALL_MAX || size > room - total ||
        (size_t)(end - data) < (size_t)size + 2 || data[size] != '\r' || data[size + 1] != '\n') {
      break;
    }
    porthole__move_down(tail, data, size);
    tail += size;
    total += size;
    at = data + size + 2;
  }
  porthole__extend_run(conn, last, total);
  return at;
}

void porthole__chunks_begin(porthole_conn *conn) {
  conn->chunk = CHUNK_SIZE;
  conn->chunk_line = 0;
  conn->chunk_extensions = 0;
}

/** Takes from view.raw. @returns 1 after the last chunk's size line, 0 when more is needed, or an error */
int32_t porthole__chunks_read(porthole_conn *conn) {
  const uint8_t *at = conn->rx + conn->view.raw;
  const uint8_t *end = at + conn->view.raw_length;
  int32_t result = 0;

  while (at < end && result == 0) {
    if (conn->chunk == CHUNK_SIZE) {
      at = small_chunks(conn, at, end);
      if (at == end) {
        break;
      }
    }
    uint8_t byte = *at;
    if (conn->chunk < CHUNK_DATA && conn->chunk_line >= conn->limits[PORTHOLE_LIMIT_LINE]) {
      result = porthole__over(conn, PORTHOLE_LIMIT_LINE, PORTHOLE_CHUNK_LINE_TOO_LONG);
      break;
    }
    switch (conn->chunk) {
    case CHUNK_SIZE:
      if (!(porthole__class[byte] & CLASS_HEX)) {
        result = PORTHOLE_BAD_CHUNK;
        break;
      }
      conn->left = porthole__hex(byte);
      conn->chunk_digits = 1;
      conn->chunk_line = 1;
      conn->chunk = CHUNK_DIGITS;
      at++;
      break;
    case CHUNK_DIGITS:
      while (porthole__class[byte] & CLASS_HEX) {
        if (++conn->chunk_digits > 16) {
          result = PORTHOLE_BAD_CHUNK;
          break;
        }
        conn->left = conn->left << 4 | porthole__hex(byte);
        conn->chunk_line++;
        if (++at == end) {
          break;
        }
        byte = *at;
      }
      if (result != 0 || at == end) {
        break;
      }
      conn->chunk = CHUNK_SPACE;
      break;
    case CHUNK_SPACE:
      conn->chunk_line++;
      at++;
      if (byte == '\r') {
        conn->chunk = CHUNK_SIZE_LF;
      } else if (byte == ';') {
        conn->chunk_extensions++; /* an empty one is one, too */
        conn->chunk = CHUNK_EXTENSION;
      } else if (byte != ' ' && byte != '\t') {
        result = PORTHOLE_BAD_CHUNK;
      }
      break;
    case CHUNK_EXTENSION:
      at = skip_extension(conn, at, end);
      if (at < end && conn->chunk_line < conn->limits[PORTHOLE_LIMIT_LINE]) {
        conn->chunk = CHUNK_SIZE_LF;
        conn->chunk_line++;
        result = *at++ == '\r' ? 0 : PORTHOLE_BAD_CHUNK;
      }
      break;
    case CHUNK_SIZE_LF:
      at++;
      result = byte == '\n' ? size_line_complete(conn) : PORTHOLE_BAD_CHUNK;
      break;
    case CHUNK_DATA: {
      size_t length = (size_t)(end - at);
      if (length > conn->left) {
        length = (size_t)conn->left;
      }
      porthole__add_run(conn, (uint32_t)(at - conn->rx), (uint32_t)length);
      at += length;
      conn->left -= length;
      if (conn->left == 0) {
        conn->chunk = CHUNK_DATA_CR;
      }
      break;
    }
    case CHUNK_DATA_CR:
      at++;
      conn->chunk = CHUNK_DATA_LF;
      result = byte == '\r' ? 0 : PORTHOLE_BAD_CHUNK;
      break;
    case CHUNK_DATA_LF:
      at++;
      conn->chunk = CHUNK_SIZE;
      conn->chunk_line = 0;
      result = byte == '\n' ? 0 : PORTHOLE_BAD_CHUNK;
      break;
    }
  }

  conn->view.raw = (uint32_t)(at - conn->rx);
  conn->view.raw_length = (uint32_t)(end - at);
  return result;
}
