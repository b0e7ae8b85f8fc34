/* SPDX-License-Identifier: MIT */
#include "url.h"

static porthole_span between(const uint8_t *start, const uint8_t *end) {
  return (porthole_span){start, (size_t)(end - start)};
}

static bool is_one_of(uint8_t byte, const char *set) {
  while (*set != '\0' && (uint8_t)*set != byte) {
    set++;
  }
  return *set != '\0';
}

/** The first byte of a set, or the end. */
static const uint8_t *find_any(const uint8_t *at, const uint8_t *end, const char *set) {
  while (at < end && !is_one_of(*at, set)) {
    at++;
  }
  return at;
}

static bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

/** The end of a scheme in front, where its colon is; NULL when there is none. */
static const uint8_t *find_scheme(porthole_span text) {
  const uint8_t *end = text.data + text.length;
  const uint8_t *at = text.data;
  if (at == end || !is_letter(*at)) {
    return NULL;
  }
  while (at < end && (is_letter(*at) || (*at >= '0' && *at <= '9') || is_one_of(*at, "+-."))) {
    at++;
  }
  return at < end && *at == ':' ? at : NULL;
}

static bool begins_with(porthole_span text, const char *word) {
  size_t length = cli_length(word);
  return text.length >= length && cli_same_word((porthole_span){text.data, length}, word);
}

/** Is it the name of a server that curl guesses to speak something else? */
static bool seems_other(porthole_span authority) {
  static const char *const names[] = {"ftp.", "dict.", "ldap.", "imap.", "smtp.", "pop3."};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (begins_with(authority, names[i])) {
      return true;
    }
  }
  return false;
}

/** Reads the scheme and the slashes behind it. @returns 0 or an exit code; `*at` is behind them */
static int read_scheme(cli_url *to, porthole_span text, cli_url_kind kind, const uint8_t **at) {
  const uint8_t *end = text.data + text.length;
  const uint8_t *colon = find_scheme(text);
  bool guess = kind != CLI_URL_REDIRECT;
  *at = text.data;
  to->tls = false;
  if (colon == NULL || (guess && (end - colon < 2 || colon[1] != '/'))) {
    return guess && seems_other(text) ? CLI_URL_UNSUPPORTED : 0;
  }
  const uint8_t *rest = colon + 1;
  while (rest < end && *rest == '/') {
    rest++;
  }
  if (rest - colon < 2 || rest - colon > 4) { /* one to three slashes */
    return CLI_URL_MALFORMED;
  }
  *at = rest;
  to->tls = cli_same_word(between(text.data, colon), "https");
  return to->tls || cli_same_word(between(text.data, colon), "http") ? 0 : CLI_URL_UNSUPPORTED;
}

/** Reads "user:password". */
static bool read_credentials(cli_url *to, porthole_span text) {
  const uint8_t *end = text.data + text.length;
  const uint8_t *colon = find_any(text.data, end, ":");
  cli_text made = CLI_TEXT(to->credentials);
  bool sound = cli_add_unescaped(&made, between(text.data, colon));
  cli_add_byte(&made, ':');
  if (colon < end) {
    sound = cli_add_unescaped(&made, between(colon + 1, end)) && sound;
  }
  return sound && !made.cut;
}

static bool read_port(cli_url *to, porthole_span digits) {
  uint32_t port = 0;
  for (size_t i = 0; i < digits.length; i++) {
    if (digits.data[i] < '0' || digits.data[i] > '9') {
      return false;
    }
    port = port * 10 + (uint32_t)(digits.data[i] - '0');
    if (port > UINT16_MAX) {
      return false;
    }
  }
  to->port = port;
  return true;
}

/** Reads "host", "host:port" or "[address]:port". */
static bool read_host(cli_url *to, porthole_span text) {
  const uint8_t *end = text.data + text.length;
  const uint8_t *start = text.data;
  const uint8_t *stop;
  const uint8_t *rest;
  to->ipv6 = start < end && *start == '[';
  if (to->ipv6) {
    stop = find_any(++start, end, "]");
    if (stop == end) {
      return false;
    }
    rest = stop + 1;
  } else {
    stop = rest = find_any(start, end, ":");
  }
  if (rest < end && (*rest != ':' || (end - rest > 1 && !read_port(to, between(rest + 1, end))))) {
    return false;
  }
  cli_text host = CLI_TEXT(to->host);
  for (const uint8_t *at = start; at < stop; at++) {
    bool zone = to->ipv6 && *at == '%'; /* "%25eth0", or "%eth0" */
    if (*at >= 0x80 || is_one_of(*at, " /:#?!@{}[]\\$'\"^`*<>=;,|") != (to->ipv6 && *at == ':')) {
      return false;
    }
    cli_add_byte(&host, (char)*at);
    at += zone && stop - at > 3 && at[1] == '2' && at[2] == '5' ? 2 : 0;
  }
  return host.length > 0 && !host.cut;
}

/** Adds a path without its dot segments (RFC 3986 section 5.2.4). */
static void add_path(cli_text *to, porthole_span path) {
  const uint8_t *end = path.data + path.length;
  const uint8_t *at = path.data;
  size_t start = to->length;
  do { /* a segment begins with its slash, also where that is missing */
    at += at < end && *at == '/';
    const uint8_t *next = find_any(at, end, "/");
    bool one = next - at == 1 && at[0] == '.';
    bool two = next - at == 2 && at[0] == '.' && at[1] == '.';
    if (two) {
      while (to->length > start && to->at[--to->length] != '/') {
      }
      to->at[to->length] = '\0';
    }
    if (!one && !two) {
      cli_add_byte(to, '/');
    } else if (next == end) {
      cli_add_byte(to, '/');
    }
    for (; !one && !two && at < next; at++) {
      if (*at == ' ' || *at >= 0x80) {
        cli_add_escaped(to, *at);
      } else {
        cli_add_byte(to, (char)*at);
      }
    }
    at = next;
  } while (at < end);
}

static void add_query(cli_text *to, porthole_span query) {
  for (size_t i = 0; i < query.length; i++) {
    if (query.data[i] >= 0x80) {
      cli_add_escaped(to, query.data[i]);
    } else {
      cli_add_byte(to, (char)(query.data[i] == ' ' ? '+' : query.data[i]));
    }
  }
}

/** What is behind the host. */
static bool read_target(cli_url *to, const uint8_t *at, const uint8_t *end) {
  const uint8_t *stop = find_any(at, end, "#");
  const uint8_t *query = find_any(at, stop, "?");
  cli_text target = CLI_TEXT(to->target);
  add_path(&target, between(at, query));
  add_query(&target, between(query, stop));
  return !target.cut;
}

int cli_url_read(cli_url *to, porthole_span text, cli_url_kind kind) {
  if (text.length == 0 || text.length > CLI_URL_MOST) {
    return CLI_URL_MALFORMED;
  }
  for (size_t i = 0; i < text.length; i++) {
    uint8_t byte = text.data[i];
    if (byte < ' ' || byte == 0x7F || (byte == ' ' && kind != CLI_URL_REDIRECT)) {
      return CLI_URL_MALFORMED;
    }
  }
  const uint8_t *end = text.data + text.length;
  const uint8_t *at;
  int error = read_scheme(to, text, kind, &at);
  if (error != 0) {
    return error;
  }
  to->port = to->tls ? CLI_PORT_HTTPS : kind == CLI_URL_PROXY ? CLI_PORT_PROXY : CLI_PORT_HTTP;
  const uint8_t *path = find_any(at, end, "/?#");
  const uint8_t *host = find_any(at, path, "@");
  to->has_credentials = host < path;
  if (to->has_credentials && !read_credentials(to, between(at, host++))) {
    return CLI_URL_MALFORMED;
  }
  host = to->has_credentials ? host : at;
  return read_host(to, between(host, path)) && read_target(to, path, end) ? 0 : CLI_URL_MALFORMED;
}

static bool is_default_port(const cli_url *url) { return url->port == (url->tls ? CLI_PORT_HTTPS : CLI_PORT_HTTP); }

void cli_url_add_authority(const cli_url *from, cli_text *to) {
  cli_add(to, from->ipv6 ? "[" : "");
  for (const char *at = from->host; *at != '\0' && *at != '%'; at++) { /* a zone means nothing elsewhere */
    cli_add_byte(to, *at);
  }
  cli_add(to, from->ipv6 ? "]" : "");
  if (!is_default_port(from)) {
    cli_add_byte(to, ':');
    cli_add_number(to, from->port, 0, ' ');
  }
}

/** "http://host:port", so that it can be read again. */
static void add_origin(const cli_url *from, cli_text *to) {
  cli_add(to, from->tls ? "https://" : "http://");
  cli_url_add_authority(from, to);
}

void cli_url_add(const cli_url *from, cli_text *to) {
  add_origin(from, to);
  cli_add(to, from->target);
}

int cli_url_follow(cli_url *to, const cli_url *from, porthole_span location) {
  static char text[CLI_URL_MOST + CLI_HOST_MOST + 32];
  static cli_url next;
  cli_text made = CLI_TEXT(text);
  const uint8_t *target = (const uint8_t *)from->target;
  const uint8_t *target_end = target + cli_length(from->target);
  const uint8_t *path_end = find_any(target, target_end, "?");
  uint8_t first = location.length > 0 ? location.data[0] : '#';
  if (find_scheme(location) != NULL) {
    made.length = 0; /* it is whole */
  } else if (first == '/' && location.length > 1 && location.data[1] == '/') {
    cli_add(&made, from->tls ? "https:" : "http:");
  } else {
    add_origin(from, &made);
    if (first == '#') {
      cli_add(&made, from->target);
    } else if (first == '?') {
      cli_add_span(&made, between(target, path_end));
    } else if (first != '/') {
      while (path_end > target && path_end[-1] != '/') {
        path_end--;
      }
      cli_add_span(&made, between(target, path_end));
    }
  }
  cli_add_span(&made, location);
  int error = made.cut ? CLI_URL_MALFORMED
                       : cli_url_read(&next, (porthole_span){(const uint8_t *)text, made.length}, CLI_URL_REDIRECT);
  if (error == 0) {
    *to = next;
  }
  return error;
}

int cli_url_add_name(cli_url *to, const char *path) {
  static char target[CLI_URL_MOST];
  const uint8_t *start = (const uint8_t *)to->target;
  const uint8_t *end = start + cli_length(to->target);
  const uint8_t *query = find_any(start, end, "?");
  const char *name = path;
  for (const char *at = path; *at != '\0'; at++) {
    name = *at == '/' ? at + 1 : name;
  }
  if (query[-1] != '/') {
    return 0;
  }
  cli_text made = CLI_TEXT(target);
  cli_add_span(&made, between(start, query));
  for (; *name != '\0'; name++) {
    uint8_t byte = (uint8_t)*name;
    if (is_letter(byte) || (byte >= '0' && byte <= '9') || is_one_of(byte, "-._~")) {
      cli_add_byte(&made, *name);
    } else {
      cli_add_escaped(&made, byte);
    }
  }
  cli_add_span(&made, between(query, end));
  cli_text copy = CLI_TEXT(to->target);
  cli_add(&copy, target);
  return made.cut ? CLI_URL_MALFORMED : 0;
}

bool cli_url_same_place(const cli_url *one, const cli_url *other) {
  porthole_span host = {(const uint8_t *)one->host, cli_length(one->host)};
  return one->tls == other->tls && one->port == other->port && one->ipv6 == other->ipv6 &&
         cli_same_word(host, other->host);
}
