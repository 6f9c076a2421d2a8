// The library's own log: what it must tell the people who run the host process. Lines go to stderr, "arca: ", unless
// the host installs a callback. Every place in the code that logs has its own budget, so that a fault that
// repeats a million times prints a few lines a minute and the number that was left out.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace arca::os {

enum class LogLevel { error = 1, warn = 2, info = 3, debug = 4 };

std::string_view to_string(LogLevel level) noexcept;

// Called from any thread, one call at a time; must not log. What it throws is dropped.
using LogCallback = std::function<void(LogLevel, std::string_view line)>;

// All are thread-safe.
void set_log_callback(LogCallback callback);  // an empty one brings stderr back
void set_log_level(LogLevel most_verbose) noexcept;
bool is_logged(LogLevel level) noexcept;

// A place in the sources. (Clang 14 cannot compile libstdc++'s std::source_location.)
struct LogPlace {
  const char* file;
  int line;
};

// A format string that remembers where it stands: the key of its rate limit.
template <class... Args>
struct LogFormat {
  template <class Text>
  consteval LogFormat(const Text& text, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : format(text), place{file, line} {}
  fmt::format_string<Args...> format;
  LogPlace place;
};

namespace detail {
void log_line(LogLevel level, const LogPlace& place, fmt::string_view format, fmt::format_args arguments) noexcept;
}  // namespace detail

// Never throws, never waits for anything but the sink itself.
template <class... Args>
void log(LogLevel level, LogFormat<std::type_identity_t<Args>...> format, Args&&... arguments) noexcept {
  if (!is_logged(level)) return;
  detail::log_line(level, format.place, format.format, fmt::make_format_args(arguments...));
}

}  // namespace arca::os
