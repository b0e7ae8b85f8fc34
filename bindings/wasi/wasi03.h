/* SPDX-License-Identifier: MIT
 *
 * The functions of WASI 0.3 that sockets03.c uses, flattened by the canonical ABI. What is lowered as "async" answers at once: a
 * call with its state and its handle, a read or a write of a stream with a count and how it ended, or that it is blocked. What
 * becomes of it then is an event of a waitable set.
 */
#ifndef PORTHOLE_WASI03_H
#define PORTHOLE_WASI03_H

#include <stddef.h>
#include <stdint.h>

#define WASI_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define WASI_TCP "wasi:sockets/types@0.3.0"
#define WASI_CLOCK "wasi:clocks/monotonic-clock@0.3.0"

typedef int32_t wasi_handle;

/** Of a read or a write: the rest is an event. */
#define WASI_BLOCKED UINT32_MAX
/** How one ended; the count stands above these bits. */
enum { WASI_COMPLETED = 0, WASI_DROPPED = 1, WASI_CANCELLED = 2, WASI_END_MASK = 15, WASI_END_BITS = 4 };
/** The state of a call, below its handle. */
enum { WASI_RETURNED = 2 };
/** Kinds of events. */
enum { WASI_NO_EVENT, WASI_CALL_EVENT, WASI_READ_EVENT, WASI_WRITE_EVENT, WASI_FUTURE_EVENT };

WASI_IMPORT("$root", "[waitable-set-new]") wasi_handle wasi_set_new(void);
/** `event` receives which waitable it is of, and what it says. */
WASI_IMPORT("$root", "[waitable-set-wait]") uint32_t wasi_set_wait(wasi_handle set, uint32_t *event);
WASI_IMPORT("$root", "[waitable-set-poll]") uint32_t wasi_set_poll(wasi_handle set, uint32_t *event);
/** Puts it into a set, or for 0 into none. */
WASI_IMPORT("$root", "[waitable-join]") void wasi_join(wasi_handle waitable, wasi_handle set);
WASI_IMPORT("$root", "[subtask-cancel]") uint32_t wasi_call_cancel(wasi_handle call);
WASI_IMPORT("$root", "[subtask-drop]") void wasi_call_drop(wasi_handle call);

WASI_IMPORT(WASI_CLOCK, "now") uint64_t wasi_now(void);
WASI_IMPORT(WASI_CLOCK, "[async-lower]wait-for") uint32_t wasi_wait_for(uint64_t ns);

WASI_IMPORT("wasi:sockets/ip-name-lookup@0.3.0", "[async-lower]resolve-addresses")
uint32_t wasi_resolve(const char *name, size_t length, uint8_t *result);

WASI_IMPORT(WASI_TCP, "[static]tcp-socket.create") void wasi_tcp_create(int32_t ipv6, uint8_t *result);
WASI_IMPORT(WASI_TCP, "[async-lower][method]tcp-socket.connect")
uint32_t wasi_tcp_connect(const uint8_t *arguments, uint8_t *result);
WASI_IMPORT(WASI_TCP, "[method]tcp-socket.get-local-address")
void wasi_tcp_local(wasi_handle socket, uint8_t *result);
WASI_IMPORT(WASI_TCP, "[method]tcp-socket.get-remote-address")
void wasi_tcp_peer(wasi_handle socket, uint8_t *result);
WASI_IMPORT(WASI_TCP, "[resource-drop]tcp-socket") void wasi_tcp_drop(wasi_handle socket);

/* Receiving: a stream, and a future of how it ends. */
WASI_IMPORT(WASI_TCP, "[method]tcp-socket.receive") void wasi_tcp_receive(wasi_handle socket, wasi_handle *both);
WASI_IMPORT(WASI_TCP, "[async-lower][stream-read-0][method]tcp-socket.receive")
uint32_t wasi_read(wasi_handle stream, uint8_t *buffer, size_t capacity);
WASI_IMPORT(WASI_TCP, "[stream-cancel-read-0][method]tcp-socket.receive")
uint32_t wasi_read_cancel(wasi_handle stream);
WASI_IMPORT(WASI_TCP, "[stream-drop-readable-0][method]tcp-socket.receive") void wasi_read_drop(wasi_handle stream);
WASI_IMPORT(WASI_TCP, "[async-lower][future-read-1][method]tcp-socket.receive")
uint32_t wasi_received(wasi_handle future, uint8_t *result);
WASI_IMPORT(WASI_TCP, "[future-drop-readable-1][method]tcp-socket.receive") void wasi_received_drop(wasi_handle future);

/* Sending: a stream whose other end the socket is given, and a future of how that ends. */
/** @returns the readable end, and above 32 bits the writable one */
WASI_IMPORT(WASI_TCP, "[stream-new-0][method]tcp-socket.send") uint64_t wasi_write_new(void);
WASI_IMPORT(WASI_TCP, "[method]tcp-socket.send") wasi_handle wasi_tcp_send(wasi_handle socket, wasi_handle stream);
WASI_IMPORT(WASI_TCP, "[async-lower][stream-write-0][method]tcp-socket.send")
uint32_t wasi_write(wasi_handle stream, const uint8_t *data, size_t length);
WASI_IMPORT(WASI_TCP, "[stream-cancel-write-0][method]tcp-socket.send")
uint32_t wasi_write_cancel(wasi_handle stream);
WASI_IMPORT(WASI_TCP, "[stream-drop-writable-0][method]tcp-socket.send") void wasi_write_drop(wasi_handle stream);
WASI_IMPORT(WASI_TCP, "[async-lower][future-read-1][method]tcp-socket.send")
uint32_t wasi_sent(wasi_handle future, uint8_t *result);
WASI_IMPORT(WASI_TCP, "[future-drop-readable-1][method]tcp-socket.send") void wasi_sent_drop(wasi_handle future);

#endif
