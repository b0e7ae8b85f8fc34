/* SPDX-License-Identifier: MIT
 *
 * The send buffer: what is put there, and how it is taken back when an argument is refused.
 */
#ifndef PORTHOLE_STAGE_H
#define PORTHOLE_STAGE_H

#include "conn.h"

/* What a refused argument is undone with. */
typedef struct checkpoint {
  request_state state;
  uint32_t tx_length;
  uint32_t asking;
  request_facts request;
} checkpoint;

bool porthole__reserve(porthole_conn *conn, size_t length);
bool porthole__stage(porthole_conn *conn, porthole_span bytes);
bool porthole__stage_decimal(porthole_conn *conn, uint64_t number);
bool porthole__stage_header(porthole_conn *conn, porthole_span name, const porthole_span *values, size_t count);
int32_t porthole__check_header(porthole_span name, const porthole_span *values, size_t count);
int32_t porthole__too_large(porthole_conn *conn);
checkpoint porthole__checkpoint(porthole_conn *conn);
int32_t porthole__undo(porthole_conn *conn, const checkpoint *before, int32_t error);

/** Stages a literal. */
#define STAGE(conn, literal) porthole__stage((conn), LITERAL(literal))

#endif
