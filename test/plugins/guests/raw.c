/* SPDX-License-Identifier: MIT
 *
 * A guest that does what it is told: each function of the host, with any numbers, and GETs by the functions of porthole.h on a
 * connection that is kept.
 */
#include "porthole/host.h"
#include "porthole/porthole.h"

#define EXPORT(name) __attribute__((export_name(#name)))
#define POINTER(number) ((void *)(uintptr_t)(number))

enum { TX_SIZE = 16384, RX_SIZE = 65536, TEXT_SIZE = 65536, BODY_SIZE = 1 << 18, CONN_SIZE = 16384 };

static _Alignas(16) uint8_t memory[CONN_SIZE];
static uint8_t tx[TX_SIZE];
static uint8_t rx[RX_SIZE];
static uint8_t text[TEXT_SIZE];
static uint8_t body[BODY_SIZE];

/** Where the caller writes what a function is to read. */
EXPORT(text) uint32_t guest_text(void) { return (uint32_t)(uintptr_t)text; }

EXPORT(body) uint32_t guest_body(void) { return (uint32_t)(uintptr_t)body; }

/* ---- the host's functions ---- */

EXPORT(host_open) int32_t raw_open(uint32_t host, uint32_t length, uint32_t port, uint32_t flags, int32_t timeout) {
  return porthole_host_open(POINTER(host), length, port, flags, timeout);
}

EXPORT(host_start_tls)
int32_t raw_start_tls(int32_t handle, uint32_t name, uint32_t length, uint32_t flags, int32_t timeout) {
  return porthole_host_start_tls(handle, POINTER(name), length, flags, timeout);
}

EXPORT(host_send_head) int32_t raw_send_head(int32_t handle, uint32_t head, uint32_t length, int32_t timeout) {
  return porthole_host_send_head(handle, POINTER(head), length, timeout);
}

EXPORT(host_send) int32_t raw_send(int32_t handle, uint32_t data, uint32_t length, int32_t timeout) {
  return porthole_host_send(handle, POINTER(data), length, timeout);
}

EXPORT(host_recv) int32_t raw_recv(int32_t handle, uint32_t buffer, uint32_t capacity, int32_t timeout) {
  return porthole_host_recv(handle, POINTER(buffer), capacity, timeout);
}

EXPORT(host_wait) int32_t raw_wait(uint32_t list, uint32_t count, int32_t timeout) {
  return porthole_host_wait(POINTER(list), count, timeout);
}

EXPORT(host_close) void raw_close(int32_t handle) { porthole_host_close(handle); }

EXPORT(host_info) int32_t raw_info(int32_t handle, uint32_t what, uint32_t buffer, uint32_t capacity) {
  return porthole_host_info(handle, what, POINTER(buffer), capacity);
}

EXPORT(host_now) uint32_t raw_now(void) { return porthole_host_now(); }

/* ---- misbehaviour ---- */

/** Opens so often, at as many ports. @returns how many times it was let */
EXPORT(open_often)
uint32_t raw_open_often(uint32_t host, uint32_t length, uint32_t port, uint32_t ports, uint32_t times) {
  uint32_t opened = 0;
  for (uint32_t i = 0; i < times; i++) {
    opened += porthole_host_open(POINTER(host), length, port + i % ports, 0, 5000) > 0;
  }
  return opened;
}

EXPORT(loop) void guest_loop(void) {
  volatile uint32_t forever = 1;
  while (forever) {
  }
}

EXPORT(head_and_loop) void guest_head_and_loop(int32_t handle, uint32_t head, uint32_t length) {
  porthole_host_send_head(handle, POINTER(head), length, 5000);
  guest_loop();
}

EXPORT(trap) void guest_trap(void) { __builtin_trap(); }

EXPORT(grow) uint32_t guest_grow(uint32_t pages) { return (uint32_t)__builtin_wasm_memory_grow(0, pages); }

/* ---- by the core ---- */

static porthole_conn *conn(void) { return (porthole_conn *)(void *)memory; }

/** Opens a connection to the host in `text`. */
EXPORT(connect) int32_t guest_connect(uint32_t length, uint32_t port, uint32_t tls) {
  const porthole_span host = {text, length};
  if (porthole_conn_size() > sizeof memory) {
    return PORTHOLE_REQUEST_TOO_LARGE;
  }
  porthole_conn_init(conn(), tx, TX_SIZE, rx, RX_SIZE);
  int32_t error = porthole_conn_set_authority(conn(), host, port, tls ? 443 : 80);
  if (error == 0) {
    error = porthole_conn_open(conn(), host, port, tls ? PORTHOLE_OPEN_TLS : 0, 5000);
  }
  return error == 0 && tls ? porthole_conn_start_tls(conn(), host, PORTHOLE_TLS_ALPN_HTTP1) : error;
}

/** A request for the URL in `text`, with a body of so many bytes of `body`. */
static int32_t ask(uint32_t url, uint32_t size, uint32_t *status) {
  const porthole_span method = porthole_text(size > 0 ? "POST" : "GET");
  int32_t result = porthole_conn_request(conn(), method, (porthole_span){text, url}, NULL, 0,
                                         size > 0 ? PORTHOLE_BODY_KNOWN : PORTHOLE_BODY_NONE, size, 0);
  uint32_t sent = 0;
  while (result >= 0 && sent < size) {
    uint32_t piece = size - sent < BODY_SIZE ? size - sent : BODY_SIZE;
    result = porthole_conn_body_piece(conn(), piece);
    for (uint32_t done = 0; result >= 0 && done < piece; done += (uint32_t)result) {
      result = porthole_conn_send(conn(), body + done, piece - done);
    }
    sent += piece;
  }
  if (result >= 0 && size > 0) {
    result = porthole_conn_body_end(conn(), NULL, 0);
  }
  if (result >= 0) {
    result = porthole_conn_getresponse(conn());
  }
  *status = result > 0 ? (uint32_t)result : 0;
  return result;
}

/**
 * Asks so many times for the URL in `text`, and reads the bodies.
 *
 * @returns bytes of the last body (the end of it in `body`), minus the status when that is none of 200, or an error
 */
EXPORT(get) int32_t guest_get(uint32_t url, uint32_t size, uint32_t times) {
  uint32_t total = 0;
  while (times-- > 0) {
    uint32_t status;
    int32_t result = ask(url, size, &status);
    if (result < 0 || status != 200) {
      return result < 0 ? result : -(int32_t)status;
    }
    total = 0;
    do {
      result = porthole_conn_read(conn(), body, BODY_SIZE);
      total += result > 0 ? (uint32_t)result : 0;
    } while (result > 0);
    if (result < 0) {
      return result;
    }
  }
  return (int32_t)total;
}

EXPORT(hang_up) void guest_hang_up(void) { porthole_conn_close(conn()); }

/** The host's words for what failed, in `body`. */
EXPORT(words) uint32_t guest_words(void) {
  return (uint32_t)porthole_conn_host_text(conn(), (char *)body, PORTHOLE_INFO_MOST);
}
