/* SPDX-License-Identifier: MIT */
#include "component_type.h"

__asm__(".section \".custom_section.component-type:porthole-tls\",\"\",@\n"
        ".incbin \"tls.component-type\"\n");

void wasi_tls_type(void) {}
