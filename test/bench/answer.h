// SPDX-License-Identifier: MIT
//
// The answers of the benchmark: what server.c sends, and what instructions.c has the core read.

#ifndef PORTHOLE_BENCH_ANSWER_H
#define PORTHOLE_BENCH_ANSWER_H

#include <stdio.h>
#include <string.h>

enum {
  SMALL_SIZE = 128, // body of a small answer
  FIELD_COUNT = 60  // fields of /fields
};

// A head: its status, its framing (or several lines), its Connection.
#define ANSWER_HEAD                                                                                                    \
  "HTTP/1.1 %s\r\n"                                                                                                    \
  "Server: porthole-bench\r\n"                                                                                         \
  "Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n"                                                                            \
  "Content-Type: text/plain; charset=utf-8\r\n"                                                                        \
  "%s\r\n"                                                                                                             \
  "Connection: %s\r\n"                                                                                                 \
  "Last-Modified: Wed, 31 Dec 2025 23:59:59 GMT\r\n"                                                                   \
  "ETag: \"66b1f2c4-267-porthole\"\r\n"                                                                                \
  "Cache-Control: public, max-age=86400, immutable\r\n"                                                                \
  "Vary: Accept-Encoding\r\n"                                                                                          \
  "Accept-Ranges: bytes\r\n"                                                                                           \
  "Content-Security-Policy: default-src 'self'; style-src 'self'; img-src 'self' https:\r\n"                           \
  "\r\n"

#define SMALL_FRAMING "Content-Length: 128"

// The framing of an answer with FIELD_COUNT fields.
static inline void many_fields(char *to, size_t size) {
  size_t length = (size_t)snprintf(to, size, SMALL_FRAMING);
  for (int i = 11; i < FIELD_COUNT; i++) {
    length += (size_t)snprintf(to + length, size - length, "\r\nX-Field-%02d: value %d of a field", i, i);
  }
}

#endif
