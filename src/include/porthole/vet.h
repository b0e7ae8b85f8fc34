/* SPDX-License-Identifier: MIT
 *
 * The part of porthole.h for hosts with a policy: what they let a guest say. Include porthole.h, which brings this part of it.
 */
#ifndef PORTHOLE_VET_H
#define PORTHOLE_VET_H

#ifndef PORTHOLE_H
#error "include porthole.h, which brings vet.h"
#endif

/**
 * Checks the head of a request that somebody else has made, as a host with a policy does in porthole_host_send_head: that it is
 * one, in the one way in which all read it, is no CONNECT, and asks the host that was opened, by Host and by a target in
 * absolute form. What comes behind it can't be judged.
 *   - Lines end by CRLF; there are no folds, no control characters but HTAB, no white space in front of a colon.
 *   - The version is HTTP/1.1 or HTTP/1.0. There is one Host, in HTTP/1.0 as well, without user information.
 *   - A Content-Length is one number in one field. A Transfer-Encoding is one field of HTTP/1.1, without a Content-Length beside
 *     it: chunked at its end and there only, behind none but gzip, deflate and compress, without parameters.
 *   - Connection and Proxy-Connection name neither Host nor what frames the body: a proxy drops what is named there.
 *   - All other fields pass, Expect and Upgrade among them: what is said once a server has switched can't be judged either.
 *
 * @param head     all of it, up to its empty line, and nothing behind
 * @param host     the name or address that was opened, without brackets
 * @param port     … and its port
 * @param secure   1 where TLS is spoken: the port that may be left out is 443 then, else 80
 * @param table    receives for each field the offset and length of its name, and those of its value without white space
 *                 around it
 * @param capacity how many fields the table can hold
 * @returns how many fields there are (also when the table is too small); PORTHOLE_NOT_A_HEAD, _CONNECT_REFUSED,
 *          _FOREIGN_HOST, _UNSOUND_HEAD, or what porthole_conn_putrequest and _putheader refuse
 */
int32_t porthole_check_head(porthole_span head, porthole_span host, uint32_t port, uint32_t secure, uint32_t *table,
                            size_t capacity);

#endif
