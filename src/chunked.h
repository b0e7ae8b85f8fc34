/* SPDX-License-Identifier: MIT
 *
 * The chunked transfer coding of a response.
 */
#ifndef PORTHOLE_CHUNKED_H
#define PORTHOLE_CHUNKED_H

#include "buffer.h"

void porthole__chunks_begin(porthole_conn *conn);
int32_t porthole__chunks_read(porthole_conn *conn);

#endif
