# Warnings as an interface target, sanitizers, ccache.
add_library(masksc_warnings INTERFACE)
# What g++ 12 warns of falsely: "x" + std::string (GCC bug 105651), and its own std::string, which is not seen to be a
# system header's in a precompiled one.
target_compile_options(masksc_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow> $<$<BOOL:${MASKSC_WERROR}>:-Werror>)

if(MASKSC_SANITIZE)
  add_compile_options(-fsanitize=${MASKSC_SANITIZE} -fno-omit-frame-pointer)
  add_compile_definitions(MASKSC_SANITIZED)  # memory is no measure then
  add_link_options(-fsanitize=${MASKSC_SANITIZE})
endif()

# Fuzzing of the parsers (tests/fuzz): everything is built to tell libFuzzer what it covers.
if(MASKSC_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "MASKSC_FUZZ needs clang (libFuzzer), not ${CMAKE_CXX_COMPILER_ID}: use the preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # pch_defines and time_macros: what a precompiled header needs to be cached.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()
