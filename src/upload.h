/* SPDX-License-Identifier: MIT
 *
 * The body of a request, for those who move its bytes.
 */
#ifndef PORTHOLE_UPLOAD_H
#define PORTHOLE_UPLOAD_H

#include "stage.h"

void porthole__own_begin(porthole_conn *conn);
void porthole__sent_by_hand(porthole_conn *conn, porthole_span bytes);
int32_t porthole__check_trailers(porthole_conn *conn, const porthole_field *fields, size_t count);

#endif
