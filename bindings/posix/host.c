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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "porthole/porthole.h"

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
  uint8_t *kept; /* the rest of a head that the socket has not taken yet */
  size_t kept_sent;
  size_t kept_length;
} connection;

#include "../table.h"

static failure open_failure;

/* ---- errors ---- */

static int32_t fail(failure *where, int32_t error, const char *text) {
  *where = (failure){text, 0};
  return error;
}

static int32_t refuse_tls(failure *where) { return fail(where, PORTHOLE_HOST_UNSUPPORTED, "this host has no TLS"); }

#include "../no_tls.h"

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

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint32_t porthole_host_now(void) { return (uint32_t)(now_ns() / NS_PER_MS); }

/** When a time limit ends; below zero for none. */
static int64_t deadline_of(int32_t timeout_ms) {
  return timeout_ms < 0 ? -1 : now_ns() + (int64_t)timeout_ms * NS_PER_MS;
}

/** What is left until then, never less; below zero for no limit. */
static int32_t left_until(int64_t deadline) {
  if (deadline < 0) {
    return -1;
  }
  int64_t left = deadline - now_ns();
  return left > 0 ? (int32_t)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

/** poll() that a signal doesn't end. @returns how many are ready, 0 when the time is up, or -1 with errno */
static int poll_until(struct pollfd *list, nfds_t count, int64_t deadline) {
  for (;;) {
    int ready = poll(list, count, left_until(deadline));
    if (ready >= 0 || errno != EINTR) {
      return ready;
    }
  }
}

/** Waits for the next try of an operation that would have blocked. @returns 0 to try again, or an error */
static int32_t wait_for_try(int socket, short events, int64_t deadline, failure *where) {
  struct pollfd one = {.fd = socket, .events = events};
  int ready = poll_until(&one, 1, deadline);
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
    result = connect_to(address, left < 0 ? -1 : now_ns() + (int64_t)left * NS_PER_MS / count);
    if (result >= 0) {
      break;
    }
    count--;
  }
  return result;
}

/** The addresses to look for: of one family, or of any. */
static int family_of(uint32_t flags) {
  switch (flags & (PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6)) {
  case PORTHOLE_OPEN_IPV4:
    return AF_INET;
  case PORTHOLE_OPEN_IPV6:
    return AF_INET6;
  default:
    return AF_UNSPEC;
  }
}

int32_t porthole_host_open(const char *host, size_t host_length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  char name[NAME_LONGEST + 1];
  char service[6];
  if (!can_be_opened(host, host_length, port)) {
    return fail(&open_failure, PORTHOLE_HOST_OTHER, "this can't be a host and a port");
  }
  if ((flags & ~(uint32_t)(PORTHOLE_OPEN_IPV4 | PORTHOLE_OPEN_IPV6)) != 0) {
    return refuse_tls(&open_failure);
  }
  if (timeout_ms == 0) {
    return fail_system(&open_failure, ETIMEDOUT); /* nobody is connected in no time */
  }
  memcpy(name, host, host_length);
  name[host_length] = '\0';
  (void)snprintf(service, sizeof service, "%u", (unsigned)port);

  connection *slot = find_free();
  if (slot == NULL) {
    return fail(&open_failure, PORTHOLE_HOST_BUSY, "too many connections are open");
  }
  int64_t deadline = deadline_of(timeout_ms);
  struct addrinfo hints = {.ai_family = family_of(flags), .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
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
  return handle_of(slot);
}

/* ---- bytes ---- */

/** Sends what the socket takes now. @returns how many bytes, 0 for none, or an error */
static int32_t send_now(connection *to, const uint8_t *data, size_t length) {
  ssize_t sent;
  do {
    sent = send(to->socket, data, length < INT32_MAX ? length : INT32_MAX, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return nothing_now(errno) ? 0 : fail_system(&to->failure, errno);
  }
  return (int32_t)sent;
}

/** Sends the rest of a head that was taken, as far as the socket takes it. @returns 0 when all is gone, else as send_now */
static int32_t send_kept(connection *to) {
  while (to->kept_sent < to->kept_length) {
    int32_t sent = send_now(to, to->kept + to->kept_sent, to->kept_length - to->kept_sent);
    if (sent < 0) {
      return sent;
    }
    if (sent == 0) {
      return PORTHOLE_WANT_WRITE;
    }
    to->kept_sent += (size_t)sent;
  }
  free(to->kept);
  to->kept = NULL;
  to->kept_sent = to->kept_length = 0;
  return 0;
}

/** Sends, and waits for the first byte to be taken. */
static int32_t send_within(connection *to, const uint8_t *data, size_t length, int64_t deadline, bool waits) {
  for (;;) {
    int32_t sent = send_kept(to);
    if (sent == 0) {
      sent = send_now(to, data, length);
    }
    if (sent > 0 || (sent < 0 && sent != PORTHOLE_WANT_WRITE)) {
      return sent;
    }
    if (!waits) {
      return PORTHOLE_WANT_WRITE;
    }
    int32_t error = wait_for_try(to->socket, POLLOUT, deadline, &to->failure);
    if (error != 0) {
      return error;
    }
  }
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (data == NULL || length == 0) {
    return fail(&to->failure, PORTHOLE_HOST_OTHER, "there is nothing to send");
  }
  return send_within(to, data, length, deadline_of(timeout_ms), timeout_ms != 0);
}

int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  connection *to = find_connection(handle);
  if (to == NULL) {
    return PORTHOLE_HOST_BAD_HANDLE;
  }
  if (head == NULL || length == 0 || length > INT32_MAX) {
    return fail(&to->failure, PORTHOLE_HOST_OTHER, "this is no head");
  }
  int64_t deadline = deadline_of(timeout_ms);
  size_t done = 0;
  while (done < length) {
    int32_t sent = send_within(to, head + done, length - done, deadline, timeout_ms != 0);
    if (sent == PORTHOLE_WANT_WRITE && done > 0) {
      to->kept = malloc(length - done);
      if (to->kept == NULL) {
        return fail_system(&to->failure, ENOMEM);
      }
      memcpy(to->kept, head + done, length - done);
      to->kept_length = length - done;
      break;
    }
    if (sent < 0) {
      return sent;
    }
    done += (size_t)sent;
  }
  return (int32_t)length;
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
    int32_t unsent = send_kept(from); /* half of a head gets no answer */
    ssize_t received = recv(from->socket, buffer, capacity < INT32_MAX ? capacity : INT32_MAX, 0);
    if (received >= 0) {
      return (int32_t)received;
    }
    if (timeout_ms == 0 && nothing_now(errno)) {
      return PORTHOLE_WANT_READ;
    }
    short events = unsent == PORTHOLE_WANT_WRITE ? POLLIN | POLLOUT : POLLIN;
    int32_t error = would_block(errno) ? wait_for_try(from->socket, events, deadline, &from->failure)
                                       : fail_system(&from->failure, errno);
    if (error != 0) {
      return error;
    }
  }
}

/** The bits of an interest that are ready. After an error or a hang-up neither would block: the operation itself tells. */
static int32_t ready_bits(const struct pollfd *one, int32_t interest) {
  bool over = one->revents & (POLLERR | POLLHUP | POLLNVAL);
  int32_t set = ((one->revents & POLLIN) || over ? PORTHOLE_READABLE : 0) |
                ((one->revents & POLLOUT) || over ? PORTHOLE_WRITABLE : 0);
  return set & interest;
}

/** What to poll for. */
static void poll_list(struct pollfd *polled, const int32_t *list, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    const connection *on = find_connection(list[HANDLE_OF(i)]);
    int32_t interest = list[INTEREST_OF(i)];
    bool out = (interest & PORTHOLE_WRITABLE) || on->kept != NULL;
    int events = ((interest & PORTHOLE_READABLE) ? POLLIN : 0) | (out ? POLLOUT : 0);
    polled[i] = (struct pollfd){.fd = on->socket, .events = (short)events};
  }
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  struct pollfd polled[CONNECTIONS];
  int32_t ready[CONNECTIONS];
  int32_t refused = check_list(list, count);
  if (refused != 0) {
    return refused;
  }
  int64_t deadline = deadline_of(timeout_ms);
  int32_t found = 0;
  int answers;
  do {
    poll_list(polled, list, count);
    answers = poll_until(polled, count, deadline);
    if (answers < 0) {
      return PORTHOLE_HOST_OTHER;
    }
    for (uint32_t i = 0; i < count; i++) {
      if (polled[i].revents & POLLOUT) {
        send_kept(find_connection(list[HANDLE_OF(i)]));
      }
      ready[i] = ready_bits(&polled[i], list[INTEREST_OF(i)]);
      found += ready[i] != 0;
    }
  } while (found == 0 && answers > 0); /* only the rest of a head could go on */
  for (uint32_t i = 0; i < count; i++) {
    list[INTEREST_OF(i)] = ready[i];
  }
  return found;
}

void porthole_host_close(int32_t handle) {
  connection *done = find_connection(handle);
  if (done != NULL) {
    close(done->socket);
    free(done->kept);
    done->kept = NULL;
    done->open = false;
  }
}

/* ---- texts ---- */

/** "address:port" of an end of a socket. @returns its length, 0 when it isn't known */
static int write_address(const connection *of, bool peer, char *to, size_t size) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  struct sockaddr *any = (struct sockaddr *)&address;
  char name[128]; /* an address with its zone */
  char port[8];
  if ((peer ? getpeername(of->socket, any, &length) : getsockname(of->socket, any, &length)) != 0 ||
      getnameinfo(any, length, name, sizeof name, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return 0;
  }
  return snprintf(to, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", name, port);
}

int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity) {
  const connection *of = find_connection(handle);
  char address[PORTHOLE_INFO_MOST + 1];
  const char *text = "";
  if (buffer == NULL || (of == NULL && (handle != 0 || what != PORTHOLE_INFO_ERROR))) {
    return 0;
  }
  if (what == PORTHOLE_INFO_ERROR) {
    const failure *last = of == NULL ? &open_failure : &of->failure;
    text = last->text;
    if (text == NULL) {
      text = last->number == 0 ? "" : strerror(last->number);
    }
  } else if (what == PORTHOLE_INFO_PEER || what == PORTHOLE_INFO_LOCAL) {
    int written = write_address(of, what == PORTHOLE_INFO_PEER, address, sizeof address);
    text = written > 0 ? address : "";
  }
  return give_text(buffer, capacity, text, strnlen(text, PORTHOLE_INFO_MOST));
}
