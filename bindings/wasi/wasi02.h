/* SPDX-License-Identifier: MIT
 *
 * The functions of WASI 0.2 that the host uses, flattened by the canonical ABI: resources are 32-bit handles, and results that
 * don't fit in one value are written to `result`, whose layout is described at each reader.
 */
#ifndef PORTHOLE_WASI02_H
#define PORTHOLE_WASI02_H

#include <stdint.h>

#define WASI_VERSION "0.2.12"
#define WASI_IMPORT(interface, name)                                                                                   \
  __attribute__((import_module("wasi:" interface "@" WASI_VERSION), import_name(name)))

typedef int32_t wasi_handle;

WASI_IMPORT("io/poll", "[method]pollable.ready") int32_t wasi_pollable_ready(wasi_handle pollable);
WASI_IMPORT("io/poll", "[method]pollable.block") void wasi_pollable_block(wasi_handle pollable);
WASI_IMPORT("io/poll", "poll") void wasi_poll(const wasi_handle *list, uint32_t count, uint8_t *result);
WASI_IMPORT("io/poll", "[resource-drop]pollable") void wasi_pollable_drop(wasi_handle pollable);

WASI_IMPORT("io/error", "[method]error.to-debug-string") void wasi_error_text(wasi_handle error, uint8_t *result);
WASI_IMPORT("io/error", "[resource-drop]error") void wasi_error_drop(wasi_handle error);

WASI_IMPORT("io/streams", "[method]input-stream.read")
void wasi_input_read(wasi_handle stream, uint64_t length, uint8_t *result);
WASI_IMPORT("io/streams", "[method]input-stream.blocking-read")
void wasi_input_await(wasi_handle stream, uint64_t length, uint8_t *result);
WASI_IMPORT("io/streams", "[method]input-stream.subscribe") wasi_handle wasi_input_subscribe(wasi_handle stream);
WASI_IMPORT("io/streams", "[resource-drop]input-stream") void wasi_input_drop(wasi_handle stream);
WASI_IMPORT("io/streams", "[method]output-stream.check-write")
void wasi_output_room(wasi_handle stream, uint8_t *result);
WASI_IMPORT("io/streams", "[method]output-stream.write")
void wasi_output_write(wasi_handle stream, const uint8_t *data, uint32_t length, uint8_t *result);
WASI_IMPORT("io/streams", "[method]output-stream.blocking-write-and-flush")
void wasi_output_put(wasi_handle stream, const uint8_t *data, uint32_t length, uint8_t *result);
WASI_IMPORT("io/streams", "[method]output-stream.subscribe") wasi_handle wasi_output_subscribe(wasi_handle stream);
WASI_IMPORT("io/streams", "[resource-drop]output-stream") void wasi_output_drop(wasi_handle stream);

WASI_IMPORT("clocks/monotonic-clock", "now") uint64_t wasi_now(void);
WASI_IMPORT("clocks/monotonic-clock", "subscribe-instant") wasi_handle wasi_at(uint64_t ns);

WASI_IMPORT("sockets/instance-network", "instance-network") wasi_handle wasi_network(void);
WASI_IMPORT("sockets/network", "[resource-drop]network") void wasi_network_drop(wasi_handle network);
WASI_IMPORT("sockets/ip-name-lookup", "resolve-addresses")
void wasi_resolve(wasi_handle network, const char *name, uint32_t length, uint8_t *result);
WASI_IMPORT("sockets/ip-name-lookup", "[method]resolve-address-stream.resolve-next-address")
void wasi_resolve_next(wasi_handle stream, uint8_t *result);
WASI_IMPORT("sockets/ip-name-lookup", "[method]resolve-address-stream.subscribe")
wasi_handle wasi_resolve_subscribe(wasi_handle stream);
WASI_IMPORT("sockets/ip-name-lookup", "[resource-drop]resolve-address-stream")
void wasi_resolve_drop(wasi_handle stream);
WASI_IMPORT("sockets/tcp-create-socket", "create-tcp-socket") void wasi_tcp_create(int32_t ipv6, uint8_t *result);
/* The address is flattened: IPv4 port and four bytes, IPv6 port, flow, eight words and scope; what is left over is 0. */
WASI_IMPORT("sockets/tcp", "[method]tcp-socket.start-connect")
void wasi_tcp_connect(wasi_handle socket, wasi_handle network, int32_t ipv6, uint32_t port, uint32_t, uint32_t,
                      uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint8_t *result);
WASI_IMPORT("sockets/tcp", "[method]tcp-socket.finish-connect")
void wasi_tcp_connected(wasi_handle socket, uint8_t *result);
WASI_IMPORT("sockets/tcp", "[method]tcp-socket.local-address") void wasi_tcp_local(wasi_handle socket, uint8_t *result);
WASI_IMPORT("sockets/tcp", "[method]tcp-socket.remote-address") void wasi_tcp_peer(wasi_handle socket, uint8_t *result);
WASI_IMPORT("sockets/tcp", "[method]tcp-socket.subscribe") wasi_handle wasi_tcp_subscribe(wasi_handle socket);
enum { WASI_SHUTDOWN_SEND = 1 };
WASI_IMPORT("sockets/tcp", "[method]tcp-socket.shutdown")
void wasi_tcp_shutdown(wasi_handle socket, int32_t what, uint8_t *result);
WASI_IMPORT("sockets/tcp", "[resource-drop]tcp-socket") void wasi_tcp_drop(wasi_handle socket);

#endif
