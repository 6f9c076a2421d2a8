// The seam to time. The default is SystemClock; tests inject fakes::FakeClock.
#pragma once

#include <ctime>

#include "base/time.hpp"

namespace arca::os {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual base::SteadyTime steady_now() noexcept = 0;
  virtual base::WallTime wall_now() noexcept = 0;
  // Like steady_now, but goes on while the machine is suspended: for promises about how old something is at most. Its
  // points in time are comparable with each other only.
  virtual base::SteadyTime boot_now() noexcept { return steady_now(); }
};

class SystemClock final : public Clock {
 public:
  base::SteadyTime steady_now() noexcept override { return std::chrono::steady_clock::now(); }
  base::WallTime wall_now() noexcept override { return std::chrono::system_clock::now(); }
  base::SteadyTime boot_now() noexcept override {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return base::SteadyTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  }
};

}  // namespace arca::os
