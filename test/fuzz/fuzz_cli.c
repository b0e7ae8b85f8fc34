/* SPDX-License-Identifier: MIT
 *
 * The command: any arguments, over files and a peer made of the input. It ends, with an exit code that there is; what it opened
 * is closed; what it writes lies in its memory. And URLs: what is accepted can be sent, and written out again is the same.
 *
 * Input: the number of arguments, those, each with its length, and what files and the peer are made of.
 */
#include <stdbool.h>
#include <stdio.h>

#include "cli.h"
#include "cmocka.h"
#include "fuzz.h"

enum { ARGUMENTS_MOST = 8, FILES = 8, BLOCKS = 4096, CALLS_MOST = 200000 };

static source from;
static bool connected;
static bool files[FILES];
static void *blocks[BLOCKS];
static size_t blocks_count;
static uint32_t now;
static unsigned calls;

/* ---- the system ---- */

static void count_call(void) { assert_true(++calls < CALLS_MOST); }

int32_t cli_host_open(const char *path, uint32_t mode, uint64_t *size) {
  count_call();
  assert_true(strlen(path) < SIZE_MAX && (mode == CLI_WRITE || size != NULL));
  uint8_t what = take_byte(&from);
  if (mode == CLI_READ) {
    *size = what & 2 ? CLI_SIZE_UNKNOWN : take_byte(&from);
  }
  for (int32_t i = CLI_STDERR + 1; i < FILES && !(what & 1); i++) {
    if (!files[i]) {
      files[i] = true;
      return i;
    }
  }
  return CLI_FAILED;
}

int32_t cli_host_read(int32_t file, void *buffer, size_t capacity, int32_t timeout_ms) {
  count_call();
  assert_true(file == CLI_STDIN || (file > CLI_STDERR && file < FILES && files[file]));
  porthole_span bytes = take_span(&from);
  size_t length = bytes.length < capacity ? bytes.length : capacity;
  if (length == 0 && timeout_ms >= 0 && take_byte(&from) > 128) {
    return CLI_LATER;
  }
  memcpy(buffer, bytes.data, length);
  return (int32_t)length;
}

int32_t cli_host_write(int32_t file, const void *data, size_t length) {
  static volatile uint8_t seen;
  count_call();
  assert_true(file == CLI_STDOUT || file == CLI_STDERR || (file > CLI_STDERR && file < FILES && files[file]));
  for (size_t i = 0; i < length; i++) {
    seen = ((const uint8_t *)data)[i];
  }
  (void)seen;
  return file == CLI_STDOUT && take_byte(&from) == 255 ? CLI_FAILED : 0;
}

int32_t cli_host_close(int32_t file) {
  assert_true(file == CLI_STDOUT || (file > CLI_STDERR && file < FILES && files[file]));
  if (file > CLI_STDERR) {
    files[file] = false;
  }
  return take_byte(&from) == 255 ? CLI_FAILED : 0;
}

int32_t cli_host_terminal(int32_t file) { return file == CLI_STDOUT && take_byte(&from) & 1; }

int32_t cli_host_tls(const cli_tls *settings) {
  (void)settings;
  return -(int32_t)(take_byte(&from) & 3); /* 0, or any CLI_TLS_* */
}

const char *cli_host_words(void) { return "words"; }

const char *cli_host_advice(int32_t error) {
  (void)error;
  return "";
}

void *cli_host_memory(void *old, size_t old_size, size_t size) {
  void *made = malloc(size);
  assert_true(made != NULL && blocks_count < BLOCKS && old_size <= size);
  if (old_size > 0) {
    memcpy(made, old, old_size);
  }
  blocks[blocks_count++] = made;
  return made;
}

/* ---- the peer ---- */

int32_t porthole_host_open(const char *host, size_t length, uint32_t port, uint32_t flags, int32_t timeout_ms) {
  count_call();
  assert_true(host != NULL && length > 0 && port <= 65535 && flags < 8 && !connected);
  uint8_t what = take_byte(&from);
  if (flags & PORTHOLE_OPEN_TLS || timeout_ms == 0 || what > 250) {
    return what > 250 ? PORTHOLE_HOST_REFUSED - (what - 251) : PORTHOLE_HOST_UNSUPPORTED;
  }
  connected = true;
  return 1;
}

int32_t porthole_host_start_tls(int32_t handle, const char *name, size_t length, uint32_t flags, int32_t timeout_ms) {
  (void)handle;
  (void)name;
  (void)length;
  (void)flags;
  (void)timeout_ms;
  return PORTHOLE_HOST_UNSUPPORTED;
}

int32_t porthole_host_send_head(int32_t handle, const uint8_t *head, size_t length, int32_t timeout_ms) {
  (void)timeout_ms;
  count_call();
  assert_true(handle == 1 && connected && length > 4 && memcmp(head + length - 4, "\r\n\r\n", 4) == 0);
  return take_byte(&from) == 255 ? PORTHOLE_HOST_RESET : (int32_t)length;
}

int32_t porthole_host_send(int32_t handle, const uint8_t *data, size_t length, int32_t timeout_ms) {
  count_call();
  assert_true(handle == 1 && connected && data != NULL && length > 0);
  uint8_t what = take_byte(&from);
  if (what > 200 && timeout_ms == 0) {
    return PORTHOLE_WANT_WRITE;
  }
  return what == 200 ? PORTHOLE_HOST_CLOSED : what > 100 && length > what ? what : (int32_t)length;
}

int32_t porthole_host_recv(int32_t handle, uint8_t *buffer, size_t capacity, int32_t timeout_ms) {
  count_call();
  assert_true(handle == 1 && connected && capacity > 0);
  porthole_span bytes = take_span(&from);
  size_t length = bytes.length < capacity ? bytes.length : capacity;
  memcpy(buffer, bytes.data, length);
  if (length == 0 && timeout_ms == 0 && from.left > 0) {
    return PORTHOLE_WANT_READ;
  }
  return length == 0 && from.left % 3 == 1 ? PORTHOLE_HOST_RESET : (int32_t)length;
}

int32_t porthole_host_wait(int32_t *list, uint32_t count, int32_t timeout_ms) {
  (void)timeout_ms;
  count_call();
  assert_true(count == 1 && list[0] == 1 && connected);
  return 1;
}

void porthole_host_close(int32_t handle) { connected = connected && handle != 1; }

int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity) {
  (void)handle;
  (void)what;
  memset(buffer, 'w', capacity < 5 ? capacity : 5);
  return capacity < 5 ? (int32_t)capacity : 5;
}

uint32_t porthole_host_now(void) { return now += 7; }

/* ---- what must hold ---- */

static char *take_text(void) {
  porthole_span bytes = take_span(&from);
  char *text = malloc(bytes.length + 1); /* so that what is read behind it is found out */
  assert_non_null(text);
  memcpy(text, bytes.data, bytes.length);
  text[bytes.length] = '\0';
  return text;
}

static void check_url(const char *text, cli_url_kind kind) {
  static cli_url url, again;
  static char whole[CLI_URL_MOST + CLI_HOST_MOST + 32];
  int result = cli_url_read(&url, porthole_text(text), kind);
  assert_true(result == 0 || result == CLI_URL_MALFORMED || result == CLI_URL_UNSUPPORTED);
  if (result != 0) {
    return;
  }
  assert_true(url.host[0] != '\0' && url.port <= 65535 && url.target[0] == '/');
  for (const char *at = url.target; *at != '\0'; at++) {
    assert_true(*at > ' ' && *at < 0x7F);
  }
  assert_true(strstr(url.target, "/../") == NULL || strchr(url.target, '?') != NULL);
  cli_text made = CLI_TEXT(whole);
  cli_url_add(&url, &made);
  assert_true(!made.cut);
  if (made.length <= CLI_URL_MOST && strchr(url.host, '%') == NULL) {
    assert_int_equal(cli_url_read(&again, porthole_text(whole), CLI_URL_GIVEN), 0);
    assert_true(cli_url_same_place(&url, &again) && strcmp(url.target, again.target) == 0);
    assert_true(!again.has_credentials);
  }
}

static void check_redirect(const char *base, const char *location) {
  static cli_url url;
  if (cli_url_read(&url, porthole_text(base), CLI_URL_GIVEN) == 0) {
    int result = cli_url_follow(&url, &url, porthole_text(location));
    assert_true(result == 0 || result == CLI_URL_MALFORMED || result == CLI_URL_UNSUPPORTED);
    assert_true(url.target[0] == '/');
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *texts[ARGUMENTS_MOST + 1] = {NULL};
  const char *arguments[ARGUMENTS_MOST + 1] = {NULL};
  from = (source){data, size};
  size_t count = take_byte(&from) % (ARGUMENTS_MOST + 1);
  for (size_t i = 0; i < count; i++) {
    arguments[i] = texts[i] = take_text();
  }
  for (size_t i = 0; i < count; i++) {
    check_url(texts[i], CLI_URL_GIVEN);
    check_url(texts[i], CLI_URL_REDIRECT);
    check_url(texts[i], CLI_URL_PROXY);
    check_redirect(texts[0], texts[i]);
  }
  calls = 0;
  now = 0;
  int code = cli_main(arguments);
  assert_true(code >= 0 && code <= EXIT_CA);
  assert_true(!connected);
  for (size_t i = 0; i < FILES; i++) {
    assert_true(!files[i]);
  }
  while (blocks_count > 0) {
    free(blocks[--blocks_count]);
  }
  for (size_t i = 0; i < count; i++) {
    free(texts[i]);
  }
  return 0;
}
