// The exit codes of the program `arca`. Every command uses these and no others; they are part of the interface
// (scripts branch on them) and are listed in every man page.
#pragma once

#include <string_view>

namespace arca::cli {

// Permanent numbers. Never renumber.
enum class ExitCode : int {
  ok = 0,             // did what was asked
  failure = 1,        // something in the world failed: a file, a socket, a peer's answer
  usage = 2,          // the command line or the configuration is not valid; nothing was done
  law_broken = 3,     // the conservation law does not hold, or records are lost
  not_reachable = 4,  // a peer that the command needs cannot be reached; what is kept stays kept
  busy = 5,           // a live process owns what the command wanted to take
  incomplete = 6,     // stopped before the end; nothing is lost, the next run goes on
  nothing_found = 7,  // it was looked for everywhere, and is not there
};

inline constexpr ExitCode last_exit_code = ExitCode::nothing_found;

constexpr int to_int(ExitCode code) noexcept { return static_cast<int>(code); }

constexpr std::string_view describe(ExitCode code) noexcept {
  switch (code) {
    case ExitCode::ok:
      return "success";
    case ExitCode::failure:
      return "a file, a socket or a peer failed";
    case ExitCode::usage:
      return "the command line or the configuration is not valid; nothing was done";
    case ExitCode::law_broken:
      return "the conservation law does not hold, or records are lost";
    case ExitCode::not_reachable:
      return "a peer cannot be reached; what is kept stays kept";
    case ExitCode::busy:
      return "a live process owns what the command wanted to take";
    case ExitCode::incomplete:
      return "stopped before the end; nothing is lost, the next run goes on";
    case ExitCode::nothing_found:
      return "nothing was found";
  }
  return "unknown";
}

}  // namespace arca::cli
