// SPDX-License-Identifier: MIT
//
// Fixed inputs for `npm run bench:instructions`, which counts what the functions named counted_… execute, by callgrind.
// `instructions CASE N` does a case N times. With WITH_LLHTTP the cases of responses can be done by llhttp as well.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "porthole/porthole.h"
#ifdef WITH_LLHTTP
#include "llhttp.h"
#endif

enum { CHUNK = 64, CHUNKS = 512, MESSAGE_SIZE = 65536, BUFFER_SIZE = 131072 };

#define COUNTED __attribute__((noinline))

static char message[MESSAGE_SIZE];
static size_t message_length;

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void expect(int32_t result, const char *what) {
  if (result < 0) {
    fprintf(stderr, "%s: %s\n", what, porthole_error_text(result));
    exit(1);
  }
}

static void append(const char *bytes, size_t length) {
  if (length > sizeof message - message_length) {
    fail("the message is too long");
  }
  memcpy(message + message_length, bytes, length);
  message_length += length;
}

// Makes the message of a case. Gives false for a case that is none of a response.
static bool make_message(const char *name) {
  char framing[4096] = SMALL_FRAMING;
  char body[SMALL_SIZE];
  memset(body, 'x', sizeof body);
  if (!strcmp(name, "fields")) {
    many_fields(framing, sizeof framing);
  } else if (!strcmp(name, "chunks")) {
    strcpy(framing, "Transfer-Encoding: chunked");
  } else if (strcmp(name, "head") != 0) {
    return false;
  }
  message_length = (size_t)snprintf(message, sizeof message, ANSWER_HEAD, "200 OK", framing, "keep-alive");
  if (strcmp(name, "chunks") != 0) {
    append(body, SMALL_SIZE);
    return true;
  }
  for (int i = 0; i < CHUNKS; i++) {
    append("40\r\n", 4);
    append(body, CHUNK);
    append("\r\n", 2);
  }
  append("0\r\n\r\n", 5);
  return true;
}

static const uint8_t *bytes_of(const char *text) { return (const uint8_t *)text; }

static porthole_span span_of(const char *text) { return (porthole_span){bytes_of(text), strlen(text)}; }

// Requests are not what the cases of responses count: hence two functions.
static int32_t stage_request(porthole_conn *conn) {
  const porthole_field fields[] = {
      {span_of("User-Agent"), span_of("porthole-bench/1.0 (linux; x64)")},
      {span_of("Accept"), span_of("application/json, text/plain;q=0.9, */*;q=0.8")},
      {span_of("Accept-Language"), span_of("en-GB,en;q=0.9,de;q=0.5")},
      {span_of("Authorization"), span_of("Bearer 0123456789abcdef0123456789abcdef")},
      {span_of("X-Request-Id"), span_of("3f2c1f8e-6f1b-4f0e-9f43-0d8f4f1a2b3c")},
  };
  porthole_span url = span_of("/api/v1/repositories/porthole/issues?state=open&page=2");
  return porthole_conn_request(conn, span_of("GET"), url, fields, 5, PORTHOLE_BODY_NONE, 0, 0);
}

COUNTED int32_t counted_request(porthole_conn *conn);
COUNTED int32_t counted_request(porthole_conn *conn) { return stage_request(conn); }

COUNTED int32_t counted_region(porthole_conn *conn, uint32_t *offset, uint32_t *length);
COUNTED int32_t counted_region(porthole_conn *conn, uint32_t *offset, uint32_t *length) {
  return porthole_conn_region(conn, offset, length);
}

// What a caller does with received bytes: takes the response, and its body run by run.
COUNTED uint64_t counted_response(porthole_conn *conn, const porthole_view *view, size_t length);
COUNTED uint64_t counted_response(porthole_conn *conn, const porthole_view *view, size_t length) {
  expect(porthole_conn_filled(conn, length), "filled");
  expect(porthole_conn_accept(conn), "accept");
  uint64_t body = 0;
  while (view->body_length) {
    body += view->body_length;
    expect(porthole_conn_consume(conn, view->body_length), "consume");
  }
  porthole_conn_release(conn);
  expect(porthole_conn_finish(conn), "finish");
  return body;
}

static void take_request(porthole_conn *conn, const porthole_view *view) {
  porthole_conn_taken(conn, view->tx_length - view->tx_sent);
}

static void run_porthole(bool responses, uint64_t expected, int count) {
  static uint8_t tx[4096];
  static uint8_t rx[BUFFER_SIZE];
  porthole_conn *conn = malloc(porthole_conn_size());
  if (!conn) {
    fail("no memory");
  }
  const porthole_view *view = porthole_conn_view(conn);
  for (int i = 0; i < count; i++) {
    if (i == 0 || !responses) {
      porthole_conn_init(conn, tx, sizeof tx, rx, sizeof rx);
      expect(porthole_conn_set_authority(conn, span_of("api.example.org"), 80, 80), "set_authority");
    }
    expect(responses ? stage_request(conn) : counted_request(conn), "request");
    take_request(conn, view);
    if (!responses) {
      continue;
    }
    uint32_t offset;
    uint32_t length;
    expect(counted_region(conn, &offset, &length), "region");
    if (length < message_length) {
      fail("the region is too small");
    }
    memcpy(rx + offset, message, message_length);
    if (counted_response(conn, view, message_length) != expected) {
      fail("another body than expected");
    }
  }
  free(conn);
}

#ifdef WITH_LLHTTP
static uint64_t seen;

static int on_span(llhttp_t *parser, const char *at, size_t length) {
  (void)parser;
  (void)at;
  (void)length;
  return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length) {
  (void)parser;
  (void)at;
  seen += length;
  return 0;
}

static int on_event(llhttp_t *parser) {
  (void)parser;
  return 0;
}

COUNTED llhttp_errno_t counted_llhttp(llhttp_t *parser);
COUNTED llhttp_errno_t counted_llhttp(llhttp_t *parser) { return llhttp_execute(parser, message, message_length); }

// With the callbacks that undici sets, which do nothing here.
static void run_llhttp(uint64_t expected, int count) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_status = on_span;
  settings.on_header_field = on_span;
  settings.on_header_value = on_span;
  settings.on_body = on_body;
  settings.on_message_begin = on_event;
  settings.on_headers_complete = on_event;
  settings.on_message_complete = on_event;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_RESPONSE, &settings);
  for (int i = 0; i < count; i++) {
    seen = 0;
    if (counted_llhttp(&parser) != HPE_OK || seen != expected) {
      fail("llhttp: another body than expected");
    }
  }
}
#endif

int main(int argc, char **argv) {
  if (argc != 3) {
    fail("usage: instructions [llhttp-]head|fields|chunks|request N");
  }
  bool by_llhttp = !strncmp(argv[1], "llhttp-", 7);
  const char *name = argv[1] + (by_llhttp ? 7 : 0);
  int count = atoi(argv[2]);
  bool responses = make_message(name);
  uint64_t expected = !strcmp(name, "chunks") ? CHUNK * CHUNKS : SMALL_SIZE;
  if (!responses && (by_llhttp || strcmp(name, "request") != 0)) {
    fail("no such case");
  }
  if (!by_llhttp) {
    run_porthole(responses, expected, count);
    return 0;
  }
#ifdef WITH_LLHTTP
  run_llhttp(expected, count);
  return 0;
#else
  fail("compiled without llhttp");
#endif
}
