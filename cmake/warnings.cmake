# Warnings are errors, with gcc and clang.
add_library(arca_warnings INTERFACE)
target_compile_options(arca_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(arca_warnings INTERFACE -Wthread-safety)
endif()
