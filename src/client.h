/* SPDX-License-Identifier: MIT
 *
 * The layout of a porthole_client, and what its two files share.
 */
#ifndef PORTHOLE_CLIENT_LAYOUT_H
#define PORTHOLE_CLIENT_LAYOUT_H

#include "conn.h"
#include "porthole/client.h"

enum { HOST_MOST = 255 /* bytes of a host */ };

/* How far connecting got. */
typedef enum client_step { STEP_CLOSED, STEP_OPEN, STEP_ASKED, STEP_TLS, STEP_READY } client_step;

/* The call that answered WANT_* and is to be repeated. */
typedef enum client_call {
  CALL_NONE,
  CALL_CONNECT,
  CALL_REQUEST,
  CALL_BEGIN,
  CALL_STEPS, /* putrequest */
  CALL_ENDHEADERS,
  CALL_BEGINBODY,
  CALL_ENDBODY
} client_call;

/* How far a request got. */
typedef enum client_stage { STAGE_CONNECT, STAGE_HEAD, STAGE_CONTINUE, STAGE_BODY, STAGE_END } client_stage;

struct porthole_client {
  porthole_conn *conn;
  const porthole_view *view;
  const uint8_t *rx;
  client_step step;
  client_call call;
  client_stage stage;
  size_t done;     /* bytes of the body of the call under way */
  bool tls;        /* is it spoken? */
  bool over;       /* an error has ended the connection */
  bool responded;  /* there is a response to be asked for */
  bool finished;   /* a response was read to its end, and no request was begun since */
  bool used;       /* a request was answered on this connection */
  uint32_t family; /* PORTHOLE_OPEN_IPV* */
  uint32_t wants;
  int32_t timeout_ms;
  int32_t continue_ms;
  int32_t error;
  int32_t host_error; /* what is wrong with the host */
  uint64_t sent;      /* what the traffic was before the request … */
  uint64_t received;
  uint64_t request_sent; /* … and since, of a connection that is closed */
  uint64_t request_received;
  uint8_t *interims;
  size_t interims_size;
  const char *tunnel; /* where the tunnel ends, or NULL */
  const char *const *tunnel_headers;
  uint32_t tunnel_port;
  uint32_t port;               /* 0 for that of the scheme */
  uint32_t tunnel_head;        /* where the proxy's answer is in the receive buffer … */
  uint32_t tunnel_head_length; /* … until a request is made */
  uint32_t host_length;
  uint32_t words_length;
  uint8_t host[HOST_MOST];
  char words[PORTHOLE_INFO_MOST]; /* the host's, for the last error */
};

void porthole__client_count(porthole_client *client);
int32_t porthole__client_told(porthole_client *client, int32_t result);
int32_t porthole__client_over(porthole_client *client, int32_t result);
int32_t porthole__client_fields(const char *const *texts, porthole_field fields[PORTHOLE_CLIENT_FIELDS]);
int32_t porthole__client_authority(porthole_client *client);
int32_t porthole__client_connect(porthole_client *client);
void porthole__client_renew(porthole_client *client);

#endif
