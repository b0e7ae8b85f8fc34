/* SPDX-License-Identifier: MIT
 *
 * The states of a request, and the calls that each of them allows. What view.state and view.upload tell follows from them,
 * and nothing else writes these three.
 */
#include "conn.h"

enum {
  YES = 0,
  REQ = PORTHOLE_CANNOT_SEND_REQUEST,
  HDR = PORTHOLE_CANNOT_SEND_HEADER,
  RDY = PORTHOLE_RESPONSE_NOT_READY
};

/* What a call is answered with in a state, whatever else has to be checked for it. */
static const int16_t allowed[REQUEST_STATES][REQUEST_CALLS] = {
    /* clang-format off */
    /*                        put- put-   tunn- body  piece                        start        re-
                              req. header elled piece passed sent  send  flush  tls   accept ceive */
    [REQUEST_IDLE]         = {YES, HDR,   YES,  HDR,  HDR,   YES,  HDR,  YES,   YES,  RDY,   YES},
    [REQUEST_STARTED]      = {REQ, YES,   REQ,  HDR,  HDR,   YES,  HDR,  REQ,   REQ,  RDY,   YES},
    [REQUEST_DONE]         = {REQ, HDR,   YES,  HDR,  HDR,   YES,  HDR,  YES,   REQ,  YES,   YES},
    [REQUEST_HAND]         = {REQ, HDR,   REQ,  HDR,  HDR,   YES,  YES,  YES,   REQ,  YES,   YES},
    [REQUEST_BODY]         = {REQ, HDR,   REQ,  YES,  HDR,   YES,  YES,  YES,   REQ,  YES,   YES},
    [REQUEST_PIECE]        = {REQ, HDR,   REQ,  HDR,  YES,   YES,  YES,  YES,   REQ,  YES,   YES},
    [REQUEST_STOPPED]      = {REQ, HDR,   REQ,  YES,  YES,   YES,  YES,  YES,   REQ,  YES,   YES},
    [REQUEST_LATE_HAND]    = {REQ, HDR,   REQ,  HDR,  HDR,   YES,  YES,  YES,   REQ,  RDY,   YES},
    [REQUEST_LATE_BODY]    = {REQ, HDR,   REQ,  YES,  HDR,   YES,  YES,  YES,   REQ,  RDY,   YES},
    [REQUEST_LATE_PIECE]   = {REQ, HDR,   REQ,  HDR,  YES,   YES,  YES,  YES,   REQ,  RDY,   YES},
    [REQUEST_LATE_STOPPED] = {REQ, HDR,   REQ,  YES,  YES,   YES,  YES,  YES,   REQ,  RDY,   YES},
    [REQUEST_HANDSHAKE]    = {REQ, HDR,   REQ,  HDR,  HDR,   HDR,  HDR,  REQ,   YES,  RDY,   RDY},
    /* clang-format on */
};

/* What each state is for the caller. */
static const struct {
  uint8_t state;
  uint8_t upload;
} shown[REQUEST_STATES] = {
    [REQUEST_IDLE] = {PORTHOLE_IDLE, PORTHOLE_UPLOAD_NONE},
    [REQUEST_STARTED] = {PORTHOLE_REQUEST_STARTED, PORTHOLE_UPLOAD_NONE},
    [REQUEST_DONE] = {PORTHOLE_REQUEST_SENT, PORTHOLE_UPLOAD_NONE},
    [REQUEST_HAND] = {PORTHOLE_REQUEST_SENT, PORTHOLE_UPLOAD_OPEN},
    [REQUEST_BODY] = {PORTHOLE_REQUEST_SENT, PORTHOLE_UPLOAD_OPEN},
    [REQUEST_PIECE] = {PORTHOLE_REQUEST_SENT, PORTHOLE_UPLOAD_OPEN},
    [REQUEST_STOPPED] = {PORTHOLE_REQUEST_SENT, PORTHOLE_UPLOAD_STOPPED},
    [REQUEST_LATE_HAND] = {PORTHOLE_IDLE, PORTHOLE_UPLOAD_OPEN},
    [REQUEST_LATE_BODY] = {PORTHOLE_IDLE, PORTHOLE_UPLOAD_OPEN},
    [REQUEST_LATE_PIECE] = {PORTHOLE_IDLE, PORTHOLE_UPLOAD_OPEN},
    [REQUEST_LATE_STOPPED] = {PORTHOLE_IDLE, PORTHOLE_UPLOAD_STOPPED},
    [REQUEST_HANDSHAKE] = {PORTHOLE_IDLE, PORTHOLE_UPLOAD_NONE},
};

/** @returns 0, or the error that a call is answered with in a state */
int32_t porthole__allowed(request_state state, request_call call) { return allowed[state][call]; }

/** @returns 0, or what a call is answered with: the error that ended the connection goes first */
int32_t porthole__refusal(const porthole_conn *conn, request_call call) {
  return conn->view.error != 0 ? conn->view.error : porthole__allowed(conn->state, call);
}

void porthole__enter(porthole_conn *conn, request_state state) {
  conn->state = state;
  conn->view.state = shown[state].state;
  conn->view.upload = shown[state].upload;
}

/** The response was handed out: a body that is under way goes on. */
void porthole__hand_out(porthole_conn *conn) {
  bool body = conn->state >= REQUEST_HAND && conn->state <= REQUEST_STOPPED;
  porthole__enter(conn, body ? conn->state + (REQUEST_LATE_HAND - REQUEST_HAND) : REQUEST_IDLE);
}

/** All of the body was sent, or is staged. */
void porthole__body_over(porthole_conn *conn) {
  porthole__enter(conn, conn->state < REQUEST_LATE_HAND ? REQUEST_DONE : REQUEST_IDLE);
}

/** No more of the body under way will be sent, and no other request can follow it. */
void porthole__stop(porthole_conn *conn) {
  if (porthole__uploading(conn)) {
    porthole__enter(conn, conn->state < REQUEST_LATE_HAND ? REQUEST_STOPPED : REQUEST_LATE_STOPPED);
    conn->piece_left = 0;
    conn->view.flags |= PORTHOLE_UNUSABLE;
  }
}

void porthole_conn_stop(porthole_conn *conn) {
  if (!conn->in_host) {
    porthole__stop(conn);
  }
}
