/* SPDX-License-Identifier: MIT
 *
 * A host that blocks: the functions of porthole/host.h over POSIX sockets, for native programs, tests and fuzzing. What it
 * promises is in bindings/README.md.
 *
 * The sockets themselves don't block: each operation is tried, and poll() waits for the next try until the time is up.
 */
#define _POSIX_C_SOURCE 200809L

#include "porthole/host.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "porthole/porthole.h"

enum {
  SLOT_BITS = 6,
  CONNECTIONS = 1 << SLOT_BITS,         /* connections that can be open at a time */
  GENERATIONS = INT32_MAX >> SLOT_BITS, /* connections that a slot has in its life: then it is retired */
  NAME_LONGEST = 255                    /* bytes of a name (RFC 1035 section 2.3.4), or of an address with its zone */
};

/* Why something failed: a text of this file, or a number of the system's. */
typedef struct failure {
  const char *text;
  int number;
} failure;

typedef struct connection {
  int socket; /* meaningful while `open` */
  int32_t generation;
  bool open;
  failure failure;
} connection;

/* The handles of this process: place in the table and generation, so that one that was closed never matches again. */
static connection connections[CONNECTIONS];
static failure open_failure;

static connection *find_connection(int32_t handle) {
  if (handle <= 0) {
    return NULL;
  }
  connection *found = &connections[handle & (CONNECTIONS - 1)];
  return found->open && found->generation == handle >> SLOT_BITS ? found : NULL;
}

static connection *find_free(void) {
  for (size_t i = 0; i < CONNECTIONS; i++) {
    if (!connections[i].open && connections[i].generation < GENERATIONS) {
      return &connections[i];
    }
  }
  return NULL;
}

/* ---- errors ---- */

static int32_t fail(failure *where, int32_t error, const char *text) {
  *where = (failure){text, 0};
  return error;
}

/** Maps errno, and keeps it for porthole_host_last_error. */
static int32_t fail_system(failure *where, int number) {
  *where = (failure){NULL, number};
  switch (number) {
  case ECONNREFUSED:
    return PORTHOLE_HOST_REFUSED;
  case ECONNRESET:
  case ECONNABORTED:
    return PORTHOLE_HOST_RESET;
  case EPIPE:
  case ENOTCONN:
    return PORTHOLE_HOST_CLOSED;
  case ETIMEDOUT:
    return PORTHOLE_HOST_TIMED_OUT;
  case EACCES:
  case EPERM:
    return PORTHOLE_HOST_DENIED;
  case EHOSTUNREACH:
  case ENETUNREACH:
  case ENETDOWN:
  case EADDRNOTAVAIL:
  case EAFNOSUPPORT:
    return PORTHOLE_HOST_UNREACHABLE;
  case EMFILE:
  case ENFILE:
  case ENOBUFS:
  case ENOMEM:
    return PORTHOLE_HOST_BUSY;
  default:
    return PORTHOLE_HOST_OTHER;
  }
}

/** Maps what getaddrinfo answered. */
static int32_t fail_lookup(int error) {
  switch (error) {
  case EAI_SYSTEM:
    return fail_system(&open_failure, errno);
  case EAI_MEMORY:
    return fail(&open_failure, PORTHOLE_HOST_BUSY, gai_strerror(error));
  default:
    return fail(&open_failure, PORTHOLE_HOST_NOT_FOUND, gai_strerror(error));
  }
}

/* ---- time ---- */

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** When a time limit ends; below zero for none. */
static int64_t deadline_of(int32_t timeout_ms) { return timeout_ms < 0 ? -1 : now_ms() + timeout_ms; }

static int32_t left_until(int64_t deadline) {
  if (deadline < 0) {
    return -1;
  }
  int64_t left = deadline - now_ms();
  return left > 0 ? (int32_t)left : 0;
}

/** poll() that a signal doesn't end. @returns the ready events, 0 when the time is up, or -1 with errno */
static int poll_until(int socket, short events, int64_t deadline) {
  struct pollfd one = {.fd = socket, .events = events};
  for (;;) {
    int ready = poll(&one, 1, left_until(deadline));
    if (ready >= 0) {
      return ready == 0 ? 0 : one.revents;
    }
    if (errno != EINTR) {
      return -1;
    }
  }
}

/** Waits for the next try of an operation that would have blocked. @returns 0 to try again, or an error */
static int32_t wait_for_try(int socket, short events, int64_t deadline, failure *where) {
  int ready = poll_until(socket, events, deadline);
  if (ready < 0) {
    return fail_system(where, errno);
  }
  return ready == 0 ? fail_system(where, ETIMEDOUT) : 0;
}

static bool nothing_now(int number) { return number == EAGAIN || number == EWOULDBLOCK; }

static bool would_block(int number) { return nothing_now(number) || number == EINTR; }

/* ---- connecting ---- */

/** Makes a socket that doesn't block, isn't inherited by other programs and doesn't hold small packets back. */
static int make_socket(const struct addrinfo *address) {
  int made = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
  if (made < 0) {
    return -1;
  }
  if (fcntl(made, F_SETFD, FD_CLOEXEC) != 0 || fcntl(made, F_SETFL, O_NONBLOCK) != 0) {
    int number = errno;
    close(made);
    errno = number;
    return -1;
  }
  int on = 1;
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return made;
}

/** Connects to one address. @returns the socket, or an error */
static int32_t connect_to(const struct addrinfo *address, int64_t deadline) {
  int made = make_socket(address);
  if (made < 0) {
    return fail_system(&open_failure, errno);
  }
  int number = connect(made, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
  int32_t error = 0;
  if (number == EINPROGRESS || number == EINTR) {
    number = 0;
    error = wait_for_try(made, POLLOUT, deadline, &open_failure);
    socklen_t size = sizeof number;
    if (error == 0 && getsockopt(made, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
      number = errno;
    }
  }
  if (number != 0) {
    error = fail_system(&open_failure, number);
  }
  if (error != 0) {
    close(made);
    return error;
  }
  return made;
}

/** Tries each address, and gives each its share of the time that is left. @returns the socket, or the last error */
static int32_t connect_to_any(const struct addrinfo *addresses, int64_t deadline) {
  int32_t count = 0;
  for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
    count++;
  }
  int32_t result = fail(&open_failure, PORTHOLE_HOST_NOT_FOUND, "the name has no address");
  for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
    int32_t left = left_until(deadline);
    result = connect_to(address, left < 0 ? -1 : now_ms() + left / count);
    if (result >= 0) {
      break;
    }
    count--;
  }
  return result;
}

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, int32_t timeout_ms) {
  char name[NAME_LONGEST + 1];
  char service[6];
  if (host == NULL || host_length == 0 || host_length > NAME_LONGEST || memchr(host, '\0', host_length) != NULL ||
      port > 65535) {
    return fail(&open_failure, PORTHOLE_HOST_OTHER, "this can't be a host and a port");
  }
  memcpy(name, host, host_length);
  name[host_length] = '\0';
  (void)snprintf(service, sizeof service, "%u", (unsigned)port);

  connection *slot = find_free();
  if (slot == NULL) {
    return fail(&open_failure, PORTHOLE_HOST_BUSY, "too many connections are open");
  }
  int64_t deadline = deadline_of(timeout_ms);
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  struct addrinfo *addresses = NULL;
  int error = getaddrinfo(name, service, &hints, &addresses);
  if (error != 0) {
    return fail_lookup(error);
  }
  int32_t made = connect_to_any(addresses, deadline);
  freeaddrinfo(addresses);
  if (made < 0) {
    return made;
  }
  *slot = (connection){.socket = made, .generation = slot->generation + 1, .open = true};
  return slot->generation << SLOT_BITS | (int32_t)(slot - connections);
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t name_length, uint32_t flags,
                                int32_t timeout_ms) {
  (void)timeout_ms;
  (void)name;
  (void)name_length;
  (void)flags;
  connection *on = find_connection(handle);
  return on == NULL ? PORTHOLE_HOST_BAD_HANDLE : fail(&on->failure, PORTHOLE_HOST_OTHER, "this host has no TLS");
}

/* ---- bytes ---- */

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (data == NULL || length == 0) {
    return fail(&to->failure, PORTHOLE_HOST_OTHER, "there is nothing to send");
  }
  int64_t deadline = deadline_of(timeout_ms);
  for (;;) {
    ssize_t sent = send(to->socket, data, length < INT32_MAX ? length : INT32_MAX, MSG_NOSIGNAL);
    if (sent >= 0) {
      return (int32_t)sent;
    }
    if (timeout_ms == 0 && nothing_now(errno)) {
      return PORTHOLE_WANT_WRITE;
    }
    int32_t error = would_block(errno) ? wait_for_try(to->socket, POLLOUT, deadline, &to->failure)
                                       : fail_system(&to->failure, errno);
    if (error != 0) {
      return error;
    }
  }
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  connection *from = find_connection(handle);
  if (from == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (buffer == NULL || capacity == 0) {
    return fail(&from->failure, PORTHOLE_HOST_OTHER, "there is no room to receive into");
  }
  int64_t deadline = deadline_of(timeout_ms);
  for (;;) {
    ssize_t received = recv(from->socket, buffer, capacity < INT32_MAX ? capacity : INT32_MAX, 0);
    if (received >= 0) {
      return (int32_t)received;
    }
    if (timeout_ms == 0 && nothing_now(errno)) {
      return PORTHOLE_WANT_READ;
    }
    int32_t error = would_block(errno) ? wait_for_try(from->socket, POLLIN, deadline, &from->failure)
                                       : fail_system(&from->failure, errno);
    if (error != 0) {
      return error;
    }
  }
}

int32_t porthole_host_wait(int32_t handle, uint32_t interest, int32_t timeout_ms) {
  connection *on = find_connection(handle);
  if (on == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (interest == 0 || (interest & ~(uint32_t)(PORTHOLE_READABLE | PORTHOLE_WRITABLE)) != 0) {
    return fail(&on->failure, PORTHOLE_HOST_OTHER, "this is nothing to wait for");
  }
  int events = ((interest & PORTHOLE_READABLE) ? POLLIN : 0) | ((interest & PORTHOLE_WRITABLE) ? POLLOUT : 0);
  int ready = poll_until(on->socket, (short)events, deadline_of(timeout_ms));
  if (ready < 0) {
    return fail_system(&on->failure, errno);
  }
  /* After an error or a hang-up neither would block: the operation itself tells what happened. */
  bool over = ready & (POLLERR | POLLHUP | POLLNVAL);
  uint32_t set = ((ready & POLLIN) || over ? (uint32_t)PORTHOLE_READABLE : 0) |
                 ((ready & POLLOUT) || over ? (uint32_t)PORTHOLE_WRITABLE : 0);
  return (int32_t)(set & interest);
}

void porthole_host_close(int32_t handle) {
  connection *done = find_connection(handle);
  if (done != NULL) {
    close(done->socket);
    done->open = false;
  }
}

int32_t porthole_host_last_error(int32_t handle, char *buffer, size_t capacity) {
  const connection *of = find_connection(handle);
  if (buffer == NULL || (handle != 0 && of == NULL)) {
    return 0;
  }
  const failure *last = of == NULL ? &open_failure : &of->failure;
  const char *text = last->text;
  if (text == NULL) {
    text = last->number == 0 ? "" : strerror(last->number);
  }
  size_t length = strlen(text);
  if (length > capacity) {
    length = capacity;
  }
  memcpy(buffer, text, length);
  return (int32_t)length;
}
