// SPDX-License-Identifier: MIT
//
// The benchmark's HTTP server: one thread, epoll, answers made ahead of time, so that what is measured is the client.
// Linux only. `server BODY [CERTIFICATE KEY]` listens on a free port of 127.0.0.1, with a certificate on another one
// for TLS (when compiled with WITH_TLS), prints both ports (0 for none), and ends when its standard input ends.
//
//   GET  /small             a typical small answer: 11 fields, 128 bytes of body, 551 bytes in all
//   GET  /close             the same with `Connection: close`, and the server closes
//   GET  /fields            the same with 60 fields
//   GET  /length/N          N bytes with Content-Length
//   GET  /chunked/N/SIZE    N bytes in chunks of SIZE (N is a multiple of SIZE, and 1 MiB is one)
//   POST /sink              swallows a body with Content-Length, then answers like /small
//   POST /check             compares a body with Content-Length, then answers like /small or with 400
//
// Bodies repeat the first 1 MiB of the file BODY, in both directions. Pipelined requests are answered in order.
// Everything else gets 400 and a close.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "answer.h"
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

enum {
  INPUT_SIZE = 16384,      // longest request head
  HEAD_SIZE = 4096,        // longest answer head (with the body, for small answers)
  BODY_SIZE = 1024 * 1024, // what bodies repeat
  PATTERN_COUNT = 32,      // patterns kept, one for each chunk size met
  TURN_SIZE = 4 << 20,     // bytes written before other connections get their turn
  EVENT_COUNT = 256,
};

static const char LAST_CHUNK[] = "0\r\n\r\n";

// A piece of wire format that can be sent over and over: the body, or whole chunks of it.
typedef struct {
  size_t chunk; // size of a chunk, 0 for a body without chunks
  size_t unit;  // bytes on the wire of one chunk
  size_t length;
  char *bytes;
} pattern;

typedef struct {
  int fd;
#ifdef WITH_TLS
  SSL *tls; // NULL for plain TCP
#endif
  bool wants_write; // what epoll is told
  bool closing;     // close when the output is out

  char input[INPUT_SIZE];
  size_t input_start, input_end;
  uint64_t sink; // bytes of a request body still to swallow …
  bool checks;   // … and to compare …
  uint64_t seen; // … after so many

  // The answer under way: head, then `repeat` bytes of the pattern, then the tail.
  bool busy;
  char head[HEAD_SIZE];
  size_t head_sent, head_length;
  const pattern *body;
  uint64_t repeat_sent, repeat_length;
  size_t tail_sent, tail_length;
} connection;

static pattern patterns[PATTERN_COUNT];
static size_t pattern_count;
static int poller;
static char body_bytes[BODY_SIZE];
#ifdef WITH_TLS
static SSL_CTX *tls_context;
#endif

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// The pattern for chunks of `chunk` bytes (0: no chunks), made at first use; NULL when there is no room for more.
static const pattern *pattern_of(size_t chunk) {
  for (size_t i = 0; i < pattern_count; i++) {
    if (patterns[i].chunk == chunk) {
      return &patterns[i];
    }
  }
  if (pattern_count == PATTERN_COUNT) {
    return NULL;
  }
  char size_line[32] = "";
  size_t size_length = chunk ? (size_t)snprintf(size_line, sizeof size_line, "%zx\r\n", chunk) : 0;
  size_t data = chunk ? chunk : BODY_SIZE;
  size_t unit = chunk ? size_length + chunk + 2 : BODY_SIZE;
  size_t count = BODY_SIZE / data;
  char *bytes = malloc(unit * count);
  if (!bytes) {
    fail("malloc");
  }
  for (size_t i = 0; i < count; i++) {
    char *at = bytes + i * unit;
    memcpy(at, size_line, size_length);
    memcpy(at + size_length, body_bytes + i * data, data);
    if (chunk) {
      memcpy(at + size_length + data, "\r\n", 2);
    }
  }
  patterns[pattern_count] = (pattern){.chunk = chunk, .unit = unit, .length = unit * count, .bytes = bytes};
  return &patterns[pattern_count++];
}

static void answer(connection *c, const char *status, const char *framing, bool close_after) {
  c->head_length = (size_t)snprintf(c->head, sizeof c->head, ANSWER_HEAD, status, framing,
                                    close_after ? "close" : "keep-alive");
  c->busy = true;
  c->closing = close_after;
  c->head_sent = c->repeat_sent = c->tail_sent = 0;
  c->repeat_length = c->tail_length = 0;
}

static void append_small_body(connection *c) {
  memcpy(c->head + c->head_length, body_bytes, SMALL_SIZE);
  c->head_length += SMALL_SIZE;
}

static void answer_small(connection *c, bool close_after) {
  answer(c, "200 OK", SMALL_FRAMING, close_after);
  append_small_body(c);
}

static void answer_fields(connection *c) {
  char fields[HEAD_SIZE - 1024];
  many_fields(fields, sizeof fields);
  answer(c, "200 OK", fields, false);
  append_small_body(c);
}

static void answer_bad(connection *c) {
  answer(c, "400 Bad Request", "Content-Length: 0", true);
  c->input_start = c->input_end = 0;
  c->sink = 0;
}

static void answer_length(connection *c, uint64_t total) {
  char framing[64];
  snprintf(framing, sizeof framing, "Content-Length: %" PRIu64, total);
  answer(c, "200 OK", framing, false);
  c->body = pattern_of(0);
  c->repeat_length = total;
}

static void answer_chunked(connection *c, uint64_t total, uint64_t size) {
  const pattern *body = size && BODY_SIZE % size == 0 && total % size == 0 ? pattern_of(size) : NULL;
  if (!body) {
    answer_bad(c);
    return;
  }
  answer(c, "200 OK", "Transfer-Encoding: chunked", false);
  c->body = body;
  c->repeat_length = total / size * body->unit;
  c->tail_length = sizeof LAST_CHUNK - 1;
}

// The value of Content-Length in a head that ends with a NUL, or 0.
static uint64_t content_length(const char *head) {
  const char *field = strcasestr(head, "\r\ncontent-length:");
  return field ? strtoull(field + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

static void handle_request(connection *c, char *head) {
  uint64_t total;
  uint64_t size;
  if (!strncmp(head, "GET /small ", 11)) {
    answer_small(c, false);
  } else if (!strncmp(head, "GET /close ", 11)) {
    answer_small(c, true);
  } else if (!strncmp(head, "GET /fields ", 12)) {
    answer_fields(c);
  } else if (sscanf(head, "GET /length/%" SCNu64 " HTTP/", &total) == 1) {
    answer_length(c, total);
  } else if (sscanf(head, "GET /chunked/%" SCNu64 "/%" SCNu64 " HTTP/", &total, &size) == 2) {
    answer_chunked(c, total, size);
  } else if (!strncmp(head, "POST /sink ", 11) || !strncmp(head, "POST /check ", 12)) {
    // The answer is made now and goes out when the body is in.
    answer_small(c, false);
    c->sink = content_length(head);
    c->checks = !strncmp(head, "POST /check ", 12);
    c->seen = 0;
  } else {
    answer_bad(c);
  }
}

static void drop(connection *c) {
#ifdef WITH_TLS
  if (c->tls) {
    SSL_shutdown(c->tls);
    SSL_free(c->tls);
    ERR_clear_error(); // what stays in the queue would be taken for another connection's
  }
#endif
  close(c->fd);
  free(c);
}

#ifdef WITH_TLS
// What OpenSSL answered as recv and sendmsg would.
static ssize_t tls_result(connection *c, int result) {
  if (result > 0) {
    return result;
  }
  int error = SSL_get_error(c->tls, result);
  ERR_clear_error();
  if (error == SSL_ERROR_ZERO_RETURN) {
    return 0;
  }
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
  return -1;
}
#endif

static bool is_secure(const connection *c) {
#ifdef WITH_TLS
  return c->tls;
#else
  (void)c;
  return false;
#endif
}

static ssize_t receive(connection *c, char *to, size_t size) {
#ifdef WITH_TLS
  if (c->tls) {
    return tls_result(c, SSL_read(c->tls, to, (int)size));
  }
#endif
  return recv(c->fd, to, size, 0);
}

static ssize_t send_parts(connection *c, struct iovec *parts, size_t count) {
#ifdef WITH_TLS
  if (c->tls) {
    return tls_result(c, SSL_write(c->tls, parts[0].iov_base, (int)parts[0].iov_len));
  }
#endif
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
  return sendmsg(c->fd, &message, MSG_NOSIGNAL);
}

// Takes bytes of a request body: counts them, and compares them where that is asked for.
static void swallow(connection *c, const char *bytes, size_t length) {
  for (size_t done = 0; c->checks && done < length;) {
    size_t at = (c->seen + done) % BODY_SIZE;
    size_t part = BODY_SIZE - at < length - done ? BODY_SIZE - at : length - done;
    if (memcmp(bytes + done, body_bytes + at, part)) {
      c->checks = false;
      answer(c, "400 Bad Request", "Content-Length: 0", false);
    }
    done += part;
  }
  c->seen += length;
  c->sink -= length;
}

// Writes what it can of the answer. Gives false when the connection is gone.
static bool write_answer(connection *c) {
  size_t turn = 0;
  while (c->busy && turn < TURN_SIZE) {
    struct iovec parts[3];
    size_t count = 0;
    if (c->head_sent < c->head_length) {
      parts[count++] = (struct iovec){c->head + c->head_sent, c->head_length - c->head_sent};
    }
    size_t body_part = 0;
    if (c->repeat_sent < c->repeat_length) {
      size_t at = c->repeat_sent % c->body->length;
      uint64_t left = c->repeat_length - c->repeat_sent;
      body_part = c->body->length - at < left ? c->body->length - at : (size_t)left;
      parts[count++] = (struct iovec){c->body->bytes + at, body_part};
    }
    if (c->repeat_sent + body_part == c->repeat_length && c->tail_sent < c->tail_length) {
      parts[count++] = (struct iovec){(char *)LAST_CHUNK + c->tail_sent, c->tail_length - c->tail_sent};
    }
    if (!count) {
      c->busy = false;
      break;
    }
    ssize_t sent = send_parts(c, parts, count);
    if (sent < 0) {
      return errno == EAGAIN || errno == EINTR;
    }
    turn += (size_t)sent;
    size_t rest = (size_t)sent;
    size_t part = c->head_length - c->head_sent < rest ? c->head_length - c->head_sent : rest;
    c->head_sent += part;
    rest -= part;
    part = body_part < rest ? body_part : rest;
    c->repeat_sent += part;
    c->tail_sent += rest - part;
    c->busy = c->head_sent < c->head_length || c->repeat_sent < c->repeat_length || c->tail_sent < c->tail_length;
  }
  return c->busy || !c->closing;
}

// Takes the next whole request out of the input. Gives false when there is none.
static bool next_request(connection *c) {
  char *start = c->input + c->input_start;
  size_t length = c->input_end - c->input_start;
  char *end = memmem(start, length, "\r\n\r\n", 4);
  if (!end) {
    if (length == INPUT_SIZE) {
      answer_bad(c);
      return true;
    }
    return false;
  }
  end[2] = '\0';
  c->input_start += (size_t)(end + 4 - start);
  handle_request(c, start);
  size_t at_hand = c->input_end - c->input_start;
  size_t swallowed = c->sink < at_hand ? (size_t)c->sink : at_hand;
  swallow(c, c->input + c->input_start, swallowed);
  c->input_start += swallowed;
  return true;
}

// Reads once: a body is thrown away in the kernel or compared, the rest goes to the input. Gives false when the
// connection is gone.
static bool read_input(connection *c) {
  ssize_t got;
  if (c->sink && (c->checks || is_secure(c))) {
    static char piece[65536];
    got = receive(c, piece, c->sink < sizeof piece ? (size_t)c->sink : sizeof piece);
    if (got > 0) {
      swallow(c, piece, (size_t)got);
      return true;
    }
  } else if (c->sink) {
    got = recv(c->fd, NULL, c->sink < TURN_SIZE ? (size_t)c->sink : TURN_SIZE, MSG_TRUNC);
    if (got > 0) {
      c->sink -= (uint64_t)got;
      return true;
    }
  } else {
    if (c->input_start) {
      memmove(c->input, c->input + c->input_start, c->input_end - c->input_start);
      c->input_end -= c->input_start;
      c->input_start = 0;
    }
    if (c->input_end == INPUT_SIZE) {
      return true; // pipelined beyond the buffer: the rest waits in the kernel
    }
    got = receive(c, c->input + c->input_end, INPUT_SIZE - c->input_end);
    if (got > 0) {
      c->input_end += (size_t)got;
      return true;
    }
  }
  return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static void watch(connection *c, bool wants_write) {
  if (c->wants_write != wants_write) {
    c->wants_write = wants_write;
    // While an answer is stuck nothing is read, so that a client that only sends can't fill the memory.
    struct epoll_event event = {.events = wants_write ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event)) {
      fail("epoll_ctl");
    }
  }
}

static void serve(connection *c, uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) || ((events & EPOLLIN) && !read_input(c))) {
    drop(c);
    return;
  }
  for (;;) {
    if (c->sink) {
      break;
    }
    if (c->busy) {
      if (!write_answer(c)) {
        drop(c);
        return;
      }
      if (c->busy) {
        break;
      }
    }
    if (!next_request(c)) {
      break;
    }
  }
  watch(c, c->busy && !c->sink);
}

static void accept_all(int listener, bool secure) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection *c = calloc(1, sizeof *c);
    if (!c) {
      fail("calloc");
    }
    c->fd = fd;
#ifdef WITH_TLS
    if (secure) {
      c->tls = SSL_new(tls_context);
      if (!c->tls || !SSL_set_fd(c->tls, fd)) {
        fail("SSL_new");
      }
      SSL_set_accept_state(c->tls);
    }
#else
    (void)secure;
#endif
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) {
      fail("epoll_ctl");
    }
  }
}

// Listens on a free port, which it gives, and has epoll tell of it by the address of `listener`.
static int listen_on(int *listener) {
  *listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
  if (*listener < 0 || bind(*listener, (struct sockaddr *)&address, size) || listen(*listener, 1024) ||
      getsockname(*listener, (struct sockaddr *)&address, &size) ||
      epoll_ctl(poller, EPOLL_CTL_ADD, *listener, &event)) {
    fail("listen");
  }
  return ntohs(address.sin_port);
}

static void read_body_file(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, body_bytes, BODY_SIZE) != BODY_SIZE) {
    fail(path);
  }
  close(file);
}

#ifdef WITH_TLS
static void load_certificate(const char *certificate, const char *key) {
  tls_context = SSL_CTX_new(TLS_server_method());
  if (!tls_context || SSL_CTX_use_certificate_chain_file(tls_context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(tls_context, key, SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    exit(1);
  }
  SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
#endif

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4) {
    fprintf(stderr, "usage: %s BODY [CERTIFICATE KEY]\n", argv[0]);
    return 2;
  }
  read_body_file(argv[1]);
  struct rlimit files;
  if (!getrlimit(RLIMIT_NOFILE, &files)) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) {
    fail("epoll");
  }
  int listener;
  int tls_listener = -1;
  int port = listen_on(&listener);
  int tls_port = 0;
#ifdef WITH_TLS
  if (argc == 4) {
    load_certificate(argv[2], argv[3]);
    tls_port = listen_on(&tls_listener);
  }
#endif
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event)) {
    fail("standard input must be a pipe or a terminal");
  }
  printf("%d %d\n", port, tls_port);
  fflush(stdout);

  for (;;) {
    struct epoll_event events[EVENT_COUNT];
    int count = epoll_wait(poller, events, EVENT_COUNT, -1);
    if (count < 0 && errno != EINTR) {
      fail("epoll_wait");
    }
    for (int i = 0; i < count; i++) {
      if (!events[i].data.ptr) {
        char byte;
        if (read(STDIN_FILENO, &byte, 1) <= 0) {
          return 0;
        }
      } else if (events[i].data.ptr == &listener || events[i].data.ptr == &tls_listener) {
        accept_all(*(int *)events[i].data.ptr, events[i].data.ptr == &tls_listener);
      } else {
        serve(events[i].data.ptr, events[i].events);
      }
    }
  }
}
