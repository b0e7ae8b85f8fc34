/* SPDX-License-Identifier: MIT
 *
 * Commands of WASI 0.2 on libporthole-wasi.a, in C or C++; with PORTHOLE_WASI_03 defined, those of WASI 0.3 on
 * libporthole-wasi03.a.
 *
 * A program that is linked with libporthole-wasi.a carries the description of all that the library imports, so that a tool
 * such as `wasm-tools component new` or `jco new` makes a component of it and needs no WIT. What the program itself exports
 * and imports has to be described as well: for a command, PORTHOLE_WASI_COMMAND does so.
 */
#ifndef PORTHOLE_WASI_H
#define PORTHOLE_WASI_H

#include <stdint.h>

#ifdef PORTHOLE_WASI_03
#define PORTHOLE_WASI_RUN "wasi:cli/run@0.3.0#run"
#else
#define PORTHOLE_WASI_RUN "wasi:cli/run@0.2.12#run"
#endif

/**
 * Makes a function what the program does when it is run: the export run of wasi:cli/run. The program can then import
 * environment, exit, stdin, stdout and stderr of wasi:cli as well. It is written once in a program, and not at all in one whose
 * libc or adapter exports run.
 *
 * @param function int32_t function(void): 0 when all went well, else 1
 */
#ifdef __cplusplus
#define PORTHOLE_WASI_C extern "C"
#else
#define PORTHOLE_WASI_C
#endif
#define PORTHOLE_WASI_COMMAND(function)                                                                                \
  PORTHOLE_WASI_C void porthole_wasi_command_type(void);                                                               \
  PORTHOLE_WASI_C int32_t porthole_wasi_run(void);                                                                     \
  PORTHOLE_WASI_C __attribute__((export_name(PORTHOLE_WASI_RUN))) int32_t porthole_wasi_run(void) {                    \
    porthole_wasi_command_type();                                                                                      \
    return function();                                                                                                 \
  }

#endif
