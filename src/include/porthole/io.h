/* SPDX-License-Identifier: MIT
 *
 * Level 1 of porthole.h: the calls that move bytes through the functions of host.h. Include porthole.h, which brings this
 * part of it.
 */
#ifndef PORTHOLE_IO_H
#define PORTHOLE_IO_H

#ifndef PORTHOLE_H
#error "include porthole.h, which brings io.h"
#endif

/**
 * Opens the transport through the host.
 *
 * @param host       ASCII name or address
 * @param port       0 to 65535
 * @param flags      PORTHOLE_OPEN_* of host.h: with PORTHOLE_OPEN_TLS, porthole_conn_start_tls has to follow at once
 * @param timeout_ms limit for looking up and connecting in milliseconds, negative for the host's own
 * @returns 0; PORTHOLE_EMPTY_HOST, _BAD_HOST, _BAD_PORT; a PORTHOLE_HOST_* code
 */
int32_t porthole_conn_open(porthole_conn *conn, porthole_span host, uint32_t port, uint32_t flags, int32_t timeout_ms);

/**
 * Uses a transport that is open already.
 *
 * @param handle the host's handle
 */
void porthole_conn_attach(porthole_conn *conn, int32_t handle);

/** @returns the host's handle of the transport, for a caller that waits for several; 0 when there is none */
int32_t porthole_conn_handle(const porthole_conn *conn);

/**
 * Speaks TLS from here on: right after the transport was opened, or inside a tunnel. What the peer sent before in clear
 * is never taken for something it said inside (RFC 9110 section 9.3.6).
 *
 * @param name  the name to verify
 * @param flags PORTHOLE_TLS_*
 * @returns 0; PORTHOLE_WANT_READ while the handshake goes on: call again with the same arguments, and nothing else but
 *          porthole_conn_close meanwhile; PORTHOLE_UNSOLICITED when bytes came before; PORTHOLE_CANNOT_SEND_REQUEST while
 *          something else is under way or staged; PORTHOLE_NOT_CONNECTED; PORTHOLE_HOST_TLS_HANDSHAKE, _TLS_VERIFY or
 *          another code of the host
 */
int32_t porthole_conn_start_tls(porthole_conn *conn, porthole_span name, uint32_t flags);

/**
 * Sets how long each call into the host may take that sends, receives or makes a handshake. It stays when the connection is
 * closed; the time to connect is that of porthole_conn_open.
 *
 * @param timeout_ms milliseconds; negative for no limit, as in the beginning; 0 to be answered PORTHOLE_WANT_READ or
 *                   PORTHOLE_WANT_WRITE instead of waiting
 */
void porthole_conn_set_timeout(porthole_conn *conn, int32_t timeout_ms);

/**
 * Sets when all that this connection does has to be over, whatever the timeouts are: from then on every call into the host
 * is PORTHOLE_HOST_TIMED_OUT, also where bytes still come now and then. It is told by the host's clock, and stays when the
 * connection is closed: what opens it again has the same deadline.
 *
 * @param timeout_ms milliseconds from now; negative for no deadline, as in the beginning
 */
void porthole_conn_set_deadline(porthole_conn *conn, int32_t timeout_ms);

/**
 * Waits until the transport is ready, but not beyond the deadline. That it is readable does not promise that there are bytes.
 *
 * @param interest   PORTHOLE_READABLE, PORTHOLE_WRITABLE or both
 * @param timeout_ms how long in milliseconds; negative: without end; 0 only looks
 * @returns the ready ones, 0 when the time is up or the host can't wait; PORTHOLE_NOT_CONNECTED; an error of the host, after
 *          which the connection is as it was
 */
int32_t porthole_conn_wait(porthole_conn *conn, uint32_t interest, int32_t timeout_ms);

/**
 * After a head with Expect: 100-continue: sends it, and waits for what the peer says before the body goes out (RFC 9110
 * section 10.1.1).
 *
 * @param timeout_ms how long in milliseconds; negative: without end
 * @returns 1 when it is known whether the body is wanted (view.upload tells), or nothing is waited for; 0 when the time is up:
 *          the body is sent without an answer; PORTHOLE_WANT_READ from a host that can't wait: call again with the same time,
 *          which is counted on; PORTHOLE_WANT_WRITE; an error
 */
int32_t porthole_conn_wait_continue(porthole_conn *conn, int32_t timeout_ms);

/**
 * The host's own words for what failed last on the transport, or in porthole_conn_open: ask before it is closed.
 *
 * @param buffer   receives one line without control characters, not terminated
 * @param capacity room there: more than PORTHOLE_INFO_MOST bytes are not used
 * @returns how many bytes; 0 when there is nothing to say
 */
size_t porthole_conn_host_text(porthole_conn *conn, char *buffer, size_t capacity);

/** The same for what is known of the transport. @param what PORTHOLE_INFO_* @returns how many bytes; 0 for nothing */
size_t porthole_conn_info(porthole_conn *conn, uint32_t what, char *buffer, size_t capacity);

/** Closes the transport. The connection is Idle, and can be opened again. */
void porthole_conn_close(porthole_conn *conn);

/**
 * Closes the transport, and leaves what is known as it is: the response with its head, and the body bytes at hand. Nothing
 * more comes or goes; porthole_conn_open begins anew.
 */
void porthole_conn_hang_up(porthole_conn *conn);

/**
 * Counts the bytes that the host has taken and given since the transport was opened: those inside of TLS, where there is TLS.
 *
 * @param sent     receives how many were sent
 * @param received receives how many were received
 */
void porthole_conn_traffic(const porthole_conn *conn, uint64_t *sent, uint64_t *received);

/**
 * Keeps the heads of interim responses that level 1 skips, one after the other as they came, each with its empty line. One that
 * doesn't fit is left out. It stays when the connection is closed; to be called again to begin with empty memory.
 *
 * @param memory where they go; NULL with size 0, as in the beginning, keeps none
 * @param size   room there
 */
void porthole_conn_keep_interim(porthole_conn *conn, uint8_t *memory, size_t size);

/** @returns what was kept so far */
porthole_span porthole_conn_interim(const porthole_conn *conn);

/**
 * Sends what is staged. Before a request the host is asked whether the peer has said something already: that is the answer
 * to nothing, PORTHOLE_UNSOLICITED.
 *
 * @returns 0 when all of it is with the host, PORTHOLE_WANT_WRITE, PORTHOLE_NOT_CONNECTED, or an error: that of a send
 *          stays for all that sends, while an answer that came before it can still be received
 */
int32_t porthole_conn_flush(porthole_conn *conn);

/**
 * Sends bytes of a body, framed, after all that is staged; or, where the body was left to the caller's own hand
 * (porthole_conn_endheaders), as they are. Bytes that are there to be received are, also while it waits for the host to take
 * more: an answer can stop the upload, and so does one of status 400 and above that is all there when the host takes none.
 * How the bytes are cut into pieces is remembered: a caller goes on with those that were not taken.
 *
 * @param data   the bytes
 * @param length how many; 0 does nothing
 * @returns how many were taken, 1 to length: all of them when the upload is stopped; PORTHOLE_WANT_WRITE when none was
 *          taken; PORTHOLE_BODY_TOO_LONG when they run over the announced length (none was taken);
 *          PORTHOLE_CANNOT_SEND_HEADER when no body is due; an error
 */
int32_t porthole_conn_send(porthole_conn *conn, const uint8_t *data, size_t length);

/**
 * Receives once and interprets what came.
 *
 * @returns PORTHOLE_EVENT_* bits (0: nothing became known), PORTHOLE_WANT_READ, PORTHOLE_WANT_SPACE, or an error
 */
int32_t porthole_conn_receive(porthole_conn *conn);

/**
 * Sends what is staged, receives until the final head is complete, skips interim responses and hands the response out.
 *
 * @returns the status; PORTHOLE_WANT_READ, PORTHOLE_WANT_WRITE; PORTHOLE_RESPONSE_NOT_READY; an error
 */
int32_t porthole_conn_getresponse(porthole_conn *conn);

/**
 * Reads body bytes.
 *
 * @param buffer where they go
 * @param length room there
 * @returns how many, less than length only at the end of the body or when the rest failed (the next call tells); 0 at
 *          the end, also after it, until the next request begins; PORTHOLE_WANT_READ when a host that can't wait has none;
 *          PORTHOLE_RESPONSE_NOT_READY when no response was handed out; an error
 */
int32_t porthole_conn_read(porthole_conn *conn, uint8_t *buffer, size_t length);

/**
 * Looks a header of the response up. The span that it gives stays where it is, and what it is, until the next response
 * begins: with the request after it, or as soon as this response is finished when that request went out before. At level 0
 * (porthole_conn_accept) it moves with porthole_conn_region.
 *
 * @param name  the name, in any case
 * @param value receives the first value, without white space around it
 * @returns 1 if it is there, else 0
 */
int32_t porthole_conn_getheader(const porthole_conn *conn, porthole_span name, porthole_span *value);

#endif
