/* SPDX-License-Identifier: MIT
 *
 * A plugin: it reads a page of a host, piece by piece, by porthole/client.h, and knows nothing of sockets.
 */
#include "porthole/client.h"

#define EXPORT(name) __attribute__((export_name(#name)))

enum { TEXT_SIZE = 1024, PIECE_SIZE = 4096 };

static PORTHOLE_CLIENT_MEMORY(memory, 16384);
static porthole_client *http;
static char host[TEXT_SIZE];
static char piece[PIECE_SIZE];

/** Where the host's name is written, with its port, ended by a zero. */
EXPORT(host) char *host_buffer(void) { return host; }

/** Where pieces and words are. */
EXPORT(piece) char *piece_buffer(void) { return piece; }

/** Asks for /. @returns the status, or an error */
EXPORT(fetch) int32_t fetch(void) {
  http = porthole_client_init(memory, sizeof memory, host, 0);
  int32_t result = porthole_client_request(http, "GET", "/", NULL, 0, NULL);
  return result < 0 ? result : porthole_client_getresponse(http);
}

/** Reads what is there, waiting for the first byte. @returns bytes of the next piece, 0 at the end, or an error */
EXPORT(next) int32_t next(void) {
  porthole_span bytes;
  int32_t count = porthole_client_peek(http, &bytes);
  if (count > PIECE_SIZE) {
    count = PIECE_SIZE;
  }
  for (int32_t i = 0; i < count; i++) {
    piece[i] = (char)bytes.data[i];
  }
  if (count > 0) {
    porthole_client_skip(http, (size_t)count);
  }
  return count;
}

/**
 * Why the host opened no connection, in its words. Those of every other error are porthole_client_error's, whose texts are a
 * third of such a small plugin.
 *
 * @returns their length
 */
EXPORT(words) int32_t words(void) { return porthole_host_info(0, PORTHOLE_INFO_ERROR, piece, PORTHOLE_INFO_MOST); }
