# Every header compiles alone: one generated source per header that includes it twice (the second time finds a missing
# #pragma once). Target check_headers; part of `make check`, not of the ordinary build.
add_custom_target(check_headers)

function(arca_check_headers room folder)
  file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${folder} ${ARGN})
  set(sources)
  foreach(header ${headers})
    string(MAKE_C_IDENTIFIER ${header} name)
    set(source ${CMAKE_BINARY_DIR}/headers/${name}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\n#include \"${header}\"\n" @ONLY)
    list(APPEND sources ${source})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_library(arca_headers_${room} OBJECT EXCLUDE_FROM_ALL ${sources})
  set_target_properties(arca_headers_${room} PROPERTIES UNITY_BUILD OFF)
  target_include_directories(arca_headers_${room} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(arca_headers_${room} PRIVATE arca_warnings arca_sanitizers tl::expected)
  # What the floor may use, it may use in its headers.
  if(room STREQUAL public)
    target_link_libraries(arca_headers_public PRIVATE opentelemetry-cpp::api)
  elseif(TARGET arca_${room})
    target_link_libraries(arca_headers_${room} PRIVATE $<TARGET_PROPERTY:arca_${room},INTERFACE_LINK_LIBRARIES>)
    target_include_directories(arca_headers_${room} PRIVATE $<TARGET_PROPERTY:arca_${room},INCLUDE_DIRECTORIES>)
  endif()
  add_dependencies(check_headers arca_headers_${room})
endfunction()

# Public headers see public headers, the OpenTelemetry API and tl::expected, and nothing else.
arca_check_headers(public ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/include/arca/*.hpp)
foreach(floor ${ARCA_FLOORS})
  arca_check_headers(${floor} ${CMAKE_SOURCE_DIR}/src
    ${CMAKE_SOURCE_DIR}/src/${floor}/*.hpp ${CMAKE_SOURCE_DIR}/src/${floor}/*/*.hpp)
endforeach()
