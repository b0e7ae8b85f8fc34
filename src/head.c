/* SPDX-License-Identifier: MIT
 *
 * Heads and trailer sections (RFC 9112 sections 2 to 5 and 7.1.2): line by line out of view.raw, each line looked at
 * once, however the bytes arrive. Nothing is copied; only a folded line is moved up to the line that it continues.
 */
#include "head.h"

/* A complete line: [start, end) without its line end; the next one starts at `next`. Offsets from view.raw. */
typedef struct line {
  uint32_t start;
  uint32_t end;
  uint32_t next;
} line;

static inline uint8_t *raw_at(porthole_conn *conn, uint32_t offset) { return conn->rx + conn->view.raw + offset; }

static void section_begin(porthole_conn *conn) {
  conn->line = 0;
  conn->scan = 0;
  conn->lines = 0;
  conn->last_field = (last_field){.name = FIELD_OTHER};
}

void porthole__head_begin(porthole_conn *conn) {
  section_begin(conn);
  conn->status_read = false;
  conn->empty_line_read = false;
  conn->framing = (head_facts){0};
}

void porthole__trailers_begin(porthole_conn *conn) { section_begin(conn); }

/**
 * Takes the next line that is there whole.
 *
 * @param too_long the error for a line over PORTHOLE_LIMIT_LINE
 * @returns 1, 0 when its end is still to come, or an error
 */
static int32_t next_line(porthole_conn *conn, line *out, int32_t too_long) {
  uint32_t length = conn->view.raw_length;
  const uint8_t *bytes = raw_at(conn, 0);
  const uint8_t *lf = porthole__find(bytes + conn->scan, bytes + length, '\n');
  uint32_t next = (uint32_t)(lf - bytes);
  bool complete = next < length;
  if (complete) {
    next++;
  }
  conn->scan = next;
  uint64_t line_most = (uint64_t)conn->line + conn->limits[PORTHOLE_LIMIT_LINE];
  if (next > line_most && line_most <= conn->limits[PORTHOLE_LIMIT_HEAD]) { /* the limit that is passed first */
    return porthole__over(conn, PORTHOLE_LIMIT_LINE, too_long);
  }
  if (next > conn->limits[PORTHOLE_LIMIT_HEAD]) {
    return porthole__over(conn, PORTHOLE_LIMIT_HEAD, PORTHOLE_HEAD_TOO_LARGE);
  }
  if (!complete) {
    return 0;
  }
  out->start = conn->line;
  out->end = next - 1;
  out->next = next;
  if (out->end > out->start && bytes[out->end - 1] == '\r') {
    out->end--;
  }
  conn->line = next;
  return 1;
}

/* ---- fields ---- */

static void framing_error(head_facts *facts, int32_t error) {
  if (facts->error == 0) {
    facts->error = error;
  }
}

/** Reads `timeout=5` of a Keep-Alive field (RFC 2068 section 19.7.1.1); the shortest one counts. */
static void keep_alive_parameter(head_facts *facts, porthole_span item) {
  const uint8_t *end = item.data + item.length;
  const uint8_t *equals = porthole__find(item.data, end, '=');
  uint64_t seconds = 0;
  if (equals == end || !IS(porthole__between(item.data, equals), "timeout") ||
      !porthole__decimal(porthole__between(equals + 1, end), &seconds)) {
    return;
  }
  uint32_t timeout = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX - 1;
  if (!facts->has_timeout || timeout < facts->timeout) {
    facts->has_timeout = true;
    facts->timeout = timeout;
  }
}

/** Takes a Content-Length into account. */
static void note_length(head_facts *facts, porthole_span value, bool folded) {
  uint64_t number;
  if (folded) {
    framing_error(facts, PORTHOLE_FOLDED_FRAMING);
  } else if (!porthole__decimal(value, &number)) {
    framing_error(facts, PORTHOLE_BAD_CONTENT_LENGTH);
  } else if (facts->has_length && facts->length != number) {
    framing_error(facts, PORTHOLE_CONTENT_LENGTH_CONFLICT);
  } else {
    facts->has_length = true;
    facts->length = number;
  }
}

/** Takes the field before into account, now that no fold can change it any more. */
static void field_complete(porthole_conn *conn) {
  head_facts *facts = &conn->framing;
  const last_field *field = &conn->last_field;
  if (field->name == FIELD_OTHER) {
    return;
  }
  size_t length = field->value_end > field->value ? field->value_end - field->value : 0;
  porthole_span value = porthole__trim((porthole_span){raw_at(conn, field->value), length});
  porthole_span item;
  if (field->name == FIELD_CONTENT_LENGTH) {
    note_length(facts, value, field->folded);
  } else if (field->name == FIELD_TRANSFER_ENCODING) {
    if (field->folded) {
      framing_error(facts, PORTHOLE_FOLDED_FRAMING);
    }
    facts->chunked = !facts->encoded && IS(value, "chunked");
    facts->encoded = true;
  } else if (field->name == FIELD_CONNECTION) {
    while (porthole__next_item(&value, &item)) {
      facts->close |= IS(item, "close");
      facts->keep_alive |= IS(item, "keep-alive");
    }
  } else if (field->name == FIELD_KEEP_ALIVE) {
    facts->old_keep_alive |= value.length > 0;
    while (porthole__next_item(&value, &item)) {
      keep_alive_parameter(facts, item);
    }
  } else {
    while (porthole__next_item(&value, &item)) {
      facts->old_keep_alive |= IS(item, "keep-alive");
    }
  }
}

/** Checks the characters of a value (RFC 9110 section 5.5). */
static int32_t check_value(const uint8_t *from, const uint8_t *end) {
  const uint8_t *control = porthole__find_control(from, end);
  if (control == end) {
    return 0;
  }
  return *control == '\r' ? PORTHOLE_BARE_CR : PORTHOLE_BAD_FIELD_VALUE;
}

/** Joins a folded line to the one before: obs-fold becomes one space (RFC 9112 section 5.2), the rest padding. */
static int32_t fold(porthole_conn *conn, const line *folded) {
  last_field *field = &conn->last_field;
  if (field->value == 0) {
    return PORTHOLE_LEADING_FOLD;
  }
  porthole_span text = {raw_at(conn, folded->start), folded->end - folded->start};
  int32_t error = check_value(text.data, text.data + text.length);
  if (error != 0) {
    return error;
  }
  text = porthole__trim(text);
  uint8_t *to = raw_at(conn, field->value_end);
  uint8_t *line_end = raw_at(conn, folded->end);
  *to++ = ' ';
  porthole__move_down(to, text.data, text.length);
  to += text.length;
  if (text.length > 0) {
    field->value_end += 1 + (uint32_t)text.length;
  }
  /* What lies between is white space already, but for the line end before this line: cost must not grow with each fold. */
  uint8_t *before = raw_at(conn, folded->start) - 2;
  if (to < before) {
    to = before;
  }
  __builtin_memset(to, ' ', (size_t)(line_end - to));
  field->folded = true;
  return 0;
}

/** Reads a field line (RFC 9112 section 5). */
static int32_t read_field(porthole_conn *conn, const line *field, uint32_t limit, int32_t too_many) {
  const uint8_t *text = raw_at(conn, field->start);
  const uint8_t *end = raw_at(conn, field->end);
  if (++conn->lines > conn->limits[limit]) {
    return porthole__over(conn, limit, too_many);
  }
  if (porthole__is_space(*text)) {
    return fold(conn, field);
  }
  field_complete(conn);

  const uint8_t *colon = text;
  while (colon < end && (porthole__class[*colon] & CLASS_TOKEN)) {
    colon++;
  }
  if (colon == text || colon == end || *colon != ':') {
    if (porthole__find(text, end, '\r') < end) {
      return PORTHOLE_BARE_CR;
    }
    return porthole__find(text, end, ':') < end ? PORTHOLE_BAD_FIELD_NAME : PORTHOLE_NO_COLON;
  }
  int32_t error = check_value(colon + 1, end);
  if (error != 0) {
    return error;
  }
  while (end > colon + 1 && porthole__is_space(end[-1])) {
    end--;
  }
  conn->last_field.name = porthole__field(porthole__between(text, colon), FRAMES);
  conn->last_field.value = field->start + (uint32_t)(colon - text) + 1;
  conn->last_field.value_end = field->start + (uint32_t)(end - text);
  conn->last_field.folded = false;
  return 0;
}

/* ---- the status line ---- */

/** Keeps a line that was not understood where the caller can see it: view.raw. */
static int32_t bad_status_line(porthole_conn *conn, const line *bad, int32_t error) {
  conn->view.raw_length = bad->next;
  return error;
}

/**
 * Reads a status line (RFC 9112 section 4) that begins with "HTTP/": HTTP-version SP 3DIGIT [SP reason-phrase].
 *
 * Versions: 1.0 and 0.9 are 10, 1.1 to 1.9 are 11; anything else is PORTHOLE_UNKNOWN_PROTOCOL.
 */
static int32_t read_status_line(porthole_conn *conn, const line *status_line) {
  porthole_view *view = &conn->view;
  const uint8_t *text = raw_at(conn, status_line->start);
  const uint8_t *end = raw_at(conn, status_line->end);
  const uint8_t *version = text + 5;
  const uint8_t *space = porthole__find(version, end, ' ');
  bool known = space - version == 3 && version[1] == '.' &&
               ((version[0] == '1' && (porthole__class[version[2]] & CLASS_DIGIT)) ||
                (version[0] == '0' && version[2] == '9'));
  if (!known) {
    /* "HTTP/1.1" alone or with another separator is a bad line of a known protocol. */
    bool bad_line = end - version >= 3 && version[0] == '1' && version[1] == '.' &&
                    (porthole__class[version[2]] & CLASS_DIGIT) &&
                    (end - version == 3 || !(porthole__class[version[3]] & CLASS_TOKEN));
    return bad_status_line(conn, status_line, bad_line ? PORTHOLE_BAD_STATUS_LINE : PORTHOLE_UNKNOWN_PROTOCOL);
  }

  const uint8_t *digits = space + 1;
  if (end - digits < 3 || !porthole__all_class((porthole_span){digits, 3}, CLASS_DIGIT) || digits[0] == '0' ||
      (end - digits > 3 && digits[3] != ' ')) {
    return bad_status_line(conn, status_line, PORTHOLE_BAD_STATUS_LINE);
  }
  porthole_span reason = porthole__between(digits + 3, end);
  if (porthole__find_control(reason.data, end) < end) {
    return bad_status_line(conn, status_line, PORTHOLE_BAD_STATUS_LINE);
  }
  reason = porthole__trim(reason);

  view->version = version[0] == '1' && version[2] != '0' ? 11 : 10;
  view->status = (uint32_t)(digits[0] - '0') * 100 + (uint32_t)(digits[1] - '0') * 10 + (uint32_t)(digits[2] - '0');
  view->reason = (uint32_t)(reason.data - raw_at(conn, 0));
  view->reason_length = (uint32_t)reason.length;
  view->fields = status_line->next;
  return 0;
}

/**
 * Looks whether the bytes of a status line, of which more may be to come, can begin one: those of another protocol are not
 * waited for. Before it there can be one empty line.
 *
 * @returns 0, or PORTHOLE_BAD_STATUS_LINE, the line being in view.raw as far as it came
 */
static int32_t look_at_start(porthole_conn *conn) {
  static const uint8_t name[] = {'H', 'T', 'T', 'P', '/'};
  const uint8_t *bytes = raw_at(conn, 0);
  uint32_t length = conn->view.raw_length;
  uint64_t most = conn->limits[PORTHOLE_LIMIT_LINE]; /* or what is told of a line depends on how its bytes came */
  if (conn->scan >= sizeof name) {
    return 0; /* seen before */
  }
  if (most > conn->limits[PORTHOLE_LIMIT_HEAD]) {
    most = conn->limits[PORTHOLE_LIMIT_HEAD];
  }
  if (!conn->empty_line_read && length > 0 && (bytes[0] == '\n' || bytes[0] == '\r')) {
    if (bytes[0] == '\n' || length == 1 || bytes[1] == '\n' || most < 2) {
      return 0;
    }
  }
  for (uint32_t i = 0; i < sizeof name && i < length && i < most; i++) {
    if (bytes[i] != name[i]) {
      const uint8_t *lf = porthole__find(bytes, bytes + length, '\n');
      conn->view.raw_length = lf < bytes + length ? (uint32_t)(lf + 1 - bytes) : length;
      return PORTHOLE_BAD_STATUS_LINE;
    }
  }
  return 0;
}

/* ---- sections ---- */

int32_t porthole__head_read(porthole_conn *conn) {
  line next;
  for (;;) {
    int32_t result = conn->status_read ? 0 : look_at_start(conn);
    if (result == 0) {
      result = next_line(conn, &next,
                         conn->status_read ? PORTHOLE_HEADER_LINE_TOO_LONG : PORTHOLE_STATUS_LINE_TOO_LONG);
    }
    if (result <= 0) {
      return result;
    }
    if (conn->status_read) {
      if (next.end == next.start) {
        field_complete(conn);
        return 1;
      }
      result = read_field(conn, &next, PORTHOLE_LIMIT_HEADERS, PORTHOLE_TOO_MANY_HEADERS);
    } else if (next.end == next.start && !conn->empty_line_read) {
      /* RFC 9112 section 2.2: at least one empty line before the start line is to be ignored; we ignore just one. */
      conn->empty_line_read = true;
      conn->view.raw += next.next;
      conn->view.raw_length -= next.next;
      conn->line = 0;
      conn->scan = 0;
    } else {
      result = read_status_line(conn, &next);
      conn->status_read = true;
    }
    if (result < 0) {
      return result;
    }
  }
}

int32_t porthole__trailers_read(porthole_conn *conn) {
  line next;
  for (;;) {
    int32_t result = next_line(conn, &next, PORTHOLE_TRAILER_LINE_TOO_LONG);
    if (result <= 0) {
      return result;
    }
    if (next.next - next.end != 2) {
      return PORTHOLE_BAD_CHUNK; /* a bare LF: lenience here has been a vulnerability (CVE-2025-22871) */
    }
    if (next.end == next.start) {
      conn->view.trailer = conn->view.raw;
      conn->view.trailer_length = next.start;
      return 1;
    }
    result = read_field(conn, &next, PORTHOLE_LIMIT_TRAILERS, PORTHOLE_TOO_MANY_TRAILERS);
    if (result < 0) {
      return result;
    }
  }
}
