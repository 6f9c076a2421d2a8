// The seam to time. The default is SystemClock; tests inject fakes::FakeClock.
#pragma once

#include "base/time.hpp"

namespace arca::os {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual base::SteadyTime steady_now() noexcept = 0;
  virtual base::WallTime wall_now() noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  base::SteadyTime steady_now() noexcept override { return std::chrono::steady_clock::now(); }
  base::WallTime wall_now() noexcept override { return std::chrono::system_clock::now(); }
};

}  // namespace arca::os
