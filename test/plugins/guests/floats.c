/* SPDX-License-Identifier: MIT
 *
 * A guest that has declared the host's functions with other types than they have.
 */
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("porthole_host_v1"), import_name("porthole_host_" #name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(open) int32_t host_open(double host, double length, double port, double flags, double timeout);
IMPORT(recv) int32_t host_recv(double handle, double buffer, double capacity, double timeout);
IMPORT(wait) int32_t host_wait(double list, double count, double timeout);

static const char name[] = "127.0.0.1";
static uint8_t buffer[100];

static double place(const void *pointer) { return (double)(uintptr_t)pointer; }

EXPORT(open) int32_t guest_open(double port, double timeout) {
  return host_open(place(name), sizeof name - 1, port, 0, timeout);
}

EXPORT(recv) int32_t guest_recv(int32_t handle, double capacity, double timeout) {
  return host_recv(handle, place(buffer), capacity, timeout);
}

EXPORT(wait) int32_t guest_wait(double count, double timeout) { return host_wait(place(buffer), count, timeout); }

EXPORT(wide) int64_t guest_wide(int64_t number) { return number + 1; }
