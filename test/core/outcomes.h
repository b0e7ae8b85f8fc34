/* SPDX-License-Identifier: MIT
 *
 * Responses, each followed by the end of the stream, and what must become of them.
 */
#ifndef OUTCOMES_H
#define OUTCOMES_H

#include "porthole/porthole.h"

typedef struct outcome {
  const char *method;
  const char *input;
  int32_t head; /* the status, or the error of getresponse */
  int32_t end;  /* how reading ends: 0 or an error */
  const char *body;
} outcome;

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const outcome outcomes[] = {
    {"GET", OK_HEAD "Content-Length: 5\r\n\r\nhello", 200, 0, "hello"},
    {"GET", "\r\n" OK_HEAD "Content-Length: 5\r\n\r\nhello", 200, 0, "hello"},
    {"GET", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200, 0, "hello"},
    {"GET", "HTTP/1.0 200\r\n\r\nuntil the end", 200, 0, "until the end"},
    {"GET", OK_HEAD "Content-Length: 7\r\n\r\nhello", 200, PORTHOLE_BODY_CUT, "hello"},
    {"HEAD", OK_HEAD "Content-Length: 5\r\n\r\n", 200, 0, ""},
    {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, 0, ""},
    {"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, 0, ""},
    {"GET", CHUNKED "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-T: v\r\n\r\n", 200, 0, "hello world"},
    {"GET", CHUNKED "5 \t\r\nhello\r\n0\r\n\r\n", 200, 0, "hello"},
    {"GET", CHUNKED "5\nhello\r\n0\r\n\r\n", 200, PORTHOLE_BAD_CHUNK, ""},
    {"GET", CHUNKED "5\r\nhelloX\r\n0\r\n\r\n", 200, PORTHOLE_BAD_CHUNK, "hello"},
    {"GET", CHUNKED "00000000000000005\r\nhello\r\n", 200, PORTHOLE_BAD_CHUNK, ""},
    {"GET", CHUNKED "5\r\nhello\r\n0\r\n", 200, PORTHOLE_TRAILER_CUT, "hello"},
    {"GET", CHUNKED "5\r\nhello\r\n0\r\n\n", 200, PORTHOLE_BAD_CHUNK, "hello"},
    {"GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HEAD "Content-Length: 2\r\n\r\nok",
     200, 0, "ok"},
    {"GET", "", PORTHOLE_REMOTE_DISCONNECTED, 0, ""},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n", PORTHOLE_REMOTE_DISCONNECTED, 0, ""},
    {"GET", "HTTP/1.1 20", PORTHOLE_BAD_STATUS_LINE, 0, ""},
    {"GET", "JUNK\r\n", PORTHOLE_BAD_STATUS_LINE, 0, ""},
    {"GET", "HTTP/2 200 OK\r\n\r\n", PORTHOLE_UNKNOWN_PROTOCOL, 0, ""},
    {"GET", "HTTP/1.1 200 O\x01K\r\n\r\n", PORTHOLE_BAD_STATUS_LINE, 0, ""},
    {"GET", OK_HEAD "X: y", PORTHOLE_HEAD_CUT, 0, ""},
    {"GET", OK_HEAD " X: y\r\n\r\n", PORTHOLE_LEADING_FOLD, 0, ""},
    {"GET", OK_HEAD "X : y\r\n\r\n", PORTHOLE_BAD_FIELD_NAME, 0, ""},
    {"GET", OK_HEAD "garbage\r\n\r\n", PORTHOLE_NO_COLON, 0, ""},
    {"GET", OK_HEAD "X: a\rb\r\n\r\n", PORTHOLE_BARE_CR, 0, ""},
    {"GET", OK_HEAD "X: a\x7f\r\n\r\n", PORTHOLE_BAD_FIELD_VALUE, 0, ""},
    {"GET", OK_HEAD "Content-Length:\r\n 5\r\n\r\n", PORTHOLE_FOLDED_FRAMING, 0, ""},
    {"GET", OK_HEAD "Content-Length: 5, 5\r\n\r\n", PORTHOLE_BAD_CONTENT_LENGTH, 0, ""},
    {"GET", OK_HEAD "Content-Length: 9223372036854775808\r\n\r\n", PORTHOLE_BAD_CONTENT_LENGTH, 0, ""},
    {"GET", OK_HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", PORTHOLE_CONTENT_LENGTH_CONFLICT, 0, ""},
    {"GET", OK_HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, 0, "hello"},
    {"GET", OK_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", PORTHOLE_LENGTH_AND_ENCODING, 0, ""},
    {"GET", OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", PORTHOLE_UNKNOWN_TRANSFER_ENCODING, 0, ""},
    {"GET", OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     PORTHOLE_UNKNOWN_TRANSFER_ENCODING, 0, ""},
};

enum { OUTCOMES = sizeof outcomes / sizeof *outcomes };

#endif
