/* SPDX-License-Identifier: MIT
 *
 * Requests (RFC 9112 sections 3, 6 and 7.1): serialized into the send buffer, every byte checked on its way in. What is
 * refused leaves the send buffer as it was.
 */
#include "receive.h"
#include "upload.h"

/* ---- the request line ---- */

static int32_t check_method(porthole_span method) {
  if (method.length == 0) {
    return PORTHOLE_EMPTY_METHOD;
  }
  return porthole__all_class(method, CLASS_TOKEN) ? 0 : PORTHOLE_BAD_METHOD;
}

/** Are these the same bytes? Methods are compared as they are spelt (RFC 9110 section 9.1). */
static bool same_bytes(porthole_span method, porthole_span name) {
  if (method.length != name.length) {
    return false;
  }
  for (size_t i = 0; i < method.length; i++) {
    if (method.data[i] != name.data[i]) {
      return false;
    }
  }
  return true;
}

static int32_t check_url(porthole_span url) {
  bool ascii = true;
  for (size_t i = 0; i < url.length; i++) {
    if (url.data[i] >= 0x80) {
      ascii = false;
    } else if (!(porthole__class[url.data[i]] & CLASS_TARGET)) {
      return PORTHOLE_BAD_URL;
    }
  }
  return ascii ? 0 : PORTHOLE_URL_NOT_ASCII;
}

/**
 * Finds the authority of an absolute-form target (RFC 9112 section 3.2.2), where there is one. Like http.client it looks
 * only at targets that begin with "http".
 */
static int32_t url_authority(porthole_span url, porthole_span *authority) {
  const uint8_t *end = url.data + url.length;
  *authority = (porthole_span){url.data, 0};
  if (url.length < 4 || !same_bytes((porthole_span){url.data, 4}, LITERAL("http"))) {
    return 0;
  }
  const uint8_t *colon = porthole__find(url.data, end, ':');
  if (!porthole__all_class(porthole__between(url.data, colon), CLASS_TOKEN)) {
    return 0;
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
  *authority = porthole__between(start, stop);
  return 0;
}

/** Stages Host (RFC 9110 section 7.2): the authority of the URL, without an IPv6 zone, or the connection's. */
static bool stage_host(porthole_conn *conn, porthole_span authority) {
  bool fits = STAGE(conn, "Host: ");
  if (authority.length > 0) {
    const uint8_t *end = authority.data + authority.length;
    const uint8_t *zone = porthole__find(authority.data, end, '%');
    const uint8_t *bracket = porthole__find(zone, end, ']');
    if (authority.data[0] != '[' || bracket == end) {
      zone = bracket = end;
    }
    fits = fits && porthole__stage(conn, porthole__between(authority.data, zone)) &&
           porthole__stage(conn, porthole__between(bracket, end));
  } else {
    fits = fits && porthole__stage(conn, (porthole_span){conn->authority, conn->authority_length});
  }
  return fits && STAGE(conn, "\r\n");
}

/** Can a request begin? What came unasked would be its answer. @returns 0 or an error */
static int32_t check_usable(porthole_conn *conn) {
  if (conn->state == REQUEST_LATE_HAND) {
    porthole__stop(conn); /* its body is not complete, and a request now says that it won't be */
  }
  int32_t refused = porthole__refusal(conn, CALL_PUTREQUEST);
  if (refused != 0) {
    return refused;
  }
  if (conn->view.flags & PORTHOLE_STRAY) {
    return PORTHOLE_UNSOLICITED;
  }
  if (conn->send_error != 0) {
    return conn->send_error;
  }
  return conn->view.flags & PORTHOLE_UNUSABLE ? PORTHOLE_CANNOT_SEND_REQUEST : 0;
}

/** The first bytes of a head are staged: noted is where, so that it is known whether any of it was sent. */
static void begin_head(porthole_conn *conn, const checkpoint *before, uint8_t due, bool has_host) {
  conn->asking = before->tx_length + 1;
  conn->request = (request_facts){.due = due, .has_host = has_host};
  porthole__enter(conn, REQUEST_STARTED);
}

int32_t porthole_conn_putrequest(porthole_conn *conn, porthole_span method, porthole_span url, uint32_t flags) {
  REFUSE_REENTRY(conn);
  method = porthole__given(method);
  url = porthole__given(url);
  int32_t error = check_usable(conn);
  if (error == 0) {
    error = check_method(method);
  }
  if (error == 0) {
    error = check_url(url);
  }
  porthole_span authority;
  if (error == 0) {
    error = url_authority(url, &authority);
  }
  if (error != 0) {
    return error;
  }

  checkpoint before = porthole__checkpoint(conn);
  bool fits = porthole__stage(conn, method) && STAGE(conn, " ");
  fits = fits && (url.length > 0 ? porthole__stage(conn, url) : STAGE(conn, "/"));
  fits = fits && STAGE(conn, " HTTP/1.1\r\n");
  if (!(flags & PORTHOLE_SKIP_HOST)) {
    fits = fits && stage_host(conn, authority);
  }
  if (!(flags & PORTHOLE_SKIP_ACCEPT_ENCODING)) {
    fits = fits && STAGE(conn, "Accept-Encoding: identity\r\n");
  }
  if (!fits) {
    return porthole__undo(conn, &before, porthole__too_large(conn));
  }
  uint8_t due = same_bytes(method, LITERAL("HEAD")) ? DUE_HEAD : 0;
  if (same_bytes(method, LITERAL("CONNECT"))) {
    due = DUE_CONNECT;
  }
  begin_head(conn, &before, due, !(flags & PORTHOLE_SKIP_HOST));
  return 0;
}

/* ---- headers ---- */

/** Takes a Transfer-Encoding into account (RFC 9112 section 6.1): which codings, which last. */
static void note_encoding(request_facts *facts, porthole_span value) {
  porthole_span item;
  while (porthole__next_item(&value, &item)) {
    facts->chunked_last = IS(item, "chunked");
    facts->encodings += facts->chunked_last;
  }
}

/** Takes a header into account that decides on framing, routing or the time of the body. */
static int32_t note_header(request_facts *facts, porthole_span name, const porthole_span *values, size_t count) {
  porthole_span value = porthole__given(count == 1 ? *values : (porthole_span){NULL, 0});
  field_name field = porthole__field(name, REQUESTS);
  if (field == FIELD_HOST) {
    if (facts->has_host || count != 1) {
      return PORTHOLE_DUPLICATE_HOST;
    }
    facts->has_host = true;
  } else if (field == FIELD_CONTENT_LENGTH) {
    if (facts->has_length) {
      return PORTHOLE_DUPLICATE_CONTENT_LENGTH;
    }
    if (!porthole__decimal(porthole__trim(value), &facts->length)) {
      return PORTHOLE_REQUEST_CONTENT_LENGTH;
    }
    facts->has_length = true;
  } else if (field == FIELD_TRANSFER_ENCODING) {
    if (count != 1) {
      return PORTHOLE_REQUEST_TRANSFER_ENCODING; /* a folded one is no list, and not understood the same everywhere */
    }
    note_encoding(facts, value);
    facts->has_encoding = true;
  } else if (field == FIELD_EXPECT) {
    facts->expects |= IS(porthole__trim(value), "100-continue");
  }
  return facts->has_length && facts->has_encoding ? PORTHOLE_REQUEST_LENGTH_AND_ENCODING : 0;
}

static int32_t put_header(porthole_conn *conn, porthole_span name, const porthole_span *values, size_t count) {
  int32_t error = porthole__check_header(name, values, count);
  if (error == 0) {
    error = note_header(&conn->request, name, values, count);
  }
  if (error == 0 && !porthole__stage_header(conn, name, values, count)) {
    error = porthole__too_large(conn);
  }
  return error;
}

static int32_t put_fields(porthole_conn *conn, const porthole_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int32_t error = put_header(conn, fields[i].name, &fields[i].value, 1);
    if (error != 0) {
      conn->view.refused = (uint32_t)i;
      return error;
    }
  }
  return 0;
}

int32_t porthole_conn_putheader(porthole_conn *conn, porthole_span name, const porthole_span *values, size_t count) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_PUTHEADER);
  if (refused != 0) {
    return refused;
  }
  checkpoint before = porthole__checkpoint(conn);
  int32_t error = put_header(conn, name, values, count);
  return error == 0 ? 0 : porthole__undo(conn, &before, error);
}

/* ---- the end of the head ---- */

/** How the body will be framed, from what the head says and the call. @returns 0 or the error of a contradiction */
static int32_t choose_framing(const request_facts *facts, uint32_t body, uint64_t size, uint32_t flags,
                              body_framing *framing) {
  if (facts->has_encoding && (!facts->chunked_last || facts->encodings != 1)) {
    return PORTHOLE_REQUEST_TRANSFER_ENCODING;
  }
  if (facts->has_length && (flags & PORTHOLE_HAS_BODY)) {
    if ((body == PORTHOLE_BODY_NONE && facts->length != 0) || (body == PORTHOLE_BODY_KNOWN && facts->length != size)) {
      return PORTHOLE_LENGTH_MISMATCH;
    }
  }
  if (facts->has_length) {
    *framing = FRAMING_LENGTH;
  } else if ((flags & PORTHOLE_ENCODE_CHUNKED) && body != PORTHOLE_BODY_NONE) {
    *framing = FRAMING_CHUNKED;
  } else {
    *framing = facts->has_encoding ? FRAMING_OWN : FRAMING_NONE; /* what the head announces, if anything */
  }
  return (flags & PORTHOLE_HAS_TRAILERS) && *framing != FRAMING_CHUNKED ? PORTHOLE_TRAILERS_NEED_CHUNKS : 0;
}

/** The head is complete and staged: the request is on its way. */
static void head_complete(porthole_conn *conn, uint32_t body, body_framing framing) {
  request_facts *facts = &conn->request;
  bool announced = framing == FRAMING_OWN || (framing == FRAMING_LENGTH && facts->length > 0);
  conn->body_framing = framing;
  conn->to_send = framing == FRAMING_LENGTH ? facts->length : 0;
  conn->piece_left = 0;
  conn->asked = conn->view.tx_length;
  porthole__own_begin(conn);
  if (framing == FRAMING_CHUNKED && !facts->has_encoding) {
    facts->excess = true; /* chunks that no header announces */
    conn->view.flags |= PORTHOLE_UNUSABLE;
  }
  if (body != PORTHOLE_BODY_NONE) {
    porthole__enter(conn, REQUEST_BODY);
  } else {
    porthole__enter(conn, announced ? REQUEST_HAND : REQUEST_DONE);
  }
  porthole__await(conn, facts->due);
}

int32_t porthole_conn_endheaders(porthole_conn *conn, uint32_t body, uint64_t size, uint32_t flags) {
  REFUSE_REENTRY(conn);
  int32_t refused = porthole__refusal(conn, CALL_PUTHEADER);
  if (refused != 0) {
    return refused;
  }
  if (conn->view.flags & PORTHOLE_STRAY) {
    return PORTHOLE_UNSOLICITED;
  }
  if (conn->request.excess) {
    return PORTHOLE_CANNOT_SEND_REQUEST; /* it would go out behind bytes that were sent since it was begun */
  }
  body_framing framing;
  int32_t error = choose_framing(&conn->request, body, size, flags, &framing);
  if (error != 0) {
    return error;
  }
  if (!STAGE(conn, "\r\n")) {
    return porthole__too_large(conn);
  }
  head_complete(conn, body, framing);
  return 0;
}

/* ---- all at once ---- */

/** Which of the fields that decide on how a request is made stand among these? Bit n is field n. */
static uint32_t fields_among(const porthole_field *fields, size_t count) {
  uint32_t there = 0;
  for (size_t i = 0; i < count; i++) {
    field_name field = porthole__field(porthole__given(fields[i].name), REQUESTS);
    there |= field == FIELD_OTHER ? 0 : 1U << field;
  }
  return there;
}

/** Do requests of this method, in any case, say that they have no body? RFC 9110 section 8.6. */
static bool announces_empty_body(porthole_span method) {
  return IS(method, "put") || IS(method, "post") || IS(method, "patch");
}

void porthole_request_plan(porthole_span method, const porthole_field *fields, size_t count, uint32_t body,
                           uint64_t size, uint32_t flags, porthole_plan *plan) {
  uint32_t there = fields_among(fields, count);
  bool known = body == PORTHOLE_BODY_KNOWN || body == PORTHOLE_BODY_STREAM;
  bool empty = body == PORTHOLE_BODY_NONE || (body == PORTHOLE_BODY_KNOWN && size == 0);
  uint32_t planned = flags & PORTHOLE_HAS_TRAILERS;
  plan->length = 0;
  if (there & 1U << FIELD_HOST) {
    planned |= PORTHOLE_SKIP_HOST;
  }
  if (there & 1U << FIELD_ACCEPT_ENCODING) {
    planned |= PORTHOLE_SKIP_ACCEPT_ENCODING;
  }
  if (there & 1U << FIELD_CONTENT_LENGTH) {
    /* its value is the framing */
  } else if (there & 1U << FIELD_TRANSFER_ENCODING) {
    planned |= flags & PORTHOLE_ENCODE_CHUNKED;
  } else if (body == PORTHOLE_BODY_UNKNOWN) {
    planned |= PORTHOLE_ADD_CHUNKED | PORTHOLE_ENCODE_CHUNKED;
  } else if (known || announces_empty_body(porthole__given(method))) {
    planned |= PORTHOLE_ADD_LENGTH;
    plan->length = known ? size : 0;
  }
  if ((flags & PORTHOLE_EXPECT_CONTINUE) && !empty && !(there & 1U << FIELD_EXPECT)) {
    planned |= PORTHOLE_ADD_EXPECT;
  }
  plan->flags = planned;
}

/** Stages what a plan adds before the caller's headers. @returns false when it doesn't fit */
static bool stage_added(porthole_conn *conn, const porthole_plan *plan) {
  request_facts *facts = &conn->request;
  bool fits = true;
  if (plan->flags & PORTHOLE_ADD_CHUNKED) {
    facts->has_encoding = true;
    facts->chunked_last = true;
    facts->encodings = 1;
    fits = STAGE(conn, "Transfer-Encoding: chunked\r\n");
  }
  if (plan->flags & PORTHOLE_ADD_LENGTH) {
    facts->has_length = true;
    facts->length = plan->length;
    fits = STAGE(conn, "Content-Length: ") && porthole__stage_decimal(conn, plan->length) && STAGE(conn, "\r\n");
  }
  if (plan->flags & PORTHOLE_ADD_EXPECT) {
    facts->expects = true;
    fits = fits && STAGE(conn, "Expect: 100-continue\r\n");
  }
  return fits;
}

int32_t porthole_conn_request(porthole_conn *conn, porthole_span method, porthole_span url,
                              const porthole_field *fields, size_t count, uint32_t body, uint64_t size,
                              uint32_t flags) {
  REFUSE_REENTRY(conn);
  int32_t error = check_usable(conn);
  if (error != 0) {
    return error;
  }
  porthole_plan plan;
  porthole_request_plan(method, fields, count, body, size, flags, &plan);
  checkpoint before = porthole__checkpoint(conn);
  error = porthole_conn_putrequest(conn, method, url, plan.flags);
  if (error != 0) {
    return error;
  }
  error = stage_added(conn, &plan) ? put_fields(conn, fields, count) : porthole__too_large(conn);
  if (error == 0) {
    error = porthole_conn_endheaders(conn, body, size, plan.flags | PORTHOLE_HAS_BODY);
  }
  if (error != 0) {
    return porthole__undo(conn, &before, error);
  }
  if (before.tx_length == 0 && conn->state == REQUEST_DONE) {
    conn->repeatable = conn->view.tx_length;
  }
  return 0;
}

int32_t porthole_conn_repeat(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  int32_t error = check_usable(conn);
  if (error != 0) {
    return error;
  }
  porthole_view *view = &conn->view;
  if (conn->repeatable == 0 || view->tx_sent < view->tx_length) {
    return 1;
  }
  view->tx_sent = 0;
  view->tx_length = conn->repeatable;
  conn->asking = 1;
  head_complete(conn, PORTHOLE_BODY_NONE, conn->body_framing);
  return 0;
}

/* ---- CONNECT ---- */

int32_t porthole_conn_tunnel(porthole_conn *conn, porthole_span host, uint32_t port, const porthole_field *fields,
                             size_t count) {
  REFUSE_REENTRY(conn);
  int32_t refused = check_usable(conn);
  if (refused != 0) {
    return refused;
  }
  uint8_t bytes[AUTHORITY_MAX];
  int32_t length = porthole__authority(bytes, host, port, true);
  if (length < 0) {
    return length;
  }
  porthole_span authority = {bytes, (size_t)length};
  checkpoint before = porthole__checkpoint(conn);
  bool fits = STAGE(conn, "CONNECT ") && porthole__stage(conn, authority) && STAGE(conn, " HTTP/1.1\r\n");
  begin_head(conn, &before, DUE_CONNECT, false);
  int32_t error = fits ? put_fields(conn, fields, count) : porthole__too_large(conn);
  if (error == 0 && (conn->request.has_length || conn->request.has_encoding)) {
    error = PORTHOLE_TUNNEL_FRAMING;
  }
  if (error == 0 && !conn->request.has_host) {
    fits = STAGE(conn, "Host: ") && porthole__stage(conn, authority) && STAGE(conn, "\r\n");
  }
  if (error == 0 && !(fits && STAGE(conn, "\r\n"))) {
    error = porthole__too_large(conn);
  }
  if (error != 0) {
    return porthole__undo(conn, &before, error);
  }
  head_complete(conn, PORTHOLE_BODY_NONE, FRAMING_NONE);
  return 0;
}

int32_t porthole_conn_tunnelled(porthole_conn *conn) {
  REFUSE_REENTRY(conn);
  porthole_view *view = &conn->view;
  if (view->error == 0 && view->phase == PORTHOLE_PHASE_TUNNEL && conn->late_error != 0) {
    porthole__fail(conn, conn->late_error); /* the transport failed: it is no other peer's yet */
  }
  int32_t refused = porthole__refusal(conn, CALL_TUNNELLED);
  if (refused != 0) {
    return refused;
  }
  if (view->phase != PORTHOLE_PHASE_TUNNEL) {
    return PORTHOLE_RESPONSE_NOT_READY;
  }
  if (view->raw_length > 0) {
    porthole__fail(conn, PORTHOLE_UNSOLICITED);
    return PORTHOLE_UNSOLICITED;
  }
  porthole__leave_tunnel(conn);
  if (conn->request.excess) { /* bytes behind the head of CONNECT are for nobody */
    view->flags |= PORTHOLE_UNUSABLE;
  }
  porthole__enter(conn, REQUEST_IDLE);
  return 0;
}
