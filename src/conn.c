/* SPDX-License-Identifier: MIT
 *
 * A connection: its making, its limits, and the host that its requests name.
 */
#include "conn.h"

_Static_assert(offsetof(porthole_conn, view) == 0, "the view is where the connection is");

size_t porthole_conn_size(void) { return sizeof(porthole_conn); }

const porthole_view *porthole_conn_view(const porthole_conn *conn) { return &conn->view; }

/** All but the memory, the limits and the host: as it is in the beginning. */
static void forget(porthole_conn *conn) {
  __builtin_memset(conn, 0, offsetof(porthole_conn, tx));
  conn->view.keep_alive = UINT32_MAX;
  porthole__enter(conn, REQUEST_IDLE);
}

void porthole_conn_init(porthole_conn *conn, uint8_t *tx, size_t tx_size, uint8_t *rx, size_t rx_size) {
  static const uint64_t defaults[PORTHOLE_LIMITS] = {
#define X(name, number, option, value, text) [number] = (value),
#include "porthole/limits.def"
#undef X
  };
  __builtin_memset(conn, 0, sizeof *conn);
  forget(conn);
  conn->tx = tx;
  conn->rx = rx;
  conn->tx_size = tx_size > INT32_MAX ? INT32_MAX : (uint32_t)tx_size;
  conn->rx_size = rx_size > INT32_MAX ? INT32_MAX : (uint32_t)rx_size;
  conn->timeout_ms = -1;
  porthole__copy((uint8_t *)conn->limits, (const uint8_t *)defaults, sizeof defaults);
  if (conn->limits[PORTHOLE_LIMIT_HEAD] >= conn->rx_size) {
    conn->limits[PORTHOLE_LIMIT_HEAD] = conn->rx_size - 1;
  }
}

int32_t porthole_conn_set_limit(porthole_conn *conn, uint32_t limit, uint64_t value) {
  REFUSE_REENTRY(conn);
  if (limit >= PORTHOLE_LIMITS || (limit == PORTHOLE_LIMIT_HEAD && value >= conn->rx_size) ||
      (limit != PORTHOLE_LIMIT_BODY && value > UINT32_MAX)) {
    return PORTHOLE_BAD_LIMIT;
  }
  conn->limits[limit] = value;
  return 0;
}

void porthole_conn_reset(porthole_conn *conn) {
  if (!conn->in_host) {
    forget(conn);
  }
}

void porthole_conn_set_timeout(porthole_conn *conn, int32_t timeout_ms) {
  if (!conn->in_host) {
    conn->timeout_ms = timeout_ms;
  }
}

void porthole_conn_attach(porthole_conn *conn, int32_t handle) {
  if (!conn->in_host) {
    conn->handle = handle;
  }
}

int32_t porthole_conn_handle(const porthole_conn *conn) { return conn->handle > 0 ? conn->handle : 0; }

void porthole_conn_traffic(const porthole_conn *conn, uint64_t *sent, uint64_t *received) {
  *sent = conn->sent;
  *received = conn->received;
}

void porthole_conn_keep_interim(porthole_conn *conn, uint8_t *memory, size_t size) {
  if (!conn->in_host) {
    conn->interims = memory;
    conn->interims_size = size > INT32_MAX ? INT32_MAX : (uint32_t)size;
    conn->interims_length = 0;
  }
}

porthole_span porthole_conn_interim(const porthole_conn *conn) {
  return (porthole_span){conn->interims, conn->interims_length};
}

/* ---- errors ---- */

/** Notes which limit was passed. @returns error */
int32_t porthole__over(porthole_conn *conn, uint32_t limit, int32_t error) {
  conn->passed_limit = conn->limits[limit];
  conn->view.limit = conn->passed_limit > UINT32_MAX ? UINT32_MAX : (uint32_t)conn->passed_limit;
  return error;
}

/** Ends the connection with an error of peer, limit or host; the first one stays, that of a send which no answer met too. */
void porthole__fail(porthole_conn *conn, int32_t error) {
  if (conn->view.error == 0) {
    bool unanswered = conn->send_error != 0 && conn->view.phase == PORTHOLE_PHASE_HEAD;
    conn->view.error = unanswered ? conn->send_error : error;
  }
  conn->view.flags |= PORTHOLE_UNUSABLE;
}

/* ---- hosts ---- */

/** Is this what stands between the brackets of an IPv6 address, zone included (RFC 3986 section 3.2.2, RFC 6874)? */
static bool is_ipv6(porthole_span text) {
  const uint8_t *end = text.data + text.length;
  const uint8_t *percent = porthole__find(text.data, end, '%');
  uint32_t colons = 0;
  for (const uint8_t *at = text.data; at < percent; at++) {
    colons += *at == ':';
    if (!(porthole__class[*at] & CLASS_HEX) && *at != ':' && *at != '.') {
      return false;
    }
  }
  if (colons < 2) { /* "::" at least: ":443" and "abc:80" are no addresses */
    return false;
  }
  porthole_span zone = porthole__between(percent, end);
  return porthole__all_class(zone, CLASS_TOKEN) && porthole__all_class(zone, CLASS_HOST);
}

/** Checks a host without port and brackets. Bytes from 0x80 pass when `international`: they are still to be encoded. */
static int32_t check_host(porthole_span host, bool international) {
  if (host.length == 0) {
    return PORTHOLE_EMPTY_HOST;
  }
  if (porthole__find(host.data, host.data + host.length, ':') < host.data + host.length) {
    return is_ipv6(host) ? 0 : PORTHOLE_BAD_HOST;
  }
  for (size_t i = 0; i < host.length; i++) {
    if (!(porthole__class[host.data[i]] & CLASS_HOST) && !(international && host.data[i] >= 0x80)) {
      return PORTHOLE_BAD_HOST;
    }
  }
  return 0;
}

int32_t porthole_split_host(porthole_span text, uint32_t has_port, porthole_host_port *out) {
  text = porthole__given(text);
  const uint8_t *end = text.data + text.length;
  porthole_span host = text;
  const uint8_t *after = end; /* where ":port" is */
  if (text.length > 0 && text.data[0] == '[') {
    const uint8_t *bracket = porthole__find(text.data, end, ']');
    host = porthole__between(text.data + 1, bracket);
    if (bracket == end || !is_ipv6(host)) {
      return PORTHOLE_BAD_HOST;
    }
    after = bracket + 1;
    if (after < end && (*after != ':' || has_port)) {
      return PORTHOLE_BAD_HOST;
    }
  } else if (!has_port) {
    after = porthole__find(text.data, end, ':');
    host = porthole__between(text.data, after);
  }

  int32_t port = -1;
  if (end - after > 1) {
    porthole_span digits = porthole__between(after + 1, end);
    uint64_t number = 0;
    if (host.data == text.data && porthole__find(digits.data, end, ':') < end && is_ipv6(text)) {
      return PORTHOLE_HOST_NEEDS_BRACKETS;
    }
    if (!porthole__decimal(digits, &number) || number > 65535) {
      /* Of a URL, or of a path behind the port, the slash is what has to be told. */
      return porthole__find(digits.data, end, '/') < end ? PORTHOLE_BAD_HOST : PORTHOLE_BAD_PORT;
    }
    port = (int32_t)number;
  }
  int32_t error = check_host(host, true);
  if (error == 0) {
    *out = (porthole_host_port){host, port};
  }
  return error;
}

/** Writes a host as a field or a request line has it: brackets around IPv6, no zone. @returns its length */
static uint32_t write_host(uint8_t *to, porthole_span host) {
  const uint8_t *end = host.data + host.length;
  bool brackets = porthole__find(host.data, end, ':') < end;
  uint8_t *at = to;
  if (brackets) {
    end = porthole__find(host.data, end, '%');
    *at++ = '[';
  }
  porthole__copy(at, host.data, (size_t)(end - host.data));
  at += end - host.data;
  if (brackets) {
    *at++ = ']';
  }
  return (uint32_t)(at - to);
}

/** Writes "host" or "host:port" into AUTHORITY_MAX bytes. @returns its length, or an error */
int32_t porthole__authority(uint8_t *to, porthole_span host, uint32_t port, bool with_port) {
  host = porthole__given(host);
  int32_t error = host.length > 255 ? PORTHOLE_BAD_HOST : check_host(host, false);
  if (error != 0) {
    return error;
  }
  if (port > 65535) {
    return PORTHOLE_BAD_PORT;
  }
  uint32_t written = write_host(to, host);
  if (with_port) {
    uint8_t digits[20];
    size_t at = porthole__write_decimal(digits, port);
    to[written++] = ':';
    porthole__copy(to + written, digits + at, sizeof digits - at);
    written += (uint32_t)(sizeof digits - at);
  }
  return (int32_t)written;
}

int32_t porthole_conn_set_authority(porthole_conn *conn, porthole_span host, uint32_t port, uint32_t default_port) {
  REFUSE_REENTRY(conn);
  int32_t length = porthole__authority(conn->authority, host, port, port != default_port);
  if (length < 0) {
    return length;
  }
  conn->authority_length = (uint32_t)length;
  conn->repeatable = 0;
  return 0;
}
