#include "flow/rate_limiter.hpp"

#include <algorithm>
#include <cmath>

namespace arca::flow {

namespace {
constexpr double burst_seconds = 0.05;  // what a bucket can save up while nobody takes
}  // namespace

void RateLimiter::Bucket::fill(double seconds) { level = std::min(level + rate * seconds, rate * burst_seconds); }

base::Duration RateLimiter::Bucket::debt() const {
  if (rate <= 0 || level >= 0) return base::Duration::zero();
  // Rounded up: waking a nanosecond early would mean waking twice.
  return base::Duration(static_cast<std::int64_t>(std::ceil(-level / rate * 1e9)));
}

RateLimiter::RateLimiter(const RateLimits& limits) {
  bytes_.rate = static_cast<double>(limits.bytes_per_second);
  items_.rate = static_cast<double>(limits.items_per_second);
}

base::SteadyTime RateLimiter::ready_at(base::SteadyTime now) {
  const std::lock_guard lock(mutex_);
  fill(now);
  return now + std::max(bytes_.debt(), items_.debt());
}

void RateLimiter::take(base::SteadyTime now, std::uint64_t bytes, std::uint64_t items) {
  const std::lock_guard lock(mutex_);
  fill(now);
  bytes_.level -= static_cast<double>(bytes);
  items_.level -= static_cast<double>(items);
}

void RateLimiter::fill(base::SteadyTime now) {
  if (now <= filled_at_) return;
  const double seconds = std::chrono::duration<double>(now - filled_at_).count();
  bytes_.fill(seconds);
  items_.fill(seconds);
  filled_at_ = now;
}

}  // namespace arca::flow
