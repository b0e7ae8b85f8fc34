/* SPDX-License-Identifier: MIT
 *
 * The sections that tell the tools for components what a program imports: an object that has one is drawn out of the archive
 * by its symbol.
 */
#ifndef PORTHOLE_WASI_COMPONENT_TYPE_H
#define PORTHOLE_WASI_COMPONENT_TYPE_H

/** What the host imports: the world `sockets`. */
void wasi_sockets_type(void);

/** What TLS imports: the world `tls`. */
void wasi_tls_type(void);

/** That of `sockets`, and what commands have: the world `command`. It is the symbol of porthole/wasi.h. */
void porthole_wasi_command_type(void);

#endif
