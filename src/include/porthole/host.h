/* SPDX-License-Identifier: MIT
 *
 * The host ABI, version 1: what porthole asks of whoever runs it. As WebAssembly these are imports of the module
 * `porthole_host_v1` (the version is in the name, so that a mismatch fails when the program is linked); natively they
 * are plain functions to link against, such as bindings/posix/host.c.
 *
 * Conventions
 *   - Every argument and result is a 32-bit integer or a pointer into the guest's memory. No structs, no callbacks, no
 *     64-bit integers.
 *   - A result below zero is a code of errors.def: PORTHOLE_WANT_READ and PORTHOLE_WANT_WRITE for what can't be done in no
 *     time, PORTHOLE_HOST_* (-400 …) when the operation failed.
 *   - timeout_ms is how long an operation may take, in milliseconds: 0 is only what can be done now, else WANT_*, from a host
 *     that blocks too; negative is without end; when any other time is up it is PORTHOLE_HOST_TIMED_OUT, and that connection
 *     is over. A host that can't wait takes every value for 0 (but that of porthole_host_open).
 *   - Handles are positive numbers out of the host's own table, one table for each instance. A handle that was closed
 *     is never valid again, also when its place in the table is reused.
 *   - Pointers hold for the call, save the region of a pending receive (see porthole_host_recv). The host checks every
 *     pointer and length against the guest's memory before it touches it, and does not call into the guest.
 *   - The guest checks every number that the host returns. It refuses to be called on a connection while a call into the
 *     host is under way for it (PORTHOLE_BUSY), and stays so when the host unwinds that call, by an exception or a trap:
 *     porthole_conn_init makes the memory of such a connection usable again.
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

/** Bits of an interest and of a ready set (porthole_host_wait). */
enum { PORTHOLE_READABLE = 1, PORTHOLE_WRITABLE = 2 };

/** Flags of porthole_host_start_tls. */
enum { PORTHOLE_TLS_ALPN_HTTP1 = 1 };

/**
 * Begins a connection. Names are resolved by the host, which applies its policy to the name and to each address.
 *
 * @param host        ASCII name or address, without brackets; not terminated
 * @param host_length bytes of it
 * @param port        0 to 65535
 * @param timeout_ms  limit for looking up and connecting in milliseconds; negative: the host's own
 * @returns a handle above 0, at once from a host that can't wait; or PORTHOLE_HOST_REFUSED, _NOT_FOUND, _TIMED_OUT,
 *          _DENIED, _UNREACHABLE, _BUSY, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_open)
int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, int32_t timeout_ms);

/**
 * Speaks TLS from here on, verified by the host's trust store.
 *
 * @param handle      an open connection; a receive that is pending ends, and its region is not touched again
 * @param name        the name to verify and to send as SNI (none is sent for an address)
 * @param name_length bytes of it
 * @param flags       PORTHOLE_TLS_*: they can ask for ALPN, never for weaker checks than the host's
 * @param timeout_ms  see above
 * @returns 0; PORTHOLE_WANT_READ while the handshake goes on; PORTHOLE_HOST_TLS_HANDSHAKE, _TLS_VERIFY, _DENIED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_start_tls)
int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms);

/**
 * Sends bytes. They are the host's once it has taken them: the guest can overwrite them on return.
 *
 * @param handle     an open connection
 * @param data       the bytes
 * @param length     how many there are, at least 1
 * @param timeout_ms see above: for the first byte that is taken
 * @returns how many were taken, 1 to length; PORTHOLE_WANT_WRITE; PORTHOLE_HOST_RESET, _CLOSED, _TIMED_OUT, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_send)
int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms);

/**
 * Receives bytes straight into the guest's memory.
 *
 * After PORTHOLE_WANT_READ the receive is pending: the host can write into [buffer, buffer + capacity) at any time until
 * the guest asks again, with the same buffer and capacity, and is told the count. Whether there is something to receive is
 * asked by a time of 0: that a connection is readable (porthole_host_wait) does not promise that there are bytes.
 *
 * @param handle     an open connection
 * @param buffer     where the bytes go
 * @param capacity   room there, at least 1
 * @param timeout_ms see above
 * @returns how many bytes arrived, 1 to capacity; 0 at the end of the stream; PORTHOLE_WANT_READ; PORTHOLE_HOST_RESET,
 *          _TIMED_OUT, _ABORTED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_recv)
int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms);

/**
 * Waits until a connection is ready. A host that can't wait answers at once with what is ready now, which may be 0.
 *
 * @param handle     an open connection
 * @param interest   PORTHOLE_READABLE, PORTHOLE_WRITABLE or both
 * @param timeout_ms how long to wait in milliseconds: 0 only looks, negative waits without end
 * @returns the ready set, 0 when the time ran out; PORTHOLE_HOST_BAD_HANDLE, _ABORTED, _OTHER
 */
PORTHOLE_IMPORT(porthole_host_wait)
int32_t porthole_host_wait(int32_t handle, uint32_t interest, int32_t timeout_ms);

/**
 * Closes a connection. Idempotent; never fails; a pending receive ends and its region is not touched again.
 *
 * @param handle any number
 */
PORTHOLE_IMPORT(porthole_host_close)
void porthole_host_close(int32_t handle);

/**
 * The host's words for what failed last, for a person: UTF-8, not terminated, never to be parsed.
 *
 * @param handle   the connection, or 0 for an open that failed
 * @param buffer   where the text goes
 * @param capacity room there
 * @returns bytes written, 0 if there is nothing to say
 */
PORTHOLE_IMPORT(porthole_host_last_error)
int32_t porthole_host_last_error(int32_t handle, char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
