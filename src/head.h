/* SPDX-License-Identifier: MIT
 *
 * Heads and trailer sections of responses: each reader answers 1 when the section is complete, 0 when more is needed, or an
 * error.
 */
#ifndef PORTHOLE_HEAD_H
#define PORTHOLE_HEAD_H

#include "buffer.h"

void porthole__head_begin(porthole_conn *conn);
int32_t porthole__head_read(porthole_conn *conn);
void porthole__trailers_begin(porthole_conn *conn);
int32_t porthole__trailers_read(porthole_conn *conn);

#endif
