/* SPDX-License-Identifier: MIT
 *
 * Look-up and connecting on WASI 0.3.
 */
#ifndef PORTHOLE_WASI_CONNECT03_H
#define PORTHOLE_WASI_CONNECT03_H

#include "runtime03.h"

typedef struct connect_how {
  uint32_t flags;     /* PORTHOLE_OPEN_IPV4, PORTHOLE_OPEN_IPV6 */
  int32_t timeout_ms; /* for all of it; below zero for none */
} connect_how;

/** Connects to any address of a host. @param made receives the socket. @returns 0 or the last error */
int32_t wasi_connect(wasi_handle *made, const char *host, size_t length, uint32_t port, const connect_how *how,
                     failure *where);

#endif
