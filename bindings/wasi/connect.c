/* SPDX-License-Identifier: MIT */
#include "connect.h"

#include "address.h"
#include "porthole/porthole.h"

enum { ADDRESSES = 16 /* of a name: more are not tried */ };

/** What is left until a moment of wasi_now, in ns; below zero for no limit. */
static int64_t left_until(int64_t deadline) {
  if (deadline < 0) {
    return -1;
  }
  int64_t left = deadline - (int64_t)wasi_now();
  return left > 0 ? left : 0;
}

/** Connects to one address within some time. @returns 0 or an error */
static int32_t connect_to(wasi_connected *made, const address *to, uint32_t port, wasi_handle network, int64_t ns,
                          failure *where) {
  result got; /* a result; what is made, or the error, behind a word */
  wasi_tcp_create(to->ipv6, got.at);
  if (got.at[0] != 0) {
    return wasi_fail_sockets(where, "create-tcp-socket", got.at[4]);
  }
  wasi_handle socket = handle_at(&got, 4);
  const uint16_t *part = to->part;
  if (to->ipv6) {
    wasi_tcp_connect(socket, network, 1, port, 0, part[0], part[1], part[2], part[3], part[4], part[5], part[6],
                     part[7], to->scope, got.at);
  } else {
    wasi_tcp_connect(socket, network, 0, port, part[0], part[1], part[2], part[3], 0, 0, 0, 0, 0, 0, got.at);
  }
  /* Nothing is made here: the error is behind a byte. */
  int32_t error = got.at[0] != 0 ? wasi_fail_sockets(where, "start-connect", got.at[1]) : 0;
  if (error == 0) {
    limit within = {ns, 0};
    wasi_handle connected = wasi_tcp_subscribe(socket);
    do {
      if (!wasi_wait_within(&within, connected)) {
        error = wasi_fail(where, PORTHOLE_HOST_TIMED_OUT, "connecting took too long");
        break;
      }
      wasi_tcp_connected(socket, got.at);
    } while (got.at[0] != 0 && got.at[4] == 8); /* would-block */
    wasi_pollable_drop(connected);
    if (error == 0 && got.at[0] != 0) {
      error = wasi_fail_sockets(where, "finish-connect", got.at[4]);
    }
  }
  if (error != 0) {
    wasi_tcp_drop(socket);
    return error;
  }
  made->socket = socket;
  made->input = handle_at(&got, 4);
  made->output = handle_at(&got, 8);
  return 0;
}

static bool fits_family(bool ipv6, uint32_t flags) {
  flags &= PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6;
  return flags == 0 || (flags & (ipv6 ? PORTHOLE_OPEN_IPV6 : PORTHOLE_OPEN_IPV4)) != 0;
}

/** Reads what a look-up answers. @returns 0 or the error that ended it */
static int32_t read_addresses(wasi_handle stream, uint32_t flags, int64_t ns, address *list, int32_t *count,
                              failure *where) {
  result got; /* a result; behind two bytes the error, or an option and behind four and six the address */
  limit within = {ns, 0};
  wasi_handle pollable = 0;
  int32_t error = 0;
  while (*count < ADDRESSES) {
    wasi_resolve_next(stream, got.at);
    if (got.at[0] != 0 && got.at[2] == 8) { /* would-block */
      pollable = pollable == 0 ? wasi_resolve_subscribe(stream) : pollable;
      if (!wasi_wait_within(&within, pollable)) {
        error = wasi_fail(where, PORTHOLE_HOST_TIMED_OUT, "the look-up took too long");
        break;
      }
    } else if (got.at[0] != 0) {
      error = wasi_fail_sockets(where, "resolve-next-address", got.at[2]);
      break;
    } else if (got.at[2] == 0) {
      break;
    } else if (fits_family(got.at[4] != 0, flags)) {
      address *one = &list[(*count)++];
      *one = (address){.ipv6 = got.at[4] != 0};
      for (size_t i = 0; i < (one->ipv6 ? 8 : 4); i++) {
        one->part[i] = one->ipv6 ? half_at(&got, 6 + 2 * i) : got.at[6 + i];
      }
    }
  }
  if (pollable != 0) {
    wasi_pollable_drop(pollable);
  }
  return error;
}

/** @returns how many addresses there are to try, or an error */
static int32_t look_up(const char *host, size_t length, uint32_t flags, wasi_handle network, int64_t ns, address *list,
                       failure *where) {
  int32_t count = 0;
  int32_t error = 0;
  if (wasi_address_read(&list[0], host, length)) {
    count = fits_family(list[0].ipv6, flags);
  } else {
    result got;
    wasi_resolve(network, host, length, got.at);
    if (got.at[0] != 0) {
      return wasi_fail_sockets(where, "resolve-addresses", got.at[4]);
    }
    wasi_handle stream = handle_at(&got, 4);
    error = read_addresses(stream, flags, ns, list, &count, where);
    wasi_resolve_drop(stream);
  }
  if (count > 0) {
    return count;
  }
  return error != 0 ? error : wasi_fail(where, PORTHOLE_HOST_NOT_FOUND, "the name has no address of this family");
}

int32_t wasi_connect(const char *host, size_t length, uint32_t port, uint32_t flags, int32_t timeout_ms,
                     wasi_connected *made, failure *where) {
  address list[ADDRESSES];
  int64_t deadline = timeout_ms < 0 ? -1 : (int64_t)wasi_now() + (int64_t)timeout_ms * NS_PER_MS;
  wasi_handle network = wasi_network();
  int32_t count = look_up(host, length, flags, network, left_until(deadline), list, where);
  int32_t error = count < 0 ? count : 0;
  for (int32_t i = 0; i < count; i++) {
    int64_t left = left_until(deadline); /* each address gets its share */
    wasi_address_settle(&list[i]);
    error = connect_to(made, &list[i], port, network, left < 0 ? -1 : left / (count - i), where);
    if (error == 0) {
      break;
    }
  }
  wasi_network_drop(network);
  return error;
}
