/* SPDX-License-Identifier: MIT
 *
 * porthole/client.h: Python's http.client for programs in C and C++, over whatever host.h is linked: sockets
 * (bindings/posix), or a host that can't wait. It adds nothing to the protocol: each function is a few calls of porthole.h, and a
 * porthole_client remembers how far it got, so that a call can be repeated.
 *
 * Five rules, after those of porthole.h:
 *
 *   1. Names and texts are C strings, of ISO-8859-1; headers are an array of them: name, value, name, value, NULL, at most
 *      PORTHOLE_CLIENT_FIELDS of them, or NULL for none. Bodies are bytes with a length.
 *   2. Results are int32_t: 0, a status or a count when it worked, below zero a code of errors.def. porthole_error_class tells
 *      what http.client calls it, porthole_client_error what there is to say about it.
 *   3. PORTHOLE_WANT_READ and PORTHOLE_WANT_WRITE mean: nothing failed, call again WITH THE SAME ARGUMENTS when the transport is
 *      readable or writable: porthole_client_wait waits for what was wanted last, or use _handle in a loop of your own. Until
 *      then only that call, _wait, _close and what only looks are allowed. A host that blocks never causes them (unless the
 *      timeout is 0): a program that is written for such hosts may take them for errors.
 *   4. An error ends the connection. The next request opens a new one (auto_open, as in http.client); so does one that follows
 *      a response after which the server has closed. What was refused (-300 to -399) changes nothing, but for a body that is too
 *      short or too long, which can't be mended.
 *   5. What a span points to is valid until the next call on the same client that isn't one that only looks (those take a const
 *      client). The response itself (status, reason, headers) can be asked for until the next request, also after its body was
 *      read, and after an error.
 *
 * demo/c/get.c is this program:
 *
 *     #include <porthole/client.h>
 *     #include <stdio.h>
 *
 *     int main(int count, char **arguments) {
 *       static PORTHOLE_CLIENT_MEMORY(memory, 65536);
 *       porthole_client *http = porthole_client_init(memory, sizeof memory, count > 1 ? arguments[1] : "localhost:8000", 0);
 *       char chunk[4096], words[256];
 *       int32_t result = porthole_client_request(http, "GET", count > 2 ? arguments[2] : "/", NULL, 0, NULL);
 *       if (result == 0) result = porthole_client_getresponse(http);
 *       if (result > 0) {
 *         printf("%d %.*s\n", result, PORTHOLE_TEXT(porthole_client_reason(http)));
 *         while ((result = porthole_client_read(http, chunk, sizeof chunk)) > 0) fwrite(chunk, 1, (size_t)result, stdout);
 *       }
 *       if (result < 0) fprintf(stderr, "%s\n", porthole_client_error(http, words, sizeof words));
 *       porthole_client_close(http);
 *       return result < 0;
 *     }
 */
#ifndef PORTHOLE_CLIENT_H
#define PORTHOLE_CLIENT_H

#include "porthole/host.h"
#include "porthole/porthole.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One HTTPConnection with its HTTPResponse. Opaque: it lives in the memory that was given to porthole_client_init. */
typedef struct porthole_client porthole_client;

enum {
  PORTHOLE_CLIENT_OVERHEAD = 3072, /* a client and its porthole_conn */
  PORTHOLE_CLIENT_SEND = 16384,    /* the send buffer: a request's head must fit in it */
  PORTHOLE_CLIENT_RECEIVE = 4096,  /* the smallest receive buffer: a response's head must fit in it */
  PORTHOLE_CLIENT_FIELDS = 128     /* headers of a request, or trailers, at most */
};

/** Declares memory for a client whose receive buffer has `rx` bytes: static, automatic or a member, in C and in C++. */
#define PORTHOLE_CLIENT_MEMORY(name, rx) uint64_t name[(PORTHOLE_CLIENT_OVERHEAD + PORTHOLE_CLIENT_SEND + (rx) + 7) / 8]

/** A span as the two arguments of "%.*s". */
#define PORTHOLE_TEXT(span) (int)(span).length, (const char *)(span).data

/* ---- HTTPConnection ---- */

/**
 * HTTPConnection(host, port): makes a closed connection. Nothing is looked up or opened yet.
 *
 * @param memory the client's until the last call; there is nothing to free
 * @param size   its size in bytes: as PORTHOLE_CLIENT_MEMORY makes it, with a receive buffer of PORTHOLE_CLIENT_RECEIVE at least
 * @param host   "host", "host:port", "[address]:port"; with a port of its own also a bare IPv6 address. It is copied
 * @param port   its port, or 0 for the one in `host`, else 80 (443 after porthole_client_use_tls)
 * @returns the client; NULL only when the memory is too small. A host that can't be used is told by the first request
 */
porthole_client *porthole_client_init(void *memory, size_t size, const char *host, uint32_t port);

/**
 * timeout=: of connecting, and of each wait for the network.
 *
 * @param timeout_ms milliseconds; negative, as in the beginning: none. 0, once connected: PORTHOLE_WANT_* instead of waiting
 */
void porthole_client_set_timeout(porthole_client *client, int32_t timeout_ms);

/**
 * Sets when everything has to be over, from connecting to the last byte of the response, also of the requests that follow:
 * PORTHOLE_HOST_TIMED_OUT from then on.
 *
 * @param timeout_ms milliseconds from now; negative, as in the beginning: never
 */
void porthole_client_set_deadline(porthole_client *client, int32_t timeout_ms);

/** HTTPSConnection: TLS from the first byte (inside the tunnel, where there is one), verified by the host for this name. */
void porthole_client_use_tls(porthole_client *client);

/** Connects by one family of addresses only. @param flags PORTHOLE_OPEN_IPV4 or PORTHOLE_OPEN_IPV6; 0 for both */
void porthole_client_set_family(porthole_client *client, uint32_t flags);

/**
 * set_tunnel(host, port, headers): the connection goes through a proxy, which is the host of porthole_client_init.
 *
 * @param host    "host" or "host:port" of the end of the tunnel, kept by reference; NULL: no tunnel
 * @param port    its port, or 0
 * @param headers for the proxy, kept by reference
 * @returns 0; PORTHOLE_CANNOT_SEND_REQUEST while connected; what is wrong with an argument: nothing changes then
 */
int32_t porthole_client_set_tunnel(porthole_client *client, const char *host, uint32_t port,
                                   const char *const *headers);

/** PORTHOLE_LIMIT_*, as porthole_conn_set_limit. @returns 0 or PORTHOLE_BAD_LIMIT */
int32_t porthole_client_set_limit(porthole_client *client, uint32_t limit, uint64_t value);

/**
 * Asks with requests that have a body for a 100 (Expect: 100-continue), and waits for it before the body is sent.
 *
 * @param timeout_ms how long to wait for any answer before the body is sent nonetheless; negative, as in the beginning: bodies
 *                   are sent at once, and nothing is asked
 */
void porthole_client_expect_continue(porthole_client *client, int32_t timeout_ms);

/**
 * Keeps the interim responses (1xx but 101) of each request, which are skipped otherwise: see porthole_client_interim. Those
 * that don't fit are left out.
 *
 * @param memory where their heads go; NULL with size 0, as in the beginning, for none
 */
void porthole_client_keep_interim(porthole_client *client, void *memory, size_t size);

/**
 * connect(): look-up, TCP, tunnel, TLS. Implied by a request.
 *
 * @returns 0, also when it is connected; PORTHOLE_WANT_*; PORTHOLE_TUNNEL_REFUSED: status, reason and headers are then those
 *          of the proxy's answer, and the connection is closed;
 *          PORTHOLE_EMPTY_HOST, _BAD_HOST, _BAD_PORT, _HOST_NEEDS_BRACKETS; an error
 */
int32_t porthole_client_connect(porthole_client *client);

/**
 * request(method, url, body, headers): sends a whole request, and opens or reopens the connection for it. One that a server has
 * closed while it rested is opened anew, as nothing was sent on it.
 *
 * @param url     "/path?query", or a whole URL for a proxy; empty means "/"
 * @param body    all of the body, which must stay the same until the call has answered other than WANT_*; NULL for none. A
 *                server that answers while it reads, and waits for its answer to be read, needs porthole_client_begin
 * @param length  bytes of it
 * @returns 0 when all is with the host, or no more is wanted as the peer has answered; PORTHOLE_WANT_*;
 *          PORTHOLE_CANNOT_SEND_REQUEST while another is under way; what is wrong with an argument: nothing is sent or opened
 *          then; an error
 */
int32_t porthole_client_request(porthole_client *client, const char *method, const char *url, const void *body,
                                size_t length, const char *const *headers);

/** The length of a body whose length is not known. */
#define PORTHOLE_CHUNKED_BODY UINT64_MAX

/**
 * The same for a body that comes in pieces: the head is sent, then call porthole_client_send for each piece, and
 * porthole_client_endbody. The response can be read between them, when it is there before the body's end.
 *
 * @param length the body's length, or PORTHOLE_CHUNKED_BODY
 * @returns as porthole_client_request
 */
int32_t porthole_client_begin(porthole_client *client, const char *method, const char *url, uint64_t length,
                              const char *const *headers);

/**
 * send(data): bytes of the body of porthole_client_begin, or, after porthole_client_endheaders, as they are.
 *
 * What comes while it waits is taken in. It ends the wait when it is the head of the answer, which can be read then, and the
 * upload when it is all of a 4xx or 5xx, or says that the connection closes. An answer that doesn't fit in the receive buffer, of a
 * server that takes no more before it is read, has to be read between sends: with a timeout of 0.
 *
 * @returns how many were taken, 1 to length (all, once no more of the body is wanted, or the connection has failed:
 *          getresponse() tells; fewer also when an answer came); 0 for a length of 0; PORTHOLE_WANT_WRITE;
 *          PORTHOLE_BODY_TOO_LONG, after which the connection is closed; PORTHOLE_CANNOT_SEND_HEADER when no body is due; an
 *          error
 */
int32_t porthole_client_send(porthole_client *client, const void *data, size_t length);

/**
 * Does nothing more of the body go out? For bodies that are dear, or have no end: porthole_client_send takes on, and drops, what it
 * is given then. Another piece need not be made, nor the body be ended: go on with porthole_client_getresponse.
 *
 * @returns 0 while it does; 1 once the peer has answered so that no more is wanted; an error once sending has failed
 */
int32_t porthole_client_stopped(const porthole_client *client);

/**
 * Ends the body of porthole_client_begin.
 *
 * @param trailers as headers; only a chunked body can have any
 * @returns 0, also once the connection has failed: getresponse() tells; PORTHOLE_WANT_WRITE; PORTHOLE_BODY_TOO_SHORT, after
 *          which the connection is closed;
 *          PORTHOLE_CANNOT_SEND_HEADER when no such body is due; what is wrong with the trailers; an error
 */
int32_t porthole_client_endbody(porthole_client *client, const char *const *trailers);

/**
 * putrequest(method, url): the first of the three steps that porthole_client_request takes. Connects, where http.client does so
 * in endheaders().
 *
 * @param flags PORTHOLE_SKIP_HOST, PORTHOLE_SKIP_ACCEPT_ENCODING
 * @returns as porthole_client_request
 */
int32_t porthole_client_putrequest(porthole_client *client, const char *method, const char *url, uint32_t flags);

/** putheader(name, value). @returns 0; PORTHOLE_CANNOT_SEND_HEADER; what is wrong with it */
int32_t porthole_client_putheader(porthole_client *client, const char *name, const char *value);

/**
 * endheaders(message_body): sends the head and, where there is one, all of the body as it is. A body that the headers announce
 * and that isn't given here is left to porthole_client_send, chunks and all.
 *
 * @returns 0; PORTHOLE_WANT_*; PORTHOLE_CANNOT_SEND_HEADER; PORTHOLE_LENGTH_MISMATCH; an error
 */
int32_t porthole_client_endheaders(porthole_client *client, const void *body, size_t length);

/**
 * endheaders() for a body that comes in pieces, by porthole_client_send and porthole_client_endbody as after
 * porthole_client_begin. It is framed as the headers say that were put, "Expect: 100-continue" included.
 *
 * @param length that of the Content-Length header; or PORTHOLE_CHUNKED_BODY, with "Transfer-Encoding: chunked"
 * @returns as porthole_client_endheaders: PORTHOLE_LENGTH_MISMATCH when no header says so
 */
int32_t porthole_client_beginbody(porthole_client *client, uint64_t length);

/** getresponse(). @returns the status; PORTHOLE_WANT_*; PORTHOLE_RESPONSE_NOT_READY; an error */
int32_t porthole_client_getresponse(porthole_client *client);

/** close(): idempotent; the client can be used again. The response is forgotten, the last error is not. */
void porthole_client_close(porthole_client *client);

/**
 * Gives the transport away, after a 101 or a 2xx to CONNECT by request(): the client is closed and knows it no longer.
 *
 * @param rest receives the bytes that came behind the head
 * @returns the host's handle, above 0; PORTHOLE_RESPONSE_NOT_READY for any other response
 */
int32_t porthole_client_detach(porthole_client *client, porthole_span *rest);

/* ---- HTTPResponse: valid from getresponse until the next request ---- */

uint32_t porthole_client_status(const porthole_client *client);      /* 0 before a response */
uint32_t porthole_client_version(const porthole_client *client);     /* 10 or 11 */
porthole_span porthole_client_reason(const porthole_client *client); /* may be empty */
int32_t porthole_client_will_close(const porthole_client *client);   /* 1 when the connection ends with it, else 0 */

/** isclosed(). @returns 1 when the response has been read to its end, or there is none; else 0 */
int32_t porthole_client_isclosed(const porthole_client *client);

/** getheader(name): the first value, without white space around it; data is NULL where there is none. */
porthole_span porthole_client_getheader(const porthole_client *client, const char *name);

/** getheaders(): the field with this index, from 0. @returns 1, or 0 behind the last */
int32_t porthole_client_header(const porthole_client *client, uint32_t index, porthole_field *field);

/** The same of the trailer section, once the body has been read to its end. */
int32_t porthole_client_trailer(const porthole_client *client, uint32_t index, porthole_field *field);

/** The whole head as it came: status line, field lines (folds are spaces), empty line. */
porthole_span porthole_client_head(const porthole_client *client);

/** The head of the proxy's answer that made the tunnel, from porthole_client_connect until the next request; else empty. */
porthole_span porthole_client_tunnel_head(const porthole_client *client);

/** The head of an interim response: its status, and its lines as porthole_client_head, which porthole_fields_at reads. */
typedef struct porthole_interim {
  uint32_t status;
  porthole_span head;
  porthole_span fields; /* the field lines in it */
} porthole_interim;

/** An interim response that came since the last request began, from 0. @returns 1, or 0 behind the last that was kept */
int32_t porthole_client_interim(const porthole_client *client, uint32_t index, porthole_interim *interim);

/**
 * read(amt).
 *
 * @returns how many bytes, fewer than `length` only at the end, or when the host has no more now; 0 at the end of the body;
 *          PORTHOLE_WANT_READ; PORTHOLE_RESPONSE_NOT_READY when there is no response; an error, after all bytes before it were
 *          given
 */
int32_t porthole_client_read(porthole_client *client, void *buffer, size_t length);

/** peek(): body bytes where they lie, as soon as there are some. @returns as porthole_client_read; then _skip takes them */
int32_t porthole_client_peek(porthole_client *client, porthole_span *bytes);

/** Takes bytes that porthole_client_peek has shown. @param length at most so many as it showed */
void porthole_client_skip(porthole_client *client, size_t length);

/* ---- waiting and errors ---- */

/** PORTHOLE_READABLE, PORTHOLE_WRITABLE or both: what the last WANT_* is waiting for; else 0. */
uint32_t porthole_client_wants(const porthole_client *client);

/** Waits for that. @returns above 0 when it is worth trying again; 0 after timeout_ms; an error of the host */
int32_t porthole_client_wait(porthole_client *client, int32_t timeout_ms);

/** The host's handle, for a loop of the caller's; 0 while closed. */
int32_t porthole_client_handle(const porthole_client *client);

/** PORTHOLE_INFO_*, as porthole_conn_info: addresses, TLS. @returns how many bytes; 0 for nothing, and while closed */
size_t porthole_client_info(porthole_client *client, uint32_t what, char *buffer, size_t capacity);

/** Is it safe to send the last request again? */
typedef enum porthole_retry {
  PORTHOLE_RETRY_UNKNOWN = 0, /* it was sent, in part at least: the method and the server decide */
  PORTHOLE_RETRY_SAFE = 1,    /* no byte of it was sent */
  PORTHOLE_RETRY_NOT = 2      /* it was answered */
} porthole_retry;

porthole_retry porthole_client_retry_safe(const porthole_client *client);

/** Bytes of the last request that the host has taken … */
uint64_t porthole_client_bytes_sent(const porthole_client *client);

/** … and that came since it began, head and framing included. */
uint64_t porthole_client_bytes_received(const porthole_client *client);

/** The code of the last error; 0 when there was none. */
int32_t porthole_client_failure(const porthole_client *client);

/**
 * The last error in words: limits filled in, the host's own text behind.
 *
 * @param buffer receives one line, cut to what fits, and a terminator; 400 bytes are enough for all
 * @returns buffer
 */
const char *porthole_client_error(const porthole_client *client, char *buffer, size_t size);

/* ---- URLs ---- */

/** The parts of a URL: spans into it. */
typedef struct porthole_url {
  porthole_span scheme;    /* "http" */
  porthole_span authority; /* "host:port", with what stands before an "@" */
  porthole_span target;    /* "/path?query" without "#…": it can be empty, or begin with "?" */
} porthole_url;

/** "http://host:port/path?query": for programs that begin with a URL. @returns 0 or PORTHOLE_BAD_URL */
int32_t porthole_split_url(const char *url, porthole_url *parts);

#ifdef __cplusplus
}
#endif
#endif
