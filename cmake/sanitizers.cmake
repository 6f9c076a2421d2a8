# Sanitizers for the asan and tsan presets. An interface target, so that tests and libraries agree.
add_library(arca_sanitizers INTERFACE)
if(ARCA_SANITIZE STREQUAL "address+undefined")
  # Optimising what it adds takes longer than it spares.
  set(flags -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O0)
elseif(ARCA_SANITIZE STREQUAL "thread")
  set(flags -fsanitize=thread -fno-omit-frame-pointer)
  target_compile_definitions(arca_sanitizers INTERFACE ARCA_SANITIZE_THREAD)  # gcc says so by itself, clang otherwise
elseif(NOT ARCA_SANITIZE STREQUAL "")
  message(FATAL_ERROR "ARCA_SANITIZE=${ARCA_SANITIZE}: allowed are address+undefined, thread, or empty")
endif()
if(ARCA_FUZZ)
  list(APPEND flags -fsanitize=fuzzer-no-link)  # every floor tells the fuzzer where it has been
endif()
if(flags)
  target_compile_options(arca_sanitizers INTERFACE ${flags})
  target_link_options(arca_sanitizers INTERFACE ${flags})
endif()
