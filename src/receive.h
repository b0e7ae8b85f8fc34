/* SPDX-License-Identifier: MIT
 *
 * The phases of a response, for those who ask for one.
 */
#ifndef PORTHOLE_RECEIVE_H
#define PORTHOLE_RECEIVE_H

#include "conn.h"

void porthole__await(porthole_conn *conn, uint8_t due);
void porthole__leave_tunnel(porthole_conn *conn);

#endif
