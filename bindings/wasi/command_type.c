/* SPDX-License-Identifier: MIT */
#include "component_type.h"

__asm__(".section \".custom_section.component-type:porthole-command\",\"\",@\n"
        ".incbin \"command.component-type\"\n");

void porthole_wasi_command_type(void) {}
