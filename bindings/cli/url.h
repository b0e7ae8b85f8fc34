/* SPDX-License-Identifier: MIT
 *
 * URLs as curl takes them.
 */
#ifndef PORTHOLE_CLI_URL_H
#define PORTHOLE_CLI_URL_H

#include "text.h"

enum {
  CLI_URL_MOST = 8192,         /* bytes of a URL, and of what is sent of it */
  CLI_HOST_MOST = 256,         /* of its host, with the terminator */
  CLI_CREDENTIALS_MOST = 1024, /* of "user:password", with the terminator */
  CLI_PORT_PROXY = 1080,
  CLI_PORT_HTTP = 80,
  CLI_PORT_HTTPS = 443
};

typedef struct cli_url {
  bool tls;
  bool ipv6; /* the host is an address that stood in brackets */
  bool has_credentials;
  uint32_t port;
  char host[CLI_HOST_MOST]; /* without brackets */
  char credentials[CLI_CREDENTIALS_MOST];
  char target[CLI_URL_MOST]; /* "/path?query" */
} cli_url;

/** What kind of URL it is. */
typedef enum cli_url_kind {
  CLI_URL_GIVEN,    /* by the caller: a scheme may be missing, and a space is an error */
  CLI_URL_REDIRECT, /* by a server: spaces are escaped */
  CLI_URL_PROXY     /* port 1080 if there is none */
} cli_url_kind;

/** Exit codes of a URL. */
enum { CLI_URL_UNSUPPORTED = 1, CLI_URL_MALFORMED = 3 };

/** Reads a URL. @returns 0, CLI_URL_UNSUPPORTED for a scheme other than http and https, or CLI_URL_MALFORMED */
int cli_url_read(cli_url *to, porthole_span text, cli_url_kind kind);

/** Resolves what stood in Location (RFC 3986 section 5.2). @param to may be `from`. @returns as cli_url_read */
int cli_url_follow(cli_url *to, const cli_url *from, porthole_span location);

/** For an upload: a path that ends in "/" gets a file's name. @returns 0 or CLI_URL_MALFORMED */
int cli_url_add_name(cli_url *to, const char *path);

/** Adds "host" or "host:port", as the Host header has it. */
void cli_url_add_authority(const cli_url *from, cli_text *to);

/** Adds "http://host:port/path?query". */
void cli_url_add(const cli_url *from, cli_text *to);

/** Is it the same scheme, host and port? */
bool cli_url_same_place(const cli_url *one, const cli_url *other);

#endif
