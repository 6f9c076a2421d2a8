// A clock that stands still until the test moves it.
#pragma once

#include <atomic>

#include "os/clock.hpp"

namespace arca::fakes {

// Thread-safe.
class FakeClock final : public os::Clock {
 public:
  base::SteadyTime steady_now() noexcept override { return base::SteadyTime(base::Duration(steady_.load())); }
  base::WallTime wall_now() noexcept override { return base::WallTime(base::Duration(wall_.load())); }

  base::SteadyTime boot_now() noexcept override {
    return base::SteadyTime(base::Duration(steady_.load() + suspended_.load()));
  }

  void advance(base::Duration by) noexcept {
    steady_ += by.count();
    wall_ += by.count();
  }
  // The machine sleeps: only the steady clock does too.
  void suspend(base::Duration by) noexcept {
    suspended_ += by.count();
    wall_ += by.count();
  }
  // The administrator sets the time: the wall clock jumps, the steady one does not.
  void jump_wall(base::Duration by) noexcept { wall_ += by.count(); }

 private:
  std::atomic<std::int64_t> steady_{1'000'000'000'000};
  std::atomic<std::int64_t> suspended_{0};
  std::atomic<std::int64_t> wall_{1'800'000'000'000'000'000};  // 2027-01-15
};

}  // namespace arca::fakes
