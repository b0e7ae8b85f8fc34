/* SPDX-License-Identifier: MIT
 *
 * The body of a request: where it comes from, and sending it while an answer may come already.
 */
#include "cli.h"

enum {
  PIECE = 64 * 1024,
  SILENCE = 100 /* ms of it, in what is to be sent, until the connection is looked at */
};

static uint8_t piece[PIECE];

static bool is_wanting(int32_t result) { return result == PORTHOLE_WANT_READ || result == PORTHOLE_WANT_WRITE; }

int cli_open_upload(cli_session *session) {
  const char *path = session->options.upload;
  if (cli_same(path, "-")) {
    if (session->stdin_used) {
      return cli_fail(&session->failure, EXIT_REWIND, "standard input can't be sent again", "");
    }
    session->upload = CLI_STDIN;
    session->length = PORTHOLE_CHUNKED_BODY;
    return 0;
  }
  session->upload = cli_host_open(path, CLI_READ, &session->length);
  if (session->upload < 0) {
    char text[CLI_WORDS_MOST];
    cli_text words = CLI_TEXT(text);
    cli_add(&words, path);
    cli_add(&words, ": ");
    cli_add(&words, cli_host_words());
    return cli_fail(&session->failure, EXIT_READ, "can't open ", text);
  }
  return 0;
}

void cli_close_upload(cli_session *session) {
  if (session->upload > CLI_STDERR) {
    cli_host_close(session->upload);
  }
  session->upload = CLI_FAILED;
}

/** How long the next piece can be waited for. Files have it at hand. */
static int32_t patience(const cli_session *session) {
  int32_t left = cli_time_left(session);
  if (session->length != PORTHOLE_CHUNKED_BODY) {
    return -1;
  }
  return left >= 0 && left < SILENCE ? left : SILENCE;
}

/**
 * The next piece of the body, where it begins at `done`.
 *
 * @param next receives it: nothing at the end, and data that is NULL when it is still to come
 * @returns 0 or an exit code
 */
static int next_piece(cli_session *session, uint64_t done, porthole_span *next) {
  if (session->body == CLI_BODY_DATA) {
    size_t length = session->options.data_length - (size_t)done;
    *next = (porthole_span){session->options.data + done, length};
    return 0;
  }
  session->stdin_used = session->stdin_used || session->upload == CLI_STDIN;
  int32_t got = cli_host_read(session->upload, piece, sizeof piece, patience(session));
  *next = (porthole_span){got != CLI_LATER ? piece : NULL, got > 0 ? (size_t)got : 0};
  return got != CLI_FAILED
             ? 0
             : cli_fail(&session->failure, EXIT_READ, "can't read what is to be sent: ", cli_host_words());
}

/** Takes the head of an answer, if it came. @returns as cli_get_response, whose exit code is in `*code` then */
static int32_t take_head(cli_session *session, bool *answered, int *code) {
  int32_t got = cli_get_response(session);
  *answered = got >= 0;
  *code = got > 0 ? got : 0;
  return got;
}

/** Reads what has come of an answer. @returns 0 at its end, PORTHOLE_WANT_*, or an error; or an exit code in `*code` */
static int32_t look(cli_session *session, bool *answered, int *code) {
  int32_t got = *answered ? PORTHOLE_WANT_READ : take_head(session, answered, code);
  while (*answered && *code == 0 && (got = cli_take_body(session, code)) > 0) {
  }
  return *code != 0 ? 0 : got;
}

/** Waits, but for a connection that is closed, as no more is wanted. @returns below zero for an error */
static int32_t wait_for(const cli_session *session, int32_t interest) {
  int32_t list[] = {porthole_client_handle(session->client), interest};
  return list[0] == 0 ? 0 : porthole_host_wait(list, 1, cli_time_left(session));
}

/** Looks while nothing more of the body is taken, and waits. @returns below zero for an error */
static int32_t meanwhile(cli_session *session, bool *answered, int *code) {
  int32_t got = look(session, answered, code);
  if (*code != 0 || (got < 0 && !is_wanting(got))) {
    return got;
  }
  /* For both: a peer may take no more before its answer is read. One whose answer is over has nothing more to say. */
  return wait_for(session, got == 0 ? PORTHOLE_WRITABLE : PORTHOLE_READABLE | PORTHOLE_WRITABLE);
}

/**
 * Sends the body. The peer may answer meanwhile, and want its answer to be read before it takes more.
 *
 * @returns 0, below zero an error; or an exit code in `*code`
 */
static int32_t send_pieces(cli_session *session, bool *answered, int *code) {
  uint64_t head = porthole_client_bytes_sent(session->client);
  uint64_t done = 0;
  porthole_span left = {NULL, 0};
  bool ended = false;
  while (*code == 0 && !ended && porthole_client_stopped(session->client) == 0) {
    if (left.length == 0) {
      *code = next_piece(session, done, &left);
      if (*code != 0) {
        return 0;
      }
      if (left.data == NULL) {
        int32_t got = look(session, answered, code);
        if (got < 0 && !is_wanting(got)) {
          return got;
        }
        if (cli_time_left(session) == 0) {
          return PORTHOLE_HOST_TIMED_OUT;
        }
        continue;
      }
    }
    ended = left.length == 0;
    int32_t sent = ended ? porthole_client_endbody(session->client, NULL)
                         : porthole_client_send(session->client, left.data, left.length);
    session->result.uploaded = session->meter.uploaded = porthole_client_bytes_sent(session->client) - head;
    if (is_wanting(sent)) {
      /* No response is given out amid the end of a body, which is some bytes. */
      sent = ended ? wait_for(session, PORTHOLE_WRITABLE) : meanwhile(session, answered, code);
      ended = false;
      if (sent >= 0) {
        continue;
      }
    }
    if (sent < 0) {
      return sent;
    }
    done += (uint64_t)sent;
    left = (porthole_span){left.data + sent, left.length - (size_t)sent};
    cli_meter_tick(&session->meter);
  }
  return 0;
}

/** Looks whether an answer came with the 100 that was asked for, or instead of it: after a 417 no more of the body is read. */
static int32_t look_for_refusal(cli_session *session, bool *answered, int *code) {
  int32_t got = take_head(session, answered, code);
  session->refused = *answered && session->result.status == PORTHOLE_STATUS_EXPECTATION_FAILED;
  return is_wanting(got) || got >= 0 ? 0 : got;
}

int32_t cli_send_body(cli_session *session, bool *answered, int *code) {
  session->meter.upload = session->length == PORTHOLE_CHUNKED_BODY ? 0 : session->length;
  porthole_client_set_timeout(session->client, 0);
  int32_t error = session->expects ? look_for_refusal(session, answered, code) : 0;
  if (error == 0 && *code == 0 && !session->refused) {
    error = send_pieces(session, answered, code);
  }
  porthole_client_set_timeout(session->client, -1);
  if (error == PORTHOLE_BODY_TOO_SHORT || error == PORTHOLE_BODY_TOO_LONG) {
    *code = cli_fail(&session->failure, EXIT_READ, "what is sent changed its size", "");
    error = 0;
  }
  return error;
}
