/* SPDX-License-Identifier: MIT
 *
 * wasi:tls 0.2.0-draft. It takes the streams of a socket and gives others for them; whom to trust is the runtime's to know. The
 * draft tells nothing of what was agreed on, and of a failure only words.
 */
#include "tls.h"

#include "component_type.h"
#include "porthole/porthole.h"

#define TLS_IMPORT(name) __attribute__((import_module("wasi:tls/types@0.2.0-draft"), import_name(name)))

TLS_IMPORT("[constructor]client-handshake")
wasi_handle tls_handshake(const char *name, size_t length, wasi_handle input, wasi_handle output);
TLS_IMPORT("[static]client-handshake.finish") wasi_handle tls_handshake_finish(wasi_handle handshake);
TLS_IMPORT("[method]future-client-streams.subscribe") wasi_handle tls_future_subscribe(wasi_handle future);
TLS_IMPORT("[method]future-client-streams.get") void tls_future_get(wasi_handle future, uint8_t *result);
TLS_IMPORT("[resource-drop]future-client-streams") void tls_future_drop(wasi_handle future);
TLS_IMPORT("[method]client-connection.close-output") void tls_connection_end(wasi_handle connection);
TLS_IMPORT("[resource-drop]client-connection") void tls_connection_drop(wasi_handle connection);
WASI_IMPORT("io/streams", "[method]output-stream.flush") void tls_output_flush(wasi_handle stream, uint8_t *result);

enum { NAME_LONGEST = 255 };

/* Of each connection: nothing, a handshake with its pollable, or what came of it. */
typedef struct session {
  wasi_handle future;
  wasi_handle pollable;
  wasi_handle connection;
  size_t name_length; /* of the name that the connection was opened for, 0 for any */
  char name[NAME_LONGEST];
} session;

static session sessions[WASI_TLS_PLACES];

/** Draws the description of these imports out of the archive, as wasi_describe in host.c. */
void wasi_tls_describe(void);
void wasi_tls_describe(void) { wasi_tls_type(); }

bool wasi_tls_usable(void) { return true; }

void wasi_tls_opened(size_t place, const char *name, size_t length) {
  session *of = &sessions[place];
  of->name_length = length < NAME_LONGEST ? length : NAME_LONGEST;
  __builtin_memcpy(of->name, name, of->name_length);
}

static bool is_name_of(const session *of, const char *name, size_t length) {
  bool same = length == of->name_length;
  for (size_t i = 0; same && i < length; i++) {
    same = name[i] == of->name[i];
  }
  return same || of->name_length == 0;
}

/** Is there this word in what failed? */
static bool has_word(const failure *in, const char *word) {
  for (size_t i = 0; i < in->length; i++) {
    size_t same = 0;
    while (word[same] != '\0' && i + same < in->length && in->text[i + same] == word[same]) {
      same++;
    }
    if (word[same] == '\0') {
      return true;
    }
  }
  return false;
}

/** Maps the error of a handshake: rustls, OpenSSL and Node name the certificate where it is that, and an alert of the peer's. */
static int32_t fail_handshake(failure *where, wasi_handle error) {
  wasi_fail_error(where, error);
  bool refused = has_word(where, "certificate") && !has_word(where, " alert ");
  return refused ? PORTHOLE_HOST_TLS_VERIFY : PORTHOLE_HOST_TLS_HANDSHAKE;
}

static void drop_future(session *of) {
  if (of->future != 0) {
    wasi_pollable_drop(of->pollable);
    tls_future_drop(of->future);
  }
  of->future = of->pollable = 0;
}

int32_t wasi_tls_start(size_t place, const char *name, size_t length, wasi_handle *input, wasi_handle *output,
                       limit *within, failure *where) {
  session *of = &sessions[place];
  result
      got; /* an option; behind four bytes a result, behind eight another; behind twelve three handles, or an error */
  if (of->future == 0) {
    if (*input == 0 || of->connection != 0 || !is_name_of(of, name, length)) {
      return wasi_fail(where, PORTHOLE_HOST_OTHER, "TLS can't be begun here with this name");
    }
    length -= length > 1 && name[length - 1] == '.'; /* SNI has none */
    of->future = tls_handshake_finish(tls_handshake(name, length, *input, *output));
    of->pollable = tls_future_subscribe(of->future);
    *input = *output = 0;
  }
  /* Some runtimes look after a handshake only when its pollable is asked for. */
  for (tls_future_get(of->future, got.at); got.at[0] == 0; tls_future_get(of->future, got.at)) {
    if (within->ns == 0 && !wasi_pollable_ready(of->pollable)) {
      return PORTHOLE_WANT_READ;
    }
    if (within->ns != 0 && !wasi_wait_within(within, of->pollable)) {
      return wasi_fail(where, PORTHOLE_HOST_TIMED_OUT, "the handshake took too long");
    }
  }
  drop_future(of);
  if (got.at[4] != 0) {
    return wasi_fail(where, PORTHOLE_HOST_OTHER, "the handshake has no result");
  }
  if (got.at[8] != 0) {
    return fail_handshake(where, handle_at(&got, 12));
  }
  of->connection = handle_at(&got, 12);
  *input = handle_at(&got, 16);
  *output = handle_at(&got, 20);
  return 0;
}

wasi_handle wasi_tls_pollable(size_t place) { return sessions[place].pollable; }

void wasi_tls_flush(size_t place, wasi_handle output) {
  result got; /* what failed is told again by what is done next */
  if (sessions[place].connection != 0) {
    tls_output_flush(output, got.at);
    if (got.at[0] != 0 && got.at[4] == 0) {
      wasi_error_drop(handle_at(&got, 8));
    }
  }
}

bool wasi_tls_end(size_t place, wasi_handle output) {
  if (sessions[place].connection == 0) {
    return false;
  }
  tls_connection_end(sessions[place].connection);
  limit within = limit_of(WASI_END_WITHIN_MS); /* what isn't out when the connection is dropped is lost */
  wasi_handle ended = wasi_output_subscribe(output);
  wasi_wait_within(&within, ended);
  wasi_pollable_drop(ended);
  return true;
}

void wasi_tls_close(size_t place) {
  session *of = &sessions[place];
  drop_future(of);
  if (of->connection != 0) {
    tls_connection_drop(of->connection);
  }
  of->connection = 0;
  of->name_length = 0;
}
