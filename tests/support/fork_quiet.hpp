// For tests that fork while threads are at work. AddressSanitizer (gcc up to 12, clang up to 17) takes no lock of its
// own allocator around fork: a thread that stands inside malloc at that moment leaves the child a lock that nobody will
// ever give back, and the child hangs at its next allocation. glibc's allocator has no such gap, so only that build
// needs this.
#pragma once

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>

namespace arca::support {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool allocator_survives_fork = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool allocator_survives_fork = false;
#else
inline constexpr bool allocator_survives_fork = true;
#endif
#else
inline constexpr bool allocator_survives_fork = true;
#endif

namespace detail {

// Every other thread of this process with the number of times that it has been taken off a processor; nothing if one
// runs.
inline std::optional<std::map<std::string, std::string>> sleeping_threads() {
  std::map<std::string, std::string> all;
  const std::string own = std::to_string(::gettid());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const std::string id = task.path().filename();
    if (id == own) continue;
    std::ifstream status(task.path() / "status");
    std::string line;
    std::string switches;
    bool sleeps = false;
    while (std::getline(status, line)) {
      if (line.starts_with("State:")) sleeps = line.find("S (") != std::string::npos;
      if (line.find("ctxt_switches") != std::string::npos) switches += line;
    }
    if (!sleeps) return std::nullopt;
    all[id] = switches;
  }
  return all;
}

}  // namespace detail

// Where the allocator needs it: waits until all other threads sleep, and have slept from one look to the next, so that
// none is inside malloc. True if fork is safe now; false if they did not come to rest within the patience.
inline bool rest_before_fork(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  if constexpr (allocator_survives_fork) return true;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto first = detail::sleeping_threads();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the distance of the two looks, not a synchronisation
    if (first && first == detail::sleeping_threads()) return true;
  }
  return false;
}

}  // namespace arca::support
