/* SPDX-License-Identifier: MIT
 *
 * HTTPConnection. Where too much memory is held for another one, NULL stands for it, and each of its calls tells.
 */
#include "lifted.h"

enum {
  RECEIVE = 65536, /* bytes of the receive buffer: a response's head fits in it */
  CLIENT = PORTHOLE_CLIENT_OVERHEAD + PORTHOLE_CLIENT_SEND + RECEIVE,
  INTERIM_MOST = 65536
};

/* bits of the WIT's skipped */
enum { SKIPPED_HOST = 1, SKIPPED_ACCEPT_ENCODING = 2 };

RESOURCE("[resource-new]connection") int32_t new_connection(connection *of);
RESOURCE("[resource-new]response") int32_t new_response(response *of);

EXPORT("[constructor]connection")
int32_t connection_made(uint8_t *host, size_t length, uint32_t has_port, uint32_t port);
EXPORT("[dtor]connection") void connection_dropped(connection *on);
EXPORT("[method]connection.set-timeout") void connection_set_timeout(connection *on, uint32_t some, uint32_t ms);
EXPORT("[method]connection.set-deadline") void connection_set_deadline(connection *on, uint32_t some, uint32_t ms);
EXPORT("[method]connection.use-tls") void connection_use_tls(connection *on);
EXPORT("[method]connection.set-family") void connection_set_family(connection *on, uint32_t some, uint32_t family);
EXPORT("[method]connection.set-tunnel")
const outcome *connection_set_tunnel(connection *on, uint32_t some, uint8_t *host, size_t length, uint32_t has_port,
                                     uint32_t port, const field *headers, size_t count);
EXPORT("[method]connection.set-limit")
const outcome *connection_set_limit(connection *on, uint32_t limit, uint64_t value);
EXPORT("[method]connection.expect-continue")
void connection_expect_continue(connection *on, uint32_t some, uint32_t ms);
EXPORT("[method]connection.keep-interim") const outcome *connection_keep_interim(connection *on, uint32_t size);
EXPORT("[method]connection.connect") const outcome *connection_connect(connection *on);
EXPORT("[method]connection.request")
const outcome *connection_request(connection *on, uint8_t *method, size_t method_length, uint8_t *url,
                                  size_t url_length, uint32_t has_body, const uint8_t *body, size_t length,
                                  const field *headers, size_t count);
EXPORT("[method]connection.begin")
const outcome *connection_begin(connection *on, uint8_t *method, size_t method_length, uint8_t *url, size_t url_length,
                                uint32_t known, uint64_t length, const field *headers, size_t count);
EXPORT("[method]connection.send")
const outcome *connection_send(connection *on, const uint8_t *data, size_t length);
EXPORT("[method]connection.endbody")
const outcome *connection_endbody(connection *on, const field *trailers, size_t count);
EXPORT("[method]connection.putrequest")
const outcome *connection_putrequest(connection *on, uint8_t *method, size_t method_length, uint8_t *url,
                                     size_t url_length, uint32_t skipped);
EXPORT("[method]connection.putheader")
const outcome *connection_putheader(connection *on, uint8_t *name, size_t name_length, uint8_t *value, size_t length);
EXPORT("[method]connection.endheaders")
const outcome *connection_endheaders(connection *on, uint32_t has_body, const uint8_t *body, size_t length);
EXPORT("[method]connection.getresponse") const outcome *connection_getresponse(connection *on);
EXPORT("[method]connection.interims") const void *connection_interims(connection *on);
EXPORT("[method]connection.wait") const outcome *connection_wait(connection *on, uint32_t some, uint32_t ms);
EXPORT("[method]connection.close") void connection_close(connection *on);

/* ---- arguments ---- */

/**
 * Terminates an argument in its place: its memory has a spare byte. A NUL within would end it too soon; as another control
 * character it is refused, as every one is.
 */
static const char *string(uint8_t *data, size_t length) {
  if (length == 0) {
    return "";
  }
  for (size_t i = 0; i < length; i++) {
    data[i] = data[i] == '\0' ? 1 : data[i];
  }
  data[length] = '\0';
  return (const char *)data;
}

/** Writes to a list of C strings: name, value, …, NULL. */
static void list_strings(const field *headers, size_t count, const char **list) {
  for (size_t i = 0; i < count; i++) {
    *list++ = string((uint8_t *)headers[i].name.data, headers[i].name.length);
    *list++ = string((uint8_t *)headers[i].value.data, headers[i].value.length);
  }
  *list = NULL;
}

/** Headers as the client takes them, for this call. @returns NULL where there is no memory for them */
static const char *const *strings(const field *headers, size_t count) {
  const char **list = memory_for_call((2 * count + 1) * sizeof *list);
  if (list != NULL) {
    list_strings(headers, count, list);
  }
  return (const char *const *)list;
}

static int32_t milliseconds(uint32_t some, uint32_t ms) {
  if (!some) {
    return -1;
  }
  return ms < INT32_MAX ? (int32_t)ms : INT32_MAX;
}

/** A body that is there is none for the client when it has no address, as an empty one may. */
static const void *given(uint32_t has_body, const uint8_t *body, size_t length) {
  if (!has_body) {
    return NULL;
  }
  return length > 0 ? body : (const uint8_t *)"";
}

/** Answers what became of a call that can begin another request. */
static const outcome *answer_settled(connection *on, int32_t result) {
  connection_settle(on, false);
  return answer_result(on, result);
}

#define UNLESS_MADE(on)                                                                                                \
  if ((on) == NULL) {                                                                                                  \
    return answer_error(NULL, PORTHOLE_HOST_BUSY);                                                                     \
  }

/* ---- from making to dropping ---- */

int32_t connection_made(uint8_t *host, size_t length, uint32_t has_port, uint32_t port) {
  connection *made = memory_hold(sizeof *made + CLIENT);
  if (made != NULL) {
    *made = (connection){0};
    made->client = porthole_client_init(made->memory, CLIENT, string(host, length), has_port ? port : 0);
  }
  memory_end_call();
  return new_connection(made);
}

void connection_let_go(connection *on) {
  if (on->dropped && on->reading == NULL) {
    porthole_client_close(on->client);
    memory_release(on->tunnel);
    memory_release(on->interims);
    memory_release(on);
  }
}

void connection_dropped(connection *on) {
  if (on != NULL) {
    on->dropped = true;
    connection_let_go(on);
  }
}

void connection_close(connection *on) {
  if (on != NULL) {
    porthole_client_close(on->client);
    connection_settle(on, false);
  }
}

/* ---- settings ---- */

void connection_set_timeout(connection *on, uint32_t some, uint32_t ms) {
  if (on != NULL) {
    porthole_client_set_timeout(on->client, milliseconds(some, ms));
  }
}

void connection_set_deadline(connection *on, uint32_t some, uint32_t ms) {
  if (on != NULL) {
    porthole_client_set_deadline(on->client, milliseconds(some, ms));
  }
}

void connection_use_tls(connection *on) {
  if (on != NULL) {
    porthole_client_use_tls(on->client);
  }
}

void connection_set_family(connection *on, uint32_t some, uint32_t family) {
  if (on != NULL) {
    uint32_t flag = family == 0 ? PORTHOLE_OPEN_IPV4 : PORTHOLE_OPEN_IPV6;
    porthole_client_set_family(on->client, some ? flag : 0);
  }
}

void connection_expect_continue(connection *on, uint32_t some, uint32_t ms) {
  if (on != NULL) {
    porthole_client_expect_continue(on->client, milliseconds(some, ms));
  }
}

const outcome *connection_set_limit(connection *on, uint32_t limit, uint64_t value) {
  UNLESS_MADE(on)
  return answer_result(on, porthole_client_set_limit(on->client, limit, value));
}

const outcome *connection_keep_interim(connection *on, uint32_t size) {
  UNLESS_MADE(on)
  size = size < INTERIM_MOST ? size : INTERIM_MOST;
  void *kept = size == 0 ? NULL : memory_hold(size);
  if (size > 0 && kept == NULL) {
    return answer_error(on, PORTHOLE_HOST_BUSY);
  }
  porthole_client_keep_interim(on->client, kept, size);
  memory_release(on->interims);
  on->interims = kept;
  return answer_nothing();
}

static uint8_t *copy_string(uint8_t *to, const char *from, size_t length) {
  __builtin_memcpy(to, from, length + 1);
  return to + length + 1;
}

const outcome *connection_set_tunnel(connection *on, uint32_t some, uint8_t *host, size_t length, uint32_t has_port,
                                     uint32_t port, const field *headers, size_t count) {
  UNLESS_MADE(on)
  uint8_t *kept = NULL; /* pointers to the strings, behind them the strings */
  size_t pointers = (2 * count + 1) * sizeof(const char *);
  if (some) {
    size_t size = pointers + length + 1;
    for (size_t i = 0; i < count; i++) {
      size += headers[i].name.length + headers[i].value.length + 2;
    }
    kept = memory_hold(size);
    if (kept == NULL) {
      return answer_error(on, PORTHOLE_HOST_BUSY);
    }
    const char **list = (const char **)(void *)kept;
    list_strings(headers, count, list);
    uint8_t *at = copy_string(kept + pointers, string(host, length), length);
    for (size_t i = 0; i < 2 * count; i++) {
      const char *text = list[i];
      list[i] = (const char *)at;
      at = copy_string(at, text, porthole_text(text).length);
    }
  }
  const char *const *list = (const char *const *)(void *)kept;
  const char *end = some ? (const char *)kept + pointers : NULL;
  int32_t result = porthole_client_set_tunnel(on->client, end, has_port ? port : 0, list);
  if (result == 0) {
    memory_release(on->tunnel);
    on->tunnel = kept;
  } else {
    memory_release(kept);
  }
  return answer_settled(on, result);
}

/* ---- requests ---- */

const outcome *connection_connect(connection *on) {
  UNLESS_MADE(on)
  return answer_settled(on, porthole_client_connect(on->client));
}

const outcome *connection_request(connection *on, uint8_t *method, size_t method_length, uint8_t *url,
                                  size_t url_length, uint32_t has_body, const uint8_t *body, size_t length,
                                  const field *headers, size_t count) {
  UNLESS_MADE(on)
  const char *const *list = strings(headers, count);
  if (list == NULL) {
    return answer_error(on, PORTHOLE_HOST_BUSY);
  }
  return answer_settled(on, porthole_client_request(on->client, string(method, method_length), string(url, url_length),
                                                    given(has_body, body, length), length, list));
}

const outcome *connection_begin(connection *on, uint8_t *method, size_t method_length, uint8_t *url, size_t url_length,
                                uint32_t known, uint64_t length, const field *headers, size_t count) {
  UNLESS_MADE(on)
  const char *const *list = strings(headers, count);
  if (list == NULL) {
    return answer_error(on, PORTHOLE_HOST_BUSY);
  }
  return answer_settled(on, porthole_client_begin(on->client, string(method, method_length), string(url, url_length),
                                                  known ? length : PORTHOLE_CHUNKED_BODY, list));
}

const outcome *connection_send(connection *on, const uint8_t *data, size_t length) {
  UNLESS_MADE(on)
  size_t sent = 0;
  int32_t result = 0;
  do {
    result = porthole_client_send(on->client, data + sent, length - sent);
    sent += result > 0 ? (size_t)result : 0;
  } while (result > 0 && sent < length);
  bool waits = result == PORTHOLE_WANT_READ || result == PORTHOLE_WANT_WRITE;
  if (result < 0 && !(waits && sent > 0)) {
    return answer_error(on, result);
  }
  answer.is.count = (uint32_t)sent;
  return answer_nothing();
}

const outcome *connection_endbody(connection *on, const field *trailers, size_t count) {
  UNLESS_MADE(on)
  const char *const *list = strings(trailers, count);
  return answer_result(on, list == NULL ? PORTHOLE_HOST_BUSY : porthole_client_endbody(on->client, list));
}

const outcome *connection_putrequest(connection *on, uint8_t *method, size_t method_length, uint8_t *url,
                                     size_t url_length, uint32_t skipped) {
  UNLESS_MADE(on)
  uint32_t flags = (skipped & SKIPPED_HOST) != 0 ? PORTHOLE_SKIP_HOST : 0;
  flags |= (skipped & SKIPPED_ACCEPT_ENCODING) != 0 ? (uint32_t)PORTHOLE_SKIP_ACCEPT_ENCODING : 0;
  return answer_settled(
      on, porthole_client_putrequest(on->client, string(method, method_length), string(url, url_length), flags));
}

const outcome *connection_putheader(connection *on, uint8_t *name, size_t name_length, uint8_t *value, size_t length) {
  UNLESS_MADE(on)
  return answer_result(on, porthole_client_putheader(on->client, string(name, name_length), string(value, length)));
}

const outcome *connection_endheaders(connection *on, uint32_t has_body, const uint8_t *body, size_t length) {
  UNLESS_MADE(on)
  return answer_result(on, porthole_client_endheaders(on->client, given(has_body, body, length), length));
}

/* ---- responses ---- */

const outcome *connection_getresponse(connection *on) {
  UNLESS_MADE(on)
  int32_t result = porthole_client_getresponse(on->client);
  if (result < 0) {
    return answer_error(on, result);
  }
  response *made = response_make(on);
  if (made == NULL) {
    answer_error(on, PORTHOLE_HOST_BUSY);
    porthole_client_close(on->client);
    return &answer;
  }
  connection_settle(on, true);
  answer.is.resource = new_response(made);
  return answer_nothing();
}

const void *connection_interims(connection *on) {
  static struct {
    const interim *data;
    size_t length;
  } list;
  porthole_interim found;
  list.length = 0;
  while (on != NULL && porthole_client_interim(on->client, (uint32_t)list.length, &found)) {
    list.length++;
  }
  interim *made = memory_for_call(list.length * sizeof *made);
  list.length = made == NULL ? 0 : list.length;
  for (uint32_t i = 0; i < list.length; i++) {
    porthole_client_interim(on->client, i, &found);
    made[i] = (interim){(uint16_t)found.status, list_fields(found.fields)};
  }
  list.data = made;
  memory_end_call();
  return &list;
}

const outcome *connection_wait(connection *on, uint32_t some, uint32_t ms) {
  UNLESS_MADE(on)
  int32_t result = porthole_client_wait(on->client, milliseconds(some, ms));
  if (result < 0) {
    return answer_error(on, result);
  }
  answer.is.flag = result > 0;
  return answer_nothing();
}
