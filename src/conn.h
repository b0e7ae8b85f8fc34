/* SPDX-License-Identifier: MIT
 *
 * The layout of a connection, and what states its request can be in.
 */
#ifndef PORTHOLE_CONN_H
#define PORTHOLE_CONN_H

#include "bytes.h"

enum {
  RUNS = 64,          /* runs of body bytes that can wait in the receive buffer */
  AUTHORITY_MAX = 264 /* "[…]:65535" around a host of at most 255 bytes */
};

/* What a request makes of its response: bits of `due`. */
enum { DUE_HEAD = 1, DUE_CONNECT = 2 };

/*
 * The request under way, or whose body is. The states from LATE_HAND on are those of a request whose response was handed
 * out: view.state is Idle, and the body goes on. src/README.md has them in a table.
 */
typedef enum request_state {
  REQUEST_IDLE,      /* there is none */
  REQUEST_STARTED,   /* its head is being made */
  REQUEST_DONE,      /* all of it was sent, or is staged */
  REQUEST_HAND,      /* its body is left to the caller's own hand, and not complete */
  REQUEST_BODY,      /* its body is open, between two pieces */
  REQUEST_PIECE,     /* … amid a piece */
  REQUEST_STOPPED,   /* … and no more of it will be sent */
  REQUEST_LATE_HAND, /* the same four after the response was handed out */
  REQUEST_LATE_BODY,
  REQUEST_LATE_PIECE,
  REQUEST_LATE_STOPPED,
  REQUEST_HANDSHAKE, /* there is none, and can be none: TLS is being started */
  REQUEST_STATES
} request_state;

/* The calls whose order matters. */
typedef enum request_call {
  CALL_PUTREQUEST, /* porthole_conn_request and _tunnel too */
  CALL_PUTHEADER,  /* porthole_conn_endheaders too */
  CALL_TUNNELLED,
  CALL_BODY_PIECE, /* porthole_conn_body_end too */
  CALL_PIECE_PASSED,
  CALL_SENT, /* porthole_conn_sent_raw, porthole_conn_sent_chunks */
  CALL_SEND,
  CALL_FLUSH,
  CALL_START_TLS,
  CALL_ACCEPT, /* porthole_conn_getresponse too */
  CALL_RECEIVE,
  REQUEST_CALLS
} request_call;

/* How the body of a request is framed: fixed with its head. */
typedef enum body_framing {
  FRAMING_NONE,    /* no body was announced */
  FRAMING_LENGTH,  /* Content-Length */
  FRAMING_CHUNKED, /* chunks, made here */
  FRAMING_OWN      /* Transfer-Encoding and chunks of the caller's own */
} body_framing;

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

/* What the caller's own chunks have come to: a position in their framing. */
typedef enum own_chunk {
  OWN_SIZE,      /* the first digit of a size */
  OWN_DIGITS,    /* a further digit, ";", white space or CR */
  OWN_EXTENSION, /* up to CR */
  OWN_SIZE_LF,
  OWN_DATA,
  OWN_DATA_CR,
  OWN_DATA_LF,
  OWN_LINE,    /* the first byte of a trailer line, or of the empty line */
  OWN_TRAILER, /* up to CR */
  OWN_TRAILER_LF,
  OWN_END_LF, /* the LF of the empty line */
  OWN_COMPLETE,
  OWN_BROKEN
} own_chunk;

/* What the fields of a response say that decide on its framing and on the connection, while its head is read. */
typedef struct head_facts {
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
} head_facts;

/* The field line before, which a fold can still continue. Offsets from view.raw. */
typedef struct last_field {
  field_name name;    /* one that FRAMES, or FIELD_OTHER */
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
  bool expects;      /* a 100 before the body: none has come, and no byte of the body was begun */
  bool excess;       /* more was sent than was announced, or broken framing */
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

  /* The receive buffer: see buffer.c. */
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
  bool interim;           /* a 1xx was reported and not resumed */
  bool handed_out;        /* the response under way was accepted */
  bool status_read;       /* the status line of this head is done */
  bool empty_line_read;   /* … and one empty line was let pass before it */
  uint32_t line;          /* start of the line being read, from view.raw */
  uint32_t scan;          /* what lies before was searched for a line end, from view.raw */
  uint32_t lines;         /* field lines so far, folds included */
  uint32_t interim_count; /* 1xx so far */
  last_field last_field;
  head_facts framing;
  uint64_t left; /* of the body or of the chunk */
  uint64_t body_seen;
  chunk_state chunk;
  uint32_t chunk_digits;
  uint32_t chunk_line;
  uint64_t chunk_extensions;
  uint64_t passed_limit;   /* the limit that was passed */
  uint32_t continue_until; /* when waiting for a 100 ends, by the host's clock … */
  bool continuing;         /* … while it is waited for */
  int32_t late_error;      /* the transport failed after the response was complete: the error of the next one */

  /* The request under way. Only porthole__enter writes its state. */
  request_state state;
  request_facts request;
  body_framing body_framing;
  uint64_t
      to_send; /* bytes of the announced body that no piece was begun for, and that were not sent (FRAMING_LENGTH) */
  uint64_t piece_left; /* of the piece under way */
  own_chunk own_chunk;
  uint64_t own_left;   /* of the caller's own chunk … */
  uint32_t own_digits; /* … and the digits of its size */
  uint32_t asking;     /* where its head begins in the send buffer, plus 1; 0 for one whose first byte is gone */
  uint32_t asked;      /* … and where a head that is complete ends */
  uint32_t repeatable; /* length of the head that lies alone in the send buffer, and has no body; 0 for none */
  int32_t send_error;  /* sending failed: nothing more goes out, but what came before can be read */

  /* Bytes that the host has taken, and given. */
  uint64_t sent;
  uint64_t received;

  /* What stays when the connection is closed: all that is before is forgotten. */
  uint8_t *tx;
  uint8_t *rx;
  uint32_t tx_size;
  uint32_t rx_size;
  uint64_t limits[PORTHOLE_LIMITS];
  int32_t timeout_ms; /* of each call into the host */
  uint8_t *interims;  /* where interim responses are kept … */
  uint32_t interims_size;
  uint32_t interims_length;
  uint32_t deadline; /* when all of them end, by the host's clock … */
  bool has_deadline; /* … if there is such a time … */
  bool late;         /* … and it has passed */
  uint32_t authority_length;
  uint8_t authority[AUTHORITY_MAX];
};

/** Begins every function that changes a connection: a host that calls back from inside of a call is told so. */
#define REFUSE_REENTRY(conn)                                                                                           \
  if ((conn)->in_host) {                                                                                               \
    return PORTHOLE_BUSY;                                                                                              \
  }

/* conn.c */
int32_t porthole__authority(uint8_t *to, porthole_span host, uint32_t port, bool with_port);
int32_t porthole__over(porthole_conn *conn, uint32_t limit, int32_t error);
void porthole__fail(porthole_conn *conn, int32_t error);

/* state.c */
int32_t porthole__allowed(request_state state, request_call call);
int32_t porthole__refusal(const porthole_conn *conn, request_call call);
void porthole__enter(porthole_conn *conn, request_state state);
void porthole__hand_out(porthole_conn *conn);
void porthole__body_over(porthole_conn *conn);
void porthole__stop(porthole_conn *conn);

/** Is a body under way, and wanted? */
static inline bool porthole__uploading(const porthole_conn *conn) { return conn->view.upload == PORTHOLE_UPLOAD_OPEN; }

/** Is the head of a request staged, and nothing of it sent? */
static inline bool porthole__unasked(const porthole_conn *conn) { return conn->view.tx_sent < conn->asking; }

#endif
