// What the programs that the crash tests kill do at a named point: end or stop themselves at its n-th passing, and
// count the passings where the harness sees them. Used by crash_writer and crash_recoverer.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "base/crash_point.hpp"
#include "crash/oracle_file.hpp"

namespace arca::crash {

// For the hook, which gets nothing but the name of the point.
struct ArmedPoint {
  std::string name;
  std::uint64_t nth = 1;
  int signal = SIGKILL;  // or SIGSTOP
  OracleFile* oracle = nullptr;
};
inline ArmedPoint armed_point;

inline void act_at_point(const char* point) noexcept {
  if (armed_point.name != point) return;
  if ((*armed_point.oracle)->point_count.fetch_add(1) + 1 == armed_point.nth) kill(getpid(), armed_point.signal);
}

inline void arm(const ArmedPoint& point) {
  armed_point = point;
  base::crash_hook.store(&act_at_point);
}

}  // namespace arca::crash
