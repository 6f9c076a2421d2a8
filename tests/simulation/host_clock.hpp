// HostClock: what the clocks of one machine say while the world's time goes on.
#pragma once

#include "os/clock.hpp"
#include "simulation/world.hpp"

namespace arca::simulation {

class HostClock final : public os::Clock {
 public:
  explicit HostClock(const World& world) noexcept : world_(world) {}

  base::SteadyTime steady_now() noexcept override { return (paused_at_ ? *paused_at_ : world_.now()) - behind_; }
  // The hypervisor gives no time to the boot clock of a paused guest either.
  base::SteadyTime boot_now() noexcept override { return steady_now() + slept_; }
  base::WallTime wall_now() noexcept override {
    return base::WallTime(std::chrono::hours(500'000)) + world_.age() + wall_offset_;
  }

  // The administrator, or NTP.
  void jump_wall(base::Duration by) noexcept { wall_offset_ += by; }
  // The guest stands still, and so do its clocks, all but the wall's, which is set at once when it goes on.
  void pause() noexcept { paused_at_ = world_.now(); }
  void resume() noexcept {
    behind_ += world_.now() - *paused_at_;
    paused_at_.reset();
  }
  // The machine was asleep for the time until now, and woke up: only the steady clock slept too.
  void wake_from_sleep() noexcept {
    slept_ += world_.now() - *paused_at_;
    resume();
  }
  // When a point of this host's steady time comes in the world's.
  [[nodiscard]] base::SteadyTime in_world(base::SteadyTime steady) const noexcept {
    return steady == base::never ? base::never : steady + behind_;
  }

 private:
  const World& world_;
  base::Duration behind_{};
  base::Duration slept_{};
  base::Duration wall_offset_{};
  std::optional<base::SteadyTime> paused_at_;
};

}  // namespace arca::simulation
