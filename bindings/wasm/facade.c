/* SPDX-License-Identifier: MIT
 *
 * What porthole.wasm exports beside the functions of porthole.h whose arguments are numbers and addresses already: the others
 * under flat signatures, as porthole_flat_…, with a span as its address and length and a size of 64 bits as its two halves.
 * What is not said here is as in porthole.h, and so are the results.
 */
#include "porthole/porthole.h"

extern uint8_t __heap_base;

uint32_t porthole_heap(void);
int32_t porthole_flat_set_limit(porthole_conn *conn, uint32_t limit, uint32_t value_low, uint32_t value_high);
int32_t porthole_flat_set_authority(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port,
                                    uint32_t default_port);
int32_t porthole_flat_split_host(const uint8_t *text, size_t length, uint32_t has_port, uint32_t out[3]);
void porthole_flat_plan(const uint8_t *method, size_t method_length, const porthole_field *fields, size_t count,
                        uint32_t body, uint32_t size_low, uint32_t size_high, uint32_t flags, uint32_t out[3]);
int32_t porthole_flat_request(porthole_conn *conn, const uint8_t *method, size_t method_length, const uint8_t *url,
                              size_t url_length, const porthole_field *fields, size_t count, uint32_t body,
                              uint32_t size_low, uint32_t size_high, uint32_t flags);
int32_t porthole_flat_putrequest(porthole_conn *conn, const uint8_t *method, size_t method_length, const uint8_t *url,
                                 size_t url_length, uint32_t flags);
int32_t porthole_flat_putheader(porthole_conn *conn, const uint8_t *name, size_t name_length,
                                const porthole_span *values, size_t count);
int32_t porthole_flat_endheaders(porthole_conn *conn, uint32_t body, uint32_t size_low, uint32_t size_high,
                                 uint32_t flags);
int32_t porthole_flat_tunnel(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port,
                             const porthole_field *fields, size_t count);
int32_t porthole_flat_sent_chunks(porthole_conn *conn, const uint8_t *bytes, size_t length);
int32_t porthole_flat_open(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port, uint32_t flags,
                           int32_t timeout_ms);
int32_t porthole_flat_start_tls(porthole_conn *conn, const uint8_t *name, size_t name_length, uint32_t flags);
int32_t porthole_flat_receive(porthole_conn *conn);
int32_t porthole_flat_region(porthole_conn *conn, uint32_t out[2]);
int32_t porthole_flat_fields_list(const uint8_t *text, size_t length, uint32_t *table, size_t capacity);
int32_t porthole_flat_params_list(const uint8_t *text, size_t length, uint32_t *table, size_t capacity);
int32_t porthole_flat_check_head(const uint8_t *head, size_t head_length, const uint8_t *host, size_t host_length,
                                 uint32_t port, uint32_t secure, uint32_t *table, size_t capacity);

static porthole_span span(const uint8_t *data, size_t length) { return (porthole_span){data, length}; }

static uint64_t wide(uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; }

/** Where free memory begins: a host that makes connections lays them out from here. @returns an address */
uint32_t porthole_heap(void) { return (uint32_t)(uintptr_t)&__heap_base; }

/** porthole_conn_set_limit */
int32_t porthole_flat_set_limit(porthole_conn *conn, uint32_t limit, uint32_t value_low, uint32_t value_high) {
  return porthole_conn_set_limit(conn, limit, wide(value_low, value_high));
}

/** porthole_conn_set_authority */
int32_t porthole_flat_set_authority(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port,
                                    uint32_t default_port) {
  return porthole_conn_set_authority(conn, span(host, host_length), port, default_port);
}

/** porthole_split_host. @param out receives the host's offset, its length and the port, or 0xFFFFFFFF for none */
int32_t porthole_flat_split_host(const uint8_t *text, size_t length, uint32_t has_port, uint32_t out[3]) {
  porthole_host_port found;
  int32_t error = porthole_split_host(span(text, length), has_port, &found);
  if (error == 0) {
    out[0] = (uint32_t)(found.host.data - text);
    out[1] = (uint32_t)found.host.length;
    out[2] = (uint32_t)found.port;
  }
  return error;
}

/** porthole_request_plan. @param out receives the flags, the length's lower and its upper half */
void porthole_flat_plan(const uint8_t *method, size_t method_length, const porthole_field *fields, size_t count,
                        uint32_t body, uint32_t size_low, uint32_t size_high, uint32_t flags, uint32_t out[3]) {
  porthole_plan plan;
  porthole_request_plan(span(method, method_length), fields, count, body, wide(size_low, size_high), flags, &plan);
  out[0] = plan.flags;
  out[1] = (uint32_t)plan.length;
  out[2] = (uint32_t)(plan.length >> 32);
}

/** porthole_conn_request */
int32_t porthole_flat_request(porthole_conn *conn, const uint8_t *method, size_t method_length, const uint8_t *url,
                              size_t url_length, const porthole_field *fields, size_t count, uint32_t body,
                              uint32_t size_low, uint32_t size_high, uint32_t flags) {
  return porthole_conn_request(conn, span(method, method_length), span(url, url_length), fields, count, body,
                               wide(size_low, size_high), flags);
}

/** porthole_conn_putrequest */
int32_t porthole_flat_putrequest(porthole_conn *conn, const uint8_t *method, size_t method_length, const uint8_t *url,
                                 size_t url_length, uint32_t flags) {
  return porthole_conn_putrequest(conn, span(method, method_length), span(url, url_length), flags);
}

/** porthole_conn_putheader */
int32_t porthole_flat_putheader(porthole_conn *conn, const uint8_t *name, size_t name_length,
                                const porthole_span *values, size_t count) {
  return porthole_conn_putheader(conn, span(name, name_length), values, count);
}

/** porthole_conn_endheaders */
int32_t porthole_flat_endheaders(porthole_conn *conn, uint32_t body, uint32_t size_low, uint32_t size_high,
                                 uint32_t flags) {
  return porthole_conn_endheaders(conn, body, wide(size_low, size_high), flags);
}

/** porthole_conn_tunnel */
int32_t porthole_flat_tunnel(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port,
                             const porthole_field *fields, size_t count) {
  return porthole_conn_tunnel(conn, span(host, host_length), port, fields, count);
}

/** porthole_conn_sent_chunks */
int32_t porthole_flat_sent_chunks(porthole_conn *conn, const uint8_t *bytes, size_t length) {
  return porthole_conn_sent_chunks(conn, span(bytes, length));
}

/** porthole_conn_open */
int32_t porthole_flat_open(porthole_conn *conn, const uint8_t *host, size_t host_length, uint32_t port, uint32_t flags,
                           int32_t timeout_ms) {
  return porthole_conn_open(conn, span(host, host_length), port, flags, timeout_ms);
}

/** porthole_conn_start_tls */
int32_t porthole_flat_start_tls(porthole_conn *conn, const uint8_t *name, size_t name_length, uint32_t flags) {
  return porthole_conn_start_tls(conn, span(name, name_length), flags);
}

/** porthole_conn_receive for a host that writes nothing once it has answered: what comes later can go where there is room then */
int32_t porthole_flat_receive(porthole_conn *conn) {
  porthole_conn_return_region(conn);
  return porthole_conn_receive(conn);
}

/** porthole_conn_region, where there is room by now. @param out receives the offset in the receive buffer and the length */
int32_t porthole_flat_region(porthole_conn *conn, uint32_t out[2]) {
  porthole_conn_return_region(conn);
  return porthole_conn_region(conn, &out[0], &out[1]);
}

/** porthole_fields_list */
int32_t porthole_flat_fields_list(const uint8_t *text, size_t length, uint32_t *table, size_t capacity) {
  return porthole_fields_list(span(text, length), table, capacity);
}

/** porthole_params_list */
int32_t porthole_flat_params_list(const uint8_t *text, size_t length, uint32_t *table, size_t capacity) {
  return porthole_params_list(span(text, length), table, capacity);
}

/** porthole_check_head */
int32_t porthole_flat_check_head(const uint8_t *head, size_t head_length, const uint8_t *host, size_t host_length,
                                 uint32_t port, uint32_t secure, uint32_t *table, size_t capacity) {
  return porthole_check_head(span(head, head_length), span(host, host_length), port, secure, table, capacity);
}
