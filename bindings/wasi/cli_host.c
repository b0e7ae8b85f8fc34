/* SPDX-License-Identifier: MIT
 *
 * The command's host on WASI 0.2: streams, arguments and exit codes by wasi:cli, files by wasi:filesystem.
 */
#include "cli_host.h"

#include "memory.h"
#include "porthole/porthole.h"
#include "runtime.h"

WASI_IMPORT("cli/environment", "get-arguments") void wasi_arguments(uint8_t *result);
WASI_IMPORT("cli/exit", "exit-with-code") void wasi_exit(int32_t code);
WASI_IMPORT("cli/stdin", "get-stdin") wasi_handle wasi_stdin(void);
WASI_IMPORT("cli/stdout", "get-stdout") wasi_handle wasi_stdout(void);
WASI_IMPORT("cli/stderr", "get-stderr") wasi_handle wasi_stderr(void);
WASI_IMPORT("cli/terminal-stdout", "get-terminal-stdout") void wasi_terminal_stdout(uint8_t *result);
WASI_IMPORT("cli/terminal-output", "[resource-drop]terminal-output") void wasi_terminal_drop(wasi_handle terminal);
WASI_IMPORT("filesystem/preopens", "get-directories") void wasi_folders(uint8_t *result);
WASI_IMPORT("filesystem/types", "[method]descriptor.open-at")
void wasi_open_at(wasi_handle folder, uint32_t path_flags, const char *path, uint32_t length, uint32_t open_flags,
                  uint32_t flags, uint8_t *result);
WASI_IMPORT("filesystem/types", "[method]descriptor.stat") void wasi_stat(wasi_handle file, uint8_t *result);
WASI_IMPORT("filesystem/types", "[method]descriptor.read-via-stream")
void wasi_read_via(wasi_handle file, uint64_t offset, uint8_t *result);
WASI_IMPORT("filesystem/types", "[method]descriptor.write-via-stream")
void wasi_write_via(wasi_handle file, uint64_t offset, uint8_t *result);
WASI_IMPORT("filesystem/types", "[resource-drop]descriptor") void wasi_descriptor_drop(wasi_handle file);
WASI_IMPORT("io/streams", "[method]output-stream.blocking-flush")
void wasi_output_flush(wasi_handle stream, uint8_t *result);

__attribute__((export_name("wasi:cli/run@" WASI_VERSION "#run"))) int32_t run(void);

enum {
  FILES = 8,
  SYMLINK_FOLLOW = 1,
  OPEN_CREATE = 1,
  OPEN_TRUNCATE = 8,
  MAY_READ = 1,
  MAY_WRITE = 2,
  REGULAR_FILE = 6,
  STAT_BYTES = 104
};

/* A stream, with the file below it, if it is one. */
typedef struct open_file {
  wasi_handle descriptor;
  wasi_handle input;
  wasi_handle output;
  bool nowhere; /* what is written is dropped: there need be no folder /dev */
} open_file;

/* A string, or another list, of the canonical ABI. */
typedef struct list {
  const char *at;
  size_t length;
} list;

/* A folder that the runtime opens to the program. */
typedef struct folder {
  wasi_handle descriptor;
  list name;
} folder;

static open_file files[FILES]; /* by number */
static failure last;
static char words[PORTHOLE_INFO_MOST + 1];

static int32_t fail(const char *text) {
  wasi_fail(&last, 0, text);
  return CLI_FAILED;
}

/** Keeps why a file failed, by its error-code of wasi:filesystem. */
static int32_t fail_file(uint8_t code) {
  static const char *const names[] = {"access",
                                      "would-block",
                                      "already",
                                      "bad-descriptor",
                                      "busy",
                                      "deadlock",
                                      "quota",
                                      "exist",
                                      "file-too-large",
                                      "illegal-byte-sequence",
                                      "in-progress",
                                      "interrupted",
                                      "invalid",
                                      "io",
                                      "is-directory",
                                      "loop",
                                      "too-many-links",
                                      "message-size",
                                      "name-too-long",
                                      "no-device",
                                      "no-entry",
                                      "no-lock",
                                      "insufficient-memory",
                                      "insufficient-space",
                                      "not-directory",
                                      "not-empty",
                                      "not-recoverable",
                                      "unsupported",
                                      "no-tty",
                                      "no-such-device",
                                      "overflow",
                                      "not-permitted",
                                      "pipe",
                                      "read-only",
                                      "invalid-seek",
                                      "text-file-busy",
                                      "cross-device"};
  return fail(code < sizeof names / sizeof *names ? names[code] : "an error without a name");
}

static int32_t fail_stream(const result *from, size_t offset) {
  wasi_fail_stream(&last, from, offset);
  return CLI_FAILED;
}

const char *cli_host_words(void) {
  __builtin_memcpy(words, last.text, last.length);
  words[last.length] = '\0';
  return words;
}

/** Was a name refused before it was looked up, as far as the words of the host tell? */
static bool refused_name(void) {
  static const char call[] = "resolve-addresses:";
  char text[sizeof call - 1];
  int32_t length = porthole_host_info(0, PORTHOLE_INFO_ERROR, text, sizeof text);
  for (int32_t i = 0; i < length; i++) {
    if (text[i] != call[i]) {
      return false;
    }
  }
  return length == sizeof text;
}

const char *cli_host_advice(int32_t error) {
  switch (error) {
  case PORTHOLE_HOST_DENIED:
    return " (the runtime allows it by -S inherit-network)";
  case PORTHOLE_HOST_NOT_FOUND:
    return refused_name() ? " (if the runtime looks up no names at all: -S allow-ip-name-lookup)" : "";
  default:
    return "";
  }
}

/* ---- streams ---- */

static bool is_open(int32_t file) { return file >= 0 && file < FILES; }

static wasi_handle input_of(int32_t file) {
  if (file == CLI_STDIN && files[file].input == 0) {
    files[file].input = wasi_stdin();
  }
  return files[file].input;
}

static wasi_handle output_of(int32_t file) {
  if (file == CLI_STDOUT && files[file].output == 0) {
    files[file].output = wasi_stdout();
  }
  if (file == CLI_STDERR && files[file].output == 0) {
    files[file].output = wasi_stderr();
  }
  return files[file].output;
}

static bool wait_for_input(wasi_handle stream, limit *within) {
  wasi_handle pollable = wasi_input_subscribe(stream);
  bool in_time = wasi_wait_within(within, pollable);
  wasi_pollable_drop(pollable);
  return in_time;
}

int32_t cli_host_read(int32_t file, void *buffer, size_t capacity, int32_t timeout_ms) {
  result got; /* a result; behind four bytes the list, or a stream-error */
  uint32_t length;
  limit within = limit_of(timeout_ms);
  if (!is_open(file) || input_of(file) == 0) {
    return fail("it is not open");
  }
  for (;;) {
    wasi_land(buffer, capacity);
    if (timeout_ms < 0) {
      wasi_input_await(input_of(file), capacity, got.at);
    } else {
      wasi_input_read(input_of(file), capacity, got.at);
    }
    if (got.at[0] != 0) {
      wasi_landed(NULL, 0, buffer, capacity);
      return got.at[4] == 1 ? 0 : fail_stream(&got, 4); /* closed is the end */
    }
    length = word_at(&got, 8);
    wasi_landed(pointer_at(&got, 4), length, buffer, capacity);
    if (length > 0) {
      break;
    }
    if (timeout_ms >= 0 && !wait_for_input(input_of(file), &within)) {
      return CLI_LATER;
    }
  }
  return length <= capacity ? (int32_t)length : fail("the runtime gave more than was asked for");
}

/** Waits until a stream takes something. @returns how much, or 0 for a failure */
static uint64_t room_of(wasi_handle stream) {
  result got; /* a result; behind eight bytes the room, or a stream-error */
  for (;;) {
    uint64_t room;
    wasi_output_room(stream, got.at);
    if (got.at[0] != 0) {
      fail_stream(&got, 8);
      return 0;
    }
    __builtin_memcpy(&room, got.at + 8, sizeof room);
    if (room > 0) {
      return room;
    }
    wasi_handle pollable = wasi_output_subscribe(stream);
    wasi_pollable_block(pollable);
    wasi_pollable_drop(pollable);
  }
}

static int32_t flush(wasi_handle stream) {
  result got;
  wasi_output_flush(stream, got.at);
  return got.at[0] != 0 ? fail_stream(&got, 4) : 0;
}

int32_t cli_host_write(int32_t file, const void *data, size_t length) {
  result got; /* a result; behind four bytes a stream-error */
  const uint8_t *at = data;
  if (is_open(file) && files[file].nowhere) {
    return 0;
  }
  if (!is_open(file) || output_of(file) == 0) {
    return fail("it is not open");
  }
  wasi_handle stream = output_of(file);
  while (length > 0) {
    uint64_t room = room_of(stream);
    size_t now = room < length ? (size_t)room : length;
    if (now == 0) {
      return CLI_FAILED;
    }
    wasi_output_write(stream, at, now, got.at);
    if (got.at[0] != 0) {
      return fail_stream(&got, 4);
    }
    at += now;
    length -= now;
  }
  return file == CLI_STDERR ? flush(stream) : 0;
}

int32_t cli_host_close(int32_t file) {
  if (!is_open(file)) {
    return fail("it is not open");
  }
  open_file *done = &files[file];
  int32_t failed = done->output != 0 ? flush(done->output) : 0;
  if (done->input != 0) { /* streams before their file */
    wasi_input_drop(done->input);
  }
  if (done->output != 0) {
    wasi_output_drop(done->output);
  }
  if (done->descriptor != 0) {
    wasi_descriptor_drop(done->descriptor);
  }
  *done = (open_file){0, 0, 0, false};
  return failed;
}

int32_t cli_host_terminal(int32_t file) {
  result got; /* an option */
  if (file != CLI_STDOUT) {
    return 0;
  }
  wasi_terminal_stdout(got.at);
  if (got.at[0] == 0) {
    return 0;
  }
  wasi_terminal_drop(handle_at(&got, 4));
  return 1;
}

/* ---- files ---- */

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') {
    length++;
  }
  return length;
}

/** Is this the place where what is written is gone? */
static bool is_nowhere(const char *path) {
  static const char nowhere[] = "/dev/null";
  size_t i = 0;
  while (i < sizeof nowhere - 1 && path[i] == nowhere[i]) {
    i++;
  }
  return i == sizeof nowhere - 1 && path[i] == '\0';
}

/** A path without "./" in front. */
static list without_dot(list path) {
  while (path.length >= 2 && path.at[0] == '.' && path.at[1] == '/') {
    path = (list){path.at + 2, path.length - 2};
  }
  return path;
}

/** How much of a path a folder's name is, with the slash behind it; -1 when the path leads elsewhere. */
static int32_t covers(list name, list path) {
  name = without_dot(name);
  bool here = name.length == 0 || (name.length == 1 && (name.at[0] == '.' || name.at[0] == '/'));
  bool absolute = path.length > 0 && path.at[0] == '/';
  if (here) { /* "/" is also where relative paths begin, if there is no other */
    bool root = name.length == 1 && name.at[0] == '/';
    return root ? absolute : absolute ? -1 : 0;
  }
  size_t length = name.at[name.length - 1] == '/' ? name.length - 1 : name.length;
  if (path.length <= length || path.at[length] != '/') {
    return -1;
  }
  for (size_t i = 0; i < length; i++) {
    if (name.at[i] != path.at[i]) {
      return -1;
    }
  }
  return (int32_t)length + 1;
}

static const folder *folders;
static uint32_t folders_count;

/** Finds the folder that a path is in. @param path receives what is left of it. @returns NULL when there is none */
static const folder *find_folder(list *path) {
  const folder *found = NULL;
  int32_t most = -1;
  result got; /* pointer, length */
  if (folders == NULL) {
    wasi_folders(got.at);
    folders = pointer_at(&got, 0);
    folders_count = word_at(&got, 4);
  }
  *path = without_dot(*path);
  for (uint32_t i = 0; i < folders_count; i++) {
    int32_t covered = covers(folders[i].name, *path);
    if (covered > most) {
      most = covered;
      found = &folders[i];
    }
  }
  if (found != NULL) {
    path->at += most;
    path->length -= (size_t)most;
  }
  return found;
}

/** Opens a descriptor in a folder. @returns 0 or CLI_FAILED */
static int32_t open_descriptor(const char *path, uint32_t mode, wasi_handle *descriptor) {
  result got; /* a result; behind four bytes what is made, or the error */
  list rest = {path, length_of(path)};
  const folder *in = find_folder(&rest);
  if (in == NULL) {
    return fail("no folder is open to the command where this is: the runtime has to open it, by --dir");
  }
  uint32_t open_flags = mode == CLI_WRITE ? OPEN_CREATE | OPEN_TRUNCATE : 0;
  wasi_open_at(in->descriptor, SYMLINK_FOLLOW, rest.at, rest.length, open_flags,
               mode == CLI_WRITE ? MAY_WRITE : MAY_READ, got.at);
  if (got.at[0] != 0) {
    return fail_file(got.at[4]);
  }
  *descriptor = handle_at(&got, 4);
  return 0;
}

/** The size of a regular file. */
static uint64_t size_of(wasi_handle descriptor) {
  _Alignas(8) uint8_t got[STAT_BYTES]; /* a result; behind eight bytes the type, behind 24 the size */
  uint64_t size;
  wasi_stat(descriptor, got);
  __builtin_memcpy(&size, got + 24, sizeof size);
  return got[0] == 0 && got[8] == REGULAR_FILE ? size : CLI_SIZE_UNKNOWN;
}

int32_t cli_host_open(const char *path, uint32_t mode, uint64_t *size) {
  result got; /* a result; behind four bytes the stream, or the error */
  int32_t file = CLI_STDERR + 1;
  while (file < FILES && (files[file].descriptor != 0 || files[file].nowhere)) {
    file++;
  }
  if (file == FILES) {
    return fail("too many files are open");
  }
  if (mode == CLI_WRITE && is_nowhere(path)) {
    files[file].nowhere = true;
    return file;
  }
  wasi_handle descriptor;
  if (open_descriptor(path, mode, &descriptor) != 0) {
    return CLI_FAILED;
  }
  if (mode == CLI_READ) {
    *size = size_of(descriptor);
    wasi_read_via(descriptor, 0, got.at);
  } else {
    wasi_write_via(descriptor, 0, got.at);
  }
  if (got.at[0] != 0) {
    wasi_descriptor_drop(descriptor);
    return fail_file(got.at[4]);
  }
  wasi_handle stream = handle_at(&got, 4);
  files[file] = (open_file){descriptor, mode == CLI_READ ? stream : 0, mode == CLI_READ ? 0 : stream, false};
  return file;
}

/* wasi:tls has no settings: the runtime says whom it trusts. */
int32_t cli_host_tls(const cli_tls *settings) {
  (void)settings;
  return CLI_TLS_UNSUPPORTED;
}

/* ---- memory and the start ---- */

void *cli_host_memory(void *old, size_t old_size, size_t size) {
  return size > old_size ? wasi_extend(old, old_size, size) : old;
}

int32_t run(void) {
  result got; /* pointer, length */
  wasi_arguments(got.at);
  const list *given = pointer_at(&got, 0);
  uint32_t count = word_at(&got, 4);
  const char **arguments = wasi_take(sizeof *arguments, (count + 1) * sizeof *arguments);
  for (uint32_t i = 0; i < count; i++) {
    char *text = wasi_take(1, given[i].length + 1);
    __builtin_memcpy(text, given[i].at, given[i].length);
    text[given[i].length] = '\0';
    arguments[i] = text;
  }
  arguments[count] = NULL;
  int32_t code = cli_main(count > 0 ? arguments + 1 : arguments);
  if (code != 0) {
    wasi_exit(code);
  }
  return 0;
}
