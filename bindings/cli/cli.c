/* SPDX-License-Identifier: MIT
 *
 * The command `porthole`: a client for HTTP with curl's options, output and exit codes. Everything of the protocol is done by
 * porthole/client.h, everything of the system by cli_host.h.
 */
#include "cli.h"

/** Tells why the command fails. */
static void tell_failure(const cli_failure *failure) {
  char text[CLI_WORDS_MOST + 64];
  cli_text line = CLI_TEXT(text);
  cli_add(&line, "porthole: ");
  if (failure->code != EXIT_USAGE) {
    cli_add(&line, "(");
    cli_add_number(&line, (uint64_t)failure->code, 0, ' ');
    cli_add(&line, ") ");
  }
  cli_add(&line, failure->words);
  cli_add(&line, "\n");
  cli_tell(text);
  if (failure->code == EXIT_USAGE) {
    cli_tell("porthole: try 'porthole --help' for more information\n");
  }
}

/** Writes what is asked for instead of a response. */
static int write_text(cli_failure *failure, const char *text) {
  if (cli_host_write(CLI_STDOUT, text, cli_length(text)) == 0 && cli_host_close(CLI_STDOUT) == 0) {
    return 0;
  }
  return cli_fail(failure, EXIT_WRITE, "can't write to standard output: ", cli_host_words());
}

/** What --version shows. */
static const char version_text[] = "porthole " PORTHOLE_VERSION "\n"
#ifdef PORTHOLE_CLI_TLS
                                   "Protocols: http https\n"
#else
                                   "Protocols: http\n"
#endif
                                   "Features: IPv6\n";

/** Does what the options say, to the last flush. @returns the exit code */
static int run(cli_session *session) {
  cli_failure later = {0, ""};
  int code = cli_transfer(session);
  if (session->options.write_out != NULL) {
    int written = cli_write_out(session->options.write_out, &session->result, &later);
    code = code != 0 ? code : written;
  }
  if (cli_host_close(CLI_STDOUT) != 0) {
    cli_fail(&later, EXIT_WRITE, "can't write to standard output: ", cli_host_words());
  }
  if (code == 0) {
    code = later.code;
    session->failure = later;
  }
  return code;
}

int cli_main(const char *const *arguments) {
  static cli_session session;
  __builtin_memset(&session, 0, sizeof session); /* it can be called again */
  int code = cli_read_options(&session.options, arguments, &session.failure);
  if (code == 0 && (session.options.help || session.options.version)) {
    code = write_text(&session.failure, session.options.help ? cli_help_text() : version_text);
  } else if (code == 0 && session.options.url == NULL) {
    code = cli_fail(&session.failure, EXIT_USAGE, "no URL specified!", "");
  } else if (code == 0) {
    code = run(&session);
  }
  bool quiet = session.options.silent && !session.options.show_error && code != EXIT_USAGE;
  if (code != 0 && !quiet) {
    tell_failure(&session.failure);
  }
  return code;
}
