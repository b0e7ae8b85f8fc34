/* SPDX-License-Identifier: MIT
 *
 * The tables of status.def and errors.def as code.
 */
#include "conn.h"

uint32_t porthole_abi(void) { return PORTHOLE_ABI; }

const char *porthole_status_phrase(uint32_t status) {
  switch (status) {
#define X(code, name, phrase)                                                                                          \
  case code:                                                                                                           \
    return phrase;
#define A(code, name)
#include "porthole/status.def"
#undef X
#undef A
  default:
    return NULL;
  }
}

const char *porthole_error_text(int32_t error) {
  switch (error) {
#define X(name, number, class, code, text)                                                                             \
  case number:                                                                                                         \
    return text;
#include "porthole/errors.def"
#undef X
  default:
    return NULL;
  }
}

const char *porthole_error_class(int32_t error) {
  switch (error) {
#define X(name, number, class, code, text)                                                                             \
  case number:                                                                                                         \
    return class;
#include "porthole/errors.def"
#undef X
  default:
    return NULL;
  }
}

size_t porthole_conn_error_text(const porthole_conn *conn, int32_t error, char *buffer, size_t size) {
  const char *text = porthole_error_text(error);
  size_t length = 0;
  uint8_t digits[20];
  for (; text != NULL && *text != '\0'; text++) {
    porthole_span part = {(const uint8_t *)text, 1};
    if (text[0] == '%' && text[1] == 'u') {
      text++;
      size_t at = porthole__write_decimal(digits, conn->passed_limit);
      part = (porthole_span){digits + at, sizeof digits - at};
    }
    for (size_t i = 0; i < part.length; i++, length++) {
      if (length + 1 < size) {
        buffer[length] = (char)part.data[i];
      }
    }
  }
  if (size > 0) {
    buffer[length < size ? length : size - 1] = '\0';
  }
  return length;
}
