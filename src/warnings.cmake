# SPDX-License-Identifier: MIT
# The warnings that all C of the project is held to.
add_library(porthole_warnings INTERFACE)
target_compile_options(
  porthole_warnings
  INTERFACE -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wswitch-enum -Wmissing-prototypes -Wundef -Wvla
            $<$<BOOL:${PORTHOLE_WERROR}>:-Werror>)
add_library(porthole_sanitizers INTERFACE)
if(PORTHOLE_SANITIZE)
  target_compile_options(porthole_sanitizers INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                                       -fno-omit-frame-pointer -g)
  target_link_options(porthole_sanitizers INTERFACE -fsanitize=address,undefined)
endif()
