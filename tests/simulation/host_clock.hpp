// HostClock: what the clocks of one machine say while the world's time goes on.
#pragma once

#include "os/clock.hpp"
#include "simulation/world.hpp"

namespace arca::simulation {

class HostClock final : public os::Clock {
 public:
  explicit HostClock(const World& world) noexcept : world_(world) {}

  base::SteadyTime steady_now() noexcept override { return world_.now(); }
  base::WallTime wall_now() noexcept override {
    return base::WallTime(std::chrono::hours(500'000)) + world_.age() + wall_offset_;
  }

  // The administrator, or NTP.
  void jump_wall(base::Duration by) noexcept { wall_offset_ += by; }

 private:
  const World& world_;
  base::Duration wall_offset_{};
};

}  // namespace arca::simulation
