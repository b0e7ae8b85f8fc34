/* SPDX-License-Identifier: MIT
 *
 * The command's host in JavaScript: what js/command/system.js answers, by imports of `porthole_cli_v1`.
 */
#include "cli_host.h"

#define CLI_IMPORT(name) __attribute__((import_module("porthole_cli_v1"), import_name(name)))

enum { PAGE = 65536, WORDS_MOST = 512 };

CLI_IMPORT("arguments_size") size_t import_arguments_size(void);
CLI_IMPORT("arguments") void import_arguments(char *buffer);
CLI_IMPORT("open") int32_t import_open(const char *path, uint32_t mode, uint64_t *size);
CLI_IMPORT("read") int32_t import_read(int32_t file, void *buffer, size_t capacity, int32_t timeout_ms);
CLI_IMPORT("write") int32_t import_write(int32_t file, const void *data, size_t length);
CLI_IMPORT("close") int32_t import_close(int32_t file);
CLI_IMPORT("terminal") int32_t import_terminal(int32_t file);
CLI_IMPORT("tls") int32_t import_tls(const cli_tls *settings);
CLI_IMPORT("words") void import_words(char *buffer, size_t capacity);

int32_t cli_host_open(const char *path, uint32_t mode, uint64_t *size) { return import_open(path, mode, size); }

int32_t cli_host_read(int32_t file, void *buffer, size_t capacity, int32_t timeout_ms) {
  return import_read(file, buffer, capacity, timeout_ms);
}

int32_t cli_host_write(int32_t file, const void *data, size_t length) { return import_write(file, data, length); }

int32_t cli_host_close(int32_t file) { return import_close(file); }

int32_t cli_host_terminal(int32_t file) { return import_terminal(file); }

int32_t cli_host_tls(const cli_tls *settings) { return import_tls(settings); }

const char *cli_host_words(void) {
  static char words[WORDS_MOST];
  import_words(words, sizeof words);
  return words;
}

const char *cli_host_advice(int32_t error) {
  (void)error;
  return "";
}

/* The command asks for twice as much each time, and for few things: what it had before is left. */
void *cli_host_memory(void *old, size_t old_size, size_t size) {
  size_t grown = __builtin_wasm_memory_grow(0, size / PAGE + 1);
  if (grown == SIZE_MAX) {
    return NULL;
  }
  void *memory = (void *)(grown * PAGE); /* NOLINT(performance-no-int-to-ptr) */
  if (old != NULL) {
    __builtin_memcpy(memory, old, old_size < size ? old_size : size);
  }
  return memory;
}

/** What JavaScript calls, once. @returns the exit code; CLI_FAILED where there is no memory for the arguments */
__attribute__((export_name("run"))) int run(void);

int run(void) {
  size_t size = import_arguments_size();
  char *text = cli_host_memory(NULL, 0, size + 1);
  const char **arguments = cli_host_memory(NULL, 0, (size + 1) * sizeof *arguments);
  if (text == NULL || arguments == NULL) {
    return CLI_FAILED;
  }
  import_arguments(text);
  size_t count = 0;
  for (size_t at = 0; at < size; at++) {
    if (at == 0 || text[at - 1] == '\0') {
      arguments[count++] = text + at;
    }
  }
  arguments[count] = NULL;
  return cli_main(arguments);
}
