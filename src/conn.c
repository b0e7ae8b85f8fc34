/* SPDX-License-Identifier: MIT
 *
 * A connection: its making, its limits, and the host that its requests name.
 */
#include "internal.h"

_Static_assert(offsetof(porthole_conn, view) == 0, "the view is where the connection is");

size_t porthole_conn_size(void) { return sizeof(porthole_conn); }

const porthole_view *porthole_conn_view(const porthole_conn *conn) { return &conn->view; }

void porthole_conn_init(porthole_conn *conn, uint8_t *tx, size_t tx_size, uint8_t *rx, size_t rx_size) {
  static const uint32_t defaults[PORTHOLE_LIMITS] = {PORTHOLE_DEFAULT_LINE,     PORTHOLE_DEFAULT_HEADERS,
                                                     PORTHOLE_DEFAULT_HEAD,     PORTHOLE_DEFAULT_INTERIM,
                                                     PORTHOLE_DEFAULT_TRAILERS, PORTHOLE_DEFAULT_CHUNK_EXTENSION};
  __builtin_memset(conn, 0, sizeof *conn);
  conn->tx = tx;
  conn->rx = rx;
  conn->tx_size = tx_size > INT32_MAX ? INT32_MAX : (uint32_t)tx_size;
  conn->rx_size = rx_size > INT32_MAX ? INT32_MAX : (uint32_t)rx_size;
  porthole__copy((uint8_t *)conn->limits, (const uint8_t *)defaults, sizeof defaults);
  if (conn->limits[PORTHOLE_LIMIT_HEAD] >= conn->rx_size) {
    conn->limits[PORTHOLE_LIMIT_HEAD] = conn->rx_size - 1;
  }
  conn->body_limit = UINT64_MAX;
}

int32_t porthole_conn_set_limit(porthole_conn *conn, uint32_t limit, uint32_t value_low, uint32_t value_high) {
  REFUSE_REENTRY(conn);
  if (limit >= PORTHOLE_LIMITS || (limit == PORTHOLE_LIMIT_HEAD && value_low >= conn->rx_size) ||
      (limit != PORTHOLE_LIMIT_BODY && value_high != 0)) {
    return PORTHOLE_BAD_LIMIT;
  }
  if (limit == PORTHOLE_LIMIT_BODY) {
    conn->body_limit = (uint64_t)value_high << 32 | value_low;
  } else {
    conn->limits[limit] = value_low;
  }
  return 0;
}

/* ---- hosts ---- */

/** Is this what stands between the brackets of an IPv6 address, zone included (RFC 3986 section 3.2.2, RFC 6874)? */
static bool is_ipv6(const uint8_t *text, size_t length) {
  const uint8_t *zone = porthole__find(text, text + length, '%');
  uint32_t colons = 0;
  for (const uint8_t *at = text; at < zone; at++) {
    colons += *at == ':';
    if (!(porthole__class[*at] & CLASS_HEX) && *at != ':' && *at != '.') {
      return false;
    }
  }
  if (colons < 2) { /* "::" at least: ":443" and "abc:80" are no addresses */
    return false;
  }
  size_t zone_length = (size_t)(text + length - zone);
  return porthole__all_class(zone, zone_length, CLASS_TOKEN) && porthole__all_class(zone, zone_length, CLASS_HOST);
}

/** Checks a host without port and brackets. Bytes from 0x80 pass when `international`: they are still to be encoded. */
static int32_t check_host(const uint8_t *host, size_t length, bool international) {
  if (length == 0) {
    return PORTHOLE_EMPTY_HOST;
  }
  if (porthole__find(host, host + length, ':') < host + length) {
    return is_ipv6(host, length) ? 0 : PORTHOLE_BAD_HOST;
  }
  for (size_t i = 0; i < length; i++) {
    if (!(porthole__class[host[i]] & CLASS_HOST) && !(international && host[i] >= 0x80)) {
      return PORTHOLE_BAD_HOST;
    }
  }
  return 0;
}

int32_t porthole_split_host(const uint8_t *text, size_t length, uint32_t has_port, uint32_t out[3]) {
  const uint8_t *end = text + length;
  const uint8_t *host = text;
  const uint8_t *host_end = end;
  const uint8_t *after = end; /* where ":port" is */
  if (length > 0 && *text == '[') {
    host = text + 1;
    host_end = porthole__find(host, end, ']');
    if (host_end == end || !is_ipv6(host, (size_t)(host_end - host))) {
      return PORTHOLE_BAD_HOST;
    }
    after = host_end + 1;
    if (after < end && (*after != ':' || has_port)) {
      return PORTHOLE_BAD_HOST;
    }
  } else if (!has_port) {
    host_end = porthole__find(text, end, ':');
    after = host_end;
  }

  uint32_t port = UINT32_MAX;
  if (end - after > 1) {
    const uint8_t *digits = after + 1;
    uint64_t number = 0;
    if (host == text && porthole__find(digits, end, ':') < end && is_ipv6(text, length)) {
      return PORTHOLE_HOST_NEEDS_BRACKETS;
    }
    if (!porthole__decimal(digits, (size_t)(end - digits), &number) || number > 65535) {
      return PORTHOLE_BAD_PORT;
    }
    port = (uint32_t)number;
  }
  int32_t error = check_host(host, (size_t)(host_end - host), true);
  if (error != 0) {
    return error;
  }
  out[0] = (uint32_t)(host - text);
  out[1] = (uint32_t)(host_end - host);
  out[2] = port;
  return 0;
}

/** Writes a host as a field or a request line has it: brackets around IPv6, no zone. @returns its length */
static uint32_t write_host(uint8_t *to, const uint8_t *host, size_t length) {
  const uint8_t *end = host + length;
  bool brackets = porthole__find(host, end, ':') < end;
  uint8_t *at = to;
  if (brackets) {
    end = porthole__find(host, end, '%');
    *at++ = '[';
  }
  porthole__copy(at, host, (size_t)(end - host));
  at += end - host;
  if (brackets) {
    *at++ = ']';
  }
  return (uint32_t)(at - to);
}

/** Writes ":port". @returns its length */
static uint32_t write_port(uint8_t *to, uint32_t port) {
  uint8_t digits[5];
  uint32_t count = 0;
  do {
    digits[count++] = (uint8_t)('0' + port % 10);
    port /= 10;
  } while (port > 0);
  to[0] = ':';
  for (uint32_t i = 0; i < count; i++) {
    to[1 + i] = digits[count - 1 - i];
  }
  return 1 + count;
}

int32_t porthole__authority(uint8_t *to, const uint8_t *host, size_t length, uint32_t port, bool with_port) {
  int32_t error = length > 255 ? PORTHOLE_BAD_HOST : check_host(host, length, false);
  if (error != 0) {
    return error;
  }
  if (port > 65535) {
    return PORTHOLE_BAD_PORT;
  }
  uint32_t written = write_host(to, host, length);
  if (with_port) {
    written += write_port(to + written, port);
  }
  return (int32_t)written;
}

int32_t porthole_conn_set_authority(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port,
                                    uint32_t default_port) {
  REFUSE_REENTRY(conn);
  int32_t length = porthole__authority(conn->authority, host, host_length, port, port != default_port);
  if (length < 0) {
    return length;
  }
  conn->authority_length = (uint32_t)length;
  return 0;
}

/* ---- the transport ---- */

void porthole_conn_attach(porthole_conn *conn, int32_t handle) {
  if (!conn->in_host) {
    conn->handle = handle;
  }
}

void porthole_conn_close(porthole_conn *conn) {
  if (conn->in_host) {
    return;
  }
  int32_t handle = conn->handle;
  __builtin_memset(conn, 0, offsetof(porthole_conn, tx));
  if (handle > 0) {
    porthole_host_close(handle);
  }
}
