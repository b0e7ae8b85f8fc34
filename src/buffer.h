/* SPDX-License-Identifier: MIT
 *
 * The receive buffer, for those who interpret what is in it.
 */
#ifndef PORTHOLE_BUFFER_H
#define PORTHOLE_BUFFER_H

#include "conn.h"

void porthole__add_run(porthole_conn *conn, uint32_t offset, uint32_t length);
void porthole__extend_run(porthole_conn *conn, run *last, uint32_t length);
int32_t porthole__count_body(porthole_conn *conn, uint64_t length);
uint32_t porthole__settle_head(porthole_conn *conn);

/** Bytes that a body may still have by its limit, which can be lowered while one arrives. */
static inline uint64_t porthole__body_room(const porthole_conn *conn) {
  uint64_t limit = conn->limits[PORTHOLE_LIMIT_BODY];
  return limit > conn->body_seen ? limit - conn->body_seen : 0;
}

#endif
