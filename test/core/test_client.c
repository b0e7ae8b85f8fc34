/* SPDX-License-Identifier: MIT
 *
 * The client of client.h, over a host that blocks and one that can't wait.
 */
#include "dawdling_host.h"
#include "outcomes.h"

#include <stdio.h>

enum { RX = 65536, SEEDS = 200, TEXT_MAX = 1 << 16, HEADERS_MAX = 300000 };

#define OK(text) "HTTP/1.1 200 OK\r\nContent-Length: " text
#define EMPTY OK("0") "\r\n\r\n"
#define PEER(...)                                                                                                      \
  do {                                                                                                                 \
    static const reply all[] = {__VA_ARGS__};                                                                          \
    set_peer(all, sizeof all / sizeof *all);                                                                           \
  } while (0)

static PORTHOLE_CLIENT_MEMORY(memory, RX);

static porthole_client *new_client(const char *host) {
  porthole_client *made = porthole_client_init(memory, sizeof memory, host, 0);
  assert_non_null(made);
  return made;
}

static int32_t get(porthole_client *client, const char *url) {
  int32_t result = porthole_client_request(client, "GET", url, NULL, 0, NULL);
  return result != 0 ? result : porthole_client_getresponse(client);
}

static void assert_span(porthole_span span, const char *text) {
  assert_int_equal(span.length, strlen(text));
  assert_memory_equal(span.data == NULL ? (const uint8_t *)"" : span.data, text, span.length);
}

static void assert_body(porthole_client *client, const char *text) {
  char body[256];
  assert_int_equal(porthole_client_read(client, body, sizeof body), strlen(text));
  assert_memory_equal(body, text, strlen(text));
  assert_int_equal(porthole_client_read(client, body, sizeof body), 0);
}

static void assert_error(const porthole_client *client, const char *text) {
  char buffer[400];
  assert_string_equal(porthole_client_error(client, buffer, sizeof buffer), text);
}

static void assert_out(const char *text) {
  assert_int_equal(peer.out_length, strlen(text));
  assert_memory_equal(peer.out, text, peer.out_length);
}

/* ---- a session, over both kinds of host ---- */

/* What was learned, one after the other. */
static struct {
  size_t length;
  char text[TEXT_MAX];
} notes, first;

static void note(const char *text, size_t length) {
  assert_true(length <= sizeof notes.text - notes.length);
  memcpy(notes.text + notes.length, length > 0 ? text : "", length);
  notes.length += length;
}

static void note_span(porthole_span span) { note((const char *)span.data, span.length); }

static void note_number(int32_t number) {
  char text[16];
  note(text, (size_t)snprintf(text, sizeof text, " %d\n", number));
}

/** Notes all there is of a response. */
static void note_response(porthole_client *client) {
  int32_t result;
  DO(client, result, porthole_client_getresponse(client));
  note_number(result);
  note_span(porthole_client_reason(client));
  porthole_field field;
  for (uint32_t i = 0; porthole_client_header(client, i, &field); i++) {
    note_span(field.name);
    note_span(field.value);
  }
  porthole_interim interim;
  for (uint32_t i = 0; porthole_client_interim(client, i, &interim); i++) {
    note_number((int32_t)interim.status);
    note_span(interim.fields);
  }
  char piece[37];
  porthole_span bytes;
  for (bool peeks = false;; peeks = !peeks) {
    if (peeks) {
      DO(client, result, porthole_client_peek(client, &bytes));
      if (result > 0) {
        note_span(bytes);
        porthole_client_skip(client, bytes.length);
      }
    } else {
      DO(client, result, porthole_client_read(client, piece, sizeof piece));
      note(piece, result > 0 ? (size_t)result : 0);
    }
    if (result <= 0) {
      break;
    }
  }
  note_number(result);
  for (uint32_t i = 0; porthole_client_trailer(client, i, &field); i++) {
    note_span(field.name);
    note_span(field.value);
  }
  note_span(porthole_client_getheader(client, "x-name")); /* after the body */
}

static void send_all(porthole_client *client, const char *text, size_t length) {
  int32_t result;
  while (length > 0) {
    DO(client, result, porthole_client_send(client, text, length));
    assert_true(result > 0 && (size_t)result <= length);
    text += result;
    length -= (size_t)result;
  }
}

/** Talks through a proxy, and is told everything that is noted. */
static void talk(void) {
  static char body[30000];
  static char interims[256];
  static const char *const headers[] = {"X-One", "1", "x-two", "", NULL};
  static const char *const trailers[] = {"X-Sum", "42", NULL};
  memset(body, 'b', sizeof body);
  notes.length = 0;
  int32_t result;
  porthole_client *client = new_client("proxy.example:3128");
  porthole_client_keep_interim(client, interims, sizeof interims);
  porthole_client_use_tls(client);
  assert_int_equal(porthole_client_set_tunnel(client, "a.example", 0, headers), 0);
  DO(client, result, porthole_client_connect(client));
  assert_int_equal(result, 0);
  assert_string_equal(peer.opened, "proxy.example");
  assert_int_equal(peer.flags, 3128 << 8);

  DO(client, result, porthole_client_request(client, "POST", "/known", body, sizeof body, headers));
  assert_int_equal(result, 0);
  note_response(client);

  porthole_client_expect_continue(client, 1000);
  DO(client, result, porthole_client_begin(client, "PUT", "/chunks", PORTHOLE_CHUNKED_BODY, NULL));
  assert_int_equal(result, 0);
  send_all(client, body, 5000);
  DO(client, result, porthole_client_endbody(client, trailers));
  assert_int_equal(result, 0);
  note_response(client);
  porthole_client_expect_continue(client, -1);

  DO(client, result, porthole_client_putrequest(client, "POST", "/steps", PORTHOLE_SKIP_ACCEPT_ENCODING));
  assert_int_equal(result, 0);
  assert_int_equal(porthole_client_putheader(client, "Content-Length", "10"), 0);
  DO(client, result, porthole_client_endheaders(client, NULL, 0));
  assert_int_equal(result, 0);
  send_all(client, "0123456789", 10);
  note_response(client);

  DO(client, result, porthole_client_request(client, "HEAD", "", NULL, 0, NULL)); /* on another connection */
  assert_int_equal(result, 0);
  note_response(client);
  porthole_client_close(client);
}

static void a_host_that_can_not_wait_is_told_the_same_and_tells_the_same(void **state) {
  (void)state;
  static const reply replies[] = {
      {.bytes = "HTTP/1.1 200 Fine\r\n\r\n"},
      {.bytes = "HTTP/1.1 200 OK\r\nX-Name: v\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n"
                "X-T: t\r\n\r\n"},
      {.bytes = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc"},
      {.bytes = "HTTP/1.0 404 Not Found\r\n\r\nup to the end", .ends = true},
      {.bytes = "HTTP/1.1 200 OK\r\n\r\n"},
      {.bytes = OK("5") "\r\n\r\n"},
  };
  enum { REPLIES = sizeof replies / sizeof *replies };
  static char out[OUT_MAX];
  size_t out_length = 0;
  for (uint32_t seed = 0; seed < SEEDS; seed++) {
    set_peer(replies, REPLIES);
    peer.dawdles = seed > 0;
    dawdle_seed = seed + 1;
    talk();
    assert_int_equal(peer.opens, 2);
    assert_int_equal(peer.handshakes, 2);
    assert_int_equal(peer.handle, 0);
    if (seed == 0) {
      first.length = notes.length;
      memcpy(first.text, notes.text, notes.length);
      out_length = peer.out_length;
      memcpy(out, peer.out, out_length);
    }
    assert_int_equal(notes.length, first.length);
    assert_memory_equal(notes.text, first.text, first.length);
    /* Chunks are cut as the host takes them: the rest is the same. */
    assert_true(seed > 0 || peer.out_length == out_length);
  }
  static const char known[] = "POST /known HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: identity\r\n"
                              "Content-Length: 30000\r\nX-One: 1\r\nx-two: \r\n\r\n";
  static const char tunnel[] = "CONNECT a.example:443 HTTP/1.1\r\nX-One: 1\r\nx-two: \r\nHost: a.example:443\r\n\r\n";
  assert_memory_equal(out, tunnel, sizeof tunnel - 1);
  assert_memory_equal(out + sizeof tunnel - 1, known, sizeof known - 1);
}

/* ---- responses ---- */

typedef struct hostile_text {
  size_t length;
  char text[1 << 18];
} hostile_text;

typedef struct heard_text {
  size_t length;
  char text[1 << 12];
} heard_text;

/** Gets one response, and reads it. @returns the first error, or 0 */
static int32_t take(porthole_client *client, const char *method, int32_t *status, heard_text *body) {
  int32_t result;
  DO(client, result, porthole_client_request(client, method, "/", NULL, 0, NULL));
  assert_int_equal(result, 0);
  DO(client, result, porthole_client_getresponse(client));
  *status = result;
  body->length = 0;
  while (result > 0) {
    DO(client, result, porthole_client_read(client, body->text + body->length, sizeof body->text - body->length));
    body->length += result > 0 ? (size_t)result : 0;
  }
  return result;
}

static void responses_are_what_the_core_makes_of_them(void **state) {
  (void)state;
  static heard_text body;
  for (size_t i = 0; i < OUTCOMES; i++) {
    for (uint32_t seed = 0; seed < 8; seed++) {
      const reply one = {.bytes = outcomes[i].input, .ends = true};
      set_peer(&one, 1);
      peer.dawdles = seed > 0;
      dawdle_seed = seed + 1;
      porthole_client *client = new_client("h");
      int32_t status;
      int32_t end = take(client, outcomes[i].method, &status, &body);
      assert_int_equal(status, outcomes[i].head);
      assert_int_equal(end, status < 0 ? status : outcomes[i].end);
      assert_int_equal(body.length, strlen(outcomes[i].body));
      assert_memory_equal(body.text, outcomes[i].body, body.length);
      assert_int_equal(porthole_client_failure(client), end);
      assert_int_equal(peer.handle, end < 0 || porthole_client_will_close(client) ? 0 : 1);
      porthole_client_close(client);
    }
  }
}

/* The responses of test/data/hostile.json: see cases.mjs. */
typedef struct hostile_case {
  const char *id, *method, *bytes;
  size_t length;
  bool closes;
  const char *error; /* the class, or NULL */
  bool at_body;
  bool lenient; /* another error would do as well */
  uint32_t status, version;
  int32_t will_close;
  const char *reason, *headers, *body;
  size_t body_length;
} hostile_case;

#ifdef HOSTILE_CASES
#include HOSTILE_CASES

/** What came of a case. @returns NULL when it is what it has to be */
static const char *judge(porthole_client *client, const hostile_case *one, int32_t status, int32_t end,
                         const hostile_text *body) {
  static char headers[HEADERS_MAX];
  if (one->error != NULL) {
    const char *name = end < 0 ? porthole_error_class(end) : "none";
    bool general = strcmp(one->error, "HTTPException") == 0; /* the base of the others */
    bool same = end < 0 && (one->lenient || general || strcmp(name, one->error) == 0);
    return !same ? name : one->lenient || (status > 0) == one->at_body ? NULL : "at another place";
  }
  if (end < 0 || status != (int32_t)one->status) {
    return one->lenient ? NULL : "an error, or another status";
  }
  porthole_span reason = porthole_client_reason(client);
  size_t length = 0;
  porthole_field field;
  for (uint32_t i = 0; porthole_client_header(client, i, &field); i++) {
    length += (size_t)snprintf(headers + length, sizeof headers - length, "%.*s: %.*s\n", PORTHOLE_TEXT(field.name),
                               PORTHOLE_TEXT(field.value));
  }
  bool same = porthole_client_version(client) == one->version && strlen(one->reason) == reason.length &&
              memcmp(one->reason, reason.data, reason.length) == 0 && strcmp(one->headers, headers) == 0 &&
              porthole_client_will_close(client) == one->will_close && body->length == one->body_length &&
              memcmp(body->text, one->body, body->length) == 0;
  headers[0] = '\0';
  return same ? NULL : "something else of the response";
}

static void hostile_responses_are_understood_as_javascript_does(void **state) {
  (void)state;
  static PORTHOLE_CLIENT_MEMORY(large, 2 * HEADERS_MAX);
  static hostile_text body;
  for (size_t i = 0; i < sizeof hostile_cases / sizeof *hostile_cases; i++) {
    const hostile_case *one = &hostile_cases[i];
    const reply answer = {.bytes = one->bytes, .length = one->length, .ends = one->closes};
    set_peer(&answer, 1);
    porthole_client *client = porthole_client_init(large, sizeof large, "h", 0);
    int32_t result = porthole_client_request(client, one->method, "/", NULL, 0, NULL);
    assert_int_equal(result, 0);
    int32_t status = result = porthole_client_getresponse(client);
    body.length = 0;
    while (result > 0) {
      result = porthole_client_read(client, body.text + body.length, sizeof body.text - body.length);
      body.length += result > 0 ? (size_t)result : 0;
    }
    const char *wrong = judge(client, one, status, result, &body);
    if (wrong != NULL) {
      fail_msg("%s: %s (%d, then %d)", one->id, wrong, status, result);
    }
    porthole_client_close(client);
  }
}
#endif

/* ---- arguments ---- */

static void memory_that_is_too_small_makes_no_client(void **state) {
  (void)state;
  assert_null(porthole_client_init(memory, 4096, "h", 0));
  assert_null(porthole_client_init(NULL, sizeof memory, "h", 0));
  uint8_t *odd = (uint8_t *)memory + 1;
  porthole_client *client = porthole_client_init(odd, sizeof memory - 1, "h", 0);
  assert_int_equal((uintptr_t)client % 8, 0);
}

static void a_host_is_as_http_client_takes_it(void **state) {
  (void)state;
  static const struct {
    const char *host;
    uint32_t port;
    int32_t result;
    const char *name;
    uint32_t opened;
  } hosts[] = {
      {"a.example", 0, 0, "a.example", 80},   {"a.example:8080", 0, 0, "a.example", 8080},
      {"[::1]:81", 0, 0, "::1", 81},          {"::1", 82, 0, "::1", 82},
      {"a.example", 83, 0, "a.example", 83},  {"", 0, PORTHOLE_EMPTY_HOST, "", 0},
      {"a b", 0, PORTHOLE_BAD_HOST, "", 0},   {"a:b", 0, PORTHOLE_BAD_PORT, "", 0},
      {"a", 65536, PORTHOLE_BAD_PORT, "", 0}, {"::1:80", 0, PORTHOLE_HOST_NEEDS_BRACKETS, "", 0},
      {NULL, 0, PORTHOLE_EMPTY_HOST, "", 0},
  };
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    PEER({.bytes = EMPTY});
    porthole_client *client = porthole_client_init(memory, sizeof memory, hosts[i].host, hosts[i].port);
    int32_t result = porthole_client_request(client, "GET", "/", NULL, 0, NULL);
    assert_int_equal(result, hosts[i].result);
    assert_string_equal(peer.opened, hosts[i].name);
    assert_int_equal(peer.flags >> 8, hosts[i].opened);
    porthole_client_close(client);
  }
}

static void what_is_refused_opens_and_sends_nothing(void **state) {
  (void)state;
  static char large[PORTHOLE_CLIENT_SEND];
  memset(large, 'x', sizeof large - 1);
  static const char *many[2 * PORTHOLE_CLIENT_FIELDS + 3];
  for (size_t i = 0; i < 2 * PORTHOLE_CLIENT_FIELDS + 2; i++) {
    many[i] = "x";
  }
  const struct {
    const char *method, *url, *const *headers;
    int32_t error;
  } bad[] = {{"G ET", "/", NULL, PORTHOLE_BAD_METHOD},
             {"", "/", NULL, PORTHOLE_EMPTY_METHOD},
             {"GET", "/a b", NULL, PORTHOLE_BAD_URL},
             {"GET", "/", (const char *const[]){"a b", "c", NULL}, PORTHOLE_BAD_HEADER_NAME},
             {"GET", "/", (const char *const[]){"a", "b\r\nc: d", NULL}, PORTHOLE_BAD_HEADER_VALUE},
             {"GET", "/", (const char *const[]){"a", NULL}, PORTHOLE_BAD_HEADER_VALUE},
             {"GET", "/", (const char *const[]){"Content-Length", "3", NULL}, PORTHOLE_LENGTH_MISMATCH},
             {"GET", "/", many, PORTHOLE_TOO_MANY_FIELDS},
             {"GET", large, NULL, PORTHOLE_REQUEST_TOO_LARGE}};
  PEER({.bytes = OK("2") "\r\n\r\nok"}, {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  for (int connected = 0; connected < 2; connected++) {
    size_t sent = peer.out_length;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
      assert_int_equal(porthole_client_request(client, bad[i].method, bad[i].url, NULL, 0, bad[i].headers),
                       bad[i].error);
      assert_int_equal(porthole_client_failure(client), bad[i].error);
      assert_int_equal(peer.opens, connected);
    }
    assert_error(client, "the request's head does not fit in its buffer of 16384 bytes");
    assert_int_equal(porthole_client_putheader(client, "a", "b"), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_endheaders(client, NULL, 0), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_endbody(client, NULL), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_send(client, "x", 1), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_getresponse(client), PORTHOLE_RESPONSE_NOT_READY);
    assert_int_equal(peer.out_length, sent);
    if (!connected) {
      assert_int_equal(get(client, "/"), 200);
      assert_body(client, "ok");
    }
  }
  assert_int_equal(get(client, "/"), 200); /* on the same connection */
  assert_int_equal(peer.opens, 1);
  porthole_client_close(client);
}

static void a_request_while_another_is_under_way_is_refused(void **state) {
  (void)state;
  PEER({.bytes = EMPTY});
  porthole_client *client = new_client("h");
  assert_int_equal(porthole_client_request(client, "GET", "/1", NULL, 0, NULL), 0);
  assert_int_equal(porthole_client_request(client, "GET", "/2", NULL, 0, NULL), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_string_equal(porthole_error_class(porthole_client_failure(client)), "CannotSendRequest");
  assert_int_equal(porthole_client_getresponse(client), 200);
  porthole_client_close(client);
}

static void amid_a_call_only_that_call_goes_on(void **state) {
  (void)state;
  PEER({.bytes = EMPTY});
  peer.dawdles = true;
  porthole_client *client = new_client("h");
  unsigned waits = 0;
  int32_t result;
  while ((result = porthole_client_request(client, "GET", "/", NULL, 0, NULL)) != 0) {
    assert_int_equal(result, PORTHOLE_WANT_WRITE);
    assert_int_equal(porthole_client_begin(client, "GET", "/", 0, NULL), PORTHOLE_CANNOT_SEND_REQUEST);
    assert_int_equal(porthole_client_connect(client), PORTHOLE_CANNOT_SEND_REQUEST);
    assert_int_equal(porthole_client_putheader(client, "a", "b"), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_send(client, "x", 1), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_endbody(client, NULL), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_endheaders(client, NULL, 0), PORTHOLE_CANNOT_SEND_HEADER);
    assert_int_equal(porthole_client_getresponse(client), PORTHOLE_RESPONSE_NOT_READY);
    assert_int_equal(porthole_client_wants(client), PORTHOLE_WRITABLE);
    waits++;
  }
  assert_true(waits > 0);
  assert_int_equal(peer.heads, 1);
  porthole_client_close(client);
}

/* ---- connections ---- */

static void a_connection_is_opened_anew_after_one_that_closed(void **state) {
  (void)state;
  PEER({.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"}, {.bytes = EMPTY},
       {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", .ends = true}, {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  assert_int_equal(get(client, "/1"), 200);
  assert_int_equal(porthole_client_will_close(client), 1);
  assert_body(client, "ok");
  assert_int_equal(peer.handle, 0); /* at once, as http.client does */
  assert_int_equal(get(client, "/2"), 200);
  assert_int_equal(peer.opens, 2);
  assert_int_equal(get(client, "/3"), 200);
  char body[16];
  assert_int_equal(porthole_client_read(client, body, sizeof body), 3);
  assert_int_equal(porthole_client_read(client, body, sizeof body), PORTHOLE_BODY_CUT);
  assert_int_equal(peer.handle, 0);
  assert_int_equal(porthole_client_status(client), 200);
  assert_span(porthole_client_getheader(client, "Content-Length"), "9");
  assert_int_equal(porthole_client_read(client, body, sizeof body), PORTHOLE_BODY_CUT);
  assert_string_equal(porthole_error_class(porthole_client_failure(client)), "IncompleteRead");
  assert_int_equal(get(client, "/4"), 200);
  assert_int_equal(peer.opens, 3);
  porthole_client_close(client);
  assert_int_equal(porthole_client_status(client), 0);
}

static void a_connection_that_the_server_closed_while_it_rested_is_opened_anew(void **state) {
  (void)state;
  PEER({.bytes = OK("2") "\r\n\r\nok", .ends = true}, {.bytes = OK("3") "\r\n\r\nyes", .resets = true},
       {.bytes = EMPTY "HTTP/1.1 408 Late\r\n\r\n"}, {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  assert_int_equal(get(client, "/1"), 200);
  assert_body(client, "ok");
  assert_int_equal(get(client, "/2"), 200);
  assert_body(client, "yes");
  assert_int_equal(get(client, "/3"), 200);
  assert_int_equal(get(client, "/4"), 200); /* what was said unasked is no answer */
  assert_int_equal(peer.opens, 4);
  assert_int_equal(peer.heads, 4);
  porthole_client_close(client);
}

static void a_server_that_closes_the_first_time_is_an_error(void **state) {
  (void)state;
  PEER({.bytes = "", .length = 0, .ends = true}, {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  assert_int_equal(get(client, "/"), PORTHOLE_REMOTE_DISCONNECTED);
  assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_UNKNOWN);
  assert_int_equal(peer.opens, 1);
  assert_int_equal(get(client, "/"), 200);
  porthole_client_close(client);
}

static void an_unread_response_is_followed_by_the_next(void **state) {
  (void)state;
  PEER({.bytes = OK("2") "\r\n\r\n12"}, {.bytes = OK("2") "\r\n\r\n34"});
  porthole_client *client = new_client("h");
  assert_int_equal(get(client, "/1"), 200);
  assert_int_equal(porthole_client_request(client, "GET", "/2", NULL, 0, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), PORTHOLE_RESPONSE_NOT_READY);
  assert_body(client, "12");
  assert_int_equal(porthole_client_status(client), 0);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_body(client, "34");
  assert_int_equal(peer.opens, 1);
  porthole_client_close(client);
}

static void tls_and_the_family_are_said_when_it_is_opened(void **state) {
  (void)state;
  PEER({.bytes = EMPTY});
  porthole_client *client = new_client("h");
  porthole_client_use_tls(client);
  porthole_client_set_family(client, PORTHOLE_OPEN_IPV6);
  assert_int_equal(get(client, "/"), 200);
  assert_int_equal(peer.flags, PORTHOLE_OPEN_TLS | PORTHOLE_OPEN_IPV6 | 443 << 8);
  assert_int_equal(peer.handshakes, 1);
  assert_out("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\n\r\n");
  porthole_client_close(client);
}

static void a_tunnel_that_is_refused_is_an_error_with_a_response(void **state) {
  (void)state;
  PEER({.bytes =
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"});
  porthole_client *client = new_client("proxy");
  assert_int_equal(porthole_client_set_tunnel(client, "a.example:99", 0, NULL), 0);
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, NULL), PORTHOLE_TUNNEL_REFUSED);
  assert_int_equal(porthole_client_status(client), 407);
  assert_span(porthole_client_getheader(client, "proxy-authenticate"), "Basic");
  assert_error(client, "Tunnel connection failed: 407 Proxy Authentication Required");
  assert_string_equal(porthole_error_class(PORTHOLE_TUNNEL_REFUSED), "TunnelError");
  assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_SAFE);
  assert_int_equal(peer.handle, 0);
  assert_out("CONNECT a.example:99 HTTP/1.1\r\nHost: a.example:99\r\n\r\n");
  porthole_client_close(client);
}

static void the_answer_that_made_a_tunnel_can_be_looked_at(void **state) {
  (void)state;
  PEER({.bytes = "HTTP/1.1 200 Made\r\nVia: p\r\n\r\n"}, {.bytes = EMPTY});
  porthole_client *client = new_client("proxy");
  assert_int_equal(porthole_client_set_tunnel(client, "a", 81, NULL), 0);
  assert_span(porthole_client_tunnel_head(client), "");
  assert_int_equal(porthole_client_connect(client), 0);
  assert_span(porthole_client_tunnel_head(client), "HTTP/1.1 200 Made\r\nVia: p\r\n\r\n");
  assert_int_equal(porthole_client_status(client), 0);
  assert_int_equal(get(client, "/"), 200);
  assert_span(porthole_client_tunnel_head(client), "");
  porthole_client_close(client);
}

static void a_tunnel_is_checked_when_it_is_set(void **state) {
  (void)state;
  PEER({.bytes = "HTTP/1.1 200 OK\r\n\r\n"}, {.bytes = EMPTY});
  porthole_client *client = new_client("proxy");
  assert_int_equal(porthole_client_set_tunnel(client, "", 0, NULL), PORTHOLE_EMPTY_HOST);
  assert_int_equal(porthole_client_set_tunnel(client, "a", 0, (const char *const[]){"Content-Length", "1", NULL}),
                   PORTHOLE_TUNNEL_FRAMING);
  assert_int_equal(porthole_client_set_tunnel(client, "b", 81, NULL), 0);
  assert_int_equal(get(client, "/"), 200);
  assert_out(
      "CONNECT b:81 HTTP/1.1\r\nHost: b:81\r\n\r\nGET / HTTP/1.1\r\nHost: b:81\r\nAccept-Encoding: identity\r\n\r\n");
  assert_int_equal(porthole_client_set_tunnel(client, "c", 81, NULL), PORTHOLE_CANNOT_SEND_REQUEST);
  porthole_client_close(client);
  assert_int_equal(porthole_client_set_tunnel(client, NULL, 0, NULL), 0);
  porthole_client_close(client);
}

static void an_upgrade_gives_the_transport_away(void **state) {
  (void)state;
  PEER({.bytes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nfirst"}, {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  porthole_span rest;
  assert_int_equal(porthole_client_detach(client, &rest), PORTHOLE_RESPONSE_NOT_READY);
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, (const char *const[]){"Upgrade", "x", NULL}),
                   0);
  assert_int_equal(porthole_client_getresponse(client), 101);
  assert_int_equal(porthole_client_detach(client, &rest), 1);
  assert_span(rest, "first");
  assert_int_equal(peer.handle, 1);
  assert_int_equal(porthole_client_handle(client), 0);
  peer.handle = 0; /* its new owner closes it */
  assert_int_equal(get(client, "/"), 200);
  porthole_client_close(client);
}

/* ---- uploads ---- */

static void a_body_of_another_length_closes_the_connection(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    PEER({.bytes = ""}, {.bytes = EMPTY});
    porthole_client *client = new_client("h");
    assert_int_equal(porthole_client_begin(client, "PUT", "/", 5, NULL), 0);
    if (i == 0) {
      assert_int_equal(porthole_client_send(client, "four", 4), 4);
      assert_int_equal(porthole_client_endbody(client, NULL), PORTHOLE_BODY_TOO_SHORT);
    } else {
      assert_int_equal(porthole_client_send(client, "sixsix", 6), PORTHOLE_BODY_TOO_LONG);
    }
    assert_int_equal(peer.handle, 0);
    assert_true(porthole_client_getresponse(client) < 0);
    assert_int_equal(get(client, "/"), 200);
    porthole_client_close(client);
  }
}

static void an_answer_that_closes_stops_the_body(void **state) {
  (void)state;
  static char body[100000];
  PEER({.bytes = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"});
  porthole_client *client = new_client("h");
  assert_int_equal(porthole_client_begin(client, "POST", "/", sizeof body, NULL), 0);
  size_t head = peer.out_length;
  assert_int_equal(porthole_client_stopped(client), 0);
  assert_int_equal(porthole_client_send(client, body, sizeof body), sizeof body); /* dropped */
  assert_int_equal(porthole_client_stopped(client), 1);
  assert_int_equal(peer.out_length, head);
  assert_int_equal(porthole_client_endbody(client, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), 413);
  assert_body(client, "no");
  assert_int_equal(peer.handle, 0);
  porthole_client_close(client);
}

static void an_answer_that_came_before_a_reset_is_read(void **state) {
  (void)state;
  static char body[100000];
  for (int i = 0; i < 2; i++) {
    PEER({.bytes = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", .resets = true});
    porthole_client *client = new_client("h");
    peer.send_error = PORTHOLE_HOST_RESET;
    if (i == 0) {
      assert_int_equal(porthole_client_request(client, "POST", "/", body, sizeof body, NULL), 0);
    } else {
      assert_int_equal(porthole_client_begin(client, "POST", "/", sizeof body, NULL), 0);
      assert_int_equal(porthole_client_send(client, body, sizeof body), sizeof body);
      assert_int_equal(porthole_client_stopped(client), PORTHOLE_HOST_RESET);
      assert_int_equal(porthole_client_endbody(client, NULL), 0);
    }
    assert_int_equal(porthole_client_getresponse(client), 403);
    assert_body(client, "no");
    assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_NOT);
    porthole_client_close(client);
  }
}

static void a_reset_without_an_answer_is_told_by_getresponse(void **state) {
  (void)state;
  PEER({.bytes = ""});
  peer.count = 0;
  porthole_client *client = new_client("h");
  peer.send_error = PORTHOLE_HOST_RESET;
  peer.words = "reset\nby peer";
  assert_int_equal(porthole_client_request(client, "POST", "/", "body", 4, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), PORTHOLE_HOST_RESET);
  assert_error(client, "connection reset by peer: reset by peer");
  porthole_client_close(client);
}

static void an_answer_is_read_while_the_body_goes_on(void **state) {
  (void)state;
  PEER({.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"}, {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  assert_int_equal(porthole_client_begin(client, "POST", "/", PORTHOLE_CHUNKED_BODY, NULL), 0);
  assert_int_equal(porthole_client_send(client, "one", 3), 3);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_body(client, "ok");
  assert_int_equal(porthole_client_stopped(client), 0);
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, NULL), PORTHOLE_CANNOT_SEND_REQUEST);
  assert_int_equal(porthole_client_send(client, "two", 3), 3);
  assert_int_equal(porthole_client_endbody(client, NULL), 0);
  assert_int_equal(get(client, "/"), 200);
  assert_int_equal(peer.opens, 1);
  porthole_client_close(client);
}

static void a_body_waits_for_the_100_that_was_asked_for(void **state) {
  (void)state;
  static char interims[128];
  PEER({.bytes = "HTTP/1.1 100 Continue\r\n\r\n" EMPTY}, {.bytes = "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"});
  porthole_client *client = new_client("h");
  porthole_client_expect_continue(client, 1000);
  porthole_client_keep_interim(client, interims, sizeof interims);
  for (int i = 0; i < 2; i++) {
    peer.out_length = 0;
    assert_int_equal(porthole_client_request(client, "POST", "/", "body", 4, NULL), 0);
    assert_out(i == 0 ? "POST / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\nContent-Length: 4\r\n"
                        "Expect: 100-continue\r\n\r\nbody"
                      : "POST / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\nContent-Length: 4\r\n"
                        "Expect: 100-continue\r\n\r\n");
    assert_int_equal(porthole_client_getresponse(client), i == 0 ? 200 : 417);
    porthole_interim interim;
    assert_int_equal(porthole_client_interim(client, 0, &interim), i == 0);
  }
  porthole_client_close(client);
}

static void steps_lead_to_a_body_in_pieces_that_the_headers_announce(void **state) {
  (void)state;
  PEER({.bytes = "HTTP/1.1 100 Continue\r\n\r\n" EMPTY}, {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  porthole_client_expect_continue(client, 1000);
  assert_int_equal(porthole_client_beginbody(client, 4), PORTHOLE_CANNOT_SEND_HEADER);
  assert_int_equal(porthole_client_putrequest(client, "PUT", "/", PORTHOLE_SKIP_ACCEPT_ENCODING), 0);
  assert_int_equal(porthole_client_beginbody(client, PORTHOLE_CHUNKED_BODY), PORTHOLE_LENGTH_MISMATCH);
  assert_int_equal(porthole_client_beginbody(client, 4), PORTHOLE_LENGTH_MISMATCH);
  assert_int_equal(porthole_client_putheader(client, "Content-Length", "4"), 0);
  assert_int_equal(porthole_client_putheader(client, "Expect", "100-continue"), 0);
  assert_int_equal(porthole_client_beginbody(client, 5), PORTHOLE_LENGTH_MISMATCH);
  assert_int_equal(porthole_client_beginbody(client, 4), 0);
  send_all(client, "body", 4);
  assert_int_equal(porthole_client_endbody(client, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_out("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody");

  peer.out_length = 0;
  assert_int_equal(porthole_client_putrequest(client, "PUT", "/", PORTHOLE_SKIP_ACCEPT_ENCODING), 0);
  assert_int_equal(porthole_client_putheader(client, "Transfer-Encoding", "chunked"), 0);
  assert_int_equal(porthole_client_beginbody(client, PORTHOLE_CHUNKED_BODY), 0);
  send_all(client, "body", 4);
  assert_int_equal(porthole_client_endbody(client, NULL), 0);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_out("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
  porthole_client_close(client);
}

static void a_body_goes_out_when_no_100_comes_in_its_time(void **state) {
  (void)state;
  PEER({.bytes = EMPTY});
  peer.count = 0;
  porthole_client *client = new_client("h");
  porthole_client_expect_continue(client, 1000);
  assert_int_equal(porthole_client_request(client, "POST", "/", "body", 4, NULL), 0);
  assert_int_equal(peer.now, 1000);
  assert_memory_equal(peer.out + peer.out_length - 4, "body", 4);
  porthole_client_close(client);
}

/* ---- what is known ---- */

static void interim_responses_that_fit_are_kept(void **state) {
  (void)state;
  static char interims[90];
  PEER({.bytes = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\nHTTP/1.1 102 Processing, and a reason "
                 "that is long\r\n\r\n"
                 "HTTP/1.0 199 \n\n" EMPTY},
       {.bytes = EMPTY});
  porthole_client *client = new_client("h");
  porthole_client_keep_interim(client, interims, sizeof interims);
  assert_int_equal(get(client, "/"), 200);
  porthole_interim interim;
  porthole_field field;
  assert_int_equal(porthole_client_interim(client, 0, &interim), 1);
  assert_int_equal(interim.status, 103);
  assert_span(interim.head, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n");
  assert_int_equal(porthole_fields_at(interim.fields, 1, &field), 1);
  assert_span(field.value, "</b>");
  assert_int_equal(porthole_fields_at(interim.fields, 2, &field), 0);
  assert_int_equal(porthole_client_interim(client, 1, &interim), 1);
  assert_int_equal(interim.status, 199);
  assert_int_equal(porthole_client_interim(client, 2, &interim), 0);
  assert_int_equal(get(client, "/"), 200);
  assert_int_equal(porthole_client_interim(client, 0, &interim), 0); /* of the request before */
  porthole_client_close(client);
}

static void a_response_can_be_asked_for_until_the_next_request(void **state) {
  (void)state;
  PEER({.bytes =
            "HTTP/1.1 200 Fine\r\nA: 1\r\na:  2 \r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n"});
  porthole_client *client = new_client("h");
  porthole_field field;
  assert_int_equal(porthole_client_status(client), 0);
  assert_int_equal(porthole_client_isclosed(client), 1);
  assert_int_equal(porthole_client_header(client, 0, &field), 0);
  assert_span(porthole_client_head(client), "");
  assert_int_equal(get(client, "/"), 200);
  assert_int_equal(porthole_client_trailer(client, 0, &field), 0);
  assert_int_equal(porthole_client_isclosed(client), 0);
  assert_body(client, "x");
  assert_int_equal(porthole_client_isclosed(client), 1);
  assert_int_equal(porthole_client_status(client), 200);
  assert_int_equal(porthole_client_version(client), 11);
  assert_span(porthole_client_reason(client), "Fine");
  assert_span(porthole_client_head(client),
              "HTTP/1.1 200 Fine\r\nA: 1\r\na:  2 \r\nTransfer-Encoding: chunked\r\n\r\n");
  assert_span(porthole_client_getheader(client, "a"), "1");
  assert_null(porthole_client_getheader(client, "b").data);
  assert_int_equal(porthole_client_header(client, 1, &field), 1);
  assert_span(field.value, "2");
  assert_int_equal(porthole_client_header(client, 3, &field), 0);
  assert_int_equal(porthole_client_trailer(client, 0, &field), 1);
  assert_span(field.name, "T");
  assert_int_equal(porthole_client_trailer(client, 1, &field), 0);
  assert_int_equal(porthole_client_request(client, "GET", "/", NULL, 0, NULL), 0);
  assert_int_equal(porthole_client_status(client), 0);
  assert_null(porthole_client_getheader(client, "a").data);
  porthole_client_close(client);
}

static void what_was_sent_and_came_says_whether_it_is_safe_to_try_again(void **state) {
  (void)state;
  PEER({.bytes = OK("2") "\r\n\r\nok"});
  porthole_client *client = new_client("h");
  peer.open_error = PORTHOLE_HOST_REFUSED;
  peer.words = "nobody there";
  assert_int_equal(get(client, "/"), PORTHOLE_HOST_REFUSED);
  assert_error(client, "connection refused: nobody there");
  assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_SAFE);
  assert_int_equal(porthole_client_bytes_sent(client), 0);
  peer.open_error = 0;
  assert_int_equal(porthole_client_request(client, "POST", "/", "body", 4, NULL), 0);
  assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_UNKNOWN);
  assert_int_equal(porthole_client_bytes_sent(client), peer.out_length);
  assert_int_equal(porthole_client_getresponse(client), 200);
  assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_NOT);
  porthole_client_close(client);
  assert_int_equal(porthole_client_bytes_sent(client), peer.out_length);
  assert_int_equal(porthole_client_bytes_received(client), sizeof OK("2") "\r\n\r\nok" - 1);
}

static void a_handshake_that_fails_is_an_error(void **state) {
  (void)state;
  PEER({.bytes = EMPTY});
  porthole_client *client = new_client("h");
  porthole_client_use_tls(client);
  peer.tls_error = PORTHOLE_HOST_TLS_VERIFY;
  assert_int_equal(porthole_client_connect(client), PORTHOLE_HOST_TLS_VERIFY);
  assert_int_equal(peer.handle, 0);
  assert_int_equal(porthole_client_retry_safe(client), PORTHOLE_RETRY_SAFE);
  peer.tls_error = 0;
  assert_int_equal(porthole_client_connect(client), 0);
  assert_int_equal(porthole_client_connect(client), 0);
  assert_int_equal(peer.opens, 2);
  porthole_client_close(client);
}

static void a_deadline_is_for_all_of_it(void **state) {
  (void)state;
  PEER({.bytes = OK("2") "\r\n\r\nok"});
  porthole_client *client = new_client("h");
  porthole_client_set_deadline(client, 100);
  assert_int_equal(get(client, "/"), 200);
  peer.now += 100;
  char body[4];
  assert_int_equal(porthole_client_read(client, body, sizeof body), 2); /* which is there */
  assert_int_equal(get(client, "/"), PORTHOLE_HOST_TIMED_OUT);
  assert_error(client, "timed out");
  assert_int_equal(get(client, "/"), PORTHOLE_HOST_TIMED_OUT);
  porthole_client_set_deadline(client, 100);
  peer.heads = 0;
  assert_int_equal(get(client, "/"), 200);
  porthole_client_close(client);
}

static void limits_are_those_of_the_core(void **state) {
  (void)state;
  PEER({.bytes = "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n"});
  porthole_client *client = new_client("h");
  assert_int_equal(porthole_client_set_limit(client, PORTHOLE_LIMIT_HEADERS, 1), 0);
  assert_int_equal(porthole_client_set_limit(client, 99, 1), PORTHOLE_BAD_LIMIT);
  assert_int_equal(get(client, "/"), PORTHOLE_TOO_MANY_HEADERS);
  assert_error(client, "got more than 1 headers");
  char small[8];
  assert_string_equal(porthole_client_error(client, small, sizeof small), "got mor");
  porthole_client_close(client);
}

static void a_url_is_split_into_what_a_request_needs(void **state) {
  (void)state;
  static const char *const urls[][4] = {
      {"http://a.example", "http", "a.example", ""},
      {"https://u:p@[::1]:8443/a/b?c#d", "https", "u:p@[::1]:8443", "/a/b?c"},
      {"http://h?q/x", "http", "h", "?q/x"},
      {"http://h#f", "http", "h", ""},
  };
  static const char *const bad[] = {"",     "http",    "http:",      "http:/h",       "http://",  "http:///x",
                                    "://h", "h t://h", "http://a b", "http://h/\r\n", "http://?x"};
  porthole_url parts;
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    assert_int_equal(porthole_split_url(urls[i][0], &parts), 0);
    assert_span(parts.scheme, urls[i][1]);
    assert_span(parts.authority, urls[i][2]);
    assert_span(parts.target, urls[i][3]);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(porthole_split_url(bad[i], &parts), PORTHOLE_BAD_URL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_host_that_can_not_wait_is_told_the_same_and_tells_the_same),
      cmocka_unit_test(responses_are_what_the_core_makes_of_them),
#ifdef HOSTILE_CASES
      cmocka_unit_test(hostile_responses_are_understood_as_javascript_does),
#endif
      cmocka_unit_test(memory_that_is_too_small_makes_no_client),
      cmocka_unit_test(a_host_is_as_http_client_takes_it),
      cmocka_unit_test(what_is_refused_opens_and_sends_nothing),
      cmocka_unit_test(a_request_while_another_is_under_way_is_refused),
      cmocka_unit_test(amid_a_call_only_that_call_goes_on),
      cmocka_unit_test(a_connection_is_opened_anew_after_one_that_closed),
      cmocka_unit_test(a_connection_that_the_server_closed_while_it_rested_is_opened_anew),
      cmocka_unit_test(a_server_that_closes_the_first_time_is_an_error),
      cmocka_unit_test(an_unread_response_is_followed_by_the_next),
      cmocka_unit_test(tls_and_the_family_are_said_when_it_is_opened),
      cmocka_unit_test(a_tunnel_that_is_refused_is_an_error_with_a_response),
      cmocka_unit_test(the_answer_that_made_a_tunnel_can_be_looked_at),
      cmocka_unit_test(a_tunnel_is_checked_when_it_is_set),
      cmocka_unit_test(an_upgrade_gives_the_transport_away),
      cmocka_unit_test(a_body_of_another_length_closes_the_connection),
      cmocka_unit_test(an_answer_that_closes_stops_the_body),
      cmocka_unit_test(an_answer_that_came_before_a_reset_is_read),
      cmocka_unit_test(a_reset_without_an_answer_is_told_by_getresponse),
      cmocka_unit_test(an_answer_is_read_while_the_body_goes_on),
      cmocka_unit_test(a_body_waits_for_the_100_that_was_asked_for),
      cmocka_unit_test(steps_lead_to_a_body_in_pieces_that_the_headers_announce),
      cmocka_unit_test(a_body_goes_out_when_no_100_comes_in_its_time),
      cmocka_unit_test(interim_responses_that_fit_are_kept),
      cmocka_unit_test(a_response_can_be_asked_for_until_the_next_request),
      cmocka_unit_test(what_was_sent_and_came_says_whether_it_is_safe_to_try_again),
      cmocka_unit_test(a_handshake_that_fails_is_an_error),
      cmocka_unit_test(a_deadline_is_for_all_of_it),
      cmocka_unit_test(limits_are_those_of_the_core),
      cmocka_unit_test(a_url_is_split_into_what_a_request_needs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
