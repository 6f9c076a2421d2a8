# The two functions that make every room: arca_floor(name uses...) and arca_tests(name uses...).

# One static library per floor; a floor sees only itself, the public headers and the floors it links.
function(arca_floor name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp ${CMAKE_SOURCE_DIR}/src/${name}/*/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")  # belongs to the program: an archive with a main would win over gtest's
  if(NOT sources)
    return()
  endif()
  add_library(arca_${name} STATIC ${sources})
  target_include_directories(arca_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(arca_${name} PRIVATE arca_warnings PUBLIC arca_sanitizers ${ARGN})
  if(CMAKE_BUILD_TYPE STREQUAL Release AND NOT name MATCHES "^(cli|net|cassandra)$")
    # What runs in the application's own threads is compiled as it is measured: ten sources at once are inlined worse, and
    # a span costs a tenth more.
    set_target_properties(arca_${name} PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

# What judges need not be fast, only soon compiled.
function(arca_test_code target)
  target_compile_options(${target} PRIVATE -O0)
  if(ARCA_SANITIZE)
    target_compile_definitions(${target} PRIVATE ARCA_SANITIZED)
  endif()
endfunction()

# tests/fakes and tests/support: compiled once, linked before the floors, so that they may use any floor that the
# test itself links.
file(GLOB support_sources CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/tests/support/*.cpp ${CMAKE_SOURCE_DIR}/tests/fakes/*.cpp)
list(FILTER support_sources EXCLUDE REGEX "_test\\.cpp$")
if(ARCA_BUILD_TESTS AND support_sources)
  add_library(arca_test_support STATIC EXCLUDE_FROM_ALL ${support_sources})
  target_include_directories(arca_test_support
    PUBLIC ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  target_compile_definitions(arca_test_support PRIVATE
    ARCA_COLLECTOR_PROGRAM="${CMAKE_SOURCE_DIR}/.cache/collector/otelcol-arca"
    ARCA_CASSANDRA_TOOL="${CMAKE_SOURCE_DIR}/tools/cassandra")
  target_link_libraries(arca_test_support PRIVATE arca_warnings
    PUBLIC arca_sanitizers tl::expected fmt::fmt nlohmann_json::nlohmann_json GTest::gtest Threads::Threads)
  arca_test_code(arca_test_support)
  # One by one: who links one of them must not need the floors of all.
  set_target_properties(arca_test_support PROPERTIES UNITY_BUILD OFF)
endif()

# One entry of ctest for each suite of a program, for suites whose cases share something that takes its time to make, such
# as a real Cassandra node with a keyspace.
function(arca_test_suites target label)
  set(suites)
  foreach(source ${ARGN})
    file(STRINGS ${source} cases REGEX "^TEST(_F|_P)?\\(")
    list(TRANSFORM cases REPLACE "^TEST(_F|_P)?\\(([A-Za-z0-9]+),.*" "\\2")
    list(APPEND suites ${cases})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  endforeach()
  list(REMOVE_DUPLICATES suites)
  foreach(suite ${suites})
    add_test(NAME ${label}.${suite} COMMAND ${target} "--gtest_filter=${suite}.*:*/${suite}.*")
    set_tests_properties(${label}.${suite} PROPERTIES LABELS ${label} TIMEOUT 900)
  endforeach()
endfunction()

# Tests of one folder: all its *.cpp in one program, arca_<name>_tests, run by ctest case by case with the label <name>.
# Folders that start processes get a longer time limit. A second call adds what is linked.
function(arca_tests name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cpp)
  if(name STREQUAL support)
    list(FILTER sources INCLUDE REGEX "_test\\.cpp$")
    if(DEFINED ARCA_WITH_CASSANDRA AND NOT ARCA_WITH_CASSANDRA)
      list(FILTER sources EXCLUDE REGEX "/cassandra_test\\.cpp$")
    endif()
  endif()
  if(NOT ARCA_WITH_CASSANDRA)
    # They meet a real node, which nothing here could speak to.
    list(FILTER sources EXCLUDE REGEX "/cassandra/node_|/(integration|crash)/cassandra_[a-z_]*test\\.cpp$")
  endif()
  if(ARCA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # They replace operator new, of which clang's sanitizers link one of their own.
    list(FILTER sources EXCLUDE REGEX "/out_of_memory_test\\.cpp$")
  endif()
  if(NOT sources OR NOT ARCA_BUILD_TESTS)
    return()
  endif()
  if(TARGET arca_${name}_tests)
    target_link_libraries(arca_${name}_tests PRIVATE ${ARGN})
    return()
  endif()
  set(timeout 120)
  if(name MATCHES "^(crash|conformance|integration|support)$")
    set(timeout 900)
  endif()
  add_executable(arca_${name}_tests ${sources})
  target_include_directories(arca_${name}_tests PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(arca_${name}_tests PRIVATE arca_warnings)
  if(TARGET arca_test_support)
    target_link_libraries(arca_${name}_tests PRIVATE arca_test_support)
  endif()
  target_link_libraries(arca_${name}_tests PRIVATE ${ARGN} GTest::gmock GTest::gtest_main)
  arca_test_code(arca_${name}_tests)
  if(name STREQUAL cassandra)
    arca_test_suites(arca_${name}_tests ${name} ${sources})
    return()
  endif()
  # What meets a real Cassandra runs suite by suite: its cases share a node.
  set(with_nodes ${sources})
  list(FILTER with_nodes INCLUDE REGEX "/(integration|crash)/cassandra_[a-z_]*test\\.cpp$")
  if(with_nodes)
    set(alone TEST_FILTER "-*Cassandra*")
    arca_test_suites(arca_${name}_tests ${name} ${with_nodes})
  endif()
  gtest_discover_tests(arca_${name}_tests TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 ${alone}
    PROPERTIES LABELS ${name} TIMEOUT ${timeout})
endfunction()
