/* SPDX-License-Identifier: MIT
 *
 * porthole_host_start_tls of hosts in C that have no TLS. It is included once by a host, behind table.h and the definition of
 * `refuse_tls`, which takes a connection's `failure`.
 */
#ifndef PORTHOLE_BINDINGS_NO_TLS_H
#define PORTHOLE_BINDINGS_NO_TLS_H

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  (void)name;
  (void)name_length;
  (void)flags;
  (void)timeout_ms;
  connection *on = find_connection(handle);
  return on == NULL ? PORTHOLE_HOST_BAD_HANDLE : refuse_tls(&on->failure);
}

#endif
