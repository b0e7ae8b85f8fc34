/* SPDX-License-Identifier: MIT
 *
 * The head of a request, in curl's order: Host, credentials, what curl sends by itself, the caller's own, what frames the body.
 */
#include "cli.h"

#ifndef PORTHOLE_VERSION
#error "PORTHOLE_VERSION is set by the build"
#endif

enum { EXPECT_ABOVE = 1024 * 1024, VALUE_MOST = 2 * CLI_CREDENTIALS_MOST };

/** A header of -H: "name: value", "name:" or "name;". */
typedef struct given {
  porthole_span name;
  porthole_span value; /* without white space around it */
  bool sent;           /* has it a value, or says it that it shall be sent without one? */
} given;

static bool is_space(char c) { return c == ' ' || c == '\t'; }

/** Reads what -H says. @returns false when it is no header, as curl takes it */
static bool read_given(const char *text, given *to) {
  size_t name = 0;
  while (text[name] != '\0' && text[name] != ':' && text[name] != ';') {
    name++;
  }
  if (text[name] == '\0' || name == 0) {
    return false;
  }
  size_t start = name + 1;
  while (is_space(text[start])) {
    start++;
  }
  size_t end = start + cli_length(text + start);
  while (end > start && is_space(text[end - 1])) {
    end--;
  }
  if (text[name] == ';' && end > start) {
    return false;
  }
  *to = (given){{(const uint8_t *)text, name}, {(const uint8_t *)text + start, end - start}, false};
  to->sent = text[name] == ';' || end > start;
  return true;
}

/** Finds what -H says of a header. @returns is there something? */
static bool find_given(const cli_session *session, const char *name, given *found) {
  for (uint32_t i = 0; i < session->options.headers_count; i++) {
    if (read_given(session->options.headers[i], found) && cli_same_word(found->name, name)) {
      return true;
    }
  }
  return false;
}

static bool is_given(const cli_session *session, const char *name) {
  given any;
  return find_given(session, name, &any);
}

const char *cli_method(const cli_session *session) {
  if (session->options.method != NULL) {
    return session->options.method;
  }
  if (session->no_body) {
    return "HEAD";
  }
  return session->body == CLI_BODY_FILE ? "PUT" : session->body == CLI_BODY_DATA ? "POST" : "GET";
}

/* ---- lines ---- */

static int32_t put(cli_session *session, const char *name, const char *value) {
  int32_t error = porthole_client_putheader(session->client, name, value);
  if (error == 0 && session->options.verbose) {
    cli_tell_header(name, value);
  }
  return error;
}

/** The same, unless -H says something of it. */
static int32_t put_own(cli_session *session, const char *name, const char *value) {
  return is_given(session, name) ? 0 : put(session, name, value);
}

/** Copies what -H says, and sends it. */
static int32_t put_given(cli_session *session, const given *header) {
  static char name[CLI_URL_MOST];
  static char value[CLI_URL_MOST];
  cli_text name_text = CLI_TEXT(name);
  cli_text value_text = CLI_TEXT(value);
  cli_add_span(&name_text, header->name);
  cli_add_span(&value_text, header->value);
  if (name_text.cut || value_text.cut) {
    return PORTHOLE_REQUEST_TOO_LARGE;
  }
  return put(session, name, value);
}

static int32_t put_host(cli_session *session) {
  given host;
  if (find_given(session, "Host", &host)) {
    return host.sent ? put_given(session, &host) : 0;
  }
  char authority[CLI_HOST_MOST + 16];
  cli_text text = CLI_TEXT(authority);
  cli_url_add_authority(&session->url, &text);
  return put(session, "Host", authority);
}

void cli_add_basic(cli_text *to, const char *credentials) {
  cli_add(to, "Basic ");
  cli_add_base64(to, (porthole_span){(const uint8_t *)credentials, cli_length(credentials)});
}

/** Adds the credentials for this hop: there are some for the place of the first URL only. @returns are there any? */
static bool add_credentials(const cli_session *session, cli_text *to) {
  const char *user = session->options.user;
  const cli_url *from = session->url.has_credentials ? &session->url : &session->first;
  if (!cli_url_same_place(&session->url, &session->first) || (user == NULL && !from->has_credentials)) {
    return false;
  }
  const char *text = user != NULL ? user : from->credentials;
  bool colon = false;
  for (const char *at = text; *at != '\0'; at++) {
    colon = colon || *at == ':';
  }
  cli_add(to, text);
  cli_add(to, colon ? "" : ":");
  return true;
}

static int32_t put_credentials(cli_session *session) {
  char credentials[CLI_CREDENTIALS_MOST];
  char value[VALUE_MOST];
  cli_text credentials_text = CLI_TEXT(credentials);
  cli_text value_text = CLI_TEXT(value);
  int32_t error = 0;
  if (session->has_proxy && !session->url.tls && session->proxy.has_credentials) {
    error = put_own(session, "Proxy-Authorization", session->proxy_authorization);
  }
  if (error == 0 && add_credentials(session, &credentials_text)) {
    cli_add_basic(&value_text, credentials);
    error = credentials_text.cut ? PORTHOLE_REQUEST_TOO_LARGE : put_own(session, "Authorization", value);
  }
  return error;
}

static int32_t put_defaults(cli_session *session) {
  const char *agent = session->options.agent;
  int32_t error = 0;
  if (agent == NULL || agent[0] != '\0') {
    error = put_own(session, "User-Agent", agent != NULL ? agent : "porthole/" PORTHOLE_VERSION);
  }
  error = error != 0 ? error : put_own(session, "Accept", "*/*");
  if (error == 0 && session->has_proxy && !session->url.tls) {
    error = put_own(session, "Proxy-Connection", "Keep-Alive");
  }
  return error;
}

/** Is it for the first server only? */
static bool is_secret(porthole_span name) {
  return cli_same_word(name, "Authorization") || cli_same_word(name, "Cookie");
}

static int32_t put_all_given(cli_session *session) {
  bool trusted = cli_url_same_place(&session->url, &session->first);
  int32_t error = 0;
  for (uint32_t i = 0; error == 0 && i < session->options.headers_count; i++) {
    given header;
    bool there = read_given(session->options.headers[i], &header) && header.sent;
    if (there && !cli_same_word(header.name, "Host") && (trusted || !is_secret(header.name))) {
      error = put_given(session, &header);
    }
  }
  return error;
}

/* ---- the body's ---- */

/** Does -H say that the body is chunked? */
static bool is_chunked(const cli_session *session) {
  given encoding;
  return find_given(session, "Transfer-Encoding", &encoding) && cli_same_word(encoding.value, "chunked");
}

/** Shall the server say first that it wants the body? */
static bool expects(const cli_session *session) {
  bool large = session->body == CLI_BODY_FILE ? session->length > 0 : session->options.data_length > EXPECT_ABOVE;
  return large && !session->no_expect;
}

static int32_t put_length(cli_session *session) {
  char digits[24];
  cli_text text = CLI_TEXT(digits);
  cli_add_number(&text, session->length, 0, ' ');
  return put_own(session, "Content-Length", digits);
}

static int32_t put_body(cli_session *session) {
  int32_t error = session->length == PORTHOLE_CHUNKED_BODY ? 0 : put_length(session);
  if (error == 0 && session->body == CLI_BODY_DATA) {
    error = put_own(session, "Content-Type", "application/x-www-form-urlencoded");
  }
  session->expects = expects(session) && !is_given(session, "Expect");
  if (error == 0 && session->expects) {
    error = put(session, "Expect", "100-continue");
  }
  return error;
}

int32_t cli_send_head(cli_session *session) {
  static char url[CLI_URL_MOST + CLI_HOST_MOST + 32];
  const char *method = cli_method(session);
  cli_text target = CLI_TEXT(url);
  if (session->has_proxy && !session->url.tls) {
    cli_url_add(&session->url, &target);
  } else {
    cli_add(&target, session->url.target);
  }
  if (session->body != CLI_BODY_NONE && is_chunked(session)) {
    session->length = PORTHOLE_CHUNKED_BODY;
  }
  porthole_client_expect_continue(session->client, session->body != CLI_BODY_NONE ? 1000 : -1);
  int32_t error = porthole_client_putrequest(session->client, method, url,
                                             PORTHOLE_SKIP_HOST | PORTHOLE_SKIP_ACCEPT_ENCODING);
  if (error == 0 && session->options.verbose) {
    cli_tell_request(method, url);
  }
  error = error != 0 ? error : put_host(session);
  error = error != 0 ? error : put_credentials(session);
  error = error != 0 ? error : put_defaults(session);
  if (error == 0 && session->body != CLI_BODY_NONE && session->length == PORTHOLE_CHUNKED_BODY) {
    error = put_own(session, "Transfer-Encoding", "chunked");
  }
  error = error != 0 ? error : put_all_given(session);
  if (error == 0 && session->body != CLI_BODY_NONE) {
    error = put_body(session);
  }
  if (error != 0) {
    return error;
  }
  if (session->options.verbose) {
    cli_tell("> \n");
  }
  return session->body != CLI_BODY_NONE ? porthole_client_beginbody(session->client, session->length)
                                        : porthole_client_endheaders(session->client, NULL, 0);
}
