# Warnings are errors, with gcc and clang.
add_library(arca_warnings INTERFACE)
target_compile_options(arca_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(arca_warnings INTERFACE -Wthread-safety)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # gcc 12 sees overlapping copies inside std::string where there are none (gcc bug 105651, fixed in 13).
  target_compile_options(arca_warnings INTERFACE -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_UNITY_BUILD)
  # gcc takes a source for a header when another one includes it, and then asks for types with linkage.
  target_compile_options(arca_warnings INTERFACE -Wno-subobject-linkage)
endif()
