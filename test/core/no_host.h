/* SPDX-License-Identifier: MIT
 *
 * The host of programs that have none: level 0 of the API calls no host.
 */
#ifndef NO_HOST_H
#define NO_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "porthole/host.h"
#include "porthole/porthole.h"

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, int32_t timeout_ms) {
  fail_msg("open of %.*s:%u, %d", (int)host_length, host, port, timeout_ms);
  return PORTHOLE_HOST_OTHER;
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags) {
  fail_msg("start_tls with %.*s on %d, %u", (int)name_length, name, handle, flags);
  return PORTHOLE_HOST_OTHER;
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length) {
  fail_msg("send of %zu bytes from %p on %d", length, (const void *)data, handle);
  return PORTHOLE_HOST_OTHER;
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity) {
  fail_msg("recv of %zu bytes to %p on %d", capacity, (void *)buffer, handle);
  return PORTHOLE_HOST_OTHER;
}

int32_t porthole_host_wait(int32_t handle, uint32_t interest, int32_t timeout_ms) {
  fail_msg("wait for %u on %d, %d", interest, handle, timeout_ms);
  return PORTHOLE_HOST_OTHER;
}

void porthole_host_close(int32_t handle) { fail_msg("close of %d", handle); }

#endif
