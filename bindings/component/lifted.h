/* SPDX-License-Identifier: MIT
 *
 * What bindings/wasi/wit/http/client.wit has, as the canonical ABI lays it out: the structs of C have that layout on wasm32. And what
 * the files of the component share.
 *
 * A method of a resource gets what stands for it: the address of its struct. A result that is more than one value lies in
 * `answer`, or in another variable that is read before the next call.
 */
#ifndef PORTHOLE_COMPONENT_LIFTED_H
#define PORTHOLE_COMPONENT_LIFTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "porthole/client.h"

#define INTERFACE "porthole:http/client@0.1.0"
#define EXPORT(name) __attribute__((export_name(INTERFACE "#" name)))
#define RESOURCE(name) __attribute__((import_module("[export]" INTERFACE), import_name(name)))

/** A string or a list<u8>. */
typedef struct bytes {
  const uint8_t *data;
  size_t length;
} bytes;

typedef struct field {
  bytes name;
  bytes value;
} field;

typedef struct fields {
  const field *data;
  size_t length;
} fields;

typedef struct interim {
  uint16_t status;
  fields headers;
} interim;

typedef struct error {
  uint8_t kind;
  int32_t code;
  bytes name;
  bytes message;
  uint8_t has_status;
  uint16_t status;
  uint8_t retry_safe;
  uint64_t sent;
  uint64_t received;
} error;

_Static_assert(offsetof(error, name) == 8 && offsetof(error, has_status) == 24 && offsetof(error, status) == 26 &&
                   offsetof(error, retry_safe) == 28 && offsetof(error, sent) == 32 && sizeof(error) == 48,
               "the layout of the canonical ABI");

/** A result that can be an error. */
typedef struct outcome {
  uint8_t failed;
  union {
    error error;
    bytes bytes;
    int32_t resource;
    uint32_t count;
    uint8_t flag;
  } is;
} outcome;

_Static_assert(offsetof(outcome, is) == 8, "the layout of the canonical ABI");

typedef struct response response;

/** HTTPConnection. */
typedef struct connection {
  porthole_client *client;
  response *reading; /* the response that is not read to its end, if there is one */
  bool dropped;      /* by its owner: it lives for that response */
  void *tunnel;      /* what porthole_client_set_tunnel keeps by reference */
  void *interims;
  uint64_t memory[]; /* the client's */
} connection;

/** HTTPResponse: its head is a copy, as it is asked for also when the connection is used again. */
struct response {
  connection *from; /* while it is being read, else NULL */
  bool ended;
  uint8_t version;
  uint16_t status;
  uint32_t will_close;
  size_t reason; /* offset in the head */
  size_t reason_length;
  size_t head_length;
  uint8_t *trailers; /* as field lines */
  size_t trailers_length;
  uint8_t head[];
};

/** The result of the call under way. */
extern outcome answer;

/** Answers nothing, or what was put in `answer.is`, with success. */
outcome *answer_nothing(void);

/** Answers what became of a call: an error, or nothing. @param on NULL where the connection is gone, or never was */
outcome *answer_result(const connection *on, int32_t result);

/** Answers an error. */
outcome *answer_error(const connection *on, int32_t code);

/** Turns text of ISO-8859-1 into UTF-8, unless it is ASCII. */
bytes text_of(porthole_span latin1);

/** Lists field lines. They have to stay until the end of the call. */
fields list_fields(porthole_span lines);

/** Hands a response out. @returns what stands for it, or NULL */
response *response_make(connection *from);

/**
 * Parts the connection from the response that was being read, if that is over.
 *
 * @param ended is it over by its end? Else what was called has lost it
 */
void connection_settle(connection *on, bool ended);

/** Frees a connection that was dropped, once no response is being read from it. */
void connection_let_go(connection *on);

#endif
