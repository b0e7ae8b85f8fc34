/* SPDX-License-Identifier: MIT
 *
 * porthole_host_info of the hosts of WASI 0.2 and 0.3. It is included once by a host, behind ../table.h and the definitions of
 * `open_failure` and `write_end`.
 */
#ifndef PORTHOLE_WASI_INFO_H
#define PORTHOLE_WASI_INFO_H

int32_t porthole_host_info(int32_t handle, uint32_t what, char *buffer, size_t capacity) {
  const connection *of = find_connection(handle);
  char written[ADDRESS_MOST];
  const char *text = written;
  size_t length = 0;
  if (buffer == NULL || (of == NULL && (handle != 0 || what != PORTHOLE_INFO_ERROR))) {
    return 0;
  }
  if (what == PORTHOLE_INFO_ERROR) {
    const failure *last = of == NULL ? &open_failure : &of->failure;
    text = last->text;
    length = last->length;
  } else if (what == PORTHOLE_INFO_PEER || what == PORTHOLE_INFO_LOCAL) {
    length = write_end(of, what == PORTHOLE_INFO_PEER, written);
  }
  return give_text(buffer, capacity, text, length);
}

#endif
