/* SPDX-License-Identifier: MIT
 *
 * Heads of requests that somebody else has made: what a host lets pass of those that a guest sends (host.h). Strict on
 * purpose: what two readers could understand differently is refused.
 */
#include "bytes.h"

/* What the fields of a head have said so far. */
typedef struct vetted {
  uint64_t length;
  bool has_host;
  bool has_length;
  bool has_encoding;
  bool old; /* HTTP/1.0 */
} vetted;

/* Whom the connection was opened to. */
typedef struct destination {
  porthole_span host;
  uint32_t port;
  bool secure;
} destination;

/** Takes a line with its CRLF off the front of a text. @returns false when it doesn't end, or by anything else than CRLF */
static bool take_line(porthole_span *text, porthole_span *line) {
  const uint8_t *end = text->data + text->length;
  const uint8_t *feed = porthole__find(text->data, end, '\n');
  if (feed == end || feed == text->data || feed[-1] != '\r') {
    return false;
  }
  *line = porthole__between(text->data, feed - 1);
  *text = porthole__between(feed + 1, end);
  return true;
}

/** Is this the host that was opened, with its port, which may be left out where it is the scheme's? */
static bool names(porthole_span authority, const destination *to) {
  bool literal = porthole__find(to->host.data, to->host.data + to->host.length, ':') < to->host.data + to->host.length;
  size_t wrapped = to->host.length + (literal ? 2 : 0);
  if (authority.length < wrapped || (literal && (authority.data[0] != '[' || authority.data[wrapped - 1] != ']'))) {
    return false;
  }
  if (!porthole__same((porthole_span){authority.data + (literal ? 1 : 0), to->host.length}, to->host)) {
    return false;
  }
  if (authority.length == wrapped) {
    return to->port == (to->secure ? 443U : 80U);
  }
  uint8_t digits[20];
  size_t first = porthole__write_decimal(digits, to->port);
  const porthole_span written = {digits + first, sizeof digits - first};
  const porthole_span port = {authority.data + wrapped + 1, authority.length - wrapped - 1};
  return authority.data[wrapped] == ':' && porthole__same(port, written);
}

/** Takes this prefix off the front of a text, in any case. */
static bool take_prefix(porthole_span *text, porthole_span prefix) {
  if (text->length < prefix.length || !porthole__same((porthole_span){text->data, prefix.length}, prefix)) {
    return false;
  }
  *text = (porthole_span){text->data + prefix.length, text->length - prefix.length};
  return true;
}

/** A target in origin form, "*" of OPTIONS, or in absolute form with the opened authority (RFC 9112 section 3.2). */
static int32_t vet_target(porthole_span method, porthole_span target, const destination *to) {
  const uint8_t *end = target.data + target.length;
  for (size_t i = 0; i < target.length; i++) {
    if (target.data[i] >= 0x80) {
      return PORTHOLE_URL_NOT_ASCII;
    }
    if (!(porthole__class[target.data[i]] & CLASS_TARGET) || target.data[i] == '#') {
      return PORTHOLE_BAD_URL;
    }
  }
  if (target.length == 0 || target.data[0] == '/') {
    return target.length == 0 ? PORTHOLE_BAD_URL : 0;
  }
  if (target.length == 1 && target.data[0] == '*') {
    return IS(method, "OPTIONS") ? 0 : PORTHOLE_BAD_URL;
  }
  if (!take_prefix(&target, to->secure ? LITERAL("https://") : LITERAL("http://"))) {
    return PORTHOLE_BAD_URL;
  }
  const uint8_t *stop = target.data;
  while (stop < end && *stop != '/' && *stop != '?') {
    stop++;
  }
  return names(porthole__between(target.data, stop), to) ? 0 : PORTHOLE_FOREIGN_HOST;
}

static int32_t vet_request_line(porthole_span line, const destination *to, vetted *facts) {
  const uint8_t *end = line.data + line.length;
  const uint8_t *space = porthole__find(line.data, end, ' ');
  const uint8_t *second = space < end ? porthole__find(space + 1, end, ' ') : end;
  if (second == end) {
    return PORTHOLE_NOT_A_HEAD;
  }
  porthole_span method = porthole__between(line.data, space);
  porthole_span version = porthole__between(second + 1, end);
  if (method.length == 0) {
    return PORTHOLE_EMPTY_METHOD;
  }
  if (!porthole__all_class(method, CLASS_TOKEN)) {
    return PORTHOLE_BAD_METHOD;
  }
  if (IS(method, "CONNECT")) {
    return PORTHOLE_CONNECT_REFUSED; /* also where it is spelt otherwise: servers may not care */
  }
  facts->old = IS(version, "HTTP/1.0");
  bool known = facts->old || IS(version, "HTTP/1.1");
  for (size_t i = 0; i < version.length; i++) {
    known = known && version.data[i] < 'a'; /* the name is of upper case (RFC 9112 section 2.3) */
  }
  return known ? vet_target(method, porthole__between(space + 1, second), to) : PORTHOLE_NOT_A_HEAD;
}

/** Is this a coding that a body can have in front of chunked (RFC 9112 section 7)? */
static bool is_coding(porthole_span item) {
  return IS(item, "gzip") || IS(item, "x-gzip") || IS(item, "deflate") || IS(item, "compress") ||
         IS(item, "x-compress");
}

/** Codings, chunked at their end and there only; each by its bare name, so that no reader finds a comma or another end. */
static int32_t vet_encoding(porthole_span value) {
  porthole_span item;
  bool listed = value.length > 0 && value.data[value.length - 1] != ',';
  bool known = true;
  while (porthole__next_item(&value, &item)) {
    listed = listed && item.length > 0;
    bool last = value.length == 0;
    if (IS(item, "chunked") != last) {
      return PORTHOLE_REQUEST_TRANSFER_ENCODING;
    }
    known = known && (last || is_coding(item));
  }
  if (!listed) {
    return PORTHOLE_REQUEST_TRANSFER_ENCODING;
  }
  return known ? 0 : PORTHOLE_UNSOUND_HEAD;
}

/** What goes as far as the next hop only: a proxy drops the fields that are named here, and what they say. */
static int32_t vet_connection(porthole_span value) {
  porthole_span item;
  while (porthole__next_item(&value, &item)) {
    if (IS(item, "host") || IS(item, "content-length") || IS(item, "transfer-encoding")) {
      return PORTHOLE_UNSOUND_HEAD;
    }
  }
  return 0;
}

/** What a field says about routing and framing. */
static int32_t vet_field(vetted *facts, porthole_span name, porthole_span value, const destination *to) {
  field_name field = porthole__field(name, REQUESTS | FRAMES);
  if (field == FIELD_HOST) {
    if (facts->has_host) {
      return PORTHOLE_DUPLICATE_HOST;
    }
    facts->has_host = true;
    return names(value, to) ? 0 : PORTHOLE_FOREIGN_HOST;
  }
  if (field == FIELD_CONTENT_LENGTH) {
    if (facts->has_length) {
      return PORTHOLE_DUPLICATE_CONTENT_LENGTH;
    }
    facts->has_length = true;
    return porthole__decimal(value, &facts->length) ? 0 : PORTHOLE_REQUEST_CONTENT_LENGTH;
  }
  if (field == FIELD_TRANSFER_ENCODING) {
    if (facts->has_encoding || facts->old) {
      return PORTHOLE_UNSOUND_HEAD; /* readers differ in which one counts, and whether it does (RFC 9112 section 6.1) */
    }
    facts->has_encoding = true;
    return vet_encoding(value);
  }
  return field == FIELD_CONNECTION || field == FIELD_PROXY_CONNECTION ? vet_connection(value) : 0;
}

/** A field line: its name and its value. @returns 0 or an error */
static int32_t split_field(porthole_span line, porthole_span *name, porthole_span *value) {
  const uint8_t *end = line.data + line.length;
  const uint8_t *colon = porthole__find(line.data, end, ':');
  *name = porthole__between(line.data, colon);
  if (colon == end) {
    return PORTHOLE_NOT_A_HEAD;
  }
  *value = porthole__trim(porthole__between(colon + 1, end));
  if (name->length == 0) {
    return PORTHOLE_EMPTY_HEADER_NAME;
  }
  if (!porthole__all_class(*name, CLASS_TOKEN)) {
    return PORTHOLE_BAD_HEADER_NAME; /* white space in front of a folded line as well */
  }
  return porthole__find_control(colon + 1, end) < end ? PORTHOLE_BAD_HEADER_VALUE : 0;
}

int32_t porthole_check_head(porthole_span head, porthole_span host, uint32_t port, uint32_t secure, uint32_t *table,
                            size_t capacity) {
  head = porthole__given(head);
  const uint8_t *start = head.data;
  const destination to = {porthole__given(host), port, secure != 0};
  vetted facts = {0};
  uint32_t count = 0;
  porthole_span line;
  porthole_span name;
  porthole_span value;
  if (head.length > INT32_MAX || !take_line(&head, &line)) {
    return PORTHOLE_NOT_A_HEAD;
  }
  int32_t error = vet_request_line(line, &to, &facts);
  for (; error == 0; count++) {
    if (!take_line(&head, &line)) {
      return PORTHOLE_NOT_A_HEAD;
    }
    if (line.length == 0) {
      break;
    }
    error = split_field(line, &name, &value);
    if (error == 0) {
      error = vet_field(&facts, name, value, &to);
    }
    if (error == 0 && count < capacity) {
      uint32_t *entry = table + 4 * (size_t)count;
      entry[0] = (uint32_t)(name.data - start);
      entry[1] = (uint32_t)name.length;
      entry[2] = (uint32_t)(value.data - start);
      entry[3] = (uint32_t)value.length;
    }
  }
  if (error != 0) {
    return error;
  }
  if (head.length > 0) {
    return PORTHOLE_NOT_A_HEAD;
  }
  if (!facts.has_host) {
    return PORTHOLE_FOREIGN_HOST;
  }
  return facts.has_length && facts.has_encoding ? PORTHOLE_REQUEST_LENGTH_AND_ENCODING : (int32_t)count;
}
