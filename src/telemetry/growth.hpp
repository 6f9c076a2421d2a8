// Growth: how fast the backlog grows, for "seconds until full".
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/time.hpp"

namespace arca::telemetry {

// Thread-safe.
class Growth {
 public:
  // Takes a sample; the rate is smoothed over about ten of them.
  void sample(base::SteadyTime now, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (seen_) {
      const double seconds = std::chrono::duration<double>(now - at_).count();
      if (seconds <= 0) return;
      const double present = (static_cast<double>(bytes) - static_cast<double>(bytes_)) / seconds;
      rate_ += (present - rate_) * 0.2;
    }
    seen_ = true;
    at_ = now;
    bytes_ = bytes;
  }

  // Nothing while the backlog does not grow.
  [[nodiscard]] std::optional<std::chrono::seconds> time_to_fill(std::uint64_t room) const {
    const std::lock_guard lock(mutex_);
    if (rate_ < 1.0) return std::nullopt;
    const double seconds = static_cast<double>(room) / rate_;
    constexpr double longest = 10.0 * 365 * 24 * 3600;
    return std::chrono::seconds(static_cast<std::int64_t>(seconds < longest ? seconds : longest));
  }

 private:
  mutable std::mutex mutex_;
  bool seen_ = false;  // these protected by mutex_
  base::SteadyTime at_{};
  std::uint64_t bytes_ = 0;
  double rate_ = 0;  // bytes per second
};

}  // namespace arca::telemetry
