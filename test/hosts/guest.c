/* SPDX-License-Identifier: MIT
 *
 * A small guest: it fetches a URL with the functions of porthole.h, over whatever host runs it.
 */
#include "porthole/host.h"
#include "porthole/porthole.h"

enum { TX_SIZE = 8192, RX_SIZE = 65536, TEXT_SIZE = 1024, BODY_SIZE = 1 << 20 };

static _Alignas(16) uint8_t memory[16384];
static uint8_t tx[TX_SIZE];
static uint8_t rx[RX_SIZE];
static uint8_t text[TEXT_SIZE];
static uint8_t body[BODY_SIZE];
static uint32_t body_length;
static char words[PORTHOLE_INFO_MOST];
static uint32_t words_length;

uint8_t *guest_text(void);
uint8_t *guest_body(void);
uint32_t guest_body_length(void);
char *guest_words(void);
uint32_t guest_words_length(void);
int32_t guest_get(uint32_t host_length, uint32_t port, uint32_t url_length, uint32_t tls);

/** Where a caller writes the host and, behind it, the URL. */
uint8_t *guest_text(void) { return text; }

uint8_t *guest_body(void) { return body; }

uint32_t guest_body_length(void) { return body_length; }

/** The host's words for what failed. */
char *guest_words(void) { return words; }

uint32_t guest_words_length(void) { return words_length; }

static int32_t fetch(porthole_conn *conn, uint32_t host_length, uint32_t port, uint32_t url_length, uint32_t tls) {
  const porthole_span host = {text, host_length};
  int32_t result = porthole_conn_set_authority(conn, host, port, tls ? 443 : 80);
  porthole_conn_set_timeout(conn, 5000);
  porthole_conn_set_deadline(conn, 10000);
  if (result == 0) {
    result = porthole_conn_open(conn, host, port, tls ? PORTHOLE_OPEN_TLS : 0, 5000);
  }
  if (result == 0 && tls) {
    result = porthole_conn_start_tls(conn, host, PORTHOLE_TLS_ALPN_HTTP1);
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

/** Fetches http://host:port/url, or https. @returns the status, or a code of errors.def; guest_body has what came of the body */
int32_t guest_get(uint32_t host_length, uint32_t port, uint32_t url_length, uint32_t tls) {
  porthole_conn *conn = (porthole_conn *)(void *)memory;
  body_length = 0;
  if (porthole_conn_size() > sizeof memory || host_length + url_length > TEXT_SIZE) {
    return PORTHOLE_REQUEST_TOO_LARGE;
  }
  porthole_conn_init(conn, tx, TX_SIZE, rx, RX_SIZE);
  int32_t result = fetch(conn, host_length, port, url_length, tls);
  words_length = result < 0 ? (uint32_t)porthole_conn_host_text(conn, words, sizeof words) : 0;
  porthole_conn_close(conn);
  return result;
}
