/* SPDX-License-Identifier: MIT
 *
 * The command's host on POSIX.
 */
#define _POSIX_C_SOURCE 200809L

#include "cli_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed; /* errno of what failed last */

static int32_t fail(void) {
  failed = errno;
  return CLI_FAILED;
}

int32_t cli_host_open(const char *path, uint32_t mode, uint64_t *size) {
  int flags = mode == CLI_WRITE ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
  int file = open(path, flags | O_CLOEXEC, 0666);
  struct stat what;
  if (file < 0) {
    return fail();
  }
  if (mode == CLI_READ) {
    bool regular = fstat(file, &what) == 0 && S_ISREG(what.st_mode);
    *size = regular ? (uint64_t)what.st_size : CLI_SIZE_UNKNOWN;
  }
  return file;
}

int32_t cli_host_read(int32_t file, void *buffer, size_t capacity, int32_t timeout_ms) {
  struct pollfd one = {.fd = file, .events = POLLIN};
  ssize_t got;
  do {
    got = timeout_ms < 0 ? 1 : poll(&one, 1, timeout_ms);
    if (got == 0) {
      return CLI_LATER;
    }
    if (got > 0) {
      got = read(file, buffer, capacity < INT32_MAX ? capacity : INT32_MAX);
    }
  } while (got < 0 && errno == EINTR);
  return got < 0 ? fail() : (int32_t)got;
}

int32_t cli_host_write(int32_t file, const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    ssize_t written = write(file, at, length);
    if (written < 0 && errno != EINTR) {
      return fail();
    }
    at += written > 0 ? written : 0;
    length -= written > 0 ? (size_t)written : 0;
  }
  return 0;
}

int32_t cli_host_close(int32_t file) { return close(file) == 0 ? 0 : fail(); }

int32_t cli_host_terminal(int32_t file) { return isatty(file); }

int32_t cli_host_tls(const cli_tls *settings) {
  (void)settings;
  return CLI_TLS_UNSUPPORTED;
}

const char *cli_host_words(void) { return strerror(failed); }

const char *cli_host_advice(int32_t error) {
  (void)error;
  return "";
}

void *cli_host_memory(void *old, size_t old_size, size_t size) {
  (void)old_size;
  return realloc(old, size);
}

int main(int count, char **arguments) {
  static const char *const none[] = {NULL};
  (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of writing */
  return cli_main(count > 0 ? (const char *const *)arguments + 1 : none);
}
