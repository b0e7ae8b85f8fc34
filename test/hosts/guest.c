/* SPDX-License-Identifier: MIT
 *
 * A small guest: it fetches a URL with the functions of porthole.h, over whatever host runs it.
 */
#include "porthole/porthole.h"

enum { TX_SIZE = 8192, RX_SIZE = 65536, TEXT_SIZE = 1024, BODY_SIZE = 1 << 20 };

static _Alignas(16) uint8_t memory[16384];
static uint8_t tx[TX_SIZE];
static uint8_t rx[RX_SIZE];
static uint8_t text[TEXT_SIZE];
static uint8_t body[BODY_SIZE];
static uint32_t body_length;

uint8_t *guest_text(void);
uint8_t *guest_body(void);
uint32_t guest_body_length(void);
int32_t guest_get(uint32_t host_length, uint32_t port, uint32_t url_length);

/** Where a caller writes the host and, behind it, the URL. */
uint8_t *guest_text(void) { return text; }

uint8_t *guest_body(void) { return body; }

uint32_t guest_body_length(void) { return body_length; }

static int32_t fetch(porthole_conn *conn, uint32_t host_length, uint32_t port, uint32_t url_length) {
  int32_t result = porthole_conn_set_authority(conn, (porthole_span){text, host_length}, port, 80);
  if (result == 0) {
    result = porthole_conn_open(conn, (porthole_span){text, host_length}, port, 5000);
  }
  if (result == 0) {
    result = porthole_conn_request(conn, porthole_text("GET"), (porthole_span){text + host_length, url_length}, NULL, 0,
                                   PORTHOLE_BODY_NONE, 0, 0);
  }
  if (result < 0) {
    return result;
  }
  int32_t status = porthole_conn_getresponse(conn);
  for (result = status; result > 0 && body_length < BODY_SIZE;) {
    result = porthole_conn_read(conn, body + body_length, BODY_SIZE - body_length);
    if (result > 0) {
      body_length += (uint32_t)result;
    }
  }
  return result < 0 ? result : status;
}

/** Fetches http://host:port/url. @returns the status, or a code of errors.def; guest_body has what came of the body */
int32_t guest_get(uint32_t host_length, uint32_t port, uint32_t url_length) {
  porthole_conn *conn = (porthole_conn *)(void *)memory;
  body_length = 0;
  if (porthole_conn_size() > sizeof memory || host_length + url_length > TEXT_SIZE) {
    return PORTHOLE_REQUEST_TOO_LARGE;
  }
  porthole_conn_init(conn, tx, TX_SIZE, rx, RX_SIZE);
  int32_t result = fetch(conn, host_length, port, url_length);
  porthole_conn_close(conn);
  return result;
}
