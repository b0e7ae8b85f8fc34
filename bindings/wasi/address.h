/* SPDX-License-Identifier: MIT
 *
 * Addresses as texts: a look-up needs a permission of its own, so literals are read here.
 */
#ifndef PORTHOLE_WASI_ADDRESS_H
#define PORTHOLE_WASI_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct address {
  bool ipv6;
  uint16_t part[8]; /* four bytes or eight words */
  uint32_t scope;   /* the number behind "%" */
} address;

/** Bytes of a written address with its port, at most. */
enum { ADDRESS_MOST = 64 };

/** Reads "127.0.0.1" or "::1", also "::ffff:1.2.3.4" and "fe80::1%2". @returns is it one? */
bool wasi_address_read(address *to, const char *text, size_t length);

/**
 * Makes an address one that WASI connects to: no IPv4 address in the form of an IPv6 one, and none that says "any", which systems take
 * for this machine.
 */
void wasi_address_settle(address *one);

/** Writes "127.0.0.1:80" or "[::1]:80" (RFC 5952). @param to has room for ADDRESS_MOST. @returns the length */
size_t wasi_address_write(const address *from, uint32_t port, char *to);

#endif
