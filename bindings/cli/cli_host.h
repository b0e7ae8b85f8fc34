/* SPDX-License-Identifier: MIT
 *
 * What the command asks of the system that it runs on, beside the network (porthole/host.h): arguments, files, streams and memory.
 * cli_host.c of bindings/posix, bindings/wasi and, for JavaScript, bindings/wasm are it; each calls cli_main, whose result is the
 * exit code.
 *
 * Results below zero are failures: cli_host_words has the words.
 */
#ifndef PORTHOLE_CLI_HOST_H
#define PORTHOLE_CLI_HOST_H

#include <stddef.h>
#include <stdint.h>

/** The streams that are open from the beginning. */
enum { CLI_STDIN = 0, CLI_STDOUT = 1, CLI_STDERR = 2 };

/** How cli_host_open opens a file. */
enum { CLI_READ = 0, CLI_WRITE = 1 /* it is made, or emptied */ };

/** The size of what is no regular file. */
#define CLI_SIZE_UNKNOWN UINT64_MAX

enum { CLI_FAILED = -1, CLI_LATER = -2 };

/** What runs, called once by the host. @param arguments without the program's name, terminated by NULL. @returns the exit code */
int cli_main(const char *const *arguments);

/** @param size receives the size of a file that is read, or CLI_SIZE_UNKNOWN. @returns a number above CLI_STDERR, or CLI_FAILED */
int32_t cli_host_open(const char *path, uint32_t mode, uint64_t *size);

/**
 * Waits for bytes.
 *
 * @param timeout_ms how long; negative for as long as it takes
 * @returns how many came, 0 at the end, CLI_LATER when nothing came in that time, or CLI_FAILED
 */
int32_t cli_host_read(int32_t file, void *buffer, size_t capacity, int32_t timeout_ms);

/** Writes all of it, which may stay in buffers until the file is closed. @returns 0 or CLI_FAILED */
int32_t cli_host_write(int32_t file, const void *data, size_t length);

/** Writes what is left in buffers, and closes what cli_host_open gave. @returns 0 or CLI_FAILED */
int32_t cli_host_close(int32_t file);

/** @returns 1 when a stream is a terminal, else 0 */
int32_t cli_host_terminal(int32_t file);

/** How TLS is spoken, by files of PEM; NULL for what isn't said. */
typedef struct cli_tls {
  const char *ca;          /* who is trusted, instead of those that the host trusts */
  const char *certificate; /* the own one */
  const char *key;         /* … and its key, where that isn't in the same file */
  int32_t insecure;        /* is nothing verified? */
} cli_tls;

/** What cli_host_tls fails by. */
enum { CLI_TLS_UNSUPPORTED = -1, CLI_TLS_BAD_CA = -2, CLI_TLS_BAD_CERTIFICATE = -3 };

/** Says how TLS is to be spoken, before it is spoken first. @returns 0 or CLI_TLS_* */
int32_t cli_host_tls(const cli_tls *settings);

/** Why something failed last. */
const char *cli_host_words(void);

/** What can be done about an error of the network, PORTHOLE_HOST_*: words to follow it, or "". */
const char *cli_host_advice(int32_t error);

/** Makes memory larger. @param old what it gave before, or NULL. @returns the memory, which may have moved; NULL for none */
void *cli_host_memory(void *old, size_t old_size, size_t size);

#endif
