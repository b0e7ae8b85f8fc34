/* SPDX-License-Identifier: MIT
 *
 * Requests (RFC 9112 sections 3, 6 and 7.1): serialized into the send buffer, every byte checked on its way in. What is
 * refused leaves the send buffer as it was.
 */
#include "internal.h"

/* ---- the send buffer ---- */

/** Makes room for `length` bytes behind those staged. @returns false when there is none */
static bool reserve(porthole_conn *conn, size_t length) {
  porthole_view *view = &conn->view;
  if (view->tx_sent > 0 && view->tx_sent == view->tx_length) {
    view->tx_sent = 0;
    view->tx_length = 0;
  }
  return length <= conn->tx_size - view->tx_length;
}

static bool stage(porthole_conn *conn, const void *bytes, size_t length) {
  if (!reserve(conn, length)) {
    return false;
  }
  porthole__copy(conn->tx + conn->view.tx_length, bytes, length);
  conn->view.tx_length += (uint32_t)length;
  return true;
}

#define STAGE(conn, literal) stage((conn), (literal), sizeof(literal) - 1)

static bool stage_decimal(porthole_conn *conn, uint64_t number) {
  uint8_t digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (uint8_t)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return stage(conn, digits + at, sizeof digits - at);
}

static int32_t too_large(porthole_conn *conn) {
  conn->view.limit = conn->tx_size;
  return PORTHOLE_REQUEST_TOO_LARGE;
}

void porthole_conn_taken(porthole_conn *conn, size_t length) {
  if (conn->in_host) {
    return;
  }
  porthole_view *view = &conn->view;
  uint32_t staged = view->tx_length - view->tx_sent;
  view->tx_sent += length < staged ? (uint32_t)length : staged;
  conn->asking = false;
}

/* What a refused argument is undone with. */
typedef struct checkpoint {
  uint32_t state;
  uint32_t tx_length;
  request_facts request;
} checkpoint;

static checkpoint checkpoint_of(porthole_conn *conn) {
  reserve(conn, 0); /* what was sent is not to come back */
  return (checkpoint){conn->view.state, conn->view.tx_length, conn->request};
}

static int32_t undo(porthole_conn *conn, const checkpoint *before, int32_t error) {
  conn->view.state = before->state;
  conn->view.tx_length = before->tx_length;
  conn->request = before->request;
  return error;
}

/* ---- the request line ---- */

static int32_t check_method(const uint8_t *method, size_t length) {
  if (length == 0) {
    return PORTHOLE_EMPTY_METHOD;
  }
  return porthole__all_class(method, length, CLASS_TOKEN) ? 0 : PORTHOLE_BAD_METHOD;
}

/** Methods are compared as they are spelt (RFC 9110 section 9.1). */
static bool is_method(const uint8_t *method, size_t length, const char *name, size_t name_length) {
  if (length != name_length) {
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    if (method[i] != (uint8_t)name[i]) {
      return false;
    }
  }
  return true;
}

static int32_t check_url(const uint8_t *url, size_t length) {
  bool ascii = true;
  for (size_t i = 0; i < length; i++) {
    if (url[i] >= 0x80) {
      ascii = false;
    } else if (!(porthole__class[url[i]] & CLASS_TARGET)) {
      return PORTHOLE_BAD_URL;
    }
  }
  return ascii ? 0 : PORTHOLE_URL_NOT_ASCII;
}

/**
 * Finds the authority of an absolute-form target (RFC 9112 section 3.2.2), where there is one. Like http.client it looks
 * only at targets that begin with "http".
 */
static int32_t url_authority(const uint8_t *url, size_t length, porthole_span *authority) {
  const uint8_t *end = url + length;
  *authority = (porthole_span){NULL, 0};
  if (length < 4 || url[0] != 'h' || url[1] != 't' || url[2] != 't' || url[3] != 'p') {
    return 0;
  }
  const uint8_t *colon = porthole__find(url, end, ':');
  for (const uint8_t *at = url; at < colon; at++) {
    if (!(porthole__class[*at] & CLASS_TOKEN)) {
      return 0;
    }
  }
  if (end - colon < 3 || colon[1] != '/' || colon[2] != '/') {
    return 0;
  }
  const uint8_t *start = colon + 3;
  const uint8_t *stop = start;
  while (stop < end && *stop != '/' && *stop != '?' && *stop != '#') {
    if (*stop == '@') {
      return PORTHOLE_URL_USERINFO;
    }
    if (*stop == '\\' || *stop == ',') {
      return PORTHOLE_URL_HOST;
    }
    stop++;
  }
  authority->data = start;
  authority->length = (size_t)(stop - start);
  return 0;
}

/** Stages Host (RFC 9110 section 7.2): the authority of the URL, without an IPv6 zone, or the connection's. */
static bool stage_host(porthole_conn *conn, const porthole_span *authority) {
  bool fits = STAGE(conn, "Host: ");
  if (authority->length > 0) {
    const uint8_t *end = authority->data + authority->length;
    const uint8_t *zone = porthole__find(authority->data, end, '%');
    const uint8_t *bracket = porthole__find(zone, end, ']');
    if (authority->data[0] != '[' || bracket == end) {
      zone = bracket = end;
    }
    fits = fits && stage(conn, authority->data, (size_t)(zone - authority->data)) &&
           stage(conn, bracket, (size_t)(end - bracket));
  } else {
    fits = fits && stage(conn, conn->authority, conn->authority_length);
  }
  return fits && STAGE(conn, "\r\n");
}

/** Can a request begin? What came unasked would be its answer. @returns 0 or an error */
static int32_t check_usable(const porthole_conn *conn) {
  if (conn->view.state != PORTHOLE_IDLE) {
    return PORTHOLE_CANNOT_SEND_REQUEST;
  }
  if (conn->view.flags & PORTHOLE_STRAY) {
    return PORTHOLE_UNSOLICITED;
  }
  if (conn->view.flags & PORTHOLE_UNUSABLE) {
    return conn->view.error != 0 ? conn->view.error : PORTHOLE_CANNOT_SEND_REQUEST;
  }
  return 0;
}

int32_t porthole_conn_putrequest(porthole_conn *conn, const uint8_t *method, size_t method_length, const uint8_t *url,
                                 size_t url_length, uint32_t flags) {
  REFUSE_REENTRY(conn);
  int32_t error = check_usable(conn);
  if (error == 0) {
    error = check_method(method, method_length);
  }
  if (error == 0) {
    error = check_url(url, url_length);
  }
  porthole_span authority;
  if (error == 0) {
    error = url_authority(url, url_length, &authority);
  }
  if (error != 0) {
    return error;
  }

  checkpoint before = checkpoint_of(conn);
  bool fits = stage(conn, method, method_length) && STAGE(conn, " ");
  fits = fits && (url_length > 0 ? stage(conn, url, url_length) : STAGE(conn, "/"));
  fits = fits && STAGE(conn, " HTTP/1.1\r\n");
  if (!(flags & PORTHOLE_SKIP_HOST)) {
    fits = fits && stage_host(conn, &authority);
  }
  if (!(flags & PORTHOLE_SKIP_ACCEPT_ENCODING)) {
    fits = fits && STAGE(conn, "Accept-Encoding: identity\r\n");
  }
  if (!fits) {
    return undo(conn, &before, too_large(conn));
  }
  conn->request = (request_facts){0};
  conn->request.has_host = !(flags & PORTHOLE_SKIP_HOST);
  if (is_method(method, method_length, "HEAD", 4)) {
    conn->request.due = DUE_HEAD;
  } else if (is_method(method, method_length, "CONNECT", 7)) {
    conn->request.due = DUE_CONNECT;
  }
  conn->view.state = PORTHOLE_REQUEST_STARTED;
  return 0;
}

/* ---- headers ---- */

/** Takes a Transfer-Encoding into account (RFC 9112 section 6.1): which codings, which last. */
static void note_encoding(request_facts *facts, const uint8_t *value, size_t length) {
  const uint8_t *item;
  size_t item_length;
  while (porthole__next_item(&value, &length, &item, &item_length)) {
    facts->chunked_last = IS(item, item_length, "chunked");
    facts->encodings += facts->chunked_last;
  }
}

/** Takes a header into account that decides on framing or routing. */
static int32_t note_header(request_facts *facts, const uint8_t *name, size_t name_length, const porthole_span *value,
                           size_t count) {
  if (IS(name, name_length, "host")) {
    if (facts->has_host || count != 1) {
      return PORTHOLE_DUPLICATE_HOST;
    }
    facts->has_host = true;
  } else if (IS(name, name_length, "content-length")) {
    if (facts->has_length) {
      return PORTHOLE_DUPLICATE_CONTENT_LENGTH;
    }
    const uint8_t *digits = count == 1 ? value->data : NULL;
    size_t length = count == 1 ? value->length : 0;
    porthole__trim(&digits, &length);
    if (!porthole__decimal(digits, length, &facts->length)) {
      return PORTHOLE_REQUEST_CONTENT_LENGTH;
    }
    facts->has_length = true;
  } else if (IS(name, name_length, "transfer-encoding")) {
    if (count != 1) {
      return PORTHOLE_REQUEST_TRANSFER_ENCODING; /* a folded one is no list, and not understood the same everywhere */
    }
    note_encoding(facts, value->data, value->length);
    facts->has_encoding = true;
  } else {
    return 0;
  }
  return facts->has_length && facts->has_encoding ? PORTHOLE_REQUEST_LENGTH_AND_ENCODING : 0;
}

static int32_t check_header(const uint8_t *name, size_t name_length, const porthole_span *values, size_t count) {
  if (name_length == 0) {
    return PORTHOLE_EMPTY_HEADER_NAME;
  }
  if (!porthole__all_class(name, name_length, CLASS_TOKEN)) {
    return PORTHOLE_BAD_HEADER_NAME;
  }
  for (size_t i = 0; i < count; i++) {
    const uint8_t *end = values[i].data + values[i].length;
    if (porthole__find_control(values[i].data, end) < end) {
      return PORTHOLE_BAD_HEADER_VALUE;
    }
  }
  return 0;
}

/** Stages "name: value" with continuation lines for further values, unchecked. */
static bool stage_header(porthole_conn *conn, const uint8_t *name, size_t name_length, const porthole_span *values,
                         size_t count) {
  bool fits = stage(conn, name, name_length) && STAGE(conn, ": ");
  for (size_t i = 0; i < count; i++) {
    fits = fits && (i == 0 || STAGE(conn, "\r\n\t")) && stage(conn, values[i].data, values[i].length);
  }
  return fits && STAGE(conn, "\r\n");
}

static int32_t put_header(porthole_conn *conn, const uint8_t *name, size_t name_length, const porthole_span *values,
                          size_t count) {
  int32_t error = check_header(name, name_length, values, count);
  if (error == 0) {
    error = note_header(&conn->request, name, name_length, values, count);
  }
  if (error == 0 && !stage_header(conn, name, name_length, values, count)) {
    error = too_large(conn);
  }
  return error;
}

static int32_t put_fields(porthole_conn *conn, const porthole_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int32_t error = put_header(conn, fields[i].name.data, fields[i].name.length, &fields[i].value, 1);
    if (error != 0) {
      conn->view.refused = (uint32_t)i;
      return error;
    }
  }
  return 0;
}

int32_t porthole_conn_putheader(porthole_conn *conn, const uint8_t *name, size_t name_length,
                                const porthole_span *values, size_t count) {
  REFUSE_REENTRY(conn);
  if (conn->view.state != PORTHOLE_REQUEST_STARTED) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  checkpoint before = checkpoint_of(conn);
  int32_t error = put_header(conn, name, name_length, values, count);
  return error == 0 ? 0 : undo(conn, &before, error);
}

/* ---- the end of the head ---- */

/** Fixes how the body is framed. @returns 0 or the error of a contradiction */
static int32_t choose_mode(porthole_conn *conn, uint32_t body, uint64_t size, uint32_t flags) {
  const request_facts *facts = &conn->request;
  if (facts->has_encoding && (!facts->chunked_last || facts->encodings != 1)) {
    return PORTHOLE_REQUEST_TRANSFER_ENCODING;
  }
  if (facts->has_length && (flags & PORTHOLE_HAS_BODY)) {
    if ((body == PORTHOLE_BODY_NONE && facts->length != 0) || (body == PORTHOLE_BODY_KNOWN && facts->length != size)) {
      return PORTHOLE_LENGTH_MISMATCH;
    }
  }
  conn->to_send = 0;
  conn->raw_excess = false;
  if ((flags & PORTHOLE_ENCODE_CHUNKED) && !facts->has_length) {
    conn->mode = SEND_CHUNKED;
    conn->raw_excess = !facts->has_encoding; /* chunks that no header announces */
  } else if (facts->has_length) {
    conn->mode = SEND_LENGTH;
    conn->to_send = facts->length;
  } else {
    conn->mode = facts->has_encoding ? SEND_RAW : SEND_NOTHING;
  }
  return (flags & PORTHOLE_HAS_TRAILERS) && conn->mode != SEND_CHUNKED ? PORTHOLE_TRAILERS_NEED_CHUNKS : 0;
}

/** The head is complete and staged: the request is on its way. */
static void head_complete(porthole_conn *conn, uint32_t body) {
  conn->view.state = PORTHOLE_REQUEST_SENT;
  conn->asking = true;
  conn->cut = false;
  conn->body_open = body != PORTHOLE_BODY_NONE;
  conn->view.sending = conn->body_open;
  porthole__await(conn, conn->request.due);
}

int32_t porthole_conn_endheaders(porthole_conn *conn, uint32_t body, uint32_t size_low, uint32_t size_high,
                                 uint32_t flags) {
  REFUSE_REENTRY(conn);
  if (conn->view.state != PORTHOLE_REQUEST_STARTED) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  if (conn->view.flags & PORTHOLE_STRAY) {
    return PORTHOLE_UNSOLICITED;
  }
  int32_t error = choose_mode(conn, body, (uint64_t)size_high << 32 | size_low, flags);
  if (error != 0) {
    return error;
  }
  if (!STAGE(conn, "\r\n")) {
    return too_large(conn);
  }
  head_complete(conn, body);
  return 0;
}

/** Does a header of this name, in any case, stand among them? */
static bool has_field(const porthole_field *fields, size_t count, const char *name, size_t length) {
  for (size_t i = 0; i < count; i++) {
    if (porthole__same(fields[i].name.data, fields[i].name.length, name, length)) {
      return true;
    }
  }
  return false;
}

#define HAS_FIELD(fields, count, literal) has_field((fields), (count), (literal), sizeof(literal) - 1)

/** Do requests of this method, in any case, say that they have no body? RFC 9110 section 8.6. */
static bool announces_empty_body(const uint8_t *method, size_t length) {
  return IS(method, length, "put") || IS(method, length, "post") || IS(method, length, "patch");
}

int32_t porthole_conn_request(porthole_conn *conn, const uint8_t *method, size_t method_length, const uint8_t *url,
                              size_t url_length, const porthole_field *fields, size_t count, uint32_t body,
                              uint32_t size_low, uint32_t size_high, uint32_t flags) {
  REFUSE_REENTRY(conn);
  checkpoint before = checkpoint_of(conn);
  uint32_t skips = (HAS_FIELD(fields, count, "host") ? (uint32_t)PORTHOLE_SKIP_HOST : 0) |
                   (HAS_FIELD(fields, count, "accept-encoding") ? (uint32_t)PORTHOLE_SKIP_ACCEPT_ENCODING : 0);
  int32_t error = porthole_conn_putrequest(conn, method, method_length, url, url_length, skips);
  if (error != 0) {
    return error;
  }

  uint64_t size = (uint64_t)size_high << 32 | size_low;
  bool fits = true;
  if (HAS_FIELD(fields, count, "content-length")) {
    flags &= ~(uint32_t)PORTHOLE_ENCODE_CHUNKED;
  } else if (!HAS_FIELD(fields, count, "transfer-encoding")) {
    flags &= ~(uint32_t)PORTHOLE_ENCODE_CHUNKED;
    bool known = body == PORTHOLE_BODY_KNOWN || body == PORTHOLE_BODY_STREAM;
    if (body == PORTHOLE_BODY_UNKNOWN) {
      fits = STAGE(conn, "Transfer-Encoding: chunked\r\n");
      conn->request.has_encoding = true;
      conn->request.chunked_last = true;
      conn->request.encodings = 1;
      flags |= PORTHOLE_ENCODE_CHUNKED;
    } else if (known || announces_empty_body(method, method_length)) {
      conn->request.has_length = true;
      conn->request.length = known ? size : 0;
      fits = STAGE(conn, "Content-Length: ") && stage_decimal(conn, conn->request.length) && STAGE(conn, "\r\n");
    }
  }
  bool empty = body == PORTHOLE_BODY_NONE || (body == PORTHOLE_BODY_KNOWN && size == 0);
  if ((flags & PORTHOLE_EXPECT_CONTINUE) && !empty && !HAS_FIELD(fields, count, "expect")) {
    fits = fits && STAGE(conn, "Expect: 100-continue\r\n");
  }
  error = fits ? put_fields(conn, fields, count) : too_large(conn);
  if (error == 0) {
    error = porthole_conn_endheaders(conn, body, size_low, size_high, flags | PORTHOLE_HAS_BODY);
  }
  return error == 0 ? 0 : undo(conn, &before, error);
}

/* ---- CONNECT ---- */

int32_t porthole_conn_tunnel(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port,
                             const porthole_field *fields, size_t count) {
  REFUSE_REENTRY(conn);
  int32_t refused = check_usable(conn);
  if (refused != 0) {
    return refused;
  }
  uint8_t authority[AUTHORITY_MAX];
  int32_t length = porthole__authority(authority, host, host_length, port, true);
  if (length < 0) {
    return length;
  }
  checkpoint before = checkpoint_of(conn);
  conn->request = (request_facts){.due = DUE_CONNECT};
  bool fits = STAGE(conn, "CONNECT ") && stage(conn, authority, (size_t)length) && STAGE(conn, " HTTP/1.1\r\n");
  int32_t error = fits ? put_fields(conn, fields, count) : too_large(conn);
  if (error == 0 && (conn->request.has_length || conn->request.has_encoding)) {
    error = PORTHOLE_TUNNEL_FRAMING;
  }
  if (error == 0 && !conn->request.has_host) {
    fits = STAGE(conn, "Host: ") && stage(conn, authority, (size_t)length) && STAGE(conn, "\r\n");
  }
  if (error == 0 && !(fits && STAGE(conn, "\r\n"))) {
    error = too_large(conn);
  }
  if (error != 0) {
    return undo(conn, &before, error);
  }
  conn->mode = SEND_NOTHING;
  conn->to_send = 0;
  conn->raw_excess = false;
  head_complete(conn, PORTHOLE_BODY_NONE);
  return 0;
}

int32_t porthole_conn_tunnelled(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (view->phase != PORTHOLE_PHASE_TUNNEL || view->raw_length > 0) {
    porthole__fail(conn, PORTHOLE_UNSOLICITED);
    return PORTHOLE_UNSOLICITED;
  }
  porthole_conn_release(conn);
  conn->due_count = 0;
  view->phase = PORTHOLE_PHASE_NOTHING;
  view->state = PORTHOLE_IDLE;
  view->flags &= (uint32_t)PORTHOLE_ENDED;
  if (view->flags & PORTHOLE_ENDED) {
    view->flags |= PORTHOLE_UNUSABLE;
  }
  return 0;
}

/* ---- the body ---- */

/** Stages a chunk's size line: upper-case hexadecimal. */
static bool stage_chunk_size(porthole_conn *conn, size_t size) {
  static const char digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'};
  uint8_t text[18];
  size_t at = sizeof text - 2;
  text[at] = '\r';
  text[at + 1] = '\n';
  do {
    text[--at] = (uint8_t)digits[size % 16];
    size /= 16;
  } while (size > 0);
  return stage(conn, text + at, sizeof text - at);
}

int32_t porthole_conn_body_piece(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  if (!conn->body_open) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  switch (conn->mode) {
  case SEND_LENGTH:
    if (length > conn->to_send) {
      return PORTHOLE_BODY_TOO_LONG;
    }
    conn->to_send -= length;
    return 0;
  case SEND_CHUNKED:
    return stage_chunk_size(conn, length) ? 1 : PORTHOLE_WANT_WRITE;
  case SEND_NOTHING:
    conn->raw_excess = true;
    return 0;
  case SEND_RAW:
    return 0;
  }
  return 0;
}

void porthole_conn_body_piece_end(porthole_conn *conn) {
  if (conn->in_host) {
    return;
  }
  if (conn->mode == SEND_CHUNKED) {
    STAGE(conn, "\r\n");
  }
}

/** May a field of this name stand in a trailer section (RFC 9110 section 6.5.1)? */
static bool allowed_in_trailers(const uint8_t *name, size_t length) {
  static const char forbidden[] = "authorization,cache-control,connection,content-encoding,content-length,"
                                  "content-range,content-type,cookie,expect,host,keep-alive,max-forwards,pragma,"
                                  "proxy-authorization,proxy-connection,range,te,trailer,transfer-encoding,upgrade";
  const uint8_t *list = (const uint8_t *)forbidden;
  size_t list_length = sizeof forbidden - 1;
  const uint8_t *item;
  size_t item_length;
  while (porthole__next_item(&list, &list_length, &item, &item_length)) {
    if (porthole__same(name, length, (const char *)item, item_length)) {
      return false;
    }
  }
  return true;
}

int32_t porthole_conn_check_trailers(porthole_conn *conn, const porthole_field *fields, size_t count) {
  REFUSE_REENTRY(conn);
  for (size_t i = 0; i < count; i++) {
    const porthole_span *name = &fields[i].name;
    int32_t error = check_header(name->data, name->length, &fields[i].value, 1);
    if (error == 0 && !allowed_in_trailers(name->data, name->length)) {
      error = PORTHOLE_TRAILER_FORBIDDEN;
    }
    if (error != 0) {
      conn->view.refused = (uint32_t)i;
      return error;
    }
  }
  return 0;
}

int32_t porthole_conn_body_end(porthole_conn *conn, const porthole_field *fields, size_t count) {
  REFUSE_REENTRY(conn);
  if (!conn->body_open) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  if (conn->cut) { /* view.sending stays: no other request can follow */
    conn->body_open = false;
    return 0;
  }
  if (conn->mode == SEND_LENGTH && conn->to_send > 0) {
    return PORTHOLE_BODY_TOO_SHORT;
  }
  if (conn->mode == SEND_CHUNKED) {
    int32_t error = porthole_conn_check_trailers(conn, fields, count);
    if (error != 0) {
      return error;
    }
    checkpoint before = checkpoint_of(conn);
    bool fits = STAGE(conn, "0\r\n");
    for (size_t i = 0; i < count; i++) {
      const porthole_field *field = &fields[i];
      fits = fits && stage_header(conn, field->name.data, field->name.length, &field->value, 1);
    }
    if (!(fits && STAGE(conn, "\r\n"))) {
      return undo(conn, &before, too_large(conn));
    }
  } else if (count > 0) {
    return PORTHOLE_TRAILERS_NEED_CHUNKS;
  }
  conn->body_open = false;
  conn->view.sending = 0;
  return 0;
}

int32_t porthole_conn_sent_raw(porthole_conn *conn, size_t length) {
  REFUSE_REENTRY(conn);
  if (conn->view.state != PORTHOLE_REQUEST_SENT) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  switch (conn->mode) {
  case SEND_LENGTH:
    if (length > conn->to_send) {
      conn->raw_excess = true;
      conn->to_send = 0;
    } else {
      conn->to_send -= length;
    }
    break;
  case SEND_NOTHING:
    conn->raw_excess = conn->raw_excess || length > 0;
    break;
  case SEND_CHUNKED:
  case SEND_RAW:
    break;
  }
  return 0;
}
