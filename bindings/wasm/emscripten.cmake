# SPDX-License-Identifier: MIT
# Emscripten as it is found on the path.
find_program(PORTHOLE_EMCC emcc)
if(NOT PORTHOLE_EMCC)
  message(FATAL_ERROR "The emscripten preset needs emcc: apt-get install --no-install-recommends emscripten")
endif()
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER ${PORTHOLE_EMCC})
set(CMAKE_AR emar)
set(CMAKE_RANLIB emranlib)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
