# SPDX-License-Identifier: MIT
# The host for guests of WASI 0.3: what CMakeLists.txt has for 0.2.
set(types03 "")
foreach(world sockets command)
  set(type ${CMAKE_CURRENT_BINARY_DIR}/wasi03/${world}.component-type)
  add_custom_command(
    OUTPUT ${type}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/wasi03
    COMMAND ${PORTHOLE_NODE} ${CMAKE_CURRENT_SOURCE_DIR}/component-type.mjs ${world} 0.3.0 ${type}
    DEPENDS component-type.mjs tools.mjs wit/world03.wit)
  list(APPEND types03 ${type})
endforeach()
# A command belongs to one target alone, or two builds of it would run at once.
add_custom_target(porthole_wasi03_types DEPENDS ${types03})

add_library(porthole_wasi03 STATIC address.c command_type.c connect03.c memory.c runtime03.c sockets03.c sockets_type.c)
add_library(porthole::wasi03 ALIAS porthole_wasi03)
add_dependencies(porthole_wasi03 porthole_wasi03_types)
set_target_properties(porthole_wasi03 PROPERTIES OUTPUT_NAME porthole-wasi03 EXPORT_NAME wasi03)
target_compile_options(porthole_wasi03 PRIVATE -ffreestanding -mbulk-memory)
target_compile_definitions(porthole_wasi03 INTERFACE PORTHOLE_WASI_03)
target_include_directories(porthole_wasi03 PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/wasi03
                           PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
target_link_libraries(porthole_wasi03 PUBLIC porthole PRIVATE $<BUILD_INTERFACE:porthole_warnings>)

install(TARGETS porthole_wasi03 EXPORT porthole-targets)
configure_file(porthole-wasi03.pc.in porthole-wasi03.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/porthole-wasi03.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
