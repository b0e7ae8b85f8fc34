/* SPDX-License-Identifier: MIT */
#include "porthole/porthole.h"
#include "tls.h"

bool wasi_tls_usable(void) { return false; }

void wasi_tls_opened(size_t place, const char *name, size_t length) {
  (void)place;
  (void)name;
  (void)length;
}

int32_t wasi_tls_start(size_t place, const char *name, size_t length, wasi_handle *input, wasi_handle *output,
                       limit *within, failure *where) {
  (void)place;
  (void)name;
  (void)length;
  (void)input;
  (void)output;
  (void)within;
  return wasi_fail(where, PORTHOLE_HOST_UNSUPPORTED, "this build has no TLS");
}

wasi_handle wasi_tls_pollable(size_t place) {
  (void)place;
  return 0;
}

void wasi_tls_flush(size_t place, wasi_handle output) {
  (void)place;
  (void)output;
}

bool wasi_tls_end(size_t place, wasi_handle output) {
  (void)place;
  (void)output;
  return false;
}

void wasi_tls_close(size_t place) { (void)place; }
