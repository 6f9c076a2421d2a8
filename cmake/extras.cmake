# Rooms beside the floors. Each is optional: a folder without sources adds nothing, so that dropping a file is enough.

# All floors that a test of the whole may use, top down.
set(upper_floor)
foreach(floor telemetry cassandra sinks flow net journal otlp model os base)
  if(TARGET arca_${floor})
    list(APPEND upper_floor arca_${floor})
  endif()
endforeach()

if(ARCA_BUILD_TESTS)
  arca_tests(support arca_base PkgConfig::CURL)
  # The official protobuf classes are the judge of the writers.
  arca_tests(otlp opentelemetry-cpp::proto PkgConfig::PROTOBUF)
  arca_tests(cassandra opentelemetry-cpp::proto PkgConfig::PROTOBUF)
  # The stock SDK stands beside ours: as the other account in conformance, with our plug-ins in integration.
  arca_tests(conformance ${upper_floor} opentelemetry-cpp::proto opentelemetry-cpp::otlp_recordable PkgConfig::PROTOBUF
    opentelemetry-cpp::trace opentelemetry-cpp::logs opentelemetry-cpp::metrics PkgConfig::HTTPLIB)
  arca_tests(integration ${upper_floor} PkgConfig::CURL opentelemetry-cpp::trace opentelemetry-cpp::logs
    opentelemetry-cpp::metrics opentelemetry-cpp::proto PkgConfig::PROTOBUF)
  # What speaks to a real Cassandra needs the driver; it is found beside the program.
  if(TARGET arca_cql_driver)
    add_dependencies(arca_integration_tests arca_cql_driver arca_program)
    target_compile_definitions(arca_integration_tests PRIVATE ARCA_PROGRAM="$<TARGET_FILE:arca_program>")
  elseif(TARGET arca_integration_tests)
    get_target_property(sources arca_integration_tests SOURCES)
    list(FILTER sources EXCLUDE REGEX "/cassandra_[a-z_]*test\\.cpp$")
    set_target_properties(arca_integration_tests PROPERTIES SOURCES "${sources}")
  endif()
  if(TARGET arca_cli)
    # Against the stock SDK's in-memory exporters: the agent speaks to the official API only.
    arca_tests(agent arca_cli opentelemetry-cpp::sdk opentelemetry-cpp::in_memory_span_exporter
      opentelemetry-cpp::in_memory_metric_exporter)
  endif()
  arca_tests(crash ${upper_floor})
  if(TARGET arca_crash_tests)
    if(TARGET arca_cql_driver)
      add_dependencies(arca_crash_tests arca_cql_driver)
    endif()
    target_link_libraries(arca_crash_tests PRIVATE PkgConfig::HTTPLIB nlohmann_json::nlohmann_json)
    if(TARGET arca_program)
      add_dependencies(arca_crash_tests arca_program)
      target_compile_definitions(arca_crash_tests PRIVATE ARCA_PROGRAM="$<TARGET_FILE:arca_program>")
    endif()
    # The writer that the harness kills is a program of its own: tests/crash/programs/*.cpp.
    file(GLOB programs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/crash/programs/*.cpp)
    foreach(source ${programs})
      get_filename_component(name ${source} NAME_WE)
      add_executable(${name} ${source})
      target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
      if(name STREQUAL crash_recoverer AND TARGET arca_cli)
        target_link_libraries(${name} PRIVATE arca_cli)
      endif()
      target_link_libraries(${name} PRIVATE arca_warnings ${upper_floor})
      add_dependencies(arca_crash_tests ${name})
      target_compile_definitions(arca_crash_tests PRIVATE ARCA_CRASH_PROGRAMS="$<TARGET_FILE_DIR:${name}>")
    endforeach()
  endif()
endif()

# The simulator: a library of tests/simulation/*.cpp, the program arca_sim, and the tests that run both.
if(ARCA_BUILD_TESTS AND TARGET arca_telemetry AND TARGET arca_cassandra)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/simulation/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  add_library(arca_simulation STATIC ${sources})
  target_link_libraries(arca_simulation PRIVATE arca_warnings PUBLIC arca_test_support ${upper_floor})
  add_executable(arca_sim ${CMAKE_SOURCE_DIR}/tests/simulation/main.cpp)
  target_link_libraries(arca_sim PRIVATE arca_warnings arca_simulation CLI11::CLI11)
  add_executable(arca_simulation_tests ${tests})
  target_link_libraries(arca_simulation_tests PRIVATE arca_warnings arca_simulation GTest::gtest_main)
  gtest_discover_tests(arca_simulation_tests TEST_PREFIX "simulation." DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS simulation TIMEOUT 1800)
endif()

# bench/*.cpp: each file with "_bench" in its name is a program of its own; the others are linked to all of them.
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.cpp)
if(ARCA_BUILD_BENCH AND bench_sources AND NOT EXISTS ${CMAKE_SOURCE_DIR}/bench/CMakeLists.txt)
  set(bench_shared ${bench_sources})
  list(FILTER bench_shared EXCLUDE REGEX "_bench\\.cpp$")
  list(FILTER bench_sources INCLUDE REGEX "_bench\\.cpp$")
  foreach(source ${bench_sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source} ${bench_shared})
    target_link_libraries(${name} PRIVATE arca_warnings ${upper_floor} opentelemetry-cpp::trace
      opentelemetry-cpp::otlp_grpc_exporter nlohmann_json::nlohmann_json benchmark::benchmark)
  endforeach()
elseif(ARCA_BUILD_BENCH AND EXISTS ${CMAKE_SOURCE_DIR}/bench/CMakeLists.txt)
  add_subdirectory(bench)
endif()

if(ARCA_BUILD_BENCH AND NOT ARCA_SANITIZE AND NOT ARCA_FUZZ)
  add_subdirectory(bench/suite)
endif()

# examples/<name>/*.cpp: one program each, linked to the shared library as a user would.
file(GLOB examples CONFIGURE_DEPENDS LIST_DIRECTORIES true ${CMAKE_SOURCE_DIR}/examples/*)
if(ARCA_BUILD_EXAMPLES AND TARGET arca_shared)
  foreach(example ${examples})
    get_filename_component(name ${example} NAME)
    file(GLOB sources CONFIGURE_DEPENDS ${example}/*.cpp)
    if(EXISTS ${example}/CMakeLists.txt)
      add_subdirectory(${example})
    elseif(sources)
      add_executable(example_${name} ${sources})
      set_target_properties(example_${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
      target_link_libraries(example_${name} PRIVATE arca_warnings arca_sanitizers arca::arca opentelemetry-cpp::sdk
        PkgConfig::HTTPLIB CLI11::CLI11 nlohmann_json::nlohmann_json fmt::fmt Threads::Threads)
    endif()
  endforeach()
endif()

# fuzz/*_fuzz.cpp: libFuzzer targets, preset fuzz (clang). fuzz/corpus/<name>/ holds the seeds.
option(ARCA_FUZZ "Build the fuzz targets (clang only)" OFF)
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cpp)
if(ARCA_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "ARCA_FUZZ needs clang: use the preset fuzz")
  endif()
  # The fakes of the tests stand in for disk and clock.
  add_library(arca_fuzz_fakes STATIC ${CMAKE_SOURCE_DIR}/tests/fakes/fake_file_system.cpp)
  target_include_directories(arca_fuzz_fakes PUBLIC ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(arca_fuzz_fakes PRIVATE arca_warnings PUBLIC arca_os)
  foreach(source ${fuzz_sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE arca_warnings arca_fuzz_fakes ${upper_floor})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
endif()

# Tests of what is around the code: the checkers, and the installed package as a user sees it.
if(ARCA_BUILD_TESTS AND NOT ARCA_SANITIZE AND NOT ARCA_FUZZ)
  add_test(NAME tools.checkers COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/tools/checkers_test.py)
  add_test(NAME tools.demo COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/tools/demo_test.py)
  set_tests_properties(tools.checkers tools.demo PROPERTIES LABELS tools TIMEOUT 120)
  if(TARGET arca_shared)
    add_test(NAME package.consumer COMMAND ${CMAKE_SOURCE_DIR}/tests/package/run ${CMAKE_BINARY_DIR})
    set_tests_properties(package.consumer PROPERTIES LABELS package TIMEOUT 300)
  endif()
endif()
