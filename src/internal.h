/* SPDX-License-Identifier: MIT
 *
 * What the files of the core share: the connection's layout, and the functions that cross files.
 */
#ifndef PORTHOLE_INTERNAL_H
#define PORTHOLE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "porthole/host.h"
#include "porthole/porthole.h"

enum {
  RUNS = 64,          /* runs of body bytes that can wait in the receive buffer */
  MERGE_MAX = 1024,   /* a run up to this size is moved next to the one before it: cheaper than one more run to copy */
  AUTHORITY_MAX = 264 /* "[…]:65535" around a host of at most 255 bytes */
};

/* Classes of bytes (RFC 9110 section 5.6.2, RFC 3986), bits of porthole__class[]. */
enum { CLASS_TOKEN = 1, CLASS_HEX = 2, CLASS_DIGIT = 4, CLASS_HOST = 8, CLASS_TARGET = 16 };

extern const uint8_t porthole__class[256];

/* What a request makes of its response: bits of `due`. */
enum { DUE_HEAD = 1, DUE_CONNECT = 2 };

/* States of the chunked decoder (RFC 9112 section 7.1): what it expects next. */
typedef enum chunk_state {
  CHUNK_SIZE,      /* the first digit of a size */
  CHUNK_DIGITS,    /* a further digit, white space, ";" or CR */
  CHUNK_SPACE,     /* after white space: more of it, ";" or CR */
  CHUNK_EXTENSION, /* after ";": up to CR */
  CHUNK_SIZE_LF,   /* the LF of a size line */
  CHUNK_DATA,      /* `left` bytes of data */
  CHUNK_DATA_CR,   /* the CR after the data */
  CHUNK_DATA_LF    /* … and its LF */
} chunk_state;

/* How the body of the request under way is framed. */
typedef enum send_mode {
  SEND_NOTHING, /* no body was announced */
  SEND_LENGTH,  /* Content-Length */
  SEND_CHUNKED, /* chunks, made here */
  SEND_RAW      /* the caller frames it: Transfer-Encoding of its own */
} send_mode;

/* The fields that decide how a response's body is framed and whether the connection goes on. */
typedef enum field_kind {
  FIELD_OTHER,
  FIELD_CONTENT_LENGTH,
  FIELD_TRANSFER_ENCODING,
  FIELD_CONNECTION,
  FIELD_KEEP_ALIVE,
  FIELD_PROXY_CONNECTION
} field_kind;

/* … and what they said, while a head is read. */
typedef struct framing {
  uint64_t length;
  int32_t error; /* the first framing error, raised when the response can have a body */
  bool has_length;
  bool encoded;        /* there is a Transfer-Encoding … */
  bool chunked;        /* … and it is exactly "chunked" */
  bool close;          /* Connection: close */
  bool keep_alive;     /* Connection: keep-alive */
  bool old_keep_alive; /* Keep-Alive or Proxy-Connection: keep-alive, which count in HTTP/1.0 */
  bool has_timeout;    /* Keep-Alive has a timeout parameter … */
  uint32_t timeout;    /* … of so many seconds */
} framing;

/* The field line before, which a fold can still continue. Offsets from view.raw. */
typedef struct last_field {
  field_kind kind;
  uint32_t value;     /* where its value starts … */
  uint32_t value_end; /* … and ends, without white space after it */
  bool folded;
} last_field;

/* What the head of the request under way holds. */
typedef struct request_facts {
  uint64_t length;    /* the value of Content-Length */
  uint32_t encodings; /* how often "chunked" is among the transfer codings */
  bool has_host;
  bool has_length;
  bool has_encoding;
  bool chunked_last; /* the last transfer coding is "chunked" */
  uint8_t due;
} request_facts;

typedef struct run {
  uint32_t offset;
  uint32_t length;
} run;

struct porthole_conn {
  porthole_view view; /* first: its address is the connection's */
  int32_t handle;
  bool in_host; /* a call into the host is under way: nothing may change below it */

  /* The receive buffer: see receive.c. */
  uint32_t end;            /* where the next bytes go */
  uint32_t pending;        /* the region handed out … */
  uint32_t pending_length; /* … or 0 */
  uint32_t run_first;
  uint32_t run_count;
  run runs[RUNS];
  bool wrapped; /* the newest bytes lie below the oldest */
  bool head_kept;
  bool trailer_kept;

  /* The response under way. */
  uint8_t due[2]; /* the requests that await a response, the oldest first */
  uint8_t due_count;
  bool interim;         /* a 1xx was reported and not resumed */
  bool handed_out;      /* the response under way was accepted */
  bool status_read;     /* the status line of this head is done */
  bool empty_line_read; /* … and one empty line was let pass before it */
  uint32_t line;        /* start of the line being read, from view.raw */
  uint32_t scan;        /* what lies before was searched for a line end, from view.raw */
  uint32_t lines;       /* field lines so far, folds included */
  uint32_t interims;    /* 1xx so far */
  last_field last_field;
  framing framing;
  uint64_t left; /* of the body or of the chunk */
  uint64_t body_seen;
  chunk_state chunk;
  uint32_t chunk_digits;
  uint32_t chunk_line;
  uint64_t chunk_extensions;
  int32_t late_error; /* the transport failed after the response was complete: the error of the next one */

  /* The request under way. */
  request_facts request;
  send_mode mode;
  uint64_t to_send; /* bytes of the announced body not sent yet (SEND_LENGTH) */
  bool raw_excess;  /* more was sent by hand than was announced */
  bool asking;      /* its head is staged, and nothing of it was sent */
  bool cut;         /* a part of its body was dropped: the peer had answered */
  bool body_open;   /* porthole_conn_body_end has not been called */

  /* What stays when the connection is closed: all that is before is forgotten. */
  uint8_t *tx;
  uint8_t *rx;
  uint32_t tx_size;
  uint32_t rx_size;
  uint32_t limits[PORTHOLE_LIMITS];
  uint64_t body_limit;
  uint32_t authority_length;
  uint8_t authority[AUTHORITY_MAX];
};

/* bytes.c */
void porthole__copy(uint8_t *to, const uint8_t *from, size_t length);
void porthole__move_down(uint8_t *to, const uint8_t *from, size_t length);
const uint8_t *porthole__find(const uint8_t *from, const uint8_t *end, uint8_t byte);
const uint8_t *porthole__find_control(const uint8_t *from, const uint8_t *end);
bool porthole__all_class(const uint8_t *text, size_t length, uint8_t wanted);
bool porthole__same(const uint8_t *text, size_t length, const char *name, size_t name_length);
void porthole__trim(const uint8_t **text, size_t *length);
bool porthole__next_item(const uint8_t **list, size_t *list_length, const uint8_t **item, size_t *item_length);
bool porthole__decimal(const uint8_t *text, size_t length, uint64_t *value);

/** Begins every function that changes a connection: a host that calls back from inside of a call is told so. */
#define REFUSE_REENTRY(conn)                                                                                           \
  if ((conn)->in_host) {                                                                                               \
    return PORTHOLE_BUSY;                                                                                              \
  }

/** SP or HTAB (RFC 9110 section 5.6.3). */
static inline bool porthole__is_space(uint8_t byte) { return byte == ' ' || byte == '\t'; }

/** porthole__same with a literal: is `text` this word, in any case? */
#define IS(text, length, literal) porthole__same((text), (length), (literal), sizeof(literal) - 1)

/* conn.c: writes "host" or "host:port" into AUTHORITY_MAX bytes; answers its length or an error */
int32_t porthole__authority(uint8_t *to, const uint8_t *host, size_t length, uint32_t port, bool with_port);

/** Bytes that a body may still have by its limit, which can be lowered while one arrives. */
static inline uint64_t porthole__body_room(const porthole_conn *conn) {
  return conn->body_limit > conn->body_seen ? conn->body_limit - conn->body_seen : 0;
}

/* head.c: each answers 1 when the section is complete, 0 when more is needed, or an error */
void porthole__head_begin(porthole_conn *conn);
int32_t porthole__head_read(porthole_conn *conn);
void porthole__trailers_begin(porthole_conn *conn);
int32_t porthole__trailers_read(porthole_conn *conn);

/* chunked.c: takes from view.raw; answers 1 after the last chunk's size line, 0 when more is needed, or an error */
int32_t porthole__chunks_read(porthole_conn *conn);

/* receive.c */
void porthole__add_run(porthole_conn *conn, uint32_t offset, uint32_t length);
void porthole__extend_run(porthole_conn *conn, run *last, uint32_t length);
int32_t porthole__count_body(porthole_conn *conn, uint64_t length);
void porthole__fail(porthole_conn *conn, int32_t error);
void porthole__await(porthole_conn *conn, uint8_t due);
int32_t porthole__over(porthole_conn *conn, uint32_t limit, int32_t error);

#endif
