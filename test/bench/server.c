// SPDX-License-Identifier: MIT
//
// The benchmark's HTTP server: one thread, epoll, answers made ahead of time, so that what is measured is the client.
// Linux only. It listens on a free port of 127.0.0.1, prints the port, and ends when its standard input ends.
//
//   GET  /small             a typical small answer: 11 fields, 128 bytes of body, 551 bytes in all
//   GET  /close             the same with `Connection: close`, and the server closes
//   GET  /length/N          N bytes with Content-Length
//   GET  /chunked/N/SIZE    N bytes in chunks of SIZE (N is a multiple of SIZE)
//   POST /sink              swallows a body with Content-Length, then answers like /small
//
// Bodies repeat one line of 64 bytes. Pipelined requests are answered in order. Everything else gets 400 and a close.

#define _GNU_SOURCE
#include <errno.h>
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
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  INPUT_SIZE = 16384,        // longest request head
  HEAD_SIZE = 1024,          // longest answer head (with the body, for small answers)
  PATTERN_SIZE = 256 * 1024, // least size of a repeated body pattern
  CHUNK_MAX = 1024 * 1024,   // longest chunk
  PATTERN_COUNT = 32,        // patterns kept, one for each chunk size met
  TURN_SIZE = 4 << 20,       // bytes written before other connections get their turn
  EVENT_COUNT = 256,
};

static const char LINE[] = "The quick brown fox jumps over the lazy dog, 0123456789 times.\r\n";
static const char LAST_CHUNK[] = "0\r\n\r\n";

_Static_assert(sizeof LINE - 1 == 64, "body line");

// A piece of wire format that can be sent over and over: a run of body lines, or whole chunks.
typedef struct {
  size_t chunk; // size of a chunk, 0 for a body without chunks
  size_t unit;  // bytes on the wire of one chunk
  size_t length;
  char *bytes;
} pattern;

typedef struct {
  int fd;
  bool wants_write; // what epoll is told
  bool closing;     // close when the output is out

  char input[INPUT_SIZE];
  size_t input_start, input_end;
  uint64_t sink; // bytes of a request body still to swallow

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
  size_t data = chunk ? chunk : 64;
  size_t unit = chunk ? size_length + chunk + 2 : 64;
  size_t count = (PATTERN_SIZE + unit - 1) / unit;
  char *bytes = malloc(unit * count);
  if (!bytes) {
    fail("malloc");
  }
  memcpy(bytes, size_line, size_length);
  for (size_t i = 0; i < data; i++) {
    bytes[size_length + i] = LINE[i % 64];
  }
  if (chunk) {
    memcpy(bytes + size_length + data, "\r\n", 2);
  }
  for (size_t i = 1; i < count; i++) {
    memcpy(bytes + i * unit, bytes, unit);
  }
  patterns[pattern_count] = (pattern){.chunk = chunk, .unit = unit, .length = unit * count, .bytes = bytes};
  return &patterns[pattern_count++];
}

static void answer(connection *c, const char *status, const char *framing, bool close_after) {
  c->head_length = (size_t)snprintf(
      c->head, sizeof c->head,
      "HTTP/1.1 %s\r\n"
      "Server: porthole-bench\r\n"
      "Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "%s\r\n"
      "Connection: %s\r\n"
      "Last-Modified: Wed, 31 Dec 2025 23:59:59 GMT\r\n"
      "ETag: \"66b1f2c4-267-porthole\"\r\n"
      "Cache-Control: public, max-age=86400, immutable\r\n"
      "Vary: Accept-Encoding\r\n"
      "Accept-Ranges: bytes\r\n"
      "Content-Security-Policy: default-src 'self'; style-src 'self'; img-src 'self' https:\r\n"
      "\r\n",
      status, framing, close_after ? "close" : "keep-alive");
  c->busy = true;
  c->closing = close_after;
  c->head_sent = c->repeat_sent = c->tail_sent = 0;
  c->repeat_length = c->tail_length = 0;
}

static void answer_small(connection *c, bool close_after) {
  answer(c, "200 OK", "Content-Length: 128", close_after);
  for (int i = 0; i < 2; i++) {
    memcpy(c->head + c->head_length, LINE, 64);
    c->head_length += 64;
  }
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
  const pattern *body = size && size <= CHUNK_MAX && total % size == 0 ? pattern_of(size) : NULL;
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
  } else if (sscanf(head, "GET /length/%" SCNu64 " HTTP/", &total) == 1) {
    answer_length(c, total);
  } else if (sscanf(head, "GET /chunked/%" SCNu64 "/%" SCNu64 " HTTP/", &total, &size) == 2) {
    answer_chunked(c, total, size);
  } else if (!strncmp(head, "POST /sink ", 11)) {
    // The answer is made now and goes out when the body is in.
    answer_small(c, false);
    c->sink = content_length(head);
  } else {
    answer_bad(c);
  }
}

static void drop(connection *c) {
  close(c->fd);
  free(c);
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
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
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
  c->input_start += swallowed;
  c->sink -= swallowed;
  return true;
}

// Reads once: a body is thrown away in the kernel, the rest goes to the input. Gives false when the connection is gone.
static bool read_input(connection *c) {
  ssize_t got;
  if (c->sink) {
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
    got = recv(c->fd, c->input + c->input_end, INPUT_SIZE - c->input_end, 0);
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

static void accept_all(int listener) {
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
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) {
      fail("epoll_ctl");
    }
  }
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024) ||
      getsockname(listener, (struct sockaddr *)&address, &size)) {
    fail("listen");
  }
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) {
    fail("epoll");
  }
  event = (struct epoll_event){.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event)) {
    fail("standard input must be a pipe or a terminal");
  }
  printf("%d\n", ntohs(address.sin_port));
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
      } else if (events[i].data.ptr == &listener) {
        accept_all(listener);
      } else {
        serve(events[i].data.ptr, events[i].events);
      }
    }
  }
}
