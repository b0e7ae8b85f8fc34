/* SPDX-License-Identifier: MIT
 *
 * What moves bytes through the host, for those who read responses.
 */
#ifndef PORTHOLE_IO_INTERNAL_H
#define PORTHOLE_IO_INTERNAL_H

#include "conn.h"

int32_t porthole__send_staged(porthole_conn *conn);
int32_t porthole__skip_interim(porthole_conn *conn);

#endif
