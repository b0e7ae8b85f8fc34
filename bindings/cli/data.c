/* SPDX-License-Identifier: MIT
 *
 * What options take out of files: bodies and headers.
 */
#include "cli.h"

enum { PIECE = 65536 };

/** A place for a number of bytes behind what there is. @returns false when there is no memory */
static bool reserve(uint8_t **bytes, size_t *room, size_t length, size_t more) {
  if (more <= *room - length) {
    return true;
  }
  size_t wanted = *room < PIECE ? PIECE : *room * 2;
  while (wanted - length < more) {
    if (wanted > SIZE_MAX / 4) {
      return false;
    }
    wanted *= 2;
  }
  uint8_t *larger = cli_host_memory(*bytes, *room, wanted);
  if (larger == NULL) {
    return false;
  }
  *bytes = larger;
  *room = wanted;
  return true;
}

static int no_memory(cli_failure *failure) { return cli_fail(failure, EXIT_MEMORY, "out of memory", ""); }

static int can_not_read(cli_failure *failure, const char *path) {
  char text[CLI_WORDS_MOST];
  cli_text words = CLI_TEXT(text);
  cli_add(&words, path);
  cli_add(&words, ": ");
  cli_add(&words, cli_host_words());
  return cli_fail(failure, EXIT_READ, "can't read ", text);
}

/** Reads all of a file behind what there is. */
static int append_file(uint8_t **bytes, size_t *room, size_t *length, const char *path, cli_failure *failure) {
  uint64_t size;
  int32_t file = cli_same(path, "-") ? CLI_STDIN : cli_host_open(path, CLI_READ, &size);
  int32_t got = file < 0 ? file : 1;
  while (got > 0) {
    if (!reserve(bytes, room, *length, PIECE)) {
      return no_memory(failure);
    }
    got = cli_host_read(file, *bytes + *length, PIECE - 1, -1); /* a terminator fits */
    *length += got > 0 ? (size_t)got : 0;
  }
  if (got < 0) {
    can_not_read(failure, path);
  }
  if (file > CLI_STDERR) {
    cli_host_close(file);
  }
  return got < 0 ? EXIT_READ : 0;
}

int cli_read_file(const char *path, uint8_t **bytes, size_t *length, cli_failure *failure) {
  size_t room = 0;
  *bytes = NULL;
  *length = 0;
  int error = append_file(bytes, &room, length, path, failure);
  if (error == 0 && *bytes != NULL) {
    (*bytes)[*length] = '\0';
  }
  return error;
}

int cli_add_data(cli_options *options, const char *argument, bool binary, cli_failure *failure) {
  size_t length = cli_length(argument);
  bool file = argument[0] == '@';
  bool another = options->data != NULL;
  if (!reserve(&options->data, &options->data_room, options->data_length, file ? 1 : length + 1)) {
    return no_memory(failure);
  }
  if (another) {
    options->data[options->data_length++] = '&';
  }
  size_t start = options->data_length;
  if (!file) {
    __builtin_memcpy(options->data + start, argument, length);
    options->data_length += length;
    return 0;
  }
  int error = append_file(&options->data, &options->data_room, &options->data_length, argument + 1, failure);
  if (error == 0 && !binary) { /* lines are joined */
    size_t kept = start;
    for (size_t i = start; i < options->data_length; i++) {
      uint8_t byte = options->data[i];
      if (byte != '\r' && byte != '\n' && byte != '\0') {
        options->data[kept++] = byte;
      }
    }
    options->data_length = kept;
  }
  return error;
}

static int add_header(cli_options *options, const char *header, cli_failure *failure) {
  if (options->headers_count == CLI_HEADERS_MOST) {
    return cli_fail(failure, EXIT_USAGE, "too many headers: ", header);
  }
  options->headers[options->headers_count++] = header;
  return 0;
}

int cli_add_headers(cli_options *options, const char *argument, cli_failure *failure) {
  uint8_t *bytes;
  size_t length;
  if (argument[0] != '@') {
    return add_header(options, argument, failure);
  }
  int error = cli_read_file(argument + 1, &bytes, &length, failure);
  for (size_t i = 0; error == 0 && i < length;) {
    size_t start = i;
    while (i < length && bytes[i] != '\n') {
      i++;
    }
    size_t end = i > start && bytes[i - 1] == '\r' ? i - 1 : i;
    bytes[end] = '\0';
    if (end > start) {
      error = add_header(options, (const char *)bytes + start, failure);
    }
    i++;
  }
  return error;
}
