/* SPDX-License-Identifier: MIT
 *
 * From a URL to its response: connecting, responses, redirects.
 */
#include "cli.h"

enum {
  RECEIVE = 256 * 1024, /* a response's head must fit in it */
  DROPPED = 256 * 1024, /* of the body of a redirect: more of it costs more than another connection */
  INTERIMS = 64 * 1024, /* heads of 1xx that are kept to be shown */
  AGAIN = -1
};

static PORTHOLE_CLIENT_MEMORY(client_memory, RECEIVE);
static uint8_t interims[INTERIMS];

/* ---- errors ---- */

/** The exit code for a peer without an address, or with one that -4 or -6 leaves out. */
static int not_found(const cli_session *session) {
  const cli_url *peer = session->has_proxy ? &session->proxy : &session->url;
  const char *at = peer->host;
  while ((*at >= '0' && *at <= '9') || *at == '.') {
    at++;
  }
  if (peer->ipv6 || *at == '\0') {
    return EXIT_CONNECT;
  }
  return session->has_proxy ? EXIT_PROXY_NOT_FOUND : EXIT_NOT_FOUND;
}

/** The exit code for an error of porthole's. */
static int exit_code(const cli_session *session, int32_t error, bool connecting) {
  switch (error) {
  case PORTHOLE_HOST_NOT_FOUND:
    return not_found(session);
  case PORTHOLE_HOST_TIMED_OUT:
    return EXIT_TIME;
  case PORTHOLE_HOST_TLS_HANDSHAKE:
    return EXIT_TLS;
  case PORTHOLE_HOST_TLS_VERIFY:
    return EXIT_CERTIFICATE;
  case PORTHOLE_HOST_UNSUPPORTED:
    return session->url.tls ? EXIT_TLS : EXIT_CONNECT;
  case PORTHOLE_REMOTE_DISCONNECTED:
    return connecting ? EXIT_RECEIVE : EXIT_EMPTY;
  case PORTHOLE_BODY_CUT:
  case PORTHOLE_TRAILER_CUT:
    return EXIT_PARTIAL;
  case PORTHOLE_BAD_STATUS_LINE:
  case PORTHOLE_UNKNOWN_PROTOCOL:
    return EXIT_UNSUPPORTED;
  case PORTHOLE_BAD_CHUNK:
  case PORTHOLE_HEAD_CUT:
  case PORTHOLE_TUNNEL_REFUSED:
    return EXIT_RECEIVE;
  case PORTHOLE_HOST_RESET:
  case PORTHOLE_HOST_CLOSED:
    if (connecting && session->has_proxy && session->url.tls) {
      return EXIT_RECEIVE; /* the proxy was reached */
    }
    if (!connecting && porthole_client_status(session->client) != 0 && porthole_client_isclosed(session->client)) {
      return EXIT_SEND; /* all that is left is the rest of a body */
    }
    break;
  default:
    break;
  }
  if (error <= -300 && error > -400) {
    return error <= PORTHOLE_EMPTY_HOST || error == PORTHOLE_BAD_URL ? EXIT_MALFORMED : EXIT_USAGE;
  }
  if (error <= -400 && connecting) {
    return EXIT_CONNECT;
  }
  return error > -200 ? EXIT_WEIRD_ANSWER : EXIT_RECEIVE;
}

/** Notes an error of porthole's. @returns its exit code */
static int fail_transfer(cli_session *session, int32_t error, bool connecting) {
  char text[CLI_WORDS_MOST];
  char words[400];
  cli_text more = CLI_TEXT(text);
  int code = exit_code(session, error, connecting);
  if (error == PORTHOLE_HOST_UNSUPPORTED && session->url.tls) {
#ifdef PORTHOLE_CLI_TLS_BUILD
    return cli_fail(&session->failure, code, "https is spoken by " PORTHOLE_CLI_TLS_BUILD ", not by this build", "");
#else
    return cli_fail(&session->failure, code, "this build of the command speaks no TLS", "");
#endif
  }
  bool peer_named = connecting && error != PORTHOLE_TUNNEL_REFUSED;
  if (peer_named) {
    const cli_url *peer = session->has_proxy ? &session->proxy : &session->url;
    cli_add(&more, peer->host);
    cli_add(&more, " port ");
    cli_add_number(&more, peer->port, 0, ' ');
    cli_add(&more, ": ");
  }
  bool told = porthole_client_failure(session->client) == error;
  cli_add(&more, told ? porthole_client_error(session->client, words, sizeof words) : porthole_error_text(error));
  cli_add(&more, cli_host_advice(error));
  if (code == EXIT_TIME) {
    cli_add(&more, " after ");
    cli_add_number(&more, porthole_host_now() - session->meter.started, 0, ' ');
    cli_add(&more, " ms with ");
    cli_add_number(&more, session->result.downloaded, 0, ' ');
    cli_add(&more, " bytes received");
  }
  return cli_fail(&session->failure, code, peer_named ? "connecting to " : "", text);
}

/* ---- heads ---- */

/** Shows a head as it came, where that is wanted. @returns 0 or EXIT_WRITE */
static int show_head(cli_session *session, porthole_span head) {
  if (session->options.verbose) {
    cli_tell_lines("< ", head);
  }
  bool wanted = session->options.include || session->no_body;
  return wanted ? cli_write(&session->output, head, &session->failure) : 0;
}

static int show_interims(cli_session *session) {
  porthole_interim interim;
  int error = 0;
  for (uint32_t i = 0; error == 0 && porthole_client_interim(session->client, i, &interim) > 0; i++) {
    error = show_head(session, interim.head);
  }
  return error;
}

static int show_heads(cli_session *session) {
  int error = show_interims(session);
  return error != 0 ? error : show_head(session, porthole_client_head(session->client));
}

static int show_trailers(cli_session *session) {
  static const uint8_t between[] = {':', ' '};
  static const uint8_t end[] = {'\r', '\n'};
  porthole_field field;
  int error = 0;
  for (uint32_t i = 0; error == 0 && porthole_client_trailer(session->client, i, &field) > 0; i++) {
    const porthole_span parts[] = {field.name, {between, sizeof between}, field.value, {end, sizeof end}};
    for (size_t part = 0; error == 0 && part < sizeof parts / sizeof *parts; part++) {
      error = session->options.include ? cli_write(&session->output, parts[part], &session->failure) : 0;
    }
  }
  return error;
}

/* ---- connecting ---- */

/** Says what the proxy is asked for: the headers in curl's order. */
static void set_tunnel(cli_session *session) {
  const char **header = session->tunnel_headers;
  const char *agent = session->options.agent;
  cli_text host = CLI_TEXT(session->tunnel_host);
  cli_add(&host, session->url.host);
  cli_text authority = CLI_TEXT(session->tunnel_authority);
  cli_add(&authority, session->url.ipv6 ? "[" : "");
  cli_add(&authority, session->tunnel_host);
  cli_add(&authority, session->url.ipv6 ? "]:" : ":");
  cli_add_number(&authority, session->url.port, 0, ' ');
  *header++ = "Host";
  *header++ = session->tunnel_authority;
  if (session->proxy.has_credentials) {
    *header++ = "Proxy-Authorization";
    *header++ = session->proxy_authorization;
  }
  if (agent == NULL || agent[0] != '\0') {
    *header++ = "User-Agent";
    *header++ = agent != NULL ? agent : "porthole/" PORTHOLE_VERSION;
  }
  *header++ = "Proxy-Connection";
  *header++ = "Keep-Alive";
  *header = NULL;
  porthole_client_set_tunnel(session->client, session->tunnel_host, session->url.port, session->tunnel_headers);
  if (session->options.verbose) {
    cli_tell_request("CONNECT", session->tunnel_authority);
    for (header = session->tunnel_headers; *header != NULL; header += 2) {
      cli_tell_header(header[0], header[1]);
    }
    cli_tell("> \n");
  }
}

int32_t cli_time_left(const cli_session *session) {
  uint32_t whole = (uint32_t)session->options.time_ms;
  uint32_t gone = porthole_host_now() - session->meter.started;
  return whole == 0 ? -1 : gone < whole ? (int32_t)(whole - gone) : 0;
}

/** A client for this hop: that of the hop before, where it is connected to the same. */
static void choose_client(cli_session *session) {
  const cli_url *peer = session->has_proxy && !session->url.tls ? &session->proxy : &session->url;
  if (session->client != NULL && cli_url_same_place(&session->connected_to, peer)) {
    return;
  }
  if (session->client != NULL) {
    porthole_client_close(session->client);
  }
  session->connected_to = *peer;
  peer = session->has_proxy ? &session->proxy : &session->url;
  session->client = porthole_client_init(client_memory, sizeof client_memory, peer->host, peer->port);
  porthole_client_set_family(session->client, (uint32_t)session->options.family);
  porthole_client_keep_interim(session->client, interims, sizeof interims);
  if (session->url.tls) {
    porthole_client_use_tls(session->client);
    if (session->has_proxy) {
      set_tunnel(session);
    }
  }
}

static void tell_connection(cli_session *session) {
  char address[PORTHOLE_INFO_MOST];
  size_t length = porthole_client_info(session->client, PORTHOLE_INFO_PEER, address, sizeof address);
  cli_tell("* Connected to ");
  cli_host_write(CLI_STDERR, address, length);
  cli_tell("\n");
}

/** Connects within --connect-timeout, which is for all of it, and what is left of --max-time. @returns as porthole_client_connect */
static int32_t connect_in_time(cli_session *session) {
  int32_t limit = session->options.connect_ms;
  int32_t left = cli_time_left(session);
  bool sooner = limit > 0 && (left < 0 || limit < left);
  porthole_client_set_deadline(session->client, sooner ? limit : left);
  int32_t error = porthole_client_connect(session->client);
  porthole_client_set_deadline(session->client, cli_time_left(session));
  return error;
}

/** Connects for this hop, if need be. @returns 0 or an exit code */
static int connect_hop(cli_session *session) {
  int refused = session->url.tls ? cli_check_tls(session) : 0;
  if (refused != 0) {
    return refused;
  }
  const cli_url *peer = session->has_proxy ? &session->proxy : &session->url;
  if (peer->port == 0 || (session->url.tls && session->url.port == 0)) {
    return cli_fail(&session->failure, EXIT_CONNECT, "nobody can be connected to at port 0 of ", peer->host);
  }
  choose_client(session);
  int32_t before = porthole_client_handle(session->client);
  int32_t error = connect_in_time(session);
  if (session->options.verbose && error == 0 && porthole_client_handle(session->client) != before) {
    tell_connection(session);
  }
  porthole_span answer = porthole_client_tunnel_head(session->client);
  int shown = 0;
  if (error == PORTHOLE_TUNNEL_REFUSED) {
    shown = show_heads(session);
  } else if (answer.length > 0) {
    shown = show_head(session, answer);
  }
  return error != 0 ? fail_transfer(session, error, true) : shown;
}

/* ---- the response ---- */

int32_t cli_get_response(cli_session *session) {
  int32_t status = porthole_client_getresponse(session->client);
  if (status < 0) {
    return status;
  }
  session->result.status = (uint32_t)status;
  uint64_t length = 0;
  porthole_span text = porthole_client_getheader(session->client, "Content-Length");
  for (size_t i = 0; i < text.length && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
    length = length * 10 + (uint64_t)(text.data[i] - '0');
  }
  session->meter.download = session->no_body ? 0 : length;
  return show_heads(session);
}

/** Is this response only the way to another? */
static bool leads_on(const cli_session *session) {
  uint32_t status = porthole_client_status(session->client);
  return session->options.location && status >= 300 && status < 400 &&
         porthole_client_getheader(session->client, "Location").data != NULL;
}

/** Does -f end here? */
static bool is_failure(const cli_session *session) { return session->options.fail && session->result.status >= 400; }

/** Is its body for nobody? */
static bool is_dropped(const cli_session *session) {
  return leads_on(session) || session->refused || is_failure(session);
}

int32_t cli_take_body(cli_session *session, int *code) {
  porthole_span bytes;
  int32_t got = porthole_client_peek(session->client, &bytes);
  if (got > 0) {
    if (!is_dropped(session)) {
      session->result.downloaded += bytes.length;
      session->meter.downloaded += bytes.length;
      *code = cli_write(&session->output, bytes, &session->failure);
    }
    porthole_client_skip(session->client, bytes.length);
    cli_meter_tick(&session->meter);
  }
  return got;
}

/**
 * Takes all of the body that is still to come.
 *
 * @param drop is it for nobody? Then it is read for the connection, which another request follows on
 * @param left receives whether it was left, as no request can follow, or for its size: the connection is to be closed
 * @returns 0 or an exit code
 */
static int read_body(cli_session *session, bool drop, bool *left) {
  bool bodiless = session->no_body && !cli_same(cli_method(session), "HEAD"); /* -I -X GET */
  if (is_failure(session) && !session->refused) {
    char status[8];
    cli_text text = CLI_TEXT(status);
    cli_add_number(&text, session->result.status, 0, ' ');
    porthole_client_close(session->client);
    return cli_fail(&session->failure, EXIT_STATUS, "The requested URL returned error: ", status);
  }
  *left = bodiless || (drop && porthole_client_will_close(session->client));
  if (*left) {
    return 0;
  }
  int code = 0;
  int32_t got;
  uint64_t all = 0;
  do {
    got = cli_take_body(session, &code);
    all += got > 0 ? (uint64_t)got : 0;
    *left = drop && all > DROPPED;
  } while (got > 0 && code == 0 && !*left);
  if (*left) {
    return code;
  }
  if (got < 0) {
    return fail_transfer(session, got, false);
  }
  code = code != 0 ? code : show_trailers(session);
  int32_t unsent = porthole_client_stopped(session->client);
  return code == 0 && unsent < 0 ? fail_transfer(session, unsent, false) : code;
}

/* ---- hops ---- */

/** Was a connection found dead that had served before? Then nothing was answered, and another is made. */
static bool was_dead(cli_session *session, int32_t error, bool reused) {
  bool gone = error == PORTHOLE_REMOTE_DISCONNECTED || error == PORTHOLE_HOST_RESET || error == PORTHOLE_HOST_CLOSED;
  return reused && gone && porthole_client_bytes_received(session->client) == 0 && !session->stdin_used;
}

/** One request and its response, but for the body of that. @returns 0, an exit code, or AGAIN */
static int ask(cli_session *session) {
  int code = session->body == CLI_BODY_FILE && session->upload < 0 ? cli_open_upload(session) : 0;
  if (session->body == CLI_BODY_DATA) {
    session->length = session->options.data_length;
  }
  if (code != 0) {
    return code;
  }
  bool answered = false;
  session->result.uploaded = session->meter.uploaded = 0;
  session->refused = false;
  int32_t before = session->client != NULL ? porthole_client_handle(session->client) : 0;
  code = connect_hop(session);
  if (code != 0) {
    return code;
  }
  bool reused = before != 0 && porthole_client_handle(session->client) == before;
  int32_t error = cli_send_head(session);
  if (error == 0 && session->body != CLI_BODY_NONE) {
    error = cli_send_body(session, &answered, &code);
  }
  cli_close_upload(session);
  if (error == 0 && code == 0 && !answered) {
    error = cli_get_response(session);
    code = error > 0 ? error : 0;
  }
  if (error < 0 && was_dead(session, error, reused)) {
    porthole_client_close(session->client);
    return AGAIN;
  }
  return error < 0 ? fail_transfer(session, error, false) : code;
}

/** Sets what the next hop is. @returns 0 or an exit code */
static int follow(cli_session *session) {
  uint32_t status = session->result.status;
  if (session->options.redirects >= 0 && session->result.redirects >= (uint32_t)session->options.redirects) {
    char number[16];
    cli_text text = CLI_TEXT(number);
    cli_add_number(&text, session->result.redirects, 0, ' ');
    cli_add(&text, ")");
    return cli_fail(&session->failure, EXIT_REDIRECTS, "too many redirects (", number);
  }
  int error = cli_url_follow(&session->url, &session->url, porthole_client_getheader(session->client, "Location"));
  if (error != 0) {
    return cli_fail(&session->failure, error, "a redirect leads to what is no URL of http or https", "");
  }
  session->result.redirects++;
  if (status == 303 || ((status == 301 || status == 302) && session->body == CLI_BODY_DATA)) {
    session->body = CLI_BODY_NONE;
  }
  return 0;
}

static int run_hops(cli_session *session) {
  bool on;
  int code;
  do {
    do {
      cli_meter_tick(&session->meter);
      code = ask(session);
    } while (code == AGAIN);
    if (code != 0) {
      return code;
    }
    bool again = session->refused;
    on = leads_on(session) || again;
    bool left = false;
    code = read_body(session, on, &left);
    if (code == 0 && on && !again) {
      code = follow(session);
    }
    if (left) {
      porthole_client_close(session->client);
    }
    session->no_expect = session->no_expect || again;
  } while (code == 0 && on);
  return code;
}

/* ---- the whole ---- */

/** What is asked for, out of the options. @returns 0 or an exit code */
static int prepare(cli_session *session) {
  const cli_options *options = &session->options;
  porthole_span url = porthole_text(options->url);
  int error = cli_url_read(&session->url, url, CLI_URL_GIVEN);
  if (error != 0) {
    return cli_fail(&session->failure, error,
                    error == EXIT_MALFORMED ? "this is no URL: " : "this URL is not of http or https: ", options->url);
  }
  if (options->proxy != NULL && options->proxy[0] != '\0') {
    error = cli_url_read(&session->proxy, porthole_text(options->proxy), CLI_URL_PROXY);
    if (error != 0 || session->proxy.tls) {
      return cli_fail(&session->failure, error == EXIT_MALFORMED ? EXIT_PROXY_NOT_FOUND : EXIT_CONNECT,
                      "this is no proxy of http: ", options->proxy);
    }
    session->has_proxy = true;
    cli_text text = CLI_TEXT(session->proxy_authorization);
    cli_add_basic(&text, session->proxy.credentials);
  }
  session->body = options->upload != NULL ? CLI_BODY_FILE : options->data != NULL ? CLI_BODY_DATA : CLI_BODY_NONE;
  session->no_body = options->head != 0;
  if ((options->upload != NULL) + (options->data != NULL) + session->no_body > 1) {
    return cli_fail(&session->failure, EXIT_USAGE, "only one of -d, -T and -I can be asked for", "");
  }
  if (options->upload != NULL && !cli_same(options->upload, "-")) {
    error = cli_url_add_name(&session->url, options->upload);
    if (error != 0) {
      return cli_fail(&session->failure, error, "the URL is too long with this name: ", options->upload);
    }
  }
  session->first = session->url;
  return cli_prepare_tls(session);
}

int cli_transfer(cli_session *session) {
  const char *path = session->options.output;
  session->meter.started = session->meter.told = porthole_host_now();
  session->upload = CLI_FAILED;
  session->output = (cli_output){path != NULL && cli_same(path, "-") ? NULL : path, CLI_STDOUT, false};
  session->meter.shown = !session->options.silent && (session->output.path != NULL || !cli_host_terminal(CLI_STDOUT));
  int code = prepare(session);
  if (code == 0) {
    code = run_hops(session);
  }
  cli_close_upload(session);
  if (session->client != NULL) {
    porthole_client_close(session->client);
  }
  int written = cli_end_output(&session->output, code == 0, code == 0 ? &session->failure : &(cli_failure){0});
  cli_meter_end(&session->meter);
  session->result.code = code != 0 ? code : written;
  session->result.ms = porthole_host_now() - session->meter.started;
  return session->result.code;
}
