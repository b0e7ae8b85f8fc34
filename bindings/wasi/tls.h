/* SPDX-License-Identifier: MIT
 *
 * TLS on the connections of host.c: by wasi:tls in tls.c, or none in no_tls.c, so that a component without it imports no
 * wasi:tls. Each archive has one of the two. A connection is known here by its place in the table of host.c.
 */
#ifndef PORTHOLE_WASI_TLS_H
#define PORTHOLE_WASI_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime.h"

enum { WASI_TLS_PLACES = 64 };

/** Is there TLS in this build? */
bool wasi_tls_usable(void);

/** Remembers the name that a connection was opened for with PORTHOLE_OPEN_TLS: start_tls may have no other. */
void wasi_tls_opened(size_t place, const char *name, size_t length);

/**
 * Begins a handshake, or goes on with it.
 *
 * @param input  the stream to speak over, which is given away: 0 until the handshake is done, then that of TLS. Nothing may be
 *               polling it. So with the output
 * @returns 0, PORTHOLE_WANT_READ, or an error
 */
int32_t wasi_tls_start(size_t place, const char *name, size_t length, wasi_handle *input, wasi_handle *output,
                       limit *within, failure *where);

/** @returns what is ready when the handshake under way can go on; 0 when there is none */
wasi_handle wasi_tls_pollable(size_t place);

/** Lets nothing stay behind: a stream may hold bytes back until it is flushed, as rustls does when its socket is full. */
void wasi_tls_flush(size_t place, wasi_handle output);

/** Tells the peer that nothing follows. The streams are still there. @returns is there TLS on this connection? */
bool wasi_tls_end(size_t place, wasi_handle output);

/** Forgets the connection, whatever there is of it. The streams are dropped before, the socket after. */
void wasi_tls_close(size_t place);

#endif
