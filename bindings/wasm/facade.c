/* SPDX-License-Identifier: MIT
 *
 * What porthole.wasm exports beside the functions of porthole.h.
 */
#include <stdint.h>

extern uint8_t __heap_base;

uint32_t porthole_heap(void);

/** Where free memory begins: a host that makes connections lays them out from here. @returns an address */
uint32_t porthole_heap(void) { return (uint32_t)(uintptr_t)&__heap_base; }
