# The floors, bottom up (docs/architecture.md). tools/check_floors.py checks the includes.
arca_floor(base tl::expected Threads::Threads)
arca_floor(os arca_base fmt::fmt)
arca_floor(model arca_base)
arca_floor(otlp arca_model)
arca_floor(journal arca_model arca_os fmt::fmt)
arca_floor(net arca_model arca_os fmt::fmt PkgConfig::CURL PkgConfig::CRYPTO PkgConfig::ISAL)
arca_floor(flow arca_model arca_os arca_journal fmt::fmt)
arca_floor(sinks arca_model arca_otlp arca_journal arca_net fmt::fmt)
arca_floor(cassandra arca_model arca_os arca_otlp arca_net fmt::fmt ${CMAKE_DL_LIBS})
if(TARGET arca_cassandra)
  # The driver's C interface, seen by src/cassandra/cql_library.hpp alone; the driver itself is loaded at run time.
  target_include_directories(arca_cassandra PRIVATE ${CMAKE_SOURCE_DIR}/driver/include)
  include(GNUInstallDirs)
  target_compile_definitions(arca_cassandra PRIVATE ARCA_LIBRARY_DIRECTORY="${CMAKE_INSTALL_LIBDIR}")
endif()
arca_floor(telemetry arca_flow arca_sinks arca_cassandra opentelemetry-cpp::api opentelemetry-cpp::sdk opentelemetry-cpp::metrics
  opentelemetry-cpp::trace PkgConfig::YAML)
arca_floor(cli arca_telemetry fmt::fmt CLI11::CLI11 PkgConfig::HTTPLIB PkgConfig::NGHTTP2 PkgConfig::ISAL nlohmann_json::nlohmann_json)

set(ARCA_FLOORS base os model otlp journal net flow sinks cassandra telemetry cli)
foreach(floor ${ARCA_FLOORS})
  if(TARGET arca_${floor})
    arca_tests(${floor} arca_${floor})
  endif()
endforeach()

# The judge of what the providers record is the official protobuf; its receiver is a plain HTTP server.
if(TARGET arca_telemetry_tests)
  target_link_libraries(arca_telemetry_tests PRIVATE opentelemetry-cpp::proto opentelemetry-cpp::trace
    opentelemetry-cpp::logs PkgConfig::HTTPLIB)
  target_compile_definitions(arca_telemetry_tests PRIVATE ARCA_SOURCE_DIRECTORY="${CMAKE_SOURCE_DIR}")
endif()

# The tests of the tier meet a real node through the driver beside this build, and a driver that answers on command.
if(TARGET arca_cassandra_tests)
  add_library(arca_fake_cql MODULE EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/cassandra/fake_driver/fake_driver.cpp)
  target_include_directories(arca_fake_cql PRIVATE ${CMAKE_SOURCE_DIR}/driver/include)
  target_link_libraries(arca_fake_cql PRIVATE arca_warnings arca_sanitizers)
  target_include_directories(arca_cassandra_tests PRIVATE ${CMAKE_SOURCE_DIR}/driver/include)
  target_compile_definitions(arca_cassandra_tests PRIVATE ARCA_BINARY_DIRECTORY="${CMAKE_BINARY_DIR}"
    ARCA_CQL_LIBRARY="${CMAKE_BINARY_DIR}/libarca_cql.so.1" ARCA_FAKE_CQL_LIBRARY="$<TARGET_FILE:arca_fake_cql>")
  add_dependencies(arca_cassandra_tests arca_fake_cql)
endif()

# What Cassandra parks is delivered by the dispatcher of flow.
if(TARGET arca_cassandra_tests)
  target_link_libraries(arca_cassandra_tests PRIVATE arca_flow)
endif()

# fakes/grpc_server is the one fake that needs gRPC's own server; the product itself does not link gRPC.
foreach(tests arca_net_tests arca_sinks_tests)
  if(TARGET ${tests})
    target_link_libraries(${tests} PRIVATE PkgConfig::GRPCPP)
  endif()
endforeach()
