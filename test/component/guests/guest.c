/* SPDX-License-Identifier: MIT
 *
 * A guest in C, without a libc and without a generator of bindings: what it imports of porthole:http/client by the canonical ABI.
 */
#include <stddef.h>
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("porthole:http/client@0.1.0"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef struct text {
  const char *data;
  size_t length;
} text;

/* A result of a list, of a resource or of nothing; or an error, with all that is used of it. */
typedef struct result {
  uint8_t failed;
  union {
    text list;
    int32_t resource;
    struct {
      uint8_t kind;
      int32_t code;
      text name;
      text message;
      uint64_t more[3];
    } error;
  } is;
} result;

IMPORT("[constructor]connection")
int32_t make(const char *host, size_t length, int32_t has_port, int32_t port);
IMPORT("[method]connection.use-tls") void use_tls(int32_t connection);
IMPORT("[method]connection.request")
void request(int32_t connection, const char *method, size_t method_length, const char *url, size_t url_length,
             int32_t has_body, const void *body, size_t body_length, const void *headers, size_t count, result *to);
IMPORT("[method]connection.getresponse") void getresponse(int32_t connection, result *to);
IMPORT("[method]response.status") int32_t status(int32_t response);
IMPORT("[method]response.reason") void reason(int32_t response, text *to);
IMPORT("[method]response.read1") void read1(int32_t response, uint32_t amount, result *to);
IMPORT("[resource-drop]connection") void drop_connection(int32_t connection);
IMPORT("[resource-drop]response") void drop_response(int32_t response);

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);
EXPORT("get") const void *get(const char *host, size_t host_length, const char *path, size_t path_length);

/* Memory of one call: arguments, and what the client answers. Where it ends, the guest does. */
static uint64_t memory[16384];
static size_t used;

void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)align;
  if (old != NULL && size <= old_size) {
    return old;
  }
  size_t words = (size + 7) / 8;
  if (words > sizeof memory / sizeof memory[0] - used) {
    __builtin_trap();
  }
  void *taken = memory + used;
  used += words;
  if (old != NULL) {
    __builtin_memcpy(taken, old, old_size);
  }
  return taken;
}

/* What get() answers: whether it failed, and the text. */
static struct {
  uint8_t failed;
  text is;
} answer;

static char answer_text[32768];

static void append(const char *data, size_t length) {
  size_t room = sizeof answer_text - answer.is.length;
  length = length < room ? length : room;
  __builtin_memcpy(answer_text + answer.is.length, data, length);
  answer.is.length += length;
}

/** Appends the status line and the body. */
static void append_response(int32_t response, result *got) {
  int32_t number = status(response);
  const char digits[] = {(char)('0' + number / 100), (char)('0' + number / 10 % 10), (char)('0' + number % 10), ' '};
  append(digits, sizeof digits);
  text phrase;
  reason(response, &phrase);
  append(phrase.data, phrase.length);
  append("\n", 1);
  size_t before = used;
  do {
    used = before; /* the piece before is copied */
    read1(response, 4096, got);
    if (!got->failed) {
      append(got->is.list.data, got->is.list.length);
    }
  } while (!got->failed && got->is.list.length > 0);
  drop_response(response);
}

/** Cuts "https://" off. @returns was it there? */
static int32_t is_secure(const char **host, size_t *length) {
  static const char scheme[] = "https://";
  enum { SCHEME = sizeof scheme - 1 };
  for (size_t i = 0; i < SCHEME; i++) {
    if (i == *length || (*host)[i] != scheme[i]) {
      return 0;
    }
  }
  *host += SCHEME;
  *length -= SCHEME;
  return 1;
}

const void *get(const char *host, size_t host_length, const char *path, size_t path_length) {
  result got;
  answer.is = (text){answer_text, 0};
  int32_t secure = is_secure(&host, &host_length);
  int32_t connection = make(host, host_length, 0, 0);
  if (secure) {
    use_tls(connection);
  }
  request(connection, "GET", 3, path, path_length, 0, NULL, 0, NULL, 0, &got);
  if (!got.failed) {
    getresponse(connection, &got);
  }
  if (!got.failed) {
    append_response(got.is.resource, &got);
  }
  answer.failed = got.failed;
  if (got.failed) {
    answer.is.length = 0;
    append(got.is.error.name.data, got.is.error.name.length);
    append(": ", 2);
    append(got.is.error.message.data, got.is.error.message.length);
  }
  drop_connection(connection);
  used = 0;
  return &answer;
}
