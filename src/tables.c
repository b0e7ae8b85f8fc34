/* SPDX-License-Identifier: MIT
 *
 * The tables of status.def and errors.def as code.
 */
#include "internal.h"

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
