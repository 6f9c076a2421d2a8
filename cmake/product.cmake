# What is installed: the shared library libarca (all floors but cli), the program arca, headers, CMake package,
# pkg-config file, man pages.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(library_floors ${ARCA_FLOORS})
list(REMOVE_ITEM library_floors cli)
list(TRANSFORM library_floors PREPEND arca_)

if(TARGET arca_telemetry)
  # Takes every object of the floors: what is seen from outside is decided by include/arca/export.hpp.
  list(TRANSFORM library_floors REPLACE "(.+)" "$<$<TARGET_EXISTS:\\1>:$<TARGET_OBJECTS:\\1>>" OUTPUT_VARIABLE objects)
  add_library(arca_shared SHARED ${objects})
  add_library(arca::arca ALIAS arca_shared)
  set_target_properties(arca_shared PROPERTIES OUTPUT_NAME arca EXPORT_NAME arca
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_link_libraries(arca_shared PRIVATE arca_telemetry)  # for the libraries that the floors use
  target_link_options(arca_shared PRIVATE -Wl,--as-needed)
  if(NOT ARCA_SANITIZE)
    target_link_options(arca_shared PRIVATE -Wl,--no-undefined)  # the sanitizer run-times come with the program
  endif()
  target_include_directories(arca_shared INTERFACE
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(arca_shared INTERFACE cxx_std_20)
  target_link_libraries(arca_shared INTERFACE opentelemetry-cpp::api tl::expected)

  install(TARGETS arca_shared EXPORT arca_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY include/arca DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
  install(EXPORT arca_targets NAMESPACE arca:: FILE arcaTargets.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/arca)
  configure_package_config_file(cmake/arcaConfig.cmake.in ${CMAKE_BINARY_DIR}/arcaConfig.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/arca)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/arcaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/arcaConfig.cmake ${CMAKE_BINARY_DIR}/arcaConfigVersion.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/arca)
  configure_file(cmake/arca.pc.in ${CMAKE_BINARY_DIR}/arca.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/arca.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

if(TARGET arca_cli AND EXISTS ${CMAKE_SOURCE_DIR}/src/cli/main.cpp)
  add_executable(arca_program src/cli/main.cpp)
  set_target_properties(arca_program PROPERTIES OUTPUT_NAME arca)
  target_link_libraries(arca_program PRIVATE arca_warnings arca_cli)
  install(TARGETS arca_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

file(GLOB man_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.1)
if(man_pages)
  install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
