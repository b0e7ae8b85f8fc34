/* SPDX-License-Identifier: MIT
 *
 * The parts of the command, and what they share.
 */
#ifndef PORTHOLE_CLI_H
#define PORTHOLE_CLI_H

#include "cli_host.h"
#include "porthole/client.h"
#include "text.h"
#include "url.h"

/** Exit codes, which are curl's. */
enum {
  EXIT_UNSUPPORTED = CLI_URL_UNSUPPORTED,
  EXIT_USAGE = 2,
  EXIT_MALFORMED = CLI_URL_MALFORMED,
  EXIT_PROXY_NOT_FOUND = 5,
  EXIT_NOT_FOUND = 6,
  EXIT_CONNECT = 7,
  EXIT_WEIRD_ANSWER = 8,
  EXIT_PARTIAL = 18,
  EXIT_STATUS = 22,
  EXIT_WRITE = 23,
  EXIT_READ = 26,
  EXIT_MEMORY = 27,
  EXIT_TIME = 28,
  EXIT_TLS = 35,
  EXIT_REDIRECTS = 47,
  EXIT_EMPTY = 52,
  EXIT_SEND = 55,
  EXIT_RECEIVE = 56,
  EXIT_OWN_CERTIFICATE = 58,
  EXIT_CERTIFICATE = 60,
  EXIT_REWIND = 65,
  EXIT_CA = 77
};

enum { CLI_HEADERS_MOST = 128, CLI_WORDS_MOST = 1024, CLI_REDIRECTS = 50 };

/** What the command was asked for. */
typedef struct cli_options {
  const char *url;
  const char *method;
  const char *agent;
  const char *output;
  const char *proxy;
  const char *upload;
  const char *user;
  const char *write_out;
  const char *headers[CLI_HEADERS_MOST];
  uint32_t headers_count;
  uint8_t *data; /* of all -d, or NULL */
  size_t data_length;
  size_t data_room;
  cli_tls tls;
  int32_t family;
  int32_t redirects;
  int32_t connect_ms; /* 0 for none, as in curl */
  int32_t time_ms;
  int32_t fail;
  int32_t head;
  int32_t help;
  int32_t include;
  int32_t location;
  int32_t show_error;
  int32_t silent;
  int32_t verbose;
  int32_t version;
} cli_options;

/** Why the command fails: its exit code and its words. */
typedef struct cli_failure {
  int code;
  char words[CLI_WORDS_MOST];
} cli_failure;

/** Notes a failure: two texts, of which the second may be "". @returns the code */
int cli_fail(cli_failure *failure, int code, const char *text, const char *more);

/* ---- options.c ---- */

/** Reads the arguments. @returns 0, or an exit code: EXIT_USAGE, EXIT_READ, EXIT_MEMORY */
int cli_read_options(cli_options *options, const char *const *arguments, cli_failure *failure);

/** What --help shows. */
const char *cli_help_text(void);

/* ---- data.c ---- */

/** Adds what one -d says. @param binary is it taken as it is? @returns 0 or an exit code */
int cli_add_data(cli_options *options, const char *argument, bool binary, cli_failure *failure);

/** Adds what one -H says: a header, or a file of them. */
int cli_add_headers(cli_options *options, const char *argument, cli_failure *failure);

/** Reads a file, "-" being standard input. @param bytes receives memory with a terminator. @returns 0 or an exit code */
int cli_read_file(const char *path, uint8_t **bytes, size_t *length, cli_failure *failure);

/* ---- output.c ---- */

/** Where the response goes, and how much of it. */
typedef struct cli_output {
  const char *path; /* NULL for standard output */
  int32_t file;
  bool open;
} cli_output;

/** Writes; the file is made when there is something to write. @returns 0 or EXIT_WRITE */
int cli_write(cli_output *to, porthole_span bytes, cli_failure *failure);

/** Makes the file if nothing was written and all went well, and closes it. @returns 0 or EXIT_WRITE */
int cli_end_output(cli_output *to, bool make, cli_failure *failure);

/** Writes a text to standard error. */
void cli_tell(const char *text);

/** Writes a request line to standard error, as -v shows it. */
void cli_tell_request(const char *method, const char *target);

/** Writes a header of a request to standard error, as -v shows it. */
void cli_tell_header(const char *name, const char *value);

/** Writes lines of a head to standard error, each behind a mark. */
void cli_tell_lines(const char *mark, porthole_span lines);

/** What is known at the end. */
typedef struct cli_result {
  uint32_t status;
  uint32_t redirects;
  uint64_t downloaded;
  uint64_t uploaded;
  uint32_t ms;
  int code;
} cli_result;

/** Writes what -w says. @returns 0 or EXIT_WRITE */
int cli_write_out(const char *format, const cli_result *result, cli_failure *failure);

/* ---- meter.c ---- */

/** How far a transfer is, as curl's meter shows it. */
typedef struct cli_meter {
  bool shown;
  bool begun;
  uint32_t started;
  uint32_t told;
  uint64_t told_bytes;
  uint64_t downloaded;
  uint64_t uploaded;
  uint64_t download; /* what is expected, or 0 */
  uint64_t upload;
} cli_meter;

/** Shows it, once a second. */
void cli_meter_tick(cli_meter *meter);

/** Shows it a last time. */
void cli_meter_end(cli_meter *meter);

/* ---- request.c, tls.c, transfer.c, upload.c ---- */

/** What the body of a request is. */
typedef enum cli_body_kind { CLI_BODY_NONE, CLI_BODY_DATA, CLI_BODY_FILE } cli_body_kind;

/** One call of the command, on its way. */
typedef struct cli_session {
  cli_options options;
  cli_failure failure;
  cli_url url;   /* of this hop */
  cli_url first; /* of the first one: whom credentials are for */
  cli_url proxy;
  bool has_proxy;
  bool tls_told;       /* was cli_host_tls called? */
  int32_t tls_refused; /* … and its answer, which a URL of http doesn't care for */
  cli_body_kind body;
  bool no_body;    /* of the response: -I */
  bool expects;    /* this request asks for a 100 by itself */
  bool refused;    /* the answer was a 417 before the body: the same is asked again, without that */
  bool no_expect;  /* a server refused to say that it wants the body */
  bool stdin_used; /* what was read of it can't be read again */
  int32_t upload;  /* the file of -T, above 0 while it is open; or CLI_STDIN */
  uint64_t length; /* of the body, or PORTHOLE_CHUNKED_BODY */
  porthole_client *client;
  cli_url connected_to;
  char tunnel_host[CLI_HOST_MOST];
  char tunnel_authority[CLI_HOST_MOST + 16];
  char proxy_authorization[2 * CLI_CREDENTIALS_MOST];
  const char *tunnel_headers[9];
  cli_output output;
  cli_meter meter;
  cli_result result;
} cli_session;

/** The name of what the session is asked to do. */
const char *cli_method(const cli_session *session);

/** Sends the head of a request. @returns 0, an error of porthole's, or, above 0, an exit code */
int32_t cli_send_head(cli_session *session);

/** The value for a header that has credentials. */
void cli_add_basic(cli_text *to, const char *credentials);

/** Refuses settings of TLS where the host has none. @returns 0 or EXIT_USAGE */
int cli_prepare_tls(cli_session *session);

/** Before a hop by TLS: looks whether it can be spoken as it was asked for. @returns 0 or an exit code */
int cli_check_tls(cli_session *session);

/** What is left of --max-time; negative for no end. */
int32_t cli_time_left(const cli_session *session);

/** Gets the response, and shows its head. @returns 0, an exit code, or below zero an error of porthole's */
int32_t cli_get_response(cli_session *session);

/** Takes what came of the body. @returns above 0 when there was something, 0 at the end, below zero an error; see `code` */
int32_t cli_take_body(cli_session *session, int *code);

/** Opens what -T names. @returns 0 or an exit code */
int cli_open_upload(cli_session *session);

void cli_close_upload(cli_session *session);

/**
 * Sends the body of a request whose head is sent. The peer may answer meanwhile.
 *
 * @param answered receives whether it did, and the head of its response was shown
 * @param code     receives an exit code, or 0
 * @returns 0, or below zero an error of porthole's
 */
int32_t cli_send_body(cli_session *session, bool *answered, int *code);

/** Does what the options say, but for -w. @returns the exit code */
int cli_transfer(cli_session *session);

#endif
