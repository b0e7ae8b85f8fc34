/* SPDX-License-Identifier: MIT
 *
 * From a name to the streams of a socket.
 */
#ifndef PORTHOLE_WASI_CONNECT_H
#define PORTHOLE_WASI_CONNECT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime.h"

/** What a connection is made of. The streams are dropped before their socket. */
typedef struct wasi_connected {
  wasi_handle socket;
  wasi_handle input;
  wasi_handle output;
} wasi_connected;

/**
 * Looks a name up, unless it is an address, and connects to the first of its addresses that answers.
 *
 * @param flags      PORTHOLE_OPEN_IPV4 and PORTHOLE_OPEN_IPV6 count
 * @param timeout_ms for all of it; negative: none
 * @param made       what there is then
 * @param where      else the words of what failed
 * @returns 0 or an error
 */
int32_t wasi_connect(const char *host, size_t length, uint32_t port, uint32_t flags, int32_t timeout_ms,
                     wasi_connected *made, failure *where);

#endif
