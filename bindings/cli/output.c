/* SPDX-License-Identifier: MIT
 *
 * What the command writes.
 */
#include "cli.h"

static int can_not_write(const cli_output *to, cli_failure *failure) {
  char text[CLI_WORDS_MOST];
  cli_text words = CLI_TEXT(text);
  cli_add(&words, to->path != NULL ? to->path : "standard output");
  cli_add(&words, ": ");
  cli_add(&words, cli_host_words());
  return cli_fail(failure, EXIT_WRITE, "can't write to ", text);
}

static int open_output(cli_output *to, cli_failure *failure) {
  if (!to->open) {
    to->file = to->path != NULL ? cli_host_open(to->path, CLI_WRITE, NULL) : CLI_STDOUT;
    if (to->file < 0) {
      return can_not_write(to, failure);
    }
    to->open = true;
  }
  return 0;
}

int cli_write(cli_output *to, porthole_span bytes, cli_failure *failure) {
  if (bytes.length == 0) {
    return 0;
  }
  int error = open_output(to, failure);
  if (error == 0 && cli_host_write(to->file, bytes.data, bytes.length) != 0) {
    error = can_not_write(to, failure);
  }
  return error;
}

int cli_end_output(cli_output *to, bool make, cli_failure *failure) {
  int error = make ? open_output(to, failure) : 0;
  if (error == 0 && to->open && to->file != CLI_STDOUT) {
    to->open = false;
    if (cli_host_close(to->file) != 0) {
      error = can_not_write(to, failure);
    }
  }
  return error;
}

void cli_tell(const char *text) { cli_host_write(CLI_STDERR, text, cli_length(text)); }

void cli_tell_request(const char *method, const char *target) {
  cli_tell("> ");
  cli_tell(method);
  cli_tell(" ");
  cli_tell(target);
  cli_tell(" HTTP/1.1\n");
}

void cli_tell_header(const char *name, const char *value) {
  cli_tell("> ");
  cli_tell(name);
  cli_tell(": ");
  cli_tell(value);
  cli_tell("\n");
}

void cli_tell_lines(const char *mark, porthole_span lines) {
  static char line[CLI_WORDS_MOST];
  cli_text text = CLI_TEXT(line);
  for (size_t i = 0; i < lines.length; i++) {
    if (text.length == 0) {
      cli_add(&text, mark);
    }
    cli_add_byte(&text, (char)lines.data[i]);
    if (lines.data[i] == '\n' || text.length > sizeof line - 8) { /* a long line goes out in parts */
      cli_tell(line);
      text = CLI_TEXT(line);
      while (i + 1 < lines.length && lines.data[i] != '\n' && text.length < sizeof line - 8) {
        cli_add_byte(&text, (char)lines.data[++i]);
      }
      cli_tell(line);
      text = CLI_TEXT(line);
    }
  }
  cli_tell(line);
}

/* ---- -w ---- */

/** Adds what a variable stands for. @returns false for one that there isn't */
static bool add_variable(cli_text *to, porthole_span name, const cli_result *result) {
  enum { MS = 1000 };
  if (cli_same_word(name, "http_code") || cli_same_word(name, "response_code")) {
    cli_add_number(to, result->status, 3, '0');
  } else if (cli_same_word(name, "size_download")) {
    cli_add_number(to, result->downloaded, 0, ' ');
  } else if (cli_same_word(name, "size_upload")) {
    cli_add_number(to, result->uploaded, 0, ' ');
  } else if (cli_same_word(name, "num_redirects")) {
    cli_add_number(to, result->redirects, 0, ' ');
  } else if (cli_same_word(name, "exitcode")) {
    cli_add_number(to, (uint64_t)result->code, 0, ' ');
  } else if (cli_same_word(name, "time_total")) {
    cli_add_number(to, result->ms / MS, 0, ' ');
    cli_add_byte(to, '.');
    cli_add_number(to, (uint64_t)(result->ms % MS) * MS, 6, '0');
  } else {
    return false;
  }
  return true;
}

/** The end of "%{name}" at a "%"; NULL when it is no variable. */
static const char *variable_end(const char *at) {
  if (at[1] != '{') {
    return NULL;
  }
  while (*at != '\0' && *at != '}') {
    at++;
  }
  return *at == '}' ? at : NULL;
}

static void tell_unknown(porthole_span name) {
  char words[CLI_WORDS_MOST];
  cli_text unknown = CLI_TEXT(words);
  cli_add(&unknown, "porthole: unknown --write-out variable: '");
  cli_add_span(&unknown, name);
  cli_add(&unknown, "'\n");
  cli_tell(words);
}

/** Adds what a letter behind a backslash stands for. @returns false for nothing */
static bool add_escape(cli_text *to, char letter) {
  static const char letters[] = "n\nr\rt\t";
  for (size_t i = 0; letters[i] != '\0'; i += 2) {
    if (letters[i] == letter) {
      cli_add_byte(to, letters[i + 1]);
      return true;
    }
  }
  return false;
}

int cli_write_out(const char *format, const cli_result *result, cli_failure *failure) {
  cli_output to = {NULL, CLI_STDOUT, true};
  int error = 0;
  char piece[512];
  cli_text text = CLI_TEXT(piece);
  while (error == 0 && *format != '\0') {
    const char *end = *format == '%' ? variable_end(format) : NULL;
    if (end != NULL) {
      porthole_span name = {(const uint8_t *)format + 2, (size_t)(end - format) - 2};
      if (!add_variable(&text, name, result)) {
        tell_unknown(name);
      }
      format = end + 1;
    } else if (format[0] == '%' && format[1] == '%') {
      cli_add_byte(&text, '%');
      format += 2;
    } else if (format[0] == '\\' && add_escape(&text, format[1])) {
      format += 2;
    } else {
      cli_add_byte(&text, *format++);
    }
    if (*format == '\0' || text.length > sizeof piece / 2) {
      error = cli_write(&to, (porthole_span){(const uint8_t *)piece, text.length}, failure);
      text = CLI_TEXT(piece);
    }
  }
  return error;
}
