/* SPDX-License-Identifier: MIT */
#include "component_type.h"

__asm__(".section \".custom_section.component-type:porthole-sockets\",\"\",@\n"
        ".incbin \"sockets.component-type\"\n");

void wasi_sockets_type(void) {}
