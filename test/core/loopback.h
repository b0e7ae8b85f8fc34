/* SPDX-License-Identifier: MIT
 *
 * Servers on loopback for tests over real sockets: each is a child process for one connection.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define NAME "127.0.0.1"

enum { PATIENT = 30000, LARGE = 8 << 20, PIECE = 65536, DRIP_US = 10000, STALL_US = 300000 };

/* What a server does once it has read the head of a request and sent its answer. */
typedef enum behaviour {
  CLOSES,
  RESETS,
  DRAINS,     /* reads on until the client closes */
  STALLS,     /* waits with its answer until nothing more goes out, and reads nothing */
  DRIPS,      /* sends a byte now and then until the client closes */
  SENDS_LARGE /* sends a body of LARGE bytes, and closes */
} behaviour;

typedef struct server {
  int listener;
  uint32_t port;
  pid_t child;
} server;

static server listen_on_loopback(int backlog) {
  server made = {.listener = socket(AF_INET, SOCK_STREAM, 0), .child = -1};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  assert_true(made.listener >= 0);
  assert_int_equal(bind(made.listener, (const struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(made.listener, (struct sockaddr *)&address, &size), 0);
  assert_int_equal(listen(made.listener, backlog), 0);
  made.port = ntohs(address.sin_port);
  return made;
}

/** Reads up to the end of a head, or of the stream. */
static void read_head(int peer) {
  char last[4] = {0};
  while (memcmp(last, "\r\n\r\n", 4) != 0) {
    memmove(last, last + 1, 3);
    if (read(peer, last + 3, 1) != 1) {
      return;
    }
  }
}

static void send_all(int peer, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(peer, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) {
      return;
    }
    bytes += sent;
    length -= (size_t)sent;
  }
}

/** The byte of a large body at a place. */
static uint8_t large_byte(size_t at) { return (uint8_t)(at * 31 + at / 251); }

static void play(int peer, const char *answer, behaviour then) {
  static uint8_t buffer[PIECE];
  read_head(peer);
  if (then == STALLS) {
    usleep(STALL_US);
  }
  send_all(peer, (const uint8_t *)answer, strlen(answer));
  switch (then) {
  case CLOSES:
    break;
  case RESETS: {
    struct linger abortive = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
    break;
  }
  case DRAINS:
    while (read(peer, buffer, sizeof buffer) > 0) {
    }
    break;
  case STALLS:
    pause();
    break;
  case DRIPS:
    while (send(peer, "x", 1, MSG_NOSIGNAL) == 1) {
      usleep(DRIP_US);
    }
    break;
  case SENDS_LARGE:
    for (size_t at = 0; at < LARGE; at += PIECE) {
      for (size_t i = 0; i < PIECE; i++) {
        buffer[i] = large_byte(at + i);
      }
      send_all(peer, buffer, PIECE);
    }
    break;
  }
  close(peer);
}

/** Starts a server for one connection. */
static server serve(const char *answer, behaviour then) {
  server made = listen_on_loopback(8);
  made.child = fork();
  assert_true(made.child >= 0);
  if (made.child == 0) {
    alarm(PATIENT / 1000);
    int peer = accept(made.listener, NULL, NULL);
    if (peer >= 0) {
      play(peer, answer, then);
    }
    _exit(0);
  }
  return made;
}

static void stop(const server *done) {
  close(done->listener);
  if (done->child > 0) {
    kill(done->child, SIGKILL);
    waitpid(done->child, NULL, 0);
  }
}

#endif
