#include "flow/circuit_breaker.hpp"

#include <algorithm>
#include <utility>

namespace arca::flow {

std::string_view to_string(BreakerState state) noexcept {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::half_open:
      return "half-open";
  }
  return "?";
}

CircuitBreaker::CircuitBreaker(const BreakerOptions& options, Random random)
    : options_(options), random_(std::move(random)) {}

bool CircuitBreaker::allows(base::SteadyTime now) const noexcept {
  return state_ == BreakerState::closed || (state_ == BreakerState::open && now >= open_until_);
}

std::optional<CircuitBreaker::Permit> CircuitBreaker::try_acquire(base::SteadyTime now) noexcept {
  if (!allows(now)) return std::nullopt;
  if (state_ == BreakerState::open) {
    state_ = BreakerState::half_open;
    ++era_;
  }
  Permit permit;
  permit.era_ = era_;
  return permit;
}

void CircuitBreaker::record_success(Permit permit) noexcept {
  if (permit.era_ != era_) return;
  failure_count_ = 0;
  if (state_ != BreakerState::half_open) return;
  state_ = BreakerState::closed;
  open_count_ = 0;
  ++era_;
}

void CircuitBreaker::record_failure(Permit permit, base::SteadyTime now, std::optional<base::Duration> retry_after) {
  if (permit.era_ != era_) {
    // Sent before we opened. It teaches nothing new, except a longer wait that the server asks for.
    if (state_ == BreakerState::open && retry_after) open_until_ = std::max(open_until_, now + *retry_after);
    return;
  }
  ++failure_count_;
  if (state_ == BreakerState::half_open || retry_after || failure_count_ >= options_.failure_count_max) {
    open(now, retry_after);
  }
}

base::SteadyTime CircuitBreaker::next_try_at() const noexcept {
  return state_ == BreakerState::open ? open_until_ : base::never;
}

void CircuitBreaker::open(base::SteadyTime now, std::optional<base::Duration> retry_after) {
  state_ = BreakerState::open;
  ++era_;
  failure_count_ = 0;
  ++open_count_;
  open_until_ = now + backoff_delay(options_.open_time, open_count_, random_, retry_after);
}

}  // namespace arca::flow
