/* SPDX-License-Identifier: MIT
 *
 * The host ABI, version 1: what porthole asks of whoever runs it. As WebAssembly these are imports of the module
 * `porthole_host_v1` (the version is in the name, so that a mismatch fails when the program is linked); natively they
 * are plain functions to link against, such as bindings/posix/host.c. This header is the norm: what is not said here can't be
 * relied on.
 *
 * Conventions
 *   - Every argument and result is a 32-bit integer or a pointer into the guest's memory. No structs, no callbacks, no
 *     64-bit integers.
 *   - A result below zero is a code of errors.def: PORTHOLE_WANT_READ and PORTHOLE_WANT_WRITE for what can't be done in no
 *     time, PORTHOLE_HOST_* (-400 …) when the operation failed. Each function names those that are to be expected; any of
 *     them can come from any function: a host with a quota answers _DENIED, one that is being shut down _ABORTED, one that
 *     can't do what is asked _UNSUPPORTED, and _OTHER is for arguments that break the rules below. The connection is over
 *     then, but for porthole_host_wait, which looks after several.
 *   - timeout_ms is how long an operation may take, in milliseconds: 0 is only what can be done now, else WANT_*, from a host
 *     that blocks too; negative is without end; when any other time is up it is PORTHOLE_HOST_TIMED_OUT. A host that can't
 *     wait takes every value for 0 (but that of porthole_host_open). Times and deadlines of whole requests are the guest's
 *     to compute, by porthole_host_now.
 *   - Handles are positive numbers out of the host's own table, one table for each instance. A handle that was closed
 *     is never valid again, also when its place in the table is reused: PORTHOLE_HOST_BAD_HANDLE.
 *   - Pointers hold for the call, save the region of a pending receive (see porthole_host_recv). The host checks every
 *     pointer and length against the guest's memory before it touches it, and does not call into the guest.
 *   - The guest checks every number that the host returns. It refuses to be called on a connection while a call into the
 *     host is under way for it (PORTHOLE_BUSY), and stays so when the host unwinds that call, by an exception or a trap:
 *     porthole_conn_init makes the memory of such a connection usable again.
 *
 * A host survives any argument: handles that it never gave out, pointers and lengths outside of the memory, numbers out of
 * range, calls in any order. What it can't know is what a guest says by porthole_host_send: a policy can hold a guest to
 * addresses (porthole_host_open), to names (porthole_host_start_tls) and to whole heads (porthole_host_send_head), but a guest
 * that means harm can send the bytes of another request, or of a CONNECT, in what it calls a body.
 */
#ifndef PORTHOLE_HOST_H
#define PORTHOLE_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
#define PORTHOLE_IMPORT(name) __attribute__((import_module("porthole_host_v1"), import_name(#name)))
#else
#define PORTHOLE_IMPORT(name)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Flags of porthole_host_open. */
enum {
  PORTHOLE_OPEN_TLS = 1,  /* porthole_host_start_tls with the same name follows at once, with ALPN http/1.1 */
  PORTHOLE_OPEN_IPV4 = 2, /* by IPv4 only … */
  PORTHOLE_OPEN_IPV6 = 4  /* by IPv6 only; both is as neither: whatever there is */
};

/** Flags of porthole_host_start_tls. */
enum { PORTHOLE_TLS_ALPN_HTTP1 = 1 };

/** Bits of an interest and of a ready set (porthole_host_wait). */
enum { PORTHOLE_READABLE = 1, PORTHOLE_WRITABLE = 2 };

/** What porthole_host_info is asked for. */
enum {
  PORTHOLE_INFO_ERROR = 0, /* the host's words for what failed last, for a person */
  PORTHOLE_INFO_PEER = 1,  /* the peer's address and port: "127.0.0.1:80", "[::1]:80" */
  PORTHOLE_INFO_LOCAL = 2, /* … and our own */
  PORTHOLE_INFO_TLS = 3,   /* the version of TLS: "TLSv1.3" */
  PORTHOLE_INFO_ALPN = 4   /* what was agreed on by ALPN: "http/1.1" */
};

/** Bytes of a text of porthole_host_info, at most. */
enum { PORTHOLE_INFO_MOST = 200 };

/**
 * Begins a connection. Names are resolved by the host, which applies its policy to the name and to each address.
 *
 * @param host        ASCII name or address, without brackets; not terminated
 * @param host_length bytes of it, 1 to 255
 * @param port        0 to 65535
 * @param flags       PORTHOLE_OPEN_*. With PORTHOLE_OPEN_TLS a host can begin the handshake by itself, and decide by the
 *                    scheme; it is not given for a connection that becomes a tunnel. PORTHOLE_HOST_UNSUPPORTED for flags that
 *                    the host doesn't know
 * @param timeout_ms  limit for looking up and connecting; negative: the host's own. A host that can't wait keeps it by a timer
 *                    of its own, and lets what is done on the handle then fail with PORTHOLE_HOST_TIMED_OUT; on one that
 *                    blocks 0 is PORTHOLE_HOST_TIMED_OUT
 * @returns a handle above 0, at once from a host that can't wait; or PORTHOLE_HOST_REFUSED, _NOT_FOUND (also for an address of
 *          the other family), _TIMED_OUT, _DENIED, _UNREACHABLE, _BUSY, _UNSUPPORTED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_open)
int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms);

/**
 * Speaks TLS from here on, verified by the host's trust store.
 *
 * @param handle      an open connection; a receive that is pending ends, and its region is not touched again
 * @param name        the name to verify and to send as SNI (none is sent for an address); after PORTHOLE_OPEN_TLS the one that
 *                    was opened, any other is PORTHOLE_HOST_OTHER
 * @param name_length bytes of it, 1 to 255
 * @param flags       PORTHOLE_TLS_*: they can ask for ALPN, never for weaker checks than the host's. PORTHOLE_HOST_UNSUPPORTED
 *                    for flags that the host doesn't know
 * @param timeout_ms  for the handshake
 * @returns 0; PORTHOLE_WANT_READ while the handshake goes on: then nothing else is called but this, with the same arguments,
 *          porthole_host_wait and porthole_host_close; PORTHOLE_HOST_TLS_HANDSHAKE, _TLS_VERIFY, _TIMED_OUT, _DENIED,
 *          _UNSUPPORTED, _OTHER (also when the peer has said something in clear)
 */
PORTHOLE_IMPORT(porthole_host_start_tls)
int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms);

/**
 * Sends a whole request head: all of it or nothing. Before the first one of a connection a host with a policy refuses
 * porthole_host_send, and here it can look at the request line and at Host, refuse CONNECT, and put secrets in the place of
 * what stands for them; what becomes of the bytes behind is its own. To a host without a policy it is porthole_host_send that
 * keeps what the socket doesn't take.
 *
 * @param handle     an open connection
 * @param head       request line, field lines and the empty line
 * @param length     bytes of it, at least 1: not more than the guest's send buffer holds
 * @param timeout_ms until the host has taken it
 * @returns `length`; PORTHOLE_WANT_WRITE when nothing was taken; PORTHOLE_HOST_RESET, _CLOSED, _TIMED_OUT, _DENIED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_send_head)
int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms);

/**
 * Sends bytes. They are the host's once it has taken them: the guest can overwrite them on return. Small ones are not held
 * back for others to come.
 *
 * @param handle     an open connection
 * @param data       the bytes
 * @param length     how many there are, at least 1
 * @param timeout_ms for the first byte that is taken
 * @returns how many were taken, 1 to length; PORTHOLE_WANT_WRITE; PORTHOLE_HOST_RESET, _CLOSED, _TIMED_OUT, _DENIED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_send)
int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms);

/**
 * Receives bytes straight into the guest's memory.
 *
 * After PORTHOLE_WANT_READ the receive is pending: the host can write into [buffer, buffer + capacity) at any time until
 * the guest asks again, with the same buffer and capacity (the time is no part of that), and is told the count, or until the
 * connection is closed. After any other answer the host writes nothing more there: one that has to cancel a receive whose time
 * is up answers with the bytes that came meanwhile.
 *
 * Whether there is something to receive is asked by a time of 0: that a connection is readable (porthole_host_wait) does not
 * promise that there are bytes.
 *
 * @param handle     an open connection
 * @param buffer     where the bytes go
 * @param capacity   room there, at least 1
 * @param timeout_ms for the first byte
 * @returns how many bytes arrived, 1 to capacity; 0 at the end of the stream; PORTHOLE_WANT_READ; PORTHOLE_HOST_RESET,
 *          _TIMED_OUT, _ABORTED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_recv)
int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms);

/**
 * Waits until one of several connections is ready. A host that can't wait answers at once with what is ready now.
 *
 * @param list       pairs of a handle and its interest: PORTHOLE_READABLE, PORTHOLE_WRITABLE or both, and PORTHOLE_HOST_OTHER for
 *                   anything else. The interest is overwritten by those of its bits that are ready, 0 for none; below zero as a
 *                   result leaves all as it is
 * @param count      how many pairs; 0 waits for the time alone (list is not looked at)
 * @param timeout_ms how long to wait; 0 only looks
 * @returns how many pairs are ready, 0 when the time is up; PORTHOLE_HOST_BAD_HANDLE when any handle is, _UNSUPPORTED for more
 *          pairs than the host can wait for, _ABORTED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_wait)
int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms);

/**
 * Closes a connection. Idempotent; never fails; a pending receive ends and its region is not touched again.
 *
 * @param handle any number
 */
PORTHOLE_IMPORT(porthole_host_close)
void porthole_host_close(int32_t handle);

/**
 * A text about a connection: UTF-8, not terminated, one line without control characters, at most PORTHOLE_INFO_MOST bytes,
 * cut between characters. Addresses and versions are as said; the words for an error are never to be parsed.
 *
 * @param handle   the connection, or 0 for the open that failed last in this instance
 * @param what     PORTHOLE_INFO_*
 * @param buffer   where the text goes
 * @param capacity room there
 * @returns bytes written; 0 if there is nothing to say, for a `what` that the host doesn't know and for a bad handle;
 *          PORTHOLE_HOST_OTHER for a buffer outside of the memory
 */
PORTHOLE_IMPORT(porthole_host_info)
int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity);

/** @returns milliseconds of a clock that never goes back, from any moment; it wraps at 2^32 */
PORTHOLE_IMPORT(porthole_host_now)
uint32_t porthole_host_now(void);

#ifdef __cplusplus
}
#endif
#endif
