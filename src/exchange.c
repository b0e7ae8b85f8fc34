/* SPDX-License-Identifier: MIT
 *
 * Requests and responses of a client (client.h): the calls of porthole.h in their order, and how far they got.
 */
#include "client.h"

/* A request as it was asked for. */
typedef struct order {
  const char *method;
  const char *url;
  const char *const *headers;
  uint32_t body;
  uint64_t length;
  uint32_t flags;
} order;

/* ---- requests ---- */

static int32_t stage_order(porthole_client *client, const order *what, client_call call) {
  porthole_field fields[PORTHOLE_CLIENT_FIELDS];
  porthole_span method = porthole_text(what->method);
  porthole_span url = porthole_text(what->url);
  if (call == CALL_STEPS) {
    return porthole_conn_putrequest(client->conn, method, url, what->flags);
  }
  int32_t count = porthole__client_fields(what->headers, fields);
  if (count < 0) {
    return count;
  }
  return porthole_conn_request(client->conn, method, url, fields, (size_t)count, what->body, what->length, what->flags);
}

/** Begins a call: checks what it asks for before anything is opened for it. @returns 0 or what is wrong */
static int32_t begin(porthole_client *client, const order *what, client_call call) {
  porthole__client_renew(client);
  if (client->step == STEP_CLOSED) {
    int32_t error = porthole__client_authority(client);
    error = error != 0 ? error : stage_order(client, what, call);
    if (error != 0) {
      return porthole__client_told(client, error);
    }
    porthole_conn_reset(client->conn);
    client->request_sent = client->request_received = 0;
  }
  client->call = call;
  client->stage = STAGE_CONNECT;
  client->done = 0;
  return 0;
}

/** Stages the head on a connection. @returns 0 or what is wrong */
static int32_t stage_head(porthole_client *client, const order *what) {
  int32_t error = stage_order(client, what, client->call);
  if (error == 0) {
    porthole__client_count(client);
    client->responded = client->responded && (client->view->flags & PORTHOLE_OPEN);
    client->finished = false;
    client->tunnel_head_length = 0;
    porthole_conn_keep_interim(client->conn, client->interims, client->interims_size);
    client->stage = STAGE_HEAD;
  }
  return error;
}

/**
 * Sends the head. A connection that was closed while it rested is told by that, with nothing sent: another is opened, once.
 *
 * @returns 0, PORTHOLE_WANT_* or an error
 */
static int32_t send_order(porthole_client *client, const order *what) {
  int32_t result = 0;
  do {
    if (client->stage == STAGE_CONNECT) {
      result = client->step == STEP_READY ? 0 : porthole__client_connect(client);
      result = result != 0 ? result : stage_head(client, what);
    }
    if (result != 0 || client->call == CALL_STEPS || client->stage != STAGE_HEAD) {
      break;
    }
    result = porthole_conn_flush(client->conn);
    bool rested = client->used && !(client->view->flags & PORTHOLE_OPEN) && porthole_client_bytes_sent(client) == 0;
    bool failed = result < PORTHOLE_WANT_SPACE && result != PORTHOLE_HOST_TIMED_OUT && result != PORTHOLE_BUSY;
    if (rested && failed) {
      client_call call = client->call;
      porthole_client_close(client);
      client->call = call;
      result = 0;
    } else if (result == 0) {
      client->stage = STAGE_CONTINUE;
    }
  } while (client->stage == STAGE_CONNECT);
  return result;
}

/** Waits for the 100 where one was asked for. @returns 0, PORTHOLE_WANT_READ or an error */
static int32_t await_continue(porthole_client *client, uint32_t body) {
  int32_t result = 0;
  if (client->stage == STAGE_CONTINUE) {
    bool waits = client->continue_ms >= 0 && body != PORTHOLE_BODY_NONE;
    int32_t answer = waits ? porthole_conn_wait_continue(client->conn, client->continue_ms) : 0;
    result = answer < 0 ? answer : 0;
    client->stage = result == 0 ? STAGE_BODY : STAGE_CONTINUE;
  }
  return result;
}

/** Connects, sends the head, and waits for the 100 where one was asked for. @returns 0, PORTHOLE_WANT_* or an error */
static int32_t send_head(porthole_client *client, const order *what) {
  int32_t result = send_order(client, what);
  return result != 0 ? result : await_continue(client, what->body);
}

/** Sends a body that is at hand, and its end. @returns 0, PORTHOLE_WANT_* or an error */
static int32_t send_given(porthole_client *client, const void *body, size_t length) {
  int32_t result = 0;
  while (result == 0 && client->stage == STAGE_BODY && client->done < length) {
    int32_t sent = porthole_conn_send(client->conn, (const uint8_t *)body + client->done, length - client->done);
    client->done += sent > 0 ? (size_t)sent : 0;
    result = sent > 0 ? 0 : sent;
  }
  if (result == 0 && client->stage == STAGE_BODY) {
    result = body == NULL ? 0 : porthole_conn_body_end(client->conn, NULL, 0);
    client->stage = result == 0 ? STAGE_END : STAGE_BODY;
  }
  return result != 0 ? result : porthole_conn_flush(client->conn);
}

/** Is this the call that is repeated, or else the first of its kind? @returns 0, or what is wrong */
static int32_t enter(porthole_client *client, const order *what, client_call call) {
  if (client->call == CALL_NONE) {
    return begin(client, what, call);
  }
  return client->call == call ? 0 : PORTHOLE_CANNOT_SEND_REQUEST;
}

static uint32_t expects(const porthole_client *client) {
  return client->continue_ms >= 0 ? (uint32_t)PORTHOLE_EXPECT_CONTINUE : 0;
}

int32_t porthole_client_request(porthole_client *client, const char *method, const char *url, const void *body,
                                size_t length, const char *const *headers) {
  uint32_t kind = body != NULL ? PORTHOLE_BODY_KNOWN : PORTHOLE_BODY_NONE;
  const order what = {method, url, headers, kind, body != NULL ? length : 0, expects(client)};
  int32_t result = enter(client, &what, CALL_REQUEST);
  if (result != 0) {
    return result;
  }
  result = send_head(client, &what);
  return porthole__client_over(client, result != 0 ? result : send_given(client, body, (size_t)what.length));
}

int32_t porthole_client_begin(porthole_client *client, const char *method, const char *url, uint64_t length,
                              const char *const *headers) {
  bool known = length != PORTHOLE_CHUNKED_BODY;
  uint32_t flags = expects(client) | (known ? 0 : (uint32_t)PORTHOLE_ENCODE_CHUNKED);
  const order what = {method, url, headers, known ? PORTHOLE_BODY_STREAM : PORTHOLE_BODY_UNKNOWN, known ? length : 0,
                      flags};
  int32_t result = enter(client, &what, CALL_BEGIN);
  return result != 0 ? result : porthole__client_over(client, send_head(client, &what));
}

int32_t porthole_client_send(porthole_client *client, const void *data, size_t length) {
  if (client->call != CALL_NONE) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  length = length > INT32_MAX ? INT32_MAX : length;
  int32_t result = porthole_conn_send(client->conn, data, length);
  int32_t answer = porthole__client_over(client, result);
  return result < 0 && answer == 0 ? (int32_t)length : answer;
}

int32_t porthole_client_stopped(const porthole_client *client) {
  if (client->view->upload == PORTHOLE_UPLOAD_STOPPED) {
    return 1;
  }
  return client->over ? client->error : client->conn->send_error;
}

int32_t porthole_client_endbody(porthole_client *client, const char *const *trailers) {
  porthole_field fields[PORTHOLE_CLIENT_FIELDS];
  if (client->call == CALL_NONE) {
    if (client->conn->send_error != 0 && client->view->upload == PORTHOLE_UPLOAD_OPEN) {
      return porthole__client_over(client, client->conn->send_error); /* what was given since went nowhere */
    }
    int32_t count = porthole__client_fields(trailers, fields);
    int32_t error = count < 0 ? count : porthole_conn_body_end(client->conn, fields, (size_t)count);
    if (error != 0) {
      return porthole__client_over(client, error);
    }
    client->call = CALL_ENDBODY;
  }
  if (client->call != CALL_ENDBODY) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  return porthole__client_over(client, porthole_conn_flush(client->conn));
}

int32_t porthole_client_putrequest(porthole_client *client, const char *method, const char *url, uint32_t flags) {
  const order what = {method, url, NULL, PORTHOLE_BODY_NONE, 0, flags};
  int32_t result = enter(client, &what, CALL_STEPS);
  return result != 0 ? result : porthole__client_over(client, send_order(client, &what));
}

int32_t porthole_client_putheader(porthole_client *client, const char *name, const char *value) {
  const porthole_span text = porthole_text(value);
  if (client->call != CALL_NONE) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  return porthole__client_told(client, porthole_conn_putheader(client->conn, porthole_text(name), &text, 1));
}

int32_t porthole_client_endheaders(porthole_client *client, const void *body, size_t length) {
  if (client->call == CALL_NONE) {
    uint32_t kind = body != NULL ? PORTHOLE_BODY_KNOWN : PORTHOLE_BODY_NONE;
    int32_t error = porthole_conn_endheaders(client->conn, kind, body != NULL ? length : 0,
                                             body != NULL ? PORTHOLE_HAS_BODY : 0);
    if (error != 0) {
      return porthole__client_told(client, error);
    }
    client->call = CALL_ENDHEADERS;
    client->stage = STAGE_BODY;
    client->done = 0;
  }
  if (client->call != CALL_ENDHEADERS) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  int32_t result = porthole_conn_flush(client->conn);
  return porthole__client_over(client, result != 0 ? result : send_given(client, body, body != NULL ? length : 0));
}

/** Ends the head for a body in pieces, of which the headers have to tell. @returns 0 or what is wrong */
static int32_t stage_body(porthole_client *client, uint64_t length) {
  bool known = length != PORTHOLE_CHUNKED_BODY;
  const request_facts *head = &client->conn->request;
  bool told = known ? head->has_length && head->length == length : head->has_encoding;
  if (client->view->state == PORTHOLE_REQUEST_STARTED && !told) {
    return PORTHOLE_LENGTH_MISMATCH;
  }
  return porthole_conn_endheaders(client->conn, known ? PORTHOLE_BODY_STREAM : PORTHOLE_BODY_UNKNOWN,
                                  known ? length : 0, known ? 0 : PORTHOLE_ENCODE_CHUNKED);
}

int32_t porthole_client_beginbody(porthole_client *client, uint64_t length) {
  if (client->call == CALL_NONE) {
    int32_t error = stage_body(client, length);
    if (error != 0) {
      return porthole__client_told(client, error);
    }
    client->call = CALL_BEGINBODY;
    client->stage = STAGE_HEAD;
    client->done = 0;
  }
  if (client->call != CALL_BEGINBODY) {
    return PORTHOLE_CANNOT_SEND_HEADER;
  }
  int32_t result = client->stage == STAGE_HEAD ? porthole_conn_flush(client->conn) : 0;
  if (result == 0) {
    client->stage = client->stage == STAGE_HEAD ? STAGE_CONTINUE : client->stage;
    result = await_continue(client, PORTHOLE_BODY_STREAM);
  }
  return porthole__client_over(client, result);
}

/* ---- responses ---- */

/** After a response was read to its end: a connection that can't go on is closed. */
static void rest(porthole_client *client) {
  const porthole_view *view = client->view;
  bool next = view->state != PORTHOLE_IDLE || view->upload == PORTHOLE_UPLOAD_OPEN;
  if (view->state == PORTHOLE_REQUEST_SENT) {
    client->responded = false; /* the next one is under way in its place */
  }
  if (!next && (view->flags & PORTHOLE_UNUSABLE)) {
    porthole_conn_hang_up(client->conn);
  }
}

/** Finishes a response of which nothing is left. */
static void finish_if_read(porthole_client *client) {
  const porthole_view *view = client->view;
  if ((view->flags & PORTHOLE_OPEN) && view->phase == PORTHOLE_PHASE_END && view->available == 0) {
    porthole_conn_finish(client->conn);
  }
  if (!(view->flags & PORTHOLE_OPEN)) {
    client->finished = true;
    rest(client);
  }
}

int32_t porthole_client_getresponse(porthole_client *client) {
  if (client->call != CALL_NONE) {
    return PORTHOLE_RESPONSE_NOT_READY;
  }
  int32_t result = porthole_conn_getresponse(client->conn);
  if (result > 0) {
    client->finished = false;
    client->responded = client->used = true;
    finish_if_read(client);
  }
  return porthole__client_told(client, result);
}

int32_t porthole_client_read(porthole_client *client, void *buffer, size_t length) {
  if (client->finished && client->view->error == 0) {
    return porthole__client_told(client, 0);
  }
  int32_t result = porthole_conn_read(client->conn, buffer, length);
  if (result >= 0) {
    finish_if_read(client);
  }
  return porthole__client_told(client, result);
}

int32_t porthole_client_peek(porthole_client *client, porthole_span *bytes) {
  const porthole_view *view = client->view;
  int32_t result = 0;
  *bytes = (porthole_span){client->rx, 0};
  while (result >= 0 && (view->flags & PORTHOLE_OPEN) && view->available == 0) {
    bool whole = view->phase == PORTHOLE_PHASE_END || view->phase == PORTHOLE_PHASE_TUNNEL;
    if (whole && view->error == 0) {
      break;
    }
    result = view->error != 0 ? view->error : porthole_conn_receive(client->conn);
  }
  if (view->flags & PORTHOLE_OPEN) {
    if (view->available > 0) {
      *bytes = (porthole_span){client->rx + view->body, view->body_length};
      return porthole__client_told(client, (int32_t)view->body_length);
    }
    result = result < 0 ? result : 0;
    if (result == 0) {
      finish_if_read(client);
    }
    return porthole__client_told(client, result);
  }
  return porthole__client_told(client,
                               porthole_conn_read(client->conn, NULL, 0)); /* what it says where there is no response */
}

void porthole_client_skip(porthole_client *client, size_t length) {
  const porthole_view *view = client->view;
  porthole_conn_consume(client->conn, length < view->body_length ? length : view->body_length);
  finish_if_read(client);
}

int32_t porthole_client_detach(porthole_client *client, porthole_span *rest) {
  const porthole_view *view = client->view;
  int32_t handle = porthole_client_handle(client);
  if (!client->responded || view->phase != PORTHOLE_PHASE_TUNNEL || handle == 0) {
    return porthole__client_told(client, PORTHOLE_RESPONSE_NOT_READY);
  }
  *rest = (porthole_span){client->rx + view->raw, view->raw_length};
  porthole_conn_attach(client->conn, 0);
  porthole_client_close(client);
  return handle;
}

uint32_t porthole_client_status(const porthole_client *client) { return client->responded ? client->view->status : 0; }

uint32_t porthole_client_version(const porthole_client *client) {
  return client->responded ? client->view->version : 0;
}

int32_t porthole_client_will_close(const porthole_client *client) {
  return client->responded && (client->view->flags & PORTHOLE_WILL_CLOSE) != 0;
}

int32_t porthole_client_isclosed(const porthole_client *client) { return !client->responded || client->finished; }

porthole_span porthole_client_head(const porthole_client *client) {
  const porthole_view *view = client->view;
  return (porthole_span){client->rx + view->head, client->responded ? view->head_length : 0};
}

porthole_span porthole_client_reason(const porthole_client *client) {
  porthole_span head = porthole_client_head(client);
  return head.length == 0 ? head : (porthole_span){head.data + client->view->reason, client->view->reason_length};
}

/** The field lines of the head. */
static porthole_span field_lines(const porthole_client *client) {
  porthole_span head = porthole_client_head(client);
  uint32_t before = head.length == 0 ? 0 : client->view->fields;
  return (porthole_span){head.data + before, head.length - before};
}

porthole_span porthole_client_getheader(const porthole_client *client, const char *name) {
  porthole_span value = {NULL, 0};
  if (client->responded) {
    porthole_conn_getheader(client->conn, porthole_text(name), &value);
  }
  return value;
}

int32_t porthole_client_header(const porthole_client *client, uint32_t index, porthole_field *field) {
  return porthole_fields_at(field_lines(client), index, field);
}

int32_t porthole_client_trailer(const porthole_client *client, uint32_t index, porthole_field *field) {
  const porthole_view *view = client->view;
  uint32_t length = client->responded && !(view->flags & PORTHOLE_OPEN) ? view->trailer_length : 0;
  return porthole_fields_at((porthole_span){client->rx + view->trailer, length}, index, field);
}

/** Takes the next head off those that were kept: up to its empty line. @returns false when there is none */
static bool next_head(porthole_span *heads, porthole_interim *interim) {
  const uint8_t *end = heads->data + heads->length;
  const uint8_t *first = porthole__find(heads->data, end, '\n');
  const uint8_t *line;
  const uint8_t *lf = first;
  if (first == end) {
    return false;
  }
  do {
    line = lf + 1;
    lf = porthole__find(line, end, '\n');
  } while (lf < end && lf != line && !(lf == line + 1 && *line == '\r'));
  const uint8_t *stop = lf < end ? lf + 1 : end;
  const uint8_t *status = heads->data + sizeof "HTTP/1.1 " - 1;
  interim->status = (uint32_t)(status[0] - '0') * 100 + (uint32_t)(status[1] - '0') * 10 + (uint32_t)(status[2] - '0');
  interim->head = porthole__between(heads->data, stop);
  interim->fields = porthole__between(first + 1, stop);
  *heads = porthole__between(stop, end);
  return true;
}

int32_t porthole_client_interim(const porthole_client *client, uint32_t index, porthole_interim *interim) {
  porthole_span heads = porthole__given(porthole_conn_interim(client->conn));
  porthole_interim found;
  while (next_head(&heads, &found)) {
    if (index-- == 0) {
      *interim = found;
      return 1;
    }
  }
  return 0;
}
