/* SPDX-License-Identifier: MIT
 *
 * The floor of measure.mjs: a guest without porthole, that makes GETs by the calls into the runtime that can't be left out, and
 * takes so many bytes for the answer. It prints how many nanoseconds all of them took.
 *
 *   bare PORT LENGTH COUNT HOW      of 127.0.0.1; HOW: "blocking" by two calls each, "polling" by four
 *
 * Half as many go before, uncounted.
 *
 * bare_tls.c is the same over TLS, for localhost.
 */
#include "command.h"

#include <stdbool.h>

#include "../../bindings/wasi/wasi02.h"
#include "porthole/wasi.h"

enum { HANDLE = 4, NEXT_HANDLE = 8, LIST_LENGTH = 8, ROOM = 65536 };

typedef struct streams {
  wasi_handle input;
  wasi_handle output;
} streams;

static _Alignas(8) uint8_t got[40];
static uint8_t room[ROOM];
static size_t arguments; /* bytes of `room` that they take */
static bool begun;

static wasi_handle handle_at(size_t offset) { return *(const wasi_handle *)(const void *)(got + offset); }

/* The arguments stay. All else that a runtime gives is read before the next call: it has the one place. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old;
  (void)old_size;
  size_t at = (arguments + align - 1) & ~(align - 1);
  if (size > ROOM - at) {
    __builtin_trap();
  }
  arguments = begun ? arguments : at + size;
  return room + at;
}

#ifdef BARE_TLS
#define TLS_IMPORT(name) __attribute__((import_module("wasi:tls/types@0.2.0-draft"), import_name(name)))
TLS_IMPORT("[constructor]client-handshake")
wasi_handle tls_handshake(const char *name, size_t length, wasi_handle input, wasi_handle output);
TLS_IMPORT("[static]client-handshake.finish") wasi_handle tls_finish(wasi_handle handshake);
TLS_IMPORT("[method]future-client-streams.subscribe") wasi_handle tls_subscribe(wasi_handle future);
TLS_IMPORT("[method]future-client-streams.get") void tls_get(wasi_handle future, uint8_t *result);
void wasi_tls_type(void);

/** @returns the streams of TLS over those, which is ended by the end of the program */
static streams secured(streams clear) {
  enum { STREAMS = 16, NEXT_STREAM = 20 };
  wasi_tls_type();
  wasi_handle future = tls_finish(tls_handshake("localhost", 9, clear.input, clear.output));
  wasi_handle done = tls_subscribe(future);
  for (tls_get(future, got); got[0] == 0; tls_get(future, got)) {
    wasi_pollable_block(done);
  }
  return (streams){handle_at(STREAMS), handle_at(NEXT_STREAM)};
}
#else
static streams secured(streams clear) { return clear; }
#endif

static streams connected(uint32_t port) {
  wasi_tcp_create(0, got);
  wasi_handle socket = handle_at(HANDLE);
  wasi_tcp_connect(socket, wasi_network(), 0, port, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, got);
  wasi_pollable_block(wasi_tcp_subscribe(socket));
  wasi_tcp_connected(socket, got);
  return secured((streams){handle_at(HANDLE), handle_at(NEXT_HANDLE)});
}

static uint32_t number_of(argument text) {
  uint32_t number = 0;
  for (size_t i = 0; i < text.length; i++) {
    number = number * 10 + (uint32_t)(text.text[i] - '0');
  }
  return number;
}

static void print(uint64_t number) {
  char digits[21];
  size_t at = sizeof digits;
  digits[--at] = '\n';
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  command_put(TO_OUTPUT, digits + at, sizeof digits - at);
}

int32_t command(const argument *list, uint32_t count) {
  static const uint8_t request[] = "GET /small HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\r\n";
  if (count != 4) {
    return 1;
  }
  uint32_t length = number_of(list[1]);
  uint32_t counted = number_of(list[2]);
  bool blocking = list[3].text[0] == 'b';
  begun = true;
  streams to = connected(number_of(list[0]));
  wasi_handle readable = wasi_input_subscribe(to.input);
  wasi_handle writable = wasi_output_subscribe(to.output);
  uint64_t before = 0;
  for (uint32_t left = counted + counted / 2; left > 0; left--) {
    before = left == counted ? wasi_now() : before;
    if (blocking) {
      wasi_output_put(to.output, request, sizeof request - 1, got);
    } else {
      for (wasi_output_room(to.output, got); handle_at(8) == 0; wasi_output_room(to.output, got)) {
        wasi_pollable_block(writable); /* what went before is still on its way */
      }
      wasi_output_write(to.output, request, sizeof request - 1, got);
    }
    for (uint32_t received = 0; received < length; received += *(const uint32_t *)(const void *)(got + LIST_LENGTH)) {
      if (blocking) {
        wasi_input_await(to.input, length, got);
      } else {
        wasi_pollable_block(readable);
        wasi_input_read(to.input, length, got);
      }
      if (got[0] != 0) {
        return 1;
      }
    }
  }
  print(wasi_now() - before);
  return 0;
}
