/* SPDX-License-Identifier: MIT
 *
 * The arguments, by the table in options.def.
 */
#include "cli.h"

typedef enum option_kind {
  OPTION_FLAG,
  OPTION_SWITCH,
  OPTION_TEXT,
  OPTION_MS,
  OPTION_COUNT,
  OPTION_HEADER,
  OPTION_DATA
} option_kind;

typedef struct option {
  char letter;
  const char *name;
  option_kind kind;
  size_t member; /* its offset in cli_options */
  int32_t value;
  const char *argument;
  const char *help;
} option;

static const option table[] = {
#define X(letter, name, kind, member, value, argument, help)                                                           \
  {letter, name, OPTION_##kind, offsetof(cli_options, member), value, argument, help},
#include "options.def"
#undef X
};

enum { OPTIONS = sizeof table / sizeof *table, MS = 1000, HELP_COLUMN = 40 };

int cli_fail(cli_failure *failure, int code, const char *text, const char *more) {
  cli_text words = CLI_TEXT(failure->words);
  cli_add(&words, text);
  cli_add(&words, more);
  failure->code = code;
  return code;
}

/* ---- one option ---- */

static bool takes_argument(const option *which) { return which->kind != OPTION_FLAG && which->kind != OPTION_SWITCH; }

static int complain(cli_failure *failure, const char *name, const char *what) {
  char text[CLI_WORDS_MOST];
  cli_text words = CLI_TEXT(text);
  cli_add(&words, name);
  cli_add(&words, what);
  return cli_fail(failure, EXIT_USAGE, "option ", text);
}

/** Sets an option. @param name as it was written. @returns 0 or an exit code */
static int set_option(cli_options *options, const option *which, bool on, const char *name, const char *argument,
                      cli_failure *failure) {
  void *member = (char *)options + which->member;
  int32_t *number = member;
  const char **text = member;
  switch (which->kind) {
  case OPTION_FLAG:
    *number = on;
    return 0;
  case OPTION_SWITCH:
    *number = which->value;
    return 0;
  case OPTION_TEXT:
    *text = argument;
    return 0;
  case OPTION_MS:
    return cli_read_number(argument, MS, number) ? 0
                                                 : complain(failure, name, ": expected a proper numerical parameter");
  case OPTION_COUNT:
    if (cli_same(argument, "-1")) {
      *number = -1;
      return 0;
    }
    return cli_read_number(argument, 1, number) ? 0
                                                : complain(failure, name, ": expected a proper numerical parameter");
  case OPTION_HEADER:
    return cli_add_headers(options, argument, failure);
  case OPTION_DATA:
    return cli_add_data(options, argument, which->value != 0, failure);
  }
  return EXIT_USAGE;
}

/* ---- finding them ---- */

static const option *find_letter(char letter) {
  for (size_t i = 0; i < OPTIONS; i++) {
    if (table[i].letter == letter) {
      return &table[i];
    }
  }
  return NULL;
}

static bool begins_with(const char *text, const char *start) {
  while (*start != '\0' && *text == *start) {
    text++;
    start++;
  }
  return *start == '\0';
}

/** Finds a long name, or the only one that begins so. @returns how many fit */
static int find_name(const char *name, const option **found) {
  int count = 0;
  for (size_t i = 0; i < OPTIONS; i++) {
    if (cli_same(table[i].name, name)) {
      *found = &table[i];
      return 1;
    }
    if (begins_with(table[i].name, name)) {
      *found = &table[i];
      count++;
    }
  }
  return count;
}

/** Reads "--name" or "--no-name". @param next the argument behind it, or NULL; it is taken when `*taken` is set */
static int read_long(cli_options *options, const char *argument, const char *next, bool *taken, cli_failure *failure) {
  const char *name = argument + 2;
  const option *which = NULL;
  bool on = !begins_with(name, "no-");
  int fits = find_name(on ? name : name + 3, &which);
  if (fits != 1) {
    return complain(failure, argument, fits == 0 ? ": is unknown" : ": is ambiguous");
  }
  if (!on && which->kind != OPTION_FLAG) {
    return complain(failure, argument, ": used '--no-' for option that isn't a boolean");
  }
  *taken = takes_argument(which);
  if (*taken && next == NULL) {
    return complain(failure, argument, ": requires parameter");
  }
  return set_option(options, which, on, argument, next, failure);
}

/** Reads "-abc", or "-aVALUE". */
static int read_short(cli_options *options, const char *argument, const char *next, bool *taken, cli_failure *failure) {
  for (const char *at = argument + 1; *at != '\0'; at++) {
    const char name[] = {'-', *at, '\0'};
    const option *which = find_letter(*at);
    if (which == NULL) {
      return complain(failure, name, ": is unknown");
    }
    bool takes = takes_argument(which);
    *taken = takes && at[1] == '\0';
    if (*taken && next == NULL) {
      return complain(failure, name, ": requires parameter");
    }
    int error = set_option(options, which, true, name, *taken ? next : at + 1, failure);
    if (error != 0 || takes) {
      return error;
    }
  }
  return 0;
}

/** Takes what -w says out of a file, where it names one. */
static int read_format(cli_options *options, cli_failure *failure) {
  uint8_t *bytes = NULL;
  size_t length;
  if (options->write_out == NULL || options->write_out[0] != '@') {
    return 0;
  }
  int error = cli_read_file(options->write_out + 1, &bytes, &length, failure);
  options->write_out = bytes != NULL ? (const char *)bytes : "";
  return error;
}

int cli_read_options(cli_options *options, const char *const *arguments, cli_failure *failure) {
  bool only_urls = false;
  options->redirects = CLI_REDIRECTS;
  for (; *arguments != NULL; arguments++) {
    const char *argument = *arguments;
    bool taken = false;
    int error = 0;
    if (only_urls || argument[0] != '-' || argument[1] == '\0') {
      if (options->url != NULL) {
        return cli_fail(failure, EXIT_USAGE, "one URL a call: what is ", argument);
      }
      options->url = argument;
    } else if (cli_same(argument, "--")) {
      only_urls = true;
    } else if (argument[1] == '-') {
      error = read_long(options, argument, arguments[1], &taken, failure);
    } else {
      error = read_short(options, argument, arguments[1], &taken, failure);
    }
    if (error != 0) {
      return error;
    }
    arguments += taken;
  }
  return read_format(options, failure);
}

/* ---- --help ---- */

const char *cli_help_text(void) {
  static char all[OPTIONS * 160];
  cli_text text = CLI_TEXT(all);
  cli_add(&text, "Usage: porthole [options...] <url>\n");
  for (size_t i = 0; i < OPTIONS; i++) {
    size_t start = text.length;
    cli_add(&text, table[i].letter != 0 ? " -" : "     ");
    if (table[i].letter != 0) {
      cli_add_byte(&text, table[i].letter);
      cli_add(&text, ", ");
    }
    cli_add(&text, "--");
    cli_add(&text, table[i].name);
    cli_add(&text, " ");
    cli_add(&text, table[i].argument);
    do {
      cli_add_byte(&text, ' ');
    } while (text.length - start < HELP_COLUMN);
    cli_add(&text, table[i].help);
    cli_add(&text, "\n");
  }
  return all;
}
