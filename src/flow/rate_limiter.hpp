// RateLimiter: a token bucket for bytes and one for items. Used by dispatchers of the recovery lane, which share one,
// so that the limit holds for recovery as a whole.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/time.hpp"

namespace arca::flow {

struct RateLimits {
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  std::uint64_t items_per_second = 0;  // 0: no limit
};

// Thread-safe. A chunk may overdraw a bucket, because its size is known only once it is claimed; the next one then
// waits until the debt is paid. So no chunk is too large to ever pass, and the mean rate is exact.
class RateLimiter {
 public:
  explicit RateLimiter(const RateLimits& limits);

  // When the next chunk may go: `now` or earlier if at once.
  [[nodiscard]] base::SteadyTime ready_at(base::SteadyTime now);
  void take(base::SteadyTime now, std::uint64_t bytes, std::uint64_t items);

 private:
  struct Bucket {
    double rate = 0;   // tokens per second; 0: no limit
    double level = 0;  // may be negative
    void fill(double seconds);
    [[nodiscard]] base::Duration debt() const;
  };
  void fill(base::SteadyTime now);

  std::mutex mutex_;
  Bucket bytes_;  // these three protected by mutex_
  Bucket items_;
  base::SteadyTime filled_at_{};
};

}  // namespace arca::flow
