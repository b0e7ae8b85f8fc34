/* SPDX-License-Identifier: MIT
 *
 * porthole: the client side of HTTP/1.1 (RFC 9110, RFC 9112) with the call sequence of Python's http.client.
 *
 * Four rules hold everywhere, so that each function below can be described shortly.
 *
 *   1. Memory is the caller's. porthole allocates nothing and keeps no globals: one connection is one `porthole_conn`
 *      of porthole_conn_size() bytes with a send buffer and a receive buffer, all three given to porthole_conn_init.
 *   2. Results are int32_t: 0 or a count when it worked, below zero a code of errors.def. PORTHOLE_WANT_READ,
 *      PORTHOLE_WANT_WRITE and PORTHOLE_WANT_SPACE (-1 to -3) mean "not yet": call again later. Everything below is an
 *      error, in hundreds: the peer (-100), a limit (-200), the caller (-300), the host (-400), the inside (-500).
 *      While a call into the host is under way for a connection, what would change that connection answers PORTHOLE_BUSY,
 *      or does nothing where it answers nothing.
 *   3. A refused argument changes nothing: no byte is staged, no state moves. An error of the peer, a limit or the host
 *      is final for this connection: view.error keeps the first, and every later call answers with it.
 *   4. Strings are bytes with a length, never terminated. Text that comes in is ISO-8859-1. Where a length is 0 the
 *      pointer may be NULL.
 *
 * There are two levels. Level 0 needs no host, and links without one: the caller moves the bytes (porthole_conn_region and
 * _filled for what arrives, view.tx_length for what leaves). Level 1 moves them through the functions of host.h, which
 * block or answer WANT_*: the same code serves both.
 *
 * What may be called when is one table: src/README.md shows it, and says what else is answered.
 */
#ifndef PORTHOLE_H
#define PORTHOLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The version of this header and of the WebAssembly exports; porthole_abi() tells that of the code. */
#define PORTHOLE_ABI 1

/** Progress and error codes: see errors.def. */
typedef enum porthole_error {
#define X(name, number, klass, code, text) PORTHOLE_##name = (number),
#include "errors.def"
#undef X
} porthole_error;

/** Status codes under CPython's names: PORTHOLE_STATUS_OK is 200. */
typedef enum porthole_status {
#define X(code, name, phrase) PORTHOLE_STATUS_##name = (code),
#define A(code, name) PORTHOLE_STATUS_##name = (code),
#include "status.def"
#undef X
#undef A
} porthole_status;

/** CPython's states of a connection. */
typedef enum porthole_state {
  PORTHOLE_IDLE = 0,            /* no request is being made */
  PORTHOLE_REQUEST_STARTED = 1, /* after putrequest */
  PORTHOLE_REQUEST_SENT = 2     /* after endheaders, until getresponse */
} porthole_state;

/** What the receiving side is doing. */
typedef enum porthole_phase {
  PORTHOLE_PHASE_NOTHING = 0,  /* nothing is due: whatever arrives is unsolicited */
  PORTHOLE_PHASE_HEAD = 1,     /* a status line and fields are due */
  PORTHOLE_PHASE_LENGTH = 2,   /* a body whose length is known */
  PORTHOLE_PHASE_CHUNKED = 3,  /* a chunked body */
  PORTHOLE_PHASE_TRAILERS = 4, /* the trailer section of a chunked body */
  PORTHOLE_PHASE_CLOSE = 5,    /* a body that ends with the connection */
  PORTHOLE_PHASE_END = 6,      /* the message has arrived whole; its last bytes may be unread */
  PORTHOLE_PHASE_TUNNEL = 7    /* after 101 or a 2xx to CONNECT: the bytes are no longer HTTP */
} porthole_phase;

/** Bits of view.flags: facts about the response whose head was received last, and about the connection. */
enum {
  PORTHOLE_CHUNKED = 1,    /* Transfer-Encoding: chunked */
  PORTHOLE_HAS_LENGTH = 2, /* the length of the body is known (0 where a response can't have one) */
  PORTHOLE_WILL_CLOSE = 4, /* the connection ends with this response (RFC 9112 section 9.3) */
  PORTHOLE_OPEN = 8,       /* this response was handed out and has not been finished */
  PORTHOLE_UNUSABLE = 16,  /* no further request can go out on this connection */
  PORTHOLE_ENDED = 32,     /* the peer has closed its side */
  PORTHOLE_STRAY = 64,     /* the peer sent bytes that nobody asked for */
  PORTHOLE_ANSWERED = 128  /* the final head of the request that was made last is in; a failure doesn't change that */
};

/** Bits that porthole_conn_receive and _filled return: what became known with these bytes. */
enum {
  PORTHOLE_EVENT_HEAD = 1,    /* the final head is complete */
  PORTHOLE_EVENT_INTERIM = 2, /* a 1xx head is complete: look at it, then porthole_conn_resume */
  PORTHOLE_EVENT_BODY = 4,    /* there are more body bytes to read */
  PORTHOLE_EVENT_END = 8,     /* the message is complete; view.trailer holds its trailer section */
  PORTHOLE_EVENT_STRAY = 16   /* unsolicited bytes: the connection can't be used again */
};

/** Limits, for porthole_conn_set_limit: see limits.def. */
typedef enum porthole_limit {
#define X(name, number, option, value, text) PORTHOLE_LIMIT_##name = (number),
#include "limits.def"
#undef X
  PORTHOLE_LIMITS /* how many there are */
} porthole_limit;

/** What becomes of the body of the request under way, or of the one before whose response was handed out already. */
typedef enum porthole_upload {
  PORTHOLE_UPLOAD_NONE = 0,   /* no body is under way: there is none, or all of it was sent */
  PORTHOLE_UPLOAD_OPEN = 1,   /* a body is under way, and wanted */
  PORTHOLE_UPLOAD_STOPPED = 2 /* no more of it will be sent: what the caller gives is dropped, with success */
} porthole_upload;

/** What is known of a request's body before it is sent. */
typedef enum porthole_body {
  PORTHOLE_BODY_NONE = 0,   /* there is none */
  PORTHOLE_BODY_KNOWN = 1,  /* its size is known, and all of it is at hand */
  PORTHOLE_BODY_STREAM = 2, /* its size is known, but its source can still run short or long */
  PORTHOLE_BODY_UNKNOWN = 3 /* its size is not known: chunked, unless the headers say otherwise */
} porthole_body;

/** Flags of porthole_conn_request, _putrequest and _endheaders. */
enum {
  PORTHOLE_SKIP_HOST = 1,
  PORTHOLE_SKIP_ACCEPT_ENCODING = 2,
  PORTHOLE_ENCODE_CHUNKED = 4,   /* chunk the body, although the Transfer-Encoding is the caller's own */
  PORTHOLE_HAS_BODY = 8,         /* porthole_conn_endheaders: the call knows the whole body (see there) */
  PORTHOLE_EXPECT_CONTINUE = 16, /* Expect: 100-continue, unless the body is empty (RFC 9110 section 10.1.1) */
  PORTHOLE_HAS_TRAILERS = 32     /* trailers will follow: refused unless the body is chunked here */
};

/** Further bits of porthole_plan.flags: what is put before the caller's own headers. */
enum {
  PORTHOLE_ADD_LENGTH = 64,   /* Content-Length, with porthole_plan.length */
  PORTHOLE_ADD_CHUNKED = 128, /* Transfer-Encoding: chunked */
  PORTHOLE_ADD_EXPECT = 256   /* Expect: 100-continue */
};

/** Bytes with a length. */
typedef struct porthole_span {
  const uint8_t *data;
  size_t length;
} porthole_span;

/** A header of a request. */
typedef struct porthole_field {
  porthole_span name;
  porthole_span value;
} porthole_field;

/** How a request is made in steps: see porthole_request_plan. */
typedef struct porthole_plan {
  uint64_t length; /* the value of Content-Length, with PORTHOLE_ADD_LENGTH */
  uint32_t flags;  /* for porthole_conn_putrequest and _endheaders, and PORTHOLE_ADD_* */
} porthole_plan;

/** A host without its brackets, and the port that stood behind it. */
typedef struct porthole_host_port {
  porthole_span host;
  int32_t port; /* -1 for none */
} porthole_host_port;

/**
 * The part of a connection that a caller may read, in 32-bit words, so that a host reads it straight from the guest's
 * memory. Offsets count from the start of the receive buffer unless said otherwise.
 *
 * The final head of the request under way is in when that was handed out (state is Idle), or else when phase is past
 * PHASE_HEAD and the flag OPEN is not set.
 */
typedef struct porthole_view {
  uint32_t state;          /*  0  porthole_state */
  uint32_t phase;          /*  1  porthole_phase */
  int32_t error;           /*  2  the first error of peer, limit or host, or 0 */
  uint32_t flags;          /*  3  PORTHOLE_CHUNKED … */
  uint32_t status;         /*  4  100 to 999 */
  uint32_t version;        /*  5  10 or 11 */
  uint32_t left_low;       /*  6  bytes that have not arrived yet, of the body (PHASE_LENGTH) or of the chunk */
  uint32_t left_high;      /*  7  … its upper half */
  uint32_t head;           /*  8  the head: status line, fields (folds replaced), empty line */
  uint32_t head_length;    /*  9 */
  uint32_t reason;         /* 10  the reason phrase, counted from the start of the head */
  uint32_t reason_length;  /* 11 */
  uint32_t fields;         /* 12  the first field line, counted from the start of the head */
  uint32_t body;           /* 13  body bytes that can be read now: the first run … */
  uint32_t body_length;    /* 14 */
  uint32_t available;      /* 15  … and how many there are in all runs */
  uint32_t trailer;        /* 16  field lines of the trailer section, once the message is complete */
  uint32_t trailer_length; /* 17 */
  uint32_t raw;        /* 18  bytes received and not interpreted: what follows a head that ends HTTP, or a bad line */
  uint32_t raw_length; /* 19 */
  uint32_t tx_sent;    /* 20  staged bytes of the send buffer: from here … */
  uint32_t tx_length;  /* 21  … to here */
  uint32_t limit;      /* 22  the limit that was passed, for the text of an error */
  uint32_t refused;    /* 23  the index of the header that was refused */
  uint32_t upload;     /* 24  porthole_upload */
  uint32_t keep_alive; /* 25  seconds that the server keeps a resting connection (Keep-Alive: timeout), or 0xFFFFFFFF */
} porthole_view;

/** One connection. Opaque, but for the porthole_view that it begins with. */
typedef struct porthole_conn porthole_conn;

/* ---- tables and texts ---- */

/** @returns PORTHOLE_ABI as compiled */
uint32_t porthole_abi(void);

/**
 * The reason phrase of a status code.
 *
 * @param status a status code
 * @returns a terminated string, or NULL for a code that is not in the IANA registry
 */
const char *porthole_status_phrase(uint32_t status);

/**
 * What an error code means, for a person. %u in the text stands for the limit that was passed.
 *
 * @param error a code of errors.def
 * @returns a terminated string, or NULL for another number
 */
const char *porthole_error_text(int32_t error);

/**
 * The class that Python's http.client, or JavaScript, has for an error.
 *
 * @param error a code of errors.def
 * @returns a terminated string, empty for PORTHOLE_WANT_*; or NULL for another number
 */
const char *porthole_error_class(int32_t error);

/**
 * A text as porthole_error_text with the limit filled in that the connection passed.
 *
 * @param error  a code of errors.def
 * @param buffer receives the text, cut to what fits, and a terminator; untouched when size is 0
 * @param size   room there
 * @returns how long the whole text is, without the terminator; 0 for another number
 */
size_t porthole_conn_error_text(const porthole_conn *conn, int32_t error, char *buffer, size_t size);

/** Bytes up to a terminator, as a span: for literals. NULL is none. */
static inline porthole_span porthole_text(const char *text) {
  porthole_span span = {(const uint8_t *)text, 0};
  while (text != NULL && text[span.length] != '\0') {
    span.length++;
  }
  return span;
}

/* ---- a connection ---- */

/** @returns how many bytes a porthole_conn takes; it is aligned like a pointer */
size_t porthole_conn_size(void);

/** @returns the connection's view; it is valid as long as the connection */
const porthole_view *porthole_conn_view(const porthole_conn *conn);

/**
 * Makes a connection in state Idle, with no transport.
 *
 * @param conn    porthole_conn_size() bytes
 * @param tx      send buffer: a request's head must fit in it
 * @param tx_size its size in bytes, at least 1024
 * @param rx      receive buffer: a response's head must fit in it; larger means fewer receives for large bodies
 * @param rx_size its size in bytes, at least 4096
 */
void porthole_conn_init(porthole_conn *conn, uint8_t *tx, size_t tx_size, uint8_t *rx, size_t rx_size);

/**
 * Sets a limit. A body that arrives is ended by a lower one with its next bytes, unless its Content-Length was accepted.
 *
 * @param limit which one: PORTHOLE_LIMIT_*
 * @param value bytes or a count; below 2^32 but for PORTHOLE_LIMIT_BODY
 * @returns 0, or PORTHOLE_BAD_LIMIT (an unknown limit, a value over 32 bits but for a body, or a head that the receive
 *          buffer can't hold)
 */
int32_t porthole_conn_set_limit(porthole_conn *conn, uint32_t limit, uint64_t value);

/**
 * Forgets all but the limits and the host: Idle, as porthole_conn_init left it. Level 0; a transport that was opened is
 * forgotten, not closed (porthole_conn_close).
 */
void porthole_conn_reset(porthole_conn *conn);

/**
 * Sets the host whose name requests carry in Host (RFC 9110 section 7.2). An IPv6 address is bracketed and loses its
 * zone; the port is left out when it is the default one.
 *
 * @param host         ASCII name or address, without brackets
 * @param port         0 to 65535
 * @param default_port 80, 443 or another number that the Host field leaves out
 * @returns 0, PORTHOLE_EMPTY_HOST, PORTHOLE_BAD_HOST or PORTHOLE_BAD_PORT
 */
int32_t porthole_conn_set_authority(porthole_conn *conn, porthole_span host, uint32_t port, uint32_t default_port);

/**
 * Splits "host", "host:port", "[address]:port" and "host:" as http.client does, and checks the host's characters.
 *
 * @param text     what to split
 * @param has_port nonzero when the caller has a port of its own: then a bare IPv6 address is let pass and nothing split
 * @param out      receives the host, which lies in the text, and the port
 * @returns 0, PORTHOLE_EMPTY_HOST, PORTHOLE_BAD_HOST, PORTHOLE_BAD_PORT or PORTHOLE_HOST_NEEDS_BRACKETS
 */
int32_t porthole_split_host(porthole_span text, uint32_t has_port, porthole_host_port *out);

/* ---- requests: staged in the send buffer ---- */

/**
 * Says how porthole_conn_request would make a request, for a caller that takes the three steps itself: what to leave out
 * of porthole_conn_putrequest, which headers to add before the caller's, and whether the body is chunked here.
 *
 * @param method as for porthole_conn_request, with the parameters that follow
 * @param plan   receives it: nothing of it is checked
 */
void porthole_request_plan(porthole_span method, const porthole_field *fields, size_t count, uint32_t body,
                           uint64_t size, uint32_t flags, porthole_plan *plan);

/**
 * Stages a whole head, in http.client's order: request line, Host, Accept-Encoding, a Content-Length or
 * Transfer-Encoding where one is needed, then the given headers. Host and Accept-Encoding are left out where the headers
 * have them. State goes from Idle to Request-sent.
 *
 * @param method a token; its case is kept
 * @param url    request target (RFC 9112 section 3.2); empty means "/"
 * @param fields the headers, in order
 * @param count  how many there are
 * @param body   what is known of the body
 * @param size   PORTHOLE_BODY_KNOWN and _STREAM: its size in bytes
 * @param flags  PORTHOLE_ENCODE_CHUNKED, PORTHOLE_EXPECT_CONTINUE, PORTHOLE_HAS_TRAILERS
 * @returns 0; PORTHOLE_CANNOT_SEND_REQUEST when one is under way, its body included, or the connection can carry no other;
 *          view.error when it has failed; PORTHOLE_UNSOLICITED when the peer has sent what nobody asked for; or the code of
 *          the argument that is refused (-310 to -339): view.refused is the index of a refused header
 */
int32_t porthole_conn_request(porthole_conn *conn, porthole_span method, porthole_span url,
                              const porthole_field *fields, size_t count, uint32_t body, uint64_t size, uint32_t flags);

/**
 * Stages the head of the last porthole_conn_request once more, as the same arguments would.
 * @returns 0; 1 when they have to be given, as it had a body or isn't in the send buffer any more; an error of that call
 */
int32_t porthole_conn_repeat(porthole_conn *conn);

/**
 * Stages a request line with Host and Accept-Encoding: the first of three steps. Idle to Request-started.
 *
 * When the body before was left to the caller's own hand and is not complete, its response being handed out, the connection
 * becomes unusable: no request can go into that body.
 *
 * @param flags PORTHOLE_SKIP_HOST, PORTHOLE_SKIP_ACCEPT_ENCODING; the rest as in porthole_conn_request
 * @returns 0; PORTHOLE_CANNOT_SEND_REQUEST; PORTHOLE_UNSOLICITED; -310 to -315; PORTHOLE_REQUEST_TOO_LARGE
 */
int32_t porthole_conn_putrequest(porthole_conn *conn, porthole_span method, porthole_span url, uint32_t flags);

/**
 * Stages one header. Several values become one header with continuation lines, CR LF HTAB between them.
 *
 * @param name   a token; its case is kept
 * @param values its values, of which there are `count`
 * @returns 0; PORTHOLE_CANNOT_SEND_HEADER; -320 to -327; PORTHOLE_REQUEST_TOO_LARGE
 */
int32_t porthole_conn_putheader(porthole_conn *conn, porthole_span name, const porthole_span *values, size_t count);

/**
 * Ends the head. Request-started to Request-sent.
 *
 * @param body  what is known of the body; with PORTHOLE_HAS_BODY in the flags it is all of the body, and is refused when
 *              it contradicts the Content-Length header. With PORTHOLE_BODY_NONE a body that the headers announce is left
 *              to the caller's own hand: porthole_conn_sent_raw, porthole_conn_sent_chunks, or porthole_conn_send
 * @param size  PORTHOLE_BODY_KNOWN and _STREAM: its size in bytes
 * @param flags PORTHOLE_ENCODE_CHUNKED, PORTHOLE_HAS_BODY, PORTHOLE_HAS_TRAILERS
 * @returns 0; PORTHOLE_CANNOT_SEND_HEADER; PORTHOLE_LENGTH_MISMATCH; PORTHOLE_REQUEST_TRANSFER_ENCODING;
 *          PORTHOLE_TRAILERS_NEED_CHUNKS; PORTHOLE_REQUEST_TOO_LARGE; PORTHOLE_UNSOLICITED when bytes came since the
 *          request was started, PORTHOLE_CANNOT_SEND_REQUEST when some were sent by hand
 */
int32_t porthole_conn_endheaders(porthole_conn *conn, uint32_t body, uint64_t size, uint32_t flags);

/**
 * Stages a CONNECT request (RFC 9110 section 9.3.6) with a Host field, unless the headers have one. Idle to Request-sent.
 *
 * @param host   ASCII name or address of the end of the tunnel, without brackets
 * @param port   0 to 65535
 * @param fields the headers for the proxy
 * @param count  how many there are
 * @returns 0; PORTHOLE_CANNOT_SEND_REQUEST; PORTHOLE_UNSOLICITED; -320 to -330, as for porthole_conn_request;
 *          PORTHOLE_EMPTY_HOST, _BAD_HOST, _BAD_PORT
 */
int32_t porthole_conn_tunnel(porthole_conn *conn, porthole_span host, uint32_t port, const porthole_field *fields,
                             size_t count);

/**
 * Forgets the answer to CONNECT: the connection is Idle again, and speaks to the end of the tunnel.
 *
 * @returns 0; PORTHOLE_UNSOLICITED when bytes came before anything was asked in the tunnel; PORTHOLE_RESPONSE_NOT_READY
 *          when there is no tunnel, or PORTHOLE_CANNOT_SEND_REQUEST when the request has a body that is under way (nothing
 *          changes then); the connection's error
 */
int32_t porthole_conn_tunnelled(porthole_conn *conn);

/* ---- bodies, level 0: the caller sends their bytes, the core stages what goes between them ---- */

/**
 * Begins a piece of a body and stages what goes before it: a chunk's size line when the body is chunked, else nothing. The
 * caller sends what is staged, then the piece, and tells of it by porthole_conn_piece_passed.
 *
 * @param length bytes of the piece; 0 does nothing
 * @returns 1 when the piece is a chunk, 0 when it goes out as it is (or, view.upload being stopped, not at all);
 *          2 when its framing is the caller's own: it goes out as it is, and is told of by porthole_conn_sent_chunks;
 *          PORTHOLE_BODY_TOO_LONG when it runs over the announced length (nothing of it can be sent); PORTHOLE_WANT_WRITE
 *          when the framing does not fit behind what is staged; PORTHOLE_CANNOT_SEND_HEADER when no body is due, or another
 *          piece is under way
 */
int32_t porthole_conn_body_piece(porthole_conn *conn, size_t length);

/**
 * Accounts for bytes of the piece under way that were handed to the transport. With the last one the CR LF of a chunk is
 * staged: there is always room for it.
 *
 * @param length how many, at most what is left of the piece
 * @returns 0; PORTHOLE_BODY_TOO_LONG for more (nothing changes); PORTHOLE_CANNOT_SEND_HEADER when no piece is under way
 */
int32_t porthole_conn_piece_passed(porthole_conn *conn, size_t length);

/**
 * Checks trailer fields before they are due, so that they can be refused with nothing sent.
 *
 * @param fields trailer fields (RFC 9110 section 6.5)
 * @param count  how many there are
 * @returns 0; PORTHOLE_TRAILER_FORBIDDEN, or the code of a refused header: view.refused is its index
 */
int32_t porthole_conn_check_trailers(porthole_conn *conn, const porthole_field *fields, size_t count);

/**
 * Ends a request's body and stages the last chunk with its trailer section when the body is chunked.
 *
 * @param fields trailer fields (RFC 9110 section 6.5); only a chunked body can have any
 * @param count  how many there are
 * @returns 0; PORTHOLE_BODY_TOO_SHORT; PORTHOLE_TRAILERS_NEED_CHUNKS; PORTHOLE_TRAILER_FORBIDDEN; the code of a refused
 *          header; PORTHOLE_REQUEST_TOO_LARGE; PORTHOLE_CANNOT_SEND_HEADER when no body is due, or a piece is under way
 */
int32_t porthole_conn_body_end(porthole_conn *conn, const porthole_field *fields, size_t count);

/**
 * Accounts for bytes that the caller sends as they are (http.client's send()). A request that turns out shorter or
 * longer than its Content-Length makes the connection unusable after its response; so do bytes that are sent outside of a
 * request, or between porthole_conn_putrequest and _endheaders, which refuses them: they are behind a body that is complete.
 * Of bytes that go before the first request of all, for somebody on the way to the peer, nothing is to be told.
 *
 * @param length bytes
 * @returns 0; 1 when the body's chunks are the caller's own: nothing was accounted for, and porthole_conn_sent_chunks has to
 *          be shown the bytes; PORTHOLE_CANNOT_SEND_HEADER amid a handshake
 */
int32_t porthole_conn_sent_raw(porthole_conn *conn, size_t length);

/**
 * Accounts for bytes that the caller sends as they are, and looks whether they end a chunked body: broken or unfinished
 * framing makes the connection unusable after its response. For another body it is porthole_conn_sent_raw.
 *
 * @param bytes what is sent: sizes, data, line ends, trailers, in any pieces
 * @returns 0, or PORTHOLE_CANNOT_SEND_HEADER amid a handshake
 */
int32_t porthole_conn_sent_chunks(porthole_conn *conn, porthole_span bytes);

/** Gives the upload under way up: no more of the body will be sent, and the connection is unusable after its response. */
void porthole_conn_stop(porthole_conn *conn);

/** Takes `length` staged bytes off, at most view.tx_length - view.tx_sent: level 0, when the caller has sent them. */
void porthole_conn_taken(porthole_conn *conn, size_t length);

/* ---- responses, level 0 ---- */

/**
 * The region of the receive buffer for the next bytes. It stays the same until porthole_conn_filled.
 *
 * @param offset receives its offset in the receive buffer
 * @param length receives its length in bytes, at least 1
 * @returns 0; PORTHOLE_WANT_SPACE when body bytes must be consumed or the response be finished first, or it has no receive
 *          buffer; the connection's error
 */
int32_t porthole_conn_region(porthole_conn *conn, uint32_t *offset, uint32_t *length);

/** Takes back the region that was handed out: nobody writes there any more, and the next one can be elsewhere. */
void porthole_conn_return_region(porthole_conn *conn);

/**
 * Takes a resting connection's receive buffer (NULL), without which it wants space, or gives it one of the same size.
 *
 * @returns 0; PORTHOLE_WANT_SPACE where it has one that something is in, or is due for; PORTHOLE_BUSY
 */
int32_t porthole_conn_set_buffer(porthole_conn *conn, uint8_t *rx);

/**
 * Interprets bytes that were put into the region.
 *
 * @param length how many, 1 to the region's length
 * @returns PORTHOLE_EVENT_* bits, or an error of peer, limit or host
 */
int32_t porthole_conn_filled(porthole_conn *conn, size_t length);

/**
 * Tells that the peer has closed its side (RFC 9112 section 8).
 *
 * @returns PORTHOLE_EVENT_END when that ends a body properly, 0 when nothing was due, or an error
 */
int32_t porthole_conn_ended(porthole_conn *conn);

/** Tells that the transport failed. @param error a PORTHOLE_HOST_* code */
void porthole_conn_failed(porthole_conn *conn, int32_t error);

/**
 * Goes on after an interim response, with the bytes that came after it.
 *
 * @returns PORTHOLE_EVENT_* bits, or an error
 */
int32_t porthole_conn_resume(porthole_conn *conn);

/**
 * Hands the received response out (http.client's getresponse). Request-sent to Idle.
 *
 * @returns 0; PORTHOLE_RESPONSE_NOT_READY when called out of order; PORTHOLE_WANT_READ while the head is not complete;
 *          an error
 */
int32_t porthole_conn_accept(porthole_conn *conn);

/**
 * Lets go of the head's and the trailer section's bytes: the caller has copied them, their room can be used again. It is
 * done by itself when the next response begins.
 */
void porthole_conn_release(porthole_conn *conn);

/**
 * Takes body bytes off the receive buffer.
 *
 * @param length how many, at most view.available
 * @returns 0, or PORTHOLE_HOST_LIED for more
 */
int32_t porthole_conn_consume(porthole_conn *conn, size_t length);

/**
 * How many of the next bytes from the peer are body bytes for sure, so that the caller can receive them elsewhere.
 *
 * @returns a count, 0 when there are none or some are still in the receive buffer
 */
uint32_t porthole_conn_direct(const porthole_conn *conn);

/**
 * Accounts for body bytes that the caller received elsewhere.
 *
 * @param length at most what porthole_conn_direct said
 * @returns PORTHOLE_EVENT_* bits, or PORTHOLE_HOST_LIED for more
 */
int32_t porthole_conn_passed(porthole_conn *conn, size_t length);

/**
 * Tells that the reader is done with the response. A body that was not read to its end makes the connection unusable, and
 * stops an upload; so does the end of an answer of 400 or above stop the upload that it answers.
 *
 * @returns PORTHOLE_EVENT_* bits of the next response, when one was under way, or an error
 */
int32_t porthole_conn_finish(porthole_conn *conn);

/* ---- bytes at hand ---- */

/**
 * Lists the field lines of a header or trailer section that the parser has accepted, for a caller that kept its bytes.
 *
 * @param text     field lines as in view.fields or view.trailer, with or without the empty line
 * @param table    receives for each field the offset and length of its name, and those of its value
 * @param capacity how many fields the table can hold
 * @returns how many fields there are (also when the table is too small)
 */
int32_t porthole_fields_list(porthole_span text, uint32_t *table, size_t capacity);

/**
 * Gives one of them.
 *
 * @param text  as for porthole_fields_list
 * @param index which, from 0
 * @param field receives its name, and its value without white space around it
 * @returns 1, or 0 when there are not so many
 */
int32_t porthole_fields_at(porthole_span text, uint32_t index, porthole_field *field);

/**
 * Splits a value with parameters, such as that of Content-Type (RFC 9110 section 5.6.6): `a/b; c=d; e="f; g"`.
 *
 * @param text     the value
 * @param table    receives for each part, the first included, the offset and length of its name, and those of its value:
 *                 quotes included, length 0xFFFFFFFF where there is no "="
 * @param capacity how many parts the table can hold
 * @returns how many parts there are (also when the table is too small)
 */
int32_t porthole_params_list(porthole_span text, uint32_t *table, size_t capacity);

/* ---- requests of others ---- */

#include "vet.h"

/* ---- the same with a host (host.h): level 1 ---- */

#include "io.h"

#ifdef __cplusplus
}
#endif
#endif
