/* SPDX-License-Identifier: MIT */
#include "connect03.h"

#include "address.h"
#include "memory.h"
#include "porthole/porthole.h"

enum {
  ADDRESSES = 16,   /* of a name: more are not tried */
  ADDRESS_SIZE = 18 /* of an ip-address in a list */
};
_Static_assert(ADDRESSES *ADDRESS_SIZE <= LANDING, "as many addresses as are tried can land");

/** What is left until a moment of wasi_now, in ns; below zero for no limit. */
static int64_t left_until(int64_t deadline) {
  if (deadline < 0) {
    return -1;
  }
  int64_t left = deadline - (int64_t)wasi_now();
  return left > 0 ? left : 0;
}

/** Writes an ip-socket-address behind the socket that is connected. */
static void write_arguments(uint8_t *to, wasi_handle socket, const address *end, uint32_t port) {
  uint16_t half = (uint16_t)port;
  __builtin_memset(to, 0, RESULT);
  __builtin_memcpy(to, &socket, sizeof socket);
  to[4] = end->ipv6;
  __builtin_memcpy(to + 8, &half, sizeof half);
  if (end->ipv6) {
    __builtin_memcpy(to + 16, end->part, 16);
    __builtin_memcpy(to + 32, &end->scope, sizeof end->scope);
  } else {
    for (size_t i = 0; i < 4; i++) {
      to[10 + i] = (uint8_t)end->part[i];
    }
  }
}

/** Connects to one address within some time. @returns 0 or an error */
static int32_t connect_to(wasi_handle *made, const address *to, uint32_t port, int64_t ns, failure *where) {
  result arguments;
  result got; /* a result; what is made, or the error, behind a word */
  wasi_land_here();
  wasi_tcp_create(to->ipv6, got.at);
  if (got.at[0] != 0) {
    return wasi_fail_socket(where, "create", &got);
  }
  wasi_handle socket = (wasi_handle)word_at(got.at + 4);
  write_arguments(arguments.at, socket, to, port);
  limit within = {ns, 0};
  bool returned = ns != 0 && wasi_finish_call(wasi_tcp_connect(arguments.at, got.at), &within);
  wasi_end_limit(&within);
  int32_t error = !returned        ? wasi_fail(where, PORTHOLE_HOST_TIMED_OUT, "connecting took too long")
                  : got.at[0] != 0 ? wasi_fail_socket(where, "connect", &got)
                                   : 0;
  wasi_landed_here();
  if (error != 0) {
    wasi_tcp_drop(socket);
    return error;
  }
  *made = socket;
  return 0;
}

static bool fits_family(bool ipv6, uint32_t flags) {
  flags &= PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6;
  return flags == 0 || (flags & (ipv6 ? PORTHOLE_OPEN_IPV6 : PORTHOLE_OPEN_IPV4)) != 0;
}

/** Takes the addresses of a family out of a list. @returns how many */
static int32_t read_addresses(const uint8_t *from, size_t count, uint32_t flags, address *list) {
  int32_t found = 0;
  for (size_t i = 0; i < count && i < ADDRESSES; i++, from += ADDRESS_SIZE) {
    if (fits_family(from[0] != 0, flags)) {
      address *one = &list[found++];
      *one = (address){.ipv6 = from[0] != 0};
      for (size_t k = 0; k < (one->ipv6 ? 8 : 4); k++) {
        one->part[k] = one->ipv6 ? half_at(from + 2 + 2 * k) : from[2 + k];
      }
    }
  }
  return found;
}

/** @returns how many addresses there are to try, or an error */
static int32_t look_up(const char *host, size_t length, uint32_t flags, int64_t ns, address *list, failure *where) {
  result got; /* a result; behind four bytes the list, or an error */
  int32_t count;
  if (wasi_address_read(&list[0], host, length)) {
    count = fits_family(list[0].ipv6, flags);
  } else {
    limit within = {ns, 0};
    wasi_land_here();
    bool returned = wasi_finish_call(wasi_resolve(host, length, got.at), &within);
    wasi_end_limit(&within);
    if (returned && got.at[0] != 0) {
      return wasi_fail_look_up(where, "resolve-addresses", &got);
    }
    size_t answers = returned ? word_at(got.at + 8) : 0;
    wasi_landed(pointer_at(got.at + 4), answers * ADDRESS_SIZE, wasi_landing, sizeof wasi_landing);
    if (!returned) {
      return wasi_fail(where, PORTHOLE_HOST_TIMED_OUT, "the look-up took too long");
    }
    count = read_addresses(wasi_landing, answers, flags, list);
  }
  return count > 0 ? count : wasi_fail(where, PORTHOLE_HOST_NOT_FOUND, "the name has no address of this family");
}

int32_t wasi_connect(wasi_handle *made, const char *host, size_t length, uint32_t port, const connect_how *how,
                     failure *where) {
  address list[ADDRESSES];
  wasi_make_set();
  int64_t deadline = how->timeout_ms < 0 ? -1 : (int64_t)wasi_now() + (int64_t)how->timeout_ms * NS_PER_MS;
  int32_t count = look_up(host, length, how->flags, left_until(deadline), list, where);
  int32_t error = count < 0 ? count : 0;
  for (int32_t i = 0; i < count; i++) {
    int64_t left = left_until(deadline); /* each address gets its share */
    wasi_address_settle(&list[i]);
    error = connect_to(made, &list[i], port, left < 0 ? -1 : left / (count - i), where);
    if (error == 0) {
      break;
    }
  }
  return error;
}
