/* SPDX-License-Identifier: MIT
 *
 * The client of client.h: making one, connecting it, and what became of its calls. Requests and responses are in exchange.c.
 */
#include "client.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

enum {
  CONN_AT = (sizeof(struct porthole_client) + 7) & ~(size_t)7,
  TX_AT = (CONN_AT + sizeof(porthole_conn) + 7) & ~(size_t)7,
  RX_AT = TX_AT + PORTHOLE_CLIENT_SEND
};

_Static_assert(TX_AT + 7 <= PORTHOLE_CLIENT_OVERHEAD, "PORTHOLE_CLIENT_MEMORY has room for it, aligned");

/* ---- making one ---- */

porthole_client *porthole_client_init(void *memory, size_t size, const char *host, uint32_t port) {
  size_t lost = (size_t)(0 - (uintptr_t)memory) & 7; /* before the next address that can be a client's */
  if (memory == NULL || size < lost + RX_AT + PORTHOLE_CLIENT_RECEIVE) {
    return NULL;
  }
  uint8_t *start = (uint8_t *)memory + lost;
  porthole_client *client = (porthole_client *)(void *)start;
  __builtin_memset(client, 0, sizeof *client);
  client->conn = (porthole_conn *)(void *)(start + CONN_AT);
  client->view = porthole_conn_view(client->conn);
  client->rx = start + RX_AT;
  client->timeout_ms = -1;
  client->continue_ms = -1;
  porthole_conn_init(client->conn, start + TX_AT, PORTHOLE_CLIENT_SEND, start + RX_AT, size - lost - RX_AT);

  porthole_host_port parts = {{NULL, 0}, -1};
  client->host_error = porthole_split_host(porthole_text(host), port != 0, &parts);
  if (client->host_error == 0 && (parts.host.length > HOST_MOST || port > 65535)) {
    client->host_error = port > 65535 ? PORTHOLE_BAD_PORT : PORTHOLE_BAD_HOST;
  }
  if (client->host_error == 0) {
    porthole__copy(client->host, parts.host.data, parts.host.length);
    client->host_length = (uint32_t)parts.host.length;
    client->port = parts.port > 0 ? (uint32_t)parts.port : port;
  }
  return client;
}

void porthole_client_set_timeout(porthole_client *client, int32_t timeout_ms) {
  client->timeout_ms = timeout_ms;
  porthole_conn_set_timeout(client->conn, timeout_ms);
}

void porthole_client_set_deadline(porthole_client *client, int32_t timeout_ms) {
  porthole_conn_set_deadline(client->conn, timeout_ms);
}

void porthole_client_use_tls(porthole_client *client) { client->tls = true; }

void porthole_client_set_family(porthole_client *client, uint32_t flags) {
  client->family = flags & (PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6);
}

int32_t porthole_client_set_limit(porthole_client *client, uint32_t limit, uint64_t value) {
  return porthole_conn_set_limit(client->conn, limit, value);
}

void porthole_client_expect_continue(porthole_client *client, int32_t timeout_ms) { client->continue_ms = timeout_ms; }

void porthole_client_keep_interim(porthole_client *client, void *memory, size_t size) {
  client->interims = memory;
  client->interims_size = size;
  porthole_conn_keep_interim(client->conn, memory, size);
}

/* ---- what became of a call ---- */

/** Notes what the traffic is: that of the request that begins counts from here. */
void porthole__client_count(porthole_client *client) {
  porthole_conn_traffic(client->conn, &client->sent, &client->received);
}

void porthole_client_close(porthole_client *client) {
  client->request_sent = porthole_client_bytes_sent(client);
  client->request_received = porthole_client_bytes_received(client);
  porthole_conn_close(client->conn);
  client->sent = client->received = 0;
  client->step = STEP_CLOSED;
  client->call = CALL_NONE;
  client->stage = STAGE_CONNECT;
  client->over = client->responded = client->finished = client->used = false;
  client->wants = 0;
  client->tunnel_head_length = 0;
}

/** Is an answer still awaited while a body goes out? Then either side can go on. */
static bool listens(const porthole_client *client) {
  const porthole_view *view = client->view;
  return view->upload == PORTHOLE_UPLOAD_OPEN && view->phase == PORTHOLE_PHASE_HEAD && !(view->flags & PORTHOLE_ENDED);
}

/** Was this only refused, with nothing changed? */
static bool refused(int32_t result) {
  return result > -400 && result <= -300 && result != PORTHOLE_BODY_TOO_LONG && result != PORTHOLE_BODY_TOO_SHORT;
}

/** Notes what a result is waiting for, or the error. @returns it */
int32_t porthole__client_told(porthole_client *client, int32_t result) {
  client->wants = 0;
  if (result >= 0 || result == PORTHOLE_BUSY) {
    return result;
  }
  if (result == PORTHOLE_WANT_READ || result == PORTHOLE_WANT_WRITE) {
    client->wants = result == PORTHOLE_WANT_READ ? PORTHOLE_READABLE : PORTHOLE_WRITABLE;
    if (result == PORTHOLE_WANT_WRITE && listens(client)) {
      client->wants |= PORTHOLE_READABLE;
    }
    return result;
  }
  client->error = result;
  client->words_length = 0;
  if (refused(result)) {
    return result;
  }
  if (result <= -400 && result > -500 && result != PORTHOLE_HOST_TIMED_OUT) {
    client->words_length = (uint32_t)porthole_conn_host_text(client->conn, client->words, sizeof client->words);
  }
  client->over = true;
  porthole_conn_hang_up(client->conn);
  return result;
}

/** The same at the end of a call that can be repeated. */
int32_t porthole__client_over(porthole_client *client, int32_t result) {
  if (result != PORTHOLE_WANT_READ && result != PORTHOLE_WANT_WRITE) {
    client->call = CALL_NONE;
  }
  bool unsent = (result == PORTHOLE_HOST_RESET || result == PORTHOLE_HOST_CLOSED) && client->view->error == 0;
  bool told_later = client->view->state == PORTHOLE_REQUEST_SENT || (client->view->flags & PORTHOLE_OPEN);
  if (unsent && told_later && client->step == STEP_READY) {
    return porthole__client_told(client, 0); /* the answer may be there nevertheless: receiving it will tell */
  }
  return porthole__client_told(client, result);
}

/* ---- headers ---- */

/** Turns C strings into fields. @returns how many, or an error */
int32_t porthole__client_fields(const char *const *texts, porthole_field fields[PORTHOLE_CLIENT_FIELDS]) {
  int32_t count = 0;
  for (; texts != NULL && texts[0] != NULL; texts += 2) {
    if (texts[1] == NULL) {
      return PORTHOLE_BAD_HEADER_VALUE;
    }
    if (count == PORTHOLE_CLIENT_FIELDS) {
      return PORTHOLE_TOO_MANY_FIELDS;
    }
    fields[count++] = (porthole_field){porthole_text(texts[0]), porthole_text(texts[1])};
  }
  return count;
}

/* ---- connecting ---- */

static uint32_t scheme_port(const porthole_client *client) { return client->tls ? HTTPS_PORT : HTTP_PORT; }

/** Whom requests are for: the end of the tunnel, or the host. @returns 0 or what is wrong with it */
static int32_t find_end(const porthole_client *client, porthole_span *host, uint32_t *port) {
  *host = (porthole_span){client->host, client->host_length};
  *port = client->port;
  if (client->host_error != 0) {
    return client->host_error;
  }
  if (client->tunnel != NULL) {
    porthole_host_port parts;
    int32_t error = porthole_split_host(porthole_text(client->tunnel), client->tunnel_port != 0, &parts);
    if (error != 0) {
      return error;
    }
    *host = parts.host;
    *port = parts.port > 0 ? (uint32_t)parts.port : client->tunnel_port;
  }
  *port = *port == 0 ? scheme_port(client) : *port;
  return 0;
}

/** Says whom requests are for. @returns 0 or what is wrong with it */
int32_t porthole__client_authority(porthole_client *client) {
  porthole_span host;
  uint32_t port;
  int32_t error = find_end(client, &host, &port);
  return error != 0 ? error : porthole_conn_set_authority(client->conn, host, port, scheme_port(client));
}

static int32_t stage_tunnel(porthole_client *client) {
  porthole_field fields[PORTHOLE_CLIENT_FIELDS];
  porthole_span host;
  uint32_t port;
  int32_t error = find_end(client, &host, &port);
  int32_t count = error != 0 ? error : porthole__client_fields(client->tunnel_headers, fields);
  return count < 0 ? count : porthole_conn_tunnel(client->conn, host, port, fields, (size_t)count);
}

int32_t porthole_client_set_tunnel(porthole_client *client, const char *host, uint32_t port,
                                   const char *const *headers) {
  if (porthole_client_handle(client) != 0) {
    return porthole__client_told(client, PORTHOLE_CANNOT_SEND_REQUEST);
  }
  const char *before = client->tunnel;
  uint32_t port_before = client->tunnel_port;
  const char *const *headers_before = client->tunnel_headers;
  porthole_client_close(client);
  client->tunnel = host;
  client->tunnel_port = port;
  client->tunnel_headers = headers;
  int32_t error = host == NULL || client->host_error != 0 ? 0 : stage_tunnel(client);
  if (error == 0) {
    porthole_conn_reset(client->conn);
  } else {
    client->tunnel = before;
    client->tunnel_port = port_before;
    client->tunnel_headers = headers_before;
  }
  return porthole__client_told(client, error);
}

static int32_t open_transport(porthole_client *client) {
  int32_t error = porthole__client_authority(client);
  if (error != 0) {
    return error;
  }
  bool direct = client->tunnel == NULL;
  uint32_t port = client->port;
  if (port == 0) {
    port = direct ? scheme_port(client) : HTTP_PORT;
  }
  uint32_t flags = client->family | (client->tls && direct ? (uint32_t)PORTHOLE_OPEN_TLS : 0);
  const porthole_span host = {client->host, client->host_length};
  porthole_conn_set_timeout(client->conn, client->timeout_ms);
  error = porthole_conn_open(client->conn, host, port, flags, client->timeout_ms);
  if (error == 0) {
    client->step = STEP_TLS;
    if (!direct) {
      client->step = STEP_OPEN;
    }
  }
  return error;
}

/** Asks the proxy for the tunnel. @returns 0 when it is there, PORTHOLE_WANT_*, or an error */
static int32_t make_tunnel(porthole_client *client) {
  if (client->step == STEP_OPEN) {
    int32_t error = stage_tunnel(client);
    if (error != 0) {
      return error;
    }
    client->step = STEP_ASKED;
  }
  int32_t result = porthole_conn_getresponse(client->conn);
  if (result < 0) {
    return result;
  }
  if (result / 100 != 2) {
    client->responded = true;
    return PORTHOLE_TUNNEL_REFUSED;
  }
  client->step = STEP_TLS;
  client->tunnel_head = client->view->head;
  client->tunnel_head_length = client->view->head_length;
  return porthole_conn_tunnelled(client->conn);
}

/** Connects as far as it goes. @returns 0 when it is done, PORTHOLE_WANT_*, or an error */
int32_t porthole__client_connect(porthole_client *client) {
  int32_t result = client->step == STEP_CLOSED ? open_transport(client) : 0;
  if (result == 0 && (client->step == STEP_OPEN || client->step == STEP_ASKED)) {
    result = make_tunnel(client);
  }
  if (result == 0 && client->step == STEP_TLS && client->tls) {
    porthole_span host;
    uint32_t port;
    find_end(client, &host, &port);
    result = porthole_conn_start_tls(client->conn, host, PORTHOLE_TLS_ALPN_HTTP1);
  }
  if (result == 0) {
    client->step = STEP_READY;
    porthole__client_count(client);
  }
  return result;
}

/** Lets go of a connection that can't be used again, when nothing is under way on it. */
void porthole__client_renew(porthole_client *client) {
  const porthole_view *view = client->view;
  bool gone = (view->flags & PORTHOLE_UNUSABLE) || view->error != 0 || porthole_client_handle(client) == 0;
  bool under_way = view->state != PORTHOLE_IDLE || view->upload == PORTHOLE_UPLOAD_OPEN;
  if (client->over || (gone && !under_way)) {
    porthole_client_close(client);
  }
}

porthole_span porthole_client_tunnel_head(const porthole_client *client) {
  return (porthole_span){client->rx + client->tunnel_head, client->tunnel_head_length};
}

int32_t porthole_client_connect(porthole_client *client) {
  if (client->call == CALL_NONE) {
    porthole__client_renew(client);
    client->call = CALL_CONNECT;
  }
  if (client->call != CALL_CONNECT) {
    return PORTHOLE_CANNOT_SEND_REQUEST;
  }
  return porthole__client_over(client, client->step == STEP_READY ? 0 : porthole__client_connect(client));
}

/* ---- waiting and errors ---- */

uint32_t porthole_client_wants(const porthole_client *client) { return client->wants; }

int32_t porthole_client_wait(porthole_client *client, int32_t timeout_ms) {
  return client->wants == 0 ? 1 : porthole_conn_wait(client->conn, client->wants, timeout_ms);
}

int32_t porthole_client_handle(const porthole_client *client) { return porthole_conn_handle(client->conn); }

size_t porthole_client_info(porthole_client *client, uint32_t what, char *buffer, size_t capacity) {
  return porthole_conn_info(client->conn, what, buffer, capacity);
}

uint64_t porthole_client_bytes_sent(const porthole_client *client) {
  uint64_t sent;
  uint64_t received;
  porthole_conn_traffic(client->conn, &sent, &received);
  if (client->step == STEP_CLOSED) {
    return client->request_sent;
  }
  return client->step == STEP_READY ? sent - client->sent : 0;
}

uint64_t porthole_client_bytes_received(const porthole_client *client) {
  uint64_t sent;
  uint64_t received;
  porthole_conn_traffic(client->conn, &sent, &received);
  if (client->step == STEP_CLOSED) {
    return client->request_received;
  }
  return client->step == STEP_READY ? received - client->received : 0;
}

porthole_retry porthole_client_retry_safe(const porthole_client *client) {
  if (client->responded && client->step == STEP_READY) {
    return PORTHOLE_RETRY_NOT;
  }
  return porthole_client_bytes_sent(client) == 0 ? PORTHOLE_RETRY_SAFE : PORTHOLE_RETRY_UNKNOWN;
}

int32_t porthole_client_failure(const porthole_client *client) { return client->error; }

/** Appends what fits before a terminator. @returns the new length */
static size_t append(char *buffer, size_t size, size_t length, porthole_span text) {
  for (size_t i = 0; i < text.length && length + 1 < size; i++) {
    buffer[length++] = (char)text.data[i];
  }
  buffer[length] = '\0';
  return length;
}

const char *porthole_client_error(const porthole_client *client, char *buffer, size_t size) {
  if (size == 0) {
    return buffer;
  }
  buffer[0] = '\0';
  if (client->error == PORTHOLE_TUNNEL_REFUSED && client->responded) {
    uint8_t digits[20];
    size_t at = porthole__write_decimal(digits, client->view->status);
    size_t length = append(buffer, size, 0, LITERAL("Tunnel connection failed: "));
    length = append(buffer, size, length, porthole__between(digits + at, digits + sizeof digits));
    length = append(buffer, size, length, LITERAL(" "));
    append(buffer, size, length, porthole_client_reason(client));
    return buffer;
  }
  size_t length = porthole_conn_error_text(client->conn, client->error, buffer, size);
  if (client->words_length > 0 && length < size) {
    length = append(buffer, size, length, LITERAL(": "));
    append(buffer, size, length, (porthole_span){(const uint8_t *)client->words, client->words_length});
  }
  return buffer;
}

/* ---- URLs ---- */

int32_t porthole_split_url(const char *url, porthole_url *parts) {
  porthole_span text = porthole__given(porthole_text(url));
  const uint8_t *end = text.data + text.length;
  const uint8_t *colon = porthole__find(text.data, end, ':');
  for (const uint8_t *at = text.data; at < end; at++) {
    if (*at <= ' ' || *at == 0x7f) {
      return PORTHOLE_BAD_URL;
    }
  }
  bool sound = colon > text.data && end - colon > 3 && colon[1] == '/' && colon[2] == '/';
  if (!sound || !porthole__all_class(porthole__between(text.data, colon), CLASS_TOKEN)) {
    return PORTHOLE_BAD_URL;
  }
  const uint8_t *host = colon + 3;
  const uint8_t *stop = porthole__find(host, end, '#');
  const uint8_t *target = host;
  while (target < stop && *target != '/' && *target != '?') {
    target++;
  }
  if (target == host) {
    return PORTHOLE_BAD_URL;
  }
  parts->scheme = porthole__between(text.data, colon);
  parts->authority = porthole__between(host, target);
  parts->target = porthole__between(target, stop);
  return 0;
}
