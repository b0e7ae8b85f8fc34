/* SPDX-License-Identifier: MIT
 *
 * Results: errors, texts, lists of fields.
 */
#include "lifted.h"

enum { MESSAGE_MOST = 512 };

outcome answer;

outcome *answer_nothing(void) {
  answer.failed = false;
  memory_end_call();
  return &answer;
}

outcome *answer_result(const connection *on, int32_t result) {
  return result < 0 ? answer_error(on, result) : answer_nothing();
}

/* ---- texts ---- */

/** How many bytes the character of UTF-8 has that begins here; 0 for none. */
static size_t character_at(const uint8_t *at, size_t left) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t length = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF5 ? 4 : 0;
  if (length < 2 || length > left) {
    return length > left ? 0 : length;
  }
  uint32_t character = at[0] & (0x7FU >> length);
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xC0) != 0x80) {
      return 0;
    }
    character = character << 6 | (at[i] & 0x3FU);
  }
  bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  return character < least[length] || character > 0x10FFFF || surrogate ? 0 : length;
}

/** How much of a text is UTF-8. */
static size_t utf8_length(const uint8_t *text, size_t length) {
  size_t done = 0;
  while (done < length) {
    size_t next = character_at(text + done, length - done);
    if (next == 0) {
      break;
    }
    done += next;
  }
  return done;
}

/** Writes ISO-8859-1 as UTF-8, at most twice as long. @returns the length */
static size_t widen(const uint8_t *from, size_t length, uint8_t *to) {
  size_t written = 0;
  for (size_t i = 0; i < length; i++) {
    if (from[i] < 0x80) {
      to[written++] = from[i];
    } else {
      to[written++] = (uint8_t)(0xC0 | from[i] >> 6);
      to[written++] = (uint8_t)(0x80 | (from[i] & 0x3F));
    }
  }
  return written;
}

bytes text_of(porthole_span latin1) {
  bool ascii = true;
  for (size_t i = 0; i < latin1.length; i++) {
    ascii = ascii && latin1.data[i] < 0x80;
  }
  if (ascii) {
    return (bytes){latin1.data, latin1.length};
  }
  uint8_t *text = memory_for_call(2 * latin1.length);
  return (bytes){text, text == NULL ? 0 : widen(latin1.data, latin1.length, text)};
}

static bytes literal(const char *text) {
  porthole_span span = porthole_text(text);
  return (bytes){span.data, span.length};
}

/* ---- errors ---- */

/** The names that JavaScript has for the codes. */
static const char *name_of(int32_t code) {
  switch (code) {
#define X(name, number, klass, text, words)                                                                            \
  case number:                                                                                                         \
    return text;
#include "porthole/errors.def"
#undef X
  default:
    return "";
  }
}

/** The index of a code's class in the error-kind of the WIT. */
static uint8_t kind_of(int32_t code) {
  static const char *const kinds[] = {
      "HTTPException",  "NotConnected",       "InvalidURL",       "UnknownProtocol",  "UnknownTransferEncoding",
      "IncompleteRead", "CannotSendRequest",  "CannotSendHeader", "ResponseNotReady", "BadStatusLine",
      "LineTooLong",    "RemoteDisconnected", "TunnelError",      "TimeoutError",     "TypeError",
      "Error" /* os */, "" /* WANT_* */,
  };
  const char *found = porthole_error_class(code);
  for (uint8_t kind = 0; found != NULL && kind < sizeof kinds / sizeof kinds[0]; kind++) {
    size_t at = 0;
    while (found[at] == kinds[kind][at] && found[at] != '\0') {
      at++;
    }
    if (found[at] == kinds[kind][at]) {
      return kind;
    }
  }
  return 0;
}

/** An error in words. A proxy's reason is in them as it came: ISO-8859-1, if it is no UTF-8. */
static bytes message_of(const connection *on, int32_t code) {
  static char words[MESSAGE_MOST];
  static uint8_t message[2 * MESSAGE_MOST];
  bool last = on != NULL && porthole_client_failure(on->client) == code;
  const char *text = last ? porthole_client_error(on->client, words, sizeof words) : porthole_error_text(code);
  bytes said = literal(text);
  size_t sound = utf8_length(said.data, said.length);
  if (sound == said.length) {
    return said;
  }
  if (said.length == MESSAGE_MOST - 1 && said.length - sound < 4) { /* it was cut within a character */
    return (bytes){said.data, sound};
  }
  return (bytes){message, widen(said.data, said.length, message)};
}

outcome *answer_error(const connection *on, int32_t code) {
  error *to = &answer.is.error;
  answer.failed = true;
  to->kind = kind_of(code);
  to->code = code;
  to->name = literal(name_of(code));
  to->message = message_of(on, code);
  to->has_status = on != NULL && code == PORTHOLE_TUNNEL_REFUSED;
  to->status = to->has_status ? (uint16_t)porthole_client_status(on->client) : 0;
  to->retry_safe = (uint8_t)(on == NULL ? PORTHOLE_RETRY_SAFE : porthole_client_retry_safe(on->client));
  to->sent = on == NULL ? 0 : porthole_client_bytes_sent(on->client);
  to->received = on == NULL ? 0 : porthole_client_bytes_received(on->client);
  memory_end_call();
  return &answer;
}

/* ---- fields ---- */

fields list_fields(porthole_span lines) {
  _Static_assert(sizeof(field) == 4 * sizeof(uint32_t), "a field is what porthole_fields_list writes for it");
  size_t count = (size_t)porthole_fields_list(lines, NULL, 0);
  field *list = memory_for_call(count * sizeof *list);
  if (list == NULL) {
    return (fields){NULL, 0};
  }
  porthole_fields_list(lines, (uint32_t *)list, count);
  for (size_t i = 0; i < count; i++) { /* offsets become addresses */
    list[i].name.data = lines.data + (size_t)list[i].name.data;
    list[i].value.data = lines.data + (size_t)list[i].value.data;
  }
  return (fields){list, count};
}
