/* SPDX-License-Identifier: MIT
 *
 * HTTPResponse.
 */
#include "lifted.h"

enum { READ_MOST = 1 << 20 /* bytes that one read answers */ };

EXPORT("[dtor]response") void response_dropped(response *of);
EXPORT("[method]response.status") uint32_t response_status(const response *of);
EXPORT("[method]response.version") uint32_t response_version(const response *of);
EXPORT("[method]response.reason") const bytes *response_reason(const response *of);
EXPORT("[method]response.will-close") uint32_t response_will_close(const response *of);
EXPORT("[method]response.isclosed") uint32_t response_isclosed(const response *of);
EXPORT("[method]response.getheader")
const void *response_getheader(const response *of, const uint8_t *name, size_t length);
EXPORT("[method]response.getheaders") const fields *response_getheaders(const response *of);
EXPORT("[method]response.trailers") const fields *response_trailers(const response *of);
EXPORT("[method]response.read") const outcome *response_read(response *of, uint32_t amount);
EXPORT("[method]response.read1") const outcome *response_read1(response *of, uint32_t amount);

/* ---- from beginning to end ---- */

response *response_make(connection *from) {
  const porthole_client *client = from->client;
  porthole_span head = porthole_client_head(client);
  porthole_span reason = porthole_client_reason(client);
  response *made = memory_hold(sizeof *made + head.length);
  if (made == NULL) {
    return NULL;
  }
  *made = (response){.from = from,
                     .version = (uint8_t)porthole_client_version(client),
                     .status = (uint16_t)porthole_client_status(client),
                     .will_close = (uint32_t)porthole_client_will_close(client),
                     .reason = (size_t)(reason.data - head.data),
                     .reason_length = reason.length,
                     .head_length = head.length};
  __builtin_memcpy(made->head, head.data, head.length);
  from->reading = made;
  return made;
}

/** Appends to field lines, or only counts. @returns the new length */
static size_t append(uint8_t *lines, size_t length, const void *text, size_t count) {
  if (lines != NULL) {
    __builtin_memcpy(lines + length, text, count);
  }
  return length + count;
}

/** Writes the trailers as field lines. @param lines NULL to count only @returns the length */
static size_t write_trailers(const porthole_client *client, uint8_t *lines) {
  porthole_field trailer;
  size_t length = 0;
  for (uint32_t i = 0; porthole_client_trailer(client, i, &trailer); i++) {
    length = append(lines, length, trailer.name.data, trailer.name.length);
    length = append(lines, length, ": ", 2);
    length = append(lines, length, trailer.value.data, trailer.value.length);
    length = append(lines, length, "\r\n", 2);
  }
  return length;
}

void connection_settle(connection *on, bool ended) {
  response *reading = on->reading;
  if (reading == NULL || !porthole_client_isclosed(on->client)) {
    return;
  }
  on->reading = NULL;
  reading->from = NULL;
  reading->ended = ended;
  if (ended) {
    reading->trailers_length = write_trailers(on->client, NULL);
    reading->trailers = reading->trailers_length == 0 ? NULL : memory_hold(reading->trailers_length);
    reading->trailers_length = reading->trailers == NULL ? 0 : write_trailers(on->client, reading->trailers);
  }
}

void response_dropped(response *of) {
  connection *from = of->from;
  if (from != NULL) {
    from->reading = NULL;
    porthole_client_close(from->client);
    connection_let_go(from);
  }
  memory_release(of->trailers);
  memory_release(of);
}

/* ---- the head ---- */

uint32_t response_status(const response *of) { return of->status; }

uint32_t response_version(const response *of) { return of->version; }

uint32_t response_will_close(const response *of) { return of->will_close; }

uint32_t response_isclosed(const response *of) { return of->ended; }

const bytes *response_reason(const response *of) {
  static bytes reason;
  reason = text_of((porthole_span){of->head + of->reason, of->reason_length});
  memory_end_call();
  return &reason;
}

/** The lines behind the status line. */
static porthole_span lines_of(const response *of) {
  size_t first = of->reason + of->reason_length;
  while (first < of->head_length && of->head[first] != '\n') {
    first++;
  }
  first += first < of->head_length;
  return (porthole_span){of->head + first, of->head_length - first};
}

static uint8_t lower(uint8_t letter) { return letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter; }

static bool same_name(bytes one, const uint8_t *other, size_t length) {
  bool same = one.length == length;
  for (size_t i = 0; same && i < length; i++) {
    same = lower(one.data[i]) == lower(other[i]);
  }
  return same;
}

const void *response_getheader(const response *of, const uint8_t *name, size_t length) {
  static struct {
    uint8_t some;
    bytes value;
  } header;
  fields all = list_fields(lines_of(of));
  header.some = false;
  for (size_t i = 0; i < all.length && !header.some; i++) {
    header.some = same_name(all.data[i].name, name, length);
    header.value = all.data[i].value;
  }
  memory_end_call();
  return &header;
}

const fields *response_getheaders(const response *of) {
  static fields list;
  list = list_fields(lines_of(of));
  memory_end_call();
  return &list;
}

const fields *response_trailers(const response *of) {
  static fields list;
  list = list_fields((porthole_span){of->trailers, of->trailers_length});
  memory_end_call();
  return &list;
}

/* ---- the body ---- */

static const outcome *answer_bytes(const uint8_t *data, size_t length) {
  answer.is.bytes = (bytes){data, length};
  return answer_nothing();
}

/**
 * Ends a read: what came, or an error. The connection of a response that is read to its end is let go, if nobody else has it.
 */
static const outcome *answer_read(connection *from, const uint8_t *data, int32_t result) {
  const outcome *is = result < 0 ? answer_error(from, result) : answer_bytes(data, (size_t)result);
  connection_settle(from, true);
  connection_let_go(from);
  return is;
}

/** Answers where nothing is to be read. @returns NULL where something is */
static const outcome *answer_unread(const response *of, uint32_t amount) {
  if (of->ended || (of->from != NULL && amount == 0)) {
    return answer_bytes(NULL, 0);
  }
  if (of->from != NULL) {
    return NULL;
  }
  answer_error(NULL, PORTHOLE_NOT_CONNECTED);
  answer.is.error.retry_safe = PORTHOLE_RETRY_NOT;
  return &answer;
}

const outcome *response_read(response *of, uint32_t amount) {
  const outcome *done = answer_unread(of, amount);
  if (done != NULL) {
    return done;
  }
  amount = amount < READ_MOST ? amount : READ_MOST;
  uint8_t *buffer = memory_for_call(amount);
  if (buffer == NULL) {
    return answer_error(of->from, PORTHOLE_HOST_BUSY);
  }
  return answer_read(of->from, buffer, porthole_client_read(of->from->client, buffer, amount));
}

const outcome *response_read1(response *of, uint32_t amount) {
  const outcome *done = answer_unread(of, amount);
  if (done != NULL) {
    return done;
  }
  porthole_span shown;
  porthole_client *client = of->from->client;
  int32_t result = porthole_client_peek(client, &shown);
  if (result <= 0) {
    return answer_read(of->from, NULL, result);
  }
  size_t count = shown.length < amount ? shown.length : amount;
  count = count < READ_MOST ? count : READ_MOST;
  uint8_t *copy = memory_for_call(count);
  if (copy == NULL) {
    return answer_error(of->from, PORTHOLE_HOST_BUSY);
  }
  __builtin_memcpy(copy, shown.data, count);
  porthole_client_skip(client, count);
  return answer_read(of->from, copy, (int32_t)count);
}
