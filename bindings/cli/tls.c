/* SPDX-License-Identifier: MIT
 *
 * How TLS is to be spoken. The host has TLS, and reads the files: when TLS is spoken first, as in curl.
 */
#include "cli.h"

/** Says how TLS is to be spoken, once. */
static void tell_tls(cli_session *session) {
  if (!session->tls_told) {
    session->tls_told = true;
    session->tls_refused = cli_host_tls(&session->options.tls);
  }
}

int cli_check_tls(cli_session *session) {
  tell_tls(session);
  if (session->tls_refused == 0 || session->tls_refused == CLI_TLS_UNSUPPORTED) {
    return 0;
  }
  int code = session->tls_refused == CLI_TLS_BAD_CA ? EXIT_CA : EXIT_OWN_CERTIFICATE;
  const char *what = code == EXIT_CA ? "can't trust what --cacert names: " : "can't use what --cert and --key name: ";
  return cli_fail(&session->failure, code, what, cli_host_words());
}

int cli_prepare_tls(cli_session *session) {
  const cli_tls *tls = &session->options.tls;
  if (tls->ca == NULL && tls->certificate == NULL && tls->key == NULL && tls->insecure == 0) {
    return 0;
  }
  tell_tls(session);
  return session->tls_refused != CLI_TLS_UNSUPPORTED
             ? 0
             : cli_fail(&session->failure, EXIT_USAGE,
                        "--cacert, --cert, --key and --insecure are for the command of npm, not for this build", "");
}
