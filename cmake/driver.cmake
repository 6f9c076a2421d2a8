# The Cassandra driver: driver/, a Rust library behind a C interface, built by cargo and loaded by libarca at run time only
# when a Cassandra tier is configured. Target arca_cql_driver; without it (ARCA_WITH_CASSANDRA=OFF) all else is whole.

set(ARCA_CARGO_MINIMUM 1.88)  # of driver/Cargo.toml

function(arca_find_cargo)
  find_program(ARCA_CARGO cargo HINTS $ENV{CARGO_HOME}/bin $ENV{HOME}/.cargo/bin DOC "Rust's build tool")
  set(cure "Install Rust ${ARCA_CARGO_MINIMUM} or later, which brings cargo (https://rustup.rs, Debian 12's own is too "
    "old), or configure with -DARCA_WITH_CASSANDRA=OFF: then overflow is kept in the journal on disk only.")
  string(CONCAT cure ${cure})
  if(NOT ARCA_CARGO)
    message(FATAL_ERROR "The Cassandra driver needs cargo, and there is none. ${cure}")
  endif()
  execute_process(COMMAND ${ARCA_CARGO} --version OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE code
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/driver)
  if(NOT code EQUAL 0 OR NOT said MATCHES "cargo ([0-9]+\\.[0-9]+)")
    message(FATAL_ERROR "The Cassandra driver needs cargo, and ${ARCA_CARGO} does not run: ${said}\n${cure}")
  endif()
  if(CMAKE_MATCH_1 VERSION_LESS ARCA_CARGO_MINIMUM)
    message(FATAL_ERROR "The Cassandra driver needs cargo ${ARCA_CARGO_MINIMUM}, and ${ARCA_CARGO} is ${CMAKE_MATCH_1}. ${cure}")
  endif()
endfunction()

# arca_cargo_library(TARGET OUTPUT PROFILE-FOLDER cargo-arguments...): builds the driver and copies it to OUTPUT.
function(arca_cargo_library target output folder)
  # One folder for all presets: the driver is the same in each, so a sanitizer build does not compile 80 crates again.
  cmake_path(GET CMAKE_BINARY_DIR PARENT_PATH beside)
  if(beside STREQUAL "${CMAKE_SOURCE_DIR}/build")
    set(cargo_folder ${beside}/driver)
  else()
    set(cargo_folder ${CMAKE_BINARY_DIR}/driver)
  endif()
  set(driver ${CMAKE_SOURCE_DIR}/driver)
  file(GLOB sources CONFIGURE_DEPENDS ${driver}/src/*.rs)
  add_custom_command(OUTPUT ${output}
    # The flags of our C++ builds (sanitizers) are not for the crates.
    COMMAND ${CMAKE_COMMAND} -E env --unset=CFLAGS --unset=CXXFLAGS --unset=LDFLAGS --unset=RUSTFLAGS
      --unset=CARGO_TARGET_DIR ${ARCA_CARGO} build --quiet --locked --target-dir ${cargo_folder} ${ARGN}
    # By renaming: a program that runs has the old one mapped.
    COMMAND ${CMAKE_COMMAND} -E copy ${cargo_folder}/${folder}/libarca_cql.so ${output}.new
    COMMAND ${CMAKE_COMMAND} -E rename ${output}.new ${output}
    WORKING_DIRECTORY ${driver}
    DEPENDS ${ARCA_CARGO_FIRST} ${sources} ${driver}/Cargo.toml ${driver}/Cargo.lock ${driver}/build.rs
    COMMENT "Building the Cassandra driver (${output})"
    VERBATIM)
  add_custom_target(${target} ${all} DEPENDS ${output})
endfunction()

# tests/driver: one entry of ctest for each suite, because the cases of a suite share a node, which takes its time to start.
function(arca_driver_tests)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/driver/*.cpp)
  add_executable(arca_driver_tests ${sources})
  target_include_directories(arca_driver_tests PRIVATE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/driver/include)
  target_compile_definitions(arca_driver_tests PRIVATE
    ARCA_CQL_LIBRARY="${CMAKE_BINARY_DIR}/libarca_cql.so.1"
    ARCA_CQL_HOOKS_LIBRARY="${CMAKE_BINARY_DIR}/libarca_cql_hooks.so"
    ARCA_CASSANDRA_TOOL="${CMAKE_SOURCE_DIR}/tools/cassandra")
  target_link_libraries(arca_driver_tests PRIVATE arca_warnings arca_test_support arca_base GTest::gtest_main ${CMAKE_DL_LIBS})
  arca_test_code(arca_driver_tests)
  set_target_properties(arca_driver_tests PROPERTIES UNITY_BUILD OFF)  # each file has statements of its own
  add_dependencies(arca_driver_tests arca_cql_driver arca_cql_driver_hooks)
  arca_test_suites(arca_driver_tests driver ${sources})
endfunction()

if(ARCA_WITH_CASSANDRA)
  arca_find_cargo()
  # Beside libarca and the programs of the build tree, where the loader looks first.
  set(all ALL)
  arca_cargo_library(arca_cql_driver ${CMAKE_BINARY_DIR}/libarca_cql.so.1 release --release)
  if(TARGET arca_cassandra_tests)
    add_dependencies(arca_cassandra_tests arca_cql_driver)
  endif()
  install(PROGRAMS ${CMAKE_BINARY_DIR}/libarca_cql.so.1 DESTINATION ${CMAKE_INSTALL_LIBDIR})
  # With panics on demand: never installed. Built behind the other, with which it shares all crates but one, and a place.
  # The crates themselves have no tests here; ThreadSanitizer sees no synchronisation in code that it did not compile, and
  # would cry wolf.
  if(ARCA_BUILD_TESTS AND NOT ARCA_SANITIZE STREQUAL "thread")
    set(all)
    set(ARCA_CARGO_FIRST ${CMAKE_BINARY_DIR}/libarca_cql.so.1)
    arca_cargo_library(arca_cql_driver_hooks ${CMAKE_BINARY_DIR}/libarca_cql_hooks.so release --release --features test-hooks)
    arca_driver_tests()
  endif()
else()
  # These meet a real node through it.
  set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/cli/query_cassandra_test.cpp PROPERTIES HEADER_FILE_ONLY ON)
endif()
